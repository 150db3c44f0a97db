"""
Models and other pickles of PyTorch: tensors, their types and shapes. Nothing is unpickled.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from artstore import limits
from artstore.web.previews.archives import opened_zip
from artstore.web.previews.pickled import (
    CalledSymbol,
    PickleSketch,
    StorageSymbol,
    members,
    read_pickle,
)
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource, first_bytes
from artstore.web.visible import size_text, visible

__all__ = ["PREVIEW"]

_PICKLE_BYTES: Final = 2 * limits.MIB
_ROWS_MAX: Final = 500
_LEVELS_MAX: Final = 12
_VISITS_MAX: Final = 20_000
_TEXT_CHARS: Final = 300
_IMPORTS_MAX: Final = 50
_REBUILD: Final = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_parameter")
_STORAGE_FIELDS: Final = 5
_NEVER: Final = "Nothing of it is run: types and shapes are read from the instructions it holds."


class _Tensor(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]


def _checkpoint(source: PreviewSource) -> Preview | None:
    head = first_bytes(source, 4)
    if head.startswith(b"PK"):
        return _zipped(source)
    if head[:1] == b"\x80" or source.path.lower().endswith((".pkl", ".pickle")):
        return _plain(source)
    return None


def _zipped(source: PreviewSource) -> Preview | None:
    with opened_zip(source) as archive:
        found = archive.infolist()
        inner = next((m for m in found if m.filename.endswith("data.pkl")), None)
        if inner is None:
            return None
        with archive.open(inner) as file:
            data = file.read(_PICKLE_BYTES + 1)
    if len(data) > _PICKLE_BYTES:
        data = data[:_PICKLE_BYTES]
    reading = read_pickle(data)
    tensors = list(_tensors(reading.value))
    facts = [
        ("records", f"{len(found):,}"),
        ("bytes in records", size_text(sum(member.file_size for member in found))),
        *_tensor_facts(tensors),
        *_import_facts(reading),
    ]
    is_cut = not reading.is_whole or len(tensors) > _ROWS_MAX
    grid = _grid(tensors) if tensors else _records(found)
    return Preview("torch", tuple(facts), grid=grid, note=_NEVER, is_cut=is_cut)


def _plain(source: PreviewSource) -> Preview:
    data = first_bytes(source, _PICKLE_BYTES)
    reading = read_pickle(data)
    tensors = list(_tensors(reading.value))
    facts = (*_tensor_facts(tensors), *_import_facts(reading))
    is_cut = not reading.is_whole or len(data) < source.size_bytes
    return Preview(
        "pickle", facts, grid=_grid(tensors) if tensors else None, note=_NEVER, is_cut=is_cut
    )


def _tensor_facts(tensors: list[_Tensor]) -> list[tuple[str, str]]:
    if not tensors:
        return []
    numbers = sum(min(math.prod(tensor.shape), 1 << 63) for tensor in tensors)
    return [("tensors", f"{len(tensors):,}"), ("numbers", f"{numbers:,}")]


def _import_facts(reading: PickleSketch) -> list[tuple[str, str]]:
    names = list(reading.imports)
    told = ", ".join(visible(name, 100, lines=False) for name in names[:_IMPORTS_MAX])
    more = "\u2026" if len(names) > _IMPORTS_MAX else ""
    return [("loading it would import", f"{told}{more}")] if names else []


def _grid(tensors: list[_Tensor]) -> Grid:
    rows = tuple(
        (tensor.name, tensor.dtype, " x ".join(map(str, tensor.shape)) or "one number")
        for tensor in tensors[:_ROWS_MAX]
    )
    return Grid(("name", "dtype", "shape"), rows, len(tensors))


def _records(found: list[zipfile.ZipInfo]) -> Grid:
    rows = tuple(
        (visible(member.filename, _TEXT_CHARS, lines=False), size_text(member.file_size))
        for member in found[:_ROWS_MAX]
    )
    return Grid(("record", "size"), rows, len(found))


def _tensors(value: Any) -> Iterator[_Tensor]:
    """Every tensor that hangs in what would be loaded, with its dotted name."""
    pending: list[tuple[str, Any, int]] = [("", value, 0)]
    for _ in range(_VISITS_MAX):
        if not pending:
            return
        name, found, level = pending.pop()
        tensor = _tensor(name, found)
        if tensor is not None:
            yield tensor
            continue
        if level >= _LEVELS_MAX:
            continue
        # Shared symbols may hang in one another a million times: what is visited is counted.
        below = [
            (_joined(name, key), child, level + 1)
            for (key, child), _ in zip(members(found), range(_VISITS_MAX), strict=False)
            if isinstance(child, (CalledSymbol, list, tuple))
        ]
        pending += reversed(below[: max(0, _VISITS_MAX - len(pending))])


def _joined(name: str, key: Any) -> str:
    shown = visible(str(key), 100, lines=False) if isinstance(key, (str, int)) else "?"
    return f"{name}.{shown}"[-_TEXT_CHARS:] if name else shown


def _tensor(name: str, found: Any) -> _Tensor | None:
    if not isinstance(found, CalledSymbol) or not found.name.startswith(_REBUILD):
        return None
    arguments = found.arguments
    if not isinstance(arguments, tuple) or not arguments:
        return None
    if isinstance(arguments[0], CalledSymbol):
        # A parameter: the tensor is its first argument.
        return _tensor(name, arguments[0])
    shape = arguments[2] if len(arguments) > 2 else ()
    if not isinstance(shape, tuple) or not all(
        isinstance(size, int) and 0 <= size < 1 << 63 for size in shape
    ):
        shape = ()
    return _Tensor(name or "(itself)", _dtype(arguments[0]), shape[:64])


def _dtype(storage: Any) -> str:
    pid = storage.pid if isinstance(storage, StorageSymbol) else None
    if not isinstance(pid, tuple) or len(pid) != _STORAGE_FIELDS:
        return "?"
    name = str(getattr(pid[1], "name", "?")).rpartition(".")[2].removesuffix("Storage")
    return visible(name.lower(), 40, lines=False)


PREVIEW = PreviewKind(
    "torch",
    _checkpoint,
    (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"),
    (b"PK\x03\x04",),
)

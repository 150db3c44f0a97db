"""
safetensors: names, types and shapes of tensors from the header. No weight is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from artstore import limits
from artstore.errors import DamagedDataError, LimitExceededError
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource
from artstore.web.visible import size_text, visible

__all__ = ["PREVIEW"]

_HEADER_BYTES: Final = 4 * limits.MIB
_ROWS_MAX: Final = 500
_TEXT_CHARS: Final = 300
_FACTS_MAX: Final = 20
_LENGTH_BYTES: Final = 8


def _safetensors(source: PreviewSource) -> Preview:
    length = int.from_bytes(source.read(0, _LENGTH_BYTES), "little")
    if length > source.size_bytes - _LENGTH_BYTES:
        raise _damaged(source.path, f"its header would have {length:,} bytes")
    if length > _HEADER_BYTES:
        raise LimitExceededError(
            f"the header of {source.path!r} has {size_text(length)}, a preview reads "
            f"{size_text(_HEADER_BYTES)}",
            code="preview-too-large",
        )
    try:
        header = json.loads(source.read(_LENGTH_BYTES, _LENGTH_BYTES + length))
    except (ValueError, RecursionError) as error:
        raise _damaged(source.path, "its header is no JSON") from error
    if not isinstance(header, dict):
        raise _damaged(source.path, "its header is no JSON object")
    noted = header.pop("__metadata__", None)
    tensors = [(name, told) for name, told in header.items() if isinstance(told, dict)]
    numbers = sum(_count(told) for _, told in tensors)
    facts = [("tensors", f"{len(tensors):,}"), ("numbers", f"{numbers:,}")]
    if isinstance(noted, Mapping):
        facts += [
            (visible(str(name), 100, lines=False), visible(str(text), _TEXT_CHARS))
            for name, text in list(noted.items())[:_FACTS_MAX]
        ]
    rows = tuple(_row(name, told) for name, told in tensors[:_ROWS_MAX])
    is_cut = len(tensors) > _ROWS_MAX
    note = f"The first {_ROWS_MAX} of {len(tensors):,} are shown." if is_cut else ""
    grid = Grid(("name", "dtype", "shape", "bytes"), rows, len(tensors))
    return Preview("safetensors", tuple(facts), grid=grid, note=note, is_cut=is_cut)


def _shape(told: Mapping[str, Any]) -> list[int]:
    found = told.get("shape")
    if not isinstance(found, list) or not all(isinstance(size, int) for size in found):
        return []
    # A number of digits without end would be written out.
    return found if all(0 <= size < 1 << 63 for size in found) else []


def _count(told: Mapping[str, Any]) -> int:
    return min(math.prod(_shape(told)[:64]), 1 << 63)


def _row(name: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    offsets = told.get("data_offsets")
    known = (
        isinstance(offsets, list)
        and len(offsets) == 2
        and all(isinstance(offset, int) and 0 <= offset < 1 << 63 for offset in offsets)
    )
    size = size_text(max(0, offsets[1] - offsets[0])) if known and offsets else ""
    shape = " x ".join(map(str, _shape(told)[:64])) or "one number"
    shown = (visible(text, _TEXT_CHARS, lines=False) for text in (name, str(told.get("dtype"))))
    return (*shown, shape, size)


def _damaged(path: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{path!r} is not a safetensors file that can be read: {found}",
        code="preview-damaged",
        path=path,
    )


PREVIEW = PreviewKind("safetensors", _safetensors, (".safetensors",))

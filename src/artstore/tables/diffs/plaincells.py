"""
Cells as values of JSON, and as a few words for people.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.types import (
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Media,
    Plain,
    Struct,
    Timestamp,
    Union,
)

__all__ = ["cell_text", "plain_cells"]

_SHORT_ARRAY: Final = 6
_DIGITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}


class _Label(str):
    """Words that stand for a cell: `image 28x28 png`."""

    __slots__ = ()


def plain_cells(kind: ColumnType, array: Any, *, labelled: bool = False) -> list[Any]:
    """
    The cells of a column as values of JSON.

    Times are ISO 8601 texts, moments in UTC; durations such as `PT1.5S`; bytes are base64;
    decimals are texts; NaN and endless numbers are `"NaN"`, `"Infinity"`, `"-Infinity"`; media are
    objects with the members of their cell.

    Args:
        labelled: have a few words for media, and for arrays of more than 6 elements.
    """
    if isinstance(kind, Plain):
        return _PLAIN.get(kind.name, _numbers)(array)
    if isinstance(kind, Timestamp):
        return _timestamps(kind, array)
    if isinstance(kind, Duration):
        return _durations(kind, array)
    if isinstance(kind, Decimal):
        return [None if cell is None else str(cell) for cell in array.to_pylist()]
    if isinstance(kind, List):
        return _lists(kind, array, labelled=labelled)
    if isinstance(kind, Array):
        return _arrays(kind, array, labelled=labelled)
    if isinstance(kind, Union):
        return _unions(kind, array, labelled=labelled)
    cells = _structs(kind if isinstance(kind, Struct) else kind.cell, array, labelled=labelled)
    if isinstance(kind, Media) and labelled:
        return [None if cell is None else _medium(kind, cell) for cell in cells]
    return cells


def cell_text(cell: Any, most_chars: int | None = None) -> str:
    """
    A cell of `plain_cells` in one piece of text; what is longer than `most_chars` is cut.

    Texts are as they are, line ends and all.
    """
    text = cell if isinstance(cell, str) else _text(cell)
    if most_chars is not None and len(text) > most_chars:
        return f"{text[: most_chars - 1]}…"
    return text


def _text(cell: Any) -> str:
    if cell is None:
        return "null"
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, list):
        return f"[{', '.join(_inner(part) for part in cell)}]"
    if isinstance(cell, dict):
        told = (f"{name}: {_inner(part)}" for name, part in cell.items() if part is not None)
        return f"{{{', '.join(told)}}}"
    return str(cell)


def _inner(cell: Any) -> str:
    # Only within lists and dictionaries has one to see where a text ends.
    if isinstance(cell, str) and not isinstance(cell, _Label):
        return f'"{cell}"'
    return _text(cell)


# sorts of cells -------------------------------------------------------------------------


def _numbers(array: Any) -> list[Any]:
    cells: list[Any] = array.to_pylist()
    return cells


def _floats(array: Any) -> list[Any]:
    if pa.types.is_float64(array.type):
        cells = array.to_pylist()
    else:
        # The shortest digits that are this number among those of its type.
        dtype = np.float16 if pa.types.is_float16(array.type) else np.float32
        cells = [None if c is None else float(str(dtype(c))) for c in array.to_pylist()]
    return [_finite(cell) if isinstance(cell, float) else cell for cell in cells]


def _finite(number: float) -> float | str:
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return _Label("NaN")
    return _Label("Infinity" if number > 0 else "-Infinity")


def _bytes(array: Any) -> list[Any]:
    cells = array.to_pylist()
    return [None if cell is None else base64.b64encode(cell).decode("ascii") for cell in cells]


def _dates(array: Any) -> list[Any]:
    return [None if cell is None else cell.isoformat() for cell in array.to_pylist()]


def _timestamps(kind: Timestamp, array: Any) -> list[Any]:
    # As Arrow writes them: years beyond 9999 and nanoseconds, which datetime has not.
    texts = array.cast(pa.timestamp(kind.unit)).cast(pa.string()).to_pylist()
    end = "Z" if kind.zone else ""
    return [None if text is None else text.replace(" ", "T") + end for text in texts]


def _durations(kind: Duration, array: Any) -> list[Any]:
    digits = _DIGITS[kind.unit]
    cells = array.cast(pa.int64()).to_pylist()
    return [None if cell is None else _duration(cell, digits) for cell in cells]


def _duration(count: int, digits: int) -> str:
    whole, rest = divmod(abs(count), 10**digits)
    part = f".{rest:0{digits}}".rstrip("0") if rest else ""
    return f"{'-' if count < 0 else ''}PT{whole}{part}S"


def _lists(kind: List, array: Any, *, labelled: bool) -> list[Any]:
    elements = plain_cells(kind.element, array.flatten(), labelled=labelled)
    cells: list[Any] = []
    at = 0
    for length in array.value_lengths().to_pylist():
        cells.append(None if length is None else elements[at : at + length])
        at += length or 0
    return cells


def _structs(kind: Struct, array: Any, *, labelled: bool) -> list[Any]:
    names = [name for name, _ in kind.fields]
    parts = [
        plain_cells(member, part, labelled=labelled)
        for (_, member), part in zip(kind.fields, array.flatten(), strict=False)
    ]
    valid = array.is_valid().to_pylist()
    rows = zip(*parts, strict=True) if parts else ((),) * len(array)
    return [
        dict(zip(names, row, strict=True)) if is_there else None
        for row, is_there in zip(rows, valid, strict=True)
    ]


def _unions(kind: Union, array: Any, *, labelled: bool) -> list[Any]:
    cells: list[Any] = [None] * len(array)
    for (_, member), part in zip(kind.members, array.flatten(), strict=True):
        for at, cell in enumerate(plain_cells(member, part, labelled=labelled)):
            if cell is not None:
                cells[at] = cell
    return cells


def _arrays(kind: Array, array: Any, *, labelled: bool) -> list[Any]:
    if kind.shape is None:
        shapes, values = array.flatten()
        told = shapes.to_pylist()
    else:
        told, values = [kind.shape] * len(array), array
    element = Plain(kind.dtype)
    numbers = plain_cells(element, values.flatten())
    cells: list[Any] = []
    at = 0
    for shape, length in zip(told, values.value_lengths().to_pylist(), strict=True):
        if length is None:
            cells.append(None)
            continue
        if labelled and length > _SHORT_ARRAY:
            cells.append(_Label(f"{kind.dtype} {'x'.join(map(str, shape))}"))
        else:
            cells.append(_shaped(numbers[at : at + length], list(shape)))
        at += length
    return cells


def _shaped(numbers: list[Any], shape: list[int]) -> list[Any]:
    if len(shape) < 2:
        return numbers
    size = math.prod(shape[1:])
    starts = range(0, size * shape[0], size) if size else [0] * shape[0]
    return [_shaped(numbers[at : at + size], shape[1:]) for at in starts]


def _medium(kind: Media, cell: Mapping[str, Any]) -> _Label:
    size = f" {cell['width']}x{cell['height']}" if cell.get("width") is not None else ""
    word = cell.get("format") or ""
    return _Label(f"{kind}{size}{' ' if word else ''}{word}")


_PLAIN: Final[Mapping[str, Callable[[Any], list[Any]]]] = {
    "bytes": _bytes,
    "date": _dates,
    "time": _dates,
    **dict.fromkeys(("float16", "float32", "float64"), _floats),
}

"""
Cells of columns as JSON values, and back.

    bytes               text in base64
    NaN and infinities  NaN, Infinity, -Infinity, which JSON has not, and Python, pandas, Arrow
                        and DuckDB write and read
    dates and times     text as in ISO 8601
    durations           whole numbers, in the unit of the column
    decimals            text
    arrays              lists in lists; an empty one of several axes {"shape": ..., "values": []}
    media               as `mediarecords` tells
    mixed columns       the cell as it is

The types of columns are told beside (`provenance`): with them the way back is exact, but
for mixed columns, whose cells have the types that their JSON has.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.arrowtypes import arrow_type, list_array, struct_array
from artstore.tables.inference import BuiltArray, build_array
from artstore.tables.mediacells import has_media
from artstore.tables.pythoncells import OpenContent, python_cells
from artstore.tables.types import (
    BYTES,
    DATE,
    TIME,
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

__all__ = ["decoded_cells", "encoded_cells", "is_exact", "python_value"]

_FLOATS: Final = frozenset(("float16", "float32", "float64"))


# cells -> JSON --------------------------------------------------------------------------


def encoded_cells(
    kind: ColumnType, array: Any, open_content: OpenContent, tell: Callable[[Any], Any]
) -> list[Any]:
    """
    The cells of a column as JSON values.

    Args:
        tell: gives the JSON of a media value.
    """
    if isinstance(kind, Plain):
        return _plain_cells(kind, array)
    if isinstance(kind, (Timestamp, Decimal)):
        return list(array.cast(pa.string()).to_pylist())
    if isinstance(kind, Duration):
        return list(array.cast(pa.int64()).to_pylist())
    if isinstance(kind, Media):
        values = python_cells(kind, array, open_content)
        return [None if value is None else tell(value) for value in values]
    if isinstance(kind, Array):
        return [_array_cell(cell) for cell in python_cells(kind, array, open_content)]
    if isinstance(kind, List):
        elements = encoded_cells(kind.element, array.flatten(), open_content, tell)
        return _cut(elements, array.value_lengths().to_pylist())
    parts = [
        encoded_cells(member, part, open_content, tell)
        for (_, member), part in zip(_members(kind), array.flatten(), strict=False)
    ]
    if isinstance(kind, Union):
        rows = zip(*parts, strict=True)
        return [next((cell for cell in row if cell is not None), None) for row in rows]
    return _dicts(kind, parts, array.is_valid().to_pylist())


def _members(kind: Struct | Union) -> tuple[tuple[str, ColumnType], ...]:
    return kind.fields if isinstance(kind, Struct) else kind.members


def _plain_cells(kind: Plain, array: Any) -> list[Any]:
    if kind.name in _FLOATS:
        return list(array.cast(pa.float64()).to_pylist())
    if kind == BYTES:
        return [
            None if cell is None else base64.b64encode(cell).decode("ascii")
            for cell in array.to_pylist()
        ]
    if kind in (DATE, TIME):
        return [None if cell is None else cell.isoformat() for cell in array.to_pylist()]
    return list(array.to_pylist())


def _array_cell(cell: Any) -> Any:
    if cell is None:
        return None
    if not cell.size and cell.ndim > 1:
        return {"shape": list(cell.shape), "values": []}
    return cell.tolist()


def _cut(elements: Sequence[Any], lengths: Sequence[int | None]) -> list[Any]:
    cells: list[Any] = []
    at = 0
    for length in lengths:
        cells.append(None if length is None else list(elements[at : at + length]))
        at += length or 0
    return cells


def _dicts(kind: Struct, parts: Sequence[list[Any]], valid: Sequence[bool]) -> list[Any]:
    names = [name for name, _ in kind.fields]
    rows = zip(*parts, strict=True) if names else ((),) * len(valid)
    return [
        dict(zip(names, row, strict=False)) if is_there else None
        for row, is_there in zip(rows, valid, strict=True)
    ]


# JSON -> cells --------------------------------------------------------------------------


def is_exact(kind: ColumnType) -> bool:
    """Whether `decoded_cells` gives back cells of this type; media and mixed ones it does not."""
    if isinstance(kind, List):
        return is_exact(kind.element)
    if isinstance(kind, Struct):
        return all(is_exact(member) for _, member in kind.fields)
    return not isinstance(kind, (Media, Union)) and not has_media(kind)


def decoded_cells(kind: ColumnType, cells: Sequence[Any]) -> BuiltArray:
    """
    The column of these JSON values, of the type `kind`, for which `is_exact` is true.

    Raises:
        TypeError, ValueError: a value is none of that type; Arrow's errors are such.
    """
    if isinstance(kind, List):
        there = [cell for cell in cells if cell is not None]
        elements = decoded_cells(kind.element, [value for cell in there for value in _list(cell)])
        lengths = pa.array([None if cell is None else len(cell) for cell in cells], pa.int32())
        return BuiltArray(kind, list_array(lengths, elements.array, kind))
    if isinstance(kind, Struct):
        for cell in cells:
            if cell is not None and not isinstance(cell, dict):
                raise TypeError(f"{cell!r:.60} is no object")
        parts = [
            decoded_cells(member, [None if cell is None else cell.get(name) for cell in cells])
            for name, member in kind.fields
        ]
        mask = pa.array([cell is None for cell in cells], pa.bool_())
        return BuiltArray(kind, struct_array([part.array for part in parts], kind, mask))
    if isinstance(kind, Array):
        return _arrays(kind, cells)
    wanted = arrow_type(kind)
    if kind == TIME:
        cells = [None if cell is None else dt.time.fromisoformat(cell) for cell in cells]
        return BuiltArray(kind, pa.array(cells, wanted))
    if isinstance(kind, (Timestamp, Decimal)) or kind == DATE:
        return BuiltArray(kind, pa.array(cells, pa.string()).cast(wanted))
    if isinstance(kind, Duration):
        return BuiltArray(kind, pa.array(cells, pa.int64()).cast(wanted))
    assert isinstance(kind, Plain)
    return BuiltArray(kind, pa.array([_plain_value(kind, cell) for cell in cells], wanted))


def python_value(kind: ColumnType, cell: Any, read: Callable[[Any], Any]) -> Any:
    """
    A JSON value as what a program would add: for columns with media, or mixed ones.

    Args:
        read: makes a media value.
    Raises:
        TypeError, ValueError: it is none of that type.
    """
    if cell is None or isinstance(kind, Union):
        return _mixed_value(kind, cell, read)
    if isinstance(kind, Media):
        return read(cell)
    if isinstance(kind, List):
        return [python_value(kind.element, value, read) for value in _list(cell)]
    if isinstance(kind, Struct):
        if not isinstance(cell, dict):
            raise TypeError(f"{cell!r:.60} is no object")
        return {name: python_value(member, cell.get(name), read) for name, member in kind.fields}
    built = decoded_cells(kind, [cell])
    return python_cells(kind, built.array, _no_content)[0]


def _mixed_value(kind: ColumnType, cell: Any, read: Callable[[Any], Any]) -> Any:
    if cell is None or not isinstance(kind, Union):
        return None
    for _, member in kind.members:
        if (
            isinstance(member, Media)
            and isinstance(cell, dict)
            and ("path" in cell or "url" in cell)
        ):
            return read(cell)
    return cell


def _no_content(path: str) -> Any:
    raise AssertionError(path)


def _list(cell: Any) -> list[Any]:
    if not isinstance(cell, list):
        raise TypeError(f"{cell!r:.60} is no list")
    return cell


def _plain_value(kind: Plain, cell: Any) -> Any:
    if cell is None:
        return None
    if kind.name in _FLOATS:
        if isinstance(cell, bool) or not isinstance(cell, (int, float)):
            raise TypeError(f"{cell!r:.60} is no number")
        return np.float16(cell) if kind.name == "float16" else float(cell)
    if kind == BYTES:
        return base64.b64decode(cell, validate=True)
    if (kind.name == "bool") != isinstance(cell, bool):
        raise TypeError(f"{cell!r:.60} is not of type {kind}")
    # Arrow would cut off fractions.
    if kind.name not in ("bool", "text", "null") and not isinstance(cell, int):
        raise TypeError(f"{cell!r:.60} is no whole number")
    return cell


def _arrays(kind: Array, cells: Sequence[Any]) -> BuiltArray:
    made = [None if cell is None else _array(kind, cell) for cell in cells]
    if all(cell is None for cell in made):
        return BuiltArray(kind, pa.nulls(len(made), arrow_type(kind)))
    return build_array(made)


def _array(kind: Array, cell: Any) -> Any:
    if isinstance(cell, dict):
        array = np.array(cell["values"], kind.dtype).reshape(cell["shape"])
    else:
        array = np.array(_list(cell))
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{cell!r:.60} is no array of numbers")
        with np.errstate(all="ignore"):
            array = array.astype(kind.dtype)
    if kind.shape is not None and array.shape != kind.shape:
        raise ValueError(f"an array of shape {array.shape}, not {kind.shape}")
    return array

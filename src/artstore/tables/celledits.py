"""
Cells that a person has typed: JSON values brought to the type of the column they are for.

Nothing is guessed: `"3"` is no number, 3 no text, and a number that the type of the
column would change is refused.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.tables.inference import build_array, checked_cell
from artstore.tables.rows import Rows
from artstore.tables.types import (
    TEXT,
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Plain,
    Struct,
    Timestamp,
    Union,
)
from artstore.tables.widening import convert, widened

__all__ = ["edited_array", "with_cells"]

_EXACT_MAX: Final = 2**53
_TELLING: Final = "$"
"""The member by which a cell of the page says what it is; docs/reference/web-api.md."""
_SPECIAL: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "-0": -0.0}
_ELEMENTS_MAX: Final = 100_000
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class _UnfitError(Exception):
    """Why a value is none of a type."""


def edited_array(kind: ColumnType, values: Sequence[Any], column: str) -> Any:
    """
    JSON values as the Arrow array of a column.

    Args:
        values: null, true, false, numbers, texts, lists and objects; and for numbers, texts
            and times that JSON has not: `{"$": "number", "v": "nan"}`,
            `{"$": "time", "v": "2026-01-31T12:00:00Z"}`.
    Raises:
        InvalidInputError: `cell-unsupported`, naming column and value.
    """
    arrays = [_one(kind, value, column) for value in values]
    return pa.concat_arrays(arrays)


def with_cells(rows: Rows, cells: Mapping[str, tuple[Any, Any]]) -> Rows:
    """
    Rows in which some cells are others.

    Args:
        cells: by column the places of rows, int64 [n], and an array of n new cells.
    """
    arrays = list(rows.arrays)
    for name, (places, new) in cells.items():
        at = rows.schema.names.index(name)
        indexes = np.arange(rows.row_count, dtype=np.int64)
        indexes[places] = rows.row_count + np.arange(len(new))
        both = pa.concat_arrays([arrays[at], new])
        arrays[at] = both.take(pa.array(indexes))
    return Rows(rows.schema, tuple(arrays), rows.row_count)


def _one(kind: ColumnType, value: Any, column: str) -> Any:
    try:
        cell = _cell(kind, value)
        built = build_array([checked_cell(cell, column, [])])
        # A type that holds both as they are is the type of the column, or the cell does not fit.
        if widened(kind, built.kind) == kind:
            return convert(built.array, built.kind, kind)
        why = f"it would be {built.kind}"
    except _UnfitError as error:
        why = str(error)
    except RecursionError:
        why = "it is nested too deep"
    except (ArithmeticError, TypeError, ValueError, pa.ArrowException, ArtstoreError) as error:
        why = getattr(error, "message", str(error))
    told = value.get("v") if isinstance(value, dict) and _TELLING in value else value
    raise InvalidInputError(
        f"{told!r:.60} is no cell of the column {column!r}, which is {kind!s:.200}: {why}",
        code="cell-unsupported",
        column=column,
    )


def _cell(kind: ColumnType, value: Any) -> Any:
    """The value as Python has it, in what `build_array` makes the type of."""
    if value is None:
        return None
    if isinstance(kind, Plain):
        return _plain(kind, value)
    if isinstance(kind, Timestamp):
        return _moment(kind, value)
    if isinstance(kind, Duration):
        return _duration(kind, value)
    if isinstance(kind, Decimal):
        return decimal.Decimal(_checked(_digits(value)))
    if isinstance(kind, List):
        return [_cell(kind.element, element) for element in _list(value)]
    if isinstance(kind, Struct):
        return _struct(kind, value)
    if isinstance(kind, Array):
        return _array(kind, value)
    if isinstance(kind, Union):
        return _member(kind, value)
    raise _UnfitError("images and other files are not edited here; it can be made null")


def _plain(kind: Plain, value: Any) -> Any:
    if kind.name in _PLAIN:
        return _PLAIN[kind.name](value)
    if kind.name == "int":
        number = _whole(value)
        if abs(number) > _EXACT_MAX:
            raise _UnfitError(f"it is beyond {_EXACT_MAX}, up to which the column is exact")
        return number
    if kind.name.startswith("float"):
        return _fraction(kind.name, value)
    if kind.name[-1].isdigit():
        number, limits = _whole(value), np.iinfo(kind.name)
        if not limits.min <= number <= limits.max:
            raise _UnfitError(f"it is not from {limits.min} to {limits.max}")
        return np.dtype(kind.name).type(number)
    raise _UnfitError("cells of this type are not edited here; it can be made null")


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError("it is not true or false")
    return value


def _text(value: Any) -> str:
    if isinstance(value, dict) and value.get(_TELLING) == "text" and "length" not in value:
        value = value.get("v")
    if not isinstance(value, str):
        raise _UnfitError("it is no text")
    return value


def _date(value: Any) -> dt.date:
    return dt.date.fromisoformat(_time_text(value))


def _time(value: Any) -> dt.time:
    return dt.time.fromisoformat(_time_text(value))


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bool": _bool,
    "text": _text,
    "date": _date,
    "time": _time,
}


def _whole(value: Any) -> int:
    if isinstance(value, dict):
        text = _digits(value)
        if _WHOLE.fullmatch(text) is None:
            raise _UnfitError("it is no whole number")
        return int(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _UnfitError("it is no number")
    if not math.isfinite(value) or int(value) != value:
        raise _UnfitError("it is no whole number")
    return int(value)


def _fraction(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        text = _digits(value)
        number = _SPECIAL[text] if text in _SPECIAL else float(_checked(text))
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _UnfitError("it is no number")
    else:
        number = float(value)
        if number != value:
            raise _UnfitError("a float would not be exactly this number")
    if name == "float64":
        return number
    with np.errstate(over="ignore"):
        made = np.dtype(name).type(number)
    # As everywhere: 0.1 is kept as the nearest float; a number that is none is not.
    if math.isfinite(number) and not np.isfinite(made):
        raise _UnfitError(f"it is too large for {name}")
    return made


def _digits(value: Any) -> str:
    if isinstance(value, dict) and value.get(_TELLING) == "number":
        value = value.get("v")
    if isinstance(value, str) and len(value) <= 200:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _UnfitError("it is no number")
    return str(value)


def _checked(text: str) -> str:
    if _NUMBER.fullmatch(text) is None:
        raise _UnfitError("it is no number")
    return text


def _time_text(value: Any) -> str:
    if isinstance(value, dict) and value.get(_TELLING) == "time" and "unit" not in value:
        value = value.get("v")
    if not isinstance(value, str):
        raise _UnfitError("it is no time; write 2026-01-31T12:00:00")
    return value.strip()


def _moment(kind: Timestamp, value: Any) -> Any:
    text = _time_text(value)
    found = dt.datetime.fromisoformat(text)
    if kind.zone is None:
        if found.tzinfo is not None:
            raise _UnfitError("the column has local times, without a zone")
        return np.datetime64(text, "ns") if kind.unit == "ns" else found
    if found.tzinfo is None:
        raise _UnfitError("it has no zone: write Z behind it for UTC, or +01:00")
    if kind.unit == "ns":
        raise _UnfitError("times of nanoseconds with a zone are not edited here")
    zone = dt.UTC if kind.zone == "UTC" else _zone(kind.zone)
    return found.astimezone(zone)


def _zone(name: str) -> dt.tzinfo:
    if name[0] in "+-":
        sign = -1 if name[0] == "-" else 1
        hours, minutes = name[1:].split(":")
        return dt.timezone(sign * dt.timedelta(hours=int(hours), minutes=int(minutes)))
    return zoneinfo.ZoneInfo(name)


def _duration(kind: Duration, value: Any) -> Any:
    if isinstance(value, dict) and value.get(_TELLING) == "time" and value.get("unit") == "s":
        value = value.get("v")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _UnfitError("it is no number of seconds")
    found = dt.timedelta(seconds=value)
    return np.timedelta64(found, "ns") if kind.unit == "ns" else found


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _UnfitError("it is no list")
    if len(value) > _ELEMENTS_MAX:
        raise _UnfitError(f"it has more than {_ELEMENTS_MAX:,} elements")
    return value


def _struct(kind: Struct, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _UnfitError("it is no object")
    known = dict(kind.fields)
    for name in value:
        if name not in known:
            raise _UnfitError(f"its cells have no member {name!r:.60}")
    return {name: _cell(known[name], member) for name, member in value.items()}


def _array(kind: Array, value: Any) -> Any:
    flat: list[Any] = []
    _flatten(_list(value), flat)
    plain = Plain("bool" if kind.dtype == "bool" else kind.dtype)
    cells = [_plain(plain, element) for element in flat]
    shape = _shape(value)
    if kind.shape is not None and tuple(kind.shape) != shape:
        raise _UnfitError(f"it has the shape {shape}, the column {tuple(kind.shape)}")
    return np.array(cells, kind.dtype).reshape(shape)


def _flatten(value: list[Any], flat: list[Any]) -> None:
    for element in value:
        if isinstance(element, list):
            _flatten(element, flat)
        elif len(flat) < _ELEMENTS_MAX:
            flat.append(element)
        else:
            raise _UnfitError(f"it has more than {_ELEMENTS_MAX:,} elements")


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    inner = {_shape(element) for element in value}
    if len(inner) > 1:
        raise _UnfitError("its rows have different lengths")
    return (len(value), *(inner.pop() if inner else ()))


def _member(kind: Union, value: Any) -> Any:
    """As the first of the members that takes it; a text rather as a text than as a time."""
    members = [member for _, member in kind.members]
    if isinstance(value, str):
        members.sort(key=lambda member: member != TEXT)
    for member in members:
        try:
            return _cell(member, value)
        except (_UnfitError, ArithmeticError, TypeError, ValueError):
            continue
    raise _UnfitError("it is of none of these types")

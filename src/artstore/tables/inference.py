"""
Python values as Arrow arrays, and the types of the columns they make.

A column may hold anything: what has no common type becomes a union. What no column can
hold is refused by `checked_cell`, when it is added.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.media.content import MediaFile
from artstore.media.kinds import kind_of
from artstore.media.values import as_array
from artstore.tables.arrowtypes import (
    DURATION_MAX_US,
    arrow_type,
    is_zone,
    list_array,
    struct_array,
    trimmed_decimals,
)
from artstore.tables.mediacells import MediaCell, media_type
from artstore.tables.types import (
    ARRAY_DTYPES,
    BOOL,
    BYTES,
    DATE,
    DECIMAL_DIGITS,
    FLOAT64,
    INT,
    INT64,
    NESTED_MAX,
    NULL,
    TEXT,
    TIME,
    UINT64,
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Plain,
    Struct,
    Timestamp,
)
from artstore.tables.widening import convert, widened

__all__ = ["BuiltArray", "build_array", "checked_cell"]


_DECIMAL_END: Final = 10**DECIMAL_DIGITS
_DURATION_MAX: Final = dt.timedelta(microseconds=DURATION_MAX_US)
_UNITS_US: Final = {
    "W": 604_800_000_000,
    "D": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1000,
    "us": 1,
    "ns": 0,
}
"""Microseconds of the units of numpy; nanoseconds stay what they are."""
_PLAIN: Final = frozenset(
    (type(None), bool, int, float, str, bytes, dt.date, dt.timedelta, dt.time)
)


class BuiltArray(NamedTuple):
    """An array and the type of its cells."""

    kind: ColumnType
    array: Any


# what a cell may be ---------------------------------------------------------------------


def checked_cell(value: Any, column: str, files: list[MediaFile], depth: int = 0) -> Any:
    """
    `value` as one of the types that `build_array` takes, copied where it could change.

    Args:
        files: gets the files of media values.
    Raises:
        InvalidInputError: `cell-unsupported`, naming the column.
    """
    kind = type(value)
    if kind in _PLAIN:
        return _checked_plain(value, column)
    if depth > NESTED_MAX:
        raise _unsupported(value, column, f"it is more than {NESTED_MAX} lists deep")
    if isinstance(value, (list, tuple)):
        return [checked_cell(element, column, files, depth + 1) for element in value]
    if isinstance(value, Mapping):
        return _checked_mapping(value, column, files, depth)
    if isinstance(value, np.generic):
        if value.dtype.kind in "mM":
            return _checked_numpy_time(value, column)
        return _checked_scalar(value, column)
    if isinstance(value, (dt.datetime, decimal.Decimal)):
        return _checked_special(value, column)
    medium = kind_of(value)
    if medium is not None:
        prepared = value.prepare()
        files += prepared.files
        return MediaCell(medium.type_name, prepared.cell)
    return _checked_other(value, column, files, depth)


def _checked_other(value: Any, column: str, files: list[MediaFile], depth: int) -> Any:
    if isinstance(value, MediaCell) or type(value).__name__ == "NAType":
        return value if isinstance(value, MediaCell) else None
    if isinstance(value, tuple(_PLAIN)):
        return _checked_plain(value, column)
    if isinstance(value, np.ma.MaskedArray):
        # Lists have None where something is masked; arrays would have what is below.
        return checked_cell(value.tolist(), column, files, depth + 1)
    array = as_array(value)
    if array is not None:
        return _checked_array(array, column, files, depth)
    if isinstance(value, (set, frozenset)):
        raise _unsupported(value, column, "a set has no order; give a sorted list")
    raise _unsupported(value, column, "no column holds such values")


def _checked_plain(value: Any, column: str) -> Any:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _unsupported(value, column, "it is not valid Unicode") from error
    elif isinstance(value, dt.timedelta):
        if not -_DURATION_MAX <= value <= _DURATION_MAX:
            raise _unsupported(value, column, "a duration is of at most 292 years")
    elif isinstance(value, dt.time) and value.tzinfo is not None:
        raise _unsupported(value, column, "a time of a day has no zone; give a datetime")
    return value


def _checked_mapping(
    value: Mapping[Any, Any], column: str, files: list[MediaFile], depth: int
) -> dict[str, Any]:
    checked = {}
    for name, member in value.items():
        if not isinstance(name, str):
            raise _unsupported(name, column, "names in a dictionary are texts")
        checked[_checked_plain(name, column)] = checked_cell(member, column, files, depth + 1)
    return checked


def _checked_scalar(value: Any, column: str) -> Any:
    if value.dtype.kind in "fiu" and value.dtype.itemsize <= 8:
        return value
    if value.dtype.kind in "bUS":
        return _checked_plain(value.item(), column)
    raise _unsupported(value, column, f"numbers of type {value.dtype} are not kept")


def _checked_numpy_time(value: Any, column: str) -> Any:
    """`value` in micro- or nanoseconds."""
    if np.isnat(value):
        return None
    unit, step = np.datetime_data(value.dtype)
    is_moment = value.dtype.kind == "M"
    if unit not in _UNITS_US and not (is_moment and unit in ("Y", "M")):
        raise _unsupported(value, column, f"the unit {unit!r} is not kept")
    if is_moment:
        year = int(value.astype("M8[Y]").astype(np.int64)) + 1970
        if not 1 <= year <= 9999:
            raise _unsupported(value, column, "it is not of the years 1 to 9999")
        return value if unit == "ns" else value.astype("M8[us]")
    if unit == "ns":
        return value.astype("m8[ns]")
    micros = int(value.astype(np.int64)) * step * _UNITS_US[unit]
    if abs(micros) > DURATION_MAX_US:
        raise _unsupported(value, column, "a duration is of at most 292 years")
    return np.timedelta64(micros, "us")


def _checked_special(value: Any, column: str) -> Any:
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            return math.nan if value.is_nan() else float(value)
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        if max(len(digits) + exponent, -exponent) > DECIMAL_DIGITS:
            why = f"it has more than {DECIMAL_DIGITS} digits before the point or behind it"
            raise _unsupported(value, column, why)
        return value
    if type(value).__name__ == "NaTType":
        return None
    if not 1 <= value.year <= 9999:
        raise _unsupported(value, column, "it is not of the years 1 to 9999")
    if value.tzinfo is not None and value.year in (1, 9999):
        try:
            value.astimezone(dt.UTC)
        except OverflowError as error:
            raise _unsupported(value, column, "in UTC it is of no year from 1 to 9999") from error
    return value


def _checked_array(array: Any, column: str, files: list[MediaFile], depth: int) -> Any:
    if not array.ndim:
        return checked_cell(array[()], column, files, depth + 1)
    name = "bool" if array.dtype.kind == "b" else array.dtype.name
    if name in ARRAY_DTYPES:
        return np.array(array, array.dtype.newbyteorder("="), order="C")
    # Of texts, times and anything else numpy may hold: as lists.
    return checked_cell(list(array), column, files, depth + 1)


def _unsupported(value: Any, column: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"column {column!r} cannot hold {value!r:.60} of type {type(value).__name__}: {why}",
        code="cell-unsupported",
        column=column,
    )


# arrays ---------------------------------------------------------------------------------


def build_array(cells: Sequence[Any]) -> BuiltArray:
    """
    The column of these cells, each as `checked_cell` gave it.

    Cost: 20-50 ns a number or text; lists, dictionaries and mixed columns more.
    """
    types = set(map(type, cells))
    types.discard(type(None))
    if not types:
        return BuiltArray(NULL, pa.nulls(len(cells)))
    if len(types) == 1:
        build = _BUILDERS.get(next(iter(types)))
        if build is not None:
            return build(cells)
    if types == {int, float}:
        return _build_numbers(cells)
    return _build_mixed(cells)


def _build_int(cells: Sequence[Any]) -> BuiltArray:
    try:
        array = pa.array(cells, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        return _build_large_ints(cells)
    ends = [cell for cell in cells if cell is not None]
    fits = min(ends) >= -(1 << 53) and max(ends) <= 1 << 53
    return BuiltArray(INT if fits else INT64, array)


def _build_large_ints(cells: Sequence[Any]) -> BuiltArray:
    """
    Whole numbers, some beyond int64.

    What becomes of each depends on it alone: in other company it would be of
    another type, and the same rows in other batches of another schema.
    """
    sizes = [None if cell is None else _size_of(cell) for cell in cells]
    first = next(size for size in sizes if size is not None)
    if any(size not in (first, None) for size in sizes):
        return _build_parts(cells, [size == first for size in sizes])
    if first == "uint":
        return BuiltArray(UINT64, pa.array(cells, pa.uint64()))
    exact = [None if cell is None else decimal.Decimal(int(cell)) for cell in cells]
    if first == "decimal":
        return _build_decimals(exact)
    # Better text than an error after hours of work.
    return BuiltArray(TEXT, pa.array([None if n is None else str(n) for n in exact], pa.string()))


def _size_of(number: int) -> str:
    if -(1 << 63) <= number < 1 << 63:
        return "int"
    if 0 <= number < 1 << 64:
        return "uint"
    return "decimal" if abs(number) < _DECIMAL_END else "text"


def _build_numbers(cells: Sequence[Any]) -> BuiltArray:
    """Whole numbers and fractions in one column of floats, if floats hold them all."""
    if all(type(cell) is not int or -(1 << 53) <= cell <= 1 << 53 for cell in cells):
        return BuiltArray(FLOAT64, pa.array(cells, pa.float64(), from_pandas=False))
    return _build_parts(cells, [type(cell) is int for cell in cells])


def _build_float(cells: Sequence[Any]) -> BuiltArray:
    return BuiltArray(FLOAT64, pa.array(cells, pa.float64(), from_pandas=False))


def _simple(kind: ColumnType) -> Callable[[Sequence[Any]], BuiltArray]:
    wanted = arrow_type(kind)
    return lambda cells: BuiltArray(kind, pa.array(cells, wanted))


def _build_numpy(cells: Sequence[Any]) -> BuiltArray:
    """Scalars of one numpy type, and None."""
    first = next(cell for cell in cells if cell is not None)
    kind = Plain(first.dtype.name)
    mask = np.array([cell is None for cell in cells])
    held = np.array([first.dtype.type(0) if cell is None else cell for cell in cells], first.dtype)
    array = pa.array(held, arrow_type(kind), mask=mask, from_pandas=False)
    if kind != INT64:
        return BuiltArray(kind, array)
    values = held[~mask]
    fits = values.min() >= -(1 << 53) and values.max() <= 1 << 53
    return BuiltArray(INT if fits else INT64, array)


def _build_numpy_times(cells: Sequence[Any]) -> BuiltArray:
    dtype = next(cell for cell in cells if cell is not None).dtype
    if any(cell is not None and cell.dtype != dtype for cell in cells):
        return _build_parts(cells, [cell is not None and cell.dtype == dtype for cell in cells])
    unit = np.datetime_data(dtype)[0]
    kind: ColumnType = Duration(unit) if dtype.kind == "m" else Timestamp(unit)
    nothing = np.array("NaT", dtype)
    held = np.array([nothing if cell is None else cell for cell in cells], dtype)
    return BuiltArray(kind, pa.array(held, arrow_type(kind), mask=np.isnat(held)))


def _build_datetimes(cells: Sequence[Any]) -> BuiltArray:
    kinds = [None if cell is None else Timestamp(_unit(cell), _zone(cell)) for cell in cells]
    first = next(kind for kind in kinds if kind is not None)
    if any(kind not in (first, None) for kind in kinds):
        return _build_parts(cells, [kind == first for kind in kinds])
    return BuiltArray(first, pa.array(cells, arrow_type(first)))


def _build_durations(cells: Sequence[Any]) -> BuiltArray:
    kind = Duration("ns" if any(_unit(cell) == "ns" for cell in cells) else "us")
    return BuiltArray(kind, pa.array(cells, arrow_type(kind)))


def _unit(cell: Any) -> str:
    """`ns` for what pandas keeps in nanoseconds."""
    return "ns" if getattr(cell, "unit", None) == "ns" else "us"


def _zone(value: dt.datetime) -> str | None:
    if value.tzinfo is None:
        return None
    if value.tzinfo is dt.UTC:
        return "UTC"
    key = getattr(value.tzinfo, "key", None) or getattr(value.tzinfo, "zone", None)
    if key and is_zone(str(key)):
        return str(key)
    seconds = int((value.utcoffset() or dt.timedelta()).total_seconds())
    if seconds % 60:
        # Arrow knows offsets of whole minutes; the moment is kept.
        return "UTC"
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}" if seconds else "UTC"


def _build_decimals(cells: Sequence[Any]) -> BuiltArray:
    digits = scale = 0
    for cell in cells:
        if cell is not None:
            _, figures, exponent = cell.as_tuple()
            scale = max(scale, -exponent)
            digits = max(digits, len(figures) + exponent, 1)
    kind = Decimal(digits + scale, scale)
    if not kind.is_wide:
        return BuiltArray(kind, pa.array(cells, arrow_type(kind)))
    # There is one 0, as there is for Arrow.
    texts = [None if cell is None else format(cell or abs(cell), "f") for cell in cells]
    return BuiltArray(kind, trimmed_decimals(pa.array(texts, pa.string())))


def _build_lists(cells: Sequence[Any]) -> BuiltArray:
    elements = build_array([element for cell in cells if cell is not None for element in cell])
    kind = List(elements.kind)
    lengths = pa.array([None if cell is None else len(cell) for cell in cells], pa.int32())
    return BuiltArray(kind, list_array(lengths, elements.array, kind))


def _build_structs(cells: Sequence[Any]) -> BuiltArray:
    names = dict.fromkeys(name for cell in cells if cell is not None for name in cell)
    parts = [
        build_array([None if cell is None else cell.get(name) for cell in cells]) for name in names
    ]
    kind = Struct(tuple((name, part.kind) for name, part in zip(names, parts, strict=True)))
    mask = pa.array([cell is None for cell in cells])
    return BuiltArray(kind, struct_array([part.array for part in parts], kind, mask))


def _build_arrays(cells: Sequence[Any]) -> BuiltArray:
    there = [cell for cell in cells if cell is not None]
    dtypes = sorted({cell.dtype.name for cell in there})
    if len(dtypes) > 1:
        return _build_parts(cells, [c is not None and c.dtype.name == dtypes[0] for c in cells])
    shapes = {cell.shape for cell in there}
    kind = Array(dtypes[0], next(iter(shapes)) if len(shapes) == 1 else None)
    flat = pa.array(np.concatenate([cell.ravel() for cell in there]), from_pandas=False)
    lengths = pa.array([None if cell is None else cell.size for cell in cells], pa.int32())
    values = list_array(lengths, flat, Array(kind.dtype, ()))
    if kind.shape is not None:
        return BuiltArray(kind, values)
    told = _build_lists([None if cell is None else list(cell.shape) for cell in cells]).array
    return BuiltArray(
        kind, struct_array([told.cast(arrow_type(List(INT64))), values], kind, told.is_null())
    )


def _build_media(cells: Sequence[Any]) -> BuiltArray:
    kinds = sorted({cell.kind for cell in cells if cell is not None})
    if len(kinds) > 1:
        return _build_parts(cells, [c is not None and c.kind == kinds[0] for c in cells])
    inferred = _build_structs([None if cell is None else cell.cell for cell in cells])
    assert isinstance(inferred.kind, Struct)
    kind = media_type(kinds[0], inferred.kind)
    return BuiltArray(kind, convert(inferred.array, inferred.kind, kind.cell))


# mixed columns --------------------------------------------------------------------------


def _build_mixed(cells: Sequence[Any]) -> BuiltArray:
    """Cells of several Python types: one sort after the other, then all in one array."""
    first = next(cell for cell in cells if cell is not None)
    sort = _sort_of(first)
    is_first = [cell is not None and _sort_of(cell) == sort for cell in cells]
    if all(is_first[at] or cells[at] is None for at in range(len(cells))):
        return _BUILDERS_BY_SORT[sort](cells)
    return _build_parts(cells, is_first)


def _build_parts(cells: Sequence[Any], is_first: Sequence[bool]) -> BuiltArray:
    """The column of two parts, each built by itself."""
    one = build_array(
        [cell if first else None for cell, first in zip(cells, is_first, strict=True)]
    )
    two = build_array(
        [None if first else cell for cell, first in zip(cells, is_first, strict=True)]
    )
    return _merged(one, two, is_first)


def _merged(one: BuiltArray, two: BuiltArray, is_first: Sequence[bool]) -> BuiltArray:
    """The cells of `one` where `is_first` is true, elsewhere those of `two`."""
    kind = widened(one.kind, two.kind)
    parts = [convert(part.array, part.kind, kind) for part in (one, two)]
    count = len(is_first)
    indexes = np.arange(count) + np.where(np.array(is_first), 0, count)
    return BuiltArray(kind, pa.concat_arrays(parts).take(pa.array(indexes)))


def _sort_of(cell: Any) -> str:
    if isinstance(cell, np.generic):
        return f"numpy {cell.dtype}"
    if isinstance(cell, MediaCell):
        return "media"
    for kind, name in _SORTS:
        if isinstance(cell, kind):
            return name
    raise AssertionError(type(cell))


_SORTS: Final = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (str, "text"),
    (bytes, "bytes"),
    (dt.datetime, "datetime"),
    (dt.date, "date"),
    (dt.time, "time"),
    (dt.timedelta, "duration"),
    (decimal.Decimal, "decimal"),
    (list, "list"),
    (dict, "struct"),
    (np.ndarray, "array"),
)
_BUILDERS_BY_SORT: Final[dict[str, Callable[[Sequence[Any]], BuiltArray]]] = {
    "bool": _simple(BOOL),
    "int": _build_int,
    "float": _build_float,
    "text": _simple(TEXT),
    "bytes": _simple(BYTES),
    "datetime": _build_datetimes,
    "date": _simple(DATE),
    "time": _simple(TIME),
    "duration": _build_durations,
    "decimal": _build_decimals,
    "list": _build_lists,
    "struct": _build_structs,
    "array": _build_arrays,
    "media": _build_media,
    **{f"numpy {name}": _build_numpy for name in ARRAY_DTYPES - {"bool"}},
    **{
        f"numpy {sort}64[{unit}]": _build_numpy_times
        for sort in ("datetime", "timedelta")
        for unit in ("us", "ns")
    },
}
_BUILDERS: Final[dict[type, Callable[[Sequence[Any]], BuiltArray]]] = {
    **{kind: _BUILDERS_BY_SORT[name] for kind, name in _SORTS if kind is not dt.datetime},
    dt.datetime: _build_datetimes,
    MediaCell: _build_media,
    **{np.dtype(name).type: _build_numpy for name in ARRAY_DTYPES - {"bool"}},
    np.datetime64: _build_numpy_times,
    np.timedelta64: _build_numpy_times,
}

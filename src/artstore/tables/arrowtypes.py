"""
Types of columns and the Arrow types that hold them.
"""

from __future__ import annotations

import decimal
import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artstore.errors import InvalidInputError
from artstore.tables.types import (
    DATE,
    INT,
    INT64,
    NESTED_MAX,
    NULL,
    TEXT,
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
)

__all__ = [
    "DURATION_MAX_US",
    "arrow_type",
    "check_times",
    "decimal_texts",
    "is_zone",
    "list_array",
    "narrowed",
    "plain_array",
    "struct_array",
    "trimmed_decimals",
    "type_of_arrow",
]

_ARROW: Final = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "int": pa.int64(),
    "float16": pa.float16(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    **{
        f"{sign}int{bits}": getattr(pa, f"{sign}int{bits}")()
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
_NOTHING: Final = ("_", pa.bool_())
"""The member of a struct without members: Parquet has none without."""

_DAY_US: Final = 86_400 * 10**6
_FIRST_US: Final = -719_162 * _DAY_US
_LAST_US: Final = 2_932_897 * _DAY_US - 1
"""The first and the last moment that Python's dates have: the years 1 to 9999."""

DURATION_MAX_US: Final = ((1 << 63) - 1) // 1000
"""FORMAT: as many nanoseconds as fit into 64 bits: 292 years."""

_NUMBERS: Final = {arrow: name for name, arrow in _ARROW.items() if name[-1].isdigit()}


def arrow_type(kind: ColumnType) -> Any:
    """The Arrow type of a column, in memory and in Parquet."""
    if isinstance(kind, Plain):
        return _ARROW[kind.name]
    if isinstance(kind, Timestamp):
        return pa.timestamp(kind.unit, kind.zone)
    if isinstance(kind, Duration):
        return pa.duration(kind.unit)
    if isinstance(kind, Decimal):
        # DuckDB reads other numbers where Parquet has more than 38 digits.
        return pa.string() if kind.is_wide else pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, List):
        return pa.list_(pa.field("element", arrow_type(kind.element)))
    if isinstance(kind, Array):
        values = pa.list_(pa.field("element", _ARROW[kind.dtype]))
        if kind.shape is not None:
            return values
        return pa.struct((("shape", pa.list_(pa.field("element", pa.int64()))), ("values", values)))
    if isinstance(kind, Media):
        return arrow_type(kind.cell)
    members = kind.fields if isinstance(kind, Struct) else kind.members
    return pa.struct([(name, arrow_type(member)) for name, member in members] or [_NOTHING])


def type_of_arrow(found: Any, *, column: str, depth: int = 0) -> ColumnType:
    """
    The type of the column that holds what an Arrow array of type `found` holds.

    Raises:
        InvalidInputError: `column-type-unsupported`.
    """
    known = _NUMBERS.get(found)
    if known is not None:
        return Plain(known)
    is_a = pa.types
    plain = _plain(found)
    if plain is not None:
        return plain
    if is_a.is_dictionary(found) or is_a.is_run_end_encoded(found):
        return type_of_arrow(found.value_type, column=column, depth=depth)
    if isinstance(found, pa.BaseExtensionType):
        return type_of_arrow(found.storage_type, column=column, depth=depth)
    if depth <= NESTED_MAX:
        if is_a.is_struct(found):
            fields = [found.field(at) for at in range(found.num_fields)]
            parts = [(field.name, field.type) for field in fields]
            if len(dict(parts)) == len(parts):
                return _struct_of_arrow(parts, column, depth + 1)
        if is_a.is_map(found):
            parts = [("key", found.key_type), ("value", found.item_type)]
            return List(_struct_of_arrow(parts, column, depth + 2))
        if _is_list(found):
            return List(type_of_arrow(found.value_type, column=f"{column}[]", depth=depth + 1))
    raise InvalidInputError(
        f"column {column!r:.80} has the Arrow type {found!s:.200}, which no table holds",
        code="column-type-unsupported",
        hint="cast it before it is added",
        column=column,
    )


def _struct_of_arrow(parts: Sequence[tuple[str, Any]], column: str, depth: int) -> Struct:
    return Struct(
        tuple(
            (name, type_of_arrow(kind, column=f"{column}.{name}", depth=depth))
            for name, kind in parts
        )
    )


def _plain(found: Any) -> ColumnType | None:  # noqa: PLR0911 - one line a family of types
    is_a = pa.types
    if is_a.is_null(found):
        return NULL
    if is_a.is_boolean(found):
        return Plain("bool")
    if is_a.is_string(found) or is_a.is_large_string(found) or is_a.is_string_view(found):
        return TEXT
    if _is_binary(found):
        return Plain("bytes")
    if is_a.is_date32(found):
        return DATE
    if is_a.is_date64(found):
        return Timestamp()
    if is_a.is_time(found):
        return TIME
    if is_a.is_timestamp(found):
        # Parquet has no seconds, and a date of any unit fits into microseconds.
        return Timestamp("ns" if found.unit == "ns" else "us", found.tz or None)
    if is_a.is_duration(found):
        return Duration("ns" if found.unit == "ns" else "us")
    if is_a.is_decimal(found):
        scale = max(found.scale, 0)
        return Decimal(max(found.precision - found.scale, 0) + scale, scale)
    return None


def _is_binary(found: Any) -> bool:
    is_a = pa.types
    return bool(
        is_a.is_binary(found)
        or is_a.is_large_binary(found)
        or is_a.is_binary_view(found)
        or is_a.is_fixed_size_binary(found)
    )


def _is_list(found: Any) -> bool:
    is_a = pa.types
    return bool(
        is_a.is_list(found)
        or is_a.is_large_list(found)
        or is_a.is_fixed_size_list(found)
        or is_a.is_list_view(found)
        or is_a.is_large_list_view(found)
    )


def narrowed(kind: ColumnType, array: Any) -> ColumnType:
    """`kind`, with `int` for `int64` where no number of `array` is beyond 2^53."""
    if kind == INT64:
        ends = pc.min_max(array).as_py()
        fits = ends["min"] is None or (ends["min"] >= -(1 << 53) and ends["max"] <= 1 << 53)
        return INT if fits else INT64
    if isinstance(kind, List):
        return List(narrowed(kind.element, array.flatten()))
    if isinstance(kind, Struct):
        members = zip(kind.fields, array.flatten(), strict=False)
        return Struct(tuple((name, narrowed(member, part)) for (name, member), part in members))
    return kind


def plain_array(array: Any, kind: ColumnType) -> Any:
    """
    `array`, of any Arrow type that `type_of_arrow` gives `kind` for, in the Arrow type of `kind`.

    Cost: nothing where the type is that already.
    """
    wanted = arrow_type(kind)
    if array.type.equals(wanted):
        return array
    if isinstance(array.type, pa.BaseExtensionType):
        return plain_array(array.storage, kind)
    if pa.types.is_dictionary(array.type):
        return plain_array(array.dictionary_decode(), kind)
    if pa.types.is_run_end_encoded(array.type):
        return plain_array(pc.run_end_decode(array), kind)
    if isinstance(kind, Decimal) and kind.is_wide:
        return decimal_texts(array)
    if isinstance(kind, List) and _is_list(array.type):
        return _plain_list(array, kind)
    if isinstance(kind, Struct) and pa.types.is_struct(array.type):
        members = zip(kind.fields, array.flatten(), strict=False)
        parts = [plain_array(part, member) for (_, member), part in members]
        return struct_array(parts, kind, array.is_null())
    if isinstance(kind, List) and pa.types.is_map(array.type):
        # Its keys and items are those of the whole array, also of a part of one.
        entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
        offsets = pa.array(np.array(array.offsets))
        return _plain_list(pa.ListArray.from_arrays(offsets, entries, mask=array.is_null()), kind)
    return array.cast(wanted)


def _plain_list(array: Any, kind: List) -> Any:
    is_fixed = pa.types.is_fixed_size_list(array.type) and array.type.list_size
    if is_fixed or pa.types.is_large_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    values = plain_array(array.flatten(), kind.element)
    return list_array(array.value_lengths(), values, kind)


def decimal_texts(array: Any) -> Any:
    """
    Decimal numbers as texts, in one spelling.

    1.50 is 1.5: the scale of a column is not part of a number.
    """
    texts = array.cast(pa.string())
    if pc.any(pc.match_substring(texts, "E")).as_py():
        # Arrow writes small numbers with an exponent, and more digits of it or fewer.
        told = [
            None if text is None else format(decimal.Decimal(text), "f")
            for text in texts.to_pylist()
        ]
        texts = pa.array(told, pa.string())
    return trimmed_decimals(texts)


def trimmed_decimals(texts: Any) -> Any:
    """FORMAT: plain digits without zeros at the end of a fraction."""
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return pc.if_else(pc.match_substring(texts, "."), trimmed, texts)


def check_times(kind: ColumnType, array: Any, *, column: str) -> None:
    """
    Refuse what no Python value holds, and what cannot be brought to another unit.

    Raises:
        InvalidInputError: `cell-unsupported`, `column-type-unsupported`.
    """
    if isinstance(kind, List):
        check_times(kind.element, array.flatten(), column=column)
    elif isinstance(kind, Struct):
        for (_, member), part in zip(kind.fields, array.flatten(), strict=False):
            check_times(member, part, column=column)
    if isinstance(kind, Timestamp) and kind.zone is not None and not is_zone(kind.zone):
        raise InvalidInputError(
            f"column {column!r} has times of the zone {kind.zone!r}, which is not known here",
            code="column-type-unsupported",
            hint="install tzdata, or convert them to UTC",
            column=column,
        )
    limits = _limits_of(kind)
    if limits is None or array.null_count == len(array):
        return
    numbers = array.cast(pa.int32()) if kind == DATE else array
    ends = pc.min_max(numbers.cast(pa.int64())).as_py()
    if ends["min"] < limits[0] or ends["max"] > limits[1]:
        raise InvalidInputError(
            f"column {column!r} has a {kind} that is out of range",
            code="cell-unsupported",
            hint="dates are of the years 1 to 9999, durations of at most 292 years",
            column=column,
        )


def _limits_of(kind: ColumnType) -> tuple[int, int] | None:
    if kind == DATE:
        return _FIRST_US // _DAY_US, _LAST_US // _DAY_US
    if kind == TIME:
        return 0, _DAY_US - 1
    if isinstance(kind, Duration) and kind.unit == "us":
        return -DURATION_MAX_US, DURATION_MAX_US
    if isinstance(kind, Timestamp) and kind.unit == "us":
        # In another zone it may be the day before or after.
        margin = 0 if kind.zone in (None, "UTC") else _DAY_US
        return _FIRST_US + margin, _LAST_US - margin
    return None


@functools.cache
def is_zone(name: str) -> bool:
    """Whether Arrow finds a time zone of this name."""
    try:
        pa.scalar(0, pa.timestamp("us", name)).as_py()
    except (pa.ArrowException, LookupError, OSError, ValueError):
        return False
    return True


def list_array(lengths: Any, values: Any, kind: ColumnType) -> Any:
    """
    Lists of `lengths` (null: no list) that hold `values` one after the other.

    Args:
        kind: a `List`, or an `Array` of one shape.
    """
    counts = np.asarray(lengths.fill_null(0))
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    mask = lengths.is_null() if lengths.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=arrow_type(kind), mask=mask)


def struct_array(parts: Sequence[Any], kind: ColumnType, mask: Any) -> Any:
    """
    Structs of `parts`, null where `mask` is true.

    Args:
        kind: what Arrow keeps as a struct.
    """
    wanted = arrow_type(kind)
    fields = [wanted.field(at) for at in range(wanted.num_fields)]
    held = list(parts) or [pa.nulls(len(mask), fields[0].type)]
    return pa.StructArray.from_arrays(held, fields=fields, mask=mask)

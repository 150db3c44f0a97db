"""
The type that two types have in common, and bringing arrays to it.

Nothing is lost on the way: whole numbers of a column that gets fractions stay exact,
and what has no common type becomes a union of both.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.arrowtypes import arrow_type, decimal_texts, list_array, struct_array
from artstore.tables.types import (
    FLOAT64,
    INT,
    INT64,
    NULL,
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

__all__ = ["convert", "tag_of", "tag_within", "widened"]

_UNITS: Final = ("us", "ns")
_FLOATS: Final = ("float16", "float32", "float64")
_BITS: Final = {
    "int": 53,
    **{f"{sign}int{bits}": bits - (not sign) for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""Bits of the largest number of each type of whole numbers."""


def widened(first: ColumnType, second: ColumnType) -> ColumnType:
    """
    The type that holds the cells of both, each as it is.

    Of several types it is the same in whatever order they come, up to the order of
    the members of structs: a table has one schema, however its rows were handed over.
    """
    if second in (first, NULL):
        return first
    if first == NULL:
        return second
    merged = None
    if not (isinstance(first, Union) or isinstance(second, Union)):
        merged = _merged(first, second)
    return _union(first, second) if merged is None else merged


def _merged(first: ColumnType, second: ColumnType) -> ColumnType | None:
    """A type for both that is no union of them."""
    if isinstance(first, Plain) and isinstance(second, Plain):
        return _merged_numbers(first.name, second.name)
    if isinstance(first, Duration) and isinstance(second, Duration):
        # Of timestamps not: nanoseconds end in the year 2262, and a date may be after it.
        return Duration(max(first.unit, second.unit, key=_UNITS.index))
    if isinstance(first, Decimal) and isinstance(second, Decimal):
        scale = max(first.scale, second.scale)
        digits = max(first.precision - first.scale, second.precision - second.scale)
        return Decimal(digits + scale, scale)
    if isinstance(first, List) and isinstance(second, List):
        return List(widened(first.element, second.element))
    if isinstance(first, Struct) and isinstance(second, Struct):
        return _merged_structs(first, second)
    if isinstance(first, Array) and isinstance(second, Array):
        return Array(first.dtype, None) if first.dtype == second.dtype else None
    if isinstance(first, Media) and isinstance(second, Media) and first.kind == second.kind:
        return Media(first.kind, _merged_structs(first.cell, second.cell))
    return None


def _merged_structs(first: Struct, second: Struct) -> Struct:
    fields = dict(first.fields)
    for name, kind in second.fields:
        fields[name] = widened(fields[name], kind) if name in fields else kind
    return Struct(tuple(fields.items()))


def _merged_numbers(first: str, second: str) -> ColumnType | None:
    if "uint64" in (first, second):
        # No other type has its numbers and those below 0.
        return None
    if first in _BITS and second in _BITS:
        bits = max(_BITS[first], _BITS[second])
        if first[0] == second[0] == "u":
            return Plain(f"uint{bits}")
        names = ("int16", "int32", "int", "int64")
        return next((Plain(name) for name in names if _BITS[name] >= bits), None)
    if first in _FLOATS and second in _FLOATS:
        return Plain(max(first, second, key=_FLOATS.index))
    # One rule for all widths, as in `_full`.
    whole = second if first in _FLOATS else first
    both = (first in _FLOATS) != (second in _FLOATS)
    return FLOAT64 if both and _BITS.get(whole, 64) <= 53 else None


# unions ---------------------------------------------------------------------------------


def tag_of(kind: ColumnType) -> str:
    """The name of a type among the members of a union; no two members have the same."""
    if isinstance(kind, Plain):
        if kind.name in _BITS:
            return "uint" if kind.name == "uint64" else "int"
        return "float" if kind.name in _FLOATS else kind.name
    if isinstance(kind, Timestamp):
        unit = "timestamp_ns" if kind.unit == "ns" else "timestamp"
        return f"{unit}_{kind.zone}" if kind.zone else unit
    if isinstance(kind, Array):
        return f"array_{kind.dtype}"
    if isinstance(kind, Media):
        return kind.kind.removesuffix("-file")
    return _TAGS[type(kind)]


_TAGS: Final = {
    Decimal: "decimal",
    Duration: "duration",
    List: "list",
    Struct: "struct",
    Union: "union",
}


def _union(first: ColumnType, second: ColumnType) -> Union:
    members: list[ColumnType] = []
    for kind in map(_full, (*_members(first), *_members(second))):
        for at, member in enumerate(members):
            merged = member if member == kind else _merged(member, kind)
            if merged is not None:
                members[at] = merged
                break
        else:
            members.append(kind)
    return Union(tuple(sorted(((tag_of(kind), kind) for kind in members), key=lambda one: one[0])))


def _full(kind: ColumnType) -> ColumnType:
    """
    `kind`, or of short numbers the common one.

    What three types have in common must not depend on which two of them met first.
    """
    if not isinstance(kind, Plain):
        return kind
    if kind.name in _FLOATS:
        return FLOAT64
    return INT if _BITS.get(kind.name, 64) < 53 else kind


def _members(kind: ColumnType) -> list[ColumnType]:
    return [member for _, member in kind.members] if isinstance(kind, Union) else [kind]


# arrays ---------------------------------------------------------------------------------


def convert(array: Any, kind: ColumnType, wanted: ColumnType) -> Any:
    """
    `array` of type `kind` as one of type `wanted`, which is that or wider.

    Cost: nothing where both are the same.
    """
    if kind == wanted:
        return array
    if kind == NULL:
        return pa.nulls(len(array), arrow_type(wanted))
    if isinstance(wanted, Union):
        return _convert_union(array, kind, wanted)
    if isinstance(kind, Struct) and isinstance(wanted, Struct):
        return _convert_struct(array, kind, wanted, wanted)
    if isinstance(kind, Media) and isinstance(wanted, Media):
        return _convert_struct(array, kind.cell, wanted.cell, wanted)
    if isinstance(kind, List) and isinstance(wanted, List):
        values = convert(array.flatten(), kind.element, wanted.element)
        return list_array(array.value_lengths(), values, wanted)
    if isinstance(kind, Array) and isinstance(wanted, Array):
        return _convert_shapes(array, kind, wanted)
    if isinstance(kind, Decimal) and isinstance(wanted, Decimal) and wanted.is_wide:
        return array if kind.is_wide else decimal_texts(array)
    return array.cast(arrow_type(wanted))


def _convert_struct(array: Any, kind: Struct, wanted: Struct, whole: ColumnType) -> Any:
    parts = dict(zip([name for name, _ in kind.fields], array.flatten(), strict=False))
    known = dict(kind.fields)
    found = [
        convert(parts[name], known[name], member)
        if name in parts
        else pa.nulls(len(array), arrow_type(member))
        for name, member in wanted.fields
    ]
    return struct_array(found, whole, array.is_null())


def _convert_shapes(array: Any, kind: Array, wanted: Array) -> Any:
    assert kind.shape is not None, "an array without one shape gets none"
    valid = np.asarray(array.is_valid())
    lengths = pa.array(np.full(len(array), len(kind.shape)), pa.int32(), mask=~valid)
    shapes = pa.array(np.tile(np.array(kind.shape, np.int64), int(valid.sum())))
    told = list_array(lengths, shapes, List(INT64))
    return struct_array([told, array], wanted, array.is_null())


def _convert_union(array: Any, kind: ColumnType, wanted: Union) -> Any:
    parts: dict[str, Any] = {}
    if isinstance(kind, Union):
        members, arrays = _members(kind), array.flatten()
    else:
        members, arrays = [kind], [array]
    for member, part in zip(members, arrays, strict=True):
        tag = tag_within(member, wanted)
        parts[tag] = convert(part, member, dict(wanted.members)[tag])
    held = [
        parts[tag] if tag in parts else pa.nulls(len(array), arrow_type(member))
        for tag, member in wanted.members
    ]
    return struct_array(held, wanted, array.is_null())


def tag_within(kind: ColumnType, wanted: Union) -> str:
    """The member of a union that the cells of a type become."""
    return next(
        # The wider one first: members of structs are in the order of the first.
        tag
        for tag, target in wanted.members
        if kind == target or _merged(target, kind) == target
    )

"""
Cells as a page shows them: in the types of the table, and cut where they are long.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artstore.tables.arrowtypes import arrow_type, list_array, plain_array
from artstore.tables.types import BYTES, NULL, TEXT, Array, ColumnType, List, Media, Struct, Union

__all__ = ["BYTES_KEPT", "ELEMENTS_KEPT", "TEXT_KEPT", "cut", "cut_sql", "restored"]

TEXT_KEPT: Final = 1000
"""Characters of a text that are shown."""

BYTES_KEPT: Final = 1000
ELEMENTS_KEPT: Final = (1000, 100, 20)
"""Elements of a list, of a list in a list, and of those that are deeper."""


def cut_sql(value: str, kind: ColumnType) -> tuple[str, str | None]:
    """
    SQL for a cell that is cut already, and for how long it is if it was cut.

    What is not cut here is cut by `cut`: but a column of long texts never leaves the engine whole.
    """
    if kind == TEXT:
        length, shown = f"length({value})", f"left({value}, {TEXT_KEPT})"
        limit = TEXT_KEPT
    elif kind == BYTES:
        length, shown = f"octet_length({value})", f"({value})[1:{BYTES_KEPT}]"
        limit = BYTES_KEPT
    elif isinstance(kind, Array) and kind.shape is not None:
        limit = ELEMENTS_KEPT[0]
        length, shown = f"len({value})", f"list_slice({value}, 1, {limit})"
    else:
        return value, None
    return shown, f"CASE WHEN {length} > {limit} THEN {length} END"


def restored(array: Any, kind: ColumnType) -> Any:
    """What the engine gave for a column, in the Arrow type of the column."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)
    wanted = arrow_type(kind)
    if array.type.equals(wanted):
        return array
    if kind == NULL:
        return pa.nulls(len(array))
    if isinstance(kind, (Struct, Union, Media)):
        return _restored_struct(array, kind)
    if isinstance(kind, List):
        values = restored(array.flatten(), kind.element)
        return list_array(array.value_lengths(), values, kind)
    if isinstance(kind, Array) and kind.shape is None:
        parts = [part.cast(field.type) for part, field in zip(array.flatten(), wanted, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=list(wanted), mask=array.is_null())
    return plain_array(array, kind)


def _restored_struct(array: Any, kind: Struct | Union | Media) -> Any:
    members = _members(kind)
    wanted = arrow_type(kind)
    fields = [wanted.field(at) for at in range(wanted.num_fields)]
    if not members:
        parts = [pa.nulls(len(array), field.type) for field in fields]
    else:
        flat = array.flatten()
        parts = [restored(part, member) for part, (_, member) in zip(flat, members, strict=True)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null())


def _members(kind: Struct | Union | Media) -> tuple[tuple[str, ColumnType], ...]:
    if isinstance(kind, Media):
        kind = kind.cell
    return kind.fields if isinstance(kind, Struct) else kind.members


def cut(array: Any, kind: ColumnType, depth: int = 0) -> tuple[Any, Any]:
    """
    Cells without what is too long to be shown.

    Returns:
        The array, and the length of each cell that was cut, 0 of others: int64 [n]; or None if
        no cell was.
    """
    if kind == TEXT:
        return _cut(array, pc.utf8_length(array), TEXT_KEPT, pc.utf8_slice_codeunits)
    if kind == BYTES:
        return _cut(array, pc.binary_length(array), BYTES_KEPT, pc.binary_slice)
    kept = ELEMENTS_KEPT[min(depth, len(ELEMENTS_KEPT) - 1)]
    if isinstance(kind, List):
        return _cut_list(array, kind, kept, depth)
    if isinstance(kind, Array) and kind.shape is not None:
        return _cut_numbers(array, kept)
    if isinstance(kind, (Struct, Union, Media, Array)):
        return _cut_struct(array, kind, kept, depth)
    return array, None


def _cut(array: Any, lengths: Any, kept: int, cutter: Any) -> tuple[Any, Any]:
    long = _long(lengths, kept)
    return (array, None) if long is None else (cutter(array, 0, kept), long)


def _long(lengths: Any, kept: int) -> Any:
    """The lengths that are above a limit, 0 for others; None if there are none."""
    known = np.asarray(pc.fill_null(lengths, 0)).astype(np.int64)
    long = np.where(known > kept, known, 0)
    return long if long.any() else None


def _cut_numbers(array: Any, kept: int) -> tuple[Any, Any]:
    lengths = array.value_lengths()
    long = _long(lengths, kept)
    return (array, None) if long is None else (_first_elements(array, kept), long)


def _first_elements(array: Any, kept: int) -> Any:
    """Lists without what is behind their first elements."""
    lengths = np.asarray(pc.fill_null(array.value_lengths(), 0)).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    numbers = np.arange(int(lengths.sum()))
    is_kept = numbers - np.repeat(starts, lengths) < kept
    values = array.flatten().take(pa.array(numbers[is_kept]))
    offsets = np.concatenate(([0], np.cumsum(np.minimum(lengths, kept)))).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), values, type=array.type, mask=array.is_null()
    )


def _cut_list(array: Any, kind: List, kept: int, depth: int) -> tuple[Any, Any]:
    array, long = _cut_numbers(array, kept)
    values, inner = cut(array.flatten(), kind.element, depth + 1)
    if inner is None:
        return array, long
    lengths = np.asarray(pc.fill_null(array.value_lengths(), 0)).astype(np.int64)
    owners = np.repeat(np.arange(len(array)), lengths)
    if long is None:
        long = np.zeros(len(array), np.int64)
    own = long > 0
    deeper = np.zeros(len(array), np.int64)
    np.maximum.at(deeper, owners, inner)
    return list_array(array.value_lengths(), values, kind), np.where(own, long, deeper)


def _cut_struct(
    array: Any, kind: Struct | Union | Media | Array, kept: int, depth: int
) -> tuple[Any, Any]:
    parts, longest = [], None
    flat = array.flatten()
    if isinstance(kind, Array):
        found = [(flat[0], None), _cut_numbers(flat[1], kept)]
    else:
        members = [member for _, member in _members(kind)] or [NULL]
        pairs = zip(flat, members, strict=True)
        # A union is not deeper than what it is a union of.
        level = depth if isinstance(kind, Union) else depth + 1
        found = [cut(part, member, level) for part, member in pairs]
    for part, long in found:
        parts.append(part)
        if long is not None:
            longest = long if longest is None else np.maximum(longest, long)
    if longest is None:
        return array, None
    fields = [array.type.field(at) for at in range(array.type.num_fields)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null()), longest

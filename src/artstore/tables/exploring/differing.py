"""
SQL for whether cells of one column of several tables differ, whatever types it has in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

from artstore.tables.engine import quoted
from artstore.tables.mediacells import has_media
from artstore.tables.types import (
    NULL,
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
from artstore.tables.viewsql import cast_sql
from artstore.tables.widening import widened

__all__ = ["compared_sql"]

_NOT_IDENTITY: Final = ("path", "encoded_digest")
"""Members of a media cell that do not count in what it is."""

_WIDE: Final = Decimal(76, 0)
_LONG: Final = ("int64", "uint64")
"""Whole numbers that not every float tells apart."""


def compared_sql(value: str, kind: ColumnType, kinds: Sequence[ColumnType]) -> str:
    """
    SQL for what counts of a cell: IS DISTINCT FROM tells whether two cells differ.

    Numbers are compared by value across all types of numbers; media by their digest and what
    was drawn on them, not by where their files lie; nested cells by value; of other different
    types their texts.

    Args:
        kind: of the cell.
        kinds: of the column in all tables.
    """
    if kind == NULL:
        return "NULL"
    known = list(dict.fromkeys(kind for kind in kinds if kind != NULL))
    if len(known) == 1:
        return _identity(value, kind)
    if all(_is_number(one) for one in known):
        return _number(value, kind, known)
    if all(isinstance(one, Timestamp) for one in known):
        return _time(value, kind, known)
    merged = reduce(widened, known)
    if isinstance(merged, Union) and not any(_is_nested(one) for one in known):
        return f"CAST({value} AS VARCHAR)"
    return _identity(f"({cast_sql(value, kind, merged)})", merged)


def _is_number(kind: ColumnType) -> bool:
    if isinstance(kind, Plain):
        return kind.name[-1].isdigit() or kind.name == "int"
    return isinstance(kind, Decimal)


def _is_nested(kind: ColumnType) -> bool:
    return not isinstance(kind, (Plain, Decimal, Duration, Timestamp))


def _number(value: str, kind: ColumnType, known: Sequence[ColumnType]) -> str:
    names = [kind.name for kind in known if isinstance(kind, Plain)]
    has_float = any(name.startswith("float") for name in names)
    has_decimal = len(names) < len(known)
    if has_decimal and not has_float:
        if isinstance(kind, Decimal):
            return cast_sql(value, kind, _WIDE)
        return f"CAST({value} AS VARCHAR)"
    if has_decimal:
        return f"TRY_CAST({value} AS DOUBLE)"
    if not has_float:
        return f"CAST({value} AS {'HUGEINT' if 'uint64' in names else 'BIGINT'})"
    if not any(name in _LONG for name in names):
        return f"CAST({value} AS DOUBLE)"
    return (
        f"CASE WHEN {value} IS NOT NULL THEN struct_pack("
        f"d := CAST({value} AS DOUBLE), h := TRY_CAST({value} AS HUGEINT)) END"
    )


def _time(value: str, kind: ColumnType, known: Sequence[ColumnType]) -> str:
    zoned = {isinstance(one, Timestamp) and one.zone is not None for one in known}
    if zoned == {True}:
        return value
    if zoned == {False}:
        is_fine = isinstance(kind, Timestamp) and kind.unit == "ns"
        rest = f"epoch_ns({value}) % 1000" if is_fine else "0::BIGINT"
        return (
            f"CASE WHEN {value} IS NOT NULL THEN "
            f"struct_pack(t := CAST({value} AS TIMESTAMP), n := {rest}) END"
        )
    return f"CAST({value} AS VARCHAR)"


def _identity(value: str, kind: ColumnType, *, in_media: bool = False, depth: int = 0) -> str:
    """A cell without what does not count in media."""
    if not in_media and not has_media(kind):
        return value
    if isinstance(kind, List):
        if not in_media and not has_media(kind.element):
            return value
        name = f"x{depth}"
        body = _identity(name, kind.element, in_media=in_media, depth=depth + 1)
        return f"list_transform({value}, lambda {name}: {body})"
    is_media = isinstance(kind, Media)
    inside = in_media or is_media
    held = kind.cell if isinstance(kind, Media) else kind
    if not isinstance(held, (Struct, Union)):
        return value
    members = held.fields if isinstance(held, Struct) else held.members
    parts = [
        f"{quoted(name)} := "
        + _identity(f"{value}.{quoted(name)}", member, in_media=inside, depth=depth)
        for name, member in members
        if not (inside and name in _NOT_IDENTITY)
    ]
    if not parts:
        return value
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"

"""
Which columns can be a key of two tables, and how their values are compared.
"""

from __future__ import annotations

from typing import Final

from artstore.tables.types import NULL, ColumnType, Decimal, Duration, Plain, Timestamp
from artstore.tables.viewsql import sql_type

__all__ = ["comparable", "key_sql", "sort_of"]

_FLOATS: Final = tuple(Plain(name) for name in ("float16", "float32", "float64"))


def comparable(left: ColumnType, right: ColumnType) -> bool:
    """Whether values of two types may be equal; not so of media and nested cells."""
    sorts = sort_of(left), sort_of(right)
    return "" not in sorts and (sorts[0] == sorts[1] or NULL in (left, right))


def sort_of(kind: ColumnType) -> str:
    """What values of a type are compared as; empty if they are no key."""
    if isinstance(kind, Plain):
        is_number = kind.name[-1].isdigit() or kind.name == "int"
        return "number" if is_number else kind.name
    if isinstance(kind, Decimal):
        # To the engine a wide one is text.
        return "" if kind.is_wide else "number"
    if isinstance(kind, Timestamp):
        return "moment" if kind.zone else "local time"
    # To the engine a duration is a number of its units.
    return f"duration in {kind.unit}" if isinstance(kind, Duration) else ""


def key_sql(value: str, kind: ColumnType, other: ColumnType) -> str:
    """A key as it is compared with one of the type `other`; null equals nothing."""
    if kind == NULL != other:
        return f"CAST({value} AS {sql_type(other)})"
    # DuckDB 1.5 finds or loses pairs of NaN, depending on which side it reads first.
    return f"nullif({value}, 'NaN'::DOUBLE)" if kind in _FLOATS else value

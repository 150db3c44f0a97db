"""
Which rows of a table are looked at, and in which order.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Selection", "SortKey"]


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column, or a computed one, that rows are sorted by."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Rows for which all conditions are true, in an order. It can be hashed, and is a key of caches.

    Attributes:
        where: conditions in SQL or Mongo; all must hold.
        sort: the first key counts most. Rows that are equal by all keys come in the order of
            the table. None comes last, both ways; NaN is greater than every number.
        computed: pairs (name, value in SQL or Mongo): columns beside those of the table, which
            `where`, `sort` and later ones may name. A name of the table is refused.
    """

    where: tuple[str, ...] = ()
    sort: tuple[SortKey, ...] = ()
    computed: tuple[tuple[str, str], ...] = ()

"""
Columns of several tables that are looked at as one.
"""

from __future__ import annotations

from dataclasses import dataclass

from artstore.tables.types import ColumnType

__all__ = ["SideColumn"]


@dataclass(frozen=True, slots=True)
class SideColumn:
    """
    A column of compared tables, and where it is from.

    Attributes:
        role: `key`; `cell`, of one table; `in`, whether a table has the row; `changed`.
        side: the number of the table, for `cell` and `in`; None for all tables.
        base: its name in the table; of a digest the column of images; None if there is none.
    """

    name: str
    type: ColumnType
    role: str
    side: int | None
    base: str | None

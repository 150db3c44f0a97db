"""
What the names in an expression stand for: the columns of one table, or of several.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from artstore.tables.expressions.refusal import AMBIGUOUS, UNKNOWN, Refusal, did_you_mean
from artstore.tables.expressions.tree import Path

__all__ = ["Scope"]

_TABLE: Final = re.compile(r"(t?)([0-9]{1,4})")


class Scope:
    """
    The tables that an expression is about.

    A bare name is a column of the only table that has it. With a table in front it is
    one of that table: `$0.col` and `$1.col` in Mongo, `t0.col` and `t1.col`
    (or `"0".col`) in SQL.

    Args:
        tables: of each table its columns, name -> value of Ibis. Two of them may be
            parts of one table of Ibis: a join keeps the columns of both sides, under
            names of its own.
    """

    def __init__(self, tables: Sequence[Mapping[str, Any]]) -> None:
        self._tables = tuple(tables)

    @classmethod
    def of(cls, *tables: Any) -> Scope:
        """The columns of tables of Ibis under their own names."""
        return cls([_Columns(table) for table in tables])

    def resolve(self, path: Path) -> tuple[Any, int]:
        """
        The column that `path` begins with, and how many of its parts name it.

        A column whose name has dots is found too, if none has the shorter name.

        Raises:
            Refusal: `column-unknown`, `column-ambiguous`.
        """
        number = self._table_number(path)
        start = 0 if number is None else 1
        tables = self._tables if number is None else (self._tables[number],)
        for end in range(start + 1, len(path.parts) + 1):
            name = ".".join(path.parts[start:end])
            found = [table[name] for table in tables if name in table]
            if any(not value.equals(found[0]) for value in found[1:]):
                raise Refusal(
                    path.position,
                    f"more than one table has a column {name!r}",
                    kind=AMBIGUOUS,
                    hint=f"say which: $0.{name} or $1.{name}, in SQL t0.{name} or t1.{name}",
                )
            if found:
                return found[0], end
        wanted = path.parts[start]
        raise Refusal(
            path.positions[start],
            f"there is no column {wanted!r}",
            kind=UNKNOWN,
            hint=did_you_mean(wanted, (name for table in tables for name in table)),
        )

    def row_count(self, position: int) -> Any:
        """
        The number of rows.

        Raises:
            Refusal: there are several tables that are not one table of Ibis.
        """
        import ibis.expr.operations as ops

        relations = {
            relation
            for table in self._tables
            for name in itertools.islice(table, 1)
            for relation in table[name].op().relations
        }
        if len(relations) != 1:
            raise Refusal(position, "it is not clear which rows are to be counted")
        return ops.CountStar(relations.pop()).to_expr()

    def _table_number(self, path: Path) -> int | None:
        """Which table the first part names; None if it names none."""
        first = _TABLE.fullmatch(path.parts[0])
        if first is None or len(path.parts) == 1:
            return None
        number = int(first[2])
        if number < len(self._tables) and not (first[1] and self._has(path.parts[0])):
            return number
        if first[1] or self._has(path.parts[0]):
            return None
        raise Refusal(
            path.position,
            f"there is no table {number}: tables are counted from 0, and this is about "
            f"{len(self._tables)}",
            kind=UNKNOWN,
        )

    def _has(self, name: str) -> bool:
        return any(name in table for table in self._tables)


class _Columns(Mapping[str, Any]):
    """The columns of a table of Ibis, made when they are asked for: some have thousands."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._names = dict.fromkeys(table.columns)

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._table[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

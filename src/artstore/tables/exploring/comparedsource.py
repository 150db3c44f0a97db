"""
Compared tables as queries see them: a table of row numbers, and the tables that these are of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.engine import ROW, engine, quoted
from artstore.tables.exploring.differing import compared_sql
from artstore.tables.exploring.everyside import expanded
from artstore.tables.exploring.gathering import Gathered
from artstore.tables.exploring.running import Relation
from artstore.tables.exploring.sidecolumns import SideColumn
from artstore.tables.exploring.sources import Block, Picked, Source
from artstore.tables.schema import Schema
from artstore.tables.viewsql import cast_sql, sql_type

__all__ = ["ComparedSource"]

_SHORT_MAX: Final = (1 << 31) - 1

_Cells = Mapping[tuple[int, str], str]
"""SQL for columns of tables that are not joined, but lie beside the pairs."""


class ComparedSource(Source):
    """
    Rows of tables side by side.

    Attributes:
        sides: the tables.
        numbers_of: of each of them the numbers of its rows, -1 where it has none.

    Args:
        key_kind: as in `CompareKey`.
    """

    def __init__(
        self,
        sides: Sequence[Source],
        numbers: Sequence[Any],
        columns: Sequence[SideColumn],
        key_kind: str,
    ) -> None:
        self.sides = tuple(sides)
        self.numbers_of = tuple(map(_shortened, numbers))
        self._columns = {column.name: column for column in columns}
        self._key_kind = key_kind
        self._shared = self._shared_columns(columns)
        schema = Schema(
            tuple(column.name for column in columns), tuple(column.type for column in columns)
        )
        row_count = len(numbers[0])
        data = {f"n{at}": pa.array(one) for at, one in enumerate(self.numbers_of)}
        data[ROW] = pa.array(np.arange(row_count))
        self._data = pa.table(data)
        self._pairs = engine().show_data(self._data)
        self._own = [_own_columns(columns, at) for at in range(len(self.sides))]
        self._gathered = Gathered(self.sides, self.numbers_of)
        sql = self._joined_sql(schema.names)
        view = engine().show(sql, self._pairs, *(side.view for side in self.sides))
        super().__init__(view, schema, row_count)

    @property
    def views(self) -> tuple[str, ...]:
        return (self._pairs, *(view for side in self.sides for view in side.views))

    def tables(self, columns: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [_Side(columns, own) for own in self._own]

    def expanded(self, condition: str) -> tuple[str, ...]:
        return expanded(condition, len(self.sides))

    def scan(self, names: Sequence[str], block: Block | None = None) -> Relation:  # noqa: ARG002 - there is one
        wanted = [(at, base) for at, bases in self._wanted(names).items() for base in bases]
        arrays = self._gathered.columns(wanted)
        if arrays is None:
            return Relation(self._joined_sql(names), self.views)
        own = {place: f"p.c{at}" for at, place in enumerate(wanted)}
        name = f"{self.view}_gathered"
        data = self._data
        for at, array in enumerate(arrays):
            data = data.append_column(f"c{at}", array)
        sql = f"SELECT {self._listed(names, own)}p.{ROW} AS {ROW} FROM {name} p"
        return Relation(sql, (), {name: data})

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        name = f"{self.view}_picked"
        columns: dict[str, Any] = {ROW: pa.array(numbers)}
        relations: dict[int, tuple[str, str]] = {}
        views: list[str] = []
        registered: dict[str, Any] = {}
        wanted = self._wanted(names)
        for at, side in enumerate(self.sides):
            rows = self.numbers_of[at][numbers].astype(np.int64)
            columns[f"n{at}"] = pa.array(rows)
            if at not in wanted:
                continue
            own = np.unique(rows[rows >= 0])
            picked = side.pick(own, list(wanted[at]))
            places = np.full(len(rows), -1, np.int64)
            places[rows >= 0] = picked.places[np.searchsorted(own, rows[rows >= 0])]
            columns[f"p{at}"] = pa.array(places)
            relations[at] = (f"({picked.relation.sql})", f"p{at}")
            views += picked.relation.views
            registered.update(picked.relation.registered)
        registered[name] = pa.table(columns)
        sql = self._sql(names, name, relations)
        return Picked(Relation(sql, tuple(views), registered), numbers)

    # ----------------------------------------------------------------------------------

    def _joined_sql(self, names: Sequence[str]) -> str:
        places = {at: (f"main.{self.sides[at].view}", f"n{at}") for at in self._wanted(names)}
        return self._sql(names, f"main.{self._pairs}", places)

    def _sql(
        self, names: Sequence[str], pairs: str, relations: Mapping[int, tuple[str, str]]
    ) -> str:
        """
        SQL for columns here.

        Args:
            relations: of each table that is needed what gives its rows, and the column of pairs
                that has their places there.
        """
        joins = " ".join(
            f"LEFT JOIN {rows} s{at} ON s{at}.{ROW} = p.{place}"
            for at, (rows, place) in relations.items()
        )
        return f"SELECT {self._listed(names, {})}p.{ROW} AS {ROW} FROM {pairs} p {joins}"

    def _listed(self, names: Sequence[str], own: _Cells) -> str:
        return "".join(f"{self._value(name, own)} AS {quoted(name)}, " for name in names)

    def _wanted(self, names: Sequence[str]) -> dict[int, dict[str, None]]:
        """The columns of each table that columns here are made of."""
        found: dict[int, dict[str, None]] = {}
        for name in names:
            for at, base in self._origins(self._columns[name]):
                found.setdefault(at, {})[base] = None
        return found

    def _origins(self, column: SideColumn) -> list[tuple[int, str]]:
        if column.role == "changed":
            return [(at, base) for base, sides in self._shared.items() for at in sides]
        if column.base is None:
            return []
        if column.side is not None:
            return [(column.side, column.base)]
        return [(at, column.base) for at in range(len(self.sides))]

    def _value(self, name: str, own: _Cells) -> str:
        column = self._columns[name]
        if column.role == "in":
            return f"(p.n{column.side} >= 0)"
        if column.role == "changed":
            return self._changed(own)
        if column.base is None:
            return f"p.{ROW}"
        if column.side is not None:
            return _cell(own, column.side, column.base)
        return f"coalesce({', '.join(self._key_parts(column, own))})"

    def _key_parts(self, column: SideColumn, own: _Cells) -> Iterator[str]:
        base = column.base
        assert base is not None, "of a key of columns"
        for at, side in enumerate(self.sides):
            value = _cell(own, at, base)
            if self._key_kind == "digest":
                yield f"{value}.digest"
            else:
                made = cast_sql(value, side.schema.type_of(base), column.type)
                yield f"CAST({made} AS {sql_type(column.type)})"

    def _shared_columns(self, columns: Sequence[SideColumn]) -> dict[str, list[int]]:
        """Columns that several tables have, apart from the key."""
        found: dict[str, list[int]] = {}
        for column in columns:
            if column.role == "cell" and column.base is not None and column.side is not None:
                found.setdefault(column.base, []).append(column.side)
        return {base: sides for base, sides in found.items() if len(sides) > 1}

    def _changed(self, own: _Cells) -> str:
        parts: dict[str, list[str]] = {}
        for base, sides in self._shared.items():
            kinds = [self.sides[at].schema.type_of(base) for at in sides]
            cells = [
                compared_sql(_cell(own, at, base), kind, kinds)
                for at, kind in zip(sides, kinds, strict=True)
            ]
            for later in range(1, len(sides)):
                known = [f"p.n{at} >= 0" for at in sides[:later]]
                # Of the tables before it, the first that has the row.
                cases = zip(known, cells[:later], strict=True)
                first = " ".join(f"WHEN {is_in} THEN {cell}" for is_in, cell in cases)
                before = cells[0] if later == 1 else f"CASE {first} END"
                both = f"p.n{sides[later]} >= 0 AND ({' OR '.join(known)})"
                parts.setdefault(both, []).append(f"{cells[later]} IS DISTINCT FROM {before}")
        told = [f"({both} AND ({' OR '.join(differ)}))" for both, differ in parts.items()]
        return f"({' OR '.join(told)})" if told else "false"


def _cell(own: _Cells, side: int, base: str) -> str:
    return own.get((side, base)) or f"s{side}.{quoted(base)}"


def _shortened(numbers: Any) -> Any:
    is_short = not len(numbers) or int(numbers.max()) <= _SHORT_MAX
    return numbers.astype(np.int32 if is_short else np.int64)


def _own_columns(columns: Sequence[SideColumn], side: int) -> dict[str, str]:
    """Names of columns as one table has them, and here."""
    return {
        column.base: column.name
        for column in columns
        if column.base is not None and column.role in ("key", "cell")
        if column.side in (side, None)
    }


class _Side(Mapping[str, Any]):
    """What an expression calls the columns of one table: their own names, and those here."""

    def __init__(self, columns: Mapping[str, Any], own: Mapping[str, str]) -> None:
        self._columns, self._own = columns, own

    def __getitem__(self, name: str) -> Any:
        return self._columns[self._own.get(name, name)]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._columns

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (name for name in self._columns if name not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

"""
Several tables one after the other, with a first column that tells which table a row is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.engine import ROW, engine, quoted
from artstore.tables.exploring.readingsource import QueriedReader
from artstore.tables.exploring.running import Relation
from artstore.tables.exploring.sources import Picked, Source, source_of
from artstore.tables.pythoncells import OpenContent, content_of
from artstore.tables.reading import RowReader
from artstore.tables.schema import COLUMNS_MAX, Schema
from artstore.tables.types import TEXT, ColumnType
from artstore.tables.viewsql import cast_sql, sql_type
from artstore.tables.widening import widened

__all__ = ["Concatenated"]

_TABLES_MAX: Final = 256


class Concatenated(QueriedReader):
    """
    Rows of several tables one after the other.

    The first column, `table`, has the name of the table; `_` follows while a table has such a
    column itself. Then come all columns that any table has, in the order in which they
    appear first, with types that hold the cells of all; a cell of a column that a
    table has not is None.

    Args:
        readers: 1 to 256 tables, joined or partitioned ones; must not change from now on.
        names: what each of them is called; different names.
    Raises:
        InvalidInputError: `value-invalid`.
        LimitExceededError: `limit-exceeded`: more than 10,000 columns.
    """

    def __init__(self, readers: Sequence[RowReader], names: Sequence[str]) -> None:
        super().__init__()
        is_named = len(set(names)) == len(names) == len(readers)
        if not 1 <= len(readers) <= _TABLES_MAX or not is_named:
            raise InvalidInputError(
                f"1 to {_TABLES_MAX} tables with different names are put one after the other, not "
                f"{len(readers)} of the names {list(names)!r:.200}",
                code="value-invalid",
            )
        for name in names:
            if not name.isprintable():
                raise InvalidInputError(
                    f"{name!r:.200} is no name of a table: not all of it can be printed",
                    code="value-invalid",
                )
        self.readers, self.names = tuple(readers), tuple(names)
        kinds: dict[str, ColumnType] = {}
        for reader in readers:
            for name, kind in zip(reader.schema.names, reader.schema.types, strict=True):
                kinds[name] = widened(kinds[name], kind) if name in kinds else kind
        if len(kinds) >= COLUMNS_MAX:
            raise LimitExceededError(
                f"the tables have {len(kinds)} columns together, {COLUMNS_MAX} or more",
                code="limit-exceeded",
            )
        self.table_column = "table"
        taken = {name.lower() for name in kinds}
        while self.table_column in taken:
            self.table_column += "_"
        self._schema = Schema((self.table_column, *kinds), (TEXT, *kinds.values()))

    def __repr__(self) -> str:
        return f"<{len(self.readers)} tables one after the other>"

    @property
    def schema(self) -> Schema:
        return self._schema

    def opener_of(self, column: str) -> OpenContent:
        # Files are named by content: one name is one content, whichever table brought it.
        openers = [one.opener_of(column) for one in self.readers if column in one.schema.names]
        return lambda path: content_of(openers, path)

    def make_source(self) -> Source:
        sides = [source_of(reader) for reader in self.readers]
        return _StackedSource(sides, self.names, self._schema)


class _StackedSource(Source):
    """Rows of several sources, those of one after those of another."""

    def __init__(self, sides: Sequence[Source], names: Sequence[str], schema: Schema) -> None:
        self._sides = tuple(sides)
        self._labels = ["'" + name.replace("'", "''") + "'" for name in names]
        self._ends = np.cumsum([side.row_count for side in sides])
        self.schema = schema
        sql = self._union(schema.names)
        view = engine().show(sql, *(side.view for side in sides))
        super().__init__(view, schema, int(self._ends[-1]))

    @property
    def views(self) -> tuple[str, ...]:
        return tuple(view for side in self._sides for view in side.views)

    def scan(self, names: Sequence[str], block: Any = None) -> Relation:  # noqa: ARG002 - there is one
        return Relation(self._union(names), self.views)

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        owners = np.searchsorted(self._ends, numbers, "right")
        parts, views, registered = [], [], {}
        for at in np.unique(owners).tolist():
            side, is_own = self._sides[at], owners == at
            start = int(self._ends[at]) - side.row_count
            picked = side.pick(numbers[is_own] - start, self._wanted(side, names))
            given = f"{self.view}_places_{at}"
            registered.update(picked.relation.registered)
            registered[given] = pa.table({"place": picked.places, "number": numbers[is_own]})
            views += picked.relation.views
            parts.append(
                f"SELECT {self._cells(at, names)}p.number AS {ROW} "
                f"FROM ({picked.relation.sql}) t JOIN {given} p ON p.place = t.{ROW}"
            )
        sql = " UNION ALL ".join(parts) or f"SELECT * FROM ({self._union(names)}) WHERE false"
        return Picked(Relation(sql, tuple(views) if parts else self.views, registered), numbers)

    def _union(self, names: Sequence[str]) -> str:
        parts = []
        for at, side in enumerate(self._sides):
            start = int(self._ends[at]) - side.row_count
            parts.append(
                f"SELECT {self._cells(at, names)}t.{ROW} + {start} AS {ROW} FROM main.{side.view} t"
            )
        return " UNION ALL ".join(parts)

    def _wanted(self, side: Source, names: Sequence[str]) -> list[str]:
        own = set(side.schema.names)
        return [name for name in names if name in own]

    def _cells(self, at: int, names: Sequence[str]) -> str:
        have = self._sides[at].schema
        own = dict(zip(have.names, have.types, strict=True))
        listed = []
        for name in names:
            if name == self.schema.names[0]:
                cell = self._labels[at]
            elif name in own:
                cell = cast_sql(f"t.{quoted(name)}", own[name], self.schema.type_of(name))
            else:
                cell = f"CAST(NULL AS {sql_type(self.schema.type_of(name))})"
            listed.append(f"{cell} AS {quoted(name)}, ")
        return "".join(listed)

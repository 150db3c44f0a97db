"""
The query engine in this process: DuckDB behind Ibis, with a view for each table.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.forks import LazyValue
from artstore.tables.schema import Schema
from artstore.tables.tablefile import TableFile
from artstore.tables.viewsql import (
    ROW,
    FragmentFile,
    casts_of,
    check_names,
    dead_rows,
    engine_table,
    files_of,
    gaps_of,
    live_ranges,
    partial_sql,
    quoted,
    ranges_sql,
    whole_sql,
)

if TYPE_CHECKING:
    from artstore.tables.home import TableHome
    from artstore.tables.reading import RowReader
    from artstore.tables.table import Table

__all__ = ["ROW", "Engine", "Source", "engine", "quoted", "told_errors"]

_VIEW: Final = re.compile(r"\bartstore_\d+")

_DEAD_MAX: Final = 4_000_000
"""Rows passed over that are listed one by one; more are told by ranges."""


class Source(NamedTuple):
    """A table that a query reads: where it is from, and its columns."""

    home: TableHome
    schema: Schema


class Engine:
    """
    One connection. Views stay: expressions outlive the table that they were made of.

    DuckDB does not survive a fork: a child has an engine of its own, see `engine`.
    """

    def __init__(self) -> None:
        import duckdb

        self.connection = duckdb.connect()
        self.lock = threading.RLock()
        self._count = 0
        self._definitions: dict[str, str] = {}
        self._views: weakref.WeakKeyDictionary[Table, tuple[Any, str]] = weakref.WeakKeyDictionary()
        self._sources: dict[str, Source] = {}

    @LazyValue
    def ibis(self) -> Any:
        """The same connection behind Ibis, which takes longer to import than many a query."""
        import ibis

        return ibis.duckdb.from_connection(self.connection)

    def name(self) -> str:
        """A name that nothing has yet."""
        with self.lock:
            self._count += 1
            return f"artstore_{self._count}"

    def run(self, sql: str) -> Any:
        """Run a statement of ours; the cursor has its rows."""
        with self.lock:
            return self.connection.execute(sql)

    def table(self, table: Table, *, with_rows: bool = False) -> Any:
        """The Ibis table of a table's rows; `with_rows` adds the column `ROW`."""
        name = self.view(table)
        return self.ibis.table(f"{name}_rows" if with_rows else name)

    def view(self, table: Table) -> str:
        """The view that shows a table; `<name>_rows` has the column `ROW`, too."""
        with self.lock:
            content = table.content()
            known = self._views.get(table)
            if known is not None and known[0] is content:
                return known[1]
            check_names(table.schema)
            name = self.name()
            stored = table.stored
            if stored is None:
                self._show_arrow(name, table)
            else:
                self._show_stored(name, stored, table)
            self._views[table] = (content, name)
            # Expressions outlive the table that they were made of.
            if table.home is not None:
                self._sources[name] = Source(table.home, table.schema)
            return name

    def view_of(self, reader: RowReader) -> str:
        """The name of a view of a table, a joined or a partitioned one."""
        from artstore.tables.table import Table

        if isinstance(reader, Table):
            return self.view(reader)
        name = self.name()
        definition = self._definitions[name] = self.ibis.compile(reader.query())
        self._create_view(name, definition)
        return name

    def union(self, tables: Sequence[Table], schema: Schema) -> Any:
        """The Ibis table of the rows of several tables with the same columns."""
        import ibis

        found = []
        for table in tables:
            if table.schema == schema:
                found.append(self.table(table))
                continue
            name = f"{self.name()}_part"
            self.register(name, engine_table(table.read_rows().converted(schema).to_arrow()))
            found.append(self.ibis.table(name))
        return ibis.union(*found) if found else ibis.memtable(schema.to_arrow().empty_table())

    def sources(self, expression: Any) -> list[Source]:
        """The tables of stores that an Ibis expression reads, in the order they were first used."""
        found: set[str] = set()
        names = [self.ibis.compile(expression)]
        while names:
            for name in set(_VIEW.findall(names.pop())) - found:
                found.add(name)
                if name in self._definitions:
                    names.append(self._definitions[name])
        plain = sorted(found, key=lambda name: int(name.rpartition("_")[2]))
        return [self._sources[name] for name in plain if name in self._sources]

    def register(self, name: str, data: Any) -> None:
        """Make an Arrow table known under a name."""
        with self.lock:
            self.connection.register(name, data)

    def _show_arrow(self, name: str, table: Table) -> None:
        data = engine_table(table.content().to_arrow())
        numbers = pa.array(range(data.num_rows), pa.int64())
        self.register(f"{name}_data", data.append_column(ROW, numbers))
        self._make_views(name, f"SELECT * FROM {name}_data", table.schema.names)

    def _show_stored(self, name: str, stored: TableFile, table: Table) -> None:
        home = table.home
        assert home is not None, "of a store"
        paths = home.fragment_paths(stored.fragments)
        files = files_of(stored, [str(path) for path in paths])
        groups: dict[tuple[int, bool], list[FragmentFile]] = {}
        for file in files:
            groups.setdefault((file.columns, file.is_whole), []).append(file)
        plain, placed = [], []
        for at, ((columns, is_whole), members) in enumerate(sorted(groups.items())):
            casts = casts_of(stored, columns)
            if is_whole:
                plain.append(whole_sql(members, casts))
                placed.append(whole_sql(members, casts, with_rows=True))
            else:
                part = f"{name}_{at}"
                self.register(f"{part}_ranges", live_ranges(members))
                placed.append(ranges_sql(members, casts, f"{part}_ranges", with_rows=True))
                dead_count = sum(count for file in members for _, count in gaps_of(file))
                if not dead_count:
                    plain.append(whole_sql(members, casts))
                elif dead_count > _DEAD_MAX:
                    plain.append(ranges_sql(members, casts, f"{part}_ranges"))
                else:
                    self.register(f"{part}_dead", dead_rows(members))
                    plain.append(partial_sql(members, casts, f"{part}_dead"))
        if not plain:
            self.register(f"{name}_data", stored.schema.to_arrow().empty_table())
            plain = [f"SELECT * FROM {name}_data"]
            placed = [f"SELECT *, 0::BIGINT AS {ROW} FROM {name}_data"]
        self._create_view(name, " UNION ALL ".join(plain))
        self._create_view(f"{name}_rows", " UNION ALL ".join(placed))

    def _make_views(self, name: str, sql: str, columns: Sequence[str]) -> None:
        self._create_view(f"{name}_rows", sql)
        listed = ", ".join(map(quoted, columns)) or "1"
        self._create_view(name, f"SELECT {listed} FROM ({sql})")

    def _create_view(self, name: str, sql: str) -> None:
        self.run(f"CREATE OR REPLACE VIEW {name} AS {sql}")


@contextmanager
def told_errors() -> Iterator[None]:
    """
    What goes wrong while a query runs as an error of ours.

    Raises:
        InvalidInputError: `query-failed`: a cast that fails, a number that is too large.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        first = str(error).split("\n", 1)[0]
        raise InvalidInputError(f"the query failed: {first}", code="query-failed") from error


_engines: dict[int, Engine] = {}
_lock = forks.new_lock()


def engine() -> Engine:
    """The engine of this process; a forked child gets one of its own."""
    generation = forks.generation()
    with _lock:
        found = _engines.get(generation)
        if found is None:
            found = _engines[generation] = Engine()
        return found

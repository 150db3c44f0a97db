"""
The query engine in this process: DuckDB behind Ibis, with a view for each table.
"""

from __future__ import annotations

import gc
import re
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import pyarrow as pa

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.forks import LazyValue
from artstore.tables.enginelimits import EngineLimits, engine_limits, memory_refusal
from artstore.tables.schema import Schema
from artstore.tables.tablefile import TableFile
from artstore.tables.viewsql import (
    ROW,
    FragmentFile,
    arrow_sql,
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

__all__ = ["ROW", "Engine", "Source", "engine", "query_failure", "quoted", "told_errors"]

_VIEW: Final = re.compile(r"\bartstore_\d+")

_DEAD_MAX: Final = 4_000_000
"""Rows passed over that are listed one by one; more are told by ranges."""

_NO_MEMORY: Final = "Out of Memory Error"
"""How errors begin that have lost their class on the way through Arrow."""

_WAITING: Final = 16
"""Views beside twice those in use, before garbage is looked for."""


class Source(NamedTuple):
    """A table that a query reads: where it is from, and its columns."""

    home: TableHome
    schema: Schema


class _Name(str):
    """
    The name of something in the engine, which stays while this very text is anywhere.

    Ibis keeps it in an expression, and in whatever is made of that.

    Args:
        keeps: what has to stay for it, such as names that a view reads.
    """

    __slots__ = ("__weakref__", "keeps")
    keeps: tuple[Any, ...]

    def __new__(cls, text: str, *keeps: Any) -> Self:
        made = super().__new__(cls, text)
        made.keeps = keeps
        return made


@dataclass(slots=True)
class _Made:
    """What stands in the engine for one name, and what is known of it."""

    views: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    registered: dict[str, Any] = field(default_factory=dict)
    definition: str | None = None
    source: Source | None = None


class Engine:
    """
    One connection. What is made in it goes when neither a table nor an expression needs it.

    Expressions outlive the table that they were made of, and what it held then. They carry the
    name of their view (`_Name`); when nothing has it any more, the view is dropped before
    the next one is made. Names are therefore handed on as they are: a copy of the text keeps
    nothing.

    DuckDB does not survive a fork: a child has an engine of its own, see `engine`.

    Args:
        limits: what its queries may take.
    """

    def __init__(self, limits: EngineLimits | None = None) -> None:
        import duckdb

        self.connection = duckdb.connect(config=_config(limits or EngineLimits()))
        self.lock = threading.RLock()
        self._count = 0
        self._views: weakref.WeakKeyDictionary[Table, tuple[Any, _Name]] = (
            weakref.WeakKeyDictionary()
        )
        self._made: dict[str, _Made] = {}
        # Names go at any moment, in any thread: then is not the time to run statements.
        self._unneeded: deque[str] = deque()
        self._most = _WAITING

    @LazyValue
    def ibis(self) -> Any:
        """The same connection behind Ibis, which takes longer to import than many a query."""
        from artstore.tables.sharedbackend import SharedBackend

        return SharedBackend.of(self)

    def run(self, sql: str) -> Any:
        """
        Run a statement of ours; the cursor has its rows.

        Raises:
            LimitExceededError: `query-too-large`.
        """
        with self.lock, _told_memory():
            return self.connection.execute(sql)

    def table(self, table: Table, *, with_rows: bool = False) -> Any:
        """The Ibis table of a table's rows; `with_rows` adds the column `ROW`."""
        return self._shown(self.view(table, with_rows=with_rows))

    def view(self, table: Table, *, with_rows: bool = False) -> str:
        """The view that shows a table as it is now; `with_rows` for the one with `ROW`."""
        with self.lock:
            content = table.content()
            seen, name = self._views.get(table, (None, None))
            if name is None or seen is not content:
                # The views of what it was go first, if no expression has them.
                self._views.pop(table, None)
                name = None
                name = self._show(table)
                self._views[table] = (content, name)
        return _Name(f"{name}_rows", name) if with_rows else name

    def view_of(self, reader: RowReader) -> str:
        """The name of a view of a table, a joined or a partitioned one."""
        from artstore.tables.table import Table

        if isinstance(reader, Table):
            return self.view(reader)
        query = reader.query()
        return self.show(self.ibis.compile(query), query)

    def select(self, text: str, views: Sequence[str]) -> Any:
        """
        The Ibis table of a SELECT in DuckDB's SQL.

        Args:
            views: names in it, as `view_of` gave them.
        """
        # Asks the connection for the columns, as `_shown` does.
        with self.lock:
            made = self.ibis.sql(text, dialect="duckdb").op()
        return made.copy(query=_Name(made.query, *views)).to_expr()

    def show(self, select: str, *keeps: Any) -> str:
        """
        The name of a view of a SELECT; dropped when nothing has the name.

        Args:
            keeps: names of views that it reads, as `view` gave them.
        """
        with self.lock:
            name = self._new(*keeps)
            self._made[name].definition = select
            self._create_view(name, name, select)
        return name

    def keep(self, select: str) -> str:
        """The name of a table of the rows of a SELECT; dropped when nothing has the name."""
        with self.lock:
            name = self._new()
            self.run(f"CREATE TABLE {name} AS {select}")
            # Not the name itself, which would keep itself.
            self._made[name].tables.append(str(name))
        return name

    def show_data(self, data: Any) -> str:
        """The name of an Arrow table with `ROW`; it goes when nothing has the name."""
        with self.lock:
            name = self._new()
            self._register(name, f"{name}_data", data)
            self._create_view(name, name, arrow_sql(f"{name}_data", data.schema))
        return name

    @contextmanager
    def cursor(self, views: Sequence[str] = ()) -> Iterator[Any]:
        """
        A connection of its own to the same views, so that its queries wait for no other.

        Args:
            views: all that will be read, as `view` and `show` named them.
        """
        with self.lock:
            made = [self._made[name] for name in self._behind(views)]
            # What is registered is known to one connection only.
            data = {name: known for one in made for name, known in one.registered.items()}
            cursor = self.connection.cursor()
        try:
            for name, known in data.items():
                cursor.register(name, known)
            yield cursor
        finally:
            cursor.close()

    def union(self, tables: Sequence[Table], schema: Schema) -> Any:
        """The Ibis table of the rows of several tables with the same columns."""
        import ibis

        found = []
        for table in tables:
            if table.schema == schema:
                found.append(self.table(table))
                continue
            data = engine_table(table.read_rows().converted(schema).to_arrow())
            with self.lock:
                name = self._new()
                self._register(name, f"{name}_part", data)
            found.append(self._shown(_Name(f"{name}_part", name)))
        return ibis.union(*found) if found else ibis.memtable(schema.to_arrow().empty_table())

    def sources(self, expression: Any) -> list[Source]:
        """The tables of stores that an Ibis expression reads, in the order they were first used."""
        with self.lock:
            names = self._behind([self.ibis.compile(expression)])
            sources = [self._made[name].source for name in names]
        return [source for source in sources if source is not None]

    def _shown(self, name: str) -> Any:
        with self.lock:
            return self.ibis.table(name)

    # What is in the engine -----------------------------------------------------------

    def _new(self, *keeps: Any) -> _Name:
        """A name that nothing has yet; what only names had that are gone is dropped first."""
        self._drop_unneeded()
        if len(self._made) >= self._most:
            # Expressions of Ibis lie in cycles; in a large process those wait for long.
            gc.collect()
            self._drop_unneeded()
            self._most = 2 * len(self._made) + _WAITING
        self._count += 1
        name = _Name(f"artstore_{self._count}", *keeps)
        self._made[str(name)] = _Made()
        gone = weakref.finalize(name, self._unneeded.append, str(name))
        gone.atexit = False
        return name

    def _drop_unneeded(self) -> None:
        while self._unneeded:
            made = self._made.pop(self._unneeded.popleft())
            for view in made.views:
                self.run(f"DROP VIEW IF EXISTS {view}")
            for table in made.tables:
                self.run(f"DROP TABLE IF EXISTS {table}")
            for data in made.registered:
                self.connection.unregister(data)

    def _behind(self, texts: Sequence[str]) -> list[str]:
        """The names in SQL, and those that their views read, in the order they were made."""
        found: set[str] = set()
        waiting = list(texts)
        while waiting:
            for name in set(_VIEW.findall(waiting.pop())) & self._made.keys() - found:
                found.add(name)
                definition = self._made[name].definition
                if definition is not None:
                    waiting.append(definition)
        return sorted(found, key=lambda name: int(name.rpartition("_")[2]))

    def _register(self, owner: str, name: str, data: Any) -> None:
        """Make an Arrow table known under a name, as long as there is its owner."""
        self.connection.register(name, data)
        self._made[owner].registered[name] = data

    def _create_view(self, owner: str, name: str, sql: str) -> None:
        self.run(f"CREATE OR REPLACE VIEW {name} AS {sql}")
        self._made[owner].views.append(str(name))

    def _show(self, table: Table) -> _Name:
        """Two new views of a table, as `view` says."""
        check_names(table.schema)
        name = self._new()
        stored = table.stored
        if stored is None:
            self._show_arrow(name, table)
        else:
            self._show_stored(name, stored, table)
        if table.home is not None:
            self._made[name].source = Source(table.home, table.schema)
        return name

    def _show_arrow(self, name: str, table: Table) -> None:
        data = engine_table(table.content().to_arrow())
        numbers = pa.array(range(data.num_rows), pa.int64())
        self._register(name, f"{name}_data", data.append_column(ROW, numbers))
        self._make_views(name, arrow_sql(f"{name}_data", data.schema), table.schema.names)

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
                self._register(name, f"{part}_ranges", live_ranges(members))
                placed.append(ranges_sql(members, casts, f"{part}_ranges", with_rows=True))
                dead_count = sum(count for file in members for _, count in gaps_of(file))
                if not dead_count:
                    plain.append(whole_sql(members, casts))
                elif dead_count > _DEAD_MAX:
                    plain.append(ranges_sql(members, casts, f"{part}_ranges"))
                else:
                    self._register(name, f"{part}_dead", dead_rows(members))
                    plain.append(partial_sql(members, casts, f"{part}_dead"))
        if not plain:
            self._register(name, f"{name}_data", stored.schema.to_arrow().empty_table())
            plain = [f"SELECT * FROM {name}_data"]
            placed = [f"SELECT *, 0::BIGINT AS {ROW} FROM {name}_data"]
        self._create_view(name, name, " UNION ALL ".join(plain))
        self._create_view(name, f"{name}_rows", " UNION ALL ".join(placed))

    def _make_views(self, name: str, sql: str, columns: Sequence[str]) -> None:
        self._create_view(name, f"{name}_rows", sql)
        listed = ", ".join(map(quoted, columns)) or "1"
        self._create_view(name, name, f"SELECT {listed} FROM ({sql})")


def _config(limits: EngineLimits) -> dict[str, str | bool | int | float | list[str]]:
    if limits.memory_bytes is None:
        return {}
    # Without a directory nothing is swapped out, and no file outlives a server that was killed.
    return {"memory_limit": f"{limits.memory_bytes}B", "temp_directory": ""}


@contextmanager
def told_errors() -> Iterator[None]:
    """
    What goes wrong while a query runs as an error of ours.

    Raises:
        InvalidInputError: `query-failed`: a cast that fails, a number that is too large.
        LimitExceededError: `query-too-large`: there is not enough memory.
    """
    import duckdb

    try:
        with _told_memory():
            yield
    except duckdb.Error as error:
        raise query_failure(error) from error


def query_failure(error: Exception) -> InvalidInputError:
    """What an error of the engine, or of what reads a result from it, is to who asked."""
    first = str(error).split("\n", 1)[0]
    if first.startswith(_NO_MEMORY):
        return memory_refusal()
    return InvalidInputError(f"the query failed: {first}", code="query-failed")


@contextmanager
def _told_memory() -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise memory_refusal() from error


_engines: dict[tuple[int, EngineLimits], Engine] = {}
_lock = forks.new_lock()


def engine() -> Engine:
    """
    The engine of this process; a forked child gets one of its own.

    There is another one for each block `limited_engine`, the same for the same limits.
    """
    key = (forks.generation(), engine_limits())
    with _lock:
        found = _engines.get(key)
        if found is None:
            found = _engines[key] = Engine(key[1])
        return found

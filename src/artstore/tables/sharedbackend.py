"""
Ibis over a connection that several threads use.

A connection of DuckDB has one result at a time: a statement of another thread, or between two
batches of a stream, ends it without a word, and rows are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import ibis.expr.operations as ops
import pyarrow as pa
from ibis.backends.duckdb import Backend

if TYPE_CHECKING:
    from artstore.tables.engine import Engine

__all__ = ["SharedBackend"]

_LOCKED: Final = (
    "_to_duckdb_relation",
    "create_table",
    "create_view",
    "drop_table",
    "drop_view",
    "execute",
    "get_schema",
    "list_tables",
    "raw_sql",
    "to_csv",
    "to_json",
    "to_parquet",
    "to_pyarrow",
    "to_torch",
)
"""What runs statements and is done with their results when it returns."""


class SharedBackend(Backend):  # type: ignore[misc]  # Ibis has no types
    """
    The backend that expressions of tables are run by: one query at a time, streams aside.

    Streams have a connection of their own, so that anything may run while one is read.
    """

    engine: Engine

    @classmethod
    def of(cls, engine: Engine) -> SharedBackend:
        """The backend over the connection of an engine."""
        made: SharedBackend = cls()
        made.engine = engine
        made._can_reconnect = False
        made.con = engine.connection
        # It sets the connection up, in the middle of what other threads do with it.
        with engine.lock:
            made._post_connect()
        return made

    def to_pyarrow_batches(
        self,
        expr: Any,
        /,
        *,
        params: Any = None,
        limit: int | str | None = None,
        chunk_size: int = 1_000_000,
        **_: Any,
    ) -> Any:
        """The rows of an expression as a `pyarrow.RecordBatchReader`; runs while it is read."""
        table = expr.as_table()
        with self.engine.lock:
            self._run_pre_execute_hooks(expr)
            text = self.compile(table, limit=limit, params=params)
            opened = ExitStack()
            cursor = opened.enter_context(self._cursor(text))
            # What is registered is known to one connection only.
            for known in expr.op().find(ops.InMemoryTable):
                cursor.register(known.name, known.data.to_pyarrow(known.schema))
        schema = table.schema().to_pyarrow()
        return pa.RecordBatchReader.from_batches(
            schema, _batches(opened, cursor, text, chunk_size, expr)
        )

    def _cursor(self, text: str) -> AbstractContextManager[Any]:
        return self.engine.cursor([text])


def _batches(
    opened: ExitStack, cursor: Any, text: str, chunk_size: int, expr: Any
) -> Iterator[Any]:
    """The batches; `expr` is held as long, since the views that it reads stay with it."""
    with opened:
        yield from cursor.execute(text).fetch_record_batch(rows_per_batch=chunk_size)
    del expr


def _locked(run: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(run)
    def alone(self: SharedBackend, *args: Any, **options: Any) -> Any:
        with self.engine.lock:
            return run(self, *args, **options)

    return alone


for _name in _LOCKED:
    setattr(SharedBackend, _name, _locked(getattr(Backend, _name)))

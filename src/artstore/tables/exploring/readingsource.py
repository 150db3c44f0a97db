"""
Readers whose rows are made by queries: of several tables at once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from artstore import forks
from artstore.tables.engine import ROW, engine
from artstore.tables.exploring.display import restored
from artstore.tables.exploring.running import fetched
from artstore.tables.exploring.sources import Source, SourceReader
from artstore.tables.rows import Rows

if TYPE_CHECKING:
    from artstore.tables.query import Query

__all__ = ["QueriedReader"]

_PICKED_MAX = 10_000
"""Longer windows are scanned for."""


class QueriedReader(SourceReader):
    """A reader of what its source gives. The source is made once in each process."""

    def __init__(self) -> None:
        self._lock = forks.new_lock()
        self._made: tuple[Any, Source] | None = None

    @abstractmethod
    def make_source(self) -> Source:
        """The rows, in the engine of this process; places in scans are numbers of rows."""

    def source(self) -> Source:
        with self._lock:
            found = engine()
            if self._made is None or self._made[0] is not found:
                self._made = (found, self.make_source())
            return self._made[1]

    @property
    def row_count(self) -> int:
        return self.source().row_count

    def read_rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Rows:
        source = self.source()
        stop = source.row_count if stop is None else min(stop, source.row_count)
        start = min(start, stop)
        schema = source.schema.only(columns)
        names = list(dict.fromkeys(schema.names))
        if stop - start <= _PICKED_MAX:
            relation = source.pick(np.arange(start, stop), names).relation
            where = ""
        else:
            relation = source.scan(names)
            where = f"WHERE {ROW} BETWEEN {start} AND {stop - 1}"
        found = fetched(f"SELECT * FROM ({relation.sql}) {where} ORDER BY {ROW}", (relation,))
        arrays = tuple(
            restored(found[name], kind)
            for name, kind in zip(schema.names, schema.types, strict=True)
        )
        return Rows(schema, arrays, stop - start)

    def query(self) -> Query:
        source = self.source()
        with engine().lock:
            shown = engine().ibis.table(source.view)
        return shown.select(*source.schema.names)

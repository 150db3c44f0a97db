"""
Rows of a table by number, whole and in the types of their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from artstore.tables.rows import Rows, concatenated

if TYPE_CHECKING:
    from artstore.tables.home import TableHome
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.reading import RowReader

__all__ = ["homes_of", "rows_at"]


def rows_at(reader: RowReader, numbers: Any, columns: Sequence[str]) -> Rows:
    """
    The rows of these numbers, in this order: of a table, a joined or a partitioned one.

    Args:
        numbers: int64 [n], each from 0 to the number of rows.
    Cost: reads, of the fragments that hold these rows, these columns.
    """
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

    if isinstance(reader, Table):
        return reader.content().take(pa.array(numbers, pa.int64()), columns)
    if isinstance(reader, JoinedTable):
        return reader.take(numbers.tolist(), columns)
    if isinstance(reader, PartitionedTable):
        return _of_parts(reader, numbers, columns)
    rows = reader.read_rows(columns=columns)
    return _taken(rows, numbers)


def homes_of(reader: RowReader) -> list[TableHome]:
    """The tables of stores that a reader has its rows and files from."""
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

    tables: Sequence[Any] = ()
    if isinstance(reader, Table):
        tables = (reader,)
    elif isinstance(reader, JoinedTable):
        tables = (reader.left, reader.right)
    elif isinstance(reader, PartitionedTable):
        tables = reader.parts
    return [table.home for table in tables if table.home is not None]


def _of_parts(reader: PartitionedTable, numbers: Any, columns: Sequence[str]) -> Rows:
    ends = np.cumsum(np.array([part.row_count for part in reader.parts], np.int64))
    owners = np.searchsorted(ends, numbers, "right")
    found, order = [], []
    for at in np.unique(owners).tolist():
        part = reader.parts[at]
        is_own = np.flatnonzero(owners == at)
        start = int(ends[at]) - part.row_count
        found.append(rows_at(part, numbers[is_own] - start, columns))
        order.append(is_own)
    rows = concatenated(found, reader.schema.only(columns))
    places = np.argsort(np.concatenate(order)) if order else np.zeros(0, np.int64)
    return _taken(rows, places)


def _taken(rows: Rows, places: Any) -> Rows:
    chosen = pa.array(places, pa.int64())
    return Rows(rows.schema, tuple(array.take(chosen) for array in rows.arrays), len(places))

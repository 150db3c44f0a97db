"""
Where a row comes from: of a joined table which rows of its tables, of parts which part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artstore.errors import InvalidInputError
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader

__all__ = ["RowTraced", "trace_row"]


@dataclass(frozen=True, slots=True)
class RowTraced:
    """
    A row of a stored table that a row is made of.

    Args:
        place_name: of the table, `project/name:v3/path`.
        number: of the row there.
        columns: names here and there; a key of a join is of both tables.
    """

    place_name: str
    number: int
    columns: tuple[tuple[str, str], ...]


def trace_row(reader: RowReader, number: int) -> list[RowTraced]:
    """
    The rows that row `number` is made of: one, or up to two of a joined table.

    Tables that were made here and never stored are left out.

    Raises:
        InvalidInputError: `request-invalid`: there is no such row.
    Cost: of a joined table, as `JoinedTable.row_count`.
    """
    if not 0 <= number < reader.row_count:
        raise InvalidInputError(
            f"there is no row {number:,}, the table has {reader.row_count:,}",
            code="request-invalid",
        )
    return list(_traced(reader, number))


def _traced(reader: RowReader, number: int) -> Iterator[RowTraced]:
    if isinstance(reader, JoinedTable):
        origins = reader.origins()
        sides = zip((reader.left, reader.right), _pair(reader, number), strict=True)
        for side, (table, row) in enumerate(sides):
            names = [(here, there[side]) for here, there in origins.items()]
            columns = tuple((here, there) for here, there in names if there is not None)
            if row is not None and table.place_name is not None:
                yield RowTraced(table.place_name, row, columns)
        return
    if isinstance(reader, PartitionedTable):
        for part in reader.parts:
            if number < part.row_count:
                yield from _traced(part, number)
                return
            number -= part.row_count
        return
    if reader.place_name is not None:
        yield RowTraced(reader.place_name, number, tuple((name, name) for name in reader.columns))


def _pair(reader: JoinedTable, number: int) -> tuple[int | None, int | None]:
    """Numbers of the two rows that a row of a join is made of."""
    from artstore.tables.engine import engine

    found = engine()
    with found.lock:
        sql = f"SELECT l, r FROM {reader.pairs()} WHERE rowid = {int(number)}"  # noqa: S608 - ours
        left, right = found.run(sql).fetchone()
    return left, right

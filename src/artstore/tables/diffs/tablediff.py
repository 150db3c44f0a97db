"""
What came of comparing two tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.pythoncells import python_cells
from artstore.tables.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from artstore.tables.diffs.sources import RowSource
    from artstore.tables.reading import RowReader

__all__ = ["ColumnChange", "DiffedRows", "RowChange", "TableDiff"]

_WINDOW_ROWS: Final = 1024

ReadCells = Callable[[int, Any, Sequence[str]], Mapping[str, Sequence[Any]]]
"""Cells of rows of the old (0) or new (1) table by column: side, numbers of rows, columns."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column whose type changed; its cells may be the same all the same."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RowChange:
    """
    A row that changed.

    Attributes:
        key: its cells in the columns of the key.
        old_row, new_row: its number in either table.
        cells: by column the cells that differ, old and new.
        verdict: `regressed`, `fixed` or None.
    """

    key: tuple[Any, ...]
    old_row: int
    new_row: int
    cells: Mapping[str, tuple[Any, Any]]
    verdict: str | None


@dataclass(frozen=True, slots=True)
class DiffedRows:
    """
    Which rows differ, by their numbers; their cells are read when they are asked for.

    Attributes:
        key: columns that tell rows apart.
        compared: columns that both tables have.
        removed, added: numbers in the old and in the new table, in order.
        changed_old, changed_new: of n rows that changed, in the order of the new table.
        bits: uint8 [n, a bit for each of `compared`]: which cells differ.
        regressed, fixed: places among the n rows.
    """

    readers: tuple[RowReader, RowReader]
    sources: tuple[RowSource, RowSource]
    key: tuple[str, ...]
    compared: tuple[str, ...]
    removed: NDArray[np.int64]
    added: NDArray[np.int64]
    changed_old: NDArray[np.int64]
    changed_new: NDArray[np.int64]
    bits: NDArray[np.uint8]
    regressed: NDArray[np.int64] | None = None
    fixed: NDArray[np.int64] | None = None

    def changed_columns(self, places: NDArray[np.int64]) -> list[list[str]]:
        """For each of these rows the columns whose cells differ."""
        flags = np.unpackbits(self.bits[places], axis=1, count=len(self.compared))
        return [[self.compared[at] for at in np.flatnonzero(row).tolist()] for row in flags]

    def changes(
        self, places: NDArray[np.int64], read: ReadCells | None = None
    ) -> Iterator[RowChange]:
        """
        Rows that changed, by their places.

        Args:
            read: gives their cells; as Python values if left out.
        """
        for start in range(0, len(places), _WINDOW_ROWS):
            yield from self._changes(places[start : start + _WINDOW_ROWS], read or self.cells)

    def _changes(self, places: NDArray[np.int64], read: ReadCells) -> Iterator[RowChange]:
        listed = self.changed_columns(places)
        wanted = [name for name in self.compared if any(name in names for names in listed)]
        numbers = self.changed_old[places], self.changed_new[places]
        old = read(0, numbers[0], wanted)
        new = read(1, numbers[1], list(dict.fromkeys((*self.key, *wanted))))
        verdicts = self._verdicts(places)
        for at, names in enumerate(listed):
            yield RowChange(
                tuple(new[name][at] for name in self.key),
                int(numbers[0][at]),
                int(numbers[1][at]),
                {name: (old[name][at], new[name][at]) for name in names},
                verdicts[at],
            )

    def _verdicts(self, places: NDArray[np.int64]) -> list[str | None]:
        found: list[str | None] = [None] * len(places)
        for word, judged in (("regressed", self.regressed), ("fixed", self.fixed)):
            if judged is not None:
                for at in np.flatnonzero(np.isin(places, judged)).tolist():
                    found[at] = word
        return found

    def cells(
        self, side: int, numbers: NDArray[np.int64], columns: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Cells of rows of the old (0) or new (1) table as Python values, by column."""
        rows = self.sources[side].read(numbers, columns)
        reader = self.readers[side]
        return {
            name: python_cells(kind, array, reader.opener_of(name))
            for name, kind, array in zip(
                rows.schema.names, rows.schema.types, rows.arrays, strict=True
            )
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """
    The differences of two tables.

    Attributes:
        key: columns by which rows were found.
        added, removed, changed, unchanged: rows.
        cells: how many cells differ, by column.
        columns_added, columns_removed: columns that only one table has; not compared.
        columns_retyped: columns whose type changed.
        duplicate_rows_old, duplicate_rows_new: rows, of those that were read, whose key
            another one has.
        null_rows_old, null_rows_new: likewise rows with None in their key.
        truth, guess: the columns by which rows were judged; None: they were not.
        regressed: rows that were right and are wrong now.
        fixed: rows that were wrong and are right now.
        read_bytes: bytes of fragments that were read for it; of joined tables, of cells.
        total_bytes: of all fragments of both tables; None: one is a joined table.
        read_fragments: how many fragments were read, in whole or in some columns.
    """

    key: tuple[str, ...]
    rows_old: int
    rows_new: int
    added: int
    removed: int
    changed: int
    unchanged: int
    cells: Mapping[str, int]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[ColumnChange, ...]
    duplicate_rows_old: int
    duplicate_rows_new: int
    null_rows_old: int
    null_rows_new: int
    truth: str | None
    guess: str | None
    regressed: int | None
    fixed: int | None
    read_bytes: int
    total_bytes: int | None
    read_fragments: int
    rows: DiffedRows = field(repr=False, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether both tables have the same rows and columns, whatever their order and types."""
        rows = self.added or self.removed or self.changed
        return not (rows or self.columns_added or self.columns_removed)

    def added_rows(self, start: int = 0, stop: int | None = None) -> pa.Table:
        """Rows that only the new table has, in its order; of them [start, stop)."""
        return self._rows(1, self.rows.added[start:stop])

    def removed_rows(self, start: int = 0, stop: int | None = None) -> pa.Table:
        """Rows that only the old table has, in its order; of them [start, stop)."""
        return self._rows(0, self.rows.removed[start:stop])

    def changed_rows(self, start: int = 0, stop: int | None = None) -> pa.Table:
        """
        Rows that changed, in the order of the new table; of them [start, stop).

        Returns:
            The columns `key`, a struct; `columns`, the names of those whose cells differ;
            `old` and `new`, structs of all columns in which any row differs.
        """
        places = np.arange(self.changed)[start:stop]
        names = list(self.cells)
        key = self._read(1, self.rows.changed_new[places], self.key)
        old = self._read(0, self.rows.changed_old[places], names)
        new = self._read(1, self.rows.changed_new[places], names)
        columns = pa.array(self.rows.changed_columns(places), pa.list_(pa.string()))
        parts = {"key": _struct(key), "columns": columns, "old": _struct(old), "new": _struct(new)}
        return pa.table(parts)

    def changes(self, start: int = 0, stop: int | None = None) -> Iterator[RowChange]:
        """As `changed_rows`, one by one, as Python values."""
        return self.rows.changes(np.arange(self.changed)[start:stop])

    def regressions(self, start: int = 0, stop: int | None = None) -> Iterator[RowChange]:
        """Rows that were right and are wrong now; none if rows were not judged."""
        return self.rows.changes(_places(self.rows.regressed)[start:stop])

    def fixes(self, start: int = 0, stop: int | None = None) -> Iterator[RowChange]:
        """Rows that were wrong and are right now; none if rows were not judged."""
        return self.rows.changes(_places(self.rows.fixed)[start:stop])

    def to_dict(self, limit: int = 0) -> dict[str, Any]:
        """
        The numbers as JSON values, with the first `limit` rows of each sort.

        docs/reference/table-diff.md tells its members.
        """
        from artstore.tables.diffs.reports import diff_record

        return diff_record(self, limit)

    def to_markdown(self, limit: int = 20) -> str:
        """A report in Markdown, with the first `limit` rows of each sort."""
        from artstore.tables.diffs.reports import diff_markdown

        return diff_markdown(self, limit)

    def _repr_html_(self) -> str:
        from artstore.tables.diffs.reports import diff_html

        return diff_html(self)

    def _rows(self, side: int, numbers: NDArray[np.int64]) -> pa.Table:
        return self._read(side, numbers, self.rows.readers[side].schema.names).to_arrow()

    def _read(self, side: int, numbers: NDArray[np.int64], columns: Sequence[str]) -> Rows:
        return self.rows.sources[side].read(numbers, columns)


def _struct(rows: Rows) -> Any:
    if not rows.arrays:
        return pa.array([{}] * rows.row_count, pa.struct([]))
    return pa.StructArray.from_arrays(list(rows.arrays), list(rows.schema.names))


def _places(found: NDArray[np.int64] | None) -> NDArray[np.int64]:
    return np.zeros(0, np.int64) if found is None else found

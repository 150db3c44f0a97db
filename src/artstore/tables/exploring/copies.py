"""
A selection as a table of its own: rows whole, with cells that were edited, ready to be logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.celledits import edited_array, with_cells
from artstore.tables.engine import ROW
from artstore.tables.exploring.answers import ColumnInfo
from artstore.tables.exploring.display import restored
from artstore.tables.exploring.explored import NUMBERS_MAX, ExploredTable
from artstore.tables.exploring.plans import Planner
from artstore.tables.exploring.selection import Selection
from artstore.tables.exploring.sources import source_of
from artstore.tables.intake import RowIntake
from artstore.tables.picking import homes_of, rows_at
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.table import Table

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader

__all__ = ["COPY_ROWS_MAX", "CellEdit", "CopiedRows", "check_edits", "copied_rows"]

COPY_ROWS_MAX: Final = 1_000_000
"""Rows that come in another order than they lie in are read again and again."""

_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class CellEdit:
    """
    A new value of a cell.

    Attributes:
        row: its number in the table.
        value: JSON, as `celledits.edited_array` takes it.
    """

    row: int
    column: str
    value: Any


@dataclass(frozen=True, slots=True)
class CopiedRows:
    """
    What is taken of a table.

    Attributes:
        columns: which, in this order; all and the computed ones if left out.
        rows: numbers in the table, in this order, instead of all that the selection has.
        edits: of the last of several of one cell.
    """

    selection: Selection = field(default_factory=Selection)
    columns: Sequence[str] | None = None
    rows: Sequence[int] | None = None
    edits: Sequence[CellEdit] = ()


def copied_rows(explored: ExploredTable, reader: RowReader, wanted: CopiedRows) -> Table:
    """
    A new table of rows of `explored`, of the same types; its sources are noted in it.

    Images and other files stay where they are: the artifact that it is added to gets links.

    Args:
        reader: the same table, opened anew: rows are read from it by this thread alone.
    Raises:
        InvalidInputError: as `ExploredTable`; `cell-unsupported`: a value does not fit its
            column; `value-invalid`: an edit is of a row or column that is not taken.
        LimitExceededError: `limit-exceeded`: more than a million rows.
    Cost: reads the columns of the rows that are taken.
    """
    infos = _chosen(explored, wanted)
    numbers = _numbers(explored, wanted)
    edits = _by_column(wanted, infos, numbers)
    computed = _Computed(reader, wanted.selection, infos)
    schema = Schema(tuple(info.name for info in infos), tuple(info.type for info in infos))
    # With the types from the start: a table without rows keeps them.
    table = Table.of_intake(RowIntake(schema))
    homes = homes_of(reader)
    table.note_sources([home.name for home in homes], homes)
    for start in range(0, len(numbers), _AT_ONCE):
        part = numbers[start : start + _AT_ONCE]
        rows = computed.joined(rows_at(reader, part, computed.stored), part)
        table.add_rows(with_cells(rows, dict(_edits_of(edits, start, len(part)))))
    keys = getattr(reader, "keys", {}).get("primary_key", [])
    if len(keys) == 1 and keys[0] in schema.names:
        table.set_pk(keys[0])
    return table


def check_edits(explored: ExploredTable, wanted: CopiedRows) -> None:
    """
    Whether edits fit their columns; no row is read.

    Raises:
        InvalidInputError: as `copied_rows`, of edits.
    """
    total = explored.reader.row_count
    for edit in wanted.edits:
        if not 0 <= edit.row < total:
            raise _no_row(edit.row, f"the table has {total:,}, counted from 0")
    numbers = np.array(sorted({edit.row for edit in wanted.edits}), np.int64)
    _by_column(wanted, _chosen(explored, wanted), numbers)


def _chosen(explored: ExploredTable, wanted: CopiedRows) -> list[ColumnInfo]:
    infos = {info.name: info for info in explored.columns(wanted.selection)}
    names = list(infos) if wanted.columns is None else list(dict.fromkeys(wanted.columns))
    if not names:
        raise InvalidInputError("a table has at least one column", code="columns-invalid")
    for name in names:
        if name not in infos:
            raise _no_column(name)
    return [infos[name] for name in names]


def _numbers(explored: ExploredTable, wanted: CopiedRows) -> Any:
    """The numbers of all rows that are taken, in order: int64 [n]."""
    if wanted.rows is not None:
        _check_count(len(wanted.rows))
        total = explored.reader.row_count
        for number in wanted.rows:
            if not 0 <= number < total:
                raise _no_row(number, f"the table has {total:,}, counted from 0")
        if len(set(wanted.rows)) < len(wanted.rows):
            raise InvalidInputError("a row is chosen twice", code="value-invalid")
        # Conditions are noted beside the rows: what cannot be used is refused all the same.
        explored.numbers(wanted.selection, 0, 1)
        return np.array(wanted.rows, np.int64)
    count = explored.count(wanted.selection).matching
    _check_count(count)
    parts = [
        explored.numbers(wanted.selection, start, min(NUMBERS_MAX, count - start))
        for start in range(0, count, NUMBERS_MAX)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _check_count(count: int) -> None:
    if count > COPY_ROWS_MAX:
        raise LimitExceededError(
            f"at most {COPY_ROWS_MAX:,} rows are saved from a page, not {count:,}",
            code="limit-exceeded",
            hint="in Python there is no limit: Table.from_query(table.filter(...))",
        )


def _by_column(
    wanted: CopiedRows, infos: Sequence[ColumnInfo], numbers: Any
) -> dict[str, tuple[Any, Any]]:
    """By column the places of edited cells among the rows, ascending, and the new cells."""
    known = {info.name: info for info in infos}
    places = {number: at for at, number in enumerate(numbers.tolist())} if wanted.edits else {}
    values: dict[str, dict[int, Any]] = {}
    for edit in wanted.edits:
        info = known.get(edit.column)
        if info is None:
            raise _no_column(edit.column)
        if info.is_computed:
            raise InvalidInputError(
                f"the column {edit.column!r:.80} is computed: its cells are not edited",
                code="value-invalid",
                column=edit.column,
            )
        if edit.row not in places:
            raise _no_row(edit.row, "it was edited, and is not among the rows that are saved")
        values.setdefault(edit.column, {})[places[edit.row]] = edit.value
    found = {}
    for name, cells in values.items():
        order = sorted(cells)
        new = edited_array(known[name].type, [cells[at] for at in order], name)
        found[name] = (np.array(order, np.int64), new)
    return found


def _edits_of(
    edits: dict[str, tuple[Any, Any]], start: int, count: int
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Those of the rows [start, start + count)."""
    for name, (places, new) in edits.items():
        first, last = np.searchsorted(places, (start, start + count)).tolist()
        if first < last:
            yield name, (places[first:last] - start, new.slice(first, last - first))


class _Computed:
    """Puts computed columns beside those that are stored."""

    def __init__(
        self, reader: RowReader, selection: Selection, infos: Sequence[ColumnInfo]
    ) -> None:
        self._infos = infos
        self._selection = selection
        self.stored = [info.name for info in infos if not info.is_computed]
        self._own = [info for info in infos if info.is_computed]
        self._planner = Planner(source_of(reader)) if self._own else None

    def joined(self, rows: Rows, numbers: Any) -> Rows:
        """`rows` of these numbers, with the computed columns in their places."""
        arrays = dict(zip(rows.schema.names, rows.arrays, strict=True))
        for info, array in zip(self._own, self._cells(numbers), strict=True):
            arrays[info.name] = array
        names = tuple(info.name for info in self._infos)
        schema = Schema(names, tuple(info.type for info in self._infos))
        return Rows(schema, tuple(arrays[name] for name in names), len(numbers))

    def _cells(self, numbers: Any) -> list[Any]:
        if self._planner is None:
            return []
        names = [info.name for info in self._own]
        plan = self._planner.plan(self._selection, names, is_filtered=False)
        wanted = np.unique(numbers)
        picked = plan.source.pick(wanted, plan.needs)
        found = plan.run("SELECT * FROM s", picked.relation)
        given = found[ROW].to_numpy()
        order = np.argsort(given, kind="stable")
        asked = picked.places[np.searchsorted(wanted, numbers)]
        chosen = pa.array(order[np.searchsorted(given[order], asked)])
        return [
            restored(found[f"c{at}"], info.type).take(chosen) for at, info in enumerate(self._own)
        ]


def _no_column(name: str) -> InvalidInputError:
    return InvalidInputError(
        f"there is no column {name!r:.80} among those that are saved",
        code="column-unknown",
        column=name,
    )


def _no_row(number: int, why: str) -> InvalidInputError:
    return InvalidInputError(f"there is no row {number}: {why}", code="value-invalid")

"""
Rows of a selection with whole cells, window by window: for what leaves the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.tables.engine import ROW
from artstore.tables.exploring.answers import ColumnInfo
from artstore.tables.exploring.display import restored
from artstore.tables.exploring.plans import Planner
from artstore.tables.exploring.selection import Selection
from artstore.tables.exploring.tickets import Ticket, interruptible
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.types import BYTES, TEXT

if TYPE_CHECKING:
    from artstore.tables.exploring.explored import ExploredTable

__all__ = ["PART_ROWS", "picked_bytes", "picked_rows", "whole_windows"]

PART_ROWS: Final = 4096
"""At most so many rows are given at a time: they become Python objects."""

_FIRST_ROWS: Final = 256
_WINDOW_ROWS: Final = 65_536
"""Each window of a sorted selection may read all of the table."""
_WINDOW_BYTES: Final = 16 << 20


def whole_windows(
    explored: ExploredTable,
    selection: Selection,
    columns: Sequence[str],
    window: tuple[int, int | None],
    ticket: Ticket,
) -> Iterator[Rows]:
    """
    Yield the rows of a selection in its order, at most `PART_ROWS` at a time.

    Args:
        window: the first one, and how many at most; None for all.
        ticket: ends it when it is cancelled; looked at whenever rows are asked for.
    Raises:
        As the methods of `ExploredTable`.
    Cost: memory for about 16 MiB of cells, or one row; a window of a sorted selection may read
        all of the table.
    """
    at, stop = window[0], None if window[1] is None else window[0] + window[1]
    step = _FIRST_ROWS
    while stop is None or at < stop:
        # A generator may go on in another thread: nothing of the context outlives a step.
        with interruptible(ticket):
            ticket.check()
            wanted = step if stop is None else min(step, stop - at)
            numbers = explored.numbers(selection, at, wanted)
            if not len(numbers):
                return
            is_last = len(numbers) < wanted
            while len(numbers) > 1 and explored.whole_bytes(numbers, columns) > _WINDOW_BYTES:
                numbers, is_last = numbers[: max(len(numbers) // 4, 1)], False
            rows = explored.whole_rows(numbers, columns, selection)
        at += len(numbers)
        step = _next_step(rows)
        for first in range(0, rows.row_count, PART_ROWS):
            yield rows.slice(first, min(first + PART_ROWS, rows.row_count))
        if is_last:
            return


def _next_step(rows: Rows) -> int:
    each = max(sum(array.nbytes for array in rows.arrays) // max(rows.row_count, 1), 1)
    step: int = max(min(_WINDOW_BYTES // each, 2 * max(rows.row_count, 1), _WINDOW_ROWS), 1)
    return step


def picked_rows(
    planner: Planner, selection: Selection, infos: Sequence[ColumnInfo], numbers: Any
) -> Rows:
    """
    Rows by number, in this order, with whole cells.

    Args:
        numbers: int64 [n].
    """
    plan = planner.plan(selection, [info.name for info in infos], is_filtered=False)
    wanted = np.unique(numbers)
    picked = planner.source.pick(wanted, plan.needs)
    parts = [ROW, *(f"c{at}" for at in range(len(infos)))]
    found = plan.run(f"SELECT {', '.join(parts)} FROM s", picked.relation)
    given = found[ROW].to_numpy()
    order = np.argsort(given, kind="stable")
    asked = picked.places[np.searchsorted(wanted, numbers)] if len(wanted) else numbers
    chosen = order[np.searchsorted(given[order], asked)]
    arrays = tuple(restored(found[f"c{at}"], one.type).take(chosen) for at, one in enumerate(infos))
    schema = Schema(tuple(one.name for one in infos), tuple(one.type for one in infos))
    return Rows(schema, arrays, len(numbers))


def picked_bytes(planner: Planner, infos: Sequence[ColumnInfo], numbers: Any) -> int:
    """How many bytes the texts and binaries of rows take; 0 if no column is of these."""
    long = [info for info in infos if info.type in (TEXT, BYTES)]
    if not long:
        return 0
    plan = planner.plan(Selection(), [info.name for info in long], is_filtered=False)
    picked = planner.source.pick(np.unique(numbers), plan.needs)
    sums = [
        f"coalesce(sum({'strlen' if info.type == TEXT else 'octet_length'}(c{at})), 0)"
        for at, info in enumerate(long)
    ]
    found = plan.run(f"SELECT ({' + '.join(sums)})::BIGINT AS n FROM s", picked.relation)
    return int(found["n"][0].as_py())

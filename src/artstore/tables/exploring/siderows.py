"""
Rows of compared tables as rows of one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.exploring.compared import ComparedTables
from artstore.tables.exploring.comparedsource import ComparedSource
from artstore.tables.exploring.concatenated import Concatenated
from artstore.tables.exploring.copies import COPY_ROWS_MAX
from artstore.tables.exploring.explored import NUMBERS_MAX, ExploredTable

if TYPE_CHECKING:
    from artstore.tables.exploring.selection import Selection
    from artstore.tables.reading import RowReader

__all__ = ["selected_numbers", "side_rows"]


def selected_numbers(explored: ExploredTable, selection: Selection) -> Any:
    """
    The numbers of all rows of a selection, in its order: int64 [n].

    Raises:
        LimitExceededError: `limit-exceeded`: more than a million rows.
    """
    count = explored.count(selection).matching
    if count > COPY_ROWS_MAX:
        raise LimitExceededError(
            f"at most {COPY_ROWS_MAX:,} rows are saved from a page, not {count:,}",
            code="limit-exceeded",
        )
    starts = range(0, count, NUMBERS_MAX)
    parts = [explored.numbers(selection, start, NUMBERS_MAX) for start in starts]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def side_rows(reader: RowReader, side: int, numbers: Any) -> Any:
    """
    The rows of one of several tables that rows of all of them are of, in the same order.

    Args:
        reader: `ComparedTables` or `Concatenated`.
        side: the number of the table.
        numbers: n of rows of the reader.
    Returns:
        Their numbers in the table, int64 [m], m <= n: rows that it has not are left out.
    Raises:
        InvalidInputError: `value-invalid`: no such row, no such side, or nothing is compared.
    """
    if not isinstance(reader, (ComparedTables, Concatenated)):
        raise InvalidInputError(f"{reader!r:.80} are not compared tables", code="value-invalid")
    if not 0 <= side < len(reader.readers):
        raise InvalidInputError(
            f"there is no side {side} of {len(reader.readers)} compared tables",
            code="value-invalid",
        )
    numbers = np.asarray(numbers, np.int64)
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < reader.row_count:
        raise InvalidInputError(
            f"there are {reader.row_count:,} rows, counted from 0, and a number is none of theirs",
            code="value-invalid",
        )
    if isinstance(reader, Concatenated):
        counts = [one.row_count for one in reader.readers]
        found = numbers - sum(counts[:side])
        return found[(found >= 0) & (found < counts[side])]
    source = reader.source()
    assert isinstance(source, ComparedSource), "of compared tables"
    found = source.numbers_of[side][numbers].astype(np.int64)
    return found[found >= 0]

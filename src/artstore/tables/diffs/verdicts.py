"""
Predictions that became right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from artstore.errors import InvalidInputError
from artstore.tables.diffs.cellequality import equal_cells
from artstore.tables.encoding import Kind
from artstore.tables.joined import JoinedTable
from artstore.tables.reading import RowReader
from artstore.tables.usualnames import GUESS_NAMES, TRUTH_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from artstore.tables.diffs.remainders import Remainder

__all__ = ["find_columns", "judged"]

_BLOCK_ROWS: Final = 1 << 18


def find_columns(
    old: RowReader, new: RowReader, truth: str | None, guess: str | None
) -> tuple[str, str] | None:
    """
    The columns of truth and guess: as named, or by their usual names in joined tables.

    Raises:
        InvalidInputError: `value-invalid`: only one of them was named.
    """
    if truth is not None and guess is not None:
        return truth, guess
    if truth is not None or guess is not None:
        raise InvalidInputError(
            f"truth is {truth!r} and guess is {guess!r}: predictions are judged by both",
            code="value-invalid",
            hint="name both columns, or none",
        )
    if not (isinstance(old, JoinedTable) and isinstance(new, JoinedTable)):
        return None
    shared = set(old.schema.names) & set(new.schema.names)
    found = [[name for name in names if name in shared] for names in (TRUTH_NAMES, GUESS_NAMES)]
    # Two that might be meant are none: a number that nobody asked for must not mislead.
    return (found[0][0], found[1][0]) if all(len(names) == 1 for names in found) else None


def judged(
    parts: tuple[Remainder, Remainder],
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    columns: tuple[str, str],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """
    For each of n rows whether it was right and is wrong, and the reverse.

    A row is right if guess and truth are the same and not None, and wrong if they differ
    and truth is not None; without a truth it is neither.

    Args:
        places: of the n rows in either part.
        columns: truth and guess.
    """
    before, now = (_verdicts(part, at, columns) for part, at in zip(parts, places, strict=True))
    return (before > 0) & (now < 0), (before < 0) & (now > 0)


def _verdicts(
    part: Remainder, places: NDArray[np.int64], columns: Sequence[str]
) -> NDArray[np.int8]:
    """1 for right, -1 for wrong, 0 for neither."""
    verdicts = np.zeros(len(places), np.int8)
    for start in range(0, len(places), _BLOCK_ROWS):
        truth, guess = part.encoded(columns, places[start : start + _BLOCK_ROWS])
        right = np.where(equal_cells(truth, guess), 1, -1)
        verdicts[start : start + _BLOCK_ROWS] = np.where(truth.kinds == Kind.NULL, 0, right)
    return verdicts

"""
Rows of two tables that have the same key.

A row whose key no other row of its table has is found by it. Rows that share a
key, and rows with None in their key, are compared as a bag: equal ones cancel out;
if one of a key is left on either side, it changed; else what is left of `old`
is removed, and what is left of `new` added. That holds in whatever order rows
stand, and it is the same whether equal rows were taken out before or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from artstore.tables.diffs.cellequality import cell_numbers
from artstore.tables.encoding import Column, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KeyColumns", "RowPairs", "join_by_key", "same_once"]

KeyColumns = list[Column]
"""The columns of the key, encoded."""

ReadColumns = Callable[[Any], list[Column]]
"""All compared columns of rows, by their places."""


@dataclass(frozen=True, slots=True)
class RowPairs:
    """
    Rows by their places among those that were compared.

    Attributes:
        old, new: rows with the same key, side by side, in the order of `new`.
        removed, added: rows that only one side has.
        cancelled: pairs of equal rows that share their key with others.
        duplicate_rows: of either side, rows whose key another one has.
        null_rows: of either side, rows with None in their key.
    """

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    removed: NDArray[np.int64]
    added: NDArray[np.int64]
    cancelled: int
    duplicate_rows: tuple[int, int]
    null_rows: tuple[int, int]


def join_by_key(
    old: KeyColumns, new: KeyColumns, read_old: ReadColumns, read_new: ReadColumns
) -> RowPairs:
    """
    Pair rows by key.

    Args:
        read_old, read_new: only asked for rows that a key does not tell apart.
    Cost: sorts the keys; 0.3 µs a row for whole numbers, 0.6 µs for texts.
    """
    keys = cell_numbers(old, new)
    nulls = _with_null(old), _with_null(new)
    known = [_Keys(numbers, is_null) for numbers, is_null in zip(keys, nulls, strict=True)]
    for side, other in (known, known[::-1]):
        side.share(other)
    pairs = _matched(known[0], known[1])
    is_bagged = [side.is_shared | null for side, null in zip(known, nulls, strict=True)]
    is_left = [~bagged for bagged in is_bagged]
    for left, paired in zip(is_left, pairs, strict=True):
        left[paired] = False
    cancelled = 0
    bags = [np.flatnonzero(bagged) for bagged in is_bagged]
    if any(map(len, bags)):
        bag = _compare_bags(keys, nulls, bags, (read_old, read_new))
        cancelled = bag.cancelled
        for left, more in zip(is_left, bag.left, strict=True):
            left[more] = True
        pairs = [np.concatenate((rows, more)) for rows, more in zip(pairs, bag.pairs, strict=True)]
    order = np.argsort(pairs[1], kind="stable")
    return RowPairs(
        pairs[0][order],
        pairs[1][order],
        np.flatnonzero(is_left[0]),
        np.flatnonzero(is_left[1]),
        cancelled,
        (known[0].duplicate_rows, known[1].duplicate_rows),
        (int(nulls[0].sum()), int(nulls[1].sum())),
    )


class _Keys:
    """
    The rows of one side by key, without those that have None in it.

    Attributes:
        values: different keys, in order; `first`, a row of each; `counts`, how many.
        is_shared: bool, for each row whether its key is there twice on either side.
    """

    __slots__ = ("_group", "_rows", "counts", "first", "is_shared", "values")

    def __init__(self, numbers: NDArray[np.int64], is_null: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(~is_null) if is_null.any() else np.arange(len(numbers))
        found = numbers[rows]
        if len(found) > 1 and not (found[1:] > found[:-1]).all():
            order = np.argsort(found, kind="stable")
            rows, found = rows[order], found[order]
        begins = np.ones(len(found), np.bool_)
        begins[1:] = found[1:] != found[:-1]
        starts = np.flatnonzero(begins)
        self._rows, self._group = rows, np.cumsum(begins) - 1
        self.values, self.first = found[starts], rows[starts]
        self.counts = np.diff(np.append(starts, len(found)))
        self.is_shared = np.zeros(len(numbers), np.bool_)

    @property
    def duplicate_rows(self) -> int:
        """Rows whose key another row of this side has."""
        return int(self.counts[self.counts > 1].sum())

    def share(self, other: _Keys) -> None:
        """Mark the rows whose key is there twice, here or in `other`."""
        is_shared = self.counts > 1
        is_shared |= _is_among(self.values, other.values[other.counts > 1])
        self.is_shared[self._rows] = is_shared[self._group]


def _matched(one: _Keys, two: _Keys) -> list[NDArray[np.int64]]:
    """The rows of keys that both sides have once."""
    at = np.minimum(np.searchsorted(two.values, one.values), max(len(two.values) - 1, 0))
    is_there = np.zeros(len(one.values), np.bool_)
    if len(two.values):
        is_there = (two.values[at] == one.values) & (one.counts == 1) & (two.counts[at] == 1)
    return [one.first[is_there], two.first[at[is_there]]]


def same_once(
    one: NDArray[np.int64], two: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where numbers stand that both sides have, each once."""
    found = _matched(*(_Keys(numbers, np.zeros(len(numbers), np.bool_)) for numbers in (one, two)))
    return found[0], found[1]


def _is_among(values: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each value whether it is in `known`, which is sorted."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    found: NDArray[np.bool_] = known[at] == values
    return found


def _with_null(columns: KeyColumns) -> NDArray[np.bool_]:
    is_null = np.zeros(len(columns[0]), np.bool_)
    for column in columns:
        is_null |= column.kinds == Kind.NULL
    return is_null


@dataclass(frozen=True, slots=True)
class _Bags:
    """Of rows that a key does not tell apart: what is left of each side, and pairs."""

    left: list[NDArray[np.int64]]
    pairs: list[NDArray[np.int64]]
    cancelled: int


def _compare_bags(
    keys: tuple[Any, Any],
    nulls: tuple[Any, Any],
    bags: list[Any],
    read: tuple[ReadColumns, ReadColumns],
) -> _Bags:
    cells = [one(rows) for one, rows in zip(read, bags, strict=True)]
    numbers = cell_numbers(cells[0], cells[1])
    split = len(numbers[0])
    _, code = np.unique(np.concatenate(numbers), return_inverse=True)
    ranks = [_ranks(code[:split]), _ranks(code[split:])]
    # The k-th of some equal rows cancels out the k-th of the other side.
    width = max((int(rank.max()) for rank in ranks if len(rank)), default=0) + 1
    marks = [code[:split] * width + ranks[0], code[split:] * width + ranks[1]]
    left = [
        bag[~_is_among(mark, np.sort(other))]
        for bag, mark, other in zip(bags, marks, marks[::-1], strict=True)
    ]
    known = [
        _Keys(number[rows], null[rows])
        for number, null, rows in zip(keys, nulls, left, strict=True)
    ]
    pairs = _matched(known[0], known[1])
    rest = []
    for rows, paired in zip(left, pairs, strict=True):
        is_left = np.ones(len(rows), np.bool_)
        is_left[paired] = False
        rest.append(rows[is_left])
    named = [rows[paired] for rows, paired in zip(left, pairs, strict=True)]
    return _Bags(rest, named, len(bags[0]) - len(left[0]))


def _ranks(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each number how many equal ones stand before it."""
    order = np.argsort(numbers, kind="stable")
    found = numbers[order]
    begins = np.ones(len(found), np.bool_)
    begins[1:] = found[1:] != found[:-1]
    starts = np.flatnonzero(begins)
    ranks = np.empty(len(found), np.int64)
    ranks[order] = np.arange(len(found)) - np.repeat(starts, np.diff(np.append(starts, len(found))))
    return ranks

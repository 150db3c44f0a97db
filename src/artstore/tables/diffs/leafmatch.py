"""
Which leaves of two tables are the same, from their digests alone.

Rows that are found by their keys may stand anywhere: a leaf that the other
table has, wherever, brings no difference. So leaves are taken out in pairs, as
often as both tables have them, and what is left is all that may differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from artstore.tables.leaves import LeafList

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LeavesMatched", "UnmatchedRows", "match_leaves"]


@dataclass(frozen=True, slots=True)
class UnmatchedRows:
    """
    The leaves of one table that have no partner, and their n rows.

    Attributes:
        numbers: of the leaves, in order.
        digests: of the table's leaves.
        bounds: where in `rows` each of them begins, and n.
        rows: the numbers of the rows, in order.
    """

    numbers: NDArray[np.int64]
    digests: LeafList
    bounds: NDArray[np.int64]
    rows: NDArray[np.int64]

    def digest(self, at: int) -> bytes:
        """The digest of the leaf `numbers[at]`."""
        return self.digests.digest(int(self.numbers[at]))


@dataclass(frozen=True, slots=True)
class LeavesMatched:
    """
    What is left of two tables.

    Attributes:
        places: for each row of `old` the one of `new` that stands where it stood: runs of
            left leaves between the same neighbours, with as many rows; -1 where
            there is none.
    """

    old: UnmatchedRows
    new: UnmatchedRows
    places: NDArray[np.int64]


def match_leaves(old: LeafList, new: LeafList) -> LeavesMatched:
    """
    Take the leaves out that both tables have.

    Cost: sorts the digests; 0.3 µs a leaf.
    """
    partners = _partners(old, new)
    is_left = partners < 0, np.ones(len(new), np.bool_)
    is_left[1][partners[~is_left[0]]] = False
    reached = _reached(_counts(old)), _reached(_counts(new))
    return LeavesMatched(
        _left(old, reached[0], is_left[0]),
        _left(new, reached[1], is_left[1]),
        _places(partners, is_left, reached),
    )


def _partners(old: LeafList, new: LeafList) -> NDArray[np.int64]:
    """For each leaf of `old` the number of the same one in `new`, or -1."""
    words = np.concatenate((_words(old), _words(new)))
    # Of leaves that are in `old` or `new` twice, the first ones come first.
    order = np.argsort(words[:, 0], kind="stable")
    found = words[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (found[1:] != found[:-1]).any(axis=1)
    group = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    is_old = order < len(old)
    of_old = np.bincount(group[is_old], minlength=len(starts))
    of_new = np.bincount(group[~is_old], minlength=len(starts))
    rank = np.arange(len(order)) - starts[group]
    has_partner = is_old & (rank < np.minimum(of_old, of_new)[group])
    at = np.flatnonzero(has_partner)
    partners = np.full(len(old), -1, np.int64)
    partners[order[at]] = order[at + of_old[group[at]]] - len(old)
    return partners


def _words(leaves: LeafList) -> NDArray[np.uint64]:
    return np.frombuffer(bytes(leaves.digests), "<u8").reshape(-1, 4)


def _counts(leaves: LeafList) -> NDArray[np.int64]:
    return np.frombuffer(leaves.counts, np.uint32).astype(np.int64)


def _reached(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of the parts begins, and where the last one ends."""
    reached = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=reached[1:])
    return reached


def _left(
    leaves: LeafList, reached: NDArray[np.int64], is_left: NDArray[np.bool_]
) -> UnmatchedRows:
    numbers = np.flatnonzero(is_left)
    counts = np.diff(reached)[numbers]
    bounds = _reached(counts)
    rows = np.arange(bounds[-1]) + np.repeat(reached[numbers] - bounds[:-1], counts)
    return UnmatchedRows(numbers, leaves, bounds, rows)


def _places(
    partners: NDArray[np.int64],
    is_left: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    reached: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """For each row that is left of the old table the one of the new table in its place."""
    first, last = _runs(is_left[0])
    # The run of the new table between the partners of both neighbours.
    begins = np.where(first > 0, np.append(partners, 0)[first - 1] + 1, 0)
    ends = np.where(last < len(partners), np.append(partners, 0)[last], len(is_left[1]))
    ends = np.maximum(begins, ends)
    counts = reached[0][last] - reached[0][first]
    free = _reached(is_left[1].astype(np.int64))
    is_same = (free[ends] - free[begins] == ends - begins) & (begins < ends)
    is_same &= counts == reached[1][ends] - reached[1][begins]
    before = np.cumsum(counts) - counts
    within = np.arange(int(counts.sum())) - np.repeat(before, counts)
    return np.where(
        np.repeat(is_same, counts), np.repeat(reached[1][begins], counts) + within, np.int64(-1)
    )


def _runs(flags: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs of true: where each begins, and where it has ended."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)

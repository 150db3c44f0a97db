"""
Where rows are cut into leaves: the same rows give the same leaves, whatever stands around them.

docs/format/table.md section 5. A row ends a leaf with a probability in proportion to its
size, decided by a hash of its cells, so that leaves have 8 KiB of cells on average
in narrow tables and in wide ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAF_MAX_BYTES", "leaf_ends"]

LEAF_BYTES: Final = 8 * 1024
"""FORMAT: of encoded cells in a leaf, on average. A changed row costs one leaf; a leaf
costs 36 bytes in the list of leaves."""

LEAF_MAX_BYTES: Final = 8 * LEAF_BYTES
"""FORMAT: a leaf ends with the row that reaches this, whatever the hash says."""


def leaf_ends(
    hashes: NDArray[np.uint64], sizes: NDArray[np.int64], *, is_last: bool
) -> NDArray[np.int64]:
    """
    The rows before which a leaf ends, of rows that begin with a leaf.

    Args:
        hashes, sizes: [n], of the rows.
        is_last: whether no row follows; else the last leaf may be open, and is
            left out.
    """
    rate = np.uint64((1 << 64) // LEAF_BYTES)
    bounded = np.minimum(sizes, LEAF_BYTES - 1).astype(np.uint64)
    is_end = (hashes < bounded * rate) | (sizes >= LEAF_BYTES)
    ends = np.flatnonzero(is_end) + 1
    reached = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=reached[1:])
    bounds = np.concatenate(([0], ends, [len(sizes)]))
    long = np.flatnonzero(np.diff(reached[bounds]) > LEAF_MAX_BYTES)
    if len(long):
        forced = [_forced(reached, int(bounds[at]), int(bounds[at + 1])) for at in long]
        ends = np.unique(np.concatenate((ends, *forced)))
    if is_last and len(sizes) and (not len(ends) or ends[-1] != len(sizes)):
        ends = np.append(ends, len(sizes))
    return ends


def _forced(reached: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    """Ends within [start, stop), of which the hashes cut nothing."""
    ends = []
    while True:
        end = int(np.searchsorted(reached, reached[start] + LEAF_MAX_BYTES))
        if end >= stop:
            # What reaches the limit with its very last row ends there either way.
            if end == stop and reached[stop] - reached[start] >= LEAF_MAX_BYTES:
                ends.append(stop)
            return np.array(ends, np.int64)
        ends.append(end)
        start = end

"""
A stream of rows cut into leaves, each with its digest.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from artstore.digest import digest_of
from artstore.tables.arrowcells import encode_column
from artstore.tables.cutting import leaf_ends
from artstore.tables.encoding import encoded_leaves, hashes_of_rows, row_sizes
from artstore.tables.rows import Rows, concatenated
from artstore.tables.schema import Schema

__all__ = ["CutRows", "LeafCutter", "LeafList", "leaves_of"]

_BATCH_ROWS: Final = 65_536


@dataclass(slots=True)
class LeafList:
    """
    Leaves in the order of the rows; a million of them take 36 MB.

    Attributes:
        counts: rows of each.
        digests: 32 bytes for each, one after the other.
    """

    counts: array[int] = field(default_factory=lambda: array("I"))
    digests: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, row_count: int, digest: bytes) -> None:
        """One leaf more."""
        self.counts.append(row_count)
        self.digests += digest

    def extend(self, other: LeafList) -> None:
        """All leaves of another list more."""
        self.counts.extend(other.counts)
        self.digests += other.digests

    def digest(self, at: int) -> bytes:
        """The digest of one leaf."""
        return bytes(self.digests[32 * at : 32 * at + 32])

    def part(self, start: int, stop: int) -> LeafList:
        """The leaves [start, stop)."""
        return LeafList(self.counts[start:stop], self.digests[32 * start : 32 * stop])

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for at, count in enumerate(self.counts):
            yield count, self.digest(at)


@dataclass(frozen=True, slots=True)
class CutRows:
    """Rows that are whole leaves; `size_bytes` of encoded cells."""

    rows: Rows
    leaves: LeafList
    size_bytes: int


class LeafCutter:
    """
    Cuts rows as they come; what is left of one call begins the next one's first leaf.

    How the rows were handed over, in one piece or one by one, makes no difference.
    """

    def __init__(self, schema: Schema) -> None:
        self._open = concatenated((), schema)

    def feed(self, rows: Rows) -> Iterator[CutRows]:
        """What whole leaves these rows complete. The schema may be wider than before."""
        for start in range(0, rows.row_count, _BATCH_ROWS):
            part = rows.slice(start, min(start + _BATCH_ROWS, rows.row_count))
            yield from self._cut(concatenated((self._open, part), rows.schema), is_last=False)

    def rest(self) -> Iterator[CutRows]:
        """The leaves of the rows that are left, if none follow; more may be fed all the same."""
        opened = self._open
        yield from self._cut(opened, is_last=True)
        self._open = opened

    def _cut(self, rows: Rows, *, is_last: bool) -> Iterator[CutRows]:
        if not rows.row_count:
            return
        columns = [
            encode_column(kind, cells)
            for kind, cells in zip(rows.schema.types, rows.arrays, strict=True)
        ]
        sizes = np.zeros(rows.row_count, np.int64)
        for column in columns:
            sizes += row_sizes(column)
        ends = leaf_ends(hashes_of_rows(columns, rows.schema.names), sizes, is_last=is_last)
        leaves, start = LeafList(), 0
        bounds = ends.tolist()
        for end, data in zip(bounds, encoded_leaves(columns, 0, bounds), strict=True):
            leaves.add(end - start, digest_of(data))
            start = end
        self._open = rows.slice(start, rows.row_count)
        if start:
            yield CutRows(rows.slice(0, start), leaves, int(sizes[:start].sum()))


def leaves_of(schema: Schema, parts: Iterable[Rows]) -> LeafList:
    """The leaves of rows that come in portions, under a schema that all of them have."""
    cutter, leaves = LeafCutter(schema), LeafList()
    for part in parts:
        for cut in cutter.feed(part.converted(schema)):
            leaves.extend(cut.leaves)
    for cut in cutter.rest():
        leaves.extend(cut.leaves)
    return leaves

"""
The rows of a table that may differ from those of another one.

To tell which cells of a row changed, all of its cells are needed on both sides, and
fragments are read by the column. `SparedRemainder` reads fewer: where the other table has a
leaf in the place of this one, most of its columns are likely to be the same. Whether they
are, the digest of the leaf says: it is computed from a few columns that are read
and the others of the other table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from artstore.digest import digest_of
from artstore.tables.arrowcells import encode_column
from artstore.tables.diffs.cellequality import cell_numbers, equal_cells
from artstore.tables.diffs.keyjoin import same_once
from artstore.tables.diffs.leafmatch import LeavesMatched, UnmatchedRows
from artstore.tables.diffs.sources import RowSource
from artstore.tables.encoding import Column, encoded_bytes
from artstore.tables.rows import Rows, concatenated
from artstore.tables.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PlainRemainder", "Remainder", "SparedRemainder", "remainders_of"]

_SPARED_MOST: Final = 0.25
"""Of all rows; where more may differ, digests cost more than columns."""

_BATCH_FRAGMENTS: Final = 8
_BATCH_ROWS: Final = 1 << 18


class Remainder(ABC):
    """
    Some rows of a table, called by their places from 0 on.

    Attributes:
        schema: with types that hold the cells of both tables.
        numbers: of the rows in their table.
    """

    def __init__(self, source: RowSource, schema: Schema, numbers: NDArray[np.int64]) -> None:
        self.source = source
        self.schema = schema
        self.numbers = numbers

    @abstractmethod
    def read(self, columns: Sequence[str], places: NDArray[np.int64]) -> Rows:
        """The cells of rows, in the order of `places`."""

    def suspects(self, places: NDArray[np.int64], partners: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ARG002 - for those that know more
        """How many of `ranked` may differ between rows and their partners; -1: all."""
        return np.full(len(places), -1, np.int64)

    @property
    def ranked(self) -> Sequence[str]:
        """Columns in the order in which they were found to differ."""
        return ()

    def encoded(self, columns: Sequence[str], places: NDArray[np.int64]) -> list[Column]:
        """As `read`, encoded."""
        rows = self.read(columns, places)
        pairs = zip(rows.schema.types, rows.arrays, strict=True)
        return [encode_column(kind, array) for kind, array in pairs]

    def all_places(self) -> NDArray[np.int64]:
        """The places of all rows."""
        return np.arange(len(self.numbers))

    def _read_source(self, columns: Sequence[str], places: NDArray[np.int64]) -> Rows:
        rows = self.source.read(self.numbers[places], columns)
        return rows.converted(self.schema.only(columns))


class PlainRemainder(Remainder):
    """Rows that are read as they lie."""

    def read(self, columns: Sequence[str], places: NDArray[np.int64]) -> Rows:
        return self._read_source(columns, places)


class SparedRemainder(Remainder):
    """
    Rows of which most columns are taken from those in another table that stand for them.

    Args:
        left: the rows, by leaves.
        full: the rows of the other table.
        twins: for each row the place in `full` of one that may be like it, or -1.
        key: columns by which other twins are looked for.
    Cost: reads one fragment in full, and of others the columns in which that one
        differs; where the digest of a leaf says that it is not enough, all of them.
    """

    def __init__(
        self,
        source: RowSource,
        left: UnmatchedRows,
        full: Remainder,
        twins: NDArray[np.int64],
        key: Sequence[str],
    ) -> None:
        super().__init__(source, full.schema, left.rows)
        self._left = left
        self._full = full
        self._twins = twins
        self._ranked: list[str] = []
        self._held: dict[str, list[tuple[NDArray[np.int64], Any]]] = {}
        # Of each row, how many of the ranked columns are its own; -1: all columns are.
        self._own = np.full(len(left.rows), -1, np.int64)
        self._verify(self._whole_leaves(self._twins >= 0))
        self._find_by_key(key)

    @property
    def ranked(self) -> Sequence[str]:
        return self._ranked

    def suspects(self, places: NDArray[np.int64], partners: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(self._twins[places] == partners, self._own[places], -1)

    def read(self, columns: Sequence[str], places: NDArray[np.int64]) -> Rows:
        own = self._own[places]
        groups: dict[int, list[str]] = {}
        for name in columns:
            rank = self._ranked.index(name) if name in self._ranked else len(self._ranked)
            groups.setdefault(rank, []).append(name)
        arrays: dict[str, Any] = {}
        for rank, names in groups.items():
            rows = self._merged(names, places, (own < 0) | (own > rank))
            arrays |= dict(zip(names, rows.arrays, strict=True))
        held = tuple(arrays[name] for name in columns)
        return Rows(self.schema.only(columns), held, len(places))

    def _merged(
        self, names: Sequence[str], places: NDArray[np.int64], is_own: NDArray[np.bool_]
    ) -> Rows:
        if is_own.all():
            return self._read_own(names, places)
        twins = self._full.read(names, self._twins[places[~is_own]])
        if not is_own.any():
            return twins
        rows = self._read_own(names, places[is_own])
        order = np.empty(len(places), np.int64)
        order[is_own] = np.arange(rows.row_count)
        order[~is_own] = np.arange(rows.row_count, len(places))
        both = concatenated((rows, twins), rows.schema)
        at = pa.array(order)
        return Rows(both.schema, tuple(array.take(at) for array in both.arrays), len(places))

    def _read_own(self, names: Sequence[str], places: NDArray[np.int64]) -> Rows:
        """From memory where it was read before."""
        arrays = [self._remembered(name, places) for name in names]
        missing = [name for name, array in zip(names, arrays, strict=True) if array is None]
        read = iter(self._read_source(missing, places).arrays if missing else ())
        held = tuple(next(read) if array is None else array for array in arrays)
        return Rows(self.schema.only(names), held, len(places))

    def _remembered(self, name: str, places: NDArray[np.int64]) -> Any:
        parts = self._held.get(name)
        if not parts:
            return None
        if len(parts) > 1:
            known = np.concatenate([found for found, _ in parts])
            order = np.argsort(known, kind="stable")
            whole = pa.concat_arrays([array for _, array in parts]).take(pa.array(order))
            parts[:] = [(known[order], whole)]
        known, array = parts[0]
        at = np.minimum(np.searchsorted(known, places), len(known) - 1)
        return array.take(pa.array(at)) if np.array_equal(known[at], places) else None

    def _remember(self, places: NDArray[np.int64], rows: Rows) -> None:
        for name, array in zip(rows.schema.names, rows.arrays, strict=True):
            self._held.setdefault(name, []).append((places, array))

    # verifying --------------------------------------------------------------------------

    def _whole_leaves(self, is_there: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The leaves of which every row is there."""
        if not len(is_there):
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.minimum.reduceat(is_there, self._left.bounds[:-1]))

    def _find_by_key(self, key: Sequence[str]) -> None:
        """Look for twins of what is left by key: rows that moved, or that others came between."""
        places = np.flatnonzero(self._own < 0)
        if not len(places) or not len(self._full.numbers):
            return
        rows = self._read_own(key, places)
        self._remember(places, rows)
        own = [encode_column(k, a) for k, a in zip(rows.schema.types, rows.arrays, strict=True)]
        numbers = cell_numbers(own, self._full.encoded(key, self._full.all_places()))
        one, two = same_once(*numbers)
        twins = np.full(len(self._twins), -1, np.int64)
        twins[places[one]] = two
        self._twins[places] = twins[places]
        self._verify(self._whole_leaves(twins >= 0))

    def _verify(self, leaves: NDArray[np.int64]) -> None:
        for batch in self._batches(leaves):
            places = self._places_of(batch)
            columns = self._hypothesis(places)
            failed, at = [], 0
            for leaf in batch.tolist():
                count = int(self._left.bounds[leaf + 1] - self._left.bounds[leaf])
                found = digest_of(encoded_bytes(columns, at, at + count))
                at += count
                if found != self._left.digest(leaf):
                    failed.append(leaf)
            self._own[places] = len(self._ranked)
            if failed:
                self._learn(self._places_of(np.array(failed)))

    def _batches(self, leaves: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Leaves of one fragment first, to learn from; then of several at once."""
        fragments = self.source.fragments_of(self._left.rows[self._left.bounds[leaves]])
        order = np.argsort(fragments, kind="stable")
        groups = np.split(leaves[order], np.flatnonzero(np.diff(fragments[order])) + 1)
        batch: list[NDArray[np.int64]] = []
        row_count, most = 0, 1
        for group in groups:
            batch.append(group)
            row_count += int((self._left.bounds[group + 1] - self._left.bounds[group]).sum())
            if len(batch) >= most or row_count >= _BATCH_ROWS:
                yield np.sort(np.concatenate(batch))
                batch, row_count, most = [], 0, _BATCH_FRAGMENTS
        if batch:
            yield np.sort(np.concatenate(batch))

    def _places_of(self, leaves: NDArray[np.int64]) -> NDArray[np.int64]:
        bounds = self._left.bounds
        counts = bounds[leaves + 1] - bounds[leaves]
        before = np.cumsum(counts) - counts
        return np.repeat(bounds[leaves] - before, counts) + np.arange(int(counts.sum()))

    def _hypothesis(self, places: NDArray[np.int64]) -> list[Column]:
        """All columns of rows, if only the ranked ones differ."""
        own: dict[str, Any] = {}
        if self._ranked:
            rows = self._read_own(self._ranked, places)
            self._remember(places, rows)
            own = dict(zip(self._ranked, rows.arrays, strict=True))
        others = [name for name in self.schema.names if name not in own]
        twins = self._full.read(others, self._twins[places])
        arrays = own | dict(zip(others, twins.arrays, strict=True))
        return [
            encode_column(kind, arrays[name])
            for name, kind in zip(self.schema.names, self.schema.types, strict=True)
        ]

    def _learn(self, places: NDArray[np.int64]) -> None:
        """Rank the columns in which rows differ from their twins."""
        names = [name for name in self.schema.names if name not in self._ranked]
        rows = self._read_own(names, places)
        twins = self._full.read(names, self._twins[places])
        for at, (name, kind) in enumerate(zip(names, rows.schema.types, strict=True)):
            own = rows.arrays[at]
            if not equal_cells(
                encode_column(kind, own), encode_column(kind, twins.arrays[at])
            ).all():
                self._ranked.append(name)
                self._held.setdefault(name, []).append((places, own))
        self._own[places] = len(self._ranked)


def remainders_of(
    old: RowSource, new: RowSource, match: LeavesMatched, schema: Schema, key: Sequence[str]
) -> tuple[Remainder, Remainder]:
    """What is left of two tables: one side in full, of the other as little as will do."""
    sources, left = (old, new), (match.old, match.new)
    costs = [source.cost_bytes(side.rows) for source, side in zip(sources, left, strict=True)]
    spared = 0 if costs[0] >= costs[1] else 1
    plain = [PlainRemainder(s, schema, side.rows) for s, side in zip(sources, left, strict=True)]
    if not all(costs) or len(left[spared].rows) > _SPARED_MOST * sources[spared].row_count:
        return plain[0], plain[1]
    twins = match.places if spared == 0 else _inverse(match)
    placed = np.searchsorted(left[1 - spared].rows, np.maximum(twins, 0))
    twins = np.where(twins >= 0, placed, -1)
    part = SparedRemainder(sources[spared], left[spared], plain[1 - spared], twins, key)
    return (part, plain[1]) if spared == 0 else (plain[0], part)


def _inverse(match: LeavesMatched) -> NDArray[np.int64]:
    """For each row of the new table the number of the one of the old table in its place."""
    places = np.full(len(match.new.rows), -1, np.int64)
    has_place = np.flatnonzero(match.places >= 0)
    places[np.searchsorted(match.new.rows, match.places[has_place])] = match.old.rows[has_place]
    return places

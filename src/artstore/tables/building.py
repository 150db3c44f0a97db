"""
Tables on their way into a store: rows become fragments as they come.

Memory is bounded by a few fragments, however many rows there are: fragments
wait as files of a temporary directory once they have more than 32 MiB in all.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from artstore import limits
from artstore.tables.fragments import read_fragment, write_fragment
from artstore.tables.leaves import CutRows, LeafCutter, LeafList
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.tablefile import Extent, TableFile

__all__ = ["BuiltTable", "LocalFragment", "SpilledFile", "StoredPart", "TableBuilder"]

_FRAGMENT_BYTES: Final = 4 * limits.MIB
"""Of encoded cells in a fragment: 1-2 MiB of Parquet. A large table has larger ones."""

_FRAGMENT_MAX_BYTES: Final = 64 * limits.MIB
_FRAGMENTS: Final = 48
"""Fragments grow once there are so many: queries open each file."""

_IN_MEMORY_BYTES: Final = 32 * limits.MIB
_WRITERS: Final = 2


@dataclass(frozen=True, slots=True)
class SpilledFile:
    """A file of a temporary directory, which stays as long as a file of it is held."""

    path: Path
    owner: _Spill


@dataclass(frozen=True, slots=True)
class LocalFragment:
    """
    A fragment that no store has yet, with its leaves.

    Attributes:
        place: its bytes, or the file that has them.
    """

    place: bytes | SpilledFile
    digest: bytes
    size_bytes: int
    schema: Schema
    leaves: LeafList
    row_count: int

    def read(self) -> bytes:
        """The bytes of the Parquet file."""
        return self.place if isinstance(self.place, bytes) else self.place.path.read_bytes()

    def rows(self) -> Rows:
        """Its rows."""
        return read_fragment(self.read(), self.schema, where="a fragment not yet stored")


@dataclass(frozen=True, slots=True)
class StoredPart:
    """The first rows of a stored table: whole leaves of it."""

    table: TableFile
    leaves: LeafList
    row_count: int

    def extents(self) -> Iterator[Extent]:
        """Where they lie."""
        left = self.row_count
        for extent in self.table.extents:
            if not left:
                return
            count = min(left, extent.row_count)
            yield Extent(extent.fragment, extent.first, count)
            left -= count


Part = LocalFragment | StoredPart


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """All rows of a table that is to be stored: parts in order."""

    schema: Schema
    parts: tuple[Part, ...]

    @property
    def row_count(self) -> int:
        """Rows in all."""
        return sum(part.row_count for part in self.parts)

    def leaves(self) -> LeafList:
        """The leaves of all parts."""
        leaves = LeafList()
        for part in self.parts:
            leaves.extend(part.leaves)
        return leaves


@dataclass(slots=True)
class _Pending:
    """Leaves that will be the next fragment."""

    parts: list[CutRows] = field(default_factory=list)
    size_bytes: int = 0


class TableBuilder:
    """
    Takes rows in any portions; `built` may be asked at any time, and again after more rows.

    Args:
        schema: names of the columns, and types that they have at least.
        base: rows of a stored table that come first, whole leaves without the last,
            which is added as rows: more may belong to it.
    """

    def __init__(self, schema: Schema, base: StoredPart | None = None) -> None:
        self.schema = schema
        self.row_count = base.row_count if base else 0
        self._parts: list[Part] = [base] if base else []
        self._cutter = LeafCutter(schema)
        self._pending = _Pending()
        self._writing: deque[Future[LocalFragment]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._spill = _Spill()
        self._cut_bytes = 0

    def add(self, rows: Rows) -> None:
        """
        Append rows with the same columns.

        Cost: about 0.4 s for a million rows of five columns; waits for writers that
        are two fragments behind.
        """
        if not rows.row_count:
            return
        self.schema = self.schema.widened(rows.schema.types)
        self.row_count += rows.row_count
        for cut in self._cutter.feed(rows.converted(self.schema)):
            for piece in _pieces(cut, self._target_bytes()):
                self._take(piece)

    def built(self) -> BuiltTable:
        """What there is so far; rows may be added after it."""
        self._collect(0)
        parts = list(self._parts)
        pending = [*self._pending.parts, *self._cutter.rest()]
        if pending:
            parts.append(_write(pending, self.schema, self._spill))
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return BuiltTable(self.schema, tuple(parts))

    def _target_bytes(self) -> int:
        return min(max(_FRAGMENT_BYTES, self._cut_bytes // _FRAGMENTS), _FRAGMENT_MAX_BYTES)

    def _take(self, piece: CutRows) -> None:
        pending = self._pending
        pending.parts.append(piece)
        pending.size_bytes += piece.size_bytes
        self._cut_bytes += piece.size_bytes
        if pending.size_bytes < self._target_bytes():
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_WRITERS, "artstore-fragment")
        self._writing.append(self._pool.submit(_write, pending.parts, self.schema, self._spill))
        self._pending = _Pending()
        self._collect(_WRITERS)

    def _collect(self, left: int) -> None:
        while len(self._writing) > left:
            self._parts.append(self._writing.popleft().result())


class _Spill:
    """Where fragments wait: in memory, then in a directory that goes with the builder."""

    def __init__(self) -> None:
        self._bytes = 0
        self._directory: Path | None = None

    def keep(self, data: bytes, digest: bytes) -> bytes | SpilledFile:
        """`data`, or the file that has it now."""
        self._bytes += len(data)
        if self._bytes <= _IN_MEMORY_BYTES:
            return data
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="artstore-table-"))
            weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        file = self._directory / f"{digest.hex()}.parquet"
        file.write_bytes(data)
        return SpilledFile(file, self)


def _write(parts: Sequence[CutRows], schema: Schema, spill: _Spill) -> LocalFragment:
    data, digest = write_fragment([part.rows for part in parts], schema)
    leaves = LeafList()
    for part in parts:
        leaves.extend(part.leaves)
    place = spill.keep(data, digest)
    return LocalFragment(place, digest, len(data), schema, leaves, sum(leaves.counts))


def _pieces(cut: CutRows, target_bytes: int) -> Iterator[CutRows]:
    """`cut` in parts of about `target_bytes`, each of whole leaves."""
    count = min(-(-cut.size_bytes // target_bytes), len(cut.leaves))
    if count <= 1:
        yield cut
        return
    start_leaf = start_row = 0
    for number in range(1, count + 1):
        stop_leaf = len(cut.leaves) * number // count
        leaves = cut.leaves.part(start_leaf, stop_leaf)
        rows = sum(leaves.counts)
        part = cut.rows.slice(start_row, start_row + rows)
        yield CutRows(part, leaves, cut.size_bytes * rows // cut.rows.row_count)
        start_leaf, start_row = stop_leaf, start_row + rows

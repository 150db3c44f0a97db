"""
Rows of a table by number, some columns at a time, with a count of the bytes that were read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from artstore.tables.building import LocalFragment
from artstore.tables.fragments import Fragment, read_fragment
from artstore.tables.leaves import LeafList
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows, concatenated
from artstore.tables.schema import Schema
from artstore.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from artstore.tables.content import FragmentPaths

__all__ = ["ReaderSource", "RowSource", "TableSource", "source_of"]

_KEPT_BYTES: Final = 64 << 20
_WINDOW_ROWS: Final = 65_536


class RowSource(ABC):
    """
    Rows by number. Safe for one thread.

    Attributes:
        leaves: of the rows, if they have some.
        read_bytes: of fragments, so far.
        total_bytes: of all fragments; None if there are none to count.
        read_fragments: how many fragments were read, whole or in columns.
    """

    leaves: LeafList | None = None
    read_bytes = 0
    total_bytes: int | None = None
    read_fragments = 0

    def __init__(self, schema: Schema, row_count: int) -> None:
        self.schema = schema
        self.row_count = row_count

    @abstractmethod
    def read(self, numbers: NDArray[np.int64], columns: Sequence[str]) -> Rows:
        """The rows of these numbers, in this order, under the types of `schema`."""

    def fragments_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each row a number that is the same for rows that are read together."""
        return numbers // _WINDOW_ROWS

    def cost_bytes(self, numbers: NDArray[np.int64]) -> int:
        """How many bytes it takes to read all columns of these rows, about."""
        return len(numbers)

    def release(self) -> None:  # noqa: B027 - most keep nothing
        """Let go of what is kept in memory; more may be read afterwards."""


def source_of(reader: RowReader) -> RowSource:
    """The rows of a table, a partitioned or a joined table."""
    if isinstance(reader, Table):
        return TableSource(reader.schema, [reader])
    if isinstance(reader, PartitionedTable):
        return TableSource(reader.schema, reader.parts)
    return ReaderSource(reader)


def _in_order(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], Any]:
    """The numbers without repetition in ascending order, and where to find each; None: as is."""
    if len(numbers) < 2 or (np.diff(numbers) > 0).all():
        return numbers, None
    return np.unique(numbers, return_inverse=True)


def _picked(rows: Rows, places: Any) -> Rows:
    if places is None:
        return rows
    at = pa.array(places)
    return Rows(rows.schema, tuple(array.take(at) for array in rows.arrays), len(places))


class ReaderSource(RowSource):
    """The rows of whatever has rows, read window by window."""

    def __init__(self, reader: RowReader) -> None:
        super().__init__(reader.schema, reader.row_count)
        self._reader = reader

    def read(self, numbers: NDArray[np.int64], columns: Sequence[str]) -> Rows:
        wanted, places = _in_order(numbers)
        parts = []
        for window in np.flatnonzero(np.bincount(wanted // _WINDOW_ROWS)).tolist():
            start = window * _WINDOW_ROWS
            stop = min(start + _WINDOW_ROWS, self.row_count)
            first, last = np.searchsorted(wanted, (start, stop))
            rows = self._reader.read_rows(start, stop, columns)
            self.read_bytes += sum(array.nbytes for array in rows.arrays)
            parts.append(_picked(rows, wanted[first:last] - start))
        return _picked(concatenated(parts, self.schema.only(columns)), places)


class _File:
    """A fragment: where its bytes are, and how many of them each column has, once it was read."""

    __slots__ = ("part", "paths", "schema", "size_bytes", "sizes")

    def __init__(
        self, part: Fragment | LocalFragment, schema: Schema, paths: FragmentPaths | None
    ) -> None:
        self.part, self.schema, self.paths = part, schema, paths
        self.size_bytes = part.size_bytes
        self.sizes: dict[str, int] | None = None

    def location(self) -> tuple[Any, str]:
        """Its bytes or the name of its file, and how to call it in errors."""
        if isinstance(self.part, LocalFragment):
            return self.part.read(), "a fragment not yet stored"
        assert self.paths is not None, "of a store"
        (path,) = self.paths([self.part])
        return str(path), f"the fragment {self.part.key}"


class TableSource(RowSource):
    """
    The rows of one table, or of several with the same columns one after the other.

    Decoded columns are kept up to 64 MiB.
    """

    def __init__(self, schema: Schema, tables: Sequence[Table]) -> None:
        super().__init__(schema, sum(table.row_count for table in tables))
        self.leaves = LeafList()
        self._files: list[_File] = []
        self._kept: OrderedDict[tuple[int, str], Any] = OrderedDict()
        self._kept_bytes = 0
        numbers: dict[tuple[bytes, bytes], int] = {}
        pieces: list[tuple[int, int, int]] = []
        for table in tables:
            pieces += self._pieces_of(table, numbers)
        counts = np.array([count for _, _, count in pieces], np.int64)
        self._file_of = np.array([number for number, _, _ in pieces], np.int64)
        # What to add to the number of a row to have its place in its fragment.
        self._starts = np.cumsum(counts) - counts
        self._shift = np.array([first for _, first, _ in pieces], np.int64) - self._starts
        self.total_bytes = sum(file.size_bytes for file in self._files)

    def _pieces_of(
        self, table: Table, numbers: dict[tuple[bytes, bytes], int]
    ) -> list[tuple[int, int, int]]:
        """Runs of rows: the number of the fragment, the first row in it, how many."""
        paths = table.home.fragment_paths if table.home is not None else None
        pieces = []
        assert self.leaves is not None
        for part in table.built().parts:
            self.leaves.extend(part.leaves)
            if isinstance(part, LocalFragment):
                pieces.append((len(self._files), 0, part.row_count))
                self._files.append(_File(part, part.schema, None))
                continue
            for extent in part.extents():
                fragment = part.table.fragments[extent.fragment]
                number = numbers.setdefault((fragment.digest, fragment.push), len(self._files))
                if number == len(self._files):
                    schema = part.table.stored_schemas[fragment.columns]
                    self._files.append(_File(fragment, schema, paths))
                pieces.append((number, extent.first, extent.row_count))
        return pieces

    def fragments_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._file_of[self._piece_of(numbers)]

    def cost_bytes(self, numbers: NDArray[np.int64]) -> int:
        found = np.flatnonzero(np.bincount(self.fragments_of(numbers))).tolist()
        return sum(self._files[number].size_bytes for number in found)

    def read(self, numbers: NDArray[np.int64], columns: Sequence[str]) -> Rows:
        wanted, places = _in_order(numbers)
        if not len(wanted):
            return concatenated((), self.schema.only(columns))
        piece = self._piece_of(wanted)
        file, row = self._file_of[piece], wanted + self._shift[piece]
        order = np.argsort(file, kind="stable")
        found, begins = np.unique(file[order], return_index=True)
        groups = np.split(row[order], begins[1:])
        parts = self._read_files(found.tolist(), groups, columns)
        rows = concatenated(parts, self.schema.only(columns))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        if len(found) > 1:
            rows = _picked(rows, back)
        return _picked(rows, places)

    def release(self) -> None:
        self._kept.clear()
        self._kept_bytes = 0

    def _piece_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._starts, numbers, side="right") - 1

    def _read_files(
        self, numbers: Sequence[int], groups: Sequence[NDArray[np.int64]], columns: Sequence[str]
    ) -> list[Rows]:
        # One after the other: Arrow decodes the columns of each in several threads.
        parts = []
        for number, rows in zip(numbers, groups, strict=True):
            schema = self._files[number].schema.only(columns)
            whole = self._columns(number, columns)
            first, count = int(rows[0]), len(rows)
            if (np.diff(rows) == 1).all():
                arrays = tuple(array.slice(first, count) for array in whole)
            else:
                at = pa.array(rows)
                arrays = tuple(array.take(at) for array in whole)
            parts.append(Rows(schema, arrays, count))
        return parts

    def _columns(self, number: int, columns: Sequence[str]) -> list[Any]:
        found = {name: self._kept.get((number, name)) for name in columns}
        missing = [name for name, array in found.items() if array is None]
        if missing:
            file = self._files[number]
            data, where = file.location()
            rows = read_fragment(data, file.schema, where=where, columns=missing)
            self._note(file, data, missing)
            read = dict(zip(missing, rows.arrays, strict=True))
            found |= read
            self._keep(number, read)
        return [found[name] for name in columns]

    def _keep(self, number: int, arrays: dict[str, Any]) -> None:
        for name, array in arrays.items():
            self._kept[number, name] = array
            self._kept_bytes += array.nbytes
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes

    def _note(self, file: _File, data: Any, columns: Sequence[str]) -> None:
        if file.sizes is None:
            found = pq.read_metadata(pa.BufferReader(data) if isinstance(data, bytes) else data)
            file.sizes = _column_sizes(found, file.schema)
            self.read_bytes += found.serialized_size
            self.read_fragments += 1
        self.read_bytes += sum(file.sizes[name] for name in columns)


def _column_sizes(metadata: Any, schema: Schema) -> dict[str, int]:
    """Bytes that each column takes in a file."""
    sizes = dict.fromkeys(schema.names, 0)
    for number in range(metadata.num_row_groups):
        group, at = metadata.row_group(number), 0
        for field in schema.to_arrow():
            leaves = _leaf_count(field.type)
            sizes[field.name] += sum(
                group.column(leaf).total_compressed_size for leaf in range(at, at + leaves)
            )
            at += leaves
    return sizes


def _leaf_count(kind: Any) -> int:
    """Columns of Parquet that an Arrow type becomes."""
    if pa.types.is_struct(kind):
        return sum(_leaf_count(kind.field(at).type) for at in range(kind.num_fields))
    return _leaf_count(kind.value_type) if pa.types.is_list(kind) else 1

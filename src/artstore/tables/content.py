"""
Rows of a table, wherever its fragments are: in a store, or not stored yet.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import DamagedDataError
from artstore.tables.building import BuiltTable, LocalFragment
from artstore.tables.fragments import Fragment, read_fragment
from artstore.tables.rows import Rows, concatenated
from artstore.tables.schema import Schema
from artstore.tables.tablefile import Extent, TableFile

__all__ = ["FragmentPaths", "TableContent"]

FragmentPaths = Callable[[Sequence[Fragment]], list[Path]]
"""Gives a verified local file for each fragment."""

_READERS: Final = 3
_KEPT: Final = 4
"""Decoded fragments in memory: extents of two or three take turns."""


class _Piece:
    """Successive rows of one fragment."""

    __slots__ = ("count", "first", "schema", "source")

    def __init__(
        self, source: Fragment | LocalFragment, schema: Schema, first: int, count: int
    ) -> None:
        self.source, self.schema, self.first, self.count = source, schema, first, count


class TableContent:
    """
    The rows of a table in order. Safe for one thread.

    Args:
        pieces: runs of rows, in order.
        paths: files of the fragments of a store.
    """

    def __init__(
        self, schema: Schema, pieces: Sequence[_Piece], paths: FragmentPaths | None
    ) -> None:
        self.schema = schema
        self.row_count = sum(piece.count for piece in pieces)
        self._pieces = pieces
        self._paths = paths
        self._read: OrderedDict[tuple[bytes, tuple[str, ...] | None], Rows] = OrderedDict()

    @classmethod
    def stored(cls, table: TableFile, paths: FragmentPaths) -> TableContent:
        """The rows of a table of a store."""
        return cls(table.schema, [_stored(table, one) for one in table.extents], paths)

    @classmethod
    def built(cls, table: BuiltTable, paths: FragmentPaths | None) -> TableContent:
        """The rows of a table that is not stored, or in parts."""
        pieces: list[_Piece] = []
        for part in table.parts:
            if isinstance(part, LocalFragment):
                pieces.append(_Piece(part, part.schema, 0, part.row_count))
            else:
                pieces += [_stored(part.table, extent) for extent in part.extents()]
        return cls(table.schema, pieces, paths)

    def rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[Rows]:
        """
        The rows [start, stop) in portions, in order, all under the schema of the table.

        Args:
            columns: which to read, in this order; all if left out.
        Raises:
            DamagedDataError: `fragment-damaged`, `fragment-missing`,
                `fragment-digest-mismatch`.
        Cost: reads the fragments that hold these rows, and of them these columns.
        """
        schema = self.schema.only(columns)
        stop = self.row_count if stop is None else min(stop, self.row_count)
        at = 0
        for piece in self._pieces:
            first, last = max(start - at, 0), min(stop - at, piece.count)
            at += piece.count
            if first < last:
                found = self._fragment(piece, columns)
                part = found.slice(piece.first + first, piece.first + last)
                yield part.converted(schema)
            if at >= stop:
                return

    def all_rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Rows:
        """As `rows`, in one piece."""
        parts = list(self.rows(start, stop, columns))
        return concatenated(parts, self.schema.only(columns))

    def take(self, numbers: Any, columns: Sequence[str] | None = None) -> Rows:
        """
        Rows by number, in any order; None for a number gives cells that are None.

        Args:
            numbers: an Arrow array of n whole numbers.
        Cost: as `rows`, of the fragments that hold these rows.
        """
        schema = self.schema.only(columns)
        asked = numbers.to_pylist()
        wanted = np.unique(np.array([n for n in asked if n is not None], np.int64))
        picks: list[tuple[_Piece, Any]] = []
        at = 0
        for piece in self._pieces:
            first, last = np.searchsorted(wanted, (at, at + piece.count))
            if first < last:
                picks.append((piece, wanted[first:last] - at + piece.first))
            at += piece.count
        rows = concatenated(
            [part.converted(schema) for part in self._picked(picks, columns)], schema
        )
        places = np.searchsorted(wanted, np.array([n or 0 for n in asked], np.int64))
        chosen = _whole_numbers(places, [n is not None for n in asked])
        return Rows(schema, tuple(array.take(chosen) for array in rows.arrays), len(numbers))

    def to_arrow(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """As `rows`, as an Arrow table."""
        schema = self.schema.only(columns).to_arrow()
        return pa.concat_tables(
            [schema.empty_table(), *(part.to_arrow() for part in self.rows(start, stop, columns))]
        )

    def _picked(
        self, picks: Sequence[tuple[_Piece, Any]], columns: Sequence[str] | None
    ) -> Iterator[Rows]:
        """These rows of each piece; several fragments are read at a time."""

        def pick(found: Rows, numbers: Any) -> Rows:
            arrays = tuple(array.take(_whole_numbers(numbers)) for array in found.arrays)
            return Rows(found.schema, arrays, len(numbers))

        if len(picks) <= _KEPT:
            for piece, numbers in picks:
                yield pick(self._fragment(piece, columns), numbers)
            return
        with ThreadPoolExecutor(_READERS, "artstore-rows") as pool:
            yield from pool.map(lambda one: pick(self._load(one[0], columns), one[1]), picks)

    def _fragment(self, piece: _Piece, columns: Sequence[str] | None) -> Rows:
        source = piece.source
        key = (source.digest, None if columns is None else tuple(columns))
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = self._load(piece, columns)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(key)
        return found

    def _load(self, piece: _Piece, columns: Sequence[str] | None) -> Rows:
        source = piece.source
        where = "a fragment not yet stored"
        if isinstance(source, LocalFragment):
            found = read_fragment(source.read(), piece.schema, where=where, columns=columns)
        else:
            assert self._paths is not None, "of a store"
            (path,) = self._paths([source])
            where = f"the fragment {source.key}"
            found = read_fragment(str(path), piece.schema, where=where, columns=columns)
        if found.row_count != source.row_count:
            raise DamagedDataError(
                f"{where} is damaged: it has {found.row_count} rows, not {source.row_count}",
                code="fragment-damaged",
            )
        return found


def _stored(table: TableFile, extent: Extent) -> _Piece:
    fragment = table.fragments[extent.fragment]
    schema = table.stored_schemas[fragment.columns]
    return _Piece(fragment, schema, extent.first, extent.row_count)


def _whole_numbers(values: Any, is_valid: Sequence[bool] | None = None) -> Any:
    """
    An Arrow array of numpy's numbers; null where `is_valid` is false.

    Made of buffers: `pa.array` imports pandas if it is there, a fifth of a second.
    """
    data = np.ascontiguousarray(values, np.int64)
    validity = None
    if is_valid is not None and not all(is_valid):
        validity = pa.py_buffer(np.packbits(np.array(is_valid), bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.int64(), len(data), [validity, pa.py_buffer(data.tobytes())])

"""
Rows as a program adds them, one by one or as a frame, on their way to fragments.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, Final

from artstore import limits
from artstore.errors import InvalidInputError
from artstore.media.content import BytesContent, MediaContent, MediaFile
from artstore.tables.building import BuiltTable, StoredPart, TableBuilder
from artstore.tables.inference import BuiltArray, build_array, checked_cell
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema

__all__ = ["MediaShelf", "RowIntake"]

_FLUSH_ROWS: Final = 8192
_FLUSH_BYTES: Final = 64 * limits.MIB
"""Of texts and arrays in rows that wait."""

_NUMBERS: Final = frozenset((int, float, bool, type(None)))
"""Cells that need no second look."""

_SHELF_BYTES: Final = 32 * limits.MIB


class _SpillFile:
    """A temporary file, which is closed when no content of it is needed any more."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="artstore-media-", buffering=0)  # noqa: SIM115
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def keep(self, data: bytes) -> int:
        """Append bytes; gives where they begin."""
        with self._lock:
            offset = self._file.seek(0, 2)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            return offset

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """Bytes that were kept."""
        data = b""
        while len(data) < size_bytes:
            # Not seek and read: a forked child shares the position with its parent.
            at = offset_bytes + len(data)
            data += os.pread(self._file.fileno(), size_bytes - len(data), at)
        return data


@dataclass(frozen=True, slots=True)
class _SpilledContent:
    """Bytes of a media file that wait in a temporary file beside others."""

    digest: bytes
    file: _SpillFile
    offset_bytes: int
    size_bytes: int

    def open(self) -> BinaryIO:
        return BytesIO(self.read())

    def read(self) -> bytes:
        return self.file.read(self.offset_bytes, self.size_bytes)


class MediaShelf:
    """Media files of rows, by path; 32 MiB of them in memory, more in a temporary file."""

    def __init__(self) -> None:
        self._contents: dict[str, MediaContent] = {}
        self._size_bytes = 0
        self._file: _SpillFile | None = None

    def add(self, files: Iterable[MediaFile]) -> None:
        """Files that cells name; one path is one content."""
        for file in files:
            if file.path not in self._contents:
                self._contents[file.path] = self._kept(file.content)

    def __iter__(self) -> Iterator[MediaFile]:
        return (MediaFile(path, content) for path, content in self._contents.items())

    def get(self, path: str) -> MediaContent | None:
        """The content of a path, if it was added."""
        return self._contents.get(path)

    def _kept(self, content: MediaContent) -> MediaContent:
        if not isinstance(content, BytesContent):
            return content
        self._size_bytes += len(content.data)
        if self._size_bytes <= _SHELF_BYTES:
            return content
        if self._file is None:
            self._file = _SpillFile()
        offset = self._file.keep(content.data)
        return _SpilledContent(content.digest, self._file, offset, len(content.data))


class RowIntake:
    """
    Takes rows of one table; memory is bounded by a batch and a few fragments.

    Args:
        schema: names, and the types that columns have already.
        base: rows of a stored table that come first.
    Attributes:
        media: files that cells name.
    """

    def __init__(self, schema: Schema, base: StoredPart | None = None) -> None:
        self.names = schema.names
        self.media = MediaShelf()
        self._builder = TableBuilder(schema, base)
        self._buffer: list[Sequence[Any]] = []
        self._buffer_bytes = 0
        self._built: BuiltTable | None = None

    @property
    def row_count(self) -> int:
        """Rows so far."""
        return self._builder.row_count + len(self._buffer)

    def add(self, row: Sequence[Any]) -> None:
        """
        One row.

        Raises:
            InvalidInputError: `row-ragged`, `cell-unsupported`; nothing was added.
        Cost: about 1 µs a row of 12 numbers, batches included.
        """
        if len(row) != len(self.names) or not row:
            raise InvalidInputError(
                f"a row of {len(row)} cells for {len(self.names)} columns "
                f"({', '.join(self.names)[:200]})",
                code="row-ragged",
            )
        if not _NUMBERS.issuperset(map(type, row)):
            files: list[MediaFile] = []
            row = [
                cell if type(cell) in _NUMBERS else checked_cell(cell, name, files)
                for cell, name in zip(row, self.names, strict=True)
            ]
            self.media.add(files)
            self._buffer_bytes += sum(_weight(cell) for cell in row if type(cell) not in _NUMBERS)
        self._buffer.append(row)
        if len(self._buffer) >= _FLUSH_ROWS or self._buffer_bytes >= _FLUSH_BYTES:
            self._flush()

    def add_rows(self, rows: Rows) -> None:
        """Rows with the same columns, whatever their types."""
        self._flush()
        if self.names:
            self._built = None
            self._builder.add(rows)

    def arrays_of(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, BuiltArray]:
        """
        Columns of Python cells as arrays; the files of their media are kept.

        Raises:
            InvalidInputError: `cell-unsupported`.
        """
        files: list[MediaFile] = []
        checked = {
            name: [checked_cell(cell, name, files) for cell in cells]
            for name, cells in columns.items()
        }
        self.media.add(files)
        return {name: build_array(cells) for name, cells in checked.items()}

    def built(self) -> BuiltTable:
        """All rows so far; more may be added afterwards."""
        self._flush()
        if self._built is None:
            self._built = self._builder.built()
        return self._built

    def _flush(self) -> None:
        if self._buffer:
            rows, self._buffer, self._buffer_bytes, self._built = self._buffer, [], 0, None
            self._builder.add(self._rows(list(zip(*rows, strict=True)), len(rows)))

    def _rows(self, columns: Sequence[Sequence[Any]], row_count: int) -> Rows:
        built = [build_array(cells) for cells in columns]
        schema = Schema(self.names, tuple(one.kind for one in built))
        return Rows(schema, tuple(one.array for one in built), row_count)


def _weight(cell: Any) -> int:
    """How many bytes a cell holds, roughly; of what is large."""
    if isinstance(cell, (str, bytes)):
        return len(cell)
    if isinstance(cell, list):
        return sum(map(_weight, cell))
    if isinstance(cell, dict):
        return sum(map(_weight, cell.values()))
    return int(getattr(cell, "nbytes", 8))

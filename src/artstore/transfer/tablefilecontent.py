"""
A table opened as the Parquet file that a pull would write.
"""

from __future__ import annotations

import os
import tempfile

from artstore.manifests.entry import Entry
from artstore.transfer.openfile import FileContent
from artstore.transfer.place import StorePlace
from artstore.transfer.randomread import Piece
from artstore.transfer.tablewriting import table_buffers

__all__ = ["TableFileContent"]

_LEAST_READ_BYTES = 256 * 1024


class TableFileContent(FileContent):
    """
    The bytes of a table as one Parquet file, in a temporary file without a name.

    Raises:
        DamagedDataError: when it is opened, as `table_buffers`.
    Cost: writes the table once for each that is opened.
    """

    def __init__(self, entry: Entry, place: StorePlace) -> None:
        self._file = tempfile.TemporaryFile(prefix="artstore-table-")  # noqa: SIM115 - kept open
        try:
            for buffer in table_buffers(entry, place):
                self._file.write(buffer)
            self._file.flush()
            self._size = self._file.tell()
        except BaseException:
            self._file.close()
            raise

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        return self._size

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """One piece that covers a range."""
        stop = min(self._size, max(stop, start + _LEAST_READ_BYTES))
        return [Piece(start, os.pread(self._file.fileno(), stop - start, start))]

    def can_load(self) -> bool:
        """It is here already."""
        return False

    def end_of_piece(self, at: int) -> int:
        """A byte alone: nothing is loaded ahead."""
        return at + 1

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

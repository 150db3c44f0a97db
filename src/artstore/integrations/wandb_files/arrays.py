"""
Columns of arrays, which W&B keeps beside a table in npz files, read row by row.

Nothing is unpickled, and nothing is allocated for what a header claims: it has to
agree with the table first, and then one row is read after the other.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

from artstore import forks
from artstore.errors import LimitExceededError
from artstore.integrations.wandb_files.failures import damaged_file
from artstore.integrations.wandb_files.files import WandbFiles

__all__ = ["ROW_MAX_BYTES", "ArraySource"]

ROW_MAX_BYTES: Final = 256 * 1024 * 1024
"""Of the array in one cell."""
_AXIS_COUNT: Final = 32
_SIDE_MAX: Final = 2**31


@dataclass(frozen=True, slots=True)
class ArraySource:
    """
    Where the arrays of a column lie.

    Attributes:
        path: the npz file.
        key: the name of the array in it; its first axis is the rows.
        shape: of one cell, if the table says it.
    """

    path: str
    key: str
    shape: tuple[int, ...] | None

    def rows(self, files: WandbFiles, row_count: int) -> Generator[Any, None, None]:
        """
        The array of each row, as a new array of numpy.

        Raises:
            DamagedDataError: `wandb-file-damaged`: it is not an npz file, holds pickled
                values, ends early, or has another shape than the table says.
            LimitExceededError: `limit-exceeded`.
            NotFoundError: `wandb-file-missing`.
        Cost: memory for one row.
        """
        forks.import_late(("numpy",))
        import numpy as np

        with self._member(files) as member:
            dtype, shape = self._header(member, row_count)
            size_bytes = math.prod(shape) * dtype.itemsize
            if size_bytes > ROW_MAX_BYTES:
                raise LimitExceededError(
                    f"{self.path}: an array of {shape} takes {size_bytes:,} bytes,"
                    f" and a cell has at most {ROW_MAX_BYTES:,}",
                    code="limit-exceeded",
                    hint="keep it as a file of its own",
                    limit=ROW_MAX_BYTES,
                )
            for row in range(row_count):
                data = _exactly(member, size_bytes)
                if data is None:
                    raise self._damaged(f"it ends in row {row} of {row_count}")
                if data:
                    yield np.frombuffer(data, dtype).reshape(shape).copy()
                else:
                    yield np.empty(shape, dtype)
            # The end is where the checksum is compared.
            if member.read(1):
                raise self._damaged("it goes on behind its last row")

    @contextmanager
    def _member(self, files: WandbFiles) -> Iterator[IO[bytes]]:
        # What zipfile raises on bytes that nobody meant, and what comes of reading a file.
        broken = (
            EOFError,
            NotImplementedError,
            OSError,
            RuntimeError,
            UnicodeError,
            zipfile.BadZipFile,
            zlib.error,
        )
        try:
            with files.open(self.path) as file, zipfile.ZipFile(file) as archive:
                name = f"{self.key}.npy"
                if name not in archive.namelist():
                    raise self._damaged(f"it has no array {self.key!r}")
                with archive.open(name) as member:
                    yield member
        except broken as error:
            raise self._damaged(f"it is not a sound npz file: {error}") from error

    def _header(self, member: IO[bytes], row_count: int) -> tuple[Any, tuple[int, ...]]:
        """The type of a number, and the shape of one row."""
        import numpy as np

        try:
            version = np.lib.format.read_magic(member)
            if version != (1, 0):
                raise ValueError(f"it has version {version}")
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
        except Exception as error:
            # The header is text that numpy has Python parse, which has errors of many kinds.
            raise self._damaged(
                f"the header of {self.key!r} is not one of numpy: {error!s:.200}"
            ) from error
        if dtype.hasobject:
            raise self._damaged(f"{self.key!r} holds pickled values, which are never read")
        if is_fortran and len(shape) > 1 and 0 not in shape:
            raise self._damaged(f"{self.key!r} is not stored row by row")
        if len(shape) > _AXIS_COUNT or not all(0 <= side < _SIDE_MAX for side in shape):
            raise self._damaged(f"{self.key!r} has a shape that no array has")
        if not dtype.itemsize:
            raise self._damaged(f"{self.key!r} holds values without bytes")
        if not shape or shape[0] != row_count:
            raise self._damaged(
                f"{self.key!r} has the shape {shape}, and its table {row_count} rows"
            )
        if self.shape is not None and shape[1:] != self.shape:
            raise self._damaged(
                f"{self.key!r} has the shape {shape}, and the table says {self.shape} for a row"
            )
        return dtype, shape[1:]

    def _damaged(self, why: str) -> Exception:
        return damaged_file(self.path, why)


def _exactly(member: IO[bytes], size_bytes: int) -> bytes | None:
    """None if less is there. A zip member may give less at a time than there is."""
    data = member.read(size_bytes) if size_bytes else b""
    while len(data) < size_bytes:
        more = member.read(size_bytes - len(data))
        if not more:
            return None
        data += more
    return data

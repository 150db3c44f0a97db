"""
A file for libraries that read as they like: it stops them where a preview has read enough.
"""

from __future__ import annotations

import io
import os
from typing import Any, Final

from artstore import limits
from artstore.errors import LimitExceededError
from artstore.web.previews.preview import PreviewSource

__all__ = ["BudgetFile"]

_BLOCK_BYTES: Final = 64 * limits.KIB


class BudgetFile(io.RawIOBase):
    """
    A source as a binary file from which only so many bytes can be read in all.

    Raises:
        LimitExceededError: `preview-too-large`, before anything is read beyond.
    """

    def __init__(self, source: PreviewSource, budget_bytes: int) -> None:
        super().__init__()
        self._source = source
        self._left = budget_bytes
        self._budget = budget_bytes
        self._at = 0
        self._block = (0, b"")

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move; never before the beginning."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self._source.size_bytes)
        if base + offset < 0:
            raise ValueError(f"there is no position {base + offset}")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly `size` bytes, fewer only at the end."""
        end = self._source.size_bytes
        stop = end if size is None or size < 0 else min(end, self._at + size)
        if stop <= self._at:
            return b""
        data = self._held(self._at, stop)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; how many bytes it took."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _held(self, start: int, stop: int) -> bytes:
        first, block = self._block
        if not first <= start <= stop <= first + len(block):
            self._spend(stop - start)
            # Headers are read in fours and eights: one request serves many.
            end = min(self._source.size_bytes, max(stop, start + _BLOCK_BYTES))
            first, block = start, self._source.read(start, end)
            self._block = (first, block)
        return block[start - first : stop - first]

    def _spend(self, count: int) -> None:
        self._left -= max(count, 1024)
        if self._left < 0:
            raise LimitExceededError(
                f"the preview of {self._source.path!r} is not made: it takes more than the "
                f"{self._budget:,} bytes that one may read",
                code="preview-too-large",
                hint="download the file to look into it",
            )

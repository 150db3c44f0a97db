"""
Successive windows of a large source file: reading ahead, and where its chunks end.

Reading and cutting are two stages, so that the disk works while a processor
looks for cut points; each may run in a worker of its own.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import Final, NamedTuple

from artstore import limits
from artstore.chunks.cut import Cutter
from artstore.storage.direct import BufferPool, set_direct
from artstore.storage.durable import drop_cached, is_cached

__all__ = ["ReadWindow", "WindowCutter", "WindowReader", "window_pool"]

_HEAD_BYTES: Final = limits.CHUNK_CUT_MAX_BYTES
"""Room in front of what is read, for the end of the window before that is no chunk yet."""
_WINDOW_BYTES: Final = 2 * limits.MIB
_READ_AHEAD_BYTES: Final = 16 * limits.MIB


def window_pool() -> BufferPool:
    """Buffers for windows: chunks stored raw are views of them until their pack is durable."""
    return BufferPool(_HEAD_BYTES + _WINDOW_BYTES)


class ReadWindow(NamedTuple):
    """A buffer with `filled_bytes` of the file behind the room for what comes before."""

    buffer: mmap.mmap
    filled_bytes: int
    is_last: bool


class WindowReader:
    """
    Reads window n of a file; several threads may read different ones.

    A file that is not in the page cache is read past it where the system can:
    it would push out what others use, and costs a page for every 4 KiB. 2 GiB
    took 1.1 s of processor time through the cache and 0.1 s past it.

    Args:
        descriptor: open for reading; stays the caller's.
    """

    def __init__(self, descriptor: int, pool: BufferPool) -> None:
        self._descriptor = descriptor
        self._pool = pool
        self._was_cached = is_cached(descriptor)
        self._is_direct = not self._was_cached and set_direct(descriptor, on=True)

    def read(self, number: int) -> ReadWindow:
        """Window `number`, counted from 0. Raises OSError."""
        buffer = self._pool.take()
        offset = number * _WINDOW_BYTES
        with memoryview(buffer) as view:
            filled = self._fill(view[_HEAD_BYTES:], offset)
        if not (self._was_cached or self._is_direct):
            self._advise(offset)
        return ReadWindow(buffer, filled, filled < _WINDOW_BYTES)

    def _fill(self, view: memoryview, offset: int) -> int:
        filled = 0
        while filled < len(view):
            try:
                count = os.preadv(self._descriptor, [view[filled:]], offset + filled)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                # Not on this file system, or behind the end of the file.
                self._is_direct = False
                set_direct(self._descriptor, on=False)
                continue
            if not count:
                break
            filled += count
        return filled

    def _advise(self, offset: int) -> None:
        """Read ahead, and leave the page cache as it was found."""
        advise = getattr(os, "posix_fadvise", None)
        if advise is not None:
            ahead = offset + _WINDOW_BYTES
            advise(self._descriptor, ahead, _READ_AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
            drop_cached(self._descriptor, offset, _WINDOW_BYTES)


class WindowCutter:
    """Turns windows, given in order, into views that begin and end with a chunk."""

    def __init__(self, pool: BufferPool) -> None:
        self._pool = pool
        self._carry = b""
        self._cutter = Cutter()

    def cut(self, window: ReadWindow) -> tuple[memoryview, list[int]]:
        """The whole chunks so far and their lengths; the buffer goes back to the pool."""
        start = _HEAD_BYTES - len(self._carry)
        view = memoryview(window.buffer)[start : _HEAD_BYTES + window.filled_bytes]
        view[: len(self._carry)] = self._carry
        self._pool.give_back(window.buffer)
        lengths = self._cutter.lengths(view, final=window.is_last)
        used = sum(lengths)
        self._carry = bytes(view[used:])
        return view[:used], lengths

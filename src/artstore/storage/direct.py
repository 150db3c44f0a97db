"""
Reading and writing past the page cache, where the system and the file system can.

A pack is synced as soon as it is written and seldom read soon after. Through the
page cache it costs a page of memory for every 4 KiB, which the kernel has to find,
to fill and to give back: on a machine that is short of free pages that took longer
than the disk (2 GiB in packs: 3.1 s through the cache, 2.1 s past it).
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from artstore import forks, limits
from artstore.digest import Buffer

__all__ = ["BufferPool", "read_direct", "set_direct", "write_direct"]

_BLOCK_BYTES: Final = 4096
"""What offset, length and memory must be multiples of: no disk asks for more."""
_STAGE_BYTES: Final = 1 * limits.MIB
_REFUSED: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


class BufferPool:
    """
    Page-aligned buffers that are used again once nothing looks into them any more.

    Whoever takes one gives it back at once and goes on with views of it. A fresh
    buffer costs page faults: reading 1 GiB into new ones took 1.0 s of system
    time, into used ones 0.1 s (measured). Safe between threads.

    The memory is shared with forked children: the kernel may still be writing
    into it, and such pages must not be copied (open(2), O_DIRECT). So a child
    leaves all of it to its parent.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._buffers: list[mmap.mmap] = []
        self._lock = forks.new_lock()
        self._generation = forks.generation()

    def take(self) -> mmap.mmap:
        """A buffer that no view refers to; its content is arbitrary."""
        with self._lock:
            self._forget_those_of_parents()
            for at, buffer in enumerate(self._buffers):
                try:
                    # A mapping refuses to change its length while views of it exist.
                    buffer.resize(self.size_bytes)
                except BufferError:
                    continue
                return self._buffers.pop(at)
        return mmap.mmap(-1, self.size_bytes)

    def give_back(self, buffer: mmap.mmap) -> None:
        """Hand a buffer over for when its last view is gone."""
        with self._lock:
            if not self._forget_those_of_parents():
                self._buffers.append(buffer)

    def _forget_those_of_parents(self) -> bool:
        if self._generation == forks.generation():
            return False
        self._generation = forks.generation()
        self._buffers = []
        return True


class _Stages:
    """A page-aligned buffer a thread: parts are gathered there, since disks want whole blocks."""

    def __init__(self) -> None:
        self._local = threading.local()

    def get(self) -> mmap.mmap:
        # As in the pool: what a parent has is shared with it.
        generation, stage = getattr(self._local, "stage", (None, None))
        if stage is None or generation != forks.generation():
            stage = mmap.mmap(-1, _STAGE_BYTES)
            self._local.stage = (forks.generation(), stage)
        return stage


_stages = _Stages()


def read_direct(descriptor: int, offset: int, length: int, pool: BufferPool) -> memoryview | None:
    """
    A range of a file, read past the page cache into a buffer of `pool`.

    Args:
        descriptor: open for reading, used by nobody else meanwhile.
    Returns:
        None where that is not possible, or the file is shorter: read it the usual way.
    Raises:
        OSError: as `os.preadv`.
    """
    start = offset - offset % _BLOCK_BYTES
    wanted = offset - start + length
    size = wanted + -wanted % _BLOCK_BYTES
    if size > pool.size_bytes or not set_direct(descriptor, on=True):
        return None
    buffer = pool.take()
    try:
        with memoryview(buffer) as view:
            count = _read_blocks(descriptor, view[:size], start)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        count = 0
    finally:
        set_direct(descriptor, on=False)
        pool.give_back(buffer)
    return memoryview(buffer)[offset - start : wanted] if count >= wanted else None


def _read_blocks(descriptor: int, view: memoryview, offset: int) -> int:
    filled = 0
    while filled < len(view):
        count = os.preadv(descriptor, [view[filled:]], offset + filled)
        filled += count
        if not count or count % _BLOCK_BYTES:
            break  # the end of the file
    return filled


def write_direct(descriptor: int, buffers: Sequence[Buffer]) -> int:
    """
    Write the start of `buffers`, as much as whole blocks hold, from offset 0 of a new file.

    The file's position stands behind what was written; the rest (less than a
    block where the disk takes direct writes at all, else everything) is the
    caller's to write.

    Returns:
        bytes written; 0 where the system or the file system has no direct writes.
    Raises:
        OSError: as `os.write`, a full disk among them.
    """
    if not set_direct(descriptor, on=True):
        return 0
    written = 0
    try:
        for block in _whole_blocks(buffers, memoryview(_stages.get())):
            count = os.write(descriptor, block)
            written += count
            if count < len(block):
                break  # a limit or a signal: what follows is no whole block
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
    finally:
        set_direct(descriptor, on=False)
    return written


def _whole_blocks(buffers: Sequence[Buffer], stage: memoryview) -> Iterator[memoryview]:
    filled = 0
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        while len(view):
            taken = min(len(view), len(stage) - filled)
            stage[filled : filled + taken] = view[:taken]
            filled += taken
            view = view[taken:]
            if filled == len(stage):
                yield stage
                filled = 0
    if filled >= _BLOCK_BYTES:
        yield stage[: filled - filled % _BLOCK_BYTES]


def set_direct(descriptor: int, *, on: bool) -> bool:
    """
    Switch direct input and output of an open file; whether the system took it.

    A file system may take the switch and refuse the first read or write with
    EINVAL. Offset, length and memory have to be multiples of 4096 bytes.
    """
    flag = getattr(os, "O_DIRECT", 0)  # of Linux
    if not flag:
        return False
    import fcntl

    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | flag if on else flags & ~flag)
    except OSError:
        return False
    return True

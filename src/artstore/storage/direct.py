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

from artstore import limits
from artstore.digest import Buffer

__all__ = ["set_direct", "write_direct"]

_BLOCK_BYTES: Final = 4096
"""What offset, length and memory must be multiples of: no disk asks for more."""
_STAGE_BYTES: Final = 1 * limits.MIB
_REFUSED: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


class _Stages:
    """A page-aligned buffer a thread: parts are gathered there, since disks want whole blocks."""

    def __init__(self) -> None:
        self._local = threading.local()

    def get(self) -> mmap.mmap:
        stage: mmap.mmap | None = getattr(self._local, "stage", None)
        if stage is None:
            stage = self._local.stage = mmap.mmap(-1, _STAGE_BYTES)
        return stage


_stages = _Stages()


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

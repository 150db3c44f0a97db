"""
Reading a large file in windows: one thread reads and cuts, workers hash and encode.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Executor, Future
from typing import Final

from artstore import clock, limits
from artstore.chunks.cut import Cutter
from artstore.digest import Hasher
from artstore.storage.durable import drop_cached, is_cached
from artstore.transfer.ingest import (
    FreshChunk,
    Ingested,
    IsKnown,
    cut_chunks,
    open_source,
    source_changed,
)
from artstore.transfer.walk import Found, source_error

__all__ = ["LargeFile", "WindowPool"]

_WINDOW_BYTES: Final = 2 * limits.MIB
_READ_AHEAD_BYTES: Final = 16 * limits.MIB
_AHEAD: Final = 3
"""Windows in flight: one is read and cut, one hashed, one waits for its turn."""


class WindowPool:
    """
    Read buffers that are used again once nothing looks into them any more.

    Chunks that are stored raw are views of the window they were read into, until
    their pack is durable. A fresh buffer costs page faults: reading 1 GiB into
    new ones took 1.0 s of system time, into used ones 0.1 s (measured).
    """

    def __init__(self) -> None:
        self._windows: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self) -> bytearray:
        """A buffer of `_WINDOW_BYTES` that no view refers to; its content is arbitrary."""
        with self._lock:
            for at, window in enumerate(self._windows):
                try:
                    # A bytearray refuses to change its length while views of it exist.
                    window.append(0)
                except BufferError:
                    continue
                window.pop()
                return self._windows.pop(at)
        return bytearray(_WINDOW_BYTES)

    def give_back(self, window: bytearray) -> None:
        """Hand a buffer over for when its last view is gone."""
        with self._lock:
            self._windows.append(window)


class LargeFile:
    """
    One pass over a file of any size, in memory of a few windows.

    Iterate to get its chunks in order; then `result` tells the digest and
    whether the file held still. A file that did not is read again by making
    another instance; chunks stored in vain are shared by the second pass.
    """

    def __init__(
        self, found: Found, is_known: IsKnown, workers: Executor, pool: WindowPool
    ) -> None:
        self._pool = pool
        self._found = found
        self._is_known = is_known
        self._workers = workers
        self._hasher = Hasher()
        self._began_ns = clock.now_nanoseconds()
        self._descriptor = open_source(found)
        self._before = os.fstat(self._descriptor)
        self.result: Ingested | None = None
        self.changed = False

    def chunks(self) -> Iterator[list[FreshChunk]]:
        """Yield the chunks of each window. Raises as `ingest.read_whole`."""
        try:
            size = yield from self._pump()
        except OSError as error:
            raise source_error(error, self._found.location) from error
        finally:
            os.close(self._descriptor)
        self._conclude(size)

    def _conclude(self, size_bytes: int) -> None:
        after = self._after
        self.changed = size_bytes != after.st_size or source_changed(self._before, after)
        executable = bool(after.st_mode & stat.S_IXUSR)
        self.result = Ingested(
            self._hasher.digest(), size_bytes, executable, after, self._began_ns, []
        )

    def _pump(self) -> Generator[list[FreshChunk], None, int]:
        pending: deque[tuple[memoryview, Future[list[FreshChunk]], Future[None]]] = deque()
        windows = _Windows(self._descriptor, self._pool)
        # Reading and cutting go on in a worker while this thread packs what is done.
        coming = self._workers.submit(windows.next)
        total = 0
        hashed: Future[None] | None = None
        while True:
            window = coming.result()
            if window is not None:
                view, lengths, final = window
                if not final:
                    coming = self._workers.submit(windows.next)
                total += len(view)
                encoded = self._workers.submit(self._encode, view, lengths)
                hashed = self._workers.submit(self._hash, view, hashed)
                pending.append((view, encoded, hashed))
            while pending and (window is None or final or len(pending) >= _AHEAD):
                _, encoded, done = pending.popleft()
                yield encoded.result()
                done.result()
            if window is None or final:
                break
        self._after = os.fstat(self._descriptor)
        return total

    def _encode(self, view: memoryview, lengths: list[int]) -> list[FreshChunk]:
        chunks = list(cut_chunks(view, lengths, self._is_known))
        fresh = sum(chunk.plain_bytes for chunk in chunks if chunk.stored is not None)
        if fresh * 2 >= len(view):
            return chunks
        # A few new chunks must not keep their whole window in memory.
        return [
            chunk if chunk.stored is None else chunk._replace(stored=bytes(chunk.stored))
            for chunk in chunks
        ]

    def _hash(self, view: memoryview, before: Future[None] | None) -> None:
        if before is not None:
            before.result()
        self._hasher.update(view)


class _Windows:
    """Successive windows of a file, each starting at a chunk boundary."""

    def __init__(self, descriptor: int, pool: WindowPool) -> None:
        self._descriptor = descriptor
        self._pool = pool
        self._offset = 0
        self._carry = b""
        self._cutter = Cutter()
        self._was_cached = is_cached(descriptor)

    def next(self) -> tuple[memoryview, list[int], bool] | None:
        """(whole chunks, their lengths, whether they are the last), or None for an empty file."""
        while True:
            buffer, filled, final = self._fill()
            view = memoryview(buffer)[:filled]
            self._pool.give_back(buffer)
            if not filled:
                return None
            lengths = self._cutter.lengths(view, final=final)
            used = sum(lengths)
            self._carry = bytes(view[used:])
            if used:
                return view[:used], lengths, final

    def _fill(self) -> tuple[bytearray, int, bool]:
        carry = len(self._carry)
        buffer = self._pool.take()
        view = memoryview(buffer)
        view[:carry] = self._carry
        filled = carry
        while filled < len(buffer):
            count = os.preadv(self._descriptor, [view[filled:]], self._offset)
            if not count:
                return buffer, filled, True
            filled += count
            self._offset += count
        self._advise(len(buffer))
        return buffer, filled, False

    def _advise(self, window_bytes: int) -> None:
        """
        Read ahead, and leave the page cache as it was found.

        A file that was not cached gives its pages back behind the reader: it
        would push out what others use, and the kernel hands out used pages
        faster than new ones (2 GiB cold: see benchmarks/README.md).
        """
        advise = getattr(os, "posix_fadvise", None)
        if advise is None:
            return
        advise(self._descriptor, self._offset, _READ_AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
        if not self._was_cached:
            start = max(0, self._offset - 2 * window_bytes)
            drop_cached(self._descriptor, start, window_bytes)

"""
Reading a large file in windows: each is read, cut, hashed and encoded by workers.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Executor, Future
from typing import Final

from artstore import clock
from artstore.digest import Hasher
from artstore.storage.direct import BufferPool
from artstore.transfer.ingest import (
    FreshChunk,
    Ingested,
    IsKnown,
    cut_chunks,
    open_source,
    source_changed,
)
from artstore.transfer.walk import Found, source_error
from artstore.transfer.windows import ReadWindow, WindowCutter, WindowReader

__all__ = ["LargeFile"]

_READS_AHEAD: Final = 2
_AHEAD: Final = 2
"""Windows in flight: two are being read, one is cut, two are hashed and encoded."""


class LargeFile:
    """
    One pass over a file of any size, in memory of a few windows.

    Iterate to get its chunks in order; then `result` tells the digest and
    whether the file held still. A file that did not is read again by making
    another instance; chunks stored in vain are shared by the second pass.
    """

    def __init__(
        self, found: Found, is_known: IsKnown, workers: Executor, pool: BufferPool
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
        reader = WindowReader(self._descriptor, self._pool)
        cutter = WindowCutter(self._pool)
        reads: deque[Future[ReadWindow]] = deque()
        pending: deque[tuple[Future[list[FreshChunk]], Future[None]]] = deque()
        total = number = 0
        hashed: Future[None] | None = None
        is_last = False
        while not is_last:
            while len(reads) < _READS_AHEAD:
                reads.append(self._workers.submit(reader.read, number))
                number += 1
            window = reads.popleft().result()
            is_last = window.is_last
            cut = self._workers.submit(cutter.cut, window)
            # What was cut before is hashed meanwhile, and packed by this thread.
            while len(pending) >= _AHEAD:
                yield _take(pending)
            view, lengths = cut.result()
            total += len(view)
            encoded = self._workers.submit(self._encode, view, lengths)
            hashed = self._workers.submit(self._hash, view, hashed)
            pending.append((encoded, hashed))
        while pending:
            yield _take(pending)
        for unwanted in reads:
            unwanted.cancel()
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


def _take(pending: deque[tuple[Future[list[FreshChunk]], Future[None]]]) -> list[FreshChunk]:
    encoded, hashed = pending.popleft()
    chunks = encoded.result()
    hashed.result()
    return chunks

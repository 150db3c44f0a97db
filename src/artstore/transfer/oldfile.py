"""
A file of the version checked out before, as a source of chunks for the next one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from artstore import limits
from artstore.packs.locator import ChunkRef
from artstore.storage.direct import BufferPool
from artstore.storage.durable import drop_cached

__all__ = ["OldFile", "OldFileDiffersError", "OldRange"]

_RUN_BYTES: Final = 1 * limits.MIB
"""Read, hashed and written while it is still in the processor's cache."""


_DROP_BYTES: Final = 8 * limits.MIB


class OldFileDiffersError(Exception):
    """The old file does not hold what the version it came from says."""


class OldRange(NamedTuple):
    """Bytes of the old file that successive chunks of the new one consist of."""

    offset_bytes: int
    length_bytes: int


class OldFile:
    """
    The old file, open for reading.

    Nothing read from it is believed: whoever assembles the new file checks the
    digest of the whole.

    Args:
        descriptor: closed by `close`.
        places: where each chunk stands in it, by digest.
    """

    def __init__(self, descriptor: int, places: Mapping[bytes, int]) -> None:
        self._descriptor = descriptor
        self._places = places
        self._dropped_bytes = 0
        self._pool = BufferPool(_RUN_BYTES)

    @staticmethod
    def places_of(chunks: Iterable[ChunkRef]) -> dict[bytes, int]:
        """The place of each of a file's chunks, given in order. Memory: 200 bytes a chunk."""
        places: dict[bytes, int] = {}
        offset = 0
        for ref in chunks:
            places[ref.digest] = offset
            offset += ref.plain_bytes
        return places

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def pieces(self, refs: Iterable[ChunkRef]) -> Iterator[OldRange | list[ChunkRef]]:
        """The new file in order: runs of the old one, and chunks that it does not have."""
        run: OldRange | None = None
        missing: list[ChunkRef] = []
        for ref in refs:
            offset = self._places.get(ref.digest)
            if offset is None:
                if run is not None:
                    yield run
                    run = None
                missing.append(ref)
                if sum(item.plain_bytes for item in missing) >= limits.READ_WINDOW_BYTES:
                    yield missing
                    missing = []
                continue
            if missing:
                yield missing
                missing = []
            if run is not None and offset == run.offset_bytes + run.length_bytes:
                run = OldRange(run.offset_bytes, run.length_bytes + ref.plain_bytes)
            else:
                if run is not None:
                    yield run
                run = OldRange(offset, ref.plain_bytes)
        if run is not None:
            yield run
        if missing:
            yield missing

    def read(self, run: OldRange) -> Iterator[memoryview]:
        """
        The bytes of a run in parts, each a view of memory that is used again when it is let go.

        Raises:
            OldFileDiffersError: the file is shorter than it was.
        """
        offset, end = run.offset_bytes, run.offset_bytes + run.length_bytes
        while offset < end:
            buffer = self._pool.take()
            part = memoryview(buffer)[: min(_RUN_BYTES, end - offset)]
            self._pool.give_back(buffer)
            count = os.preadv(self._descriptor, [part], offset)
            if not count:
                raise OldFileDiffersError
            yield part[:count]
            del part
            offset += count
            self._give_back(offset)

    def _give_back(self, offset: int) -> None:
        """
        Drop what was read from the page cache: the file is about to be replaced.

        Its pages are then used for the new one. 2 GiB took 3 s less so, where the
        kernel had to find new ones (measured).
        """
        if offset - self._dropped_bytes < _DROP_BYTES:
            return
        drop_cached(self._descriptor, self._dropped_bytes, offset - self._dropped_bytes)
        self._dropped_bytes = offset

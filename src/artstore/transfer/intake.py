"""
Reading many files at once and handing them over in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final, TypeGuard

from artstore import limits
from artstore.manifests.entry import FILE, TABLE, Entry
from artstore.storage.direct import BufferPool
from artstore.transfer.copying import (
    CopiedItem,
    CopiedRead,
    CopiedStream,
    is_small,
    read_copied,
)
from artstore.transfer.ingest import (
    WHOLE_READ_BYTES,
    FreshChunk,
    Ingested,
    IsKnown,
    changing_error,
    chunk_whole,
    read_whole,
)
from artstore.transfer.largefile import LargeFile
from artstore.transfer.prepared import BytesItem, TableItem
from artstore.transfer.sources import Item, entry_without_bytes
from artstore.transfer.walk import Found
from artstore.transfer.windows import window_pool

__all__ = ["BytesRead", "Intake", "LargeRead", "Reuse", "Reused", "WholeRead"]

_BATCH_BYTES: Final = 1 * limits.MIB
_BATCH_FILES: Final = 64
_COPIED_BYTES: Final = limits.READ_WINDOW_BYTES
_COPIED_FILES: Final = 4_096
"""What lies in another store is asked for in large requests: many small ones take their time."""
_AHEAD_BYTES: Final = 24 * limits.MIB
_AHEAD_BATCHES: Final = 64

Reuse = Callable[[Found], Entry | None]
"""The entry of a file that need not be read; asked in manifest order, from one thread."""
ReuseCopied = Callable[[CopiedItem], Entry | None]
"""Likewise, of a file of another store."""


@dataclass(frozen=True, slots=True)
class Reused:
    """A file that was not read: nothing changed since its digest was taken."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class WholeRead:
    """A file that was read in one piece."""

    found: Found
    read: Ingested


@dataclass(frozen=True, slots=True)
class BytesRead:
    """A file that was in memory."""

    item: BytesItem
    chunks: list[FreshChunk]


@dataclass(frozen=True, slots=True)
class LargeRead:
    """A file to be read now, in windows, by whoever takes it from the intake."""

    found: Found
    is_known: IsKnown
    workers: Executor
    pool: BufferPool

    def run(
        self, take: Callable[[list[FreshChunk]], None], restart: Callable[[], None]
    ) -> Ingested:
        """
        Read it through `take`; once more, after `restart`, if it changed meanwhile.

        Raises:
            StateError: `source-changed`.
            InvalidInputError: as `ingest.open_source`.
        """
        for _ in range(2):
            restart()
            file = LargeFile(self.found, self.is_known, self.workers, self.pool)
            for chunks in file.chunks():
                take(chunks)
            if not file.changed and file.result is not None:
                return file.result
        raise changing_error(self.found)


Done = (
    Entry
    | TableItem
    | Reused
    | WholeRead
    | BytesRead
    | LargeRead
    | CopiedItem
    | CopiedRead
    | CopiedStream
)
_Read = Found | BytesItem | CopiedItem
_Answer = WholeRead | BytesRead | CopiedRead
_Slot = Entry | TableItem | Reused | LargeRead | CopiedStream | _Read


class _Batch:
    """Successive items; the small files among them are read by one worker."""

    def __init__(self) -> None:
        self.slots: list[_Slot] = []
        self.size_bytes = 0
        self.file_count = 0
        self.copied_count = 0
        self.reads: Future[list[_Answer]] | None = None

    def is_full(self) -> bool:
        if self.copied_count:
            return self.size_bytes >= _COPIED_BYTES or len(self.slots) >= _COPIED_FILES
        return (
            self.size_bytes >= _BATCH_BYTES
            or self.file_count >= _BATCH_FILES
            or len(self.slots) >= 16 * _BATCH_FILES
        )


class Intake:
    """Turns items into entries and reads, in the order of the items."""

    def __init__(
        self,
        workers: Executor,
        is_known: IsKnown,
        reuse: Reuse,
        reuse_copied: ReuseCopied = lambda _: None,
    ) -> None:
        self._workers = workers
        self._reuse_copied = reuse_copied
        self._is_known = is_known
        self._reuse = reuse
        self._pool = window_pool()

    def run(self, items: Iterable[Item | CopiedItem]) -> Iterator[Done]:
        """
        Yield one result an item, in order.

        Memory: at most 24 MiB of files that were read and not yet taken.
        """
        ahead: deque[_Batch] = deque()
        ahead_bytes = 0
        for batch in self._batches(items):
            ahead.append(batch)
            ahead_bytes += batch.size_bytes
            while ahead and (ahead_bytes > _AHEAD_BYTES or len(ahead) > _AHEAD_BATCHES):
                first = ahead.popleft()
                ahead_bytes -= first.size_bytes
                yield from self._finish(first)
        for batch in ahead:
            yield from self._finish(batch)

    def _batches(self, items: Iterable[Item | CopiedItem]) -> Iterator[_Batch]:
        batch = _Batch()
        for item in items:
            slot = self._slot(item)
            batch.slots.append(slot)
            if _is_read(slot):
                batch.size_bytes += slot.size_bytes
                batch.file_count += 1
                batch.copied_count += isinstance(slot, CopiedItem)
            if batch.is_full():
                yield self._submit(batch)
                batch = _Batch()
        yield self._submit(batch)

    def _slot(self, item: Item | CopiedItem) -> _Slot:
        if isinstance(item, CopiedItem):
            return self._copied_slot(item)
        if isinstance(item, (BytesItem, TableItem)):
            return item
        if isinstance(item, Entry) or item.kind != FILE:
            return entry_without_bytes(item)
        reused = self._reuse(item)
        if reused is not None:
            return Reused(reused)
        if item.size_bytes > WHOLE_READ_BYTES:
            return LargeRead(item, self._is_known, self._workers, self._pool)
        return item

    def _copied_slot(self, item: CopiedItem) -> _Slot:
        reused = self._reuse_copied(item)
        if reused is not None:
            return Reused(reused)
        if item.entry.kind == TABLE or is_small(item.entry):
            return item
        return CopiedStream(item, self._is_known, self._workers)

    def _submit(self, batch: _Batch) -> _Batch:
        to_read = [slot for slot in batch.slots if _is_read(slot)]
        if to_read:
            batch.reads = self._workers.submit(self._read_all, to_read)
        return batch

    def _read_all(self, items: list[_Read]) -> list[_Answer]:
        copied = iter(
            read_copied([item for item in items if isinstance(item, CopiedItem)], self._is_known)
        )
        return [
            next(copied) if isinstance(item, CopiedItem) else self._read(item) for item in items
        ]

    def _read(self, item: Found | BytesItem) -> WholeRead | BytesRead:
        if isinstance(item, BytesItem):
            return BytesRead(item, chunk_whole(item.read(), self._is_known)[1])
        return WholeRead(item, read_whole(item, self._is_known))

    @staticmethod
    def _finish(batch: _Batch) -> Iterator[Done]:
        reads = iter(batch.reads.result() if batch.reads is not None else ())
        for slot in batch.slots:
            if isinstance(slot, (Found, BytesItem)) or _is_read(slot):
                yield next(reads)
            else:
                yield slot


def _is_read(slot: _Slot) -> TypeGuard[_Read]:
    """Whether a worker reads it; of a table of another store the fragments are copied later."""
    if isinstance(slot, CopiedItem):
        return slot.entry.kind != TABLE
    return isinstance(slot, (Found, BytesItem))

"""
Writing files of a version into a directory, straight from the packs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Final

from artstore import limits
from artstore.digest import Buffer, Hasher
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    LimitExceededError,
    UnsupportedFormatError,
)
from artstore.manifests.entry import DIRECTORY, FILE, REFERENCE, SYMLINK, TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import batches, decode_ref
from artstore.transfer.cachefill import CacheFiller
from artstore.transfer.links import LinkMode
from artstore.transfer.oldfile import OldFile, OldFileDiffersError, OldRange
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import ProgressMeter
from artstore.transfer.readahead import ReadAhead, ReadStored, WindowBudget, made_ahead
from artstore.transfer.references import fetch_reference
from artstore.transfer.tablewriting import write_table
from artstore.transfer.target import TargetDirectory

__all__ = ["Fetcher", "file_buffers"]

_SMALL_BYTES: Final = 4 * limits.MIB
_BAD_CONTENT: Final = (DamagedDataError, LimitExceededError, UnsupportedFormatError)


_Pending = tuple[list[Entry], "Future[int]"]
"""Small files under way, and the bytes read for them."""


class Fetcher:
    """
    Writes entries into a target: small files many at a time, large ones in a stream.

    Args:
        base: the version checked out there before, if that is known; chunks
            that the old file has are read from it and not from the store.
        link: one of `pull.LINK_MODES`.
        allow_missing: leave out references behind which nothing lies.
    """

    def __init__(
        self,
        place: StorePlace,
        manifest: Manifest,
        *,
        base: Manifest | None,
        target: TargetDirectory,
        link: LinkMode,
        workers: Executor,
        meter: ProgressMeter,
        warn: Callable[[str], None],
        allow_missing: bool = False,
    ) -> None:
        self._place = place
        self._allow_missing = allow_missing
        self._manifest = manifest
        self._base = base
        self._target = target
        self._filler = (
            None
            if link == "copy"
            else CacheFiller(place.content_cache, place.statcache, target, link, warn)
        )
        self._workers = workers
        self._meter = meter
        self._warn = warn
        self._extent = place.concurrency
        self._windows = WindowBudget(self._extent.windows)
        self._large_files = _start_large(self._extent.large_files)
        self._pending: deque[_Pending] = deque()
        self._read_bytes_lock = threading.Lock()
        self.read_bytes = 0

    def run(self, entries: Iterable[Entry]) -> None:
        """
        Write all entries; on an error what was begun is finished or undone, then it is raised.

        Raises:
            DamagedDataError: with `path`, the file that cannot be had.
            StateError, DeniedError: from the target.
        """
        try:
            batch: list[Entry] = []
            batch_bytes = 0
            for entry in entries:
                if entry.kind in (DIRECTORY, SYMLINK, REFERENCE, TABLE):
                    self._write_other(entry)
                elif entry.size_bytes > _SMALL_BYTES or entry.level:
                    self._begin_large(entry)
                else:
                    batch.append(entry)
                    batch_bytes += entry.size_bytes
                    if (
                        batch_bytes >= self._extent.batch_bytes
                        or len(batch) >= self._extent.batch_files
                    ):
                        self._submit(batch)
                        batch, batch_bytes = [], 0
            if batch:
                self._submit(batch)
            self._settle_down_to(0)
        finally:
            for _, future in self._pending:
                future.cancel()
            if self._large_files is not None:
                self._large_files.shutdown()

    # small files -------------------------------------------------------------------

    def _submit(self, batch: list[Entry]) -> None:
        self._pending.append((batch, self._workers.submit(self._write_batch, batch)))
        self._settle_down_to(2 * self._extent.writers)

    def _settle_down_to(self, count: int) -> None:
        while len(self._pending) > count:
            batch, future = self._pending.popleft()
            self._count_read(future.result())
            self._meter.add(len(batch), sum(entry.size_bytes for entry in batch))

    def _count_read(self, size_bytes: int) -> None:
        with self._read_bytes_lock:
            self.read_bytes += size_bytes

    def _write_batch(self, batch: list[Entry]) -> int:
        for entry in batch:
            _check_lengths(entry)
        if self._filler is not None:
            batch = [entry for entry in batch if not self._filler.write_cached(entry)]
        refs = [ref for entry in batch for ref in entry.chunks]
        try:
            stored = iter(self._place.packs.stored(refs))
        except DamagedDataError as error:
            raise _naming(error, self._first_bad(batch)) from error
        for entry in batch:
            pieces = [next(stored) for _ in entry.chunks]
            self._deliver(entry, partial(_decoded, entry, pieces))
        return sum(ref.stored_bytes for ref in refs)

    def _first_bad(self, batch: list[Entry]) -> Entry:
        for entry in batch:
            try:
                self._place.packs.stored(entry.chunks)
            except ArtstoreError:
                return entry
        return batch[0]

    def _deliver(self, entry: Entry, read: Callable[[], Iterator[Buffer]]) -> None:
        if self._filler is not None:
            self._filler.write(entry, read)
            return
        status = self._target.write_file(entry.path, read(), executable=entry.executable)
        location = f"{self._target.root}/{entry.path}"
        self._place.statcache.record_written(location, status, entry.digest)

    # large files -------------------------------------------------------------------

    def _begin_large(self, entry: Entry) -> None:
        if self._large_files is None:
            self._write_large(entry)
            return
        self._pending.append(([], self._large_files.submit(self._write_large, entry)))
        self._settle_down_to(2 * self._extent.writers)

    def _write_large(self, entry: Entry) -> int:
        old = self._old_file(entry)
        try:
            try:
                self._deliver(entry, partial(self._large_buffers, entry, old))
            except OldFileDiffersError:
                # Somebody changed the file since it was checked out.
                self._deliver(entry, partial(self._large_buffers, entry, None))
        finally:
            if old is not None:
                old.close()
        self._meter.add(1, 0)
        return 0

    def _large_buffers(self, entry: Entry, old: OldFile | None) -> Iterator[Buffer]:
        refs = self._manifest.chunks(entry)
        ahead = ReadAhead(self._workers, self._windows)
        for buffer in made_ahead(file_buffers(entry, refs, self._stored, ahead, old)):
            self._meter.add(0, len(buffer))
            yield buffer

    def _stored(self, refs: Sequence[ChunkRef]) -> list[Buffer]:
        self._count_read(sum(ref.stored_bytes for ref in refs))
        return self._place.packs.stored(refs)

    def _old_file(self, entry: Entry) -> OldFile | None:
        if self._base is None:
            return None
        try:
            before = self._base.entry(entry.path)
            if before.kind != FILE:
                return None
            # Read before the file is opened: a damaged list must not leave it open.
            places = OldFile.places_of(self._base.chunks(before))
            return OldFile(self._target.open_file(entry.path), places)
        except ArtstoreError:
            return None

    # links, directories, references -----------------------------------------------

    def _write_other(self, entry: Entry) -> None:
        if entry.kind == DIRECTORY:
            self._target.make_directory(entry.path)
        elif entry.kind == SYMLINK:
            self._target.make_symlink(entry.path, entry.target)
            self._meter.add(1, 0)
        elif entry.kind == TABLE:
            write = partial(write_table, entry, place=self._place, target=self._target)
            self._pending.append(([entry], self._workers.submit(write)))
            self._settle_down_to(2 * self._extent.writers)
        else:
            fetch = partial(
                fetch_reference,
                entry,
                place=self._place,
                target=self._target,
                warn=self._warn,
                allow_missing=self._allow_missing,
            )
            self._pending.append(([entry], self._workers.submit(fetch)))
            self._settle_down_to(2 * self._extent.writers)


def file_buffers(
    entry: Entry,
    refs: Iterator[ChunkRef],
    read_stored: ReadStored,
    ahead: ReadAhead,
    old: OldFile | None = None,
) -> Generator[Buffer, None, None]:
    """
    The plain bytes of a large file in order; the digest of the whole is checked at the end.

    Windows are fetched by workers while those before are hashed and written.

    Raises:
        DamagedDataError: with `path`; what was yielded before must be thrown away.
    """
    hasher = Hasher()
    try:
        if old is None:
            parts = _decoded_windows(ahead.run(batches(refs), read_stored))
        else:
            parts = _mixed_parts(refs, read_stored, old)
        for data in parts:
            hasher.update(data)
            yield data
    except _BAD_CONTENT as error:
        raise _naming(error, entry) from error
    if hasher.digest() != entry.digest:
        if old is not None:
            raise OldFileDiffersError
        raise _content_error(entry, hasher.digest())


def _start_large(count: int) -> ThreadPoolExecutor | None:
    return ThreadPoolExecutor(count, "artstore-large") if count > 1 else None


def _mixed_parts(
    refs: Iterator[ChunkRef], read_stored: ReadStored, old: OldFile
) -> Iterator[Buffer]:
    for piece in old.pieces(refs):
        if isinstance(piece, OldRange):
            yield from old.read(piece)
        else:
            yield from _decoded_window(piece, read_stored(piece))


def _decoded_windows(
    windows: Iterator[tuple[list[ChunkRef], list[Buffer]]],
) -> Iterator[Buffer]:
    for refs, stored in windows:
        yield from _decoded_window(refs, stored)


def _decoded_window(refs: Sequence[ChunkRef], stored: Sequence[Buffer]) -> Iterator[Buffer]:
    for ref, data in zip(refs, stored, strict=True):
        # Not verified chunk by chunk: the digest of the whole file follows.
        yield decode_ref(ref, data, verify=False)


def _decoded(entry: Entry, pieces: list[Buffer]) -> Iterator[Buffer]:
    try:
        if len(pieces) == 1 and entry.chunks[0].digest == entry.digest:
            yield decode_ref(entry.chunks[0], pieces[0])
            return
        hasher = Hasher()
        for ref, stored in zip(entry.chunks, pieces, strict=True):
            data = decode_ref(ref, stored)
            hasher.update(data)
            yield data
    except _BAD_CONTENT as error:
        raise _naming(error, entry) from error
    if hasher.digest() != entry.digest:
        raise _content_error(entry, hasher.digest())


def _check_lengths(entry: Entry) -> None:
    # A batch is bounded by what its entries say of themselves: before anything is
    # read, their chunks must say the same.
    total = sum(ref.plain_bytes for ref in entry.chunks)
    if total != entry.size_bytes or any(ref.stored_bytes > ref.plain_bytes for ref in entry.chunks):
        raise DamagedDataError(
            f"{entry.path} cannot be restored: its chunks have {total} bytes, "
            f"not {entry.size_bytes}",
            code="content-damaged",
            path=entry.path,
        )


def _naming(error: ArtstoreError, entry: Entry) -> ArtstoreError:
    return type(error)(
        f"{entry.path} cannot be restored: {error.message}",
        code=error.code,
        hint="`art check --read-data` shows all that is damaged",
        **{**error.context, "path": entry.path},
    )


def _content_error(entry: Entry, found: bytes) -> DamagedDataError:
    return DamagedDataError(
        f"{entry.path} cannot be restored: its bytes have digest {found.hex()}, "
        f"not {entry.digest.hex()}",
        code="content-damaged",
        path=entry.path,
        expected=entry.digest.hex(),
        found=found.hex(),
    )

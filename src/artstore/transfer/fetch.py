"""
Writing files of a version into a directory, straight from the packs.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from artstore import limits
from artstore.digest import Buffer, Hasher
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    LimitExceededError,
    UnsupportedFormatError,
)
from artstore.manifests.entry import DIRECTORY, FILE, REFERENCE, SYMLINK, Entry
from artstore.manifests.reader import Manifest
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import batches, decode_ref
from artstore.transfer.cachefill import CacheFiller
from artstore.transfer.hashing import read_blocks
from artstore.transfer.links import LinkMode
from artstore.transfer.oldfile import OldFile, OldFileDiffersError, OldRange
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import ProgressMeter
from artstore.transfer.target import TargetDirectory

__all__ = ["Fetcher", "file_buffers"]

_SMALL_BYTES: Final = 4 * limits.MIB
_BATCH_BYTES: Final = 2 * limits.MIB
_BATCH_FILES: Final = 64
_AHEAD_BATCHES: Final = 8
_BAD_CONTENT: Final = (DamagedDataError, LimitExceededError, UnsupportedFormatError)


ReadStored = Callable[[Sequence[ChunkRef]], list[Buffer]]
"""The stored form of chunks, in order."""


class Fetcher:
    """
    Writes entries into a target: small files many at a time, large ones in a stream.

    Args:
        base: the version checked out there before, if that is known; chunks
            that the old file has are read from it and not from the store.
        link: one of `pull.LINK_MODES`.
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
    ) -> None:
        self._place = place
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
        self._pending: deque[tuple[list[Entry], Future[int]]] = deque()
        self.read_bytes = 0

    def run(self, entries: Sequence[Entry]) -> None:
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
                if entry.kind in (DIRECTORY, SYMLINK, REFERENCE):
                    self._write_other(entry)
                elif entry.size_bytes > _SMALL_BYTES or entry.level:
                    self._write_large(entry)
                else:
                    batch.append(entry)
                    batch_bytes += entry.size_bytes
                    if batch_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
                        self._submit(batch)
                        batch, batch_bytes = [], 0
            if batch:
                self._submit(batch)
            while self._pending:
                self._settle()
        finally:
            for _, future in self._pending:
                future.cancel()

    # small files -------------------------------------------------------------------

    def _submit(self, batch: list[Entry]) -> None:
        self._pending.append((batch, self._workers.submit(self._write_batch, batch)))
        while len(self._pending) > _AHEAD_BATCHES:
            self._settle()

    def _settle(self) -> None:
        batch, future = self._pending.popleft()
        self.read_bytes += future.result()
        self._meter.add(len(batch), sum(entry.size_bytes for entry in batch))

    def _write_batch(self, batch: list[Entry]) -> int:
        for entry in batch:
            _check_lengths(entry)
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

    def _write_large(self, entry: Entry) -> None:
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

    def _large_buffers(self, entry: Entry, old: OldFile | None) -> Iterator[Buffer]:
        refs = self._manifest.chunks(entry)
        for buffer in file_buffers(entry, refs, self._stored, self._workers, old):
            self._meter.add(0, len(buffer))
            yield buffer

    def _stored(self, refs: Sequence[ChunkRef]) -> list[Buffer]:
        self.read_bytes += sum(ref.stored_bytes for ref in refs)
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
        else:
            self._write_reference(entry)

    def _write_reference(self, entry: Entry) -> None:
        parts = urlsplit(entry.url)
        if parts.scheme != "file" or "content_digest" not in entry.extra:
            self._warn(f"{entry.path} is a reference to {entry.url}, which is not fetched")
            return
        source = Path(unquote(parts.path))
        self._target.write_file(entry.path, _reference_buffers(entry, source))
        self._meter.add(1, entry.size_bytes)


def file_buffers(
    entry: Entry,
    refs: Iterator[ChunkRef],
    read_stored: ReadStored,
    workers: Executor | None,
    old: OldFile | None = None,
) -> Iterator[Buffer]:
    """
    The plain bytes of a large file in order; the digest of the whole is checked at the end.

    Each window is fetched by a worker while the one before is hashed and written.

    Raises:
        DamagedDataError: with `path`; what was yielded before must be thrown away.
    """
    hasher = Hasher()
    try:
        if old is None:
            parts = _stored_parts(refs, read_stored, workers)
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


def _mixed_parts(
    refs: Iterator[ChunkRef], read_stored: ReadStored, old: OldFile
) -> Iterator[Buffer]:
    for piece in old.pieces(refs):
        if isinstance(piece, OldRange):
            yield from old.read(piece)
        else:
            yield from _decoded_window(piece, read_stored(piece))


def _stored_parts(
    refs: Iterator[ChunkRef], read_stored: ReadStored, workers: Executor | None
) -> Iterator[Buffer]:
    coming: deque[tuple[list[ChunkRef], Future[list[Buffer]]]] = deque()
    for window in batches(refs):
        if workers is None:
            yield from _decoded_window(window, read_stored(window))
            continue
        coming.append((window, workers.submit(read_stored, window)))
        if len(coming) > 1:
            ready, future = coming.popleft()
            yield from _decoded_window(ready, future.result())
    for ready, future in coming:
        yield from _decoded_window(ready, future.result())


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


def _reference_buffers(entry: Entry, source: Path) -> Iterator[Buffer]:
    hasher = Hasher()
    total = 0
    try:
        # A hostile reference may name a pipe, which must not hang, or a device,
        # which would never end.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
            for block in read_blocks(descriptor):
                total += len(block)
                if total > entry.size_bytes:
                    break
                hasher.update(block)
                yield block
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DamagedDataError(
            f"{entry.path} refers to {entry.url}, which cannot be read: {reason}",
            code="reference-unreadable",
            path=entry.path,
        ) from error
    if total > entry.size_bytes or hasher.digest() != entry.digest:
        raise DamagedDataError(
            f"{entry.path} refers to {entry.url}, whose content has changed",
            code="reference-changed",
            path=entry.path,
            expected=entry.digest.hex(),
            found=hasher.digest().hex(),
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

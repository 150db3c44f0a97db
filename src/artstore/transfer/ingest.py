"""
Reading one source file: its digest, its chunks, and whether it held still meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from artstore import clock, limits
from artstore.chunks import codec
from artstore.chunks.cut import Cutter
from artstore.digest import EMPTY, Buffer, digest_of
from artstore.errors import ArtstoreError, StateError
from artstore.transfer.walk import Found, source_error

__all__ = [
    "WHOLE_READ_BYTES",
    "FreshChunk",
    "Ingested",
    "IsKnown",
    "changing_error",
    "chunk_whole",
    "cut_chunks",
    "open_source",
    "read_whole",
    "source_changed",
]

WHOLE_READ_BYTES: Final = 4 * limits.MIB
"""Files up to this size are read in one call by one worker; larger ones in windows."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_ATTEMPTS: Final = 2
_GROWN_BYTES: Final = 4 * WHOLE_READ_BYTES
"""A file that was small when it was found and is larger now is not read in one call."""

IsKnown = Callable[[bytes], bool]
"""Whether a chunk of this digest need not be stored; may be asked by many threads."""


class FreshChunk(NamedTuple):
    """A chunk as read: `stored` is None when the store is known to have it."""

    digest: bytes
    plain_bytes: int
    codec: int
    stored: Buffer | None


class Ingested(NamedTuple):
    """A file as read: what the manifest and the stat cache want to know."""

    digest: bytes
    size_bytes: int
    executable: bool
    status: os.stat_result
    began_ns: int
    chunks: list[FreshChunk]


class _Cutters:
    """A cutter a thread; made on the first file that needs one."""

    def __init__(self) -> None:
        import threading

        self._local = threading.local()

    def get(self) -> Cutter:
        cutter: Cutter | None = getattr(self._local, "cutter", None)
        if cutter is None:
            cutter = self._local.cutter = Cutter()
        return cutter


_cutters = _Cutters()


def open_source(found: Found) -> int:
    """
    A descriptor of the file that was found; never a link, never a pipe.

    Raises:
        InvalidInputError: `source-vanished`, `source-unreadable`.
        StateError: `source-changed`, it is no regular file any more.
    """
    try:
        # O_NONBLOCK: a pipe that took the file's place must not hang the push.
        descriptor = os.open(found.location, _FLAGS)
        status = os.fstat(descriptor)
        if (status.st_ino, status.st_dev) != (found.inode, found.device):
            # Replaced since the walk: fine if by a file, not by a link to one.
            status = os.stat(found.location, follow_symlinks=False)
    except OSError as error:
        raise source_error(error, found.location) from error
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise StateError(
            f"{found.location} was a file and is none any more",
            code="source-changed",
            path=found.location,
        )
    return descriptor


def read_whole(found: Found, is_known: IsKnown) -> Ingested:
    """
    Read, hash and encode a file of at most `WHOLE_READ_BYTES`.

    Raises:
        StateError: `source-changed`, when it changes at every attempt.
        InvalidInputError: as `open_source`.
    """
    descriptor = open_source(found)
    try:
        for _ in range(_ATTEMPTS):
            began_ns = clock.now_nanoseconds()
            before = os.fstat(descriptor)
            if before.st_size > _GROWN_BYTES:
                break
            # One byte more than expected shows a file that grew.
            data = os.pread(descriptor, before.st_size + 1, 0)
            after = os.fstat(descriptor)
            if len(data) == before.st_size and not source_changed(before, after):
                digest, chunks = chunk_whole(data, is_known)
                executable = bool(after.st_mode & stat.S_IXUSR)
                return Ingested(digest, len(data), executable, after, began_ns, chunks)
    except OSError as error:
        raise source_error(error, found.location) from error
    finally:
        os.close(descriptor)
    raise changing_error(found)


def chunk_whole(data: bytes, is_known: IsKnown) -> tuple[bytes, list[FreshChunk]]:
    """The digest of a file that is in memory, and its chunks."""
    if not data:
        return EMPTY, []
    digest = digest_of(data)
    if len(data) <= limits.CHUNK_CUT_MIN_BYTES:
        return digest, [_fresh(data, digest, is_known)]
    view = memoryview(data)
    lengths = _cutters.get().lengths(view, final=True)
    if len(lengths) == 1:
        return digest, [_fresh(data, digest, is_known)]
    return digest, list(cut_chunks(view, lengths, is_known))


def cut_chunks(view: memoryview, lengths: list[int], is_known: IsKnown) -> Iterator[FreshChunk]:
    """The chunks of a window, hashed and encoded; raw ones are views of it."""
    start = 0
    for length in lengths:
        piece = view[start : start + length]
        start += length
        yield _fresh(piece, digest_of(piece), is_known)


def _fresh(plain: Buffer, digest: bytes, is_known: IsKnown) -> FreshChunk:
    if is_known(digest):
        return FreshChunk(digest, len(plain), codec.RAW, None)
    coding, stored = codec.encode(plain)
    return FreshChunk(digest, len(plain), coding, stored)


def source_changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was written to between two looks at it."""
    return (
        before.st_size != after.st_size
        or before.st_mtime_ns != after.st_mtime_ns
        or before.st_ctime_ns != after.st_ctime_ns
    )


def changing_error(found: Found) -> ArtstoreError:
    """The error for a file that is being written to."""
    return StateError(
        f"{found.location} changed while it was read, twice",
        code="source-changed",
        hint="push again when nothing writes to it",
        path=found.location,
    )

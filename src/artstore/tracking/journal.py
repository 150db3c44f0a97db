"""
The journal of a run on this machine: a file of blocks that one process appends to.

    journal.log   the blocks (`artstore.runs.journalblocks`)
    lock          held with `flock` for as long as the process lives

What `append` has written survives `kill -9`; it is not synced, so a machine that loses power
may lose what its kernel had not written yet.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from artstore import clock, forks
from artstore.errors import StateError
from artstore.runs.journalblocks import HEADER_BYTES, encode_block, kind_of_block, read_header
from artstore.storage.durable import translate
from artstore.tracking.statehome import JOURNALS

__all__ = ["JOURNALS", "JournalReader", "JournalWriter", "is_alive", "unfinished"]

_LOG: Final = "journal.log"
_LOCK: Final = "lock"
_BUFFER_BYTES: Final = 1 << 20
_TRIES: Final = 20
_BETWEEN_TRIES_SECONDS: Final = 0.01
"""`is_alive` of another process holds the lock for some microseconds."""


class JournalWriter:
    """
    Appends to the journal in a directory, which is made; one thread at a time.

    A journal that is there is gone on with. What of it cannot be read is cut off, and kept
    beside it as `journal.log.<offset>` unless it is just the block at which a process died.

    Raises:
        StateError: `journal-in-use`: its process is alive.
        StorageError: `storage-denied`, `-full`, `-failed`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._generation = forks.generation()
        self._log = self._lock = -1
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _opened(directory / _LOCK)
            _take(self._lock, directory)
            self._log = _opened(directory / _LOG)
            self._end = self._cut()
        except OSError as error:
            self.close()
            raise translate(error, "open the journal of a run", str(directory)) from error
        except BaseException:
            self.close()
            raise

    @property
    def end_offset(self) -> int:
        """Where the next block goes."""
        return self._end

    def append(self, kind: str, payload: bytes) -> int:
        """
        Write a block; returns the offset behind it.

        After a failure nothing of it counts: the next block takes its place. In a forked child
        nothing is written.

        Raises:
            LimitExceededError: `value-invalid`: 4 GiB and more.
            StateError: `journal-in-use`: it is closed.
            StorageError: `storage-full`, `-denied`, `-failed`.
        Cost: 20 us and 1 s for some GB; no sync.
        """
        if self._generation != forks.generation():
            return self._end
        if self._log < 0:
            raise StateError(f"the journal in {self.directory} is closed", code="journal-in-use")
        block = encode_block(kind, payload)
        try:
            # By offset: a try after a failure, or after a disk that took a part, writes over it.
            _write_at(self._log, block, self._end)
        except OSError as error:
            raise translate(error, "write the journal of a run", str(self.directory)) from error
        self._end += len(block)
        return self._end

    def close(self) -> None:
        """Let go of the journal; another process may take it up. Does nothing the second time."""
        is_ours = self._generation == forks.generation()
        if is_ours and self._lock >= 0:
            # Said outright: closing does not do it while a child just forked has the file open.
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)
        log, lock, self._log, self._lock = self._log, self._lock, -1, -1
        if not is_ours:
            return
        with forks.held_off():
            for descriptor in (log, lock):
                if descriptor >= 0:
                    forks.keep_in_child(descriptor)
                    os.close(descriptor)

    def _cut(self) -> int:
        reader = JournalReader(self.directory / _LOG)
        for _ in reader.blocks():
            pass
        if reader.damage is not None:
            rest = self.directory / f"{_LOG}.{reader.end_offset}"
            with suppress(OSError), open(self.directory / _LOG, "rb") as damaged:
                damaged.seek(reader.end_offset)
                rest.write_bytes(damaged.read())
        os.ftruncate(self._log, reader.end_offset)
        return reader.end_offset


class JournalReader:
    """
    Reads a journal, also while it is being written.

    Attributes:
        end_offset: all before it is whole; where to go on later.
        is_torn: whether a block begins there that the file does not hold to its end.
        damage: what is wrong there, if it is something else; nothing behind it is read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.end_offset = 0
        self.is_torn = False
        self.damage: str | None = None

    def blocks(self, offset: int = 0) -> Iterator[tuple[int, str, bytes]]:
        """
        Yield (offset behind the block, kind, payload) of each block from `offset` on.

        Ends at the first block that is not whole; the attributes tell why.

        Args:
            offset: where a block begins.
        Raises:
            UnsupportedFormatError: `format-unsupported`: a newer release has written it.
            StorageError: the file cannot be read.
        Cost: memory for one block. 3 us a block; 1 s for some GB.
        """
        self.end_offset, self.is_torn, self.damage = offset, False, None
        try:
            with open(self._path, "rb", buffering=_BUFFER_BYTES) as file:
                file.seek(offset)
                while (block := self._next(file)) is not None:
                    yield block
        except FileNotFoundError:
            return
        except OSError as error:
            raise translate(error, "read the journal of a run", str(self._path)) from error

    def _next(self, file: IO[bytes]) -> tuple[int, str, bytes] | None:
        header = file.read(HEADER_BYTES)
        if not header:
            return None
        length = read_header(header) if len(header) == HEADER_BYTES else 0
        if length is None:
            self._stop("no block begins there")
            return None
        behind = self.end_offset + HEADER_BYTES + length
        # Asked for each block: of a length that is not true nothing is allocated.
        if len(header) < HEADER_BYTES or behind > os.fstat(file.fileno()).st_size:
            self.is_torn = True
            return None
        payload = file.read(length)
        kind = kind_of_block(header, payload)
        if kind is None:
            self._stop("the checksum of a block is another one")
            return None
        self.end_offset = behind
        return behind, kind, payload

    def _stop(self, found: str) -> None:
        self.damage = f"{self._path} is damaged at byte {self.end_offset:,}: {found}"


def is_alive(directory: Path) -> bool:
    """
    Whether the process that writes the journal in `directory` lives.

    On a disk without locks nobody can tell: True.
    """
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two who ask do not take each other for the writer.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def unfinished(state_dir: Path) -> list[Path]:
    """The directories of journals whose process is gone; who has brought one home removes it."""
    logs = sorted((state_dir / JOURNALS).glob(f"*/{_LOG}"))
    return [log.parent for log in logs if not is_alive(log.parent)]


def _opened(path: Path) -> int:
    # A child would write into the journal, and keep the lock of a parent that has died.
    with forks.held_off():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        forks.close_in_child(descriptor)
    return descriptor


def _take(lock: int, directory: Path) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            clock.sleep(_BETWEEN_TRIES_SECONDS)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                return
            raise
    raise StateError(
        f"the journal in {directory} is being written by another process",
        code="journal-in-use",
        hint="wait for its end; a journal is taken up when its process is gone",
        path=str(directory),
    )


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written

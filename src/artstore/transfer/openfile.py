"""
A file of a version as Python's readers want it: `read`, `seek`, `tell`, `peek`, lines.

Reading here and there fetches the chunks that are needed and nothing ahead of
them. Reading on and on fetches ahead, in threads, the further the longer it
goes on: what is fetched in vain is never more than a quarter of what was used,
until so much was read that the end of the file is what is meant.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol

from artstore import forks, limits
from artstore.manifests.entry import Entry
from artstore.transfer.randomread import Piece, RangeReader, RangeRequest, join_pieces

__all__ = ["ArtifactFile", "ChunkedContent", "FileContent"]

_AHEAD_AFTER_BYTES: Final = 256 * limits.KIB
_GENEROUS_AFTER_BYTES: Final = 4 * limits.MIB
_AHEAD_MAX_BYTES: Final = 16 * limits.MIB
_WINDOW_BYTES: Final = 4 * limits.MIB
_WORKERS: Final = 4


class FileContent(Protocol):
    """Where the bytes of one file come from. For several threads at once."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        ...

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """Pieces that cover a range; the first may begin before it, the last end behind it."""
        ...

    def can_load(self) -> bool:
        """Whether what was read once is kept for the next reader, so that loading ahead helps."""
        ...

    def end_of_piece(self, at: int) -> int:
        """Where the piece ends that holds byte `at`."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class ChunkedContent(FileContent):
    """
    The bytes of a file that lies in packs.

    Args:
        reader: of this process; asked for at each read, since a fork makes a new one.
    """

    def __init__(self, entry: Entry, reader: Callable[[], RangeReader]) -> None:
        self._entry = entry
        self._reader = reader

    @property
    def size_bytes(self) -> int:
        """As the manifest says."""
        return self._entry.size_bytes

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """The chunks that cover a range."""
        return self._reader().pieces(RangeRequest(self._entry, start, stop))

    def can_load(self) -> bool:
        """Chunks are kept."""
        return True

    def end_of_piece(self, at: int) -> int:
        """Where the chunk ends."""
        return self._reader().end_of_chunk(self._entry, at)

    def close(self) -> None:
        """Nothing is open."""


class _Window(NamedTuple):
    start: int
    stop: int
    future: Future[Any]


class _Held(NamedTuple):
    """The piece that was read last: many small reads are served from it."""

    offset_bytes: int
    data: bytes


class ArtifactFile(io.BufferedIOBase):
    """
    A file of a version, opened for reading. One thread moves in it at a time.

    Attributes:
        size: in bytes.
        name: the path in the version.
    Raises:
        DamagedDataError: out of every read; wrong bytes are never given.
    """

    def __init__(
        self, name: str, source: FileContent, reopen: tuple[Callable[..., Any], Any]
    ) -> None:
        super().__init__()
        self.name = name
        self.mode = "rb"
        self._source = source
        self._reopen = reopen
        self._at = 0
        self._piece = _Held(0, b"")
        self._run_start = 0
        self._run_end = 0
        self._fetch_count = 0
        self._windows: deque[_Window] = deque()
        self._ahead_to = 0
        self._workers: ThreadPoolExecutor | None = None
        self._generation = forks.generation()
        self._lock = forks.new_lock()

    def __repr__(self) -> str:
        return f"<file {self.name!r} of {self.size} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        make, arguments = self._reopen
        return _opened_at, (make, arguments, self._at)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._source.size_bytes

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        self._check_open()
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move; past the end is allowed, and gives nothing."""
        self._check_open()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}.get(whence)
        if base is None:
            raise ValueError(f"whence is 0, 1 or 2, not {whence}")
        if base + offset < 0:
            raise ValueError(f"there is no position {base + offset}")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly `size` bytes, fewer only at the end; all that is left by default."""
        with self._lock:
            self._check_open()
            stop = self.size if size is None or size < 0 else min(self.size, self._at + size)
            return self._take(stop)

    def read1(self, size: int = -1, /) -> bytes:
        """What is at hand, or the next piece; at most `size` bytes."""
        with self._lock:
            end = self._end_of_piece()
            return self._take(end if size < 0 else min(end, self._at + size))

    def peek(self, size: int = 0, /) -> bytes:
        """Some of the bytes that the next read gives, without moving."""
        with self._lock:
            stop = min(self._end_of_piece(), self._at + max(size, io.DEFAULT_BUFFER_SIZE))
            begin, data = self._piece
            return data[self._at - begin : stop - begin]

    def readline(self, size: int | None = -1, /) -> bytes:
        """To the next line feed, with it; at most `size` bytes."""
        parts: list[bytes] = []
        left = self.size if size is None or size < 0 else size
        with self._lock:
            while left:
                end = self._end_of_piece()
                begin, data = self._piece
                last = min(end, self._at + left)
                found = data.find(b"\n", self._at - begin, last - begin)
                part = self._take(last if found < 0 else begin + found + 1)
                parts.append(part)
                left -= len(part)
                if found >= 0 or not part:
                    break
        return b"".join(parts)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; how many bytes it took."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readinto1(self, buffer: Any, /) -> int:
        """As `readinto`, with what is at hand."""
        view = memoryview(buffer).cast("B")
        data = self.read1(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Stop reading ahead; what is under way is not waited for."""
        if not self.closed:
            with self._lock:
                self._drop_windows()
                if self._workers is not None and self._generation == forks.generation():
                    self._workers.shutdown(wait=False, cancel_futures=True)
                self._workers = None
                self._piece = _Held(0, b"")
                self._source.close()
        super().close()

    # fetching ------------------------------------------------------------------------

    def _take(self, stop: int) -> bytes:
        """The bytes from here to `stop`, and move there."""
        start = self._at
        if stop <= start:
            return b""
        self._at = stop
        begin, data = self._piece
        if begin <= start and stop <= begin + len(data):
            if start == self._run_end:
                self._run_end = stop
            return data[start - begin : stop - begin]
        try:
            return join_pieces(self._fetch(start, stop), start, stop)
        except BaseException:
            self._at = start
            raise

    def _end_of_piece(self) -> int:
        """Where the piece ends that holds the next byte; it is fetched if it is not at hand."""
        self._check_open()
        begin, data = self._piece
        if self._at >= self.size:
            return self._at
        if not begin <= self._at < begin + len(data):
            self._fetch(self._at, self._at + 1)
            # Not read yet: the run goes on from here.
            self._run_end = self._at
            begin, data = self._piece
        return begin + len(data)

    def _fetch(self, start: int, stop: int) -> list[Piece]:
        if start != self._run_end or not self._fetch_count:
            # Somewhere else: what was fetched ahead is not wanted.
            self._run_start, self._fetch_count = start, 0
            self._drop_windows()
        self._fetch_count += 1
        self._run_end = stop
        self._wait_for(start, stop)
        pieces = self._source.pieces(start, stop)
        begin, data = pieces[-1]
        self._piece = _Held(begin, bytes(data))
        self._read_ahead(stop)
        return pieces

    def _wait_for(self, start: int, stop: int) -> None:
        if self._generation != forks.generation():
            # Threads do not come along into a forked child.
            self._windows.clear()
            self._workers, self._ahead_to = None, 0
            self._generation = forks.generation()
        while self._windows and self._windows[0].start < stop:
            window = self._windows.popleft()
            if window.stop > start:
                # Whatever went wrong there is raised by the read itself.
                window.future.exception()

    def _read_ahead(self, stop: int) -> None:
        run = stop - self._run_start
        # One read, however large, says nothing of where the next one will be.
        if run < _AHEAD_AFTER_BYTES or self._fetch_count < 2 or not self._source.can_load():
            return
        ahead = run if run >= _GENEROUS_AFTER_BYTES else run // 4
        end = min(self.size, stop + min(ahead, _AHEAD_MAX_BYTES))
        begin = max(stop, self._ahead_to, self._piece.offset_bytes + len(self._piece.data))
        # Not a bit at a time: each window is a request.
        if end - begin < min(_WINDOW_BYTES, ahead // 2) and end < self.size:
            return
        if self._workers is None:
            self._workers = ThreadPoolExecutor(_WORKERS, "artstore-ahead")
        while begin < end:
            # To the end of a chunk, or two windows would fetch the one between them.
            until = self._source.end_of_piece(min(begin + _WINDOW_BYTES, end) - 1)
            future = self._workers.submit(self._source.pieces, begin, until)
            self._windows.append(_Window(begin, until, future))
            begin = until
        self._ahead_to = max(self._ahead_to, begin)

    def _drop_windows(self) -> None:
        for window in self._windows:
            window.future.cancel()
        self._windows.clear()
        self._ahead_to = 0

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")


def _opened_at(make: Callable[..., ArtifactFile], arguments: Any, at: int) -> ArtifactFile:
    file = make(*arguments)
    file.seek(at)
    return file

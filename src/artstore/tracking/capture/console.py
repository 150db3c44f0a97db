"""
What a program prints: shown as ever, and kept beside.

`wrap` stands in front of `write` of the two streams of Python, so that the streams stay
what they are (`isatty`, `fileno`, `encoding`, `buffer`; loggers that hold one are heard).
`redirect` takes the two descriptors instead and hears libraries in C and child processes
too. Writing costs an append; lines are folded, masked and handed on by `drain`, in the
thread of whoever calls it.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal

from artstore import clock, forks
from artstore.runs.printedtext import without_colours
from artstore.tracking.capture import secrets
from artstore.tracking.capture.lines import LineFolder
from artstore.tracking.capture.redirect import Redirect
from artstore.tracking.notebooks import on_each_cell, write_below_cell
from artstore.tracking.telling import past

__all__ = ["BURST_BYTES", "RATE_BYTES", "Console", "Mode"]

Mode = Literal["wrap", "redirect", "off"]

RATE_BYTES: Final = 16 * 1024
"""Kept of the console a second, in the long run: 1.4 GB a day at the very most."""
BURST_BYTES: Final = 2 * 1024 * 1024
"""Kept at once, after a quiet time."""

_WAITING_CHARS: Final = 1024 * 1024
"""Waiting to be folded; with more the writer folds by itself."""
_MOST_WAITING_CHARS: Final = 8 * 1024 * 1024
_LAST_LINES: Final = 100
"""Kept of what was left out, for the end: the traceback of a program that printed too much."""
_STREAMS: Final = ("stdout", "stderr")


class Console:
    """
    Keeps what this process prints from `start` to `close`.

    Several may be open at once (a run within a run): each hears everything. They are
    closed in any order, whoever else has wrapped the streams meanwhile. In a forked
    child it does nothing but let through.
    """

    def __init__(
        self,
        sink: Callable[[str, str], None],
        *,
        mode: Mode = "wrap",
        mask: Callable[[str], str] = secrets.mask_known,
        rate_bytes: int = RATE_BYTES,
        burst_bytes: int = BURST_BYTES,
    ) -> None:
        """
        Args:
            sink: called by `drain` with `stdout` or `stderr` and lines, each ending in a
                newline. What it raises is swallowed: printing never fails for it.
            mask: takes secrets out of what is handed on.
        """
        self._sink, self._mode, self._mask = sink, mode, mask
        self._rate_bytes, self._burst_bytes = rate_bytes, burst_bytes
        self._generation = forks.generation()
        self._waiting: deque[tuple[str, str]] = deque()
        self._waiting_chars = 0
        self._drain_lock = threading.Lock()
        self._folders = {name: LineFolder(with_colours=True) for name in _STREAMS}
        self._allowed_bytes = float(burst_bytes)
        self._allowed_at = clock.monotonic_seconds()
        self._left_out: dict[str, _LeftOut] = {name: _LeftOut() for name in _STREAMS}
        self._is_closed = False
        self._tees: list[_Tee] = []
        self._redirects: list[Redirect] = []
        self._past: Any = None
        self._end_of_cells: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to listen. Streams that are not there, or cannot be wrapped, are left alone."""
        for name in _STREAMS:
            if self._mode == "wrap":
                self._stand_before(name)
            elif self._mode == "redirect":
                redirect = Redirect.begin(getattr(sys, name, None), self._taker(name))
                if redirect is not None:
                    self._redirects.append(redirect)
                    self._lead_past(name, redirect.write_past)

        if self._tees:
            self._end_of_cells = on_each_cell(self._stand_before_cell)

    def _stand_before(self, name: str) -> None:
        tee = _Tee.put_on(getattr(sys, name, None), name, self)
        if tee is not None:
            self._tees.append(tee)
            self._lead_past(name, tee.write)

    def _stand_before_cell(self) -> None:
        for tee in [tee for tee in self._tees if tee.is_lost()]:
            self._tees.remove(tee)
            self._stand_before(tee.name)

    def take(self, stream: str, text: str) -> None:
        """Note what was written to a stream; for whoever writes to it past Python."""
        # No lock: a signal handler may print while its thread is in here.
        if self._generation != forks.generation():
            return
        self._waiting.append((stream, text))
        self._waiting_chars += len(text)
        if self._waiting_chars > _WAITING_CHARS:
            self.drain()
            if self._waiting_chars > _MOST_WAITING_CHARS:
                # Somebody else folds, and is slower than this program prints.
                self._forget_oldest()

    def drain(self) -> None:
        """
        Hand on the lines that are finished; at once if another thread does so already.

        Cost: some microseconds a line, in the calling thread.
        """
        self._drain(is_last=False)

    def close(self) -> None:
        """Stop listening, put the streams back as they were, hand on what is left. Idempotent."""
        self._end_of_cells()
        for tee in reversed(self._tees):
            tee.take_off()
        for redirect in reversed(self._redirects):
            redirect.end()
        if self._past in past:
            past.remove(self._past)
        if not self._is_closed:
            self._is_closed = True
            self._drain(is_last=True)

    def _lead_past(self, name: str, write: Callable[[str], Any]) -> None:
        # What artstore itself says is not what the program printed.
        if name == "stderr":
            if self._past in past:
                past.remove(self._past)
            self._past = write
            past.append(write)

    def _taker(self, name: str) -> Callable[[str], None]:
        return lambda text: self.take(name, text)

    def _drain(self, *, is_last: bool) -> None:
        if self._generation != forks.generation():
            return
        # The last one waits for a drain under way, but not for ever.
        if not self._drain_lock.acquire(timeout=5.0 if is_last else 0):
            return
        try:
            with suppress(Exception):
                self._fold()
            for name in _STREAMS:
                with suppress(Exception):
                    self._hand_on(name, self._folders[name].take(with_last=is_last))
                    if is_last:
                        self._tell_end(name)
        finally:
            self._drain_lock.release()

    def _fold(self) -> None:
        # In long pieces: a step for each of them costs more than its characters.
        together: list[str] = []
        stream = ""
        while self._waiting:
            try:
                name, text = self._waiting.popleft()
            except IndexError:
                break
            if name != stream and together:
                self._folders[stream].feed("".join(together))
                together.clear()
            stream = name
            together.append(text)
        if together:
            self._folders[stream].feed("".join(together))
        self._waiting_chars = 0

    def _forget_oldest(self) -> None:
        with suppress(IndexError):
            while self._waiting_chars > _WAITING_CHARS:
                stream, text = self._waiting.popleft()
                self._waiting_chars -= len(text)
                self._left_out[stream].add_uncounted(text)

    def _hand_on(self, name: str, lines: list[str]) -> None:
        if not lines:
            return
        text = self._masked("\n".join(lines))
        gap, kept = self._left_out[name], list[str]()
        if not gap.lines and self._is_allowed(len(text.encode("utf-8", "replace")) + 1):
            self._sink(name, text + "\n")
            return
        lines = text.split("\n")
        for line in lines:
            if self._is_allowed(len(line.encode("utf-8", "replace")) + 1):
                if gap.lines:
                    kept.append(gap.told(self._rate_bytes))
                    gap.reset()
                kept.append(line)
            else:
                gap.add(line)
        if kept:
            self._sink(name, "\n".join(kept) + "\n")

    def _masked(self, text: str) -> str:
        """Without secrets; of all lines together, so that one of several lines is one."""
        # Colours in the middle of a secret hide it: where there is one, they go.
        plain = without_colours(text)
        masked = self._mask(plain)
        return text if masked == plain else masked

    def _is_allowed(self, size_bytes: int) -> bool:
        now = clock.monotonic_seconds()
        self._allowed_bytes = min(
            self._allowed_bytes + (now - self._allowed_at) * self._rate_bytes,
            float(self._burst_bytes),
        )
        self._allowed_at = now
        if size_bytes > self._allowed_bytes:
            return False
        self._allowed_bytes -= size_bytes
        return True

    def _tell_end(self, name: str) -> None:
        gap = self._left_out[name]
        if not gap.lines:
            return
        last = list(gap.last)
        gap.lines -= len(last)
        gap.size_bytes -= sum(len(line) + 1 for line in last)
        told = [gap.told(self._rate_bytes)] if gap.lines > 0 else []
        gap.reset()
        self._sink(name, "\n".join([*told, *last]) + "\n")


class _LeftOut:
    """Lines that were too many."""

    def __init__(self) -> None:
        self.last: deque[str] = deque(maxlen=_LAST_LINES)
        self.reset()

    def reset(self) -> None:
        self.lines = 0
        self.size_bytes = 0
        self.last.clear()

    def add(self, line: str) -> None:
        self.lines += 1
        self.size_bytes += len(line) + 1
        self.last.append(line)

    def add_uncounted(self, text: str) -> None:
        self.lines += max(1, text.count("\n"))
        self.size_bytes += len(text)

    def told(self, rate_bytes: int) -> str:
        return (
            f"[artstore: {self.lines} lines ({max(self.size_bytes, 0)} bytes) are left out here: "
            f"more than {rate_bytes} bytes a second]"
        )


class _Tee:
    """Stands in front of `write` of one stream."""

    def __init__(self, stream: Any, name: str, console: Console) -> None:
        self.stream, self.name = stream, name
        self.console: Console | None = console
        self.had_own = "write" in getattr(stream, "__dict__", {})
        self.write: Callable[[Any], Any] = stream.write

    @classmethod
    def put_on(cls, stream: Any, name: str, console: Console) -> _Tee | None:
        try:
            tee = cls(stream, name, console)
            stream.write = tee
        except Exception:  # noqa: BLE001 - no stream, or one of another kind: it is left alone
            return None
        return tee

    def __call__(self, text: Any) -> Any:
        # First what the program wanted, with whatever it raises.
        written = self.write(text)
        console = self.console
        if console is not None and isinstance(text, str):
            with suppress(Exception):
                console.take(self.name, text)
        return written

    def is_in_front(self) -> bool:
        return getattr(self.stream, "__dict__", {}).get("write") is self

    def is_lost(self) -> bool:
        """Whether the end of a cell of a notebook has put another `write` in its place."""
        write = getattr(self.stream, "__dict__", {}).get("write")
        return write is not self and write_below_cell(write) is not self

    def take_off(self) -> None:
        self.console = None
        tee: _Tee | None = self
        # Others that were closed before, while this one stood in front of them, go with it.
        while tee is not None and tee.console is None:
            if not tee.is_in_front():
                # Somebody has wrapped it since, and goes on calling it: it lets through.
                return
            with suppress(Exception):
                if tee.had_own:
                    tee.stream.write = tee.write
                else:
                    del tee.stream.write
            below = tee.write
            tee = below if isinstance(below, _Tee) else None

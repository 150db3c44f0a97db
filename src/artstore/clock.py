"""
Time and randomness, in the one place where tests can replace them.

`use` installs a fixed source for the length of a `with` block; nothing else in
the package calls `time.time`, `os.urandom` or `random` directly.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "Clock",
    "SystemClock",
    "format_time",
    "monotonic_seconds",
    "now_nanoseconds",
    "now_seconds",
    "random_bytes",
    "random_fraction",
    "sleep",
    "use",
]


class Clock:
    """What a source of time and randomness offers."""

    def now_seconds(self) -> float:
        """Seconds since the epoch, UTC."""
        raise NotImplementedError

    def now_nanoseconds(self) -> int:
        """The same moment as the file system writes it: `st_mtime_ns` compares with it."""
        return int(self.now_seconds() * 1e9)

    def monotonic_seconds(self) -> float:
        """Seconds since some moment; setting the clock does not move them."""
        return self.now_seconds()

    def random_bytes(self, count: int) -> bytes:
        """`count` bytes that nobody else will draw."""
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        """Wait."""
        raise NotImplementedError


class SystemClock(Clock):
    """The machine's clock and entropy."""

    def now_seconds(self) -> float:
        return time.time()

    def now_nanoseconds(self) -> int:
        return time.time_ns()

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


_current: Clock = SystemClock()


def now_seconds() -> float:
    """Seconds since the epoch, UTC."""
    return _current.now_seconds()


def now_nanoseconds() -> int:
    """Nanoseconds since the epoch, to compare with the times of files."""
    return _current.now_nanoseconds()


def monotonic_seconds() -> float:
    """Seconds since some moment, to measure lengths of time with."""
    return _current.monotonic_seconds()


def random_bytes(count: int) -> bytes:
    """`count` random bytes; ids of pushes and writes come from here."""
    return _current.random_bytes(count)


def random_fraction() -> float:
    """A number in [0, 1), for jitter; it comes from `random_bytes`, so tests can fix it."""
    # 53 bits are what a float holds: with more, rounding could reach 1.0.
    return (int.from_bytes(random_bytes(7)) >> 3) / 2**53


def sleep(seconds: float) -> None:
    """Wait `seconds`; retries and backoff go through here."""
    _current.sleep(seconds)


def format_time(seconds: float) -> str:
    """`2026-01-31T12:00:00Z`: UTC, whole seconds, sorts as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds)))


@contextmanager
def use(clock: Clock) -> Iterator[Clock]:
    """Replace the clock within the block; for tests."""
    global _current  # noqa: PLW0603 - the one switch there is
    before, _current = _current, clock
    try:
        yield clock
    finally:
        _current = before

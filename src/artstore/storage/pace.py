"""
A storage that moves no more bytes a second than it may.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from artstore import clock
from artstore.digest import Buffer
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Span, Storage, Value
from artstore.storage.values import size_of

__all__ = ["PacedStorage"]

_BURST_SECONDS: Final = 0.25
"""What was not used of the rate is kept for so long."""


class PacedStorage(PassingStorage):
    """
    Keeps the values that go through `inner` below a rate, over all threads together.

    A value is sent at once and paid for by waiting: what comes after it waits
    until the rate holds again. Listings are free.

    Args:
        bytes_per_second: at least 1, both directions together.
    """

    def __init__(self, inner: Storage, *, bytes_per_second: int) -> None:
        if bytes_per_second < 1:
            raise ValueError("bytes_per_second must be at least 1")
        self._inner = inner
        self._bytes_per_second = bytes_per_second
        self._lock = threading.Lock()
        self._free_at_seconds = 0.0

    @property
    def inner(self) -> Storage:
        """The storage that is kept below the rate."""
        return self._inner

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage."""
        self._wait(0)
        data = self._inner.read(key, span)
        self._charge(len(data))
        return data

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """As the inner storage."""
        self._wait(0)
        for data in self._inner.read_many(requests):
            self._wait(len(data))
            yield data

    def create(self, key: str, value: Value) -> None:
        """As the inner storage."""
        self._wait(size_of(value))
        self._inner.create(key, value)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage."""
        self._wait(sum(size_of(value) for _, value in items))
        self._inner.create_many(items)

    def _wait(self, size_bytes: int) -> None:
        """Wait until what went before is paid for, and take `size_bytes` on credit."""
        waiting = self._charge(size_bytes)
        if waiting > 0:
            clock.sleep(waiting)

    def _charge(self, size_bytes: int) -> float:
        with self._lock:
            now = clock.monotonic_seconds()
            start = max(self._free_at_seconds, now - _BURST_SECONDS)
            self._free_at_seconds = start + size_bytes / self._bytes_per_second
            return start - now

"""Machines that reach one store through a fault proxy, and what must hold afterwards."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from artstore.api import Store
from artstore.settings import resolve
from tests.trees import LaterClock

HANG_SECONDS = 120


class SeededClock(LaterClock):
    """
    Waits cost nothing, and random bytes are drawn from a seed: the same keys each time.

    Jitter is drawn apart from ids: how often threads have to wait changes no key.
    """

    def __init__(self, seed: int) -> None:
        self._ids = random.Random(seed)
        self._jitter = random.Random(seed)
        self._lock = threading.Lock()
        self.slept_count = 0

    def random_bytes(self, count: int) -> bytes:
        with self._lock:
            return (self._jitter if count == 7 else self._ids).randbytes(count)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept_count += 1


class Machine:
    """
    A machine with caches of its own, on which processes open the store.

    Args:
        environ: how the bucket is reached: through the proxy, or directly.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        environ: Mapping[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.directory = directory
        self._url = url
        self._environ = environ
        self._monkeypatch = monkeypatch
        self.target = directory / "out"

    def open(self, environ: Mapping[str, str] | None = None) -> Store:
        """The store as a process that starts now opens it."""
        patch = self._monkeypatch
        patch.setenv("ARTSTORE_CACHE_DIR", str(self.directory / "cache"))
        patch.setenv("XDG_STATE_HOME", str(self.directory / "state"))
        for name, value in (environ or self._environ).items():
            patch.setenv(name, value)
        return Store(resolve(self._url, "p"))


class HangError(Exception):
    """Something took longer than anything here may."""


@contextmanager
def no_hang(what: str, seconds: float = HANG_SECONDS) -> Iterator[None]:
    """Raise in the main thread, wherever it waits, when the block does not end."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"{what} did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

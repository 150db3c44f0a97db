"""
Fetching parts of large files before they are asked for, within one bound of memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from typing import Final

from artstore import limits
from artstore.digest import Buffer
from artstore.packs.locator import ChunkRef

__all__ = ["ReadAhead", "ReadStored", "WindowBudget", "made_ahead"]

_MADE_AHEAD_BYTES: Final = 2 * limits.MIB
_ALWAYS: Final = 2
"""Windows that every file may have under way: one being written, one being fetched."""

ReadStored = Callable[[Sequence[ChunkRef]], list[Buffer]]
"""The stored form of chunks, in order."""


def made_ahead(parts: Generator[Buffer, None, None]) -> Iterator[Buffer]:
    """
    `parts`, made by a thread of its own while the caller writes those before.

    Handed over 2 MiB at a time: a handover costs as much as hashing 100 KiB.
    Raises what `parts` raises, in its turn.
    """
    # The thread ends first: a generator that runs cannot be closed.
    with closing(parts), ThreadPoolExecutor(1, "artstore-ahead") as thread:
        coming = thread.submit(_gather, parts)
        while made := coming.result():
            coming = thread.submit(_gather, parts)
            yield from made


def _gather(parts: Iterator[Buffer]) -> list[Buffer]:
    gathered: list[Buffer] = []
    total = 0
    for part in parts:
        gathered.append(part)
        total += len(part)
        if total >= _MADE_AHEAD_BYTES:
            break
    return gathered


class WindowBudget:
    """How many windows may be under way in all files of one transfer; safe between threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, *, at_least: int, has: int) -> bool:
        """One more window for a file that `has` some: always below `at_least`, else if free."""
        with self._lock:
            if has >= at_least and self._taken >= self._count:
                return False
            self._taken += 1
            return True

    def give_back(self, count: int = 1) -> None:
        """Windows are done with."""
        with self._lock:
            self._taken -= count


class ReadAhead:
    """
    Windows of one file, fetched by `workers` and handed over in order.

    Args:
        budget: shared by the files of a transfer; each has two windows at least.
    """

    def __init__(self, workers: Executor, budget: WindowBudget) -> None:
        self._workers = workers
        self._budget = budget

    def run(
        self, windows: Iterator[list[ChunkRef]], read_stored: ReadStored
    ) -> Iterator[tuple[list[ChunkRef], list[Buffer]]]:
        """
        Each window with the stored form of its chunks. Raises what `read_stored` raises.

        Memory: the windows under way.
        """
        coming: deque[tuple[list[ChunkRef], Future[list[Buffer]]]] = deque()
        try:
            while True:
                while self._budget.take(at_least=_ALWAYS, has=len(coming)):
                    window = next(windows, None)
                    if window is None:
                        self._budget.give_back()
                        break
                    coming.append((window, self._workers.submit(read_stored, window)))
                if not coming:
                    return
                window, future = coming[0]
                stored = future.result()
                yield window, stored
                del stored
                coming.popleft()
                self._budget.give_back()
        finally:
            for _, future in coming:
                future.cancel()
            self._budget.give_back(len(coming))

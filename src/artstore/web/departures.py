"""
Visitors who go before their answer is there: nobody needs it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from artstore import forks

__all__ = ["Departure", "watch_departure"]


class Departure:
    """Whether the visitor of one request has gone, and what is to be done then. For threads."""

    def __init__(self) -> None:
        self._lock = forks.new_lock()
        self._is_gone = False
        self._called: list[Callable[[], None]] = []

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, `callback` is called once when the visitor goes, or has gone."""
        with self._lock:
            is_gone = self._is_gone
            self._called.append(callback)
        if is_gone:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._called.remove(callback)

    def leave(self) -> None:
        """The visitor has gone."""
        with self._lock:
            self._is_gone = True
            called = list(self._called)
        for callback in called:
            callback()


async def watch_departure(request: Request, departure: Departure) -> None:
    """Wait until the visitor goes; the body of the request must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    departure.leave()

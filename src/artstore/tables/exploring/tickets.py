"""
Queries that can be stopped: by another thread, or after a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from artstore.errors import ArtstoreError, LimitExceededError, StateError
from artstore.tables.enginelimits import engine_limits, limited_engine

__all__ = ["QueryLimits", "Ticket", "current_ticket", "interruptible"]


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """
    What one request may take.

    Attributes:
        seconds: for all its queries together; None for no limit.
    """

    seconds: float | None = None


_AGAIN_SECONDS: Final = 0.02
_ENDLESS: Final = QueryLimits()


class Ticket:
    """
    Stands for one request: `cancel` from any thread stops what is running for it.

    What runs for it later, in whichever thread, has the limits of the engine that hold here.

    Args:
        limits: counted from here.
    """

    def __init__(self, limits: QueryLimits = _ENDLESS) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Callable[[], None]] = {}
        self._is_cancelled = False
        self._is_late = False
        self._seconds = limits.seconds
        self.engine_limits = engine_limits()
        self._ends = None if limits.seconds is None else time.monotonic() + limits.seconds

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Stop what is running, and let nothing more begin."""
        self._is_cancelled = True
        self._interrupt()

    def check(self) -> None:
        """
        Raises:
            StateError: `query-cancelled`.
            LimitExceededError: `query-too-long`.
        """
        error = self.failure()
        if error is not None:
            raise error

    def failure(self) -> ArtstoreError | None:
        """Why what ran was stopped; None if it was not."""
        if self._is_cancelled:
            return StateError("the query was cancelled", code="query-cancelled")
        if self._is_late or (self._ends is not None and time.monotonic() >= self._ends):
            return LimitExceededError(
                f"the query took longer than {self._seconds:g} seconds, the limit here",
                code="query-too-long",
                hint="filter by fewer conditions, or leave out the sorting",
            )
        return None

    @contextmanager
    def running(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Within the block, `interrupt` is called when time is over or the ticket cancelled."""
        self.check()
        alarm: threading.Timer | None = None
        if self._ends is not None:
            alarm = threading.Timer(max(self._ends - time.monotonic(), 0), self._end)
            alarm.daemon = True
            alarm.start()
        with self._lock:
            self._running[id(interrupt)] = interrupt
        try:
            self.check()
            yield
        finally:
            with self._lock:
                del self._running[id(interrupt)]
            if alarm is not None:
                alarm.cancel()

    def _end(self) -> None:
        self._is_late = True
        self._interrupt()

    def _interrupt(self) -> None:
        with self._lock:
            for interrupt in self._running.values():
                interrupt()
            if self._running:
                # A query that is just about to begin forgets that it was interrupted.
                again = threading.Timer(_AGAIN_SECONDS, self._interrupt)
                again.daemon = True
                again.start()


_NONE: Final = Ticket()
_current: ContextVar[Ticket] = ContextVar("ticket", default=_NONE)


def current_ticket() -> Ticket:
    """The ticket of the block `interruptible` that is running; else one that never ends."""
    return _current.get()


@contextmanager
def interruptible(ticket: Ticket) -> Iterator[Ticket]:
    """
    Queries within the block, in this thread, end when `ticket` is cancelled or its time is over.

    Raises:
        StateError: `query-cancelled`.
        LimitExceededError: `query-too-long`, `query-too-large`.
    """
    token = _current.set(ticket)
    try:
        with limited_engine(ticket.engine_limits):
            yield ticket
    finally:
        _current.reset(token)

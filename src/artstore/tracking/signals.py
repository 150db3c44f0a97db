"""
What a run does when its process is told to end: SIGTERM, and Ctrl-C while it finishes.

SIGTERM: a thread has `on_preempt` called and, once that is done or five seconds have
passed, the signal goes where it would have gone: to the handler there was before, or to
the default, which ends the process. The handler itself does nothing but start that
thread: the main thread may have been interrupted while it held a lock that the flush
needs. A second SIGTERM is not kept waiting.

Ctrl-C is KeyboardInterrupt as ever. While a run finishes it is held back: the first one
says that it waits for the store, the second gives that up and leaves the rest in the
journal for `art run repair`, the third is KeyboardInterrupt at once. Where Ctrl-C is why
the run finishes, that one counts as the first.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from artstore import clock, forks

__all__ = ["FLUSH_SECONDS", "Signals"]

FLUSH_SECONDS: Final = 5.0
"""What a flush may take: schedulers send SIGKILL 10 to 30 seconds after SIGTERM."""

_FIRST_WAKE_SECONDS, _LAST_WAKE_SECONDS = 0.1, 1.0

_WAITING: Final = (
    b"\nart: waiting until the store has the rest of the run; Ctrl-C again leaves it for "
    b"`art run repair`\n"
)


class Signals:
    """
    The handlers of one run; nothing is installed before `install`.

    Runs within runs install theirs one above the other; the inner one hands SIGTERM on to
    the outer one. Handlers that were installed since are left in place by `uninstall`.
    """

    def __init__(
        self,
        on_preempt: Callable[[], None],
        on_second_interrupt: Callable[[], None],
        *,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        """
        Args:
            on_preempt: flushes and marks the run `preempted`; called in a thread, once.
            on_second_interrupt: has `finish` stop waiting; called in a thread, once.
        """
        self._on_preempt = on_preempt
        self._on_second_interrupt = on_second_interrupt
        self._flush_seconds = flush_seconds
        self._generation = forks.generation()
        self._before: Any = None
        self._has_begun = False
        self._is_handed_on = False
        self._is_installed = False

    def install(self) -> bool:
        """
        Take SIGTERM over.

        Returns:
            Whether it was: not outside the main thread, nor where SIGTERM is ignored or
            handled by something that is not Python.
        """
        if self._is_installed or threading.current_thread() is not threading.main_thread():
            return self._is_installed
        before = signal.getsignal(signal.SIGTERM)
        if before is None or before == signal.SIG_IGN:
            return False
        try:
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:
            # The main thread of a subinterpreter is not that of the process.
            return False
        self._before, self._is_installed = before, True
        return True

    def uninstall(self) -> None:
        """Put back what was there, unless somebody else has put something above it."""
        if not self._is_installed or threading.current_thread() is not threading.main_thread():
            return
        self._is_installed = False
        # Methods are made anew each time they are looked up: equal, not identical.
        if signal.getsignal(signal.SIGTERM) == self._handle:
            with suppress(ValueError):
                signal.signal(signal.SIGTERM, self._before)

    @contextmanager
    def finishing(self, *, interrupted: bool = False) -> Iterator[None]:
        """
        Hold Ctrl-C back within the block, for the end of a run.

        Args:
            interrupted: whether Ctrl-C is why the run ends: then the next one is the second.
        Raises:
            KeyboardInterrupt: after the block, for a Ctrl-C that came within it and was not
                there before (or whatever the handler does that was there before).
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        held = _HeldInterrupts(1 if interrupted else 0, self._on_second_interrupt)
        try:
            before = signal.signal(signal.SIGINT, held.handle)
        except ValueError:
            yield
            return
        held.before = before
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) == held.handle:
                # None stands for a handler in C, which Python cannot put back.
                signal.signal(
                    signal.SIGINT, signal.default_int_handler if before is None else before
                )
        if held.came and not interrupted and callable(before):
            before(signal.SIGINT, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._generation != forks.generation() or not self._is_installed or self._has_begun:
            self._go_on(number, frame)
            return
        self._has_begun = True
        # Not threading.Thread: its start takes locks that the main thread may hold just now.
        start_new_thread(self._flush, (number,))

    def _flush(self, number: int) -> None:
        done = threading.Event()

        def flush() -> None:
            # What it raises has nobody to tell: the process is about to end.
            with suppress(Exception):
                self._on_preempt()
            done.set()

        start_new_thread(flush, ())
        done.wait(self._flush_seconds)
        ident = threading.main_thread().ident
        wait = _FIRST_WAKE_SECONDS
        with suppress(OSError, ValueError):
            # To the main thread, so that it wakes up whatever it waits for; and again, for
            # one that was about to wait when the signal came waits all the same.
            while ident is not None and not self._is_handed_on:
                signal.pthread_kill(ident, number)
                clock.sleep(wait)
                wait = min(2 * wait, _LAST_WAKE_SECONDS)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        """What would have happened without us; in the main thread, as all handlers."""
        self._is_handed_on = True
        before = self._before
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


class _HeldInterrupts:
    """Counts Ctrl-C while a run finishes."""

    def __init__(self, count: int, on_second: Callable[[], None]) -> None:
        self._count, self._on_second = count, on_second
        self._generation = forks.generation()
        self.came = False
        self.before: Any = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self._generation != forks.generation():
            signal.default_int_handler(number, frame)
        self._count += 1
        self.came = True
        if self._count == 1:
            # Past sys.stderr, of which the main thread may hold the lock.
            with suppress(OSError, AttributeError, ValueError):
                os.write(sys.__stderr__.fileno(), _WAITING)  # type: ignore[union-attr]
        elif self._count == 2:
            start_new_thread(self._give_up, ())
        else:
            signal.default_int_handler(number, frame)

    def _give_up(self) -> None:
        with suppress(Exception):
            self._on_second()

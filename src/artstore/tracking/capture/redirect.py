"""
Hearing what is written to a descriptor, by whomever: Python, C, child processes.

A pipe takes the place of the descriptor; a thread shows what comes out of it where it
would have been shown, and hands it on. Where the descriptor is a terminal the pipe is
one too, so that programs go on drawing bars and colours.
"""

from __future__ import annotations

import codecs
import os
import select
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from artstore import forks

__all__ = ["Redirect"]

_READ_BYTES: Final = 64 * 1024
_END_SECONDS: Final = 2.0


class Redirect:
    """
    One descriptor that is listened to.

    A forked child writes straight to where the descriptor led before. A program that was
    started meanwhile and outlives the listening is still shown, as long as this process
    lives. What is in the pipe when this process is killed is not shown any more: that is
    the price, and why `wrap` is the default.
    """

    def __init__(self, stream: Any, descriptor: int, take: Callable[[str], None]) -> None:
        self._stream, self._descriptor, self._take = stream, descriptor, take
        self._generation = forks.generation()
        self._before = os.dup(descriptor)
        reading, writing = _terminal(descriptor) if os.isatty(descriptor) else os.pipe()
        self._reading = reading
        self._wake_reading, self._wake_writing = os.pipe()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._idle = threading.Event()
        self._is_heard = True
        os.dup2(writing, descriptor)
        self._pipe = os.fstat(descriptor)
        os.close(writing)
        _open.add(self)
        self._thread = threading.Thread(target=self._run, name="artstore-console", daemon=True)
        self._thread.start()

    @classmethod
    def begin(cls, stream: Any, take: Callable[[str], None]) -> Redirect | None:
        """Listen to the descriptor of `stream`; None if it has none."""
        try:
            descriptor = stream.fileno()
            stream.flush()
            return cls(stream, descriptor, take)
        except Exception:  # noqa: BLE001 - a notebook, a closed stream: it is left alone
            return None

    def write_past(self, text: str) -> None:
        """Write to where the descriptor led before."""
        with suppress(Exception):
            self._stream.flush()
        os.write(self._before, text.encode("utf-8", "replace"))

    def end(self) -> None:
        """Put the descriptor back; what was written before is shown and handed on first."""
        if self._generation != forks.generation():
            return
        with suppress(Exception):
            self._stream.flush()
        self._put_back()
        with suppress(OSError):
            os.write(self._wake_writing, b"x")
        self._idle.wait(_END_SECONDS)
        self._is_heard = False
        _open.discard(self)

    def _put_back(self) -> None:
        now = os.fstat(self._descriptor)
        # Somebody has turned it elsewhere meanwhile: that is not ours to undo.
        if (now.st_dev, now.st_ino, now.st_rdev) == (
            self._pipe.st_dev,
            self._pipe.st_ino,
            self._pipe.st_rdev,
        ):
            os.dup2(self._before, self._descriptor)

    def let_go(self) -> None:
        """In a forked child, whose parent has the thread that reads: lead past it."""
        if self._is_heard:
            with suppress(OSError):
                self._put_back()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        poll.register(self._wake_reading, select.POLLIN)
        timeout = None
        while True:
            ready = dict(poll.poll(timeout))
            if self._reading in ready:
                # A terminal whose other end is closed gives an error where a pipe gives nothing.
                data = b""
                with suppress(OSError):
                    data = os.read(self._reading, _READ_BYTES)
                if not data:
                    break
                self._pass_on(data)
            elif self._wake_reading in ready:
                os.read(self._wake_reading, 1)
                # Nothing was left to read; from now on only for programs that go on.
                self._idle.set()
        if self._is_heard:
            with suppress(Exception):
                self._take(self._decoder.decode(b"", final=True))
        self._idle.set()
        for descriptor in (self._reading, self._wake_reading, self._wake_writing, self._before):
            with suppress(OSError):
                os.close(descriptor)

    def _pass_on(self, data: bytes) -> None:
        with suppress(OSError):
            left = memoryview(data)
            while left:
                left = left[os.write(self._before, left) :]
        if self._is_heard:
            with suppress(Exception):
                self._take(self._decoder.decode(data))


def _let_all_go() -> None:
    for redirect in tuple(_open):
        redirect.let_go()


# Once and for all: what is registered cannot be taken back.
_open: weakref.WeakSet[Redirect] = weakref.WeakSet()
os.register_at_fork(after_in_child=_let_all_go)


def _terminal(like: int) -> tuple[int, int]:
    """Both ends of a terminal that changes nothing of what is written, as large as `like`."""
    import fcntl
    import termios
    import tty

    reading, writing = os.openpty()
    tty.setraw(writing)
    with suppress(OSError):
        size = fcntl.ioctl(like, termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(writing, termios.TIOCSWINSZ, size)
    return reading, writing

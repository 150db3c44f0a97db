"""
The thread that brings a run to its store while the program goes on, and at its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from artstore import clock, forks
from artstore.errors import ArtstoreError, DeniedError, StorageError
from artstore.tracking.replayer import EndRecord, Replayer
from artstore.tracking.runsettings import RunSettings

__all__ = ["Uploading"]

_FIRST_SECONDS: Final = 1.0
"""A run that is over before is one entry."""
_GROWTH: Final = 1.25
_RETRY_SECONDS: Final = 1.0

Tell = Callable[[str], None]


class Uploading:
    """
    Steps of a `Replayer` in a thread of their own, the last one too.

    A store that does not answer costs nothing but time: the journal has everything. Nobody
    who has to go on calls the store: a call may hang longer than anybody waits.

    Args:
        before_step: flushes the recorder, so that a step sees all there is.
    """

    def __init__(
        self, replayer: Replayer, settings: RunSettings, before_step: Callable[[], None], tell: Tell
    ) -> None:
        self._replayer = replayer
        self._settings = settings
        self._before_step = before_step
        self._tell = tell
        self._is_told = False
        self._told_cut: set[str] = set()
        self._usual: EndRecord | None = None
        self._is_stored = False
        self._failure = ""
        self._wanted = threading.Event()
        self._gives_up = threading.Event()
        self._is_over = threading.Event()
        self._turn = forks.new_lock()
        self._generation = forks.generation()
        self._thread = threading.Thread(target=self._run, name="artstore-upload", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def give_up(self) -> None:
        """Have `finish` stop waiting for the store."""
        self._gives_up.set()
        self._is_over.set()

    def step_within(self, seconds: float) -> None:
        """Have a step made at once, in a thread, and wait so long for it, whatever comes of it."""

        def step() -> None:
            with suppress(ArtstoreError), self._turn:
                self._before_step()
                self._replayer.step(self._settings.store_seconds)

        thread = threading.Thread(target=step, name="artstore-step", daemon=True)
        thread.start()
        thread.join(seconds)

    def preempt(self) -> None:
        """
        Everything to the store, as ended, without writing the history anew: there is no time.

        Raises:
            ArtstoreError: what the storage raises.
        """
        with self._turn:
            self._before_step()
            self._replayer.finish(EndRecord("preempted", None, clock.now_seconds()), compact=False)

    def finish(self, usual: EndRecord) -> bool:
        """
        Bring the rest and the end; whether the store has it all.

        Tries again for `finish_seconds` if the store does not answer, or until `give_up`.
        """
        if self._generation != forks.generation():
            return False
        self._usual = usual
        self._wanted.set()
        if self._thread.ident is None:
            self._run()
        self._is_over.wait(self._settings.finish_seconds)
        if self._is_stored:
            return True
        self._gives_up.set()
        told = self._failure or "it does not answer"
        self._tell(
            f"the store does not have all of this run yet: {told}; its journal is kept, and the "
            "next run or `art run repair` brings the rest"
        )
        return False

    def _run(self) -> None:
        with suppress(Exception):
            self._replayer.prepare()
        seconds = self._settings.store_seconds
        wait = min(_FIRST_SECONDS, seconds)
        while not self._wanted.wait(wait):
            wait = seconds
            self._step(seconds)
            seconds = min(seconds * _GROWTH, self._settings.store_max_seconds)
        self._finish()

    def _step(self, seconds: float) -> None:
        with suppress(Exception):
            self._before_step()
        try:
            with self._turn:
                self._replayer.step(seconds)
            self._is_told = False
            self._tell_cut()
        except Exception as error:  # noqa: BLE001 - a run must never end for its recording
            if not self._is_told:
                self._is_told = True
                self._tell(f"{_reason(error)}; the run goes on, and its journal is kept")

    def _tell_cut(self) -> None:
        for name, size_bytes in self._replayer.take_cut().items():
            if name not in self._told_cut:
                self._told_cut.add(name)
                self._tell(
                    f"{name} has {size_bytes:,} bytes, too many for what is said of a run: only "
                    "its beginning is kept; log it as an artifact to keep all of it"
                )

    def _finish(self) -> None:
        usual = self._usual
        assert usual is not None, "told before it is wanted"
        while not self._gives_up.is_set():
            try:
                with self._turn:
                    self._replayer.finish(usual)
                self._tell_cut()
                self._is_stored = True
                break
            except Exception as error:  # noqa: BLE001 - a program must not end for its recording
                may_help = isinstance(error, StorageError) and not isinstance(error, DeniedError)
                if may_help and not self._failure:
                    self._tell(f"waiting for the store: {_reason(error)}")
                self._failure = _reason(error)
                if not may_help:
                    break
                self._gives_up.wait(_RETRY_SECONDS)
        self._is_over.set()


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, ArtstoreError) else repr(error)

"""
What takes longer to find out, found in a thread while the program already runs.

Git first, since a run that ends at once should still know its diff, then the installed
packages, then GPUs. Each is handed on when it is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from artstore import forks
from artstore.tracking.capture.git import git_state
from artstore.tracking.capture.gpu import gpus
from artstore.tracking.capture.packages import packages

__all__ = ["BackgroundCapture"]


class BackgroundCapture:
    """
    One look at code, packages and GPUs in a thread that keeps no program alive.

    `deliver` is called in that thread with `{"git": {...}}`, `{"packages": [...]}` and
    `{"gpus": [...]}`, each once, and no more after `finish` has returned.
    """

    def __init__(
        self,
        directory: str | None,
        deliver: Callable[[dict[str, Any]], None],
        *,
        with_packages: bool = True,
        with_gpus: bool = True,
    ) -> None:
        """
        Args:
            directory: where the code lies; None for no look at git.
            deliver: takes each part; what it raises ends the look, quietly.
        """
        self._directory, self._deliver = directory, deliver
        self._with_packages, self._with_gpus = with_packages, with_gpus
        self._stop = threading.Event()
        self._turn = forks.new_lock()
        self._has_finished = False
        self._generation = forks.generation()
        self._thread = threading.Thread(target=self._run, name="artstore-capture", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def finish(self, wait_seconds: float = 0.0) -> None:
        """
        Wait so long for what is still being looked for, then have it stopped.

        Returns without waiting in a forked child, which has no such thread.
        """
        if self._generation != forks.generation():
            return
        if self._thread.ident is not None and wait_seconds > 0:
            self._thread.join(wait_seconds)
        self._stop.set()
        # A part that is being handed over right now still arrives.
        with self._turn:
            self._has_finished = True

    def _run(self) -> None:
        try:
            for part in self._parts():
                with self._turn:
                    if self._has_finished:
                        return
                    self._deliver(part)
        except Exception:  # noqa: BLE001, S110 - a run lacks a part of its report, and goes on
            pass

    def _parts(self) -> Iterator[dict[str, Any]]:
        if self._directory is not None:
            state = git_state(self._directory, stop=self._stop)
            if state is not None:
                yield {"git": state}
        if self._with_packages and not self._stop.is_set():
            yield {"packages": packages(stop=self._stop)}
        if self._with_gpus and not self._stop.is_set():
            found = gpus()
            if found:
                yield {"gpus": found}

"""
Telling how far a transfer is, without slowing it down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["OnProgress", "Progress", "ProgressMeter"]

_INTERVAL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a transfer; totals are None where they are not known (yet)."""

    phase: str
    done_files: int
    total_files: int | None
    done_bytes: int
    total_bytes: int | None


OnProgress = Callable[[Progress], None]


class ProgressMeter:
    """Counts, and calls `on_progress` at most 20 times a second, one call at a time."""

    def __init__(
        self,
        phase: str,
        on_progress: OnProgress | None,
        *,
        total_files: int | None = None,
        total_bytes: int | None = None,
    ) -> None:
        self._phase = phase
        self._on_progress = on_progress
        self._total_files = total_files
        self._total_bytes = total_bytes
        self._next_seconds = 0.0
        self._lock = threading.Lock()
        self.files = 0
        self.bytes = 0

    def add(self, files: int, size_bytes: int) -> None:
        """Count what was just finished; from any thread."""
        with self._lock:
            self.files += files
            self.bytes += size_bytes
            if self._on_progress is not None and time.monotonic() >= self._next_seconds:
                self._next_seconds = time.monotonic() + _INTERVAL_SECONDS
                self._report(self._on_progress)

    def finish(self) -> None:
        """Report the end, whatever the interval."""
        if self._on_progress is not None:
            self._report(self._on_progress)

    def _report(self, on_progress: OnProgress) -> None:
        on_progress(
            Progress(self._phase, self.files, self._total_files, self.bytes, self._total_bytes)
        )

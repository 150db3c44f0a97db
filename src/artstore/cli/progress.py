"""
Progress on a terminal: files and bytes, rate, time left. Silent when piped.

rich is loaded when an operation lasts longer than a glance: a push of three
files neither waits for its import nor flickers.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from artstore.cli.output import count

if TYPE_CHECKING:
    import rich.progress

    from artstore.transfer.progress import Progress

__all__ = ["ProgressBar"]

SHOWN_AFTER_SECONDS = 0.3


class ProgressBar:
    """
    Use as a context manager and give `on_progress` to the operation.

    Args:
        hidden: show nothing, whatever stderr is.
    """

    def __init__(self, *, hidden: bool = False) -> None:
        self._hidden = hidden or not sys.stderr.isatty()
        self._began = time.monotonic()
        self._bar: rich.progress.Progress | None = None
        self._task: rich.progress.TaskID | None = None
        self._phase = ""

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Also on Ctrl-C: the bar goes and the cursor comes back.
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_progress(self, progress: Progress) -> None:
        """Show how far the operation is; called from one thread."""
        if self._hidden or time.monotonic() - self._began < SHOWN_AFTER_SECONDS:
            return
        shown: dict[str, Any] = {
            "completed": progress.done_bytes,
            "total": progress.total_bytes,
            "files": _files(progress),
        }
        if self._bar is None:
            self._bar = _make_bar()
            self._bar.start()
        if self._task is None or progress.phase != self._phase:
            # A phase has its own rate, so that it gets its own clock.
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(progress.phase.capitalize(), **shown)
            self._phase = progress.phase
        else:
            self._bar.update(self._task, **shown)


def _files(progress: Progress) -> str:
    # A check goes from pack to pack.
    what = "pack" if progress.phase == "check" else "file"
    if progress.total_files is None:
        return count(progress.done_files, what)
    return f"{progress.done_files:,}/{progress.total_files:,} {what}s"


def _make_bar() -> rich.progress.Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[files]}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        # Results go to stdout as they are: a redirected stdout would pass through rich.
        redirect_stdout=False,
        redirect_stderr=False,
    )

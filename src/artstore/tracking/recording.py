"""
All that records one run in this process: journal, upload, console, machine, code, signals.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from artstore import clock, forks
from artstore.tracking.journal import JournalWriter
from artstore.tracking.recorder import Recorder
from artstore.tracking.replayer import EndRecord, Replayer
from artstore.tracking.sessions import FILES, INBOX, MEDIA, META, SessionMeta
from artstore.tracking.uploading import Uploading

if TYPE_CHECKING:
    from artstore.tracking.alerting import Notifier
    from artstore.tracking.capture.background import BackgroundCapture
    from artstore.tracking.capture.console import Console
    from artstore.tracking.capture.system import SystemSampler
    from artstore.tracking.rowgroups import LoggedRows
    from artstore.tracking.run import Run
    from artstore.tracking.runsettings import RunSettings
    from artstore.tracking.signals import Signals
    from artstore.tracking.values import Deferred

__all__ = ["Recording", "Steps", "forget_session", "remove_session"]

_TICK_SECONDS: Final = 1.0
_GIT_WAIT_SECONDS: Final = 1.0
"""What the end of a very short run waits for its commit and diff."""

Row = Mapping[str, Any]


class Steps(NamedTuple):
    """
    Where the steps of a session begin.

    Attributes:
        first: of the first row, as it is stored.
        hidden: stored steps before those that the program counts from 0.
    """

    first: int = 0
    hidden: int = 0


class Recording:
    """
    One session of a run in this process, from its first line to its end.

    Attributes:
        next_step: the stored step behind the last row that is in the journal.

    Args:
        directory: of the session; made.
        steps: of its rows.
        code_directory: where the program's code lies; None for no look at it.
        tell: gets sentences for the user.
    """

    def __init__(
        self,
        directory: Path,
        meta: SessionMeta,
        settings: RunSettings,
        *,
        steps: Steps,
        code_directory: str | None,
        tell: Callable[[str], None],
    ) -> None:
        self.directory = directory
        self.meta = meta
        self.next_step = steps.first
        self._settings = settings
        self._code_directory = code_directory
        self._tell = tell
        self._generation = forks.generation()
        self._pid = os.getpid()
        self._convert: Callable[[Row], Row] = lambda row: row
        self._on_rows: Callable[[LoggedRows], None] = lambda _: None
        meta.write(directory)
        self.recorder = Recorder(
            JournalWriter(directory),
            flush_seconds=settings.journal_seconds,
            first_step=steps.first,
            hidden_steps=steps.hidden,
            convert_row=self._converted,
            on_rows=self._took,
            tell=tell,
        )
        self._replayer = Replayer(directory, meta, self.recorder.add_stored)
        self._uploading = Uploading(self._replayer, settings, self._before_step, tell)
        self._on_step: Callable[[], None] = lambda: None
        self._console: Console | None = None
        self._sampler: SystemSampler | None = None
        self._capture: BackgroundCapture | None = None
        self._signals: Signals | None = None
        self._notifier: Notifier | None = None
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="artstore-capture", daemon=True)

    def is_of_this_process(self) -> bool:
        """Whether this process began it: not so in a forked child."""
        return self._generation == forks.generation() and self._pid == os.getpid()

    def begin(
        self, convert_row: Callable[[Row], Row], on_rows: Callable[[LoggedRows], None]
    ) -> None:
        """Begin to capture and to store."""
        self._convert, self._on_rows = convert_row, on_rows
        settings = self._settings
        if settings.save_environment:
            from artstore.tracking.capture.environment import environment

            self.recorder.add_change({"environment": environment()})
        if settings.save_git and self._code_directory is not None:
            from artstore.tracking.capture.git import git_head

            # The commit at once; its diff, which needs git itself, comes from the thread.
            head = git_head(self._code_directory)
            if head is not None:
                self.recorder.add_change({"environment": {"git": head}})
        if settings.save_git or settings.save_packages or settings.save_environment:
            from artstore.tracking.capture.background import BackgroundCapture

            self._capture = BackgroundCapture(
                self._code_directory if settings.save_git else None,
                lambda part: self.recorder.add_change({"environment": part}),
                with_packages=settings.save_packages,
                with_gpus=settings.save_environment,
            )
            self._capture.start()
        if settings.console != "off":
            from artstore.tracking.capture.console import Console

            mode = cast("Literal['wrap', 'redirect', 'off']", settings.console)
            self._console = Console(self.recorder.add_console, mode=mode)
            self._console.start()
        if settings.save_system:
            from artstore.tracking.capture.system import SystemSampler

            self._sampler = SystemSampler()
        self._uploading.start()
        self._ticker.start()

    def write_logs(self, text: str) -> None:
        """Keep a text as if it had been printed; nothing if that is not kept."""
        if self._console is not None:
            self._console.take("stdout", text)

    def store_within(self, seconds: float) -> None:
        """Bring what there is to the store, and wait so long for it, whatever comes of it."""
        self._uploading.step_within(seconds)

    def handle_signals(self, on_preempt: Callable[[], None]) -> None:
        """Flush on SIGTERM, and let a second Ctrl-C end the waiting for the store."""
        from artstore.tracking.signals import Signals

        self._signals = Signals(on_preempt, self._uploading.give_up)
        self._signals.install()

    def preempt(self) -> None:
        """Bring everything to the store as preempted; the run may go on all the same."""
        if self._console is not None:
            self._console.drain()
        self.recorder.end("preempted", None)
        self._uploading.preempt()

    def end(self, run: Run, state: str, exit_code: int | None) -> None:
        """Stop capturing, write the end, wait until the store has all of it."""
        if not self.is_of_this_process():
            return
        self._stop.set()
        if self._capture is not None:
            self._capture.finish(_GIT_WAIT_SECONDS)
        if self._console is not None:
            self._console.close()
        if self._sampler is not None:
            self._sampler.close()
        seconds = clock.now_seconds()
        self.recorder.end(state, exit_code)
        usual = EndRecord(state, exit_code, seconds)
        if self._signals is None:
            is_stored = self._uploading.finish(usual)
        else:
            with self._signals.finishing(interrupted=state == "killed"):
                is_stored = self._uploading.finish(usual)
            self._signals.uninstall()
        if self._notifier is not None:
            self._notifier.close()
        if is_stored:
            # While nobody else can take the journal up and find it without an end.
            forget_session(self.directory)
        self.recorder.close()
        if is_stored:
            remove_session(self.directory)
        self._tell_end(run, is_stored=is_stored)

    def store_value(self, run: Run, key: str, value: Deferred) -> Any:
        """Keep a picture or a table; the JSON that stands for it in a row."""
        from artstore.tracking.keeping import keep_value

        return keep_value(run, self.directory / MEDIA, key, value)

    def alert(
        self, run: Run, title: str, text: str, level: Any, wait_duration: Any
    ) -> dict[str, str] | None:
        """Send an alert; what the run's log says of it, None if the same was sent just now."""
        if self._notifier is None:
            from artstore.tracking.alerting import Notifier

            told = {"id": run.id, "project": run.project, "name": run.name, "url": None}
            self._notifier = Notifier(self.meta.settings().alerts, told, tell=self._tell)
        sent = self._notifier.alert(title, text, level or "INFO", wait_duration)
        return None if sent is None else sent.to_json()

    def with_each_step(self, work: Callable[[], None]) -> None:
        """Have `work` done by the thread that stores, before each step."""
        self._on_step = work

    def _before_step(self) -> None:
        with suppress(Exception):
            self._on_step()
        self.recorder.flush()

    def _converted(self, row: Row) -> Row:
        return self._convert(row)

    def _took(self, rows: LoggedRows) -> None:
        self.next_step = max(self.next_step, rows.steps[-1] + 1)
        self._on_rows(rows)

    def _tell_end(self, run: Run, *, is_stored: bool) -> None:
        # The end of another session is not that of the run.
        if is_stored and self.meta.is_primary:
            self._tell(f"run {run.name} ({run.path}) {run.state}")
            self._tell(run.shown_by())

    def _tick(self) -> None:
        next_sample = clock.monotonic_seconds() + self._settings.system_seconds
        while not self._stop.wait(_TICK_SECONDS):
            if self._console is not None:
                self._console.drain()
            if self._sampler is not None and clock.monotonic_seconds() >= next_sample:
                next_sample += self._settings.system_seconds
                self.recorder.add_system(self._sampler.sample())


def forget_session(directory: Path) -> None:
    """Note that the store has all of a session: from now on nobody takes its journal up."""
    with suppress(OSError):
        (directory / META).unlink()


def remove_session(directory: Path) -> None:
    """Remove what the store has by now; the program's own files stay."""
    forget_session(directory)
    for name in (INBOX, MEDIA):
        if (directory / name).exists():
            import shutil

            shutil.rmtree(directory / name, ignore_errors=True)
    with suppress(OSError):
        for file in directory.iterdir():
            if file.is_file():
                file.unlink()
    with suppress(OSError):
        (directory / FILES).rmdir()
    with suppress(OSError):
        directory.rmdir()

"""
A run around a command: `art run exec`. This process writes the run, the command is its child.
"""

from __future__ import annotations

import codecs
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

from artstore.errors import InvalidInputError
from artstore.tracking.joining import SESSION_VARIABLE, write_facts
from artstore.tracking.runsettings import RunSettings
from artstore.tracking.starting import init
from artstore.versions.runrecords import used_record

if TYPE_CHECKING:
    from artstore.logged import LoggedArtifact
    from artstore.tracking.capture.console import Console
    from artstore.tracking.run import Run

__all__ = ["Execution", "Output", "execute"]

_READ_BYTES: Final = 1 << 16
_DRAIN_SECONDS: Final = 5.0
"""What is waited for output after the command has ended: its own children may keep the pipe."""
_BEGIN_SECONDS: Final = 5.0
"""How long the command waits until the store knows of its run."""
_GIT_WAIT_SECONDS: Final = 1.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_OF_SHELLS: Final = 128
"""What a shell adds to the number of the signal that ended a command."""


@dataclass(frozen=True, slots=True)
class Output:
    """What is logged when the command has succeeded."""

    path: Path
    name: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """
    A command, and what is said of the run around it.

    Attributes:
        used: versions that it is given.
        python_path: put in front of the child's PYTHONPATH.
    """

    command: Sequence[str]
    name: str | None = None
    job_type: str | None = None
    group: str | None = None
    tags: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    used: Sequence[tuple[LoggedArtifact, str]] = ()
    outputs: Sequence[Output] = ()
    python_path: Path | None = None


def execute(wanted: Execution) -> tuple[Run, int]:
    """
    Run a command as a run; both streams pass through and are kept, signals are handed on.

    Returns:
        The run, ended, and the exit code of the command: 128 and its number for a signal.
    Raises:
        InvalidInputError: `usage-invalid`, there is no such command; no run is begun.
        ArtstoreError: an output cannot be stored; the run has then failed.
    """
    if shutil.which(wanted.command[0]) is None:
        raise InvalidInputError(f"there is no command {wanted.command[0]!r}", code="usage-invalid")
    # A run within the command of a run is a run of its own.
    for name in (SESSION_VARIABLE, "ARTSTORE_RUN_ID", "ARTSTORE_RESUME"):
        os.environ.pop(name, None)
    settings = RunSettings(console="off", save_git=False, save_packages=False)
    run = init(
        name=wanted.name,
        job_type=wanted.job_type,
        group=wanted.group,
        tags=list(wanted.tags),
        config=dict(wanted.config) or None,
        settings=settings,
    )
    try:
        code, received = _Child(run, wanted).watch()
        state = _state(code, received)
        if state == "finished":
            for output in wanted.outputs:
                run.log_artifact(str(output.path), output.name, output.type)
    except BaseException:
        run.end("failed", 1)
        raise
    shown = code if code >= 0 else _OF_SHELLS - code
    run.end(state, shown)
    return run, shown


def _state(code: int, received: set[int]) -> str:
    if code == 0:
        return "finished"
    if -code == signal.SIGTERM or signal.SIGTERM in received:
        return "preempted"
    if code < 0 or signal.SIGINT in received:
        return "killed"
    return "failed"


class _Child:
    """The command while it runs."""

    def __init__(self, run: Run, wanted: Execution) -> None:
        from artstore.tracking.capture.console import Console

        recording = run._recording  # noqa: SLF001 - this is the run's own writer
        if recording is None:
            raise InvalidInputError(
                "a run that is disabled cannot be written around a command",
                code="usage-invalid",
                hint="leave ARTSTORE_MODE out of the environment",
            )
        self._run = run
        self._wanted = wanted
        self._recording = recording
        self._console: Console = Console(recording.recorder.add_console, mode="off")

    def watch(self) -> tuple[int, set[int]]:
        """Start it and wait for its end; its exit code, and the signals that came meanwhile."""
        self._note()
        # Before the command can say otherwise, since what is said last counts. A store that is
        # away must not keep it from running.
        self._recording.store_within(_BEGIN_SECONDS)
        capture = self._look_at_code()
        received: set[int] = set()
        with subprocess.Popen(
            list(self._wanted.command),
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            pumps = [
                threading.Thread(target=self._pump, args=given, daemon=True)
                for given in (
                    (child.stdout, sys.stdout.buffer, "stdout"),
                    (child.stderr, sys.stderr.buffer, "stderr"),
                )
            ]
            with _forwarded(child, received):
                for pump in pumps:
                    pump.start()
                child.wait()
                for pump in pumps:
                    pump.join(_DRAIN_SECONDS)
        self._console.close()
        capture.finish(_GIT_WAIT_SECONDS)
        return child.returncode, received

    def _note(self) -> None:
        from artstore.tracking.capture.environment import command_line

        wanted = self._wanted
        arguments = command_line(wanted.command)
        told = {"argv": arguments, "program": arguments[0], "executable": None}
        self._recording.recorder.add_change({"environment": told})
        if wanted.used:
            records = [used_record(one, "exec", asked=asked) for one, asked in wanted.used]
            self._recording.recorder.add_change({"used": records})
        run = self._run
        write_facts(
            self._recording.directory,
            {
                "name": run.name,
                "notes": run.notes,
                "group": run.group,
                "job_type": run.job_type,
                "tags": list(run.tags),
                "config": dict(wanted.config),
            },
        )

    def _look_at_code(self) -> Any:
        from artstore.tracking.capture.background import BackgroundCapture

        def deliver(part: dict[str, Any]) -> None:
            self._recording.recorder.add_change({"environment": part})

        capture = BackgroundCapture(os.getcwd(), deliver, with_packages=False, with_gpus=False)
        capture.start()
        return capture

    def _environment(self) -> dict[str, str]:
        meta = self._recording.meta
        environment = {
            **os.environ,
            SESSION_VARIABLE: str(self._recording.directory.absolute()),
            "ARTSTORE_RUN_ID": meta.run_id,
            "ARTSTORE_PROJECT": meta.project,
            "ARTSTORE_URL": meta.url,
        }
        # Through a pipe Python keeps lines back; a person is waiting for them.
        environment.setdefault("PYTHONUNBUFFERED", "1")
        if self._wanted.python_path is not None:
            paths = [str(self._wanted.python_path), environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        return environment

    def _pump(self, source: IO[bytes], target: BinaryIO, name: str) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with suppress(OSError, ValueError):
            while data := os.read(source.fileno(), _READ_BYTES):
                self._console.take(name, decoder.decode(data))
                self._console.drain()
                try:
                    target.write(data)
                    target.flush()
                except OSError:
                    # Nobody reads any more: the command finds out as it would without us.
                    source.close()
                    return


@contextmanager
def _forwarded(child: subprocess.Popen[bytes], received: set[int]) -> Iterator[None]:
    """Hand signals on to the command; what a terminal sends it has had already."""

    def forward(number: int, _frame: FrameType | None) -> None:
        received.add(number)
        if number == signal.SIGINT and _is_at_terminal():
            return
        with suppress(OSError):
            child.send_signal(number)

    before = {}
    for number in _SIGNALS:
        with suppress(ValueError, OSError):
            before[number] = signal.signal(number, forward)
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError, OSError, TypeError):
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _is_at_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False

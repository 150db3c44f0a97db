"""
Server processes of a test: started, awaited until they answer, always killed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from artstore import clock

__all__ = [
    "Program",
    "ServerError",
    "free_port",
    "run_once",
    "running",
    "search_path",
    "work_directory",
]

_WATCH = Path(__file__).with_name("watch.py")
_POLL_SECONDS = 0.02


class ServerError(Exception):
    """A server cannot be started here, with what it printed."""


class Program:
    """
    A running server, with what it printed so far.

    Args:
        process: the watcher; it lives as long as the server.
        output: the file that stdout and stderr go to.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def output(self) -> str:
        """What was printed until now."""
        return self._output.read_text("utf-8", errors="replace")

    def wait_until(
        self, is_ready: Callable[[], bool], *, what: str, timeout_seconds: float
    ) -> None:
        """
        Ask `is_ready` until it says yes.

        Raises:
            ServerError: the server ended, or did not get ready in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if self._process.poll() is not None:
                raise ServerError(f"{what} ended: {self.output[-2000:]}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{what} does not answer after {timeout_seconds:g} s: {self.output[-2000:]}"
                )
            clock.sleep(_POLL_SECONDS)

    def wait_for_port(self, port: int, *, what: str, timeout_seconds: float = 60) -> None:
        """Wait until something listens on `port`. Raises ServerError."""

        def answers() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                return False
            return True

        self.wait_until(answers, what=what, timeout_seconds=timeout_seconds)


@contextmanager
def running(
    command: Sequence[str], *, output: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """
    Keep `command` running for the length of the block, then kill it.

    It also dies when this process does: a watcher holds the other end of a pipe.
    """
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WATCH), *command],
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
        )
    assert process.stdin is not None
    try:
        yield Program(process, output)
    finally:
        process.stdin.close()
        process.wait()


def run_once(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """
    The output of a command that ends by itself.

    Raises:
        ServerError: it failed or took too long.
    """
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
            env=None if environ is None else dict(environ),
            cwd=cwd,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{command[0]} cannot be run: {error}") from error
    text = done.stdout.decode("utf-8", errors="replace")
    if done.returncode:
        raise ServerError(f"{command[0]} failed with {done.returncode}: {text[-2000:]}")
    return text


@contextmanager
def work_directory(name: str) -> Iterator[Path]:
    """A temporary directory with a short path, as sockets of some servers need."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def search_path() -> str:
    """PATH, after the directory of this interpreter, where packages put their programs."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

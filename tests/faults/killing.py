"""Processes that work for a while and are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


def start(program: str, *arguments: Path) -> subprocess.Popen[bytes]:
    """A process that has imported everything and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def seconds_of(program: str, *arguments: Path) -> float:
    """How long the work takes when nobody kills it, without the start of the process."""
    process = start(program, *arguments)
    began = time.monotonic()
    assert run_for(process, 60)
    return time.monotonic() - began


def run_for(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Let it work that long and kill it; whether it had finished by itself."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    # The moment need not be exact: many of them are tried.
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    finished = process.stdout.read() != b""
    process.stdout.close()
    assert process.returncode in (0, -signal.SIGKILL)
    return finished

"""Runs of the command line: `art` in this process, `start` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artstore.cli.run import run

SOURCE = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True)
class Ran:
    """What one run left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error that `--json` printed: the last line of stderr."""
        return json.loads(self.err.splitlines()[-1])["error"]


Art = Callable[..., Ran]


@pytest.fixture
def art(capfd: pytest.CaptureFixture[str]) -> Art:
    def call(*arguments: str | Path, status: int = 0) -> Ran:
        capfd.readouterr()
        found = run([str(argument) for argument in arguments])
        sys.stderr.flush()
        out, err = capfd.readouterr()
        ran = Ran(found, out, err)
        assert ran.status == status, ran
        return ran

    return call


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[bytes]]:
    def call(*arguments: str | Path, **settings: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), **settings.pop("env", {})}
        return subprocess.Popen(
            [sys.executable, "-m", "artstore.cli.main", *map(str, arguments)],
            env=environment,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings,
        )

    return call

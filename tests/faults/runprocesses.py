"""Programs with runs, each a process of its own, and what the store and this machine have then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from artstore.api import Store
from artstore.runs.storedrun import StoredRun
from artstore.settings import Settings, resolve
from artstore.tracking.repair import Repaired, repair_all

SOURCE = Path(__file__).resolve().parents[2] / "src"
LIMIT_SECONDS = 300
QUIET = {
    "save_git": False,
    "save_packages": False,
    "save_system": False,
    "save_environment": False,
    "console": "off",
}
"""Settings of runs whose captures are not what is tested."""
HEAD = f"""
import os, signal, sys, threading, time
import artstore as art
from pathlib import Path
QUIET = {QUIET!r}
def init(**given):
    return art.init(settings={{**QUIET, **given.pop("settings", {{}})}}, **given)
def say(text):
    print(text, flush=True)
"""


class Host:
    """A machine: its caches and state, and the store that its programs use."""

    def __init__(self, directory: Path, store: str | None = None) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.url = store or str(directory / "store")
        self.environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("ARTSTORE_", "SLURM_", "WANDB_", "RANK", "OMPI_"))
            },
            "HOME": str(directory),
            "XDG_DATA_HOME": str(directory / "data"),
            "XDG_CACHE_HOME": str(directory / "cache"),
            "XDG_STATE_HOME": str(directory / "state"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "PYTHONPATH": str(SOURCE),
            "ARTSTORE_URL": self.url,
            "ARTSTORE_PROJECT": "p",
        }

    def start(
        self, program: str, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """A process with the program, in the directory of the machine."""
        script = self.directory / "program.py"
        if not script.exists() or script.read_text("utf-8") != HEAD + program:
            script.write_text(HEAD + program, "utf-8")
        return subprocess.Popen(
            [sys.executable, str(script), *arguments],
            cwd=self.directory,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        program: str,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        status: int = 0,
    ) -> tuple[str, str]:
        """Run a program to its end; what it printed, and said on stderr."""
        return end_of(self.start(program, *arguments, environ=environ), status)

    @property
    def settings(self) -> Settings:
        return resolve(None, None, directory=self.directory, environ=self.environ)

    def store(self) -> Store:
        return Store(self.settings)

    def stored(self, run_id: str) -> StoredRun:
        return self.store().run(f"p/{run_id}")

    def repair(self) -> list[Repaired]:
        return list(repair_all(self.settings.state_dir))

    def journals(self) -> list[Path]:
        return sorted(self.settings.state_dir.glob("journals/*/journal.log"))


def end_of(process: subprocess.Popen[str], status: int = 0) -> tuple[str, str]:
    """Wait for its end; what it printed, and said on stderr."""
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == status, err
    return out, err


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Wait until it says so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == text:
            return
    raise AssertionError(process.stderr.read() if process.stderr else "")


def go_on(process: subprocess.Popen[str]) -> None:
    """Let a program that waits for a line go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def steps(run: StoredRun, key: str = "x") -> list[tuple[int, Any]]:
    """Each row that has the key: its step and value."""
    return [(row["_step"], row[key]) for row in run.rows() if row.get(key) is not None]


def sessions(run: StoredRun) -> Iterator[tuple[str, int | None]]:
    """State and exit code of each session, the first one first."""
    for session in run.whole["sessions"]:
        yield session["state"], session["exit_code"]

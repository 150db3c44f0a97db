"""What a run loads before it works: the promise of 100 ms, without a clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cli.conftest import SOURCE

PROBE = """
import json, sys
sys.argv = ["art", *json.loads(sys.argv[1])]
from artstore.cli.main import main
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
print()
print(json.dumps(sorted(sys.modules)))
"""
SLOW = {"rich", "numpy", "blake3", "xxhash", "zstandard", "sqlite3", "asyncio", "tomllib", "socket"}


def loaded(*arguments: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_the_version_is_told_without_loading_click() -> None:
    modules = loaded("--version")
    assert not modules & (SLOW | {"click", "artstore.errors"})


def test_the_overview_loads_no_command() -> None:
    modules = loaded("--help")
    assert not modules & SLOW
    ours = {name for name in modules if name.startswith("artstore.cli.")}
    assert ours == {
        f"artstore.cli.{name}" for name in ("main", "run", "program", "command", "session")
    }


@pytest.mark.parametrize("command", ["push", "pull", "ls", "check", "init"])
def test_the_help_of_a_command_loads_neither_the_store_nor_rich(command: str) -> None:
    modules = loaded(command, "--help")
    assert not modules & {*SLOW, "artstore.api", "artstore.artifact"} - {"tomllib"}


def test_a_run_that_is_piped_loads_no_rich() -> None:
    assert "rich" not in loaded("config")
    assert "rich" not in loaded("ls")

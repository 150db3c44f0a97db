"""Every example runs as a reader would run it, and uses nothing of the reader's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_and_says_something(example: Path, tmp_path: Path) -> None:
    own = {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "src")}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "ARTSTORE_"))
    }
    ran = subprocess.run(
        [sys.executable, example, tmp_path / "made"],
        env=kept | own,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
    assert (tmp_path / "made").is_dir()

"""
What a table is does not depend on the release of pyarrow, on the process or on the machine.

The digests are written down. To compare another release of pyarrow with them, for instance the
oldest that the package takes:

    python -m venv /tmp/old && /tmp/old/bin/pip install pyarrow==17.0.0 numpy pillow blake3 xxhash
    PYTHONPATH=src:. /tmp/old/bin/python -m tests.unit.tables.samples | diff - \\
        tests/unit/tables/golden-tables.json

It prints nothing where all are equal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.tables.content import TableContent
from artstore.tables.leaves import leaves_of
from tests.unit.tables.samples import digests, samples
from tests.unit.tables.shelf import Shelf

ROOT = Path(__file__).resolve().parents[3]
GOLDEN_FILE = Path(__file__).parent / "golden-tables.json"
GOLDEN = json.loads(GOLDEN_FILE.read_text("utf-8"))


def test_digests_of_tables_never_change() -> None:
    assert digests() == GOLDEN


def test_the_file_of_them_is_what_the_program_prints() -> None:
    assert json.dumps(GOLDEN, indent=1) + "\n" == GOLDEN_FILE.read_text("utf-8")


@pytest.mark.parametrize(("seed", "threads"), [("0", "1"), ("12345", "8")])
def test_they_are_the_same_in_every_process(seed: str, threads: str) -> None:
    program = (
        f"import json, pyarrow; pyarrow.set_cpu_count({threads});"
        "from tests.unit.tables.samples import digests; print(json.dumps(digests()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert json.loads(result.stdout) == GOLDEN


@pytest.mark.parametrize("name", samples())
def test_they_are_the_same_for_rows_read_from_a_store(tmp_path: Path, name: str) -> None:
    """As a check of a store computes them anew."""
    shelf = Shelf(tmp_path)
    stored = shelf.put(samples()[name]).stored
    rows = TableContent.stored(stored, shelf.fragment_paths).rows()
    assert leaves_of(stored.schema, rows) == stored.leaves
    assert stored.digest().hex() == GOLDEN[name][0]

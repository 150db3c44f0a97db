"""A command is measured as a whole process, its children included."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from benchmarks.measure import Command, CommandFailedError, measure, read_from, tree_bytes

MB = 1_000_000


def python(script: str, cwd: Path) -> Command:
    return Command([sys.executable, "-c", script], cwd, dict(os.environ))


def test_the_peak_is_that_of_the_command_and_not_of_the_harness(tmp_path: Path) -> None:
    ballast = bytearray(b"x" * 80 * MB)
    small = measure(python("", tmp_path))
    large = measure(python(f"x = bytearray(b'x' * {60 * MB})", tmp_path))
    assert len(ballast) > small.peak_bytes
    assert large.peak_bytes > small.peak_bytes + 50 * MB


def test_the_largest_child_counts_for_the_peak(tmp_path: Path) -> None:
    inner = f"x = bytearray(b'x' * {60 * MB})"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    assert measure(python(outer, tmp_path)).peak_bytes > 60 * MB


def test_a_failed_command_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="no such luck"):
        measure(python("import sys; sys.exit('no such luck')", tmp_path))


def test_lengths_are_summed_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert tree_bytes([tmp_path, tmp_path / "absent"]) == 8


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_only_reads_below_the_place_are_counted(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "pack").write_bytes(bytes(70_000))
    (tmp_path / "else").write_bytes(bytes(50_000))
    script = (
        "import os, threading\n"
        "def read(): os.pread(os.open('store/pack', os.O_RDONLY), 60_000, 0)\n"
        "thread = threading.Thread(target=read); thread.start(); thread.join()\n"
        "os.read(os.open('else', os.O_RDONLY), 50_000)\n"
    )
    assert read_from(python(script, tmp_path), store) == 60_000

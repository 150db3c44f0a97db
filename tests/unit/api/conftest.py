from __future__ import annotations

from pathlib import Path

import pytest

import artstore as art
from tests.trees import open_at


@pytest.fixture
def store(tmp_path: Path) -> art.Store:
    return open_at(tmp_path / "store")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """`a.txt`, `sub/b.txt` and `sub/c.txt`, in a directory of their own."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "sub" / "b.txt").write_text("bb")
    (root / "sub" / "c.txt").write_text("ccc")
    return root

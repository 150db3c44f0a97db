"""A store, and a directory to be written as W&B does."""

from __future__ import annotations

from pathlib import Path

import pytest

import artstore as art
from tests.trees import open_at
from tests.unit.integrations.wandb_files.writing import Written


@pytest.fixture
def store(tmp_path: Path) -> art.Store:
    return open_at(tmp_path / "store")


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "artifacts" / "digits:v3")

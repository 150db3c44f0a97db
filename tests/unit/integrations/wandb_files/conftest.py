"""An empty directory to be written as W&B does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.integrations.wandb_files.writing import Written


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "artifact")

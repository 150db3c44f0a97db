from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """On a disk, with all that a disk can do, where other tests are given memory."""
    if not MEMORY.is_dir() or MEMORY.stat().st_dev != tmp_path.stat().st_dev:
        yield tmp_path
        return
    with TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as directory:
        yield Path(directory)

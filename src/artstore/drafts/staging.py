"""
Files that a draft writes itself, kept until nobody holds the draft any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

__all__ = ["StagedFiles"]


class StagedFiles:
    """A directory for temporary files, made with the first one."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._count = 0

    def __getstate__(self) -> dict[str, Any]:
        # The files stay those of the process that wrote them.
        return {"_directory": None, "_count": 0}

    def new_path(self) -> Path:
        """Where the next file may be written."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="artstore-draft-"))
            weakref.finalize(self, _remove, str(self._directory), os.getpid())
        self._count += 1
        return self._directory / str(self._count)


def _remove(directory: str, owner: int) -> None:
    # A forked child that ends must not take away what its parent still needs.
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)

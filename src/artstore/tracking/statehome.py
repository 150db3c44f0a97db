"""
Where journals of runs lie: in the state directory, or beside it where that cannot be written.

Containers and batch jobs often have a home that is read-only, or none.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["JOURNALS", "state_home"]

JOURNALS: Final = "journals"
"""Below the state directory: a directory for each session of each run."""


def state_home(state_dir: Path) -> Path:
    """
    `state_dir`; if no journal can be made in it, a directory of this user for temporary files.

    Cost: some microseconds; nothing is made in `state_dir`.
    """
    if _is_writable(state_dir / JOURNALS):
        return state_dir
    import tempfile

    beside = Path(tempfile.gettempdir()) / f"artstore-{os.getuid()}"
    with suppress(OSError):
        beside.mkdir(mode=0o700)
    return beside if _is_private(beside) else state_dir


def _is_writable(path: Path) -> bool:
    """Whether files can be made in a directory, which may have to be made itself."""
    try:
        while not path.exists() and path != path.parent:
            path = path.parent
        return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    except OSError:
        return False


def _is_private(path: Path) -> bool:
    """Whether it is a directory of this user alone: among temporary files anybody makes some."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )

"""
Is there room for what is about to be written?
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from artstore.errors import DeniedError

__all__ = ["check_space", "free_bytes"]

_SPARE_BYTES: Final = 16 * 1024 * 1024
"""Left over for directories and for everybody else."""


def check_space(path: Path, needed_bytes: int, *, hint: str | None = None) -> None:
    """
    Refuse before anything is written what cannot fit.

    Quotas do not show here: a write may still run into one, and says so then.

    Args:
        path: where the bytes go; need not exist yet.
        hint: the setting that names the place; None speaks of a checkout.
    Raises:
        DeniedError: `space-short`, naming the place, the need and what is free.
    Cost: one statvfs.
    """
    free = free_bytes(path)
    if free is None or needed_bytes + _SPARE_BYTES <= free or needed_bytes == 0:
        return
    raise DeniedError(
        f"cannot write {_shown(needed_bytes)} to {str(path)!r}: {_shown(free)} are free there",
        code="space-short",
        hint=hint or "Make room there or choose a directory on another disk.",
        path=str(path),
        needed_bytes=needed_bytes,
        free_bytes=free,
    )


def free_bytes(path: Path) -> int | None:
    """What an ordinary user may still write at `path`; None where that cannot be known."""
    place = os.path.abspath(path)
    while True:
        try:
            status = os.statvfs(place)
            break
        except FileNotFoundError:
            place = os.path.dirname(place)
        except OSError:
            return None
    # Some network and FUSE disks report no blocks at all, which is no answer.
    return status.f_bavail * status.f_frsize if status.f_blocks else None


def _shown(size_bytes: int) -> str:
    value, unit = float(size_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}" if unit != "bytes" else f"{size_bytes} bytes"

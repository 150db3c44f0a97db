"""
A file that a run saved, as W&B's public API has it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from artstore.errors import AlreadyExistsError

if TYPE_CHECKING:
    from artstore.versions.entries import ArtifactEntry

__all__ = ["RunFile"]


class RunFile:
    """One file of a run. Nothing is read before `download`."""

    def __init__(self, entry: ArtifactEntry) -> None:
        self.entry = entry

    def __repr__(self) -> str:
        return f"<RunFile {self.name} of {self.size} bytes>"

    @property
    def name(self) -> str:
        """Its path below the directory of the run."""
        return self.entry.path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.entry.size

    @property
    def url(self) -> str:
        """`art://project/name:v3/path`."""
        return self.entry.ref_url()

    @property
    def digest(self) -> str:
        """BLAKE3 of the bytes, 64 hex digits."""
        return self.entry.digest

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,  # noqa: FBT001, FBT002 - W&B's
        exist_ok: bool = False,  # noqa: FBT001, FBT002 - W&B's
    ) -> IO[str]:
        """
        Write it below a directory, and give it opened for reading.

        Args:
            replace: whether a file that is there is written over.
            exist_ok: whether a file that is there is taken as it is.
        Raises:
            AlreadyExistsError: `target-occupied`.
        """
        target = Path(root) / self.name
        if target.exists() and not replace:
            if exist_ok:
                return open(target, encoding="utf-8", errors="replace")
            raise AlreadyExistsError(
                f"{target} is there already",
                code="target-occupied",
                hint="replace=True writes over it, exist_ok=True takes it as it is",
            )
        if target.exists():
            target.unlink()
        self.entry.download(root)
        return open(target, encoding="utf-8", errors="replace")

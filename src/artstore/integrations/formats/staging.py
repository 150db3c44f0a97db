"""
Where an export is written before it has its name: nothing half-written is ever seen.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artstore.integrations.formats.failures import occupied, writing

__all__ = ["StagingPlace", "staged"]


@dataclass(frozen=True, slots=True)
class StagingPlace:
    """
    The files of an export that is not finished.

    Attributes:
        root: a directory; what is in it gets its name in the end.
        file: the name of the one file that was asked for; None for a directory.
    """

    root: str
    file: str | None

    def main(self, name: str) -> str:
        """The path of the file with the rows: the one asked for, or `name` in the directory."""
        return os.path.join(self.root, self.file or name)

    @property
    def media_prefix(self) -> str:
        """What paths of media files begin with, seen from the file with the rows."""
        return "" if self.file is None else f"{os.path.splitext(self.file)[0]}.files/"

    def beside(self, name: str) -> str:
        """The path of a file that tells of the export: in the directory, or next to the file."""
        return os.path.join(self.root, name if self.file is None else f"{self.file}.{name}")


@contextmanager
def staged(place: str, *, is_file: bool) -> Iterator[StagingPlace]:
    """
    Write below the stage's root; what is there gets its name when the block ends well.

    Raises:
        AlreadyExistsError: `export-target-exists`: a file, or a directory that is not empty.
        DeniedError, StorageError: `target-full`, `target-denied`, `target-failed`.
    """
    target = os.path.abspath(place)
    parent, name = os.path.split(target)
    _check_free(target, is_file=is_file)
    with writing(place):
        os.makedirs(parent, exist_ok=True)
        outer = tempfile.mkdtemp(prefix=f".{name[:100]}.", suffix=".partial", dir=parent)
    try:
        with writing(place):
            # The outer directory is for its maker alone, the export is not.
            root = os.path.join(outer, "content")
            os.mkdir(root)
            yield StagingPlace(root, name if is_file else None)
            if is_file:
                _name_all(root, parent, name)
            else:
                _check_free(target, is_file=False)
                os.rename(root, target)
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _check_free(target: str, *, is_file: bool) -> None:
    if not os.path.lexists(target):
        return
    if is_file or os.path.islink(target) or not os.path.isdir(target) or os.listdir(target):
        raise occupied(target)


def _name_all(root: str, parent: str, last: str) -> None:
    """Move all that lies in `root` to `parent`, the file `last` in the end; all or nothing."""
    names = [name for name in sorted(os.listdir(root)) if name != last]
    targets = [os.path.join(parent, name) for name in (*names, last)]
    for target in targets:
        _check_free(target, is_file=True)
    moved: list[tuple[str, str]] = []
    try:
        for target in targets:
            source = os.path.join(root, os.path.basename(target))
            os.rename(source, target)
            moved.append((source, target))
    except OSError:
        for source, target in moved:
            os.rename(target, source)
        raise

"""
The gate to files that are imported: only what lies below one directory is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache

from artstore.integrations.formats.failures import missing, reading, refused_path
from artstore.media.content import FileContent, file_content

__all__ = ["SourceFiles", "files_below"]


class SourceFiles:
    """
    Files below `root`, by paths that files of others name.

    A link is followed if it stays below `root`; `root` itself may be one.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self._real = lru_cache(4096)(os.path.realpath)

    def place(self, path: object, named_by: str) -> str:
        """
        Where a file is on this machine.

        Args:
            named_by: who names it, for errors.
        Raises:
            InvalidInputError: `exchange-path-refused`.
            NotFoundError: `exchange-file-missing`.
        """
        if not isinstance(path, str) or not path or "\0" in path:
            raise refused_path(str(path)[:200], named_by, "is no path")
        if os.path.isabs(path) or ".." in path.replace("\\", "/").split("/"):
            raise refused_path(path, named_by, "leads out of the directory")
        joined = os.path.join(self.root, path)
        # Only the last part may differ from file to file: the rest is looked up once.
        folder, name = os.path.split(joined)
        place = os.path.join(self._real(folder), name)
        try:
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                place = os.path.realpath(place)
                status = os.stat(place)
        except (OSError, ValueError) as error:
            raise missing(path, named_by) from error
        if os.path.commonpath((place, self.root)) != self.root:
            raise refused_path(path, named_by, "is a link that leads out of the directory")
        if not stat.S_ISREG(status.st_mode):
            raise refused_path(path, named_by, "is no file")
        return place

    def content(self, path: object, named_by: str) -> FileContent:
        """The bytes of a file. Raises as `place`. Cost: reads it once, for its digest."""
        return file_content(self.place(path, named_by))


def files_below(root: str, folder: str = "") -> Iterator[str]:
    """
    The paths of all files below `root/folder`, sorted within each directory; hidden ones left out.

    Links to directories are not followed. Memory for the names of one directory at a time.
    """
    place = os.path.join(root, folder)
    with reading(place), os.scandir(place) as found:
        entries = sorted(
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in found
            if not entry.name.startswith(".")
        )
    for name, is_directory in entries:
        path = f"{folder}/{name}" if folder else name
        if is_directory:
            yield from files_below(root, path)
        else:
            yield path

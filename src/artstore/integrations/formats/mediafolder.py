"""
Media files beside rows: where an export puts them, and where an import finds them.
"""

from __future__ import annotations

import os
from typing import Any

from artstore.integrations.formats.incoming import ReadMedia
from artstore.integrations.formats.localfiles import SourceFiles
from artstore.integrations.formats.mediarecords import value_of
from artstore.media.content import MediaContent

__all__ = ["MediaFolder", "media_reader", "write_file"]


class MediaFolder:
    """
    Files of media, named by their content: the same image is written once.

    Args:
        root: what paths are relative to.
        prefix: what they begin with.
    """

    def __init__(self, root: str, prefix: str = "") -> None:
        self._root = root
        self._prefix = prefix

    def put(self, content: MediaContent, path: str) -> str:
        """Write a file; gives its path as the rows tell it."""
        told = f"{self._prefix}{path}"
        place = os.path.join(self._root, told)
        if not os.path.exists(place):
            write_file(place, content.read())
        return told


def write_file(place: str, data: bytes) -> None:
    """A new file, with its directories. Raises FileExistsError."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "xb") as file:
        file.write(data)


def media_reader(root: str) -> ReadMedia:
    """What makes media of records whose files lie below `root`."""
    files = SourceFiles(root)

    def read(record: Any, where: str) -> Any:
        return value_of(record, lambda path: files.content(path, where), where)

    return read

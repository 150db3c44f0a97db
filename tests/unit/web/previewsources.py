"""
Bytes in memory as previews read a file; what was read is counted.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from artstore.web.previews.preview import Preview
from artstore.web.previews.registry import preview_of


class MemorySource:
    """A file in memory, possibly said to be longer than it is."""

    def __init__(self, path: str, data: bytes, size_bytes: int | None = None) -> None:
        self._path = path
        self._data = data
        self._size = len(data) if size_bytes is None else size_bytes
        self.read_bytes = 0

    @property
    def path(self) -> str:
        return self._path

    @property
    def size_bytes(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        found = self._data[start:stop]
        self.read_bytes += len(found)
        return found

    def open(self) -> BinaryIO:
        return io.BytesIO(self._data)


def previewed(path: str, data: bytes) -> Preview:
    return preview_of(MemorySource(path, data))

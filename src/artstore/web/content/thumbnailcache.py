"""
Thumbnails that were made before, in the cache of this machine.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from artstore import clock, forks, limits
from artstore.digest import DIGEST_BYTES, digest_of

__all__ = ["ThumbnailCache"]

_MAX_BYTES: Final = 512 * limits.MIB
"""Some 50,000 of 10 kB."""
_LOW_WATER: Final = 0.9
_COUNT_EVERY_BYTES: Final = 16 * limits.MIB
"""The directory is counted when so much was added by this process."""
_ENDINGS: Final = {"image/png": "png", "image/webp": "webp"}
_NAME: Final = re.compile(r"[0-9a-f]{64}-[0-9]+\.(png|webp)")


class _KeptFile(NamedTuple):
    used_ns: int
    size_bytes: int
    path: str


class ThumbnailCache:
    """
    Thumbnails by the digest of their image and their size. Safe for threads and processes.

    Nothing here is ever missed: what cannot be read or written is made again.

    Args:
        directory: made when the first one is kept.
    """

    def __init__(self, directory: Path, max_bytes: int = _MAX_BYTES) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        # The first one is counted at once: a server may have been started many times.
        self._uncounted = _COUNT_EVERY_BYTES
        self._lock = forks.new_lock()

    def find(self, digest: bytes, side: int) -> tuple[bytes, str] | None:
        """(bytes, type) of one that was kept and is whole; None if there is none."""
        for type_name, ending in _ENDINGS.items():
            path = self._path(digest, side, ending)
            with suppress(OSError), open(path, "rb") as file:
                data = file.read()
                if digest_of(data[DIGEST_BYTES:]) == data[:DIGEST_BYTES]:
                    # What is asked for again is the last to go.
                    os.utime(path)
                    return data[DIGEST_BYTES:], type_name
        return None

    def has(self, digest: bytes, side: int) -> bool:
        """Whether there is one; it is not looked at."""
        return any(os.path.exists(self._path(digest, side, ending)) for ending in _ENDINGS.values())

    def add(self, digest: bytes, side: int, data: bytes, type_name: str) -> None:
        """Keep one; if the cache cannot be written, nothing happens."""
        path = Path(self._path(digest, side, _ENDINGS[type_name]))
        beside = path.with_name(f".{clock.random_bytes(8).hex()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(digest_of(data) + data)
            beside.replace(path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            return
        with self._lock:
            self._uncounted += len(data)
            is_due = self._uncounted >= _COUNT_EVERY_BYTES
            if is_due:
                self._uncounted = 0
        if is_due:
            self._evict()

    def _path(self, digest: bytes, side: int, ending: str) -> str:
        # As text: a Path takes longer to make than the file to read.
        name = digest.hex()
        return f"{self._directory}/{name[:2]}/{name}-{side}.{ending}"

    def _evict(self) -> None:
        files = sorted(self._scan())
        size = sum(file.size_bytes for file in files)
        if size <= self._max_bytes:
            return
        for file in files:
            if size <= _LOW_WATER * self._max_bytes:
                return
            with suppress(OSError):
                os.unlink(file.path)
            size -= file.size_bytes

    def _scan(self) -> list[_KeptFile]:
        found = []
        with suppress(OSError):
            for folder in sorted(os.listdir(self._directory)):
                with suppress(OSError), os.scandir(self._directory / folder) as entries:
                    for entry in entries:
                        if _NAME.fullmatch(entry.name):
                            status = entry.stat(follow_symlinks=False)
                            kept = _KeptFile(status.st_mtime_ns, status.st_size, entry.path)
                            found.append(kept)
        return found

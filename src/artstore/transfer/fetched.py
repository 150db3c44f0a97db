"""
Which content a reference had when it was fetched, where the reference itself does not say.

A file of records that is only appended to; several processes may write at once.
Losing it costs fetching again and nothing else, so every doubt about it is
answered by starting empty.

    32 bytes digest of the description · 32 bytes digest of the content · 8 bytes checksum
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from artstore import forks
from artstore.digest import DIGEST_BYTES, checksum64

__all__ = ["FetchedContent"]

_BODY_BYTES: Final = 2 * DIGEST_BYTES
_RECORD_BYTES: Final = _BODY_BYTES + 8
_MAX_BYTES: Final = 500_000 * _RECORD_BYTES
"""36 MB; in memory about three times that, and only where references are pulled."""


class FetchedContent:
    """
    Description of a reference -> digest of what was fetched; safe to use from threads.

    Args:
        file: made with its directory when the first record is kept.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[bytes, bytes] | None = None
        self._lock = forks.new_lock()

    def lookup(self, description: bytes) -> bytes | None:
        """The digest of the content, if it is known. Cost: the file is read once."""
        with self._lock:
            return self._all().get(description)

    def record(self, description: bytes, content: bytes) -> None:
        """Keep one; a disk that refuses only costs fetching again."""
        with self._lock:
            known = self._all()
            if known.get(description) == content:
                return
            known[description] = content
            body = description + content
            with suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                descriptor = os.open(self._file, flags, 0o600)
                try:
                    # One write: records of two processes do not mix.
                    os.write(descriptor, body + checksum64(body))
                finally:
                    os.close(descriptor)

    def _all(self) -> dict[bytes, bytes]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[bytes, bytes]:
        try:
            if self._file.stat().st_size > _MAX_BYTES:
                self._file.unlink()
                return {}
            data = self._file.read_bytes()
        except OSError:
            return {}
        known = {}
        for start in range(0, len(data), _RECORD_BYTES):
            record = data[start : start + _RECORD_BYTES]
            body = record[:_BODY_BYTES]
            if record[_BODY_BYTES:] != checksum64(body):
                with suppress(OSError):
                    self._file.unlink()
                return {}
            known[body[:DIGEST_BYTES]] = body[DIGEST_BYTES:]
        return known

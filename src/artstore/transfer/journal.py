"""
What an interrupted push has stored already, so that the next one does not store it again.

One small file a push in the cache: its first line says what is pushed, each
further line is the key of a pack that is being stored. A file lock tells whether its
push still runs. The journal is a hint: every pack it names is read back before
it is relied on, and a lost journal only costs a second upload. Only a push of
the same artifact takes it up: others would read its packs in vain, and forget them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from artstore import clock, forks
from artstore.errors import ArtstoreError
from artstore.packs.locator import pack_id_of_key

__all__ = ["Journal", "Leftover", "leftovers"]

_KEPT_SECONDS: Final = 14 * 24 * 3600
"""By then gc may have removed what an unfinished push stored."""


class Journal:
    """
    The journal of a running push; the file appears with the first pack.

    Args:
        collection: `project/name` of what is pushed.
    """

    def __init__(self, directory: Path, push_id: bytes, collection: str) -> None:
        self._collection = collection
        self._path = directory / f"{push_id.hex()}.journal"
        self._file: IO[str] | None = None
        self._lock = threading.Lock()
        self._generation = forks.generation()

    def storing(self, key: str) -> None:
        """Note that a value is about to be stored: noted later, a kill could come between."""
        self._write({"storing": key})

    def committing(self, digest: str) -> None:
        """Note what is about to be published, for the case that the answer is lost."""
        self._write({"commit": digest})

    def close(self, *, keep: bool) -> None:
        """End of the push; `keep` when it failed and may be run again."""
        with self._lock:
            # In a forked child it is still the journal of the parent, and closed.
            if self._file is not None and self._generation == forks.generation():
                if not keep:
                    self._path.unlink(missing_ok=True)
                with forks.held_off():
                    forks.keep_in_child(self._file.fileno())
                    self._file.close()
                self._file = None

    def _write(self, record: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(OSError):
            # A full or read-only cache must not fail the push.
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with forks.held_off():
                    self._file = self._path.open("a", encoding="utf-8")
                    # A child would hold the lock, and with it the journal of a dead push.
                    forks.close_in_child(self._file.fileno())
                fcntl.flock(self._file, fcntl.LOCK_EX)
                self._file.write(json.dumps({"push": self._collection}) + "\n")
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()


class Leftover:
    """The journal of a push that died. Raises ValueError for a file that is none."""

    def __init__(self, path: Path, records: list[dict[str, Any]]) -> None:
        self.path = path
        self.push_id = bytes.fromhex(path.stem)
        self._records = records

    def is_of(self, collection: str) -> bool:
        """Whether it was a push of this artifact."""
        return any(record.get("push") == collection for record in self._records[:1])

    def packs(self) -> list[bytes]:
        """The ids of the packs it stored, or was about to."""
        found: list[bytes] = []
        for record in self._records:
            with contextlib.suppress(ArtstoreError):
                found.append(pack_id_of_key(str(record.get("storing", ""))))
        return found

    def was_committing(self, digest: str) -> bool:
        """Whether it was about to publish just this content."""
        return any(record.get("commit") == digest for record in self._records)

    def discard(self) -> None:
        """Remove it: what it knew is in a version now."""
        self.path.unlink(missing_ok=True)


def leftovers(directory: Path, collection: str) -> Iterator[Leftover]:
    """
    Journals of pushes of `collection` whose process is gone; unreadable ones are left out.

    Those of pushes that nobody ran again are removed after a while.
    """
    oldest_seconds = clock.now_seconds() - _KEPT_SECONDS
    for path in sorted(directory.glob("*.journal")):
        with contextlib.suppress(OSError, ValueError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with os.fdopen(os.dup(descriptor), encoding="utf-8") as file:
                    records = [json.loads(line) for line in file if line.endswith("\n")]
                modified_seconds = os.fstat(descriptor).st_mtime
            finally:
                os.close(descriptor)
            found = Leftover(path, [record for record in records if isinstance(record, dict)])
            if found.is_of(collection):
                yield found
            elif modified_seconds < oldest_seconds:
                found.discard()

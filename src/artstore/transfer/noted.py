"""
Files that were noted when they were added, and must still be so when they are read.

Nothing is copied. A file that was written to meanwhile shows it in its size, times
or inode; one that was too young for that when it was noted was hashed then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from artstore import clock, limits
from artstore.errors import StateError
from artstore.transfer.statcache import StatCache, is_settled, settles_at_ns
from artstore.transfer.walk import Found, look

__all__ = ["Noted", "note"]

_HASHED_BYTES: Final = 64 * limits.MIB
"""Hashing as much takes less time than waiting until a file has settled."""
_WAIT_MAX_NS: Final = 2_500_000_000
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Noted:
    """
    What a file was when it was added.

    Attributes:
        digest: set where a later change might not have shown in `found`.
    """

    found: Found
    digest: bytes | None = None

    def check_found(self, found: Found) -> None:
        """Refuse a file that was written to; with a digest, what is read decides."""
        if self.digest is None and found != self.found:
            raise self._changed()

    def check_digest(self, digest: bytes) -> None:
        """Refuse another content than was noted."""
        if self.digest is not None and digest != self.digest:
            raise self._changed()

    def check_known(self, found: Found, statcache: StatCache) -> None:
        """Refuse what the stat cache knows to have another content than was noted."""
        if self.digest is not None and (digest := statcache.lookup(found)) is not None:
            self.check_digest(digest)

    def check_read(self, status: os.stat_result, digest: bytes) -> None:
        """Refuse what was read in another state than was noted."""
        if self.digest is not None:
            self.check_digest(digest)
            return
        found = self.found
        read = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if read != (found.size_bytes, found.mtime_ns, found.ctime_ns, found.inode):
            raise self._changed()

    def _changed(self) -> StateError:
        return StateError(
            f"{self.found.location} is not what it was when it was added as {self.found.path!r}",
            code="source-changed",
            hint="add it again with overwrite=True, or with policy='immutable' "
            "to store what is there when the artifact is logged",
            path=self.found.location,
        )


def note(location: str, path: str) -> Noted:
    """
    Look at a file so that every later change of it shows.

    Args:
        path: what it is to be in the artifact.
    Raises:
        InvalidInputError: `source-vanished`, `source-unreadable`, `path-invalid`.
        StateError: `source-changed`, it is being written to.
    Cost: one stat. Of a file that was written to a tenth of a second ago or less:
        it is read once, or, if it is large, waited for.
    """
    began_ns = clock.now_nanoseconds()
    found = look(location, path)
    if is_settled(found, began_ns):
        return Noted(found)
    wait_ns = settles_at_ns(found) - began_ns
    if found.size_bytes > _HASHED_BYTES and wait_ns < _WAIT_MAX_NS:
        clock.sleep(wait_ns / _SECOND_NS)
        began_ns = clock.now_nanoseconds()
        found = look(location, path)
        if is_settled(found, began_ns):
            return Noted(found)
    from artstore.transfer.hashing import entry_of_found

    return Noted(found, entry_of_found(found).digest)

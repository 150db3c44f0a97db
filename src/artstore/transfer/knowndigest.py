"""
The artifact digest of what stands on disk, from what the stat cache remembers.
"""

from __future__ import annotations

from artstore.manifests.entry import FILE, TABLE, ArtifactHasher
from artstore.transfer.prepared import BytesItem, TableItem
from artstore.transfer.sources import Item, entry_without_bytes
from artstore.transfer.statcache import StatCache
from artstore.transfer.walk import Found

__all__ = ["KnownDigest"]


class KnownDigest:
    """
    The artifact digest, as long as no file has to be read for it.

    If it is that of a version, a push has nothing to send and a pull nothing to write.
    """

    def __init__(self, statcache: StatCache) -> None:
        self._lookup = statcache.lookup
        self._hasher: ArtifactHasher | None = ArtifactHasher()

    @property
    def is_known(self) -> bool:
        """Whether every file so far was known."""
        return self._hasher is not None

    def add(self, item: Item) -> None:
        """The next item; paths must ascend."""
        hasher = self._hasher
        if hasher is None:
            return
        if isinstance(item, Found) and item.kind == FILE:
            digest = self._lookup(item)
            if digest is None:
                self._hasher = None
            else:
                hasher.add(item.path, FILE, item.executable, digest)
        elif isinstance(item, BytesItem):
            hasher.add(item.path, FILE, False, item.digest)  # noqa: FBT003 - in digest order
        elif isinstance(item, TableItem):
            hasher.add(item.path, TABLE, False, item.digest)  # noqa: FBT003 - likewise
        else:
            entry = entry_without_bytes(item)
            hasher.add(entry.path, entry.kind, entry.executable, entry.digest)

    def digest(self) -> bytes | None:
        """32 bytes; None when a file has to be read."""
        return None if self._hasher is None else self._hasher.digest()

"""
Asking a storage for what may be too large, or may not be there.
"""

from __future__ import annotations

from artstore.errors import NotFoundError
from artstore.storage.protocol import Span, Storage

__all__ = ["is_stored", "read_at_most"]


def read_at_most(storage: Storage, key: str, max_bytes: int) -> bytes | None:
    """
    A value, or None if it has more than `max_bytes`.

    Raises:
        As `Storage.read`.
    Cost: one request; no more is read than the limit allows, and one byte.
    """
    data = storage.read(key, Span(0, max_bytes + 1, or_less=True))
    return data if len(data) <= max_bytes else None


def is_stored(storage: Storage, key: str) -> bool:
    """Whether there is a value under a key. Cost: a stat."""
    try:
        storage.stat(key)
    except NotFoundError:
        return False
    return True

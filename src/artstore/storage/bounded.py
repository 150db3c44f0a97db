"""
Reading values whose size nobody vouches for.
"""

from __future__ import annotations

from artstore.storage.protocol import Span, Storage

__all__ = ["read_at_most"]


def read_at_most(storage: Storage, key: str, max_bytes: int) -> bytes | None:
    """
    A value, or None if it has more than `max_bytes`.

    Raises:
        As `Storage.read`.
    Cost: one request; no more is read than the limit allows, and one byte.
    """
    data = storage.read(key, Span(0, max_bytes + 1, or_less=True))
    return data if len(data) <= max_bytes else None

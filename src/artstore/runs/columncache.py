"""
Columns of histories that were read lately, up to so many bytes of them.

A segment never changes, so what was read of it is true for ever; what is dear is kept until
others need the room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from artstore import forks

__all__ = ["ColumnCache"]


class ColumnCache:
    """
    Values by key, those that were asked for last. Safe between threads.

    Args:
        max_bytes: of all values; a single one that is larger is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = forks.new_lock()

    @property
    def size_bytes(self) -> int:
        """Of what is kept now."""
        return self._bytes

    def get(self, key: Hashable) -> Any | None:
        """The value, if it is still kept."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Keep a value for which others may have to go."""
        if size_bytes > self._max_bytes:
            return
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = value, size_bytes
            self._bytes += size_bytes - before
            while self._bytes > self._max_bytes:
                _, (_, gone) = self._values.popitem(last=False)
                self._bytes -= gone

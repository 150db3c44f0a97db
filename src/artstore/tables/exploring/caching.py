"""
Answers that are kept, the latest used, up to a number of bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from artstore import forks

__all__ = ["AnswerCache"]

_Value = TypeVar("_Value")


class AnswerCache:
    """
    Values by key; what was not used for longest goes first. Safe for threads.

    Args:
        limit_bytes: of all values together. What is larger than that is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._lock = forks.new_lock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Of all values, about."""
        return self._size_bytes

    def get(self, key: Hashable) -> Any:
        """The value; None if it is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Keep a value; one of the same key may be put again when it has grown."""
        with self._lock:
            old = self._kept.pop(key, None)
            if old is not None:
                self._size_bytes -= old[1]
            if size_bytes > self.limit_bytes:
                return
            self._kept[key] = (value, size_bytes)
            self._size_bytes += size_bytes
            while self._size_bytes > self.limit_bytes:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size_bytes -= gone

    def get_or_make(
        self, key: Hashable, make: Callable[[], _Value], size_of: Callable[[_Value], int]
    ) -> _Value:
        """The value; made if it is not kept, perhaps by two threads at a time."""
        found: _Value | None = self.get(key)
        if found is None:
            found = make()
            self.put(key, found, size_of(found))
        return found

"""
A storage that counts: request budgets in tests, traffic in benchmarks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from artstore.storage.protocol import KeyInfo, Span, Storage, Value
from artstore.storage.values import size_of

__all__ = ["MeteredStorage", "OperationCount"]

_Item = TypeVar("_Item")
_OPERATIONS = ("read", "create", "stat", "scan", "scan_names", "delete")


@dataclass(frozen=True, slots=True)
class OperationCount:
    """
    What went through one operation.

    `calls` counts calls of methods; `items` counts values read or created, keys
    listed or deleted, that is roughly the requests of a bucket; `size_bytes`
    counts bytes of values.
    """

    calls: int = 0
    items: int = 0
    size_bytes: int = 0

    def __sub__(self, other: OperationCount) -> OperationCount:
        return OperationCount(
            self.calls - other.calls, self.items - other.items, self.size_bytes - other.size_bytes
        )


class MeteredStorage:
    """
    Counts calls, items and bytes of `inner` per operation; safe between threads.

    `read_many` counts as one call of `read` with n items, `create_many` likewise.
    A call that fails counts as a call without items.
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self._counts = {name: OperationCount() for name in _OPERATIONS}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The URL of the inner storage."""
        return self._inner.url

    def snapshot(self) -> Mapping[str, OperationCount]:
        """The counts now, by operation: read, create, stat, scan, scan_names, delete."""
        with self._lock:
            return dict(self._counts)

    def since(self, before: Mapping[str, OperationCount]) -> Mapping[str, OperationCount]:
        """The counts since `before`, which is an earlier `snapshot`."""
        return {name: count - before[name] for name, count in self.snapshot().items()}

    def reset(self) -> None:
        """Count from zero again."""
        with self._lock:
            self._counts = {name: OperationCount() for name in _OPERATIONS}

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage."""
        self._add("read", calls=1)
        data = self._inner.read(key, span)
        self._add("read", items=1, size_bytes=len(data))
        return data

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[bytes]:
        """As the inner storage."""
        self._add("read", calls=1)
        for data in self._inner.read_many(requests):
            self._add("read", items=1, size_bytes=len(data))
            yield data

    def create(self, key: str, value: Value) -> None:
        """As the inner storage."""
        self._add("create", calls=1)
        self._inner.create(key, value)
        self._add("create", items=1, size_bytes=size_of(value))

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage."""
        self._add("create", calls=1)
        self._inner.create_many(items)
        self._add("create", items=len(items), size_bytes=sum(size_of(v) for _, v in items))

    def stat(self, key: str) -> KeyInfo:
        """As the inner storage."""
        self._add("stat", calls=1)
        info = self._inner.stat(key)
        self._add("stat", items=1)
        return info

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As the inner storage."""
        self._add("scan", calls=1)
        return self._counted("scan", self._inner.scan(prefix, after=after))

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As the inner storage."""
        self._add("scan_names", calls=1)
        return self._counted("scan_names", self._inner.scan_names(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """As the inner storage."""
        keys = list(keys)
        self._add("delete", calls=1)
        self._inner.delete(keys)
        self._add("delete", items=len(keys))

    def _counted(self, operation: str, found: Iterator[_Item]) -> Iterator[_Item]:
        for item in found:
            self._add(operation, items=1)
            yield item

    def _add(self, operation: str, *, calls: int = 0, items: int = 0, size_bytes: int = 0) -> None:
        with self._lock:
            count = self._counts[operation]
            self._counts[operation] = OperationCount(
                count.calls + calls, count.items + items, count.size_bytes + size_bytes
            )

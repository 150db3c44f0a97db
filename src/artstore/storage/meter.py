"""
A storage that counts: request budgets in tests, and what requests cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from artstore import forks
from artstore.digest import Buffer
from artstore.storage.protocol import KeyInfo, Span, Storage, Value
from artstore.storage.values import size_of

__all__ = ["PAGE_KEY_COUNT", "MeteredStorage", "OperationCount", "Request"]

_Item = TypeVar("_Item")
_OPERATIONS = ("read", "create", "stat", "scan", "scan_names", "delete")

PAGE_KEY_COUNT: Final = 1_000
"""Keys that a bucket lists, or deletes, in one request."""


class Request(NamedTuple):
    """
    A kind of request to a bucket.

    Attributes:
        method: GET, PUT, HEAD, LIST or DELETE.
        room: the first part of the key: `packs`, `collections`, `artstore.json`.
    """

    method: str
    room: str


@dataclass(frozen=True, slots=True)
class OperationCount:
    """
    What went through one operation.

    `calls` counts calls of methods; `items` counts values read or created, keys
    listed or deleted; `size_bytes` counts bytes of values.
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

    `requests` tells the same in requests to a bucket: one for each value that is
    asked for or created, whether or not it is had, and one for each page of keys.
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self._counts = {name: OperationCount() for name in _OPERATIONS}
        self._requests: Counter[Request] = Counter()
        self._lock = forks.new_lock()

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

    def requests(self) -> Counter[Request]:
        """The requests now, by kind. Earlier ones are subtracted with `-`, all with `total()`."""
        with self._lock:
            return self._requests.copy()

    def reset(self) -> None:
        """Count from zero again."""
        with self._lock:
            self._counts = {name: OperationCount() for name in _OPERATIONS}
            self._requests.clear()

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage."""
        self._add("read", calls=1)
        self._ask("GET", [key])
        data = self._inner.read(key, span)
        self._add("read", items=1, size_bytes=len(data))
        return data

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """As the inner storage."""
        self._add("read", calls=1)
        self._ask("GET", [key for key, _ in requests])
        for data in self._inner.read_many(requests):
            self._add("read", items=1, size_bytes=len(data))
            yield data

    def create(self, key: str, value: Value) -> None:
        """As the inner storage."""
        self._add("create", calls=1)
        self._ask("PUT", [key])
        self._inner.create(key, value)
        self._add("create", items=1, size_bytes=size_of(value))

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage."""
        self._add("create", calls=1)
        self._ask("PUT", [key for key, _ in items])
        self._inner.create_many(items)
        self._add("create", items=len(items), size_bytes=sum(size_of(v) for _, v in items))

    def stat(self, key: str) -> KeyInfo:
        """As the inner storage."""
        self._add("stat", calls=1)
        self._ask("HEAD", [key])
        info = self._inner.stat(key)
        self._add("stat", items=1)
        return info

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As the inner storage."""
        self._add("scan", calls=1)
        return self._listed("scan", prefix, self._inner.scan(prefix, after=after))

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As the inner storage."""
        self._add("scan_names", calls=1)
        return self._listed("scan_names", prefix, self._inner.scan_names(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """As the inner storage."""
        keys = list(keys)
        self._add("delete", calls=1)
        self._ask("DELETE", keys[::PAGE_KEY_COUNT])
        self._inner.delete(keys)
        self._add("delete", items=len(keys))

    def _listed(self, operation: str, prefix: str, found: Iterator[_Item]) -> Iterator[_Item]:
        # A page is asked for when the one before is used up; the first one always.
        self._ask("LIST", [prefix])
        for number, item in enumerate(found):
            if number and number % PAGE_KEY_COUNT == 0:
                self._ask("LIST", [prefix])
            self._add(operation, items=1)
            yield item

    def _ask(self, method: str, keys: Sequence[str]) -> None:
        with self._lock:
            self._requests.update(Request(method, key.partition("/")[0]) for key in keys)

    def _add(self, operation: str, *, calls: int = 0, items: int = 0, size_bytes: int = 0) -> None:
        with self._lock:
            count = self._counts[operation]
            self._counts[operation] = OperationCount(
                count.calls + calls, count.items + items, count.size_bytes + size_bytes
            )

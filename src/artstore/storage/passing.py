"""
What a storage does that stands in front of another one: pass everything on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from artstore.digest import Buffer
from artstore.storage.protocol import KeyInfo, Span, Storage, Value

__all__ = ["PassingStorage"]


class PassingStorage(ABC):
    """As the storage behind it, in all that a subclass does not do otherwise."""

    @property
    @abstractmethod
    def inner(self) -> Storage:
        """The storage behind it."""

    @property
    def url(self) -> str:
        """The URL of the inner storage."""
        return self.inner.url

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage."""
        return self.inner.read(key, span)

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """As the inner storage."""
        return self.inner.read_many(requests)

    def stat(self, key: str) -> KeyInfo:
        """As the inner storage."""
        return self.inner.stat(key)

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As the inner storage."""
        return self.inner.scan(prefix, after=after)

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As the inner storage."""
        return self.inner.scan_names(prefix)

    def create(self, key: str, value: Value) -> None:
        """As the inner storage."""
        self.inner.create(key, value)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage."""
        self.inner.create_many(items)

    def delete(self, keys: Iterable[str]) -> None:
        """As the inner storage."""
        self.inner.delete(keys)

"""
A store as it will be: what a repair has in hand covers what is damaged.

A repair is planned on this view, with the check itself as the judge, until
nothing more can be mended. Only then is the store touched.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from artstore.digest import Buffer
from artstore.errors import DeniedError
from artstore.storage.protocol import KeyInfo, Span, Storage, Value
from artstore.storage.values import key_not_found

__all__ = ["OverlayStorage"]


class OverlayStorage:
    """
    `inner`, with some keys covered by values of `journal` and some hidden. Never written to.

    Args:
        journal: holds the covering values under the keys of the store.
    """

    def __init__(self, inner: Storage, journal: Storage) -> None:
        self._inner = inner
        self._journal = journal
        self._covered: set[str] = set()
        self._hidden: set[str] = set()

    @property
    def url(self) -> str:
        """The URL of the store."""
        return self._inner.url

    def cover(self, key: str) -> None:
        """From now on the value in the journal counts."""
        self._covered.add(key)

    def uncover(self, key: str) -> None:
        """The value in the store counts again."""
        self._covered.discard(key)

    def hide(self, key: str) -> None:
        """From now on the key is absent."""
        self._hidden.add(key)

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As a storage."""
        return self._place(key).read(key, span)

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """As a storage."""
        if not any(key in self._covered or key in self._hidden for key, _ in requests):
            yield from self._inner.read_many(requests)
            return
        for key, span in requests:
            yield self.read(key, span)

    def stat(self, key: str) -> KeyInfo:
        """As a storage."""
        return self._place(key).stat(key)

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As a storage."""
        wanted = sorted(key for key in self._covered if key.startswith(prefix) and key > after)
        covered = (self._journal.stat(key) for key in wanted)
        below = (
            info
            for info in self._inner.scan(prefix, after=after)
            if info.key not in self._covered and info.key not in self._hidden
        )
        return heapq.merge(covered, below, key=attrgetter("key"))

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As a storage."""
        covered = {
            key[len(prefix) :].partition("/")[0] for key in self._covered if key.startswith(prefix)
        }
        yield from sorted({*self._inner.scan_names(prefix), *covered})

    def create(self, key: str, value: Value) -> None:
        """Refused."""
        raise self._refused(key, value)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """Refused."""
        raise self._refused("values", items)

    def delete(self, keys: Iterable[str]) -> None:
        """Refused."""
        raise self._refused("values", keys)

    def _place(self, key: str) -> Storage:
        if key in self._covered:
            return self._journal
        if key in self._hidden:
            raise key_not_found(self.url, key)
        return self._inner

    def _refused(self, what: str, _value: object) -> DeniedError:
        return DeniedError(f"cannot change {what}: this is a plan", code="storage-denied")

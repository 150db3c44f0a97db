"""
A store in the memory of this process: for tests, and the model of what storage promises.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence

from artstore import clock, forks, names
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.storage.values import (
    buffers_of,
    check_new_key,
    check_prefix,
    clashing_key,
    key_exists,
    key_not_found,
    locate,
    parents_of,
)

__all__ = ["MemoryStorage", "open_memory"]

_PAGE_COUNT = 256


class MemoryStorage:
    """
    Values in a dictionary beside the sorted list of their keys; safe between threads.

    A forked child goes on with a copy, which nobody else sees.

    Args:
        name: shown in the URL, `memory://name`.
    """

    def __init__(self, name: str = "unnamed") -> None:
        self._name = name
        self._values: dict[str, tuple[bytes, float]] = {}
        self._keys: list[str] = []
        self._lock = forks.new_lock()

    @property
    def url(self) -> str:
        """`memory://name`."""
        return f"memory://{self._name}"

    def __repr__(self) -> str:
        return f"MemoryStorage({self._name!r})"

    def read(self, key: str, span: Span | None = None) -> bytes:
        """The bytes of `key`, or of a range of it. Errors as `Storage.read`."""
        data, _ = self._value(key)
        offset, length = locate(key, span, len(data))
        return data if length == len(data) else data[offset : offset + length]

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[bytes]:
        """The answers to n reads in the order asked."""
        for key, span in requests:
            yield self.read(key, span)

    def create(self, key: str, value: Value) -> None:
        """Store `value` under a new key. Raises AlreadyExistsError `key-exists`."""
        check_new_key(key)
        data = b"".join(bytes(part) for part in buffers_of(value))
        with self._lock, forks.held_off():
            self._check_free(key)
            bisect.insort(self._keys, key)
            self._values[key] = (data, clock.now_seconds())

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """Store n values, one after the other."""
        for key, _ in items:
            check_new_key(key)
        for key, value in items:
            self.create(key, value)

    def stat(self, key: str) -> KeyInfo:
        """Size and time of `key`. Raises NotFoundError `key-not-found`."""
        data, modified = self._value(key)
        return KeyInfo(key, len(data), modified)

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """Every key that starts with `prefix` and sorts after `after`, in order."""
        check_prefix(prefix)
        return self._scan(prefix, after)

    def _scan(self, prefix: str, after: str) -> Iterator[KeyInfo]:
        last = after
        while True:
            # A page at a time, found again by key: the list may change in between.
            with self._lock:
                start = max(
                    bisect.bisect_right(self._keys, last), bisect.bisect_left(self._keys, prefix)
                )
                page = self._keys[start : start + _PAGE_COUNT]
                found = [(key, *self._values[key]) for key in page if key.startswith(prefix)]
            for key, data, modified in found:
                yield KeyInfo(key, len(data), modified)
            if len(found) < _PAGE_COUNT:
                return
            last = page[-1]

    def scan_names(self, prefix: str) -> Iterator[str]:
        """The distinct next parts of keys below `prefix`, in order of their bytes."""
        found = {info.key[len(prefix) :].partition("/")[0] for info in self.scan(prefix)}
        yield from sorted(found)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; absent ones are no error."""
        for key in keys:
            check_new_key(key)
            with self._lock, forks.held_off():
                if self._values.pop(key, None) is not None:
                    del self._keys[bisect.bisect_left(self._keys, key)]

    def _value(self, key: str) -> tuple[bytes, float]:
        names.check_key(key)
        with self._lock:
            found = self._values.get(key)
        if found is None:
            raise key_not_found(self.url, key)
        return found

    def _check_free(self, key: str) -> None:
        if key in self._values:
            raise key_exists(self.url, key)
        # As strict as a directory: what passes here works on every backend.
        for parent in parents_of(key):
            if parent in self._values:
                raise clashing_key(key, parent)
        following = bisect.bisect_left(self._keys, f"{key}/")
        if following < len(self._keys) and self._keys[following].startswith(f"{key}/"):
            raise clashing_key(key, self._keys[following])


_opened: dict[str, MemoryStorage] = {}
_opened_lock = forks.new_lock()


def open_memory(name: str) -> MemoryStorage:
    """The one storage of this process with that name: what `memory://name` opens."""
    with _opened_lock:
        return _opened.setdefault(name, MemoryStorage(name))

"""
What a place for bytes promises: the whole contract between the store and a backend.

Guarantees, checked by `artstore.testing.storage_suite` on every backend:

S1  A finished `create` is visible to every later `read`, `stat` and `scan`.
S2  A reader sees all bytes of a value or `NotFoundError`, never a part.
S3  Of any number of creators of one key exactly one succeeds; the others get
    `AlreadyExistsError` and the value stays what the winner wrote.
S4  A value survives power loss once `create` (or `create_many`) returned.
S5  `scan` yields keys in order of their UTF-8 bytes, each once, and misses no
    key that existed for the whole length of the scan.
S6  A key that was deleted reads as absent; deleting an absent key is no error.

There is no replace: nothing in a store is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from artstore.digest import Buffer

__all__ = ["KeyInfo", "Span", "Storage", "Value"]

Value = Buffer | Sequence[Buffer]
"""Bytes to store: one buffer, or several that are written one after the other."""


@dataclass(frozen=True, slots=True)
class Span:
    """
    A range of a value. A negative offset counts from the end (`Span(-24, 24)`).

    Attributes:
        or_less: a value that ends before the range does gives what there is of it, maybe
            nothing. So a value whose size nobody vouches for is read in one request,
            and never more of it than a limit allows.
    """

    offset_bytes: int
    length_bytes: int
    or_less: bool = False


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What `stat` and `scan` tell. `modified_seconds` is by the storage's own clock."""

    key: str
    size_bytes: int
    modified_seconds: float


class Storage(Protocol):
    """Bytes under keys. Safe to use from several threads; keys pass `names.check_key`."""

    @property
    def url(self) -> str:
        """Where this is, for messages: `file:///data/store`."""
        ...

    def read(self, key: str, span: Span | None = None) -> bytes:
        """
        The bytes of `key`, or of a range of it.

        Raises:
            NotFoundError: `key-not-found`.
            DamagedDataError: `range-missing`, the value is shorter than the range.
        """
        ...

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """
        The answers to n reads in the order asked; backends overlap them. Errors as `read`.

        An answer may be a view of memory that is used again when it is let go.
        """
        ...

    def create(self, key: str, value: Value) -> None:
        """
        Store `value` under a new key, durably.

        Raises:
            AlreadyExistsError: `key-exists`.
            DeniedError: `storage-denied` (permissions), `storage-full` (space, quota).
        """
        ...

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """
        Store n values; on return all are durable. On an error any of them may exist.

        Cost: one directory sync per directory, not per value.
        """
        ...

    def stat(self, key: str) -> KeyInfo:
        """Size and time of `key`. Raises NotFoundError."""
        ...

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """Every key that starts with `prefix` and sorts after `after`, in order."""
        ...

    def scan_names(self, prefix: str) -> Iterator[str]:
        """The distinct next parts of keys below `prefix` (which ends in `/`), in order."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; absent ones are no error. Only upkeep calls this."""
        ...

"""
A storage that tries again when the inner one does not answer.

One rule makes a repeated `create` safe: AlreadyExistsError becomes success only
if an earlier attempt of this very call was left without an answer *and* the
stored bytes equal ours. Content keys carry a push id and log entries a write
id, so equal bytes under one key are this call's own. Everything else stays an
error: an unproven failure never turns into success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from artstore import clock
from artstore.errors import AlreadyExistsError, NotFoundError, UnavailableError
from artstore.storage.protocol import KeyInfo, Span, Storage, Value
from artstore.storage.values import same_bytes

__all__ = ["RetryingStorage"]

_Answer = TypeVar("_Answer")


class RetryingStorage:
    """
    Repeats calls of `inner` that end in UnavailableError, and no others.

    Args:
        attempts: tries of one call in all, at least 1; for listings and
            `read_many`, tries without any progress.
        first_delay_seconds: upper bound of the first wait; it doubles each time.
            The wait is a random part of the bound (full jitter), so that many
            clients do not come back at once.
        max_delay_seconds: no wait is longer.
    """

    def __init__(
        self,
        inner: Storage,
        *,
        attempts: int = 6,
        first_delay_seconds: float = 0.2,
        max_delay_seconds: float = 10.0,
    ) -> None:
        if attempts < 1:
            raise ValueError("attempts must be at least 1")
        self._inner = inner
        self._attempts = attempts
        self._first_delay_seconds = first_delay_seconds
        self._max_delay_seconds = max_delay_seconds

    @property
    def url(self) -> str:
        """The URL of the inner storage."""
        return self._inner.url

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage, tried again."""
        return self._retry(lambda: self._inner.read(key, span))

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[bytes]:
        """As the inner storage; goes on with the first answer that is missing."""
        done, failures = 0, 0
        while done < len(requests):
            try:
                for data in self._inner.read_many(requests[done:]):
                    done, failures = done + 1, 0
                    yield data
            except UnavailableError as error:
                failures = self._wait(failures, error)
            else:
                return

    def stat(self, key: str) -> KeyInfo:
        """As the inner storage, tried again."""
        return self._retry(lambda: self._inner.stat(key))

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As the inner storage; goes on after the last key that was seen."""
        failures = 0
        while True:
            try:
                for info in self._inner.scan(prefix, after=after):
                    after, failures = info.key, 0
                    yield info
            except UnavailableError as error:
                failures = self._wait(failures, error)
            else:
                return

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As the inner storage; names that were given are not given again."""
        last, failures = "", 0
        while True:
            try:
                for name in self._inner.scan_names(prefix):
                    if name > last:
                        last, failures = name, 0
                        yield name
            except UnavailableError as error:
                failures = self._wait(failures, error)
            else:
                return

    def delete(self, keys: Iterable[str]) -> None:
        """As the inner storage, tried again: deleting twice is deleting once."""
        keys = list(keys)
        self._retry(lambda: self._inner.delete(keys))

    def create(self, key: str, value: Value) -> None:
        """As the inner storage, tried again under the rule at the top."""
        try:
            self._inner.create(key, value)
        except UnavailableError as error:
            self._create_again(key, value, self._wait(0, error))

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage; after a lost answer each value is tried by itself."""
        try:
            self._inner.create_many(items)
        except UnavailableError as error:
            failures = self._wait(0, error)
            for key, value in items:
                self._create_again(key, value, failures)

    def _create_again(self, key: str, value: Value, failures: int) -> None:
        """Create after an attempt whose outcome is not known."""
        while True:
            try:
                try:
                    self._inner.create(key, value)
                except AlreadyExistsError:
                    if not same_bytes(self._inner.read(key), value):
                        raise
                return
            except UnavailableError as unanswered:
                failures = self._wait(failures, unanswered)
            except NotFoundError:
                # "Exists", then absent: the earlier attempt is still under way
                # somewhere (a delayed request, a stale cache of NFS).
                message = f"{key} in {self.url} exists and cannot be read"
                error = UnavailableError(message, code="storage-unavailable", key=key)
                failures = self._wait(failures, error)

    def _retry(self, call: Callable[[], _Answer]) -> _Answer:
        failures = 0
        while True:
            try:
                return call()
            except UnavailableError as error:
                failures = self._wait(failures, error)

    def _wait(self, failures: int, error: UnavailableError) -> int:
        """Sleep before the next attempt and count the failure; the last one is raised."""
        if failures + 1 >= self._attempts:
            raise error
        bound = min(self._max_delay_seconds, self._first_delay_seconds * 2**failures)
        clock.sleep(clock.random_fraction() * bound)
        return failures + 1

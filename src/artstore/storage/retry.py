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
from typing import Final, TypeVar

from artstore import clock
from artstore.digest import Buffer
from artstore.errors import AlreadyExistsError, NotFoundError, UnavailableError
from artstore.storage.protocol import KeyInfo, Span, Storage, Value
from artstore.storage.values import same_bytes

__all__ = ["FIRST_ATTEMPTS", "RetryingStorage"]

_Answer = TypeVar("_Answer")

FIRST_ATTEMPTS: Final = 4
"""Tries in all where nobody ever answered."""


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
        budget_seconds: from the third attempt on, none begins later than this after the
            call began, or after its last progress.

    An error with `reached=False` in its context says that nobody ever answered
    there: a wrong endpoint, most likely. It is tried again only `FIRST_ATTEMPTS` times.
    """

    def __init__(
        self,
        inner: Storage,
        *,
        attempts: int = 6,
        first_delay_seconds: float = 0.2,
        max_delay_seconds: float = 10.0,
        budget_seconds: float = 300.0,
    ) -> None:
        if attempts < 1:
            raise ValueError("attempts must be at least 1")
        self._inner = inner
        self._attempts = attempts
        self._first_delay_seconds = first_delay_seconds
        self._max_delay_seconds = max_delay_seconds
        self._budget_seconds = budget_seconds

    @property
    def url(self) -> str:
        """The URL of the inner storage."""
        return self._inner.url

    def read(self, key: str, span: Span | None = None) -> bytes:
        """As the inner storage, tried again."""
        return self._retry(lambda: self._inner.read(key, span))

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """As the inner storage; goes on with the first answer that is missing."""
        done, patience = 0, self._patience()
        while done < len(requests):
            try:
                for data in self._inner.read_many(requests[done:]):
                    done += 1
                    yield data
                    patience.begin()
            except UnavailableError as error:
                patience.wait(error)
            else:
                return

    def stat(self, key: str) -> KeyInfo:
        """As the inner storage, tried again."""
        return self._retry(lambda: self._inner.stat(key))

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """As the inner storage; goes on after the last key that was seen."""
        patience = self._patience()
        while True:
            try:
                for info in self._inner.scan(prefix, after=after):
                    after = info.key
                    yield info
                    patience.begin()
            except UnavailableError as error:
                patience.wait(error)
            else:
                return

    def scan_names(self, prefix: str) -> Iterator[str]:
        """As the inner storage; names that were given are not given again."""
        last, patience = "", self._patience()
        while True:
            try:
                for name in self._inner.scan_names(prefix):
                    if name > last:
                        last = name
                        yield name
                        patience.begin()
            except UnavailableError as error:
                patience.wait(error)
            else:
                return

    def delete(self, keys: Iterable[str]) -> None:
        """As the inner storage, tried again: deleting twice is deleting once."""
        keys = list(keys)
        self._retry(lambda: self._inner.delete(keys))

    def create(self, key: str, value: Value) -> None:
        """As the inner storage, tried again under the rule at the top."""
        patience = self._patience()
        try:
            self._inner.create(key, value)
        except UnavailableError as error:
            patience.wait(error)
            self._create_again(key, value, patience)

    def replaces(self, key: str, value: Value) -> bool:
        """
        Create `value` once more where it is already: whether it is taken instead of refused.

        `create` cannot tell: an attempt without an answer makes success of "exists".
        """

        def attempt() -> bool:
            try:
                self._inner.create(key, value)
            except AlreadyExistsError:
                return False
            return True

        return self._retry(attempt)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage; after a lost answer each value is tried by itself."""
        patience = self._patience()
        try:
            self._inner.create_many(items)
        except UnavailableError as error:
            patience.wait(error)
            for key, value in items:
                self._create_again(key, value, patience)
                patience.begin()

    def _create_again(self, key: str, value: Value, patience: _Patience) -> None:
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
                patience.wait(unanswered)
            except NotFoundError as error:
                if error.code != "key-not-found":
                    raise
                # "Exists", then absent: the earlier attempt is still under way
                # somewhere (a delayed request, a stale cache of NFS).
                message = f"{key} in {self.url} exists and cannot be read"
                patience.wait(UnavailableError(message, code="storage-unavailable", key=key))

    def _retry(self, call: Callable[[], _Answer]) -> _Answer:
        patience = self._patience()
        while True:
            try:
                return call()
            except UnavailableError as error:
                patience.wait(error)

    def _patience(self) -> _Patience:
        return _Patience(
            self._attempts,
            self._first_delay_seconds,
            self._max_delay_seconds,
            self._budget_seconds,
        )


class _Patience:
    """How often one call has failed since it began or last got on, and for how long it may."""

    def __init__(
        self,
        attempts: int,
        first_delay_seconds: float,
        max_delay_seconds: float,
        budget_seconds: float,
    ) -> None:
        self._attempts = attempts
        self._first_delay_seconds = first_delay_seconds
        self._max_delay_seconds = max_delay_seconds
        self._budget_seconds = budget_seconds
        self.begin()

    def begin(self) -> None:
        """Count from here: the call begins, or has got on."""
        self._failures = 0
        self._began_seconds = clock.monotonic_seconds()

    def wait(self, error: UnavailableError) -> None:
        """Sleep before the next attempt; raise `error` if there is to be none."""
        attempts = self._attempts
        if error.context.get("reached") is False:
            attempts = min(attempts, FIRST_ATTEMPTS)
        bound = min(self._max_delay_seconds, self._first_delay_seconds * 2**self._failures)
        delay = clock.random_fraction() * bound
        self._failures += 1
        spent = clock.monotonic_seconds() - self._began_seconds
        is_late = self._failures >= 2 and spent + delay > self._budget_seconds
        if self._failures >= attempts or is_late:
            raise error
        clock.sleep(delay)

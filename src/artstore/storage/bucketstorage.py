"""
What a store in a bucket does in the same way whatever client sends its requests.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

from artstore import names
from artstore.digest import Buffer
from artstore.errors import ArtstoreError
from artstore.storage.address import BucketAddress
from artstore.storage.answers import Answer, Asked, answer_error, order_error
from artstore.storage.overlapping import Overlap, RequestOptions
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.storage.ranges import HttpRange, KeptValues, RangeReader
from artstore.storage.values import check_new_key, check_prefix, key_exists, range_missing

__all__ = ["BucketStorage"]


class BucketStorage(ABC):
    """
    Values as objects of a bucket. Touches nothing until it is used.

    Args:
        address: bucket and prefix.
        unguarded: for an endpoint that ignores `If-None-Match`: a `create` looks first
            and then puts without a condition. Right for one writer at a time only.
    """

    def __init__(
        self,
        address: BucketAddress,
        *,
        unguarded: bool = False,
        options: RequestOptions | None = None,
    ) -> None:
        self._address = address
        self._unguarded = unguarded
        self._options = options or RequestOptions()
        self._overlap = Overlap(self._options)
        self._ranges = RangeReader()
        self._lock = threading.Lock()
        self._was_reached = False

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return self._address.url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    # --- what the client does -----------------------------------------------------

    @abstractmethod
    def _get(self, key: str, span: Span | None, asked: HttpRange | None) -> tuple[memoryview, int]:
        """Bytes of one request, and the size of the whole value. `span` is for messages."""

    @abstractmethod
    def stat(self, key: str) -> KeyInfo:
        """Size and time of `key`. Raises NotFoundError `key-not-found`."""

    @abstractmethod
    def _put(self, key: str, value: Value) -> None:
        """Send `value` in one request, with the condition unless the storage is unguarded."""

    @abstractmethod
    def _listed(self, prefix: str, after: str) -> Iterator[tuple[str, int, datetime]]:
        """
        Path, size and time of the objects with `prefix` that sort after `after`, in order.

        Others may stand before and behind them: they are left out.
        """

    @abstractmethod
    def _listed_names(self, prefix: str) -> Iterable[str]:
        """Paths of the objects and directories that lie directly below `prefix`."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; absent ones are no error."""

    @abstractmethod
    def _reached_at(self) -> tuple[str, str]:
        """Endpoint and region, for messages; empty while nothing is opened."""

    # --- reading ------------------------------------------------------------------

    def read(self, key: str, span: Span | None = None) -> bytes:
        """The bytes of `key`, or of a range of it. Errors as `Storage.read`."""
        return self._read(KeptValues(), key, span).tobytes()

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        """The answers to n reads in the order asked; up to `parallel_count` at once."""
        return self._overlap.read_many(partial(self._read, KeptValues()), requests)

    def _read(self, kept: KeptValues, key: str, span: Span | None) -> memoryview:
        """The same as the client holds it: nothing is copied."""
        names.check_key(key)
        return self._ranges.read(
            key,
            span,
            lambda asked: self._get(key, span, asked),
            lambda: self.stat(key).size_bytes,
            kept,
        )

    # --- creating -----------------------------------------------------------------

    def create(self, key: str, value: Value) -> None:
        """Store `value` under a new key, in one request. Errors as `Storage.create`."""
        check_new_key(key)
        self._create(key, value)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """Store n values, up to `parallel_count` at once. On an error any of them may exist."""
        for key, _ in items:
            check_new_key(key)
        self._overlap.create_many(self._create, items)

    def _create(self, key: str, value: Value) -> None:
        if self._unguarded and self._exists(key):
            raise key_exists(self.url, key)
        self._put(key, value)

    def _exists(self, key: str) -> bool:
        try:
            self.stat(key)
        except LookupError:
            return False
        return True

    # --- listing ------------------------------------------------------------------

    def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
        """Every key that starts with `prefix` and sorts after `after`, in order."""
        check_prefix(prefix)
        return self._scan(prefix, after)

    def _scan(self, prefix: str, after: str) -> Iterator[KeyInfo]:
        last = ""
        for path, size, modified in self._listed(prefix, after):
            self._was_reached = True
            key = self._address.key(path)
            if key == last:  # rclone names a key twice that two have written at once
                continue
            if key < last:
                raise order_error(last, key, self._asked("list", prefix))
            last = key
            if key.startswith(prefix):
                if key > after:
                    yield KeyInfo(key, size, modified.timestamp())
            elif key > prefix:
                return

    def scan_names(self, prefix: str) -> Iterator[str]:
        """The distinct next parts of keys below `prefix`, in order of their bytes."""
        check_prefix(prefix)
        return self._scan_names(prefix)

    def _scan_names(self, prefix: str) -> Iterator[str]:
        below = len(self._address.path(prefix))
        yield from sorted({path[below:].rstrip("/") for path in self._listed_names(prefix)})

    # --- errors -------------------------------------------------------------------

    def _asked(self, doing: str, key: str) -> Asked:
        endpoint, region = self._reached_at()
        return Asked(
            doing,
            key,
            self.url,
            self._address.bucket,
            endpoint,
            region,
            was_reached=self._was_reached,
        )

    def _error_of(self, answer: Answer, asked: Asked, key: str, span: Span | None) -> ArtstoreError:
        """The error for an answer that is none of success."""
        self._was_reached = True
        if answer.status == 416 and span is not None:
            return range_missing(key, span, self.stat(key).size_bytes)
        return answer_error(answer, asked)

"""
Ranges of a value as HTTP has them, and what a store asks for in terms of them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from artstore import limits
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.storage.protocol import Span
from artstore.storage.values import range_missing

__all__ = ["HttpRange", "KeptValues", "NoRangeError", "RangeReader", "read_span"]

_SUFFIX_WASTE_BYTES: Final = 64 * limits.KIB
"""More than this is not read in vain to save a request for the size."""
_KEPT_COUNT: Final = 2
"""Reads of one batch go through its values in order, a few threads at a time."""


@dataclass(frozen=True, slots=True)
class HttpRange:
    """`start` to `end` (not included); the last `-start` bytes if `start` is negative."""

    start: int
    end: int = 0

    def __str__(self) -> str:
        return f"bytes={self.start}" if self.start < 0 else f"bytes={self.start}-{self.end - 1}"

    def within(self, size_bytes: int) -> tuple[int, int]:
        """Start and end of what there is of it in a value of `size_bytes`."""
        start = self.start + size_bytes if self.start < 0 else self.start
        end = size_bytes if self.start < 0 else self.end
        return max(0, min(start, size_bytes)), min(end, size_bytes)


class NoRangeError(Exception):
    """The answer to a request for a range does not say that it is one. Of this package alone."""


class KeptValues:
    """The last values of one batch of reads, for `RangeReader` to cut more out of them."""

    def __init__(self) -> None:
        self._values: deque[tuple[str, memoryview]] = deque(maxlen=_KEPT_COUNT)
        # While one thread reads a value, those that want other parts of it wait; and no
        # more than the values kept and one more are in memory.
        self._lock = threading.Lock()

    def get(self, key: str, read: Callable[[], memoryview]) -> memoryview:
        """The value of `key`, from `read` unless it is kept."""
        with self._lock:
            for kept, value in self._values:
                if kept == key:
                    return value
            value = read()
            self._values.append((key, value))
            return value


class RangeReader:
    """
    Spans by ranges of HTTP, or cut out of whole values if the server has no ranges.

    `rclone serve s3` sends the right bytes with status 200 instead of 206, which HTTP
    has for "here is all of it" and obstore does not take. The first such answer is
    remembered as long as the storage.
    """

    def __init__(self) -> None:
        self._cuts = False

    def read(
        self,
        key: str,
        span: Span | None,
        get: Callable[[HttpRange | None], tuple[memoryview, int]],
        get_size: Callable[[], int],
        kept: KeptValues,
    ) -> memoryview:
        """
        As `read_span`.

        Args:
            get: may raise NoRangeError.
            kept: of the batch of reads that this one is part of.
        Cost: as `read_span`; without ranges, the whole value.
        """

        def get_or_cut(asked: HttpRange | None) -> tuple[memoryview, int]:
            if asked is None:
                return get(None)
            if not self._cuts:
                try:
                    return get(asked)
                except NoRangeError:
                    self._cuts = True
            whole = kept.get(key, lambda: get(None)[0])
            start, end = asked.within(len(whole))
            # A copy: a view would keep all of the value in memory.
            return memoryview(bytes(whole[start:end])), len(whole)

        return read_span(key, span, get_or_cut, get_size)


def read_span(
    key: str,
    span: Span | None,
    get: Callable[[HttpRange | None], tuple[memoryview, int]],
    get_size: Callable[[], int],
) -> memoryview:
    """
    The bytes of `span`, in one request unless it is empty or far from the end.

    Args:
        get: asks for a range and gives the bytes of it that there are, and the size of
            the whole value; None asks for all of it.
        get_size: asks for the size.
    Raises:
        DamagedDataError: `range-missing`.
        InvalidInputError: `span-invalid`.
    """
    if span is None:
        return get(None)[0]
    offset, length = span.offset_bytes, span.length_bytes
    if length < 0:
        raise InvalidInputError(f"a range of {length} bytes was asked", code="span-invalid")
    if offset < 0 and 0 < length <= -offset <= length + _SUFFIX_WASTE_BYTES:
        data, size = get(HttpRange(offset))
        if size < -offset:
            raise range_missing(key, span, size)
        return data[:length]
    if offset < 0 or length == 0:
        # A range of nothing is no range in HTTP.
        size = get_size()
        start = offset + size if offset < 0 else offset
        if start < 0 or start + length > size:
            raise range_missing(key, span, size)
        if length == 0:
            return memoryview(b"")
        offset = start
    try:
        data, size = get(HttpRange(offset, offset + length))
    except DamagedDataError as error:
        # What begins behind the end is no range in HTTP either.
        if span.or_less and error.code == "range-missing":
            return memoryview(b"")
        raise
    if offset + length > size and not span.or_less:
        raise range_missing(key, span, size)
    return data

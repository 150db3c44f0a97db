"""
Ranges of a value as HTTP has them, and what a store asks for in terms of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from artstore import limits
from artstore.errors import InvalidInputError
from artstore.storage.protocol import Span
from artstore.storage.values import range_missing

__all__ = ["HttpRange", "read_span"]

_SUFFIX_WASTE_BYTES: Final = 64 * limits.KIB
"""More than this is not read in vain to save a request for the size."""


@dataclass(frozen=True, slots=True)
class HttpRange:
    """`start` to `end` (not included); the last `-start` bytes if `start` is negative."""

    start: int
    end: int = 0

    def __str__(self) -> str:
        return f"bytes={self.start}" if self.start < 0 else f"bytes={self.start}-{self.end - 1}"


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
    data, size = get(HttpRange(offset, offset + length))
    if offset + length > size:
        raise range_missing(key, span, size)
    return data

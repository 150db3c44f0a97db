"""
What every backend does the same way with keys, values and spans. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from artstore import names
from artstore.digest import Buffer
from artstore.errors import AlreadyExistsError, DamagedDataError, InvalidInputError, NotFoundError
from artstore.storage.protocol import Span, Value

__all__ = [
    "TEMPORARY",
    "buffers_of",
    "check_new_key",
    "check_prefix",
    "key_exists",
    "key_not_found",
    "locate",
    "range_missing",
    "same_bytes",
    "size_of",
]

TEMPORARY = "tmp"
"""First part of what is no key: directories keep unfinished writes there."""


def buffers_of(value: Value) -> list[Buffer]:
    """The parts of `value` that hold bytes, in order; nothing is copied."""
    if isinstance(value, bytes | bytearray | memoryview):
        return [value] if len(value) else []
    return [part for part in value if len(part)]


def size_of(value: Value) -> int:
    """Bytes of `value` in all."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _buffer_size(value)
    return sum(map(_buffer_size, value))


def _buffer_size(buffer: Buffer) -> int:
    return buffer.nbytes if isinstance(buffer, memoryview) else len(buffer)


def same_bytes(stored: Buffer, value: Value) -> bool:
    """Whether `stored` is what `value` says, part by part, without joining the parts."""
    if len(stored) != size_of(value):
        return False
    view, position = memoryview(stored), 0
    for part in buffers_of(value):
        flat = memoryview(part).cast("B")
        if view[position : position + len(flat)] != flat:
            return False
        position += len(flat)
    return True


def check_new_key(key: str) -> str:
    """
    The gate for keys that are about to be made.

    Raises:
        InvalidInputError: `key-invalid`, also for `tmp/...`: a store must be
            able to move to a directory, and there `tmp/` is no part of it.
    """
    names.check_key(key)
    if key == TEMPORARY or key.startswith(TEMPORARY + "/"):
        raise InvalidInputError(
            f"storage key {key!r} is not valid: {TEMPORARY}/ is for unfinished writes",
            code="key-invalid",
            key=key,
        )
    return key


def check_prefix(prefix: str) -> str:
    """The gate for `scan`: a key, the start of one, or nothing. Keeps `..` out of paths."""
    if prefix:
        names.check_key(f"{prefix}0")
    return prefix


def locate(key: str, span: Span | None, size_bytes: int) -> tuple[int, int]:
    """
    Offset and length of `span` in a value of `size_bytes`.

    Checked against the real size before anything is allocated, so a hostile
    length in a manifest costs nothing.

    Raises:
        DamagedDataError: `range-missing`.
        InvalidInputError: `span-invalid`.
    """
    if span is None:
        return 0, size_bytes
    offset, length = span.offset_bytes, span.length_bytes
    if length < 0:
        raise InvalidInputError(f"a range of {length} bytes was asked", code="span-invalid")
    if offset < 0:
        offset += size_bytes
    if span.or_less and offset >= 0:
        offset = min(offset, size_bytes)
        length = min(length, size_bytes - offset)
    if offset < 0 or offset + length > size_bytes:
        raise range_missing(key, span, size_bytes)
    return offset, length


def range_missing(key: str, span: Span | None, size_bytes: int) -> DamagedDataError:
    """The error for a value that is shorter than what was asked of it."""
    asked = f"{span.length_bytes} bytes at {span.offset_bytes}" if span else "all of it"
    return DamagedDataError(
        f"{key} has {size_bytes} bytes, asked for {asked}",
        code="range-missing",
        key=key,
        offset_bytes=span.offset_bytes if span else 0,
        expected=span.length_bytes if span else None,
        found=size_bytes,
    )


def key_not_found(url: str, key: str) -> NotFoundError:
    """The error for a key that is not there."""
    return NotFoundError(f"{key} is not in {url}", code="key-not-found", key=key)


def key_exists(url: str, key: str) -> AlreadyExistsError:
    """The error for a key that somebody made before."""
    return AlreadyExistsError(f"{key} is in {url} already", code="key-exists", key=key)


def parents_of(key: str) -> Iterator[str]:
    """`a/b/c` -> `a`, `a/b`: what must not be a key beside it."""
    position = key.find("/")
    while position >= 0:
        yield key[:position]
        position = key.find("/", position + 1)


def clashing_key(key: str, other: str) -> InvalidInputError:
    """The error for `a` beside `a/b`: a directory cannot hold both, so no backend does."""
    return InvalidInputError(
        f"storage key {key!r} cannot stand beside {other!r}", code="key-invalid", key=key
    )

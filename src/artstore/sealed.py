"""
Canonical JSON that tells when one of its bits is not what was written.

A sealed object has the member `check`: XXH3-64, as 16 hex digits, of the bytes
of the object without that member. Log entries are chained and manifests carry
their digest in their key, but nothing chains over the newest entry of a log yet,
and nothing names `artstore.json`: these say it themselves. Against accidents
only, never against people.
"""

from __future__ import annotations

from typing import Any, Final

from artstore import canonical
from artstore.digest import checksum64

__all__ = ["MEMBER", "encode_sealed", "has_seal", "is_sealed"]

MEMBER: Final = "check"
_CHECK_CHARS: Final = 16
_SEAL: Final = f'"{MEMBER}":"'.encode()
_SEALS_TRIED_COUNT: Final = 8
"""Inner objects may have members of that name; whoever writes a thousand shall not cost as much."""


def encode_sealed(value: dict[str, Any], *, what: str) -> bytes:
    """
    The bytes of `value` with its check.

    Args:
        value: an object without the member `check`, with one that sorts after it.
    Raises:
        InvalidInputError: `value-invalid`, as `canonical.encode`.
    """
    assert MEMBER not in value
    assert max(value) > MEMBER
    check = checksum64(canonical.encode(value, what=what)).hex()
    return canonical.encode({**value, MEMBER: check}, what=what)


def is_sealed(data: bytes, value: Any) -> bool:
    """
    Whether these are the bytes that `encode_sealed` gave, as far as a checksum tells.

    Args:
        value: what `canonical.decode` made of `data`. It says which check is
            meant, whatever members of the same name stand in inner objects.
    """
    check = value.get(MEMBER) if type(value) is dict else None
    if type(check) is not str or len(check) != _CHECK_CHARS or not check.isascii():
        return False
    # Another member follows, so the comma behind this one goes with it.
    before, seal, after = data.partition(f'"{MEMBER}":"{check}",'.encode())
    return bool(seal) and checksum64(before + after).hex() == check


def has_seal(data: bytes) -> bool:
    """
    Whether `is_sealed` is likely to be true, found without decoding `data`.

    False for every sealed object of which one bit is not what was written.

    Cost: one hash.
    """
    at = data.find(_SEAL)
    for _ in range(_SEALS_TRIED_COUNT):
        if at < 0:
            return False
        start = at + len(_SEAL)
        end = start + _CHECK_CHARS
        rest = data[:at] + data[end + len(b'",') :]
        if checksum64(rest).hex().encode() == data[start:end]:
            return data[end : end + 2] == b'",'
        at = data.find(_SEAL, start)
    return False

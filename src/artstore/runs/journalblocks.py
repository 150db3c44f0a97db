"""
Bytes of a journal: blocks, one after the other, each with its kind, length and checksum.

    0   3  "AJ1"
    3   1  letter of the kind
    4   4  length of the payload, little-endian
    8   8  XXH3-64 of the 8 bytes before and the payload
    16     payload

What is appended is whole or torn: a block that reaches beyond the end of the file was being
written when its process died. Any other mismatch is damage. Nothing after either is read.
"""

from __future__ import annotations

import struct
from typing import Final

from artstore.digest import checksum64
from artstore.errors import LimitExceededError, UnsupportedFormatError

__all__ = [
    "CHANGE",
    "CONSOLE",
    "END",
    "HEADER_BYTES",
    "KINDS",
    "ROWS",
    "STORED",
    "SYSTEM",
    "encode_block",
    "kind_of_block",
    "read_header",
]

ROWS: Final = "rows"
SYSTEM: Final = "system"
CONSOLE: Final = "console"
CHANGE: Final = "change"
STORED: Final = "stored"
END: Final = "end"

KINDS: Final = {ROWS: b"r", SYSTEM: b"s", CONSOLE: b"c", CHANGE: b"h", STORED: b"w", END: b"e"}
"""Kind -> its letter in a file."""

HEADER_BYTES: Final = 16
_KIND_OF: Final = {letter: kind for kind, letter in KINDS.items()}
_MAGIC: Final = b"AJ1"
_HEADER: Final = struct.Struct("<3scI8s")
_START: Final = struct.Struct("<3scI")
_PAYLOAD_MAX_BYTES: Final = 2**32 - 1


def encode_block(kind: str, payload: bytes) -> bytes:
    """
    A block as it stands in a journal.

    Raises:
        LimitExceededError: `value-invalid`: a payload of 4 GiB or more.
    """
    if len(payload) > _PAYLOAD_MAX_BYTES:
        raise LimitExceededError(
            f"a block of a journal holds up to {_PAYLOAD_MAX_BYTES:,} bytes, not {len(payload):,}",
            code="value-invalid",
        )
    start = _START.pack(_MAGIC, KINDS[kind], len(payload))
    return b"".join((start, checksum64(start + payload), payload))


def read_header(header: bytes) -> int | None:
    """Length of the payload behind these 16 bytes; None if they begin no block."""
    magic, _, length, _ = _HEADER.unpack(header)
    return length if magic == _MAGIC else None


def kind_of_block(header: bytes, payload: bytes) -> str | None:
    """
    The kind of a block; None if it is not what was written.

    Raises:
        UnsupportedFormatError: `format-unsupported`: a kind of a newer release.
    """
    if checksum64(header[:8] + payload) != header[8:]:
        return None
    letter = header[3:4]
    if letter not in _KIND_OF:
        raise UnsupportedFormatError(
            f"a journal holds a block of kind {letter!r}, which this release does not know",
            code="format-unsupported",
            hint="read it with the release that wrote it, or a newer one",
        )
    return _KIND_OF[letter]

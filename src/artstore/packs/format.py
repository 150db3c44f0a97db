"""
The bytes of a pack: chunks back to back, then a footer that lists them (docs/format/pack.md).

Pure functions, no I/O. Integers are little-endian.

    0                 magic "ARTPACK1"
    8                 stored chunks, one after the other
    8 + sum(stored)   footer: columns of n chunks
                        n x 32  digests of the plain bytes
                        n x u32 stored bytes
                        n x u32 plain bytes
                        n x u8  codec (0 raw, 1 zstd)
                        n x u8  kind  (0 file bytes, 1 chunk list, 2 manifest segment,
                                       3 segment list)
    end - 24          u32 footer bytes, u32 n, 8 B XXH3-64 of the footer, magic "ARTPEND1"

The pack's digest, part of its key, is the BLAKE3 of the footer: it commits to
every chunk through the digests, and costs nothing to compute.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from artstore import limits
from artstore.columns import u32_column, u32_values
from artstore.digest import DIGEST_BYTES, checksum64
from artstore.errors import DamagedDataError, LimitExceededError

__all__ = [
    "FOOTER_RECORD_BYTES",
    "HEADER",
    "KIND_CHUNK_LIST",
    "KIND_FILE",
    "KIND_SEGMENT",
    "KIND_SEGMENT_LIST",
    "TRAILER_BYTES",
    "Footer",
    "decode_footer",
    "decode_trailer",
    "encode_footer",
]

HEADER: Final = b"ARTPACK1"
_END: Final = b"ARTPEND1"
_TRAILER: Final = struct.Struct("<II8s8s")
TRAILER_BYTES: Final = _TRAILER.size
FOOTER_RECORD_BYTES: Final = DIGEST_BYTES + 4 + 4 + 1 + 1
"""What a chunk takes in the footer of its pack."""

KIND_FILE: Final = 0
KIND_CHUNK_LIST: Final = 1
KIND_SEGMENT: Final = 2
KIND_SEGMENT_LIST: Final = 3


@dataclass(frozen=True, slots=True)
class Footer:
    """The chunks of one pack, by ordinal; all columns have the same length."""

    digests: tuple[bytes, ...]
    stored_bytes: array[int]
    plain_bytes: array[int]
    codecs: bytes
    kinds: bytes

    def offsets_bytes(self) -> list[int]:
        """Where each chunk starts, counted from the first byte of the pack."""
        return list(accumulate(self.stored_bytes, initial=len(HEADER)))[:-1]

    def rows(self) -> Iterator[tuple[bytes, int, int, int, int]]:
        """(digest, offset, stored bytes, plain bytes, codec) of each chunk, by ordinal."""
        return zip(
            self.digests,
            self.offsets_bytes(),
            self.stored_bytes,
            self.plain_bytes,
            self.codecs,
            strict=True,
        )


def encode_footer(footer: Footer) -> tuple[bytes, bytes]:
    """The footer's bytes and the trailer that follows them."""
    body = b"".join(
        (
            *footer.digests,
            u32_column(footer.stored_bytes),
            u32_column(footer.plain_bytes),
            footer.codecs,
            footer.kinds,
        )
    )
    return body, _TRAILER.pack(len(body), len(footer.digests), checksum64(body), _END)


def decode_trailer(trailer: bytes, *, key: str, pack_bytes: int) -> tuple[int, int, bytes]:
    """
    (footer bytes, chunk count, checksum) out of the last 24 bytes of a pack.

    Raises:
        DamagedDataError: `pack-damaged`.
        LimitExceededError: `limit-exceeded`, before the footer is read.
    """
    if len(trailer) != TRAILER_BYTES:
        raise _damaged(key, "a trailer", f"{len(trailer)} bytes")
    footer_bytes, count, checksum, magic = _TRAILER.unpack(trailer)
    if magic != _END:
        raise _damaged(key, repr(_END), repr(magic))
    if footer_bytes > limits.FOOTER_MAX_BYTES or count > limits.PACK_CHUNK_COUNT:
        raise LimitExceededError(
            f"{key}: a footer of {footer_bytes} bytes and {count} chunks passes the limits",
            code="limit-exceeded",
            key=key,
        )
    if footer_bytes != count * FOOTER_RECORD_BYTES or (
        footer_bytes + TRAILER_BYTES + len(HEADER) > pack_bytes
    ):
        raise _damaged(key, f"{count * FOOTER_RECORD_BYTES} footer bytes", f"{footer_bytes}")
    return footer_bytes, count, checksum


def decode_footer(body: bytes, count: int, checksum: bytes, *, key: str, pack_bytes: int) -> Footer:
    """
    Read a footer; every length is checked against the pack's own.

    Raises:
        DamagedDataError: `pack-damaged`.
        LimitExceededError: `limit-exceeded`.
    """
    if len(body) != count * FOOTER_RECORD_BYTES or checksum64(body) != checksum:
        raise _damaged(key, "the footer's checksum", "another")
    split = count * DIGEST_BYTES
    stored = u32_values(body[split : split + 4 * count])
    plain = u32_values(body[split + 4 * count : split + 8 * count])
    rest = body[split + 8 * count :]
    footer = Footer(
        digests=tuple(body[i : i + DIGEST_BYTES] for i in range(0, split, DIGEST_BYTES)),
        stored_bytes=stored,
        plain_bytes=plain,
        codecs=rest[:count],
        kinds=rest[count:],
    )
    if sum(stored) + len(HEADER) + len(body) + TRAILER_BYTES != pack_bytes:
        raise _damaged(key, f"{pack_bytes} bytes", "chunks that add up to others")
    if count and max(plain) > limits.CHUNK_MAX_BYTES:
        raise LimitExceededError(
            f"{key}: a chunk of {max(plain)} bytes passes the limit of {limits.CHUNK_MAX_BYTES}",
            code="limit-exceeded",
            key=key,
        )
    return footer


def _damaged(key: str, expected: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{key} is damaged: expected {expected}, found {found}",
        code="pack-damaged",
        key=key,
        expected=expected,
        found=found,
    )

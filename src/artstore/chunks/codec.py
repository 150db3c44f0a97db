"""
One chunk, plain <-> stored: raw, or one zstd frame where that saves at least 5 %.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from artstore import limits
from artstore.digest import Buffer, digest_of
from artstore.errors import DamagedDataError, LimitExceededError, UnsupportedFormatError

if TYPE_CHECKING:
    import zstandard

__all__ = ["RAW", "ZSTD", "decode", "decode_verified", "encode", "encode_again"]

RAW: Final = 0
ZSTD: Final = 1

_LEVEL: Final = 3
_DENSE_LEVEL: Final = 12
"""For manifests: 3 % smaller than level 3, at 12 ms for 20,000 entries."""
_UNUSED_BIT: Final = 0x10
"""Bit 4 of a zstd frame header descriptor, which every encoder leaves at 0 (RFC 8878, 3.1.1.1)."""

_SAMPLE_LEVEL: Final = 1
_SAMPLE_BYTES: Final = 4 * limits.KIB


class _ThreadState(threading.local):
    """zstd contexts are not shared between threads and are costly to make."""

    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.decompressor: zstandard.ZstdDecompressor | None = None


_state = _ThreadState()


def encode(plain: Buffer, *, sampled: bool = True) -> tuple[int, Buffer]:
    """
    The codec and the stored form of a chunk; the same object again when kept raw.

    A sample of 4 KiB from the middle decides whether compression is tried at
    all: 256 MiB of JPEGs cost 9 ms to turn down (1.0 s to compress in vain).
    Manifests say `sampled=False`: their middle is digests, their ends are not.
    """
    size = len(plain)
    if sampled and size > 2 * _SAMPLE_BYTES:
        middle = (size - _SAMPLE_BYTES) // 2
        sample = memoryview(plain)[middle : middle + _SAMPLE_BYTES]
        if len(_compressor(_SAMPLE_LEVEL).compress(sample)) > _SAMPLE_BYTES * 0.95:
            return RAW, plain
    stored = _compressor(_LEVEL if sampled else _DENSE_LEVEL).compress(plain)
    return (ZSTD, stored) if len(stored) <= size * 0.95 else (RAW, plain)


def encode_again(codec: int, plain: Buffer, *, stored_bytes: int) -> Buffer | None:
    """
    The stored form that a chunk had: this codec, this length; None if it cannot be made again.

    Another release of zstd may make a frame of another length, which would move
    all chunks behind it in a pack.
    """
    if codec == RAW:
        return plain if len(plain) == stored_bytes else None
    if codec != ZSTD:
        return None
    for level in (_LEVEL, _DENSE_LEVEL):
        stored = _compressor(level).compress(plain)
        if len(stored) == stored_bytes:
            return stored
    return None


def decode(
    codec: int,
    stored: Buffer,
    *,
    plain_bytes: int,
    where: str,
    limit_bytes: int = limits.CHUNK_MAX_BYTES,
) -> Buffer:
    """
    The plain form; checks the length and what it may allocate, not the digest.

    Raises:
        DamagedDataError: `chunk-damaged`, naming `where`.
        LimitExceededError: `limit-exceeded`, before anything is allocated.
        UnsupportedFormatError: `codec-unknown`.
    """
    if plain_bytes > limit_bytes:
        raise LimitExceededError(
            f"{where}: {plain_bytes} bytes pass the limit of {limit_bytes}",
            code="limit-exceeded",
        )
    if codec == RAW:
        if len(stored) != plain_bytes:
            raise _damaged(where, f"{plain_bytes} bytes", f"{len(stored)} bytes")
        return stored
    if codec != ZSTD:
        raise UnsupportedFormatError(
            f"{where}: codec {codec} is not known to this release", code="codec-unknown"
        )
    return _decompress(stored, plain_bytes, where)


def decode_verified(
    codec: int, stored: Buffer, *, plain_bytes: int, digest: bytes, where: str
) -> Buffer:
    """As `decode`, and the digest is checked. Raises DamagedDataError `chunk-damaged`."""
    plain = decode(codec, stored, plain_bytes=plain_bytes, where=where)
    found = digest_of(plain)
    if found != digest:
        raise _damaged(where, digest.hex(), found.hex())
    return plain


def _decompress(stored: Buffer, plain_bytes: int, where: str) -> bytes:
    import zstandard

    try:
        # The frame states its own size and window: a bomb is refused by what it
        # says, before the library allocates it.
        frame = zstandard.get_frame_parameters(stored)
        if frame.content_size != plain_bytes:
            raise _damaged(where, f"{plain_bytes} bytes", f"{frame.content_size} bytes")
        if bytes(stored[4:5])[0] & _UNUSED_BIT:
            # Decoders pass over it, so the plain bytes would be right: say it all the same.
            raise _damaged(where, "a frame header as encoders write it", "its unused bit set")
        if frame.window_size > limits.CHUNK_MAX_BYTES:
            raise LimitExceededError(
                f"{where}: a zstd window of {frame.window_size} bytes passes the limit",
                code="limit-exceeded",
            )
        if _state.decompressor is None:
            _state.decompressor = zstandard.ZstdDecompressor()
        return _state.decompressor.decompress(stored, max_output_size=plain_bytes)
    except zstandard.ZstdError as error:
        raise _damaged(where, "a zstd frame", str(error)) from error


def _compressor(level: int) -> zstandard.ZstdCompressor:
    import zstandard

    compressor = _state.compressors.get(level)
    if compressor is None:
        # No checksum in the frame: the digest of the plain bytes is stronger.
        compressor = zstandard.ZstdCompressor(level=level, write_checksum=False)
        _state.compressors[level] = compressor
    return compressor


def _damaged(where: str, expected: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: expected {expected}, found {found}",
        code="chunk-damaged",
        where=where,
        expected=expected,
        found=found,
    )

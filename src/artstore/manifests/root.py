"""
The root of a manifest: what a version is, and the list of its segments.

docs/format/manifest.md section 5. Integers are little-endian.

    0   8 B  magic "ARTROOT1"
    8   u32  bytes of the header, u32 bytes of the body as stored, u32 plain, u8 codec
    21  header: canonical JSON (plain, so that a person can read it)
        body, one zstd frame or raw:
          u8   level: 0 references are segments, 1 lists of segments, ...
          u32  n references, u32 bytes of the first paths
          n x u64 entries below each reference (shuffled)
          first paths, UTF-8, NUL between
          a reference list
          u32  segments that travel inside the root, then u32 bytes + segment for each
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from artstore import canonical, limits
from artstore.chunks import codec
from artstore.columns import (
    shuffled_column,
    shuffled_values,
    u64_column,
    u64_values,
)
from artstore.errors import DamagedDataError, LimitExceededError, UnsupportedFormatError
from artstore.packs.locator import ChunkRef
from artstore.packs.reflist import decode_refs, encode_refs

__all__ = [
    "SEGMENTS_MAX",
    "Root",
    "SegmentRef",
    "decode_root",
    "decode_segment_list",
    "encode_root",
    "encode_segment_list",
]

_MAGIC: Final = b"ARTROOT1"
_HEAD: Final = struct.Struct("<8sIIIB")
_LIST_HEAD: Final = struct.Struct("<BII")
_U32: Final = struct.Struct("<I")
_FORMAT: Final = 1
SEGMENTS_MAX: Final = 1 << 18
"""Segments of one version that a reader lists in memory: 130 M entries, 100 MB. Lists
of lists would else let a few kilobytes of a hostile store fill it."""

_LIST_COUNT: Final = 65_536
"""FORMAT: references in one list. Writers stay far below; a small bomb of a million
references would take 400 MB of memory."""


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A segment (or, at a level above 0, a list of them): place, first path, entries below."""

    ref: ChunkRef
    first_path: str
    entry_count: int


@dataclass(frozen=True, slots=True)
class Root:
    """
    A decoded root.

    Attributes:
        header: digest, type, description, message, metadata, counts
            (docs/format/manifest.md section 5.1).
        level: levels of segment lists above the segments.
        segments: in manifest order.
        inline: whole segments as bytes, when the version is small.
    """

    header: Mapping[str, Any]
    level: int = 0
    segments: tuple[SegmentRef, ...] = ()
    inline: tuple[bytes, ...] = field(default=())


def encode_root(root: Root, *, resolved: Mapping[bytes, bytes] | None = None) -> bytes:
    """Root -> bytes. Raises LimitExceededError when metadata or lists pass a limit."""
    header = canonical.encode({"format": _FORMAT, **root.header}, what="metadata")
    if len(header) > limits.METADATA_MAX_BYTES:
        raise LimitExceededError(
            f"description, message and metadata take {len(header)} bytes, more than "
            f"{limits.METADATA_MAX_BYTES}",
            code="limit-exceeded",
            hint="put large metadata into a file of the artifact",
        )
    body = b"".join(
        (
            encode_segment_list(root.segments, root.level, resolved=resolved),
            _U32.pack(len(root.inline)),
            *(part for data in root.inline for part in (_U32.pack(len(data)), data)),
        )
    )
    kind, stored = codec.encode(body, sampled=False)
    head = _HEAD.pack(_MAGIC, len(header), len(stored), len(body), kind)
    if len(stored) + len(header) > limits.ROOT_MAX_BYTES or len(body) > limits.ROOT_MAX_BYTES:
        raise LimitExceededError("the manifest root passes 64 MiB", code="limit-exceeded")
    return b"".join((head, header, stored))


def decode_root(data: bytes, *, where: str) -> Root:
    """
    Bytes -> root.

    Raises:
        DamagedDataError: `manifest-damaged`.
        LimitExceededError: `limit-exceeded`, before anything is allocated.
        UnsupportedFormatError: `format-unsupported`.
    """
    if len(data) < _HEAD.size or data[:8] != _MAGIC:
        raise _damaged(where, "it is no manifest root")
    _, header_bytes, stored_bytes, plain_bytes, kind = _HEAD.unpack_from(data)
    if plain_bytes > limits.ROOT_MAX_BYTES or header_bytes > limits.METADATA_MAX_BYTES:
        raise LimitExceededError(
            f"{where}: a root of {plain_bytes} bytes passes the limits", code="limit-exceeded"
        )
    if len(data) != _HEAD.size + header_bytes + stored_bytes:
        raise _damaged(where, f"{len(data)} bytes")
    header = canonical.decode(data[_HEAD.size : _HEAD.size + header_bytes], what=where)
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise _damaged(where, "its header states no format")
    if header["format"] != _FORMAT:
        raise UnsupportedFormatError(
            f"{where} has format {header['format']}, this release reads {_FORMAT}",
            code="format-unsupported",
            hint="upgrade artstore",
        )
    body = bytes(
        codec.decode(
            kind,
            data[_HEAD.size + header_bytes :],
            plain_bytes=plain_bytes,
            where=where,
            limit_bytes=limits.ROOT_MAX_BYTES,
        )
    )
    segments, level, rest = decode_segment_list(body, where=where)
    return Root(header, level, tuple(segments), tuple(_decode_inline(rest, where)))


def encode_segment_list(
    segments: Sequence[SegmentRef], level: int, *, resolved: Mapping[bytes, bytes] | None = None
) -> bytes:
    """Segment references -> bytes; the same inside a root and as a node of its own."""
    paths = "\0".join([segment.first_path for segment in segments]).encode("utf-8")
    return b"".join(
        (
            _LIST_HEAD.pack(level, len(segments), len(paths)),
            shuffled_column(u64_column([segment.entry_count for segment in segments]), 8),
            paths,
            encode_refs([segment.ref for segment in segments], resolved=resolved),
        )
    )


def decode_segment_list(data: bytes, *, where: str) -> tuple[list[SegmentRef], int, bytes]:
    """
    Segment references, their level, and what follows.

    Raises:
        DamagedDataError: `manifest-damaged`.
        LimitExceededError: `limit-exceeded`, before anything is built.
    """
    if len(data) < _LIST_HEAD.size:
        raise _damaged(where, "the list of segments is cut short")
    level, count, paths_bytes = _LIST_HEAD.unpack_from(data)
    if count > _LIST_COUNT:
        raise LimitExceededError(
            f"{where}: a list of {count} segments passes the limit of {_LIST_COUNT}",
            code="limit-exceeded",
        )
    at = _LIST_HEAD.size
    if level > limits.TREE_MAX_LEVELS or len(data) < at + 8 * count + paths_bytes:
        raise _damaged(where, "the list of segments is cut short")
    counts = u64_values(shuffled_values(data[at : at + 8 * count], 8))
    at += 8 * count
    try:
        paths = data[at : at + paths_bytes].decode("utf-8").split("\0") if count else []
    except UnicodeDecodeError as error:
        raise _damaged(where, "a path that is not UTF-8") from error
    refs, rest = decode_refs(data[at + paths_bytes :], where=where)
    if len(paths) != count or len(refs) != count:
        raise _damaged(where, "its counts disagree")
    if not all(counts) or any(a >= b for a, b in pairwise(paths)):
        raise _damaged(where, "segments that are empty or not in order")
    segments = [SegmentRef(*fields) for fields in zip(refs, paths, counts, strict=True)]
    return segments, level, rest


def _decode_inline(data: bytes, where: str) -> list[bytes]:
    if len(data) < _U32.size:
        raise _damaged(where, "the inlined segments are missing")
    (count,) = _U32.unpack_from(data)
    at, inline = _U32.size, []
    for _ in range(count):
        if len(data) < at + _U32.size:
            raise _damaged(where, "an inlined segment is cut short")
        (size,) = _U32.unpack_from(data, at)
        if not size:
            raise _damaged(where, "an inlined segment is empty")
        inline.append(data[at + _U32.size : at + _U32.size + size])
        at += _U32.size + size
    if at != len(data):
        raise _damaged(where, "the inlined segments do not add up")
    return inline


def _damaged(where: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: {found}", code="manifest-damaged", where=where, found=found
    )

"""
Segments: a run of manifest entries as columns (docs/format/manifest.md section 3).

    0   4 B   magic "ASG1"
    4   u32   n, entries
    8   u32   bytes of the paths
    12  u32   bytes of the extras
    16  n x u8    kind
        n x u8    flags: bit 0 executable, bit 1 must understand, bit 2 the lone
                  chunk has another digest than the entry, bits 4-6 level
        n x u64   size in bytes                       (shuffled)
        n x u32   references of the entry             (shuffled)
        n x 32 B  digests
        paths     UTF-8, NUL between
        extras    canonical JSON: {"<entry index>": {...}}, or nothing
        refs      a reference list without the digests of lone chunks that are
                  the entry's
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import xxhash

from artstore import canonical, limits
from artstore.columns import (
    shuffled_column,
    shuffled_values,
    u32_column,
    u32_values,
    u64_column,
    u64_values,
)
from artstore.digest import DIGEST_BYTES
from artstore.errors import DamagedDataError, LimitExceededError, UnsupportedFormatError
from artstore.manifests.entry import KINDS, UNKNOWN_PREFIX, Entry
from artstore.packs.locator import ChunkRef
from artstore.packs.reflist import decode_refs, encode_refs, encoded_size

__all__ = ["SegmentSplitter", "decode_segment", "encode_segment", "starts_segment"]

_MAGIC: Final = b"ASG1"
_HEAD: Final = struct.Struct("<4sIII")
_FIXED_BYTES: Final = 1 + 1 + 8 + 4 + DIGEST_BYTES
_KIND_NUMBERS: Final = {name: number for number, name in KINDS.items()}
_EXECUTABLE, _MUST_UNDERSTAND, _OWN_DIGEST = 1, 2, 4
_INDEX: Final = re.compile("0|[1-9][0-9]{0,3}")


def starts_segment(path: str) -> bool:
    """
    Whether a segment begins at this path: one in 512 does, by the path alone.

    So an edit moves no boundary, and two versions share every segment whose
    entries are equal.
    """
    return xxhash.xxh3_64_intdigest(path.encode("utf-8")) % limits.SEGMENT_TARGET_COUNT == 0


class SegmentSplitter:
    """Cuts entries, given in manifest order, into segments."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._size_bytes = 0

    def add(self, entry: Entry) -> list[Entry] | None:
        """Take an entry; returns the segment that it ends by starting the next, if so."""
        weight = _entry_bytes(entry)
        done = None
        if self._entries and (
            starts_segment(entry.path)
            or len(self._entries) == limits.SEGMENT_ENTRY_COUNT
            or self._size_bytes + weight > limits.SEGMENT_MAX_BYTES // 2
        ):
            done = self.rest()
        self._entries.append(entry)
        self._size_bytes += weight
        return done

    def rest(self) -> list[Entry]:
        """The entries of the last segment; none if there were none."""
        done, self._entries, self._size_bytes = self._entries, [], 0
        return done


def _entry_bytes(entry: Entry) -> int:
    size = _FIXED_BYTES + 4 * len(entry.path)
    if entry.chunks:
        size += encoded_size(len(entry.chunks), 1)
    if entry.extra:
        size += len(canonical.encode(entry.extra, what=entry.path)) + 16
    if size > limits.ENTRY_MAX_BYTES:
        raise LimitExceededError(
            f"the entry {entry.path!r} takes {size} bytes, more than {limits.ENTRY_MAX_BYTES}",
            code="limit-exceeded",
            path=entry.path,
        )
    return size


def encode_segment(
    entries: Sequence[Entry], *, resolved: Mapping[bytes, bytes] | None = None
) -> bytes:
    """Entries in manifest order -> bytes. `resolved` as in `encode_refs`."""
    refs: list[ChunkRef] = []
    own_digests: list[bytes] = []
    for entry in entries:
        refs += entry.chunks
        if _chunk_digest_flag(entry) or not _is_lone(entry.level, len(entry.chunks)):
            own_digests += [ref.digest for ref in entry.chunks]
    paths = "\0".join([entry.path for entry in entries]).encode("utf-8")
    extra = {str(i): dict(entry.extra) for i, entry in enumerate(entries) if entry.extra}
    extras = canonical.encode(extra, what="entry fields") if extra else b""
    return b"".join(
        (
            _HEAD.pack(_MAGIC, len(entries), len(paths), len(extras)),
            bytes([_KIND_NUMBERS[entry.kind] for entry in entries]),
            bytes(
                [
                    entry.executable
                    | entry.must_understand << 1
                    | _chunk_digest_flag(entry)
                    | entry.level << 4
                    for entry in entries
                ]
            ),
            shuffled_column(u64_column([entry.size_bytes for entry in entries]), 8),
            shuffled_column(u32_column([len(entry.chunks) for entry in entries]), 4),
            b"".join([entry.digest for entry in entries]),
            paths,
            extras,
            encode_refs(refs, digests=b"".join(own_digests), resolved=resolved),
        )
    )


def decode_segment(data: bytes, *, where: str) -> list[Entry]:
    """
    Bytes -> entries; paths are not yet judged (see `names.check_entry_path`).

    Raises:
        DamagedDataError: `manifest-damaged`.
        LimitExceededError: `limit-exceeded`, before anything is built.
        UnsupportedFormatError: `entry-kind-unknown`, for a required kind.
    """
    if len(data) < _HEAD.size:
        raise _damaged(where, "the segment is cut short")
    magic, count, paths_bytes, extras_bytes = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise _damaged(where, f"magic {magic!r}")
    if count > limits.SEGMENT_ENTRY_COUNT or len(data) > limits.SEGMENT_MAX_BYTES:
        raise LimitExceededError(
            f"{where}: a segment of {count} entries and {len(data)} bytes passes the limits",
            code="limit-exceeded",
        )
    if not count:
        raise _damaged(where, "a segment without entries")
    at = _HEAD.size
    if len(data) < at + count * _FIXED_BYTES + paths_bytes + extras_bytes:
        raise _damaged(where, "the segment is cut short")
    kinds, flags = data[at : at + count], data[at + count : at + 2 * count]
    at += 2 * count
    sizes = u64_values(shuffled_values(data[at : at + 8 * count], 8))
    at += 8 * count
    counts = u32_values(shuffled_values(data[at : at + 4 * count], 4))
    at += 4 * count
    digests = [data[i : i + 32] for i in range(at, at + DIGEST_BYTES * count, DIGEST_BYTES)]
    at += DIGEST_BYTES * count
    paths = _decode_paths(data[at : at + paths_bytes], count, where)
    at += paths_bytes
    extras = _decode_extras(data[at : at + extras_bytes], count, where)
    at += extras_bytes
    if sum(counts) * 20 > len(data):
        raise _damaged(where, f"{sum(counts)} references in {len(data)} bytes")
    ref_digests: list[bytes | None] = []
    for flag, ref_count, digest in zip(flags, counts, digests, strict=True):
        if ref_count:
            lone = _is_lone(flag >> 4, ref_count) and not flag & _OWN_DIGEST
            ref_digests += [digest] if lone else [None] * ref_count
    refs, rest = decode_refs(data[at:], where=where, digests=ref_digests)
    if rest:
        raise _damaged(where, f"{len(rest)} bytes too many")
    columns = (kinds, flags, sizes, counts, digests)
    return _build(paths, columns, extras, refs, where)


def _build(
    paths: list[str],
    columns: tuple[bytes, bytes, Sequence[int], Sequence[int], list[bytes]],
    extras: Mapping[int, Mapping[str, Any]],
    refs: list[ChunkRef],
    where: str,
) -> list[Entry]:
    entries: list[Entry] = []
    at = 0
    empty: Mapping[str, Any] = {}
    for i, (path, number, flag, size, count, digest) in enumerate(
        zip(paths, *columns, strict=True)
    ):
        end = at + count
        kind = KINDS.get(number)
        if kind is None:
            if flag & _MUST_UNDERSTAND:
                raise UnsupportedFormatError(
                    f"{where}: {path!r} is of kind {number}, written by a newer release",
                    code="entry-kind-unknown",
                    hint="upgrade artstore",
                    path=path,
                )
            kind = f"{UNKNOWN_PREFIX}{number}"
        level = flag >> 4 & 7
        if level > limits.TREE_MAX_LEVELS:
            raise _damaged(where, f"{level} levels")
        entries.append(
            Entry(
                path,
                kind,
                size,
                digest,
                bool(flag & _EXECUTABLE),
                tuple(refs[at:end]),
                level,
                extras.get(i, empty),
                bool(flag & _MUST_UNDERSTAND),
            )
        )
        at = end
    return entries


def _chunk_digest_flag(entry: Entry) -> int:
    # The digest of a table or an image is of its content, that of its chunk is of
    # the encoded bytes: both must be kept.
    lone = _is_lone(entry.level, len(entry.chunks))
    return _OWN_DIGEST if lone and entry.chunks[0].digest != entry.digest else 0


def _is_lone(level: int, ref_count: int) -> bool:
    # The digest of a file in one chunk is the chunk's: stored once.
    return level & 7 == 0 and ref_count == 1


def _decode_paths(data: bytes, count: int, where: str) -> list[str]:
    try:
        paths = data.decode("utf-8").split("\0")
    except UnicodeDecodeError as error:
        raise _damaged(where, "a path that is not UTF-8") from error
    if len(paths) != count or any(a >= b for a, b in pairwise(paths)):
        raise _damaged(where, "paths that are not in order")
    return paths


def _decode_extras(data: bytes, count: int, where: str) -> dict[int, Mapping[str, Any]]:
    if not data:
        return {}
    value = canonical.decode(data, what=where)
    extras: dict[int, Mapping[str, Any]] = {}
    for key, fields in value.items() if isinstance(value, dict) else [("", None)]:
        # At most four digits: int() of a text of thousands is an error of its own.
        index = int(key) if _INDEX.fullmatch(key) else count
        if index >= count or not isinstance(fields, dict):
            raise _damaged(where, "entry fields of no entry")
        extras[index] = fields
    return extras


def _damaged(where: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: {found}", code="manifest-damaged", where=where, found=found
    )

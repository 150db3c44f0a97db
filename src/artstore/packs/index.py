"""
The index: which pack has which chunk, for sharing beyond an artifact's own history.

Advisory (invariant I8): it may be incomplete, stale or gone; readers of data
never need it, and a writer proves each pack before it relies on it.
docs/format/index.md.

    0   8 B    magic "ARTIDX01"
    8   u32    bytes of the header, u32 p packs, u32 n chunks
    20  header canonical JSON {"format":1,"project":...,"level":0,"replaces":[...]}
        p x 40 B   pack ids
        256 x u32  fan-out: chunks whose digest starts with a byte up to this one
        n x 32 B   digests, ascending
        n x u32    index of the pack
        n x u32    ordinal in it
    -8  8 B    XXH3-64 of all before
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from operator import itemgetter
from typing import Any, Final

from artstore import canonical, clock
from artstore.columns import u32_column, u32_values
from artstore.digest import DIGEST_BYTES, Buffer, checksum64
from artstore.errors import DamagedDataError, UnsupportedFormatError
from artstore.packs.locator import PACK_ID_BYTES

__all__ = [
    "INDEX_PREFIX",
    "MERGE_COUNT",
    "MERGE_MAX_CHUNKS",
    "IndexSegment",
    "IndexView",
    "decode_index",
    "encode_index",
    "index_key",
    "merge_index",
]

INDEX_PREFIX: Final = "index/"
MERGE_COUNT: Final = 64
"""Segments of one level that are merged into one of the next."""

MERGE_MAX_CHUNKS: Final = 4_000_000
"""Larger groups stay as they are: merging 4 M chunks takes 600 MB for a moment."""

_MAGIC: Final = b"ARTIDX01"
_HEAD: Final = struct.Struct("<8sIII")
_PLACE: Final = struct.Struct(">II")
_RECORD_BYTES: Final = DIGEST_BYTES + _PLACE.size
"""A chunk while a segment is made: digest, pack, ordinal."""
_FORMAT: Final = 1
_FANOUT: Final = 256
_CHECKSUM_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class IndexSegment:
    """A decoded segment; columns stay bytes, a lookup touches a few pages of them."""

    key: str
    project: str
    level: int
    replaces: tuple[str, ...]
    packs: tuple[bytes, ...]
    fan_out: Sequence[int]
    digests: memoryview
    pack_indexes: memoryview
    ordinals: memoryview

    def __len__(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    def find(self, digest: bytes) -> tuple[bytes, int] | None:
        """(pack, ordinal) of a chunk, or None. Cost: one binary search in 1/256."""
        first = digest[0]
        low, high = self.fan_out[first - 1] if first else 0, self.fan_out[first]
        at = bisect_left(_Digests(self.digests), digest, low, high)
        if at >= high or self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] != digest:
            return None
        pack = int.from_bytes(self.pack_indexes[4 * at : 4 * at + 4], "little")
        ordinal = int.from_bytes(self.ordinals[4 * at : 4 * at + 4], "little")
        return (self.packs[pack], ordinal) if pack < len(self.packs) else None

    def chunks(self) -> Iterable[tuple[bytes, bytes, int]]:
        """Every (digest, pack, ordinal)."""
        packs = u32_values(bytes(self.pack_indexes))
        ordinals = u32_values(bytes(self.ordinals))
        digests = bytes(self.digests)
        for i, (pack, ordinal) in enumerate(zip(packs, ordinals, strict=True)):
            # As in `find`: a hint at a pack that is not listed is no hint.
            if pack < len(self.packs):
                yield digests[i * DIGEST_BYTES : (i + 1) * DIGEST_BYTES], self.packs[pack], ordinal


class _Digests:
    """A column of digests as a sequence, for bisect."""

    __slots__ = ("_column",)

    def __init__(self, column: memoryview) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column) // DIGEST_BYTES

    def __getitem__(self, at: int) -> bytes:
        return bytes(self._column[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES])


def index_key(push_id: bytes) -> str:
    """A new key: milliseconds of the clock, so that LIST is in order of time."""
    return f"{INDEX_PREFIX}{int(clock.now_seconds() * 1000):012x}-{push_id.hex()}"


def encode_index(
    chunks: Iterable[tuple[bytes, bytes, int]],
    *,
    project: str,
    level: int = 0,
    replaces: Sequence[str] = (),
) -> bytes:
    """(digest, pack, ordinal) in any order -> bytes; of equal digests the first is kept."""
    numbers: dict[bytes, int] = {}
    # 40 bytes a chunk and little else: a push of 1 M files has as many.
    buckets: list[Buffer] = [bytearray() for _ in range(_FANOUT)]
    for digest, pack, ordinal in chunks:
        place = _PLACE.pack(numbers.setdefault(pack, len(numbers)), ordinal)
        bucket = buckets[digest[0]]
        assert isinstance(bucket, bytearray)
        bucket += digest + place
    # In order of first use: the bytes do not tell in which order chunks were given.
    renumbered: dict[int, int] = {}
    counts: list[int] = []
    for at, bucket in enumerate(buckets):
        records = _sorted_once(bucket)
        for record in records:
            renumbered.setdefault(_PLACE.unpack_from(record, DIGEST_BYTES)[0], len(renumbered))
        buckets[at] = b"".join(records)
        counts.append(len(records))
    packs = list(numbers)
    header = canonical.encode(
        {"format": _FORMAT, "project": project, "level": level, "replaces": list(replaces)}
    )
    head = b"".join(
        (
            _HEAD.pack(_MAGIC, len(header), len(renumbered), sum(counts)),
            header,
            *[packs[number] for number in renumbered],
            u32_column(accumulate(counts)),
        )
    )
    return _with_columns(head, buckets, sum(counts), renumbered)


def _with_columns(
    head: bytes, buckets: list[Buffer], count: int, renumbered: dict[int, int]
) -> bytes:
    """The segment; buckets are let go one by one while their records are copied into it."""
    segment = bytearray(len(head) + count * (DIGEST_BYTES + 8))
    segment[: len(head)] = head
    digest_at = len(head)
    pack_at = digest_at + count * DIGEST_BYTES
    ordinal_at = pack_at + 4 * count
    for at, bucket in enumerate(buckets):
        records = [bucket[i : i + _RECORD_BYTES] for i in range(0, len(bucket), _RECORD_BYTES)]
        buckets[at] = b""
        places = [_PLACE.unpack_from(record, DIGEST_BYTES) for record in records]
        for start, column in (
            (digest_at, b"".join(record[:DIGEST_BYTES] for record in records)),
            (pack_at, u32_column(renumbered[number] for number, _ in places)),
            (ordinal_at, u32_column(ordinal for _, ordinal in places)),
        ):
            segment[start : start + len(column)] = column
        digest_at += DIGEST_BYTES * len(records)
        pack_at += 4 * len(records)
        ordinal_at += 4 * len(records)
    segment += checksum64(segment)
    return bytes(segment)


def _sorted_once(bucket: Buffer) -> list[bytes]:
    """Records in the order of their digests; of equal ones the first that was given."""
    records = [bytes(bucket[i : i + _RECORD_BYTES]) for i in range(0, len(bucket), _RECORD_BYTES)]
    records.sort(key=itemgetter(slice(DIGEST_BYTES)))
    return [
        record
        for before, record in zip(chain((b"",), records), records, strict=False)
        if record[:DIGEST_BYTES] != before[:DIGEST_BYTES]
    ]


def decode_index(data: bytes, *, key: str) -> IndexSegment:
    """
    Bytes -> segment.

    Raises:
        DamagedDataError: `index-damaged`, or `value-invalid` for its header.
        UnsupportedFormatError: `format-unsupported`.
    """
    if len(data) < _HEAD.size + _CHECKSUM_BYTES or data[:8] != _MAGIC:
        raise _damaged(key, "it is no index segment")
    _, header_bytes, pack_count, count = _HEAD.unpack_from(data)
    packs_at = _HEAD.size + header_bytes
    fan_at = packs_at + pack_count * PACK_ID_BYTES
    digests_at = fan_at + 4 * _FANOUT
    end = digests_at + count * (DIGEST_BYTES + 8)
    if end + _CHECKSUM_BYTES != len(data) or pack_count > max(count, 1):
        raise _damaged(key, f"{len(data)} bytes")
    view = memoryview(data)
    if checksum64(view[:-_CHECKSUM_BYTES]) != data[-_CHECKSUM_BYTES:]:
        raise _damaged(key, "its checksum")
    project, level, replaces = _decode_header(data[_HEAD.size : packs_at], key)
    fan_out = u32_values(data[fan_at:digests_at])
    if any(a > b for a, b in pairwise(fan_out)) or fan_out[-1] != count:
        raise _damaged(key, "its fan-out table")
    pack_at, ordinal_at = digests_at + count * DIGEST_BYTES, end - 4 * count
    return IndexSegment(
        key=key,
        project=project,
        level=level,
        replaces=replaces,
        packs=tuple(data[i : i + PACK_ID_BYTES] for i in range(packs_at, fan_at, PACK_ID_BYTES)),
        fan_out=fan_out,
        digests=view[digests_at:pack_at],
        pack_indexes=view[pack_at:ordinal_at],
        ordinals=view[ordinal_at:end],
    )


def _decode_header(data: bytes, key: str) -> tuple[str, int, tuple[str, ...]]:
    header: Any = canonical.decode(data, what=key)
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise _damaged(key, "its header states no format")
    if header["format"] != _FORMAT:
        raise UnsupportedFormatError(
            f"{key} has format {header['format']}, this release reads {_FORMAT}",
            code="format-unsupported",
            key=key,
        )
    project, level, replaces = (header.get(name) for name in ("project", "level", "replaces"))
    if not (
        isinstance(project, str)
        and isinstance(level, int)
        and isinstance(replaces, list)
        and all(isinstance(replaced, str) for replaced in replaces)
    ):
        raise _damaged(key, "its header")
    return project, level, tuple(replaces)


class IndexView:
    """The segments that a push may use, merged segments in place of what they replace."""

    def __init__(self, segments: Iterable[IndexSegment]) -> None:
        found = list(segments)
        replaced = {key for segment in found for key in segment.replaces}
        self.segments = [segment for segment in found if segment.key not in replaced]
        self._gone: set[bytes] = set()

    def find(self, digest: bytes) -> tuple[bytes, int] | None:
        """(pack, ordinal), newest segment first; a hint, to be proven."""
        for segment in reversed(self.segments):
            hit = segment.find(digest)
            if hit is not None and hit[0] not in self._gone:
                return hit
        return None

    def forget_pack(self, pack: bytes) -> None:
        """Do not offer this pack again: it is not there."""
        self._gone.add(pack)


def merge_index(view: IndexView, *, project: str) -> bytes | None:
    """
    A merged segment for the lowest level that has `MERGE_COUNT` segments, or None.

    Only segments of `project` are merged, whatever else the view shows: another
    project's chunks would become its own. Merging is idempotent: two machines
    that do it at once cost space, nothing else.
    """
    by_level: dict[int, list[IndexSegment]] = {}
    for segment in view.segments:
        if segment.project != project:
            continue
        by_level.setdefault(segment.level, []).append(segment)
    for level in sorted(by_level):
        group = by_level[level][:MERGE_COUNT]
        if len(group) == MERGE_COUNT and sum(map(len, group)) <= MERGE_MAX_CHUNKS:
            chunks = (chunk for segment in reversed(group) for chunk in segment.chunks())
            keys = [segment.key for segment in group]
            return encode_index(chunks, project=project, level=level + 1, replaces=keys)
    return None


def _damaged(key: str, found: str) -> DamagedDataError:
    return DamagedDataError(f"{key} is damaged: {found}", code="index-damaged", key=key)

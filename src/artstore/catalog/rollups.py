"""
Rollups: 64 entries, or 64 rollups, verbatim in one value, so that a cold reader needs few requests.

A rollup is a pure function of bytes that never change: anybody may create it,
whoever comes second finds the same bytes there, and its absence costs time
only (C11). It proves nothing by itself: readers check it by the chain, and
against the last entry it covers, which they read from the log itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from artstore import digest, limits
from artstore.catalog.format import RawEntry, entry_key
from artstore.errors import (
    AlreadyExistsError,
    DamagedDataError,
    NotFoundError,
)
from artstore.storage.protocol import Storage

__all__ = [
    "FAN_OUT",
    "TOP_LEVEL",
    "create_from_entries",
    "create_from_rollups",
    "damaged_rollups",
    "decode_rollup",
    "encode_rollup",
    "read_rolled",
    "rollup_key",
]

FAN_OUT: Final = 64
TOP_LEVEL: Final = 3
"""Levels made: 64, 4,096 and 262,144 entries a rollup."""
ROLLUP_MAX_BYTES: Final = limits.ROOT_MAX_BYTES
"""A larger one is not made: its reader would need that much memory at once."""

_MAGIC: Final = b"ARTROLL1"
_HEADER: Final = struct.Struct("<8sII")
_LENGTHS: Final = struct.Struct(f"<{FAN_OUT}I")
_CHECKSUM_BYTES: Final = 8


def rollup_key(prefix: str, level: int, index: int) -> str:
    """Where rollup `index` of `level` lies: it covers entries from index * 64**level on."""
    return f"{prefix}rollups/{level}-{index:0{limits.LOG_NUMBER_DIGITS}d}"


def encode_rollup(level: int, parts: Sequence[bytes]) -> list[bytes]:
    """The buffers of a rollup of 64 parts. Source: docs/format/log.md section 7."""
    assert len(parts) == FAN_OUT
    head = _HEADER.pack(_MAGIC, level, FAN_OUT) + _LENGTHS.pack(*map(len, parts))
    checked = b"".join((head, *parts))
    return [checked, digest.checksum64(checked)]


def decode_rollup(data: bytes, level: int, *, key: str) -> list[bytes]:
    """
    The 64 parts of a rollup.

    Raises:
        DamagedDataError: `value-invalid`. Readers then do without the rollup.
    """
    fixed = _HEADER.size + _LENGTHS.size
    end = len(data) - _CHECKSUM_BYTES
    if end >= fixed and digest.checksum64(memoryview(data)[:end]) == data[end:]:
        magic, found_level, count = _HEADER.unpack_from(data)
        lengths = _LENGTHS.unpack_from(data, _HEADER.size)
        if (magic, found_level, count) == (_MAGIC, level, FAN_OUT) and sum(lengths) == end - fixed:
            parts, offset = [], fixed
            for length in lengths:
                parts.append(data[offset : offset + length])
                offset += length
            return parts
    raise DamagedDataError(f"rollup {key} is not one", code="value-invalid", key=key)


def create_from_entries(storage: Storage, prefix: str, block: Sequence[RawEntry]) -> bool:
    """
    Create the rollup of 64 consecutive entries; False if their bytes are too many.

    Raises:
        StorageError: the storage refuses or does not answer.
    """
    first = block[0].n
    assert first % FAN_OUT == 0
    assert [raw.n for raw in block] == list(range(first, first + FAN_OUT))
    parts = [raw.data for raw in block if raw.data is not None]
    return len(parts) == FAN_OUT and _create(storage, prefix, 1, first // FAN_OUT, parts)


def create_from_rollups(storage: Storage, prefix: str, level: int, index: int) -> bool:
    """Create rollup `index` of `level` > 1 from the 64 below it; False if one of them is absent."""
    below = [
        (rollup_key(prefix, level - 1, number), None)
        for number in range(index * FAN_OUT, (index + 1) * FAN_OUT)
    ]
    try:
        parts = [bytes(part) for part in storage.read_many(below)]
    except NotFoundError:
        return False
    for (key, _), part in zip(below, parts, strict=True):
        decode_rollup(part, level - 1, key=key)
    return _create(storage, prefix, level, index, parts)


def _create(storage: Storage, prefix: str, level: int, index: int, parts: Sequence[bytes]) -> bool:
    if sum(map(len, parts)) > ROLLUP_MAX_BYTES - _HEADER.size - _LENGTHS.size - _CHECKSUM_BYTES:
        return False
    try:
        storage.create(rollup_key(prefix, level, index), encode_rollup(level, parts))
    except AlreadyExistsError:
        # A pure function of the same bytes: what is there is what would be written.
        return True
    return True


def read_rolled(storage: Storage, prefix: str) -> list[RawEntry]:
    """
    The entries from 0 on that rollups hold; none if there are no rollups or one is damaged.

    The caller checks the chain: rollups are not to be believed (C11).

    Cost: one scan, one batch of reads.
    """
    start = f"{prefix}rollups/"
    found = {
        info.key: info.size_bytes
        for info in storage.scan(start)
        if info.size_bytes <= ROLLUP_MAX_BYTES
    }
    chosen = _cover(prefix, found.keys())
    try:
        values = storage.read_many([(rollup_key(prefix, *place), None) for place in chosen])
        entries: list[RawEntry] = []
        for (level, index), value in zip(chosen, values, strict=True):
            for part in _entries_of(bytes(value), level, key=rollup_key(prefix, level, index)):
                entries.append(RawEntry.of(len(entries), part))
    except (DamagedDataError, NotFoundError):
        return []
    return entries


def damaged_rollups(storage: Storage, prefix: str) -> Iterator[tuple[str, str]]:
    """
    Yield (key, what is wrong) for every rollup that does not hold what its entries say.

    Cost: reads all rollups and the entries below them.
    """
    for info in storage.scan(f"{prefix}rollups/"):
        try:
            level, index = map(int, info.key.rpartition("/")[2].split("-"))
            entries = _entries_of(storage.read(info.key), level, key=info.key)
            first = index * FAN_OUT**level
            wanted = [(entry_key(prefix, first + i), None) for i in range(len(entries))]
            if list(storage.read_many(wanted)) != entries:
                yield info.key, "its entries are not those of the log"
        except (DamagedDataError, NotFoundError, ValueError) as error:
            yield info.key, f"{error} (advisory: no version needs it)"


def _cover(prefix: str, keys: Iterable[str]) -> list[tuple[int, int]]:
    """The fewest rollups that cover the entries from 0 on without a gap."""
    there = frozenset(keys)
    chosen: list[tuple[int, int]] = []
    covered = 0
    while True:
        for level in range(TOP_LEVEL, 0, -1):
            index, rest = divmod(covered, FAN_OUT**level)
            if rest == 0 and rollup_key(prefix, level, index) in there:
                chosen.append((level, index))
                covered += FAN_OUT**level
                break
        else:
            return chosen


def _entries_of(data: bytes, level: int, *, key: str) -> list[bytes]:
    parts = decode_rollup(data, level, key=key)
    if level == 1:
        return parts
    return [entry for part in parts for entry in _entries_of(part, level - 1, key=key)]

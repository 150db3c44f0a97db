"""
Moved records: where repacking put the chunks of a pack that is gone (docs/format/moved.md).

Pure functions, no I/O. Integers are little-endian.

    0         magic "ARTMOVE1"
    8         40 B id of the pack that the chunks were in
    48        u32 t targets, u32 n chunks
    56        t x 40 B ids of the packs that they are in now
              n x u32 ordinals in the old pack, ascending
              n x u32 numbers of the targets
              n x u32 ordinals in the targets
              n x u32 offsets in the targets
    end - 8   8 B XXH3-64 of all before

A chunk is copied as it is stored: sizes, codec and digest stay what a reference says.
"""

from __future__ import annotations

import re
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from artstore import limits
from artstore.columns import u32_column, u32_values
from artstore.digest import DIGEST_BYTES, Buffer, checksum64
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.packs.format import HEADER
from artstore.packs.locator import PACK_ID_BYTES, PUSH_ID_BYTES, pack_key

__all__ = [
    "MOVED_MAX_BYTES",
    "MOVED_PREFIX",
    "ChunkPlace",
    "MovedRecord",
    "decode_moved",
    "encode_moved",
    "moved_key",
    "moved_name",
    "moved_prefix",
    "parse_moved_key",
]

MOVED_PREFIX: Final = "moved/"

_MAGIC: Final = b"ARTMOVE1"
_HEAD: Final = struct.Struct("<8s40sII")
_RECORD_BYTES: Final = 4 * 4
_CHECKSUM_BYTES: Final = 8
_NAME: Final = re.compile(r"[0-9]{12}-[0-9a-f]{16}")
_KEY: Final = re.compile(
    r"moved/([0-9a-f]{2})/(\1[0-9a-f]{62})-([0-9a-f]{16})/([0-9]{12}-[0-9a-f]{16})"
)

MOVED_MAX_BYTES: Final = (
    _HEAD.size + limits.PACK_CHUNK_COUNT * (PACK_ID_BYTES + _RECORD_BYTES) + _CHECKSUM_BYTES
)
"""The largest record there can be: each chunk of a full pack in a pack of its own."""


class ChunkPlace(NamedTuple):
    """Where a chunk lies: what of a reference changes when it is moved."""

    pack: bytes
    ordinal: int
    offset_bytes: int


@dataclass(frozen=True, slots=True)
class MovedRecord:
    """
    Where one repack put chunks of one pack; 16 bytes a chunk.

    Attributes:
        pack: the one that they were in.
        targets: ids of packs.
        ordinals: in the old pack, ascending. The other columns have the same length.
        target_numbers: places in `targets`.
    """

    key: str
    pack: bytes
    targets: tuple[bytes, ...]
    ordinals: array[int]
    target_numbers: array[int]
    new_ordinals: array[int]
    new_offsets_bytes: array[int]

    def __len__(self) -> int:
        return len(self.ordinals)

    def find(self, ordinal: int) -> ChunkPlace | None:
        """Where the chunk was put, None if this record does not have it. Cost: a binary search."""
        at = bisect_left(self.ordinals, ordinal)
        if at == len(self.ordinals) or self.ordinals[at] != ordinal:
            return None
        return self._place(at)

    def moves(self) -> Iterator[tuple[int, ChunkPlace]]:
        """Every (old ordinal, new place), ascending."""
        for at, ordinal in enumerate(self.ordinals):
            yield ordinal, self._place(at)

    def _place(self, at: int) -> ChunkPlace:
        return ChunkPlace(
            self.targets[self.target_numbers[at]], self.new_ordinals[at], self.new_offsets_bytes[at]
        )


# --- Keys -------------------------------------------------------------------------


def moved_name(store_seconds: int, repack_id: bytes) -> str:
    """
    The last part of a key: names of later repacks sort behind those of earlier ones.

    Args:
        store_seconds: the time by the clock of the store.
        repack_id: 8 random bytes, new for each repack (invariant O2).
    """
    if not 0 <= store_seconds < 10**12 or len(repack_id) != PUSH_ID_BYTES:
        raise InvalidInputError(
            f"no name of a repack has time {store_seconds} and id {repack_id.hex()!r}",
            code="value-invalid",
        )
    return f"{store_seconds:012d}-{repack_id.hex()}"


def moved_prefix(pack: bytes) -> str:
    """What the keys of all records of a pack begin with."""
    return f"{MOVED_PREFIX}{pack_key(pack).removeprefix('packs/')}/"


def moved_key(pack: bytes, name: str) -> str:
    """
    The key of a record.

    Args:
        pack: the pack that chunks were moved out of.
        name: of `moved_name`.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(f"{name!r} is not the name of a repack", code="value-invalid")
    return moved_prefix(pack) + name


def parse_moved_key(key: str) -> tuple[bytes, str]:
    """(pack, name): the inverse of `moved_key`. Raises DamagedDataError `key-unexpected`."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise DamagedDataError(
            f"{key} is not the key of a moved record", code="key-unexpected", key=key
        )
    return bytes.fromhex(match[2] + match[3]), match[4]


# --- Bytes ------------------------------------------------------------------------


def encode_moved(pack: bytes, moves: Iterable[tuple[int, ChunkPlace]]) -> bytes:
    """
    The bytes of a record.

    Args:
        pack: the pack that chunks were moved out of.
        moves: (old ordinal, new place), ascending, at least one.
    """
    targets: dict[bytes, int] = {}
    ordinals, numbers, new_ordinals, offsets = (array("I") for _ in range(4))
    for ordinal, place in moves:
        ordinals.append(ordinal)
        numbers.append(targets.setdefault(place.pack, len(targets)))
        new_ordinals.append(place.ordinal)
        offsets.append(place.offset_bytes)
    head = _HEAD.pack(_MAGIC, pack, len(targets), len(ordinals))
    columns = (u32_column(column) for column in (ordinals, numbers, new_ordinals, offsets))
    data = b"".join((head, *targets, *columns))
    data += checksum64(data)
    # A record that cannot be read back must not leave memory.
    decode_moved(data, key=moved_key(pack, moved_name(0, bytes(PUSH_ID_BYTES))))
    return data


def decode_moved(data: Buffer, *, key: str) -> MovedRecord:
    """
    Bytes -> record.

    Raises:
        DamagedDataError: `moved-damaged`; `key-unexpected`.
    """
    pack, _ = parse_moved_key(key)
    view = memoryview(data)
    if not _HEAD.size + _CHECKSUM_BYTES <= len(view) <= MOVED_MAX_BYTES:
        raise _damaged(key, f"it has {len(view)} bytes")
    magic, stated, target_count, count = _HEAD.unpack_from(view)
    targets_at = _HEAD.size
    columns_at = targets_at + target_count * PACK_ID_BYTES
    end = columns_at + count * _RECORD_BYTES
    if magic != _MAGIC:
        raise _damaged(key, "it is no moved record")
    if end + _CHECKSUM_BYTES != len(view) or not 1 <= target_count <= count:
        raise _damaged(key, f"{len(view)} bytes for {target_count} packs and {count} chunks")
    if checksum64(view[:-_CHECKSUM_BYTES]) != view[-_CHECKSUM_BYTES:]:
        raise _damaged(key, "its checksum")
    if stated != pack:
        raise _damaged(key, f"it is of {pack_key(stated)}")
    record = MovedRecord(
        key,
        pack,
        tuple(
            bytes(view[at : at + PACK_ID_BYTES])
            for at in range(targets_at, columns_at, PACK_ID_BYTES)
        ),
        *(u32_values(bytes(view[at : at + 4 * count])) for at in range(columns_at, end, 4 * count)),
    )
    _check(record)
    return record


def _check(record: MovedRecord) -> None:
    key, ordinals = record.key, record.ordinals
    if any(a >= b for a, b in pairwise(ordinals)):
        raise _damaged(key, "its chunks are not in order")
    highest = max(record.new_ordinals)
    if max(ordinals[-1], highest) >= limits.PACK_CHUNK_COUNT:
        raise _damaged(key, f"a chunk above number {limits.PACK_CHUNK_COUNT - 1}")
    if max(record.target_numbers) >= len(record.targets):
        raise _damaged(key, f"pack {max(record.target_numbers)} of {len(record.targets)}")
    offsets = record.new_offsets_bytes
    if min(offsets) < len(HEADER) or max(offsets) > limits.PACK_MAX_BYTES:
        raise _damaged(key, "an offset outside of every pack")
    if len({*record.targets, record.pack}) <= len(record.targets):
        raise _damaged(key, "a pack stands in it twice")


def _damaged(key: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"the moved record {key} is damaged: {found}",
        code="moved-damaged",
        hint="run `art check` to see which versions it hits",
        key=key,
    )


assert _HEAD.size == len(_MAGIC) + DIGEST_BYTES + PUSH_ID_BYTES + 8

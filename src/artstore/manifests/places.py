"""
Where the chunks of a segment lie, by whole columns: what gc marks, a hundred times as fast
as by entries (0.06 ms a segment of 512 entries, 1.5 ms by `decode_segment`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from artstore import limits
from artstore.errors import DamagedDataError
from artstore.manifests.entry import KINDS, TABLE
from artstore.manifests.segment import decode_segment
from artstore.packs.locator import PACK_ID_BYTES, ChunkRef

__all__ = ["ChunkPlaces", "places_of_refs", "segment_places"]

_HEAD: Final = struct.Struct("<4sIII")
_COUNTS: Final = struct.Struct("<II")
_REF_BYTES: Final = 5 * 4 + 1 + 8
_M32: Final = 0xFFFFFFFF
_FLAT_KINDS: Final = frozenset(number for number, name in KINDS.items() if name != TABLE)
_LEVEL_BITS: Final = 0x70

_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChunkPlaces:
    """
    The places of n chunks.

    Attributes:
        packs: ids of the packs, each once.
        pack_indexes, ordinals, stored_bytes: n numbers each; an index is one into `packs`.
        is_flat: whether there is nothing behind these chunks: no chunk lists, no tables and
            no kinds of entries that this release does not know.
    """

    packs: list[bytes]
    pack_indexes: _Numbers
    ordinals: _Numbers
    stored_bytes: _Numbers
    is_flat: bool = True


def segment_places(data: bytes, *, where: str) -> ChunkPlaces:
    """
    The places that the entries of a segment name.

    Args:
        data: the plain bytes of a segment, proven by their digest.
    Raises:
        DamagedDataError, LimitExceededError, UnsupportedFormatError: as `decode_segment`,
            which is what judges anything but files of a few chunks.
    """
    if len(data) < _HEAD.size or len(data) > limits.SEGMENT_MAX_BYTES:
        return _by_entries(data, where)
    _, count, paths_bytes, extras_bytes = _HEAD.unpack_from(data)
    kinds_at = _HEAD.size
    counts_at = kinds_at + 10 * count
    refs_at = counts_at + 4 * count + 32 * count + paths_bytes + extras_bytes
    if not data.startswith(b"ASG1") or len(data) < refs_at + _COUNTS.size:
        return _by_entries(data, where)
    kinds = frozenset(data[kinds_at : kinds_at + count])
    flags = np.frombuffer(data, np.uint8, count, kinds_at + count)
    is_flat = kinds <= _FLAT_KINDS and not (flags & _LEVEL_BITS).any()
    pack_count, ref_count = _COUNTS.unpack_from(data, refs_at)
    packs_end = refs_at + _COUNTS.size + pack_count * PACK_ID_BYTES
    stated = int(_u32(data, counts_at, count).sum())
    if stated != ref_count or len(data) < packs_end + ref_count * _REF_BYTES:
        return _by_entries(data, where)
    if not is_flat:
        # Judged as a whole first: what is not known here must stop whoever deletes.
        decode_segment(data, where=where)
    packs = [
        data[at : at + PACK_ID_BYTES]
        for at in range(refs_at + _COUNTS.size, packs_end, PACK_ID_BYTES)
    ]
    indexes, d_ordinals, _, plain, saved = _u32(data, packs_end, ref_count, columns=5)
    if ref_count and int(indexes.max()) >= pack_count:
        raise _damaged(where, f"pack {int(indexes.max())} of {pack_count}")
    return ChunkPlaces(
        packs, indexes, _ordinals(indexes, d_ordinals), plain - saved & _M32, is_flat
    )


def places_of_refs(refs: list[ChunkRef]) -> ChunkPlaces:
    """The places of chunk references."""
    numbers: dict[bytes, int] = {}
    indexes = [numbers.setdefault(ref.pack, len(numbers)) for ref in refs]
    return ChunkPlaces(
        list(numbers),
        np.array(indexes, np.int64),
        np.array([ref.ordinal for ref in refs], np.int64),
        np.array([ref.stored_bytes for ref in refs], np.int64),
    )


def _by_entries(data: bytes, where: str) -> ChunkPlaces:
    refs = [ref for entry in decode_segment(data, where=where) for ref in entry.chunks]
    raise _damaged(where, f"{len(refs)} references that cannot be told apart")


def _u32(data: bytes, at: int, count: int, *, columns: int = 1) -> _Numbers:
    """Shuffled columns that follow one another, a row for each."""
    planes = np.frombuffer(data, np.uint8, 4 * count * columns, at).reshape(columns, 4, count)
    found: _Numbers = (
        planes.transpose(0, 2, 1).copy().view("<u4").reshape(columns, count).astype(np.int64)
    )
    return found


def _ordinals(indexes: _Numbers, deltas: _Numbers) -> _Numbers:
    """Each counts from the one before it in the same pack: its place after that, plus delta."""
    count = len(indexes)
    if not count:
        return deltas
    is_start = np.ones(count, np.bool_)
    is_start[1:] = indexes[1:] != indexes[:-1]
    starts = np.flatnonzero(is_start)[np.cumsum(is_start) - 1]
    sums = np.cumsum(deltas)
    found: _Numbers = (sums - (sums - deltas)[starts] + np.arange(count) - starts) & _M32
    return found


def _damaged(where: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: {found}", code="manifest-damaged", where=where, found=found
    )

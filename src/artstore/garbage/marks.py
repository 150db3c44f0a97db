"""
Marks: one bit for each chunk of each pack, and how many bytes of a pack are marked.

How many chunks a pack has is not known without its footer. So each pack gets room for 128
when its first chunk is marked, or for as many as that needs, and twice as much elsewhere when
that is too little: one to two bits a chunk, and 13 bytes a pack. Room that was left is given to
others.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from artstore import limits

__all__ = ["ChunkMarks", "Numbers"]

_UNIT_BITS: Final = 128
_UNIT_BYTES: Final = _UNIT_BITS // 8
Numbers = npt.NDArray[np.int64]
_ROOMS: Final[Numbers] = np.array(
    [0, *(_UNIT_BITS << n for n in range((limits.PACK_CHUNK_COUNT // _UNIT_BITS).bit_length()))],
    np.int64,
)
"""Chunks that there is room for, by the size of a room: none, 128, 256, ... 65,536."""


class ChunkMarks:
    """
    Marks over n packs. Not for several threads.

    Attributes:
        marked_bytes: of each pack, what its marked chunks take as stored.
    """

    def __init__(self, pack_count: int) -> None:
        self.marked_bytes: Numbers = np.zeros(pack_count, np.int64)
        self._sizes = np.zeros(pack_count, np.uint8)
        # In units; 4 G of them are more than all chunks that a store may have.
        self._starts = np.zeros(pack_count, np.uint32)
        self._bits = np.zeros(64 * _UNIT_BYTES, np.uint8)
        self._used = 0
        self._left: dict[int, list[int]] = {}

    @property
    def memory_bytes(self) -> int:
        """What all of it takes."""
        columns = (self.marked_bytes, self._starts, self._sizes, self._bits)
        return sum(column.nbytes for column in columns)

    def mark(self, packs: Numbers, ordinals: Numbers, stored_bytes: Numbers) -> Numbers:
        """
        Mark n chunks.

        Args:
            packs: their packs' numbers, each below the count.
            ordinals: their places in these packs, below `limits.PACK_CHUNK_COUNT`.
            stored_bytes: what they take there.
        Returns:
            the positions among the n of those that were not marked before, ascending, each
            chunk once.
        """
        if not len(packs):
            return np.zeros(0, np.int64)
        self._make_room(packs, ordinals)
        places = self._places(packs, ordinals)
        fresh = np.flatnonzero(self._bits[places >> 3] & _masks(places) == 0)
        if len(fresh):
            # Those that are named twice in one go count once.
            _, first = np.unique(places[fresh], return_index=True)
            fresh = fresh[np.sort(first)]
            np.bitwise_or.at(self._bits, places[fresh] >> 3, _masks(places[fresh]))
            np.add.at(self.marked_bytes, packs[fresh], stored_bytes[fresh])
        return fresh

    def has_many(self, packs: Numbers, ordinals: Numbers) -> npt.NDArray[np.bool_]:
        """Which of n chunks are marked."""
        inside = ordinals < _ROOMS[self._sizes[packs]]
        places = np.where(inside, self._places(packs, ordinals), 0)
        found: npt.NDArray[np.bool_] = inside & (self._bits[places >> 3] & _masks(places) != 0)
        return found

    def ordinals(self, pack: int) -> list[int]:
        """The marked chunks of a pack, ascending."""
        return [int(one) for one in np.flatnonzero(self._column(pack))]

    def is_marked(self) -> npt.NDArray[np.bool_]:
        """For each pack whether anything in it is marked."""
        # Room is only made for what is about to be marked.
        return self._sizes > 0

    def _places(self, packs: Numbers, ordinals: Numbers) -> Numbers:
        places: Numbers = self._starts[packs].astype(np.int64) * _UNIT_BITS + ordinals
        return places

    def _column(self, pack: int) -> npt.NDArray[np.uint8]:
        return np.unpackbits(self._room(self._starts[pack], self._sizes[pack]), bitorder="little")

    def _room(self, start: int, size: int) -> npt.NDArray[np.uint8]:
        begin = int(start) * _UNIT_BYTES
        return self._bits[begin : begin + int(_ROOMS[size]) // 8]

    def _make_room(self, packs: Numbers, ordinals: Numbers) -> None:
        short = np.flatnonzero(ordinals >= _ROOMS[self._sizes[packs]])
        if not len(short):
            return
        named, which = np.unique(packs[short], return_inverse=True)
        highest = np.zeros(len(named), np.int64)
        np.maximum.at(highest, which, ordinals[short])
        sizes = np.searchsorted(_ROOMS, highest, side="right")
        for pack, size in zip(named.tolist(), sizes.tolist(), strict=True):
            start = self._take(size)
            had = int(self._sizes[pack])
            if had:
                self._move(int(self._starts[pack]), had, start)
            self._starts[pack], self._sizes[pack] = start, size

    def _move(self, old: int, size: int, new: int) -> None:
        room = self._room(old, size)
        self._room(new, size)[:] = room
        room[:] = 0
        self._left.setdefault(size, []).append(old)

    def _take(self, size: int) -> int:
        """Where there is room of a size, all zero."""
        if left := self._left.get(size):
            return left.pop()
        start, self._used = self._used, self._used + int(_ROOMS[size]) // _UNIT_BITS
        had, wanted = len(self._bits), self._used * _UNIT_BYTES
        if wanted > had:
            grown = np.zeros(max(wanted, had * 33 // 32), np.uint8)
            grown[:had] = self._bits
            self._bits = grown
        return start


def _masks(places: Numbers) -> npt.NDArray[np.uint8]:
    return (1 << (places & 7)).astype(np.uint8)

"""
Which chunks of which packs somebody needs, in four bytes a chunk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping

from artstore.packs.locator import PACK_ID_BYTES, ChunkRef

__all__ = ["NeededChunks"]


class NeededChunks(Mapping[bytes, "array[int]"]):
    """
    Ordinals by pack, in the order in which they came; a chunk may stand in it twice.

    Packs that are not closed yet have no id, and are left out. Not for several threads.
    """

    def __init__(self, refs: Iterable[ChunkRef] = ()) -> None:
        self._ordinals: dict[bytes, array[int]] = {}
        self.update(refs)

    def __getitem__(self, pack: bytes) -> array[int]:
        return self._ordinals[pack]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._ordinals)

    def __len__(self) -> int:
        return len(self._ordinals)

    def add(self, ref: ChunkRef) -> None:
        """This chunk is needed."""
        if len(ref.pack) == PACK_ID_BYTES:
            found = self._ordinals.get(ref.pack)
            if found is None:
                found = self._ordinals[ref.pack] = array("I")
            found.append(ref.ordinal)

    def update(self, refs: Iterable[ChunkRef]) -> None:
        """These chunks are needed."""
        for ref in refs:
            self.add(ref)

    def merge(self, other: Mapping[bytes, Iterable[int]]) -> None:
        """What another one needs is needed."""
        for pack, ordinals in other.items():
            self._ordinals.setdefault(pack, array("I")).extend(ordinals)

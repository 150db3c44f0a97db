"""
Which chunks need not be stored again, and where they lie.

In the order of trust: this push; the newest version of the same artifact
(read, so it is live); packs of an interrupted push and the index (hints: a
pack's footer is read before it is relied on).
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from artstore.errors import ArtstoreError
from artstore.manifests.entry import Entry
from artstore.manifests.reader import Manifest
from artstore.manifests.tree import decode_node
from artstore.packs.index import IndexView
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.reader import PackReader

__all__ = ["KnownChunks", "ParentCursor"]

_PARENT_MAX_ENTRIES: Final = 200_000
"""Above this the parent's chunks are looked up in the index instead of in memory:
at 220 bytes a chunk, 1 M files would take more than the rest of a push."""

_PLACE: Final = struct.Struct("<IIIIIB")


class ParentCursor:
    """Walks the parent's entries beside the new ones, both in path order."""

    def __init__(self, parent: Manifest | None) -> None:
        self._entries: Iterator[Entry] = iter(()) if parent is None else parent.entries()
        self._next = next(self._entries, None)

    def take(self, path: str) -> Entry | None:
        """The parent's entry at `path`; paths must ascend from call to call."""
        while self._next is not None and self._next.path < path:
            self._next = next(self._entries, None)
        if self._next is not None and self._next.path == path:
            return self._next
        return None


class KnownChunks:
    """
    Finds chunks by digest. `__contains__` may be called by many threads.

    Args:
        parent: the newest live version, or None.
        leftover_packs: packs that a killed push stored.
        condemned: keys that gc is about to delete: no hint may lead to them.
        open_index: opens the index when the first chunk is not found elsewhere.
    """

    def __init__(
        self,
        packs: PackReader,
        parent: Manifest | None,
        leftover_packs: Iterable[bytes],
        condemned: frozenset[str],
        open_index: Callable[[], IndexView | None],
    ) -> None:
        self._packs = packs
        self._parent = parent
        self._condemned = condemned
        self._leftover_packs = [pack for pack in leftover_packs if self._may_use(pack)]
        self._open_index = open_index
        self._lock = threading.Lock()
        self._places: dict[bytes, bytes] | None = None
        self._pack_ids: list[bytes] = []
        self._pack_numbers: dict[bytes, int] = {}
        self._files: dict[bytes, Entry] = {}
        self._index: IndexView | None = None
        self.nodes: dict[bytes, ChunkRef] = {}
        self.hinted_packs: set[bytes] = set()

    def __contains__(self, digest: bytes) -> bool:
        return self.find(digest) is not None

    def find(self, digest: bytes) -> ChunkRef | None:
        """Where a chunk lies already, or None."""
        places = self._loaded()
        place = places.get(digest)
        if place is None:
            if self._index is None:
                return None
            with self._lock:
                place = self._find_in_index(places, digest)
            if place is None:
                return None
        number, ordinal, offset, stored, plain, codec = _PLACE.unpack(place)
        pack = self._pack_ids[number]
        return ChunkRef(digest, pack, ordinal, offset, stored, plain, codec, plain)

    def file(self, digest: bytes) -> Entry | None:
        """A file of many chunks of the parent with this content, at any path (renames)."""
        self._loaded()
        return self._files.get(digest)

    def below(self, entry: Entry) -> Iterator[ChunkRef]:
        """What the chunk lists of a file of the parent name: more lists, and the chunks."""
        for ref in entry.chunks if entry.level else ():
            self.nodes[ref.digest] = ref
            where = f"a chunk list of {entry.path!r}"
            below = tuple(decode_node(bytes(self._packs.chunk(ref)), where=where))
            yield from below
            yield from self.below(replace(entry, chunks=below, level=entry.level - 1))

    def _loaded(self) -> dict[bytes, bytes]:
        if self._places is None:
            with self._lock:
                if self._places is None:
                    self._places = self._load()
        return self._places

    def _load(self) -> dict[bytes, bytes]:
        places: dict[bytes, bytes] = {}
        for pack in self._leftover_packs:
            try:
                places.update(self._places_of_pack(pack))
            except ArtstoreError:
                # Gone or damaged: it was a hint, what it held is stored again.
                continue
        self._index = self._open_index()
        parent = self._parent
        if parent is None or parent.entry_count > _PARENT_MAX_ENTRIES:
            return places
        for entry in parent.entries():
            if len(entry.chunks) > 1 or entry.level:
                self._files.setdefault(entry.digest, entry)
            for ref in self._expand(entry.chunks, entry.level):
                places[ref.digest] = self._place(ref)
        return places

    def _place(self, ref: ChunkRef) -> bytes:
        return _PLACE.pack(
            self._pack_number(ref.pack),
            ref.ordinal,
            ref.offset_bytes,
            ref.stored_bytes,
            ref.plain_bytes,
            ref.codec,
        )

    def _pack_number(self, pack: bytes) -> int:
        number = self._pack_numbers.setdefault(pack, len(self._pack_ids))
        if number == len(self._pack_ids):
            self._pack_ids.append(pack)
        return number

    def _expand(self, refs: Iterable[ChunkRef], level: int) -> Iterator[ChunkRef]:
        # As tree.expand, and the nodes are remembered: equal ones are shared.
        for ref in refs:
            if level == 0:
                yield ref
                continue
            self.nodes[ref.digest] = ref
            below = decode_node(bytes(self._packs.chunk(ref)), where="a chunk list of the parent")
            yield from self._expand(below, level - 1)

    def _find_in_index(self, places: dict[bytes, bytes], digest: bytes) -> bytes | None:
        assert self._index is not None
        if digest in places:
            return places[digest]
        while (hit := self._index.find(digest)) is not None:
            if self._may_use(hit[0]):
                # Gone or damaged is no error: another pack may have it.
                with suppress(ArtstoreError):
                    for other, place in self._places_of_pack(hit[0]).items():
                        # What the parent has is better than a hint.
                        places.setdefault(other, place)
                    return places.get(digest)
            self._index.forget_pack(hit[0])
        return None

    def _may_use(self, pack: bytes) -> bool:
        return not self._condemned or pack_key(pack) not in self._condemned

    def _places_of_pack(self, pack: bytes) -> dict[bytes, bytes]:
        footer = self._packs.footer(pack)
        self.hinted_packs.add(pack)
        number = self._pack_number(pack)
        columns = zip(
            footer.digests,
            footer.offsets_bytes(),
            footer.stored_bytes,
            footer.plain_bytes,
            footer.codecs,
            strict=True,
        )
        return {
            digest: _PLACE.pack(number, ordinal, offset, stored, plain, codec)
            for ordinal, (digest, offset, stored, plain, codec) in enumerate(columns)
        }

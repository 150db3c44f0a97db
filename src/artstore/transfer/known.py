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

__all__ = ["KnownChunks", "Parent", "ParentCursor"]

_PARENT_MAX_ENTRIES: Final = 200_000
"""Above this the parent's chunks are looked up in the index instead of in memory:
at 600 bytes an entry, 1 M files would take more than the rest of a push."""

_PLACE: Final = struct.Struct("<IIIIIB")


class Parent:
    """The newest live version as a push looks at it: entries by path, and all of them by digest."""

    def __init__(self, manifest: Manifest | None) -> None:
        self._manifest = manifest
        self._all: list[Entry] | None = None
        self._lock = threading.Lock()

    def all(self) -> list[Entry]:
        """Every entry, decoded once; none for a version that is too large to be held."""
        manifest = self._manifest
        if manifest is None or manifest.entry_count > _PARENT_MAX_ENTRIES:
            return []
        with self._lock:
            if self._all is None:
                self._all = list(manifest.entries())
            return self._all

    def in_order(self) -> Iterator[Entry]:
        """The entries by path; those of a large version as they are read."""
        manifest = self._manifest
        if manifest is not None and manifest.entry_count > _PARENT_MAX_ENTRIES:
            return manifest.entries()
        return iter(self.all())


class ParentCursor:
    """Walks the parent's entries beside the new ones, both in path order."""

    def __init__(self, parent: Parent) -> None:
        self._entries = parent.in_order()
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
        parent: the newest live version.
        leftover_packs: packs that a killed push stored.
        condemned: keys that gc is about to delete: no hint may lead to them.
        open_index: opens the index when the first chunk is not found elsewhere.
    """

    def __init__(
        self,
        packs: PackReader,
        parent: Parent,
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
        self._is_loaded = False
        self._parent_refs: dict[bytes, ChunkRef] = {}
        self._places: dict[bytes, bytes] = {}
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
        self._load()
        ref = self._parent_refs.get(digest)
        if ref is not None:
            return ref
        place = self._places.get(digest)
        if place is None:
            if self._index is None:
                return None
            with self._lock:
                place = self._find_in_index(digest)
            if place is None:
                return None
        number, ordinal, offset, stored, plain, codec = _PLACE.unpack(place)
        pack = self._pack_ids[number]
        return ChunkRef(digest, pack, ordinal, offset, stored, plain, codec, plain)

    def file(self, digest: bytes) -> Entry | None:
        """A file of many chunks of the parent with this content, at any path (renames)."""
        self._load()
        return self._files.get(digest)

    def below(self, entry: Entry) -> Iterator[ChunkRef]:
        """What the chunk lists of a file of the parent name: more lists, and the chunks."""
        for ref in entry.chunks if entry.level else ():
            self.nodes[ref.digest] = ref
            where = f"a chunk list of {entry.path!r}"
            below = tuple(decode_node(bytes(self._packs.chunk(ref)), where=where))
            yield from below
            yield from self.below(replace(entry, chunks=below, level=entry.level - 1))

    def _load(self) -> None:
        if self._is_loaded:
            return
        with self._lock:
            if self._is_loaded:
                return
            for pack in self._leftover_packs:
                # Gone or damaged: it was a hint, what it held is stored again.
                with suppress(ArtstoreError):
                    self._places.update(self._places_of_pack(pack))
            self._index = self._open_index()
            for entry in self._parent.all():
                if len(entry.chunks) == 1 and not entry.level:
                    ref = entry.chunks[0]
                    self._parent_refs[ref.digest] = ref
                elif entry.chunks:
                    self._files.setdefault(entry.digest, entry)
                    for ref in self._expand(entry.chunks, entry.level):
                        self._parent_refs[ref.digest] = ref
            self._is_loaded = True

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

    def _find_in_index(self, digest: bytes) -> bytes | None:
        assert self._index is not None
        places = self._places
        if digest in places:
            return places[digest]
        while (hit := self._index.find(digest)) is not None:
            if self._may_use(hit[0]):
                # Gone or damaged is no error: another pack may have it.
                with suppress(ArtstoreError):
                    for other, place in self._places_of_pack(hit[0]).items():
                        places.setdefault(other, place)
                    return places.get(digest)
            self._index.forget_pack(hit[0])
        return None

    def _may_use(self, pack: bytes) -> bool:
        # Of a pack that was missed a footer may be at hand still, and with it what was not moved.
        if self._packs.moved.is_gone(pack):
            return False
        return not self._condemned or pack_key(pack) not in self._condemned

    def _places_of_pack(self, pack: bytes) -> dict[bytes, bytes]:
        footer = self._packs.footer(pack)
        self.hinted_packs.add(pack)
        number = self._pack_number(pack)
        return {
            digest: _PLACE.pack(number, ordinal, offset, stored, plain, codec)
            for ordinal, (digest, offset, stored, plain, codec) in enumerate(footer.rows())
        }

"""
What of a plan stays after all, since an entry that came before its fence needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from artstore.errors import ArtstoreError, StorageError
from artstore.garbage.listing import ContentTable, Listing
from artstore.garbage.marking import Marker
from artstore.garbage.movedmap import MovedMap
from artstore.garbage.roots import RootVersion
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import MOVED_PREFIX, ChunkPlace
from artstore.packs.movedpacks import Start
from artstore.packs.reader import PackReader
from artstore.storage.bounded import is_stored
from artstore.storage.protocol import KeyInfo, Storage

__all__ = ["Condemned", "spared_keys"]


@dataclass(frozen=True, slots=True)
class Condemned:
    """
    What a plan deletes.

    Attributes:
        purged_roots: roots among them of versions that are to be gone for good.
    """

    keys: frozenset[str]
    purged_roots: frozenset[str] = frozenset()

    def listing(self) -> Listing:
        """The same as if nothing else were there; sizes and times are not known."""
        tables = {kind: ContentTable(kind) for kind in ("packs", "fragments", "manifests")}
        for key in sorted(self.keys):
            table = tables.get(key.partition("/")[0])
            if table is not None:
                table.add(KeyInfo(key, 0, 0.0))
        return Listing(**tables, moved=(), index=(), lists=(), clocks=())


def spared_keys(
    storage: Storage,
    packs: PackReader,
    condemned: Condemned,
    versions: Iterable[RootVersion],
    *,
    is_proven: bool,
) -> frozenset[str]:
    """
    The condemned keys that some of `versions` needs.

    A pack is not needed if all that is needed of it resolves without it, and without
    whatever else the plan deletes: that is what repacking is for. Else all stays by which
    its chunks resolve now.

    Args:
        is_proven: records are believed. If not, each chunk that is to be found elsewhere is
            read there, and compared with its digest where it lies now.
    Raises:
        as `Marker.mark`.
    Cost: reads the lists of the versions; a scan of the moved records.
    """
    listing = condemned.listing()
    there = _Existing(storage)
    moved = MovedMap(storage, (info.key for info in storage.scan(MOVED_PREFIX)), there)
    watched = frozenset(moved.packs())
    marker = Marker(storage, packs, listing, moved=None, watched=watched)
    marker.mark(versions)
    marks = marker.marks
    values = ((listing.manifests, marks.manifests), (listing.fragments, marks.fragments))
    spared = {
        table.key_of(number)
        for table, found in values
        for number, is_marked in enumerate(found)
        if is_marked
    }
    needed = {
        listing.packs.id_of(number): marks.chunks.ordinals(number)
        for number in marks.chunks.is_marked().nonzero()[0].tolist()
    }
    # A pack that is gone is not condemned by name if its chunks came to lie in a pack that is
    # only now, since whoever moved them wrote that down late.
    gone = {pack: sorted(some) for pack, some in marker.elsewhere.items() if not there(pack)}
    reader = None if is_proven else packs
    spared |= _needed_packs(moved, condemned.keys, needed | gone, reader)
    if any(key.startswith("packs/") for key in spared):
        # What must be gone is in a pack that stays: the next plan finds it by its root.
        spared |= condemned.purged_roots
    return frozenset(spared)


class _Existing:
    """Whether packs exist; each is looked for once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[bytes, bool] = {}

    def __call__(self, pack: bytes) -> bool:
        if pack not in self._known:
            self._known[pack] = is_stored(self._storage, pack_key(pack))
        return self._known[pack]


def _needed_packs(
    moved: MovedMap,
    condemned: frozenset[str],
    needed: dict[bytes, list[int]],
    reader: PackReader | None,
) -> set[str]:
    def is_left(pack: bytes) -> bool:
        return pack_key(pack) not in condemned and moved.is_there(pack)

    spared: set[str] = set()
    for pack, ordinals in needed.items():
        starts = [(pack, ordinal) for ordinal in ordinals]
        found = moved.follow(starts, is_there=is_left, without=condemned).found
        if len(found) == len(starts) and (reader is None or _is_right(moved, found, reader)):
            continue
        packs, records = moved.trail(pack)
        spared |= {pack_key(pack), *map(pack_key, packs), *records} & condemned
    return spared


def _is_right(moved: MovedMap, found: Mapping[Start, ChunkPlace], reader: PackReader) -> bool:
    """Whether chunks are, where records say, what they are where they lie now."""
    refs = []
    for (pack, ordinal), place in found.items():
        now = [ChunkPlace(pack, ordinal, 0)]
        if not moved.is_there(pack):
            now = moved.everywhere([(pack, ordinal)])[pack, ordinal]
        for one in now:
            footer = reader.footer(one.pack)
            if one.ordinal >= len(footer.digests):
                return False
            refs.append(
                ChunkRef(
                    footer.digests[one.ordinal],
                    place.pack,
                    place.ordinal,
                    place.offset_bytes,
                    footer.stored_bytes[one.ordinal],
                    footer.plain_bytes[one.ordinal],
                    footer.codecs[one.ordinal],
                    footer.plain_bytes[one.ordinal],
                )
            )
    try:
        for _ in reader.chunks(refs):
            pass
    except StorageError:
        raise
    except ArtstoreError:
        return False
    return True

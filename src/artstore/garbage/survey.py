"""
What a store holds and what of it is needed: logs, listing and marks of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from artstore.catalog.catalog import Catalog
from artstore.garbage.listing import ContentTable, Listing, list_content
from artstore.garbage.marking import Marker, Marks
from artstore.garbage.marks import Numbers
from artstore.garbage.movedmap import MovedMap
from artstore.garbage.roots import Roots, RootVersion, find_roots
from artstore.garbage.settings import GarbageSettings
from artstore.packs.format import HEADER, TRAILER_BYTES
from artstore.packs.reader import PackReader
from artstore.storage.protocol import Storage

__all__ = ["OnStage", "Survey", "take_survey"]

OnStage = Callable[[str], None]
"""Told what is done next: `logs`, `listing`, `mark`, ..."""


@dataclass(frozen=True, slots=True)
class Survey:
    """
    Attributes:
        now_seconds: by the clock of the storage, before anything was read.
        marks: what live and restorable versions reference.
        purged: what versions that are to be gone for good referenced, as far as it is there.
        live_bytes, restorable_bytes: stored bytes that live versions reference; that only
            restorable ones do.
        dead_bytes: by (project, collection): what only its dropped versions referenced.
        left: the dropped versions of which something is there still.
    """

    now_seconds: float
    roots: Roots
    listing: Listing
    moved: MovedMap
    marks: Marks
    purged: Marks
    live_bytes: int
    restorable_bytes: int
    dead_bytes: dict[tuple[str, str], int] = field(default_factory=dict)
    left: tuple[RootVersion, ...] = ()

    def unmarked(self, table: ContentTable) -> Numbers:
        """The values of a kind that nothing references."""
        return np.flatnonzero(~self._is_marked(table))

    def marked(self, table: ContentTable) -> Numbers:
        """The values of a kind that something references."""
        return np.flatnonzero(self._is_marked(table))

    def is_old(self, table: ContentTable, numbers: Numbers, grace_seconds: float) -> Numbers:
        """Those of `numbers` that are at least so old."""
        modified = np.frombuffer(table.modified_seconds, np.float64)[numbers]
        return numbers[modified <= self.now_seconds - grace_seconds]

    def sizes_of(self, table: ContentTable, numbers: Numbers) -> Numbers:
        """What values take."""
        return np.frombuffer(table.size_bytes, np.uint64).astype(np.int64)[numbers]

    def dead_bytes_of(self, packs: Numbers) -> Numbers:
        """What of packs, by their numbers, nothing references: chunks and their footers."""
        sizes = self.sizes_of(self.listing.packs, packs)
        dead = sizes - self.marks.chunks.marked_bytes[packs] - len(HEADER) - TRAILER_BYTES
        left: Numbers = np.maximum(dead, 0)
        return left

    def _is_marked(self, table: ContentTable) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if table is self.listing.packs:
            return self.marks.chunks.is_marked()
        is_root = table is self.listing.manifests
        marks = self.marks.manifests if is_root else self.marks.fragments
        return np.frombuffer(marks, np.bool_)

    def purged_packs(self) -> list[int]:
        """Packs with a chunk that is to be gone for good, and that nothing else references."""
        purged, needed = self.purged.chunks, self.marks.chunks
        return [
            pack
            for pack in np.flatnonzero(purged.is_marked()).tolist()
            if set(purged.ordinals(pack)) - set(needed.ordinals(pack))
        ]


def take_survey(
    storage: Storage,
    catalog: Catalog,
    packs: PackReader,
    settings: GarbageSettings,
    *,
    now_seconds: float,
    upkeep_head_n: int,
    as_purged: tuple[str, str, int] | None = None,
    on_stage: OnStage | None = None,
) -> Survey:
    """
    Read all logs, list all content, mark all that versions reference.

    Raises:
        as `find_roots` and `Marker.mark`: whatever cannot be read stops it.
    Cost: two scans a collection; a scan of the content; a read of each root, and of each
        segment and chunk list once.
    """
    tell = on_stage or (lambda _: None)
    tell("logs")
    roots = find_roots(
        storage,
        catalog,
        now_seconds=now_seconds,
        restore_window_seconds=settings.restore_window_seconds,
        upkeep_head_n=upkeep_head_n,
        honours_purges=settings.honours_purges,
        as_purged=as_purged,
    )
    # After the logs: whatever a live version references was there before its entry.
    tell("listing")
    listing = list_content(storage)
    tell("mark")
    moved = MovedMap(
        storage,
        (info.key for info in listing.moved),
        # Asked for every chunk that was moved, of which a pack has many.
        cache(lambda pack: listing.packs.find(pack) is not None),
    )
    marker = Marker(storage, packs, listing, moved=moved)
    live_bytes = _marked_bytes(marker, roots.live)
    # A root that is gone leaves nothing to restore; what else it held is not told by anything.
    there = [one for one in roots.restorable if _is_there(listing, one)]
    restorable_bytes = _marked_bytes(marker, there)
    tell("attribute")
    dead = Marker(storage, packs, listing, is_lenient=True, counted=marker.marks, moved=moved)
    dead_bytes: dict[tuple[str, str], int] = {}

    def attribute(version: RootVersion, count: int) -> None:
        collection = (version.project, version.name)
        dead_bytes[collection] = dead_bytes.get(collection, 0) + count

    left = [one for one in roots.dropped if _is_there(listing, one)]
    purged = [one for one in left if one.is_purged]
    dead.mark([one for one in left if not one.is_purged], attribute)
    gone = Marker(storage, packs, listing, is_lenient=True, counted=marker.marks, moved=moved)
    gone.mark(purged, attribute)
    return Survey(
        now_seconds,
        roots,
        listing,
        moved,
        marker.marks,
        gone.marks,
        live_bytes,
        restorable_bytes,
        {collection: count for collection, count in dead_bytes.items() if count},
        tuple(left),
    )


def _is_there(listing: Listing, version: RootVersion) -> bool:
    return listing.manifests.find_key(version.roots[0]) is not None


def _marked_bytes(marker: Marker, versions: Iterable[RootVersion]) -> int:
    total = 0

    def add(_: RootVersion, count: int) -> None:
        nonlocal total
        total += count

    marker.mark(versions, add)
    return total

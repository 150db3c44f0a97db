"""
Mark: everything that versions reference, each segment and each list read once.

A version of 100,000 files has 200 segments, nearly all of them shared with the version
before. Where a segment was read once, all it names is marked: so a thousand versions cost
little more than one and what changed between them.

Segments that differ name nearly the same chunks. Of files of a few chunks many are marked at
once, and a chunk whose pack is gone is followed once. Whatever is odd about any of them, each
is looked at by itself, so that an error names its version.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from artstore import limits
from artstore.errors import ArtstoreError, DamagedDataError, StorageError
from artstore.garbage.listing import ContentTable, Listing
from artstore.garbage.marks import ChunkMarks, Numbers
from artstore.garbage.movedmap import FollowedChunks, MovedMap
from artstore.garbage.roots import RootVersion
from artstore.manifests.entry import TABLE, UNKNOWN_PREFIX, Entry
from artstore.manifests.places import (
    ChunkPlaces,
    SegmentColumns,
    joined_places,
    places_of_refs,
    segment_places,
)
from artstore.manifests.reader import Manifest
from artstore.manifests.segment import decode_segment
from artstore.manifests.tree import decode_node
from artstore.packs.format import FOOTER_RECORD_BYTES
from artstore.packs.locator import ChunkRef
from artstore.packs.movedpacks import Start, pack_missing
from artstore.packs.reader import PackReader, batches
from artstore.storage.protocol import Storage

__all__ = ["Marker", "Marks", "OnMarked"]

_BATCH_COUNT: Final = 32
"""Versions whose lists are read side by side, and whose segments in one go."""
_BATCH_ENTRIES: Final = 16_000_000
"""So many entries together at most, unless one alone has more: 20 MB of lists."""
_WINDOWS_AHEAD: Final = 2
_AT_ONCE_COUNT: Final = 64
"""Segments marked at once: what is kept of them meanwhile still fits into a cache."""

_MISSING: Final = frozenset(["fragment-missing", "manifest-missing", "pack-missing"])
"""What a version that was deleted may lack: a plan with a shorter restore window took it."""

OnMarked = Callable[[RootVersion, int], None]
"""Told each version, and how many stored bytes it was the first to name."""


class Marks:
    """
    What is referenced of a listing.

    Attributes:
        chunks: of packs.
        manifests, fragments: 1 for each value that is named.
        gone_packs: ids of packs that are named, and lie elsewhere by now.
    """

    def __init__(self, listing: Listing) -> None:
        self.chunks = ChunkMarks(len(listing.packs))
        self.manifests = bytearray(len(listing.manifests))
        self.fragments = bytearray(len(listing.fragments))
        self.gone_packs: set[bytes] = set()


class _Placed(NamedTuple):
    """n chunks in listed packs, by their numbers, and which of some references each stands for."""

    positions: Numbers
    packs: Numbers
    ordinals: Numbers
    stored_bytes: Numbers

    def merged(self, others: _Placed, ends: Numbers) -> _Placed:
        """These and others, in the order of the segments whose references end there."""
        columns = [np.concatenate(pair) for pair in zip(self, others, strict=True)]
        owners = np.searchsorted(ends, columns[0], side="right")
        order = np.argsort(owners, kind="stable")
        return _Placed(*(column[order] for column in columns))


class Marker:
    """
    Fills marks. Not for several threads.

    Args:
        is_lenient: pass over what is missing or damaged: for versions that are deleted, of
            which parts may be gone. Without it the first such thing is an error.
        counted: what is marked there counts no bytes here.
        moved: the records of packs that are gone; None if the listing holds only some of what
            is there: then what it lacks is passed over.
        watched: packs of which, if the listing lacks them, the chunks are noted in `elsewhere`.
    Attributes:
        elsewhere: by pack, the ordinals that are named.
    """

    def __init__(
        self,
        storage: Storage,
        packs: PackReader,
        listing: Listing,
        *,
        is_lenient: bool = False,
        counted: Marks | None = None,
        moved: MovedMap | None,
        watched: Collection[bytes] = frozenset(),
    ) -> None:
        self.marks = Marks(listing)
        self.elsewhere: dict[bytes, set[int]] = {}
        self._watched = watched
        self._storage = storage
        self._packs = packs
        self._listing = listing
        # Of packs that the listing does not have: (pack, ordinal, level).
        self._read_elsewhere: set[tuple[bytes, int, int]] = set()
        self._is_lenient = is_lenient
        self._counted = counted
        self._moved = moved
        self._followed = FollowedChunks(() if moved is None else moved.packs())
        # What is a list in one place may be bytes of a file in another: each level by itself,
        # segments at 0.
        self._lists_read: dict[int, ChunkMarks] = {}
        self._fresh_bytes = 0

    def mark(self, versions: Iterable[RootVersion], on_marked: OnMarked | None = None) -> None:
        """
        Mark all that versions reference.

        Raises:
            DamagedDataError, UnsupportedFormatError, LimitExceededError: something cannot be
                read, is missing, or is of a kind that is not known here.
        Cost: a read of each root; of each segment and list that is not shared.
        """
        with (
            ThreadPoolExecutor(_BATCH_COUNT, thread_name_prefix="artstore-roots") as pool,
            # Few threads: each keeps memory of what it has unpacked.
            ThreadPoolExecutor(_WINDOWS_AHEAD, thread_name_prefix="artstore-mark") as readers,
        ):
            opened = None
            for batch in _batches(versions):
                opening = pool.map(self._open, batch)
                # Roots of a batch are read while the one before is marked.
                if opened is not None:
                    self._mark_batch(readers, *opened, on_marked)
                opened = (batch, opening)
            if opened is not None:
                self._mark_batch(readers, *opened, on_marked)

    def _open(self, version: RootVersion) -> list[Manifest]:
        found = []
        for key in version.roots:
            number = self._listing.manifests.find_key(key)
            if number is not None and self.marks.manifests[number]:
                continue
            with _Tolerance(version, is_lenient=self._is_lenient):
                found.append(Manifest.open(self._storage, self._packs, key))
        return found

    def _mark_batch(
        self,
        readers: Executor,
        batch: Sequence[RootVersion],
        opened: Iterable[list[Manifest]],
        on_marked: OnMarked | None,
    ) -> None:
        fresh_bytes = np.zeros(len(batch), np.int64)
        segments: list[tuple[int, ChunkRef]] = []
        for at, (version, manifests) in enumerate(zip(batch, opened, strict=True)):
            self._fresh_bytes = 0
            for key in version.roots:
                self._mark_value(self._listing.manifests, self.marks.manifests, key)
            for manifest in manifests:
                with _Tolerance(version, is_lenient=self._is_lenient):
                    refs = manifest.segment_refs()
                    self._mark_places(places_of_refs([*manifest.list_refs(), *refs]))
                    segments += [(at, ref) for ref in self._unread(refs)]
                    for data in manifest.inline_segments():
                        self._mark_segment(data, version)
            fresh_bytes[at] += self._fresh_bytes
        for window in self._read(readers, segments, batch):
            for start in range(0, len(window), _AT_ONCE_COUNT):
                part = window[start : start + _AT_ONCE_COUNT]
                self._mark_segments(part, batch, fresh_bytes)
        if on_marked is not None:
            for version, count in zip(batch, fresh_bytes.tolist(), strict=True):
                on_marked(version, count)

    def _unread(self, refs: list[ChunkRef], level: int = 0) -> list[ChunkRef]:
        """Those of n lists that are read here for the first time, as ones of this level."""
        places = places_of_refs(refs)
        numbers = self._listing.packs.find_ids(places.pack_ids)[places.pack_indexes]
        there = np.flatnonzero(numbers >= 0)
        if level not in self._lists_read:
            self._lists_read[level] = ChunkMarks(len(self._listing.packs))
        read = self._lists_read[level]
        fresh = there[read.mark(numbers[there], places.ordinals[there], np.zeros_like(there))]
        found = set(fresh.tolist())
        for at in np.flatnonzero(numbers < 0).tolist():
            place = (refs[at].pack, refs[at].ordinal, level)
            if place not in self._read_elsewhere:
                self._read_elsewhere.add(place)
                found.add(at)
        return [refs[at] for at in sorted(found)]

    def _read(
        self,
        readers: Executor,
        segments: Sequence[tuple[int, ChunkRef]],
        versions: Sequence[RootVersion],
    ) -> Iterator[list[tuple[int, bytes]]]:
        """The segments that can be read, by windows; some are read and checked ahead."""
        waiting: deque[Future[list[tuple[int, bytes]]]] = deque()
        start = 0
        for window in batches(ref for _, ref in segments):
            part = segments[start : start + len(window)]
            start += len(window)
            waiting.append(readers.submit(self._read_window, part, versions))
            if len(waiting) > _WINDOWS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _read_window(
        self, segments: Sequence[tuple[int, ChunkRef]], versions: Sequence[RootVersion]
    ) -> list[tuple[int, bytes]]:
        try:
            found = [bytes(data) for data in self._packs.chunks([ref for _, ref in segments])]
        except StorageError:
            raise
        except ArtstoreError:
            # One by one it is seen whose it is.
            return [one for at, ref in segments for one in self._read_one(at, ref, versions[at])]
        return [(at, data) for (at, _), data in zip(segments, found, strict=True)]

    def _read_one(
        self, at: int, ref: ChunkRef, version: RootVersion
    ) -> Iterator[tuple[int, bytes]]:
        with _Tolerance(version, is_lenient=self._is_lenient):
            yield at, bytes(self._packs.chunk(ref))

    # --- What a segment names ---------------------------------------------------------

    def _mark_segments(
        self,
        segments: Sequence[tuple[int, bytes]],
        batch: Sequence[RootVersion],
        fresh_bytes: Numbers,
    ) -> None:
        """As one by one; a run of those with nothing behind them is marked at once."""
        columns = (SegmentColumns.of(data) for _, data in segments)
        pairs = zip(segments, columns, strict=True)
        for _, group in groupby(pairs, key=lambda pair: pair[1] is not None and pair[1].is_flat):
            run = list(group)
            flat = [found for _, found in run if found is not None and found.is_flat]
            ats = [at for (at, _), _ in run]
            if flat and self._mark_flat(flat, np.array(ats), fresh_bytes):
                continue
            for at, data in (segment for segment, _ in run):
                self._fresh_bytes = 0
                self._mark_segment(data, batch[at])
                fresh_bytes[at] += self._fresh_bytes

    def _mark_flat(
        self, segments: Sequence[SegmentColumns], ats: Numbers, fresh_bytes: Numbers
    ) -> bool:
        """Whether all of them could be marked; else none was, and each has to be looked at."""
        places = joined_places(segments)
        if places is None or (places.ordinals >= limits.PACK_CHUNK_COUNT).any():
            return False
        numbers = self._listing.packs.find_ids(places.pack_ids)
        try:
            moved = self._follow(places, numbers)
        except StorageError:
            raise
        except ArtstoreError:
            return False
        placed = self._there(places, numbers)
        ends = np.cumsum([segment.ref_count for segment in segments])
        if moved is not None:
            placed = placed.merged(moved, ends)
        fresh = self._mark_placed(placed)
        owners = np.searchsorted(ends, placed.positions[fresh], side="right")
        np.add.at(fresh_bytes, ats[owners], placed.stored_bytes[fresh])
        return True

    def _mark_segment(self, data: bytes, version: RootVersion) -> None:
        with _Tolerance(version, is_lenient=self._is_lenient):
            places = segment_places(data, where=f"a segment of {version.label}")
            self._mark_places(places)
            if places.is_flat:
                return
            for entry in decode_segment(data, where=f"a segment of {version.label}"):
                self._mark_below(entry)

    def _mark_below(self, entry: Entry) -> None:
        if entry.kind.startswith(UNKNOWN_PREFIX):
            raise DamagedDataError(
                f"{entry.path!r} is of a kind that this release does not know; "
                "what it references cannot be told",
                code="entry-kind-unknown",
                hint="install a newer artstore",
            )
        self._mark_lists(list(entry.chunks), entry.level, entry)
        if entry.kind != TABLE:
            return
        from artstore.tables.stored import read_table

        for fragment in read_table(self._packs, entry).fragments:
            is_there = self._mark_value(self._listing.fragments, self.marks.fragments, fragment.key)
            if not (is_there or self._is_lenient or self._moved is None):
                raise DamagedDataError(
                    f"the fragment {fragment.key} of {entry.path!r} is missing",
                    code="fragment-missing",
                    key=fragment.key,
                )

    def _mark_lists(self, lists: list[ChunkRef], level: int, entry: Entry) -> None:
        while level:
            unread = self._unread(lists, level)
            where = f"a chunk list of {entry.path!r}"
            lists = [
                child
                for data in self._packs.chunks(unread)
                for child in decode_node(bytes(data), where=where)
            ]
            self._mark_places(places_of_refs(lists))
            level -= 1

    # --- Marks ------------------------------------------------------------------------

    def _mark_places(self, places: ChunkPlaces) -> None:
        if len(places.ordinals) and int(places.ordinals.max()) >= limits.PACK_CHUNK_COUNT:
            raise DamagedDataError(
                f"a chunk has number {int(places.ordinals.max())} in its pack, which no pack has",
                code="manifest-damaged",
            )
        numbers = self._listing.packs.find_ids(places.pack_ids)
        self._count(self._there(places, numbers))
        moved = self._follow(places, numbers)
        if moved is not None:
            self._count(moved)

    def _count(self, placed: _Placed) -> None:
        self._fresh_bytes += int(placed.stored_bytes[self._mark_placed(placed)].sum())

    def _mark_placed(self, placed: _Placed) -> Numbers:
        """Mark n chunks; gives the indexes of those that count here for the first time."""
        _, packs, ordinals, stored_bytes = placed
        fresh = self.marks.chunks.mark(packs, ordinals, stored_bytes)
        if self._counted is not None and len(fresh):
            known = self._counted.chunks.has_many(packs[fresh], ordinals[fresh])
            fresh = fresh[~known]
        return fresh

    def _there(self, places: ChunkPlaces, numbers: Numbers) -> _Placed:
        """Those of n chunks whose packs are listed; `numbers` has those of the packs."""
        of_chunks = numbers[places.pack_indexes]
        there = np.flatnonzero(of_chunks >= 0)
        stored_bytes = places.stored_bytes[there] + FOOTER_RECORD_BYTES
        return _Placed(there, of_chunks[there], places.ordinals[there], stored_bytes)

    def _follow(self, places: ChunkPlaces, numbers: Numbers) -> _Placed | None:
        """
        Those of n chunks whose packs are gone, wherever records say they are; each once.

        Raises:
            DamagedDataError: `pack-missing`, `moved-damaged`, unless that is passed over.
        """
        if (numbers >= 0).all():
            return None
        gone = np.flatnonzero(numbers[places.pack_indexes] < 0)
        if self._watched:
            self._note_elsewhere(places, gone)
        if self._moved is None:
            return None
        gone = self._followed.unknown(places, gone)
        if not len(gone):
            return None
        first: dict[Start, int] = {}
        for at in gone.tolist():
            first.setdefault((places.pack_of(at), int(places.ordinals[at])), at)
        self.marks.gone_packs.update(pack for pack, _ in first)
        followed = self._moved.follow(first)
        if followed.tried and not self._is_lenient:
            start, tried = next(iter(followed.tried.items()))
            raise followed.failures.get(start) or pack_missing(self._storage, tried)
        self._followed.note(places, gone)
        found = [
            (first[start], place)
            for start, everywhere in self._moved.everywhere(followed.found).items()
            for place in everywhere
        ]
        positions = np.array([at for at, _ in found], np.int64)
        return _Placed(
            positions,
            self._listing.packs.find_many([place.pack for _, place in found]),
            np.array([place.ordinal for _, place in found], np.int64),
            places.stored_bytes[positions] + FOOTER_RECORD_BYTES,
        )

    def _note_elsewhere(self, places: ChunkPlaces, gone: Numbers) -> None:
        is_watched = np.array([pack in self._watched for pack in places.packs], np.bool_)
        for at in gone[is_watched[places.pack_indexes[gone]]].tolist():
            self.elsewhere.setdefault(places.pack_of(at), set()).add(int(places.ordinals[at]))

    def _mark_value(self, table: ContentTable, marks: bytearray, key: str) -> bool:
        number = table.find_key(key)
        if number is None:
            return False
        if not marks[number]:
            marks[number] = 1
            counted = self._counted
            known = counted is not None and (
                counted.manifests if marks is self.marks.manifests else counted.fragments
            )
            if not (known and known[number]):
                self._fresh_bytes += table.size_bytes[number]
        return True


def _batches(versions: Iterable[RootVersion]) -> Iterator[list[RootVersion]]:
    batch: list[RootVersion] = []
    entry_count = 0
    for version in versions:
        entry_count += version.entry_count
        if batch and (len(batch) == _BATCH_COUNT or entry_count > _BATCH_ENTRIES):
            yield batch
            batch, entry_count = [], version.entry_count
        batch.append(version)
    if batch:
        yield batch


class _Tolerance:
    """Says which version it was about; with `is_lenient` what is missing or damaged is no error."""

    def __init__(self, version: RootVersion, *, is_lenient: bool) -> None:
        self._version = version
        self._is_lenient = is_lenient

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, ArtstoreError) or isinstance(error, StorageError):
            return False
        error.context.setdefault("version", self._version.label)
        return self._is_lenient or (self._version.is_deleted and error.code in _MISSING)

"""
Mark: everything that versions reference, each segment and each list read once.

A version of 100,000 files has 200 segments, nearly all of them shared with the version
before. Where a segment was read once, all it names is marked: so a thousand versions cost
little more than one and what changed between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt

from artstore import limits
from artstore.errors import ArtstoreError, DamagedDataError, StorageError
from artstore.garbage.listing import ContentTable, Listing
from artstore.garbage.marks import ChunkMarks
from artstore.garbage.movedmap import MovedMap
from artstore.garbage.roots import RootVersion
from artstore.manifests.entry import TABLE, UNKNOWN_PREFIX, Entry
from artstore.manifests.places import ChunkPlaces, places_of_refs, segment_places
from artstore.manifests.reader import Manifest
from artstore.manifests.segment import decode_segment
from artstore.manifests.tree import decode_node
from artstore.packs.format import FOOTER_RECORD_BYTES
from artstore.packs.locator import ChunkRef
from artstore.packs.movedpacks import pack_missing
from artstore.packs.reader import PackReader, batches
from artstore.storage.protocol import Storage

__all__ = ["Marker", "Marks", "OnMarked"]

_BATCH_COUNT: Final = 32
"""Versions whose lists are read side by side, and whose segments in one go."""
_BATCH_ENTRIES: Final = 16_000_000
"""So many entries together at most, unless one alone has more: 20 MB of lists."""
_WINDOWS_AHEAD: Final = 2

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
        fresh_bytes = [0] * len(batch)
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
        for at, data in self._read(readers, segments, batch):
            self._fresh_bytes = 0
            self._mark_segment(data, batch[at])
            fresh_bytes[at] += self._fresh_bytes
        if on_marked is not None:
            for version, count in zip(batch, fresh_bytes, strict=True):
                on_marked(version, count)

    def _unread(self, refs: list[ChunkRef], level: int = 0) -> list[ChunkRef]:
        """Those of n lists that are read here for the first time, as ones of this level."""
        places = places_of_refs(refs)
        numbers = self._listing.packs.find_many(places.packs)[places.pack_indexes]
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
    ) -> Iterator[tuple[int, bytes]]:
        """The segments that can be read; those of some windows are read and checked ahead."""
        waiting: deque[Future[list[tuple[int, bytes]]]] = deque()
        start = 0
        for window in batches(ref for _, ref in segments):
            part = segments[start : start + len(window)]
            start += len(window)
            waiting.append(readers.submit(self._read_window, part, versions))
            if len(waiting) > _WINDOWS_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

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
        numbers = self._listing.packs.find_many(places.packs)
        of_chunks = numbers[places.pack_indexes]
        is_there = of_chunks >= 0
        packs, ordinals = of_chunks[is_there], places.ordinals[is_there]
        stored_bytes = places.stored_bytes[is_there] + FOOTER_RECORD_BYTES
        fresh = self.marks.chunks.mark(packs, ordinals, stored_bytes)
        if self._counted is not None and len(fresh):
            known = self._counted.chunks.has_many(packs[fresh], ordinals[fresh])
            fresh = fresh[~known]
        self._fresh_bytes += int(stored_bytes[fresh].sum())
        if self._watched:
            self._note_elsewhere(places, is_there)
        if self._moved is not None and not is_there.all():
            self._mark_moved(self._moved, places, (~is_there).nonzero()[0].tolist())

    def _note_elsewhere(self, places: ChunkPlaces, is_there: npt.NDArray[np.bool_]) -> None:
        is_watched = np.array([pack in self._watched for pack in places.packs], np.bool_)
        for at in np.flatnonzero(~is_there & is_watched[places.pack_indexes]).tolist():
            pack = places.packs[places.pack_indexes[at]]
            self.elsewhere.setdefault(pack, set()).add(int(places.ordinals[at]))

    def _mark_moved(self, moved: MovedMap, places: ChunkPlaces, positions: list[int]) -> None:
        stored_bytes = {
            (places.packs[places.pack_indexes[at]], int(places.ordinals[at])): int(
                places.stored_bytes[at]
            )
            + FOOTER_RECORD_BYTES
            for at in positions
        }
        self.marks.gone_packs.update(pack for pack, _ in stored_bytes)
        followed = moved.follow(stored_bytes)
        if followed.tried and not self._is_lenient:
            start, tried = next(iter(followed.tried.items()))
            raise followed.failures.get(start) or pack_missing(self._storage, tried)
        places_now = [
            (place, stored_bytes[start])
            for start, places in moved.everywhere(followed.found).items()
            for place in places
        ]
        numbers = self._listing.packs.find_many([place.pack for place, _ in places_now])
        ordinals = np.array([place.ordinal for place, _ in places_now], np.int64)
        sizes = np.array([size for _, size in places_now], np.int64)
        fresh = self.marks.chunks.mark(numbers, ordinals, sizes)
        self._fresh_bytes += int(sizes[fresh].sum())

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

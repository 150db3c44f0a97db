"""
The moved records of one listing: where chunks of packs that are gone lie, as mark and sweep see it.

Readers decide in the same way (`packs.movedpacks.follow_moves`), by what they find there; here
what is there is the listing, less what is about to be deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from artstore.errors import ArtstoreError, DamagedDataError
from artstore.garbage.listing import ContentTable
from artstore.garbage.marks import ChunkMarks, Numbers
from artstore.manifests.places import ChunkPlaces
from artstore.packs.locator import pack_key
from artstore.packs.moved import ChunkPlace, MovedRecord, parse_moved_key
from artstore.packs.movedpacks import Followed, Found, Start, follow_moves, read_moved
from artstore.storage.protocol import KeyInfo, Storage

__all__ = ["FollowedChunks", "MovedMap"]


class MovedMap:
    """
    Records by pack, each read when it is first needed, and kept.

    Args:
        keys: of all records; what is no key of one is passed over.
        is_there: whether a pack exists.
    """

    def __init__(
        self, storage: Storage, keys: Iterable[str], is_there: Callable[[bytes], bool]
    ) -> None:
        self._storage = storage
        self.is_there = is_there
        self._keys: dict[bytes, list[str]] = {}
        for key in keys:
            try:
                pack, _ = parse_moved_key(key)
            except DamagedDataError:
                continue
            # Listed in order: later repacks come first here.
            self._keys.setdefault(pack, []).insert(0, key)
        self._found: dict[str, Found] = {}

    def packs(self) -> Iterable[bytes]:
        """Packs that have records."""
        return self._keys

    def gone_packs(self) -> list[bytes]:
        """Packs that have records and are not there."""
        return [pack for pack in self._keys if not self.is_there(pack)]

    def keys_of(self, pack: bytes) -> Sequence[str]:
        """The keys of the records of a pack, newest first."""
        return self._keys.get(pack, ())

    def records_of(
        self, packs: Iterable[bytes], without: Collection[str] = ()
    ) -> dict[bytes, list[Found]]:
        """The records of n packs, newest first, but for those under some keys."""
        wanted = {pack: [k for k in self.keys_of(pack) if k not in without] for pack in packs}
        missing = [key for keys in wanted.values() for key in keys if key not in self._found]
        self._found.update(read_moved(self._storage, missing))
        return {
            pack: [self._found[key] for key in keys if key in self._found]
            for pack, keys in wanted.items()
        }

    def follow(
        self,
        starts: Iterable[Start],
        *,
        is_there: Callable[[bytes], bool] | None = None,
        without: Collection[str] = (),
    ) -> Followed:
        """
        Where chunks lie now.

        Args:
            is_there: another view of which packs exist.
            without: keys of records that are not looked at.
        """

        def records_of(packs: set[bytes]) -> Mapping[bytes, Sequence[Found]]:
            return self.records_of(packs, without)

        return follow_moves(starts, records_of, is_there or self.is_there)

    def everywhere(self, starts: Iterable[Start]) -> dict[Start, list[ChunkPlace]]:
        """
        Every place at which records say that chunks lie, and at which there is a pack.

        Whoever may write may write a record. So what one of them says must not make what
        another one says garbage, though readers go by the newest.
        """
        found: dict[Start, list[ChunkPlace]] = {}
        for start in starts:
            places: dict[Start, ChunkPlace] = {}
            pending = [start]
            while pending:
                pack, ordinal = pending.pop()
                for record in self.records_of([pack])[pack]:
                    place = record.find(ordinal) if isinstance(record, MovedRecord) else None
                    if place is None or (place.pack, place.ordinal) in places:
                        continue
                    places[place.pack, place.ordinal] = place
                    if not self.is_there(place.pack):
                        pending.append((place.pack, place.ordinal))
            found[start] = [place for place in places.values() if self.is_there(place.pack)]
        return found

    def passed(self, packs: Iterable[bytes]) -> set[bytes]:
        """
        Packs that are gone, and all that are gone too and that their chunks came by.

        A record that cannot be read leads nowhere. Cost: reads the records of all of them.
        """
        found = pending = set(packs)
        while pending:
            targets = {
                target
                for records in self.records_of(pending).values()
                for record in records
                if isinstance(record, MovedRecord)
                for target in record.targets
            }
            pending = {one for one in targets - found if not self.is_there(one)}
            found = found | pending
        return found

    def trail(self, pack: bytes) -> tuple[set[bytes], set[str]]:
        """
        Every pack that any chunk of a gone pack may be found in, and the records that lead there.

        Raises:
            DamagedDataError: `moved-damaged`.
        """
        packs: set[bytes] = set()
        keys: set[str] = set()
        looked: set[bytes] = set()
        pending = {pack}
        while pending:
            looked |= pending
            for records in self.records_of(pending).values():
                for record in _sound(records):
                    keys.add(record.key)
                    packs.update(record.targets)
            pending = {one for one in packs - looked if not self.is_there(one)}
        return packs, keys


class FollowedChunks:
    """
    Chunks of gone packs that were followed before: versions share them as they share others.

    One to two bits a chunk. Not for several threads.

    Args:
        packs: those that have records; chunks of others are never known.
    """

    def __init__(self, packs: Iterable[bytes]) -> None:
        self._packs = ContentTable("packs")
        for pack in sorted(packs):
            self._packs.add(KeyInfo(pack_key(pack), 0, 0.0))
        self._marks = ChunkMarks(len(self._packs))

    def unknown(self, places: ChunkPlaces, positions: Numbers) -> Numbers:
        """Those of n positions among places at which there is a chunk that was not noted."""
        numbers = self._numbers(places, positions)
        is_known = numbers >= 0
        is_known[is_known] = self._marks.has_many(
            numbers[is_known], places.ordinals[positions[is_known]]
        )
        return positions[~is_known]

    def note(self, places: ChunkPlaces, positions: Numbers) -> None:
        """Those at n positions were followed."""
        numbers = self._numbers(places, positions)
        known = np.flatnonzero(numbers >= 0)
        ordinals = places.ordinals[positions[known]]
        self._marks.mark(numbers[known], ordinals, np.zeros_like(ordinals))

    def _numbers(self, places: ChunkPlaces, positions: Numbers) -> Numbers:
        return self._packs.find_ids(places.pack_ids)[places.pack_indexes[positions]]


def _sound(records: Iterable[Found]) -> Iterator[MovedRecord]:
    for record in records:
        if isinstance(record, ArtstoreError):
            raise record
        yield record

"""
Finding the chunks of packs that are gone, because repacking moved what was needed of them.

A pack that exists is never looked for here. Of one that is gone, the newest record that
has the chunk and whose target exists says where it lies now; a target may be gone and
moved too (docs/format/moved.md section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from artstore import forks
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError, StorageError
from artstore.packs.locator import ChunkRef, pack_id_of_key, pack_key
from artstore.packs.moved import (
    MOVED_MAX_BYTES,
    MOVED_PREFIX,
    ChunkPlace,
    MovedRecord,
    decode_moved,
    moved_key,
    moved_prefix,
    parse_moved_key,
)
from artstore.storage.bounded import is_stored
from artstore.storage.protocol import Span, Storage

__all__ = ["MOVED_HOPS_COUNT", "MovedPacks", "follow_moves", "pack_missing", "read_moved"]

MOVED_HOPS_COUNT: Final = 8
"""How often a chunk may have been moved on, as records tell it."""

_FEW: Final = 3
"""Packs asked for one by one; for more, one listing tells of all."""
_LISTED_COUNT: Final = 16_000
"""Records that a reader lists at most to learn of all: 16 requests to a bucket."""
_HELD_COUNT: Final = 4 << 20
"""Chunks of records kept in memory, 64 MiB."""
_READ_COUNT: Final = 256
_PARALLEL: Final = 16

Start: TypeAlias = tuple[bytes, int]
"""A pack that is gone and an ordinal in it."""
Found: TypeAlias = MovedRecord | ArtstoreError
"""A record, or why it cannot be used."""
IsThere: TypeAlias = Callable[[bytes], bool]


class Followed(NamedTuple):
    """
    What became of n chunks.

    Attributes:
        found: where they lie now.
        tried: of the others, the packs they were looked for in, the named one first.
        failures: of those, why a record that may have had them cannot be used.
    """

    found: dict[Start, ChunkPlace]
    tried: dict[Start, list[bytes]]
    failures: dict[Start, ArtstoreError]


def follow_moves(
    starts: Iterable[Start],
    records_of: Callable[[set[bytes]], Mapping[bytes, Sequence[Found]]],
    is_there: IsThere,
) -> Followed:
    """
    Follow chunks of packs that are gone to where they lie; pure.

    Of several records the newest counts whose target is there; where there is none,
    those of the targets are looked at, newest first, up to `MOVED_HOPS_COUNT` times.

    Args:
        records_of: the records of n packs, newest first.
        is_there: whether a pack exists.
    """
    found: dict[Start, ChunkPlace] = {}
    failures: dict[Start, ArtstoreError] = {}
    fronts: dict[Start, list[Start]] = {start: [start] for start in starts}
    # A dict for its order; what a record leads back to is not followed again.
    seen: dict[Start, dict[Start, None]] = {start: {start: None} for start in fronts}
    for _ in range(MOVED_HOPS_COUNT):
        records = records_of({pack for front in fronts.values() for pack, _ in front})
        following: dict[Start, list[Start]] = {}
        for start, front in fronts.items():
            places = []
            for pack, ordinal in front:
                for record in records[pack]:
                    if isinstance(record, ArtstoreError):
                        failures.setdefault(start, record)
                    elif (place := record.find(ordinal)) is not None:
                        places.append(place)
            hit = next((place for place in places if is_there(place.pack)), None)
            if hit is not None:
                found[start] = hit
                continue
            fresh = dict.fromkeys((place.pack, place.ordinal) for place in places)
            unseen = [place for place in fresh if place not in seen[start]]
            seen[start].update(dict.fromkeys(unseen))
            if unseen:
                following[start] = unseen
        fronts = following
        if not fronts:
            break
    for start in fronts:
        failures.setdefault(start, _too_often(start))
    tried = {
        start: list(dict.fromkeys(pack for pack, _ in places))
        for start, places in seen.items()
        if start not in found
    }
    return Followed(found, tried, {s: e for s, e in failures.items() if s not in found})


def read_moved(storage: Storage, keys: Iterable[str]) -> Iterator[tuple[str, Found]]:
    """
    The records under n keys, in order; those that are gone are left out.

    Raises:
        StorageError: the storage fails.
    Cost: a read each, which overlap; memory for `_READ_COUNT` records.
    """
    pending = iter(keys)
    while batch := list(islice(pending, _READ_COUNT)):
        yield from _read_batch(storage, batch)


def _read_batch(storage: Storage, keys: list[str]) -> Iterator[tuple[str, Found]]:
    while keys:
        # One byte more than the limit tells that a value is too large to be a record.
        span = Span(0, MOVED_MAX_BYTES + 1, or_less=True)
        answers = storage.read_many([(key, span) for key in keys])
        done = 0
        try:
            for data in answers:
                done += 1
                key = keys[done - 1]
                try:
                    yield key, decode_moved(data, key=key)
                except DamagedDataError as error:
                    yield key, error
        except StorageError:
            raise
        except NotFoundError:
            # gc has removed it meanwhile; on with those behind it.
            done += 1
        keys = keys[done:]


def pack_missing(storage: Storage, tried: Sequence[bytes]) -> DamagedDataError:
    """The error for a pack that is not there, nor what its chunks were moved to."""
    key = pack_key(tried[0])
    later = f", and so is {pack_key(tried[-1])}, to which it was moved" if tried[1:] else ""
    return DamagedDataError(
        f"the pack {key} is missing from {storage.url}{later}",
        code="pack-missing",
        hint="run `art check` to see which versions it hits",
        key=key,
    )


class MovedPacks:
    """
    What a reader knows of packs that are gone. Safe for several threads, and after forks.

    Nothing is asked before a pack was missed. What is known of a pack that is gone may
    grow old: `places` looks anew before it says that a chunk is nowhere.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._gone: set[bytes] = set()
        self._names: dict[bytes, tuple[str, ...]] = {}
        # Whether `_names` has every pack of which there are records.
        self._has_all = False
        # Of so many records that a reader does not list them all.
        self._has_too_many = False
        self._few_count = 0
        self._records: dict[bytes, tuple[Found, ...]] = {}
        self._held_count = 0
        # Held while records are looked up: of many threads that miss a pack at once, one asks.
        self._lock = forks.new_lock()

    @property
    def knows_any(self) -> bool:
        """Whether any pack is known to be gone."""
        return bool(self._gone)

    def is_gone(self, pack: bytes) -> bool:
        """Whether this pack was missed before. Asks nobody."""
        return pack in self._gone

    def note_gone(self, packs: Iterable[bytes]) -> None:
        """These packs were asked for and are not there."""
        self._gone.update(packs)

    # where chunks lie ----------------------------------------------------------------

    def places(self, refs: Sequence[ChunkRef]) -> list[ChunkRef]:
        """
        The same chunks where they lie now, as far as their packs are known to be gone.

        A target is taken to be there until it was missed: then note it, and ask again.

        Raises:
            DamagedDataError: `pack-missing`, `moved-damaged`, naming pack or record.
        Cost: nothing for packs not known to be gone. For up to three others a listing and
            a read each, for more one listing of all; then it is remembered.
        """
        answers = list(refs)
        if not self._gone:
            return answers
        open_: dict[Start, list[int]] = {}
        for at, ref in enumerate(refs):
            if ref.pack in self._gone:
                place = self._remembered(ref.pack, ref.ordinal)
                if place is None:
                    open_.setdefault((ref.pack, ref.ordinal), []).append(at)
                else:
                    answers[at] = _moved_ref(ref, place)
        if open_:
            for start, place in self._looked_up(open_).items():
                for at in open_[start]:
                    answers[at] = _moved_ref(refs[at], place)
        return answers

    def uncovered(
        self,
        chunks: Mapping[bytes, Iterable[int]],
        is_there: IsThere | None = None,
        *,
        without: Collection[str] = (),
    ) -> dict[bytes, list[int]]:
        """
        Of chunks of packs that are gone, those that no record leads to.

        Args:
            chunks: packs, each of which is gone, and ordinals in them.
            is_there: whether a pack exists; asks the storage if not given, once a pack.
            without: keys of records that are taken for gone.
        Raises:
            DamagedDataError: `moved-damaged`, a record that may have had one of them.
        Cost: as `places`, always asked anew; and a look for each target.
        """
        starts = dict.fromkeys((pack, ordinal) for pack, some in chunks.items() for ordinal in some)
        seen: dict[bytes, bool] = {}

        def look(pack: bytes) -> bool:
            if pack not in seen:
                seen[pack] = self._exists(pack)
            return seen[pack]

        with self._lock:
            self._forget(chunks)

        def records_of(packs: set[bytes]) -> Mapping[bytes, Sequence[Found]]:
            return {
                pack: [r for r in records if not (isinstance(r, MovedRecord) and r.key in without)]
                for pack, records in self._records_of(packs).items()
            }

        followed = follow_moves(starts, records_of, is_there or look)
        for error in followed.failures.values():
            raise error
        lost: dict[bytes, list[int]] = {}
        for pack, ordinal in followed.tried:
            lost.setdefault(pack, []).append(ordinal)
        return lost

    def follow(self, starts: Iterable[Start], is_there: IsThere) -> Followed:
        """
        What became of chunks of packs that are gone, by the records that are known.

        Raises:
            StorageError: the storage fails.
        Cost: as `places`; nothing is asked anew.
        """
        return follow_moves(starts, self._records_of, is_there)

    def trail(self, ref: ChunkRef) -> list[ChunkRef]:
        """
        A chunk at every place that records name for it, the oldest first, whether it is there.

        Raises:
            StorageError: the storage fails.
        Cost: as `places`, for a pack that is there too, unless `survey` was called.
        """
        if not self._may_be_moved(ref.pack):
            return [ref]
        followed = self.follow([(ref.pack, ref.ordinal)], lambda _: False)
        found = [ref]
        for pack in followed.tried[ref.pack, ref.ordinal]:
            for record in self._records_of({pack})[pack]:
                if isinstance(record, MovedRecord):
                    at = [one.ordinal for one in found if one.pack == pack]
                    places = [record.find(ordinal) for ordinal in at]
                    found += [_moved_ref(ref, place) for place in places if place is not None]
        return list(dict.fromkeys(found))

    def survey(self) -> None:
        """
        Learn of every pack that was moved and is gone, at once: for who reads most of a store.

        Cost: a scan of the records, and one of the packs if there are any.
        """
        keys = [info.key for info in self._storage.scan(MOVED_PREFIX)]
        there: set[bytes] = set()
        if keys:
            moved = _names_by_pack(keys)
            for info in self._storage.scan("packs/"):
                try:
                    pack = pack_id_of_key(info.key)
                except DamagedDataError:
                    continue
                if pack in moved:
                    there.add(pack)
        self.adopt(keys, there.__contains__)

    def adopt(self, keys: Iterable[str], is_there: IsThere) -> None:
        """
        As `survey`, for who has listed the store.

        Args:
            keys: of all records.
            is_there: whether a pack exists.
        """
        names = _names_by_pack(keys)
        with self._lock:
            self._names, self._has_all = names, True
            self._records, self._held_count = {}, 0
            self._gone = {pack for pack in names if not is_there(pack)}

    def look_among(self, packs: Iterable[bytes]) -> None:
        """
        Find out which of many packs are gone too, after one was missed.

        Cost: a listing of the records, and a look for each of the packs that has one.
        """
        with self._lock:
            if not self._has_all and not self._has_too_many:
                self._list_all()
            suspects = [
                pack for pack in packs if pack not in self._gone and self._may_be_moved(pack)
            ]
        with ThreadPoolExecutor(_PARALLEL, "artstore-moved") as pool:
            for pack, is_there in zip(suspects, pool.map(self._exists, suspects), strict=True):
                if not is_there:
                    self._gone.add(pack)

    # records -------------------------------------------------------------------------

    def _may_be_moved(self, pack: bytes) -> bool:
        return bool(self._names.get(pack, not self._has_all))

    def _remembered(self, pack: bytes, ordinal: int) -> ChunkPlace | None:
        """The place by the newest record, if that is at hand and its target not gone."""
        records = self._records.get(pack)
        if not records or isinstance(records[0], ArtstoreError):
            return None
        place = records[0].find(ordinal)
        return None if place is None or place.pack in self._gone else place

    def _looked_up(self, starts: Iterable[Start]) -> dict[Start, ChunkPlace]:
        followed = follow_moves(starts, self._records_of, self._seems_there)
        found = followed.found
        if followed.tried:
            # What is known of these may be older than their last repack.
            with self._lock:
                self._forget(pack for tried in followed.tried.values() for pack in tried)
            followed = follow_moves(followed.tried, self._records_of, self._seems_there)
            found |= followed.found
        for start, tried in followed.tried.items():
            # A pack may be put back by a repair: the next one who asks looks again.
            self._gone.difference_update(tried)
            raise followed.failures.get(start) or pack_missing(self._storage, tried)
        return found

    def _seems_there(self, pack: bytes) -> bool:
        return pack not in self._gone

    def _exists(self, pack: bytes) -> bool:
        return is_stored(self._storage, pack_key(pack))

    def _forget(self, packs: Iterable[bytes]) -> None:
        for pack in packs:
            self._names.pop(pack, None)
            self._held_count -= _count(self._records.pop(pack, ()))
        self._has_all = False

    def _records_of(self, packs: set[bytes]) -> dict[bytes, tuple[Found, ...]]:
        """The records of n packs, newest first."""
        with self._lock:
            found = {pack: self._records[pack] for pack in packs if pack in self._records}
            missing = sorted(packs - found.keys())
            self._list_names(missing)
            keys = [moved_key(pack, name) for pack in missing for name in self._names.get(pack, ())]
            read: dict[bytes, list[Found]] = {pack: [] for pack in missing}
            for key, record in read_moved(self._storage, keys):
                read[parse_moved_key(key)[0]].append(record)
            for pack in missing:
                found[pack] = self._records[pack] = tuple(read[pack])
                self._held_count += _count(found[pack])
            while self._held_count > _HELD_COUNT and len(self._records) > 1:
                oldest = next(iter(self._records))
                self._held_count -= _count(self._records.pop(oldest))
            return found

    def _list_names(self, packs: Sequence[bytes]) -> None:
        unknown = [pack for pack in packs if pack not in self._names]
        if not unknown or self._has_all:
            return
        if self._few_count + len(unknown) > _FEW and not self._has_too_many:
            self._list_all()
            if self._has_all:
                return
        unknown = [pack for pack in unknown if pack not in self._names]
        self._few_count += len(unknown)
        with ThreadPoolExecutor(_PARALLEL, "artstore-moved") as pool:
            for pack, names in zip(unknown, pool.map(self._names_of, unknown), strict=True):
                self._names[pack] = names

    def _names_of(self, pack: bytes) -> tuple[str, ...]:
        keys = (info.key for info in self._storage.scan(moved_prefix(pack)))
        return _names_by_pack(keys).get(pack, ())

    def _list_all(self) -> None:
        """List all records, unless they are very many: then what comes first of them."""
        infos = self._storage.scan(MOVED_PREFIX)
        listed = _names_by_pack(info.key for info in islice(infos, _LISTED_COUNT))
        if next(infos, None) is None:
            self._names, self._has_all = listed, True
            self._few_count = 0
            return
        self._has_too_many = True
        # Of the last one, some records may not have been listed.
        listed.popitem()
        self._names |= listed


def _names_by_pack(keys: Iterable[str]) -> dict[bytes, tuple[str, ...]]:
    """The names of records, newest first, by pack; keys that are none of ours are left out."""
    found: dict[bytes, list[str]] = {}
    for key in keys:
        try:
            pack, name = parse_moved_key(key)
        except DamagedDataError:
            continue
        found.setdefault(pack, []).append(name)
    return {pack: tuple(sorted(some, reverse=True)) for pack, some in found.items()}


def _count(records: Iterable[Found]) -> int:
    # One that cannot be used takes a little, too.
    return sum(1 if isinstance(record, ArtstoreError) else len(record) for record in records)


def _moved_ref(ref: ChunkRef, place: ChunkPlace) -> ChunkRef:
    return ref._replace(pack=place.pack, ordinal=place.ordinal, offset_bytes=place.offset_bytes)


def _too_often(start: Start) -> DamagedDataError:
    pack, ordinal = start
    return DamagedDataError(
        f"chunk {ordinal} of {pack_key(pack)} was moved more than {MOVED_HOPS_COUNT} times, "
        "by the records of it, and none of the places is there",
        code="moved-damaged",
        hint="run `art check` to see which versions it hits",
        key=pack_key(pack),
    )

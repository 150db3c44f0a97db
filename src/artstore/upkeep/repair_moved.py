"""
Moved records again: from copies of a store, or made anew from what the packs hold.

A record is not named by its digest: its checksum tells of accidents, and the check that
judges a repair compares what it leads to with the digests that versions state. One that
nobody has is made from these digests: versions say what the chunks of a pack that is gone
were, and footers say which packs have them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from artstore import clock
from artstore.errors import ArtstoreError
from artstore.packs.locator import PUSH_ID_BYTES, ChunkRef, pack_key
from artstore.packs.moved import (
    MOVED_MAX_BYTES,
    ChunkPlace,
    decode_moved,
    encode_moved,
    moved_key,
    moved_name,
    moved_prefix,
    parse_moved_key,
)
from artstore.packs.movedpacks import Found, follow_moves, read_moved
from artstore.storage.bounded import is_stored
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_lists import condemned_now
from artstore.upkeep.repair_packs import PackUse
from artstore.upkeep.repair_sources import SecondStore, StoredChunks, read_value

__all__ = ["RecordBuilder", "find_record", "find_records"]

_PLACES_TRIED_COUNT: Final = 8
"""Packs that are tried for one chunk: the same bytes may lie in very many."""


def find_record(
    key: str, journal: tuple[str, Storage], stores: Sequence[SecondStore]
) -> tuple[bytes, str] | None:
    """
    The bytes of a record and who had them, None if nobody has it whole.

    Raises:
        StorageError: a source fails.
    """
    label, storage = journal
    for source, data in (
        (label, read_value(storage, key, max_bytes=MOVED_MAX_BYTES)),
        *((store.label, store.value(key, max_bytes=MOVED_MAX_BYTES)) for store in stores),
    ):
        if data is not None and _is_sound(key, data):
            return data, source
    return None


def find_records(pack: bytes, stores: Sequence[SecondStore]) -> Iterator[tuple[str, bytes, str]]:
    """
    Every record of a pack that other stores have: key, bytes, and who had it.

    Raises:
        StorageError: a source fails.
    """
    for store in stores:
        for info in store.storage.scan(moved_prefix(pack)):
            data = store.value(info.key, max_bytes=MOVED_MAX_BYTES)
            if data is not None and _is_sound(info.key, data):
                yield info.key, data, store.label


def _is_sound(key: str, data: bytes) -> bool:
    try:
        decode_moved(data, key=key)
    except ArtstoreError:
        return False
    return True


class RecordBuilder:
    """
    Makes records for packs that are gone, from what packs hold that are there.

    Args:
        storage: the store; only what it has counts.
        planned: the same with what a repair has in hand.
    """

    def __init__(self, storage: Storage, planned: Storage, chunks: StoredChunks) -> None:
        self._storage = storage
        self._planned = planned
        self._chunks = chunks
        self._made: dict[bytes, tuple[str, bytes]] = {}

    def make(
        self, pack: bytes, needed: PackUse, restorable: PackUse, key: str | None
    ) -> tuple[str, bytes] | None:
        """
        A record of all that no other record tells of a pack that is gone.

        Every chunk is compared with its digest where it lies now.

        Args:
            needed: of which all must be found.
            restorable: of which as much is taken as is found.
            key: of a record that is damaged, which this one is to replace.
        Returns:
            its key and bytes; None if there is nothing to tell, or not all of it is found.
        Cost: as of `StoredChunks`, and each chunk is read.
        """
        condemned = condemned_now(self._planned)
        if condemned is None:
            return None
        last_key, last = self._made.get(pack, (key, b""))
        named = {**restorable.refs, **needed.refs}
        untold = self._untold(pack, named, without=last_key)
        refs = {ordinal: named[ordinal][0] for ordinal in untold}
        repack_id = b"" if key is None else bytes.fromhex(key.rpartition("-")[2])

        def is_first(place: ChunkRef) -> bool:
            return bool(repack_id) and place.pack.endswith(repack_id)

        places = self._places(pack, refs, condemned)
        moves = self._chosen(places, is_first)
        if not moves or not untold & needed.refs.keys() <= moves.keys():
            return None
        data = encode_moved(pack, sorted(moves.items()))
        if data == last:
            return None
        # A first one may have led to lists that tell of more: this is it again, with that.
        self._made[pack] = last_key or self._new_key(pack, moves.values()), data
        return self._made[pack]

    def _untold(self, pack: bytes, ordinals: Iterable[int], *, without: str | None) -> set[int]:
        def exists(one: bytes) -> bool:
            return is_stored(self._planned, pack_key(one))

        def records_of(packs: set[bytes]) -> dict[bytes, list[Found]]:
            prefixes = map(moved_prefix, sorted(packs))
            keys = [info.key for prefix in prefixes for info in self._planned.scan(prefix)]
            found: dict[bytes, list[Found]] = {one: [] for one in packs}
            for key, record in read_moved(self._planned, [key for key in keys if key != without]):
                found[parse_moved_key(key)[0]].insert(0, record)
            return found

        followed = follow_moves([(pack, ordinal) for ordinal in ordinals], records_of, exists)
        return {ordinal for _, ordinal in followed.tried}

    def _places(
        self, gone: bytes, refs: Mapping[int, ChunkRef], condemned: frozenset[str]
    ) -> dict[int, list[ChunkRef]]:
        """By ordinal where the same stored bytes lie in packs that stay, as footers say."""
        found = self._chunks.places(frozenset(ref.digest for ref in refs.values()))

        def may_be_told(ref: ChunkRef, place: ChunkRef) -> bool:
            # Whoever goes by the record keeps the sizes and the codec of his reference.
            is_same = (ref.stored_bytes, ref.plain_bytes, ref.codec) == (
                place.stored_bytes,
                place.plain_bytes,
                place.codec,
            )
            return is_same and place.pack != gone and pack_key(place.pack) not in condemned

        return {
            ordinal: [place for place in found[ref.digest] if may_be_told(ref, place)]
            for ordinal, ref in refs.items()
        }

    def _chosen(
        self, places: Mapping[int, Sequence[ChunkRef]], is_first: Callable[[ChunkRef], bool]
    ) -> dict[int, ChunkPlace]:
        """Of several places of each chunk one that is sound, in as few packs as may be."""
        counts = Counter(place.pack for some in places.values() for place in some)

        def rank(place: ChunkRef) -> tuple[bool, int, bytes]:
            return not is_first(place), -counts[place.pack], place.pack

        open_ = {ordinal: sorted(some, key=rank) for ordinal, some in places.items()}
        moves: dict[int, ChunkPlace] = {}
        for at in range(_PLACES_TRIED_COUNT):
            tried = {ordinal: some[at] for ordinal, some in open_.items() if at < len(some)}
            good = self._chunks.sound(list(tried.values())) if tried else set()
            for ordinal, place in tried.items():
                if place in good:
                    moves[ordinal] = ChunkPlace(place.pack, place.ordinal, place.offset_bytes)
                    del open_[ordinal]
        return moves

    def _new_key(self, pack: bytes, places: Iterable[ChunkPlace]) -> str:
        """As old as the youngest pack that it leads to, by the clock of the store."""
        targets = sorted({place.pack for place in places})
        made = max(self._storage.stat(pack_key(one)).modified_seconds for one in targets)
        return moved_key(pack, moved_name(int(made), clock.random_bytes(PUSH_ID_BYTES)))

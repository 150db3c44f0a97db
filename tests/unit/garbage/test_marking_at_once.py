"""Segments that are marked at once come to what they come to one by one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artstore import limits
from artstore.digest import digest_of
from artstore.errors import ArtstoreError
from artstore.garbage import marking
from artstore.garbage.listing import Listing, list_content
from artstore.garbage.marking import Marker
from artstore.garbage.movedmap import MovedMap
from artstore.garbage.roots import RootVersion
from artstore.manifests.entry import DIRECTORY, FILE, SYMLINK, TABLE, Entry
from artstore.manifests.places import SegmentColumns, joined_places, segment_places
from artstore.manifests.reader import Manifest, root_key
from artstore.manifests.root import Root, SegmentRef, encode_root
from artstore.manifests.segment import decode_segment, encode_segment
from artstore.manifests.tree import decode_node, encode_node
from artstore.packs.format import FOOTER_RECORD_BYTES
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import ChunkPlace
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from tests.property.formats import REFUSALS, damaged, entry_lists
from tests.unit.garbage.collected import keys
from tests.unit.packs.making import Push
from tests.unit.packs.moving import pack_id, record

# places ---------------------------------------------------------------------------------

Place = tuple[bytes, int, int]


def listed(found: Any) -> list[Place]:
    packs = found.packs
    columns = (found.pack_indexes, found.ordinals, found.stored_bytes)
    return [
        (packs[pack], ordinal, stored_bytes)
        for pack, ordinal, stored_bytes in zip(*(one.tolist() for one in columns), strict=True)
    ]


def one_after_the_other(segments: Iterable[bytes]) -> list[Place] | None:
    found: list[Place] = []
    for data in segments:
        try:
            found += listed(segment_places(data, where="here"))
        except REFUSALS:
            return None
    return found


@given(st.data())
def test_places_of_many_segments_are_those_of_each(data: st.DataObject) -> None:
    segments = [encode_segment(entries) for entries in data.draw(st.lists(entry_lists()))]
    segments += [
        data.draw(damaged(segment)) for segment in segments if data.draw(st.integers(0, 4)) == 0
    ]
    columns = [SegmentColumns.of(one) for one in segments]
    flat = [one for one in columns if one is not None and one.is_flat]
    expected = one_after_the_other(one.data for one in flat)
    found = joined_places(flat)
    assert (None if found is None else listed(found)) == expected


# marks ----------------------------------------------------------------------------------

THERE, MOVED, NOWHERE = (
    [pack_id(number) for number in numbers] for numbers in (range(3), range(3, 6), range(6, 8))
)


class Shelf:
    """
    A store of versions that share segments, made by chance.

    Of the packs that segments name some are there, some were moved.

    Args:
        trouble: how often something is wrong: chunks are nowhere, bytes are damaged, this
            release does not know a kind.
    """

    def __init__(self, seed: int, *, trouble: float) -> None:
        self.storage = MemoryStorage("x")
        self._chance = random.Random(seed)
        self._trouble = trouble
        for pack in THERE:
            self.storage.create(pack_key(pack), b"x")
        for number, pack in enumerate(MOVED * 2):
            if number < len(MOVED) or self._chance.random() < 0.5:
                record(self.storage, pack, self._moves(pack), number)
        if self._has_trouble():
            key = self._chance.choice(keys(self.storage, "moved/"))
            self.storage.delete([key])
            self.storage.create(key, b"damaged")
        self._push = Push(self.storage)
        self._lists = self._stored(encode_node(self._refs(THERE)) for _ in range(3))
        segments = self._stored(self._segment() for _ in range(20))
        self.versions = [self._version(number, segments) for number in range(6)]

    def _has_trouble(self) -> bool:
        return self._chance.random() < self._trouble

    def _moves(self, pack: bytes) -> list[tuple[int, ChunkPlace]]:
        places = [ChunkPlace(self._chance.choice(THERE), self._chance.randrange(20), 8)] * 20
        for ordinal in range(20):
            others = THERE if self._chance.random() < 0.9 else [*THERE, *MOVED]
            target = self._chance.choice([one for one in others if one != pack])
            places[ordinal] = ChunkPlace(target, self._chance.randrange(20), 8)
        return [(at, place) for at, place in enumerate(places) if not self._has_trouble()]

    def _stored(self, values: Iterable[bytes]) -> list[ChunkRef]:
        stream = self._push.stream()
        refs = [stream.add(digest_of(data), 0, data, len(data)) for data in values]
        stream.close_pack()
        return [ref._replace(pack=self._push.resolved[ref.pack]) for ref in refs]

    def _refs(self, packs: Sequence[bytes]) -> list[ChunkRef]:
        refs = []
        for _ in range(self._chance.randrange(6)):
            pack = self._chance.choice(NOWHERE if self._has_trouble() else packs)
            ordinal = limits.PACK_CHUNK_COUNT if self._has_trouble() else self._chance.randrange(20)
            size = self._chance.randrange(1, 9)
            refs.append(ChunkRef(digest_of(b""), pack, ordinal, 8, size, size, 0, size))
        return refs

    def _segment(self) -> bytes:
        packs = THERE if self._chance.random() < 0.3 else [*THERE, *MOVED]
        is_flat = self._chance.random() < 0.9
        entries = []
        for number in range(self._chance.randrange(1, 6)):
            path, digest = f"{number}", digest_of(b"x")
            kind = self._chance.choice([FILE, FILE, DIRECTORY, SYMLINK])
            chunks = self._refs(packs) if kind == FILE else []
            level = 0
            if self._has_trouble():
                kind = TABLE
            elif not is_flat:
                kind, chunks, level = FILE, self._lists, 1
            must = self._chance.random() < 0.5
            entries.append(
                Entry(path, kind, 1, digest, False, tuple(chunks), level, must_understand=must)
            )
        data = bytearray(encode_segment(entries))
        if self._has_trouble():
            data[16] = 77
        if self._has_trouble():
            data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        return bytes(data)

    def _version(self, number: int, segments: list[ChunkRef]) -> RootVersion:
        chosen = self._chance.choices(segments, k=self._chance.randrange(1, 10))
        parts = tuple(SegmentRef(ref, f"{at:03}", 1) for at, ref in enumerate(chosen))
        root = encode_root(Root({"number": number}, 0, parts))
        key = root_key(digest_of(root), bytes(8))
        self.storage.create(key, root)
        return RootVersion("p", "c", number, (key,), is_deleted=self._chance.random() < 0.3)


class Marking:
    """A marker, what it was told and what it came to."""

    def __init__(self, storage: Storage, listing: Listing, **options: Any) -> None:
        self.marker = Marker(storage, PackReader(storage), listing, **options)
        self.told: list[tuple[str, int]] = []
        self.error: tuple[Any, ...] = ()
        self._listing = listing

    def mark(self, versions: Iterable[RootVersion]) -> Marking:
        try:
            self.marker.mark(versions, lambda version, n: self.told.append((version.label, n)))
        except ArtstoreError as error:
            self.error = (type(error), error.code, error.message, error.context)
        return self

    def result(self) -> tuple[object, ...]:
        if self.error:
            # Who deletes looks at no marks then.
            return self.error, self.told
        marks = self.marker.marks
        packs = range(len(self._listing.packs))
        return (
            self.told,
            [marks.chunks.ordinals(pack) for pack in packs],
            marks.chunks.marked_bytes.tolist(),
            marks.gone_packs,
            marks.manifests,
            self.marker.elsewhere,
        )


def listed_with_moves(storage: Storage) -> tuple[Listing, MovedMap]:
    listing = list_content(storage)
    return listing, MovedMap(
        storage, keys(storage, "moved/"), lambda pack: listing.packs.find(pack) is not None
    )


def result(
    storage: Storage, versions: Sequence[RootVersion], mode: str, *, at_once: bool
) -> tuple[object, ...]:
    listing, moved = listed_with_moves(storage)
    with pytest.MonkeyPatch.context() as patch:
        if not at_once:
            patch.setattr(marking, "joined_places", lambda _: None)
        if mode == "spared":
            watched = frozenset(moved.packs())
            return Marking(storage, listing, moved=None, watched=watched).mark(versions).result()
        if mode == "live":
            return Marking(storage, listing, moved=moved).mark(versions).result()
        first = Marking(storage, listing, moved=moved, is_lenient=True).mark(versions[:1])
        counted = first.marker.marks
        return (
            Marking(storage, listing, moved=moved, is_lenient=True, counted=counted)
            .mark(versions)
            .result()
        )


@pytest.mark.parametrize("mode", ["live", "dropped", "spared"])
@given(seed=st.integers(0, 2**32), trouble=st.sampled_from([0.0, 0.02]))
def test_what_is_marked_at_once_is_what_is_marked_one_by_one(
    mode: str, seed: int, trouble: float
) -> None:
    shelf = Shelf(seed, trouble=trouble)
    expected = result(shelf.storage, shelf.versions, mode, at_once=False)
    assert result(shelf.storage, shelf.versions, mode, at_once=True) == expected


@given(seed=st.integers(0, 2**32))
def test_what_is_marked_is_what_entries_name_or_where_records_say_it_is(seed: int) -> None:
    shelf = Shelf(seed, trouble=0.0)
    storage, listing, moved = shelf.storage, *listed_with_moves(shelf.storage)
    found = Marking(storage, listing, moved=moved).mark(shelf.versions)
    # Records may lead in a circle.
    assume(not found.error)
    packs = PackReader(storage)
    named: set[tuple[bytes, int]] = set()
    for version in shelf.versions:
        manifest = Manifest.open(storage, packs, version.roots[0])
        refs = manifest.segment_refs()
        for data in map(bytes, packs.chunks(refs)):
            for entry in decode_segment(data, where="here"):
                refs += entry.chunks
                if entry.level:
                    nodes = map(bytes, packs.chunks(entry.chunks))
                    refs += [ref for node in nodes for ref in decode_node(node, where="here")]
        named |= {(ref.pack, ref.ordinal) for ref in refs}
    gone = {one for one in named if listing.packs.find(one[0]) is None}
    there = {
        (place.pack, place.ordinal)
        for places in moved.everywhere(gone).values()
        for place in places
    }
    marks = found.marker.marks
    assert marks.gone_packs == {pack for pack, _ in gone}
    assert there | (named - gone) == {
        (listing.packs.id_of(pack), ordinal)
        for pack in range(len(listing.packs))
        for ordinal in marks.chunks.ordinals(pack)
    }


def test_chunks_that_versions_share_are_followed_once() -> None:
    """A plan of a store that was repacked took 46 times as long."""
    asked = []
    for count in (1, 12):
        storage = MemoryStorage("x")
        storage.create(pack_key(THERE[0]), b"x")
        record(storage, MOVED[0], [(at, ChunkPlace(THERE[0], at, 8)) for at in range(20)])
        versions = [version_with(storage, number) for number in range(count)]
        listing, moved = listed_with_moves(storage)
        looked: list[bytes] = []
        look = moved.is_there
        moved.is_there = lambda pack, to=looked, look=look: to.append(pack) or look(pack)
        assert not Marking(storage, listing, moved=moved).mark(versions).error
        asked.append(len(looked))
    assert asked[0] == asked[1] >= 20


def naming(chunks: Sequence[ChunkRef], path: str) -> bytes:
    return encode_segment([Entry(path, FILE, 1, digest_of(b"x"), chunks=tuple(chunks))])


def chunks_of(pack: bytes) -> list[ChunkRef]:
    return [ChunkRef(digest_of(b""), pack, at, 8, 5, 5, 0, 5) for at in range(20)]


def version_with(storage: Storage, number: int, segment: bytes | None = None) -> RootVersion:
    """A version of one segment of its own, which names 20 chunks that were moved."""
    (ref,) = Push(storage, number.to_bytes(8, "big")).closed(
        segment or naming(chunks_of(MOVED[0]), f"{number}")
    )
    root = encode_root(Root({}, 0, (SegmentRef(ref, "a", 1),)))
    key = root_key(digest_of(root), number.to_bytes(8, "big"))
    storage.create(key, root)
    return RootVersion("p", "c", number, (key,))


def with_byte(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


SOUND = naming(chunks_of(MOVED[0]), "x")
COUNTS_AT = 16 + 10
PACKS_AT = COUNTS_AT + 36 + 1 + 8
ODD = {
    "a kind that is not known": (with_byte(SOUND, 16, 77), "entry-kind-unknown"),
    "more references than it has": (with_byte(SOUND, COUNTS_AT, 21), "manifest-damaged"),
    "fewer references than it has": (with_byte(SOUND, COUNTS_AT, 19), "manifest-damaged"),
    "a pack that it does not list": (with_byte(SOUND, PACKS_AT + 40, 1), "manifest-damaged"),
    "a chunk that no pack has": (
        naming([chunks_of(THERE[0])[0]._replace(ordinal=limits.PACK_CHUNK_COUNT)], "x"),
        "manifest-damaged",
    ),
    "a chunk that is nowhere": (naming(chunks_of(NOWHERE[0]), "x"), "pack-missing"),
    "a chunk that no record has": (
        naming([chunks_of(MOVED[0])[0]._replace(ordinal=20)], "x"),
        "pack-missing",
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_of_many_the_one_is_named_that_cannot_be_marked(odd: str) -> None:
    segment, code = ODD[odd]
    storage = MemoryStorage("x")
    storage.create(pack_key(THERE[0]), b"x")
    record(storage, MOVED[0], [(at, ChunkPlace(THERE[0], at, 8)) for at in range(20)])
    versions = [version_with(storage, n, segment if n == 3 else None) for n in range(6)]
    listing, moved = listed_with_moves(storage)
    _, found, _, context = Marking(storage, listing, moved=moved).mark(versions).error
    assert (found, context["version"]) == (code, "p/c:v3")
    passed = Marking(storage, listing, moved=moved, is_lenient=True).mark(versions)
    assert not passed.error
    assert passed.marker.marks.chunks.ordinals(listing.packs.find(THERE[0])) == [*range(20)]


def test_what_was_moved_and_is_live_counts_for_no_deleted_version() -> None:
    storage = MemoryStorage("x")
    storage.create(pack_key(THERE[0]), b"x")
    record(storage, MOVED[0], [(at, ChunkPlace(THERE[0], at, 8)) for at in range(20)])
    live, deleted = (version_with(storage, number) for number in range(2))
    listing, moved = listed_with_moves(storage)
    needed = Marking(storage, listing, moved=moved).mark([live]).marker.marks
    found = Marking(storage, listing, moved=moved, is_lenient=True, counted=needed).mark([deleted])
    packs = PackReader(storage)
    (ref,) = Manifest.open(storage, packs, deleted.roots[0]).segment_refs()
    own_bytes = storage.stat(deleted.roots[0]).size_bytes + ref.stored_bytes + FOOTER_RECORD_BYTES
    assert found.told == [(deleted.label, own_bytes)]

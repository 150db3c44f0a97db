"""All that versions reference is marked; what of it cannot be read stops gc."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import limits
from artstore.errors import ArtstoreError
from artstore.garbage.listing import Listing, list_content
from artstore.garbage.marking import Marker, Marks
from artstore.garbage.movedmap import MovedMap
from artstore.garbage.roots import find_roots
from artstore.manifests.places import places_of_refs, segment_places
from artstore.manifests.reader import Manifest, root_key
from artstore.manifests.root import Root, encode_root
from artstore.manifests.segment import decode_segment, encode_segment
from artstore.packs.locator import pack_key
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.upkeep.survey import version_fragments, version_refs
from tests.property.formats import REF_LISTS, REFUSALS, damaged, entry_lists
from tests.unit.catalog.logs import catalog_of
from tests.unit.garbage.collected import (
    LARGE_BYTES,
    collect_all,
    every_kind,
    flipped,
    in_memory,
    keys,
    opened,
    planned,
    refusal,
    replaced,
)

# places ---------------------------------------------------------------------------------


def places(found: object) -> list[tuple[bytes, int, int]]:
    return [
        (found.packs[at], ordinal, stored)  # type: ignore[attr-defined]
        for at, ordinal, stored in zip(
            found.pack_indexes.tolist(),  # type: ignore[attr-defined]
            found.ordinals.tolist(),  # type: ignore[attr-defined]
            found.stored_bytes.tolist(),  # type: ignore[attr-defined]
            strict=True,
        )
    ]


@given(entry_lists())
def test_places_of_a_segment_are_those_of_its_entries(entries: list) -> None:
    data = encode_segment(entries)
    expected = [
        (ref.pack, ref.ordinal, ref.stored_bytes)
        for entry in decode_segment(data, where="here")
        for ref in entry.chunks
    ]
    found = segment_places(data, where="here")
    assert places(found) == expected
    assert len(set(found.packs)) == len(found.packs)
    if any(entry.level or entry.kind == "table" for entry in entries):
        assert not found.is_flat


@given(st.data())
def test_what_of_a_segment_is_refused_by_entries_is_never_taken_for_less(data: object) -> None:
    segment = encode_segment(data.draw(entry_lists()))  # type: ignore[attr-defined]
    changed = data.draw(damaged(segment))  # type: ignore[attr-defined]
    try:
        expected = [
            (ref.pack, ref.ordinal, ref.stored_bytes)
            for entry in decode_segment(changed, where="here")
            for ref in entry.chunks
        ]
    except REFUSALS:
        expected = None
    try:
        found = segment_places(changed, where="here")
    except REFUSALS:
        assert expected is None
        return
    if expected is not None:
        assert places(found) == expected


@given(REF_LISTS)
def test_places_of_references(refs: list) -> None:
    found = places(places_of_refs(refs))
    assert found == [(ref.pack, ref.ordinal, ref.stored_bytes) for ref in refs]


# marks ----------------------------------------------------------------------------------


def marked(storage: Storage, *, which: str = "live") -> tuple[Listing, Marks]:
    roots = find_roots(
        storage,
        catalog_of(storage),
        now_seconds=4e9,
        restore_window_seconds=0,
        upkeep_head_n=100,
    )
    listing = list_content(storage)
    moved = MovedMap(
        storage, keys(storage, "moved/"), lambda pack: listing.packs.find(pack) is not None
    )
    marker = Marker(storage, PackReader(storage), listing, moved=moved)
    marker.mark(getattr(roots, which))
    return listing, marker.marks


def needed(storage: Storage) -> tuple[set[tuple[bytes, int]], set[str], set[str]]:
    """By the slow way that checks take: chunks, fragments, roots."""
    catalog = catalog_of(storage)
    packs = PackReader(storage)
    chunks: set[tuple[bytes, int]] = set()
    fragments, roots = set(), set()
    for name in catalog.collections("p"):
        for version in catalog.state("p", name).live:
            manifest = Manifest.open(storage, packs, version.root)
            roots |= {key for key in (version.root, version.meta) if key is not None}
            chunks |= {(ref.pack, ref.ordinal) for _, ref in version_refs(manifest, packs)}
            fragments |= {one.key for _, one in version_fragments(manifest, packs)}
    return chunks, fragments, roots


@pytest.mark.parametrize("values", [every_kind, planned])
def test_what_is_marked_is_what_a_check_finds_needed(
    values: Callable[[], dict[str, bytes]],
) -> None:
    storage = in_memory(values())
    listing, marks = marked(storage)
    chunks, fragments, roots = needed(storage)
    found = {
        (listing.packs.id_of(n), ordinal)
        for n in range(len(listing.packs))
        for ordinal in marks.chunks.ordinals(n)
    }
    assert found == chunks
    assert {
        listing.fragments.key_of(n) for n, is_marked in enumerate(marks.fragments) if is_marked
    } == fragments
    assert {
        listing.manifests.key_of(n) for n, is_marked in enumerate(marks.manifests) if is_marked
    } == roots
    # There is something of each kind, and something that is not needed.
    assert fragments
    assert any(len(marks.chunks.ordinals(n)) > 100 for n in range(len(listing.packs)))
    assert any(not marks.chunks.ordinals(n) for n in range(len(listing.packs)))


# what cannot be read ---------------------------------------------------------------------


@pytest.fixture
def unplanned() -> MemoryStorage:
    return in_memory(every_kind())


def root_of(storage: Storage, name: str) -> str:
    return opened(storage).artifact(name)._logged().version.root


def packs_of(storage: Storage, name: str) -> dict[str, list[str]]:
    """Packs of segments, of chunk lists, of content."""
    manifest = opened(storage).artifact(name)._logged().manifest()
    entries = list(manifest.entries())
    return {
        "segments": [pack_key(ref.pack) for ref in manifest.segment_refs()],
        "lists": [pack_key(ref.pack) for ref in manifest.list_refs()],
        "top": [pack_key(ref.pack) for entry in entries for ref in entry.chunks],
        "all": [pack_key(ref.pack) for _, ref in version_refs(manifest, PackReader(storage))],
    }


def truncated(storage: Storage, key: str) -> None:
    replaced(storage, key, storage.read(key)[: len(storage.read(key)) // 2])


DAMAGES = [flipped, truncated, lambda storage, key: storage.delete([key])]
damages = pytest.mark.parametrize("damage", DAMAGES, ids=["flipped", "truncated", "missing"])


@damages
def test_a_root_that_cannot_be_read_stops_gc(unplanned: MemoryStorage, damage: Callable) -> None:
    damage(unplanned, root_of(unplanned, "gone:v1"))
    error = refusal(unplanned)
    assert error.context["cause"] in {"manifest-damaged", "manifest-missing"}
    assert "p/gone:v1" in error.message


@damages
def test_a_description_that_cannot_be_read_stops_gc(
    unplanned: MemoryStorage, damage: Callable
) -> None:
    meta = opened(unplanned).artifact("ds:v1")._logged().version.meta
    assert meta is not None
    damage(unplanned, meta)
    assert "p/ds:v1" in refusal(unplanned).message


@damages
def test_a_pack_of_segments_that_cannot_be_read_stops_gc(
    unplanned: MemoryStorage, damage: Callable
) -> None:
    segments = packs_of(unplanned, "many:v1")["segments"]
    assert segments
    damage(unplanned, segments[0])
    refusal(unplanned)


@damages
def test_a_list_of_segments_that_cannot_be_read_stops_gc(
    unplanned: MemoryStorage, damage: Callable
) -> None:
    packs = packs_of(unplanned, "many:v1")
    assert packs["lists"]
    assert len(packs["segments"]) > 12
    damage(unplanned, packs["lists"][0])
    refusal(unplanned)


@damages
def test_a_pack_of_chunk_lists_that_cannot_be_read_stops_gc(
    unplanned: MemoryStorage, damage: Callable
) -> None:
    packs = packs_of(unplanned, "large")
    assert set(packs["all"]) - set(packs["top"]), "the lists lie beside the chunks"
    damage(unplanned, packs["top"][0])
    assert "p/large:v0" in refusal(unplanned).message


@damages
def test_the_description_of_a_table_that_cannot_be_read_stops_gc(
    unplanned: MemoryStorage, damage: Callable
) -> None:
    damage(unplanned, packs_of(unplanned, "table:v0")["top"][0])
    assert "p/table:v0" in refusal(unplanned).message


def test_a_fragment_that_is_missing_stops_gc(unplanned: MemoryStorage) -> None:
    unplanned.delete(keys(unplanned, "fragments/")[:1])
    error = refusal(unplanned)
    assert error.context["cause"] == "fragment-missing"
    assert "p/table" in error.message


def test_a_pack_of_content_that_is_missing_stops_gc(unplanned: MemoryStorage) -> None:
    packs = packs_of(unplanned, "large")
    unplanned.delete([next(key for key in packs["all"] if key not in packs["top"])])
    error = refusal(unplanned)
    assert error.context["cause"] == "pack-missing"
    assert "p/large:v0" in error.message


def test_what_only_deleted_versions_need_may_be_damaged(unplanned: MemoryStorage) -> None:
    storage = unplanned
    (gone,) = [v for v in opened(storage).versions("gone") if not v.is_live]
    flipped(storage, gone.root)
    collect_all(opened(storage))
    assert gone.root not in keys(storage, "manifests/")
    assert not opened(storage).check(read_data=1.0).problems


def test_what_can_be_restored_may_not_be_damaged(unplanned: MemoryStorage) -> None:
    (gone,) = [v for v in opened(unplanned).versions("gone") if not v.is_live]
    flipped(unplanned, gone.root)
    roots = find_roots(
        unplanned,
        catalog_of(unplanned),
        now_seconds=0.0,
        restore_window_seconds=1,
        upkeep_head_n=0,
    )
    listing = list_content(unplanned)
    marker = Marker(
        unplanned,
        PackReader(unplanned),
        listing,
        moved=MovedMap(unplanned, [], lambda pack: listing.packs.find(pack) is not None),
    )
    with pytest.raises(ArtstoreError):
        marker.mark(roots.restorable)


def published_with(storage: Storage, data: bytes) -> None:
    """A version whose list of files is `data`, of a collection of its own."""
    from artstore.digest import digest_of
    from tests.unit.catalog.logs import LogWriter

    root = root_key(digest_of(data), bytes(8))
    storage.create(root, data)
    made = LogWriter(storage, prefix="collections/p/c/")
    made.create()
    made.publish(0, root=root)


@pytest.mark.parametrize("must_understand", [True, False])
def test_an_entry_of_a_kind_that_is_not_known_stops_gc(
    unplanned: MemoryStorage, *, must_understand: bool
) -> None:
    entry = dataclasses.replace(
        next(iter(opened(unplanned).artifact("gone:v1").entries())),
        must_understand=must_understand,
    )
    segment = bytearray(encode_segment([entry]))
    assert segment[16] == 1
    segment[16] = 77
    published_with(unplanned, root_with_segment(bytes(segment)))
    assert "p/c:v0" in refusal(unplanned).message


def root_with_segment(segment: bytes) -> bytes:
    return encode_root(Root({}, inline=(segment,)))


def test_a_root_of_a_newer_format_stops_gc(unplanned: MemoryStorage) -> None:
    data = bytearray(unplanned.read(root_of(unplanned, "gone:v1")))
    data[3:4] = b"9"
    published_with(unplanned, bytes(data))
    assert "p/c:v0" in refusal(unplanned).message


def test_a_moved_record_that_something_live_needs_must_be_sound(
    unplanned: MemoryStorage,
) -> None:
    storage = unplanned
    store = opened(storage)
    from tests.unit.garbage.collected import log

    base = {f"f{n}": bytes([n]) * 100 + LARGE_BYTES.to_bytes(4, "big") for n in range(6)}
    log(store, "moves", base | {"big": bytes(range(256)) * 300})
    log(store, "moves", {"f1": base["f1"]})
    store.delete("moves:v0")
    collect_all(store)
    records = keys(storage, "moved/")
    assert records
    for key in records:
        flipped(storage, key)
    assert refusal(storage).context["cause"] in {"moved-damaged", "pack-missing"}
    for key in records:
        storage.delete([key])
    assert refusal(storage).context["cause"] == "pack-missing"


def test_a_sweep_reads_what_was_made_since_the_plan() -> None:
    storage = in_memory(planned())
    flipped(storage, root_of(storage, "ds:v3"))
    assert "p/ds:v3" in refusal(storage).message


def test_limits_of_a_pack_hold_for_what_names_it(unplanned: MemoryStorage) -> None:
    """A list that names chunk 4,000,000,000 takes no memory for four billion marks."""
    entry = next(iter(opened(unplanned).artifact("gone:v1").entries()))
    (ref,) = entry.chunks
    huge = entry.with_chunks((ref._replace(ordinal=2**32 - 1),))
    published_with(unplanned, root_with_segment(encode_segment([huge])))
    assert "p/c:v0" in refusal(unplanned).message
    assert limits.PACK_CHUNK_COUNT < 2**32 - 1

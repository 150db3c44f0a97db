"""Where chunks of packs that are gone are found, and what that costs."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError, NotFoundError
from artstore.packs import movedpacks
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import ChunkPlace, MovedRecord, decode_moved, encode_moved, moved_key
from artstore.packs.movedpacks import MOVED_HOPS_COUNT, MovedPacks, follow_moves
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from tests.unit.packs.making import Push, make_ref, noise
from tests.unit.packs.moving import delete, move, name_of, pack_id, record

PLAINS = [noise(1000, str(i)) for i in range(8)]


@pytest.fixture
def storage() -> MeteredStorage:
    return MeteredStorage(MemoryStorage())


def stored(storage: MeteredStorage, push: int = 1, target_bytes: int = 1 << 24) -> list[ChunkRef]:
    return Push(storage, push.to_bytes(8, "big"), target_bytes=target_bytes).closed(*PLAINS)


def read(packs: PackReader, refs: Iterable[ChunkRef]) -> list[bytes]:
    return [bytes(plain) for plain in packs.chunks(refs)]


# reading -----------------------------------------------------------------------------


def test_chunks_of_a_repacked_pack_are_read_from_where_they_lie_now(
    storage: MeteredStorage,
) -> None:
    refs = stored(storage)
    move(storage, refs[2:6])
    delete(storage, refs[0].pack)
    assert read(PackReader(storage), refs[2:6][::-1]) == PLAINS[2:6][::-1]


def test_a_pack_that_is_there_is_never_looked_for_among_records(storage: MeteredStorage) -> None:
    refs = stored(storage)
    _, key = move(storage, refs)
    storage.delete([key])
    storage.create(key, b"nonsense")
    storage.reset()
    assert read(PackReader(storage), refs) == PLAINS
    assert storage.requests() == {Request("GET", "packs"): 1}


def test_what_is_known_to_be_gone_costs_no_second_look(storage: MeteredStorage) -> None:
    refs = stored(storage)
    move(storage, refs)
    delete(storage, refs[0].pack)
    packs = PackReader(storage)
    storage.reset()
    assert read(packs, refs) == PLAINS
    assert storage.requests() == {
        Request("GET", "packs"): 2,
        Request("LIST", "moved"): 1,
        Request("GET", "moved"): 1,
    }
    storage.reset()
    assert read(packs, refs) == PLAINS
    assert storage.requests() == {Request("GET", "packs"): 1}


def test_packs_that_are_there_beside_gone_ones_are_read_once(storage: MeteredStorage) -> None:
    gone, there = stored(storage, 1), stored(storage, 2)
    move(storage, gone)
    delete(storage, gone[0].pack)
    storage.reset()
    mixed = [ref for pair in zip(gone, there, strict=True) for ref in pair]
    assert read(PackReader(storage), mixed) == [plain for plain in PLAINS for _ in range(2)]
    assert storage.requests()[Request("GET", "packs")] <= 4


def test_many_packs_that_are_gone_cost_one_listing_and_not_three_requests_each(
    storage: MeteredStorage,
) -> None:
    per_push = [stored(storage, push) for push in range(1, 31)]
    for number, refs in enumerate(per_push):
        move(storage, refs, number)
    for refs in per_push[:20]:
        delete(storage, refs[0].pack)
    storage.reset()
    packs = PackReader(storage)
    asked = [ref for refs in per_push for ref in refs[:2]]
    assert read(packs, asked) == PLAINS[:2] * 30
    requests = storage.requests()
    assert requests[Request("LIST", "moved")] == 1
    assert requests[Request("GET", "moved")] == 20
    # Each pack was looked for once, and each one read once; one round was for nothing.
    assert requests[Request("HEAD", "packs")] == 29
    assert requests[Request("GET", "packs")] <= 30 + 30 + 1


def test_a_pack_that_is_nowhere_is_missing(storage: MeteredStorage) -> None:
    with pytest.raises(DamagedDataError) as caught:
        PackReader(storage).chunk(make_ref())
    assert caught.value.code == "pack-missing"


def test_a_chunk_that_no_record_has_is_missing_with_its_pack(storage: MeteredStorage) -> None:
    refs = stored(storage)
    move(storage, refs[:3])
    delete(storage, refs[0].pack)
    packs = PackReader(storage)
    assert read(packs, refs[:3]) == PLAINS[:3]
    with pytest.raises(DamagedDataError, match=pack_key(refs[0].pack)) as caught:
        packs.chunk(refs[4])
    assert caught.value.code == "pack-missing"


def test_where_the_target_is_gone_too_the_error_names_both(storage: MeteredStorage) -> None:
    refs = stored(storage)
    target, _ = move(storage, refs)
    delete(storage, refs[0].pack, target)
    with pytest.raises(DamagedDataError, match=pack_key(target)) as caught:
        PackReader(storage).chunk(refs[0])
    assert caught.value.context["key"] == pack_key(refs[0].pack)


def test_a_target_that_goes_later_is_looked_for_anew(storage: MeteredStorage) -> None:
    refs = stored(storage)
    first, _ = move(storage, refs, 1)
    delete(storage, refs[0].pack)
    packs = PackReader(storage)
    assert read(packs, refs) == PLAINS
    # Repacked again: the newer record leads straight to the new place.
    move(storage, refs, 2)
    delete(storage, first)
    assert read(packs, refs) == PLAINS


def test_of_two_records_with_targets_that_are_there_the_newest_counts(
    storage: MeteredStorage,
) -> None:
    refs = stored(storage)
    for number in (2, 3, 1):
        move(storage, refs, number)
    newest = decode_moved(
        storage.read(moved_key(refs[0].pack, name_of(3))), key=moved_key(refs[0].pack, name_of(3))
    )
    delete(storage, refs[0].pack)
    moved = MovedPacks(storage)
    moved.note_gone([refs[0].pack])
    assert {place.pack for place in moved.places(refs)} == set(newest.targets)
    moved.survey()
    assert {place.pack for place in moved.places(refs)} == set(newest.targets)


def test_a_chain_is_followed_by_a_reader_that_knew_its_beginning(storage: MeteredStorage) -> None:
    refs = stored(storage)
    first, _ = move(storage, refs, 1)
    delete(storage, refs[0].pack)
    packs = PackReader(storage)
    assert read(packs, refs) == PLAINS
    there = MovedPacks(storage)
    there.note_gone([refs[0].pack])
    move(storage, there.places(refs), 2)
    delete(storage, first)
    assert read(packs, refs) == PLAINS
    assert read(PackReader(storage), refs) == PLAINS


@pytest.mark.parametrize("hops", [MOVED_HOPS_COUNT, MOVED_HOPS_COUNT + 1])
def test_a_chain_ends_somewhere(storage: MeteredStorage, hops: int) -> None:
    refs = stored(storage)
    here = refs
    for number in range(hops):
        moved = MovedPacks(storage)
        move(storage, here, number)
        delete(storage, here[0].pack)
        moved.note_gone([here[0].pack])
        here = moved.places(here)
    if hops <= MOVED_HOPS_COUNT:
        assert read(PackReader(storage), refs) == PLAINS
    else:
        with pytest.raises(DamagedDataError, match="more than 8 times"):
            read(PackReader(storage), refs)


def test_records_that_lead_in_a_circle_end(storage: MeteredStorage) -> None:
    one, other = pack_id(1), pack_id(2)
    record(storage, one, [(0, ChunkPlace(other, 0, 8))])
    record(storage, other, [(0, ChunkPlace(one, 0, 8))])
    with pytest.raises(DamagedDataError) as caught:
        PackReader(storage).chunk(make_ref(pack=one))
    assert caught.value.code == "pack-missing"


def test_a_damaged_record_is_passed_over_if_another_has_the_chunk(storage: MeteredStorage) -> None:
    refs = stored(storage)
    move(storage, refs[:4], 1)
    damaged = moved_key(refs[0].pack, name_of(2))
    storage.create(damaged, b"ARTMOVE1 nonsense")
    delete(storage, refs[0].pack)
    packs = PackReader(storage)
    assert read(packs, refs[:4]) == PLAINS[:4]
    with pytest.raises(DamagedDataError, match=damaged) as caught:
        packs.chunk(refs[5])
    assert caught.value.code == "moved-damaged"


def test_a_pack_that_a_repair_has_put_back_is_read_again(storage: MeteredStorage) -> None:
    refs = stored(storage)
    key = pack_key(refs[0].pack)
    value = storage.read(key)
    storage.delete([key])
    packs = PackReader(storage)
    with pytest.raises(DamagedDataError):
        read(packs, refs)
    storage.create(key, value)
    assert read(packs, refs) == PLAINS


def test_threads_that_miss_a_pack_at_once_ask_once(storage: MeteredStorage) -> None:
    refs = stored(storage)
    move(storage, refs)
    delete(storage, refs[0].pack)
    packs = PackReader(storage)
    storage.reset()
    found: list[list[bytes]] = []
    gate = threading.Barrier(8)

    def work() -> None:
        gate.wait()
        found.append(read(packs, refs))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [PLAINS] * 8
    assert storage.requests()[Request("GET", "moved")] == 1
    assert storage.requests()[Request("LIST", "moved")] == 1


def test_of_very_many_records_only_those_asked_for_are_listed(
    storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movedpacks, "_LISTED_COUNT", 10)
    per_push = [stored(storage, push) for push in range(1, 31)]
    for number, refs in enumerate(per_push):
        move(storage, refs, number)
        delete(storage, refs[0].pack)
    packs = PackReader(storage)
    storage.reset()
    for refs in per_push:
        assert read(packs, refs) == PLAINS
    assert storage.requests()[Request("LIST", "moved")] <= 31
    assert storage.requests()[Request("GET", "moved")] == 30
    fresh = PackReader(storage)
    asked = [ref for refs in per_push for ref in refs[:1]]
    assert read(fresh, asked) == PLAINS[:1] * 30


def test_records_kept_are_bounded(storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movedpacks, "_HELD_COUNT", 20)
    per_push = [stored(storage, push) for push in range(1, 11)]
    for number, refs in enumerate(per_push):
        move(storage, refs, number)
        delete(storage, refs[0].pack)
    packs = PackReader(storage)
    for _ in range(2):
        for refs in per_push:
            assert read(packs, refs) == PLAINS
    assert packs.moved._held_count <= 20


def test_keys_that_are_none_of_ours_among_the_records_are_passed_over(
    storage: MeteredStorage,
) -> None:
    refs = stored(storage)
    _, key = move(storage, refs)
    storage.create(f"{key}.bak", b"")
    storage.create("moved/readme", b"")
    delete(storage, refs[0].pack)
    assert read(PackReader(storage), refs) == PLAINS


# surveys -----------------------------------------------------------------------------


def test_a_survey_tells_of_all_at_once(storage: MeteredStorage) -> None:
    per_push = [stored(storage, push) for push in range(1, 7)]
    for number, refs in enumerate(per_push[:4]):
        move(storage, refs, number)
    delete(storage, per_push[0][0].pack, per_push[1][0].pack)
    packs = PackReader(storage)
    packs.moved.survey()
    assert [packs.moved.is_gone(refs[0].pack) for refs in per_push] == [True, True] + [False] * 4
    storage.reset()
    for refs in per_push:
        assert read(packs, refs) == PLAINS
    requests = storage.requests()
    assert requests == {Request("GET", "packs"): 6, Request("GET", "moved"): 2}


def test_a_survey_of_a_store_without_records_costs_one_request(storage: MeteredStorage) -> None:
    stored(storage)
    storage.reset()
    MovedPacks(storage).survey()
    assert storage.requests() == {Request("LIST", "moved"): 1}


def test_a_trail_names_every_place(storage: MeteredStorage) -> None:
    refs = stored(storage)
    first, _ = move(storage, refs[:4], 1)
    moved = MovedPacks(storage)
    moved.survey()
    (place,) = moved.trail(refs[0])[1:]
    assert place.pack == first
    second, _ = move(storage, [place], 2)
    moved.survey()
    assert [ref.pack for ref in moved.trail(refs[0])] == [refs[0].pack, first, second]
    assert moved.trail(refs[7]) == [refs[7]]
    storage.reset()
    assert moved.trail(stored(storage, 9)[0])[1:] == []
    assert storage.requests()[Request("LIST", "moved")] == 0


def test_chunks_that_no_record_leads_to_are_told_by_ordinal(storage: MeteredStorage) -> None:
    refs = stored(storage)
    target, _ = move(storage, refs[:3])
    delete(storage, refs[0].pack)
    pack = refs[0].pack
    moved = MovedPacks(storage)
    assert moved.uncovered({pack: [0, 1, 2]}) == {}
    assert moved.uncovered({pack: [2, 3, 5, 3]}) == {pack: [3, 5]}
    assert moved.uncovered({pack: [1]}, lambda _: False) == {pack: [1]}
    record = next(info.key for info in storage.scan("moved/"))
    assert moved.uncovered({pack: [1]}, without={record}) == {pack: [1]}
    delete(storage, target)
    assert moved.uncovered({pack: [1]}) == {pack: [1]}


def test_a_damaged_record_is_not_taken_for_an_answer(storage: MeteredStorage) -> None:
    pack = pack_id(1)
    storage.create(moved_key(pack, name_of(1)), b"nonsense")
    with pytest.raises(DamagedDataError) as caught:
        MovedPacks(storage).uncovered({pack: [0]})
    assert caught.value.code == "moved-damaged"


# following, beside a naive model --------------------------------------------------------

numbers = st.integers(0, 5)
tables = st.dictionaries(
    st.integers(0, 3), st.tuples(numbers, st.integers(0, 3)), min_size=1, max_size=4
)
stores = st.dictionaries(numbers, st.lists(tables, max_size=3), max_size=6)


def naive(
    start: tuple[int, int],
    records: dict[int, list[dict[int, tuple[int, int]]]],
    there: frozenset[int],
) -> tuple[int, int] | None:
    """Place by place, the newest record first: what is there wins, else what it leads to."""
    front, seen = [start], {start}
    for _ in range(MOVED_HOPS_COUNT):
        places = [
            table[ordinal]
            for pack, ordinal in front
            for table in records.get(pack, ())
            if ordinal in table
        ]
        for place in places:
            if place[0] in there:
                return place
        front = [place for place in dict.fromkeys(places) if place not in seen]
        seen.update(front)
    return None


def as_records(pack: int, tables: list[dict[int, tuple[int, int]]]) -> list[MovedRecord]:
    found = []
    for number, table in enumerate(tables):
        rows = {
            ordinal: ChunkPlace(pack_id(target), new, 8 + new)
            for ordinal, (target, new) in sorted(table.items())
            if target != pack
        }
        if rows:
            key = moved_key(pack_id(pack), name_of(len(tables) - number))
            found.append(decode_moved(encode_moved(pack_id(pack), rows.items()), key=key))
    return found


@given(stores, st.frozensets(numbers), st.tuples(numbers, st.integers(0, 3)))
def test_following_equals_the_model(
    store: dict[int, list[dict[int, tuple[int, int]]]],
    there: frozenset[int],
    start: tuple[int, int],
) -> None:
    by_id = {pack_id(n): n for n in range(6)}
    records = {pack_id(n): as_records(n, some) for n, some in store.items()}
    # What a record of a pack says of itself is no move.
    plain = {
        n: [{o: place for o, place in table.items() if place[0] != n} for table in some]
        for n, some in store.items()
    }
    followed = follow_moves(
        [(pack_id(start[0]), start[1])],
        lambda packs: {pack: records.get(pack, []) for pack in packs},
        lambda pack: by_id[pack] in there,
    )
    expected = naive(start, plain, there)
    (found,) = followed.found.values() or [None]
    assert (found and (by_id[found.pack], found.ordinal)) == expected
    assert bool(followed.tried) == (expected is None)


@given(stores, st.lists(numbers, unique=True), st.tuples(numbers, st.integers(0, 3)))
def test_a_reader_finds_what_the_model_finds_while_packs_go_one_by_one(
    store: dict[int, list[dict[int, tuple[int, int]]]],
    going: list[int],
    start: tuple[int, int],
) -> None:
    storage = MemoryStorage()
    plain: dict[int, list[dict[int, tuple[int, int]]]] = {}
    for n, some in store.items():
        for table in as_records(n, some):
            storage.create(table.key, encode_moved(table.pack, table.moves()))
        plain[n] = [{o: place for o, place in table.items() if place[0] != n} for table in some]
    there = set(range(6))
    for n in there:
        storage.create(pack_key(pack_id(n)), b"")
    moved = MovedPacks(storage)
    pack = pack_id(start[0])
    for n in going:
        there.discard(n)
        delete(storage, pack_id(n))
        if start[0] in there:
            continue
        moved.note_gone([pack])
        expected = naive(start, plain, frozenset(there))
        assert place_by_trial(moved, storage, make_ref(start[1], pack=pack)) == expected


def place_by_trial(
    moved: MovedPacks, storage: MemoryStorage, ref: ChunkRef
) -> tuple[int, int] | None:
    """As a reader does: what is told is tried, and missed if it is not there."""
    by_id = {pack_id(n): n for n in range(6)}
    for _ in range(20):
        try:
            (place,) = moved.places([ref])
        except DamagedDataError:
            return None
        try:
            storage.stat(pack_key(place.pack))
        except NotFoundError:
            moved.note_gone([place.pack])
        else:
            return by_id[place.pack], place.ordinal
    raise AssertionError("it never ends")

"""Repacking: what is copied, in which order, and how much is read and written for it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import clock, limits
from artstore.garbage import repacking
from artstore.garbage.repacking import Repacked, plan_reads, repack
from artstore.packs.format import KIND_CHUNK_LIST, KIND_FILE, KIND_SEGMENT
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import MovedRecord, decode_moved
from artstore.packs.movedpacks import read_moved
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.testing.faults import crash_sweep
from tests.unit.packs.making import Push, make_ref, noise
from tests.unit.packs.moving import delete, move, name_of

KIB = limits.KIB


@pytest.fixture
def storage() -> MeteredStorage:
    return MeteredStorage(MemoryStorage())


def fill(
    storage: Any, push: int, sizes: Iterable[int], *, target_bytes: int = 1 << 24, kind: int = 0
) -> list[ChunkRef]:
    made = Push(storage, push.to_bytes(8, "big"), target_bytes=target_bytes)
    refs = [
        made.chunk(noise(size, f"{push} {i} {kind}"), kind=kind) for i, size in enumerate(sizes)
    ]
    made.data.close_pack()
    return [ref._replace(pack=made.resolved[ref.pack]) for ref in refs]


def live_of(refs: Iterable[ChunkRef]) -> Callable[[bytes], list[int]]:
    by_pack: dict[bytes, list[int]] = {}
    for ref in refs:
        by_pack.setdefault(ref.pack, []).append(ref.ordinal)
    return lambda pack: by_pack.get(pack, [])


def run(
    storage: Any,
    live: Sequence[ChunkRef],
    *,
    number: int = 1,
    packs: Sequence[bytes] | None = None,
    **options: Any,
) -> Repacked:
    wanted = list(dict.fromkeys(ref.pack for ref in live)) if packs is None else packs
    return repack(
        storage,
        PackReader(storage),
        wanted,
        live_of(live),
        **{
            "repack_id": b"repack" + number.to_bytes(2, "big"),
            "moved_name": name_of(number),
            "project_of": lambda _: "p",
            "earlier": lambda _: (),
        }
        | options,
    )


def read(storage: Any, refs: Iterable[ChunkRef]) -> list[bytes]:
    return [bytes(plain) for plain in PackReader(storage).chunks(refs)]


def records(storage: Any, keys: Iterable[str]) -> list[MovedRecord]:
    return [decode_moved(storage.read(key), key=key) for key in keys]


def earlier_of(storage: Any) -> Callable[[bytes], list[MovedRecord]]:
    """As gc knows them: all records, newest first, by what they lead to."""
    found = [one for _, one in read_moved(storage, [i.key for i in storage.scan("moved/")])]
    newest = sorted(
        (one for one in found if isinstance(one, MovedRecord)),
        key=lambda one: one.key.rpartition("/")[2],
        reverse=True,
    )
    return lambda pack: [one for one in newest if pack in one.targets]


# what is copied ---------------------------------------------------------------------


def test_what_is_live_is_read_from_new_packs_once_the_old_ones_are_deleted(
    storage: MeteredStorage,
) -> None:
    refs = [*fill(storage, 1, [5 * KIB] * 40), *fill(storage, 2, [3 * KIB] * 40)]
    live = refs[::3]
    plains = read(storage, live)
    done = run(storage, live)
    assert set(done.packs) == {ref.pack for ref in refs}
    assert done.left == ()
    delete(storage, *done.packs)
    assert read(storage, live) == plains
    # Both old ones went into one.
    assert [len(packs) for packs in done.new_packs.values()] == [1]
    assert done.live_bytes == sum(ref.stored_bytes for ref in live)


def test_chunks_are_copied_as_they_are_stored_and_stay_what_they_are(
    storage: MeteredStorage,
) -> None:
    made = Push(storage)
    texts = [made.chunk(bytes(20_000) + b"%d" % i, kind=KIND_FILE) for i in range(5)]
    lists = [made.chunk(noise(900, str(i)), kind=KIND_CHUNK_LIST) for i in range(5)]
    segments = [made.chunk(noise(800, str(i)), kind=KIND_SEGMENT) for i in range(5)]
    made.data.close_pack()
    refs = [ref._replace(pack=made.resolved[ref.pack]) for ref in (*texts, *lists, *segments)]
    done = run(storage, refs[1:-1])
    packs = PackReader(storage)
    kinds = []
    for pack in done.new_packs["p"]:
        footer = packs.footer(pack)
        (kind,) = set(footer.kinds)
        kinds.append(kind)
    assert sorted(kinds) == [KIND_FILE, KIND_CHUNK_LIST, KIND_SEGMENT]
    (record,) = records(storage, done.moved)
    for ref in refs[1:-1]:
        place = record.find(ref.ordinal)
        assert place is not None
        footer = packs.footer(place.pack)
        row = list(footer.rows())[place.ordinal]
        assert row == (
            ref.digest, place.offset_bytes, ref.stored_bytes, ref.plain_bytes, ref.codec
        )  # fmt: skip


def test_a_record_that_was_written_has_all_that_is_live_of_its_pack(
    storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # New packs are closed in the middle of old ones.
    monkeypatch.setattr(limits, "PACK_TARGET_BYTES", 25 * KIB)
    refs = [ref for push in range(6) for ref in fill(storage, push, [10 * KIB] * 7)]
    plains = read(storage, refs)
    done = run(storage, refs)
    assert len(done.new_packs["p"]) == 21
    for record in records(storage, done.moved):
        assert list(record.ordinals) == list(range(7))
    delete(storage, *done.packs)
    assert read(storage, refs) == plains


def test_packs_of_two_projects_are_not_mixed(storage: MeteredStorage) -> None:
    refs = [fill(storage, push, [1000] * 10) for push in range(4)]
    project = {refs[0][0].pack: "a", refs[1][0].pack: "b", refs[2][0].pack: "a"}
    live = [ref for some in refs for ref in some[:4]]
    done = run(storage, live, project_of=project.get)
    assert {name: len(packs) for name, packs in done.new_packs.items()} == {
        "a": 1, "b": 1, None: 1
    }  # fmt: skip
    into = {
        ref.pack: {place.pack for place in [record.find(ref.ordinal)] if place}
        for ref in live
        for record in records(storage, done.moved)
        if record.pack == ref.pack
    }
    assert into[refs[0][0].pack] == into[refs[2][0].pack] != into[refs[1][0].pack]


def test_equal_packs_of_two_pushes_become_one(storage: MeteredStorage) -> None:
    one, other = (
        Push(storage, bytes([n]) * 8).closed(noise(500, "a"), noise(500, "b")) for n in (1, 2)
    )
    project = {one[0].pack: "a", other[0].pack: "b"}
    done = run(storage, [*one, *other], project_of=project.get)
    delete(storage, *done.packs)
    assert len(done.packs) == 2
    assert read(storage, [*one, *other]) == [noise(500, "a"), noise(500, "b")] * 2


# what is left alone -------------------------------------------------------------------


def test_a_pack_with_a_damaged_chunk_is_left_alone_and_told() -> None:
    memory = MemoryStorage()
    good, bad = fill(memory, 1, [2000] * 5), fill(memory, 2, [2000] * 5)
    key = pack_key(bad[0].pack)
    value = bytearray(memory.read(key))
    value[bad[2].offset_bytes + 7] ^= 1
    memory.delete([key])
    memory.create(key, value)
    done = run(memory, [*good, *bad])
    assert done.packs == (good[0].pack,)
    ((pack, reason),) = [(one.pack, one.reason) for one in done.left]
    assert pack == bad[0].pack
    assert "chunk 2" in reason
    assert [record.pack for record in records(memory, done.moved)] == [good[0].pack]
    # What is damaged and not live does not matter.
    assert run(memory, [bad[0], bad[4]], number=2).packs == (bad[0].pack,)


def test_packs_that_are_gone_cut_short_or_without_what_is_live_are_left_alone(
    storage: MeteredStorage,
) -> None:
    good, short = fill(storage, 1, [2000] * 5), fill(storage, 2, [2000] * 5)
    value = storage.read(pack_key(short[0].pack))
    delete(storage, short[0].pack)
    storage.create(pack_key(short[0].pack), value[:-1])
    dead = fill(storage, 3, [2000])[0]
    wrong = fill(storage, 4, [2000])[0]._replace(ordinal=1)
    live = [*good, *short, make_ref(), wrong]
    done = run(storage, live, packs=[*{ref.pack for ref in live}, dead.pack])
    assert done.packs == (good[0].pack,)
    told = {one.pack: one.reason for one in done.left}
    assert set(told) == {short[0].pack, make_ref().pack, wrong.pack, dead.pack}
    assert "no chunk 1" in told[wrong.pack]
    assert told[dead.pack] == "nothing in it is live"


def test_a_pack_that_vanishes_between_footer_and_chunks_is_left_alone(
    storage: MeteredStorage,
) -> None:
    one, other = fill(storage, 1, [2000] * 5), fill(storage, 2, [2000] * 5)
    reader = PackReader(storage)
    reader.footer(one[0].pack)
    delete(storage, one[0].pack)
    done = repack(
        storage,
        reader,
        [one[0].pack, other[0].pack],
        live_of([*one, *other]),
        repack_id=bytes(8),
        moved_name=name_of(0),
        project_of=lambda _: "p",
        earlier=lambda _: (),
    )
    assert done.packs == (other[0].pack,)
    assert [left.pack for left in done.left] == [one[0].pack]


# order ------------------------------------------------------------------------------


def test_a_crash_anywhere_leaves_no_record_that_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PACK_TARGET_BYTES", 9 * KIB)
    memory = MemoryStorage()
    refs = [ref for push in range(4) for ref in fill(memory, push, [4 * KIB] * 3)]
    plains = read(memory, refs)

    def prepare(storage: Any) -> None:
        for info in list(memory.scan("packs/")):
            storage.create(info.key, memory.read(info.key))

    seen = set()
    for crash in crash_sweep(MemoryStorage, lambda s: run(s, refs), prepare=prepare):
        written = [info.key for info in crash.storage.scan("moved/")]
        seen.add(len(written))
        for record in records(crash.storage, written):
            assert list(record.ordinals) == [0, 1, 2]
            for pack in record.targets:
                crash.storage.stat(pack_key(pack))
            # So it may be condemned as soon as its record is there.
            delete(crash.storage, record.pack)
        if written:
            assert read(crash.storage, refs) == plains
    assert seen == {0, 1, 2, 3, 4}


# again ------------------------------------------------------------------------------


def test_what_was_moved_before_is_told_anew_and_leads_straight_to_the_new_place(
    storage: MeteredStorage,
) -> None:
    refs = fill(storage, 1, [1000] * 10)
    plains = read(storage, refs)
    first, _ = move(storage, refs[:8], 1)
    delete(storage, refs[0].pack)
    live = PackReader(storage)
    live.moved.note_gone([refs[0].pack])
    places = live.moved.places(refs[2:8:2])
    done = run(storage, places, number=2, earlier=earlier_of(storage))
    assert done.packs == (first,)
    by_pack = {record.pack: record for record in records(storage, done.moved)}
    assert list(by_pack[refs[0].pack].ordinals) == [2, 4, 6]
    delete(storage, first)
    assert read(storage, refs[2:8:2]) == plains[2:8:2]
    # Straight: without the record of the pack in between.
    storage.delete([by_pack[first].key])
    assert read(storage, refs[2:8:2]) == plains[2:8:2]


def test_a_pack_that_led_to_two_that_are_repacked_has_one_new_record(
    storage: MeteredStorage,
) -> None:
    refs = fill(storage, 1, [1000] * 10)
    plains = read(storage, refs)
    move(storage, refs[:6], 1)
    move(storage, refs[4:], 2)
    delete(storage, refs[0].pack)
    reader = PackReader(storage)
    reader.moved.note_gone([refs[0].pack])
    places = reader.moved.places(refs)
    done = run(storage, places, number=3, earlier=earlier_of(storage))
    assert len(done.packs) == 2
    told = [r for r in records(storage, done.moved) if r.pack == refs[0].pack]
    assert [list(record.ordinals) for record in told] == [list(range(10))]
    delete(storage, *done.packs)
    assert read(storage, refs) == plains


def test_a_spared_pack_that_is_repacked_beside_its_target_has_one_record(
    storage: MeteredStorage,
) -> None:
    refs = fill(storage, 1, [1000] * 4)
    target, _ = move(storage, refs, 1)
    copies = [ref._replace(pack=target) for ref in refs]
    done = run(storage, [*refs, *copies], number=2, earlier=earlier_of(storage))
    assert set(done.packs) == {refs[0].pack, target}
    assert len(done.moved) == 2


# how much ---------------------------------------------------------------------------


def test_reads_and_writes_stay_close_to_what_is_live(storage: MeteredStorage) -> None:
    sizes = [40 * KIB + 997 * (i % 60) for i in range(64)]
    refs = [ref for push in range(8) for ref in fill(storage, push, sizes)]
    live = [ref for ref in refs if (ref.digest[0] * 7) % 10 < 4]
    live_bytes = sum(ref.stored_bytes for ref in live)
    storage.reset()
    done = run(storage, live)
    counts = storage.snapshot()
    assert counts["read"].size_bytes == done.read_bytes <= 1.1 * live_bytes
    assert counts["create"].size_bytes == done.written_bytes <= 1.05 * live_bytes
    assert done.live_bytes == live_bytes


def test_footers_that_are_at_hand_are_not_read_again(storage: MeteredStorage) -> None:
    refs = fill(storage, 1, [4 * KIB] * 10)
    reader = PackReader(storage)
    reader.footer(refs[0].pack)
    storage.reset()
    done = repack(
        storage,
        reader,
        [refs[0].pack],
        live_of(refs[:3]),
        repack_id=bytes(8),
        moved_name=name_of(0),
        project_of=lambda _: None,
        earlier=lambda _: (),
    )
    assert (storage.snapshot()["stat"].calls, done.read_bytes) == (0, 12 * KIB)


def test_memory_does_not_grow_with_what_is_repacked(tmp_path: Any) -> None:
    from artstore.storage.local import LocalStorage

    storage = LocalStorage(tmp_path, sync=False)
    refs = [ref for push in range(24) for ref in fill(storage, push, [limits.MIB] * 8)]
    tracemalloc.start()
    try:
        run(storage, refs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # 192 MiB are moved: a window, what of it was taken apart, and one new pack are held.
    assert peak < 48 * limits.MIB


def test_a_rate_is_kept(storage: MeteredStorage) -> None:
    refs = fill(storage, 1, [10_000] * 10)

    class Slow(clock.SystemClock):
        def __init__(self) -> None:
            self.now = 0.0

        def monotonic_seconds(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    with clock.use(Slow()) as slow:
        run(storage, refs, bytes_per_second=10_000)
    # 100 kB in, 100 kB out; what is sent last is not waited for.
    assert 9 <= slow.monotonic_seconds() <= 22


def test_progress_is_told_by_packs(storage: MeteredStorage) -> None:
    refs = [ref for push in range(40) for ref in fill(storage, push, [100] * 3)]
    told: list[tuple[int, int]] = []
    done = run(storage, refs, on_progress=lambda *step: told.append(step))
    assert sum(count for count, _ in told) == 40
    assert len(told) > 1
    assert done.written_bytes >= sum(size for _, size in told)


# planning ---------------------------------------------------------------------------

layouts = st.lists(
    st.tuples(st.booleans(), st.integers(0, 300), st.integers(1, 200)), min_size=1, max_size=40
)


@given(layouts, st.integers(0, 2000), st.integers(1, 400), st.integers(1, 600))
def test_plans_read_every_chunk_once_within_the_budget(
    layout: list[tuple[bool, int, int]], spare: int, gap: int, window: int
) -> None:
    refs, pack, at = [], 0, 8
    for i, (is_new, before, size) in enumerate(layout):
        if is_new:
            pack, at = pack + 1, 8
        at += before
        refs.append(make_ref(i, pack=bytes([pack]) * 40, offset=at, stored=size, plain=size))
        at += size
    groups = plan_reads(refs, spare_bytes=spare, gap_bytes=gap, window_bytes=window)
    assert [ref for group in groups for ref in group] == refs
    gaps = []
    for group in groups:
        assert len({ref.pack for ref in group}) == 1
        length = group[-1].offset_bytes + group[-1].stored_bytes - group[0].offset_bytes
        assert length <= window or len(group) == 1
        gaps.append(length - sum(ref.stored_bytes for ref in group))
    assert sum(gaps) <= spare


def test_the_smallest_gaps_are_closed_first() -> None:
    offsets = [8, 138, 248, 400]
    refs = [make_ref(i, offset=offset) for i, offset in enumerate(offsets)]
    # Gaps of 30, 10 and 52 bytes.
    sizes = {
        spare: [len(group) for group in plan_reads(refs, spare_bytes=spare)]
        for spare in (0, 10, 39, 40, 92)
    }
    assert sizes == {0: [1] * 4, 10: [1, 2, 1], 39: [1, 2, 1], 40: [3, 1], 92: [4]}


def test_a_window_bounds_what_is_read_at_once(
    storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repacking.limits, "READ_WINDOW_BYTES", 20 * KIB)
    refs = [ref for push in range(4) for ref in fill(storage, push, [5 * KIB] * 6)]
    plains = read(storage, refs)
    done = run(storage, refs)
    delete(storage, *done.packs)
    assert read(storage, refs) == plains

from __future__ import annotations

from collections.abc import Sequence

import pytest

from artstore import limits
from artstore.errors import (
    DamagedDataError,
    LimitExceededError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.packs import reader
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.reader import PackReader, batches, plan_ranges
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.testing.faults import FaultPlan, FaultyStorage
from tests.unit.packs.making import PACK, PUSH, Push, make_ref, noise

KIB = limits.KIB


@pytest.fixture
def storage() -> MeteredStorage:
    return MeteredStorage(MemoryStorage())


def read_calls(storage: MeteredStorage) -> tuple[int, int]:
    """Calls of read, and ranges read in them."""
    count = storage.snapshot()["read"]
    return count.calls, count.items


def plain_of(packs: PackReader, refs: Sequence[ChunkRef]) -> list[bytes]:
    return [bytes(plain) for plain in packs.chunks(refs)]


# planning -----------------------------------------------------------------------


def test_no_chunks_need_no_range() -> None:
    assert plan_ranges([]) == []


def test_neighbours_share_a_range_and_packs_do_not() -> None:
    other = bytes(40)
    refs = [make_ref(1, offset=108), make_ref(0, offset=8), make_ref(2, pack=other, offset=208)]
    plans = plan_ranges(refs)
    assert [(plan.pack, plan.offset_bytes, plan.length_bytes, plan.indexes) for plan in plans] == [
        (other, 208, 100, (2,)),
        (PACK, 8, 200, (1, 0)),
    ]


@pytest.mark.parametrize(
    ("gap", "ranges"), [(limits.READ_GAP_BYTES, 1), (limits.READ_GAP_BYTES + 1, 2)]
)
def test_a_range_spans_gaps_up_to_the_limit(gap: int, ranges: int) -> None:
    refs = [make_ref(0, offset=8), make_ref(1, offset=108 + gap)]
    assert len(plan_ranges(refs)) == ranges


def test_a_range_does_not_outgrow_the_window_unless_one_chunk_does() -> None:
    refs = [make_ref(i, offset=8 + 100 * i) for i in range(10)]
    assert [plan.length_bytes for plan in plan_ranges(refs, window_bytes=300)] == [
        300,
        300,
        300,
        100,
    ]
    assert [plan.length_bytes for plan in plan_ranges(refs[:2], window_bytes=50)] == [100, 100]


def test_a_chunk_asked_for_many_times_is_read_once() -> None:
    (plan,) = plan_ranges([make_ref(0)] * 1000)
    assert (plan.length_bytes, len(plan.indexes)) == (100, 1000)


def test_batches_are_bounded_in_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BATCH_COUNT", 3)
    refs = [make_ref(i, stored=1, plain=1) for i in range(7)]
    assert [len(batch) for batch in batches(refs)] == [3, 3, 1]


def test_batches_count_what_comes_out_of_a_chunk() -> None:
    bombs = [make_ref(i, stored=1, plain=limits.CHUNK_MAX_BYTES) for i in range(3)]
    assert [len(batch) for batch in batches(bombs)] == [1, 1, 1]


# reading ------------------------------------------------------------------------


def test_chunks_come_in_the_order_asked_from_one_read(storage: MeteredStorage) -> None:
    plains = [noise(1000, str(i)) for i in range(200)]
    refs = Push(storage).closed(*plains)
    asked = refs[::-3]
    assert plain_of(PackReader(storage), asked) == plains[::-3]
    assert read_calls(storage) == (1, 1)


def test_one_chunk_costs_its_own_bytes(storage: MeteredStorage) -> None:
    refs = Push(storage).closed(*(noise(50_000, str(i)) for i in range(20)))
    assert PackReader(storage).chunk(refs[7]) == noise(50_000, "7")
    assert storage.snapshot()["read"].size_bytes == 50_000
    assert read_calls(storage) == (1, 1)
    assert storage.snapshot()["stat"].calls == 0


def test_chunks_of_several_packs_are_asked_for_at_once(storage: MeteredStorage) -> None:
    refs = Push(storage, target_bytes=1500).closed(*(noise(1000, str(i)) for i in range(6)))
    plain_of(PackReader(storage), refs)
    assert read_calls(storage) == (1, 6)


def test_more_than_a_window_is_read_window_by_window(storage: MeteredStorage) -> None:
    plains = [noise(limits.MIB, str(i)) for i in range(10)]
    refs = Push(storage).closed(*plains)
    chunks = PackReader(storage).chunks(refs)
    assert next(chunks) == plains[0]
    assert storage.snapshot()["read"].size_bytes == limits.READ_WINDOW_BYTES
    assert [bytes(plain) for plain in chunks] == plains[1:]
    assert read_calls(storage) == (2, 2)


def test_small_chunks_among_large_ones_do_not_keep_the_large_ones_in_memory(
    storage: MeteredStorage,
) -> None:
    plains = [noise(10 if i % 2 else 40 * KIB, str(i)) for i in range(100)]
    refs = Push(storage).closed(*plains)
    small = PackReader(storage).stored(refs[1::2])
    assert [bytes(stored) for stored in small] == plains[1::2]
    # A view would hold the 2 MiB of its range.
    assert not any(isinstance(stored, memoryview) for stored in small)
    dense = PackReader(storage).stored(refs)
    assert all(isinstance(stored, memoryview) for stored in dense)


def test_no_chunks_cost_nothing(storage: MeteredStorage) -> None:
    assert plain_of(PackReader(storage), []) == []
    assert read_calls(storage) == (0, 0)


def test_a_missing_pack_is_damage_that_names_it(storage: MeteredStorage) -> None:
    with pytest.raises(DamagedDataError, match="memory://") as caught:
        PackReader(storage).chunk(make_ref())
    assert caught.value.code == "pack-missing"
    assert caught.value.context["key"] == pack_key(PACK)
    assert caught.value.hint is not None


def test_a_pack_that_is_too_short_is_damage(storage: MeteredStorage) -> None:
    (ref,) = Push(storage).closed(noise(100))
    beyond = ref._replace(offset_bytes=ref.offset_bytes + 1000)
    with pytest.raises(DamagedDataError) as caught:
        PackReader(storage).chunk(beyond)
    assert caught.value.code == "range-missing"


def test_a_hostile_length_costs_nothing(storage: MeteredStorage) -> None:
    (ref,) = Push(storage).closed(noise(100))
    with pytest.raises(DamagedDataError):
        PackReader(storage).chunk(ref._replace(stored_bytes=limits.PACK_MAX_BYTES))
    assert storage.snapshot()["read"].size_bytes == 0


@pytest.mark.parametrize("at", [8, 57, 107])
def test_a_flipped_bit_is_damage_that_names_pack_chunk_and_offset(at: int) -> None:
    memory = MemoryStorage()
    (ref,) = Push(memory).closed(noise(100))
    faulty = FaultyStorage(memory, FaultPlan(flip_bit_in="packs/", flip_bit_at=8 * at + 3))
    with pytest.raises(DamagedDataError, match=pack_key(ref.pack)) as caught:
        PackReader(faulty).chunk(ref)
    assert caught.value.code == "chunk-damaged"
    assert "chunk 0 at byte 8" in caught.value.message


def test_chunks_before_the_damaged_one_are_still_given(storage: MeteredStorage) -> None:
    refs = Push(storage).closed(b"one", b"two", b"three")
    refs[2] = refs[2]._replace(digest=bytes(32))
    chunks = PackReader(storage).chunks(refs)
    assert [next(chunks), next(chunks)] == [b"one", b"two"]
    with pytest.raises(DamagedDataError):
        next(chunks)


def test_a_chunk_in_an_unknown_codec_is_for_a_newer_release(storage: MeteredStorage) -> None:
    (ref,) = Push(storage).closed(b"x")
    with pytest.raises(UnsupportedFormatError):
        PackReader(storage).chunk(ref._replace(codec=7))


# footers ------------------------------------------------------------------------


def test_a_footer_costs_one_stat_and_one_read_and_is_kept(storage: MeteredStorage) -> None:
    (ref, *_) = Push(storage).closed(*(noise(100, str(i)) for i in range(100)))
    packs = PackReader(storage)
    assert packs.footer(ref.pack) is packs.footer(ref.pack)
    assert (storage.snapshot()["stat"].calls, *read_calls(storage)) == (1, 1, 1)


def test_a_long_footer_is_read_again_in_full(storage: MeteredStorage) -> None:
    push = Push(storage)
    for i in range(2000):
        push.data.add(i.to_bytes(32, "big"), 0, b"x", 1)
    push.data.close_pack()
    (pack,) = push.resolved.values()
    assert len(PackReader(storage).footer(pack).digests) == 2000
    assert read_calls(storage)[0] == 2


def test_kept_footers_are_bounded(storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_FOOTERS_CHUNK_COUNT", 10)
    refs = Push(storage, target_bytes=350).closed(*(noise(100, str(i)) for i in range(30)))
    names = list(dict.fromkeys(ref.pack for ref in refs))
    assert len(names) == 10
    packs = PackReader(storage)
    for pack in names:
        packs.footer(pack)
    storage.reset()
    packs.footer(names[-1])
    assert read_calls(storage) == (0, 0)
    packs.footer(names[0])
    assert read_calls(storage) == (1, 1)


def test_a_footer_of_a_pack_that_is_not_there_is_no_proof(storage: MeteredStorage) -> None:
    with pytest.raises(NotFoundError):
        PackReader(storage).footer(PACK)


def test_a_sound_footer_under_the_name_of_another_is_damage(storage: MeteredStorage) -> None:
    (ref,) = Push(storage).closed(noise(100))
    other = bytes([ref.pack[0] ^ 1]) + ref.pack[1:]
    storage.create(pack_key(other), storage.read(pack_key(ref.pack)))
    with pytest.raises(DamagedDataError) as caught:
        PackReader(storage).footer(other)
    assert caught.value.code == "pack-damaged"


@pytest.mark.parametrize("size", [0, 1, 8, 23, 24, 31, 32, 100])
def test_a_pack_cut_short_is_damage(storage: MeteredStorage, size: int) -> None:
    (ref,) = Push(storage).closed(noise(100))
    value = storage.read(pack_key(ref.pack))
    other = bytes(32) + PUSH
    storage.create(pack_key(other), value[:size])
    with pytest.raises(DamagedDataError):
        PackReader(storage).footer(other)


def test_a_trailer_that_claims_a_huge_footer_is_refused_before_it_is_read(
    storage: MeteredStorage,
) -> None:
    (ref,) = Push(storage).closed(noise(100))
    value = bytearray(storage.read(pack_key(ref.pack)))
    value[-24:-20] = (2**32 - 1).to_bytes(4, "little")
    other = bytes(32) + PUSH
    storage.create(pack_key(other), value)
    storage.reset()
    with pytest.raises(LimitExceededError):
        PackReader(storage).footer(other)
    assert storage.snapshot()["read"].size_bytes <= len(value)


def test_every_flipped_bit_of_a_footer_is_found() -> None:
    memory = MemoryStorage()
    (ref, *_) = Push(memory).closed(b"one", b"two")
    size = memory.stat(pack_key(ref.pack)).size_bytes
    for bit in range(8 * (8 + 6), 8 * size):
        faulty = FaultyStorage(memory, FaultPlan(flip_bit_in="packs/", flip_bit_at=bit))
        with pytest.raises((DamagedDataError, LimitExceededError)):
            PackReader(faulty).footer(ref.pack)

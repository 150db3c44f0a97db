"""One bit a chunk: beside a set of pairs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from artstore import limits
from artstore.garbage.marks import ChunkMarks

PACKS = 5
ordinals = st.one_of(
    st.integers(0, 300),
    st.sampled_from((0, 127, 128, 255, 256, 1023, 1024, limits.PACK_CHUNK_COUNT - 1)),
)
chunks = st.lists(st.tuples(st.integers(0, PACKS - 1), ordinals), max_size=40)


def stored_bytes(pack: int, ordinal: int) -> int:
    return 7 * pack + ordinal + 1


def columns(some: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([pack for pack, _ in some], np.int64),
        np.array([ordinal for _, ordinal in some], np.int64),
        np.array([stored_bytes(*one) for one in some], np.int64),
    )


@given(st.lists(chunks, max_size=8), chunks)
def test_marks_are_a_set_of_chunks(batches: list[list[tuple[int, int]]], asked: list) -> None:
    marks = ChunkMarks(PACKS)
    known: set[tuple[int, int]] = set()
    for batch in batches:
        fresh = marks.mark(*columns(batch)).tolist()
        told = [batch[at] for at in fresh]
        assert len(set(told)) == len(told), "told twice"
        assert set(told) == set(batch) - known
        assert fresh == sorted(fresh)
        # Of equal ones the first counts.
        assert all(batch.index(batch[at]) == at for at in fresh)
        known |= set(batch)
        for pack in range(PACKS):
            mine = sorted(ordinal for one, ordinal in known if one == pack)
            assert marks.ordinals(pack) == mine
            assert marks.marked_bytes[pack] == sum(stored_bytes(pack, at) for at in mine)
    packs, places, _ = columns(asked)
    assert marks.has_many(packs, places).tolist() == [one in known for one in asked]
    assert marks.is_marked().tolist() == [
        any(one == pack for one, _ in known) for pack in range(PACKS)
    ]


def test_a_pack_that_outgrows_its_room_keeps_its_marks_and_nobody_gets_them() -> None:
    marks = ChunkMarks(3)
    for ordinal in range(0, 5000, 3):
        for pack in (0, 2):
            marks.mark(*columns([(pack, ordinal + pack)]))
    assert marks.ordinals(0) == list(range(0, 5000, 3))
    assert marks.ordinals(1) == []
    assert marks.ordinals(2) == list(range(2, 5002, 3))
    marks.mark(*columns([(1, 4000)]))
    assert marks.ordinals(1) == [4000]


def test_nothing_marked_is_nothing() -> None:
    marks = ChunkMarks(0)
    assert marks.mark(*columns([])).tolist() == []
    assert marks.is_marked().tolist() == []
    assert ChunkMarks(4).has_many(*columns([(3, 5)])[:2]).tolist() == [False]


def test_a_chunk_of_a_pack_takes_about_a_bit() -> None:
    count = 2000
    marks = ChunkMarks(count)
    for pack in range(count):
        places = np.arange(1000, dtype=np.int64)
        marks.mark(np.full(1000, pack, np.int64), places, np.ones(1000, np.int64))
    assert marks.memory_bytes < 2 * count * 1000 / 8

from __future__ import annotations

import itertools

import pytest

from artstore import limits
from artstore.canonical import encode
from artstore.chunks.cut import PARAMETERS, Cutter
from artstore.digest import digest_of
from tests.unit.packs.making import noise

MIB = limits.MIB


def lengths_of(data: bytes) -> list[int]:
    return Cutter().lengths(memoryview(data), final=True)


def pieces(data: bytes) -> set[bytes]:
    ends = itertools.accumulate(lengths_of(data))
    return {digest_of(data[start:end]) for start, end in itertools.pairwise([0, *ends])}


@pytest.fixture(scope="module")
def data() -> bytes:
    return noise(4 * MIB, "cut me")


def test_the_same_bytes_are_cut_where_every_release_cuts_them(data: bytes) -> None:
    # Other cuts would lose all sharing with what older releases stored.
    assert lengths_of(data) == GOLDEN


def test_all_is_cut_and_no_piece_passes_the_limits(data: bytes) -> None:
    lengths = lengths_of(data)
    assert sum(lengths) == len(data)
    assert max(lengths) <= limits.CHUNK_CUT_MAX_BYTES
    assert min(lengths[:-1]) >= limits.CHUNK_CUT_MIN_BYTES


def test_zeros_are_cut_at_the_largest_size() -> None:
    assert lengths_of(bytes(2 * limits.CHUNK_CUT_MAX_BYTES + 5)) == [
        limits.CHUNK_CUT_MAX_BYTES,
        limits.CHUNK_CUT_MAX_BYTES,
        5,
    ]


@pytest.mark.parametrize("window_bytes", [600 * 1024, MIB, 3 * MIB + 17])
def test_windows_are_cut_like_the_whole(data: bytes, window_bytes: int) -> None:
    cutter = Cutter()
    lengths: list[int] = []
    start, end = 0, 0
    while end < len(data):
        end = min(start + window_bytes, len(data))
        found = cutter.lengths(memoryview(data)[start:end], final=end == len(data))
        assert found, "a window larger than the largest piece always tells one"
        lengths += found
        start += sum(found)
    assert lengths == lengths_of(data)


def test_what_more_bytes_could_move_is_left_for_the_next_window(data: bytes) -> None:
    cutter = Cutter()
    short = memoryview(data)[: limits.CHUNK_CUT_MIN_BYTES]
    assert cutter.lengths(short, final=False) == []
    assert cutter.lengths(short, final=True) == [len(short)]


@pytest.mark.parametrize("final", [True, False])
def test_nothing_is_cut_into_nothing(final: bool) -> None:
    assert Cutter().lengths(memoryview(b""), final=final) == []


def test_an_insertion_changes_the_pieces_around_it_only(data: bytes) -> None:
    changed = data[:MIB] + b"put in between" + data[MIB:]
    assert len(pieces(changed) - pieces(data)) <= 3


def test_the_parameters_can_be_written_into_the_store() -> None:
    assert encode(PARAMETERS) == (
        b'{"algorithm":"fastcdc-2020","average_bytes":131072,"max_bytes":524288,'
        b'"min_bytes":32768,"normalization":1}'
    )


GOLDEN = [
    310475, 109318, 123781, 41260, 145023, 198387, 102069, 273093, 150703, 95629,
    157938, 188153, 154522, 135275, 138395, 222634, 191036, 67357, 243859, 161873,
    56608, 180637, 149771, 121862, 147866, 64319, 57932, 103338, 101191,
]  # fmt: skip

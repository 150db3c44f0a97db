"""Moved records: bytes, keys, and what is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import limits
from artstore.digest import checksum64
from artstore.errors import ArtstoreError, DamagedDataError, InvalidInputError
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
from tests.unit.packs.moving import name_of, pack_id

OLD = pack_id(0)
KEY = moved_key(OLD, name_of(1))
MOVES = [
    (2, ChunkPlace(pack_id(1), 0, 8)),
    (5, ChunkPlace(pack_id(2), 65_535, limits.PACK_MAX_BYTES)),
    (9, ChunkPlace(pack_id(1), 1, 108)),
]

ordinals = st.integers(0, limits.PACK_CHUNK_COUNT - 1)
places = st.builds(
    ChunkPlace, st.integers(1, 9).map(pack_id), ordinals, st.integers(8, limits.PACK_MAX_BYTES)
)


@given(st.dictionaries(ordinals, places, min_size=1, max_size=50))
def test_what_is_written_is_read(moves: dict[int, ChunkPlace]) -> None:
    rows = sorted(moves.items())
    record = decode_moved(encode_moved(OLD, rows), key=KEY)
    assert list(record.moves()) == rows
    assert len(record) == len(rows)
    assert (record.pack, record.key) == (OLD, KEY)
    for ordinal in {*moves, 0, 7, limits.PACK_CHUNK_COUNT - 1}:
        assert record.find(ordinal) == moves.get(ordinal)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    with pytest.raises(DamagedDataError):
        decode_moved(data, key=KEY)


@given(st.integers(0, len(encode_moved(OLD, MOVES)) * 8 - 1))
def test_a_flipped_bit_is_found_and_the_record_named(bit: int) -> None:
    data = bytearray(encode_moved(OLD, MOVES))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedDataError, match=KEY) as caught:
        decode_moved(data, key=KEY)
    assert (caught.value.code, caught.value.context["key"]) == ("moved-damaged", KEY)


def test_a_record_that_is_cut_short_is_refused_at_any_length() -> None:
    data = encode_moved(OLD, MOVES)
    for size in range(len(data)):
        with pytest.raises(DamagedDataError):
            decode_moved(data[:size], key=KEY)
    with pytest.raises(DamagedDataError):
        decode_moved(data + b"\0", key=KEY)


def sealed(
    *,
    magic: bytes = b"ARTMOVE1",
    pack: bytes = OLD,
    targets: tuple[bytes, ...] = (pack_id(1),),
    columns: tuple[tuple[int, ...], ...] = ((1, 4), (0, 0), (0, 1), (8, 20)),
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A record by hand, whatever it says, with a checksum that is right."""
    stated = counts or (len(targets), len(columns[0]))
    data = struct.pack("<8s40sII", magic, pack, *stated) + b"".join(targets)
    data += b"".join(struct.pack(f"<{len(column)}I", *column) for column in columns)
    return data + checksum64(data)


def test_a_record_made_by_hand_is_read() -> None:
    record = decode_moved(sealed(), key=KEY)
    assert [*record.moves()] == [
        (1, ChunkPlace(pack_id(1), 0, 8)),
        (4, ChunkPlace(pack_id(1), 1, 20)),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        sealed(magic=b"ARTMOVE2"),
        sealed(pack=pack_id(3)),
        sealed(targets=(), columns=((), (), (), ())),
        sealed(targets=(pack_id(1), pack_id(1))),
        sealed(targets=(OLD,)),
        sealed(targets=(pack_id(1), pack_id(2), pack_id(3))),
        sealed(counts=(1, 2**32 - 1)),
        sealed(counts=(2**32 - 1, 2)),
        sealed(columns=((4, 1), (0, 0), (0, 1), (8, 20))),
        sealed(columns=((4, 4), (0, 0), (0, 1), (8, 20))),
        sealed(columns=((1, 65_536), (0, 0), (0, 1), (8, 20))),
        sealed(columns=((1, 4), (0, 1), (0, 1), (8, 20))),
        sealed(columns=((1, 4), (0, 0), (0, 65_536), (8, 20))),
        sealed(columns=((1, 4), (0, 0), (0, 1), (7, 20))),
        sealed(columns=((1, 4), (0, 0), (0, 1), (8, limits.PACK_MAX_BYTES + 1))),
    ],
)
def test_a_hostile_record_with_a_right_checksum_is_refused(hostile: bytes) -> None:
    with pytest.raises(DamagedDataError, match=KEY) as caught:
        decode_moved(hostile, key=KEY)
    assert caught.value.code == "moved-damaged"


def test_a_record_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(DamagedDataError):
        decode_moved(bytes(MOVED_MAX_BYTES + 1), key=KEY)


def test_the_largest_record_fits_the_limit() -> None:
    moves = [(i, ChunkPlace(pack_id(i + 1), 0, 8)) for i in range(limits.PACK_CHUNK_COUNT)]
    data = encode_moved(OLD, moves)
    assert len(data) == MOVED_MAX_BYTES
    assert len(decode_moved(data, key=KEY)) == limits.PACK_CHUNK_COUNT


def test_a_writer_refuses_what_no_reader_takes() -> None:
    for moves in ([], [MOVES[1], MOVES[0]], [(0, ChunkPlace(OLD, 0, 8))]):
        with pytest.raises(ArtstoreError):
            encode_moved(OLD, moves)


# keys ------------------------------------------------------------------------------


@given(st.integers(0, 10**12 - 1), st.binary(min_size=8, max_size=8))
def test_keys_can_be_taken_apart(seconds: int, repack_id: bytes) -> None:
    name = moved_name(seconds, repack_id)
    key = moved_key(OLD, name)
    assert parse_moved_key(key) == (OLD, name)
    assert key.startswith(moved_prefix(OLD))


def test_names_of_later_repacks_sort_behind() -> None:
    assert moved_name(999, b"\xff" * 8) < moved_name(1000, bytes(8))


@pytest.mark.parametrize(
    "key",
    [
        "moved/00/x",
        KEY + "0",
        KEY.upper(),
        KEY.replace("moved/", "packs/"),
        "moved/ff" + KEY.removeprefix("moved/")[2:],
        KEY.rpartition("/")[0],
    ],
)
def test_keys_of_another_form_are_refused(key: str) -> None:
    with pytest.raises(DamagedDataError) as caught:
        parse_moved_key(key)
    assert caught.value.code == "key-unexpected"


def test_names_of_another_form_are_refused() -> None:
    for make in (
        lambda: moved_name(-1, bytes(8)),
        lambda: moved_name(10**12, bytes(8)),
        lambda: moved_name(0, bytes(7)),
        lambda: moved_key(OLD, "../../packs/00"),
    ):
        with pytest.raises(InvalidInputError):
            make()

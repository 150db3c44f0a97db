from __future__ import annotations

import struct

import pytest

from artstore import limits
from artstore.errors import DamagedDataError
from artstore.packs.locator import ChunkRef
from artstore.packs.reflist import decode_refs, encode_refs
from tests.unit.packs.making import PACK, make_ref

OTHER = bytes(40)
REFS = [
    ChunkRef(b"\x0a" * 32, PACK, 0, 8, 100, 100, 0, 100),
    ChunkRef(b"\x0b" * 32, PACK, 1, 108, 50, 1000, 1, 1000),
    ChunkRef(b"\x0c" * 32, OTHER, 7, 4096, 20, 20, 0, 2**40),
]


def shuffled(*values: int, width: int = 4) -> bytes:
    columns = [value.to_bytes(width, "little") for value in values]
    return bytes(column[k] for k in range(width) for column in columns)


def test_the_bytes_of_a_list_are_those_of_the_format() -> None:
    assert encode_refs(REFS) == b"".join(
        (
            struct.pack("<II", 2, 3),
            PACK,
            OTHER,
            shuffled(0, 0, 1),  # packs
            shuffled(0, 0, 7),  # ordinals: the first two follow
            shuffled(0, 0, 4096 - 8),  # offsets: the first two follow
            shuffled(100, 1000, 20),  # plain bytes
            shuffled(0, 950, 0),  # bytes saved by compression
            bytes([0, 1, 0]),  # codecs
            shuffled(0, 0, 2**40 - 20, width=8),  # what lies below a node
            b"\x0a" * 32 + b"\x0b" * 32 + b"\x0c" * 32,
        )
    )


def test_a_node_may_stand_for_fewer_bytes_than_it_takes() -> None:
    # The last chunk of a large file has any size; alone in a node it is the smaller.
    ref = make_ref(plain=117, span=5)
    assert decode_refs(encode_refs([ref]), where="it") == ([ref], b"")


def test_no_references_take_eight_bytes() -> None:
    assert encode_refs([]) == bytes(8)
    assert decode_refs(bytes(8), where="it") == ([], b"")


def test_chunks_that_follow_one_another_leave_only_zeros() -> None:
    refs = [make_ref(i, offset=8 + 100 * i) for i in range(50)]
    data = encode_refs(refs)
    places = data[8 + 40 : 8 + 40 + 3 * 4 * 50]
    assert places == bytes(len(places))


def test_a_list_that_names_an_open_pack_is_never_written() -> None:
    with pytest.raises(AssertionError, match="still open"):
        encode_refs([make_ref(pack=b"waiting!")])


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        (0, 1, "pack 1 of 1"),
        (0, 2**32 - 1, "pack 4294967295 of 1"),
        (2, limits.PACK_MAX_BYTES, "a chunk of 100 stored bytes"),
        (3, limits.CHUNK_MAX_BYTES + 1, "a chunk of"),
        (4, 101, "a chunk of 4294967295 stored bytes"),
    ],
)
def test_a_place_outside_a_pack_is_damage(column: int, value: int, found: str) -> None:
    data = bytearray(encode_refs([make_ref(plain=100)]))
    at = 8 + 40 + 4 * column
    data[at : at + 4] = value.to_bytes(4, "little")
    with pytest.raises(DamagedDataError, match=found) as caught:
        decode_refs(bytes(data), where="segment 3")
    assert caught.value.code == "manifest-damaged"
    assert caught.value.context["where"] == "segment 3"


@pytest.mark.parametrize(("packs", "count"), [(2, 1), (1, 2), (2**32 - 1, 1), (1, 2**32 - 1)])
def test_counts_that_the_bytes_do_not_bear_out_are_damage(packs: int, count: int) -> None:
    data = struct.pack("<II", packs, count) + encode_refs([make_ref()])[8:]
    with pytest.raises(DamagedDataError, match="cut short"):
        decode_refs(data, where="it")


def test_more_packs_than_chunks_are_damage_even_when_all_are_there() -> None:
    data = struct.pack("<II", 1000, 1) + bytes(40 * 1000 + 100)
    with pytest.raises(DamagedDataError):
        decode_refs(data, where="it")

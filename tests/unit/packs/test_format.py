from __future__ import annotations

import struct
from array import array
from dataclasses import replace

import pytest

from artstore import limits
from artstore.digest import checksum64, digest_of
from artstore.errors import DamagedDataError, LimitExceededError
from artstore.packs.format import (
    HEADER,
    KIND_CHUNK_LIST,
    KIND_FILE,
    KIND_SEGMENT,
    KIND_SEGMENT_LIST,
    TRAILER_BYTES,
    Footer,
    decode_footer,
    decode_trailer,
    encode_footer,
)

FOOTER = Footer(
    (bytes([0xAA] * 32), bytes([0xBB] * 32)),
    array("I", [5, 300]),
    array("I", [5, 1000]),
    bytes([0, 1]),
    bytes([KIND_FILE, KIND_SEGMENT]),
)
BODY, TRAILER = encode_footer(FOOTER)
PACK_BYTES = len(HEADER) + 305 + len(BODY) + TRAILER_BYTES


def decode(body: bytes, trailer: bytes, pack_bytes: int = PACK_BYTES) -> Footer:
    _, count, checksum = decode_trailer(trailer, key="packs/it", pack_bytes=pack_bytes)
    return decode_footer(body, count, checksum, key="packs/it", pack_bytes=pack_bytes)


def forged(body: bytes, *, size: int | None = None, count: int = 2) -> bytes:
    """A trailer with a right checksum over any body: what a hostile writer makes."""
    length = len(body) if size is None else size
    return struct.pack("<II8s8s", length, count, checksum64(body), b"ARTPEND1")


def test_the_bytes_of_a_footer_are_those_of_the_format() -> None:
    assert HEADER == b"ARTPACK1"
    assert BODY.hex() == "aa" * 32 + "bb" * 32 + (
        "05000000" "2c010000"  # stored bytes
        "05000000" "e8030000"  # plain bytes
        "0001"  # codecs
        "0002"  # kinds
    )  # fmt: skip
    assert TRAILER.hex() == "5400000002000000" + GOLDEN_CHECKSUM + b"ARTPEND1".hex()
    assert digest_of(BODY).hex() == GOLDEN_DIGEST
    assert (KIND_FILE, KIND_CHUNK_LIST, KIND_SEGMENT, KIND_SEGMENT_LIST) == (0, 1, 2, 3)


def test_a_footer_is_read_back_and_tells_where_chunks_start() -> None:
    found = decode(BODY, TRAILER)
    assert found == FOOTER
    assert found.offsets_bytes() == [8, 13]


def test_a_pack_without_chunks_is_read() -> None:
    body, trailer = encode_footer(Footer((), array("I"), array("I"), b"", b""))
    assert decode(body, trailer, len(HEADER) + TRAILER_BYTES).offsets_bytes() == []


@pytest.mark.parametrize("size", [0, 1, TRAILER_BYTES - 1, TRAILER_BYTES + 1])
def test_a_trailer_of_another_length_is_damage(size: int) -> None:
    with pytest.raises(DamagedDataError) as caught:
        decode_trailer((TRAILER * 2)[:size], key="packs/it", pack_bytes=PACK_BYTES)
    assert caught.value.code == "pack-damaged"
    assert caught.value.context["key"] == "packs/it"


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (limits.FOOTER_MAX_BYTES + 1, 2),
        (2**32 - 1, 2),
        (len(BODY), limits.PACK_CHUNK_COUNT + 1),
        (len(BODY), 2**32 - 1),
    ],
)
def test_a_footer_beyond_the_limits_is_refused_before_it_is_read(size: int, count: int) -> None:
    with pytest.raises(LimitExceededError, match="packs/it"):
        decode(BODY, forged(BODY, size=size, count=count), 2**40)


@pytest.mark.parametrize(("size", "count"), [(84, 1), (84, 3), (42, 2), (0, 2), (84, 0), (126, 3)])
def test_a_footer_whose_counts_disagree_is_damage(size: int, count: int) -> None:
    with pytest.raises(DamagedDataError):
        decode(BODY, forged(BODY, size=size, count=count))


@pytest.mark.parametrize("pack_bytes", [0, 8, len(BODY), len(BODY) + TRAILER_BYTES + 7])
def test_a_footer_that_is_longer_than_its_pack_is_damage(pack_bytes: int) -> None:
    with pytest.raises(DamagedDataError):
        decode_trailer(TRAILER, key="packs/it", pack_bytes=pack_bytes)


@pytest.mark.parametrize("difference", [-1, 1, 305])
def test_chunks_that_do_not_fill_the_pack_are_damage(difference: int) -> None:
    with pytest.raises(DamagedDataError, match="add up"):
        decode(BODY, TRAILER, PACK_BYTES + difference)


def test_sizes_that_would_wrap_around_are_not_added_modulo_anything() -> None:
    lying = replace(FOOTER, stored_bytes=array("I", [2**32 - 1, 306]))
    body, trailer = encode_footer(lying)
    with pytest.raises(DamagedDataError, match="add up"):
        decode(body, trailer)


def test_a_chunk_beyond_the_limit_is_refused() -> None:
    body, trailer = encode_footer(
        replace(FOOTER, plain_bytes=array("I", [5, limits.CHUNK_MAX_BYTES + 1]))
    )
    with pytest.raises(LimitExceededError, match=str(limits.CHUNK_MAX_BYTES + 1)):
        decode(body, trailer)


def test_every_flipped_bit_is_found() -> None:
    data = BODY + TRAILER
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DamagedDataError, LimitExceededError)):
            decode(bytes(broken[: len(BODY)]), bytes(broken[len(BODY) :]))


GOLDEN_CHECKSUM = "b730834387960dfa"
GOLDEN_DIGEST = "1aa7dc2b1e6f62f91d024aa5efffd21251c8897f7b32b44bd271b4837e17d34f"

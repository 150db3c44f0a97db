from __future__ import annotations

import json
import struct
import tracemalloc

import pytest

from artstore import limits
from artstore.chunks import codec
from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    LimitExceededError,
    UnsupportedFormatError,
)
from artstore.manifests import root as root_module
from artstore.manifests.root import (
    Root,
    SegmentRef,
    decode_root,
    decode_segment_list,
    encode_root,
    encode_segment_list,
)
from artstore.packs.reflist import encode_refs
from tests.unit.packs.making import make_ref, noise

SEGMENTS = [SegmentRef(make_ref(0), "a/b", 512), SegmentRef(make_ref(1), "\u00e9", 3)]
NO_SEGMENTS = encode_segment_list([], 0)


def forged(body: bytes, text: bytes = b'{"format":1}', says: dict[str, int] | None = None) -> bytes:
    """A root with any body and header, and any lengths in its head."""
    kind, stored = codec.encode(body, sampled=False)
    said = {"header": len(text), "stored": len(stored), "plain": len(body), "codec": kind}
    said |= says or {}
    return struct.pack("<8sIIIB", b"ARTROOT1", *said.values()) + text + bytes(stored)


def test_the_bytes_of_a_list_of_segments_are_those_of_the_format() -> None:
    assert encode_segment_list(SEGMENTS, 2) == b"".join(
        (
            struct.pack("<BII", 2, 2, 6),
            bytes([0, 3, 2, 0]) + bytes(12),
            b"a/b\0\xc3\xa9",
            encode_refs([segment.ref for segment in SEGMENTS]),
        )
    )


def test_the_bytes_of_a_root_are_those_of_the_format() -> None:
    body = NO_SEGMENTS + struct.pack("<II", 1, 60) + noise(60)
    header = b'{"format":1,"type":"dataset"}'
    expected = struct.pack("<8sIIIB", b"ARTROOT1", len(header), len(body), len(body), codec.RAW)
    data = encode_root(Root({"type": "dataset"}, inline=(noise(60),)))
    assert data == expected + header + body


def test_the_header_can_be_read_without_this_package() -> None:
    data = encode_root(Root({"type": "dataset", "message": "\u00e9"}, segments=tuple(SEGMENTS)))
    (size,) = struct.unpack_from("<I", data, 8)
    assert json.loads(data[21 : 21 + size]) == {"format": 1, "message": "\u00e9", "type": "dataset"}


def test_a_root_of_many_segments_is_small() -> None:
    segments = [
        SegmentRef(make_ref(i, offset=8 + 100 * i), f"images/{i:08}.png", 512) for i in range(8192)
    ]
    data = encode_root(Root({}, segments=tuple(segments)))
    assert len(data) < 60 * len(segments)
    assert decode_root(data, where="it").segments == tuple(segments)


def test_metadata_beyond_the_limit_is_refused_with_a_hint() -> None:
    with pytest.raises(LimitExceededError, match="metadata") as caught:
        encode_root(Root({"metadata": {"x": "y" * limits.METADATA_MAX_BYTES}}))
    assert caught.value.hint is not None


def test_metadata_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        encode_root(Root({"metadata": {"x": float("nan")}}))


def test_a_root_of_a_newer_format_is_not_guessed_at() -> None:
    data = forged(b"anything", b'{"format":2}')
    with pytest.raises(UnsupportedFormatError) as caught:
        decode_root(data, where="it")
    assert caught.value.code == "format-unsupported"


@pytest.mark.parametrize("header", [b"[]", b"{}", b'{"format":"1"}', b"1", b"null", b"{", b"\xff"])
def test_a_header_without_a_format_is_damage(header: bytes) -> None:
    with pytest.raises(DamagedDataError):
        decode_root(forged(NO_SEGMENTS + bytes(4), header), where="it")


@pytest.mark.parametrize("data", [b"", b"ARTROOT1", b"ARTROOT2" + bytes(20), bytes(100)])
def test_what_is_no_root_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedDataError, match="no manifest root"):
        decode_root(data, where="it")


@pytest.mark.parametrize(
    "says", [{"plain": limits.ROOT_MAX_BYTES + 1}, {"header": limits.METADATA_MAX_BYTES + 1}]
)
def test_lengths_beyond_the_limits_are_refused_before_anything_is_read(
    says: dict[str, int],
) -> None:
    with pytest.raises(LimitExceededError):
        decode_root(forged(NO_SEGMENTS + bytes(4), says=says), where="it")


@pytest.mark.parametrize(
    "says", [{"header": 0}, {"header": 13}, {"stored": 0}, {"stored": 2**32 - 1}, {"plain": 3}]
)
def test_lengths_that_disagree_are_damage(says: dict[str, int]) -> None:
    with pytest.raises(DamagedDataError):
        decode_root(forged(NO_SEGMENTS + bytes(4), says=says), where="it")


def test_every_byte_cut_off_is_noticed() -> None:
    data = encode_root(Root({"type": "x"}, segments=tuple(SEGMENTS), inline=()))
    for size in range(len(data)):
        with pytest.raises(DamagedDataError):
            decode_root(data[:size], where="it")


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        struct.pack("<I", 1),
        struct.pack("<II", 1, 5) + b"four",
        struct.pack("<II", 1, 3) + b"four",
        struct.pack("<I", 0) + b"x",
        struct.pack("<II", 1, 0),
        struct.pack("<I", 2**32 - 1) + bytes(400),
        struct.pack("<II", 1, 2**32 - 1),
    ],
)
def test_inlined_segments_that_do_not_add_up_are_damage(tail: bytes) -> None:
    with pytest.raises(DamagedDataError, match="inlined"):
        decode_root(forged(NO_SEGMENTS + tail), where="it")


@pytest.mark.parametrize(
    "segments",
    [
        [SegmentRef(make_ref(0), "b", 1), SegmentRef(make_ref(1), "a", 1)],
        [SegmentRef(make_ref(0), "a", 1), SegmentRef(make_ref(1), "a", 1)],
        [SegmentRef(make_ref(0), "a", 0)],
    ],
)
def test_segments_that_are_empty_or_out_of_order_are_damage(segments: list[SegmentRef]) -> None:
    with pytest.raises(DamagedDataError, match="order"):
        decode_segment_list(encode_segment_list(segments, 0), where="it")


def test_a_list_of_more_levels_than_the_format_has_is_damage() -> None:
    with pytest.raises(DamagedDataError):
        decode_segment_list(encode_segment_list(SEGMENTS, 5), where="it")


def test_first_paths_that_disagree_with_the_count_are_damage() -> None:
    data = bytearray(encode_segment_list(SEGMENTS, 0))
    data[data.index(b"a/b\0") + 3] = 0x2F
    with pytest.raises(DamagedDataError, match="counts disagree"):
        decode_segment_list(bytes(data), where="it")


def test_a_bomb_of_segments_is_refused_before_any_is_built() -> None:
    # 64 MiB of zeros are 6 KiB in a store: a million references of 400 bytes of memory.
    count = 900_000
    body = struct.pack("<BII", 0, count, 0) + bytes(69 * count)
    data = forged(body)
    assert len(data) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError, match=str(count)):
            decode_root(data, where="it")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * limits.ROOT_MAX_BYTES


def test_writers_stay_below_what_readers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root_module, "_LIST_COUNT", 2)
    assert decode_segment_list(encode_segment_list(SEGMENTS, 0), where="it")[0] == SEGMENTS
    monkeypatch.setattr(root_module, "_LIST_COUNT", 1)
    with pytest.raises(LimitExceededError):
        decode_segment_list(encode_segment_list(SEGMENTS, 0), where="it")

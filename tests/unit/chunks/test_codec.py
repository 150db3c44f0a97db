from __future__ import annotations

import struct
import threading
import tracemalloc

import pytest
import zstandard

from artstore import limits
from artstore.chunks import codec
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, LimitExceededError, UnsupportedFormatError
from tests.unit.packs.making import noise

TEXT = b"the same words again and again. " * 2000


def frame(size_bytes: int | None, *blocks: bytes, window_log: int = 20) -> bytes:
    """A zstd frame by hand: it says `size_bytes`, whatever its blocks hold."""
    descriptor, size = (0, b"") if size_bytes is None else (0xC0, struct.pack("<Q", size_bytes))
    head = struct.pack("<IBB", 0xFD2FB528, descriptor, (window_log - 10) << 3)
    return head + size + b"".join(blocks)


def repeated(byte: bytes, count: int, *, last: bool = True) -> bytes:
    """A block of four bytes that stands for `count` equal ones."""
    return (count << 3 | 1 << 1 | last).to_bytes(3, "little") + byte


def test_text_is_compressed() -> None:
    coding, stored = codec.encode(TEXT)
    assert coding == codec.ZSTD
    assert len(stored) < len(TEXT) / 10
    assert codec.decode(coding, stored, plain_bytes=len(TEXT), where="it") == TEXT


def test_noise_is_kept_as_the_very_buffer_that_was_given() -> None:
    plain = memoryview(noise(100_000))
    coding, stored = codec.encode(plain)
    assert coding == codec.RAW
    assert stored is plain


@pytest.mark.parametrize(("repeated_bytes", "expected"), [(200, codec.RAW), (1200, codec.ZSTD)])
def test_compression_is_used_only_where_it_saves_a_twentieth(
    repeated_bytes: int, expected: int
) -> None:
    plain = noise(8000 - repeated_bytes) + bytes(repeated_bytes)
    assert codec.encode(plain)[0] == expected


def test_a_sample_of_the_middle_decides_unless_told_otherwise() -> None:
    plain = bytes(40_000) + noise(20_000) + bytes(40_000)
    assert codec.encode(plain)[0] == codec.RAW
    coding, stored = codec.encode(plain, sampled=False)
    assert coding == codec.ZSTD
    assert len(stored) < 25_000


@pytest.mark.parametrize("plain", [b"", b"x", b"short"])
def test_next_to_nothing_is_kept_as_it_is(plain: bytes) -> None:
    assert codec.encode(plain) == (codec.RAW, plain)


def test_the_same_bytes_are_stored_as_the_same_bytes() -> None:
    assert codec.encode(TEXT) == codec.encode(memoryview(TEXT))


def test_a_raw_chunk_of_another_length_is_damage() -> None:
    with pytest.raises(DamagedDataError, match=r"^file a is damaged: expected 6 bytes, found 5"):
        codec.decode(codec.RAW, b"12345", plain_bytes=6, where="file a")


def test_a_chunk_of_another_digest_is_damage_that_says_where() -> None:
    with pytest.raises(DamagedDataError, match="chunk 7") as caught:
        codec.decode_verified(
            codec.RAW, b"abc", plain_bytes=3, digest=digest_of(b"abd"), where="chunk 7"
        )
    assert caught.value.code == "chunk-damaged"
    assert caught.value.context["found"] == digest_of(b"abc").hex()
    assert caught.value.context["expected"] == digest_of(b"abd").hex()


def test_an_unknown_codec_is_for_a_newer_release() -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        codec.decode(2, b"abc", plain_bytes=3, where="it")
    assert caught.value.code == "codec-unknown"


@pytest.mark.parametrize("coding", [codec.RAW, codec.ZSTD, 9])
def test_a_length_beyond_the_limit_is_refused_by_what_it_says(coding: int) -> None:
    with pytest.raises(LimitExceededError, match=str(limits.CHUNK_MAX_BYTES)):
        codec.decode(coding, b"", plain_bytes=limits.CHUNK_MAX_BYTES + 1, where="it")


def test_a_caller_may_allow_more_or_less() -> None:
    coding, stored = codec.encode(TEXT)
    with pytest.raises(LimitExceededError):
        codec.decode(coding, stored, plain_bytes=len(TEXT), where="it", limit_bytes=len(TEXT) - 1)
    codec.decode(coding, stored, plain_bytes=len(TEXT), where="it", limit_bytes=len(TEXT))


# What a hostile store sends in place of a chunk that the manifest says has 1,000 bytes.
BOMBS = {
    "it says more": frame(1 << 62, repeated(b"a", 1000)),
    "it says so and holds more": frame(
        1000, *(repeated(b"a", 1 << 17, last=False) for _ in range(9)), repeated(b"a", 1000)
    ),
    "it says so and holds less": frame(1000, repeated(b"a", 999)),
    "it does not say": frame(None, repeated(b"a", 1000)),
    "it says nothing and holds much": frame(
        None, *(repeated(b"a", 1 << 17, last=False) for _ in range(2000)), repeated(b"a", 1)
    ),
    "it never ends": frame(1000, repeated(b"a", 500, last=False)),
    "it has no blocks": frame(1000),
    "it is to be skipped": struct.pack("<II", 0x184D2A50, 1000) + bytes(1000),
    "it needs a dictionary": struct.pack("<IBB", 0xFD2FB528, 0x21, 7) + b"\xe8" + bytes(9),
    "its window is larger than zstd knows": frame(1000, repeated(b"a", 1000), window_log=41),
    "it is no frame": b"not zstd at all",
    "it is empty": b"",
}


@pytest.mark.parametrize("stored", BOMBS.values(), ids=BOMBS)
def test_a_frame_that_lies_is_damage_and_costs_no_memory(stored: bytes) -> None:
    codec.decode(*codec.encode(TEXT), plain_bytes=len(TEXT), where="warm up")
    tracemalloc.start()
    try:
        with pytest.raises(DamagedDataError) as caught:
            codec.decode(codec.ZSTD, stored, plain_bytes=1000, where="it")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == "chunk-damaged"
    assert peak < 100_000


@pytest.mark.parametrize("window_log", [24, 27, 31])
def test_a_window_beyond_the_limit_is_refused_before_it_is_allocated(window_log: int) -> None:
    stored = frame(1000, repeated(b"a", 1000), window_log=window_log)
    with pytest.raises(LimitExceededError, match="window"):
        codec.decode(codec.ZSTD, stored, plain_bytes=1000, where="it")


@pytest.mark.parametrize("window_log", [10, 20, 23])
def test_a_frame_by_hand_that_keeps_the_limits_is_read(window_log: int) -> None:
    stored = frame(1000, repeated(b"a", 1000), window_log=window_log)
    assert codec.decode(codec.ZSTD, stored, plain_bytes=1000, where="it") == b"a" * 1000


def test_the_largest_chunk_there_may_be_is_read_back() -> None:
    plain = bytes(limits.CHUNK_MAX_BYTES)
    coding, stored = codec.encode(plain)
    assert codec.decode(coding, stored, plain_bytes=len(plain), where="it") == plain


def test_frames_say_their_size_and_carry_no_checksum() -> None:
    frame_says = zstandard.get_frame_parameters(bytes(codec.encode(TEXT)[1]))
    assert frame_says.content_size == len(TEXT)
    assert not frame_says.has_checksum


def test_threads_do_not_share_what_is_not_to_be_shared() -> None:
    wrong: list[int] = []

    def work(seed: int) -> None:
        for i in range(30):
            plain = b"%d %d " % (seed, i) * 3000
            if codec.decode(*codec.encode(plain), plain_bytes=len(plain), where="it") != plain:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("plain", [b"", b"text " * 9_000, bytes(range(256)) * 40])
def test_a_chunk_is_stored_again_in_the_form_it_had(plain: bytes, sampled: bool) -> None:
    kind, stored = codec.encode(plain, sampled=sampled)
    assert codec.encode_again(kind, plain, stored_bytes=len(stored)) == stored


def test_a_form_that_cannot_be_made_again_is_none() -> None:
    assert codec.encode_again(codec.RAW, b"abc", stored_bytes=4) is None
    assert codec.encode_again(codec.ZSTD, b"text " * 9_000, stored_bytes=9) is None
    assert codec.encode_again(7, b"abc", stored_bytes=3) is None

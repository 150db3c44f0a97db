from __future__ import annotations

import pytest

from artstore import digest

# The test vectors that BLAKE3 publishes: what `b3sum` prints.
EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
ABC = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"


def test_a_digest_is_the_number_that_b3sum_prints() -> None:
    assert digest.digest_of(b"abc").hex() == ABC
    assert digest.EMPTY.hex() == EMPTY


@pytest.mark.parametrize("buffer", [b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4]])
def test_every_kind_of_buffer_gives_the_same_digest_and_checksum(buffer) -> None:
    assert digest.digest_of(buffer).hex() == ABC
    assert digest.checksum64(buffer) == digest.checksum64(b"abc")


def test_a_digest_taken_in_pieces_is_the_digest_of_the_whole() -> None:
    hasher = digest.Hasher()
    for piece in (b"a", b"", memoryview(b"bc")):
        hasher.update(piece)
    assert hasher.digest().hex() == ABC


def test_a_checksum_is_xxh3_64_big_endian() -> None:
    # The published XXH3-64 of no bytes.
    assert digest.checksum64(b"").hex() == "2d06800538d394c2"


def test_parse_is_the_inverse_of_hex() -> None:
    assert digest.parse_digest(ABC) == digest.digest_of(b"abc")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ABC[:-1],
        ABC + "0",
        ABC.upper(),
        "g" + ABC[1:],
        # bytes.fromhex skips white space: 64 characters, but not 32 bytes.
        " " * 32 + ABC[:32],
        ABC[:31] + "  " + ABC[33:],
        ABC + "\n",
        "\u0661" * 64,
    ],
)
def test_only_64_lower_case_hex_digits_are_a_digest(text) -> None:
    with pytest.raises(ValueError):
        digest.parse_digest(text)

from __future__ import annotations

import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from artstore.chunks import codec
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, LimitExceededError
from tests.property.formats import U8, damaged, returns_or_refuses

# Repeated pieces compress, plain ones do not: both codecs are met.
PLAIN = st.binary(max_size=300) | st.tuples(st.binary(max_size=20), st.integers(0, 900)).map(
    lambda made: made[0] * made[1]
)
LIMIT = 1 << 16


@given(PLAIN, st.booleans())
def test_a_chunk_is_read_back(plain: bytes, sampled: bool) -> None:
    coding, stored = codec.encode(plain, sampled=sampled)
    assert coding in {codec.RAW, codec.ZSTD}
    assert len(stored) <= len(plain)
    found = codec.decode_verified(
        coding, stored, plain_bytes=len(plain), digest=digest_of(plain), where="it"
    )
    assert bytes(found) == plain


@given(PLAIN, st.data())
def test_a_damaged_chunk_is_refused_or_still_says_the_same(
    plain: bytes, data: st.DataObject
) -> None:
    coding, stored = codec.encode(plain, sampled=False)
    broken = data.draw(damaged(bytes(stored)))
    try:
        found = codec.decode_verified(
            coding, broken, plain_bytes=len(plain), digest=digest_of(plain), where="it"
        )
    except (DamagedDataError, LimitExceededError):
        return
    # zstd ignores some bits; what comes out is what went in.
    assert bytes(found) == plain


@given(U8, st.binary(max_size=300), st.integers(0, 2**32))
def test_any_bytes_are_refused_or_give_as_many_as_were_said(
    coding: int, stored: bytes, plain_bytes: int
) -> None:
    found = returns_or_refuses(
        lambda data: codec.decode(
            coding, data, plain_bytes=plain_bytes, where="it", limit_bytes=LIMIT
        ),
        stored,
    )
    if found is not None:
        assert len(found) == plain_bytes <= LIMIT


@given(U8, st.binary(max_size=40), st.integers(0, LIMIT))
def test_any_zstd_header_is_refused_or_gives_as_many_bytes_as_were_said(
    descriptor: int, rest: bytes, plain_bytes: int
) -> None:
    stored = struct.pack("<IB", 0xFD2FB528, descriptor) + rest
    found = returns_or_refuses(
        lambda data: codec.decode(
            codec.ZSTD, data, plain_bytes=plain_bytes, where="it", limit_bytes=LIMIT
        ),
        stored,
    )
    if found is not None:
        assert len(found) == plain_bytes


@given(PLAIN.filter(bool), st.integers(-300, 300).filter(bool))
def test_a_frame_of_another_length_than_its_place_says_is_refused(
    plain: bytes, difference: int
) -> None:
    stored = zstandard.ZstdCompressor().compress(plain)
    said = max(0, len(plain) + difference)
    if said != len(plain):
        with pytest.raises(DamagedDataError):
            codec.decode(codec.ZSTD, stored, plain_bytes=said, where="it")

"""Buffers, spans and keys: what every backend computes the same way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError, InvalidInputError
from artstore.storage.protocol import Span
from artstore.storage.values import (
    buffers_of,
    check_new_key,
    check_prefix,
    locate,
    same_bytes,
    size_of,
)

PARTS = st.lists(st.binary(max_size=9), max_size=6)


@given(PARTS)
def test_size_counts_the_bytes_of_all_parts(parts: list[bytes]) -> None:
    assert size_of(parts) == len(b"".join(parts))
    assert b"".join(bytes(part) for part in buffers_of(parts)) == b"".join(parts)


@given(PARTS, PARTS)
def test_same_bytes_compares_the_joined_parts(stored: list[bytes], value: list[bytes]) -> None:
    assert same_bytes(b"".join(stored), value) == (b"".join(stored) == b"".join(value))
    assert same_bytes(b"".join(stored), stored)


def test_same_bytes_sees_one_flipped_bit() -> None:
    assert not same_bytes(b"abcdefgh", [b"abc", memoryview(b"defgi")])


@given(st.integers(0, 40), st.integers(-50, 50), st.integers(0, 50))
def test_a_span_is_located_as_a_slice_or_refused(size: int, offset: int, length: int) -> None:
    start = offset + size if offset < 0 else offset
    if start >= 0 and start + length <= size:
        assert locate("a", Span(offset, length), size) == (start, length)
    else:
        with pytest.raises(DamagedDataError) as raised:
            locate("a", Span(offset, length), size)
        assert raised.value.context["found"] == size


def test_what_lies_in_tmp_is_no_key() -> None:
    for key in ("tmp", "tmp/x"):
        with pytest.raises(InvalidInputError):
            check_new_key(key)
    for key in ("tmpx", "tmp-x/y", "a/tmp"):
        assert check_new_key(key) == key


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b.", "a/b!", "collections/p/n/0000"])
def test_any_start_of_a_key_is_a_prefix(prefix: str) -> None:
    assert check_prefix(prefix) == prefix

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import canonical
from artstore.columns import u32_column
from artstore.digest import checksum64
from artstore.errors import DamagedDataError, UnsupportedFormatError
from artstore.packs.index import IndexView, decode_index, encode_index, merge_index
from tests.property.formats import DIGESTS, PACKS, U32, damaged, returns_or_refuses

CHUNKS = st.lists(st.tuples(DIGESTS, PACKS, U32), max_size=12)
KEYS = st.lists(st.text(max_size=5), max_size=3)


def first_of(chunks: list[tuple[bytes, bytes, int]]) -> dict[bytes, tuple[bytes, int]]:
    found: dict[bytes, tuple[bytes, int]] = {}
    for digest, pack, ordinal in chunks:
        found.setdefault(digest, (pack, ordinal))
    return found


@given(CHUNKS, st.text(max_size=5), st.integers(0, 5), KEYS)
def test_a_segment_is_read_back(
    chunks: list[tuple[bytes, bytes, int]], project: str, level: int, replaces: list[str]
) -> None:
    data = encode_index(chunks, project=project, level=level, replaces=replaces)
    segment = decode_index(data, key="k")
    expected = first_of(chunks)
    assert (segment.project, segment.level, list(segment.replaces)) == (project, level, replaces)
    assert list(segment.chunks()) == [(d, *expected[d]) for d in sorted(expected)]
    assert len(segment) == len(expected)
    again = encode_index(segment.chunks(), project=project, level=level, replaces=replaces)
    assert again == data


@given(CHUNKS, DIGESTS)
def test_a_chunk_is_found_exactly_where_it_was_put(
    chunks: list[tuple[bytes, bytes, int]], other: bytes
) -> None:
    expected = first_of(chunks)
    segment = decode_index(encode_index(chunks, project="p"), key="k")
    for digest in expected:
        assert segment.find(digest) == expected[digest]
        near = digest[:-1] + bytes([digest[-1] ^ 1])
        assert segment.find(near) == expected.get(near)
    assert segment.find(other) == expected.get(other)


@given(CHUNKS)
def test_the_order_of_chunks_that_differ_leaves_no_trace(
    chunks: list[tuple[bytes, bytes, int]],
) -> None:
    unique = [(d, p, o) for d, (p, o) in first_of(chunks).items()]
    assert encode_index(reversed(unique), project="p") == encode_index(unique, project="p")


@given(st.binary() | st.binary().map(lambda rest: b"ARTIDX01" + rest))
def test_any_bytes_are_damage_or_a_segment(data: bytes) -> None:
    returns_or_refuses(lambda data: decode_index(data, key="k"), data)


@given(CHUNKS, st.data())
def test_damage_that_the_checksum_hides_gives_hints_or_none_and_nothing_else(
    chunks: list[tuple[bytes, bytes, int]], data: st.DataObject
) -> None:
    # Somebody who forges a segment forges its checksum as well.
    body = data.draw(damaged(encode_index(chunks, project="p")[:-8]))
    forged = body + checksum64(body)
    segment = returns_or_refuses(lambda data: decode_index(data, key="k"), forged)
    if segment is not None:
        view = IndexView([segment])
        for digest, _, _ in chunks:
            view.find(digest)
        listed = list(segment.chunks())
        assert all(pack in segment.packs for _, pack, _ in listed)
        merge_index(view, project="p")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["format", "project", "level", "replaces", "x"]), inner, max_size=5
            )
        ),
        max_leaves=8,
    )
)
def test_any_header_is_refused_or_understood(value: object) -> None:
    data = encode_index([], project="p")
    header = canonical.encode(value)
    head = data[:8] + u32_column([len(header), 0, 0])
    old = int.from_bytes(data[8:12], "little")
    body = head + header + data[20 + old : -8]
    try:
        segment = decode_index(body + checksum64(body), key="k")
    except (DamagedDataError, UnsupportedFormatError):
        return
    assert isinstance(value, dict)
    assert segment.project == value["project"]


@given(CHUNKS, st.data())
def test_a_flipped_bit_is_found(
    chunks: list[tuple[bytes, bytes, int]], data: st.DataObject
) -> None:
    broken = bytearray(encode_index(chunks, project="p"))
    bit = data.draw(st.integers(0, 8 * len(broken) - 1))
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedDataError):
        decode_index(bytes(broken), key="k")

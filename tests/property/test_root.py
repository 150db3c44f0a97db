from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artstore import canonical
from artstore.chunks import codec
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, LimitExceededError
from artstore.manifests.reader import Manifest, root_digest_of_key, root_key
from artstore.manifests.root import (
    Root,
    SegmentRef,
    decode_root,
    decode_segment_list,
    encode_root,
    encode_segment_list,
)
from artstore.manifests.segment import encode_segment
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from tests.property.formats import (
    JSON_FIELDS,
    PATHS,
    U32,
    chunk_refs,
    damaged,
    entry_lists,
    returns_or_refuses,
)
from tests.unit.packs.making import PUSH

COUNTS = st.integers(1, 2**64 - 1)


@st.composite
def segment_lists(draw: st.DrawFn) -> list[SegmentRef]:
    paths = sorted(draw(st.sets(PATHS, max_size=5)))
    return [SegmentRef(draw(chunk_refs()), path, draw(COUNTS)) for path in paths]


@st.composite
def roots(draw: st.DrawFn) -> Root:
    header = draw(st.just({}) | JSON_FIELDS)
    inline = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=3))
    segments = tuple(draw(segment_lists()))
    return Root({**header, "format": 1}, draw(st.integers(0, 4)), segments, tuple(inline))


def with_body(body: bytes, header: object = None) -> bytes:
    """A root with a body of one's own: what a hostile writer can do."""
    text = canonical.encode({"format": 1} if header is None else header)
    kind, stored = codec.encode(body, sampled=False)
    head = struct.pack("<8sIIIB", b"ARTROOT1", len(text), len(stored), len(body), kind)
    return head + text + bytes(stored)


@given(roots())
def test_a_root_is_read_back(root: Root) -> None:
    data = encode_root(root)
    found = decode_root(data, where="it")
    assert found == root
    assert encode_root(found) == data


@given(segment_lists(), st.integers(0, 4), st.binary(max_size=20))
def test_a_list_of_segments_is_read_back_with_what_follows_it(
    segments: list[SegmentRef], level: int, rest: bytes
) -> None:
    data = encode_segment_list(segments, level)
    assert decode_segment_list(data + rest, where="it") == (segments, level, rest)


@given(st.binary() | st.binary().map(lambda rest: b"ARTROOT1" + rest))
def test_any_bytes_are_damage_or_a_root(data: bytes) -> None:
    returns_or_refuses(lambda data: decode_root(data, where="it"), data)


@given(roots(), st.data())
def test_a_damaged_root_is_refused_or_a_root(root: Root, data: st.DataObject) -> None:
    broken = data.draw(damaged(encode_root(root)))
    returns_or_refuses(lambda data: decode_root(data, where="it"), broken)


@given(segment_lists(), st.data())
def test_a_damaged_list_is_refused_or_in_order(
    segments: list[SegmentRef], data: st.DataObject
) -> None:
    broken = data.draw(damaged(encode_segment_list(segments, 1)))
    found = returns_or_refuses(lambda data: decode_segment_list(data, where="it"), broken)
    if found is not None:
        paths = [segment.first_path for segment in found[0]]
        assert paths == sorted(set(paths))
        assert all(segment.entry_count > 0 for segment in found[0])


@given(st.integers(0, 255), U32, U32, st.binary(max_size=100))
def test_counts_of_a_list_are_checked_before_anything_is_built(
    level: int, count: int, paths_bytes: int, rest: bytes
) -> None:
    assume(count * 69 + paths_bytes > len(rest))
    with pytest.raises((DamagedDataError, LimitExceededError)):
        decode_segment_list(struct.pack("<BII", level, count, paths_bytes) + rest, where="it")


@given(U32, U32, U32, st.integers(0, 255), st.binary(max_size=60))
def test_lengths_of_a_root_are_checked_before_anything_is_built(
    header_bytes: int, stored_bytes: int, plain_bytes: int, kind: int, rest: bytes
) -> None:
    assume(header_bytes + stored_bytes != len(rest))
    head = struct.pack("<8sIIIB", b"ARTROOT1", header_bytes, stored_bytes, plain_bytes, kind)
    with pytest.raises((DamagedDataError, LimitExceededError)):
        decode_root(head + rest, where="it")


@given(U32, st.lists(st.tuples(U32, st.binary(max_size=10)), max_size=4))
def test_lengths_of_inlined_segments_are_checked(
    count: int, parts: list[tuple[int, bytes]]
) -> None:
    body = encode_segment_list([], 0) + struct.pack("<I", count)
    body += b"".join(struct.pack("<I", size) + data for size, data in parts)
    found = returns_or_refuses(lambda data: decode_root(data, where="it"), with_body(body))
    if found is not None:
        assert len(found.inline) == count
        assert all(found.inline)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["format", "type"]), inner, max_size=2)
        ),
        max_leaves=5,
    )
)
def test_any_header_is_refused_or_a_mapping(value: Any) -> None:
    body = encode_segment_list([], 0) + struct.pack("<I", 0)
    data = with_body(body, {} if value is None else value)
    found = returns_or_refuses(lambda data: decode_root(data, where="it"), data)
    if found is not None:
        assert found.header == value
        assert found.header["format"] == 1


@given(st.data())
def test_a_forged_version_is_refused_or_lists_entries_in_order(data: st.DataObject) -> None:
    # The digests agree, as they do when a hostile writer made all of it.
    packs = PackReader(MemoryStorage())
    parts = data.draw(st.lists(entry_lists(), min_size=1, max_size=3))
    inline = tuple(encode_segment(part) for part in parts)
    if data.draw(st.booleans()):
        inline = tuple(data.draw(damaged(part)) for part in inline)
    body = encode_segment_list([], 0) + struct.pack("<I", len(inline))
    body += b"".join(struct.pack("<I", len(part)) + part for part in inline)
    root = returns_or_refuses(lambda data: decode_root(data, where="it"), with_body(body))
    if root is None:
        return
    manifest = returns_or_refuses(lambda _: Manifest(root, packs, where="it"), b"")
    if manifest is None:
        return
    found = returns_or_refuses(lambda _: list(manifest.entries()), b"")
    if found is not None:
        paths = [entry.path for entry in found]
        assert paths == sorted(set(paths))
        assert all(".." not in path.split("/") and path[0] != "/" for path in paths)


@given(st.binary(), st.text(max_size=10))
def test_a_root_is_named_by_its_key_and_by_no_other(data: bytes, other: str) -> None:
    key = root_key(digest_of(data), PUSH)
    assert root_digest_of_key(key) == digest_of(data)
    for wrong in (other, key + other, other + key, key.upper(), key.replace("-", other)):
        if wrong != key:
            with pytest.raises(DamagedDataError):
                root_digest_of_key(wrong)

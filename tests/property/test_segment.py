from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError, LimitExceededError
from artstore.manifests.entry import Entry
from artstore.manifests.segment import (
    SegmentSplitter,
    decode_segment,
    encode_segment,
    starts_segment,
)
from tests.property.formats import U32, damaged, entry_lists, returns_or_refuses


@given(entry_lists())
def test_a_segment_is_read_back(entries: list[Entry]) -> None:
    data = encode_segment(entries)
    found = decode_segment(data, where="it")
    assert found == entries
    assert encode_segment(found) == data


@given(st.binary() | st.binary().map(lambda rest: b"ASG1" + rest))
def test_any_bytes_are_damage_or_a_segment(data: bytes) -> None:
    returns_or_refuses(lambda data: decode_segment(data, where="it"), data)


@given(entry_lists(), st.data())
def test_damaged_bytes_are_damage_or_entries_in_order(
    entries: list[Entry], data: st.DataObject
) -> None:
    broken = data.draw(damaged(encode_segment(entries)))
    found = returns_or_refuses(lambda data: decode_segment(data, where="it"), broken)
    if found is not None:
        paths = [entry.path for entry in found]
        assert paths
        assert paths == sorted(set(paths))


@given(U32, U32, U32, st.binary(max_size=300))
def test_counts_are_checked_before_anything_is_built(
    count: int, paths_bytes: int, extras_bytes: int, rest: bytes
) -> None:
    data = struct.pack("<4sIII", b"ASG1", count, paths_bytes, extras_bytes) + rest
    if 46 * count + paths_bytes + extras_bytes > len(rest):
        with pytest.raises((DamagedDataError, LimitExceededError)):
            decode_segment(data, where="it")


@given(entry_lists())
def test_a_segment_cut_short_anywhere_is_damage(entries: list[Entry]) -> None:
    data = encode_segment(entries)
    for size in range(0, len(data), max(1, len(data) // 50)):
        with pytest.raises(DamagedDataError):
            decode_segment(data[:size], where="it")


@given(entry_lists(min_size=3), st.lists(st.integers(0, 5000), min_size=1, max_size=30))
def test_what_is_cut_into_segments_is_all_there_in_order(
    entries: list[Entry], numbers: list[int]
) -> None:
    many = {f"{entry.path}/{n}": entry for entry in entries for n in numbers}
    ordered = [
        Entry(path, entry.kind, entry.size_bytes, entry.digest, chunks=entry.chunks)
        for path, entry in sorted(many.items())
    ]
    splitter = SegmentSplitter()
    done = [segment for entry in ordered if (segment := splitter.add(entry))]
    done.append(splitter.rest())
    assert [entry for segment in done for entry in segment] == ordered
    assert all(starts_segment(segment[0].path) for segment in done[1:])
    assert splitter.rest() == []

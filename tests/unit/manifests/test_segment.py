from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

import pytest

from artstore import limits
from artstore.canonical import encode
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, LimitExceededError, UnsupportedFormatError
from artstore.manifests.entry import FILE, TABLE, Entry, directory_entry, symlink_entry
from artstore.manifests.segment import (
    SegmentSplitter,
    decode_segment,
    encode_segment,
    starts_segment,
)
from artstore.packs.locator import ChunkRef
from artstore.packs.reflist import encode_refs
from tests.unit.packs.making import PACK, make_ref

SAME = b"\x0a" * 32


def file(path: str, number: int = 0) -> Entry:
    ref = make_ref(number)
    return Entry(path, FILE, 100, ref.digest, False, (ref,))


def plain(path: str, content: int = 0) -> Entry:
    return Entry(path, FILE, 0, digest_of(b"%d" % content))


def split(entries: Iterable[Entry]) -> list[list[Entry]]:
    splitter = SegmentSplitter()
    done = [segment for entry in entries if (segment := splitter.add(entry))]
    rest = splitter.rest()
    return [*done, rest] if rest else done


# bytes --------------------------------------------------------------------------


def test_the_bytes_of_a_segment_are_those_of_the_format() -> None:
    ref = ChunkRef(SAME, PACK, 3, 500, 60, 100, 1, 100)
    entries = [
        Entry("a", FILE, 100, SAME, True, (ref,)),
        symlink_entry("b", "a"),
    ]
    extras = b'{"1":{"target":"a"}}'
    assert encode_segment(entries) == b"".join(
        (
            struct.pack("<4sIII", b"ASG1", 2, 3, len(extras)),
            bytes([1, 3]),
            bytes([0b11, 0b10]),
            bytes([100, 1]) + bytes(14),
            bytes([1, 0]) + bytes(6),
            SAME,
            digest_of(b"a"),
            b"a\0b",
            extras,
            # The one chunk of a file has the digest of the file: it stands there once.
            encode_refs([ref], digests=b""),
        )
    )


def test_a_chunk_list_has_its_level_in_the_flags_and_digests_of_its_own() -> None:
    node = make_ref(1, span=5000)
    entry = Entry("a", FILE, 5000, SAME, False, (node,), level=2)
    data = encode_segment([entry])
    assert data[17] == 0b10_0010
    assert data.endswith(encode_refs([node]))
    assert decode_segment(data, where="it") == [entry]


def test_content_whose_one_chunk_has_another_digest_keeps_both() -> None:
    # A table is identified by its cells, its chunk by the encoded bytes.
    entry = Entry("t", TABLE, 100, SAME, False, (make_ref(1),))
    data = encode_segment([entry])
    assert data[17] == 0b110
    (found,) = decode_segment(data, where="it")
    assert found == entry
    assert found.chunks[0].digest != found.digest


def test_entries_of_a_kind_that_may_be_ignored_are_listed_without_a_guess() -> None:
    data = bytearray(encode_segment([replace(plain("a"), must_understand=False), plain("b")]))
    data[16] = 77
    known, other = decode_segment(bytes(data), where="it")
    assert (known.kind, known.path, known.must_understand) == ("unknown-77", "a", False)
    assert other == plain("b")


def test_entries_of_a_required_kind_that_is_unknown_stop_the_reader() -> None:
    data = bytearray(encode_segment([plain("a"), plain("b")]))
    data[17] = 77
    with pytest.raises(UnsupportedFormatError, match="'b' is of kind 77") as caught:
        decode_segment(bytes(data), where="it")
    assert caught.value.code == "entry-kind-unknown"
    assert caught.value.exit_status == 9


# what a hostile writer does -------------------------------------------------------


def with_head(count: int, paths_bytes: int, extras_bytes: int, size: int = 200) -> bytes:
    return struct.pack("<4sIII", b"ASG1", count, paths_bytes, extras_bytes) + bytes(size)


@pytest.mark.parametrize("count", [limits.SEGMENT_ENTRY_COUNT + 1, 2**32 - 1])
def test_too_many_entries_are_refused_before_any_is_built(count: int) -> None:
    with pytest.raises(LimitExceededError, match=str(count)):
        decode_segment(with_head(count, 0, 0), where="it")


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(LimitExceededError):
        decode_segment(with_head(1, 0, 0, limits.SEGMENT_MAX_BYTES), where="it")


@pytest.mark.parametrize(
    ("count", "paths_bytes", "extras_bytes"),
    [(5, 0, 0), (1, 2**32 - 1, 0), (1, 0, 2**32 - 1), (1, 2**31, 2**31), (8192, 0, 0)],
)
def test_lengths_that_the_bytes_do_not_bear_out_are_damage(
    count: int, paths_bytes: int, extras_bytes: int
) -> None:
    with pytest.raises(DamagedDataError):
        decode_segment(with_head(count, paths_bytes, extras_bytes), where="it")


def test_a_segment_without_entries_is_damage() -> None:
    with pytest.raises(DamagedDataError, match="without entries"):
        decode_segment(with_head(0, 0, 0, 8), where="it")


@pytest.mark.parametrize("count", [2, 1000, 2**32 - 1])
def test_an_entry_that_claims_more_chunks_than_are_listed_is_damage(count: int) -> None:
    data = bytearray(encode_segment([file("a")]))
    data[26:30] = count.to_bytes(4, "little")
    with pytest.raises(DamagedDataError):
        decode_segment(bytes(data), where="it")


@pytest.mark.parametrize("paths", [["b", "a"], ["a", "a"]])
def test_paths_out_of_order_are_damage(paths: list[str]) -> None:
    data = encode_segment([plain(path) for path in paths])
    with pytest.raises(DamagedDataError, match="order"):
        decode_segment(data, where="it")


@pytest.mark.parametrize("paths", [b"a\0", b"\0\0\0", b"abc"])
def test_another_number_of_paths_than_entries_is_damage(paths: bytes) -> None:
    sound = encode_segment([plain("a"), plain("b")])
    data = sound.replace(b"a\0b", paths)
    data = data[:8] + len(paths).to_bytes(4, "little") + data[12:]
    with pytest.raises(DamagedDataError):
        decode_segment(data, where="it")


def test_paths_that_are_not_utf_8_are_damage() -> None:
    data = encode_segment([plain("ab")]).replace(b"ab", b"\xff\xfe")
    with pytest.raises(DamagedDataError, match="UTF-8"):
        decode_segment(data, where="it")


@pytest.mark.parametrize(
    "extras",
    [
        [],
        "text",
        None,
        {"1": {}},
        {"-1": {}},
        {"00": {}},
        {"": {}},
        {"a": {}},
        {"0": []},
        {"0": None},
        {"\u0661": {}},
        {"9" * 5000: {}},
        {"0": {}, "8192": {}},
    ],
)
def test_fields_of_no_entry_are_damage(extras: object) -> None:
    text = encode(extras)
    data = encode_segment([plain("a")])
    head = data[:12] + len(text).to_bytes(4, "little")
    forged = head + data[16:-8] + text + data[-8:]
    with pytest.raises(DamagedDataError):
        decode_segment(forged, where="it")


def test_more_levels_than_the_format_has_are_damage() -> None:
    data = bytearray(encode_segment([plain("a")]))
    data[17] |= 5 << 4
    with pytest.raises(DamagedDataError, match="5 levels"):
        decode_segment(bytes(data), where="it")


def test_bytes_behind_the_last_column_are_damage() -> None:
    with pytest.raises(DamagedDataError, match="3 bytes too many"):
        decode_segment(encode_segment([file("a")]) + b"abc", where="it")


# where segments begin -----------------------------------------------------------


def test_the_same_paths_begin_segments_in_every_release() -> None:
    paths = [f"images/{i:05}.png" for i in range(3000)]
    assert [path for path in paths if starts_segment(path)] == GOLDEN_STARTS


def test_segments_have_about_the_size_that_is_aimed_at() -> None:
    sizes = [len(segment) for segment in split(plain(f"{i:06}") for i in range(100_000))]
    assert sum(sizes) == 100_000
    assert 400 < 100_000 / len(sizes) < 650
    assert max(sizes) <= limits.SEGMENT_ENTRY_COUNT


def unshared(before: list[list[Entry]], after: list[list[Entry]]) -> int:
    """Segments of `after` that are not segments of `before`."""
    known = {segment[0].path: segment for segment in before}
    return sum(known.get(segment[0].path) != segment for segment in after)


def test_ten_scattered_changes_leave_all_but_ten_segments_as_they_are() -> None:
    entries = [plain(f"{i % 200:03}/{i // 200:05}") for i in range(100_000)]
    entries.sort(key=lambda entry: entry.path)
    changed = list(entries)
    for i in range(10):
        changed[i * 9973 + 5] = replace(changed[i * 9973 + 5], digest=SAME)
    before, after = split(entries), split(changed)
    assert len(before) == len(after)
    assert 0 < unshared(before, after) <= 10


def test_a_new_path_changes_one_segment_or_divides_it() -> None:
    entries = [plain(f"{i:05}") for i in range(0, 40_000, 2)]
    before = split(entries)
    for i in (1, 10_001, 39_999):
        new = plain(f"{i:05}")
        after = split(sorted([*entries, new], key=lambda entry: entry.path))
        assert unshared(before, after) == 1 + starts_segment(new.path)


def test_a_path_that_goes_changes_one_segment_unless_it_began_one() -> None:
    entries = [plain(f"{i:05}") for i in range(20_000)]
    before = split(entries)
    inside = next(entry for entry in entries[5000:] if not starts_segment(entry.path))
    first = next(entry for entry in entries[5000:] if starts_segment(entry.path))
    for gone in (inside, first):
        after = split(entry for entry in entries if entry is not gone)
        assert unshared(before, after) == 1


def test_paths_that_avoid_every_boundary_are_cut_all_the_same() -> None:
    paths = [path for i in range(30_000) if not starts_segment(path := f"{i:06}")]
    sizes = [len(segment) for segment in split(plain(path) for path in paths[:20_000])]
    assert sizes == [8192, 8192, 20_000 - 2 * 8192]


def test_long_paths_keep_segments_readable() -> None:
    paths = [f"{i:05}" + "\u20ac" * 1360 for i in range(2000)]
    segments = split(plain(path) for path in paths)
    assert sum(map(len, segments)) == 2000
    for segment in segments:
        data = encode_segment(segment)
        assert len(data) <= limits.SEGMENT_MAX_BYTES
        assert len(decode_segment(data, where="it")) == len(segment)


def test_chunks_of_many_packs_keep_segments_readable() -> None:
    chunks = tuple(make_ref(i, pack=i.to_bytes(40, "big")) for i in range(64))
    entries = [Entry(f"{i:05}", FILE, 6400, SAME, False, chunks) for i in range(2000)]
    segments = split(entries)
    assert sum(map(len, segments)) == 2000
    assert all(len(encode_segment(segment)) <= limits.SEGMENT_MAX_BYTES for segment in segments)


def test_an_entry_beyond_the_limit_is_refused_by_name() -> None:
    entry = replace(symlink_entry("huge", "x"), extra={"target": "x" * limits.ENTRY_MAX_BYTES})
    with pytest.raises(LimitExceededError, match="'huge'"):
        SegmentSplitter().add(entry)


def test_nothing_is_cut_into_nothing() -> None:
    assert SegmentSplitter().rest() == []
    splitter = SegmentSplitter()
    assert splitter.add(directory_entry("d")) is None
    assert splitter.rest() == [directory_entry("d")]


GOLDEN_STARTS = [
    "images/00094.png",
    "images/00824.png",
    "images/01257.png",
    "images/01375.png",
    "images/01529.png",
    "images/01600.png",
    "images/02459.png",
    "images/02591.png",
    "images/02745.png",
]

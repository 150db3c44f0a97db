from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from artstore import limits
from artstore.chunks import codec
from artstore.digest import digest_of
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    LimitExceededError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.manifests import reader as reader_module
from artstore.manifests.entry import FILE, Entry, directory_entry, symlink_entry
from artstore.manifests.reader import Manifest, root_digest_of_key, root_key
from artstore.manifests.root import Root, SegmentRef, encode_root, encode_segment_list
from artstore.manifests.segment import encode_segment
from artstore.packs.format import KIND_SEGMENT
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.testing.faults import FaultPlan, FaultyStorage
from tests.unit.packs.making import PUSH, Push, Version, content, noise, open_version

T = TypeVar("T")


@pytest.fixture
def storage() -> MeteredStorage:
    return MeteredStorage(MemoryStorage())


def path_of(number: int) -> str:
    return f"d{number // 1000:03}/f{number:06}"


def version_of(
    storage: MeteredStorage,
    count: int,
    *,
    inline_bytes: int = limits.INLINE_SEGMENTS_BYTES,
    root_segments: int = 8192,
) -> str:
    push = Push(storage)
    version = Version(push, inline_bytes=inline_bytes, root_segments=root_segments)
    for i in range(count):
        version.add(push.file(path_of(i), noise(100, str(i))))
    return version.finish()


def take(found: Iterator[T], given: list[T]) -> None:
    """Keep what comes before an error, which `list()` would lose."""
    for one in found:
        given.append(one)  # noqa: PERF402


def reads(storage: MeteredStorage) -> tuple[int, int, int]:
    """Stats, calls of read, ranges read."""
    counts = storage.snapshot()
    return counts["stat"].calls, counts["read"].calls, counts["read"].items


# request budgets -----------------------------------------------------------------


def test_opening_a_version_costs_one_read(storage: MeteredStorage) -> None:
    key = version_of(storage, 5000)
    storage.reset()
    open_version(storage, key)
    assert reads(storage) == (0, 1, 1)


def test_one_file_of_many_costs_one_segment_and_one_range(storage: MeteredStorage) -> None:
    manifest, packs = open_version(storage, version_of(storage, 20_000, inline_bytes=0))
    assert len(manifest.segment_refs()) > 20
    storage.reset()
    assert content(manifest, packs, path_of(12_345)) == noise(100, "12345")
    assert reads(storage) == (0, 2, 2)
    assert storage.snapshot()["read"].size_bytes < 200_000


def test_one_file_of_a_small_version_costs_one_range(storage: MeteredStorage) -> None:
    manifest, packs = open_version(storage, version_of(storage, 100))
    storage.reset()
    assert content(manifest, packs, path_of(50)) == noise(100, "50")
    assert reads(storage) == (0, 1, 1)


def test_a_path_that_is_not_there_costs_one_segment(storage: MeteredStorage) -> None:
    manifest, _ = open_version(storage, version_of(storage, 20_000, inline_bytes=0))
    storage.reset()
    for path in ("d012/f012345x", "d012"):
        with pytest.raises(NotFoundError) as caught:
            manifest.entry(path)
        assert caught.value.code == "entry-not-found"
    assert reads(storage) == (0, 2, 2)
    with pytest.raises(NotFoundError):
        manifest.entry("before all others")
    assert reads(storage) == (0, 2, 2)


def test_listing_a_version_reads_its_segments_in_one_range(storage: MeteredStorage) -> None:
    manifest, _ = open_version(storage, version_of(storage, 20_000, inline_bytes=0))
    storage.reset()
    assert sum(1 for _ in manifest.entries()) == 20_000
    assert reads(storage) == (0, 1, 1)


def test_reading_a_version_coalesces_its_chunks(storage: MeteredStorage) -> None:
    manifest, packs = open_version(storage, version_of(storage, 20_000, inline_bytes=0))
    refs = [ref for entry in manifest.entries() for ref in manifest.chunks(entry)]
    storage.reset()
    assert sum(len(plain) for plain in packs.chunks(refs)) == 2_000_000
    assert reads(storage) == (0, 1, 1)


def test_a_folder_costs_the_segments_that_it_lies_in(storage: MeteredStorage) -> None:
    manifest, _ = open_version(storage, version_of(storage, 20_000, inline_bytes=0))
    storage.reset()
    found = [entry.path for entry in manifest.entries("d007/")]
    assert found == [path_of(i) for i in range(7000, 8000)]
    assert reads(storage) == (0, 1, 1)
    assert storage.snapshot()["read"].size_bytes < 300_000


def test_the_lists_of_a_huge_version_are_read_together(storage: MeteredStorage) -> None:
    key = version_of(storage, 20_000, inline_bytes=0, root_segments=8)
    storage.reset()
    manifest, packs = open_version(storage, key)
    lists = manifest._root.segments
    assert manifest._root.level == 1
    assert len(lists) > 2
    assert reads(storage) == (0, 2, 2)
    storage.reset()
    assert content(manifest, packs, path_of(19_999)) == noise(100, "19999")
    assert reads(storage) == (0, 2, 2)


def test_the_chunk_lists_of_a_large_file_are_read_together(storage: MeteredStorage) -> None:
    push = Push(storage)
    version = Version(push)
    plains = [b"%d" % i for i in range(10_000)]
    version.add_large("big", plains, inline=64, compact=20_000)
    manifest, packs = open_version(storage, version.finish())
    entry = manifest.entry("big")
    assert len(entry.chunks) > 20
    storage.reset()
    refs = list(manifest.chunks(entry))
    assert reads(storage) == (0, 1, 1)
    assert b"".join(bytes(plain) for plain in packs.chunks(refs)) == b"".join(plains)


# prefixes ------------------------------------------------------------------------

PATHS = [
    "a", "a b", "a-b", "a/b", "a/b/c", "a/\U0010ffff", "a/\U0010ffff\U0010ffff/x", "a0", "b",
    "b/c", "e\u0301", "\u00e9", "\u00e9/x", "\U0010ffff", "\U0010ffff\U0010ffff",
]  # fmt: skip


@pytest.fixture(params=["in the root", "a segment each"])
def listed(request: pytest.FixtureRequest, storage: MeteredStorage) -> Manifest:
    entries = [directory_entry(path) for path in PATHS]
    if request.param == "in the root":
        key = Version(Push(storage)).add(*entries).finish()
        return open_version(storage, key)[0]
    return forged_version(storage, [[entry] for entry in entries])


@pytest.mark.parametrize("prefix", ["", *PATHS, "a/", "zz", " ", "\u00e9/", "a/\U0010ffff/"])
def test_a_prefix_gives_all_that_start_with_it_and_nothing_else(
    listed: Manifest, prefix: str
) -> None:
    expected = [path for path in PATHS if path.startswith(prefix)]
    assert [entry.path for entry in listed.entries(prefix)] == expected


def test_each_path_is_found_by_itself(listed: Manifest) -> None:
    assert [listed.entry(path).path for path in PATHS] == PATHS


def test_segments_may_be_left_out(storage: MeteredStorage) -> None:
    manifest, _ = open_version(storage, version_of(storage, 5000, inline_bytes=0))
    refs = manifest.segment_refs()
    skipped = {ref.digest for ref in refs[1::2]}
    storage.reset()
    left = list(manifest.entries(skip=skipped))
    assert 0 < len(left) < 5000
    assert [entry.path for entry in left] == sorted(entry.path for entry in left)
    assert list(manifest.entries(skip={ref.digest for ref in refs})) == []


# damage --------------------------------------------------------------------------


def test_a_missing_root_is_damage_that_says_what_to_do(storage: MeteredStorage) -> None:
    key = root_key(digest_of(b"gone"), PUSH)
    with pytest.raises(DamagedDataError, match="missing from memory://") as caught:
        open_version(storage, key)
    assert caught.value.code == "manifest-missing"
    assert caught.value.hint is not None


def test_of_a_root_that_is_too_large_no_more_is_read_than_one_may_have(
    storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = version_of(storage, 10)
    storage.reset()
    monkeypatch.setattr(limits, "ROOT_MAX_BYTES", 100)
    with pytest.raises(LimitExceededError, match="manifest root"):
        open_version(storage, key)
    assert storage.snapshot()["read"].size_bytes == 101


def test_every_flipped_bit_of_a_root_is_found() -> None:
    memory = MemoryStorage()
    key = Version(Push(memory)).add(symlink_entry("a", "b")).finish()
    for bit in range(8 * memory.stat(key).size_bytes):
        faulty = FaultyStorage(memory, FaultPlan(flip_bit_in="manifests/", flip_bit_at=bit))
        with pytest.raises(DamagedDataError) as caught:
            open_version(faulty, key)
        assert caught.value.code == "manifest-damaged"
        assert caught.value.context["key"] == key


def test_a_flipped_bit_of_a_segment_stops_the_listing_there() -> None:
    memory = MemoryStorage()
    key = version_of(MeteredStorage(memory), 3000, inline_bytes=0)
    damaged_ref = open_version(memory, key)[0].segment_refs()[2]
    bit = 8 * (damaged_ref.offset_bytes + damaged_ref.stored_bytes // 2)
    faulty = FaultyStorage(memory, FaultPlan(flip_bit_in="packs/", flip_bit_at=bit))
    given: list[Entry] = []
    with pytest.raises(DamagedDataError):
        take(open_version(faulty, key)[0].entries(), given)
    assert given
    assert [entry.path for entry in given] == [path_of(i) for i in range(len(given))]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "manifests",
        "manifests/00/x",
        root_key(bytes(32), PUSH)[:-1],
        root_key(bytes(32), PUSH) + "00",
        root_key(bytes(32), PUSH).replace("-", "--"),
        root_key(bytes(32), PUSH).replace("manifests", "packs"),
        root_key(b"\xab" * 32, PUSH).upper(),
    ],
)
def test_what_is_no_key_of_a_root_is_not_read(storage: MeteredStorage, key: str) -> None:
    with pytest.raises(DamagedDataError) as caught:
        open_version(storage, key)
    assert caught.value.code == "key-unexpected"
    assert root_digest_of_key(root_key(bytes(32), PUSH)) == bytes(32)


# hostile versions: every digest agrees ------------------------------------------------


def put_root(storage: MeteredStorage, root: Root) -> str:
    data = encode_root(root)
    key = root_key(digest_of(data), PUSH)
    storage.create(key, data)
    return key


def put_chunks(storage: MeteredStorage, datas: list[bytes]) -> list[ChunkRef]:
    push = Push(storage, digest_of(b"".join(datas))[:8])
    for data in datas:
        coding, stored = codec.encode(data, sampled=False)
        push.data.add(digest_of(data), coding, stored, len(data), kind=KIND_SEGMENT)
    return push.closed(*datas)


def forged_version(storage: MeteredStorage, segments: list[list[Entry]]) -> Manifest:
    refs = put_chunks(storage, [encode_segment(entries) for entries in segments])
    listed = tuple(
        SegmentRef(ref, entries[0].path, len(entries))
        for ref, entries in zip(refs, segments, strict=True)
    )
    return open_version(storage, put_root(storage, Root({}, segments=listed)))[0]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "..",
        ".",
        "a/./b",
        "a//b",
        "a/",
        "x" * 5000,
        "\u00e9" * 2049,
    ],
)
@pytest.mark.parametrize("inline", [True, False])
def test_paths_that_would_leave_the_target_are_refused(
    storage: MeteredStorage, path: str, inline: bool
) -> None:
    entries = sorted([directory_entry(path), directory_entry("harmless")], key=lambda e: e.path)
    if inline:
        key = put_root(storage, Root({}, inline=(encode_segment(entries),)))
        manifest, _ = open_version(storage, key)
    else:
        manifest = forged_version(storage, [entries])
    for look in (lambda: list(manifest.entries()), lambda: manifest.entry(path)):
        with pytest.raises(DamagedDataError) as caught:
            look()
        assert caught.value.code == "path-refused"
        assert caught.value.context["path"] == path


def test_an_empty_path_is_refused(storage: MeteredStorage) -> None:
    manifest = forged_version(storage, [[directory_entry("")]])
    with pytest.raises(DamagedDataError):
        list(manifest.entries())
    with pytest.raises(DamagedDataError):
        manifest.entry("")


def test_segments_that_overlap_are_damage(storage: MeteredStorage) -> None:
    manifest = forged_version(
        storage, [[directory_entry("a"), directory_entry("d")], [directory_entry("c")]]
    )
    with pytest.raises(DamagedDataError, match="'c' comes after 'd'"):
        list(manifest.entries())


def test_segments_out_of_order_are_damage_when_opened(storage: MeteredStorage) -> None:
    data = tuple(encode_segment([directory_entry(path)]) for path in ("b", "a"))
    with pytest.raises(DamagedDataError, match="out of order"):
        open_version(storage, put_root(storage, Root({}, inline=data)))


@pytest.mark.parametrize(("first_path", "count"), [("a", 3), ("a", 1), ("b", 2), ("A", 2)])
def test_a_segment_that_is_not_the_one_announced_is_damage(
    storage: MeteredStorage, first_path: str, count: int
) -> None:
    (ref,) = put_chunks(storage, [encode_segment([directory_entry("a"), directory_entry("b")])])
    listed = (SegmentRef(ref, first_path, count),)
    manifest, _ = open_version(storage, put_root(storage, Root({}, segments=listed)))
    with pytest.raises(DamagedDataError, match="another one"):
        list(manifest.entries())


def test_a_segment_without_entries_is_damage(storage: MeteredStorage) -> None:
    with pytest.raises(DamagedDataError, match="without entries"):
        open_version(storage, put_root(storage, Root({}, inline=(encode_segment([]),))))


def test_segments_both_listed_and_inlined_are_damage(storage: MeteredStorage) -> None:
    data = encode_segment([directory_entry("a")])
    (ref,) = put_chunks(storage, [data])
    root = Root({}, segments=(SegmentRef(ref, "a", 1),), inline=(data,))
    with pytest.raises(DamagedDataError, match="both"):
        open_version(storage, put_root(storage, root))


def lists_of(storage: MeteredStorage, *lists: tuple[list[SegmentRef], int]) -> list[ChunkRef]:
    return put_chunks(storage, [encode_segment_list(below, level) for below, level in lists])


def leaves(storage: MeteredStorage, *paths: str) -> list[SegmentRef]:
    refs = put_chunks(storage, [encode_segment([directory_entry(path)]) for path in paths])
    return [SegmentRef(ref, path, 1) for ref, path in zip(refs, paths, strict=True)]


@pytest.mark.parametrize(
    ("level", "first_path", "count"), [(1, "a", 2), (0, "b", 2), (0, "a", 1), (0, "a", 3)]
)
def test_a_list_that_is_not_the_one_announced_is_damage(
    storage: MeteredStorage, level: int, first_path: str, count: int
) -> None:
    (ref,) = lists_of(storage, (leaves(storage, "a", "b"), level))
    root = Root({}, 1, (SegmentRef(ref, first_path, count),))
    with pytest.raises(DamagedDataError, match="list"):
        open_version(storage, put_root(storage, root))


def test_a_list_named_twice_is_damage(storage: MeteredStorage) -> None:
    # Else lists of lists of one list stand for more segments than memory holds.
    (ref,) = lists_of(storage, (leaves(storage, "a", "b"), 0))
    root = Root({}, 1, (SegmentRef(ref, "a", 2), SegmentRef(ref, "aa", 2)))
    with pytest.raises(DamagedDataError, match="another one"):
        open_version(storage, put_root(storage, root))


def test_lists_that_overlap_are_damage(storage: MeteredStorage) -> None:
    one, other = lists_of(storage, (leaves(storage, "a", "d"), 0), (leaves(storage, "c", "e"), 0))
    root = Root({}, 1, (SegmentRef(one, "a", 2), SegmentRef(other, "c", 2)))
    with pytest.raises(DamagedDataError, match="out of order"):
        open_version(storage, put_root(storage, root))


def test_an_empty_list_is_damage(storage: MeteredStorage) -> None:
    (ref,) = lists_of(storage, ([], 0))
    with pytest.raises(DamagedDataError):
        open_version(storage, put_root(storage, Root({}, 1, (SegmentRef(ref, "a", 1),))))


def test_lists_of_lists_are_read_as_deep_as_the_format_goes(storage: MeteredStorage) -> None:
    below = leaves(storage, "a", "b")
    for level in range(limits.TREE_MAX_LEVELS):
        (ref,) = lists_of(storage, (below, level))
        below = [SegmentRef(ref, "a", 2)]
    root = Root({}, limits.TREE_MAX_LEVELS, tuple(below))
    manifest, _ = open_version(storage, put_root(storage, root))
    assert [entry.path for entry in manifest.entries()] == ["a", "b"]
    assert len(manifest.list_refs()) == limits.TREE_MAX_LEVELS


def test_more_segments_than_memory_should_hold_are_refused(
    storage: MeteredStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "SEGMENTS_MAX", 2)
    forged_version(storage, [[directory_entry("a")], [directory_entry("b")]])
    with pytest.raises(LimitExceededError):
        forged_version(storage, [[directory_entry(path)] for path in "abc"])


def test_a_segment_of_a_newer_release_stops_the_reader_and_not_the_segments_before_it(
    storage: MeteredStorage,
) -> None:
    newer = bytearray(encode_segment([directory_entry("b")]))
    newer[16] = 99
    refs = put_chunks(storage, [encode_segment([directory_entry("a")]), bytes(newer)])
    listed = tuple(SegmentRef(ref, path, 1) for ref, path in zip(refs, "ab", strict=True))
    manifest, _ = open_version(storage, put_root(storage, Root({}, segments=listed)))
    entries = manifest.entries()
    assert next(entries).path == "a"
    with pytest.raises(UnsupportedFormatError):
        next(entries)


@pytest.mark.parametrize("size_bytes", [0, 199, 201, 2**63])
def test_chunks_that_do_not_make_up_their_file_are_damage(
    storage: MeteredStorage, size_bytes: int
) -> None:
    refs = Push(storage, b"contents").closed(noise(100, "a"), noise(100, "b"))
    entry = Entry("f", FILE, size_bytes, bytes(32), False, tuple(refs))
    manifest = forged_version(storage, [[entry]])
    given: list[ChunkRef] = []
    with pytest.raises(DamagedDataError, match="'f'"):
        take(manifest.chunks(manifest.entry("f")), given)
    # Never more than the file is said to have: that much room was looked for.
    assert sum(ref.plain_bytes for ref in given) <= size_bytes


def test_a_file_of_no_bytes_has_no_chunks(storage: MeteredStorage) -> None:
    entry = Entry("f", FILE, 0, digest_of(b""))
    manifest = forged_version(storage, [[entry]])
    assert list(manifest.chunks(manifest.entry("f"))) == []


def test_lists_of_chunks_are_checked_like_chunks(storage: MeteredStorage) -> None:
    push = Push(storage)
    version = Version(push)
    version.add_large("big", [b"%d" % i for i in range(100)], inline=1, compact=5000)
    manifest, packs = open_version(storage, version.finish())
    (node,) = manifest.entry("big").chunks
    assert len(bytes(packs.chunk(node))) == node.plain_bytes
    wrong = node._replace(digest=bytes(32))
    entry = Entry("big", FILE, 10, bytes(32), False, (wrong,), 1)
    with pytest.raises(DamagedDataError):
        list(manifest.chunks(entry))


def test_whatever_a_root_is_cut_to_it_is_an_error_of_ours(storage: MeteredStorage) -> None:
    data = encode_root(Root({}, inline=(encode_segment([directory_entry("a")]),)))
    for size in range(len(data)):
        key = root_key(digest_of(data[:size]), PUSH)
        storage.create(key, data[:size])
        with pytest.raises(ArtstoreError):
            Manifest.open(storage, PackReader(storage), key)

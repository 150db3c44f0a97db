from __future__ import annotations

import random

import pytest

from artstore import limits
from artstore.digest import digest_of
from artstore.errors import LimitExceededError
from artstore.manifests import writer as writer_module
from artstore.manifests.entry import Entry, directory_entry, symlink_entry
from artstore.manifests.reader import Manifest
from artstore.manifests.root import decode_root, decode_segment_list
from artstore.manifests.segment import decode_segment, starts_segment
from artstore.manifests.tree import decode_node
from artstore.packs.format import KIND_CHUNK_LIST, KIND_FILE, KIND_SEGMENT, KIND_SEGMENT_LIST
from artstore.packs.locator import ChunkRef, pack_id_of_key
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.unit.packs.making import Push, Version, content, noise, open_version

SECOND = b"\2" * 8


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def path_of(number: int) -> str:
    return f"d{number // 100:04}/f{number:06}"


def push_files(
    storage: MemoryStorage | MeteredStorage,
    count: int,
    *,
    push_id: bytes = b"\1" * 8,
    changed: frozenset[int] = frozenset(),
    known: dict[bytes, ChunkRef] | None = None,
    parent: Manifest | None = None,
    **options: int,
) -> tuple[str, Push]:
    """Many small files; those that the parent has are referred to, as a push does."""
    target_bytes = options.pop("target_bytes", limits.PACK_TARGET_BYTES)
    push = Push(storage, push_id, target_bytes=target_bytes)
    version = Version(push, known, **options)
    old = {entry.path: entry for entry in parent.entries()} if parent is not None else {}
    for i in range(count):
        path = path_of(i)
        if path in old and i not in changed:
            version.add(old[path])
        else:
            version.add(push.file(path, b"%d %d" % (i, i in changed)))
    return version.finish(type="dataset"), push


def chunks_by_kind(storage: MemoryStorage, push: Push) -> dict[int, list[tuple[bytes, bytes]]]:
    """(pack, plain bytes) of what a push stored, by the kind in its footers."""
    packs = PackReader(storage)
    found: dict[int, list[tuple[bytes, bytes]]] = {kind: [] for kind in range(4)}
    for key in push.keys:
        pack = pack_id_of_key(key)
        footer = packs.footer(pack)
        columns = zip(
            footer.digests,
            footer.offsets_bytes(),
            footer.stored_bytes,
            footer.plain_bytes,
            footer.codecs,
            footer.kinds,
            strict=True,
        )
        for i, (digest, offset, stored, plain, codec, kind) in enumerate(columns):
            ref = ChunkRef(digest, pack, i, offset, stored, plain, codec, plain)
            found[kind].append((pack, bytes(packs.chunk(ref))))
    return found


# small versions ------------------------------------------------------------------


def test_a_small_version_is_one_pack_and_its_root(storage: MemoryStorage) -> None:
    key, push = push_files(storage, 20)
    assert len(push.keys) == 1
    assert len(list(storage.scan(""))) == 2
    manifest, packs = open_version(storage, key)
    assert manifest.segment_refs() == []
    assert content(manifest, packs, path_of(7)) == b"7 0"


def test_a_version_of_nothing_is_a_root_without_segments(storage: MemoryStorage) -> None:
    key, push = push_files(storage, 0)
    assert push.keys == []
    manifest, _ = open_version(storage, key)
    assert list(manifest.entries()) == []
    assert manifest.entry_count == 0


def test_entries_without_bytes_need_no_pack(storage: MemoryStorage) -> None:
    push = Push(storage)
    entries = [directory_entry("a"), symlink_entry("b", "a")]
    key = Version(push).add(*entries).finish()
    assert push.keys == []
    assert list(open_version(storage, key)[0].entries()) == entries


@pytest.mark.parametrize("inline_bytes", [0, 1, 30_000, 60_000, 10**6])
def test_segments_travel_in_the_root_up_to_a_limit(
    storage: MemoryStorage, inline_bytes: int
) -> None:
    key, push = push_files(storage, 2000, inline_bytes=inline_bytes)
    root = decode_root(storage.read(key), where="root")
    size = sum(map(len, root.inline))
    assert size <= inline_bytes
    assert bool(root.inline) != bool(root.segments)
    stored = chunks_by_kind(storage, push)[KIND_SEGMENT]
    assert len(stored) == len(root.segments)
    manifest, packs = open_version(storage, key)
    assert [entry.path for entry in manifest.entries()] == [path_of(i) for i in range(2000)]
    assert content(manifest, packs, path_of(1999)) == b"1999 0"


def test_the_header_comes_back(storage: MemoryStorage) -> None:
    key = Version(Push(storage)).finish(type="model", metadata={"a": [1, None]})
    header = open_version(storage, key)[0].header
    assert header == {"format": 1, "type": "model", "metadata": {"a": [1, None]}}


# packs that close at awkward moments ------------------------------------------------


@pytest.mark.parametrize("target_bytes", [1, 40, 100, 1000, 100_000])
@pytest.mark.parametrize("inline_bytes", [0, 1000, 10**6])
def test_packs_may_close_at_any_moment(
    storage: MemoryStorage, target_bytes: int, inline_bytes: int
) -> None:
    push = Push(storage, target_bytes=target_bytes)
    version = Version(push, inline_bytes=inline_bytes)
    shuffled = random.Random(target_bytes)
    expected: dict[str, bytes] = {}
    for i in range(700):
        path = path_of(i)
        pieces = [noise(shuffled.randrange(1, 30), f"{i} {k}") for k in range(i % 3)]
        expected[path] = b"".join(pieces)
        version.add(push.file(path, *pieces))
        if i % 97 == 0:
            push.data.close_pack()
        if i % 71 == 0:
            lists = [noise(10, f"{i} {k % 7}") for k in range(40 + i % 5)]
            expected[path + "l"] = b"".join(lists)
            version.add_large(path + "l", lists, inline=1 + i % 3, compact=10)
    manifest, packs = open_version(storage, version.finish())
    found = {entry.path: entry for entry in manifest.entries()}
    assert list(found) == sorted(expected)
    for path, entry in found.items():
        assert entry.digest == digest_of(expected[path])
    for path in list(expected)[::37] + [path for path in expected if path.endswith("l")]:
        assert content(manifest, packs, path) == expected[path]


@pytest.mark.parametrize("target_bytes", [1, 300, 100_000])
def test_no_value_lies_in_a_pack_that_it_names(storage: MemoryStorage, target_bytes: int) -> None:
    push = Push(storage, target_bytes=target_bytes)
    version = Version(push, inline_bytes=0, root_segments=2)
    for i in range(3000):
        version.add(push.file(path_of(i), b"%d" % i))
        if i % 500 == 0:
            plains = [b"%d %d" % (i, k) for k in range(1200)]
            version.add_large(path_of(i) + "l", plains, inline=1, compact=5000)
    version.finish()
    stored = chunks_by_kind(storage, push)
    assert all(stored[kind] for kind in (KIND_FILE, KIND_CHUNK_LIST, KIND_SEGMENT))
    assert stored[KIND_SEGMENT_LIST]
    for pack, data in stored[KIND_CHUNK_LIST]:
        assert pack not in {ref.pack for ref in decode_node(data, where="it")}
    for pack, data in stored[KIND_SEGMENT]:
        entries = decode_segment(data, where="it")
        assert pack not in {ref.pack for entry in entries for ref in entry.chunks}
    for pack, data in stored[KIND_SEGMENT_LIST]:
        segments, _, _ = decode_segment_list(data, where="it")
        assert pack not in {segment.ref.pack for segment in segments}


def test_where_packs_close_does_not_change_what_the_entries_are(storage: MemoryStorage) -> None:
    found = []
    for number, target_bytes in enumerate((50, 10_000)):
        key, _ = push_files(storage, 1500, push_id=bytes([number]) * 8, target_bytes=target_bytes)
        entries = open_version(storage, key)[0].entries()
        found.append([(entry.path, entry.digest) for entry in entries])
    assert found[0] == found[1]


def test_the_same_push_again_writes_the_same_bytes_but_for_its_id() -> None:
    values = []
    for _ in range(2):
        storage = MemoryStorage()
        push_files(storage, 1500, target_bytes=5000, inline_bytes=0)
        values.append([(info.key, storage.read(info.key)) for info in storage.scan("")])
    assert values[0] == values[1]


def test_entries_wait_in_memory_no_longer_than_their_pack_is_open(storage: MemoryStorage) -> None:
    push = Push(storage, target_bytes=1000)
    version = Version(push, inline_bytes=0)
    waiting = []
    for i in range(30_000):
        version.add(push.file(path_of(i), b"%d" % i))
        writer = version.writer
        waiting.append(len(writer._waiting) + sum(len(entries) for _, entries in writer._unwritten))
    assert max(waiting) < 3000
    version.finish()


def test_chunks_repeated_in_one_file_make_equal_lists_that_are_stored_once(
    storage: MemoryStorage,
) -> None:
    push = Push(storage)
    version = Version(push)
    version.add_large("zeros", [bytes(100)] * 20_000, inline=1, compact=5000)
    version.add_large("zeros too", [bytes(100)] * 20_000, inline=1, compact=5000)
    key = version.finish()
    lists = [data for _, data in chunks_by_kind(storage, push)[KIND_CHUNK_LIST]]
    assert len(lists) == len(set(lists))
    assert len(push.keys) == len(set(push.keys))
    manifest, packs = open_version(storage, key)
    assert content(manifest, packs, "zeros") == bytes(2_000_000)
    assert content(manifest, packs, "zeros too") == bytes(2_000_000)


# sharing ------------------------------------------------------------------------


def known_of(manifest: Manifest) -> dict[bytes, ChunkRef]:
    return {ref.digest: ref for ref in (*manifest.segment_refs(), *manifest.list_refs())}


def test_an_unchanged_version_stores_a_root_and_nothing_else(storage: MemoryStorage) -> None:
    key, _ = push_files(storage, 3000, inline_bytes=0, root_segments=3)
    manifest, _ = open_version(storage, key)
    _, again = push_files(
        storage,
        3000,
        push_id=SECOND,
        known=known_of(manifest),
        parent=manifest,
        inline_bytes=0,
        root_segments=3,
    )
    assert again.keys == []


def test_a_change_stores_the_segment_it_falls_in_and_names_the_others(
    storage: MemoryStorage,
) -> None:
    key, _ = push_files(storage, 6000, inline_bytes=0)
    before, _ = open_version(storage, key)
    known = known_of(before)
    changed = frozenset({11, 3500})
    push = Push(storage, SECOND)
    version = Version(push, known, inline_bytes=0)
    old = {entry.path: entry for entry in before.entries()}
    for i in range(6000):
        path = path_of(i)
        version.add(push.file(path, b"new %d" % i) if i in changed else old[path])
    second = version.finish()
    stored = chunks_by_kind(storage, push)
    assert len(stored[KIND_FILE]) == len(stored[KIND_SEGMENT]) == 2
    after, packs = open_version(storage, second)
    shared = {ref.digest for ref in after.segment_refs()} & set(known)
    assert len(shared) == len(after.segment_refs()) - 2
    assert {ref.digest for ref in version.writer.relied} == shared
    assert content(after, packs, path_of(3500)) == b"new 3500"
    assert content(after, packs, path_of(3501)) == b"3501 0"


def test_chunk_lists_of_an_earlier_version_are_shared(storage: MemoryStorage) -> None:
    plains = [noise(50, str(i)) for i in range(3000)]
    push = Push(storage)
    version = Version(push)
    version.add_large("big", plains, inline=4, compact=5000)
    before, packs = open_version(storage, version.finish())
    places = {ref.digest: ref for ref in before.chunks(before.entry("big"))}

    known: dict[bytes, ChunkRef] = {}
    pending = [(ref, before.entry("big").level) for ref in before.entry("big").chunks]
    while pending:
        ref, level = pending.pop()
        known[ref.digest] = ref
        if level > 1:
            below = decode_node(bytes(packs.chunk(ref)), where="it")
            pending += [(child, level - 1) for child in below]

    second = Push(storage, SECOND)
    again = Version(second, known)
    changed = [*plains[:1500], b"something else", *plains[1500:]]
    real_chunk = second.chunk
    second.chunk = lambda plain, **kind: (  # type: ignore[method-assign]
        places.get(digest_of(plain)) or real_chunk(plain, **kind)
    )
    again.add_large("big", changed, inline=4, compact=5000)
    key = again.finish()
    stored = chunks_by_kind(storage, second)
    assert len(stored[KIND_FILE]) == 1
    assert len(stored[KIND_CHUNK_LIST]) <= 3
    assert len(again.writer.relied) >= 5
    assert content(*open_version(storage, key), "big") == b"".join(changed)


def test_what_is_known_under_another_span_is_shared_with_its_own(storage: MemoryStorage) -> None:
    plains = [b"%d" % i for i in range(20)]
    push = Push(storage)
    version = Version(push)
    version.add_large("a", plains, inline=1, compact=5000)
    before, _ = open_version(storage, version.finish())
    (node,) = before.entry("a").chunks
    second = Push(storage, SECOND)
    # The footer of a pack tells no span: an index knows a node as so many plain bytes.
    again = Version(second, {node.digest: node._replace(span_bytes=node.plain_bytes)})
    folder_chunks = list(before.chunks(before.entry("a")))
    second.chunk = lambda plain, **_: folder_chunks.pop(0)  # type: ignore[method-assign]
    again.add_large("a", plains, inline=1, compact=5000)
    after, packs = open_version(storage, again.finish())
    assert after.entry("a").chunks == (node,)
    assert content(after, packs, "a") == b"".join(plains)


# many segments -------------------------------------------------------------------


@pytest.mark.parametrize(("root_segments", "levels"), [(100, 0), (12, 1), (3, 2)])
def test_more_segments_than_a_root_takes_are_listed_in_lists(
    storage: MemoryStorage, root_segments: int, levels: int
) -> None:
    key, push = push_files(storage, 12_000, inline_bytes=0, root_segments=root_segments)
    root = decode_root(storage.read(key), where="root")
    assert root.level == levels
    assert 0 < len(root.segments) <= root_segments
    manifest, packs = open_version(storage, key)
    assert manifest.entry_count == 12_000
    assert sum(segment.entry_count for segment in root.segments) == 12_000
    assert [entry.path for entry in manifest.entries()] == [path_of(i) for i in range(12_000)]
    assert content(manifest, packs, path_of(11_999)) == b"11999 0"
    lists = chunks_by_kind(storage, push)[KIND_SEGMENT_LIST]
    assert len(manifest.list_refs()) == len(lists)
    assert {ref.digest for ref in manifest.list_refs()} == {digest_of(data) for _, data in lists}


def test_a_change_rewrites_one_list_of_segments(storage: MemoryStorage) -> None:
    key, _ = push_files(storage, 12_000, inline_bytes=0, root_segments=8)
    before, _ = open_version(storage, key)
    _, again = push_files(
        storage,
        12_000,
        push_id=SECOND,
        changed=frozenset({5000}),
        known=known_of(before),
        parent=before,
        inline_bytes=0,
        root_segments=8,
    )
    stored = chunks_by_kind(storage, again)
    assert [len(stored[kind]) for kind in (KIND_FILE, KIND_SEGMENT, KIND_SEGMENT_LIST)] == [1, 1, 1]


def test_lists_of_very_long_paths_stay_readable(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_LIST_MAX_BYTES", 40_000)
    monkeypatch.setattr(writer_module, "_starts_list", lambda _: False)
    push = Push(storage)
    version = Version(push, inline_bytes=0, root_segments=60)
    paths = [f"{i:06}" + "/long" * 500 for i in range(40_000)]
    starts = [path for path in paths if starts_segment(path)]
    for path in starts:
        version.add(directory_entry(path))
    manifest, _ = open_version(storage, version.finish())
    assert [entry.path for entry in manifest.entries()] == starts
    lists = [data for _, data in chunks_by_kind(storage, push)[KIND_SEGMENT_LIST]]
    assert lists
    assert max(map(len, lists)) <= 40_000


def test_more_segments_than_readers_take_are_refused(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SEGMENTS_MAX", 3)
    with pytest.raises(LimitExceededError) as caught:
        push_files(storage, 5000)
    assert caught.value.hint is not None


def test_an_entry_whose_fields_pass_the_limit_is_refused_by_name(storage: MemoryStorage) -> None:
    huge = Entry("huge", "reference", 0, bytes(32), extra={"url": "x" * limits.ENTRY_MAX_BYTES})
    with pytest.raises(LimitExceededError, match="'huge'"):
        Version(Push(storage)).add(huge)

from __future__ import annotations

from dataclasses import replace

import pytest

from artstore.digest import EMPTY, digest_of
from artstore.manifests.diff import Change, Diff, diff
from artstore.manifests.entry import (
    FILE,
    LINK,
    Entry,
    directory_entry,
    reference_entry,
    symlink_entry,
)
from artstore.manifests.reader import Manifest
from artstore.packs.locator import ChunkRef
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.unit.packs.making import Push, Version, open_version


def file(path: str, content: str = "x", *, executable: bool = False) -> Entry:
    data = content.encode()
    return Entry(path, FILE, len(data), digest_of(data), executable)


def version_of(
    storage: MemoryStorage | MeteredStorage,
    *entries: Entry,
    known: dict[bytes, ChunkRef] | None = None,
    **options: int,
) -> Manifest:
    push_id = digest_of(b"%d" % len(list(storage.scan(""))))[:8]
    version = Version(Push(storage, push_id), known, **options)
    version.add(*sorted(entries, key=lambda entry: entry.path))
    return open_version(storage, version.finish())[0]


def difference(before: list[Entry], after: list[Entry]) -> Diff:
    storage = MemoryStorage()
    return diff(version_of(storage, *before), version_of(storage, *after))


def paths(changes: tuple[Change, ...]) -> list[str]:
    return [change.path for change in changes]


def test_equal_versions_do_not_differ() -> None:
    entries = [file("a"), symlink_entry("b", "a"), directory_entry("c")]
    found = difference(entries, entries)
    assert not found
    assert found == Diff((), (), (), ())


def test_nothing_and_nothing_do_not_differ() -> None:
    assert not difference([], [])


def test_added_removed_and_changed_are_told_with_sizes() -> None:
    found = difference(
        [file("changed", "old"), file("gone", "g"), file("same")],
        [file("changed", "newer"), file("new", "n!"), file("same")],
    )
    assert found
    assert (paths(found.added), paths(found.removed), paths(found.changed)) == (
        ["new"],
        ["gone"],
        ["changed"],
    )
    (added,), (removed,), (changed,) = found.added, found.removed, found.changed
    assert (added.old_path, added.old_size_bytes, added.size_bytes) == (None, None, 2)
    assert (removed.old_path, removed.old_size_bytes, removed.size_bytes) == ("gone", 1, None)
    assert (changed.old_path, changed.old_size_bytes, changed.size_bytes) == ("changed", 3, 5)


def test_all_of_a_version_against_nothing() -> None:
    entries = [file(f"{i:03}", str(i)) for i in range(50)]
    assert paths(difference([], entries).added) == [entry.path for entry in entries]
    assert paths(difference(entries, []).removed) == [entry.path for entry in entries]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (file("a"), file("a", executable=True)),
        (file("a", "b"), symlink_entry("a", "b")),
        (directory_entry("a"), Entry("a", FILE, 0, EMPTY)),
        (symlink_entry("a", "b"), symlink_entry("a", "c")),
        (reference_entry("a", "s3://b/k", etag="1"), reference_entry("a", "s3://b/k", etag="2")),
    ],
)
def test_mode_kind_and_description_are_changes(before: Entry, after: Entry) -> None:
    found = difference([before], [after])
    assert paths(found.changed) == ["a"]
    assert not found.added
    assert not found.removed


def test_a_link_in_place_of_the_same_bytes_is_no_change() -> None:
    link = replace(file("a"), kind=LINK, extra={"source": "p/other:v1", "path": "b"})
    assert not difference([file("a")], [link])


def test_where_content_lies_is_no_change() -> None:
    storage = MemoryStorage()
    manifests = []
    for number in range(2):
        push = Push(storage, bytes([number]) * 8)
        entry = push.file("a", b"same content")
        manifests.append(open_version(storage, Version(push).add(entry).finish())[0])
    assert not diff(*manifests)


def test_a_file_that_moved_is_renamed() -> None:
    found = difference([file("old/a", "moved"), file("z")], [file("new/b", "moved"), file("z")])
    (change,) = found.renamed
    assert (change.old_path, change.path) == ("old/a", "new/b")
    assert not found.added
    assert not found.removed


def test_copies_are_added_and_only_one_is_the_moved_one() -> None:
    found = difference([file("a", "c")], [file("b", "c"), file("d", "c")])
    assert [(change.old_path, change.path) for change in found.renamed] == [("a", "b")]
    assert paths(found.added) == ["d"]


def test_of_several_candidates_the_first_paths_are_paired_in_order() -> None:
    found = difference(
        [file("o1", "c"), file("o2", "c"), file("o3", "c")], [file("n1", "c"), file("n2", "c")]
    )
    assert [(change.old_path, change.path) for change in found.renamed] == [
        ("o1", "n1"),
        ("o2", "n2"),
    ]
    assert paths(found.removed) == ["o3"]


def test_two_files_that_swap_names_are_changed() -> None:
    found = difference([file("a", "1"), file("b", "2")], [file("a", "2"), file("b", "1")])
    assert paths(found.changed) == ["a", "b"]
    assert not found.renamed


def test_a_copy_of_a_file_that_stays_is_added() -> None:
    found = difference([file("a", "c")], [file("a", "c"), file("b", "c")])
    assert paths(found.added) == ["b"]
    assert not found.renamed


def test_empty_files_directories_and_links_are_not_paired() -> None:
    before = [Entry("e1", FILE, 0, EMPTY), directory_entry("d1"), symlink_entry("s1", "x")]
    after = [Entry("e2", FILE, 0, EMPTY), directory_entry("d2"), symlink_entry("s2", "x")]
    found = difference(before, after)
    assert not found.renamed
    assert (paths(found.added), paths(found.removed)) == (["d2", "e2", "s2"], ["d1", "e1", "s1"])


def test_a_folder_that_moved_is_all_renamed_in_order() -> None:
    before = [file(f"old/{i:03}", f"content {i}") for i in range(40)]
    after = [file(f"new/{i:03}", f"content {i}") for i in range(40)]
    found = difference(before, after)
    assert [(change.old_path, change.path) for change in found.renamed] == [
        (f"old/{i:03}", f"new/{i:03}") for i in range(40)
    ]


def test_only_segments_that_differ_are_read() -> None:
    storage = MeteredStorage(MemoryStorage())
    entries = [file(f"{i:06}", str(i)) for i in range(20_000)]
    before = version_of(storage, *entries, inline_bytes=0)
    entries[7_000] = file("007000", "changed")
    entries[15_000] = replace(entries[15_000], path="015000-renamed")
    known = {ref.digest: ref for ref in before.segment_refs()}
    after = version_of(storage, *entries, known=known, inline_bytes=0)
    storage.reset()
    found = diff(before, after)
    assert paths(found.changed) == ["007000"]
    assert [(change.old_path, change.path) for change in found.renamed] == [
        ("015000", "015000-renamed")
    ]
    read = storage.snapshot()["read"]
    total = sum(ref.stored_bytes for ref in before.segment_refs())
    assert read.calls == 2
    assert read.size_bytes < total / 2


def test_a_version_against_itself_reads_nothing() -> None:
    storage = MeteredStorage(MemoryStorage())
    manifest = version_of(storage, *(file(f"{i:06}") for i in range(5000)), inline_bytes=0)
    storage.reset()
    assert not diff(manifest, manifest)
    assert storage.snapshot()["read"].calls == 0


@pytest.mark.parametrize("inline_bytes", [0, 10**6])
def test_how_segments_are_kept_does_not_matter(inline_bytes: int) -> None:
    storage = MemoryStorage()
    entries = [file(f"{i:06}", str(i)) for i in range(2000)]
    before = version_of(storage, *entries, inline_bytes=0)
    after = version_of(storage, *entries[:-1], file("new", "n"), inline_bytes=inline_bytes)
    found = diff(before, after)
    assert (paths(found.added), paths(found.removed)) == (["new"], ["001999"])

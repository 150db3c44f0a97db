"""Drafts that begin with a version: `incremental`, and `new_draft`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import artstore as art
from artstore import limits
from artstore.catalog.requests import FenceRequest
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.packs.locator import pack_key
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.protocol import Value
from tests.trees import keys_of, noise, open_at
from tests.unit.catalog.logs import LogWriter


@pytest.fixture
def first(store: art.Store, tree: Path) -> art.LoggedArtifact:
    (tree / "large").write_bytes(noise(17 * limits.MIB))
    (tree / "sub" / "c.txt").chmod(0o755)
    (tree / "link").symlink_to("a.txt")
    draft = art.Artifact("ds", "dataset", "what it is", {"k": 1})
    draft.add_dir(tree)
    version = store.log_artifact(draft, aliases=["base"])
    assert version.entry("large").level
    return version


def contents(version: art.Artifact) -> dict[str, tuple[str, str]]:
    return {path: (entry.kind, entry.digest) for path, entry in version.manifest.entries.items()}


# incremental -------------------------------------------------------------------------------


def test_what_is_added_comes_on_top_of_the_newest_version(
    store: art.Store, first: art.LoggedArtifact, tmp_path: Path
) -> None:
    for number in (1, 2):
        draft = art.Artifact("ds", incremental=True)
        (tmp_path / "new").write_bytes(noise(1000, number))
        draft.add_file(tmp_path / "new", f"new/{number}")
        draft.add_file(tmp_path / "new", "a.txt")
        assert draft.incremental
        version = store.log_artifact(draft)
        assert version.push.read_bytes <= 2000
        assert version.push.stored_bytes < 6000
    assert version.version == "v2"
    expected = contents(first) | {
        "a.txt": ("file", version.entry("new/2").digest.hex()),
        "new/1": ("file", version.entry("new/1").digest.hex()),
        "new/2": ("file", version.entry("new/2").digest.hex()),
    }
    assert contents(version) == expected
    assert version.size == first.size - 1 + 3 * 1000
    assert version.file_count == first.file_count + 2
    assert store.verify("ds").problems == ()
    assert store.check(read_data=1.0).problems == ()
    version.download(tmp_path / "out")
    version.verify(tmp_path / "out")


def test_without_a_version_before_it_is_a_first_one(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds", incremental=True)
    draft.add_dir(tree)
    assert store.log_artifact(draft).version == "v0"


def test_nothing_new_on_top_makes_no_version(
    store: art.Store, first: art.LoggedArtifact, tree: Path
) -> None:
    draft = art.Artifact("ds", incremental=True)
    draft.add_file(tree / "a.txt")
    logged = store.log_artifact(draft, tags=["seen"])
    assert (logged.version, logged.push.is_new, logged.tags) == ("v0", False, ["seen"])


def test_a_directory_comes_on_top_too(
    store: art.Store, first: art.LoggedArtifact, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text("other")
    draft = art.Artifact("ds", incremental=True)
    draft.add_dir(tmp_path / "more", "sub")
    version = store.log_artifact(draft)
    assert version.read("sub/b.txt") == b"other"
    assert version.file_count == first.file_count


def test_what_is_taken_out_is_taken_out_of_the_newest_version(
    store: art.Store, first: art.LoggedArtifact
) -> None:
    draft = art.Artifact("ds", incremental=True)
    draft.remove("sub")
    draft.remove("large")
    assert list(contents(store.log_artifact(draft))) == ["a.txt", "link"]


def test_what_is_taken_out_and_not_there_is_told_when_it_is_logged(
    store: art.Store, first: art.LoggedArtifact
) -> None:
    for name in ("ds", "new"):
        draft = art.Artifact(name, incremental=True)
        draft.remove("none")
        with pytest.raises(art.NotFoundError, match="'none' cannot be removed") as caught:
            store.log_artifact(draft)
        assert caught.value.code == "entry-not-found"
    assert len(store.versions("ds")) == 1


def test_other_content_needs_no_overwrite_where_the_version_is_not_known_yet(
    store: art.Store, first: art.LoggedArtifact
) -> None:
    draft = art.Artifact("ds", incremental=True)
    with draft.new_file("a.txt") as file:
        file.write("other")
    assert store.log_artifact(draft).read("a.txt") == b"other"


class BeforeEntry(MemoryStorage):
    """Does something just before the entry with this number is created the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Callable[[], object]] = {}

    def create(self, key: str, value: Value) -> None:
        act = self.before.pop(key, None)
        if act is not None:
            act()
        super().create(key, value)


def key_of_entry(n: int) -> str:
    return f"collections/p/ds/{n:012d}"


def test_two_that_add_at_once_both_get_in(tree: Path) -> None:
    storage = BeforeEntry()
    store, other = open_at("memory://x", storage), open_at("memory://x", storage)
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    store.log_artifact(draft)

    def add(to: art.Store, name: str) -> art.LoggedArtifact:
        more = art.Artifact("ds", incremental=True)
        more.add_file(tree / "a.txt", name)
        return to.log_artifact(more)

    # Entry 0 is the collection, 1 the first version.
    storage.before[key_of_entry(2)] = lambda: add(other, "of-other")
    assert add(store, "own").version == "v2"
    assert list(contents(store.artifact("ds"))) == [
        "a.txt",
        "of-other",
        "own",
        "sub/b.txt",
        "sub/c.txt",
    ]


def test_two_that_make_the_first_version_both_get_in(tree: Path) -> None:
    storage = BeforeEntry()
    store, other = open_at("memory://x", storage), open_at("memory://x", storage)

    def add(to: art.Store, name: str) -> art.LoggedArtifact:
        more = art.Artifact("ds", incremental=True)
        more.add_file(tree / "a.txt", name)
        return to.log_artifact(more)

    storage.before[key_of_entry(1)] = lambda: add(other, "of-other")
    assert add(store, "own").version == "v1"
    assert list(contents(store.artifact("ds"))) == ["of-other", "own"]


def test_adding_to_a_version_that_others_keep_making_new_is_given_up(tree: Path) -> None:
    class Busy(MemoryStorage):
        def __init__(self) -> None:
            super().__init__()
            self.is_busy = False
            self.count = 0

        def create(self, key: str, value: Value) -> None:
            if self.is_busy and key.startswith("collections/p/ds/") and "rollups" not in key:
                self.is_busy = False
                self.count += 1
                draft = art.Artifact("ds")
                with draft.new_file("x") as file:
                    file.write(str(self.count))
                open_at("memory://x", self).log_artifact(draft)
                self.is_busy = True
            super().create(key, value)

    storage = Busy()
    store = open_at("memory://x", storage)
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    store.log_artifact(draft)
    more = art.Artifact("ds", incremental=True)
    more.add_file(tree / "a.txt", "own")
    storage.is_busy = True
    with pytest.raises(art.ConflictError) as caught:
        store.log_artifact(more)
    assert caught.value.code == "version-superseded"
    assert more.is_draft()


# new_draft ------------------------------------------------------------------------------------


def test_a_new_draft_begins_with_all_that_the_version_holds(
    first: art.LoggedArtifact, store: art.Store
) -> None:
    draft = first.new_draft()
    assert draft.is_draft()
    assert (draft.name, draft.type, draft.description) == ("ds", "dataset", "what it is")
    assert draft.metadata == {"k": 1}
    assert contents(draft) == contents(first)
    assert (draft.size, draft.file_count) == (first.size, first.file_count)
    logged = store.log_artifact(draft)
    assert (logged.version, logged.push.is_new) == ("v0", False)


def test_a_new_draft_makes_the_next_version_and_stores_only_what_is_new(
    store: art.Store, first: art.LoggedArtifact, tree: Path
) -> None:
    draft = store.artifact("ds:base").new_draft()
    draft.add_file(tree / "a.txt", "more")
    draft.remove("sub/b.txt")
    draft.metadata["k"] = 2
    version = store.log_artifact(draft)
    assert version.version == "v1"
    assert list(contents(version)) == ["a.txt", "large", "link", "more", "sub/c.txt"]
    assert {entry.kind for entry in version.entries()} == {"file", "symlink"}
    assert version.entry("sub/c.txt").executable
    assert (version.metadata, first.metadata) == ({"k": 2}, {"k": 1})
    assert (version.push.read_bytes, version.push.stored_bytes < 3000) == (1, True)
    assert store.verify("ds").problems == ()


def test_a_new_draft_downloads_nothing(tree: Path, tmp_path: Path) -> None:
    (tree / "data").write_bytes(noise(3 * limits.MIB))
    storage = MeteredStorage(LocalStorage(tmp_path / "store", sync=False))
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    version = open_at(tmp_path / "store", storage).log_artifact(draft)
    before = storage.snapshot()
    draft = version.new_draft()
    draft.add_file(tree / "a.txt", "more")
    open_at(tmp_path / "store", storage).log_artifact(draft)
    moved = storage.since(before)
    assert all(count.size_bytes < 100_000 for count in moved.values())


def test_a_path_of_the_version_is_replaced_only_when_told(
    store: art.Store, first: art.LoggedArtifact, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").write_text("x")
    draft = first.new_draft()
    draft.add_file(tree / "a.txt")
    with pytest.raises(art.InvalidInputError) as caught:
        draft.add_file(tmp_path / "other", "a.txt")
    assert caught.value.code == "entry-exists"
    draft.add_file(tmp_path / "other", "a.txt", overwrite=True)
    assert draft.get_entry("a.txt").size == 1
    version = store.log_artifact(draft)
    assert (version.read("a.txt"), version.file_count) == (b"x", first.file_count)


def test_a_directory_replaces_paths_of_the_version_only_when_told(
    store: art.Store, first: art.LoggedArtifact, tree: Path
) -> None:
    same = first.new_draft()
    same.add_dir(tree)
    assert not store.log_artifact(same).push.is_new
    (tree / "a.txt").write_text("other")
    (tree / "link").unlink()
    (tree / "link").symlink_to("sub")
    draft = first.new_draft()
    draft.add_dir(tree)
    with pytest.raises(art.InvalidInputError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "entry-exists"
    draft = first.new_draft()
    draft.add_dir(tree, merge=True)
    version = store.log_artifact(draft)
    assert (version.read("a.txt"), version.entry("link").target) == (b"other", "sub")


def test_a_path_of_the_version_is_taken_out_if_it_is_there(
    store: art.Store, first: art.LoggedArtifact
) -> None:
    draft = first.new_draft()
    draft.remove(first.get_entry("large"))
    draft.remove("sub/b.txt")
    draft.remove("sub")
    for path in ("sub", "sub/c.txt", "large", "none"):
        with pytest.raises(art.NotFoundError):
            draft.remove(path)
    assert list(contents(store.log_artifact(draft))) == ["a.txt", "link"]


def test_a_draft_of_a_version_without_anything_is_refused(
    store: art.Store, first: art.LoggedArtifact
) -> None:
    draft = first.new_draft()
    for path in list(contents(first)):
        draft.remove(path)
    with pytest.raises(art.InvalidInputError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "nothing-to-push"


def test_a_draft_of_an_old_version_makes_the_next_one_of_its_own_project(
    store: art.Store, first: art.LoggedArtifact, tree: Path, tmp_path: Path
) -> None:
    second = art.Artifact("ds")
    second.add_file(tree / "a.txt", "only")
    store.log_artifact(second)
    elsewhere = open_at(tmp_path / "store", project="elsewhere")
    draft = elsewhere.artifact("p/ds:v0").new_draft()
    draft.add_file(tree / "a.txt", "more")
    version = elsewhere.log_artifact(draft)
    assert version.qualified_name == "p/ds:v2"
    assert version.file_count == first.file_count + 1
    assert version.push.stored_bytes < 3000
    assert store.check(read_data=1.0).problems == ()


def test_a_draft_of_a_version_may_be_given_another_name(
    store: art.Store, first: art.LoggedArtifact
) -> None:
    draft = first.new_draft()
    draft.name = "copy"
    version = store.log_artifact(draft)
    assert (version.qualified_name, version.digest) == ("p/copy:v0", first.digest)
    store.delete("ds:v0", force=True)
    assert store.verify("copy").problems == ()


def test_a_draft_of_a_version_in_another_store_is_refused(
    first: art.LoggedArtifact, tmp_path: Path
) -> None:
    other = open_at(tmp_path / "other")
    with pytest.raises(art.InvalidInputError) as caught:
        other.log_artifact(first.new_draft())
    assert caught.value.code == "link-elsewhere"


# what gc may be about to delete -----------------------------------------------------------------


def condemn(storage: MemoryStorage, keys: list[str]) -> int:
    """A plan of gc, written by hand."""
    writer = LogWriter(prefix=UPKEEP_PREFIX).continue_from(storage)
    number = writer.n
    writer.add("plan", k=number, condemned=sorted(keys), condemned_in=[])
    return number


def packs_of(version: art.LoggedArtifact, path: str) -> list[str]:
    return [pack_key(ref.pack) for ref in version.entry(path).chunks]


@pytest.mark.parametrize("name", ["ds", "other"])
def test_what_is_kept_and_condemned_meanwhile_aborts_the_push(tree: Path, name: str) -> None:
    storage = BeforeEntry()
    store = open_at("memory://x", storage)
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    version = store.log_artifact(draft)
    gc = open_at("memory://x", storage)
    draft = version.new_draft()
    draft.name = name
    draft.add_file(tree / "a.txt", "more")
    if name == "other":
        made = art.Artifact("other")
        made.add_file(tree / "a.txt")
        store.log_artifact(made)

    def sweep_begins() -> None:
        gc.delete("ds:v0")
        plan = condemn(storage, packs_of(version, "sub/b.txt"))
        for collection in {"ds", name}:
            gc._place().catalog.commit("p", collection, FenceRequest(plan))

    storage.before[f"collections/p/{name}/{2:012d}"] = sweep_begins
    with pytest.raises(art.ConflictError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "content-condemned"


def test_what_is_kept_of_a_swept_version_is_missed(tree: Path) -> None:
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    version = store.log_artifact(draft)
    other = art.Artifact("ds")
    with other.new_file("x") as file:
        file.write("x")
    store.log_artifact(other)
    draft = store.artifact("ds:v0").new_draft()
    draft.remove("sub/c.txt")
    list(draft.manifest.entries)
    store.delete("ds:v0")
    storage.delete(packs_of(version, "a.txt"))
    with pytest.raises(art.ConflictError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "content-vanished"
    assert keys_of(storage, "packs/")

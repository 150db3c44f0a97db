"""Putting a draft together: what is added, replaced, taken out, and told before it is logged."""

from __future__ import annotations

import gc
import math
import os
import pickle
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import artstore as art


def paths(artifact: art.Artifact) -> list[str]:
    return list(artifact.manifest.entries)


def logged_paths(store: art.Store, draft: art.Artifact) -> list[str]:
    return [entry.path for entry in store.log_artifact(draft).entries()]


# files -----------------------------------------------------------------------------------


def test_a_file_that_is_added_is_told_before_it_is_logged(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    entry = draft.add_file(tree / "sub" / "b.txt", "x/y.txt")
    assert (entry.path, entry.name, entry.kind, entry.size) == ("x/y.txt", "x/y.txt", "file", 2)
    assert entry.local_path == str(tree / "sub" / "b.txt")
    assert (entry.ref, entry.extra, entry.executable) == (None, {}, False)
    assert entry.parent_artifact() is draft
    version = store.log_artifact(draft)
    assert version.get_entry("x/y.txt").digest == entry.digest
    assert version.get_entry("x/y.txt").local_path is None


def test_a_file_is_added_under_its_own_name_if_none_is_given(tree: Path) -> None:
    draft = art.Artifact("ds")
    assert draft.add_file(os.fspath(tree / "a.txt")).path == "a.txt"


def test_a_symlink_that_is_added_stands_for_the_file(store: art.Store, tree: Path) -> None:
    (tree / "link").symlink_to("a.txt")
    draft = art.Artifact("ds")
    draft.add_file(tree / "link")
    assert store.log_artifact(draft).read("link") == b"a"


def test_is_tmp_puts_the_digest_in_place_of_the_name(tree: Path) -> None:
    (tree / "x.tar.gz").write_text("a")
    entry = art.Artifact("ds").add_file(tree / "x.tar.gz", "d/x.tar.gz", is_tmp=True)
    assert entry.path == f"d/{entry.digest[:20]}.tar.gz"


def test_the_same_file_twice_is_added_once(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    first = draft.add_file(tree / "a.txt")
    (tree / "copy").write_text("a")
    assert draft.add_file(tree / "copy", "a.txt").digest == first.digest
    assert len(draft.additions) == 1
    assert logged_paths(store, draft) == ["a.txt"]


def test_another_file_at_the_same_path_must_be_told_to_overwrite(
    store: art.Store, tree: Path
) -> None:
    draft = art.Artifact("ds")
    draft.add_file(tree / "a.txt", "x")
    with pytest.raises(art.InvalidInputError) as caught:
        draft.add_file(tree / "sub" / "b.txt", "x")
    assert caught.value.code == "entry-exists"
    assert "'x'" in caught.value.message
    draft.add_file(tree / "sub" / "b.txt", "x", overwrite=True)
    assert store.log_artifact(draft).read("x") == b"bb"


def test_a_file_of_the_same_size_is_told_apart_by_its_content(tree: Path) -> None:
    (tree / "b").write_text("b")
    draft = art.Artifact("ds")
    draft.add_file(tree / "a.txt", "x")
    with pytest.raises(art.InvalidInputError, match="in this artifact already"):
        draft.add_file(tree / "b", "x")


def test_another_file_than_a_directory_brings_must_be_told_to_overwrite(
    store: art.Store, tree: Path
) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree, "data")
    draft.add_file(tree / "sub" / "b.txt", "data/sub/b.txt")
    with pytest.raises(art.InvalidInputError) as caught:
        draft.add_file(tree / "a.txt", "data/sub/b.txt")
    assert caught.value.code == "entry-exists"
    draft.add_file(tree / "a.txt", "data/sub/b.txt", overwrite=True)
    version = store.log_artifact(draft)
    assert [e.path for e in version.entries()] == ["data/a.txt", "data/sub/b.txt", "data/sub/c.txt"]
    assert version.read("data/sub/b.txt") == b"a"


def test_what_a_directory_leaves_out_may_be_added(store: art.Store, tree: Path) -> None:
    (tree / ".artignore").write_text("sub/b.txt\n")
    draft = art.Artifact("ds")
    draft.add_dir(tree, exclude=["c.txt"])
    draft.add_file(tree / "a.txt", "sub/b.txt")
    draft.add_file(tree / "a.txt", "sub/c.txt")
    assert logged_paths(store, draft) == [".artignore", "a.txt", "sub/b.txt", "sub/c.txt"]


def test_an_ignored_directory_holds_nothing(tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree, exclude=["sub/"])
    with pytest.raises(art.NotFoundError):
        draft.get_entry("sub/b.txt")
    with pytest.raises(art.NotFoundError):
        draft.remove("sub")


@pytest.mark.parametrize("name", ["", "/x", "../x", "a//b"])
def test_a_path_that_no_version_takes_is_refused(tree: Path, name: str) -> None:
    with pytest.raises(art.InvalidInputError) as caught:
        art.Artifact("ds").add_file(tree / "a.txt", name)
    assert caught.value.code == "path-invalid"


def test_what_is_not_there_or_is_something_else_is_refused(tree: Path) -> None:
    draft = art.Artifact("ds")
    for add, what in ((draft.add_file, tree), (draft.add_dir, tree / "a.txt")):
        with pytest.raises(art.InvalidInputError) as caught:
            add(what)  # type: ignore[operator]
        assert caught.value.code == "source-missing"
        assert "it is a" in str(caught.value.hint)
        with pytest.raises(art.InvalidInputError) as caught:
            add(tree / "none")  # type: ignore[operator]
        assert (caught.value.code, caught.value.hint) == ("source-missing", None)
    with pytest.raises(art.InvalidInputError) as caught:
        draft.add_file(tree / "a.txt", policy="copy")
    assert caught.value.code == "value-invalid"
    assert draft.additions == ()


# directories -------------------------------------------------------------------------------


def test_two_directories_with_one_path_go_together_only_if_one_is_merged(
    store: art.Store, tree: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("newer")
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    draft.add_dir(other)
    with pytest.raises(art.InvalidInputError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "path-twice"
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    draft.add_file(tree / "a.txt", "sub/d.txt")
    draft.add_dir(other, merge=True)
    version = store.log_artifact(draft)
    assert version.read("a.txt") == b"newer"
    assert version.file_count == 4


def test_a_merged_directory_comes_instead_of_single_files(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_file(tree / "sub" / "b.txt", "a.txt")
    draft.add_dir(tree, merge=True)
    assert store.log_artifact(draft).read("a.txt") == b"a"


def test_an_empty_directory_gives_way_to_what_others_put_in_it(
    store: art.Store, tree: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for name in ("logs", "logs-old", "empty"):
        (other / name).mkdir(parents=True)
    (other / "logs!").write_text("")
    draft = art.Artifact("ds")
    draft.add_dir(other)
    draft.add_file(tree / "a.txt", "logs/a.txt")
    assert logged_paths(store, draft) == ["empty", "logs!", "logs-old", "logs/a.txt"]


def test_a_path_cannot_be_a_file_and_a_directory(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_file(tree / "a.txt", "x")
    draft.add_file(tree / "a.txt", "x-1")
    draft.add_file(tree / "a.txt", "x/y")
    with pytest.raises(art.InvalidInputError, match="'x' is added as a file and, with 'x/y'"):
        store.log_artifact(draft)


# new files -----------------------------------------------------------------------------------


def test_a_new_file_is_added_when_it_is_closed(store: art.Store) -> None:
    draft = art.Artifact("ds")
    with draft.new_file("notes.txt") as file:
        file.write("grüß dich\n")
        assert draft.additions == ()
    with draft.new_file("deep/raw.bin", "xb") as file:
        file.write(b"\0\1")
    version = store.log_artifact(draft)
    assert version.read("notes.txt") == "grüß dich\n".encode()
    assert version.read("deep/raw.bin") == b"\0\1"


def test_a_new_file_in_another_encoding(store: art.Store) -> None:
    draft = art.Artifact("ds")
    with draft.new_file("x", encoding="latin-1") as file:
        file.write("ü")
    assert store.log_artifact(draft).read("x") == b"\xfc"


def test_a_new_file_is_not_added_when_its_block_fails(tree: Path) -> None:
    draft = art.Artifact("ds")
    with pytest.raises(ZeroDivisionError), draft.new_file("x") as file:
        file.write(1 / 0)
    assert draft.additions == ()


def test_a_new_file_replaces_only_with_w(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    with pytest.raises(art.InvalidInputError) as caught, draft.new_file("a.txt"):
        pass
    assert caught.value.code == "entry-exists"
    for text in ("one", "two"):
        with draft.new_file("a.txt", "w") as file:
            file.write(text)
    assert store.log_artifact(draft).read("a.txt") == b"two"


@pytest.mark.parametrize("mode", ["r", "a", "x+", "wr"])
def test_a_new_file_is_for_writing_only(mode: str) -> None:
    with pytest.raises(art.InvalidInputError) as caught, art.Artifact("ds").new_file("x", mode):
        pass
    assert caught.value.code == "value-invalid"


def test_new_files_are_gone_with_their_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    draft = art.Artifact("ds")
    with draft.new_file("x"):
        pass
    assert len(list(tmp_path.iterdir())) == 1
    del draft
    gc.collect()
    assert list(tmp_path.iterdir()) == []


# taking out ------------------------------------------------------------------------------------


def test_a_file_is_taken_out_by_path_or_by_entry(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    draft.add_file(tree / "a.txt", "other/x")
    draft.remove(draft.add_file(tree / "a.txt", "other/y"))
    draft.remove("sub/b.txt")
    draft.remove(draft.get_entry("a.txt"))
    assert paths(draft) == ["other/x", "sub/c.txt"]
    assert logged_paths(store, draft) == ["other/x", "sub/c.txt"]


def test_a_directory_is_taken_out_with_all_below_it(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree, "data")
    draft.add_file(tree / "a.txt", "data/sub/more/x")
    draft.add_file(tree / "a.txt", "data/subway")
    draft.remove("data/sub/")
    assert logged_paths(store, draft) == ["data/a.txt", "data/subway"]


def test_a_directory_is_taken_out_as_a_whole_by_what_is_above_it(tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree, "deep/data")
    draft.add_file(tree / "a.txt")
    draft.remove("deep")
    assert paths(draft) == ["a.txt"]
    assert len(draft.additions) == 1


def test_what_was_taken_out_may_come_back(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    draft.remove("sub")
    draft.add_file(tree / "a.txt", "sub/b.txt")
    version = store.log_artifact(draft)
    assert (version.read("sub/b.txt"), version.file_count) == (b"a", 2)


def test_only_what_is_there_can_be_taken_out(tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    draft.remove("a.txt")
    for path in ("a.txt", "none", "sub/none", "a.txt/x"):
        with pytest.raises(art.NotFoundError) as caught:
            draft.remove(path)
        assert caught.value.code == "entry-not-found"


# looking -------------------------------------------------------------------------------------


def test_a_draft_tells_what_it_holds(store: art.Store, tree: Path, tmp_path: Path) -> None:
    (tree / "link").symlink_to("a.txt")
    (tree / "empty").mkdir()
    (tree / "sub" / "b.txt").chmod(0o755)
    draft = art.Artifact("ds")
    draft.add_dir(tree, "in")
    draft.add_reference("s3://bucket/key", "ref", checksum=False)
    entries = list(draft.entries())
    assert [(e.path, e.kind) for e in entries] == [
        ("in/a.txt", "file"),
        ("in/empty", "directory"),
        ("in/link", "symlink"),
        ("in/sub/b.txt", "file"),
        ("in/sub/c.txt", "file"),
        ("ref", "reference"),
    ]
    assert (draft.file_count, draft.size) == (3, 6)
    assert len(draft.manifest.entries) == 6
    assert draft["in/sub/b.txt"].executable
    assert draft.get_path("ref").ref == "s3://bucket/key"
    assert draft.manifest.get_entry_by_path("none") is None
    assert "in/a.txt" in draft.manifest.entries
    contents = draft.manifest.to_manifest_json()["contents"]
    version = store.log_artifact(draft)
    assert contents == version.manifest.to_manifest_json()["contents"]
    assert [(e.path, e.digest) for e in version.entries()] == [(e.path, e.digest) for e in entries]
    assert [e.path for e in version.entries("in/s")] == ["in/sub/b.txt", "in/sub/c.txt"]


def test_symlinks_are_followed_in_a_draft_where_they_are_in_a_push(tree: Path) -> None:
    (tree / "link").symlink_to("sub")
    followed, kept = art.Artifact("ds"), art.Artifact("ds")
    followed.add_dir(tree, follow_links=True)
    kept.add_dir(tree)
    assert followed.get_entry("link/b.txt").size == 2
    assert kept.get_entry("link").kind == "symlink"
    with pytest.raises(art.NotFoundError):
        kept.get_entry("link/b.txt")


# draft or version ------------------------------------------------------------------------------


LOGGED_ONLY = [
    *("version", "project", "qualified_name", "collection", "id", "url", "store_id", "digest"),
    *("created_at", "updated_at", "history_step", "message", "push", "json", "is_link"),
    *("source_project", "source_name", "source_version", "source_qualified_name"),
]


@pytest.mark.parametrize("name", LOGGED_ONLY)
def test_what_only_a_version_has_is_refused_of_a_draft(name: str) -> None:
    draft = art.Artifact("ds")
    with pytest.raises(art.StateError) as caught:
        getattr(draft, name)
    assert caught.value.code == "artifact-not-logged"
    assert not hasattr(draft, name)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.code) == (type(caught.value), "artifact-not-logged")


def test_what_only_a_version_does_is_refused_of_a_draft(tree: Path) -> None:
    draft = art.Artifact("ds")
    entry = draft.add_file(tree / "a.txt")
    for call in (
        draft.download,
        draft.checkout,
        draft.verify,
        draft.file,
        draft.files,
        draft.unlink,
        draft.delete,
        draft.new_draft,
        draft.logged_by,
        draft.used_by,
        draft.json_encode,
        entry.download,
        entry.ref_url,
        entry.read,
        entry.open,
        lambda: draft.link("x"),
        lambda: draft.read("a.txt"),
        lambda: draft.open("a.txt"),
        lambda: draft.entry("a.txt"),
        lambda: art.Artifact("other").add_link(draft, "a.txt"),
    ):
        with pytest.raises(art.StateError) as caught:
            call()
        assert caught.value.code == "artifact-not-logged"


def test_a_draft_becomes_the_version_it_is_logged_as(
    store: art.Store, tree: Path, tmp_path: Path
) -> None:
    draft = art.Artifact("ds", "dataset")
    draft.add_dir(tree)
    assert (draft.is_draft(), draft.state, draft.name) == (True, "PENDING", "ds")
    version = store.log_artifact(draft)
    assert (draft.is_draft(), draft.state, draft.name) == (False, "COMMITTED", "ds:v0")
    assert draft.push == version.push
    assert draft.qualified_name == version.qualified_name == "p/ds:v0"
    assert draft.download(tmp_path / "out").written_files == 3
    assert draft.get_entry("a.txt").read() == b"a"
    assert draft.wait() is draft
    assert draft.wait(timeout=3).digest == version.digest


def test_what_a_version_holds_cannot_be_changed(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    version = store.log_artifact(draft)
    finalized = art.Artifact("other")
    finalized.add_dir(tree)
    finalized.finalize()
    for artifact in (draft, version, store.artifact("ds"), finalized):
        for call in (
            lambda a: a.add_file(tree / "a.txt"),
            lambda a: a.add_dir(tree),
            lambda a: a.add_reference("s3://b/k", checksum=False),
            lambda a: a.add_link(version, "a.txt"),
            lambda a: a.new_file("x").__enter__(),
            lambda a: a.remove("a.txt"),
        ):
            with pytest.raises(art.StateError) as caught:
                call(artifact)
            assert caught.value.code == "artifact-finalized"
    for artifact in (draft, version):
        for name in ("name", "type"):
            with pytest.raises(art.StateError) as caught:
                setattr(artifact, name, "other")
            assert caught.value.code == "artifact-finalized"
    assert store.log_artifact(finalized).version == "v0"


def test_a_draft_that_was_logged_may_be_logged_again(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    store.log_artifact(draft)
    again = store.log_artifact(draft, aliases="best")
    assert (again.version, again.push.is_new, again.aliases) == ("v0", False, ["latest", "best"])


def test_a_draft_that_could_not_be_logged_stays_one(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    with pytest.raises(art.InvalidInputError):
        store.log_artifact(draft)
    assert draft.is_draft()
    draft.add_dir(tree)
    assert store.log_artifact(draft).version == "v0"


# what is said of it ----------------------------------------------------------------------------


def test_what_is_said_of_a_draft_is_said_of_the_version(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("x", incremental=False, use_as="input")
    draft.add_dir(tree)
    draft.name = "ds"
    draft.type = "model"
    draft.description = "what it is"
    draft.metadata["nested"] = {"k": [1, None]}
    draft.aliases = ["latest", "best"]
    draft.aliases.append("more")
    draft.tags.append("red")
    draft.ttl = timedelta(days=2)
    assert (draft.use_as, draft.incremental) == ("input", False)
    store.log_artifact(draft, aliases=["best", "third"], tags=["blue"])
    version = store.artifact("ds")
    assert (version.type, version.description) == ("model", "what it is")
    assert version.metadata == {"nested": {"k": [1, None]}}
    assert version.aliases == ["latest", "best", "more", "third"]
    assert version.tags == ["red", "blue"]
    assert version.ttl == timedelta(days=2)
    assert draft.metadata == version.metadata


def test_a_draft_without_words_leaves_those_of_the_version_before(
    store: art.Store, tree: Path
) -> None:
    for words in (
        {"description": "d", "metadata": {"k": 1}},
        {},
        {"metadata": {}},
    ):
        draft = art.Artifact("ds", **words)  # type: ignore[arg-type]
        draft.add_dir(tree)
        assert draft.metadata == words.get("metadata", {})
        version = store.log_artifact(draft)
        assert version.description == "d"
        assert version.metadata == ({} if words == {"metadata": {}} else {"k": 1})


def test_metadata_takes_numbers_and_arrays_as_programs_have_them() -> None:
    draft = art.Artifact(
        "ds",
        metadata={
            "loss": np.float32(0.5),
            "n": np.int64(3),
            "shape": (1, 2),
            "rows": np.eye(2),
            "none": math.nan,
            "yes": True,
        },
    )
    assert draft.metadata == {
        "loss": 0.5,
        "n": 3,
        "shape": [1, 2],
        "rows": [[1.0, 0.0], [0.0, 1.0]],
        "none": None,
        "yes": True,
    }
    assert draft.metadata["yes"] is True


@pytest.mark.parametrize(
    "metadata", [{"x": math.inf}, {"x": object()}, {"x": {1: 2}}, {str(i): i for i in range(101)}]
)
def test_metadata_that_is_not_json_is_refused(store: art.Store, tree: Path, metadata: dict) -> None:
    with pytest.raises(art.InvalidInputError) as caught:
        art.Artifact("ds", metadata=metadata)
    assert caught.value.code == "value-invalid"
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    draft.metadata.update(metadata)
    with pytest.raises(art.InvalidInputError):
        store.log_artifact(draft)
    assert store.collections() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "a/b"),
        ("type", "a b"),
        ("aliases", ["v3"]),
        ("tags", ["a,b"]),
        ("ttl", timedelta(0)),
        ("ttl", 3),
    ],
)
def test_words_that_are_none_are_refused_when_they_are_set(name: str, value: object) -> None:
    with pytest.raises(art.InvalidInputError):
        setattr(art.Artifact("ds"), name, value)


def test_a_ttl_may_be_left_to_what_holds_for_all(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    assert draft.ttl is art.ArtifactTTL.INHERIT
    draft.ttl = None
    draft.add_dir(tree)
    assert store.log_artifact(draft).ttl is None
    assert [entry["kind"] for entry in store.history("ds")] == ["create", "publish"]


def test_a_draft_travels_to_another_process(tree: Path, store: art.Store) -> None:
    draft = art.Artifact("ds", metadata={"k": 1})
    draft.add_dir(tree)
    draft.add_file(tree / "a.txt", "x")
    other = pickle.loads(pickle.dumps(draft))
    assert store.log_artifact(other).file_count == 4
    assert draft.is_draft()

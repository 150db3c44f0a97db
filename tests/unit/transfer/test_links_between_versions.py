"""Links: files of another version, shared without copying, and safe when that version goes."""

from __future__ import annotations

from pathlib import Path

import pytest

import artstore as art


@pytest.fixture
def store(tmp_path: Path) -> art.Store:
    return art.open_store(str(tmp_path / "store"), project="p")


def dataset(store: art.Store, tmp_path: Path) -> art.LoggedArtifact:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "image.png").write_bytes(b"pixels" * 1000)
    (tree / "large.bin").write_bytes(bytes(range(256)) * 4 * 20_000)
    draft = art.Artifact("images")
    draft.add_dir(tree)
    return store.log_artifact(draft)


def test_a_link_stores_no_content_and_is_pulled_like_a_file(
    store: art.Store, tmp_path: Path
) -> None:
    source = dataset(store, tmp_path)
    draft = art.Artifact("predictions", "predictions")
    draft.add_link(source, "image.png", "seen/image.png")
    draft.add_link(source, "large.bin")
    logged = store.log_artifact(draft)
    assert logged.push.stored_bytes < 5_000
    assert (logged.file_count, logged.size) == (2, source.size)
    assert [entry.kind for entry in logged.entries()] == ["link", "link"]
    logged.download(tmp_path / "out")
    assert (tmp_path / "out/seen/image.png").read_bytes() == b"pixels" * 1000
    assert (tmp_path / "out/large.bin").read_bytes() == (tmp_path / "tree/large.bin").read_bytes()


def test_a_link_outlives_the_version_it_was_taken_from(store: art.Store, tmp_path: Path) -> None:
    source = dataset(store, tmp_path)
    draft = art.Artifact("predictions")
    draft.add_link(source, "image.png")
    store.log_artifact(draft)
    store.delete("images:v0")
    assert store.artifact("predictions").read("image.png") == b"pixels" * 1000
    assert store.check(read_data=1.0).problems == ()


def test_a_version_of_links_has_the_digest_of_the_same_files(
    store: art.Store, tmp_path: Path
) -> None:
    source = dataset(store, tmp_path)
    draft = art.Artifact("same")
    draft.add_link(source, "image.png")
    draft.add_link(source, "large.bin")
    assert store.log_artifact(draft).digest == source.digest


def test_a_link_into_another_store_is_refused(store: art.Store, tmp_path: Path) -> None:
    source = dataset(store, tmp_path)
    other = art.open_store(str(tmp_path / "other"), project="p")
    draft = art.Artifact("predictions")
    draft.add_link(source, "image.png")
    with pytest.raises(art.InvalidInputError) as caught:
        other.log_artifact(draft)
    assert caught.value.code == "link-elsewhere"
    assert other.collections() == []


def test_only_files_can_be_linked(store: art.Store, tmp_path: Path) -> None:
    source = dataset(store, tmp_path)
    with pytest.raises(art.NotFoundError):
        art.Artifact("x").add_link(source, "absent")


def test_a_push_leaves_out_the_store_that_lies_inside(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "data.txt").write_text("data")
    store = art.open_store(str(tree / "my [store]"), project="p")
    draft = art.Artifact("everything")
    draft.add_dir(tree)
    first = store.log_artifact(draft)
    assert [entry.path for entry in first.entries()] == ["data.txt"]
    assert not store.log_artifact(draft).push.is_new

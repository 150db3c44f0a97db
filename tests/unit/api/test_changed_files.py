"""What is logged is what a file was when it was added, or nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import artstore as art
from artstore import clock, limits
from artstore.transfer.noted import note
from tests.trees import LaterClock, noise

DAY_SECONDS = 86_400


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are an hour old: nothing has to be hashed when it is added."""
    monkeypatch.setattr(clock, "_current", LaterClock())


def drafted(file: Path, **options: object) -> art.Artifact:
    draft = art.Artifact("ds")
    draft.add_file(file, "x", **options)  # type: ignore[arg-type]
    return draft


def refused(store: art.Store, draft: art.Artifact) -> art.ArtstoreError:
    with pytest.raises(art.StateError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "source-changed"
    assert "when it was added" in caught.value.message
    assert draft.is_draft()
    return caught.value


def append(file: Path) -> None:
    with file.open("a") as opened:
        opened.write("more")


def rewrite(file: Path) -> None:
    file.write_bytes(b"Z" * file.stat().st_size)


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"Y" * file.stat().st_size)
    other.replace(file)


def rewrite_and_set_back(file: Path) -> None:
    before = file.stat()
    rewrite(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [append, rewrite, replace, rewrite_and_set_back])
@pytest.mark.parametrize("size", [10, limits.MIB, 9 * limits.MIB])
def test_a_file_that_is_written_to_after_it_was_added_is_not_logged(
    store: art.Store, tmp_path: Path, change: Callable[[Path], None], size: int
) -> None:
    # Written just now: a change right after may well show in no time stamp.
    file = tmp_path / "file"
    file.write_bytes(noise(size))
    draft = drafted(file)
    change(file)
    refused(store, draft)
    assert store.collections() == []


@pytest.mark.parametrize("change", [append, rewrite, replace, rewrite_and_set_back])
def test_an_old_file_that_is_written_to_is_not_logged(
    store: art.Store, tmp_path: Path, later: None, change: Callable[[Path], None]
) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    draft = drafted(file)
    change(file)
    refused(store, draft)


def test_an_old_file_is_not_read_when_it_is_added(
    tmp_path: Path, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    monkeypatch.setattr(os, "pread", None)
    noted = note(str(file), "x")
    assert noted.digest is None


def test_a_large_young_file_is_waited_for_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    with file.open("wb") as opened:
        opened.truncate(65 * limits.MIB)
    monkeypatch.setattr(os, "pread", None)
    assert note(str(file), "x").digest is None


def test_a_file_from_the_future_is_read_when_it_is_added(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as opened:
        opened.truncate(65 * limits.MIB)
    os.utime(file, (time.time() + DAY_SECONDS,) * 2)
    assert note(str(file), "x").digest is not None


def test_a_young_file_that_only_got_other_times_is_logged(store: art.Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    draft = drafted(file)
    os.utime(file, (0, 0))
    assert store.log_artifact(draft).read("x") == b"as it was"


def test_a_file_that_changed_may_be_added_again(store: art.Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    draft = drafted(file)
    append(file)
    assert "overwrite=True" in str(refused(store, draft).hint)
    draft.add_file(file, "x", overwrite=True)
    assert store.log_artifact(draft).read("x") == b"as it wasmore"


def test_an_immutable_file_is_logged_as_it_is_then(store: art.Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    draft = drafted(file, policy="immutable")
    append(file)
    assert store.log_artifact(draft).read("x") == b"as it wasmore"


def test_content_that_is_known_already_is_no_way_around(
    store: art.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The newest version has just what the file was changed to, and the stat cache
    # knows it: nothing would have to be read.
    file = tmp_path / "file"
    file.write_text("two")
    with monkeypatch.context() as patched:
        patched.setattr(clock, "_current", LaterClock())
        store.log_artifact(drafted(file, policy="immutable"))
    other = tmp_path / "other"
    other.write_text("one")
    file.rename(tmp_path / "kept")
    other.rename(file)
    draft = drafted(file)
    (tmp_path / "kept").rename(file)
    refused(store, draft)
    assert len(store.versions("ds")) == 1


def test_a_file_that_was_deleted_is_told_as_such(store: art.Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    draft = drafted(file)
    file.unlink()
    with pytest.raises(art.InvalidInputError) as caught:
        store.log_artifact(draft)
    assert caught.value.code == "source-vanished"


def test_a_directory_is_logged_as_it_is_then(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    append(tree / "a.txt")
    (tree / "new").write_text("")
    version = store.log_artifact(draft)
    assert (version.read("a.txt"), version.file_count) == (b"amore", 4)


def test_a_file_noted_at_a_path_does_not_hold_for_another_file_there(
    store: art.Store, tree: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("noted")
    draft = art.Artifact("ds")
    draft.add_file(file)
    draft.add_dir(tree, merge=True)
    append(tree / "a.txt")
    assert store.log_artifact(draft).read("a.txt") == b"amore"

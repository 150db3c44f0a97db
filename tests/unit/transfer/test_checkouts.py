"""A directory is a checkout of ours only while every doubt is answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artstore.errors import DeniedError
from artstore.transfer.checkouts import Checkout, Checkouts


@pytest.fixture
def checkouts(tmp_path) -> Checkouts:
    return Checkouts(tmp_path / "state" / "checkouts")


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "ds"


def test_a_directory_is_ours_from_the_start_of_a_pull_on(checkouts, root):
    assert checkouts.find(root) is None
    checkouts.mark_started(root, "store", "project", "ds", 3)
    status = root.stat()
    assert checkouts.find(root) == Checkout(
        str(root), status.st_dev, status.st_ino, "store", "project", "ds", 3, is_done=False
    )
    checkouts.mark_done(root, "store", "project", "ds", 3)
    assert checkouts.find(root).is_done
    assert list(root.iterdir()) == []


def test_other_directories_are_not_ours(checkouts, root, tmp_path):
    checkouts.mark_done(root, "store", "project", "ds", 3)
    (tmp_path / "other").mkdir()
    (root / "below").mkdir()
    assert checkouts.find(tmp_path / "other") is None
    assert checkouts.find(root / "below") is None
    assert checkouts.find(tmp_path) is None


def test_a_directory_made_anew_in_the_same_place_is_not_ours(checkouts, root, tmp_path):
    checkouts.mark_done(root, "store", "project", "ds", 3)
    root.rename(tmp_path / "moved")
    root.mkdir()
    assert checkouts.find(root) is None
    assert checkouts.find(tmp_path / "moved") is None
    root.rmdir()
    (tmp_path / "moved").rename(root)
    assert checkouts.find(root) is not None


def test_a_directory_is_found_by_every_way_to_it(checkouts, root, tmp_path, monkeypatch):
    checkouts.mark_done(root, "store", "project", "ds", 3)
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert checkouts.find(tmp_path / "link") == checkouts.find(root) == checkouts.find(Path("ds"))


def test_odd_directory_names_are_noted(checkouts, tmp_path):
    root = tmp_path / "é \n x"
    checkouts.mark_done(root, "store", "project", "ds", 3)
    assert checkouts.find(root).location == str(root)


def test_a_directory_name_that_is_not_utf8_is_noted(checkouts, tmp_path):
    root = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"bad\xff")))
    try:
        root.mkdir()
    except OSError:
        pytest.skip("this disk refuses such names itself")
    checkouts.mark_done(root, "store", "project", "ds", 3)
    assert checkouts.find(root).is_done


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 9999, b'{"location": 1}', b"x" * 100_000],
)
def test_a_damaged_note_is_none(checkouts, root, tmp_path, damage):
    checkouts.mark_done(root, "store", "project", "ds", 3)
    (note,) = (tmp_path / "state/checkouts").iterdir()
    note.write_bytes(damage)
    assert checkouts.find(root) is None
    checkouts.mark_done(root, "store", "project", "ds", 3)
    assert checkouts.find(root) is not None


def test_a_note_with_a_field_of_another_type_is_none(checkouts, root, tmp_path):
    checkouts.mark_done(root, "store", "project", "ds", 3)
    (note,) = (tmp_path / "state/checkouts").iterdir()
    note.write_bytes(note.read_bytes().replace(b'"version": 3', b'"version": true'))
    assert checkouts.find(root) is None


def test_without_a_writable_state_directory_nothing_is_ours_and_nothing_fails(tmp_path, root):
    (tmp_path / "file").write_text("x")
    checkouts = Checkouts(tmp_path / "file" / "checkouts")
    checkouts.mark_started(root, "store", "project", "ds", 3)
    assert root.is_dir()
    assert checkouts.find(root) is None


def test_a_root_that_cannot_be_made_is_an_error(checkouts, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeniedError) as caught:
        checkouts.mark_started(tmp_path / "file" / "ds", "store", "project", "ds", 3)
    assert caught.value.code == "target-denied"


def test_a_forgotten_checkout_is_not_ours(checkouts, root):
    checkouts.forget(root)
    checkouts.mark_done(root, "store", "project", "ds", 3)
    checkouts.forget(root)
    assert checkouts.find(root) is None


def test_all_checkouts_of_a_store_that_still_are_what_they_were_are_listed(
    checkouts, root, tmp_path
):
    assert checkouts.known("store") == []
    other, moved = tmp_path / "other", tmp_path / "moved"
    checkouts.mark_done(root, "store", "project", "ds", 3)
    checkouts.mark_done(moved, "store", "project", "ds", 2)
    checkouts.mark_done(other, "another store", "project", "ds", 3)
    moved.rename(tmp_path / "away")
    (tmp_path / "state" / "checkouts" / "damaged.json").write_text("{")
    assert checkouts.known("store") == [checkouts.find(root)]

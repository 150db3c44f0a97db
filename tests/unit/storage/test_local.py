"""What a directory adds to the suite: files, modes, order of syncs, what else lies there."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from artstore.errors import InvalidInputError, NotFoundError
from artstore.storage import durable
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Span


def files_below(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


def test_a_value_is_a_read_only_file_with_one_name(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("packs/ab/one", [b"some ", b"bytes"])
    status = os.stat(tmp_path / "packs/ab/one")
    assert (tmp_path / "packs/ab/one").read_bytes() == b"some bytes"
    assert status.st_mode & 0o222 == 0
    assert status.st_nlink == 1
    assert files_below(tmp_path) == ["packs/ab/one"]


def test_the_root_is_made_at_the_first_write_with_what_is_above_it(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "x/y/store")
    with pytest.raises(NotFoundError):
        storage.read("a/b")
    assert list(tmp_path.iterdir()) == []
    storage.create("a/b", b"1")
    assert (tmp_path / "x/y/store/a/b").read_bytes() == b"1"


def test_a_store_that_was_emptied_under_us_is_made_again(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store")
    storage.create("a/b/1", b"1")
    os.rename(tmp_path / "store", tmp_path / "gone")
    storage.create("a/b/1", b"again")
    assert storage.read("a/b/1") == b"again"
    # Only a directory inside is removed: what is remembered of it must not matter.
    os.unlink(tmp_path / "store/a/b/1")
    os.rmdir(tmp_path / "store/a/b")
    storage.create("a/b/1", b"and again")
    assert storage.read("a/b/1") == b"and again"


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
def test_modes_honour_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        LocalStorage(tmp_path / "store").create("a/b", b"")
    finally:
        os.umask(before)
    for path, full in (
        ("store", 0o777),
        ("store/tmp", 0o777),
        ("store/a", 0o777),
        ("store/a/b", 0o444),
    ):
        assert stat.S_IMODE(os.stat(tmp_path / path).st_mode) == full & ~umask


def test_below_a_setgid_root_the_modes_of_the_root_win_over_the_umask(tmp_path: Path) -> None:
    root = tmp_path / "store"
    root.mkdir()
    os.chmod(root, 0o2770)
    before = os.umask(0o077)
    try:
        LocalStorage(root).create("a/b/c", b"")
    finally:
        os.umask(before)
    for path in ("tmp", "a", "a/b"):
        assert stat.S_IMODE(os.stat(root / path).st_mode) == 0o2770
    assert stat.S_IMODE(os.stat(root / "a/b/c").st_mode) == 0o440


def test_what_is_no_value_is_invisible(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"1")
    for name in (".DS_Store", ".nfs0001", "Thumbs.db", "a b", "lost+found", "ends."):
        (tmp_path / "a" / name).write_bytes(b"x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "tmp/left").write_bytes(b"x")
    os.mkfifo(tmp_path / "a/pipe")
    os.symlink("nowhere", tmp_path / "a/dangling")
    (tmp_path / "a/empty").mkdir()
    assert [info.key for info in storage.scan("")] == ["a/b"]
    assert list(storage.scan_names("")) == ["a"]
    assert list(storage.scan_names("a/")) == ["b"]
    for key in ("a/pipe", "a/dangling", "a/empty", "tmp/left", "tmp"):
        with pytest.raises(NotFoundError):
            storage.read(key)
        with pytest.raises(NotFoundError):
            storage.stat(key)
    assert list(storage.scan("tmp/")) == []


def test_a_part_of_the_store_may_be_a_symlink_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "store").mkdir()
    os.symlink(tmp_path / "big", tmp_path / "store/packs")
    storage = LocalStorage(tmp_path / "store")
    storage.create("packs/ab/1", b"1")
    assert [info.key for info in storage.scan("")] == ["packs/ab/1"]
    assert (tmp_path / "big/ab/1").read_bytes() == b"1"


def test_deleting_a_directory_is_no_error_and_deletes_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/b/c", b"1")
    storage.delete(["a", "a/b", "a/b/c/d"])
    assert storage.read("a/b/c") == b"1"


def test_keys_cannot_leave_the_root(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    storage = LocalStorage(tmp_path / "store")
    storage.create("a/b", b"")
    for key in ("../secret", "a/../../secret", "/etc/passwd", str(tmp_path / "secret")):
        for call in (storage.read, storage.stat, lambda key: storage.delete([key])):
            with pytest.raises(InvalidInputError):
                call(key)
    with pytest.raises(InvalidInputError):
        list(storage.scan_names("../"))


def test_many_ranges_of_one_value_open_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path)
    storage.create_many([("a/1", b"0123456789"), ("a/2", b"abcdefghij")])
    opened: list[str] = []
    really_open = os.open

    def counting_open(path, *rest, **options):
        opened.append(os.path.basename(path))
        return really_open(path, *rest, **options)

    monkeypatch.setattr(os, "open", counting_open)
    asked = [("a/1", Span(n, 2)) for n in range(9)] + [("a/2", None)]
    before = len(os.listdir("/dev/fd"))
    assert len(list(storage.read_many(asked))) == 10
    assert opened == ["1", "2"]
    answers = storage.read_many(asked)
    next(answers)
    answers.close()  # a reader that stops early leaves nothing open
    assert len(os.listdir("/dev/fd")) == before


def test_the_order_of_syncs_is_file_name_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    root = tmp_path / "store"

    def name_of(path: str) -> str:
        path = os.path.relpath(path, tmp_path)
        return "file" if path.startswith("store/tmp/") else path

    def fsync(descriptor: int) -> None:
        events.append(f"sync {name_of(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        os.fsync(descriptor)

    def link(source: str, target: str) -> None:
        events.append(f"link {name_of(target)}")
        os.link(source, target)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc to tell which file is synced")
    monkeypatch.setattr(durable, "_fsync", fsync)
    monkeypatch.setattr(durable, "_link", link)
    storage = LocalStorage(root)
    storage.create("packs/ab/1", b"1")
    assert events[0] == "sync ."  # the new root's name
    assert events[1:3] == ["sync file", "link store/packs/ab/1"]
    # L5: the directory, and the names of the directories above it.
    assert sorted(events[3:]) == ["sync .", "sync store", "sync store/packs", "sync store/packs/ab"]
    events.clear()
    storage.create("packs/ab/2", b"2")
    assert events == ["sync file", "link store/packs/ab/2", "sync store/packs/ab"]
    events.clear()
    storage.create_many([("packs/ab/3", b""), ("packs/cd/1", b""), ("packs/cd/2", b"")])
    links = [n for n, event in enumerate(events) if event.startswith("link")]
    assert events[: links[0]] == ["sync file"] * 3
    assert sorted(events[links[-1] + 1 :]) == [
        "sync store/packs",
        "sync store/packs/ab",
        "sync store/packs/cd",
    ]
    events.clear()
    LocalStorage(root).create("packs/cd/3", b"")
    # A directory someone else made may not be synced yet: its name is synced by us too.
    assert "sync store/packs" in events


def test_without_sync_nothing_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise AssertionError("synced")

    monkeypatch.setattr(durable, "_fsync", fsync)
    storage = LocalStorage(tmp_path / "store", sync=False)
    storage.create_many([("a/b", b"1"), ("a/c", b"2")])
    storage.delete(["a/b"])
    assert storage.read("a/c") == b"2"


def test_sweeping_takes_old_unfinished_writes_only(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"1")
    old, young, directory, used = (
        tmp_path / "tmp" / name for name in ("old", "young", "directory", "used")
    )
    old.write_bytes(b"12345")
    young.write_bytes(b"x")
    directory.mkdir()
    used.mkdir()
    (used / "x").write_bytes(b"")
    hour_ago = os.stat(young).st_mtime - 3600
    os.utime(old, (hour_ago, hour_ago))
    os.utime(directory, (hour_ago, hour_ago))
    os.utime(used, (hour_ago, hour_ago))
    os.utime(tmp_path / "a/b", (hour_ago, hour_ago))
    assert storage.sweep_temporary(7200) == 0
    assert storage.sweep_temporary(3000) == 5
    assert sorted(os.listdir(tmp_path / "tmp")) == ["used", "young"]
    assert storage.read("a/b") == b"1"


def test_a_socket_in_the_store_hurts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"1")
    monkeypatch.chdir(tmp_path / "a")  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind("socket")
        assert [info.key for info in storage.scan("")] == ["a/b"]
        with pytest.raises(NotFoundError):
            storage.stat("a/socket")
        with pytest.raises(NotFoundError):
            storage.read("a/socket")

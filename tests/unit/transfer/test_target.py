"""What lands below the target, with which mode, and what is left after errors."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artstore.errors import (
    DamagedDataError,
    DeniedError,
    InvalidInputError,
    StateError,
    StorageError,
)
from artstore.transfer import folding, target
from artstore.transfer.folding import PathClaims
from artstore.transfer.target import TargetDirectory


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def out(root) -> Iterator[TargetDirectory]:
    with TargetDirectory(root) as directory:
        yield directory


def listing(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*"))


def test_a_file_is_made_with_its_parents(root, out):
    status = out.write_file("a/b/c", [b"one", memoryview(b"two"), bytearray(b"three"), b""])
    assert (root / "a/b/c").read_bytes() == b"onetwothree"
    found = os.stat(root / "a/b/c")
    for field in ("st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_mode"):
        assert getattr(found, field) == getattr(status, field)
    assert listing(root) == ["a", "a/b", "a/b/c"]


def test_an_empty_file_is_made_of_no_buffers(root, out):
    assert out.write_file("empty", []).st_size == 0
    assert (root / "empty").read_bytes() == b""


@pytest.mark.parametrize(
    ("umask", "plain", "runnable"),
    [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0o002, 0o664, 0o775)],
)
def test_the_umask_decides_modes(root, umask, plain, runnable):
    before = os.umask(umask)
    try:
        with TargetDirectory(root) as out:
            out.write_file("d/plain", [b"x"])
            out.write_file("d/runnable", [b"x"], executable=True)
            modes = [
                stat.S_IMODE(os.stat(root / p).st_mode) for p in ("d/plain", "d/runnable", "d")
            ]
            assert modes == [plain, runnable, runnable]
            out.set_executable("d/plain", executable=True)
            out.set_executable("d/runnable", executable=False)
            modes = [stat.S_IMODE(os.stat(root / p).st_mode) for p in ("d/plain", "d/runnable")]
            assert modes == [runnable, plain]
    finally:
        os.umask(before)


def test_a_file_is_replaced_by_a_new_one_and_readers_keep_the_old(root, out):
    out.write_file("f", [b"old"])
    with (root / "f").open("rb") as reader:
        out.write_file("f", [b"new"])
        assert reader.read() == b"old"
    assert (root / "f").read_bytes() == b"new"


def test_a_symlink_in_place_of_the_file_is_replaced_and_not_followed(tmp_path, root, out):
    (tmp_path / "victim").write_text("mine")
    (root / "f").symlink_to(tmp_path / "victim")
    out.write_file("f", [b"new"])
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (root / "f").is_symlink()


def test_a_hard_link_in_place_of_the_file_is_not_written_through(tmp_path, root, out):
    (tmp_path / "victim").write_text("mine")
    os.link(tmp_path / "victim", root / "f")
    out.write_file("f", [b"new"])
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("kind", ["symlink", "file", "fifo", "dangling"])
def test_what_stands_where_a_directory_must_be_gives_way(tmp_path, root, out, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    place = root / "a"
    if kind == "symlink":
        place.symlink_to(outside)
    elif kind == "dangling":
        place.symlink_to(tmp_path / "nowhere")
    elif kind == "file":
        place.write_text("x")
    else:
        os.mkfifo(place)
    out.write_file("a/b", [b"x"])
    assert (root / "a/b").read_bytes() == b"x"
    assert stat.S_ISDIR(place.lstat().st_mode)
    assert listing(outside) == []


def test_a_directory_that_is_empty_gives_way_to_a_file(root, out):
    (root / "f").mkdir()
    out.write_file("f", [b"x"])
    assert (root / "f").read_bytes() == b"x"


def test_a_directory_that_is_not_empty_does_not_give_way(root, out):
    (root / "f").mkdir()
    (root / "f/mine").write_text("x")
    with pytest.raises(StateError, match="/out/f'") as caught:
        out.write_file("f", [b"x"])
    assert caught.value.code == "target-occupied"
    assert listing(root) == ["f", "f/mine"]
    with pytest.raises(StateError):
        out.make_symlink("f", "x")
    assert listing(root) == ["f", "f/mine"]


def test_a_directory_that_is_not_empty_gives_way_with_delete(tmp_path, root):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/keep").write_text("x")
    with TargetDirectory(root, delete=True) as out:
        (root / "f/deep").mkdir(parents=True)
        (root / "f/deep/mine").write_text("x")
        (root / "f/out").symlink_to(tmp_path / "outside")
        out.write_file("f", [b"x"])
        assert listing(root) == ["f"]
    assert (tmp_path / "outside/keep").exists()


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "a//b",
        ".",
        "..",
        "",
        "a/.",
        "./a",
        "a\0b",
        "a/",
        "\udcff",
        "x" * 5000,
    ],
)
def test_hostile_paths_are_refused_by_every_call(tmp_path, root, out, path):
    calls = [
        lambda: out.claim(path),
        lambda: out.write_file(path, [b"x"]),
        lambda: out.make_symlink(path, "x"),
        lambda: out.make_directory(path),
        lambda: out.place(path, lambda parent, name: pytest.fail("was asked to make it")),
        lambda: out.remove(path),
        lambda: out.open_file(path),
        lambda: out.set_executable(path, executable=True),
    ]
    for call in calls:
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.code == "path-invalid"
    assert listing(tmp_path) == ["out"]


def test_a_file_below_a_symlink_of_the_same_version_stays_inside(tmp_path, root, out):
    outside = tmp_path / "outside"
    outside.mkdir()
    out.make_symlink("a", str(outside))
    out.write_file("a/passwd", [b"x"])
    assert listing(outside) == []
    assert (root / "a/passwd").read_bytes() == b"x"


def test_nothing_is_removed_or_read_through_a_symlink(tmp_path, root, out):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/keep").write_text("x")
    (root / "a").symlink_to(tmp_path / "outside")
    assert out.remove("a/keep") is False
    with pytest.raises(StateError):
        out.open_file("a/keep")
    assert (tmp_path / "outside/keep").exists()
    assert out.remove("a") is True
    assert (tmp_path / "outside/keep").exists()


def test_symlinks_keep_their_text(root, out):
    texts = ["nowhere", "/etc/passwd", "../../..", "new\nline", "é"]
    for number, text in enumerate(texts):
        out.make_symlink(f"d/{number}", text)
        out.make_symlink(f"d/{number}", text)
    assert [os.readlink(root / f"d/{number}") for number in range(len(texts))] == texts
    assert len(listing(root)) == 1 + len(texts)


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_texts_no_symlink_can_have_are_refused(out, text):
    with pytest.raises(InvalidInputError):
        out.make_symlink("a", text)


def test_directories_are_made_and_kept(root, out):
    out.make_directory("a/b")
    (root / "a/b/mine").write_text("x")
    out.make_directory("a/b")
    assert listing(root) == ["a", "a/b", "a/b/mine"]
    (root / "f").write_text("x")
    out.make_directory("f")
    assert (root / "f").is_dir()


def test_what_raises_in_the_middle_of_a_file_leaves_the_old_one(root, out):
    out.write_file("f", [b"old"])

    def buffers() -> Iterator[bytes]:
        yield b"half"
        raise DamagedDataError("bad", code="chunk-damaged")

    for path in ("f", "new/f"):
        with pytest.raises(DamagedDataError):
            out.write_file(path, buffers())
    assert (root / "f").read_bytes() == b"old"
    assert listing(root) == ["f", "new"]


def test_an_interrupt_in_the_middle_of_a_file_leaves_nothing_behind(root, out):
    def buffers() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        out.write_file("f", buffers())
    assert listing(root) == []


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.ENOSPC, (DeniedError, "target-full")),
        (errno.EDQUOT, (DeniedError, "target-full")),
        (errno.EACCES, (DeniedError, "target-denied")),
        (errno.EROFS, (DeniedError, "target-denied")),
        (errno.EIO, (StorageError, "target-failed")),
    ],
)
def test_errors_of_the_disk_name_the_path_and_leave_the_old_file(
    root, out, monkeypatch, number, refusal
):
    out.write_file("d/f", [b"old"])

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(target.os, "writev", fail)
    kind, code = refusal
    with pytest.raises(kind, match="/out/d/f'") as caught:
        out.write_file("d/f", [b"new"])
    monkeypatch.undo()
    assert caught.value.code == code
    assert os.strerror(number) in str(caught.value)
    assert (root / "d/f").read_bytes() == b"old"
    assert listing(root) == ["d", "d/f"]


def test_partial_writes_are_continued(root, out, monkeypatch):
    write = os.write
    monkeypatch.setattr(target.os, "writev", lambda fd, data: write(fd, bytes(data[0][:3])))
    out.write_file("f", [b"0123456789", memoryview(b"abcdefgh")])
    monkeypatch.undo()
    assert (root / "f").read_bytes() == b"0123456789abcdefgh"


def test_names_longer_than_the_disk_takes_are_refused(out):
    with pytest.raises(InvalidInputError) as caught:
        out.write_file("x" * 300, [b"x"])
    assert caught.value.code == "path-invalid"


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "f").write_text("x")
    for place in (tmp_path / "f", tmp_path / "f/below"):
        with pytest.raises((InvalidInputError, StateError)):
            TargetDirectory(place)
    assert (tmp_path / "f").read_text() == "x"


def test_a_root_that_is_a_symlink_is_meant(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with TargetDirectory(tmp_path / "link") as out:
        out.write_file("a", [b"x"])
    assert (tmp_path / "real/a").exists()


@pytest.mark.parametrize(
    "name", ["new\nline", "é", "e\u0301", " ", "-", "~", "con", "a\\b", "\U0001f600"]
)
def test_odd_names_are_written_as_they_are(root, out, name):
    out.write_file(f"{name}/{name}", [b"x"])
    if not out.folds:
        assert os.listdir(root) == [name]
        assert os.listdir(root / name) == [name]


def test_remove_says_what_was_there(root, out):
    out.write_file("a/f", [b"x"])
    assert [out.remove(p) for p in ("a/f", "a/f", "a", "a", "b/c/d")] == [
        True,
        False,
        True,
        False,
        False,
    ]
    out.write_file("a/f", [b"x"])
    with pytest.raises(StateError):
        out.remove("a")


def test_pruning_stops_at_what_is_not_empty_and_at_the_root(root, out):
    for path in ("a/b/c/f", "a/keep", "x/y/f"):
        out.write_file(path, [b"x"])
    for path in ("a/b/c/f", "x/y/f"):
        out.remove(path)
        out.prune_parents(path)
    assert listing(root) == ["a", "a/keep"]
    out.remove("a/keep")
    out.prune_parents("a/keep")
    assert listing(root) == []
    assert root.is_dir()


def test_a_directory_pruned_by_another_thread_is_made_again(root, out):
    out.write_file("a/b/f", [b"x"])

    def prune() -> None:
        out.remove("a/b/f")
        out.prune_parents("a/b/f")

    thread = threading.Thread(target=prune)
    thread.start()
    thread.join()
    assert listing(root) == []
    out.write_file("a/b/g", [b"x"])
    out.make_symlink("a/b/s", "x")
    assert listing(root) == ["a", "a/b", "a/b/g", "a/b/s"]


def test_files_are_opened_for_reading_and_other_things_are_not(root, out):
    out.write_file("d/f", [b"data"])
    descriptor = out.open_file("d/f")
    assert os.read(descriptor, 9) == b"data"
    os.close(descriptor)
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("d/f")
    for path in ("fifo", "link", "d", "none", "none/f", "d/f/g"):
        with pytest.raises(StateError) as caught:
            out.open_file(path)
        assert caught.value.code == "target-occupied"
        with pytest.raises(StateError):
            out.set_executable(path, executable=True)
    assert listing(root) == ["d", "d/f", "fifo", "link"]


def test_few_descriptors_are_held_and_all_are_closed(root):
    before = len(os.listdir("/dev/fd"))
    with TargetDirectory(root) as out:
        for number in range(100):
            out.write_file(f"d{number}/e/f", [b"x"])
        assert len(os.listdir("/dev/fd")) <= before + 40
        deep = "/".join("d" * 100)
        out.write_file(f"{deep}/f", [b"x"])
        assert len(os.listdir("/dev/fd")) <= before + 40
    assert len(os.listdir("/dev/fd")) == before


def test_threads_write_into_the_same_new_directories(root, out):

    def write(me: int) -> None:
        for number in range(300):
            out.write_file(f"d{number % 60}/e{number % 7}/f{me}-{number}", [b"%d" % number])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(write, range(4))) == [None] * 4
    files = [p for p in root.rglob("f*") if p.is_file()]
    assert len(files) == 1200
    assert all(p.read_text() == p.name.split("-")[1] for p in files)


COLLISIONS = [
    ("README", "readme"),
    ("a/b", "A/b"),
    ("A/x", "a/y"),
    ("x/straße", "x/STRASSE"),
    ("caf\u00e9", "cafe\u0301"),
    ("\u212b", "\u00e5"),
    ("a", "A/b"),
]


@pytest.mark.parametrize(("first", "second"), COLLISIONS)
def test_paths_that_fold_together_are_refused_with_both_names(root, first, second):
    with TargetDirectory(root, folds=True) as out:
        out.write_file(first, [b"x"])
        before = listing(root)
        for call in (lambda: out.write_file(second, [b"y"]), lambda: out.make_directory(second)):
            with pytest.raises(InvalidInputError) as caught:
                call()
            assert caught.value.code == "path-collision"
            for path in (first, second):
                assert path.split("/")[0] in str(caught.value)
        assert listing(root) == before


def test_claiming_all_paths_first_refuses_before_anything_is_written(root):
    with TargetDirectory(root, folds=True) as out:
        out.claim("a/b")
        out.claim("a/c")
        out.claim("a/b")
        with pytest.raises(InvalidInputError, match="'A' and 'a'"):
            out.claim("A/d")
    assert listing(root) == []


@pytest.mark.parametrize(("first", "second"), COLLISIONS)
def test_a_disk_that_tells_names_apart_keeps_both(root, first, second):
    with TargetDirectory(root) as out:
        if out.folds or second.startswith(first.upper() + "/"):
            pytest.skip("not for this disk")
        out.write_file(first, [b"1"])
        out.write_file(second, [b"2"])
    assert (root / first).read_bytes() == b"1"
    assert (root / second).read_bytes() == b"2"


def test_a_folding_disk_is_found_out_by_trying(tmp_path, monkeypatch):
    fd = os.open(tmp_path, os.O_RDONLY)
    stat_of = os.stat

    def folding_stat(path, **options):
        names = {name.casefold(): name for name in os.listdir(tmp_path)}
        return stat_of(names.get(path.casefold(), path), **options)

    try:
        truth = folding.folds_names(fd)
        monkeypatch.setattr(folding.os, "stat", folding_stat)
        assert folding.folds_names(fd) is True
    finally:
        os.close(fd)
    if os.uname().sysname == "Linux":
        assert truth is False
    assert os.listdir(tmp_path) == []


def test_claims_name_the_directories_that_collide():
    claims = PathClaims()
    claims.add("data/Images/x")
    with pytest.raises(InvalidInputError, match="'data/images' and 'data/Images'"):
        claims.add("data/images/y")

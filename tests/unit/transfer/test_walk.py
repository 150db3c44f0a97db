"""What a walk yields, in which order, and what it refuses."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.transfer.ignore import IgnoreRules
from artstore.transfer.walk import Found, look, walk


def write(root: Path, path: str, data: bytes = b"x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def paths(root: Path, **options) -> list[str]:
    return [found.path for found in walk(root, **options)]


def test_files_come_with_all_that_tells_their_state(tmp_path):
    file = write(tmp_path, "a/b.bin", b"12345")
    file.chmod(0o755)
    status = file.stat()
    assert list(walk(tmp_path)) == [
        Found(
            path="a/b.bin",
            kind="file",
            location=str(file),
            size_bytes=5,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            inode=status.st_ino,
            device=status.st_dev,
            executable=True,
            target="",
        )
    ]


def test_order_is_that_of_whole_paths(tmp_path):
    names = ["a-b", "a/b", "a.b", "a/b-c/d", "a/b!", "a!b", "B", "é", "z/\U0001f600", "z/\ufffd"]
    for name in names:
        if name != "a/b":
            write(tmp_path, name)
    write(tmp_path, "a/b")
    found = paths(tmp_path)
    assert found == sorted(names)
    assert found == sorted(names, key=str.encode)


def test_an_empty_directory_sorts_by_its_bare_name(tmp_path):
    # `a` before `a-b`, although `a/x` would come behind it.
    for name in ("a", "c", "d/a", "a-", "z"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    for name in ("a-b", "a!", "c/x", "c-b", "d/a-b"):
        write(tmp_path, name)
    expected = ["a", "a!", "a-", "a-b", "c-b", "c/x", "d/a", "d/a-b", "z"]
    assert paths(tmp_path) == expected == sorted(expected)
    assert {f.path for f in walk(tmp_path) if f.kind == "directory"} == {"a", "a-", "d/a", "z"}


name_parts = (
    st.text(st.sampled_from("ab!-./0~é"))
    .map(lambda t: t.replace("/", "_"))
    .filter(lambda t: t not in ("", ".", ".."))
)


@given(st.sets(st.lists(name_parts, min_size=1, max_size=3).map(tuple), max_size=12))
def test_any_tree_is_yielded_in_order_and_whole(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    leaves = {p for p in tree if not any(q != p and q[: len(p)] == p for q in tree)}
    for number, parts in enumerate(sorted(leaves)):
        place = root.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        if number % 3:
            place.write_bytes(b"")
        else:
            place.mkdir()
    found = paths(root)
    assert found == sorted("/".join(parts) for parts in leaves)


def test_symlinks_are_entries_and_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    write(outside, "secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    found = {f.path: (f.kind, f.target) for f in walk(root)}
    assert found == {
        "out": ("symlink", str(outside)),
        "dangling": ("symlink", "nowhere"),
        "loop": ("symlink", "loop"),
    }


def test_the_root_itself_may_be_a_symlink(tmp_path):
    write(tmp_path, "real/a")
    (tmp_path / "link").symlink_to("real")
    assert paths(tmp_path / "link") == ["a"]


def test_followed_links_yield_what_they_lead_to_in_order(tmp_path):
    write(tmp_path, "outside/x", b"123")
    write(tmp_path, "outside/deep/y")
    root = tmp_path / "root"
    write(root, "a-b")
    (root / "a").symlink_to("../outside")
    (root / "file").symlink_to("../outside/x")
    found = {f.path: f for f in walk(root, follow_links=True)}
    assert list(found) == ["a-b", "a/deep/y", "a/x", "file"]
    assert found["file"].kind == "file"
    assert found["file"].size_bytes == 3


def test_link_loops_end_with_a_warning_and_keep_the_link(tmp_path):
    write(tmp_path, "a/b/file")
    (tmp_path / "a/b/up").symlink_to("..")
    (tmp_path / "a/self").symlink_to(".")
    (tmp_path / "a/b/knot").symlink_to("knot")
    warnings: list[str] = []
    found = {f.path: f.kind for f in walk(tmp_path, follow_links=True, on_warning=warnings.append)}
    assert found == {
        "a/b/file": "file",
        "a/b/knot": "symlink",
        "a/b/up": "symlink",
        "a/self": "symlink",
    }
    assert len(warnings) == 3


def test_two_links_that_lead_into_each_other_end(tmp_path):
    for name, other in (("one", "two"), ("two", "one")):
        write(tmp_path, f"{name}/file")
        (tmp_path / name / "over").symlink_to(f"../{other}")
    assert paths(tmp_path, follow_links=True) == [
        "one/file",
        "one/over/file",
        "one/over/over",
        "two/file",
        "two/over/file",
        "two/over/over",
    ]


def test_links_into_the_cache_stand_for_files(tmp_path):
    cached = write(tmp_path, "cache/files/ab/abcd", b"123")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(cached)
    (root / "b").symlink_to(tmp_path / "cache/files-other")
    found = {
        f.path: (f.kind, f.size_bytes) for f in walk(root, content_root=str(cached.parents[1]))
    }
    assert found == {"a": ("file", 3), "b": ("symlink", 0)}


def test_a_link_to_a_file_that_the_cache_lost_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("/cache/files/ab/gone")
    with pytest.raises(InvalidInputError, match="the cache lost") as caught:
        paths(tmp_path, content_root="/cache/files")
    assert caught.value.code == "source-vanished"
    kept = list(walk(tmp_path, content_root="/cache/files", keep_going=True))
    assert [f.kind for f in kept] == ["symlink"]


def test_fifos_and_sockets_are_skipped_with_a_warning(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)  # The path of a socket may have 108 bytes only.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        write(tmp_path, "file")
        os.makedirs("only")
        os.mkfifo("only/fifo")
        warnings: list[str] = []
        assert paths(tmp_path, on_warning=warnings.append) == ["file"]
    assert len(warnings) == 3
    assert "'" + str(tmp_path / "fifo") + "' is a fifo: skipped" in warnings
    assert any("socket" in warning for warning in warnings)


@pytest.mark.parametrize(
    "name", ["new\nline", "tab\t", "quote'\"", "back\\slash", " ", "\x01", "~"]
)
def test_odd_names_are_kept_as_they_are(tmp_path, name):
    write(tmp_path, name)
    write(tmp_path, f"d-{name}/{name}")
    assert paths(tmp_path) == sorted([name, f"d-{name}/{name}"])


def test_unicode_names_are_not_normalised(tmp_path):
    names = ["e\u0301", "\u00e9", "\u2126", "\u03a9", "\U0001f600"]
    for name in names:
        write(tmp_path, name)
    if len(os.listdir(tmp_path)) < len(names):
        pytest.skip("this disk normalises names")
    assert paths(tmp_path) == sorted(names)


@pytest.mark.parametrize("place", [b"bad\xff", b"dir\xff/file", b"dir\xff"])
def test_names_that_are_not_utf8_are_refused_by_name(tmp_path, place):
    full = os.path.join(os.fsencode(tmp_path), place)
    try:
        if place.endswith(b"dir\xff"):
            os.mkdir(full)
        else:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            os.close(os.open(full, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this disk refuses such names itself")
    with pytest.raises(InvalidInputError, match=r"\\xff") as caught:
        paths(tmp_path)
    assert caught.value.code == "path-invalid"
    str(caught.value).encode()  # Can be printed.
    warnings: list[str] = []
    write(tmp_path, "good")
    assert paths(tmp_path, keep_going=True, on_warning=warnings.append) == ["good"]
    assert len(warnings) == 1
    warnings[0].encode()


def test_a_symlink_whose_text_is_not_utf8_is_refused(tmp_path):
    os.symlink(b"bad\xff", os.path.join(os.fsencode(tmp_path), b"link"))
    with pytest.raises(InvalidInputError, match=r"bad\\xff") as caught:
        paths(tmp_path)
    assert caught.value.code == "path-invalid"


def test_a_path_longer_than_the_format_allows_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(17):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    Path("file").touch()
    with pytest.raises(InvalidInputError) as caught:
        paths(tmp_path)
    assert caught.value.code in ("path-invalid", "source-unreadable")


def test_a_missing_root_is_an_error(tmp_path):
    with pytest.raises(InvalidInputError) as caught:
        paths(tmp_path / "none")
    assert caught.value.code == "source-vanished"


def test_a_root_that_is_a_file_is_an_error(tmp_path):
    with pytest.raises(InvalidInputError):
        paths(write(tmp_path, "file"))


def test_a_file_that_vanishes_during_the_walk_is_named(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b")
    items = walk(tmp_path)
    assert next(items).path == "a"
    (tmp_path / "b").unlink()
    with pytest.raises(InvalidInputError, match="/b'") as caught:
        next(items)
    assert caught.value.code == "source-vanished"


def test_a_directory_swapped_for_a_symlink_during_the_walk_is_not_entered(tmp_path):
    write(tmp_path, "outside/secret")
    root = tmp_path / "root"
    write(root, "a")
    write(root, "b/file")
    items = walk(root)
    assert next(items).path == "a"
    (root / "b").rename(tmp_path / "moved")
    (root / "b").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidInputError):
        next(items)


def test_a_directory_replaced_while_its_child_is_walked_is_noticed(tmp_path):
    write(tmp_path, "top/a/x")
    write(tmp_path, "top/z")
    items = walk(tmp_path)
    assert next(items).path == "top/a/x"
    (tmp_path / "top").rename(tmp_path / "old")
    write(tmp_path, "top/z")
    with pytest.raises(InvalidInputError, match="was replaced") as caught:
        next(items)
    assert caught.value.code == "source-vanished"


def test_a_walk_that_is_given_up_holds_nothing_open(tmp_path):
    for name in ("a/b/c/1", "a/b/c/2", "a/2"):
        write(tmp_path, name)
    before = len(os.listdir("/dev/fd"))
    items = walk(tmp_path)
    next(items)
    items.close()
    assert len(os.listdir("/dev/fd")) == before


def test_deep_trees_need_few_descriptors(tmp_path):
    deep = "/".join("d" * 300)
    write(tmp_path, deep + "/file")
    before = len(os.listdir("/dev/fd"))
    items = walk(tmp_path)
    assert next(items).path == deep + "/file"
    assert len(os.listdir("/dev/fd")) <= before + 1
    items.close()


def test_a_directory_of_100_000_files_takes_bounded_memory(tmp_path):
    # Hard links, because they are made faster; no disk grants 100,000 to one file.
    many = tmp_path / "many"
    many.mkdir()
    for seed in range(4):
        (tmp_path / str(seed)).touch()
        for number in range(25_000):
            os.link(tmp_path / str(seed), many / f"file-{seed}-{number}")
    tracemalloc.start()
    try:
        count = sum(1 for _ in walk(many))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert peak < 20 * 1024 * 1024  # Their names, and nothing per file beside.


def test_ignored_directories_are_not_entered(tmp_path):
    write(tmp_path, "skip/secret")
    write(tmp_path, "keep/a.png")
    write(tmp_path, "keep/a.tmp")
    write(tmp_path, ".artignore", b"skip/\n*.tmp\n")
    (tmp_path / "skip").chmod(0)
    try:
        rules = IgnoreRules.for_push(tmp_path)
        assert paths(tmp_path, rules=rules) == [".artignore", "keep/a.png"]
    finally:
        (tmp_path / "skip").chmod(0o755)


def test_a_directory_of_ignored_files_only_is_not_an_empty_directory(tmp_path):
    write(tmp_path, "cache/a.tmp")
    (tmp_path / "empty").mkdir()
    rules = IgnoreRules.for_push(tmp_path, exclude=["*.tmp"])
    assert paths(tmp_path, rules=rules) == ["empty"]


def test_include_leaves_out_other_empty_directories(tmp_path):
    write(tmp_path, "a/x.png")
    (tmp_path / "a/empty").mkdir()
    (tmp_path / "b/empty").mkdir(parents=True)
    assert paths(tmp_path, rules=IgnoreRules.for_push(tmp_path, include=["*.png"])) == ["a/x.png"]
    rules = IgnoreRules.for_push(tmp_path, include=["a"])
    assert paths(tmp_path, rules=rules) == ["a/empty", "a/x.png"]


def test_look_sees_one_file_through_a_link(tmp_path):
    file = write(tmp_path, "real", b"123")
    (tmp_path / "link").symlink_to("real")
    found = look(str(tmp_path / "link"), "name")
    assert (found.path, found.kind, found.size_bytes) == ("name", "file", 3)
    assert found.inode == file.stat().st_ino


def test_look_refuses_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidInputError, match="is a fifo"):
        look(str(tmp_path / "fifo"), "name")
    with pytest.raises(InvalidInputError) as caught:
        look(str(tmp_path / "none"), "name")
    assert caught.value.code == "source-vanished"
    with pytest.raises(InvalidInputError):
        look(str(tmp_path), "../name")

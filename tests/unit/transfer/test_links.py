"""How cached files get into a checkout, and what happens where a disk cannot."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from artstore.digest import digest_of
from artstore.errors import InvalidInputError, NotFoundError
from artstore.transfer import links
from artstore.transfer.contentcache import ContentCache
from artstore.transfer.links import materialise
from artstore.transfer.statcache import StatCache
from artstore.transfer.target import TargetDirectory
from artstore.transfer.walk import walk

DATA = b"some content" * 1000
MODES = ["copy", "reflink", "hard", "sym"]


class Place:
    def __init__(self, tmp_path: Path) -> None:
        self.cache = ContentCache(tmp_path / "cache")
        self.root = tmp_path / "out"
        self.target = TargetDirectory(self.root)
        self.warnings: list[str] = []

    def put(self, path: str, mode: str, data: bytes = DATA, **options) -> os.stat_result:
        file = self.cache.find(digest_of(data), **options) or self.cache.add(
            digest_of(data), [data], **options
        )
        return materialise(
            file, self.target, path, mode, on_warning=self.warnings.append, **options
        )


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    with place.target:
        yield place


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("executable", [False, True])
def test_every_mode_gives_the_bytes_and_the_mode_bit(place, mode, executable):
    status = place.put("a/b", mode, executable=executable)
    assert (place.root / "a/b").read_bytes() == DATA
    assert bool(os.stat(place.root / "a/b").st_mode & 0o100) is executable
    found = os.stat(place.root / "a/b")
    assert (status.st_ino, status.st_ctime_ns) == (found.st_ino, found.st_ctime_ns)
    assert os.listdir(place.root / "a") == ["b"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before", MODES)
def test_every_mode_replaces_every_other_and_itself(place, mode, before):
    place.put("f", before, b"old")
    place.put("f", before, b"old")
    place.put("f", mode)
    place.put("f", mode)
    assert (place.root / "f").read_bytes() == DATA
    assert os.listdir(place.root) == ["f"]
    assert place.cache.find(digest_of(b"old")).read_bytes() == b"old"


@pytest.mark.parametrize("mode", MODES)
def test_the_stat_cache_knows_what_was_put_in_place(place, tmp_path, mode):
    statcache = StatCache(tmp_path / "stat")
    status = place.put("a/b", mode)
    assert statcache.record_written(f"{place.target.root}/a/b", status, digest_of(DATA))
    (found,) = walk(place.root, content_root=str(place.cache.files_directory))
    assert found.kind == "file"
    assert statcache.lookup(found) == digest_of(DATA)


@pytest.mark.parametrize("mode", ["copy", "reflink"])
def test_copies_and_clones_are_files_of_their_own(place, mode):
    place.put("f", mode)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(os.stat(place.root / "f").st_mode) == 0o666 & ~mask
    (place.root / "f").write_bytes(b"changed")
    assert place.cache.find(digest_of(DATA)).read_bytes() == DATA


@pytest.mark.parametrize("mode", ["hard", "sym"])
def test_linked_files_are_read_only(place, mode):
    place.put("f", mode)
    assert os.stat(place.root / "f").st_mode & 0o222 == 0


def test_hard_links_share_the_cached_file(place):
    place.put("f", "hard")
    place.put("g", "hard")
    inodes = {os.stat(place.root / name).st_ino for name in ("f", "g")}
    assert inodes == {place.cache.find(digest_of(DATA)).stat().st_ino}


def test_a_disk_that_cannot_share_blocks_copies_and_says_so_once(place, monkeypatch):
    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(links, "_clone_linux", refuse)
    monkeypatch.setattr(links, "_clone_darwin", refuse)
    for name in ("f", "g", "h"):
        place.put(name, "reflink")
    assert all((place.root / name).read_bytes() == DATA for name in ("f", "g", "h"))
    assert len(place.warnings) == 1
    assert "copied" in place.warnings[0]
    assert sorted(os.listdir(place.root)) == ["f", "g", "h"]


def test_a_clone_that_fails_for_another_reason_is_not_copied(place, monkeypatch):
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(links, "_clone_linux", refuse)
    monkeypatch.setattr(links, "_clone_darwin", refuse)
    with pytest.raises(Exception, match="full") as caught:
        place.put("f", "reflink")
    assert caught.value.code == "target-full"
    assert os.listdir(place.root) == []


def test_a_hard_link_to_another_disk_says_what_to_do(place, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(links.os, "link", refuse)
    with pytest.raises(InvalidInputError) as caught:
        place.put("f", "hard")
    assert caught.value.code == "link-unsupported"
    assert "ARTSTORE_CACHE_DIR" in caught.value.hint
    assert os.listdir(place.root) == []


def test_a_file_with_too_many_links_is_copied(place, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(links.os, "link", refuse)
    place.put("f", "hard")
    assert (place.root / "f").read_bytes() == DATA
    assert place.warnings == []


@pytest.mark.parametrize("mode", MODES)
def test_a_cached_file_that_was_evicted_meanwhile_is_told(place, mode):
    gone = place.cache.files_directory / "ab" / "gone"
    with pytest.raises(NotFoundError) as caught:
        materialise(gone, place.target, "f", mode, on_warning=place.warnings.append)
    assert caught.value.code == "cache-evicted"


def test_a_symlink_in_place_of_a_cached_file_is_not_copied(place, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "fake").symlink_to(tmp_path / "secret")
    with pytest.raises(Exception, match="cannot use"):
        materialise(tmp_path / "fake", place.target, "f", "copy", on_warning=place.warnings.append)
    assert os.listdir(place.root) == []


def test_an_empty_file_works_in_every_mode(place):
    for mode in MODES:
        place.put(mode, mode, b"")
        assert (place.root / mode).read_bytes() == b""

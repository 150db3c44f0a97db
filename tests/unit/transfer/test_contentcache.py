"""The cache gives out only what it verified, stays under its cap, and evicts nothing in use."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artstore import clock
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, DeniedError
from artstore.transfer import contentcache
from artstore.transfer.contentcache import ContentCache, PruneReport
from tests.unit.storage.processes import ChildProcess

KIB = 1024


@pytest.fixture
def cache(tmp_path, monkeypatch) -> ContentCache:
    # Everything may be evicted at once, and each use is later than the one before.
    monkeypatch.setattr(contentcache, "_RECENT_COUNT", 0)
    seconds = itertools.count(1_000_000_000)
    monkeypatch.setattr(clock, "now_seconds", lambda: float(next(seconds)))
    return ContentCache(tmp_path / "cache", 10 * KIB)


def content(number: int, size: int = KIB) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def add(cache: ContentCache, number: int, size: int = KIB, **options) -> Path:
    data = content(number, size)
    return cache.add(digest_of(data), [data], **options)


def is_there(cache: ContentCache, number: int, size: int = KIB) -> bool:
    return cache.find(digest_of(content(number, size))) is not None


def test_what_was_added_is_found_and_read_only(cache):
    file = cache.add(digest_of(b"onetwo"), [b"one", memoryview(b"two"), b""])
    assert file.read_bytes() == b"onetwo"
    assert stat.S_IMODE(file.stat().st_mode) & 0o222 == 0
    assert cache.find(digest_of(b"onetwo")) == file
    assert file.is_relative_to(cache.files_directory)
    assert cache.find(digest_of(b"other")) is None


def test_executable_files_are_kept_apart(cache):
    plain = add(cache, 1)
    runnable = add(cache, 1, executable=True)
    assert plain != runnable
    assert [bool(file.stat().st_mode & 0o100) for file in (plain, runnable)] == [False, True]
    assert cache.find(digest_of(content(1)), executable=True) == runnable


def test_the_directory_is_tagged_as_a_cache(cache):
    add(cache, 1)
    tag = (cache.directory / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_wrong_bytes_are_not_kept(cache):
    with pytest.raises(DamagedDataError) as caught:
        cache.add(digest_of(b"right"), [b"wrong"])
    assert caught.value.code == "content-digest-mismatch"
    assert cache.find(digest_of(b"right")) is None
    assert os.listdir(cache.directory / "tmp") == []
    assert cache.stats().file_count == 0


def test_what_raises_in_the_middle_leaves_nothing(cache):
    def buffers():
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.add(digest_of(b"x"), buffers())
    assert os.listdir(cache.directory / "tmp") == []


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_removed_and_not_given_out(cache, damage):
    file = add(cache, 1)
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[500] ^= 1
    status = file.stat()
    file.write_bytes({"flip": bytes(data), "cut": data[:-1], "empty": b""}[damage])
    os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert cache.find(digest_of(content(1))) is None
    assert not file.exists()
    assert add(cache, 1).read_bytes() == content(1)


def test_a_symlink_in_place_of_a_cached_file_is_not_followed(cache, tmp_path):
    file = add(cache, 1)
    (tmp_path / "copy").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(tmp_path / "copy")
    with pytest.raises(Exception, match="cannot use"):
        cache.find(digest_of(content(1)))


def test_the_least_recently_used_go_first_and_the_cap_holds(cache):
    for number in range(10):
        add(cache, number)
    assert is_there(cache, 0)
    add(cache, 10)
    assert cache.stats().size_bytes <= 10 * KIB
    assert is_there(cache, 0)
    assert not is_there(cache, 1)
    assert is_there(cache, 10)


def test_a_file_larger_than_the_cap_is_kept_alone(cache, monkeypatch):
    add(cache, 1)
    monkeypatch.setattr(contentcache, "_RECENT_COUNT", 1)
    file = add(cache, 2, 20 * KIB)
    # It is given out, and goes when the next one comes.
    assert file.exists()
    assert cache.stats().file_count == 1
    add(cache, 3)
    assert not file.exists()
    assert is_there(cache, 3)


def test_the_file_just_added_is_never_the_one_evicted(tmp_path):
    cache = ContentCache(tmp_path, 10)
    for number in range(5):
        assert add(cache, number).exists()


def test_a_new_process_counts_what_lies_there(cache):
    for number in range(10):
        add(cache, number)
    other = ContentCache(cache.directory, 10 * KIB)
    add(other, 10)
    assert other.stats().size_bytes <= 10 * KIB


def test_hard_linked_files_are_not_evicted(cache, tmp_path):
    os.link(add(cache, 0), tmp_path / "checkout")
    for number in range(1, 15):
        add(cache, number)
    assert is_there(cache, 0)
    stats = cache.stats()
    assert stats.linked_bytes == KIB
    (tmp_path / "checkout").unlink()
    assert cache.prune(0) == PruneReport(stats.file_count, stats.size_bytes, 0)


def test_files_behind_symlinks_stay_as_long_as_the_links(cache, tmp_path):
    files = [add(cache, number) for number in range(3)]
    for number in (0, 1):
        cache.pin(digest_of(content(number)), str(tmp_path / f"gone{number}"))
        cache.pin(digest_of(content(number)), str(tmp_path / f"link{number}\n"))
        (tmp_path / f"link{number}\n").symlink_to(files[number])
    (tmp_path / "link1\n").unlink()
    (tmp_path / "link1\n").symlink_to("elsewhere")
    assert cache.stats().linked_bytes == KIB
    assert cache.prune(0).removed_count == 2
    assert [file.exists() for file in files] == [True, False, False]
    (tmp_path / "link0\n").unlink()
    assert cache.prune(0).removed_count == 1


def test_damaged_pins_are_no_pins(cache):
    add(cache, 1)
    cache.pin(digest_of(content(1)), "/somewhere")
    (pins,) = (cache.directory / "pins").glob("*/*")
    for damage in (b"\xff\xfe\n", b"{\n", b"[1]\n3\nnull\n"):
        pins.write_bytes(damage)
        assert cache.stats().linked_bytes == 0


def test_pruning_reports_what_it_did_and_keeps_the_newest(cache):
    for number in range(5):
        add(cache, number)
    assert cache.prune(2 * KIB) == PruneReport(3, 3 * KIB, 2 * KIB)
    assert [is_there(cache, number) for number in range(5)] == [False, False, False, True, True]
    assert cache.prune(2 * KIB) == PruneReport(0, 0, 2 * KIB)


def test_pruning_and_counting_where_nothing_is(tmp_path):
    cache = ContentCache(tmp_path / "none")
    assert cache.prune(0) == PruneReport(0, 0, 0)
    assert cache.stats().file_count == 0
    assert not (tmp_path / "none").exists()


def test_what_killed_processes_left_is_swept_when_it_is_old(cache):
    add(cache, 1)
    for name, seconds in (("old", 1), ("new", 10**10)):
        (cache.directory / "tmp" / name).touch()
        os.utime(cache.directory / "tmp" / name, (seconds, seconds))
    cache.prune(10 * KIB)
    assert os.listdir(cache.directory / "tmp") == ["new"]


def test_using_a_hard_linked_file_leaves_its_times_alone(cache, tmp_path):
    file = add(cache, 1)
    os.link(file, tmp_path / "checkout")
    before = (tmp_path / "checkout").stat()
    assert is_there(cache, 1)
    after = (tmp_path / "checkout").stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


def test_a_full_disk_names_the_setting(cache, monkeypatch):
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(contentcache.os, "write", fail)
    with pytest.raises(DeniedError) as caught:
        add(cache, 1)
    monkeypatch.undo()
    assert caught.value.code == "cache-full"
    assert "ARTSTORE_CACHE_DIR" in caught.value.hint
    assert os.listdir(cache.directory / "tmp") == []


def test_a_file_in_place_of_the_directory_is_told(tmp_path):
    (tmp_path / "cache").write_text("x")
    cache = ContentCache(tmp_path / "cache")
    assert cache.find(digest_of(b"x")) is None
    with pytest.raises(Exception, match="cannot use") as caught:
        cache.add(digest_of(b"x"), [b"x"])
    assert caught.value.code == "cache-denied"


def test_threads_add_and_find_the_same_contents(tmp_path):
    cache = ContentCache(tmp_path, 20 * KIB)

    def work(me: int) -> None:
        for number in range(120):
            data = content((number * me) % 40)
            file = cache.find(digest_of(data)) or cache.add(digest_of(data), [data])
            assert file.read_bytes() == data

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(work, (1, 3, 7))) == [None] * 3


def test_processes_add_and_evict_side_by_side(tmp_path):
    def work() -> int:
        cache = ContentCache(tmp_path, 5 * KIB)
        for number in range(100):
            add(cache, number % 20)
        return 1

    children = [ChildProcess(work) for _ in range(2)]
    assert [child.result() for child in children] == [1, 1]
    cache = ContentCache(tmp_path, 5 * KIB)
    for number in range(20):
        cache.find(digest_of(content(number)))
    assert cache.prune(5 * KIB).kept_bytes <= 5 * KIB


@pytest.mark.parametrize("missing", ["files", "tmp", "CACHEDIR.TAG"])
def test_a_cache_of_which_a_part_was_deleted_goes_on(cache, missing):
    add(cache, 1)
    place = cache.directory / missing
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert add(cache, 2).exists()
    assert is_there(cache, 2)

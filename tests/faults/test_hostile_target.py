"""
Nothing is written outside of the target, whoever swaps what meanwhile; and
what real kernels refuse comes back as an error that names the path.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from artstore.errors import ArtstoreError, DeniedError, StorageError
from artstore.transfer.contentcache import ContentCache
from artstore.transfer.statcache import StatCache
from artstore.transfer.target import TEMPORARY_PREFIX, TargetDirectory
from artstore.transfer.walk import walk
from tests.unit.storage.processes import ChildProcess

NOBODY = 65534


class Swapper:
    """A thread that puts one thing after the other in place of a path, all the time."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self._steps = steps
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0

    def _run(self) -> None:
        while not self._stop.is_set():
            for step in self._steps:
                try:
                    step()
                except OSError:
                    continue  # The writer was there first; the next round comes.
            self.rounds += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("depth", ["a", "a/b", "a/b/c"])
def test_a_parent_swapped_for_a_symlink_never_leads_outside(tmp_path, depth):
    outside = tmp_path / "outside"
    (outside / "b" / "c").mkdir(parents=True)
    before = sorted(outside.rglob("*"))
    root = tmp_path / "out"
    place = root / depth
    link = tmp_path / "link"
    aside = tmp_path / "aside"

    def swap_in() -> None:
        # Exchanged by renames, so that no moment is without one or the other.
        if not link.is_symlink():
            link.symlink_to(outside)
        os.rename(place, aside)
        os.rename(link, place)

    def swap_out() -> None:
        os.unlink(place)
        os.rename(aside, place)

    def clear() -> None:
        shutil.rmtree(aside)

    written = 0
    with Swapper(swap_in, swap_out, clear) as swapper:
        for number in range(1500):
            # A new one each time, so that every parent is opened again.
            try:
                with TargetDirectory(root, folds=False) as target:
                    target.write_file(f"a/b/c/f{number % 20}", [b"data"])
                    target.make_symlink(f"a/b/c/s{number % 20}", "x")
                    target.remove(f"a/b/c/f{number % 20}")
                    target.prune_parents(f"a/b/c/f{number % 20}")
                written += 1
            except ArtstoreError:
                continue  # Refusing is right too, as long as it is one of ours.
        assert swapper.rounds > 10
    assert written > 10
    assert sorted(outside.rglob("*")) == before


def test_a_walk_beside_a_swapping_thread_never_yields_what_is_outside(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a/file").touch()
    link = tmp_path / "link"

    def swap_in() -> None:
        if not link.is_symlink():
            link.symlink_to(tmp_path / "outside")
        os.rename(root / "a", tmp_path / "aside")
        os.rename(link, root / "a")

    def swap_out() -> None:
        os.rename(root / "a", link)
        os.rename(tmp_path / "aside", root / "a")

    seen: set[str] = set()
    with Swapper(swap_in, swap_out):
        for _ in range(1500):
            try:
                seen.update(found.path for found in walk(root))
            except ArtstoreError:
                continue
    assert seen <= {"a", "a/file"}


def test_a_parent_that_is_always_replaced_ends_in_an_error(tmp_path, monkeypatch):
    with TargetDirectory(tmp_path / "out") as target:
        mkdir = os.mkdir

        def mkdir_and_replace(path, *args, **options):
            mkdir(path, *args, **options)
            os.rmdir(path, dir_fd=options["dir_fd"])
            os.symlink("/", path, dir_fd=options["dir_fd"])

        monkeypatch.setattr(os, "mkdir", mkdir_and_replace)
        with pytest.raises(StorageError, match="keeps replacing") as caught:
            target.write_file("a/b", [b"x"])
        assert caught.value.code == "target-failed"


def test_a_killed_checkout_leaves_the_old_files_or_the_new_ones(tmp_path):
    root = tmp_path / "out"
    old, new = b"old" * 10_000, b"new" * 10_000
    names = [f"d{number}/f" for number in range(8)]
    with TargetDirectory(root) as target:
        for name in names:
            target.write_file(name, [old])
    (tmp_path / "rounds").touch()

    def work() -> None:
        with TargetDirectory(root) as target:
            for number in range(1_000_000):
                for name in names:
                    target.write_file(name, [new[:15_000], new[15_000:]])
                (tmp_path / "rounds").write_text(str(number))

    child = ChildProcess(work)
    while not (tmp_path / "rounds").read_text():
        os.sched_yield()
    child.kill(signal.SIGKILL)
    for name in names:
        assert (root / name).read_bytes() in (old, new)
    left = [p.name for p in root.rglob("*") if p.is_file() and p.name != "f"]
    assert len(left) <= 1
    assert all(name.startswith(TEMPORARY_PREFIX) for name in left)


def test_a_limit_on_file_sizes_is_told_like_a_full_disk(tmp_path):
    def work() -> tuple[str, str, list[str], bytes]:
        with TargetDirectory(tmp_path / "out") as target:
            target.write_file("d/f", [b"old"])
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
            try:
                target.write_file("d/f", [b"x" * 8_000, b"y" * 8_000])
            except DeniedError as error:
                place = tmp_path / "out" / "d"
                return error.code, str(error), os.listdir(place), (place / "f").read_bytes()
        raise AssertionError("was not refused")

    code, message, names, data = ChildProcess(work).result()
    assert code == "target-full"
    assert "/out/d/f'" in message
    assert names == ["f"]
    assert data == b"old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device_is_told_as_such(tmp_path, monkeypatch):
    with TargetDirectory(tmp_path / "out") as target:
        real_open = os.open

        def open_full(path, flags, *args, **options):
            if str(path).startswith(TEMPORARY_PREFIX):
                os.close(real_open(path, flags, *args, **options))
                return real_open("/dev/full", os.O_WRONLY)
            return real_open(path, flags, *args, **options)

        monkeypatch.setattr(os, "open", open_full)
        with pytest.raises(DeniedError, match="No space left") as caught:
            target.write_file("f", [b"x"])
        monkeypatch.undo()
    assert caught.value.code == "target-full"
    assert caught.value.hint
    assert os.listdir(tmp_path / "out") == []


@pytest.fixture
def shared_place() -> Iterator[Path]:
    """A directory that other users can reach; pytest's own are closed to them."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    place = Path(tempfile.mkdtemp(prefix="artstore-test-"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


def refusal(work: Callable[[], object]) -> ArtstoreError:
    """The error that an ordinary user gets."""

    def catch() -> ArtstoreError:
        try:
            work()
        except ArtstoreError as error:
            return error
        raise AssertionError("was not refused")

    error = ChildProcess(catch, user=NOBODY).result()
    assert isinstance(error, ArtstoreError)
    return error


def test_a_directory_that_may_not_be_written_is_named(shared_place):
    (shared_place / "out/d").mkdir(parents=True)

    def write_root() -> None:
        TargetDirectory(shared_place / "out")

    def write_below() -> None:
        with TargetDirectory(shared_place / "out", folds=False) as target:
            target.write_file("d/f", [b"x"])

    def make_root() -> None:
        TargetDirectory(shared_place / "out/d/new")

    for work, name in ((write_root, "out"), (write_below, "out/d/f"), (make_root, "out/d/new")):
        error = refusal(work)
        assert error.code == "target-denied"
        assert str(shared_place / name) in str(error)
    assert list((shared_place / "out/d").iterdir()) == []


def test_a_file_of_somebody_else_in_a_sticky_directory_is_named(shared_place):
    (shared_place / "out").mkdir()
    (shared_place / "out").chmod(0o1777)
    (shared_place / "out/f").write_text("root's")

    def write() -> None:
        with TargetDirectory(shared_place / "out") as target:
            target.write_file("f", [b"x"])

    assert refusal(write).code == "target-denied"
    assert (shared_place / "out/f").read_text() == "root's"
    assert os.listdir(shared_place / "out") == ["f"]


def test_a_source_that_may_not_be_read_is_named(shared_place):
    (shared_place / "src/closed").mkdir(parents=True)
    (shared_place / "src/open").touch()
    (shared_place / "src/closed").chmod(0o700)
    error = refusal(lambda: list(walk(shared_place / "src")))
    assert error.code == "source-unreadable"
    assert "src/closed" in str(error)
    warnings: list[str] = []

    def go_on() -> tuple[list[str], list[str]]:
        found = walk(shared_place / "src", keep_going=True, on_warning=warnings.append)
        return [item.path for item in found], warnings

    paths, told = ChildProcess(go_on, user=NOBODY).result()
    assert paths == ["open"]
    assert len(told) == 1


def test_a_read_only_cache_is_told_and_a_read_only_stat_cache_is_done_without(shared_place):
    cache = shared_place / "cache"
    cache.mkdir(mode=0o755)
    with StatCache(cache / "stat") as statcache:
        (shared_place / "f").touch()
        os.utime(shared_place / "f", ns=(1, 1))
        (item,) = (found for found in walk(shared_place) if found.path == "f")
        statcache.record(item, bytes(32), began_ns=1 << 62)
        statcache.save()

    def use_stat_cache() -> list[bytes | None]:
        answers = []
        with StatCache(cache / "stat") as statcache:
            answers.append(statcache.lookup(item))
            statcache.record(item, bytes(range(32)), began_ns=1 << 62)
            answers.append(statcache.lookup(item))
            statcache.save()
        return answers

    answers = ChildProcess(use_stat_cache, user=NOBODY).result()
    assert answers[0] in (None, bytes(32))
    assert answers[1] == bytes(range(32))
    with StatCache(cache / "stat") as statcache:
        assert statcache.lookup(item) == bytes(32)
    error = refusal(lambda: ContentCache(cache).add(bytes(32), [b""]))
    assert error.code == "cache-denied"
    assert "ARTSTORE_CACHE_DIR" in (error.hint or "")

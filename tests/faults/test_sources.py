"""
Sources that do not hold still, and disks that are full or read-only.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from artstore import limits
from artstore.errors import ArtstoreError, DeniedError, InvalidInputError, StateError
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.transfer import ingest, intake, sending, windows
from artstore.transfer.walk import Found
from tests.faults.memory import in_little_memory
from tests.trees import (
    File,
    Symlink,
    build,
    keys_of,
    noise,
    observe,
    open_at,
    problems_of,
    push,
    put,
)
from tests.unit.storage.processes import ChildProcess

LARGE_BYTES = 20 * limits.MIB


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return build(tmp_path / "source", {"a": File(noise(5_000)), "b": File(b"steady")})


def refused(source: Path, storage: MemoryStorage | None = None) -> ArtstoreError:
    storage = storage or MemoryStorage()
    with pytest.raises(ArtstoreError) as raised:
        push(open_at("memory://x", storage), source)
    assert keys_of(storage, "collections/") == []
    return raised.value


def before_each(
    monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[Found], None], *, times: int
) -> None:
    """Do `act` just before `os.<name>` reads the first file, and `times - 1` times more."""
    read = getattr(os, name)
    left = [times]

    def reading(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            act(arguments[0])
        return read(*arguments)

    monkeypatch.setattr(ingest.os, name, reading)


# --- files that change while they are read ------------------------------------------------


def test_a_small_file_that_changes_once_is_read_again(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = File(noise(6_000, 1))
    before_each(monkeypatch, "pread", lambda _: rewrite(source / "a", changed.data), times=1)
    logged = push(open_at("memory://x", MemoryStorage()), source)
    assert logged.read("a") == changed.data


def rewrite(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


def test_a_small_file_that_keeps_changing_is_an_error_that_names_it(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(_: Any) -> None:
        with (source / "a").open("ab") as file:
            file.write(b"more")

    before_each(monkeypatch, "pread", append, times=50)
    error = refused(source)
    assert isinstance(error, StateError)
    assert error.code == "source-changed"
    assert str(source / "a") in error.message


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return build(tmp_path / "source", {"a": File(noise(LARGE_BYTES))})


def change_windows(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None], *, times: int
) -> None:
    """Do `act` after a later window of a large file was read."""
    read = windows.WindowReader.read
    left, calls = [times], [0]

    def reading(self: windows.WindowReader, number: int) -> windows.ReadWindow:
        answer = read(self, number)
        calls[0] += 1
        if left[0] and number * answer.filled_bytes > limits.READ_WINDOW_BYTES:
            left[0] -= 1
            act(calls[0])
        return answer

    monkeypatch.setattr(windows.WindowReader, "read", reading)


def test_a_large_file_that_changes_once_is_read_again(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_windows(monkeypatch, lambda _: rewrite(large / "a", b"changed"), times=1)
    logged = push(open_at("memory://x", MemoryStorage()), large)
    assert logged.read("a") == b"changed" + noise(LARGE_BYTES)[7:]


def test_a_large_file_that_keeps_changing_is_an_error(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_windows(monkeypatch, lambda n: rewrite(large / "a", b"%d" % n), times=50)
    assert refused(large).code == "source-changed"


def test_a_large_file_that_shrinks_while_it_is_read_is_read_again(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_windows(monkeypatch, lambda _: os.truncate(large / "a", 100), times=1)
    logged = push(open_at("memory://x", MemoryStorage()), large)
    assert logged.read("a") == noise(LARGE_BYTES)[:100]


def test_a_file_that_grew_from_small_to_huge_since_the_walk_takes_no_memory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A sparse file of 1 GiB would be read at once, as small ones are.
    with (tmp_path / "grown").open("wb") as file:
        file.truncate(1 << 30)
    before_walk_ends(monkeypatch, lambda _: os.rename(tmp_path / "grown", source / "a"))
    error = in_little_memory(lambda: refused(source))
    assert error.code == "source-changed"


def before_walk_ends(monkeypatch: pytest.MonkeyPatch, act: Callable[[Found], None]) -> None:
    """Do `act` when the first file was found and not yet opened."""
    read_all = intake.Intake._read_all
    done: list[bool] = []

    def reading(self: intake.Intake, found: list[Found]) -> Any:
        if not done:
            done.append(True)
            act(found[0])
        return read_all(self, found)

    monkeypatch.setattr(intake.Intake, "_read_all", reading)


# --- files that become something else -------------------------------------------------------


def test_a_file_that_vanishes_after_the_walk_is_named(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_walk_ends(monkeypatch, lambda found: os.unlink(found.location))
    error = refused(source)
    assert isinstance(error, InvalidInputError)
    assert error.code == "source-vanished"
    assert str(source / "a") in error.message


def test_a_vanished_file_is_no_trouble_when_the_push_is_run_again(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = MemoryStorage()
    with monkeypatch.context() as patch:
        before_walk_ends(patch, lambda found: os.unlink(found.location))
        refused(source, storage)
    assert [entry.path for entry in push(open_at("memory://x", storage), source).entries()] == ["b"]


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "socket"])
def test_a_file_replaced_by_something_else_is_not_followed_and_does_not_hang(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")

    def swap(found: Found) -> None:
        os.unlink(found.location)
        if kind == "symlink":
            os.symlink(tmp_path / "secret", found.location)
        elif kind == "fifo":
            os.mkfifo(found.location)
        elif kind == "directory":
            os.mkdir(found.location)
        else:
            listening(found.location)

    before_walk_ends(monkeypatch, swap)
    assert refused(source).code in ("source-changed", "source-unreadable", "source-vanished")


def listening(path: str) -> None:
    # Names of sockets are short: bound by a relative one.
    here = os.getcwd()
    os.chdir(os.path.dirname(path))
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.basename(path))
    finally:
        os.chdir(here)


def test_fifos_and_sockets_are_skipped_with_a_warning(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "fifo")
    listening(str(source / "socket"))
    logged = push(open_at("memory://x", MemoryStorage()), source)
    assert [entry.path for entry in logged.entries()] == ["a", "b"]
    assert len(logged.push.warnings) == 2
    assert all("skipped" in warning for warning in logged.push.warnings)


def as_nobody(home: Path, work: Callable[[], Any]) -> Any:
    """`work` with another home: that of the test is closed to other users."""
    os.chdir("/")
    os.environ |= {
        "HOME": str(home),
        "ARTSTORE_CACHE_DIR": str(home / "cache"),
        **{f"XDG_{name}_HOME": str(home / name) for name in ("STATE", "CONFIG", "DATA", "CACHE")},
    }
    return work()


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    shared = Path("/tmp") / f"artstore-unreadable-{os.getpid()}"
    try:
        build(shared, {"a": File(b"a"), "closed": File(b"c")})
        (shared / "closed").chmod(0)
        error = ChildProcess(
            lambda: as_nobody(shared, lambda: refused(shared)), user=65534
        ).result()
    finally:
        shutil.rmtree(shared)
    assert error.code == "source-unreadable"
    assert "closed" in error.message


def test_a_sparse_file_is_stored_as_what_it_reads_as(tmp_path: Path) -> None:
    source = build(tmp_path / "source", {})
    with (source / "sparse").open("wb") as file:
        file.seek(30 * limits.MIB)
        file.write(b"end")
    logged = push(open_at("memory://x", MemoryStorage()), source)
    assert logged.push.stored_bytes < 20_000
    logged.download(tmp_path / "out")
    assert (tmp_path / "out" / "sparse").read_bytes() == bytes(30 * limits.MIB) + b"end"


def test_a_name_that_is_not_utf8_is_refused_by_name(source: Path) -> None:
    try:
        (Path(os.fsdecode(bytes(source) + b"/caf\xe9"))).write_bytes(b"")
    except OSError:
        pytest.skip("this disk takes UTF-8 only")
    error = refused(source)
    assert error.code == "path-invalid"
    assert "caf" in error.message


# --- full disks ----------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB."""
    place = tmp_path / "small disk"
    place.mkdir()
    if sys.platform != "linux" or os.getuid() != 0 or not (mount := shutil.which("mount")):
        pytest.skip("mounts a small disk")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=12m", "none", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_store_names_itself_and_the_push_can_be_finished(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_stream(self: sending.Sending) -> sending.PackStream:
        return sending.PackStream(
            self._uploads.submit, self.push_id, self._resolved, target_bytes=2 * limits.MIB
        )

    # Small packs, so that some fit.
    monkeypatch.setattr(sending.Sending, "_open_stream", open_stream)
    store = small_disk / "store"
    first = build(tmp_path / "first", {"a": File(noise(limits.MIB, 1))})
    push(open_at(store, sync=True), first)
    source = build(tmp_path / "source", {"model": File(noise(9 * limits.MIB, 2))})
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(5 * limits.MIB))
    with pytest.raises(DeniedError) as raised:
        push(open_at(store, sync=True), source)
    assert raised.value.code in ("storage-full", "space-short")
    assert raised.value.exit_status == 10
    assert str(store) in raised.value.message.replace("%20", " ")
    assert problems_of(open_at(store)) == []
    assert [v.version for v in open_at(store).versions("ds")] == [0]
    ballast.unlink()
    logged = push(open_at(store, sync=True), source)
    assert logged.version == "v1"
    assert logged.read("model") == noise(9 * limits.MIB, 2)
    assert list((store / "tmp").iterdir()) == []


def test_a_target_that_has_no_room_is_refused_before_anything_is_written(
    small_disk: Path, tmp_path: Path
) -> None:
    store = open_at(tmp_path / "store")
    push(store, build(tmp_path / "source", {"model": File(noise(14 * limits.MIB))}))
    with pytest.raises(DeniedError) as raised:
        store.artifact("ds").download(small_disk / "out")
    assert raised.value.code == "space-short"
    assert str(small_disk) in raised.value.message
    assert not (small_disk / "out" / "model").exists()


@pytest.mark.parametrize("sizes", [[14 * limits.MIB], [100_000] * 140], ids=["large", "small"])
def test_a_target_that_fills_up_keeps_the_old_files(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    from artstore.transfer import space

    # A quota does not show before it is reached.
    monkeypatch.setattr(space, "free_bytes", lambda _: None)
    store = open_at(tmp_path / "store")
    tree = {f"f{i:03}": File(noise(size, i)) for i, size in enumerate(sizes)}
    push(store, build(tmp_path / "source", tree))
    out = build(small_disk / "out", {"f000": File(b"old")})
    with pytest.raises(DeniedError) as raised:
        store.artifact("ds").download(out)
    assert raised.value.code == "target-full"
    assert "f" in raised.value.context["path"]
    for path, node in observe(out).items():
        assert node in (tree[path], File(b"old")), path


# --- what may not be written -----------------------------------------------------------------


def with_size_limit(work: Callable[[], Any]) -> Any:
    """Files of more than a megabyte are refused: what a quota feels like."""

    def limited() -> Any:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.MIB, limits.MIB))
        return work()

    return ChildProcess(limited).result()


def test_a_limit_on_file_sizes_is_a_full_store(tmp_path: Path) -> None:
    source = build(tmp_path / "source", {"model": File(noise(3 * limits.MIB))})

    def work() -> ArtstoreError:
        with pytest.raises(ArtstoreError) as raised:
            push(open_at(tmp_path / "store"), source)
        return raised.value

    assert with_size_limit(work).code == "storage-full"


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_a_store_that_may_only_be_read_is_read_and_says_so_on_writing(tmp_path: Path) -> None:
    base = Path("/tmp") / f"artstore-read-only-{os.getpid()}"
    try:
        build(base / "first", {"a": File(b"a"), "l": Symlink("a")})
        build(base / "second", {"a": File(b"b")})
        push(open_at(base / "store"), base / "first")
        (base / "home").mkdir()
        os.chown(base / "home", 65534, 65534)

        def as_reader() -> tuple[Any, str, str]:
            store = open_at(base / "store")
            store.artifact("ds").download(base / "home" / "out")
            with pytest.raises(DeniedError) as raised:
                push(store, base / "second")
            return observe(base / "home" / "out"), raised.value.code, raised.value.message

        tree, code, message = ChildProcess(
            lambda: as_nobody(base / "home", as_reader), user=65534
        ).result()
    finally:
        shutil.rmtree(base)
    assert tree == {"a": File(b"a"), "l": Symlink("a")}
    assert code == "storage-denied"
    assert str(base / "store") in message


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_nothing_of_ours_can_be_written_but_the_store_and_pushes_still_work() -> None:
    # A home with a full quota: no cache, no journal, no state.
    base = Path("/tmp") / f"artstore-no-home-{os.getpid()}"
    try:
        build(base / "source", {"a": File(noise(100_000))})
        (base / "work").mkdir()
        os.chown(base / "work", 65534, 65534)

        def without_home() -> Any:
            store = open_at(base / "work" / "store")
            push(store, base / "source")
            store = open_at(base / "work" / "store")
            logged = push(store, base / "source")
            store.artifact("ds").download(base / "work" / "out")
            return logged.push.is_new, observe(base / "work" / "out")

        found = ChildProcess(
            lambda: as_nobody(Path("/proc/none"), without_home), user=65534
        ).result()
    finally:
        shutil.rmtree(base)
    assert found == (False, {"a": File(noise(100_000))})


def test_a_local_store_leaves_no_temporary_files_after_errors(source: Path, tmp_path: Path) -> None:
    put(source, "c", File(b""))
    storage = LocalStorage(tmp_path / "store", sync=False)
    push(open_at(tmp_path / "store", storage), source)
    assert list((tmp_path / "store" / "tmp").iterdir()) == []

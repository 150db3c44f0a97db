"""A directory that fails: full, forbidden, without links; real faults where possible."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.errors import (
    AlreadyExistsError,
    DamagedDataError,
    DeniedError,
    InvalidInputError,
    StorageError,
    UnavailableError,
)
from artstore.storage import durable
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Span, Value
from artstore.storage.retry import RetryingStorage
from tests.unit.storage.processes import ChildProcess

FILL_A_DISK = """
import subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", sys.argv[1]], check=True)
from artstore.errors import DeniedError
from artstore.storage.local import LocalStorage
storage = LocalStorage(sys.argv[1] + "/store")
stored = []
try:
    for n in range(10):
        storage.create(f"packs/00/{n}", [bytes([n]) * 65536] * 16)
        stored.append(n)
except DeniedError as error:
    assert error.code == "storage-full", error.code
    assert storage.path in str(error), error
    assert "ARTSTORE_URL" in error.hint, error.hint
else:
    raise SystemExit("10 MiB were stored on a disk of 4 MiB")
assert 1 <= len(stored) <= 4, stored
assert [info.key for info in storage.scan("")] == [f"packs/00/{n}" for n in stored]
for n in stored:
    assert storage.read(f"packs/00/{n}") == bytes([n]) * 2**20
import os
assert os.listdir(storage.path + "/tmp") == [], "what did not fit was left behind"
storage.delete(["packs/00/0"])
storage.create("packs/00/last", b"x" * 2**19)
print("ok")
"""


def test_a_disk_that_fills_up_keeps_every_value_whole(tmp_path: Path) -> None:
    if os.geteuid() != 0 or sys.platform != "linux" or not shutil.which("unshare"):
        pytest.skip("mounting a small disk needs root on Linux")
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no mount namespaces here: {probe.stderr.decode().strip()}")
    # The mount lives in a namespace of its own and goes with the process.
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", FILL_A_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if "mount:" in done.stderr:
        pytest.skip(f"mounting is forbidden here: {done.stderr.strip().splitlines()[0]}")
    assert done.stdout.strip() == "ok", done.stderr


def test_a_limit_on_file_sizes_reads_as_full(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/small", b"x")

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        storage.create("a/large", [bytes(2**19)] * 3)

    with pytest.raises(DeniedError, match=str(tmp_path)) as raised:
        ChildProcess(write_too_much).result()
    assert raised.value.code == "storage-full"
    assert [info.key for info in storage.scan("")] == ["a/small"]
    assert os.listdir(tmp_path / "tmp") == []
    storage.create("a/large", [bytes(2**19)] * 3)


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, DeniedError, "storage-full"),
        (errno.EDQUOT, DeniedError, "storage-full"),
        (errno.EROFS, DeniedError, "storage-denied"),
        (errno.EACCES, DeniedError, "storage-denied"),
        (errno.ETIMEDOUT, UnavailableError, "storage-unavailable"),
        (errno.ESTALE, UnavailableError, "storage-unavailable"),
        (errno.EMFILE, UnavailableError, "storage-unavailable"),
        (errno.EIO, StorageError, "storage-failed"),
    ],
)
def test_errors_of_the_system_get_their_meaning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[StorageError],
    code: str,
) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"")

    def failing_sync(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "_fsync", failing_sync)
    with pytest.raises(kind, match=str(tmp_path)) as raised:
        storage.create("a/c", b"1")
    assert raised.value.code == code
    assert isinstance(raised.value.__cause__, OSError)
    assert [info.key for info in storage.scan("")] == ["a/b"]
    assert os.listdir(tmp_path / "tmp") == []


def test_a_failed_sync_is_never_repeated_on_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = LocalStorage(tmp_path)
    inner.create("a/b", b"")
    synced: list[int] = []

    def fails_once(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        if len(synced) == 1:
            # Keeps the inode in use, so that a new file must have another.
            os.dup(descriptor)
            raise OSError(errno.ETIMEDOUT, "lost")
        os.fsync(descriptor)

    monkeypatch.setattr(durable, "_fsync", fails_once)
    RetryingStorage(inner, first_delay_seconds=0).create("a/c", b"1")
    assert synced[0] not in synced[1:]
    assert inner.read("a/c") == b"1"


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT, errno.ENOSPC])
def test_a_name_that_could_not_be_synced_is_never_reported_as_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    inner = LocalStorage(tmp_path)
    inner.create("a/b", b"")

    def directories_fail(descriptor: int) -> None:
        if os.path.isdir(f"/dev/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))
        os.fsync(descriptor)

    monkeypatch.setattr(durable, "_fsync", directories_fail)
    with pytest.raises(StorageError) as raised:
        RetryingStorage(inner, first_delay_seconds=0).create("a/c", b"1")
    assert not isinstance(raised.value, UnavailableError)
    # Nor does a second attempt by the caller learn "exists" while the name may be lost.
    with pytest.raises(StorageError) as raised:
        inner.create("a/c", b"1")
    assert raised.value.code in ("storage-failed", "storage-full")


def test_a_taken_key_is_reported_only_when_its_name_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalStorage(tmp_path, sync=False).create("a/b", b"theirs")
    synced: list[tuple[int, int]] = []

    def recording(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.append((status.st_dev, status.st_ino))
        os.fsync(descriptor)

    monkeypatch.setattr(durable, "_fsync", recording)
    with pytest.raises(AlreadyExistsError):
        LocalStorage(tmp_path).create("a/b", b"ours")
    for directory in (tmp_path, tmp_path / "a"):
        status = os.stat(directory)
        assert (status.st_dev, status.st_ino) in synced


def test_a_file_system_without_directory_syncs_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_directories(descriptor: int) -> None:
        if os.path.isdir(f"/dev/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "no sync of directories")
        os.fsync(descriptor)

    monkeypatch.setattr(durable, "_fsync", no_directories)
    LocalStorage(tmp_path).create("a/b", b"1")
    assert LocalStorage(tmp_path).read("a/b") == b"1"


# --- L3: the lost reply of NFS ------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EEXIST, errno.ETIMEDOUT, errno.EIO, errno.ESTALE])
def test_a_link_that_was_made_counts_whatever_the_answer_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def lost_reply(source: str, target: str) -> None:
        os.link(source, target)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "_link", lost_reply)
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"mine")
    assert storage.read("a/b") == b"mine"
    assert os.stat(tmp_path / "a/b").st_nlink == 1
    with pytest.raises(AlreadyExistsError):
        storage.create("a/b", b"other")


def test_the_link_count_tells_when_the_name_is_hidden_by_a_stale_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_lstat = os.lstat

    def lost_reply(source: str, target: str) -> None:
        os.link(source, target)
        raise FileExistsError(errno.EEXIST, "exists")

    def stale(path, **options):
        if str(path).endswith("a/b"):
            raise FileNotFoundError(errno.ENOENT, "a negative entry")
        return really_lstat(path, **options)

    monkeypatch.setattr(durable, "_link", lost_reply)
    monkeypatch.setattr(os, "lstat", stale)
    LocalStorage(tmp_path).create("a/b", b"mine")
    assert (tmp_path / "a/b").read_bytes() == b"mine"


def test_a_backup_that_links_temporary_files_does_not_fool_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path / "store")
    storage.create("a/b", b"theirs")

    def taken_while_backed_up(source: str, target: str) -> None:
        os.link(source, tmp_path / "backup")  # as `cp -al` does: two links, none of them ours
        os.link(source, target)

    monkeypatch.setattr(durable, "_link", taken_while_backed_up)
    with pytest.raises(AlreadyExistsError):
        storage.create("a/b", b"ours")
    assert storage.read("a/b") == b"theirs"


def test_a_link_without_an_answer_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_answer(source: str, target: str) -> None:
        raise OSError(errno.ETIMEDOUT, "server not responding")

    monkeypatch.setattr(durable, "_link", no_answer)
    with pytest.raises(UnavailableError):
        LocalStorage(tmp_path).create("a/b", b"mine")


# --- L4: no hard links --------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_without_hard_links_an_exclusive_rename_creates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(source: str, target: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "_link", no_links)
    storage = LocalStorage(tmp_path)
    items: list[tuple[str, Value]] = [("a/b", b"1"), ("a/c", b"2"), ("d/e", b"3")]
    storage.create_many(items)
    assert [storage.read(key) for key, _ in items] == [b"1", b"2", b"3"]
    with pytest.raises(AlreadyExistsError):
        storage.create("a/b", b"other")
    assert storage.read("a/b") == b"1"
    assert os.listdir(tmp_path / "tmp") == []


def test_without_any_exclusive_name_the_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    def no_renames(source: str, target: str) -> int:
        return errno.EINVAL

    monkeypatch.setattr(durable, "_link", no_links)
    monkeypatch.setattr(durable, "_rename_exclusive", no_renames)
    with pytest.raises(StorageError, match="neither hard links nor") as raised:
        LocalStorage(tmp_path).create("a/b", b"")
    assert raised.value.code == "storage-unsuitable"
    assert not (tmp_path / "a/b").exists()


def test_a_store_across_two_file_systems_is_refused(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or os.stat(other).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("no second file system at hand")
    elsewhere = other / f"artstore-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        os.symlink(elsewhere, tmp_path / "packs")
        with pytest.raises(StorageError, match="another file system") as raised:
            LocalStorage(tmp_path).create("packs/a", b"")
        assert raised.value.code == "storage-unsuitable"
    finally:
        shutil.rmtree(elsewhere)


# --- others -------------------------------------------------------------------------


def test_a_temporary_file_that_is_swept_away_means_write_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []

    def swept_before(source: str, target: str) -> None:
        if not swept:
            os.unlink(source)
            swept.append(source)
        os.link(source, target)

    monkeypatch.setattr(durable, "_link", swept_before)
    inner = LocalStorage(tmp_path)
    with pytest.raises(UnavailableError, match="temporary file was removed"):
        inner.create("a/b", b"1")
    swept.clear()
    RetryingStorage(inner, first_delay_seconds=0).create("a/b", b"1")
    assert inner.read("a/b") == b"1"


def test_a_file_where_the_store_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    storage = LocalStorage(tmp_path / "store")
    with pytest.raises((StorageError, InvalidInputError), match="store"):
        storage.create("a/b", b"")
    assert (tmp_path / "store").read_bytes() == b""


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_writev = os.writev

    def short_writev(descriptor: int, buffers) -> int:
        # As a signal or a nearly full disk cuts it: in the middle of a buffer.
        return really_writev(descriptor, [b"".join(buffers)[:5]])

    monkeypatch.setattr(os, "writev", short_writev)
    value = [b"ab", b"", b"cdefgh", memoryview(b"ijklmnopqrstu"), b"v"]
    LocalStorage(tmp_path).create("a/b", value)
    assert (tmp_path / "a/b").read_bytes() == b"abcdefghijklmnopqrstuv"


def test_a_value_cut_short_on_disk_is_damage(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"0123456789")
    os.chmod(tmp_path / "a/b", 0o644)
    os.truncate(tmp_path / "a/b", 4)
    with pytest.raises(DamagedDataError):
        storage.read("a/b", Span(2, 5))

"""Verify: every byte of a version, in the store or in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore import limits
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.storage.memory import MemoryStorage
from tests.trees import EMPTY, File, Symlink, build, keys_of, noise, open_at, push

TREE = {
    "a": File(noise(30_000)),
    "big": File(noise(10 * limits.MIB, 1)),
    "d/empty": EMPTY,
    "l": Symlink("a"),
    "zero": File(b""),
}


@pytest.fixture
def storage(tmp_path: Path) -> MemoryStorage:
    storage = MemoryStorage()
    push(open_at("memory://x", storage), build(tmp_path / "source", TREE))
    return storage


def test_a_sound_version_is_read_whole(storage: MemoryStorage) -> None:
    seen: list[int] = []
    report = open_at("memory://x", storage).verify(
        "ds", on_progress=lambda progress: seen.append(progress.done_bytes)
    )
    assert report.problems == ()
    assert report.name == "p/ds:v0"
    assert report.directory is None
    assert (report.checked_files, report.checked_bytes) == (3, 30_000 + 10 * limits.MIB)
    assert seen[-1] == report.checked_bytes


def test_every_file_in_a_lost_pack_is_named(storage: MemoryStorage) -> None:
    storage.delete(keys_of(storage, "packs/"))
    report = open_at("memory://x", storage).verify("ds")
    assert [problem.path for problem in report.problems] == ["a", "big"]


def test_a_list_of_files_that_cannot_be_read_is_an_error(storage: MemoryStorage) -> None:
    storage.delete(keys_of(storage, "manifests/"))
    with pytest.raises(DamagedDataError) as raised:
        open_at("memory://x", storage).verify("ds")
    assert raised.value.code == "manifest-missing"


def test_a_checkout_is_compared_byte_by_byte(storage: MemoryStorage, tmp_path: Path) -> None:
    store = open_at("memory://x", storage)
    out = tmp_path / "out"
    store.artifact("ds").download(out)
    assert store.verify("ds", out).problems == ()
    (out / "a").write_bytes(noise(30_000, 9))
    (out / "d" / "empty").rmdir()
    (out / "extra").write_bytes(b"")
    (out / "l").unlink()
    (out / "l").symlink_to("big")
    (out / "zero").chmod(0o755)
    report = store.verify("ds", out)
    assert report.directory == out
    # `d` is empty now, which makes it an entry of its own.
    paths = [problem.path for problem in report.problems]
    assert paths == ["a", "d", "d/empty", "extra", "l", "zero"]


def test_a_directory_that_is_not_there_is_an_error(storage: MemoryStorage, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        open_at("memory://x", storage).verify("ds", tmp_path / "none")

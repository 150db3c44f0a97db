"""Pull: what it writes, what it leaves alone, what it reads, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import artstore as art
from artstore import limits
from artstore.clock import use
from artstore.errors import DamagedDataError, DeniedError, InvalidInputError, StateError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from tests.trees import (
    EMPTY,
    File,
    LaterClock,
    Symlink,
    build,
    keys_of,
    noise,
    observe,
    open_at,
    push,
    put,
)

TREE = {
    "a.txt": File(b"hello"),
    "d/empty": EMPTY,
    "d/x": File(noise(50_000)),
    "link": Symlink("a.txt"),
    "nothing": File(b""),
    "run.sh": File(b"#!/bin/sh\n", executable=True),
}


@pytest.fixture(autouse=True)
def later() -> Iterator[None]:
    """Files written just now are old enough for the stat cache."""
    with use(LaterClock()):
        yield


PLACE = "/some/store"
"""A path, so that the machine remembers what it saw of it; its values are in memory."""


@pytest.fixture
def storage(tmp_path: Path) -> MemoryStorage:
    storage = MemoryStorage()
    push(open_at(PLACE, storage), build(tmp_path / "source", TREE))
    return storage


def artifact(storage: MemoryStorage | MeteredStorage, name: str = "ds") -> art.api.LoggedArtifact:
    return open_at(PLACE, storage).artifact(name)


def read_calls(metered: MeteredStorage) -> dict[str, int]:
    """Reads by the first part of the key would say more; calls are what costs."""
    return {name: count.items for name, count in metered.snapshot().items() if count.items}


# --- what it writes ---------------------------------------------------------------------


def test_a_pull_is_the_inverse_of_a_push(storage: MemoryStorage, tmp_path: Path) -> None:
    result = artifact(storage).download(tmp_path / "out")
    assert observe(tmp_path / "out") == TREE
    assert (result.files, result.written_files, result.skipped_files) == (5, 6, 0)
    assert result.written_bytes == 5 + 50_000 + 10 + 5
    assert set(result.written_paths) == set(TREE)


def test_a_second_pull_asks_what_is_newest_and_reads_nothing_of_the_version(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    artifact(storage).download(tmp_path / "out")
    metered = MeteredStorage(storage)
    result = artifact(metered).download(tmp_path / "out")
    assert (result.written_files, result.skipped_files, result.files) == (0, 5, 5)
    assert metered.requests() == {
        Request("LIST", "collections"): 1,
        Request("GET", "artstore.json"): 1,
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda out: (out / "extra").write_bytes(b"extra"),
        lambda out: (out / "extra").mkdir(),
        lambda out: (out / "a.txt").chmod(0o755),
        lambda out: (out / "a.txt").unlink(),
        lambda out: (out / "a.txt").write_bytes(b"other"),
    ],
    ids=["file", "directory", "executable", "deleted", "written"],
)
def test_a_second_pull_sees_whatever_changed(
    storage: MemoryStorage, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    artifact(storage).download(out)
    wanted = observe(out)
    spoil(out)
    artifact(storage).download(out, delete=True)
    assert observe(out) == wanted


def test_a_small_pull_costs_one_range_of_each_pack(storage: MemoryStorage, tmp_path: Path) -> None:
    metered = MeteredStorage(storage)
    found = artifact(metered)
    assert list(found.entries())
    before = metered.snapshot()
    found.download(tmp_path / "out")
    assert metered.since(before)["read"].items <= 2


def test_what_is_right_is_left_alone_and_the_rest_is_made_right(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = build(tmp_path / "out", {**TREE, "a.txt": File(b"HELLO"), "link": Symlink("elsewhere")})
    (out / "run.sh").chmod(0o644)
    (out / "d" / "empty").rmdir()
    inode = (out / "d" / "x").stat().st_ino
    result = artifact(storage).download(out)
    assert observe(out) == TREE
    assert set(result.written_paths) == {"a.txt", "d/empty", "link", "run.sh"}
    assert (out / "d" / "x").stat().st_ino == inode


def test_a_changed_byte_of_a_file_of_equal_size_and_time_is_found(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    artifact(storage).download(out)
    status = (out / "a.txt").stat()
    (out / "a.txt").write_bytes(b"jello")
    os.utime(out / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    artifact(storage).download(out)
    assert observe(out) == TREE


def test_extra_files_stay_unless_they_are_to_be_deleted(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    extra = {"mine": File(b"mine"), "sub/dir/mine": File(b"mine"), "void": EMPTY}
    out = build(tmp_path / "out", {**TREE, **extra})
    assert artifact(storage).download(out).deleted == 0
    assert observe(out) == {**TREE, **extra}
    result = artifact(storage).download(out, delete=True)
    assert set(result.deleted_paths) == set(extra)
    assert observe(out) == TREE


def test_files_that_only_look_like_leftovers_of_a_pull_stay(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    mine = {".art-notes": File(b"mine"), "d/.art-0123456789ab": File(b"mine")}
    out = build(tmp_path / "out", {**TREE, **mine, ".art-0123456789ab-7": File(b"left over")})
    artifact(storage).download(out)
    assert observe(out) == {**TREE, **mine}


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = build(tmp_path / "out", {"a.txt": File(b"hello"), "mine": File(b"")})
    result = artifact(storage).download(out, delete=True, dry_run=True)
    assert result.deleted_paths == ("mine",)
    assert set(result.written_paths) == set(TREE) - {"a.txt"}
    assert observe(out) == {"a.txt": File(b"hello"), "mine": File(b"")}
    artifact(storage).download(tmp_path / "new", dry_run=True)
    assert not (tmp_path / "new").exists()


def test_kinds_give_way_to_those_of_the_version(storage: MemoryStorage, tmp_path: Path) -> None:
    out = build(
        tmp_path / "out",
        {"a.txt": Symlink("run.sh"), "d": File(b"a file"), "link": EMPTY, "run.sh": File(b"kept?")},
    )
    artifact(storage).download(out)
    assert observe(out) == TREE


def test_a_directory_with_files_gives_way_to_a_file_only_when_deleting(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = build(tmp_path / "out", {"a.txt/mine": File(b"mine")})
    with pytest.raises(StateError) as raised:
        artifact(storage).download(out)
    assert raised.value.code == "target-occupied"
    assert observe(out)["a.txt/mine"] == File(b"mine")
    artifact(storage).download(out, delete=True)
    assert observe(out) == TREE


def test_a_name_that_is_not_utf8_in_the_target_is_passed_over(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = build(tmp_path / "out", {})
    mine = Path(os.fsdecode(bytes(out) + b"/caf\xe9"))
    try:
        mine.write_bytes(b"mine")
    except OSError:
        pytest.skip("this disk takes UTF-8 only")
    result = artifact(storage).download(out)
    assert mine.read_bytes() == b"mine"
    assert len(result.warnings) == 1


# --- parts ---------------------------------------------------------------------------------


def test_a_part_is_pulled_by_prefix_or_glob(storage: MemoryStorage, tmp_path: Path) -> None:
    artifact(storage).download(tmp_path / "prefix", path_prefix="d/")
    assert set(observe(tmp_path / "prefix")) == {"d/empty", "d/x"}
    artifact(storage).download(tmp_path / "glob", paths=["*.txt", "run.*"])
    assert set(observe(tmp_path / "glob")) == {"a.txt", "run.sh"}


def test_deleting_touches_only_the_part_that_is_pulled(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = build(tmp_path / "out", {"d/mine": File(b""), "mine": File(b"")})
    artifact(storage).download(out, path_prefix="d/", delete=True)
    assert set(observe(out)) == {"d/empty", "d/x", "mine"}


def test_a_part_does_not_read_packs_of_the_rest(storage: MemoryStorage, tmp_path: Path) -> None:
    metered = MeteredStorage(storage)
    artifact(metered).download(tmp_path / "out", paths=["a.txt"])
    assert metered.snapshot()["read"].size_bytes < 5_000


# --- refusals ---------------------------------------------------------------------------------


def test_a_directory_that_is_not_ours_is_refused_unless_told(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    out = build(tmp_path / "out", {"mine": File(b"mine")})
    with pytest.raises(StateError) as raised:
        artifact(storage).download(out, into=False)
    assert raised.value.code == "target-not-empty"
    assert observe(out) == {"mine": File(b"mine")}
    artifact(storage).download(tmp_path / "new", into=False)
    artifact(storage).download(tmp_path / "new", into=False)


def test_a_file_in_the_place_of_the_target_is_refused(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(StateError) as raised:
        artifact(storage).download(tmp_path / "out")
    assert raised.value.code == "target-occupied"
    assert (tmp_path / "out").read_bytes() == b"mine"


def test_an_unknown_way_to_link_is_refused(storage: MemoryStorage, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        artifact(storage).download(tmp_path / "out", link="soft")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_target_that_may_not_be_written_is_named(storage: MemoryStorage, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(DeniedError) as raised:
        artifact(storage).download(tmp_path / "closed" / "out")
    assert raised.value.code == "target-denied"


def test_damage_names_the_file_and_keeps_what_was_there(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    storage.delete(keys_of(storage, "packs/"))
    out = build(tmp_path / "out", {"d/x": File(b"old")})
    with pytest.raises(DamagedDataError) as raised:
        artifact(storage).download(out)
    assert raised.value.context["path"] in ("a.txt", "d/x", "run.sh")
    assert observe(out)["d/x"] == File(b"old")


# --- large files ----------------------------------------------------------------------------


def model(seed: int, insert: bytes = b"") -> File:
    data = noise(12 * limits.MIB, seed)
    return File(data[: 4 * limits.MIB] + insert + data[4 * limits.MIB :])


@pytest.fixture
def large(tmp_path: Path) -> MemoryStorage:
    """v0: a large file; v1: the same with a few bytes inserted."""
    storage = MemoryStorage()
    source = build(tmp_path / "source", {"model": model(1)})
    push(open_at(PLACE, storage), source)
    put(source, "model", model(1, b"inserted"))
    push(open_at(PLACE, storage), source)
    return storage


def test_a_new_version_of_a_large_file_takes_what_it_can_from_the_old_one(
    large: MemoryStorage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    artifact(large, "ds:v0").download(out)
    metered = MeteredStorage(large)
    artifact(metered, "ds:v1").download(out)
    assert observe(out) == {"model": model(1, b"inserted")}
    assert metered.snapshot()["read"].size_bytes < limits.MIB


def test_an_old_large_file_that_somebody_changed_is_not_believed(
    large: MemoryStorage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    artifact(large, "ds:v0").download(out)
    with (out / "model").open("r+b") as file:
        file.seek(9 * limits.MIB)
        file.write(b"changed")
    artifact(large, "ds:v1").download(out)
    assert observe(out) == {"model": model(1, b"inserted")}


def test_a_pull_that_was_stopped_may_go_back_to_the_version_before(
    large: MemoryStorage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    artifact(large, "ds:v0").download(out)
    store = open_at(PLACE, large)
    # The mark of a pull of v1 that died before it wrote anything.
    store._checkouts().mark_started(out, store.id, "p", "ds", 1)
    artifact(large, "ds:v0").download(out, into=False)
    assert observe(out) == {"model": model(1)}
    artifact(large, "ds:v1").download(out, into=False)
    assert observe(out) == {"model": model(1, b"inserted")}


def test_the_old_version_may_be_deleted_or_lost_meanwhile(
    large: MemoryStorage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    artifact(large, "ds:v0").download(out)
    store = open_at(PLACE, large)
    root = store.artifact("ds:v0")._logged().version.root
    store.delete("ds:v0")
    large.delete([root])
    artifact(large, "ds:v1").download(out)
    assert observe(out) == {"model": model(1, b"inserted")}


# --- links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["reflink", "hard", "sym"])
def test_a_checkout_by_link_holds_the_same_and_pushes_as_the_same(
    storage: MemoryStorage, tmp_path: Path, link: str
) -> None:
    out = tmp_path / "out"
    artifact(storage).download(out, link=link)
    for path, node in TREE.items():
        if isinstance(node, File):
            assert (out / path).read_bytes() == node.data
            assert os.access(out / path, os.X_OK) == node.executable
    assert not push(open_at(PLACE, storage), out).push.is_new
    result = artifact(storage).download(out, link=link)
    assert result.written_files == 0


def test_a_copying_pull_leaves_nothing_in_the_cache(storage: MemoryStorage, tmp_path: Path) -> None:
    artifact(storage).download(tmp_path / "out")
    cache = Path(os.environ["ARTSTORE_CACHE_DIR"])
    assert not (cache / "files").exists()
    assert {path.suffix for path in cache.rglob("*") if path.is_file()} <= {".sqlite"}

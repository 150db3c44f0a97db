"""Repair of runs: from copies, from where a run was brought, and from journals of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import artstore as art
from artstore.api import Store
from artstore.catalog.runs import activity
from artstore.catalog.runs.runlog import RunLog
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.testing.faults import crash_sweep
from artstore.upkeep.repair import RepairReport
from tests.trees import keys_of, open_at
from tests.unit.upkeep.runs import PICTURES, SESSION, path_of, record_run, values_of

CONSOLE = f"console/{SESSION}-000000.txt"
HISTORY = f"history/{SESSION}-000000.parquet"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_at(tmp_path / "store")
    store.create()
    return store


def storage_of(store: Store) -> LocalStorage:
    assert isinstance(store._storage, LocalStorage)
    return store._storage


def copied(tmp_path: Path, name: str = "copy") -> str:
    shutil.copytree(tmp_path / "store", tmp_path / name)
    return str(tmp_path / name)


def contents(store: Store) -> dict[str, bytes]:
    return {key: storage_of(store).read(key) for key in keys_of(storage_of(store))}


def spoil(store: Store, key: str, how: str) -> None:
    storage = storage_of(store)
    data = storage.read(key)
    storage.delete([key])
    middle = len(data) // 2
    if how == "flipped":
        storage.create(key, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif how == "cut":
        storage.create(key, data[:-1])


def repaired(store: Store, *sources: str, dry_run: bool = False) -> RepairReport:
    again = open_at(store.url.removeprefix("file://"))
    return again.repair(sources, read_data=1.0, dry_run=dry_run)


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_each_kind_of_value_comes_back_from_a_copy_and_nothing_else_is_touched(
    store: Store, tmp_path: Path, how: str
) -> None:
    prefix = record_run(store)
    record_run(store, "r2")
    copy = copied(tmp_path)
    before = contents(store)
    newest = f"{prefix}{2:012d}"
    for _, key in [*values_of(storage_of(store), prefix)]:
        if key == newest:
            continue
        spoil(store, key, how)
        report = repaired(store, copy)
        assert report.is_whole, report.problems
        (one,) = report.repaired
        assert (one.key, one.action, one.sources) == (key, "restored", (f"file://{copy}",))
        assert contents(store) == before


@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_the_newest_entry_comes_back_before_an_entry_without_effect(
    store: Store, tmp_path: Path, how: str
) -> None:
    prefix = record_run(store)
    copy = copied(tmp_path)
    before = contents(store)
    spoil(store, f"{prefix}{2:012d}", how)
    damaged = store.run("p/r1")
    assert damaged.state != "finished"
    report = repaired(store, copy)
    assert report.is_whole, report.problems
    (one,) = report.repaired
    assert one.sources == (f"file://{copy} (by its word alone)",)
    after = contents(store)
    guard = f"{prefix}{3:012d}"
    markers = {key for key in after if key.startswith(activity.PREFIX)} - before.keys()
    assert after.keys() == before.keys() | {guard} | markers
    assert {key: after[key] for key in before} == before
    # Who knew the run as it was damaged hears that there is more of it.
    assert [key.rpartition("-")[2] for key in markers] == ["3"]
    (known,) = store.runs("p")
    assert (known.state, known.summary["loss"], known.config) == ("finished", 0.5, {"lr": 0.1})
    assert store.check(read_data=1.0).problems == ()
    log = RunLog(storage_of(store), "p", "r1", "ada@lab")
    assert log.refresh().warnings == ()


def test_a_newest_entry_that_is_gone_comes_back_if_this_machine_has_seen_it(
    store: Store, tmp_path: Path
) -> None:
    prefix = record_run(store)
    copy = copied(tmp_path)
    before = contents(store)
    spoil(store, f"{prefix}{2:012d}", "gone")
    assert repaired(store, copy).found.problems == ()
    storage_of(store).create(f"{prefix}{2:012d}", before[f"{prefix}{2:012d}"])
    assert len(store.runs("p")) == 1
    storage_of(store).delete(keys_of(storage_of(store), prefix))
    report = repaired(store, copy)
    assert report.is_whole, report.problems
    assert contents(store) == before


def test_false_bytes_of_a_copy_are_not_believed(store: Store, tmp_path: Path) -> None:
    prefix = record_run(store)
    copy = copied(tmp_path)
    spoil(open_at(copy), prefix + HISTORY, "flipped")
    spoil(open_at(copy), prefix + path_of(PICTURES[0]), "cut")
    for name in (HISTORY, path_of(PICTURES[0])):
        spoil(store, prefix + name, "gone")
        report = repaired(store, copy)
        assert not report.is_whole
        assert report.repaired == ()
    # The history that names the picture is gone, too: so far nobody misses it.
    (problem,) = report.problems
    assert problem.key == prefix + HISTORY
    assert problem.message.endswith("not repaired: no source has it")
    assert problem.runs == ("p/r1",)


def test_a_trial_changes_nothing(store: Store, tmp_path: Path) -> None:
    prefix = record_run(store)
    copy = copied(tmp_path)
    spoil(store, prefix + CONSOLE, "flipped")
    before = contents(store)
    report = repaired(store, copy, dry_run=True)
    assert [one.key for one in report.repaired] == [prefix + CONSOLE]
    assert not report.is_whole
    assert contents(store) == before


def test_media_come_back_from_the_journal_of_their_run(store: Store) -> None:
    prefix = record_run(store)
    beside = store._settings.state_dir / "journals" / f"r1-{SESSION}" / "media"
    beside.mkdir(parents=True)
    for picture, kept in zip(PICTURES, (PICTURES[0], b"something else"), strict=True):
        (beside / path_of(picture).removeprefix("media/")).write_bytes(kept)
        spoil(store, prefix + path_of(picture), "gone")
    report = repaired(store)
    (one,) = report.repaired
    assert (one.key, one.sources) == (prefix + path_of(PICTURES[0]), (str(beside),))
    assert [problem.key for problem in report.problems] == [prefix + path_of(PICTURES[1])]


def test_what_was_brought_comes_back_from_where_it_was_made(store: Store, tmp_path: Path) -> None:
    record_run(store)
    target = open_at(tmp_path / "target")
    target.create()
    record_run(target, "r1")  # another run has the id there
    art.sync(store.url, target.url, project="p")
    prefix = "runs/p/r1-2/"
    before = contents(target)
    assert prefix + HISTORY in before
    for name in (HISTORY, CONSOLE, path_of(PICTURES[0])):
        spoil(target, prefix + name, "flipped")
    report = repaired(target, store.url)
    assert report.is_whole, report.problems
    assert len(report.repaired) == 3
    assert contents(target) == before


def test_what_no_digest_proves_comes_from_copies_of_this_very_store_alone(
    store: Store, tmp_path: Path
) -> None:
    prefix = record_run(store, has_digests=False)
    copy = copied(tmp_path)
    before = contents(store)
    other = open_at(tmp_path / "other")
    other.create()
    record_run(other, has_digests=False)
    for name in (HISTORY, CONSOLE):
        spoil(store, prefix + name, "cut")
        report = repaired(store, other.url)
        assert report.repaired == ()
        assert "no copy of this store has it" in report.problems[0].message
        report = repaired(store, other.url, copy)
        assert report.is_whole
        assert report.repaired[0].sources == (f"file://{copy} (by its word alone)",)
    assert contents(store) == before
    spoil(store, prefix + CONSOLE, "gone")
    second = copied(tmp_path, "second")
    storage = LocalStorage(Path(second))
    storage.create(prefix + CONSOLE, b"HELLO\nworld\n")
    (problem,) = repaired(store, copy, second).problems
    assert "different bytes" in problem.message


def test_nothing_of_a_deleted_run_is_put_back(store: Store, tmp_path: Path) -> None:
    prefix = record_run(store)
    store.run("p/r1").delete()
    copy = copied(tmp_path)
    spoil(store, prefix + CONSOLE, "gone")
    report = repaired(store, copy)
    assert report.repaired == ()
    (problem,) = report.problems
    assert problem.message.endswith("not repaired: its run is deleted")
    store.run("p/r1").restore()
    assert repaired(store, copy).is_whole


def test_a_repair_that_dies_anywhere_is_finished_without_the_copy(
    store: Store, tmp_path: Path
) -> None:
    prefix = record_run(store)
    copied(tmp_path)
    values = contents(store)
    cut = [f"{prefix}{n:012d}" for n in (0, 2)] + [prefix + HISTORY, prefix + path_of(PICTURES[0])]

    def make_damaged() -> Storage:
        shutil.rmtree(open_at("/nowhere/x")._settings.cache_dir, ignore_errors=True)
        storage = MemoryStorage()
        for key, data in values.items():
            storage.create(key, data[:-1] if key in cut else data)
        return storage

    def repair(storage: Storage) -> None:
        open_at("/nowhere/x", storage).repair([str(tmp_path / "copy")], read_data=1.0)

    crashes = 0
    for crash in crash_sweep(make_damaged, repair):
        crashes += 1
        again = open_at("/nowhere/x", crash.storage)
        report = again.repair(read_data=1.0)
        assert report.is_whole, (crash.stop_at, crash.applied, report.problems)
        assert again.check(read_data=1.0).problems == ()
        assert {key: crash.storage.read(key) for key in values} == values
        assert again.run("p/r1").summary["loss"] == 0.5
    assert crashes >= 8

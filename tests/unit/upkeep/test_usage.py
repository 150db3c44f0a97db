"""Usage: logical, stored, unique and shared bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

import artstore as art
from artstore.api import Store
from artstore.errors import NotFoundError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from tests.trees import File, build, keys_of, noise, open_at, push, put
from tests.unit.upkeep.runs import PICTURES, record_run, segment

SLACK_BYTES = 1_500
"""Of a manifest root."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_at("memory://x", MemoryStorage())
    source = build(
        tmp_path / "source", {"own": File(noise(30_000, 1)), "same": File(noise(20_000))}
    )
    push(store, source)
    put(source, "own", File(noise(10_000, 2)))
    push(store, source)
    put(source, "own", File(noise(5_000, 3)))
    push(store, source, name="other")
    return store


def test_a_version_is_split_into_what_it_alone_and_what_others_need(store: Store) -> None:
    first, second = store.usage("ds:v0"), store.usage("ds:v1")
    assert (first.logical_bytes, second.logical_bytes) == (50_000, 30_000)
    assert first.shared_bytes == second.shared_bytes == 20_000
    assert 30_000 <= first.unique_bytes < 30_000 + SLACK_BYTES
    assert 10_000 <= second.unique_bytes < 10_000 + SLACK_BYTES
    assert first.stored_bytes == first.unique_bytes + first.shared_bytes


def test_an_artifact_counts_what_its_versions_share_once(store: Store) -> None:
    usage = store.usage("ds")
    assert usage.logical_bytes == 80_000
    assert usage.shared_bytes == 20_000
    assert 40_000 <= usage.unique_bytes < 40_000 + 2 * SLACK_BYTES


def test_the_whole_store_is_all_that_lies_there(store: Store) -> None:
    usage = store.usage()
    assert usage.logical_bytes == 105_000
    assert usage.stored_bytes == sum(info.size_bytes for info in store._storage.scan(""))
    assert usage.shared_bytes == 20_000
    assert 45_000 <= usage.unique_bytes < 45_000 + 3 * SLACK_BYTES


def test_a_deleted_version_needs_nothing(store: Store) -> None:
    store.delete("ds:v0")
    assert store.usage("ds").logical_bytes == 30_000
    assert store.usage("other").shared_bytes == 20_000
    store.delete("ds:v1")
    assert store.usage("other").shared_bytes == 0


def test_a_file_that_is_twice_in_a_version_is_stored_once(tmp_path: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, build(tmp_path / "t", {name: File(noise(10_000)) for name in "abc"}))
    usage = store.usage("ds")
    assert usage.logical_bytes == 30_000
    assert 10_000 <= usage.stored_bytes < 10_000 + SLACK_BYTES


def test_what_a_table_brought_into_the_store_is_new_with_its_fragments() -> None:
    store = open_at("memory://x", MemoryStorage())
    rows = [[number, noise(40, number).hex()] for number in range(2_000)]
    for count in (2_000, 10):
        draft = art.Artifact("table", "dataset")
        draft.add(art.Table(["id", "text"], rows[:count]), "rows")
        store.log_artifact(draft)
    fragments = sum(info.size_bytes for info in store._storage.scan("fragments/"))
    assert fragments > 50_000
    first, second = store.new_bytes("table:v0"), store.new_bytes("table:v1")
    assert fragments < first + second < fragments + 4 * SLACK_BYTES
    # What is new in all versions is what lies in the store, but for logs, lists and indexes.
    assert store.usage("table").stored_bytes == first + second


def test_a_name_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.usage("none")


def test_runs_are_counted_by_project_and_by_what_it_is(tmp_path: Path) -> None:
    store = open_at("memory://x", MemoryStorage())
    push(store, build(tmp_path / "t", {"a": File(noise(10_000))}))
    record_run(store)
    record_run(store, "r2")
    store.run("p/r2").delete()
    storage = store._guarded_storage()
    segment(storage, "r1", "console", b"written anew since", number=5)
    storage.create("runs/p/r1/elsewhere", b"by hand")
    usage = store.usage()
    (runs,) = usage.runs
    below = {key: storage.stat(key).size_bytes for key in keys_of(storage, "runs/")}
    assert runs.stored_bytes == sum(below.values())
    assert (runs.project, runs.run_count, runs.deleted_count) == ("p", 2, 1)
    assert runs.history_bytes == sum(size for key, size in below.items() if "/history/" in key)
    assert runs.media_bytes == 2 * sum(map(len, PICTURES))
    assert runs.other_bytes == len(b"by hand")
    assert runs.deleted_bytes == sum(size for key, size in below.items() if "/r2/" in key)
    assert runs.abandoned_bytes == len(b"written anew since")
    assert usage.stored_bytes == sum(info.size_bytes for info in storage.scan(""))
    assert usage.logical_bytes == 10_000


def test_one_run_takes_what_lies_below_its_prefix() -> None:
    store = open_at("memory://x", MemoryStorage())
    store.create()
    prefix = record_run(store)
    record_run(store, "r2")
    usage = store.usage("run:r1")
    storage = store._guarded_storage()
    size = sum(storage.stat(key).size_bytes for key in keys_of(storage, prefix))
    assert (usage.stored_bytes, usage.unique_bytes, usage.shared_bytes) == (size, size, 0)
    (runs,) = usage.runs
    assert (runs.run_count, runs.abandoned_bytes, runs.deleted_bytes) == (1, 0, 0)
    with pytest.raises(NotFoundError):
        store.usage("run:r3")


def test_what_a_damaged_log_does_not_name_is_not_called_abandoned() -> None:
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    store.create()
    prefix = record_run(store)
    storage.delete([f"{prefix}{2:012d}"])
    data = storage.read(f"{prefix}{1:012d}")
    storage.delete([f"{prefix}{1:012d}"])
    storage.create(f"{prefix}{1:012d}", data[:-1])
    (runs,) = store.usage().runs
    assert runs.abandoned_bytes == 0


def test_the_runs_of_a_store_cost_one_scan_and_one_read_each(tmp_path: Path) -> None:
    metered = MeteredStorage(MemoryStorage())
    store = open_at("memory://x", metered)
    push(store, build(tmp_path / "t", {"a": File(noise(10_000))}))
    store.usage()
    metered.reset()
    store.usage()
    before = metered.requests()
    for number in range(30):
        record_run(store, f"r{number:02d}")
    metered.reset()
    store.usage()
    after = metered.requests()
    assert after - before == {Request("GET", "runs"): 30}

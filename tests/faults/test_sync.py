"""
A sync that dies, runs twice at once, meets damage, or a source that grows.

Nothing is there twice, nothing is torn, and the next sync finishes.
"""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import artstore as art
from artstore import limits
from artstore.api import Store
from artstore.catalog.format import encode_entry
from artstore.catalog.runs.format import RUN_KINDS
from artstore.manifests.entry import Entry
from artstore.packs.locator import pack_key
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.syncing.storesync import sync
from artstore.testing.faults import crash_sweep
from artstore.transfer.push import push
from artstore.transfer.pushspec import PushSpec
from artstore.transfer.sources import EntrySource
from tests.faults.killing import run_for, seconds_of, start
from tests.trees import noise, open_at, problems_of
from tests.unit.syncing.runs import edges, end, log_of, train
from tests.unit.syncing.stores import brought, log_files, opened, quiet


def filled(store: Store) -> Store:
    """Versions, a table, a link, labels, a run."""
    log_files(store, "ds", {"x": b"0", "big": noise(200_000, 1)}, aliases=["best"])
    log_files(store, "ds", {"x": b"1", "big": noise(200_000, 1)}, tags=["good"])
    draft = art.Artifact("tables", "dataset")
    draft.add(art.Table(columns=["a", "b"], data=[[n, str(n)] for n in range(500)]), "t")
    draft.add_link(store.artifact("ds:v0"), "big")
    store.log_artifact(draft)
    described = store.artifact("ds:v0")
    described.description = "told later"
    described.save()
    train(store, "one", "ds:v1", "model")
    store.artifact("model").link("registry/best")
    return store


def told(store: Store) -> dict[str, tuple[object, ...]]:
    """What there is in a store, by name."""
    found: dict[str, tuple[object, ...]] = {}
    for project in store.projects():
        for info in store.collections(project):
            name = f"{project}/{info.name}"
            for state in store.versions(name):
                version = store.artifact(f"{name}:v{state.version}")
                labels = (sorted(state.aliases), sorted(state.tags), version.description)
                found[f"{name}:v{state.version}"] = (state.digest, state.run, *labels)
    for run in store.runs():
        rows = run.history_table().num_rows
        found[f"run:{run.id}"] = (run.state, run.config, run.summary, rows)
    return found


def forget_caches() -> None:
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)


def test_a_sync_stopped_anywhere_leaves_a_whole_store_and_can_be_finished() -> None:
    source = filled(opened("a"))
    expected = told(source)

    def run(storage: Storage) -> None:
        sync(source, open_at("memory://x", storage))

    def prepare(storage: Storage) -> None:
        forget_caches()
        open_at("memory://x", storage).create()

    crashes = 0
    for crash in crash_sweep(MemoryStorage, run, prepare=prepare):
        crashes += 1
        target = open_at("memory://x", crash.storage)
        assert problems_of(target) == []
        found = told(target)
        # Labels that come behind a version may be missing; what is there is right.
        for name, value in found.items():
            assert value[:2] == expected[name][:2]
        sync(source, target)
        target = open_at("memory://x", crash.storage)
        assert told(target) == expected
        assert problems_of(target) == []
        assert edges(target, "model") == edges(source, "model")
        quiet(source, target)
    assert crashes > 40


def test_two_syncs_at_once_bring_no_version_twice() -> None:
    source, storage = filled(opened("a")), MemoryStorage()
    for number in range(20):
        log_files(source, "many", {"x": b"%d" % number})
    open_at("memory://x", storage).create()
    barrier, failures = threading.Barrier(3), []

    def run() -> None:
        barrier.wait()
        try:
            report = sync(source, open_at("memory://x", storage))
            failures.extend(report.problems)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    target = open_at("memory://x", storage)
    assert told(target) == told(source)
    assert problems_of(target) == []
    quiet(source, target)


def test_a_source_that_grows_meanwhile_is_brought_as_far_as_it_was_seen() -> None:
    source, target = filled(opened("a")), opened("b")
    added = 0

    def grow(_: object) -> None:
        nonlocal added
        if added < 5:
            added += 1
            log_files(source, "ds", {"x": b"new %d" % added}, aliases=["best"])

    sync(source, target, on_progress=grow)
    assert added
    assert problems_of(target) == []
    sync(source, target)
    assert told(target) == told(source)
    quiet(source, target)


def test_a_damaged_chunk_is_named_and_everything_else_goes_over() -> None:
    source, target = opened("a"), opened("b")
    log_files(source, "bad", {"x": noise(300_000, 7), "y": b"sound"})
    log_files(source, "bad", {"y": b"sound", "z": b"later"})
    log_files(source, "good", {"x": b"good"})
    pack = pack_key(source.artifact("bad:v0").entry("x").chunks[0].pack)
    data = bytearray(source._storage.read(pack))
    data[1_000] ^= 1
    source._storage.delete([pack])
    source._storage.create(pack, bytes(data))
    source = open_at("memory://a", source._storage)
    report = sync(source, target)
    assert [(one.name, one.code) for one in report.problems] == [("p/bad:v0", "chunk-damaged")]
    assert "p/bad:v0 of memory:" in report.problems[0].message
    assert [f"{one.name}:v{one.version}" for one in report.new_versions] == ["bad:v1", "good:v0"]
    assert problems_of(target) == []
    data[1_000] ^= 1
    source._storage.delete([pack])
    source._storage.create(pack, bytes(data))
    assert brought(sync(source, target)) == ["p/bad:v0 as v2"]


@pytest.mark.parametrize("what", ["fragment", "description"])
def test_a_damaged_table_is_named(what: str) -> None:
    source, target = filled(opened("a")), opened("b")
    if what == "fragment":
        key = next(info.key for info in source._storage.scan("fragments/"))
    else:
        key = pack_key(source.artifact("tables").entry("t.parquet").chunks[0].pack)
    data = bytearray(source._storage.read(key))
    data[100] ^= 1
    source._storage.delete([key])
    source._storage.create(key, bytes(data))
    report = sync(open_at("memory://a", source._storage), target)
    assert [one.name for one in report.problems] == ["p/tables:v0"]
    assert problems_of(target) == []
    assert len(report.new_versions) == 4


SYNCING = """
import sys
import artstore as art
print("ready", flush=True)
sys.stdin.readline()
art.sync(sys.argv[1], sys.argv[2], project="p")
print("done", flush=True)
"""


def test_a_killed_sync_is_finished_by_the_next_one_without_reading_all_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "source"
    source = open_at(place)
    source.create()
    log_files(source, "large", {"big": noise(48 * limits.MIB, 1)})
    for number in range(6):
        log_files(source, "ds", {f"{n}": noise(20_000, n) for n in range(number, number + 50)})
    end(source, "one", config={"a": 1})
    whole = seconds_of(SYNCING, place, tmp_path / "trial")
    killed = 0
    for moment in range(5):
        target = tmp_path / f"target-{moment}"
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / f"cache-{moment}"))
        killed += not run_for(start(SYNCING, place, target), whole * (moment + 1) / 7)
        if (target / "artstore.json").exists():
            assert problems_of(open_at(target)) == []
        here, there = open_at(place), open_at(target)
        report = sync(here, there)
        assert report.problems == ()
        assert told(open_at(target)) == told(here)
        assert problems_of(open_at(target), read_data=None) == []
        packs = sum(file.stat().st_size for file in (target / "packs").rglob("*-*"))
        assert packs < 52 * limits.MIB
        quiet(here, open_at(target))
    assert killed, "no sync was killed while it worked"


def test_into_a_bucket_and_out_of_it_again(s3_place: str, tmp_path: Path) -> None:
    source = filled(open_at(tmp_path / "a"))
    report = art.sync(source, s3_place, project="p")
    assert report.problems == ()
    bucket = art.open_store(s3_place, project="p")
    expected = told(source)
    found = told(bucket)
    assert {name: found[name] for name in expected if name in found} == {
        name: value for name, value in expected.items() if not name.startswith("registry/")
    }
    assert art.sync(source, bucket).problems == ()
    assert told(bucket) == expected
    assert problems_of(bucket) == []
    again = art.sync(source, bucket)
    assert (again.new_versions, again.new_runs, again.stored_bytes) == ((), (), 0)
    back = open_at(tmp_path / "b")
    assert art.sync(bucket, back).problems == ()
    assert told(back) == expected
    assert edges(back, "model") == edges(source, "model")
    quiet(bucket, back)
    quiet(source, back)


def test_a_hostile_run_puts_nothing_but_its_own_segments_into_the_target() -> None:
    source, target = opened("a"), opened("b")
    log = log_of(source, "one")
    foreign = log_of(source, "two")
    end(source, "two", name="two")
    names = [
        f"{foreign.prefix}000000000000",
        f"{log.prefix}000000000005",
        f"{log.prefix}other/x.parquet",
        f"{log.prefix}history/../../two/000000000001",
        "artstore.json",
        "",
    ]
    for name in names[:3]:
        if name.startswith(log.prefix):
            source._storage.create(name, b"hostile")
    told_of = [{"key": name, "bytes": 7} for name in names]
    segments = {"history": {"0" * 16: [*told_of, 7, {"key": None}], "x": 3}, "system": 5}
    end(source, "one", segments=segments, used=[{"artifact": 3}, {"artifact": "p/ds:v1"}])
    report = sync(source, target)
    assert report.problems == ()
    keys = [info.key for info in target._storage.scan("runs/p/one/")]
    assert keys == [f"{log.prefix}000000000000"]
    assert target.run("one").state == "finished"
    quiet(source, target)


@pytest.mark.parametrize(
    "whole",
    [
        {"origin": {"store": 3}, "brought": {"x": "y"}},
        {"origin": [], "brought": 3, "used": [{"artifact": "p/ds", "version": 10**30}]},
        {"segments": {"history": []}, "sessions": [{"id": "x"}], "linked": [{"target": 4}]},
    ],
)
def test_whatever_a_run_states_of_itself_is_brought_or_refused(whole: dict[str, object]) -> None:
    source, target = opened("a"), opened("b")
    fields = {"whole": {**whole, "run": "one", "project": "p"}}
    # As another writer may: the entry itself is sound.
    data = encode_entry(
        ("edit", {"run": "one", "project": "p", "changes": {}, **fields}),
        n=0,
        previous=bytes(32),
        write="0" * 16,
        time="2026-01-01T00:00:00Z",
        by="x",
        kinds=RUN_KINDS,
    )
    source._storage.create("runs/p/one/000000000000", data)
    source._storage.create("activity/p/20260101/000000-one-0", b"1\n")
    assert sync(source, target).problems == ()
    assert target.run("one").id == "one"
    quiet(source, target)


def test_entries_that_name_strange_versions_are_brought_without_them() -> None:
    source, target = opened("a"), opened("b")
    log_files(source, "ds", {"x": b"0"})
    entry = source.artifact("ds").entry("x")
    for number, name in enumerate(["p/ds:v9", "no name", "p/absent:v0", 7, "p/ds:best"]):
        extra = {"source": name, "path": "x", "store": source.id}
        linked = replace(entry, kind="link", extra=extra)
        push_entries(source, f"strange-{number}", [linked])
    assert sync(source, target).problems == ()
    for number in range(5):
        assert target.artifact(f"strange-{number}").entry("x").kind == "file"
        assert target.artifact(f"strange-{number}").read("x") == b"0"


def push_entries(store: Store, name: str, entries: list[Entry]) -> None:
    spec = PushSpec("p", name, "dataset", (EntrySource(tuple(entries)),))
    push(store._place(), spec, on_progress=None)

"""Repair of tables: fragments come back from whatever has their very bytes, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from artstore.errors import DamagedDataError
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from tests.trees import keys_of, open_at

ROWS = 3_000
URL = "/nowhere/x"


@pytest.fixture(autouse=True)
def small_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artstore.tables.building._FRAGMENT_BYTES", 10_000)


def columns() -> dict[str, list[object]]:
    noise = np.random.default_rng(3).normal(size=ROWS).tolist()
    return {"id": list(range(ROWS)), "noise": noise, "text": [f"row {n}" for n in range(ROWS)]}


def log(store: Store, data: dict[str, list[object]]) -> None:
    draft = art.Artifact("ds", "dataset")
    draft.add(art.Table(data=data), "table")
    store.log_artifact(draft)


def rows_of(store: Store, name: str = "ds") -> dict[str, list[object]]:
    found: dict[str, list[object]] = store.artifact(name).get("table").to_arrow().to_pydict()
    return found


def fragments_of(storage: Storage) -> list[str]:
    return keys_of(storage, "fragments/")


def forget_caches() -> None:
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)


def flip(storage: Storage, key: str) -> None:
    data = bytearray(storage.read(key))
    data[len(data) // 2] ^= 1
    storage.delete([key])
    storage.create(key, bytes(data))


@pytest.fixture
def storage() -> MemoryStorage:
    storage = MemoryStorage()
    log(open_at(URL, storage), columns())
    assert len(fragments_of(storage)) >= 3
    return storage


def values_of(storage: Storage) -> dict[str, bytes]:
    return {key: storage.read(key) for key in fragments_of(storage)}


def test_the_cache_of_this_machine_gives_back_fragments_that_were_read(
    storage: MemoryStorage,
) -> None:
    before = values_of(storage)
    # What a read keeps in the cache of a store elsewhere.
    assert rows_of(open_at(URL, storage)) == columns()
    lost, damaged = fragments_of(storage)[:2]
    storage.delete([lost])
    flip(storage, damaged)
    report = open_at(URL, storage).repair(read_data=1.0)
    assert report.is_whole, report.problems
    assert {(r.key, r.action, r.sources) for r in report.repaired} == {
        (lost, "restored", ("the local cache",)),
        (damaged, "restored", ("the local cache",)),
    }
    assert values_of(storage) == before
    forget_caches()
    assert rows_of(open_at(URL, storage)) == columns()


def test_another_store_gives_back_what_is_damaged_cut_or_lost(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    before = values_of(storage)
    copy = LocalStorage(tmp_path / "copy", sync=False)
    for key in keys_of(storage):
        copy.create(key, storage.read(key))
    forget_caches()
    lost, damaged, cut = fragments_of(storage)[:3]
    storage.delete([lost, cut])
    storage.create(cut, before[cut][:-1])
    flip(storage, damaged)
    report = open_at(URL, storage).repair([copy.url], read_data=1.0)
    assert report.is_whole, report.problems
    assert {r.key for r in report.repaired} == {lost, damaged, cut}
    assert {r.sources for r in report.repaired} == {(copy.url,)}
    assert values_of(storage) == before
    assert rows_of(open_at(URL, storage)) == columns()


def test_a_store_where_another_push_made_the_same_fragments_will_do(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    before = values_of(storage)
    log(open_at(tmp_path / "other"), columns())
    forget_caches()
    storage.delete(fragments_of(storage))
    report = open_at(URL, storage).repair([str(tmp_path / "other")])
    assert report.is_whole, report.problems
    assert values_of(storage) == before


def test_the_same_bytes_in_this_store_from_another_push_will_do(storage: MemoryStorage) -> None:
    before = values_of(storage)
    other = art.Artifact("other", "dataset")
    other.add(art.Table(data=columns()), "table")
    open_at(URL, storage).log_artifact(other)
    assert len(fragments_of(storage)) == 2 * len(before)
    forget_caches()
    storage.delete(before)
    report = open_at(URL, storage).repair()
    assert report.is_whole, report.problems
    assert {r.sources for r in report.repaired} == {("this store",)}
    assert {key: storage.read(key) for key in before} == before


def test_what_nobody_has_is_told_by_name_and_the_rest_comes_back(storage: MemoryStorage) -> None:
    rows_of(open_at(URL, storage))
    gone, cached = fragments_of(storage)[:2]
    cache = Path(os.environ["ARTSTORE_CACHE_DIR"]) / "files"
    digest = gone.rpartition("/")[2].partition("-")[0]
    # The cache is damaged, too: it is no source, whatever its name says.
    (kept,) = cache.rglob(digest)
    size_bytes = kept.stat().st_size
    kept.chmod(0o600)
    kept.write_bytes(b"x" * size_bytes)
    storage.delete([gone, cached])
    report = open_at(URL, storage).repair()
    assert [r.key for r in report.repaired] == [cached]
    (problem,) = report.problems
    assert problem.key == gone
    assert problem.message == "it is missing; not repaired: no source has it"
    assert problem.versions == ("p/ds:v0 table.parquet",)
    assert gone not in fragments_of(storage)


def test_the_rows_of_a_checkout_are_no_fragment(storage: MemoryStorage, tmp_path: Path) -> None:
    open_at(URL, storage).artifact("ds").download(tmp_path / "out")
    forget_caches()
    lost = fragments_of(storage)[0]
    storage.delete([lost])
    report = open_at(URL, storage).repair()
    assert [problem.key for problem in report.problems] == [lost]
    assert lost not in fragments_of(storage)


def test_fragments_of_deleted_versions_only_are_not_made_again(storage: MemoryStorage) -> None:
    store = open_at(URL, storage)
    rows_of(store)
    old = set(fragments_of(storage))
    log(store, {"other": list(range(10))})
    shared = {f.key for f in store.artifact("ds:v1").get("table").stored.fragments}
    only_old = sorted(old - shared)
    assert only_old
    store.delete("ds:v0", force=True)
    flip(storage, only_old[0])
    (problem,) = open_at(URL, storage).repair(read_data=1.0).problems
    assert problem.key == only_old[0]
    assert "no version that is not deleted needs it" in problem.message


def test_fragments_that_lie_under_the_keys_of_others_are_put_right(storage: MemoryStorage) -> None:
    before = values_of(storage)
    forget_caches()
    one, two = fragments_of(storage)[:2]
    storage.delete([one, two])
    storage.create(one, before[two])
    storage.create(two, before[one])
    report = open_at(URL, storage).repair(read_data=1.0)
    assert report.is_whole, report.problems
    assert values_of(storage) == before


def test_a_dry_run_tells_and_changes_nothing(storage: MemoryStorage) -> None:
    rows_of(open_at(URL, storage))
    lost = fragments_of(storage)[0]
    storage.delete([lost])
    report = open_at(URL, storage).repair(dry_run=True)
    assert [r.key for r in report.repaired] == [lost]
    assert not report.is_whole
    assert lost not in fragments_of(storage)


def test_fragments_and_the_pack_that_describes_their_table_come_back_together(
    storage: MemoryStorage, tmp_path: Path
) -> None:
    everything = {key: storage.read(key) for key in keys_of(storage)}
    copy = LocalStorage(tmp_path / "copy", sync=False)
    for key, data in everything.items():
        copy.create(key, data)
    forget_caches()
    storage.delete([*keys_of(storage, "packs/"), *fragments_of(storage)])
    with pytest.raises(DamagedDataError):
        rows_of(open_at(URL, storage))
    report = open_at(URL, storage).repair([copy.url])
    assert report.is_whole, report.problems
    assert {key: storage.read(key) for key in keys_of(storage)} == everything
    assert rows_of(open_at(URL, storage)) == columns()

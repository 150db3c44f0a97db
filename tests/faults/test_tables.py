"""
Tables in stores that fail: pushes that stop anywhere, fragments that are lost or damaged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from artstore.errors import DamagedDataError
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.tables.building import _FRAGMENT_BYTES
from artstore.testing.faults import crash_sweep
from tests.trees import keys_of, open_at, problems_of

ROWS = 3_000


@pytest.fixture(autouse=True)
def small_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _FRAGMENT_BYTES > 20_000
    monkeypatch.setattr("artstore.tables.building._FRAGMENT_BYTES", 20_000)


def columns(rows: int = ROWS, changed: int | None = None) -> dict[str, list[object]]:
    noise = np.random.default_rng(7).normal(size=rows).tolist()
    if changed is not None:
        noise[changed] = -1.0
    return {"id": list(range(rows)), "noise": noise, "text": [f"row {n}" for n in range(rows)]}


def log(store: Store, data: dict[str, list[object]]) -> art.LoggedArtifact:
    draft = art.Artifact("ds", "dataset")
    draft.add(art.Table(data=data), "table")
    return store.log_artifact(draft)


def forget_caches() -> None:
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)


def rows_of(store: Store) -> dict[str, dict[str, list[object]]]:
    found = {}
    for version in store.versions("ds"):
        name = f"ds:v{version.version}"
        found[name] = store.artifact(name).get("table").to_arrow().to_pydict()
    return found


def test_a_second_version_stopped_anywhere_leaves_the_first_and_can_be_finished() -> None:
    old, new = columns(), columns(changed=1_500)

    def prepare(storage: Storage) -> None:
        forget_caches()
        log(open_at("memory://tables", storage), old)

    def run(storage: Storage) -> None:
        log(open_at("memory://tables", storage), new)

    crashes = 0
    for crash in crash_sweep(MemoryStorage, run, prepare=prepare):
        crashes += 1
        stranger = open_at("memory://tables", crash.storage)
        assert problems_of(stranger) == []
        assert rows_of(stranger) in ({"ds:v0": old}, {"ds:v0": old, "ds:v1": new})
        assert log(open_at("memory://tables", crash.storage), new).version == "v1"
        again = open_at("memory://tables", crash.storage)
        assert rows_of(again) == {"ds:v0": old, "ds:v1": new}
        assert problems_of(again) == []
    assert crashes >= 2 * 4


def test_a_killed_process_leaves_no_half_version(tmp_path: Path) -> None:
    store = open_at(tmp_path / "store")
    log(store, columns())
    program = f"""
import os, signal, threading
import artstore as art
from artstore.storage.local import LocalStorage
create, done = LocalStorage.create, []
def dying(self, key, value):
    create(self, key, value)
    done.append(key)
    if key.startswith("fragments/") and len(done) > 2:
        os.kill(os.getpid(), signal.SIGKILL)
LocalStorage.create = dying
draft = art.Artifact("ds", "dataset")
ids = list(range(200_000))
draft.add(art.Table(data={{"id": ids, "n": [x / 7 for x in ids]}}), "table")
art.open_store({str(tmp_path / "store")!r}, project="p").log_artifact(draft)
"""
    program = program.replace("import os,", "import artstore.tables.building as b\nimport os,")
    program = program.replace("create, done", "b._FRAGMENT_BYTES = 100_000\ncreate, done")
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -9
    after = open_at(tmp_path / "store")
    assert problems_of(after) == []
    assert list(rows_of(after)) == ["ds:v0"]
    assert rows_of(after)["ds:v0"] == columns()


@pytest.mark.parametrize("place", ["local", "memory"])
def test_a_damaged_fragment_is_found_and_never_read(tmp_path: Path, place: str) -> None:
    storage = None if place == "local" else MemoryStorage()
    url = tmp_path / "store" if place == "local" else "memory://damaged"
    store = open_at(url, storage)
    log(store, columns())
    fragments = [key for key in keys_of(store._storage) if key.startswith("fragments/")]
    assert len(fragments) >= 3
    data = bytearray(store._storage.read(fragments[1]))
    data[len(data) // 2] ^= 1
    store._storage.delete([fragments[1]])
    store._storage.create(fragments[1], bytes(data))
    forget_caches()
    fresh = open_at(url, storage)
    table = fresh.artifact("ds").get("table")
    with pytest.raises(DamagedDataError) as caught:
        table.to_arrow()
    assert (caught.value.code, caught.value.context["key"]) == (
        "fragment-digest-mismatch",
        fragments[1],
    )
    with pytest.raises(DamagedDataError):
        fresh.artifact("ds").get("table").query()
    assert fragments[1] in {problem.key for problem in fresh.check(read_data=1.0).problems}
    assert [problem.path for problem in fresh.verify("ds").problems] == ["table.parquet"]


def test_a_lost_fragment_is_named_with_the_versions_it_hits(tmp_path: Path) -> None:
    store = open_at(tmp_path / "store")
    log(store, columns())
    log(store, columns(changed=10))
    fragments = [key for key in keys_of(store._storage) if key.startswith("fragments/")]
    shared = store.artifact("ds:v0").get("table").stored.fragments[-1].key
    assert shared in fragments
    store._storage.delete([shared])
    forget_caches()
    fresh = open_at(tmp_path / "store")
    with pytest.raises(DamagedDataError, match="missing") as caught:
        fresh.artifact("ds:v1").get("table").to_arrow()
    assert caught.value.code == "fragment-missing"
    (problem,) = fresh.check().problems
    assert problem.key == shared
    assert problem.versions == ("p/ds:v0 table.parquet", "p/ds:v1 table.parquet")
    # What does not need it is still read.
    assert fresh.artifact("ds:v0").get("table").rows[0]["id"] == 0


def test_a_damaged_row_cannot_hide_behind_a_right_file_name(tmp_path: Path) -> None:
    """Rows are compared, not only whether the file can be read."""
    from artstore.digest import digest_of

    store = open_at(tmp_path / "store")
    log(store, columns(50))
    table = store.artifact("ds").get("table")
    (fragment,) = table.stored.fragments
    assert digest_of(store._storage.read(fragment.key)) == fragment.digest
    checkout = tmp_path / "out"
    store.artifact("ds").download(checkout)
    assert store.verify("ds", checkout).problems == ()
    other = columns(50, changed=3)
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(checkout / "table.parquet")
    pq.write_table(pa.table(other, schema=schema), checkout / "table.parquet")
    (problem,) = store.verify("ds", checkout).problems
    assert (problem.path, problem.message) == ("table.parquet", "has other rows")

"""The golden store of format v1 is the same store wherever its values lie: memory, a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.api import Store
from artstore.settings import resolve
from artstore.storage.local import LocalStorage
from artstore.storage.opener import open_storage
from tests.golden.making import DIRECTORY, FIRST, LARGE, MANY, SECOND, TABLE_ROW_COUNT
from tests.trees import File, build, keys_of, observe, push

TREES = {"ds:v0": FIRST, "ds:v1": SECOND, "large": LARGE, "Many": MANY}


@pytest.fixture(params=["memory", "moto"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy, value by value, through the storage alone."""
    url = f"memory://golden-{request.node.name.partition('[')[0]}"
    if request.param == "moto":
        server = request.getfixturevalue("moto")
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{server.make_bucket()}/golden"
    golden, copy = LocalStorage(DIRECTORY), open_storage(url)
    for key in keys_of(golden):
        copy.create(key, golden.read(key))
    return Store(resolve(url, "golden"))


def test_it_is_read_there(store: Store, tmp_path: Path) -> None:
    report = store.check(read_data=1.0)
    assert (report.problems, report.checked_versions) == ((), 10)
    for number, (name, tree) in enumerate(TREES.items()):
        store.artifact(name).download(tmp_path / str(number))
        assert observe(tmp_path / str(number)) == tree


def test_tables_are_read_asked_and_continued_there(store: Store) -> None:
    table = store.artifact("tables:v1").get("cells")
    assert table.get_column("id") == [*range(TABLE_ROW_COUNT), "four"]
    assert table.filter("score > 1e100").count().to_pyarrow().as_py() == 1
    assert table.rows[3]["image"].to_pil().size == (4, 3)
    table.add_data(5, None, None, None, None)
    draft = store.artifact("tables:v1").new_draft()
    draft.add(table, "cells", overwrite=True)
    logged = store.log_artifact(draft)
    assert (logged.version, len(logged.get("cells"))) == ("v2", TABLE_ROW_COUNT + 2)
    assert store.check(read_data=1.0).problems == ()


def test_it_is_continued_there(store: Store, tmp_path: Path) -> None:
    pushed = push(store, build(tmp_path / "source", {**FIRST, "new": File(b"new")}))
    assert (pushed.version, pushed.type) == ("v4", "model")
    assert store.check(read_data=1.0).problems == ()


def test_it_is_repaired_there_from_its_directory(store: Store) -> None:
    golden = LocalStorage(DIRECTORY)
    keys = keys_of(golden)
    lost = [key for key in keys if key.startswith(("packs/", "manifests/"))][::5]
    store._storage.delete(lost)
    report = store.repair([DIRECTORY.as_uri()], read_data=1.0)
    assert report.problems == ()
    assert {item.key for item in report.repaired} <= set(lost)
    for key in [item.key for item in report.repaired]:
        assert store._storage.read(key) == golden.read(key)

"""Who reads on while his version is deleted and collected is told so by name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import artstore as art
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError
from tests.trees import noise

NOW = dt.timedelta(0)


@pytest.fixture(autouse=True)
def no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")


@pytest.fixture
def store(tmp_path: Path) -> art.Store:
    store = art.open_store(str(tmp_path / "store"), project="p")
    store.create()
    return store


def log(store: art.Store, name: str, seed: int) -> None:
    draft = art.Artifact(name, "dataset")
    for number in range(4):
        with draft.new_file(f"f{number}", "wb") as file:
            file.write(noise(200_000, 10 * seed + number))
    draft.add(art.Table(columns=["a"], data=[[seed * 1000 + i] for i in range(500)]), "t")
    store.log_artifact(draft)


def collect(store: art.Store) -> None:
    for _ in range(2):
        store.collect_garbage(grace=NOW, restore_window=NOW, force=True)


def other(store: art.Store) -> art.Store:
    return art.open_store(store.url, project="p")


@pytest.mark.parametrize("what", ["list", "bytes", "rows"])
def test_a_reader_is_told_who_deleted_the_version_and_by_which_plan_it_went(
    store: art.Store, tmp_path: Path, what: str
) -> None:
    log(store, "data", 1)
    log(store, "data", 2)
    version = store.artifact("data:v0")
    if what != "list":
        assert version.entry("f0")
    table = version.get("t") if what == "rows" else None
    other(store).delete("data:v0")
    collect(other(store))
    reads = {
        "list": lambda: version.download(tmp_path / "out"),
        "bytes": lambda: version.read("f0"),
        "rows": lambda: table and list(table.iterrows()),
    }
    with pytest.raises(NotFoundError) as caught:
        reads[what]()
    error = caught.value
    assert error.code == "content-swept"
    assert "p/data:v0 was deleted by" in error.message
    assert "plan 0, made by" in error.message
    assert error.context["versions"] == ["p/data:v0"]


def test_a_pull_that_goes_on_beside_a_repack_gets_its_bytes(
    store: art.Store, tmp_path: Path
) -> None:
    log(store, "data", 1)
    first = store.artifact("data:v0")
    draft = first.new_draft()
    draft.remove("f1")
    draft.remove("f2")
    draft.remove("f3")
    store.log_artifact(draft)
    version = store.artifact("data:v1")
    assert version.entry("f0")
    other(store).delete("data:v0")
    collect(other(store))
    version.download(tmp_path / "out")
    assert (tmp_path / "out" / "f0").read_bytes() == noise(200_000, 10)


def test_what_nobody_deleted_is_damage_as_ever(store: art.Store, tmp_path: Path) -> None:
    log(store, "data", 1)
    version = store.artifact("data:v0")
    for file in (tmp_path / "store" / "packs").rglob("*-*"):
        file.unlink()
    with pytest.raises(ArtstoreError) as caught:
        version.read("f0")
    assert isinstance(caught.value, DamagedDataError)
    assert caught.value.code == "pack-missing"

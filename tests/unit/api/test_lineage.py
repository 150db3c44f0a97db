"""
Walks of lineage over a store: what they show at once, and what they cost a new process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import artstore as art
from artstore.errors import NotFoundError
from artstore.storage.local import LocalStorage
from artstore.storage.meter import MeteredStorage
from tests.trees import open_at


def logged(store: art.Store, name: str, text: str, **links: str) -> str:
    """A version with one file, and links to files of others: path -> name of the version."""
    draft = art.Artifact(name, type="dataset")
    with draft.new_file("text.txt") as file:
        file.write(text)
    for path, source in links.items():
        draft.add_reference(f"art://{source}/text.txt", name=path)
    return store.log_artifact(draft).qualified_name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """raw:v0 -> clean:v0 -> model:v0, and the first of them linked into a collection."""
    place = tmp_path / "store"
    monkeypatch.setenv("ARTSTORE_URL", str(place))
    store = open_at(place)
    raw = logged(store, "raw", "one")
    clean = logged(store, "clean", "two", first=raw)
    logged(store, "model", "three", second=clean)
    store.artifact("raw").link("golden")
    return place


def told(place: Path, name: str = "raw:v0", **options: Any) -> dict[str, Any]:
    """What a new process tells."""
    return open_at(place).lineage(name, **options).to_json()


def states(graph: dict[str, Any]) -> dict[str, str]:
    return {node["id"]: node["state"] for node in graph["nodes"]}


def without_cache(place: Path, monkeypatch: pytest.MonkeyPatch, where: Path) -> dict[str, Any]:
    """What a machine tells that has never seen the store."""
    with monkeypatch.context() as context:
        context.setenv("ARTSTORE_CACHE_DIR", str(where))
        return told(place)


def test_edges_between_versions_are_found_from_both_ends(place: Path) -> None:
    for _ in range(2):
        down = told(place, direction="down")
        assert set(states(down)) == {*("p/raw:v0", "p/clean:v0", "p/model:v0", "p/golden:v0")}
        assert {(edge["kind"], edge["from"], edge["to"]) for edge in down["edges"]} == {
            ("depends", "p/raw:v0", "p/clean:v0"),
            ("depends", "p/clean:v0", "p/model:v0"),
            ("linked", "p/raw:v0", "p/golden:v0"),
        }
        up = told(place, "model", direction="up")
        assert set(states(up)) == {"p/raw:v0", "p/clean:v0", "p/model:v0"}


def test_what_was_deleted_and_restored_shows_at_once(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert states(told(place))["p/clean:v0"] == "live"
    for number, (change, state) in enumerate((("delete", "deleted"), ("restore", "live"))):
        getattr(open_at(place), change)("clean:v0")
        graph = told(place)
        assert states(graph)["p/clean:v0"] == state
        assert graph == told(place)
        assert graph == without_cache(place, monkeypatch, tmp_path / f"cache{number}")


def test_a_version_that_was_marked_bad_makes_others_stale_at_once(place: Path) -> None:
    def stale() -> list[str]:
        found = open_at(place).stale().to_json()["versions"]
        return sorted(one["version"]["id"] for one in found)

    assert stale() == []
    open_at(place).set_tags("raw:v0", add=["bad"])
    assert stale() == ["p/clean:v0", "p/golden:v0", "p/model:v0"]
    open_at(place).set_tags("raw:v0", remove=["bad"])
    assert stale() == []
    logged(open_at(place), "raw", "newer")
    assert stale() == ["p/clean:v0", "p/golden:v0", "p/model:v0"]


def test_a_new_version_and_a_moved_alias_show_at_once(place: Path) -> None:
    assert "p/next:v0" not in states(told(place))
    store = open_at(place)
    store.set_aliases("raw:v0", add=["best"])
    assert "p/raw:v0" in states(told(place, "raw:best"))
    logged(store, "raw", "newer")
    logged(store, "next", "four", third="p/raw:v0")
    assert "p/next:v0" in states(told(place))
    store.set_aliases("raw:v1", add=["best"])
    assert set(states(told(place, "raw:best"))) == {"p/raw:v1"}
    assert set(states(told(place, "raw"))) == {"p/raw:v1"}


def test_names_that_are_not_there_are_told_as_ever(place: Path) -> None:
    open_at(place).delete("clean:v0")
    for name, code in (
        ("rav", "collection-not-found"),
        ("raw:v7", "version-not-found"),
        ("raw:none", "alias-not-found"),
        ("clean:v0", "version-deleted"),
        ("clean", "version-not-found"),
    ):
        for _ in range(2):
            with pytest.raises(NotFoundError) as caught:
                told(place, name)
            assert caught.value.code == code
            with pytest.raises(NotFoundError, match=caught.value.args[0].partition(" in ")[0]):
                open_at(place).artifact(name)


def test_a_version_is_found_by_the_start_of_its_digest(place: Path) -> None:
    digest = open_at(place).artifact("clean").digest
    assert "p/clean:v0" in states(told(place, f"clean@{digest[:12]}"))


def test_why_a_file_is_there_reads_versions_that_are_known(place: Path) -> None:
    store = open_at(place)
    logged(store, "model", "changed", second="p/clean:v0")
    for _ in range(2):
        report = open_at(place).why("model:v1", "second").to_json()
        assert "p/clean:v0" in str(report)


def test_a_new_process_pays_one_scan_for_each_collection_and_folds_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(place)
    metered = MeteredStorage(LocalStorage(place, sync=False))
    monkeypatch.setattr("artstore.catalog.fold.Fold.apply", None)
    store = open_at(place, metered)
    identity = store.id
    metered.reset()
    assert len(store.lineage("raw:v0").nodes) == 4
    calls = {name: one.calls for name, one in metered.snapshot().items() if one.calls}
    # The names of projects, with runs and with artifacts, and of collections; the four logs.
    assert calls == {"scan_names": 3, "scan": 4}
    assert store.id == identity

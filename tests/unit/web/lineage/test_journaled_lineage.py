"""Runs of this machine in the graph before the store hears of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from artstore import clock
from artstore.api import Store
from artstore.artifact import Artifact
from artstore.settings import resolve
from artstore.web.lineage import found as found_module
from artstore.web.opening import open_site
from tests.trees import open_at
from tests.unit.tracking.localsessions import PROJECT, Session
from tests.unit.web.conftest import MakeClient

VERSION = f"{PROJECT}/data:v0"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Beside the journals of the machine of this test."""
    store = open_at(resolve().state_dir.parent / "store", project=PROJECT)
    store.create()
    (tmp_path / "a.txt").write_text("a")
    draft = Artifact("data", "dataset")
    draft.add_dir(tmp_path)
    store.log_artifact(draft)
    return store


@pytest.fixture
def client(store: Store, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    # Each question walks anew.
    monkeypatch.setattr(found_module, "_FRESH_SECONDS", 0)
    return make_client(open_site(store))


@pytest.fixture
def session(store: Store) -> Any:
    made = Session(resolve().state_dir.parent, "r1", state=resolve().state_dir)
    used = {"artifact": VERSION.partition(":")[0], "version": 0, "through": "use_artifact"}
    edge = {**used, "as": None, "alias": "latest", "time": clock.format_time(clock.now_seconds())}
    made.recorder.add_change(
        {"name": "fresh", "job_type": "train", "summary": {"loss": 0.5}, "used": [edge]}
    )
    made.recorder.flush()
    yield made
    made.recorder.close()


def graph(client: TestClient, node: str) -> Any:
    answer = client.get("/api/v1/lineage", params={"node": node})
    assert answer.status_code == 200, answer.text
    return answer.json()


def run_of(told: Any) -> tuple[Any, Any]:
    (node,) = [one for one in told["nodes"] if one["kind"] == "run"]
    (tile,) = [one for one in told["tiles"] if one["tile"] == node["tile"]]
    return node, tile


def test_a_run_that_the_store_has_not_heard_of_stands_where_it_belongs(
    client: TestClient, session: Session
) -> None:
    for asked in (VERSION, f"run:{PROJECT}/r1"):
        told = graph(client, asked)
        node, tile = run_of(told)
        assert (node["title"], node["is_stored"]) == ("fresh", False)
        assert tile["detail"] == "train, running, only here"
        assert [edge["kinds"] for edge in told["edges"]] == [{"used": 1}]
        (version,) = [one for one in told["nodes"] if one["kind"] == "version"]
        assert version["is_stored"]
    card = client.get("/api/v1/lineage/card", params={"node": VERSION, "tile": tile["tile"]}).json()
    assert card["metrics"] == [["loss", "0.5"]]
    assert "the store has not heard of it" in card["message"]
    # Its own page leads there.
    assert client.get(f"/lineage?node=run:{PROJECT}/r1").status_code == 200


def test_a_run_that_is_stored_has_each_edge_once_and_is_as_its_journal_tells(
    client: TestClient, session: Session
) -> None:
    session.store()
    session.recorder.add_change({"name": "renamed"})
    session.recorder.flush()
    told = graph(client, VERSION)
    node, tile = run_of(told)
    assert (node["title"], node["is_stored"]) == ("renamed", True)
    assert tile["detail"] == "train, running"
    assert [edge["count"] for edge in told["edges"]] == [1]
    session.die()
    assert run_of(graph(client, VERSION))[0]["state"] == "crashed"
    session.finish()
    told = graph(client, VERSION)
    assert run_of(told)[0]["is_stored"]
    assert [edge["count"] for edge in told["edges"]] == [1]

"""`art lineage`, `art why`, `art stale`, and the walks of `Store`, over runs that really ran."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import artstore
from tests.cli.conftest import Art

TRAIN = """
import sys, artstore as art
with art.init(project="demo", id="train", job_type="train", settings={"console": "off"}) as run:
    data = run.use_artifact("digits:latest")
    draft = art.Artifact("model", type="model")
    draft.add_file("weights.bin")
    run.log_artifact(draft, aliases=["best"])
with art.init(project="demo", id="check", settings={"console": "off"}) as run:
    run.use_artifact("model:best")
    linked = art.Artifact("report", type="report")
    linked.add_reference("art://demo/model:v0/weights.bin", name="weights.bin")
    run.log_artifact(linked)
"""


@pytest.fixture
def trained(art: Art, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Art:
    """digits:v0 -> run train -> model:v0 -> run check -> report:v0, which links to the model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTSTORE_URL", str(home / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "demo")
    monkeypatch.setenv("ARTSTORE_SILENT", "1")
    Path("data").mkdir()
    Path("data/a.txt").write_text("one")
    Path("weights.bin").write_bytes(b"weights")
    art("push", "data", "digits")
    subprocess.run([sys.executable, "-c", TRAIN], check=True, timeout=60)
    return art


def test_the_graph_goes_from_data_to_what_was_made_of_it(trained: Art) -> None:
    found = trained("lineage", "digits", "--down", "--json").json
    assert {node["id"] for node in found["nodes"]} == {
        "demo/digits:v0",
        "demo/train",
        "demo/model:v0",
        "demo/check",
        "demo/report:v0",
    }
    kinds = {(edge["kind"], edge["from"], edge["to"]) for edge in found["edges"]}
    assert ("depends", "demo/model:v0", "demo/report:v0") in kinds
    assert ("used", "demo/digits:v0", "demo/train") in kinds
    up = trained("lineage", "report", "--up", "--json").json
    assert {node["id"] for node in up["nodes"]} == {node["id"] for node in found["nodes"]}
    of_run = trained("lineage", "run:train", "--depth", "1", "--json").json
    assert {node["id"] for node in of_run["nodes"]} == {
        "demo/digits:v0",
        "demo/train",
        "demo/model:v0",
    }


def test_the_graph_is_told_in_every_format(trained: Art) -> None:
    assert "logged by demo/train" in trained("lineage", "model", "--up").out
    assert trained("lineage", "model", "--dot").out.startswith("digraph")
    assert trained("lineage", "model", "--mermaid").out.startswith("flowchart")
    events = trained("lineage", "model", "--openlineage").out.splitlines()
    assert {json.loads(event)["eventType"] for event in events} == {"COMPLETE"}
    trained("lineage", "model", "--dot", "--mermaid", status=2)


def test_why_understands_how_a_path_is_said_and_tells_what_is_near(trained: Art) -> None:
    for name in ("train/labels.csv", "train/sub/b.txt", "test/labels.csv"):
        Path("tree", name).parent.mkdir(parents=True, exist_ok=True)
        Path("tree", name).write_text(name)
    draft = artstore.Artifact("tree", type="dataset")
    draft.add_dir("tree")
    draft.add(artstore.Table(columns=["x"], data=[[1]]), "rows")
    artstore.log_artifact(draft)
    for said, path in (
        ("./train//labels.csv", "train/labels.csv"),
        ("rows", "rows.parquet"),
        ("rows.table.json", "rows.parquet"),
    ):
        assert trained("why", "tree", said, "--json").json["path"] == path
    trained("pull", "tree", "out")
    assert trained("why", "tree", "out/train/sub/b.txt", "--json").json["path"] == "train/sub/b.txt"
    for said, told in (
        ("train/", "'train/' is a directory of demo/tree:v0, and no entry"),
        ("train/", "name an entry of it: train/labels.csv, train/sub/b.txt"),
        ("labels.csv", "near it is test/labels.csv, train/labels.csv;"),
        ("rows.parquet/3", "near it is rows.parquet;"),
        ("train/label.csv", "near it is train/labels.csv"),
        ("out/train/nothing", "demo/tree:v0 has no entry 'out/train/nothing'"),
    ):
        assert told in trained("why", "tree", said, status=4).err


def test_why_tells_the_run_and_its_inputs(trained: Art) -> None:
    told = trained("why", "report", "weights.bin").out
    assert "demo/train" in told
    assert "demo/digits:v0" in told
    trained("why", "report", "nothing", status=4)


def test_what_was_made_of_older_data_is_stale(trained: Art) -> None:
    assert trained("stale", "--fail", "--json").json["versions"] == []
    assert trained("stale").out == "none of 3 versions is stale\n"
    Path("data/a.txt").write_text("two")
    trained("push", "data", "digits")
    stale = trained("stale", "--json").json["versions"]
    assert {one["version"]["id"] for one in stale} == {"demo/model:v0", "demo/report:v0"}
    trained("stale", "--fail", status=3)
    trained("stale", "digits", "--fail")


def test_versions_know_their_runs(trained: Art, home: Path) -> None:
    store = artstore.open_store(str(home / "store"), project="demo")
    model = store.artifact("model")
    assert model.made_by == "demo/train"
    assert store.artifact("digits").made_by is None
    report = store.artifact("report")
    assert [(one.name, one.version) for one in report.inputs] == [("model", 0)]
    assert store.run("train").whole["used"][0]["alias"] == "latest"
    used = store.run("check").whole["used"]
    assert [(one["artifact"], one["version"]) for one in used] == [("demo/model", 0)]


def test_a_run_that_is_not_there_is_told_with_those_that_are_close(trained: Art) -> None:
    assert "did you mean train?" in trained("lineage", "run:trian", status=4).err

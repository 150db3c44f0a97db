"""`art.Api`: a store as scripts written for W&B read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import artstore as art
from artstore.errors import InvalidInputError, NotFoundError
from artstore.publicapi.api import Api
from artstore.publicapi.publicrun import PublicRun

QUIET = art.RunSettings(
    silent=True,
    console="off",
    save_git=False,
    save_packages=False,
    save_system=False,
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "digits")
    monkeypatch.chdir(tmp_path)


def train(run_id: str, lr: float, steps: int = 3, **given: object) -> None:
    config = {"lr": lr, "model": {"depth": 2}}
    with art.init(id=run_id, config=config, settings=QUIET, **given) as run:  # type: ignore[arg-type]
        for step in range(steps):
            run.log({"loss": lr / (step + 1), **({"val/acc": 0.5} if step == 1 else {})})


def draft(name: str, text: str, kind: str = "dataset") -> art.Artifact:
    made = art.Artifact(name, type=kind)
    with made.new_file("a.txt") as file:
        file.write(text)
    return made


def test_a_run_is_read_by_the_names_of_wandb() -> None:
    train("one", 0.1, name="first", tags=["cnn"], group="g", job_type="train", notes="n")
    run = Api().run("some-team/digits/one")
    assert (run.id, run.name, run.display_name, run.project) == ("one", "first", "first", "digits")
    assert (run.tags, run.group, run.job_type, run.notes) == (["cnn"], "g", "train", "n")
    assert (run.state, run.entity, run.path) == ("finished", "", ["", "digits", "one"])
    assert run.config["lr"] == 0.1
    assert run.summary["loss"] == pytest.approx(0.1 / 3)
    assert run.summary.get("val/acc") == 0.5
    assert run.lastHistoryStep == 2
    assert run.created_at <= run.heartbeat_at
    assert {"os", "host", "args", "python"} <= set(run.metadata)
    assert Api().run("one").id == Api().run("digits/runs/one").id == "one"


def test_a_summary_tells_step_and_runtime_when_asked_and_does_not_write_them() -> None:
    train("one", 0.1)
    run = Api().run("one")
    assert run.summary["_step"] == run.summary.get("_step") == 2
    assert run.summary["_runtime"] >= 0
    assert run.summary.get("_timestamp", 0) > 0
    assert run.summary.get("nothing", 5) == 5
    assert run.summary.get("nothing") is None
    with pytest.raises(KeyError):
        run.summary["nothing"]
    assert set(run.summary._json_dict) == set(run.summary) == {"loss", "val/acc"}
    run.summary.update({"new": 1})
    assert set(Api().run("one").summary) == {"loss", "val/acc", "new"}


def test_older_names_of_the_public_api_are_there() -> None:
    train("one", 0.1, name="first", notes="n", job_type="train")
    runs = Api().runs("digits")
    assert runs.length == len(runs) == 1
    run = runs[0]
    assert (run.displayName, run.description, run.jobType) == ("first", "n", "train")
    assert (run.createdAt, run.heartbeatAt) == (run.created_at, run.heartbeat_at)
    assert json.loads(run.json_config)["lr"] == {"value": 0.1}
    assert run.host == run.metadata["host"]
    assert run.commit is None or len(run.commit) >= 40
    assert run.sweep is None


def test_history_is_sampled_evenly_and_has_the_last_row() -> None:
    train("one", 1.0, steps=50)
    run = Api().run("one")
    frame = run.history(samples=10)
    assert len(frame) == 10
    assert list(frame["_step"])[-1] == 49
    assert len(run.history()) == 50
    rows = run.history(keys=["val/acc"], pandas=False)
    assert rows == [{"_step": 1, "val/acc": 0.5}]
    assert run.history(stream="system", pandas=False) == []
    assert run.history(stream="events", pandas=False) == []
    with pytest.raises(InvalidInputError, match="stream"):
        run.history(stream="metrics")


def test_scan_history_gives_every_row_between_two_steps() -> None:
    train("one", 1.0, steps=5)
    run = Api().run("one")
    assert [row["_step"] for row in run.scan_history()] == [0, 1, 2, 3, 4]
    assert [row["val/acc"] for row in run.scan_history()] == [None, 0.5, None, None, None]
    assert list(run.scan_history(keys=["loss"], min_step=1, max_step=3)) == [
        {"loss": 0.5},
        {"loss": pytest.approx(1 / 3)},
    ]
    assert list(run.scan_history(keys=["loss", "val/acc"])) == [{"loss": 0.5, "val/acc": 0.5}]


def test_runs_are_filtered_in_mongo_and_ordered_by_a_metric() -> None:
    for number, lr in enumerate((0.3, 0.1, 0.2)):
        train(f"run-{number}", lr, tags=["even"] if number % 2 == 0 else ["odd"])
    api = Api()
    assert len(api.runs("team/digits")) == 3
    low = api.runs("digits", filters={"config.lr": {"$lt": 0.25}})
    assert {run.id for run in low} == {"run-1", "run-2"}
    by_loss = api.runs(order="-summary_metrics.loss")
    assert [run.id for run in by_loss] == ["run-0", "run-2", "run-1"]
    assert [run.id for run in by_loss[:2]] == ["run-0", "run-2"]
    assert by_loss[-1].id == "run-1"
    named = api.runs(filters={"$and": [{"name": "run-1"}, {"state": "finished"}]})
    assert [run.id for run in named] == ["run-1"]
    assert [run.id for run in api.runs(filters={"tags": "odd"})] == ["run-1"]


def test_what_is_set_on_a_run_is_written_by_update() -> None:
    train("one", 0.1)
    run = Api().run("one")
    run.name = "better"
    run.tags.append("kept")
    run.config["seed"] = 7
    del run.config["model"]
    run.summary["acc"] = 0.9
    run.update()
    again = Api().run("one")
    assert (again.name, again.tags, again.config) == ("better", ["kept"], {"lr": 0.1, "seed": 7})
    assert again.summary["acc"] == 0.9
    again.summary.update({"f1": 0.8})
    assert Api().run("one").summary["f1"] == 0.8
    again.delete()
    assert len(Api().runs()) == 0


def test_versions_know_the_runs_that_made_and_used_them() -> None:
    with art.init(id="maker", settings=QUIET) as run:
        run.log_artifact(draft("data", "one"))
    with art.init(id="user-1", settings=QUIET) as run:
        run.use_artifact("data:latest")
    with art.init(id="user-2", project="other", settings=QUIET) as run:
        run.use_artifact("digits/data:v0")
    version = art.use_artifact("data:v0")
    made_by = version.logged_by()
    assert isinstance(made_by, PublicRun)
    assert made_by.id == "maker"
    assert {run.id for run in version.used_by()} == {"user-1", "user-2"}
    assert [one.qualified_name for one in made_by.logged_artifacts()] == ["digits/data:v0"]
    (used,) = Api().run("user-1").used_artifacts()
    assert used.qualified_name == "digits/data:v0"
    assert art.open_store().log_artifact(draft("plain", "x")).logged_by() is None


def test_a_run_can_be_told_of_versions_afterwards() -> None:
    train("one", 0.1)
    version = art.open_store().log_artifact(draft("data", "one"))
    run = Api().run("one")
    run.use_artifact(version)
    made = run.log_artifact(draft("model", "weights", "model"), aliases=["best"])
    assert [one.id for one in version.used_by()] == ["one"]
    found = Api().artifact("model:best").logged_by()
    assert found is not None
    assert (found.id, made.version) == ("one", "v0")


def test_files_of_a_run_are_those_of_its_collection(tmp_path: Path) -> None:
    train("one", 0.1)
    run = Api().run("one")
    assert len(run.files()) == 0
    with pytest.raises(NotFoundError):
        run.file("a.txt")
    saved = art.Artifact("run-one-files", type="run_files")
    with saved.new_file("sub/a.txt") as file:
        file.write("saved")
    art.open_store().log_artifact(saved)
    assert [(file.name, file.size) for file in run.files()] == [("sub/a.txt", 5)]
    with run.file("sub/a.txt").download(tmp_path / "out") as opened:
        assert opened.read() == "saved"
    with pytest.raises(art.AlreadyExistsError):
        run.file("sub/a.txt").download(tmp_path / "out")
    run.file("sub/a.txt").download(tmp_path / "out", replace=True).close()


def test_artifacts_types_and_collections_are_listed() -> None:
    store = art.open_store()
    for text in ("one", "two"):
        store.log_artifact(draft("data", text), tags=["t"] if text == "two" else None)
    store.log_artifact(draft("net", "weights", "model"))
    api = Api()
    assert [one.version for one in api.artifacts("dataset", "team/digits/data")] == ["v1", "v0"]
    assert [one.version for one in api.artifacts(name="data", order="+created_at")] == ["v0", "v1"]
    assert [one.version for one in api.artifacts("dataset", "data", tags="t")] == ["v1"]
    assert [one.name for one in api.artifact_types("digits")] == ["dataset", "model"]
    assert [one.name for one in api.artifact_collections("digits", "model")] == ["net"]
    collection = api.artifact_collection("dataset", "digits/data")
    assert (collection.type, collection.project, len(collection.versions())) == (
        "dataset",
        "digits",
        2,
    )
    assert collection.created_at <= collection.updated_at
    assert api.artifact_exists("data:v1", "dataset")
    assert not api.artifact_exists("data:v1", "model")
    assert not api.artifact_exists("data:v9")
    assert api.artifact_collection_exists("net")
    assert not api.artifact_collection_exists("nets")
    assert [one.name for one in api.projects()] == ["digits"]
    collection.delete()
    assert len(api.artifacts("dataset", "data")) == 0


def test_a_path_leads_to_a_run_a_version_or_a_project() -> None:
    train("one", 0.1)
    art.open_store().log_artifact(draft("data", "one"))
    api = Api()
    assert api.from_path("digits").name == "digits"
    assert api.from_path("team/digits/one").id == "one"
    assert api.from_path("digits/one").id == "one"
    assert api.from_path("team/digits/runs/one").id == "one"
    assert api.from_path("digits/data:v0").version == "v0"


def test_the_store_may_be_another_one(tmp_path: Path) -> None:
    art.open_store(str(tmp_path / "other"), project="p").log_artifact(draft("data", "one"))
    api = Api({"url": str(tmp_path / "other"), "project": "p", "entity": "team"}, timeout=9)
    assert api.artifact("data:v0").version == "v0"
    assert (api.default_entity, api.viewer) == (None, None)


@pytest.mark.parametrize("name", ["sweep", "reports", "create_run", "registries"])
def test_a_name_that_is_not_offered_says_what_to_use_instead(name: str) -> None:
    with pytest.raises(AttributeError, match=f"Api has no '{name}': .+"):
        getattr(Api(), name)

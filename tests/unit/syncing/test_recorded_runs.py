"""Runs as `art.init` records them: rows, pictures, tables, files, what was used and made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import artstore as art
from artstore.publicapi.api import Api
from tests.trees import problems_of
from tests.unit.syncing.runs import edges

QUIET = art.RunSettings(
    silent=True, console="off", save_git=False, save_packages=False, save_system=False
)


def text_draft(name: str, text: str, kind: str) -> art.Artifact:
    draft = art.Artifact(name, type=kind)
    with draft.new_file("a.txt") as file:
        file.write(text)
    return draft


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "here"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "digits")
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "here"), str(tmp_path / "there")


def test_what_a_run_recorded_is_read_the_same_in_the_target(urls: tuple[str, str]) -> None:
    art.open_store().log_artifact(text_draft("ds", "data", "dataset"))
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    with art.init(id="one", config={"lr": 0.1}, settings=QUIET) as run:
        run.use_artifact("ds:latest")
        for step in range(20):
            run.log({"loss": 1 / (step + 1)})
        run.log({"picture": art.Image(pixels), "rows": art.Table(columns=["a"], data=[[1], [2]])})
        Path("notes.txt").write_text("saved")
        run.save("notes.txt")
        run.log_artifact(text_draft("model", "weights", "model"))
    here, there = (art.open_store(url, project="digits") for url in urls)
    report = art.sync(here, there)
    assert report.problems == ()
    kept = {(one.project, one.name) for one in report.versions}
    assert {("digits", "ds"), ("digits", "model"), ("digits", "run-one-rows")} <= kept
    one, other = here.run("one"), there.run("one")
    assert other.history_table().equals(one.history_table())
    assert (other.config, other.summary) == (one.config, one.summary)
    picture = one.summary["picture"]["path"]
    assert other.media(picture) == one.media(picture)
    assert edges(there, "model") == edges(here, "model")
    assert there.artifact("run-one-rows").get("rows").row_count == 2
    assert problems_of(there) == []
    again = art.sync(here, there)
    assert (again.new_versions, again.new_runs, again.stored_bytes) == ((), (), 0)


def test_the_api_reads_a_brought_run(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    art.open_store().log_artifact(text_draft("ds", "data", "dataset"))
    with art.init(id="one", settings=QUIET) as run:
        run.use_artifact("ds:latest")
        Path("notes.txt").write_text("saved")
        run.save("notes.txt")
        run.log_artifact(text_draft("model", "weights", "model"))
    art.sync(*urls)
    monkeypatch.setenv("ARTSTORE_URL", urls[1])
    found = Api().run("digits/one")
    assert [one.name for one in found.used_artifacts()] == ["ds:v0"]
    assert "model:v0" in [one.name for one in found.logged_artifacts()]
    assert "notes.txt" in [file.name for file in found.files()]
    assert found.state == "finished"


def test_a_resumed_run_has_all_its_sessions_in_the_target(urls: tuple[str, str]) -> None:
    with art.init(id="one", settings=QUIET) as run:
        run.log({"x": 1})
    with art.init(id="one", resume="must", settings=QUIET) as run:
        run.log({"x": 2})
    assert art.sync(*urls).problems == ()
    there = art.open_store(urls[1], project="digits")
    assert there.run("one").history_table().num_rows == 2
    assert len(there.run("one").whole["sessions"]) == 2

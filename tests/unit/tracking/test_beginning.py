"""How runs begin: at which step, with a journal where, and by which arguments and settings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import artstore as art
from artstore.api import Store
from artstore.errors import StorageError
from artstore.settings import resolve
from artstore.tracking.executing import Execution, execute
from artstore.tracking.joining import next_joined_step, note_next_step
from artstore.tracking.statehome import state_home

QUIET = {
    "silent": True,
    "save_git": False,
    "save_packages": False,
    "save_system": False,
    "save_environment": False,
    "console": "off",
    "store_seconds": 3600,
}
SOURCE = Path(__file__).resolve().parents[3] / "src"
FOLDS = """
import artstore as art
for fold in range(2):
    run = art.init()
    assert (run.step, run.starting_step) == (0, 0)
    for step in range(3):
        run.log({"loss": 10 * fold + step}, **GIVEN)
    run.finish()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine of its own, and its working directory."""
    for name in ("DATA", "CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "p")
    monkeypatch.setenv("ARTSTORE_SILENT", "1")
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    # What `execute` sets and takes away in this process.
    for name in ("ARTSTORE_EXEC", "ARTSTORE_RUN_ID", "ARTSTORE_RESUME"):
        monkeypatch.delenv(name, raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield here
    while art.run is not None:
        art.run.finish()


def begin(**given: Any) -> art.Run:
    return art.init(settings={**QUIET, **given.pop("settings", {})}, **given)


def rows_of(run_id: str) -> list[dict[str, Any]]:
    rows = Store(resolve()).run(run_id).rows()
    return [{key: row[key] for key in row if key != "_timestamp"} for row in rows]


# --- steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["{}", "{'step': step}"])
def test_runs_that_one_command_begins_one_after_the_other_hide_no_rows(
    place: Path, given: str
) -> None:
    (place / "folds.py").write_text(FOLDS.replace("GIVEN", given))
    run, code = execute(Execution([sys.executable, "folds.py"]))
    assert code == 0
    assert [(row["_step"], row["loss"]) for row in rows_of(run.id)] == [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 10),
        (4, 11),
        (5, 12),
    ]


def test_a_session_that_joins_begins_behind_the_longest_that_has_ended(tmp_path: Path) -> None:
    assert next_joined_step(tmp_path) == 0
    for session, step in (("a", 3), ("b", 7), ("c", 5)):
        note_next_step(tmp_path, session, step)
    (tmp_path / "step-d").write_text("what is this")
    assert next_joined_step(tmp_path) == 7
    note_next_step(tmp_path / "gone", "e", 9)


def test_a_second_run_beside_one_that_joined_is_a_run_of_its_own(place: Path) -> None:
    (place / "two.py").write_text(
        "import artstore as art\n"
        "one = art.init()\n"
        "two = art.init(id='two', reinit='create_new', project='q')\n"
        "three = art.init(reinit='create_new')\n"
        "assert len({one.id, two.id, three.id}) == 3 and two.project == 'q'\n"
        "open('one', 'w').write(one.id)\n"
    )
    run, code = execute(Execution([sys.executable, "two.py"]))
    assert (code, run.id) == (0, (place / "one").read_text())
    assert Store(resolve()).run("q/two").state == "finished"


def test_a_shared_run_goes_on_behind_its_last_step_if_it_is_resumed() -> None:
    for first in (0, 2):
        with begin(id="job", mode="shared", resume="allow") as run:
            assert (run.step, run.resumed) == (first, first > 0)
            run.log({"loss": first})
            run.log({"loss": first + 1})
    assert [row["loss"] for row in rows_of("job")] == [0, 1, 2, 3]


def test_a_process_that_joins_a_shared_run_begins_at_the_step_of_the_others() -> None:
    first = begin(id="job", mode="shared", settings={"store_seconds": 0.01})
    first.log({"a": 0})
    first.log({"a": 1})
    settings = {"is_primary": False}
    with begin(id="job", mode="shared", reinit="create_new", settings=settings) as second:
        assert second.step == 0
        second.log({"b": 0})
    first.finish()
    assert rows_of("job") == [{"_step": 0, "a": 0, "b": 0}, {"_step": 1, "a": 1}]


# --- where the journal lies -------------------------------------------------------------------


def read_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may write anywhere: what the system would say is said for it."""
    path.mkdir()
    allowed = os.access

    def access(asked: Any, mode: int, **given: Any) -> bool:
        return Path(asked) != path and allowed(asked, mode, **given)

    monkeypatch.setattr(os, "access", access)


def test_a_run_without_a_home_that_can_be_written_keeps_its_journal_among_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read_only(tmp_path / "STATE", monkeypatch)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.delenv("ARTSTORE_SILENT")
    with begin(id="a", settings={"silent": False}) as run:
        assert run.dir.startswith(f"{temporary}/artstore-{os.getuid()}/journals/a-")
        run.log({"loss": 1})
    said = capfd.readouterr().err
    assert f"{tmp_path / 'STATE' / 'artstore'} cannot be written" in said
    assert rows_of("a") == [{"_step": 0, "loss": 1}]
    assert (temporary / f"artstore-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_a_directory_of_somebody_else_among_temporary_files_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only(tmp_path / "STATE", monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / f"artstore-{os.getuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    assert state_home(tmp_path / "STATE") == tmp_path / "STATE"
    theirs.rmdir()
    theirs.symlink_to(tmp_path / "here")
    assert state_home(tmp_path / "STATE") == tmp_path / "STATE"


def test_a_program_that_changes_its_directory_keeps_the_one_of_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    with begin(id="a", dir="logs") as run:
        assert run.dir.startswith(str(place / "logs" / "journals"))
        monkeypatch.chdir(tmp_path)
        run.log({"loss": 1})
        Path(run.dir, "note").write_text("1")
    assert rows_of("a") == [{"_step": 0, "loss": 1}]
    assert Store(resolve()).artifact("run-a-files").read("note") == b"1"


def test_a_directory_that_cannot_be_one_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make the journal of a run") as caught:
        begin(dir=tmp_path / "file")
    assert caught.value.code in ("storage-failed", "storage-denied")
    assert art.run is None


# --- settings ---------------------------------------------------------------------------------


def test_settings_by_the_names_of_wandb_stand_for_arguments_and_arguments_count_more() -> None:
    settings = art.Settings(
        **QUIET,
        run_id="a",
        run_name="from settings",
        run_group="g",
        run_tags=["t", "s"],
        run_job_type="train",
        run_notes="n",
        project="q",
        start_method="thread",
    )
    with art.init(name="from the call", settings=settings) as run:
        assert (run.path, run.name, run.group, run.job_type, run.notes) == (
            "q/a",
            "from the call",
            "g",
            "train",
            "n",
        )
        assert sorted(run.tags) == ["s", "t"]
    with art.init(settings=art.Settings(mode="disabled")) as run:
        assert run.disabled


def test_settings_that_mean_nothing_are_told_but_those_of_servers_are_not(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ARTSTORE_SILENT")
    given = {**QUIET, "silent": False, "init_timeout": 300, "start_method": "fork"}
    art.init(settings=art.Settings(**given)).finish()
    assert "mean nothing" not in capfd.readouterr().err
    art.init(settings=art.Settings(**given, summary_warnings=5)).finish()
    assert "settings that mean nothing here: summary_warnings" in capfd.readouterr().err


def test_what_the_environment_says_of_a_run_counts_where_nobody_else_says_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in (("RUN_ID", "e"), ("NAME", "n"), ("TAGS", "a, b"), ("RUN_GROUP", "g")):
        monkeypatch.setenv(f"ARTSTORE_{name}", text)
    with begin(name="", tags=[]) as run:
        assert (run.id, run.name, run.tags, run.group) == ("e", "n", ("a", "b"), "g")
    with begin(id="f", name="given", tags="a, b") as run:
        assert (run.id, run.name, run.tags) == ("f", "given", ("a, b",))

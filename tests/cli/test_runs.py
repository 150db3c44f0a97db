"""`art runs` and `art run`: lists, one run, its rows, differences, labels, deletion, repair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import artstore
from artstore.catalog.runs.format import object_key
from artstore.catalog.runs.runlog import RunLog
from artstore.runs.history import write_segment
from artstore.runs.nonfinite import encoded
from tests.cli.conftest import SOURCE, Art
from tests.cli.test_json import check

SESSION = "0123456789abcdef"
NAN = float("nan")


def add_run(url: str, run_id: str, *, ended: bool = True, **changes: Any) -> None:
    """A run as the store would have it, with two rows and a line that it printed."""
    store = artstore.open_store(url, project="demo")
    store.create()
    storage = store._guarded_storage()
    rows = pa.table({"_step": [0, 1, 2], "_timestamp": [1.0, 2.0, 3.0], "loss": [1.0, NAN, 0.25]})
    segments = {}
    for kind, name, data in (
        ("history", f"{SESSION}-000000.parquet", write_segment(rows)),
        ("console", f"{SESSION}-000000.txt", b"hello\nbye\n"),
    ):
        key = object_key("demo", run_id, kind, name)
        storage.create(key, data)
        told = {"key": key, "rows": 3, "bytes": len(data), "first_step": 0, "last_step": 2}
        segments[kind] = {SESSION: [told]}
    stored = {name: encoded(value) for name, value in changes.items()}
    fields: dict[str, Any] = {
        "session": SESSION,
        "is_primary": True,
        "started": "2026-01-01T00:00:00Z",
        "changes": {**stored, "segments": segments},
        "host": "lab",
        "user": "ada",
    }
    if ended:
        fields |= {"ended": "2026-01-01T00:01:30Z", "state": "finished", "exit_code": 0}
    else:
        fields |= {"next_by": "2999-01-01T00:00:00Z"}
    RunLog(storage, "demo", run_id, "ada@lab").append(
        lambda _: ("end" if ended else "start", fields)
    )


@pytest.fixture
def runs(art: Art, home: Path, monkeypatch: pytest.MonkeyPatch) -> Art:
    url = str(home / "store")
    monkeypatch.setenv("ARTSTORE_URL", url)
    monkeypatch.setenv("ARTSTORE_PROJECT", "demo")
    used = {"artifact": "demo/digits", "version": 3, "as": "best", "time": "2026-01-01T00:00:01Z"}
    made = {"artifact": "demo/cnn", "version": 4, "type": "model", "is_new": True}
    add_run(
        url,
        "aa11",
        name="first try",
        tags=["cnn"],
        config={"lr": 0.1, "optim": {"name": "adam"}, "seed": 7},
        summary={"acc": 0.5, "val/acc": NAN},
        used=[used],
        logged=[made],
        alerts=[{"title": "Low", "text": "acc", "level": "WARN", "time": "2026-01-01T00:00:02Z"}],
        environment={
            "argv": ["python", "train.py"],
            "git": {"commit": "a" * 40, "branch": "main", "dirty": True},
        },
    )
    add_run(
        url,
        "ab22",
        name="second",
        config={"lr": 0.2, "optim": {"name": "adam"}, "seed": 7},
        summary={"acc": 0.75},
    )
    add_run(url, "cc33", ended=False, name="second")
    return art


def ids(art: Art, *options: str) -> list[str]:
    return [run["id"] for run in art("runs", *options, "--json").json["runs"]]


def test_runs_are_listed_with_state_and_duration(runs: Art) -> None:
    lines = runs("runs").out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "STATE", "CREATED", "DURATION", "TAGS", "USER"]
    (first,) = [line for line in lines if line.startswith("aa11")]
    assert "first try" in first
    assert "finished" in first
    assert "1 min 30 s" in first
    assert sorted(runs("runs", "-q").out.split()) == ["aa11", "ab22", "cc33"]


def test_conditions_choose_and_names_sort(runs: Art) -> None:
    assert ids(runs, "--where", "summary.acc > 0.6") == ["ab22"]
    assert ids(runs, "--where", "{tags: 'cnn'}") == ["aa11"]
    assert ids(runs, "--where", "acc > 0", "--where", "config.lr < 0.15") == ["aa11"]
    assert ids(runs, "--sort", "-summary.acc") == ["ab22", "aa11", "cc33"]
    assert ids(runs, "--sort", "summary.acc", "--limit", "1") == ["aa11"]
    assert ids(runs, "--where", "state = 'running'") == ["cc33"]


def test_columns_are_those_that_were_asked_for(runs: Art) -> None:
    ran = runs("runs", "--columns", "id,config.lr,summary", "--sort", "id", "--csv")
    assert ran.out.splitlines() == [
        'id,config.lr,summary.acc,"summary.""val/acc"""',
        "aa11,0.1,0.5,NaN",
        "ab22,0.2,0.75,",
        "cc33,,,",
    ]
    listed = runs("runs", "--columns", "name,config", "--sort", "id", "--json").json["runs"]
    assert listed[0]["columns"] == {
        "name": "first try",
        "config.lr": 0.1,
        "config.optim.name": "adam",
        "config.seed": 7,
    }
    assert listed[0]["summary"] == {"acc": 0.5, "val/acc": "NaN"}


def test_a_condition_that_is_none_is_refused_with_its_place(runs: Art) -> None:
    ran = runs("runs", "--where", "acx > 1", "--json", status=2)
    assert ran.error["code"] == "column-unknown"
    assert ran.error["hint"] == "did you mean acc?"
    assert runs("runs", "--csv", "--json", status=2).error["code"] == "usage-invalid"


def test_without_a_store_there_are_no_runs(art: Art) -> None:
    assert "no such runs" in art("runs", "--project", "demo").out
    assert art("runs", "--project", "demo", "--json").json == {"project": "demo", "runs": []}


def test_a_run_is_shown_with_all_that_is_known(runs: Art) -> None:
    out = runs("run", "show", "first try").out
    for text in (
        "demo/aa11  first try",
        "finished (exit code 0)",
        "ada@lab",
        "python train.py",
        f"{'a' * 40} (main) with changes that were not committed",
        "optim.name = adam",
        '"val/acc" = NaN',
        "demo/digits:v3 (as best)",
        "demo/cnn:v4",
        "WARN Low: acc",
    ):
        assert text in out


def test_a_run_is_found_by_what_it_is_called(runs: Art) -> None:
    for name in ("aa11", "aa", "first try", "demo/aa11", "demo/first try"):
        assert runs("run", "show", name, "--json").json["id"] == "aa11"
    ambiguous = runs("run", "show", "second", "--json", status=2).error
    assert ambiguous["code"] == "run-ambiguous"
    assert sorted(ambiguous["context"]["close"]) == ["ab22", "cc33"]
    assert runs("run", "show", "a", "--json", status=2).error["code"] == "run-ambiguous"
    missing = runs("run", "show", "frist try", "--json", status=4).error
    assert missing["code"] == "run-not-found"
    assert missing["hint"] == "did you mean aa11 (first try)?"


def test_history_comes_in_every_format(runs: Art, home: Path) -> None:
    assert "0.25" in runs("run", "history", "aa11").out
    wanted = "_step,_timestamp,loss\n0,1.0,1.0\n1,2.0,NaN\n2,3.0,0.25\n"
    assert runs("run", "history", "aa11", "--format", "csv").out == wanted
    value = runs("run", "history", "aa11", "--from", "1", "--to", "1", "--json").json
    assert value["row_count"] == 1
    assert value["rows"] == [{"_step": 1, "_timestamp": 2.0, "loss": "NaN"}]
    keyed = runs("run", "history", "aa11", "--keys", "nothing", "--json").json
    assert keyed["columns"] == ["_step", "_timestamp"]
    file = home / "work" / "rows.parquet"
    assert "3 rows written" in runs("run", "history", "aa11", "-o", file).out
    assert pq.read_table(file).num_rows == 3
    for ending, text in (("csv", wanted), ("json", '"rows": [')):
        beside = file.with_suffix(f".{ending}")
        runs("run", "history", "aa11", "-o", beside)
        assert text in beside.read_text("utf-8")
    assert json.loads(file.with_suffix(".json").read_text("utf-8"))["row_count"] == 3
    assert runs("run", "history", "aa11", "-o", "rows.xyz", status=2)


def test_log_prints_what_it_printed(runs: Art) -> None:
    assert runs("run", "log", "aa11").out == "hello\nbye\n"
    assert runs("run", "log", "aa11", "--follow").out == "hello\nbye\n"
    assert runs("run", "log", "aa11", "--json").json["text"] == "hello\nbye\n"


def test_compare_shows_what_differs(runs: Art) -> None:
    value = runs("run", "compare", "aa11", "ab22", "--json").json
    assert value["config"] == [{"key": "lr", "values": [0.1, 0.2], "same": False}]
    assert [one["key"] for one in value["summary"]] == ["acc", '"val/acc"']
    everything = runs("run", "compare", "aa11", "ab22", "--all", "--json").json
    assert [one["key"] for one in everything["config"]] == ["lr", "optim.name", "seed"]
    out = runs("run", "compare", "aa11", "ab22").out
    assert "config.lr" in out
    assert "seed" not in out
    assert "the same" in runs("run", "compare", "aa11", "aa11").out
    runs("run", "compare", "aa11", status=2)


def test_tags_are_given_and_taken(runs: Art) -> None:
    assert runs("run", "tag", "aa11", "good", "best", "--json").json["tags"] == [
        "best",
        "cnn",
        "good",
    ]
    assert "tags: good" in runs("run", "tag", "aa11", "cnn", "best", "--remove").out
    assert ids(runs, "--where", "'good' IN tags") == ["aa11"]


def test_deleted_runs_are_hidden_until_restored(runs: Art) -> None:
    runs("run", "rm", "aa11", "ab22")
    assert ids(runs) == ["cc33"]
    assert sorted(ids(runs, "--all")) == ["aa11", "ab22", "cc33"]
    assert runs("run", "show", "aa11", "--json").json["state"] == "deleted"
    runs("run", "restore", "aa11")
    assert sorted(ids(runs)) == ["aa11", "cc33"]


def test_a_run_that_goes_on_is_deleted_only_by_force(runs: Art) -> None:
    error = runs("run", "rm", "aa11", "cc33", "--json", status=7).error
    assert error["code"] == "run-active"
    assert "--force" in error["context"]["correction"]
    assert len(ids(runs)) == 3
    runs("run", "rm", "cc33", "--force")
    assert "cc33" not in ids(runs)


KILLED = """
import os, sys, time
import artstore
run = artstore.init(project="demo", id="dead", settings={"console": "off", "save_git": False,
    "save_packages": False, "save_system": False, "silent": True})
run.log({"loss": 1.0})
time.sleep(float(sys.argv[1]))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(runs: Art) -> Art:
    import os

    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    program = [sys.executable, "-c", KILLED, "1.5"]
    assert subprocess.run(program, env=environment, check=False).returncode == -9
    return runs


def test_a_run_that_was_killed_is_shown_as_crashed_at_once(killed: Art) -> None:
    listed = killed("runs", "--json").json["runs"]
    assert {run["id"]: run["state"] for run in listed}["dead"] == "crashed"
    assert killed("run", "history", "dead", "--json").json["row_count"] == 1


def test_repair_closes_what_dead_processes_left(killed: Art) -> None:
    planned = killed("run", "repair", "--dry-run", "--json").json
    assert [(run["id"], run["state"]) for run in planned["runs"]] == [("dead", None)]
    done = killed("run", "repair", "--json").json
    assert [(run["id"], run["state"]) for run in done["runs"]] == [("dead", "crashed")]
    assert "0 runs closed" in killed("run", "repair").out


def test_what_runs_keep_for_themselves_is_left_out_of_lists(runs: Art, home: Path) -> None:
    (home / "work" / "a.txt").write_text("a")
    runs("push", "a.txt", "plain")
    runs("push", "a.txt", "run-x-table", "--type", "run_table")
    names = [one["name"] for one in runs("ls", "--json").json["artifacts"]]
    assert names == ["plain"]
    assert "1 artifact of runs left out" in runs("ls").err
    assert len(runs("ls", "--all", "--json").json["artifacts"]) == 2


def test_every_command_prints_the_keys_of_the_reference(killed: Art) -> None:
    planned = killed("run", "repair", "--dry-run", "--json").json
    check("run repair", planned)
    check("run repair runs", planned["runs"][0])
    listed = killed("runs", "--json").json
    check("runs", listed)
    for run in listed["runs"]:
        check("runs runs", run)
    check("run show", killed("run", "show", "aa11", "--json").json)
    check("run history", killed("run", "history", "aa11", "--json").json)
    check("run history", killed("run", "history", "aa11", "--json", "-o", "rows.csv").json)
    check("run log", killed("run", "log", "aa11", "--json").json)
    compared = killed("run", "compare", "aa11", "ab22", "--json").json
    check("run compare", compared)
    check("run compare each", compared["config"][0])
    check("run tag", killed("run", "tag", "aa11", "x", "--json").json)
    check("run rm", killed("run", "rm", "aa11", "--json").json)
    check("run restore", killed("run", "restore", "aa11", "--json").json)


@pytest.mark.parametrize(
    "options",
    [("--where", "sumary.acc > 1"), ("--sort", "sumary.acc"), ("--columns", "sumary.acc")],
)
def test_an_error_in_a_condition_over_runs_points_at_the_character(
    runs: Art, options: tuple[str, str]
) -> None:
    err = runs("runs", *options, status=2).err
    assert "\\x0a" not in err
    assert [line.strip() for line in err.splitlines()[-2:]].count("^") == 1


def test_names_of_keys_are_made_fit_for_a_terminal(runs: Art, home: Path) -> None:
    add_run(str(home / "store"), "ee55", config={"\x1b[31m\u202ekey": 1})
    for arguments in (("runs", "--columns", "id,config"), ("run", "show", "ee55")):
        out = runs(*arguments).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "\\x1b[31m\\u202ekey" in out


def test_a_run_of_another_project_is_found_by_who_asks_for_it_here(
    runs: Art, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSTORE_PROJECT", "other")
    assert "did you mean demo/aa11?" in runs("run", "show", "aa11", status=4).err
    assert "did you mean demo/aa11?" in runs("run", "show", "first try", status=4).err

"""`art run exec`: a command becomes a run, in processes as a shell starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import artstore as art
from artstore.publicapi.publicrun import PublicRun

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "demo")
    monkeypatch.setenv("ARTSTORE_SILENT", "1")
    monkeypatch.chdir(tmp_path)


def only_run() -> PublicRun:
    (run,) = art.Api().runs("demo")
    return run


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_output_passes_through_and_is_kept_and_the_exit_code_is_that_of_the_command(
    start: Start,
) -> None:
    command = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    child = start("run", "exec", "--name", "n", "--tag", "t", "--config", "lr=0.1", "--", *command)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (3, b"out\n", b"err\n")
    run = only_run()
    assert (run.name, run.tags, run.config, run.state) == ("n", ["t"], {"lr": 0.1}, "failed")
    assert sorted(run.console().splitlines()) == ["err", "out"]
    assert run.metadata["args"][:2] == command[:2]


def test_options_of_the_command_are_its_own(start: Start) -> None:
    child = start("run", "exec", "echo", "--name", "x", "-q")
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, out) == (0, b"--name x -q\n")


def test_what_is_logged_is_stored_when_the_command_succeeds_and_not_otherwise(start: Start) -> None:
    write = "open('m.txt', 'w').write('weights'); raise SystemExit({})"
    child = start("run", "exec", "--log", "m.txt:net:model", "--", *python(write.format(1)))
    child.communicate(timeout=60)
    assert child.returncode == 1
    assert not art.Api().artifact_exists("net")
    child = start("run", "exec", "--log", "m.txt:net:model", "--", *python(write.format(0)))
    child.communicate(timeout=60)
    assert child.returncode == 0
    version = art.Api().artifact("net:v0", "model")
    made_by = version.logged_by()
    assert made_by is not None
    assert made_by.state == "finished"


def test_what_children_push_pull_use_and_log_is_noted_on_the_run(start: Start) -> None:
    store = art.open_store()
    for name in ("given", "used", "pulled"):
        draft = art.Artifact(name, type="dataset")
        with draft.new_file("a.txt") as file:
            file.write(name)
        store.log_artifact(draft)
    main = f"{sys.executable} -m artstore.cli.main"
    text = f"""
import os, artstore as art
art.use_artifact("used:latest")
open("m.txt", "w").write("x")
art.log_artifact("m.txt", "logged", "model")
assert os.system("{main} push m.txt pushed -q") == 0
assert os.system("{main} pull pulled out -q") == 0
"""
    child = start("run", "exec", "--use", "given:latest", "--", *python(text))
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    run = only_run()
    assert {one.collection.name for one in run.used_artifacts()} == {"given", "used", "pulled"}
    assert {one.collection.name for one in run.logged_artifacts()} == {"logged", "pushed"}
    through = {one["artifact"]: one["through"] for one in run.whole["used"]}
    assert through == {"demo/given": "exec", "demo/used": "use_artifact", "demo/pulled": "pull"}
    for name in ("logged", "pushed"):
        made_by = art.Api().artifact(f"{name}:v0").logged_by()
        assert made_by is not None
        assert made_by.id == run.id


def test_a_child_that_calls_init_joins_the_run_and_does_not_end_it(start: Start) -> None:
    text = """
import artstore as art
with art.init(project="elsewhere", config={"lr": 1}) as run:
    assert run.config["seed"] == 7
    assert not run.resumed
    run.log({"loss": 0.5})
    print(run.id)
print("after")
raise SystemExit(2)
"""
    child = start("run", "exec", "--config", "seed=7", "--", *python(text))
    out, err = child.communicate(timeout=60)
    assert child.returncode == 2, err
    run = only_run()
    assert out.decode().split() == [run.id, "after"]
    assert (run.state, run.config) == ("failed", {"seed": 7, "lr": 1})
    assert run.summary["loss"] == 0.5
    assert [row["loss"] for row in run.scan_history(["loss"])] == [0.5]
    assert [one["is_primary"] for one in run.whole["sessions"]] == [True, False]


def test_a_child_that_names_another_id_has_a_run_of_its_own(start: Start) -> None:
    text = "import artstore as art; art.init(id='mine').finish()"
    child = start("run", "exec", "--", *python(text))
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert len(art.Api().runs("demo")) == 2
    assert art.Api().run("mine").state == "finished"


@pytest.mark.parametrize(
    ("number", "state", "status"),
    [(signal.SIGTERM, "preempted", 143), (signal.SIGINT, "killed", 130)],
)
def test_signals_are_handed_on_and_say_how_the_run_ended(
    start: Start, number: int, state: str, status: int
) -> None:
    text = (
        "import signal; signal.signal(2, signal.SIG_DFL); print('up', flush=True); signal.pause()"
    )
    child = start("run", "exec", "--", *python(text), stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.send_signal(number)
    child.communicate(timeout=60)
    assert child.returncode == status
    assert only_run().state == state


def test_a_command_that_was_killed_is_a_run_that_was_killed(start: Start) -> None:
    child = start("run", "exec", "--", *python("import os; os.kill(os.getpid(), 9)"))
    child.communicate(timeout=60)
    assert child.returncode == 128 + 9
    assert only_run().state == "killed"


def test_a_command_that_is_not_there_begins_no_run(start: Start) -> None:
    child = start("run", "exec", "--", "no-such-command-here")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 2
    assert b"no-such-command-here" in err
    assert not os.path.exists("store")


def test_a_run_within_a_run_is_a_run_of_its_own(start: Start) -> None:
    inner = [sys.executable, "-m", "artstore.cli.main", "run", "exec", "--name", "inner", "--"]
    child = start("run", "exec", "--name", "outer", "--", *inner, *python("pass"))
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert {run.name for run in art.Api().runs("demo")} == {"outer", "inner"}


def test_a_value_that_is_none_is_told_with_its_own_option(start: Start) -> None:
    child = start("run", "exec", "--config", "lr", "--", "true")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 2
    assert b"write: --config key=value" in err

"""Many processes and threads with runs: sweeps, ranks, spawned and forked children."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.faults.runprocesses import Host, end_of, go_on, sessions, steps, wait_for
from tests.trees import noise

SILENT = {"ARTSTORE_SILENT": "1"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


# Processes that are forked by one which has imported everything: else imports take the time.
SWEEP = """
import artstore.storeconnection, artstore.runs.history, artstore.api, pyarrow.parquet
import artstore.tracking.starting, artstore.tracking.recording, artstore.tracking.repair
children = []
for number in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with init(group="sweep", config={"number": number}) as run:
                run.log({"x": number})
                run.log({"x": number + 1})
            status = 0
        finally:
            os._exit(status)
    children.append(pid)
failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
assert not failed, failed
"""


def check_sweep(host: Host, count: int) -> None:
    host.run(SWEEP, str(count), environ=SILENT)
    runs = host.store().runs()
    assert sorted(run.config["number"] for run in runs) == list(range(count))
    assert {run.state for run in runs} == {"finished"}
    for run in runs:
        number = run.config["number"]
        assert steps(run) == [(0, number), (1, number + 1)]
    assert host.journals() == []


def test_runs_of_a_sweep_begin_and_end_at_once_in_one_project(host: Host) -> None:
    check_sweep(host, 16)


@pytest.mark.nightly
@pytest.mark.parametrize("count", [50, 200])
def test_many_runs_of_a_sweep_begin_and_end_at_once(host: Host, count: int) -> None:
    check_sweep(host, count)


def test_sessions_of_many_processes_write_one_run(host: Host) -> None:
    program = SWEEP.replace(
        'init(group="sweep", config={"number": number})',
        'init(id="a", mode="shared", settings={"is_primary": number == 0})',
    ).replace('"x"', 'f"x{number}"')
    host.run(program, "16", environ=SILENT)
    run = host.stored("a")
    assert [state for state, _ in sessions(run)] == ["finished"] * 16
    assert [one["is_primary"] for one in run.whole["sessions"]].count(True) == 1
    for number in range(16):
        assert steps(run, f"x{number}") == [(0, number), (1, number + 1)]
    assert {run.summary[f"x{number}"] - number for number in range(16)} == {1}


@pytest.mark.parametrize("variable", ["RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"])
def test_ranks_above_0_keep_nothing(host: Host, variable: str) -> None:
    out, err = host.run(
        """
with init(config={"lr": 1}) as run:
    run.log({"x": 1})
    run.summary["y"] = 2
    Path("model").write_text("m")
    run.log_artifact("model", "model", "model")
    run.save("model")
    run.alert("title", "text")
    say(f"{run.config.lr} {run.step} {run.disabled} {run.url}")
""",
        environ={variable: "1"},
    )
    assert (out, err) == ("1 1 True None\n", "")
    assert not Path(host.url).exists()
    assert host.journals() == []


@pytest.mark.nightly
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_torchrun_makes_one_run(host: Host) -> None:
    import subprocess

    program = host.start("sys.exit()")
    end_of(program)
    script = host.directory / "training.py"
    script.write_text(
        """
import torch.distributed as dist
import artstore as art
dist.init_process_group("gloo")
with art.init(config={"lr": 1}) as run:
    run.log({"x": dist.get_rank()})
    dist.barrier()
""",
        "utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "4",
    ]
    subprocess.run(
        [*command, str(script)], cwd=host.directory, env=host.environ, check=True, timeout=120
    )
    (run,) = host.store().runs()
    assert steps(run) == [(0, 0)]
    assert run.state == "finished"


def test_a_spawned_child_that_imports_the_program_again_makes_no_run(host: Host) -> None:
    host.run(
        """
import multiprocessing
def work(x):
    return x + 1
run = init()
run.log({"x": 1})
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(work, [1, 2]) == [2, 3]
"""
    )
    (run,) = host.store().runs()
    assert steps(run) == [(0, 1)]
    assert len(list(sessions(run))) == 1


FORKING = """
import multiprocessing
import artstore.api
def work(way):
    run.log({"x": 100})
    run.log({"x": 101})
    run.summary["y"] = 100
    run.config["z"] = 1
    Path(f"made-{way}").write_text(way)
    art.log_artifact(f"made-{way}", f"made-{way}", "note")
    run.finish()
if __name__ == "__main__":
    run = init(id="a")
    run.log({"x": 1})
    pid = os.fork()
    if pid == 0:
        work("fork")
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    child = multiprocessing.get_context("fork").Process(target=work, args=("worker",))
    child.start(); child.join()
    assert child.exitcode == 0
    run.log({"x": 2})
    say(run.state)
"""


def test_forked_children_that_log_are_quiet_and_leave_the_run_alone(host: Host) -> None:
    out, err = host.run(FORKING)
    assert out == "running\n"
    assert err.count("was forked: what it logs is not part of run p/a") == 2
    run = host.stored("a")
    assert list(sessions(run)) == [("finished", 0)]
    assert steps(run) == [(0, 1), (1, 2)]
    assert run.summary == {"x": 2}
    assert {one["artifact"] for one in run.whole["logged"]} == {"p/made-fork", "p/made-worker"}
    assert host.store().artifact("made-fork").read("made-fork") == b"fork"


def test_a_forked_child_may_begin_a_run_of_its_own(host: Host) -> None:
    host.run(
        """
run = init(id="a")
run.log({"x": 1})
pid = os.fork()
if pid == 0:
    other = init(id="b")
    other.log({"x": 2})
    sys.exit(3)
assert os.waitpid(pid, 0)[1] >> 8 == 3
run.log({"x": 3})
"""
    )
    assert list(sessions(host.stored("a"))) == [("finished", 0)]
    assert steps(host.stored("a")) == [(0, 1), (1, 3)]
    assert list(sessions(host.stored("b"))) == [("failed", 3)]
    assert steps(host.stored("b")) == [(0, 2)]


def test_threads_that_log_at_once_lose_nothing(host: Host) -> None:
    host.run(
        """
with init(id="a") as run:
    def work(number):
        for x in range(200):
            run.log({f"x{number}": x})
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
    )
    run = host.stored("a")
    for number in range(8):
        assert [value for _, value in steps(run, f"x{number}")] == list(range(200))
    assert len(list(run.rows())) == 1600


DOWNLOADING = """
import json
from artstore.storage.meter import MeteredStorage
run = init(id="a", mode="shared") if sys.argv[1] == "shared" else init()
store = run._store()
store._storage = meter = MeteredStorage(store._storage)
say("ready")
sys.stdin.readline()
data = run.use_artifact("ds").download("out", link="copy")
say(json.dumps(meter.snapshot()["read"].size_bytes))
"""


def test_local_ranks_that_download_one_version_fetch_its_bytes_once(host: Host) -> None:
    source = host.directory / "source"
    source.mkdir()
    for i in range(4):
        (source / f"f{i}").write_bytes(noise(300_000, i))
    host.store().log_artifact(source, "ds", "dataset")
    ranks = [
        host.start(DOWNLOADING, "", environ={"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(8)
    ]
    for process in ranks:
        wait_for(process, "ready")
    for process in ranks:
        go_on(process)
    fetched = [json.loads(end_of(process)[0]) for process in ranks]
    assert sum(size > 1_200_000 for size in fetched) == 1, fetched
    assert sum(fetched) < 1_300_000, fetched
    (run,) = host.store().runs()
    assert [(one["artifact"], one["version"]) for one in run.whole["used"]] == [("p/ds", 0)]


def test_processes_make_one_version_together(host: Host) -> None:
    host.run(
        """
import artstore.api
def part(number):
    draft = art.Artifact("joint", "dataset")
    with draft.new_file(f"{number}/rows", "w") as file:
        file.write(str(number))
    return draft
children = []
for number in range(4):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with init(group="g") as run:
                run.upsert_artifact(part(number))
            status = 0
        finally:
            os._exit(status)
    children.append(pid)
assert not [pid for pid in children if os.waitpid(pid, 0)[1]]
with init(group="g") as run:
    run.finish_artifact(part(4))
""",
        environ=SILENT,
    )
    version = host.store().artifact("joint")
    found = {entry.path: version.read(entry.path) for entry in version.entries()}
    assert found == {f"{number}/rows": str(number).encode() for number in range(5)}
    assert version.version == "v0"
    assert len(host.store().runs()) == 5

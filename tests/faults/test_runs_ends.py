"""How runs end with their processes: each a program of its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.runprocesses import Host, end_of, sessions, steps, wait_for


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


@pytest.mark.parametrize(
    ("program", "status", "state", "code"),
    [
        ("run = init(id='a'); run.log({'x': 1})", 0, "finished", 0),
        ("run = init(id='a'); run.log({'x': 1}); raise RuntimeError('no')", 1, "failed", 1),
        ("with init(id='a') as run: run.log({'x': 1}); sys.exit(3)", 3, "failed", 3),
        ("with init(id='a') as run: run.log({'x': 1}); sys.exit()", 0, "finished", 0),
        ("run = init(id='a'); run.log({'x': 1}); sys.exit(3)", 3, "failed", 3),
        ("run = init(id='a'); run.log({'x': 1}); sys.exit('no')", 1, "failed", 1),
        ("run = init(id='a'); run.log({'x': 1}); raise KeyboardInterrupt", 1, "killed", 130),
        ("run = init(id='a'); run.log({'x': 1}); run.finish(); run.finish()", 0, "finished", 0),
        ("run = init(id='a'); run.log({'x': 1}); run.finish(7)", 0, "failed", 7),
    ],
)
def test_a_run_ends_as_its_process_does(
    host: Host, program: str, status: int, state: str, code: int
) -> None:
    process = host.start(program)
    process.communicate()
    # Python ends by the signal, or with 1 if anything was compiled after the interrupt.
    assert process.returncode in ((1, -signal.SIGINT) if state == "killed" else (status,))
    run = host.stored("a")
    assert list(sessions(run)) == [(state, code)]
    assert steps(run) == [(0, 1)]
    assert host.journals() == []


def test_a_process_that_leaves_at_once_is_a_crash(host: Host) -> None:
    host.run(
        "run = init(id='a'); run.log({'x': 1}); run._recording.recorder.flush(); os._exit(4)",
        status=4,
    )
    host.repair()
    run = host.stored("a")
    assert run.state == "crashed"
    assert steps(run) == [(0, 1)]


def test_threads_that_log_while_the_process_ends_do_not_disturb_it(host: Host) -> None:
    _, err = host.run(
        """
run = init(id="a", settings={"silent": True})
begun = threading.Event()
def go_on():
    while True:
        run.log({"x": 1})
        run.summary["y"] = 2
        begun.set()
threading.Thread(target=go_on, daemon=True).start()
begun.wait()
"""
    )
    assert err == ""
    assert host.stored("a").state == "finished"
    assert host.stored("a").summary["x"] == 1


def test_what_artstore_says_is_no_console_output_of_the_program(host: Host) -> None:
    for mode in ("wrap", "redirect"):
        _, err = host.run(
            f"""
with init(id="{mode}", settings={{"console": "{mode}"}}) as run:
    print("printed")
    print("said", file=sys.stderr)
    run.log({{"x": 1}}, step=5)
    run.log({{"x": 1}}, step=4)
"""
        )
        assert err.count("art: ") == 5, err
        assert f"art: to see it: art serve --store {host.url}, then /p/p/runs/{mode}\n" in err
        assert sorted(host.stored(mode).console().splitlines()) == ["printed", "said"]
    _, err = host.run("init()", environ={"ARTSTORE_SILENT": "1"})
    assert err == ""


SIGNALLED = """
if sys.argv[1] == "handler":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
run = init(resume="auto", settings={"store_seconds": 3600, "journal_seconds": 3600})
print(run.id, run.starting_step, flush=True)
if sys.argv[1] == "end":
    run.log({"x": 2})
    sys.exit()
for x in range(2):
    run.log({"x": x})
say("ready")
while True:
    time.sleep(60)
"""


def first_line(out: str) -> list[str]:
    return out.splitlines()[0].split()


@pytest.mark.parametrize(
    ("how", "status"), [("plain", -signal.SIGTERM), ("handler", 5)], ids=["default", "handler"]
)
def test_sigterm_stores_all_and_the_program_run_again_goes_on(
    host: Host, how: str, status: int
) -> None:
    process = host.start(SIGNALLED, how)
    assert process.stdout is not None
    run_id = process.stdout.readline().split()[0]
    wait_for(process, "ready")
    process.terminate()
    end_of(process, status)
    if host.stored(run_id).state == "running":
        # A disk that takes longer than the seconds there are leaves the rest to the journal.
        host.repair()
    run = host.stored(run_id)
    assert run.state == "preempted"
    assert steps(run) == [(0, 0), (1, 1)]
    out, _ = host.run(SIGNALLED, "end")
    assert first_line(out) == [run_id, "2"]
    run = host.stored(run_id)
    assert run.state == "finished"
    assert steps(run) == [(0, 0), (1, 1), (2, 2)]
    out, _ = host.run(SIGNALLED, "end")
    assert first_line(out)[0] != run_id, "it has ended well"


def test_a_job_that_is_requeued_on_another_machine_goes_on(tmp_path: Path) -> None:
    job = {"SLURM_JOB_ID": "77", "SLURM_PROCID": "0"}
    store = str(tmp_path / "store")
    first, second = Host(tmp_path / "first", store), Host(tmp_path / "second", store)
    second.directory = first.directory
    process = first.start(SIGNALLED, "plain", environ=job)
    wait_for(process, "ready")
    process.terminate()
    end_of(process, -signal.SIGTERM)
    out, _ = second.run(SIGNALLED, "end", environ=job)
    run_id, step = first_line(out)
    assert step == "2"
    run = second.stored(run_id)
    assert [state for state, _ in sessions(run)] == ["preempted", "finished"]
    # What the first machine brings later is older: it changes nothing.
    first.repair()
    run = second.stored(run_id)
    assert run.state == "finished"
    assert steps(run) == [(0, 0), (1, 1), (2, 2)]


def test_ctrl_c_once_kills_the_run_and_stores_it(host: Host) -> None:
    process = host.start(
        """
with init(id="a") as run:
    run.log({"x": 1})
    say("ready")
    while True:
        time.sleep(60)
"""
    )
    wait_for(process, "ready")
    process.send_signal(signal.SIGINT)
    end_of(process, -signal.SIGINT)
    assert list(sessions(host.stored("a"))) == [("killed", 130)]


NESTED = """
with init(id="a") as run:
    inner = init(config={"b": 1})
    say(str(inner is run))
    inner.log({"x": 1})
    inner.finish()
    with init() as third:
        third.log({"x": 2})
    run.log({"x": 3})
    art.finish()
    say(run.state)
try:
    run.log({"x": 4})
except art.StateError as error:
    say(error.code)
first = init(id="b")
second = init()
second.finish()
first.log({"x": 1})
first.finish()
say(first.state)
one = init(id="c")
two = init(id="d", reinit="create_new")
one.log({"x": 1}); two.log({"x": 2})
say(str(art.run is two))
two.finish()
say(str(art.run is one))
three = init(id="e", reinit=True)
say(one.state)
say(str(art.run is three))
"""


def test_init_within_a_run_gives_it_again_unless_told_otherwise(host: Host) -> None:
    out, _ = host.run(NESTED)
    assert out.split() == [
        *("True", "finished", "run-finished"),
        *("finished", "True", "True", "finished", "True"),
    ]
    assert steps(host.stored("a")) == [(0, 1), (1, 2), (2, 3)]
    assert host.stored("a").config == {"b": 1}
    assert steps(host.stored("b")) == [(0, 1)]
    assert steps(host.stored("c")) == [(0, 1)]
    assert steps(host.stored("d")) == [(0, 2)]
    assert host.stored("e").state == "finished"


def test_a_bare_init_within_a_block_does_not_keep_the_block_from_ending_the_run(
    host: Host,
) -> None:
    out, _ = host.run(
        """
with init(id="a") as run:
    init().log({"x": 1})
say(run.state)
outer = init(id="b")
with init() as inner:
    init()
say(outer.state)
outer.finish()
say(outer.state)
try:
    with init(id="c") as failed:
        init()
        1 / 0
except ZeroDivisionError:
    say(failed.state)
"""
    )
    assert out.split() == ["finished", "running", "finished", "failed"]


def test_a_bare_second_init_in_a_notebook_begins_another_run(host: Host) -> None:
    out, _ = host.run(
        """
import types
class ZMQInteractiveShell:
    pass
shell = ZMQInteractiveShell()
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
first = init(id="a")
second = init(id="b")
say(first.state)
with init(id="c") as third:
    say(second.state)
    say(str(init() is third))
"""
    )
    assert out.split() == ["finished", "finished", "True"]
    assert [host.stored(name).state for name in "abc"] == ["finished"] * 3

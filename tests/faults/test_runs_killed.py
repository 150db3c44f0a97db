"""`kill -9` of processes that write runs: at any moment, and at chosen ones within a step."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from artstore.errors import NotFoundError
from tests.faults.runprocesses import Host, end_of, go_on, sessions, steps, wait_for

KILLED = -signal.SIGKILL

LOGGING = """
run = init(id="a", settings={"journal_seconds": 0.05, "store_seconds": 3600})
for x in range(20):
    run.log({"x": x})
run._recording.recorder.flush()
say("logged")
sys.stdin.readline()
"""

GOING_ON = """
with init(id="a", resume="must") as run:
    assert run.resumed
    for x in range(3):
        run.log({"x": 100 + x})
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


def test_what_was_flushed_before_a_kill_is_brought_by_a_repair(host: Host) -> None:
    process = host.start(LOGGING)
    wait_for(process, "logged")
    assert host.repair() == [], "its process is alive"
    process.kill()
    end_of(process, KILLED)
    (repaired,) = host.repair()
    assert (repaired.path, repaired.state, repaired.error) == ("p/a", "crashed", None)
    run = host.stored("a")
    assert run.state == "crashed"
    assert steps(run) == [(x, x) for x in range(20)]
    assert host.journals() == []
    assert host.repair() == []


def test_a_killed_run_is_gone_on_with(host: Host) -> None:
    process = host.start(LOGGING)
    wait_for(process, "logged")
    process.kill()
    end_of(process, KILLED)
    host.run(GOING_ON)
    run = host.stored("a")
    assert run.state == "finished"
    assert list(sessions(run)) == [("crashed", None), ("finished", 0)]
    assert steps(run) == [*((x, x) for x in range(20)), *((20 + x, 100 + x) for x in range(3))]
    assert run.summary["x"] == 102


def test_the_next_run_repairs_what_another_left(host: Host) -> None:
    process = host.start(LOGGING)
    wait_for(process, "logged")
    process.kill()
    end_of(process, KILLED)
    host.run(
        """
with init(id="b") as run:
    for thread in threading.enumerate():
        if thread.name == "artstore-repair":
            thread.join()
"""
    )
    assert host.stored("a").state == "crashed"
    assert host.stored("b").state == "finished"


def test_a_run_that_another_process_writes_is_not_gone_on_with(host: Host) -> None:
    process = host.start(LOGGING)
    wait_for(process, "logged")
    out, _ = host.run(
        """
try:
    init(id="a", resume="must")
except art.StateError as error:
    say(error.code)
"""
    )
    assert out == "run-active\n"
    go_on(process)
    end_of(process)
    assert host.stored("a").state == "finished"


# A process that dies in the n-th create of its store, before or after it took effect.
DYING = """
from artstore.storage.local import LocalStorage
count = 0
create = LocalStorage.create
def dying(self, key, data):
    global count
    if "runs/" in key or "activity/" in key:
        count += 1
        if count == int(sys.argv[1]) and sys.argv[2] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
    create(self, key, data)
    if count == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
LocalStorage.create = dying
# Every step is made here, however long that takes.
from artstore.tracking import uploading
uploading._FIRST_SECONDS = 3600
run = init(id="a", settings={"store_seconds": 3600}, config={"lr": 1})
for part in range(3):
    for x in range(5):
        run.log({"x": 5 * part + x})
    run._recording.recorder.flush()
    say("ready")
    with run._recording._uploading._turn:
        run._recording._replayer.step(1)
say("alive")
run.finish()
"""


@pytest.mark.parametrize(
    ("n", "when"), [(n, "after") for n in range(1, 7)] + [(3, "before"), (4, "before")]
)
def test_a_step_that_is_cut_short_says_nothing_twice(host: Host, n: int, when: str) -> None:
    process = host.start(DYING, str(n), when)
    out, err = process.communicate()
    assert process.returncode in (KILLED, 0), err
    host.repair()
    assert host.journals() == []
    run = host.stored("a")
    # All of the journal, whether it died before the entry or before it noted that one is there.
    count = 5 * out.count("ready")
    assert count >= 5
    assert steps(run) == [(x, x) for x in range(count)]
    assert run.config == {"lr": 1}
    assert run.summary["x"] == count - 1
    assert run.state == ("finished" if process.returncode == 0 else "crashed")
    assert len(run.whole["sessions"]) == 1
    by_session = run.whole["segments"]["history"].values()
    assert sum(segment["rows"] for segments in by_session for segment in segments) == count


def test_files_that_a_killed_run_kept_are_stored_by_the_repair(host: Host) -> None:
    process = host.start(
        """
run = init(id="a")
Path(run.dir, "note").write_text("1")
Path("model").write_text("2")
run.save("model", policy="end")
os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    end_of(process, KILLED)
    (repaired,) = host.repair()
    assert (repaired.state, repaired.error) == ("crashed", None)
    version = host.store().artifact("run-a-files")
    assert {entry.path: version.read(entry.path) for entry in version.entries()} == {
        "note": b"1",
        "model": b"2",
    }
    (logged,) = host.stored("a").whole["logged"]
    assert logged["artifact"] == "p/run-a-files"
    assert host.journals() == []


def test_a_picture_that_a_power_loss_cut_off_is_not_stored_as_if_it_were_whole(host: Host) -> None:
    process = host.start(
        """
import numpy as np
from artstore.tracking import uploading
uploading._FIRST_SECONDS = 3600
run = init(id="a", settings={"store_seconds": 3600})
for value in (0, 255):
    run.log({"seen": art.Image(np.full((9, 9), value, np.uint8))})
run._recording.recorder.flush()
say("logged")
sys.stdin.readline()
"""
    )
    wait_for(process, "logged")
    process.kill()
    end_of(process, KILLED)
    (journal,) = host.journals()
    whole, cut = sorted((journal.parent / "media").iterdir())
    cut.write_bytes(cut.read_bytes()[:20])
    host.repair()
    stored = host.stored("a")
    assert stored.media(f"media/{whole.name}").startswith(b"\x89PNG")
    with pytest.raises(NotFoundError):
        stored.media(f"media/{cut.name}")
    assert stored.history_table(["seen"]).num_rows == 2


def test_what_is_too_large_for_an_entry_keeps_nothing_else_from_being_stored(host: Host) -> None:
    out, err = host.run(
        """
with init(id="a", config={"prompt": "p" * 700_000, "lr": 0.1}) as run:
    run.log({"loss": 0.5, "answer": "a" * 700_000})
"""
    )
    assert out == ""
    assert "config.prompt has 700,0" in err
    assert "summary.answer has 700,0" in err
    stored = host.stored("a")
    assert stored.state == "finished"
    assert stored.config["lr"] == 0.1
    assert "cut here" in stored.config["prompt"]
    assert stored.history_table(["answer"])["answer"].to_pylist() == ["a" * 700_000]

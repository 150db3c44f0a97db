"""A store that is away: when a run begins, while it goes on, when it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.runprocesses import Host, end_of, go_on, steps, wait_for


class Mount:
    """A directory that can be taken away, with the store in it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "mount"
        self.url = str(self.path / "store")
        self._away = directory / "unmounted"
        self.path.mkdir(parents=True)

    def take_away(self) -> None:
        self.path.rename(self._away)
        self.path.write_bytes(b"")

    def bring_back(self) -> None:
        self.path.unlink()
        self._away.rename(self.path)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path)


@pytest.fixture
def host(tmp_path: Path, mount: Mount) -> Host:
    return Host(tmp_path / "host", mount.url)


PROGRAM = """
run = init(
    id=sys.argv[1],
    settings={"store_seconds": 0.05, "journal_seconds": 0.05, "finish_seconds": float(sys.argv[2])},
)
for x in range(3):
    run.log({"x": x})
say("begun")
sys.stdin.readline()
for x in range(3, 6):
    run.log({"x": x})
say("logged")
sys.stdin.readline()
run.finish()
say("finished")
"""
LEFT = "the store does not have all of this run yet: "


def test_a_run_while_the_store_is_away_is_left_and_brought_later(host: Host, mount: Mount) -> None:
    host.run("with init(): pass")
    mount.take_away()
    process = host.start(PROGRAM, "a", "0.2")
    wait_for(process, "begun")
    go_on(process)
    wait_for(process, "logged")
    go_on(process)
    _, err = end_of(process)
    assert err.count(LEFT) == 1
    assert len(host.journals()) == 1
    (refused,) = host.repair()
    assert refused.error is not None
    assert len(host.journals()) == 1
    mount.bring_back()
    (repaired,) = host.repair()
    assert (repaired.state, repaired.error) == ("finished", None)
    run = host.stored("a")
    assert run.state == "finished"
    assert steps(run) == [(x, x) for x in range(6)]
    assert host.journals() == []


def test_a_store_that_is_away_for_a_while_is_brought_up_to_date(host: Host, mount: Mount) -> None:
    process = host.start(PROGRAM, "a", "60")
    wait_for(process, "begun")
    mount.take_away()
    go_on(process)
    wait_for(process, "logged")
    mount.bring_back()
    go_on(process)
    end_of(process)
    run = host.stored("a")
    assert run.state == "finished"
    assert steps(run) == [(x, x) for x in range(6)]
    assert host.journals() == []


def test_the_end_of_a_run_waits_for_the_store(host: Host, mount: Mount) -> None:
    process = host.start(PROGRAM, "a", "60")
    wait_for(process, "begun")
    go_on(process)
    wait_for(process, "logged")
    mount.take_away()
    go_on(process)
    assert process.stderr is not None
    for line in process.stderr:
        if "waiting for the store" in line:
            break
    mount.bring_back()
    end_of(process)
    assert steps(host.stored("a")) == [(x, x) for x in range(6)]


def test_ctrl_c_twice_gives_the_store_up_and_keeps_the_journal(host: Host, mount: Mount) -> None:
    process = host.start(PROGRAM, "a", "60")
    wait_for(process, "begun")
    go_on(process)
    wait_for(process, "logged")
    mount.take_away()
    go_on(process)
    assert process.stderr is not None
    for line in process.stderr:
        if "waiting for the store" in line:
            break
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "Ctrl-C again" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert LEFT in err
    assert process.returncode in (1, -signal.SIGINT)
    mount.bring_back()
    (repaired,) = host.repair()
    assert repaired.state == "finished"
    assert steps(host.stored("a")) == [(x, x) for x in range(6)]


def test_several_processes_that_repair_one_journal_close_it_once(host: Host, mount: Mount) -> None:
    mount.take_away()
    process = host.start(PROGRAM, "a", "0.01")
    wait_for(process, "begun")
    go_on(process)
    go_on(process)
    end_of(process)
    mount.bring_back()
    repairing = host.start(
        """
from artstore.settings import resolve
from artstore.tracking.repair import repair_all
import artstore.runs.history, artstore.api, artstore.defaultstore
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            list(repair_all(resolve().state_dir))
            status = 0
        finally:
            os._exit(status)
    children.append(pid)
assert not [pid for pid in children if os.waitpid(pid, 0)[1]]
"""
    )
    end_of(repairing)
    host.repair()
    run = host.stored("a")
    assert run.state == "finished"
    assert steps(run) == [(x, x) for x in range(6)]
    log = Path(mount.url) / "runs" / "p" / "a"
    assert [name for name in sorted(os.listdir(log)) if name.isdecimal()] == ["000000000000"]
    assert host.journals() == []


# A store that takes a call and never answers, as a network file system may.
HANGING = """
from artstore.storage.local import LocalStorage
create = LocalStorage.create
reached = threading.Event()
def hanging(self, key, data):
    if "runs/" in key:
        say("hangs")
        reached.set()
        threading.Event().wait()
    create(self, key, data)
LocalStorage.create = hanging
run = init(
    id="a",
    settings={"store_seconds": 0.05, "journal_seconds": 0.05, "finish_seconds": 0.5},
)
run.log({"x": 0})
run._recording.recorder.flush()
assert reached.wait(60)
for x in range(1, 6):
    run.log({"x": x})
run.finish()
say("finished")
"""


def test_a_store_that_hangs_within_a_call_holds_up_neither_the_run_nor_its_end(
    host: Host,
) -> None:
    process = host.start(HANGING)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "hangs\nfinished\n"), err
    assert LEFT in err
    host.repair()
    run = host.stored("a")
    assert run.state == "finished"
    assert steps(run) == [(x, x) for x in range(6)]

"""Real processes that push at the same time, and one that is killed while it does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from artstore.catalog.replica import Replica
from artstore.catalog.requests import Published
from artstore.storage.local import LocalStorage
from tests.unit.catalog.logs import catalog_of, publish
from tests.unit.storage.processes import ChildProcess

PUSH_COUNT = 100


def storage_in(root: Path) -> LocalStorage:
    # Power loss is not what is tested here, and syncing costs most of the time.
    return LocalStorage(root / "store", sync=False)


def push_many(root: Path, worker: int, marks: Path | None = None) -> None:
    catalog = catalog_of(storage_in(root), Replica(root / "replica.sqlite"))
    for k in range(PUSH_COUNT):
        done = catalog.commit("p", "c", publish(1_000 * worker + k))
        assert isinstance(done.outcome, Published)
        if marks is not None:
            (marks / f"{done.outcome.version}").touch()


def test_two_processes_of_a_hundred_pushes_lose_none_and_leave_no_gap(tmp_path: Path) -> None:
    children = [ChildProcess(lambda w=w: push_many(tmp_path, w)) for w in (1, 2)]
    for child in children:
        child.result()
    state = catalog_of(storage_in(tmp_path)).state("p", "c")
    assert list(state.versions) == list(range(2 * PUSH_COUNT))
    assert len({version.digest for version in state.versions.values()}) == 2 * PUSH_COUNT
    assert (state.warnings, state.head_n) == ((), 2 * PUSH_COUNT)
    known = catalog_of(storage_in(tmp_path), Replica(tmp_path / "replica.sqlite"))
    assert known.state("p", "c") == state
    assert known.state("p", "c").versions == state.versions


def test_a_killed_process_loses_nothing_that_it_was_told_is_written(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    child = ChildProcess(lambda: push_many(tmp_path, 1, marks))
    while len(list(marks.iterdir())) < 5:
        assert os.waitpid(child.pid, os.WNOHANG) == (0, 0)
    child.kill(signal.SIGKILL)
    told = {int(mark.name) for mark in marks.iterdir()}
    state = catalog_of(storage_in(tmp_path)).state("p", "c")
    assert told <= set(state.versions)
    assert state.warnings == ()
    # The replica that it may have left half written serves the next process as well.
    catalog = catalog_of(storage_in(tmp_path), Replica(tmp_path / "replica.sqlite"))
    done = catalog.commit("p", "c", publish(9))
    assert done.outcome == Published(len(state.versions))

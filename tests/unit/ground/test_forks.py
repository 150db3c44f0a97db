"""Forks: how they are counted, when they wait, and what a child is left with."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from artstore import forks
from tests.unit.storage.processes import ChildProcess

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def test_a_fresh_process_is_of_generation_0_and_each_fork_adds_one() -> None:
    def nested() -> tuple[int, int, bool]:
        deeper = ChildProcess(forks.generation)
        return forks.generation(), deeper.result(), forks.is_child_of_fork()

    mine = forks.generation()
    assert mine == 0
    assert not forks.is_child_of_fork()
    assert ChildProcess(nested).result() == (1, 2, True)
    assert forks.generation() == mine


def test_a_fork_waits_until_every_other_thread_has_left_the_block() -> None:
    inside, leave = threading.Event(), threading.Event()
    state = {"is_inside": False}

    def work() -> None:
        with forks.held_off(), forks.held_off():
            state["is_inside"] = True
            inside.set()
            leave.wait(30)
            state["is_inside"] = False

    worker = threading.Thread(target=work)
    worker.start()
    inside.wait(30)
    release = threading.Thread(target=leave.set)
    release.start()
    assert ChildProcess(lambda: state["is_inside"]).result() is False
    worker.join()
    release.join()


def test_a_thread_may_fork_inside_its_own_block_and_the_child_starts_without() -> None:
    with forks.held_off():
        child = ChildProcess(lambda: len(forks._inside))
    assert child.result() == 0
    assert not forks._inside


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_LONGEST_WAIT_SECONDS", 0.01)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with forks.held_off():
            inside.set()
            leave.wait(30)

    worker = threading.Thread(target=work)
    worker.start()
    inside.wait(30)
    assert ChildProcess(forks.generation).result() == 1
    leave.set()
    worker.join()


def test_a_child_finds_locks_free_that_another_thread_held() -> None:
    lock = forks.new_lock()
    with lock:
        holds = ChildProcess(lambda: lock.acquire(timeout=30))
        assert holds.result() is True
        assert not lock.acquire(blocking=False)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_child_closes_the_descriptors_it_must_not_keep_and_no_others(tmp_path: Path) -> None:
    descriptors = [
        os.open(tmp_path / name, os.O_CREAT | os.O_RDWR) for name in ("left", "kept", "reused")
    ]
    left, kept, reused = descriptors
    for descriptor in descriptors:
        forks.close_in_child(descriptor)
    forks.keep_in_child(kept)
    # Closed without a word, and the number is of another file now.
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    os.dup2(other, reused)
    try:
        child = ChildProcess(lambda: [is_open(descriptor) for descriptor in descriptors])
        assert child.result() == [False, True, True]
        assert is_open(left)
    finally:
        for descriptor in (*descriptors, other):
            forks.keep_in_child(descriptor)
            os.close(descriptor)


def test_modules_are_imported_early_only_when_somebody_could_fork_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needed_late.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    forks.import_late(["needed_late"])
    assert "needed_late" not in sys.modules
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    forks.import_late(["needed_late"])
    assert sys.modules.pop("needed_late")


class Slow:
    """Something whose property is being computed for as long as a test wants."""

    def __init__(self) -> None:
        self.computing, self.go_on = threading.Event(), threading.Event()
        self.made: list[object] = []

    @forks.LazyValue
    def value(self) -> object:
        """Told by the property too."""
        self.computing.set()
        self.go_on.wait(30)
        self.made.append(object())
        return self.made[-1]


def test_a_lazy_property_is_computed_once_and_kept() -> None:
    slow = Slow()
    slow.go_on.set()
    assert slow.value is slow.value
    assert len(slow.made) == 1
    assert isinstance(Slow.value, forks.LazyValue)
    assert Slow.value.__doc__ == "Told by the property too."


def test_two_threads_that_compute_a_lazy_property_at_once_get_the_same_value() -> None:
    slow, got = Slow(), []
    first = threading.Thread(target=lambda: got.append(slow.value))
    first.start()
    slow.computing.wait(30)
    second = threading.Thread(target=lambda: got.append(slow.value))
    second.start()
    slow.go_on.set()
    first.join()
    second.join()
    assert got[0] is got[1] is slow.value


def test_a_child_forked_while_a_lazy_property_is_computed_computes_its_own() -> None:
    parents, childs = Slow(), Slow()
    childs.go_on.set()
    worker = threading.Thread(target=lambda: parents.value)
    worker.start()
    parents.computing.wait(30)
    try:
        assert ChildProcess(lambda: childs.value is not None).result() is True
    finally:
        parents.go_on.set()
        worker.join()


def test_what_prepares_for_forks_itself_is_imported_before_any_fork() -> None:
    program = (
        "import sys; from artstore import forks\n"
        "assert {'logging', 'concurrent.futures.thread'} <= sys.modules.keys()"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == 0

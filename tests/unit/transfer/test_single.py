"""Locks between pulls of one machine: who leads, who follows, and what happens without locks."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from artstore.transfer import single
from artstore.transfer.single import FileLock
from tests.unit.storage.processes import ChildProcess

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def fail() -> None:
    raise AssertionError("nobody had to wait")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "one.lock"


def test_a_lock_is_taken_by_one_and_free_again_after_it(file: Path) -> None:
    with FileLock(file) as first, FileLock(file) as second:
        assert first.try_take()
        assert not second.try_take()
        first.let_go()
        assert second.try_take()
        second.let_go()
        first.take(fail)
    with FileLock(file) as third:
        assert third.try_take()


def test_who_waits_is_called_and_goes_on_when_the_holder_lets_go(file: Path) -> None:
    waits = threading.Event()

    def wait() -> None:
        with FileLock(file) as second:
            second.take(waits.set)

    with FileLock(file) as first:
        first.take(fail)
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert waits.wait(30)
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_child_does_not_keep_the_lock_of_a_parent_that_died(file: Path) -> None:
    held = FileLock(file).__enter__()
    assert held.try_take()

    def look() -> bool:
        # So the lock ends with the parent, however that ends.
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(held._descriptor)
        return True

    assert ChildProcess(look).result()
    held.__exit__()
    with FileLock(file) as lock:
        assert lock.try_take()


def test_a_child_that_leaves_the_block_does_not_let_go_for_its_parent(file: Path) -> None:
    with FileLock(file) as lock:
        assert lock.try_take()
        ChildProcess(lambda: lock.__exit__(None, None, None)).result()
        with FileLock(file) as other:
            assert not other.try_take()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_lets_everybody_go_on(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with FileLock(file) as first, FileLock(file) as second:
        assert first.try_take()
        assert second.try_take()
        second.take(fail)
        second.wait_for_holder()


def test_a_directory_that_cannot_be_made_lets_everybody_go_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "below.lock"
    with FileLock(file) as first, FileLock(file) as second:
        assert first.try_take()
        second.take(fail)


def test_the_first_leads_and_who_comes_when_all_is_done_does_not_wait(file: Path) -> None:
    with FileLock(file) as leader:
        single._lead_or_follow(leader, lambda: False, fail)
        with FileLock(file) as other:
            assert not other.try_take()


@pytest.mark.parametrize("was_done", [True, False])
def test_who_waited_leads_only_if_the_work_was_not_done(file: Path, *, was_done: bool) -> None:
    waits, done = threading.Event(), threading.Event()
    holds: list[bool] = []

    def follow() -> None:
        with FileLock(file) as lock:
            single._lead_or_follow(lock, lambda: was_done, waits.set)
            with FileLock(file) as other:
                holds.append(not other.try_take())
        done.set()

    with FileLock(file) as leader:
        assert leader.try_take()
        follower = threading.Thread(target=follow)
        follower.start()
        assert waits.wait(30)
    assert done.wait(30)
    follower.join()
    assert holds == [not was_done]

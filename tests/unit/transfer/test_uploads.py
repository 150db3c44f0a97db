"""Uploads: how much is in flight, what a barrier promises, what a failure does."""

from __future__ import annotations

import threading

import pytest

from artstore.errors import AlreadyExistsError, DeniedError
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Value
from artstore.testing.faults import FaultPlan, FaultyStorage
from artstore.transfer.uploads import Uploads


class Gate(MemoryStorage):
    """Creates wait until they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)

    def create(self, key: str, value: Value) -> None:
        self.begun.release()
        self.allowed.acquire()
        super().create(key, value)


def test_submit_waits_while_too_much_is_in_flight() -> None:
    gate = Gate()
    with Uploads(gate, on_storing=lambda _: None) as uploads:
        for number in range(3):
            uploads.submit(f"packs/{number}", [b"x"])
        fourth = threading.Thread(target=uploads.submit, args=("packs/3", [b"x"]))
        fourth.start()
        for _ in range(3):
            gate.begun.acquire()
        assert not gate.begun.acquire(blocking=False)
        assert fourth.is_alive()
        gate.allowed.release()
        fourth.join()
        gate.begun.acquire()
        gate.allowed.release(3)
        uploads.barrier()
    assert [info.key for info in gate.scan("")] == [f"packs/{n}" for n in range(4)]


def test_a_barrier_waits_for_all_and_each_key_is_told_before_it_is_stored() -> None:
    storage, told = MemoryStorage(), []

    def on_storing(key: str) -> None:
        assert key not in {info.key for info in storage.scan("")}
        told.append(key)

    with Uploads(storage, on_storing=on_storing) as uploads:
        for number in range(10):
            uploads.submit(f"packs/{number}", [b"ab", b"c"])
        uploads.barrier()
        assert sorted(told) == [info.key for info in storage.scan("")]
        assert len(told) == 10
        assert uploads.stored_bytes == 30
        assert uploads.keys == [f"packs/{number}" for number in range(10)]


def test_a_failure_is_raised_by_the_barrier_and_by_later_submits() -> None:
    storage = FaultyStorage(MemoryStorage(), FaultPlan(full_at=1))
    with Uploads(storage, on_storing=lambda _: None) as uploads:
        uploads.submit("packs/0", [b"x"])
        uploads.submit("packs/1", [b"x"])
        with pytest.raises(DeniedError):
            uploads.barrier()

        def submit_many() -> None:
            for number in range(2, 100):
                uploads.submit(f"packs/{number}", [b"x"])

        with pytest.raises(DeniedError):
            submit_many()


def test_an_answer_that_was_lost_is_found_by_the_size_of_what_is_there() -> None:
    storage = MemoryStorage()
    storage.create("packs/0", b"mine")
    with Uploads(storage, on_storing=lambda _: None) as uploads:
        uploads.submit("packs/0", [b"mi", b"ne"])
        uploads.barrier()
    assert storage.read("packs/0") == b"mine"


def test_a_value_of_others_under_our_key_is_no_success() -> None:
    storage = MemoryStorage()
    storage.create("packs/0", b"theirs")
    with Uploads(storage, on_storing=lambda _: None) as uploads:
        uploads.submit("packs/0", [b"mine"])
        with pytest.raises(AlreadyExistsError):
            uploads.barrier()


def test_what_has_not_begun_when_the_push_fails_is_not_stored() -> None:
    gate = Gate()
    gate.allowed.release(100)
    with Uploads(gate, on_storing=lambda _: None):
        pass
    assert list(gate.scan("")) == []


def test_bytes_in_flight_are_bounded_and_a_value_larger_than_the_bound_still_goes() -> None:
    gate = Gate()
    with Uploads(gate, on_storing=lambda _: None, at_once=8, in_flight_bytes=10) as uploads:
        uploads.submit("packs/0", [bytes(6)])
        second = threading.Thread(target=uploads.submit, args=("packs/1", [bytes(60)]))
        second.start()
        gate.begun.acquire()
        assert not gate.begun.acquire(blocking=False)
        assert second.is_alive()
        gate.allowed.release(2)
        second.join()
        uploads.barrier()
    assert [info.key for info in gate.scan("")] == ["packs/0", "packs/1"]

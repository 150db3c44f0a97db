"""The faulty storage fails exactly as planned: tests that lean on it may trust it."""

from __future__ import annotations

import threading

import pytest

from artstore.errors import AlreadyExistsError, DeniedError, UnavailableError
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Span, Storage
from artstore.testing.faults import (
    FaultPlan,
    FaultyStorage,
    SimulatedCrash,
    count_mutations,
    crash_sweep,
)


def work(storage: Storage) -> None:
    storage.create("a/0", b"0")
    storage.create_many([("a/1", b"1"), ("a/2", b"2")])
    storage.delete(["a/0", "a/1"])


def keys_of(storage: Storage) -> list[str]:
    return [info.key for info in storage.scan("")]


def test_each_value_and_each_deleted_key_is_one_mutating_call() -> None:
    assert count_mutations(MemoryStorage(), work) == 5


def test_a_sweep_stops_before_and_after_each_mutating_call() -> None:
    left = [(c.stop_at, c.applied, keys_of(c.storage)) for c in crash_sweep(MemoryStorage, work)]
    states = [
        [],
        ["a/0"],
        ["a/0", "a/1"],
        ["a/0", "a/1", "a/2"],
        ["a/1", "a/2"],
        ["a/2"],
    ]
    assert left == [
        (n, applied, states[n + applied]) for n in range(5) for applied in (False, True)
    ]


def test_a_sweep_prepares_each_storage_without_faults() -> None:
    crashes = crash_sweep(
        MemoryStorage,
        lambda storage: storage.create("b", b""),
        prepare=lambda storage: storage.create("a", b""),
    )
    assert [keys_of(crash.storage) for crash in crashes] == [["a"], ["a", "b"]]


def test_a_dead_process_does_nothing_more_and_nobody_catches_it() -> None:
    inner = MemoryStorage()
    storage = FaultyStorage(inner, FaultPlan(stop_at=0, stop_applied=True))

    def careless() -> None:
        try:
            storage.create("a", b"")
        except Exception:  # noqa: BLE001 - what careless code does
            storage.create("b", b"")

    with pytest.raises(SimulatedCrash):
        careless()
    died: list[bool] = []

    def other_thread() -> None:
        try:
            storage.create("c", b"")
        except SimulatedCrash:
            died.append(True)

    thread = threading.Thread(target=other_thread)
    thread.start()
    thread.join()
    assert died == [True]
    for call in (
        lambda: storage.read("a"),
        lambda: list(storage.scan("")),
        lambda: storage.stat("a"),
    ):
        with pytest.raises(SimulatedCrash):
            call()
    assert keys_of(inner) == ["a"]


def test_a_last_call_that_is_refused_changes_nothing() -> None:
    inner = MemoryStorage()
    inner.create("a", b"theirs")
    storage = FaultyStorage(inner, FaultPlan(stop_at=0, stop_applied=True))
    with pytest.raises(SimulatedCrash):
        storage.create("a", b"ours")
    assert inner.read("a") == b"theirs"


def test_a_lost_answer_took_effect() -> None:
    storage = FaultyStorage(MemoryStorage(), FaultPlan(lose_answer_at=frozenset({0})))
    with pytest.raises(UnavailableError):
        storage.create("a", b"")
    with pytest.raises(AlreadyExistsError):
        storage.create("a", b"")


def test_a_full_disk_stays_full_for_creating_only() -> None:
    storage = FaultyStorage(MemoryStorage(), FaultPlan(full_at=1))
    storage.create("a", b"")
    for key in ("b", "c"):
        with pytest.raises(DeniedError) as raised:
            storage.create(key, b"")
        assert raised.value.code == "storage-full"
    storage.delete(["a"])
    assert keys_of(storage) == []


def test_one_bit_is_flipped_in_every_read_that_covers_it() -> None:
    plan = FaultPlan(flip_bit_in="packs/", flip_bit_at=8 * 4 + 1)
    storage = FaultyStorage(MemoryStorage(), plan)
    storage.create_many([("packs/x", b"00000000"), ("other/x", b"00000000")])
    assert storage.read("packs/x") == b"00002000"
    assert storage.read("packs/x", Span(4, 2)) == b"20"
    assert storage.read("packs/x", Span(-4, 1)) == b"2"
    assert storage.read("packs/x", Span(0, 4)) == b"0000"
    assert list(storage.read_many([("packs/x", None)])) == [b"00002000"]
    assert storage.read("other/x") == b"00000000"

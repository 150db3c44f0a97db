"""Fences in every log, the record, the deletes: each step by anybody, and again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from artstore.catalog.format import entry_key
from artstore.clock import use
from artstore.errors import ArtstoreError
from artstore.garbage import planning, sweeping
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.testing.faults import FaultPlan, FaultyStorage, SimulatedCrash, crash_sweep
from tests.stateful.stalling import StallingStorage, TwoClocks, Work
from tests.trees import noise
from tests.unit.garbage.collected import (
    collect,
    collect_all,
    every_kind,
    in_memory,
    keys,
    log,
    opened,
    planned,
    values_of,
)


def whole(storage: MemoryStorage) -> None:
    store = opened(storage)
    assert not store.check(read_data=1.0).problems
    for name in ("many:v1", "large:v0", "ds:v1", "ds:v2", "gone:v1", "table:v0", "held:v0"):
        assert not store.verify(name).problems


def test_a_sweep_stopped_in_any_call_is_ended_by_the_next_one() -> None:
    def run(storage: object) -> None:
        collect(opened(storage))  # type: ignore[arg-type]

    left = set()
    for crash in crash_sweep(lambda: in_memory(planned()), run):
        storage = crash.storage
        assert isinstance(storage, MemoryStorage)
        whole(storage)
        collect_all(opened(storage))
        whole(storage)
        left.add(frozenset(keys(storage, "packs/")))
    assert len(left) == 1


def test_a_plan_stopped_in_any_call_is_made_by_the_next_one() -> None:
    def run(storage: object) -> None:
        collect(opened(storage))  # type: ignore[arg-type]

    counts = set()
    for crash in crash_sweep(lambda: in_memory(every_kind()), run):
        storage = crash.storage
        assert isinstance(storage, MemoryStorage)
        collect_all(opened(storage))
        collect_all(opened(storage))
        whole(storage)
        counts.add(len(keys(storage, "packs/")))
    assert len(counts) == 1


def test_a_sweep_that_only_reads_fail_is_run_again() -> None:
    storage = in_memory(planned())
    for count in (1, 5, 20):
        faulty = FaultyStorage(storage, FaultPlan(unavailable_reads=count))
        with pytest.raises(ArtstoreError):
            collect(opened(faulty))
        whole(storage)
    collect_all(opened(storage))
    whole(storage)


def test_two_sweepers_that_take_turns_at_every_call_end_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    with use(TwoClocks()) as clock:
        assert isinstance(clock, TwoClocks)
        for pace in (1, 3, 7):
            memory = in_memory(planned())
            clock.seconds += 10
            works = []
            for _ in range(2):
                storage = StallingStorage(memory, clock)
                store = opened(storage)
                works.append(Work(storage, lambda store=store: collect(store)))
            while not all(work.is_done for work in works):
                for work in works:
                    work.step(pace)
            assert [work.error for work in works] == [None, None]
            whole(memory)
            assert entry_key("upkeep/", 2) in keys(memory, "upkeep/0")


def test_a_sweeper_that_sleeps_through_the_end_of_its_plan_deletes_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    with use(TwoClocks()) as clock:
        assert isinstance(clock, TwoClocks)
        memory = in_memory(planned())
        clock.seconds += 10
        storage = StallingStorage(memory, clock)
        sleeper = Work(storage, lambda: collect(opened(storage)))
        assert not sleeper.until("delete ")
        collect_all(opened(memory))
        log(opened(memory), "gone", {"x": noise(30_000, 9)})
        before = values_of(memory)
        sleeper.step()
        after = values_of(memory)
        assert {key: after.get(key) for key in before} == before
        whole(memory)


def test_a_plan_of_more_keys_than_an_entry_holds_stands_in_lists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "_INLINE_KEYS_COUNT", 1)
    monkeypatch.setattr(planning, "_VALUE_BYTES", 200)
    monkeypatch.setattr(sweeping, "_INLINE_KEYS_COUNT", 0)
    storage = in_memory(every_kind())
    collect(opened(storage))
    first = set(keys(storage, "upkeep/condemned/"))
    assert len(first) > 2
    # Now something is to be spared, too.
    opened(storage).restore("gone:v0")
    collect(opened(storage))
    assert not opened(storage).verify("gone:v0").problems
    whole(storage)
    for _ in range(3):
        log(opened(storage), "gone", {"y": noise(2000, len(keys(storage, "upkeep/0")))})
        opened(storage).delete("gone", force=True)
        collect(opened(storage))
    assert first.isdisjoint(keys(storage, "upkeep/condemned/")), "lists of old plans stay"


def test_a_plan_with_a_list_that_is_lost_deletes_nothing() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_INLINE_KEYS_COUNT", 1)
        storage = in_memory(every_kind())
        collect(opened(storage))
    storage.delete(keys(storage, "upkeep/condemned/"))
    before = values_of(storage)
    opened(storage).collect_garbage(grace=timedelta(hours=1))
    after = values_of(storage)
    assert {key: after.get(key) for key in before} == before
    whole(storage)


def test_a_sweep_costs_a_request_for_a_thousand_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = in_memory(every_kind())
    for number in range(2500):
        digest = f"{number:064x}"
        memory.create(f"packs/{digest[:2]}/{digest}-{number:016x}", b"garbage")
    collect(opened(memory))
    metered = MeteredStorage(memory)
    collect(opened(metered))
    deletes = [count for ask, count in metered.requests().items() if ask.method == "DELETE"]
    # One a thousand, and one more for each of roots, content and lists.
    assert sum(deletes) <= 6
    whole(memory)


def test_deletes_that_are_refused_leave_the_plan_open() -> None:
    storage = in_memory(planned())

    class NoDelete(FaultyStorage):
        def delete(self, keys: object) -> None:
            raise SimulatedCrash

    with pytest.raises(SimulatedCrash):
        collect(opened(NoDelete(storage)))
    assert not any(b'"done"' in storage.read(key) for key in keys(storage, "upkeep/0"))
    collect_all(opened(storage))
    assert any(b'"done"' in storage.read(key) for key in keys(storage, "upkeep/0"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")


# copies -----------------------------------------------------------------------------------


def copied(storage: MemoryStorage, older: dict[str, bytes], prefix: str) -> MemoryStorage:
    """The store as a copy has it of which a part is older."""
    values = {key: data for key, data in values_of(storage).items() if not key.startswith(prefix)}
    return in_memory(values | {k: d for k, d in older.items() if k.startswith(prefix)})


def test_a_plan_made_of_another_history_ends_without_a_delete() -> None:
    """Logs were copied first, then a version was deleted and planned for, then the rest."""
    storage = in_memory(every_kind())
    logs = values_of(storage)
    store = opened(storage)
    store.delete("gone:v1")
    collect(store)
    copy = copied(storage, logs, "collections/")
    assert opened(copy).artifact("gone:v1").version == "v1"
    collect_all(opened(copy))
    assert not opened(copy).verify("gone:v1").problems
    whole(copy)


def test_a_plan_made_of_another_history_of_equal_length_ends_without_a_delete() -> None:
    storage = in_memory(every_kind())
    logs = values_of(storage)
    store = opened(storage)
    store.delete("gone:v1")
    collect(store)
    copy = copied(storage, logs, "collections/")
    opened(copy).set_tags("gone:v1", add=["kept"])
    collect_all(opened(copy))
    assert not opened(copy).verify("gone:v1").problems
    whole(copy)


def test_a_sweep_that_was_begun_before_the_copy_is_not_gone_on_with() -> None:
    storage = in_memory(every_kind())
    logs = values_of(storage)
    store = opened(storage)
    store.delete("gone:v1")
    collect(store)
    faulty = FaultyStorage(storage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sweeping, "_delete", lambda *_: (_ for _ in ()).throw(SimulatedCrash("before deletes"))
        )
        with pytest.raises(SimulatedCrash):
            collect(opened(faulty))
    copy = copied(storage, logs, "collections/")
    collect_all(opened(copy))
    assert not opened(copy).verify("gone:v1").problems
    whole(copy)

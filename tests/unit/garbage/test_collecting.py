"""One run of gc: what it tells, what survives it, and what it is patient with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import artstore as art
from artstore import limits
from artstore.api import Store
from artstore.clock import use
from artstore.errors import ConflictError, InvalidInputError
from artstore.storage.memory import MemoryStorage
from tests.stateful.stalling import StallingStorage, TwoClocks, Work
from tests.trees import noise, open_at
from tests.unit.garbage.collected import (
    collect,
    collect_all,
    draft,
    every_kind,
    in_memory,
    keys,
    log,
    opened,
    values_of,
)
from tests.unit.garbage.shops import SkewedClock

DAY = 86_400.0


@pytest.fixture
def storage() -> MemoryStorage:
    return in_memory(every_kind())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoClocks]:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    with use(TwoClocks()) as found:
        assert isinstance(found, TwoClocks)
        yield found


# what survives --------------------------------------------------------------------------


def test_what_versions_need_stays_and_the_rest_goes(storage: MemoryStorage) -> None:
    store = opened(storage)
    before = sum(map(len, values_of(storage).values()))
    collect_all(store)
    collect_all(store)
    fresh = opened(storage)
    assert not fresh.check(read_data=1.0).problems
    for name in ("many:v1", "large:v0", "ds:v1", "gone:v1", "table:v0", "table:v1", "held:v0"):
        assert not fresh.verify(name).problems
    assert fresh.artifact("ds:v1").description == "said later"
    assert sum(map(len, values_of(storage).values())) < before - 20_000


def test_versions_can_be_restored_inside_the_window_and_not_after(clock: TwoClocks) -> None:
    memory = MemoryStorage("x")
    storage = StallingStorage(memory, clock)
    store = opened(storage)
    log(store, "d", {"a": noise(5000, 1)})
    log(store, "d", {"b": noise(5000, 2)})
    store.delete("d:v0")

    def run() -> None:
        for _ in range(2):
            clock.seconds += 2 * DAY
            store.collect_garbage(force=True)

    run()
    clock.seconds -= DAY
    store.restore("d:v0")
    assert not opened(memory).verify("d:v0").problems
    store.delete("d:v0")
    for _ in range(3):
        run()
    with pytest.raises(ConflictError) as raised:
        store.restore("d:v0")
    assert raised.value.code == "content-vanished"
    assert "plan" in raised.value.message


def test_a_fragment_that_two_tables_share_stays_for_the_one_that_lives() -> None:
    storage = MemoryStorage("x")
    store = opened(storage)
    rows = [[number, str(number)] for number in range(500)]
    for count in (500, 300):
        made = art.Artifact("t", "dataset")
        made.add(art.Table(columns=["a", "b"], data=rows), "same")
        made.add(art.Table(columns=["a", "b"], data=rows[:count]), "other")
        store.log_artifact(made)
    fragments = keys(storage, "fragments/")
    store.delete("t:v0")
    collect_all(store)
    assert set(keys(storage, "fragments/")) < set(fragments) or len(fragments) == 2
    assert not opened(storage).verify("t:v1").problems
    assert not opened(storage).check(read_data=1.0).problems


def test_a_file_taken_from_another_version_stays_when_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "p")
    store = open_at(tmp_path / "store")
    log(store, "from", {"a": noise(30_000, 1), "b": noise(90_000, 2)})
    made = draft("to", {"own": b"own"})
    made.add_reference("art://from:v0/a", name="taken")
    store.log_artifact(made)
    store.delete("from:v0")
    collect_all(store)
    collect_all(store)
    fresh = open_at(tmp_path / "store")
    assert not fresh.verify("to:v0").problems
    assert fresh.artifact("to:v0").download(tmp_path / "out").written_paths
    assert (tmp_path / "out" / "taken").read_bytes() == noise(30_000, 1)
    assert not fresh.check(read_data=1.0).problems
    packs = [path for path in (tmp_path / "store" / "packs").rglob("*-*") if path.is_file()]
    assert sum(path.stat().st_size for path in packs) < 40_000


def test_a_large_file_whose_start_changed_keeps_the_chunks_it_shares() -> None:
    storage = MemoryStorage("x")
    store = opened(storage)
    data = noise(12 * limits.MIB, 5)
    log(store, "m", {"model": data})
    log(store, "m", {"model": b"changed" + data})
    store.delete("m:v0")
    collect_all(store)
    collect_all(store)
    assert not opened(storage).verify("m:v1").problems
    assert not opened(storage).check(read_data=1.0).problems


def test_a_pack_of_small_files_that_all_live_is_not_repacked_again_and_again() -> None:
    storage = MemoryStorage("x")
    store = opened(storage)
    log(store, "small", {"a": b"hello"})
    collect_all(store)
    packs = keys(storage, "packs/")
    for _ in range(3):
        report = collect(store)
    assert keys(storage, "packs/") == packs
    assert report.plan is not None
    assert report.plan.reason == "nothing"


# patience -------------------------------------------------------------------------------


def test_nothing_goes_before_both_graces_are_over(clock: TwoClocks) -> None:
    memory = MemoryStorage("x")
    store = opened(StallingStorage(memory, clock))
    log(store, "d", {"a": noise(5000, 1)})
    log(store, "d", {"b": noise(5000, 2)})
    store.delete("d:v0")

    def run() -> str:
        report = store.collect_garbage(
            grace=timedelta(hours=2), restore_window=timedelta(0), force=True
        )
        if report.swept is not None:
            return "swept"
        if report.waiting is not None:
            return "waits"
        assert report.plan is not None
        return report.plan.reason or "planned"

    before = keys(memory, "packs/")
    assert run() == "nothing"
    clock.seconds += 7300
    assert run() == "planned"
    clock.seconds += 7000
    assert run() == "waits"
    assert keys(memory, "packs/") == before
    clock.seconds += 300
    assert run() == "swept"
    assert len(keys(memory, "packs/")) == 1


@pytest.mark.parametrize("hours", [-1000, 1000])
def test_a_clock_of_a_machine_that_is_wrong_changes_nothing(clock: TwoClocks, hours: int) -> None:
    memory = MemoryStorage("x")
    store = opened(StallingStorage(memory, clock))
    log(store, "d", {"a": noise(5000, 1)})
    log(store, "d", {"b": noise(5000, 2)})
    store.delete("d:v0")
    clock.skew_seconds = hours * 3600.0
    for _ in range(3):
        report = store.collect_garbage(force=True)
        assert report.plan is not None
        assert report.plan.number is None
    assert len(keys(memory, "packs/")) == 2


def test_a_grace_below_an_hour_is_refused() -> None:
    store = opened(in_memory(every_kind()))
    with pytest.raises(InvalidInputError, match="3600"):
        store.collect_garbage(grace=timedelta(minutes=59))


def test_a_rate_of_nothing_is_refused_before_anything_is_read() -> None:
    store = opened(in_memory(every_kind()))
    with pytest.raises(InvalidInputError, match="at least one byte"):
        store.collect_garbage(limit_rate=0)


def test_versions_whose_content_is_gone_already_are_not_told_again(clock: TwoClocks) -> None:
    memory = MemoryStorage("x")
    store = opened(StallingStorage(memory, clock))
    for number in range(3):
        log(store, "d", {"a": noise(5000, number)})
        if number:
            store.delete(f"d:v{number - 1}")
            clock.seconds += 9 * DAY
        told = store.collect_garbage(dry_run=True, grace=timedelta(hours=1)).plan
        assert told is not None
        assert [one.versions for one in told.collections] == [(number - 1,)] * bool(number)
        for _ in range(2):
            store.collect_garbage(grace=timedelta(hours=1), force=True)
            clock.seconds += DAY


def test_a_small_gain_is_not_worth_a_plan(clock: TwoClocks) -> None:
    memory = MemoryStorage("x")
    store = opened(StallingStorage(memory, clock))
    log(store, "d", {"a": noise(5000, 1)})
    log(store, "d", {"b": noise(5000, 2)})
    store.delete("d:v0")
    clock.seconds += 9 * DAY
    report = store.collect_garbage()
    assert report.plan is not None
    assert report.plan.reason == "too-little"
    assert not keys(memory, "upkeep/0")


# what is told ---------------------------------------------------------------------------


def test_a_dry_run_tells_what_a_plan_does_and_writes_nothing(storage: MemoryStorage) -> None:
    before = {info.key for info in storage.scan("")}
    told = collect(opened(storage), dry_run=True).plan
    assert {info.key for info in storage.scan("")} == before
    assert told is not None
    assert told.reason == "dry-run"
    made = collect(opened(storage)).plan
    assert made is not None
    assert made.number == 0
    # What was written to learn the time goes as well.
    kinds = [kind for kind in told.kinds if kind.kind not in {"upkeep", "index"}]
    assert [kind for kind in made.kinds if kind.kind not in {"upkeep", "index"}] == kinds
    assert told.collections == made.collections
    (mine,) = [one for one in told.collections if one.name == "gone"]
    assert mine.versions == (0,)
    assert mine.size_bytes > 30_000


def test_a_clock_that_is_wrong_misleads_only_a_dry_run(storage: MemoryStorage) -> None:
    with use(SkewedClock(-100 * DAY)):
        told = opened(storage).collect_garbage(dry_run=True, force=True).plan
    assert told is not None
    assert told.kinds == ()


# collectors that are late ----------------------------------------------------------------


def late(clock: TwoClocks, memory: MemoryStorage, *words: str) -> Work:
    storage = StallingStorage(memory, clock)
    store = opened(storage)
    work = Work(storage, lambda: collect(store))
    assert not work.until(*words)
    return work


@pytest.mark.parametrize(
    "stage",
    [
        "names collections/",
        "scan collections/p/ds/0",
        "scan packs/",
        "scan moved/",
        "read manifests/",
        "create packs/",
        "create moved/",
        "create index/",
        "create upkeep/condemned/",
        "create upkeep/0",
    ],
)
def test_a_collector_that_others_overtake_begins_anew(clock: TwoClocks, stage: str) -> None:
    memory = in_memory(every_kind())
    store = opened(memory)
    base = {f"f{number}": noise(3000, number) for number in range(6)}
    log(store, "sparse", base | {"big": noise(50_000, 7)})
    log(store, "sparse", {"f1": base["f1"]})
    store.delete("sparse:v0")
    clock.seconds += 10
    work = late(clock, memory, stage)
    # Others do all there is to do, and more.
    log(store, "gone", {"z": noise(100, 3)})
    store.delete("gone:v1")
    store.delete("ds:v2")
    for _ in range(3):
        clock.seconds += 10
        collect(opened(StallingStorage(memory, clock)))
    assert work.step()
    assert work.error is None
    clock.seconds += 10
    collect_all(opened(StallingStorage(memory, clock)))
    assert not opened(memory).check(read_data=1.0).problems
    assert not opened(memory).verify("sparse:v1").problems


@pytest.mark.parametrize("stage", ["create collections/", "read manifests/", "create upkeep/0"])
def test_a_sweeper_that_others_overtake_begins_anew(clock: TwoClocks, stage: str) -> None:
    memory = in_memory(every_kind())
    clock.seconds += 10
    collect(opened(StallingStorage(memory, clock)))
    store = opened(memory)
    log(store, "gone", {"z": noise(100, 3)})
    work = late(clock, memory, stage)
    store.delete("gone", force=True)
    for _ in range(3):
        clock.seconds += 10
        collect(opened(StallingStorage(memory, clock)))
    assert work.step()
    assert work.error is None
    assert not opened(memory).check(read_data=1.0).problems


def test_a_thread_of_the_same_store_that_reads_the_log_of_gc_does_not_disturb_a_plan(
    clock: TwoClocks,
) -> None:
    memory = in_memory(every_kind())
    clock.seconds += 10
    storage = StallingStorage(memory, clock)
    store = opened(storage)
    work = Work(storage, lambda: collect(store))
    assert not work.until("create upkeep/condemned/")
    collect(opened(StallingStorage(memory, clock)))
    # The other thread: it is not what stands still.
    gate, storage.gate = storage.gate, None
    assert store._place().catalog.upkeep_state().head_n == 0
    storage.gate = gate
    assert work.step()
    assert work.error is None


def test_collectors_with_other_windows_do_not_stop_one_another(clock: TwoClocks) -> None:
    """What one has taken of a version the other would keep: that cannot be restored, no more."""
    memory = MemoryStorage("x")

    def run(days: float) -> None:
        clock.seconds += 11
        opened(StallingStorage(memory, clock)).collect_garbage(
            grace=timedelta(seconds=10), restore_window=timedelta(days=days), force=True
        )

    store = opened(StallingStorage(memory, clock))
    log(store, "d", {"a": noise(9000, 1), "b": noise(9000, 2)})
    clock.seconds += 100
    log(store, "d", {"a": noise(9000, 1)})
    log(store, "e", {"f": b"f"})
    for number in range(2):
        store.delete(f"d:v{number}", force=True)
    clock.seconds -= 9
    for days in (0, 7, 7, 0, 7):
        run(days)
        assert not opened(memory).check(read_data=1.0).problems
    with pytest.raises(ConflictError):
        store.restore("d:v0")


def test_threads_that_push_beside_a_collector_of_the_same_store_do_not_disturb_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    storage = in_memory(every_kind())
    store = opened(storage)
    ends = time.monotonic() + 2
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            count = 0
            while time.monotonic() < ends:
                count += 1
                try:
                    log(store, f"c{number}", {"a": noise(3000, count), "b": noise(9000, number)})
                    if count > 2:
                        store.delete(f"c{number}:v{count - 2}")
                except ConflictError:
                    continue
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()

    def gather() -> None:
        store.collect_garbage(grace=timedelta(0), restore_window=timedelta(0), force=True)

    while time.monotonic() < ends:
        gather()
    for thread in threads:
        thread.join()
    assert not errors
    fresh: Store = open_at("memory://x", storage)
    assert not fresh.check(read_data=1.0).problems

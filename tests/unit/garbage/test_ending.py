"""Plans that are not carried out: lists that are lost, sweeps of others that may go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from artstore.api import Store
from artstore.catalog.upkeeplog import CONDEMNED_PREFIX, UpkeepState
from artstore.errors import ConflictError, InvalidInputError, StateError
from artstore.garbage import planning, sweeping
from artstore.storage.memory import MemoryStorage
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage
from artstore.testing.faults import SimulatedCrash
from tests.trees import noise, open_at
from tests.unit.garbage.collected import collect, flipped, keys, log, values_of

NOW = timedelta(0)
WEEK = timedelta(days=7)
Machine = Callable[..., Store]


@pytest.fixture(autouse=True)
def lists_of_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    monkeypatch.setattr(planning, "_INLINE_KEYS_COUNT", 1)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage("x")


@pytest.fixture
def machine(storage: MemoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Opens the store as one of several machines, each with a cache of its own."""

    def open_there(name: str, seen: Storage = storage) -> Store:
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / name))
        return open_at("memory://x", seen)

    return open_there


def fill(store: Store) -> dict[str, bytes]:
    """v0 is deleted, v1 has part of it."""
    files = {f"f{number}": noise(30_000, number) for number in range(6)}
    log(store, "ds", files)
    log(store, "ds", {"f1": files["f1"]})
    store.delete("ds:v0")
    return files


def state_of(store: Store) -> UpkeepState:
    return store._place().catalog.upkeep_state()


def plan(store: Store, window: timedelta = NOW) -> None:
    report = store.collect_garbage(grace=NOW, restore_window=window, force=True)
    assert report.plan is not None
    assert report.plan.number is not None


def is_whole(store: Store, name: str, files: dict[str, bytes]) -> bool:
    version = store.artifact(name)
    return {path: version.read(path) for path in files} == files


def lists(storage: Storage) -> list[str]:
    return keys(storage, CONDEMNED_PREFIX)


def begin_sweep(machine: Machine, storage: Storage) -> None:
    """A sweep that ends behind its record, before the first delete."""

    class Dying(PassingStorage):
        @property
        def inner(self) -> Storage:
            return storage

        def delete(self, keys: Iterable[str]) -> None:
            raise SimulatedCrash

    with pytest.raises(SimulatedCrash):
        collect(machine("one", Dying()))


# --- Lists that are lost ----------------------------------------------------------------


def damages() -> list[Callable[[Storage, str], None]]:
    return [lambda storage, key: storage.delete([key]), flipped]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("damage", damages(), ids=["lost", "damaged"])
def test_a_plan_whose_list_is_lost_is_given_up_before_its_grace_is_over(
    storage: MemoryStorage,
    machine: Machine,
    damage: Callable[[Storage, str], None],
    number: int,
) -> None:
    files = fill(machine("one"))
    plan(machine("one"))
    damage(storage, lists(storage)[number])
    before = values_of(storage)
    report = machine("two").collect_garbage(grace=timedelta(hours=1), restore_window=WEEK)
    assert report.swept is not None
    assert (report.swept.reason, report.swept.deleted_keys) == ("list-lost", 0)
    assert state_of(machine("two")).done == {0}
    assert before.keys() <= values_of(storage).keys()
    # The next plan is as any.
    for _ in range(3):
        collect(machine("two"))
    assert is_whole(machine("two"), "ds:v1", {"f1": files["f1"]})
    assert not machine("two").check(read_data=1.0).problems
    assert len(keys(storage, "packs/")) == 1


def test_a_sweeper_that_had_read_the_list_before_it_was_lost_deletes_nothing(
    storage: MemoryStorage, machine: Machine
) -> None:
    fill(machine("one"))
    plan(machine("one"))
    found: list[dict[str, bytes]] = []

    class Slow(PassingStorage):
        """It sleeps just before its record: lists are read, fences stand."""

        @property
        def inner(self) -> Storage:
            return storage

        def create(self, key: str, value: object) -> None:
            if key == "upkeep/000000000001" and not found:
                storage.delete(lists(storage))
                machine("two").collect_garbage(grace=NOW)
                assert 0 in state_of(machine("two")).done
                machine("two").restore("ds:v0")
                found.append(values_of(storage))
            storage.create(key, value)  # type: ignore[arg-type]

    machine("one", Slow()).collect_garbage(grace=NOW, restore_window=NOW)
    (before,) = found
    assert before.keys() <= values_of(storage).keys()
    assert not machine("three").check(read_data=1.0).problems


def test_a_plan_whose_deletes_have_begun_is_not_given_up_by_itself(
    storage: MemoryStorage, machine: Machine
) -> None:
    fill(machine("one"))
    plan(machine("one"))
    begin_sweep(machine, storage)
    (lost, *_) = lists(storage)
    storage.delete([lost])
    before = values_of(storage)
    for name in ("one", "two"):
        with pytest.raises(StateError) as refused:
            collect(machine(name))
        assert refused.value.code == "gc-refused"
        assert lost in refused.value.message
        assert "--give-up 0" in str(refused.value.hint)
        assert "--repair" in str(refused.value.hint)
    assert values_of(storage) == before
    # What somebody who knows says is done.
    report = machine("two").collect_garbage(give_up=0)
    assert report.swept is not None
    assert report.swept.reason == "given-up"
    for _ in range(2):
        collect(machine("two"))
    assert not machine("two").check(read_data=1.0).problems


def test_a_list_of_what_a_sweep_spares_is_as_needed_as_the_others(
    storage: MemoryStorage, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(machine("one"))
    plan(machine("one"))
    machine("two").restore("ds:v0")
    monkeypatch.setattr(sweeping, "_INLINE_KEYS_COUNT", 0)
    before = set(lists(storage))
    begin_sweep(machine, storage)
    (spared,) = set(lists(storage)) - before
    storage.delete([spared])
    with pytest.raises(StateError, match=spared):
        collect(machine("two"))
    machine("two").collect_garbage(give_up=0)
    assert not machine("two").check(read_data=1.0).problems


def test_only_an_open_plan_is_given_up(storage: MemoryStorage, machine: Machine) -> None:
    fill(machine("one"))
    with pytest.raises(InvalidInputError, match="plan 0 of gc is not open; no plan is"):
        machine("one").collect_garbage(give_up=0)
    plan(machine("one"))
    with pytest.raises(InvalidInputError, match="plan 0 is"):
        machine("one").collect_garbage(give_up=1)
    before = values_of(storage)
    machine("one").collect_garbage(give_up=0, dry_run=True)
    assert values_of(storage) == before


def test_a_push_that_cannot_be_compared_is_told_who_gives_the_plan_up(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("one"))
    plan(machine("one"))
    storage.delete(lists(storage))
    with pytest.raises(ConflictError) as refused:
        log(machine("two"), "new", files)
    assert refused.value.code == "plan-unreadable"
    assert "art gc" in str(refused.value.hint)
    machine("one").collect_garbage(grace=NOW)
    log(machine("two"), "new", files)
    assert is_whole(machine("three"), "new:v0", files)


def test_a_lost_list_is_found_by_a_check_and_put_back_from_a_copy(
    storage: MemoryStorage, machine: Machine, tmp_path: Path
) -> None:
    fill(machine("one"))
    plan(machine("one"))
    begin_sweep(machine, storage)
    before = values_of(storage)
    copy = tmp_path / "copy"
    for key, data in before.items():
        (copy / key).parent.mkdir(parents=True, exist_ok=True)
        (copy / key).write_bytes(data)
    lost, damaged = lists(storage)
    storage.delete([lost])
    flipped(storage, damaged)
    problems = machine("two").check().problems
    assert {problem.key for problem in problems} == {lost, damaged}
    assert machine("two").repair([copy.as_uri()]).is_whole
    assert values_of(storage) == before
    collect(machine("two"))
    assert 0 in state_of(machine("two")).done


def test_a_false_list_of_a_copy_is_not_put_back(
    storage: MemoryStorage, machine: Machine, tmp_path: Path
) -> None:
    fill(machine("one"))
    plan(machine("one"))
    copy = tmp_path / "copy"
    for key, data in values_of(storage).items():
        (copy / key).parent.mkdir(parents=True, exist_ok=True)
        (copy / key).write_bytes(data)
    for key in lists(storage):
        (copy / key).write_bytes(b"packs/" + b"0" * 10)
    storage.delete(lists(storage))
    report = machine("two").repair([copy.as_uri()])
    assert len(report.problems) == 2
    assert lists(storage) == []


# --- Sweeps of others -------------------------------------------------------------------


class Sleeping(PassingStorage):
    """A storage as a machine sees it that sleeps just before its first delete."""

    def __init__(self, inner: Storage, meanwhile: Callable[[], None]) -> None:
        self._inner = inner
        self._meanwhile: Callable[[], None] | None = meanwhile

    @property
    def inner(self) -> Storage:
        return self._inner

    def delete(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self._inner.delete(wanted)


def test_a_sweep_with_a_shorter_window_takes_no_content_of_what_was_restored_meanwhile(
    storage: MemoryStorage, machine: Machine
) -> None:
    files = fill(machine("one"))
    plan(machine("one"), NOW)
    told = []

    def meanwhile() -> None:
        report = machine("two").collect_garbage(grace=NOW, restore_window=WEEK, force=True)
        assert report.swept is not None
        told.append((report.swept.reason, report.waiting, report.waits_until is None))
        with pytest.raises(ConflictError, match="about to delete"):
            machine("two").restore("ds:v0")

    sleeper = machine("one", Sleeping(storage, meanwhile))
    sleeper.collect_garbage(grace=NOW, restore_window=NOW)
    assert told == [("held", 0, False)]
    assert state_of(machine("two")).done == {0}
    assert is_whole(machine("two"), "ds:v1", {"f1": files["f1"]})
    assert not machine("two").check(read_data=1.0).problems
    with pytest.raises(ConflictError, match="has deleted"):
        machine("two").restore("ds:v0")


def test_a_plan_that_is_held_ends_with_the_window_of_who_began_it(
    storage: MemoryStorage, machine: Machine
) -> None:
    fill(machine("one"))
    plan(machine("one"), NOW)
    begin_sweep(machine, storage)
    for _ in range(2):
        report = machine("two").collect_garbage(grace=NOW, restore_window=WEEK)
        assert report.swept is not None
        assert report.swept.reason == "held"
        assert report.swept.spared_keys
    report = machine("two").collect_garbage(grace=NOW, restore_window=NOW)
    assert report.swept is not None
    assert report.swept.reason == ""
    assert state_of(machine("two")).done == {0}


def test_a_record_that_spares_what_can_be_restored_lets_the_plan_end(
    storage: MemoryStorage, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fill(machine("one"))
    plan(machine("one"), NOW)
    monkeypatch.setattr(sweeping, "_INLINE_KEYS_COUNT", 0)
    report = machine("two").collect_garbage(grace=NOW, restore_window=WEEK)
    assert report.swept is not None
    assert report.swept.reason == ""
    machine("two").restore("ds:v0")
    collect(machine("one"))
    assert is_whole(machine("three"), "ds:v0", files)

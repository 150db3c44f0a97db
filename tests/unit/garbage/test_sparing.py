"""What of a plan stays since an entry that came before its fence needs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from artstore.api import Store
from artstore.clock import use
from artstore.garbage.records import GarbageReport
from artstore.storage.memory import MemoryStorage
from tests.stateful.stalling import StallingStorage, TwoClocks, Work
from tests.trees import noise
from tests.unit.garbage.collected import keys, log, opened

GRACE_SECONDS = 50.0
A, B, C = (
    {name: noise(size, size)} for name, size in (("a", 30_000), ("b", 29_000), ("c", 99_000))
)


class Town:
    """Machines that share a store, and stand still where a test wants it."""

    def __init__(self, clock: TwoClocks) -> None:
        self.clock = clock
        self.memory = MemoryStorage("x")
        self.writer = opened(self.memory_of_machine())
        self.other = self.machine()

    def memory_of_machine(self) -> StallingStorage:
        return StallingStorage(self.memory, self.clock)

    def machine(self) -> tuple[StallingStorage, Store]:
        storage = self.memory_of_machine()
        return storage, opened(storage)

    def pass_by(self, seconds: float) -> None:
        self.clock.seconds += seconds

    def collect(
        self, store: Store | None = None, *, window: float = 0, above: float = 0.5
    ) -> GarbageReport:
        return (store or opened(self.memory_of_machine())).collect_garbage(
            grace=timedelta(seconds=GRACE_SECONDS),
            restore_window=timedelta(seconds=window),
            repack_above=above,
            force=True,
        )

    def begin(self, what: str = "collect") -> Work:
        storage, store = self.machine()
        return Work(storage, lambda: self.collect(store))

    def plan(self, *, window: float = 0) -> None:
        self.pass_by(GRACE_SECONDS + 1)
        report = self.collect(window=window)
        assert report.plan is not None
        assert report.plan.number is not None

    def sweep(self, *, window: float = 0) -> int:
        """How many keys were spared."""
        self.pass_by(GRACE_SECONDS + 1)
        report = self.collect(window=window)
        assert report.swept is not None
        return report.swept.spared_keys

    def problems(self, name: str) -> tuple[object, ...]:
        return opened(self.memory).verify(name).problems

    def check_all(self) -> None:
        found = opened(self.memory).check(read_data=1.0).problems
        assert not found, found


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    with use(TwoClocks()) as clock:
        assert isinstance(clock, TwoClocks)
        yield Town(clock)


def test_a_version_restored_between_plan_and_sweep_stays_whole(town: Town) -> None:
    log(town.writer, "d", A | B)
    log(town.writer, "d", C)
    town.writer.delete("d:v0")
    town.plan()
    town.writer.restore("d:v0")
    assert town.sweep() >= 2
    assert not town.problems("d:v0")
    town.check_all()


def test_a_version_restored_and_deleted_again_stays_as_long_as_it_can_be_restored(
    town: Town,
) -> None:
    log(town.writer, "d", A | B)
    log(town.writer, "d", C)
    town.writer.delete("d:v0")
    town.plan()
    town.writer.restore("d:v0")
    town.writer.delete("d:v0")
    assert town.sweep(window=1e6) >= 2
    town.writer.restore("d:v0")
    assert not town.problems("d:v0")


def test_a_link_made_between_plan_and_sweep_keeps_what_it_holds(town: Town) -> None:
    log(town.writer, "d", A | B)
    log(town.writer, "d", C)
    version = town.writer.artifact("d:v0")
    storage, store = town.machine()
    linking = Work(storage, lambda: store.artifact("d:v0").link("held"))
    assert not linking.until("create collections/")
    town.writer.delete("d:v0")
    town.plan()
    assert linking.step()
    assert version.name == "d:v0"
    if linking.error is None:
        town.sweep()
        assert not town.problems("held:v0")
    else:
        assert linking.error.code == "content-condemned"  # type: ignore[attr-defined]
    town.check_all()


def test_a_push_that_began_before_the_plan_and_ends_before_the_fence_keeps_what_it_relies_on(
    town: Town,
) -> None:
    log(town.writer, "d", A | B)
    storage, store = town.machine()
    pushing = Work(storage, lambda: log(store, "e", A | C))
    assert not pushing.until("create collections/p/e/000000000001")
    town.writer.delete("d:v0")
    log(town.writer, "f", {"x": b"x"})
    town.plan()
    assert pushing.step()
    town.sweep()
    if pushing.error is None:
        assert not town.problems("e:v0")
    town.check_all()


def test_what_moved_is_not_spared_for_those_whose_chunks_moved(town: Town) -> None:
    log(town.writer, "d", A | B | C)
    log(town.writer, "d", A)
    town.writer.delete("d:v0")
    (pack,) = keys(town.memory, "packs/")
    town.plan()
    assert len(keys(town.memory, "packs/")) == 2
    log(town.writer, "d", A | {"x": b"x"})
    town.sweep()
    assert pack not in keys(town.memory, "packs/")
    assert not town.problems("d:v1")
    assert not town.problems("d:v2")


def test_what_lay_beside_what_moved_is_spared_for_who_took_it_back(town: Town) -> None:
    log(town.writer, "d", A | B | C)
    log(town.writer, "d", A)
    town.writer.delete("d:v0")
    (pack,) = keys(town.memory, "packs/")
    town.plan()
    town.writer.restore("d:v0")
    assert town.sweep() >= 2
    assert pack in keys(town.memory, "packs/")
    assert not town.problems("d:v0")
    assert not town.problems("d:v1")
    # What was copied for nothing goes with the plan that was made right after.
    town.sweep()
    assert keys(town.memory, "packs/") == [pack]
    town.check_all()


def test_chunks_that_a_late_repack_brought_back_are_spared(town: Town) -> None:
    """
    The pack of a restored version is gone, and not named by the plan: what a stalled repack
    copied of it is, and the record that leads there came after the plan.
    """
    log(town.writer, "d", A | B | C)
    town.pass_by(1000)
    log(town.writer, "d", A | B)
    log(town.writer, "d", A)
    town.writer.delete("d:v0")
    late = town.begin()
    assert not late.until("create packs/")
    town.writer.delete("d:v1")
    town.pass_by(30)
    first = town.begin()
    assert not first.until("create moved/")
    late.step(1)
    assert first.step()
    town.pass_by(55)
    report = town.collect()
    assert report.swept is not None
    assert report.plan is not None
    assert {kind.kind for kind in report.plan.kinds} > {"manifests", "packs"}
    assert not late.until("scan index/")
    town.writer.restore("d:v1")
    assert not town.problems("d:v1")
    assert town.sweep() >= 2
    assert not town.problems("d:v1")
    late.step()
    town.check_all()
    for _ in range(4):
        town.pass_by(GRACE_SECONDS + 1)
        town.collect()
    assert not town.problems("d:v1")
    town.check_all()


def described_slowly(town: Town) -> Work:
    """Somebody describes d:v0 and stalls just before the entry; a plan is made meanwhile."""
    storage, store = town.machine()

    def describe() -> None:
        artifact = store.artifact("d:v0")
        artifact.description = "slow"
        artifact.save()

    describing = Work(storage, describe)
    assert not describing.until("create collections/p/d/")
    town.plan()
    return describing


def test_a_described_version_keeps_its_description(town: Town) -> None:
    log(town.writer, "d", A)
    describing = described_slowly(town)
    describing.step()
    spared = town.sweep()
    assert describing.error is None
    assert spared == 1
    assert opened(town.memory).artifact("d:v0").description == "slow"


def test_a_description_that_comes_after_the_fence_is_refused(town: Town) -> None:
    log(town.writer, "d", A)
    describing = described_slowly(town)
    assert town.sweep() == 0
    describing.step()
    assert describing.error.code == "content-condemned"  # type: ignore[union-attr]
    assert not opened(town.memory).artifact("d:v0").description
    town.check_all()


def test_a_record_stays_as_long_as_another_one_leads_there(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that is found by two records, the second of a pack that nothing names itself."""

    def run(grace_seconds: float, store: Store | None = None) -> GarbageReport:
        monkeypatch.setattr("tests.unit.garbage.test_sparing.GRACE_SECONDS", grace_seconds)
        return town.collect(store, above=0.2)

    log(town.writer, "d", A | B | C)
    log(town.writer, "d", A | B)
    town.writer.delete("d:v0")
    town.pass_by(51)
    # The record is younger than the pack that it leads to.
    storage, store = town.machine()
    slow = Work(storage, lambda: run(50, store))
    assert not slow.until("create moved/")
    town.pass_by(100)
    assert slow.step()
    assert slow.error is None
    town.pass_by(1)
    run(0.5)
    (pack,) = keys(town.memory, "packs/")
    # By way of the index: this one names the new pack itself.
    log(opened(town.memory_of_machine()), "e", A)
    log(opened(town.memory_of_machine()), "d", A)
    town.writer.delete("d:v1")
    town.writer.delete("d:v2")
    town.pass_by(1)
    run(50)
    town.writer.restore("d:v2")
    town.pass_by(5)
    town.writer.delete("e:v0")
    town.pass_by(51)
    run(50)
    assert pack not in keys(town.memory, "packs/")
    assert len(keys(town.memory, "moved/")) == 2
    for _ in range(4):
        assert not town.problems("d:v2")
        town.check_all()
        town.pass_by(51)
        run(50)

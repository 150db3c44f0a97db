"""
The store and its gc beside a plain model: machines that stall, die and have wrong clocks.

Two writers push, link, describe, delete, purge, restore and prune; two collectors plan, repack
and sweep; a reader reads. Each of them may stop between any two calls of the storage and go
on much later, or never. After every step all that lives or can be restored is there to the byte,
and when all have come to an end, nothing is stored that no version needs.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from artstore.api import Store
from artstore.catalog.retention import Retention
from artstore.clock import use
from artstore.errors import ArtstoreError
from tests.conftest import PROFILE
from tests.stateful.gcworld import GRACE_SECONDS, SIZES, WINDOW_SECONDS, World

NAMES = ("one", "two", "three")
contents = st.frozensets(st.sampled_from([*SIZES, "t0", "t1"]), min_size=1, max_size=6)
writers = st.sampled_from(("w1", "w2"))
collectors = st.sampled_from(("g1", "g2"))
machines = st.sampled_from(("w1", "w2", "g1", "g2"))
collections = st.sampled_from(NAMES)
versions = st.integers(0, 5)
calls = st.one_of(st.none(), st.integers(0, 60))


class GarbageMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.environment = pytest.MonkeyPatch()
        self.environment.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
        self.world: World | None = None

    @initialize(window=st.sampled_from((0.0, WINDOW_SECONDS)))
    def start(self, window: float) -> None:
        self.world = World(("w1", "w2", "g1", "g2", "r"), window_seconds=window)
        self.used = use(self.world.clock)
        self.used.__enter__()
        self.world.do("w1", self.world.pusher("one", frozenset(SIZES)))

    def teardown(self) -> None:
        if self.world is not None:
            try:
                self.world.settle()
            finally:
                self.world.close()
                self.used.__exit__(None, None, None)
        self.environment.undo()

    def do(self, machine: str, do: object, count: int | None) -> None:
        assert self.world is not None
        self.world.do(machine, do, count)  # type: ignore[arg-type]

    # writers -------------------------------------------------------------------------

    @rule(machine=writers, name=collections, content=contents, count=calls)
    def push(self, machine: str, name: str, content: frozenset[str], count: int | None) -> None:
        assert self.world is not None
        self.do(machine, self.world.pusher(name, content), count)

    @rule(machine=writers, name=collections, number=versions, count=calls)
    def delete(self, machine: str, name: str, number: int, count: int | None) -> None:
        self.do(machine, lambda store: store.delete(f"{name}:v{number}", force=True), count)

    @rule(machine=writers, name=collections, count=calls)
    def delete_the_newest(self, machine: str, name: str, count: int | None) -> None:
        self.do(machine, lambda store: store.delete(name, force=True), count)

    @rule(machine=writers, name=collections, number=versions, count=calls)
    def restore(self, machine: str, name: str, number: int, count: int | None) -> None:
        self.do(machine, lambda store: store.restore(f"{name}:v{number}"), count)

    @rule(machine=writers, name=collections, number=versions, into=collections, count=calls)
    def link(self, machine: str, name: str, number: int, into: str, count: int | None) -> None:
        def link(store: Store) -> object:
            return store.artifact(f"{name}:v{number}").link(into)

        self.do(machine, link, count)

    @rule(machine=writers, name=collections, number=versions, text=versions, count=calls)
    def describe(self, machine: str, name: str, number: int, text: int, count: int | None) -> None:
        def describe(store: Store) -> None:
            artifact = store.artifact(f"{name}:v{number}")
            artifact.description = f"text {text}"
            artifact.save()

        self.do(machine, describe, count)

    @rule(machine=writers, name=collections, keep=st.integers(1, 2), count=calls)
    def prune(self, machine: str, name: str, keep: int, count: int | None) -> None:
        rule = Retention(keep_last=keep)
        self.do(machine, lambda store: store.prune(name, retention=rule), count)

    @rule(machine=writers, name=collections, number=versions, count=calls)
    def purge(self, machine: str, name: str, number: int, count: int | None) -> None:
        self.do(machine, lambda store: store.purge(f"{name}:v{number}", force=True), count)

    # collectors ----------------------------------------------------------------------

    @rule(
        machine=collectors,
        grace=st.sampled_from((0.0, GRACE_SECONDS / 2, GRACE_SECONDS)),
        above=st.sampled_from((0.2, 0.5, 1.0)),
        longer=st.booleans(),
        purged_too=st.booleans(),
        count=st.one_of(st.none(), st.integers(0, 150)),
    )
    def collect(
        self,
        *,
        machine: str,
        grace: float,
        above: float,
        longer: bool,
        purged_too: bool,
        count: int | None,
    ) -> None:
        assert self.world is not None
        if not self.world.memory_has_store():
            return
        do = self.world.collector(
            grace_seconds=grace,
            repack_above=above,
            window_seconds=WINDOW_SECONDS if longer else None,
            purged_too=purged_too,
        )
        self.do(machine, do, count)

    # everybody -----------------------------------------------------------------------

    @rule(machine=machines, count=st.one_of(st.none(), st.integers(1, 40)))
    def go_on(self, machine: str, count: int | None) -> None:
        assert self.world is not None
        self.world.go_on(machine, 1_000_000 if count is None else count)

    @rule(machine=machines)
    def crash(self, machine: str) -> None:
        assert self.world is not None
        self.world.crash(machine)

    @rule(seconds=st.sampled_from((1.0, 40.0, GRACE_SECONDS + 1, WINDOW_SECONDS + 1)))
    def time_passes(self, seconds: float) -> None:
        assert self.world is not None
        self.world.clock.seconds += seconds

    @rule(machine=machines, hours=st.sampled_from((-1, 0, 1)))
    def a_clock_is_wrong(self, machine: str, hours: int) -> None:
        assert self.world is not None
        self.world.machines[machine].skew_seconds = 3600.0 * hours

    @rule(name=collections, number=versions)
    def read(self, name: str, number: int) -> None:
        """By a reader who remembers where it found things before."""
        assert self.world is not None
        store = self.world.machines["r"].store
        try:
            live = any(v.version == number and v.is_live for v in store.versions(name))
        except ArtstoreError:
            return
        if live:
            assert not store.verify(f"{name}:v{number}").problems

    @invariant()
    def all_that_lives_is_there(self) -> None:
        if self.world is not None:
            self.world.check()


GarbageMachine.TestCase.settings = settings(
    max_examples={"dev": 25, "ci": 120}.get(PROFILE, 1_000),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestGarbage = GarbageMachine.TestCase

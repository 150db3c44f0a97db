"""Collections through storage: states, commits, races, request budgets."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from artstore import clock
from artstore.catalog.format import LogEntry, UnknownEntry, VoidEntry, entry_key
from artstore.catalog.requests import (
    AliasRequest,
    Applied,
    CreateRequest,
    DeleteRequest,
    Published,
    TagRequest,
    Unchanged,
)
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.testing.faults import FaultPlan, FaultyStorage, crash_sweep
from tests.unit.catalog.logs import (
    PREFIX,
    TIME,
    FixedClock,
    LogWriter,
    catalog_of,
    publish,
    resealed,
)


def requests_of(metered: MeteredStorage) -> dict[str, int]:
    return {name: count.calls for name, count in metered.snapshot().items() if count.calls}


def test_versions_are_numbered_from_zero_in_the_order_of_their_entries() -> None:
    catalog = catalog_of(MemoryStorage())
    with clock.use(FixedClock()):
        outcomes = [catalog.commit("p", "c", publish(i)) for i in range(3)]
    assert [done.outcome for done in outcomes] == [Published(0), Published(1), Published(2)]
    assert [done.n for done in outcomes] == [1, 2, 3]
    version = outcomes[2].state.versions[2]
    assert (version.created, version.by) == (TIME, "ann@host")


def test_a_commit_shows_the_state_right_after_it() -> None:
    catalog = catalog_of(MemoryStorage())
    catalog.commit("p", "c", publish(0))
    done = catalog.commit("p", "c", publish(1, aliases=("best",)))
    assert done.state.aliases == {"best": 1}
    assert done.state == catalog.state("p", "c")


def test_names_in_capitals_and_of_devices_are_collections_of_their_own() -> None:
    catalog = catalog_of(MemoryStorage())
    for name in ("mnist", "Mnist", "con", "a.b"):
        catalog.commit("Vision", name, publish(1))
    catalog.commit("audio", "x", publish(1))
    assert catalog.projects() == ["Vision", "audio"]
    assert catalog.collections("Vision") == ["con", "Mnist", "a.b", "mnist"]
    assert catalog.collections("nowhere") == []


def test_what_is_no_collection_is_not_listed() -> None:
    storage = MemoryStorage()
    for part in ("!!x", "!1", "!"):
        storage.create(f"collections/p/{part}/000000000000", b"?")
    assert catalog_of(storage).collections("p") == []


def test_a_collection_that_is_not_there_is_answered_with_close_names() -> None:
    catalog = catalog_of(MemoryStorage())
    catalog.commit("p", "mnist", publish(1))
    with pytest.raises(NotFoundError) as caught:
        catalog.state("p", "mnits")
    assert caught.value.code == "collection-not-found"
    assert caught.value.hint == "did you mean mnist?"
    assert catalog.state_or_none("p", "mnits") is None
    with pytest.raises(NotFoundError):
        catalog.history("p", "mnits")
    with pytest.raises(NotFoundError):
        catalog.commit("p", "mnits", DeleteRequest(0))


def test_names_are_checked_before_they_become_keys() -> None:
    catalog = catalog_of(MemoryStorage())
    for project, name in (("..", "c"), ("p", "../c"), ("p", "")):
        with pytest.raises(InvalidInputError):
            catalog.state(project, name)


def test_garbage_at_zero_does_not_keep_a_name_from_being_used() -> None:
    storage = MemoryStorage()
    storage.create(entry_key(PREFIX, 0), b"torn")
    catalog = catalog_of(storage)
    assert catalog.state_or_none("p", "c") is None
    with pytest.raises(DamagedDataError):
        catalog.state("p", "c")
    assert catalog.commit("p", "c", publish(1)).n == 2
    state = catalog.state("p", "c")
    assert (state.resolve().version, [w.n for w in state.warnings]) == (0, [0])


def test_a_push_behind_a_damaged_entry_is_published_even_if_nothing_newer_is_known() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    catalog.commit("p", "c", publish(2))
    LogWriter().continue_from(storage).damage(2)
    again = catalog_of(storage).commit("p", "c", publish(1, push="f" * 16))
    assert (again.outcome, again.n) == (Published(2), 3)
    state = catalog_of(storage).state("p", "c")
    assert (state.resolve().version, list(state.versions)) == (2, [0, 2])


def test_a_collection_whose_first_entry_is_damaged_is_damaged_and_not_missing() -> None:
    storage = MemoryStorage()
    catalog_of(storage).commit("p", "c", publish(1))
    LogWriter().continue_from(storage).damage(0)
    catalog = catalog_of(storage)
    for action in (
        lambda: catalog.state("p", "c"),
        lambda: catalog.begin_push("p", "c"),
        lambda: catalog.commit("p", "c", publish(2)),
    ):
        with pytest.raises(DamagedDataError) as caught:
            action()
        assert caught.value.code == "log-entry-damaged"


def test_no_history_shows_the_check_of_an_entry(tmp_path) -> None:
    from artstore.catalog.replica import Replica

    storage = MemoryStorage()
    for _ in range(2):
        catalog = catalog_of(storage, Replica(tmp_path / "r"))
        catalog.commit("p", "c", publish(1))
        history = catalog.history("p", "c")
        assert all("check" not in entry.fields for entry in history if isinstance(entry, LogEntry))


def test_same_content_writes_nothing_but_new_aliases_and_tags() -> None:
    catalog = catalog_of(MemoryStorage())
    catalog.commit("p", "c", publish(1))
    again = publish(1, push="f" * 16)
    assert catalog.commit("p", "c", again).n is None
    labelled = catalog.commit("p", "c", publish(1, push="e" * 16, aliases=("a",), tags=("t",)))
    assert (labelled.outcome, labelled.n) == (Unchanged(0), 3)
    version = labelled.state.versions[0]
    assert (version.aliases, version.tags) == (("a",), ("t",))


def test_history_shows_entries_as_they_were_taken() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    writer = LogWriter().continue_from(storage)
    writer.add_raw(b"garbage")
    data = json.loads(writer.entry("delete", version=0))
    writer.add_raw(resealed(data | {"kind": "merge"}))
    storage.create(entry_key(PREFIX, 7), b"behind a hole")
    history = catalog.history("p", "c")
    assert [(entry.n, type(entry)) for entry in history] == [
        (0, LogEntry),
        (1, LogEntry),
        (2, VoidEntry),
        (3, UnknownEntry),
        (7, VoidEntry),
    ]
    assert [raw.n for raw in catalog.raw_entries("p", "c")] == [0, 1, 2, 3, 7]


def test_an_unknown_required_kind_stops_readers_and_writers_but_not_a_check() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    writer = LogWriter().continue_from(storage)
    data = json.loads(writer.entry("delete", version=0))
    writer.add_raw(resealed(data | {"kind": "merge"}))
    actions: list[Any] = [
        lambda: catalog.state("p", "c"),
        lambda: catalog.state_or_none("p", "c"),
        lambda: catalog.begin_push("p", "c"),
        lambda: catalog.commit("p", "c", publish(2)),
    ]
    for action in actions:
        with pytest.raises(UnsupportedFormatError) as caught:
            action()
        assert caught.value.exit_status == 9
    assert catalog.damaged_state("p", "c").unknown[0].kind == "merge"
    catalog.commit("p", "other", publish(2))


def test_a_hole_is_read_with_a_warning_and_never_filled() -> None:
    storage = MemoryStorage()
    for i in range(4):
        catalog_of(storage).commit("p", "c", publish(i))
    storage.delete([entry_key(PREFIX, 3)])
    catalog = catalog_of(storage)
    state = catalog.state("p", "c")
    assert (state.resolve().version, state.warnings[0].code) == (3, "log-hole")
    with pytest.raises(DamagedDataError) as caught:
        catalog.commit("p", "c", publish(9))
    assert (caught.value.code, caught.value.exit_status) == ("log-hole", 8)
    with pytest.raises(DamagedDataError):
        catalog.begin_push("p", "c")
    with pytest.raises(NotFoundError):
        storage.read(entry_key(PREFIX, 3))


# --- Renamed collections ------------------------------------------------------------------


def renamed(storage: MemoryStorage, target: str = "c") -> None:
    LogWriter(storage, "collections/p/new/").add("redirect", project="p", name=target)


def test_a_renamed_collection_is_read_and_written_under_both_names() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    renamed(storage)
    LogWriter().continue_from(storage)
    assert catalog.state("p", "new").versions == catalog.state("p", "c").versions
    _, start = catalog_of(storage).begin_push("p", "new")
    assert catalog_of(storage).commit("p", "new", publish(2), start=start).n == 2
    assert catalog.state("p", "c").highest == 1
    assert len(catalog.history("p", "new")) == 3


def test_a_redirect_to_nothing_or_to_a_redirect_is_damage() -> None:
    storage = MemoryStorage()
    renamed(storage, "nothing")
    LogWriter(storage, "collections/p/second/").add("redirect", project="p", name="new")
    for name in ("new", "second"):
        with pytest.raises(DamagedDataError) as caught:
            catalog_of(storage).state("p", name)
        assert caught.value.code == "collection-redirected"


# --- Budgets --------------------------------------------------------------------------------


def test_a_push_with_nothing_new_costs_one_scan(tmp_path) -> None:
    from artstore.catalog.replica import Replica

    storage = MemoryStorage()
    catalog_of(storage, Replica(tmp_path / "r")).commit("p", "c", publish(1))
    metered = MeteredStorage(storage)
    catalog = catalog_of(metered, Replica(tmp_path / "r"))
    state, start = catalog.begin_push("p", "c")
    again = publish(1, push="f" * 16)
    assert catalog.commit("p", "c", again, start=start).outcome == Unchanged(0)
    assert requests_of(metered) == {"scan": 1}
    assert state.highest == 0


def test_a_push_to_a_known_collection_costs_one_scan_and_one_create() -> None:
    storage = MemoryStorage()
    catalog_of(storage).commit("p", "c", publish(1))
    catalog = catalog_of(metered := MeteredStorage(storage))
    catalog.state("p", "c")
    before = metered.snapshot()
    _, start = catalog.begin_push("p", "c")
    catalog.commit("p", "c", publish(2), start=start)
    after = metered.snapshot()
    made = {name: (after[name] - before[name]).items for name in after}
    assert {name: count for name, count in made.items() if count} == {"scan": 1, "create": 1}


def test_a_commit_after_begin_push_does_not_list_again() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    _, start = catalog.begin_push("p", "c")
    metered = MeteredStorage(storage)
    catalog._storage = metered
    catalog.commit("p", "c", publish(2), start=start)
    assert requests_of(metered) == {"create": 1}


def test_a_lost_race_costs_a_create_a_scan_and_a_read() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    _, start = catalog.begin_push("p", "c")
    catalog_of(storage).commit("p", "c", publish(2))
    catalog._storage = metered = MeteredStorage(storage)
    done = catalog.commit("p", "c", publish(3), start=start)
    assert (done.outcome, done.n) == (Published(2), 3)
    assert requests_of(metered) == {"create": 2, "scan": 1, "read": 1}


def test_a_writer_that_slept_catches_up_by_one_scan() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    _, start = catalog.begin_push("p", "c")
    for i in range(2, 102):
        catalog_of(storage).commit("p", "c", publish(i))
    catalog._storage = metered = MeteredStorage(storage)
    done = catalog.commit("p", "c", publish(500), start=start)
    assert done.outcome == Published(101)
    assert requests_of(metered)["create"] == 2
    assert requests_of(metered)["scan"] == 1


class RivalStorage(MemoryStorage):
    """Somebody else is first, so many times."""

    rivals = 0

    def create(self, key, value):
        if self.rivals and "/c/" in key:
            self.rivals -= 1
            catalog_of(self.plain()).commit("p", "c", publish(1_000 + self.rivals))
        super().create(key, value)

    def plain(self) -> MemoryStorage:
        """The same values, without a rival."""
        plain = MemoryStorage()
        plain.__dict__ = self.__dict__ | {"rivals": 0}
        return plain


def test_who_loses_again_and_again_waits_no_longer_than_before() -> None:
    storage = RivalStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    storage.rivals = 50
    with clock.use(FixedClock()) as fixed:
        assert catalog.commit("p", "c", publish(2)).outcome == Published(51)
    assert isinstance(fixed, FixedClock)
    # With waits that grow, whoever has just won would win again, and the loser starve.
    assert len(fixed.slept) == 50
    assert max(fixed.slept) <= 0.005


# --- Races and lost answers -------------------------------------------------------------------


def run_together(*actions: Any) -> list[BaseException]:
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(actions))

    def run(action: Any) -> None:
        barrier.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("is_shared", [True, False])
def test_threads_that_push_at_once_lose_no_version(is_shared: bool) -> None:
    storage = MemoryStorage()
    shared = catalog_of(storage)
    made: list[int] = []

    def push(worker: int) -> None:
        catalog = shared if is_shared else catalog_of(storage)
        for k in range(25):
            outcome = catalog.commit("p", "c", publish(1 + 100 * worker + k)).outcome
            assert isinstance(outcome, Published)
            made.append(outcome.version)

    assert run_together(*(lambda w=w: push(w) for w in range(4))) == []
    state = catalog_of(storage).state("p", "c")
    assert sorted(made) == list(state.versions) == list(range(100))
    assert (state.warnings, state.head_n) == ((), 100)


def test_equal_content_pushed_at_once_makes_one_version() -> None:
    storage = MemoryStorage()
    outcomes = []

    def push(worker: int) -> None:
        request = publish(7, push=f"{worker:016x}")
        outcomes.append(catalog_of(storage).commit("p", "c", request).outcome)

    assert run_together(*(lambda w=w: push(w) for w in range(6))) == []
    assert sorted(map(repr, outcomes)) == sorted(map(repr, [Published(0)] + 5 * [Unchanged(0)]))


def test_a_rule_that_held_before_the_race_is_checked_again_after_it() -> None:
    storage = MemoryStorage()
    catalog = catalog_of(storage)
    catalog.commit("p", "c", publish(1))
    _, start = catalog.begin_push("p", "c")
    catalog_of(storage).commit("p", "c", AliasRequest(0, add=("best",)))
    with pytest.raises(ArtstoreError) as caught:
        catalog.commit("p", "c", DeleteRequest(0), start=start)
    assert caught.value.code == "version-aliased"


@pytest.mark.parametrize("lost", range(4))
def test_a_lost_answer_makes_no_second_version(lost: int) -> None:
    storage = MemoryStorage()
    faulty = FaultyStorage(storage, FaultPlan(lose_answer_at=frozenset([lost])))
    catalog = catalog_of(faulty)
    for i in range(3):
        assert catalog.commit("p", "c", publish(i)).outcome == Published(i)
    assert list(catalog_of(storage).state("p", "c").versions) == [0, 1, 2]


def test_a_push_repeated_after_a_lost_process_finds_its_version() -> None:
    storage = MemoryStorage()
    catalog_of(storage).commit("p", "c", publish(1))
    catalog_of(storage).commit("p", "c", publish(2))
    # The journal knows the push of v0, but not whether it was answered.
    again = publish(1, push="f" * 16, earlier_pushes=frozenset([f"{1:016x}"]))
    done = catalog_of(storage).commit("p", "c", again)
    assert (done.outcome, done.n) == (Published(0, is_repeated=True), None)


def test_a_process_that_dies_anywhere_leaves_a_log_that_can_be_continued() -> None:
    def work(storage: Any) -> None:
        catalog = catalog_of(storage)
        catalog.commit("p", "c", publish(1, aliases=("best",)))
        catalog.commit("p", "c", publish(2, tags=("t",)))
        catalog.commit("p", "c", TagRequest(0, add=("old",)))
        catalog.commit("p", "c", DeleteRequest(1))

    expected = MemoryStorage()
    work(expected)
    goal = catalog_of(expected).state("p", "c")
    for crash in crash_sweep(MemoryStorage, work):
        state = catalog_of(crash.storage).damaged_state("p", "c")
        assert state.warnings == ()
        work(crash.storage)
        after = catalog_of(crash.storage).state("p", "c")
        assert [v.digest for v in after.versions.values()] == [
            v.digest for v in goal.versions.values()
        ]
        assert (after.aliases, after.tags) == (goal.aliases, goal.tags)


def test_create_makes_an_empty_collection_once() -> None:
    catalog = catalog_of(MemoryStorage())
    assert catalog.commit("p", "c", CreateRequest("model")).outcome == Applied()
    assert catalog.commit("p", "c", CreateRequest("model")).n is None
    assert catalog.state("p", "c").latest is None

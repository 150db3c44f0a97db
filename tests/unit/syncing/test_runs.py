"""Runs go over with what lies beside them, their versions, and what was edited in the target."""

from __future__ import annotations

import pytest

from artstore import clock
from artstore.api import Store
from artstore.catalog.runs.format import object_key
from artstore.catalog.runs.state import current_state
from artstore.errors import NotFoundError
from artstore.lineage.records import RunName, VersionName
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage, Value
from tests.trees import keys_of, open_at, problems_of
from tests.unit.syncing.runs import BEGAN, SESSION, edges, end, log_of, put_segment, start, train
from tests.unit.syncing.stores import brought, log_files, opened, quiet, sync
from tests.unit.upkeep.runs import record_run


@pytest.fixture
def a() -> Store:
    return opened("a")


@pytest.fixture
def b() -> Store:
    return opened("b")


def test_a_run_goes_over_whole_and_a_second_sync_writes_nothing(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    report = sync(a, b)
    assert brought(report) == ["p/ds:v0", "p/model:v0"]
    assert [(run.run_id, run.target_id) for run in report.new_runs] == [("one", "one")]
    here, there = a.run("one"), b.run("one")
    assert there.state == "finished"
    assert (there.config, there.summary) == ({"lr": 0.1}, {"loss": 0.5})
    assert there.history_table().equals(here.history_table())
    assert there.media("media/ab.png") == b"picture"
    assert there.whole["created"] == here.whole["created"]
    assert b.artifact("model").made_by == "p/one"
    assert edges(b, "model") == edges(a, "model")
    assert edges(b, "ds") == edges(a, "ds")
    assert problems_of(b) == []
    quiet(a, b)
    quiet(b, a)


def test_versions_of_a_run_have_the_numbers_of_the_target(a: Store, b: Store) -> None:
    log_files(b, "ds", {"x": b"own"})
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    assert brought(sync(a, b)) == ["p/ds:v0 as v1", "p/model:v0"]
    assert edges(b, "model") == {
        (kind, one.replace("ds:v0", "ds:v1"), other) for kind, one, other in edges(a, "model")
    }
    assert edges(b, "ds:v0") == set()
    quiet(a, b)


def test_with_a_run_come_its_versions_and_no_others(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    log_files(a, "ds", {"x": b"1"})
    log_files(a, "other", {"x": b"0"})
    train(a, "one", "ds:v1", "model")
    train(a, "two", "ds:v1", "model")
    report = sync(a, b, ["run:one"])
    assert brought(report) == ["p/ds:v1", "p/model:v0"]
    assert [run.run_id for run in report.new_runs] == ["one"]
    with pytest.raises(NotFoundError):
        sync(a, b, ["run:three"])


def test_a_run_that_goes_on_is_brought_further(a: Store, b: Store) -> None:
    start(a, "one", config={"lr": 0.1})
    sync(a, b)
    assert b.run("one").state == "running"
    quiet(a, b)
    segment = put_segment(a, "one", 0, 3)
    log_of(a, "one").append(
        lambda _: (
            "update",
            {
                "session": SESSION,
                "next_by": "2026-01-01T00:00:00Z",
                "changes": {"segments": {"history": {SESSION: [segment]}}},
            },
        )
    )
    sync(a, b)
    # In its own store it is not heard of any more.
    assert a.run("one").state == b.run("one").state == "crashed"
    assert b.run("one").history_table().num_rows == 3
    end(a, "one", summary={"done": True})
    assert len(sync(a, b).new_runs) == 1
    assert b.run("one").state == "finished"
    assert b.run("one").summary == {"done": True}
    quiet(a, b)


def test_a_running_run_is_not_taken_for_dead_in_the_target_for_a_day(a: Store, b: Store) -> None:
    start(a, "one")
    sync(a, b)
    whole = b.run("one").whole
    late = clock.now_seconds() + 23 * 3600
    assert current_state(whole, late) == "running"
    assert current_state(whole, late + 2 * 3600) == "crashed"


def test_what_was_edited_in_the_target_stays_on_top(a: Store, b: Store) -> None:
    start(a, "one", config={"lr": 0.1, "depth": 2}, tags=["x"])
    sync(a, b)
    b.run("one").edit(name="mine", config={"lr": 1.0})
    quiet(a, b)
    end(a, "one", summary={"loss": 1}, config={"depth": 3})
    sync(a, b)
    there = b.run("one")
    assert there.whole["name"] == "mine"
    assert there.config == {"lr": 1.0, "depth": 3}
    assert there.summary == {"loss": 1}
    assert there.whole["tags"] == ["x"]
    quiet(a, b)
    b.run("one").delete()
    a.run("one").edit(notes="late")
    sync(a, b)
    assert b.run("one").state == "deleted"
    assert b.run("one").whole["notes"] == "late"


def test_another_run_of_that_id_gets_the_next_one(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    train(a, "baseline", "ds:v0", "model")
    end(b, "baseline", name="own")
    report = sync(a, b)
    assert [(run.run_id, run.target_id) for run in report.new_runs] == [("baseline", "baseline-2")]
    assert b.run("baseline").whole["name"] == "own"
    there = b.run("baseline-2")
    assert there.history_table().num_rows == 5
    assert there.media("media/ab.png") == b"picture"
    assert b.artifact("model").made_by == "p/baseline-2"
    assert edges(b, "model") == {
        (kind, one.replace("baseline", "baseline-2"), other.replace("baseline", "baseline-2"))
        for kind, one, other in edges(a, "model")
    }
    quiet(a, b)
    a.run("baseline").edit(notes="n")
    sync(a, b)
    assert b.run("baseline-2").whole["notes"] == "n"


def test_a_run_that_goes_on_in_the_target_is_left_alone(a: Store, b: Store) -> None:
    start(a, "one")
    sync(a, b)
    log_of(b, "one").append(
        lambda _: (
            "start",
            {
                "session": "f" * 16,
                "is_primary": True,
                "started": "2026-02-01T00:00:00Z",
                "next_by": "2999-01-01T00:00:00Z",
                "changes": {"config": {"own": 1}},
            },
        )
    )
    end(a, "one")
    report = sync(a, b)
    assert "goes on in the target" in report.warnings[0]
    assert report.new_runs == ()
    assert b.run("one").state == "running"


def test_deleted_runs_are_not_brought(a: Store, b: Store) -> None:
    end(a, "one")
    a.run("one").delete()
    assert sync(a, b).runs == ()


def test_a_version_that_is_gone_is_told_as_one_of_the_other_store(a: Store, b: Store) -> None:
    log_files(b, "ds", {"x": b"own"})
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    a.delete("ds:v0")
    sync(a, b)
    used = b.run("one").whole["used"][0]
    assert (used["version"], used["store"]) == (0, a.id)
    graph = b.lineage("model:v0", direction="up")
    names = {edge.before for edge in graph.edges}
    assert VersionName("p", "ds", 0, a.id) in names
    assert RunName("p", "one") in names
    assert VersionName("p", "ds", 0) not in names
    quiet(a, b)


def test_a_state_larger_than_an_entry_travels_in_parts(a: Store, b: Store) -> None:
    text = "x" * 300_000
    start(a, "one", config={"a": text})
    for key in "bcdef":
        log_of(a, "one").append(
            lambda _, key=key: (
                "update",
                {"session": SESSION, "next_by": BEGAN, "changes": {"config": {key: text}}},
            )
        )
    end(a, "one", summary={"s": 1}, segments={"history": {SESSION: [put_segment(a, "one", 0, 2)]}})
    assert sync(a, b).problems == ()
    there = b.run("one")
    assert sorted(there.config) == [*"abcdef"]
    assert there.state == "finished"
    assert there.history_table().num_rows == 2
    quiet(a, b)
    a.run("one").edit(notes="more")
    sync(a, b)
    assert b.run("one").whole["notes"] == "more"


def test_three_stores_in_a_ring_come_to_rest(a: Store, b: Store) -> None:
    c = opened("c")
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    start(b, "other")
    stores = [a, b, c]
    for _ in range(2):
        for source, target in zip(stores, [*stores[1:], a], strict=True):
            sync(source, target)
    for source in stores:
        for target in stores:
            if source is not target:
                quiet(source, target)
        assert {run.id for run in source.runs()} == {"one", "other"}
        assert edges(source, "model") == edges(a, "model")


def test_a_merge_of_two_that_share_a_run_takes_the_newer_state(a: Store, b: Store) -> None:
    c = opened("c")
    start(a, "one")
    sync(a, b)
    end(a, "one")
    sync(a, c)
    assert c.run("one").state == "finished"
    quiet(b, c)
    assert c.run("one").state == "finished"


def test_a_trial_tells_what_would_be_brought(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    keys = keys_of(b._storage)
    report = sync(a, b, dry_run=True)
    assert brought(report) == ["p/ds:v0", "p/model:v0"]
    assert [run.run_id for run in report.new_runs] == ["one"]
    assert keys_of(b._storage) == keys


def test_a_segment_that_is_gone_is_named_and_other_runs_go_on(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    end(a, "two")
    a._storage.delete([object_key("p", "one", "history", f"{SESSION}-000000.parquet")])
    report = sync(a, b)
    assert [(one.name, one.code) for one in report.problems] == [("run:p/one", "key-not-found")]
    assert [run.run_id for run in report.new_runs] == ["two"]


def test_a_version_that_comes_later_is_named_by_the_run_then(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    a.delete("ds:v0")
    sync(a, b)
    quiet(a, b)
    a.restore("ds:v0")
    log_files(b, "ds", {"x": b"own"})
    sync(a, b)
    assert b.run("one").whole["used"][0]["version"] == 1
    assert "store" not in b.run("one").whole["used"][0]
    assert ("used", "p/ds:v1", "p/one") in edges(b, "model")
    quiet(a, b)


def test_an_id_that_is_taken_while_the_sync_runs_is_left_to_who_has_it(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    train(a, "one", "ds:v0", "model")
    taken = False

    def take(_: object) -> None:
        nonlocal taken
        if not taken:
            taken = True
            end(b, "one", name="own")

    report = sync(a, b, on_progress=take)
    assert taken
    assert [(run.run_id, run.target_id) for run in report.new_runs] == [("one", "one-2")]
    assert b.run("one").whole["name"] == "own"
    keys = keys_of(b._storage, "runs/p/one/")
    assert len(keys) == 1
    quiet(a, b)


def test_a_sync_that_was_overtaken_does_not_bring_the_older_state_back(a: Store, b: Store) -> None:
    start(a, "one", segments={"history": {SESSION: [put_segment(a, "one", 0, 2)]}})
    storage = b._guarded_storage()

    class Overtaken(PassingStorage):
        """While the run is on its way it ends, and another machine brings all of it."""

        is_done = False

        @property
        def inner(self) -> Storage:
            return storage

        def create(self, key: str, value: Value) -> None:
            if key.startswith("runs/p/one/0") and not self.is_done:
                self.is_done = True
                end(a, "one", segments={"history": {SESSION: [put_segment(a, "one", 1, 5)]}})
                again = open_at(a.url, a._storage, project="p")
                sync(again, open_at(b.url, storage, project="p"))
            self.inner.create(key, value)

    slow = open_at(b.url, Overtaken(), project="p")
    sync(a, slow)
    found = open_at(b.url, storage, project="p").run("one")
    assert found.state == "finished"
    assert found.history_table().num_rows == 5
    assert log_of(b, "one").state.n == 0


@pytest.mark.parametrize("which", ["history", "console", "media"])
def test_what_is_damaged_is_named_and_brought_once_it_is_mended(
    a: Store, b: Store, which: str
) -> None:
    record_run(a, "one")
    storage = a._guarded_storage()
    key = next(key for key in keys_of(storage, "runs/p/one/") if f"/{which}/" in key)
    sound = storage.read(key)
    storage.delete([key])
    storage.create(key, bytes([sound[0] ^ 1]) + sound[1:])
    (problem,) = sync(a, b).problems
    assert (problem.name, problem.code) == ("run:p/one", "history-damaged")
    assert key in problem.message
    with pytest.raises(NotFoundError):
        b.run("one")
    storage.delete([key])
    storage.create(key, sound)
    assert sync(a, b).problems == ()
    assert b._guarded_storage().read(key) == sound
    assert problems_of(b) == []
    quiet(a, b)

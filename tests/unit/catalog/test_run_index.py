"""
What a machine remembers of the runs of a store, and how it learns what is new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from artstore import clock
from artstore.catalog.runs import activity
from artstore.catalog.runs.index import RunIndex
from artstore.catalog.runs.runlog import RunLog
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.unit.catalog.test_run_logs import (
    BEGAN,
    SESSION,
    FixedClock,
    end,
    start,
    update,
    write,
)

NOW = 1_893_000_000.0
"""A while before what the entries of these tests promise as the next."""


def index_of(storage: Any, directory: Path | None) -> RunIndex:
    file = None if directory is None else RunIndex.file_in(directory)
    return RunIndex(storage, "s" * 32, file, "me@here")


def log_of(storage: Any, run_id: str) -> RunLog:
    return RunLog(storage, "demo", run_id, "me@here")


def told(index: RunIndex) -> dict[str, Any]:
    index.refresh("demo")
    return {whole["run"]: whole["config"] for whole in index.runs("demo")}


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "file" else None


@pytest.fixture(autouse=True)
def fixed() -> Any:
    with clock.use(FixedClock(NOW)) as fixed:
        yield fixed


def test_the_heads_of_all_projects_are_told_but_those_of_deleted_runs(place: Path | None) -> None:
    storage = MemoryStorage()
    write(log_of(storage, "a"), start(), update(), end())
    write(log_of(storage, "b"), start(config={"said": '"deleted":true', "deleted": True}))
    write(log_of(storage, "c"), start(), ("delete", {}))
    write(RunLog(storage, "other", "a", "me@here"), start())
    index = index_of(storage, place)
    assert index.all_heads() == {}
    for project in ("demo", "other"):
        index.refresh(project)
    assert index.all_heads() == {("demo", "a"): 2, ("demo", "b"): 0, ("other", "a"): 0}


def test_what_happens_after_is_learnt(place: Path | None, fixed: FixedClock) -> None:
    storage = MemoryStorage()
    index = index_of(storage, place)
    assert told(index) == {}
    one = log_of(storage, "one")
    write(one, start(config={"a": 1}))
    assert told(index) == {"one": {"a": 1}}
    write(one, update(config={"a": 2}))
    assert told(index) == {"one": {"a": 2}}
    write(one, end(config={"b": 3}))
    write(log_of(storage, "two"), start(), end())
    assert told(index) == {"one": {"a": 2, "b": 3}, "two": {}}
    fixed.seconds += 7200
    write(one, ("edit", {"changes": {"config": {"b": 4}}}))
    assert told(index) == {"one": {"a": 2, "b": 4}, "two": {}}
    assert told(index_of(storage, place)) == told(index)


def test_runs_that_ended_cost_no_request(tmp_path: Path, fixed: FixedClock) -> None:
    storage = MeteredStorage(MemoryStorage())
    for number in range(20):
        write(log_of(storage, f"r{number}"), start(), end(config={"n": number}))
    index = index_of(storage, tmp_path)
    assert len(told(index)) == 20
    fixed.seconds += 7200
    storage.reset()
    assert len(told(index_of(storage, tmp_path))) == 20
    calls = {name: count.calls for name, count in storage.snapshot().items() if count.calls}
    assert calls == {"scan": 1}


def test_a_run_that_goes_on_is_known_to_who_looks_once_a_week(
    place: Path | None, fixed: FixedClock
) -> None:
    storage = MemoryStorage()
    index = index_of(storage, place)
    log = log_of(storage, "long")
    soon = clock.format_time(fixed.seconds + 60)
    fields = {"session": SESSION, "is_primary": True, "started": BEGAN, "changes": {}}
    write(log, ("start", {**fields, "next_by": soon}))
    assert told(index) == {"long": {}}
    fixed.seconds += 7 * 24 * 3600
    # Without a marker: an update has none.
    write(log, update(config={"x": 1}))
    assert told(index) == {"long": {"x": 1}}


def test_a_marker_before_its_entry_is_looked_at_again(
    place: Path | None, fixed: FixedClock
) -> None:

    storage = MemoryStorage()
    index = index_of(storage, place)
    activity.announce(storage, "demo", "late", 0, fixed.seconds)
    assert told(index) == {}
    fixed.seconds += 3 * 3600
    write(log_of(storage, "other"), start(), end())
    assert told(index) == {"other": {}}
    storage_log = log_of(storage, "late")
    write(storage_log, update(config={"x": 1}))  # an entry without a marker of its own
    assert told(index) == {"late": {"x": 1}, "other": {}}


def test_edges_are_found_from_both_ends(place: Path | None) -> None:
    storage = MemoryStorage()
    used = {"artifact": "demo/digits", "version": 3, "as": None}
    logged = {"artifact": "demo/model", "version": 0, "type": "model"}
    write(log_of(storage, "one"), start(used=[used]), end(logged=[logged]))
    write(log_of(storage, "two"), start(used=[used]), end())
    index = index_of(storage, place)
    index.refresh("demo")
    of_version = index.edges_of_versions([("demo/digits", 3), ("demo/model", 0), ("no", 1)])
    assert [(edge.direction, edge.run_id) for edge in of_version] == [
        ("used", "one"),
        ("used", "two"),
        ("logged", "one"),
    ]
    of_run = index.edges_of_runs([("demo", "one")])
    assert {(edge.direction, edge.artifact, edge.version) for edge in of_run} == {
        ("used", "demo/digits", 3),
        ("logged", "demo/model", 0),
    }
    assert of_run[0].detail == used
    assert len(index.all_edges()) == 3


def test_edges_do_not_double_when_a_run_goes_on(place: Path | None) -> None:
    storage = MemoryStorage()
    index = index_of(storage, place)
    log = log_of(storage, "one")
    used = {"artifact": "demo/digits", "version": 3}
    write(log, start(used=[used]))
    told(index)
    write(log, update(used=[used, {"artifact": "demo/digits", "version": 4}]))
    told(index)
    assert len(index.all_edges()) == 2


def test_a_file_that_cannot_be_used_is_done_without(tmp_path: Path) -> None:
    storage = MemoryStorage()
    write(log_of(storage, "one"), start(config={"a": 1}), end())
    in_the_way = RunIndex.file_in(tmp_path)
    in_the_way.mkdir()
    index = index_of(storage, tmp_path)
    assert told(index) == {"one": {"a": 1}}
    assert index.run("demo", "one") is not None
    assert index.run("demo", "none") is None


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    storage = MemoryStorage()
    write(log_of(storage, "one"), start(config={"a": 1}), end())
    RunIndex.file_in(tmp_path).write_bytes(b"garbage" * 1000)
    assert told(index_of(storage, tmp_path)) == {"one": {"a": 1}}


def test_an_older_state_never_replaces_a_newer(place: Path | None) -> None:
    storage = MemoryStorage()
    log = log_of(storage, "one")
    old = write(log, start(config={"a": 1}))
    new = write(log, update(config={"a": 2}))
    index = index_of(storage, place)
    index.accept("demo", "one", new)
    index.accept("demo", "one", old)
    found = index.run("demo", "one")
    assert found is not None
    assert found.whole["config"] == {"a": 2}
    assert index.refresh_run("demo", "one").n == 1

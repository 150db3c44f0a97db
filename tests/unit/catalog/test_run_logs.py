"""
The log of a run: what is folded from it, who may write at once, what damage costs.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import clock
from artstore.catalog.format import Body, encode_entry
from artstore.catalog.runs import activity
from artstore.catalog.runs.changes import CHANGES_MAX_BYTES, cut_large, split_changes
from artstore.catalog.runs.format import RUN_KINDS, check_run_id, object_key, run_prefix
from artstore.catalog.runs.runlog import RunLog, RunState
from artstore.catalog.runs.state import applied, current_state, empty_whole
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.storage.memory import MemoryStorage

SESSION = "0123456789abcdef"
LATER = "2030-01-01T00:00:00Z"
BEGAN = "2026-01-01T00:00:00Z"


def opened(storage: MemoryStorage, run_id: str = "r1") -> RunLog:
    return RunLog(storage, "demo", run_id, "me@here")


def start(session: str = SESSION, **changes: Any) -> Body:
    fields = {"session": session, "is_primary": True, "started": BEGAN, "next_by": LATER}
    return ("start", {**fields, "changes": changes})


def update(session: str = SESSION, **changes: Any) -> Body:
    return ("update", {"session": session, "next_by": LATER, "changes": changes})


def end(session: str = SESSION, state: str = "finished", **changes: Any) -> Body:
    fields = {"session": session, "is_primary": True, "started": BEGAN, "ended": LATER}
    return ("end", {**fields, "state": state, "exit_code": 0, "changes": changes})


def write(log: RunLog, *bodies: Body) -> RunState:
    for body in bodies:
        log.append(lambda _, body=body: body)
    return log.state


def test_what_is_written_is_read_by_another() -> None:
    storage = MemoryStorage()
    written = write(
        opened(storage),
        start(name="first", config={"lr": 0.1, "depth": 2}, tags=["b", "a"]),
        update(summary={"loss": 0.5}, used=[{"artifact": "demo/digits", "version": 3}]),
        update(summary={"loss": 0.25}, config={"lr": 0.2}, config_removed=["depth"]),
    )
    found = opened(storage).refresh()
    assert found == written
    assert found.whole["config"] == {"lr": 0.2}
    assert found.whole["summary"] == {"loss": 0.25}
    assert found.whole["tags"] == ["a", "b"]
    assert found.whole["used"] == [{"artifact": "demo/digits", "version": 3}]
    assert current_state(found.whole, 0.0) == "running"


def test_sessions_of_one_second_stand_in_the_order_of_their_first_entries() -> None:
    first, second = "f" * 16, "0" * 16
    state = write(
        opened(MemoryStorage()),
        start(first),
        end(first, state="preempted"),
        start(second),
        end(second),
        # What another machine brings later of the first one.
        end(first, state="preempted"),
    )
    assert [session["id"] for session in state.whole["sessions"]] == [first, second]
    assert current_state(state.whole, 0.0) == "finished"


def test_the_end_states_the_whole() -> None:
    storage = MemoryStorage()
    log = opened(storage)
    write(log, start(config={"a": 1}), update(summary={"x": 1.5}), end(notes="done"))
    for n in (0, 1):
        storage.delete([f"{log.prefix}{n:012d}"])
    found = opened(storage).refresh()
    assert found.whole["config"] == {"a": 1}
    assert found.whole["summary"] == {"x": 1.5}
    assert found.whole["notes"] == "done"
    assert current_state(found.whole, 0.0) == "finished"
    assert [warning.code for warning in found.warnings] == ["log-hole"]


def test_a_whole_too_large_for_one_entry_is_folded_from_all() -> None:
    storage = MemoryStorage()
    log = opened(storage)
    big = "x" * 400_000
    write(
        log, start(config={"a": big}), update(config={"b": big}), update(config={"c": big}), end()
    )
    found = opened(storage).refresh()
    assert set(found.whole["config"]) == {"a", "b", "c"}
    assert current_state(found.whole, 0.0) == "finished"


def test_a_run_that_is_not_heard_of_has_crashed_and_may_go_on() -> None:
    storage = MemoryStorage()
    log = opened(storage)
    write(log, start())
    heard_until = 1_893_456_000.0  # LATER
    assert current_state(log.state.whole, heard_until + 100) == "running"
    assert current_state(log.state.whole, heard_until + 121) == "crashed"
    write(log, ("end", {**end()[1], "state": "crashed", "exit_code": None}))
    assert current_state(log.state.whole, 0.0) == "crashed"
    again = start("fedcba9876543210")
    write(log, ("start", {**again[1], "started": "2026-02-01T00:00:00Z"}))
    assert current_state(log.state.whole, 0.0) == "running"
    assert [one["id"] for one in log.state.whole["sessions"]] == [SESSION, "fedcba9876543210"]


def test_many_who_write_at_once_lose_nothing() -> None:
    storage = MemoryStorage()
    count = 16
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        log = opened(storage)
        barrier.wait()
        session = f"{number:016x}"
        for step in range(5):
            write(log, update(session, config={f"{number}.{step}": step}))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = opened(storage).refresh()
    assert len(found.whole["config"]) == count * 5
    assert found.n == count * 5 - 1
    assert not found.warnings


def test_damage_costs_what_the_damaged_entry_said() -> None:
    storage = MemoryStorage()
    log = opened(storage)
    write(log, start(config={"a": 1}), update(config={"b": 2}), update(config={"c": 3}))
    key = f"{log.prefix}{1:012d}"
    data = bytearray(storage.read(key))
    data[len(data) // 2] ^= 4
    storage.delete([key])
    storage.create(key, bytes(data))
    reader = opened(storage)
    found = reader.refresh()
    assert found.whole["config"] == {"a": 1, "c": 3} or found.whole["config"] == {"a": 1}
    assert "log-void-entry" in [warning.code for warning in found.warnings]
    write(reader, update(config={"d": 4}))
    assert opened(storage).refresh().whole["config"]["d"] == 4


def test_what_follows_an_entry_that_was_damaged_later_counts() -> None:
    storage = MemoryStorage()
    log = opened(storage)
    write(log, start(config={"a": 1}), update(config={"b": 2}), update(config={"c": 3}), end())
    key = f"{log.prefix}{1:012d}"
    data = bytearray(storage.read(key))
    data[len(data) // 2] ^= 1
    storage.delete([key])
    storage.create(key, bytes(data))
    found = opened(storage).refresh()
    assert [warning.n for warning in found.warnings] == [1]
    assert current_state(found.whole, 0.0) == "finished"
    storage.delete([f"{log.prefix}{3:012d}"])
    found = opened(storage).refresh()
    assert found.whole["config"] == {"a": 1, "c": 3}


def test_a_newest_entry_that_was_put_back_is_read_again_by_who_saw_it_damaged() -> None:
    storage = MemoryStorage()
    log = opened(storage)
    write(log, start(config={"a": 1}), update(config={"b": 2}))
    key = f"{log.prefix}{1:012d}"
    sound = storage.read(key)
    storage.delete([key])
    storage.create(key, sound[:-1])
    reader = opened(storage)
    assert reader.refresh().whole["config"] == {"a": 1}
    storage.delete([key])
    storage.create(key, sound)
    found = reader.refresh()
    assert (found.whole["config"], found.warnings) == ({"a": 1, "b": 2}, ())


def test_an_entry_is_announced_before_it_is_written() -> None:
    storage = MemoryStorage()
    with clock.use(FixedClock(BEGAN_SECONDS)):
        write(opened(storage, "Upper-1"), start(), update(), end())
    markers = list(activity.read_markers(storage, "demo", 0))
    assert [(one.run_id, one.n) for one in markers] == [("Upper-1", 0), ("Upper-1", 2)]
    assert {one.seconds for one in markers} == {BEGAN_SECONDS}
    assert list(activity.read_markers(storage, "demo", BEGAN_SECONDS + 1)) == []
    assert len(list(activity.read_markers(storage, "demo", BEGAN_SECONDS))) == 2
    assert list(activity.projects_with_runs(storage)) == ["demo"]


BEGAN_SECONDS = 1_767_225_600.0


class FixedClock(clock.SystemClock):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now_seconds(self) -> float:
        return self.seconds


def test_large_changes_travel_in_parts() -> None:
    value = "v" * 100_000
    changes = {
        "config": {f"k{n}": value for n in range(12)},
        "used": [{"artifact": "p/a", "version": n} for n in range(3)],
        "name": "long",
    }
    parts = split_changes(changes)
    assert len(parts) > 2
    whole = empty_whole("demo", "r1")
    for part in parts:
        whole = applied(whole, part)
    assert whole == applied(empty_whole("demo", "r1"), changes)
    with pytest.raises(LimitExceededError, match="config 'huge'"):
        split_changes({"config": {"small": 1, "huge": "v" * 2_000_000}})


def test_what_no_entry_can_hold_is_cut_and_told() -> None:
    large = "é" * 400_000
    told: dict[str, int] = {}
    changes = {
        "config": {"lr": 0.1, "prompt": large},
        "environment": {"git": {"commit": "ab", "diff": large, "untracked": []}, "host": "lab"},
        "summary": {"rows": [0.5] * 300_000},
        "notes": large,
        "alerts": [{"title": "t", "text": large}],
        "tags": ["one"],
    }
    cut = cut_large(changes, told.__setitem__)
    assert sorted(told) == ["alerts", "config.prompt", "environment.git", "notes", "summary.rows"]
    assert min(told.values()) > CHANGES_MAX_BYTES
    assert cut["config"]["lr"] == 0.1
    assert cut["config"]["prompt"].startswith("é" * 60_000)
    assert "cut here, of 800,002 bytes" in cut["config"]["prompt"]
    assert cut["environment"]["git"]["commit"] == "ab"
    assert cut["environment"]["git"]["diff"].startswith("é")
    assert "left out" in cut["summary"]["rows"]
    assert cut["alerts"][0]["title"] == "t"
    # They are held now, and cut once.
    assert split_changes(cut)
    assert cut_large(cut, told.__delitem__) == cut
    assert cut_large({"config": {"a": 1}}, told.__delitem__) == {"config": {"a": 1}}


@pytest.mark.parametrize("text", ["a", "a.b", "A-1_x", "v" * 64])
def test_run_ids(text: str) -> None:
    assert check_run_id(text) == text
    assert object_key("p", text, "media", "x.png").startswith(run_prefix("p", text))


@pytest.mark.parametrize("text", ["", ".a", "a.", "a/b", "a b", "v" * 65, "a\n", "é", "a:b", "#"])
def test_what_is_no_run_id(text: str) -> None:
    with pytest.raises(InvalidInputError):
        check_run_id(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
_MEMBERS = [*empty_whole("p", "r"), "config_removed", "x"]


@given(st.lists(st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=4), max_size=4))
def test_whatever_stands_in_changes_gives_a_state(all_changes: list[dict[str, Any]]) -> None:
    usual = empty_whole("p", "r")
    whole = usual
    for changes in all_changes:
        whole = applied(whole, changes)
    assert whole.keys() == usual.keys()
    for name, value in usual.items():
        assert value is None or type(whole[name]) is type(value)
    assert whole["run"] == "r"
    assert not whole["deleted"]
    assert current_state(whole, 0.0) == "crashed"


@given(st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=6))
def test_whatever_is_stated_as_the_whole_gives_a_state(stated: dict[str, Any]) -> None:
    storage = MemoryStorage()
    body = ("edit", {"changes": {}, "run": "r1", "project": "demo"})
    log = opened(storage)
    # As a hostile writer would: the entry itself is sound.
    data = encode_entry(
        ("edit", {**body[1], "whole": {**stated, "run": "r1"}}),
        n=0,
        previous=bytes(32),
        write="0" * 16,
        time=BEGAN,
        by="x",
        kinds=RUN_KINDS,
    )
    storage.create(f"{log.prefix}{0:012d}", data)
    found = log.refresh()
    assert found.exists
    assert found.whole["project"] == "demo"
    assert type(current_state(found.whole, 0.0)) is str
    write(opened(storage), start(config={"k": 1}))

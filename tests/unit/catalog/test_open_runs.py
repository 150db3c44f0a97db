"""Runs that go on are asked for again and again: only what is new is read."""

from __future__ import annotations

from artstore import clock
from artstore.catalog.runs.index import RunIndex
from artstore.catalog.runs.runlog import RunLog
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage

SESSION = "0123456789abcdef"


def write(storage: MemoryStorage, kind: str, number: int) -> None:
    now = clock.format_time(clock.now_seconds())
    fields = {"session": SESSION, "changes": {"summary": {"step": number}}, "next_by": now}
    if kind == "start":
        fields |= {"is_primary": True, "started": now}
    RunLog(storage, "p", "r", "ada@lab").append(lambda _: (kind, fields))


def test_of_a_run_that_goes_on_only_new_entries_are_read_again() -> None:
    storage = MemoryStorage("open-runs")
    metered = MeteredStorage(storage)
    index = RunIndex(metered, "0" * 32, None, "ada@lab")
    write(storage, "start", 0)
    for number in range(1, 20):
        write(storage, "update", number)
    index.refresh("p")
    for number in range(20, 23):
        before = metered.snapshot()
        write(storage, "update", number)
        index.refresh("p")
        assert metered.since(before)["read"].items <= 2
        state = index.run("p", "r")
        assert state is not None
        assert state.whole["summary"] == {"step": number}


def test_one_run_is_read_from_where_it_was_known() -> None:
    storage = MemoryStorage("open-run")
    metered = MeteredStorage(storage)
    index = RunIndex(metered, "0" * 32, None, "ada@lab")
    write(storage, "start", 0)
    for number in range(1, 20):
        write(storage, "update", number)
    assert index.refresh_run("p", "r").whole["summary"] == {"step": 19}
    write(storage, "update", 20)
    before = metered.snapshot()
    assert index.refresh_run("p", "r").whole["summary"] == {"step": 20}
    assert metered.since(before)["read"].items <= 2

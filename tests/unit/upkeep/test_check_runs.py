"""Check of runs: each kind of value, each kind of damage, by its name and nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from artstore.api import Store
from artstore.catalog.runs.runlog import RunLog
from artstore.catalog.runs.survey import last_states, read_states, runs_in
from artstore.errors import CODES, DeniedError, InvalidInputError, NotFoundError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.protocol import KeyInfo, Span
from artstore.upkeep.check import Problem
from tests.trees import keys_of, open_at
from tests.unit.upkeep.runs import (
    LATER,
    PICTURES,
    SESSION,
    path_of,
    record_run,
    segment,
    values_of,
)

CODE_OF = {
    "log": "log-void-entry",
    "history": "history-damaged",
    "system": "history-damaged",
    "console": "run-console-damaged",
    "media": "run-media-damaged",
}


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def store(storage: MemoryStorage) -> Store:
    store = open_at("/nowhere/x", storage)
    store.create()
    return store


def replace_value(storage: MemoryStorage, key: str, data: bytes) -> None:
    storage.delete([key])
    storage.create(key, data)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def quick(store: Store) -> tuple[Problem, ...]:
    return store.check().problems


def full(store: Store) -> tuple[Problem, ...]:
    return store.check(read_data=1.0).problems


def test_sound_runs_have_no_problems_and_are_counted(store: Store, storage: MemoryStorage) -> None:
    record_run(store)
    record_run(store, "r2", has_digests=False)
    report = store.check(read_data=1.0)
    assert report.problems == ()
    assert report.checked_runs == 2
    beside = [info for info in storage.scan("runs/") if info.key.count("/") == 4]
    assert report.read_bytes == sum(info.size_bytes for info in beside)
    assert store.check().read_bytes == 0


@pytest.mark.parametrize("has_digests", [True, False])
def test_a_flipped_bit_is_told_of_the_value_that_has_it_and_of_nothing_else(
    store: Store, storage: MemoryStorage, *, has_digests: bool
) -> None:
    prefix = record_run(store, has_digests=has_digests)
    record_run(store, "r2")
    for kind, key in [*values_of(storage, prefix)]:
        data = storage.read(key)
        # Without a digest the form tells: the footer of Parquet, UTF-8.
        changed = flipped(data) if has_digests else data[:-12] + b"\xff" * 4 + data[-8:]
        replace_value(storage, key, changed)
        (problem,) = full(store)
        assert (problem.key, problem.code, problem.runs) == (key, CODE_OF[kind], ("p/r1",))
        found = quick(store)
        assert [one.key for one in found] == ([key] if kind == "log" else [])
        replace_value(storage, key, data)
    assert full(store) == ()


def test_a_value_that_was_cut_short_is_told_without_reading_it(
    store: Store, storage: MemoryStorage
) -> None:
    prefix = record_run(store)
    for kind, key in [*values_of(storage, prefix)]:
        data = storage.read(key)
        replace_value(storage, key, data[:-1])
        (problem,) = full(store)
        assert (problem.key, problem.code, problem.runs) == (key, CODE_OF[kind], ("p/r1",))
        # How long media are nobody says; their name says what they are.
        assert [one.key for one in quick(store)] == ([] if kind == "media" else [key])
        replace_value(storage, key, data)


def test_a_value_that_is_gone_is_told_with_who_names_it(
    store: Store, storage: MemoryStorage
) -> None:
    prefix = record_run(store)
    last = f"{prefix}{2:012d}"
    for kind, key in [*values_of(storage, prefix)]:
        if key == last:
            continue
        data = storage.read(key)
        storage.delete([key])
        (problem,) = full(store)
        assert (problem.key, problem.runs) == (key, ("p/r1",))
        assert problem.code == ("log-hole" if kind == "log" else "key-not-found")
        if kind == "media":
            is_last = key.endswith(path_of(PICTURES[-1]))
            assert ("summary" if is_last else "history/") in problem.message
            assert bool(quick(store)) == is_last
        else:
            assert quick(store) == (problem,)
        storage.create(key, data)


def test_the_newest_entry_and_a_whole_run_are_missed_by_who_has_seen_them(
    store: Store, storage: MemoryStorage
) -> None:
    prefix = record_run(store)
    record_run(store, "r2")
    last = f"{prefix}{2:012d}"
    assert len(store.runs("p")) == 2
    data = storage.read(last)
    storage.delete([last])
    (problem,) = quick(store)
    assert (problem.key, problem.code, problem.runs) == (last, "log-rolled-back", ("p/r1",))
    storage.create(last, data)
    storage.delete(keys_of(storage, prefix))
    (problem,) = quick(store)
    assert (problem.key, problem.code) == (last, "log-rolled-back")
    store.run("p/r2").delete()
    storage.delete(keys_of(storage, "runs/p/r2/"))
    assert [one.runs for one in quick(store)] == [("p/r1",)]


def test_what_nobody_names_is_no_damage(store: Store, storage: MemoryStorage) -> None:
    prefix = record_run(store)
    segment(storage, "r1", "history", b"cut short", number=7)
    storage.create(f"{prefix}media/ab.png", b"of no name")
    storage.create(f"{prefix}elsewhere", b"by hand")
    storage.create(f"runs/p/{'a' * 65}/000000000000", b"no run is called so")
    storage.create("runs/odd", b"odd")
    report = store.check(read_data=1.0)
    assert report.problems == ()
    assert report.checked_runs == 1


def test_a_log_may_not_have_values_of_others_read(store: Store, storage: MemoryStorage) -> None:
    prefix = record_run(store)
    other = record_run(store, "r2")
    log = RunLog(storage, "p", "r1", "eve@lab")
    log.refresh()
    hostile = [
        {"key": f"{other}000000000000", "bytes": 1},
        {"key": f"{prefix}history/../../r2/000000000001", "bytes": 1},
        {"key": f"{prefix}console/x.txt", "bytes": 1},
        {"key": 3},
        "text",
    ]
    changes = {"segments": {"history": {SESSION: hostile}, "odd": 3, "system": {SESSION: 4}}}
    log.append(lambda _: ("update", {"session": SESSION, "next_by": LATER, "changes": changes}))
    assert full(store) == ()


def test_what_came_and_went_since_the_scan_is_no_damage(
    store: Store, storage: MemoryStorage
) -> None:
    """A run that goes on writes its history anew, and gc takes what is not named any more."""
    prefix = record_run(store)

    class _Moving(MeteredStorage):
        def scan(self, prefix_: str, *, after: str = "") -> Iterator[KeyInfo]:
            listed = [*super().scan(prefix_, after=after)]
            if prefix_ == "runs/" and not moved:
                moved.append(1)
                listed = [info for info in listed if "/system/" not in info.key]
                data = storage.read(f"{prefix}history/{SESSION}-000000.parquet")
                anew = segment(storage, "r1", "history", data, number=1, rows=2)
                log = RunLog(storage, "p", "r1", "ada@lab")
                log.refresh()
                changes = {"segments": {"history": {SESSION: [anew]}}}
                body = {"session": SESSION, "next_by": LATER, "changes": changes}
                log.append(lambda _: ("update", body))
                storage.delete([f"{prefix}history/{SESSION}-000000.parquet"])
            return iter(listed)

    moved: list[int] = []
    report = open_at("/nowhere/x", _Moving(storage)).check(read_data=1.0)
    assert moved
    assert report.problems == ()


def test_a_part_of_the_data_is_a_part_of_what_runs_wrote(
    store: Store, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore import clock

    record_run(store)
    fractions = iter([0.2, 0.8, 0.8, 0.8, 0.8])
    monkeypatch.setattr(clock, "random_fraction", lambda: next(fractions))
    read_bytes = store.check(read_data=0.5).read_bytes
    sizes = [info.size_bytes for info in storage.scan("runs/") if info.key.count("/") == 4]
    assert read_bytes in sizes


def test_long_values_are_read_in_windows(
    store: Store, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artstore import limits

    prefix = record_run(store)
    monkeypatch.setattr(limits, "READ_WINDOW_BYTES", 7)
    report = store.check(read_data=1.0)
    assert report.problems == ()
    key = prefix + path_of(PICTURES[0])
    replace_value(storage, key, flipped(storage.read(key)))
    (problem,) = full(store)
    assert problem.key == key


def test_what_may_not_be_read_is_told_and_the_rest_is_checked(
    store: Store, storage: MemoryStorage
) -> None:
    prefix = record_run(store)
    other = record_run(store, "r2")

    class _Denying(MeteredStorage):
        def read(self, key: str, span: Span | None = None) -> bytes:
            if key in hidden:
                raise DeniedError(f"may not read {key}", code="storage-denied")
            return super().read(key, span)

        def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[bytes]:
            for key, span in requests:
                yield self.read(key, span)

    damaged = f"{other}console/{SESSION}-000000.txt"
    replace_value(storage, damaged, b"HELLO\nworld\n")
    hidden: set[str] = set()
    for _, key in [*values_of(storage, prefix)]:
        hidden = {key}
        found = full(open_at("/nowhere/x", _Denying(storage)))
        assert [(one.key, one.code, one.runs) for one in found] == [
            (key, "storage-denied", ("p/r1",)),
            (damaged, "run-console-damaged", ("p/r2",)),
        ]


def test_codes_are_those_that_are_documented(store: Store, storage: MemoryStorage) -> None:
    prefix = record_run(store)
    for _, key in [*values_of(storage, prefix)]:
        replace_value(storage, key, flipped(storage.read(key)))
    found = full(store)
    assert found
    assert {one.code for one in found} <= CODES.keys()


def test_one_run_is_verified_by_its_name(store: Store, storage: MemoryStorage) -> None:
    prefix = record_run(store)
    other = record_run(store, "r2")
    key = f"{other}console/{SESSION}-000000.txt"
    replace_value(storage, key, b"HELLO\nworld\n")
    report = store.verify("run:r1")
    assert (report.name, report.problems, report.checked_files) == ("run:p/r1", (), 8)
    read = [info.size_bytes for info in storage.scan(prefix) if info.key.count("/") == 4]
    assert report.checked_bytes == sum(read)
    (problem,) = store.verify("run:p/r2").problems
    assert problem.path == f"console/{SESSION}-000000.txt"
    with pytest.raises(NotFoundError) as raised:
        store.verify("run:r3")
    assert raised.value.code == "run-not-found"
    with pytest.raises(InvalidInputError):
        store.verify("run:r1", "somewhere")


def test_logs_of_many_runs_are_read_in_few_batches(store: Store, storage: MemoryStorage) -> None:
    for number in range(40):
        record_run(store, f"r{number:02d}")
    metered = MeteredStorage(storage)
    runs = [run for run, _ in read_states(metered, runs_in(metered.scan("runs/")))]
    assert len(runs) == 40
    counts = metered.snapshot()
    assert (counts["scan"].calls, counts["read"].calls, counts["stat"].calls) == (1, 1, 0)
    assert counts["read"].items == 120
    metered.reset()
    states = [state for _, state in last_states(metered, runs_in(metered.scan("runs/")))]
    assert [state.whole["summary"]["loss"] for state in states] == [0.5] * 40
    counts = metered.snapshot()
    assert (counts["read"].calls, counts["read"].items) == (1, 40)


def test_a_listed_run_is_given_as_soon_as_the_next_one_begins(store: Store) -> None:
    record_run(store)
    record_run(store, "r2")
    seen: list[str] = []

    def scanned() -> Iterator[KeyInfo]:
        for info in store._guarded_storage().scan("runs/"):
            seen.append(info.key)
            yield info

    first = next(runs_in(scanned()))
    assert first.name == "p/r1"
    assert len([key for key in seen if "/r2/" in key]) == 1
    assert replace(first, entries={}).stored_bytes < first.stored_bytes

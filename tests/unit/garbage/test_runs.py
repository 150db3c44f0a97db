"""What gc takes of runs: segments that were written anew, and all of deleted runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import clock
from artstore.catalog.format import Body, encode_entry
from artstore.catalog.runs.format import RUN_KINDS, object_key, parse_segment_name, run_prefix
from artstore.catalog.runs.index import RunIndex
from artstore.catalog.runs.runlog import RunLog
from artstore.errors import DeniedError, NotFoundError, UnavailableError
from artstore.garbage.records import RunGarbage
from artstore.garbage.runsweeping import RunSweep
from artstore.runs.storedrun import StoredRun
from artstore.storage.local import LocalStorage
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage
from tests.unit.garbage.shops import DAY

A, B = "a" * 16, "b" * 16
BEGAN, LATER = "2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
QUIET_DAYS = 7


class Runs:
    """A store with runs of one project, whose entries and objects can be made old."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage: Storage = LocalStorage(root, sync=False)
        self.index = RunIndex(self.storage, "s", None, "me@here")

    def log(self, run_id: str = "r") -> RunLog:
        return RunLog(self.storage, "p", run_id, "me@here")

    def write(self, body: Body, *, days: float = 0, run_id: str = "r") -> int:
        """Give the number of the entry."""
        log = self.log(run_id)
        state = log.append(lambda _: body)
        self.age(f"{log.prefix}{state.n:012d}", days)
        return state.n

    def put(self, name: str, *, days: float = 0, run_id: str = "r") -> str:
        key = run_prefix("p", run_id) + name
        self.storage.create(key, name.encode())
        self.age(key, days)
        return key

    def age(self, key: str, days: float) -> None:
        then = clock.now_seconds() - days * DAY
        os.utime(self.root / key, (then, then))

    def names(self, run_id: str = "r") -> list[str]:
        """What lies beside the log."""
        prefix = run_prefix("p", run_id)
        names = [info.key[len(prefix) :] for info in self.storage.scan(prefix)]
        return [name for name in names if "/" in name]

    def sweep(self, storage: Storage | None = None, *, dry_run: bool = False) -> RunGarbage:
        return RunSweep(
            storage or self.storage,
            self.index if storage is None else RunIndex(storage, "s", None, "me@here"),
            author="me@here",
            quiet_since=clock.now_seconds() - QUIET_DAYS * DAY,
            is_dry_run=dry_run,
        ).sweep()

    def stored(self, run_id: str = "r") -> StoredRun:
        state = self.index.refresh_run("p", run_id)
        return StoredRun(self.storage, self.index, "p", run_id, state.whole)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "store")


def segment(number: int, session: str = A, kind: str = "history") -> str:
    return f"{kind}/{session}-{number:06d}.{'txt' if kind == 'console' else 'parquet'}"


def naming(numbers: Iterable[int], session: str = A, run_id: str = "r") -> dict[str, Any]:
    keys = [f"{run_prefix('p', run_id)}{segment(number, session)}" for number in numbers]
    return {"segments": {"history": {session: [{"key": key} for key in keys]}}}


def start(session: str = A, **changes: Any) -> Body:
    fields = {"session": session, "is_primary": True, "started": BEGAN, "next_by": LATER}
    return ("start", {**fields, "changes": changes})


def update(session: str = A, **changes: Any) -> Body:
    return ("update", {"session": session, "next_by": LATER, "changes": changes})


def end(session: str = A, **changes: Any) -> Body:
    fields = {"session": session, "is_primary": True, "started": BEGAN, "ended": LATER}
    return ("end", {**fields, "state": "finished", "exit_code": 0, "changes": changes})


def finished(runs: Runs, *, days: float, run_id: str = "r") -> None:
    """Two segments that were written anew as a third, a picture, a console."""
    for number in range(3):
        runs.put(segment(number), days=days, run_id=run_id)
    runs.put(segment(0, kind="console"), days=days, run_id=run_id)
    runs.put("media/abc.png", days=days, run_id=run_id)
    runs.write(start(**naming([0], run_id=run_id)), days=days, run_id=run_id)
    runs.write(update(**naming([0, 1], run_id=run_id)), days=days, run_id=run_id)
    runs.write(end(**naming([2], run_id=run_id)), days=days, run_id=run_id)


# segments that were written anew ----------------------------------------------------------


def test_segments_that_were_written_anew_go_when_nobody_named_them_for_so_long(runs: Runs) -> None:
    finished(runs, days=8)
    assert runs.sweep(dry_run=True) == runs.sweep() == RunGarbage(0, 2, 2, 2 * len(segment(0)))
    assert runs.names() == [segment(0, kind="console"), segment(2), "media/abc.png"]
    assert runs.sweep() == RunGarbage()
    assert runs.log().refresh().n == 2


def test_what_was_named_within_the_time_stays(runs: Runs) -> None:
    finished(runs, days=8)
    runs.age(f"{run_prefix('p', 'r')}{2:012d}", 6)
    assert runs.sweep() == RunGarbage()
    assert len(runs.names()) == 5


def test_what_was_written_within_the_time_stays(runs: Runs) -> None:
    finished(runs, days=8)
    runs.age(run_prefix("p", "r") + segment(0), 6)
    assert runs.sweep().objects == 1
    assert segment(0) in runs.names()


def test_what_an_entry_may_come_to_name_stays(runs: Runs) -> None:
    finished(runs, days=8)
    left = [segment(3), segment(0, B), segment(1, B), segment(4, kind="system")]
    for name in (*left, "history/unknown.parquet", "notes/of-somebody"):
        runs.put(name, days=30)
    assert runs.sweep().segments == 2
    assert set(left) <= set(runs.names())
    assert {"history/unknown.parquet", "notes/of-somebody"} <= set(runs.names())


def test_a_run_that_goes_on_loses_only_what_was_left_behind(runs: Runs) -> None:
    for number in range(4):
        runs.put(segment(number), days=9)
    # The process that wrote number 1 died before it named it.
    runs.write(start(**naming([0])), days=9)
    runs.write(update(**naming([0, 2, 3])), days=8)
    assert runs.sweep() == RunGarbage(0, 1, 1, len(segment(1)))
    assert runs.names() == [segment(0), segment(2), segment(3)]


def test_an_entry_that_comes_after_the_listing_counts(runs: Runs) -> None:
    finished(runs, days=8)

    class Late(PassingStorage):
        """Somebody names the old segments again right after the scan."""

        is_done = False

        @property
        def inner(self) -> Storage:
            return runs.storage

        def scan(self, prefix: str, *, after: str = "") -> Any:
            found = list(self.inner.scan(prefix, after=after))
            if prefix == "runs/p/" and not self.is_done:
                self.is_done = True
                runs.write(update(**naming([0, 1, 2])))
            return iter(found)

    assert runs.sweep(Late()) == RunGarbage()
    assert len(runs.names()) == 5


# deleted runs -----------------------------------------------------------------------------


def deleted(runs: Runs, *, days: float, run_id: str = "r") -> None:
    finished(runs, days=days + 1, run_id=run_id)
    runs.write(("delete", {}), days=days, run_id=run_id)


def test_of_a_run_that_was_deleted_so_long_ago_only_the_log_stays(runs: Runs) -> None:
    deleted(runs, days=8)
    finished(runs, days=1, run_id="other")
    told = runs.sweep(dry_run=True)
    assert len(runs.names()) == 5
    assert runs.sweep() == told
    assert (told.deleted_runs, told.objects, told.segments) == (1, 5, 0)
    assert runs.names() == []
    assert len(runs.names("other")) == 5
    state = runs.log().refresh()
    assert (state.n, state.whole["swept"], state.whole["segments"]["history"]) == (4, [A], {})
    assert runs.sweep() == RunGarbage()
    assert runs.log().refresh().n == 4


def test_a_swept_run_says_so_to_who_reads_or_restores_it(runs: Runs) -> None:
    deleted(runs, days=8)
    runs.sweep()
    stored = runs.stored()
    calls: list[Callable[[], object]] = [stored.history_table, stored.console, stored.restore]
    for call in calls:
        with pytest.raises(NotFoundError, match="gc has deleted its history") as caught:
            call()
        assert caught.value.code == "content-swept"
    assert stored.whole["deleted"]
    assert runs.log().refresh().n == 4


@pytest.mark.parametrize("days", [0, 6])
def test_a_deleted_run_can_be_restored_as_long_as_a_version_can(runs: Runs, days: float) -> None:
    deleted(runs, days=days)
    assert runs.sweep() == RunGarbage()
    runs.stored().restore()
    assert runs.sweep().deleted_runs == 0
    assert segment(2) in runs.names()


def test_a_deleted_run_that_was_heard_of_since_stays(runs: Runs) -> None:
    deleted(runs, days=8)
    runs.write(update(B), days=1)
    assert runs.sweep() == RunGarbage()
    assert len(runs.names()) == 5


def test_a_run_that_is_restored_at_the_last_moment_stays(runs: Runs) -> None:
    deleted(runs, days=8)

    class Restoring(PassingStorage):
        """Somebody restores it right before gc writes that it is gone."""

        @property
        def inner(self) -> Storage:
            return runs.storage

        def create(self, key: str, value: Any) -> None:
            if key.endswith(f"/{4:012d}") and runs.log().refresh().n == 3:
                runs.write(("restore", {}))
            self.inner.create(key, value)

    assert runs.sweep(Restoring()) == RunGarbage()
    assert len(runs.names()) == 5
    assert not runs.log().refresh().whole["deleted"]


def test_a_late_entry_brings_nothing_back_that_was_swept(runs: Runs) -> None:
    deleted(runs, days=8)
    late = runs.log()
    late.refresh()
    runs.sweep()
    state = late.append(lambda _: end(**naming([2])))
    assert state.n == 5
    assert state.whole["segments"] == {"history": {}}
    assert state.whole == runs.log().refresh().whole


def test_what_a_session_writes_after_the_sweep_goes_with_the_next_one_that_is_due(
    runs: Runs,
) -> None:
    deleted(runs, days=8)
    runs.sweep()
    runs.put(segment(0, B), days=8)
    n = runs.write(start(B, **naming([0], B)), days=6)
    assert runs.sweep() == RunGarbage()
    runs.age(f"{run_prefix('p', 'r')}{n:012d}", 8)
    assert runs.sweep() == RunGarbage(1, 0, 1, len(segment(0, B)))
    assert runs.log().refresh().whole["swept"] == [A, B]


def test_a_sweep_that_was_cut_short_is_ended_by_the_next_one(runs: Runs) -> None:
    deleted(runs, days=8)

    class Failing(PassingStorage):
        @property
        def inner(self) -> Storage:
            return runs.storage

        def delete(self, keys: Iterable[str]) -> None:
            self.inner.delete(list(keys)[:2])
            raise UnavailableError("away", code="storage-unavailable")

    assert runs.sweep(Failing()).kept == (("p", "away"),)
    assert len(runs.names()) == 3
    assert runs.sweep().objects == 3
    assert runs.names() == []
    assert runs.log().refresh().n == 4


# what may be needed stays -----------------------------------------------------------------


def raw_entry(runs: Runs, n: int, kind: str) -> bytes:
    return encode_entry(
        (kind, {"run": "r", "project": "p"}),
        n=n,
        previous=b"\0" * 32,
        write="0" * 16,
        time=BEGAN,
        by="me@here",
        kinds={**RUN_KINDS, kind: ()},
    )


@pytest.mark.parametrize("prepare", [finished, deleted])
@pytest.mark.parametrize("damage", ["hole", "flip", "unknown", "shorter"])
def test_a_log_that_is_not_whole_loses_nothing(
    runs: Runs, prepare: Callable[..., None], damage: str
) -> None:
    prepare(runs, days=8)
    prepare(runs, days=8, run_id="sound")
    runs.index.refresh("p")
    log = runs.log().refresh()
    entry = runs.root / f"{run_prefix('p', 'r')}{1:012d}"
    if damage == "hole":
        entry.unlink()
    elif damage == "flip":
        data = bytearray(entry.read_bytes())
        data[len(data) // 2] ^= 1
        entry.write_bytes(data)
        runs.age(f"{run_prefix('p', 'r')}{1:012d}", 9)
    elif damage == "unknown":
        n = log.n + 1
        runs.storage.create(f"{run_prefix('p', 'r')}{n:012d}", raw_entry(runs, n, "novel"))
        runs.age(f"{run_prefix('p', 'r')}{n:012d}", 8)
    else:
        (runs.root / f"{run_prefix('p', 'r')}{log.n:012d}").unlink()
    told = runs.sweep()
    assert [name for name, _ in told.kept] == ["p/r"]
    assert "log" in told.kept[0][1]
    assert told.objects > 0
    assert len(runs.names()) == 5
    assert len(runs.names("sound")) < 5


def test_who_may_write_and_not_delete_cannot_have_a_run_swept_at_once(runs: Runs) -> None:
    finished(runs, days=30)
    runs.write(update(segments={"history": {A: [{"key": segment(999_999)}]}}))
    runs.write(("sweep", {"sessions": [A]}))
    runs.write(("edit", {"changes": {}, "whole": {"run": "r", "deleted": True, "swept": [A]}}))
    assert runs.sweep().kept == ()
    assert len(runs.names()) == 5


def test_a_sweep_of_a_run_that_is_not_deleted_says_nothing(runs: Runs) -> None:
    finished(runs, days=8)
    n = runs.write(("sweep", {"sessions": [A]}), days=8)
    state = runs.log().refresh()
    assert state.n == n
    assert state.whole["swept"] == []
    assert len(state.whole["segments"]["history"][A]) == 1


def test_a_project_that_may_not_be_listed_keeps_no_other_from_being_swept(runs: Runs) -> None:
    deleted(runs, days=8)
    log = RunLog(runs.storage, "secret", "r", "me@here")
    log.append(lambda _: start())

    class Refusing(PassingStorage):
        @property
        def inner(self) -> Storage:
            return runs.storage

        def scan(self, prefix: str, *, after: str = "") -> Any:
            if prefix == "runs/secret/":
                raise DeniedError("403 for secret", code="storage-denied")
            return self.inner.scan(prefix, after=after)

    told = runs.sweep(Refusing())
    assert (told.deleted_runs, told.kept) == (1, (("secret", "403 for secret"),))


# whatever a writer does -------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(st.sampled_from(["create", "name", "compact", "die", "sweep"]), st.integers(0, 9)),
    max_size=30,
)


@given(EVENTS)
def test_what_the_log_names_or_may_name_is_there_whatever_the_order(
    events: list[tuple[str, int]],
) -> None:
    """One writer that sleeps and dies between its steps, and gc at any moment."""
    with tempfile.TemporaryDirectory() as place:
        runs = Runs(Path(place) / "store")
        log = runs.log()
        log.append(lambda _: start())
        stated: list[int] = []
        held: list[int] = []
        number = 0
        for event, days in events:
            for info in list(runs.storage.scan("runs/")):
                old = (clock.now_seconds() - info.modified_seconds) / DAY
                runs.age(info.key, old + days)
            if event == "sweep":
                runs.sweep()
            elif event == "name":
                log.append(lambda _, held=tuple(held): update(**naming(held)))
                stated = list(held)
            elif event == "die":
                held = list(stated)
            else:
                runs.put(segment(number))
                held = [*(held if event == "create" else ()), number]
                number += 1
            there = set(runs.names())
            assert {segment(one) for one in (*stated, *held)} <= there


@given(st.text(max_size=40) | st.from_regex(r"(history|console)/[0-9a-f]{16}-[0-9]{6}\.\w{3,7}"))
def test_a_name_of_a_segment_is_read_only_as_it_is_written(text: str) -> None:
    found = parse_segment_name(text)
    if found is not None:
        extension = "txt" if found.kind == "console" else "parquet"
        name = f"{found.session}-{found.number:06d}.{extension}"
        assert object_key("p", "r", found.kind, name) == f"runs/p/r/{text}"

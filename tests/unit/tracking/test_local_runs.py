"""What this machine knows of runs before their store does, out of journals that grow."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artstore import clock
from artstore.catalog.runs.state import current_state
from artstore.runs import history
from artstore.tracking.journal import JournalWriter
from artstore.tracking.journalfollower import JournalFollower, JournalGoneError, JournalStretch
from artstore.tracking.localruns import LocalRun, LocalRuns
from artstore.tracking.sessions import META
from tests.trees import open_at
from tests.unit.tracking.localsessions import PROJECT, Session


@pytest.fixture
def root(tmp_path: Path) -> Path:
    open_at(tmp_path / "store", project=PROJECT).create()
    return tmp_path


@pytest.fixture
def session(root: Path) -> Iterator[Session]:
    made = Session(root)
    yield made
    made.recorder.close()


def local_runs(root: Path) -> LocalRuns:
    return LocalRuns(root / "state", str(root / "store"))


def only(runs: LocalRuns) -> LocalRun:
    runs.refresh()
    (run,) = runs.runs.values()
    return run


def steps_of(root: Path, run: LocalRun) -> list[int]:
    """All steps that a reader comes to: segments as the journal notes them, then the rest."""
    storage = open_at(root / "store", project=PROJECT)._guarded_storage()
    found: list[int] = []
    for session in run.sessions:
        for segment in session.view.segments.get("history", ()):
            table = history.read_segments([storage.read(segment["key"])])
            found += table["_step"].to_pylist()
        for stretch in session.view.stretches["rows"]:
            found += stretch.table()["_step"].to_pylist()
    return found


def test_a_run_is_known_before_the_store_has_anything_of_it(root: Path, session: Session) -> None:
    session.recorder.add_change({"name": "first", "config": {"lr": 0.1}})
    session.log(0, 1, 2)
    run = only(local_runs(root))
    whole = run.whole_of(None)
    assert (whole["run"], whole["name"], whole["config"]) == ("r1", "first", {"lr": 0.1})
    assert whole["summary"] == {"loss": 1.0}
    assert current_state(whole, clock.now_seconds()) == "running"
    assert steps_of(root, run) == [0, 1, 2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(orders=st.lists(st.sampled_from(["log", "store", "look"]), max_size=12))
def test_no_row_is_missing_and_none_stands_twice_whatever_was_stored(
    tmp_path_factory: pytest.TempPathFactory, orders: list[str]
) -> None:
    root = tmp_path_factory.mktemp("run")
    open_at(root / "store", project=PROJECT).create()
    session, runs = Session(root), local_runs(root)
    logged = 0
    for order in orders:
        if order == "log":
            session.log(logged, logged + 1)
            logged += 2
        elif order == "store":
            session.store()
        else:
            assert steps_of(root, only(runs)) == list(range(logged))
    assert steps_of(root, only(runs)) == list(range(logged))
    # Who looks for the first time comes to the same.
    assert steps_of(root, only(local_runs(root))) == list(range(logged))
    session.recorder.close()


def test_what_was_seen_before_a_step_of_the_store_is_whole_after_it(
    root: Path, session: Session
) -> None:
    runs = local_runs(root)
    session.log(0, 1)
    session.store()
    session.log(2, 3)
    before = only(runs)
    session.store()
    session.log(4)
    assert steps_of(root, before) == [0, 1, 2, 3]
    assert steps_of(root, only(runs)) == [0, 1, 2, 3, 4]


def test_summary_and_changes_are_those_that_the_store_does_not_have(
    root: Path, session: Session
) -> None:
    runs = local_runs(root)
    session.recorder.add_change({"metrics": {"loss": {"summary": ["min", "max"]}}})
    session.log(1, 2, 3)
    session.store()
    session.log(4)
    session.recorder.add_change({"config": {"lr": 1}})
    session.recorder.flush()
    run = only(runs)
    stored = open_at(root / "store", project=PROJECT).run("r1").whole
    assert stored["summary"] == {"loss": {"min": 0.5, "max": 1.5}}
    whole = run.whole_of(stored)
    assert whole["summary"] == {"loss": {"min": 0.5, "max": 2.0}}
    assert whole["config"] == {"lr": 1}
    session.store()
    after = only(runs)
    stored = open_at(root / "store", project=PROJECT).run("r1").whole
    assert after.whole_of(stored)["summary"] == stored["summary"] == whole["summary"]


def test_what_others_edit_meanwhile_is_not_taken_back(root: Path, session: Session) -> None:
    session.recorder.add_change({"name": "mine", "config": {"lr": 1}})
    session.log(0)
    session.store()
    session.log(1)
    store = open_at(root / "store", project=PROJECT)
    runs = local_runs(root)
    only(runs)
    session.store()
    edited = store.run("r1").edit(name="theirs", config={"lr": 2}).whole
    whole = only(runs).whole_of(edited)
    assert (whole["name"], whole["config"]) == ("theirs", {"lr": 2})


def test_a_console_is_told_in_bytes_as_the_store_will_have_it(root: Path, session: Session) -> None:
    runs = local_runs(root)
    texts = ["first\n", "zweite ä\n", "half \ud800\n", "last"]
    for text in texts[:2]:
        session.recorder.add_console("stdout", text)
    session.recorder.flush()
    session.store()
    for text in texts[2:]:
        session.recorder.add_console("stderr", text)
    session.recorder.flush()
    (stretch,) = only(runs).stretches("console")[session.meta.session]
    assert stretch.text() == b"half ?\nlast"
    assert stretch.text_bytes == len(stretch.text())
    session.store()
    assert open_at(root / "store", project=PROJECT).run("r1").console() == (
        "first\nzweite ä\nhalf ?\nlast"
    )
    assert only(runs).stretches("console")[session.meta.session] == ()


def test_samples_of_the_machine_are_read_like_rows(root: Path, session: Session) -> None:
    session.recorder.add_system({"cpu": 1.0})
    session.recorder.add_system({"cpu": 2.0})
    session.recorder.flush()
    (stretch,) = only(local_runs(root)).stretches("system")[session.meta.session]
    kinds, part = stretch.read(None, ["cpu"])
    assert kinds == {"cpu": "number"}
    assert part.columns["cpu"].values.to_pylist() == [1.0, 2.0]


def test_a_block_of_which_a_part_is_written_is_waited_for(root: Path, session: Session) -> None:
    session.log(0)
    session.recorder.close()
    log = session.directory / "journal.log"
    whole = log.read_bytes()
    for cut in range(0, len(whole), 7):
        log.write_bytes(whole[:cut])
        follower = JournalFollower(session.directory, session.meta)
        follower.read_on()
        log.write_bytes(whole)
        follower.read_on()
        (stretch,) = follower.view().stretches["rows"]
        assert stretch.table()["_step"].to_pylist() == [0]


def test_a_damaged_journal_is_read_up_to_there(root: Path, session: Session) -> None:
    session.log(0)
    end = (session.directory / "journal.log").stat().st_size
    session.log(1)
    session.recorder.close()
    data = bytearray((session.directory / "journal.log").read_bytes())
    data[end + 20] ^= 1
    (session.directory / "journal.log").write_bytes(data)
    runs = local_runs(root)
    assert steps_of(root, only(runs)) == [0]
    assert runs.refresh() == set()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("stored", b'{"offset": 10000000, "segments": {}, "numbers": {}}'),
        ("stored", b'{"offset": 0, "segments": {"history": 3}, "numbers": {}}'),
        ("stored", b"[]"),
        ("change", b"3"),
        ("change", b"{"),
        ("console", b'{"text": 1}'),
        ("end", b"{}"),
        ("rows", b"\x00" * 40),
    ],
)
def test_blocks_that_no_run_has_written_end_it_there(
    root: Path, session: Session, kind: str, payload: bytes
) -> None:
    session.log(0)
    session.recorder.close()
    writer = JournalWriter(session.directory)
    writer.append(kind, payload)
    writer.close()
    run = only(local_runs(root))
    assert run.whole_of(None)["run"] == "r1"
    assert steps_of(root, run) == [0]


def test_only_sound_sessions_of_this_store_are_followed(root: Path, session: Session) -> None:
    session.log(0)
    others = {
        "url": str(root / "other"),
        "project": "../up",
        "run_id": "a/b",
        "session": "../../x",
        "started": "now",
        "earlier": [],
        "host": 3,
    }
    for number, (name, value) in enumerate(others.items()):
        directory = root / "state" / "journals" / f"other-{number}"
        replace(session.meta, **{name: value}).write(directory)
    (root / "state" / "journals" / "torn").mkdir()
    (root / "state" / "journals" / "torn" / META).write_text('{"format": 1')
    (root / "state" / "journals" / "file").write_text("x")
    runs = local_runs(root)
    assert runs.refresh() == {(PROJECT, "r1")}
    assert list(runs.runs) == [(PROJECT, "r1")]


def test_a_store_is_the_same_however_it_is_spelled(root: Path, session: Session) -> None:
    session.log(0)
    (root / "way").symlink_to(root)
    for url in (f"file://{root}/store", f"{root}/way/store", f"{root}/store/"):
        assert LocalRuns(root / "state", url).refresh() == {(PROJECT, "r1")}


def test_a_store_in_the_memory_of_another_process_is_another_one(root: Path) -> None:
    for number, pid in enumerate((os.getpid(), os.getpid() + 1)):
        made = Session(root, f"r{number}", url="memory://one", pid=pid)
        made.recorder.close()
    runs = LocalRuns(root / "state", "memory://one")
    assert runs.refresh() == {(PROJECT, "r0")}


def test_a_process_that_is_gone_is_told_at_once_and_for_good(root: Path, session: Session) -> None:
    session.log(0)
    runs = local_runs(root)
    assert current_state(only(runs).whole_of(None), clock.now_seconds()) == "running"
    session.die()
    assert current_state(only(runs).whole_of(None), clock.now_seconds()) == "crashed"
    # Who brings it home takes the lock.
    writer = JournalWriter(session.directory)
    assert runs.refresh() == set()
    assert current_state(only(runs).whole_of(None), clock.now_seconds()) == "crashed"
    writer.close()


def test_a_session_that_has_no_lock_yet_is_beginning(root: Path, session: Session) -> None:
    session.recorder.close()
    (session.directory / "lock").unlink()
    whole = only(local_runs(root)).whole_of(None)
    assert current_state(whole, clock.now_seconds()) == "running"


def test_of_another_machine_nobody_here_says_that_it_has_died(root: Path) -> None:
    made = Session(root, host="elsewhere")
    made.log(0)
    made.die()
    run = only(local_runs(root))
    assert not run.sessions[0].is_dead
    assert steps_of(root, run) == [0]


def test_a_run_that_ends_is_left_to_the_store(root: Path, session: Session) -> None:
    runs = local_runs(root)
    session.log(0, 1)
    before = only(runs)
    (stretch,) = before.stretches("rows")[session.meta.session]
    session.finish()
    assert runs.refresh() == {(PROJECT, "r1")}
    assert runs.runs == {}
    with pytest.raises(JournalGoneError):
        stretch.table()
    store = open_at(root / "store", project=PROJECT)
    assert [row["_step"] for row in store.run("r1").rows()] == [0, 1]


def test_the_end_is_told_before_the_store_has_it(root: Path, session: Session) -> None:
    session.log(0)
    session.recorder.end("failed", 3)
    whole = only(local_runs(root)).whole_of(None)
    assert whole["sessions"][0]["exit_code"] == 3
    assert current_state(whole, clock.now_seconds()) == "failed"


def test_a_run_that_was_told_to_end_and_goes_on_is_running(root: Path, session: Session) -> None:
    runs = local_runs(root)
    session.log(0)
    session.recorder.end("preempted")
    assert current_state(only(runs).whole_of(None), clock.now_seconds()) == "preempted"
    session.log(1)
    assert current_state(only(runs).whole_of(None), clock.now_seconds()) == "running"


def test_several_sessions_of_one_run_are_one_run(root: Path, session: Session) -> None:
    session.log(0, 1)
    other = Session(root, started=session.meta.started + 1, is_primary=False, rank=1)
    other.log(2, key="acc")
    run = only(local_runs(root))
    whole = run.whole_of(None)
    assert [one["id"] for one in whole["sessions"]] == [session.meta.session, other.meta.session]
    assert whole["summary"] == {"loss": 0.5, "acc": 1.0}
    assert steps_of(root, run) == [0, 1, 2]
    other.recorder.close()


def test_a_resumed_run_has_the_rows_of_both_sessions(root: Path, session: Session) -> None:
    session.log(0, 1)
    session.finish()
    stored = open_at(root / "store", project=PROJECT).run("r1").whole
    later = Session(root, started=session.meta.started + 1)
    later.log(2)
    whole = only(local_runs(root)).whole_of(stored)
    assert current_state(whole, clock.now_seconds()) == "running"
    assert len(whole["sessions"]) == 2
    assert set(whole["segments"]["history"]) == {session.meta.session}
    later.recorder.close()


def test_a_long_journal_is_cut_into_stretches_that_stay(
    root: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artstore.tracking.journalfollower._STRETCH_BYTES", 500)
    runs = local_runs(root)
    seen: list[set[JournalStretch]] = []
    for step in range(20):
        session.log(step)
        stretches = only(runs).stretches("rows")[session.meta.session]
        assert steps_of(root, only(runs)) == list(range(step + 1))
        seen.append(set(stretches[:-1]))
    assert len(seen[-1]) > 2
    assert all(before <= after for before, after in itertools.pairwise(seen))
    session.store()
    session.log(20)
    assert steps_of(root, only(runs)) == list(range(21))


def test_files_of_steps_are_found_by_the_names_that_rows_have(root: Path, session: Session) -> None:
    name = f"{'a' * 64}.png"
    (session.directory / "media").mkdir()
    (session.directory / "media" / name).write_bytes(b"picture")
    (session.directory / "secret").write_bytes(b"secret")
    (session.directory / "media" / f"{'b' * 64}.png").symlink_to(session.directory / "secret")
    session.log(0)
    run = only(local_runs(root))
    found = run.media_file(f"media/{name}")
    assert found is not None
    assert found.read_bytes() == b"picture"
    for hostile in ("media/../secret", f"media/{'b' * 64}.png", "secret", "", "media/" + "c" * 64):
        assert run.media_file(hostile) is None


def test_who_looks_when_nothing_happened_opens_no_journal(
    root: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.log(0)
    runs = local_runs(root)
    runs.refresh()
    opened: list[Any] = []
    original = JournalFollower._take
    monkeypatch.setattr(
        JournalFollower, "_take", lambda self, *given: opened.append(original(self, *given))
    )
    assert runs.refresh() == set()
    assert opened == []
    session.log(1)
    assert runs.refresh() == {(PROJECT, "r1")}
    assert len(opened) == 1


def test_a_directory_that_vanishes_is_no_run_any_more(root: Path, session: Session) -> None:
    session.log(0)
    runs = local_runs(root)
    runs.refresh()
    session.recorder.close()
    shutil.rmtree(session.directory)
    assert runs.refresh() == {(PROJECT, "r1")}
    assert runs.runs == {}
    assert runs.refresh() == set()


def test_a_meta_that_is_not_json_of_an_object_is_passed_over(root: Path) -> None:
    directory = root / "state" / "journals" / "x"
    directory.mkdir(parents=True)
    for text in (json.dumps([1]), json.dumps({"format": 99}), "null", ""):
        (directory / META).write_text(text)
        assert local_runs(root).refresh() == set()

"""Runs as a server knows them: of one moment, whatever store and journals say when."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from artstore import clock
from artstore.api import Store
from artstore.digest import digest_of
from artstore.errors import NotFoundError
from artstore.settings import resolve
from artstore.web.live import runs as live_module
from artstore.web.live.project import LiveProject
from artstore.web.live.run import RunKey
from artstore.web.opening import open_site
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.tracking.localsessions import PROJECT, Session
from tests.unit.web.conftest import MakeClient

API = f"/api/v1/p/{PROJECT}"


class Watch(clock.SystemClock):
    """A clock that a test can set on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now_seconds(self) -> float:
        return super().now_seconds() + self.ahead

    def monotonic_seconds(self) -> float:
        return super().monotonic_seconds() + self.ahead


@pytest.fixture
def watch() -> Iterator[Watch]:
    with clock.use(Watch()) as used:
        assert isinstance(used, Watch)
        yield used


@pytest.fixture
def root() -> Path:
    """Journals and store lie where the settings of the test say."""
    return resolve().state_dir.parent


@pytest.fixture
def store(root: Path) -> Store:
    store = open_at(root / "store", project=PROJECT)
    store.create()
    return store


@pytest.fixture
def site(store: Store) -> Site:
    return open_site(store)


@pytest.fixture
def client(site: Site, make_client: MakeClient) -> TestClient:
    return make_client(site)


@pytest.fixture
def session(root: Path, store: Store) -> Iterator[Session]:
    made = begin(root)
    yield made
    made.recorder.close()


def begin(root: Path, run_id: str = "r1", **given: Any) -> Session:
    made = Session(root, run_id, state=resolve().state_dir, **given)
    made.recorder.add_change({"name": f"run {run_id}"})
    return made


def series(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get(f"{API}/series", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(client: TestClient, **query: Any) -> str:
    answer = client.get(f"{API}/series", params=query)
    assert answer.status_code >= 400
    return str(answer.json()["error"]["code"])


# lists and runs ----------------------------------------------------------------------------


def test_runs_of_the_store_and_of_journals_are_one_list(
    root: Path, site: Site, session: Session, watch: Watch
) -> None:
    done = begin(root, "r0", started=clock.now_seconds() - 100)
    done.log(0, 1)
    done.finish()
    session.log(0)
    found = site.live.runs(PROJECT)
    assert [(one["run"], one["summary"]) for one in found.wholes] == [
        ("r0", {"loss": 0.5}),
        ("r1", {"loss": 0.0}),
    ]
    assert site.live.runs(PROJECT).wholes is found.wholes
    session.log(1)
    watch.ahead += 1
    later = site.live.runs(PROJECT)
    assert later.wholes is not found.wholes
    assert later.wholes[0] is found.wholes[0]
    assert later.revision > found.revision
    watch.ahead += 1
    assert site.live.runs(PROJECT) == later


def test_who_asks_within_half_a_second_costs_nothing(site: Site, session: Session) -> None:
    session.log(0)
    with clock.use(Standing()):
        site.live.runs(PROJECT)
        looks = site.live.look_count
        for _ in range(20):
            site.live.run(PROJECT, "r1")
        assert site.live.look_count == looks


class Standing(clock.SystemClock):
    """Time stands still."""

    def monotonic_seconds(self) -> float:
        return 1000.0


def test_a_change_that_this_server_made_is_seen_at_once(site: Site, session: Session) -> None:
    session.log(0)
    session.store()
    with clock.use(Standing()):
        site.live.runs(PROJECT)
        site.store.run(f"{PROJECT}/r1").edit(notes="seen")
        site.live.expire(PROJECT)
        assert site.live.runs(PROJECT).wholes[0]["notes"] == "seen"
        assert site.live.run(PROJECT, "r1").whole["notes"] == "seen"


def test_a_run_that_nobody_hears_of_any_more_changes_without_an_entry(
    root: Path, site: Site, watch: Watch
) -> None:
    made = begin(root, host="elsewhere")
    made.log(0)
    made.store()
    made.recorder.close()
    before = site.live.runs(PROJECT).revision
    assert site.live.run(PROJECT, "r1").state == "running"
    watch.ahead += 1000
    assert site.live.run(PROJECT, "r1").state == "crashed"
    changed = site.live.changes(PROJECT, before)
    assert changed is not None
    assert [(run, state) for run, _, state in changed.runs] == [("r1", "crashed")]


def test_a_process_that_lives_is_running_though_its_store_hears_nothing(
    site: Site, session: Session, watch: Watch
) -> None:
    session.log(0)
    session.store()
    watch.ahead += 10_000
    assert site.live.run(PROJECT, "r1").state == "running"
    assert site.live.runs(PROJECT).wholes[0]["sessions"][0]["ended"] is None


def test_there_is_no_run_of_that_id_and_close_ones_are_named(root: Path, site: Site) -> None:
    made = begin(root, "training-1")
    made.log(0)
    made.finish()
    with pytest.raises(NotFoundError) as missing:
        site.live.run(PROJECT, "training-2")
    assert missing.value.code == "run-not-found"
    assert missing.value.hint is not None
    assert "training-1" in missing.value.hint


def test_projects_that_strangers_ask_for_are_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_PROJECTS_COUNT", 3)
    for number in range(10):
        assert site.live.runs(f"p{number}").wholes == []
    assert len(site.live._projects) == 3


def test_what_changed_is_told_once_and_in_order(root: Path, site: Site) -> None:
    known = LiveProject(PROJECT)
    index = site.store._run_index()
    known.take(index, {}, {})
    first = known.revision
    assert known.since(first).runs == []
    for run_id in ("a", "b", "a"):
        made = begin(root, run_id)
        made.log(0)
        made.finish()
        index.refresh(PROJECT)
        known.take(index, {}, index.heads(PROJECT))
    told = known.since(first)
    assert [run for run, _, _ in told.runs] == ["b", "a"]
    assert told.is_whole
    assert known.since(told.revision).runs == []
    assert not known.since(first - 1).is_whole


# reading one run -----------------------------------------------------------------------------


def test_history_console_and_keys_are_of_store_and_journal_together(
    site: Site, session: Session, watch: Watch
) -> None:
    session.log(0, 1)
    session.recorder.add_console("stdout", "stored\n")
    session.recorder.flush()
    session.store()
    session.log(2)
    session.recorder.add_console("stdout", "not yet\n")
    session.recorder.add_system({"cpu": 0.5})
    session.recorder.flush()
    run = site.live.run(PROJECT, "r1")
    assert run.history_table()["_step"].to_pylist() == [0, 1, 2]
    assert run.history_table(["loss"], min_step=1, max_step=2)["loss"].to_pylist() == [0.5]
    assert run.keys() == [RunKey("loss", "number")]
    assert run.system_keys() == ["cpu"]
    assert run.system_table()["cpu"].to_pylist() == [0.5]
    pieces = run.console_pieces()
    assert b"".join(piece.read(0, piece.size_bytes) for piece in pieces) == b"stored\nnot yet\n"
    assert run.config == {}
    assert run.summary == {"loss": 1.0}


def test_who_reads_while_a_run_ends_has_all_of_it(
    site: Site, session: Session, watch: Watch
) -> None:
    session.log(0, 1, 2)
    session.recorder.add_console("stdout", "one\ntwo\n")
    session.recorder.flush()
    run = site.live.run(PROJECT, "r1")
    session.finish()
    # What was seen as it was before is read as it is now.
    assert run.history_table()["_step"].to_pylist() == [0, 1, 2]
    assert run.keys() == [RunKey("loss", "number")]
    (piece,) = run.console_pieces()
    assert piece.read(4, 7) == b"two"
    assert site.live.run(PROJECT, "r1").state == "finished"


def test_files_of_steps_come_from_where_they_are(site: Site, session: Session) -> None:
    name = f"{digest_of(b'picture').hex()}.png"
    (session.directory / "media").mkdir()
    (session.directory / "media" / name).write_bytes(b"picture")
    session.log(0)
    run = site.live.run(PROJECT, "r1")
    assert run.media(f"media/{name}") == b"picture"
    session.finish()
    for one in (run, site.live.run(PROJECT, "r1")):
        assert one.media(f"media/{name}") == b"picture"
        assert one.media_size(f"media/{name}") == 7
        assert one.read_media(f"media/{name}", 1, 4) == b"ict"
    with pytest.raises(NotFoundError):
        run.media(f"media/{'b' * 64}.png")


def test_keys_tell_what_their_values_are(client: TestClient, session: Session) -> None:
    row: dict[str, Any] = {
        "loss": 0.5,
        "ok": True,
        "word": "text",
        "list": [1, 2],
        "h": {"_type": "histogram", "values": [1], "bins": [0, 1]},
        "inner.picture": {"_type": "image-file", "path": "x"},
        "rows": {"_type": "joined-table-file"},
        "<b>\u202e": 1,
    }
    session.recorder.log(row)
    session.recorder.flush()
    found = client.get(f"{API}/runs/r1/keys").json()
    assert {one["key"]: one["type"] for one in found["keys"]} == {
        "loss": "number",
        "ok": "bool",
        "word": "text",
        "list": "json",
        "h": "histogram",
        "inner.picture": "media",
        "rows": "table",
        "<b>\u202e": "number",
    }


def test_histograms_are_told_step_by_step(client: TestClient, session: Session) -> None:
    for step in range(5):
        session.recorder.log(
            {"h": {"_type": "histogram", "values": [step], "bins": [0, 1]}}, step=step
        )
    session.recorder.flush()
    found = client.get(f"{API}/runs/r1/histograms", params={"key": "h", "points": 2}).json()
    assert (found["steps"], found["counts"], found["edges"]) == ([0, 4], [[0], [4]], [[0, 1]] * 2)
    assert found["count"] == 5
    assert client.get(f"{API}/runs/r1/histograms").status_code == 400


# series ------------------------------------------------------------------------------------


def test_a_series_has_numbers_that_json_has_not_as_texts(
    client: TestClient, session: Session
) -> None:
    values = [1.0, math.nan, math.inf, -math.inf, 2.0]
    for step, value in enumerate(values):
        session.recorder.log({"loss": value}, step=step)
    session.recorder.flush()
    (line,) = series(client, run="r1", key="loss")["series"]
    assert line["y"] == [1, "NaN", "Infinity", "-Infinity", 2]
    assert line["x"] == [0, 1, 2, 3, 4]
    assert (line["count"], line["is_sampled"], line["last"]) == (5, False, [4, 2])


def test_a_series_is_cut_into_as_many_buckets_as_wanted(
    client: TestClient, session: Session
) -> None:
    for step in range(1000):
        session.recorder.log({"loss": 100.0 if step == 777 else step % 7}, step=step)
    session.recorder.flush()
    found = series(client, run="r1", key="loss", points=10)
    (line,) = found["series"]
    assert line["is_sampled"]
    assert len(line["x"]) <= 40
    assert [777, 100] in [list(point) for point in zip(line["x"], line["y"], strict=True)]
    part = {"from": 770, "to": 790}
    (zoomed,) = series(client, run="r1", key="loss", points=100, **part)["series"]
    assert zoomed["x"] == list(range(770, 791))
    (edges,) = series(client, run="r1", key="loss", points=100, edges=1, **part)["series"]
    assert edges["x"] == list(range(769, 792))


def test_what_a_run_has_not_is_named(client: TestClient, root: Path, session: Session) -> None:
    session.log(0)
    other = begin(root, "r2")
    other.log(0, key="acc")
    found = series(client, run=["r1", "r2"], key=["loss", "acc"])
    assert [(line["run"], line["key"]) for line in found["series"]] == [
        ("r1", "loss"),
        ("r2", "acc"),
    ]
    assert found["missing"] == [{"run": "r1", "key": "acc"}, {"run": "r2", "key": "loss"}]
    other.recorder.close()


def test_a_series_goes_over_time_and_other_keys(client: TestClient, session: Session) -> None:
    for step in range(3):
        session.recorder.log({"loss": 3.0 - step, "epoch": step / 2})
    session.recorder.flush()
    (line,) = series(client, run="r1", key="loss", x="epoch")["series"]
    assert (line["x"], line["y"]) == ([0, 0.5, 1], [3, 2, 1])
    (line,) = series(client, run="r1", key="loss", x="_relative")["series"]
    assert line["x"][0] == 0
    (line,) = series(client, run="r1", key="loss", x="_timestamp")["series"]
    assert abs(line["x"][0] - clock.now_seconds()) < 1000


def test_samples_of_the_machine_are_series_too(client: TestClient, session: Session) -> None:
    session.recorder.add_system({"cpu": 0.25})
    session.recorder.flush()
    session.store()
    session.recorder.add_system({"cpu": 0.75})
    session.recorder.flush()
    (line,) = series(client, run="r1", key="cpu", kind="system")["series"]
    assert line["y"] == [0.25, 0.75]
    assert refused(client, run="r1", key="cpu", kind="system", x="_step") == "request-invalid"


def test_runs_of_one_value_become_a_band(client: TestClient, root: Path, store: Store) -> None:
    values = {"a": 1, "b": 1, "c": None, "d": "x"}
    for number, (run_id, value) in enumerate(values.items()):
        made = begin(root, run_id)
        made.recorder.add_change({"config": {} if value is None else {"lr": value}})
        for step in range(3):
            made.recorder.log({"loss": float(number + step)}, step=step)
        made.finish()
    found = series(client, run=list(values), key="loss", group="config.lr")
    assert found["series"] == []
    told = {one["group"]: (one["runs"], one["mean"]) for one in found["groups"]}
    assert told == {
        "1": (["a", "b"], [0.5, 1.5, 2.5]),
        None: (["c"], [2, 3, 4]),
        "x": (["d"], [3, 4, 5]),
    }
    (first, *_) = found["groups"]
    assert (first["x"], first["low"], first["high"]) == ([0, 1, 2], [0, 1, 2], [1, 2, 3])
    assert refused(client, run="a", key="loss", group="config.nope..") == "expression-invalid"


def test_requests_that_are_none_are_refused(client: TestClient, session: Session) -> None:
    session.log(0)
    session.store()
    assert refused(client, run="none", key="loss") == "run-not-found"
    assert refused(client, run="r1", key=[str(one) for one in range(51)]) == "limit-exceeded"
    assert refused(client, run=[f"r{one}" for one in range(201)], key="a") == "limit-exceeded"
    for wrong in (
        {"points": "0"},
        {"points": "2001"},
        {"points": "x"},
        {"from": "nan"},
        {"to": "1e999"},
        {"from": "2", "to": "1"},
        {"kind": "media"},
    ):
        assert refused(client, run="r1", key="loss", **wrong) == "request-invalid"
    assert refused(client, run="a/../b", key="loss") == "name-invalid"
    assert series(client, run="r1")["series"] == []
    assert series(client, key="loss")["series"] == []


def test_names_of_strangers_come_back_as_they_are(client: TestClient, session: Session) -> None:
    names = ["</script><b>", "\u202eevil", 'quo"te', "line\nfeed", "a\\b", "é.x"]
    session.recorder.log(dict.fromkeys(names, 1.0))
    session.recorder.flush()
    found = series(client, run="r1", key=names)
    assert sorted(line["key"] for line in found["series"]) == sorted(names)


def test_two_thousand_metrics_are_asked_for_in_parts(client: TestClient, session: Session) -> None:
    for step in range(3):
        session.recorder.log({f"m{number}": number + step for number in range(2000)}, step=step)
    session.recorder.flush()
    keys = [one["key"] for one in client.get(f"{API}/runs/r1/keys").json()["keys"]]
    assert len(keys) == 2000
    for start in (0, 1000, 1950):
        found = series(client, run="r1", key=keys[start : start + 50])
        assert [line["y"][0] for line in found["series"]] == list(range(start, start + 50))


def test_a_damaged_segment_is_told_and_no_path(
    client: TestClient, root: Path, session: Session
) -> None:
    session.log(0)
    session.finish()
    (segment,) = (root / "store").rglob("*.parquet")
    segment.chmod(0o600)
    segment.write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    answer = client.get(f"{API}/series", params={"run": "r1", "key": "loss"})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "history-damaged"
    assert str(root) not in answer.text


def test_events_of_a_head_request_end(client: TestClient, store: Store) -> None:
    answer = client.head(f"{API}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert client.get(f"{API}/events", params={"since": "x"}).status_code == 400
    assert json.loads(client.get("/api/v1/p/a%2F..%2Fb/events").text)["error"]["code"]

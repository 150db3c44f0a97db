"""Runs of other processes, watched through a real server while they go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore.api import Store
from artstore.errors import UnavailableError
from artstore.web.live import runs as live_module
from artstore.web.opening import open_site
from tests.faults.runprocesses import LIMIT_SECONDS, Host
from tests.trees import open_at
from tests.unit.web.livepages import (
    ServedSite,
    Watcher,
    eventually,
    is_told,
    served,
    silent_watcher,
)

TRAINS = """
run = init(id=sys.argv[1], name="trains", config={"lr": 0.1})
step = 0
print("begun", flush=True)
for line in sys.stdin:
    order, _, rest = line.strip().partition(" ")
    if order == "log":
        for _ in range(int(rest)):
            run.log({"loss": 1.0 / (step + 1), "acc": step / 100})
            step += 1
    elif order == "config":
        run.config.update({"lr": float(rest)}, allow_val_change=True)
    else:
        break
run.finish()
"""


class Training:
    """A program that does what it is told, line by line."""

    def __init__(self, host: Host, run_id: str) -> None:
        self.process = host.start(TRAINS, run_id)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "begun\n"

    def order(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A machine of which the server is a part."""
    host = Host(tmp_path / "host")
    monkeypatch.setenv("XDG_STATE_HOME", host.environ["XDG_STATE_HOME"])
    started: list[subprocess.Popen[str]] = []
    start = host.start
    monkeypatch.setattr(host, "start", lambda *given: started.append(start(*given)) or started[-1])
    yield host
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def store(host: Host) -> Store:
    store = open_at(Path(host.url), project="p")
    store.create()
    return store


def count_of(page: ServedSite, run_id: str) -> int:
    (line,) = page.get("series", run=run_id, key="loss")["series"] or [{"count": 0}]
    return int(line["count"])


def status_of(page: ServedSite) -> int:
    try:
        page.get("runs")
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
    return 200


def states(page: ServedSite) -> dict[str, str]:
    return {one["id"]: one["state"] for one in page.get("runs")["runs"]}


def test_a_run_of_another_process_appears_moves_and_is_seen_to_die(
    host: Host, store: Store
) -> None:
    with served(store) as page:
        watcher = page.watch()
        training = Training(host, "r1")
        watcher.until(is_told("r1", "running"))
        assert states(page) == {"r1": "running"}
        seen = 0
        for count in (1, 10, 25):
            training.order(f"log {count}")
            seen += count
            watcher.until(lambda told: count_of(page, "r1") == seen)  # noqa: B023 - called at once
        line = page.get("series", run="r1", key=["loss", "acc"])["series"][1]
        assert line["x"] == list(range(seen))
        assert line["last"] == [seen - 1, (seen - 1) / 100]
        training.order("config 0.5")
        watcher.until(lambda told: page.site.live.run("p", "r1").config == {"lr": 0.5})
        training.order("log 5")
        watcher.until(lambda told: count_of(page, "r1") == seen + 5)
        training.kill()
        watcher.until(is_told("r1", "crashed"))
        assert states(page) == {"r1": "crashed"}
        assert count_of(page, "r1") == seen + 5


def test_a_run_that_ends_keeps_every_point_while_its_journal_goes(host: Host, store: Store) -> None:
    with served(store) as page:
        watcher = page.watch(run="r1")
        training = Training(host, "r1")
        training.order("log 300")
        watcher.until(lambda told: count_of(page, "r1") == 300)
        wrong: list[int] = []
        is_over = threading.Event()

        def look() -> None:
            while not is_over.is_set():
                found = count_of(page, "r1")
                if found != 300:
                    wrong.append(found)

        thread = threading.Thread(target=look)
        thread.start()
        training.order("end")
        watcher.until(is_told("r1", "finished"))
        training.process.wait(LIMIT_SECONDS)
        eventually(lambda: not list((host.directory / "state").rglob("journal.log")))
        assert count_of(page, "r1") == 300
        is_over.set()
        thread.join()
        assert wrong == []
        assert states(page) == {"r1": "finished"}


def test_fifty_watchers_cost_one_reader(host: Host, store: Store) -> None:
    with served(store) as page:
        watchers = [page.watch() for _ in range(50)]
        live = page.site.live
        assert live.watcher_count == 50
        training = Training(host, "r1")
        for watcher in watchers:
            watcher.until(is_told("r1", "running"))
        begun, looks = time.monotonic(), live.look_count
        training.order("log 10")
        for watcher in watchers:
            watcher.until(lambda told: bool(told["runs"]))
        assert [one.name for one in threading.enumerate()].count("artstore runs") == 1
        # One look in half a second, whoever watches; another one for each of us who asked.
        assert live.look_count - looks <= (time.monotonic() - begun) / 0.5 + 2
        for watcher in watchers:
            watcher.close()
        training.order("log 1")
        eventually(lambda: live.watcher_count == 0)
        eventually(lambda: "artstore runs" not in [one.name for one in threading.enumerate()])


def test_watchers_who_come_and_go_leave_no_thread_and_no_file_open(
    host: Host, store: Store
) -> None:
    def open_files() -> int:
        return len(os.listdir("/dev/fd"))

    def looks() -> int:
        return [one.name for one in threading.enumerate()].count("artstore runs")

    with served(store) as page:
        live = page.site.live

        def come_and_go() -> None:
            watchers = [page.watch() for _ in range(20)]
            # Some go without a word, as browsers that are killed.
            silent = [silent_watcher(page.address) for _ in range(5)]
            eventually(lambda: live.watcher_count == 25)
            assert looks() == 1
            for one in (*watchers, *silent):
                one.close()
            page.watchers.clear()
            eventually(lambda: live.watcher_count == 0)
            eventually(lambda: looks() == 0)

        come_and_go()
        files, threads = open_files(), threading.active_count()
        for _ in range(3):
            come_and_go()
        eventually(lambda: open_files() <= files)
        # Those in which requests are answered are kept, and never more than so many.
        assert threading.active_count() <= threads + 40
        # A run that begins and ends while it is watched leaves nothing either.
        for number in range(3):
            watcher = page.watch()
            training = Training(host, f"r{number}")
            watcher.until(is_told(f"r{number}", "running"))
            training.order("log 3")
            watcher.until(lambda told: count_of(page, f"r{number}") == 3)  # noqa: B023 - called at once
            training.order("end")
            watcher.until(is_told(f"r{number}", "finished"))
            training.process.communicate()
            watcher.close()
            page.watchers.clear()
            if number == 0:
                eventually(lambda: looks() == 0)
                files = open_files()
        eventually(lambda: live.watcher_count == 0 and looks() == 0)
        eventually(lambda: open_files() <= files)


def test_watchers_stay_while_the_store_is_away_and_are_told_when_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live_module, "_AFTER_FAILURE_SECONDS", 0.1)
    make_run(store, "r1")
    with served(store) as page:
        live = page.site.live
        before = live.runs("p").revision
        watchers = [page.watch(since=before) for _ in range(3)]
        index = type(live._index())
        failed = threading.Event()

        def fails(*_: object) -> None:
            failed.set()
            raise UnavailableError("it does not answer", code="storage-unavailable")

        with monkeypatch.context() as patch:
            patch.setattr(index, "refresh", fails)
            assert failed.wait(LIMIT_SECONDS)
            failed.clear()
            assert failed.wait(LIMIT_SECONDS), "it is asked again"
            assert live.watcher_count == 3
            # Whoever asks meanwhile is told so, as soon as what is known is too old.
            eventually(lambda: status_of(page) == 502)
        make_run(store, "r2")
        for watcher in watchers:
            watcher.until(is_told("r2", "finished"))
        assert states(page) == {"r1": "finished", "r2": "finished"}
        assert [one.name for one in threading.enumerate()].count("artstore runs") == 1
    # Once for each time that it went away, not at each look.
    assert caplog.text.count("cannot be looked at") == 1


def test_a_watcher_for_whom_no_thread_can_be_started_is_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = open_site(store).live

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError), live.watch("p", lambda: None):
            pass
    assert live.watcher_count == 0
    woken = threading.Event()
    with live.watch("p", woken.set):
        make_run(store, "r1")
        assert woken.wait(LIMIT_SECONDS)


def test_a_server_ends_at_once_though_visitors_watch(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with served(store) as page:
        watchers = [page.watch() for _ in range(5)]
        silent = silent_watcher(page.address)
        eventually(lambda: page.site.live.watcher_count == 6)
        # They are read when the server is gone.
        page.watchers.clear()
    assert [watcher.event() for watcher in watchers] == [None] * 5
    silent.close()
    # What does not end by itself is cancelled after two seconds, and that is told.
    assert "timeout graceful shutdown exceeded" not in caplog.text
    assert page.site.live.watcher_count == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_server_whose_runs_are_watched(
    host: Host, store: Store, number: int
) -> None:
    command = [sys.executable, "-m", "artstore.cli.main", "serve", "--port", "0", "--json"]
    server = subprocess.Popen(
        command, env=host.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    address = json.loads(server.stdout.readline())["address"]
    watcher = Watcher(f"{address}api/v1/p/p/events")
    server.send_signal(number)
    assert watcher.event() is None
    _, told = server.communicate(timeout=LIMIT_SECONDS)
    assert server.returncode == 0
    assert "exceeded" not in told
    assert "Traceback" not in told


def test_more_watchers_than_there_is_room_for_are_told_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_WATCHERS_COUNT", 1)
    with served(store) as page:
        watcher = page.watch()
        with pytest.raises(urllib.error.HTTPError) as refused:
            page.watch()
        assert refused.value.code == 503
        assert json.load(refused.value)["error"]["code"] == "watchers-too-many"
        watcher.close()
        eventually(lambda: page.site.live.watcher_count == 0)
        page.watch().close()


def test_who_comes_back_is_told_what_it_missed(store: Store) -> None:
    store.create()
    with served(store) as page:
        before = page.site.live.runs("p").revision
        watcher = page.watch(since=before)
        make_run(store, "r1")
        told = watcher.until(is_told("r1", "finished"))
        assert told["project"] == "p"
        assert told["is_all"]
        watcher.close()
        make_run(store, "r2")
        again = page.watch(since=told["revision"]).until(is_told("r2", "finished"))
        assert [one["run"] for one in again["runs"]] == ["r2"]
        # Of what was before this server everything may be different.
        long_ago = page.watch(since=1).event()
        assert long_ago is not None
        assert not long_ago["is_all"]


def test_only_the_runs_that_are_asked_for_are_told_of(store: Store) -> None:
    with served(store) as page:
        before = page.site.live.runs("p").revision
        all_of_them = page.watch()
        eventually(lambda: page.site.live.watcher_count == 1)
        for run_id in ("r1", "r2"):
            make_run(store, run_id)
            all_of_them.until(is_told(run_id, "finished"))
        told = page.watch(run="r2", since=before).event()
        assert told is not None
        assert [one["run"] for one in told["runs"]] == ["r2"]


def test_events_pass_the_guard_like_every_page(store: Store) -> None:
    with served(store, token="t" * 20) as page:
        url = f"{page.address}/events"
        for headers, code in (({}, 401), ({"Host": "evil.example"}, 421)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, headers=headers))
            assert refused.value.code == code
            refused.value.close()
        allowed = urllib.request.Request(url, headers={"Authorization": f"Bearer {'t' * 20}"})
        with urllib.request.urlopen(allowed) as answer:
            assert answer.readline().startswith(b"retry:")
            assert answer.headers["x-content-type-options"] == "nosniff"


def make_run(store: Store, run_id: str) -> None:
    """A run that somebody elsewhere has made."""
    from artstore.catalog.runs.runlog import RunLog

    fields = {
        "session": "0123456789abcdef",
        "is_primary": True,
        "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:00:01Z",
        "state": "finished",
        "exit_code": 0,
        "changes": {"name": run_id},
    }
    log = RunLog(store._guarded_storage(), "p", run_id, "ada@lab")
    log.append(lambda _: ("end", fields))

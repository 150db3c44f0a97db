"""
Real processes in one store: writers, pullers and collectors, killed again and again.

Grace is a fraction of a second, so that everything that is not protected by fences would be
lost within moments. At the end all live versions are read to the byte, a full check finds
nothing, and when gc has settled nothing is stored that no version needs.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

import artstore as art
from artstore.api import Store
from artstore.catalog.guard import is_guarded_here
from artstore.garbage.records import GarbageReport
from artstore.settings import resolve
from artstore.testing.servers import S3Server
from artstore.tracking.repair import repair_all
from tests.faults.gcwork import COLLECTIONS, PATH_COUNT, bytes_of, check_files, loss_at
from tests.faults.killing import SOURCE, start
from tests.trees import open_at
from tests.unit.garbage.collected import log

WORKERS = (
    *(("writer", name) for name in ("1a", "1b", "2a", "3a")),
    *(("puller", name) for name in ("1c", "4a")),
    *(("collector", name) for name in ("5a", "6a")),
)


class Crowd:
    """The processes that work in one store."""

    def __init__(self, url: str, base: Path, seed: int) -> None:
        self.base = base
        for name in ("bad", "done"):
            (base / name).mkdir()
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.gcwork", url, str(base), str(seed)],
            cwd=SOURCE.parent,
            env={
                **os.environ,
                "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}",
                "ARTSTORE_TEST_GRACE_FLOOR": "0",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._told() == "ready"
        self.pids: dict[tuple[str, str], int] = {}

    def _told(self) -> str:
        assert self._zygote.stdout is not None
        return self._zygote.stdout.readline().strip()

    def start(self, role: str, name: str) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(f"{role} {name}\n")
        self._zygote.stdin.flush()
        self.pids[role, name] = int(self._told())

    def kill(self, role: str, name: str) -> None:
        try:
            os.kill(self.pids.pop((role, name)), signal.SIGKILL)
        except ProcessLookupError:
            assert self.bad(), f"{role} {name} ended by itself"

    def bad(self) -> list[str]:
        return [file.read_text() for file in sorted((self.base / "bad").iterdir())]

    def count(self, role: str) -> int:
        """What they have done in all."""
        done = (self.base / "done").glob(f"{role}-*")
        return sum(int(text) for text in (file.read_text() for file in done) if text)

    def end(self) -> None:
        for worker in list(self.pids):
            self.kill(*worker)
        self._zygote.kill()
        self._zygote.wait()
        for stream in (self._zygote.stdin, self._zygote.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def crowd(url: str, base: Path, seed: int) -> Iterator[Crowd]:
    found = Crowd(url, base, seed)
    try:
        yield found
    finally:
        found.end()


# So much must be done, in a second, for the test to say anything; on a slow machine they go on
# until it is, and are left in peace. Collectors read ever longer logs.
LEAST = {"writer": 1 / 3, "puller": 1 / 3, "collector": 1 / 10, "trainer": 1, "impatient": 1}
PATIENCE = 20


def let_them_work(
    url: str,
    base: Path,
    *,
    seconds: float,
    workers: Sequence[tuple[str, str]] = WORKERS,
    seed: int = 1,
) -> None:
    rng = random.Random(seed)
    with crowd(url, base, seed) as found:
        for worker in workers:
            found.start(*worker)

        def is_enough() -> bool:
            return all(found.count(role) > seconds * LEAST[role] for role, _ in workers)

        began = time.monotonic()
        while time.monotonic() < began + seconds and not found.bad():
            time.sleep(rng.uniform(0.1, 0.6))
            worker = rng.choice(workers)
            found.kill(*worker)
            found.start(*worker)
        while time.monotonic() < began + PATIENCE * seconds and not is_enough():
            time.sleep(0.1)
            assert not found.bad(), "\n".join(found.bad())
        counts = {role: found.count(role) for role, _ in workers}
    assert not found.bad(), "\n".join(found.bad())
    assert is_enough(), counts


def check_all(store: Store, base: Path) -> None:
    """Every live version pulls, verifies and is what was pushed."""
    live = 0
    for name in COLLECTIONS:
        for version in store.versions(name) if name in store.collection_names() else ():
            if version.is_live:
                full = f"{name}:v{version.version}"
                assert not store.verify(full).problems, full
                out = base / "check" / full.replace(":", "-")
                store.artifact(full).download(out)
                check_files(out)
                live += 1
    assert live
    assert not store.check(read_data=1.0).problems


def settle(store: Store) -> None:
    def run(*, dry_run: bool) -> GarbageReport:
        return store.collect_garbage(
            grace=timedelta(0),
            restore_window=timedelta(0),
            repack_above=1.0,
            force=True,
            dry_run=dry_run,
        )

    for _ in range(12):
        # Times of a bucket are whole seconds.
        time.sleep(0 if is_guarded_here(store.url) else 1.1)
        report = run(dry_run=False)
        if report.plan is not None and report.plan.number is None:
            break
    else:
        raise AssertionError(f"gc finds something each time: {report.plan}")
    plan = run(dry_run=True).plan
    assert plan is not None
    assert [kind for kind in plan.kinds if kind.kind != "upkeep"] == []
    assert plan.young_bytes == 0


def check_crowd(url: str, base: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    let_them_work(url, base, seconds=seconds)
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(base / "stranger"))
    store = art.open_store(url, project="p")
    check_all(store, base / "before")
    settle(store)
    check_all(art.open_store(url, project="p"), base / "after")


SECONDS = [
    pytest.param(10, id="10 s"),
    pytest.param(600, id="ten minutes", marks=pytest.mark.nightly),
]


@pytest.mark.parametrize("seconds", SECONDS)
def test_nobody_loses_a_byte_on_a_local_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    check_crowd(str(tmp_path / "store"), tmp_path, seconds, monkeypatch)


@pytest.mark.parametrize("seconds", SECONDS)
def test_nobody_loses_a_byte_in_a_bucket(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    url = f"s3://{s3_server.make_bucket()}/store"
    check_crowd(url, tmp_path, seconds, monkeypatch)


def check_runs(store: Store, base: Path) -> None:
    """Whatever a run logged that was not deleted is read as it was."""
    for _ in repair_all(resolve(store.url).state_dir):
        continue
    ended = {file.name: int(file.read_text() or 0) for file in (base / "ended").iterdir()}
    deleted, whole = 0, 0
    for run in store.runs(deleted=True):
        if run.state == "deleted":
            deleted += 1
            continue
        rows = run.history_table(["loss"]).to_pydict()
        assert rows["_step"] == [*range(len(rows["_step"]))]
        # One that was killed at its beginning has none.
        assert rows.get("loss", []) == [loss_at(step) for step in rows["_step"]]
        if ended.get(run.id):
            assert len(rows["_step"]) == ended[run.id]
            whole += 1
    assert deleted + whole > 0
    assert not store.check(read_data=1.0).problems


@pytest.mark.parametrize("place", ["disk", "moto"])
@pytest.mark.parametrize("seconds", [pytest.param(5, id="5 s"), SECONDS[1]])
def test_no_run_loses_a_row(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    seconds: float,
) -> None:
    url = str(tmp_path / "store")
    if place == "moto":
        server = request.getfixturevalue("moto")
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{server.make_bucket()}/store"
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    log(open_at(url), "one", {"f01": bytes_of("f01")})
    trainers = (*(("trainer", name) for name in ("1a", "1b", "2a")), ("impatient", "3a"))
    let_them_work(url, tmp_path, seconds=seconds, workers=trainers)
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / "stranger"))
    store = art.open_store(url, project="p")
    check_runs(store, tmp_path)
    for _ in range(2):
        # Times of a bucket are whole seconds.
        time.sleep(1.1)
        told = store.collect_garbage(grace=timedelta(0), restore_window=timedelta(0))
        assert told.runs is not None
        assert told.runs.kept == ()
    assert told.runs.objects == 0
    check_runs(art.open_store(url, project="p"), tmp_path)


COLLECTING = """
import sys
from datetime import timedelta
import artstore as art
store = art.open_store(sys.argv[1], project="p")
store.collections()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3):
    store.collect_garbage(grace=timedelta(0), restore_window=timedelta(0), force=True)
print("done", flush=True)
"""


def with_garbage(place: Path) -> Store:
    store = open_at(place)
    files = {f"f{number:02}": bytes_of(f"f{number:02}") for number in range(PATH_COUNT)}
    log(store, "one", files)
    for number in range(6):
        log(store, "one", dict(list(files.items())[number : number + 5]))
        log(store, "two", {f"f{number + 10:02}": files[f"f{number + 10:02}"]})
    for version in (0, 1, 3, 4):
        store.delete(f"one:v{version}", force=True)
    return store


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_a_collector_that_is_stopped_at_any_moment_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")
    with_garbage(tmp_path / "pristine")
    stopped = 0
    whole: float | None = None
    for moment in range(5):
        # A copy has the same id: what is known of one must not be held against the next.
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / f"cache-{moment}"))
        place = tmp_path / f"store-{moment}"
        shutil.copytree(tmp_path / "pristine", place, symlinks=True)
        process = start(COLLECTING, place)
        assert process.stdin is not None
        assert process.stdout is not None
        began = time.monotonic()
        process.stdin.write(b"\n")
        process.stdin.close()
        if whole is None:
            process.wait()
            whole = time.monotonic() - began
            assert process.stdout.read() == b"done\n"
        else:
            time.sleep(whole * moment / 6)
            process.send_signal(number)
            process.wait()
            stopped += process.stdout.read() == b""
        process.stdout.close()
        assert not open_at(place).check(read_data=1.0).problems
        settle(open_at(place))
        check_all(open_at(place), tmp_path / f"out-{moment}")
    assert stopped, "no collector was stopped while it worked"

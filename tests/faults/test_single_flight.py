"""Eight processes of one machine that want one version fetch its bytes once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artstore import limits
from artstore.api import Store
from artstore.settings import resolve
from artstore.transfer.single import FileLock
from tests.trees import File, Tree, build, noise, observe, push

SOURCE = Path(__file__).resolve().parents[2] / "src"
PROCESS_COUNT = 8

PROGRAM = """
import json, sys
from artstore.api import Store
from artstore.settings import resolve
from artstore.storage.meter import MeteredStorage
from artstore.storage.opener import open_storage
url, name, target, link = sys.argv[1:]
store = Store(resolve(url, "p"))
store._storage = meter = MeteredStorage(open_storage(url))
print("ready", flush=True)
sys.stdin.readline()
phases = []
def tell(progress):
    if progress.phase not in phases:
        phases.append(progress.phase)
        print(progress.phase, flush=True)
result = store.artifact(name).download(target, link=link, on_progress=tell)
read = meter.snapshot()["read"]
print(json.dumps({"bytes": read.size_bytes, "written": result.written_files}))
"""
WAITING = "waiting for another pull\n"

TREE: Tree = {
    **{f"small/{i:03}": File(noise(30_000, i)) for i in range(100)},
    "large": File(noise(5 * limits.MIB, 1_000)),
    "tool": File(noise(10_000, 1_001), executable=True),
}


@pytest.fixture(params=["local", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with `ds` v0 and v1, the one in a directory and the other in a bucket of moto."""
    place = str(tmp_path / "store")
    if request.param == "s3":
        server = request.getfixturevalue("moto")
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        place = f"s3://{server.make_bucket()}/store"
    store = open_url(place)
    push(store, build(tmp_path / "source", TREE))
    push(store, build(tmp_path / "source", {**TREE, "small/000": File(b"changed")}))
    return place


def open_url(url: str) -> Store:
    return Store(resolve(url, "p"))


def start(url: str, name: str, target: Path, link: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, name, str(target), link],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def let_go(process: subprocess.Popen[str]) -> None:
    """It has imported everything, and now begins."""
    assert process.stdin is not None
    assert line_of(process) == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def result_of(process: subprocess.Popen[str]) -> dict[str, int]:
    out, _ = process.communicate()
    assert process.returncode == 0
    result: dict[str, int] = json.loads(out.splitlines()[-1])
    return result


def run_at_once(processes: list[subprocess.Popen[str]]) -> list[dict[str, int]]:
    """What each tells, when all began at the same moment."""
    for process in processes:
        let_go(process)
    return [result_of(process) for process in processes]


def bytes_of_one(url: str, tmp_path: Path, name: str = "ds:v0") -> int:
    """What one process reads, alone and without a cache."""
    (alone,) = run_at_once([start(url, name, tmp_path / "alone", "copy")])
    return alone["bytes"]


@pytest.mark.parametrize("link", ["copy", "hard"])
def test_processes_that_pull_into_one_directory_fetch_its_bytes_once(
    url: str, tmp_path: Path, link: str
) -> None:
    once = bytes_of_one(url, tmp_path)
    target = tmp_path / "target"
    found = run_at_once([start(url, "ds:v0", target, link) for _ in range(PROCESS_COUNT)])
    assert observe(target) == TREE
    assert sum(each["bytes"] for each in found) <= 1.05 * once
    assert sorted(each["written"] for each in found) == [0] * (PROCESS_COUNT - 1) + [len(TREE)]


@pytest.mark.parametrize("link", ["hard", "sym"])
def test_processes_that_pull_one_version_through_one_cache_fetch_its_bytes_once(
    url: str, tmp_path: Path, link: str
) -> None:
    once = bytes_of_one(url, tmp_path)
    targets = [tmp_path / f"target-{i}" for i in range(PROCESS_COUNT)]
    found = run_at_once([start(url, "ds:v0", target, link) for target in targets])
    for target in targets:
        assert {path: (target / path).read_bytes() for path in TREE} == {
            path: node.data for path, node in TREE.items() if isinstance(node, File)
        }
    assert sum(each["bytes"] for each in found) <= 1.05 * once
    assert all(each["written"] == len(TREE) for each in found)


def test_two_versions_pulled_into_one_directory_at_once_leave_one_of_them_whole(
    url: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    run_at_once([start(url, f"ds:v{i % 2}", target, "copy") for i in range(4)])
    changed = {**TREE, "small/000": File(b"changed")}
    assert observe(target) in (TREE, changed)
    # What the note of the directory says is what it holds.
    noted = open_url(url)._checkouts().find(target)
    assert noted is not None
    assert noted.is_done
    assert observe(target) == (TREE, changed)[noted.version]


def test_when_the_process_that_fetches_is_killed_the_next_one_goes_on(
    url: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    first = start(url, "ds:v0", target, "hard")
    let_go(first)
    # It writes now, and goes no further.
    assert line_of(first) == "pull\n"
    first.send_signal(signal.SIGSTOP)
    others = [start(url, "ds:v0", target, "hard") for _ in range(2)]
    try:
        for process in others:
            let_go(process)
            assert line_of(process) == WAITING
    finally:
        first.kill()
        first.communicate()
    written = [result_of(process)["written"] for process in others]
    # One of them finished the work, the other found nothing to do.
    assert min(written) == 0
    assert max(written) > 0
    assert observe(target) == TREE


def test_who_has_to_wait_is_told_and_a_dry_run_need_not(url: str, tmp_path: Path) -> None:
    store = open_url(url)
    target = tmp_path / "target"
    store.artifact("ds:v0").download(target)
    (lock_file,) = (store._checkouts().directory / "locks").iterdir()
    # As if another pull were at work.
    with FileLock(lock_file) as lock:
        assert lock.try_take()
        process = start(url, "ds:v1", target, "copy")
        let_go(process)
        assert line_of(process) == WAITING
        phases: list[str] = []
        tried = store.artifact("ds:v1").download(
            target, dry_run=True, on_progress=lambda progress: phases.append(progress.phase)
        )
        assert tried.written_files == 1
        assert phases
        assert WAITING.strip() not in phases
    assert result_of(process)["written"] == 1

"""
Sixteen processes that push into one collection, some of them killed while they do.

The whole size, 16 x 50 versions, runs under `make nightly`; every run of the tests has
all sixteen on local disk, fewer on S3 servers, and fewer versions. What each writer was
told is compared with what the log says afterwards.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from artstore.api import Store
from artstore.settings import resolve
from artstore.testing.servers import S3Server
from tests.trees import problems_of

SOURCE = Path(__file__).resolve().parents[2] / "src"

WRITER = """
import json, os, sys
from pathlib import Path
import artstore as art
from blake3 import blake3
url, directory, me, count = sys.argv[1:]
own = Path(directory) / me
own.mkdir(exist_ok=True)
store = art.open_store(url, project="p")
with open(Path(directory) / f"{me}.told", "a") as told:
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(int(count)):
        content = f"{me} {i}"
        (own / "content").write_text(content)
        (own / "data").write_bytes(blake3(content.encode()).digest(length=3000))
        artifact = art.Artifact("ds")
        artifact.add_dir(own)
        aliases = ["newest", f"third-{i % 3}", f"of-{me}"]
        logged = store.log_artifact(artifact, aliases=aliases)
        assert logged.push.is_new
        told.write(json.dumps([logged.version, content, aliases]) + "\\n")
        told.flush()
        if i % 5 == 4:
            # An entry of its own, which moves an alias backwards.
            store.set_aliases(logged.qualified_name, add=["picked"], remove=[f"of-{me}"])
            told.write(json.dumps([logged.version, content, ["picked"]]) + "\\n")
            told.flush()
"""


@dataclass
class Writer:
    """A process, and what it was told."""

    process: subprocess.Popen[str]
    file: Path
    told: list[list[Any]] = field(default_factory=list)

    def told_count(self) -> int:
        return self.file.read_bytes().count(b"\n") if self.file.exists() else 0


@dataclass
class Writers:
    """
    Processes that push into `url`; every other one has a cache of its own, as on another machine.
    """

    url: str
    directory: Path
    all: list[Writer] = field(default_factory=list)

    def start(self, count: int) -> Writer:
        number = len(self.all)
        me = f"w{number}"
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        if number % 2:
            environment["ARTSTORE_CACHE_DIR"] = str(self.directory / f"cache-{number}")
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, self.url, str(self.directory), me, str(count)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        writer = Writer(process, self.directory / f"{me}.told")
        self.all.append(writer)
        return writer

    def let_go(self, writers: list[Writer]) -> None:
        for writer in writers:
            assert writer.process.stdout is not None
            assert writer.process.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.process.stdin is not None
            writer.process.stdin.write("\n")
            writer.process.stdin.flush()

    def finish(self) -> list[list[Any]]:
        """Wait for all; everything that any of them was told."""
        told = []
        for writer in self.all:
            writer.process.communicate()
            assert writer.process.returncode in (0, -signal.SIGKILL)
            told += [json.loads(line) for line in writer.file.read_text().splitlines()]
        return told


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that is there: in a directory, in moto, or in radosgw."""
    place = str(tmp_path / "store")
    if request.param != "local":
        server: S3Server = request.getfixturevalue(request.param)
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        place = f"s3://{server.make_bucket()}/store"
    Store(resolve(place, "p")).create()
    return place


def check_all(url: str, told: list[list[Any]]) -> int:
    """Compare what writers were told with what the store says; how many versions there are."""
    store = Store(resolve(url, "p"))
    versions = store.versions("ds")
    assert [version.version for version in versions] == list(range(len(versions)))
    assert len({version.digest for version in versions}) == len(versions)
    assert len({version.push for version in versions}) == len(versions)
    check_aliases(store)
    # Each version is told at most once, and is what its writer was told.
    pushes = [(version, content) for version, content, aliases in told if aliases != ["picked"]]
    assert len({version for version, _ in pushes}) == len(pushes)
    history = store.history("ds")
    assert [entry["n"] for entry in history] == list(range(len(history)))
    picked = [f"v{e['version']}" for e in history if "picked" in e.get("add", ())]
    assert {version for version, _, aliases in told if aliases == ["picked"]} <= set(picked)
    assert problems_of(store, read_data=1.0) == []
    contents = dict(pushes)
    for version in versions:
        artifact = store.artifact(f"ds:v{version.version}")
        content = artifact.read("content")
        assert content.decode() == contents.get(artifact.version, content.decode())
        assert artifact.read("data") == noise_of(content)
    return len(versions)


def noise_of(content: bytes) -> bytes:
    from blake3 import blake3

    return blake3(content).digest(length=3000)


def check_aliases(store: Store) -> None:
    """Every alias is where the last entry that names it put it."""
    where: dict[str, int] = {}
    for entry in store.history("ds"):
        if entry["kind"] == "publish":
            where.update(dict.fromkeys(entry.get("aliases", ()), entry["version"]))
        elif entry["kind"] == "alias":
            where.update(dict.fromkeys(entry.get("add", ()), entry["version"]))
            for alias in entry.get("remove", ()):
                where.pop(alias, None)
    found: dict[str, int] = {}
    for version in store.versions("ds"):
        found.update(dict.fromkeys(version.aliases, version.version))
    assert found == where
    assert found["newest"] == max(found.values())


SIZES = [
    pytest.param("local", 16, 15, id="local"),
    pytest.param("moto", 6, 4, id="moto"),
    pytest.param("radosgw", 8, 5, id="radosgw"),
    pytest.param("local", 16, 50, id="local-whole", marks=pytest.mark.nightly),
    pytest.param("moto", 16, 50, id="moto-whole", marks=pytest.mark.nightly),
    pytest.param("radosgw", 16, 50, id="radosgw-whole", marks=pytest.mark.nightly),
]


@pytest.mark.parametrize(("url", "writer_count", "version_count"), SIZES, indirect=["url"])
def test_many_writers_of_one_collection_leave_no_gap_and_no_repeat(
    url: str, writer_count: int, version_count: int, tmp_path: Path
) -> None:
    writers = Writers(url, tmp_path)
    writers.let_go([writers.start(version_count) for _ in range(writer_count)])
    told = writers.finish()
    assert all(writer.process.returncode == 0 for writer in writers.all)
    assert check_all(url, told) == writer_count * version_count


KILLED_SIZES = [
    pytest.param("local", 16, 5, 6, id="local"),
    pytest.param("moto", 6, 4, 3, id="moto"),
    pytest.param("local", 16, 50, 40, id="local-whole", marks=pytest.mark.nightly),
    pytest.param("moto", 16, 50, 40, id="moto-whole", marks=pytest.mark.nightly),
    pytest.param("radosgw", 16, 50, 40, id="radosgw-whole", marks=pytest.mark.nightly),
]


def kill_some(writers: Writers, total: int, kill_count: int, seed: int) -> Iterator[Writer]:
    """Kill a running writer each time so many versions are there, at seeded moments."""
    draw = random.Random(seed)
    for moment in sorted(draw.randrange(total) for _ in range(kill_count)):
        while True:
            running = [writer for writer in writers.all if writer.process.poll() is None]
            if not running:
                return
            if sum(writer.told_count() for writer in writers.all) >= moment:
                break
            time.sleep(0.002)
        time.sleep(draw.random() * 0.02)
        writer = draw.choice(running)
        writer.process.kill()
        yield writer


@pytest.mark.parametrize(
    ("url", "writer_count", "version_count", "kill_count"), KILLED_SIZES, indirect=["url"]
)
def test_writers_killed_at_any_moment_lose_nothing_that_they_were_told(
    url: str, writer_count: int, version_count: int, kill_count: int, tmp_path: Path
) -> None:
    writers = Writers(url, tmp_path)
    writers.let_go([writers.start(version_count) for _ in range(writer_count)])
    killed = []
    for writer in kill_some(writers, writer_count * version_count, kill_count, seed=3):
        killed.append(writer)
        # Another one takes its place.
        writers.let_go([writers.start(max(1, version_count - writer.told_count()))])
    told = writers.finish()
    assert any(writer.process.returncode == -signal.SIGKILL for writer in killed)
    pushed_count = sum(aliases != ["picked"] for _, _, aliases in told)
    # A killed writer may have written one version that it was not told of.
    assert pushed_count <= check_all(url, told) <= pushed_count + len(killed)

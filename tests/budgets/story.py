"""
What people do with a store, one command after the other, and the requests each one sends.

The commands are those of the command line, run in this process over a metered
storage. Each of three machines has a home of its own; each command is a new
process as far as memory goes: only what lies on the machine's disk is kept.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import pytest

from artstore import clock
from artstore.cli.run import run
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from artstore.storage.protocol import Storage
from tests.budgets.million import path_of
from tests.budgets.million import publish as publish_entries
from tests.trees import LaterClock, noise, open_at
from tests.unit.upkeep.runs import PROJECT, record_run

MILLION: Final = 1_000_000
FOLDER_COUNT: Final = 20
FILES_A_FOLDER: Final = 100
FILE_BYTES: Final = 20 * 1024
CHANGED_COUNT: Final = 20
NEW_COUNT: Final = 20
DELETED_COUNT: Final = 10
RUN_COUNT: Final = 100

# What each command is called in the table of docs/explanation/requests-and-cost.md.
MAKE: Final = "`art init`, after the probes of `art doctor`"
FIRST_PUSH: Final = "`art push`: 2,000 files of 20 KiB, the first version of a name"
PUSH_AGAIN: Final = "the same again, nothing changed"
PUSH_AGAIN_ELSEWHERE: Final = "the same again, from a machine that has not seen the store"
PUSH_CHANGES: Final = "`art push`: 20 files changed, 20 new, 10 deleted"
FIRST_PULL: Final = "`art pull` into an empty directory, on a machine that has not seen the store"
PULL_AGAIN: Final = "the same again"
PULL_AGAIN_BY_NUMBER: Final = "the same again, named by its number (`images:v0`)"
PULL_CHANGES: Final = "`art pull` of the next version onto it"
ONE_FILE: Final = "`art cat`: one file of 1,000,000, on a machine that has not seen the store"
ALIAS: Final = "`art alias`"
LIST: Final = "`art ls`, one artifact"
LOG: Final = "`art log`, three entries"
SHOW: Final = "`art show`"
DELETE: Final = "`art rm`"
CHECK_RUNS: Final = "`art check` of 100 runs, three entries each"
CHECK_DATA_OF_RUNS: Final = "`art check --read-data` of them: three segments and two pictures each"
COUNT_RUNS: Final = "`art du` of them"
VERIFY_RUN: Final = "`art verify` of one of them, on a machine that has listed them"

Requests = Counter[Request]


class MemoryBucket(MemoryStorage):
    """Values in memory that call themselves a bucket: everybody behaves as with a real one."""

    @property
    def url(self) -> str:
        return "s3://bucket/store"


@dataclass
class Machines:
    """
    Computers that share one storage; `art` runs a command on one of them.

    Attributes:
        base: where their homes lie.
        sent: the requests of each command, under the name it was given.
    """

    base: Path
    patch: pytest.MonkeyPatch
    inner: Storage = field(default_factory=MemoryBucket)
    sent: dict[str, Requests] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.storage = MeteredStorage(self.inner)
        # A place on disk by its name, so that machines remember what they saw of it.
        self.url = (self.base / "store").as_uri()
        self.patch.setattr(
            "artstore.storeconnection.open_storage", lambda _url, **_options: self.storage
        )

    def art(self, machine: str, *words: str | Path, named: str = "") -> None:
        """Run `art` on a machine; `named` is what its requests are kept under."""
        self._sit_down_at(machine)
        self.storage.reset()
        said = io.BytesIO()
        # With a buffer below it, since `art cat` writes bytes.
        told = io.TextIOWrapper(said, "utf-8", write_through=True)
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = run([str(word) for word in words])
        assert status == 0, (words, said.getvalue())
        if named:
            self.sent[named] = self.storage.requests()

    def _sit_down_at(self, machine: str) -> None:
        home = self.base / machine
        home.mkdir(exist_ok=True)
        self.patch.chdir(home)
        self.patch.setenv("HOME", str(home))
        for name in ("CACHE", "CONFIG", "DATA", "STATE"):
            self.patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
        self.patch.setenv("ARTSTORE_CACHE_DIR", str(home / "cache" / "artstore"))
        self.patch.setenv("ARTSTORE_URL", self.url)


@contextlib.contextmanager
def machines(base: Path, inner: Storage | None = None) -> Iterator[Machines]:
    """Machines below `base`, with the clock that lets the stat cache trust new files."""
    with pytest.MonkeyPatch.context() as patch, clock.use(LaterClock()):
        yield Machines(base, patch, MemoryBucket() if inner is None else inner)


def make_images(root: Path) -> Path:
    """2,000 files of 20 KiB, as a data set of small images is."""
    for number in range(FOLDER_COUNT * FILES_A_FOLDER):
        path = _image(root, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(FILE_BYTES, number))
    return root


def change_images(root: Path) -> None:
    """20 files changed, 20 new, 10 deleted, all over the tree."""
    count = FOLDER_COUNT * FILES_A_FOLDER
    picked = Random(1).sample(range(count), CHANGED_COUNT + DELETED_COUNT)
    for number in picked[:CHANGED_COUNT]:
        _image(root, number).write_bytes(noise(FILE_BYTES, 10 * count + number))
    for number in picked[CHANGED_COUNT:]:
        _image(root, number).unlink()
    for number in range(count, count + NEW_COUNT):
        _image(root, number).write_bytes(noise(FILE_BYTES, number))


def _image(root: Path, number: int) -> Path:
    return root / f"class_{number % FOLDER_COUNT:02d}" / f"{number:05d}.jpg"


def play(base: Path) -> dict[str, Requests]:
    """The whole story; the requests of each command, by the name it has in the documentation."""
    with machines(base) as here:
        images, out = make_images(base / "images"), base / "out"
        art = here.art
        art("a", "init", here.url, named=MAKE)
        art("a", "push", images, "images", named=FIRST_PUSH)
        art("a", "push", images, "images", named=PUSH_AGAIN)
        art("b", "push", images, "images", named=PUSH_AGAIN_ELSEWHERE)
        art("c", "pull", "images", out, named=FIRST_PULL)
        art("c", "pull", "images", out, named=PULL_AGAIN)
        art("c", "pull", "images:v0", out, named=PULL_AGAIN_BY_NUMBER)
        change_images(images)
        art("a", "push", images, "images", named=PUSH_CHANGES)
        art("c", "pull", "images", out, "--delete", named=PULL_CHANGES)
        art("a", "alias", "images:v1", "best", named=ALIAS)
        art("a", "ls", named=LIST)
        art("a", "log", "images", named=LOG)
        art("a", "show", "images", named=SHOW)
        art("a", "rm", "images:v0", named=DELETE)
        publish_entries(open_at(here.url, here.storage, project="default"), "million", MILLION)
        art("d", "cat", "million", path_of(MILLION // 2), named=ONE_FILE)
    return here.sent | play_runs(base / "runs")


def play_runs(base: Path) -> dict[str, Requests]:
    """What looks after a store, in one that has runs and nothing else."""
    base.mkdir()
    with machines(base) as here:
        here.art("a", "init", here.url)
        store = open_at(here.url, here.storage, project=PROJECT)
        for number in range(RUN_COUNT):
            record_run(store, f"r{number:03d}")
        here.art("a", "check", named=CHECK_RUNS)
        here.art("a", "check", "--read-data", named=CHECK_DATA_OF_RUNS)
        here.art("a", "du", named=COUNT_RUNS)
        here.art("a", "runs", "--project", PROJECT)
        here.art("a", "verify", f"run:{PROJECT}/r007", named=VERIFY_RUN)
        return here.sent

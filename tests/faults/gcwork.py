"""
What machines do in a store in which garbage is collected all the time, until they are killed.

`python -m tests.faults.gcwork URL BASE SEED` waits for lines `ROLE NAME`, and forks a process for
each, which works without end: a killed one is replaced at once. Whatever goes wrong that none
of them may meet becomes a file below `BASE/bad`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import artstore as art
from artstore.api import LATE_MODULES, Store
from artstore.errors import ArtstoreError, NotFoundError, UnavailableError
from artstore.forks import import_late
from tests.trees import noise

COLLECTIONS = ("one", "two", "three")
PATH_COUNT = 24
GRACE_SECONDS = 0.4
WINDOW_SECONDS = 1.0
# What somebody may be told whom another was faster than.
RACES = frozenset(
    [
        *("content-condemned", "content-vanished", "plan-unreadable", "commit-contended"),
        *("version-not-found", "version-deleted", "version-purged", "collection-not-found"),
        *("store-not-found", "commit-unknown", "type-mismatch", "content-swept", "run-not-found"),
    ]
)


def path_of(number: int) -> str:
    return f"f{number:02}"


def bytes_of(path: str) -> bytes:
    number = int(path[1:])
    return noise((1 + number % 7) ** 2 * 1500, number)


def write(store: Store, rng: random.Random) -> None:
    """A push, mostly; else something is deleted, taken back, held elsewhere or described."""
    name = rng.choice(COLLECTIONS)
    chance = rng.random()
    if chance < 0.55:
        artifact = art.Artifact(name, "dataset")
        for number in rng.sample(range(PATH_COUNT), rng.randint(1, 8)):
            with artifact.new_file(path_of(number), "wb") as file:
                file.write(bytes_of(path_of(number)))
        store.log_artifact(artifact)
        return
    versions = store.versions(name)
    live = [one for one in versions if one.is_live]
    if chance < 0.75 and len(live) > 1:
        store.delete(f"{name}:v{rng.choice(live).version}", force=True)
    elif chance < 0.85:
        gone = [one for one in versions[-8:] if not one.is_live]
        if gone:
            store.restore(f"{name}:v{rng.choice(gone).version}")
    elif chance < 0.92 and live:
        other = rng.choice([one for one in COLLECTIONS if one != name])
        store.artifact(f"{name}:v{rng.choice(live).version}").link(other)
    elif chance < 0.96 and live:
        artifact = store.artifact(f"{name}:v{rng.choice(live).version}")
        artifact.description = f"said {rng.random()}"
        artifact.save()
    elif len(live) > 6:
        store.prune(name, retention=art.Retention(keep_last=4))


def read(store: Store, rng: random.Random, directory: Path) -> None:
    """Pull any live version; what comes is right, or the version is not live any more."""
    name = rng.choice(COLLECTIONS)
    live = [one for one in store.versions(name) if one.is_live]
    if not live:
        return
    number = rng.choice(live).version
    shutil.rmtree(directory, ignore_errors=True)
    try:
        store.artifact(f"{name}:v{number}").download(directory)
        check_files(directory)
    except NotFoundError:
        raise
    except ArtstoreError:
        (version,) = [one for one in store.versions(name) if one.version == number]
        if version.is_live and not was_deleted(store, name, number):
            raise


def was_deleted(store: Store, name: str, number: int) -> bool:
    """Whether it was ever deleted: it may have been taken back meanwhile."""
    return any(
        entry["kind"] == "delete" and entry["version"] == number for entry in store.history(name)
    )


def check_files(directory: Path) -> None:
    files = sorted(directory.iterdir())
    assert files
    for file in files:
        assert file.read_bytes() == bytes_of(file.name), file


def collect(store: Store, rng: random.Random) -> None:
    if not store.collections():
        return
    store.collect_garbage(
        grace=timedelta(seconds=GRACE_SECONDS),
        restore_window=timedelta(seconds=WINDOW_SECONDS),
        repack_above=rng.choice((0.2, 0.5, 1.0)),
        force=True,
    )
    time.sleep(0.2 * rng.random())


def collect_at_once(store: Store) -> None:
    """As no one would: what can go goes in the moment in which it can."""
    store.collect_garbage(grace=timedelta(0), restore_window=timedelta(0))


def train(store: Store, rng: random.Random, base: Path, name: str) -> None:
    """A run that goes to the store in many steps; then one of those before is deleted or not."""
    ended = base / "ended"
    ended.mkdir(exist_ok=True)
    run_id = f"{name}-{rng.getrandbits(40):010x}"
    quick = {"store_seconds": 0.03, "journal_seconds": 0.01, "console": "off", "silent": True}
    plain = {"save_git": False, "save_system": False, "save_environment": False}
    rows = rng.randint(3, 60)
    with art.init(store=store.url, project="p", id=run_id, settings=quick | plain) as run:
        for step in range(rows):
            run.log({"loss": loss_at(step)})
            time.sleep(0.01 * rng.random())
    (ended / run_id).write_text(str(rows))
    before = rng.choice(sorted(ended.iterdir())).name
    if rng.random() < 0.3:
        store.run(before).delete()
    elif rng.random() < 0.5:
        store.run(before).restore()


def loss_at(step: int) -> float:
    return 1 / (step + 1)


def work(role: str, name: str, url: str, base: Path, seed: int) -> None:
    """Never comes back."""
    # Two processes of each machine share its caches.
    os.environ["ARTSTORE_CACHE_DIR"] = str(base / "cache" / name.rstrip("ab"))
    rng = random.Random(seed)
    store = art.open_store(url, project="p")
    steps: dict[str, Callable[[], None]] = {
        "writer": lambda: write(store, rng),
        "puller": lambda: read(store, rng, base / f"out-{name}"),
        "collector": lambda: collect(store, rng),
        "impatient": lambda: collect_at_once(store),
        "trainer": lambda: train(store, rng, base, name),
    }
    count = 0
    try:
        while True:
            try:
                steps[role]()
                count += 1
                (base / "done" / f"{role}-{name}-{seed}").write_text(str(count))
            except UnavailableError:
                time.sleep(0.05)
            except ArtstoreError as error:
                if error.code not in RACES:
                    raise
    except BaseException:  # noqa: BLE001 - told to the process that tests
        (base / "bad" / f"{role}-{name}-{seed}").write_text(traceback.format_exc())


def serve(lines: Iterable[str], url: str, base: Path, seed: int) -> None:
    import_late(LATE_MODULES)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)  # noqa: T201 - to the process that tests
    for number, line in enumerate(lines):
        role, name = line.split()
        pid = os.fork()
        if pid == 0:
            try:
                work(role, name, url, base, seed + number)
            finally:
                os._exit(1)
        print(pid, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    # Not an iterator over stdin: it reads ahead.
    serve(iter(sys.stdin.readline, ""), sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

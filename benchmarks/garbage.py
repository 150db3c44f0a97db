"""
Benchmarks of gc: `python -m benchmarks.garbage --help`.

    plan-run, plan-scattered   a plan over 1,000 versions of 100,000 entries that share 99 %: what
                               changes from one to the next is a run of paths, or paths all over
    collections                a plan over 10,000 collections of one version
    sweep                      10,000 dead objects of a bucket are deleted
    marks                      memory of marks at 84 M chunks in 655,360 packs, simulated
    push                       a push while another process collects, beside one alone

Commands are whole processes. A plan is measured as `art gc --dry-run`: by a machine that has not
seen the store (`first`), and again; its requests are those of the first. Buckets are of a server
on loopback (`--server`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.garbage_store import copy_store, make_collections, make_versions
from benchmarks.garbage_work import VALUE, unnamed_keys
from benchmarks.measure import Command, Sample, measure
from benchmarks.report import tell_figures
from benchmarks.s3_place import SERVERS, serve
from benchmarks.traffic import Relay

Figures = dict[str, float]
MB = 1_000_000
TARGETS = {
    **{
        f"plan-{shape}: {what}": target
        for shape in ("run", "scattered")
        for what, target in (("first, s", 10.0), ("again, s", 10.0), ("peak, MB", 500.0))
    },
    "sweep: delete requests": 12,
    "sweep: s": 5.0,
    "marks: bits a chunk": 1.0,
    **{
        f"push, {kind}: more requests, {what}": 0
        for kind in ("own", "beyond")
        for what in ("a plan was opened", "it was carried out")
    },
    **{
        f"push, {kind}, {where}: times as long": 1.1
        for kind in ("own", "beyond")
        for where in ("local", *SERVERS)
    },
}
COLLECTIONS = 10_000
DEAD_COUNTS = {"manifests": 3_400, "packs": 3_300, "fragments": 3_300}
CHUNKS, PACKS = 84_000_000, 655_360
FILES, FILE_BYTES, CHANGED = 2_000, 20_480, 20
GRACE_SECONDS, PAUSE_SECONDS = 3.0, 0.5


class Bench:
    """
    What all rows work with.

    Args:
        work: a directory; stores in it stay for the next time.
        runs: of each figure, of which the median is told.
        scale: shrinks counts; nothing is to be reached then.
    """

    def __init__(self, work: Path, server: str, runs: int, scale: float) -> None:
        self.work = work
        self.server = server
        self.runs = runs
        self._scale = scale
        self._homes = 0

    def scaled(self, count: int) -> int:
        """A count at this scale."""
        return max(1, int(count * self._scale))

    def home(self) -> dict[str, str]:
        """The environment of a machine that has seen no store."""
        self._homes += 1
        home = self.work / "homes" / str(self._homes)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ARTSTORE_", "AWS_"))}
        return {
            **kept,
            "HOME": str(home),
            "ARTSTORE_CACHE_DIR": str(home / "cache"),
            "ARTSTORE_PROJECT": "bench",
            "ARTSTORE_TEST_GRACE_FLOOR": "0",
        }

    def art(self, environ: Mapping[str, str], url: str, *words: str) -> Sample:
        """`art`, measured."""
        return measure(self._command(environ, url, "artstore.cli.main", *words))

    def counted(self, environ: Mapping[str, str], url: str, *words: str) -> dict[str, int]:
        """The requests of `art` by method and first part of the key: `GET packs`."""
        file = self.work / "counts.json"
        name = "benchmarks.garbage_work"
        measure(self._command(environ, url, name, "counted", str(file), *words))
        found: dict[str, int] = json.loads(file.read_text("utf-8"))
        return found

    def _command(self, environ: Mapping[str, str], url: str, module: str, *words: str) -> Command:
        argv = [sys.executable, "-m", module, *words]
        return Command(argv, Path.cwd(), {**environ, "ARTSTORE_URL": url})

    @contextmanager
    def bucket(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The address of an empty bucket, and the variables that lead there."""
        with serve(self.server, self.work) as server:
            yield f"s3://{server.make_bucket()}/store", server.environ


# --- Plans ------------------------------------------------------------------------------


def _plan(bench: Bench, shape: str) -> Figures:
    versions = bench.scaled(1_000)
    store = make_versions(bench.work, shape, versions, max(bench.scaled(100_000), 1_000))
    found = {f"plan-{shape}: versions": float(versions)}
    found |= _planned(bench, f"plan-{shape}", str(store))
    if shape != "run":
        # Gigabytes of lists, which servers here would hold in memory.
        return found
    with bench.bucket() as (url, environ), _environment(environ):
        from artstore.storage.opener import open_storage

        copy_store(open_storage(str(store)), open_storage(url))
        home = bench.home() | environ
        sample = bench.art(home, url, "gc", "--dry-run")
        found[f"plan-{shape}: first, {bench.server}, s"] = sample.seconds
        found[f"plan-{shape}: first, {bench.server}, peak, MB"] = sample.peak_bytes / MB
    return found


def _planned(bench: Bench, row: str, url: str) -> Figures:
    first, again = [], []
    for _ in range(bench.runs):
        home = bench.home()
        first.append(bench.art(home, url, "gc", "--dry-run"))
        again.append(bench.art(home, url, "gc", "--dry-run"))
    requests = bench.counted(bench.home(), url, "gc", "--dry-run")
    return {
        f"{row}: first, s": statistics.median(one.seconds for one in first),
        f"{row}: again, s": statistics.median(one.seconds for one in again),
        f"{row}: again, s of processors": statistics.median(
            one.user_seconds + one.system_seconds for one in again
        ),
        f"{row}: peak, MB": max(one.peak_bytes for one in [*first, *again]) / MB,
        **{f"{row}: requests, {method}": float(n) for method, n in sorted(requests.items())},
    }


def _collections(bench: Bench) -> Figures:
    count = bench.scaled(COLLECTIONS)
    return _planned(bench, "collections", str(make_collections(bench.work, count)))


# --- Deletes ----------------------------------------------------------------------------


def _sweep(bench: Bench) -> Figures:
    seconds: list[float] = []
    counted: list[float] = []
    with serve(bench.server, bench.work) as server, Relay(server.endpoint_url) as relay:
        for run in range(bench.runs + 1):
            url, home = f"s3://{server.make_bucket()}/store", bench.home() | server.environ
            with _environment(home):
                _fill_with_dead(bench, url)
            bench.art(home, url, "gc", "--grace", "0", "--force")
            if run:
                seconds.append(bench.art(home, url, "gc", "--grace", "0").seconds)
                continue
            relayed = {**home, "AWS_ENDPOINT_URL": relay.endpoint_url}
            bench.art(relayed, url, "gc", "--grace", "0")
            # Deletes of many keys are the only POSTs.
            counted.append(relay.take().methods["POST"])
    return {"sweep: delete requests": counted[0], "sweep: s": statistics.median(seconds)}


def _fill_with_dead(bench: Bench, url: str) -> None:
    store = _open(url)
    store.create()
    storage = store._place().storage  # noqa: SLF001 - what pushes leave that never end
    for kind, count in DEAD_COUNTS.items():
        keys = unnamed_keys(kind, bench.scaled(count), seed=len(kind))
        storage.create_many([(key, VALUE) for key in keys])


# --- Memory -----------------------------------------------------------------------------


def _marks(bench: Bench) -> Figures:
    file = bench.work / "marks.json"
    counts = [str(bench.scaled(CHUNKS)), str(bench.scaled(PACKS))]
    argv = [sys.executable, "-m", "benchmarks.garbage_work", "marks", str(file), *counts]
    measure(Command(argv, Path.cwd(), bench.home()))
    told = json.loads(file.read_text("utf-8"))
    columns = told["column_bytes"]

    def bits(name: str) -> float:
        return float(8 * (told[f"{name}_bytes"] - columns) / told[f"{name}_chunks"])

    return {
        "marks: bits a chunk": round(bits("even"), 1),
        "marks: bits a chunk, packs of 1 to 255": bits("uneven"),
        "marks: bytes a pack": columns / float(counts[1]),
        "marks: bytes a pack of the listing": told["table_bytes"] / float(counts[1]),
        "marks: all marks, MB": told["even_bytes"] / MB,
        "marks: all marks and the listing, MB": (told["even_bytes"] + told["table_bytes"]) / MB,
        "marks: s": told["even_seconds"],
        "marks: listing, s": told["list_seconds"],
        "marks: finding all packs, s": told["find_seconds"],
    }


# --- Pushes beside it -------------------------------------------------------------------


def _push(bench: Bench) -> Figures:
    found: Figures = {}
    for kind in ("own", "beyond"):
        alone, opened, ended = (_requests_of_push(bench, kind, turns) for turns in range(3))
        for name, counts in (("a plan was opened", opened), ("it was carried out", ended)):
            more = Counter(counts)
            more.subtract(alone)
            entries = more["GET upkeep"] + more["GET collections"]
            found[f"push, {kind}: more requests, {name}"] = more.total()
            found[f"push, {kind}: of these entries of logs, {name}"] = entries
        found[f"push, {kind}: requests"] = sum(alone.values())
    for name in ("local", bench.server):
        with _place(bench, name) as (url, environ):
            found |= _times_of_push(bench, f", {name}", url, environ)
    return found


def _requests_of_push(bench: Bench, kind: str, gc_turns: int) -> dict[str, int]:
    """Of the third push, before which gc ran so often: to plan, and to delete."""
    with bench.bucket() as (url, environ):
        machine = _Pusher(bench, url, environ)
        machine.push("own")
        machine.push(kind)
        with _environment(machine.collector):
            _leave_dead(url)
        for _ in range(gc_turns):
            bench.art(machine.collector, url, "gc", "--force", "--grace", "0")
        return bench.counted(machine.home, url, *machine.words(kind))


def _times_of_push(bench: Bench, where: str, url: str, environ: dict[str, str]) -> Figures:
    machine = _Pusher(bench, url, environ)
    machine.push("own")
    found: Figures = {}
    for kind in ("own", "beyond"):
        machine.push(kind)
        times: dict[bool, list[float]] = {False: [], True: []}
        for run in range(2 * bench.runs):
            with _collecting(machine.collector, url) if run % 2 else nullcontext():
                times[bool(run % 2)].append(machine.push(kind).seconds)
        alone, beside = statistics.median(times[False]), statistics.median(times[True])
        found[f"push, {kind}{where}: alone, s"] = alone
        found[f"push, {kind}{where}: beside gc, s"] = beside
        found[f"push, {kind}{where}: times as long"] = beside / alone
    return found


class _Pusher:
    """
    A machine that pushes a tree again and again, some of it changed, into a new store.

    Attributes:
        collector: the environment of another one.
    """

    def __init__(self, bench: Bench, url: str, environ: dict[str, str]) -> None:
        self.home, self.collector = bench.home() | environ, bench.home() | environ
        self._bench = bench
        self._url = url
        self._tree = _Tree(bench.work / "tree", bench.scaled(FILES))
        self._numbers = itertools.count()
        with _environment(self.home):
            _open(url).create()

    def words(self, kind: str) -> list[str]:
        """The next push: to the same collection, or to one that has never had any of it."""
        self._tree.edit()
        name = "own" if kind == "own" else f"other-{next(self._numbers)}"
        return ["push", str(self._tree.directory), name]

    def push(self, kind: str) -> Sample:
        return self._bench.art(self.home, self._url, *self.words(kind))


class _Tree:
    """Files, of which some change before each push."""

    def __init__(self, directory: Path, count: int) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        self.directory = directory
        self._chance = random.Random(0)
        self._files = [directory / f"{n % 20:02}" / f"{n:05}.bin" for n in range(count)]
        for file in self._files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._chance.randbytes(FILE_BYTES))

    def edit(self) -> None:
        for file in self._chance.sample(self._files, min(CHANGED, len(self._files))):
            file.write_bytes(self._chance.randbytes(FILE_BYTES))


@contextmanager
def _place(bench: Bench, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    if name == "local":
        shutil.rmtree(bench.work / "pushed", ignore_errors=True)
        yield str(bench.work / "pushed"), {}
    else:
        with bench.bucket() as place:
            yield place


def _open(url: str) -> Any:
    import artstore as art

    return art.open_store(url)


def _leave_dead(url: str) -> None:
    storage = _open(url)._place().storage  # noqa: SLF001 - as above
    keys = unnamed_keys("packs", 4, seed=time.time_ns())
    storage.create_many([(key, VALUE) for key in keys])


@contextmanager
def _collecting(environ: Mapping[str, str], url: str) -> Iterator[None]:
    """A process that plans and deletes all the time, once it has begun to."""
    words = ["collect", url, str(GRACE_SECONDS), str(PAUSE_SECONDS)]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.garbage_work", *words],
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # At first nothing is old enough.
        while json.loads(process.stdout.readline())["waiting"] is None:
            continue
        yield
    finally:
        process.stdin.close()
        process.stdout.read()
        if process.wait() != 0:
            raise RuntimeError("gc has failed")


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


ROWS: dict[str, Callable[[Bench], Figures]] = {
    "plan-run": lambda bench: _plan(bench, "run"),
    "plan-scattered": lambda bench: _plan(bench, "scattered"),
    "collections": _collections,
    "sweep": _sweep,
    "marks": _marks,
    "push": _push,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(work, options.server, options.runs, options.scale)
    figures: Figures = {}
    for row in options.rows or ROWS:
        figures |= ROWS[row](bench)
    tell_figures(figures, TARGETS if options.scale == 1 else {}, work, options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.garbage")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS))
    parser.add_argument("--server", choices=SERVERS, default="moto")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--work", help="a directory on the disk to be measured; stores stay there")
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

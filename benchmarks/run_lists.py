"""
Benchmarks of many runs: `python -m benchmarks.run_lists --help`.

A local store of 10,000 runs and 20,000 versions: each run used one version of 100 datasets and
made two others. Measured are the first look of a machine at it, the lineage of a version once it
is known, in the process and as the command, and `art runs --where` as the command.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from artstore import clock
from benchmarks.report import describe_machine

RUNS = 10_000
COLLECTIONS = 100
TARGETS = {
    "first look": 5.0,
    "lineage of a version": 0.1,
    "art lineage": 0.1,
    "art runs --where": 0.3,
}
SESSION = "0123456789abcdef"
TIME = "2026-01-01T00:00:00Z"


class WeekAgo(clock.SystemClock):
    """Runs that ended some time ago, as most have."""

    def now_seconds(self) -> float:
        return super().now_seconds() - 7 * 86_400


def make_store(place: Path) -> None:
    """The store, unless it was made before; versions share the list of files of one."""
    if (place / "made").exists():
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    import artstore as art

    with clock.use(WeekAgo()):
        _fill_store(art.open_store(str(place / "store"), project="bench"), place)
    (place / "made").touch()


def _fill_store(store: Any, place: Path) -> None:
    import artstore as art
    from artstore.catalog.requests import PublishRequest

    (place / "x").write_text("content")
    draft = art.Artifact("seed", type="dataset")
    draft.add_file(place / "x")
    store.log_artifact(draft)
    catalog = store._place().catalog  # noqa: SLF001 - no push makes 20,000 versions in a minute
    seed = catalog.state("bench", "seed").versions[0]
    for number in range(2 * RUNS):
        kind = "model" if number % 2 else "predictions"
        request = PublishRequest(
            type=kind,
            digest=f"{number:064x}",
            root=seed.root,
            push=f"{number:016x}",
            size_bytes=7,
            file_count=1,
            entry_count=1,
            run=f"bench/r{number // 2:06d}",
        )
        catalog.commit("bench", f"{kind}-{number // 2 % COLLECTIONS}", request)
    for number in range(RUNS):
        _make_run(store, number)


def _make_run(store: Any, number: int) -> None:
    from artstore.catalog.runs.runlog import RunLog

    config = {"lr": number * 1e-5, "seed": number, "model": "cnn", "optim": {"name": "adam"}}
    summary = {"acc": number / RUNS, **{f"m{key}": key * 0.5 * number for key in range(20)}}
    made = {"version": number // COLLECTIONS, "is_new": True, "time": TIME}
    changes = {
        "name": f"run {number}",
        "tags": ["a"],
        "config": {**config, **{f"p{key}": key * number for key in range(6)}},
        "summary": summary,
        "used": [{"artifact": f"bench/model-{number % COLLECTIONS}", "version": number // 200}],
        "logged": [
            {"artifact": f"bench/{kind}-{number % COLLECTIONS}", **made}
            for kind in ("model", "predictions")
        ],
        "environment": {"argv": ["python", "train.py"], "host": "lab"},
    }
    storage = store._guarded_storage()  # noqa: SLF001 - likewise
    log = RunLog(storage, "bench", f"r{number:06d}", "bench")
    log.append(lambda _: ("end", ended(changes)))


def ended(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the entry that ends a run."""
    return {
        "session": SESSION,
        "is_primary": True,
        "started": TIME,
        "ended": TIME,
        "state": "finished",
        "exit_code": 0,
        "changes": changes,
    }


def figures(place: Path, turns: int) -> Iterator[tuple[str, list[float]]]:
    """Name and seconds of each turn."""
    environment = {**os.environ, "ARTSTORE_URL": str(place / "store"), "ARTSTORE_PROJECT": "bench"}
    environment["ARTSTORE_CACHE_DIR"] = str(place / "cache")

    def command(*words: str) -> Callable[[], None]:
        argv = [sys.executable, "-m", "artstore.cli.main", *words]
        return lambda: _run(argv, environment)

    def first_look() -> None:
        shutil.rmtree(place / "cache", ignore_errors=True)
        # What a machine knows of runs and of all collections, as lineage asks for it.
        script = (
            "import artstore as art; s = art.open_store(); i = s._run_index(); i.refresh('bench');"
            "import sys; n = len(i.runs('bench')); c = s._place().catalog;"
            "v = sum(len(c.state('bench', name).live) for name in c.collections('bench'));"
            f"assert (n, v) == ({RUNS}, {2 * RUNS + 1}), (n, v)"
        )
        _run([sys.executable, "-c", script], environment)

    yield "first look", [_timed(first_look) for _ in range(min(turns, 3))]
    os.environ.update(environment)
    import artstore as art

    store = art.open_store()
    name = f"model-7:v{RUNS // COLLECTIONS // 2}"
    store.lineage(name)
    nodes = []

    def lineage() -> None:
        nodes.append(len(store.lineage(name).nodes))

    yield "lineage of a version", [_timed(lineage) for _ in range(turns)]
    print(f"    {nodes[-1]} nodes")
    yield "art lineage", [_timed(command("lineage", name)) for _ in range(turns)]
    words = ("runs", "--where", "config.lr > 0.05 AND summary.acc > 0.9", "--limit", "20")
    yield "art runs --where", [_timed(command(*words)) for _ in range(turns)]
    yield "art --version", [_timed(command("--version")) for _ in range(turns)]


def _run(argv: Sequence[str], environment: dict[str, str]) -> None:
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_lists")
    parser.add_argument("--work", help="a directory on the disk to be measured; the store stays")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--json", help="write the figures there")
    options = parser.parse_args(arguments)
    place = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    make_store(place)
    found = {}
    for name, seconds in figures(place, options.turns):
        found[name] = seconds
        median, target = statistics.median(seconds), TARGETS.get(name)
        verdict = "" if target is None else "reached" if median <= target else "MISSED"
        told = "" if target is None else f", target {target:.3g} s: {verdict}"
        print(f"{name}: median {median:.3f} s, most {max(seconds):.3f} s{told}")
    if options.json:
        told = {"machine": describe_machine(place), "seconds": found}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

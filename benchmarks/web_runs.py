"""
Benchmarks of the pages of runs: `python -m benchmarks.web_runs --help`.

A server process serves a local store with 100 runs of 10,000 rows of ten keys, and another one the
10,000 runs of `benchmarks.run_lists`. Told is the 95th percentile of the turns: the answer to the
first request for one key of all 100 runs at a server that has read nothing yet, then to requests
for parts of it; a list of the 10,000, filtered and sorted; and what passes from the call of
`run.log` in another process until a page in Chromium has the point.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.report import percentile, tell_figures
from benchmarks.run_lists import SESSION, ended, make_store

RUNS = 100
ROWS = 10_000
KEYS = 10
TARGETS = {
    "100 runs x 10,000 points, first, s": 0.5,
    "100 runs x 10,000 points, after a zoom, s": 0.3,
    "10,000 runs, filtered and sorted, s": 0.3,
    "a point of another process is in the page, s": 2.0,
}
TRAINS = """
import sys, time
import artstore as art
with art.init(project="bench", id=sys.argv[1]) as run:
    print("begun", flush=True)
    for _ in sys.stdin:
        run.log({"sent": time.time()})
"""
WATCH = """async ([run, wanted]) => {
    const series = `/api/v1/p/bench/series?run=${run}&key=sent`;
    const last = async () => (await (await fetch(series)).json()).series[0]?.count ?? 0;
    await new Promise((done) => {
        const source = new EventSource(`/api/v1/p/bench/events?run=${run}`);
        const look = async () => {
            if (await last() >= wanted) {
                source.close();
                requestAnimationFrame(() => setTimeout(done, 0));
            }
        };
        source.addEventListener("runs", look);
        source.addEventListener("open", () => { window.isWatching = true; look(); });
    });
    return Date.now() / 1000;
}"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        HOME=str(work),
        ARTSTORE_CACHE_DIR=str(work / "cache"),
        XDG_STATE_HOME=str(work / "state"),
        ARTSTORE_PROJECT="bench",
    )
    figures: dict[str, list[float]] = {}
    wanted = set(options.only or ("series", "list", "live"))
    if "series" in wanted:
        _fill(work / "series")
        figures |= _series_figures(work / "series", options.turns)
    if "list" in wanted:
        make_store(work / "lists")
        figures |= _list_figures(work / "lists" / "store", options.turns)
    if "live" in wanted:
        figures |= _live_figures(work / "live", options.turns)
    told = {name: percentile(seconds) for name, seconds in figures.items()}
    tell_figures(told, TARGETS, work, options.json)
    return 0


def _fill(place: Path) -> None:
    """100 runs as they are when they have ended, each with one segment."""
    if (place / "segments").exists():
        return
    import numpy as np

    import artstore as art
    from artstore.catalog.runs.format import object_key
    from artstore.catalog.runs.runlog import RunLog
    from artstore.runs import history
    from artstore.runs.rowblocks import FLOAT, encode_rows, encode_schema

    store = art.open_store(str(place), project="bench")
    store.create()
    storage = store._guarded_storage()  # noqa: SLF001 - no program logs a million rows in seconds
    rng = np.random.default_rng(0)
    keys, types = [f"train/m{number}" for number in range(KEYS)], [FLOAT] * KEYS
    schema = encode_schema(keys, types)
    steps = list(range(ROWS))
    for number in range(RUNS):
        noise = rng.normal(size=(KEYS, ROWS)).cumsum(axis=1)
        columns = [steps, steps, [1.7e9 + step for step in steps], *noise.tolist()]
        data = history.write_segment(history.build([encode_rows(keys, types, schema, columns)]))
        run_id = f"r{number:03d}"
        key = object_key("bench", run_id, "history", f"{SESSION}-000000.parquet")
        storage.create(key, data)
        segment = {"key": key, "rows": ROWS, "bytes": len(data), "first_step": 0}
        segment["last_step"] = ROWS - 1
        changes = {
            "name": f"run {number}",
            "config": {"lr": number % 5},
            "segments": {"history": {SESSION: [segment]}},
        }
        log = RunLog(storage, "bench", run_id, "bench")
        entry = ("end", ended(changes))
        log.append(lambda _, entry=entry: entry)  # type: ignore[misc]
    (place / "segments").touch()


def _series_figures(place: Path, turns: int) -> dict[str, list[float]]:
    runs = [f"r{number:03d}" for number in range(RUNS)]
    first, zoomed, bands = [], [], []
    for turn in range(max(turns // 5, 3)):
        with serving(place) as address:
            # The page that holds the charts, which imports what they need.
            _get(address, "p/bench/runs", page=1)
            _get(address, "p/bench/series", run=runs[:1], key="none")
            first.append(_get(address, "p/bench/series", run=runs, key="train/m3"))
            for part in range(5):
                low = (turn * 977 + part * 1301) % (ROWS // 2)
                span = {"from": low, "to": low + ROWS // 3}
                zoomed.append(_get(address, "p/bench/series", run=runs, key="train/m3", **span))
            bands.append(
                _get(address, "p/bench/series", run=runs, key="train/m3", group="config.lr")
            )
    return {
        "100 runs x 10,000 points, first, s": first,
        "100 runs x 10,000 points, after a zoom, s": zoomed,
        "100 runs x 10,000 points as five bands, s": bands,
    }


def _list_figures(place: Path, turns: int) -> dict[str, list[float]]:
    times = []
    with serving(place) as address:
        first = _get(address, "p/bench/runs", page=1)
        for turn in range(turns):
            where = f"config.lr > {0.1 * turn / turns:.4f} AND summary.acc < 0.9"
            times.append(_get(address, "p/bench/runs", where=where, sort="-summary.acc"))
    return {"10,000 runs, first page, s": [first], "10,000 runs, filtered and sorted, s": times}


def _live_figures(place: Path, turns: int) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    import artstore as art

    art.open_store(str(place / "store"), project="bench").create()
    (place / "trains.py").write_text(TRAINS, "utf-8")
    times = []
    with serving(place / "store") as address, sync_playwright() as playwright:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if is_root else []
        )
        page = browser.new_page()
        page.goto(address)
        command = [sys.executable, str(place / "trains.py"), "live"]
        environ = {**os.environ, "ARTSTORE_URL": str(place / "store")}
        run = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        times += [_one_point(page, run, turn + 1) for turn in range(turns)]
        run.stdin.close()
        run.wait()
        browser.close()
    return {"a point of another process is in the page, s": times}


def _one_point(page: Any, run: Any, count: int) -> float:
    page.evaluate("() => { window.isWatching = false; }")
    handle = page.evaluate_handle(f"(given) => ({{ seen: ({WATCH})(given) }})", ["live", count])
    page.wait_for_function("() => window.isWatching")
    # At any moment between two looks.
    time.sleep(0.1 + (count * 0.37) % 1.0)
    sent = time.time()
    run.stdin.write("\n")
    run.stdin.flush()
    seen: float = handle.evaluate("(held) => held.seen")
    return seen - sent


def _get(address: str, path: str, **query: Any) -> float:
    """Seconds until the whole answer is here."""
    url = f"{address}api/v1/{path}?{urlencode(query, doseq=True)}"
    began = time.perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
        answer.read()
    return time.perf_counter() - began


@contextmanager
def serving(place: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "artstore.cli.main", "--store", str(place)]
    process = subprocess.Popen(
        [*command, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        address = json.loads(process.stdout.readline())["address"]
        # It imports what it needs while nobody asks.
        time.sleep(3)
        yield address
    finally:
        process.terminate()
        process.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web_runs")
    parser.add_argument("--work", help="a directory on the disk to be measured; the stores stay")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--only", action="append", choices=("series", "list", "live"))
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

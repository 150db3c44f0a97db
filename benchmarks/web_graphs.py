"""
Benchmarks of graphs and points in Chromium: `python -m benchmarks.web_graphs --help`.

A graph of 250 runs and 250 versions, all of them drawn; the graph of one version in the store of
10,000 runs that `benchmarks.run_lists` makes; a lasso around some of 50,000 points of a table, from
the moment it is let go until the page tells how many rows are in it. What is told is the 95th
percentile of `--turns` turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.report import percentile, tell_figures
from benchmarks.run_lists import make_store
from benchmarks.web_runs import serving

TARGETS = {
    "graph of 500 nodes, s": 1.0,
    "graph of a version, 10,000 runs, s": 1.0,
    "lasso over 50,000 points, s": 0.3,
}
GENERATIONS, SIDE, POINTS = 25, 10, 50_000
WAIT_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    place = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    place.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        HOME=str(place),
        ARTSTORE_CACHE_DIR=str(place / "cache"),
        XDG_STATE_HOME=str(place / "state"),
    )
    figures = {name: percentile(times) for name, times in _figures(place, options.turns).items()}
    tell_figures(figures, TARGETS, place, options.json)
    return 0


def _figures(place: Path, turns: int) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    if not (place / "store").exists():
        _fill(place)
    make_store(place / "runs")
    found: dict[str, list[float]] = {name: [] for name in TARGETS}
    with sync_playwright() as playwright:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if is_root else []
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        with serving(place / "store") as address:
            nodes = [("node", f"bench/line-{n}:v{GENERATIONS - 1}") for n in range(SIDE)]
            query = urlencode([*nodes, ("depth", "all"), ("direction", "up"), ("explode", "1")])
            for turn in range(turns + 1):
                # Another address is another graph: nothing of the one before is of use.
                one = f"{address}lineage?{query}&find=none{turn}"
                seconds = _opened(page, one, 2 * GENERATIONS * SIDE - SIDE)
                found["graph of 500 nodes, s"] += [seconds] if turn else []
            page.goto(f"{address}p/bench/c/points/v0/tables/rows")
            found["lasso over 50,000 points, s"] = _lassos(page, turns)
        with serving(place / "runs" / "store") as address:
            for turn in range(turns + 1):
                one = f"{address}lineage?node=bench/model-{turn}:v50"
                seconds = _opened(page, one, 1)
                found["graph of a version, 10,000 runs, s"] += [seconds] if turn else []
        browser.close()
    return found


def _fill(place: Path) -> None:
    import numpy as np

    import artstore as art

    store = art.open_store(str(place / "store"), project="bench")
    store.create()
    quiet = {
        "silent": True,
        "console": "off",
        "save_git": False,
        "save_packages": False,
        "save_system": False,
        "save_environment": False,
    }
    for generation in range(GENERATIONS):
        for number in range(SIDE):
            with art.init(
                project="bench", store=store.url, job_type="breed", settings=quiet
            ) as run:
                for one in {number, (3 * number + generation) % SIDE} if generation else ():
                    run.use_artifact(f"line-{one}:v{generation - 1}")
                draft = art.Artifact(f"line-{number}", "model")
                with draft.new_file("weights.txt") as file:
                    file.write(f"{generation} {number}")
                run.log_artifact(draft)
    rng = np.random.default_rng(0)
    columns = {"id": np.arange(POINTS), "x": rng.normal(size=POINTS), "y": rng.normal(size=POINTS)}
    draft = art.Artifact("points", "dataset")
    draft.add(art.Table(data=columns), "rows")
    store.log_artifact(draft)


def _opened(page: Any, address: str, least: int) -> float:
    """Seconds until so many tiles of a graph are seen."""
    began = time.perf_counter()
    page.goto(address)
    _until(page, f"() => document.querySelectorAll('a.tile').length >= {least}")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
    return time.perf_counter() - began


def _lassos(page: Any, turns: int) -> list[float]:
    page.get_by_role("button", name="Menu of x", exact=True).click()
    page.get_by_role("menuitem", name="Points").click()
    page.get_by_label("Up", exact=True).select_option("y")
    page.locator(".chart-frame[aria-label*='y over x']").wait_for()
    page.wait_for_timeout(1000)
    box = page.locator(".table-scatter .chart-frame").bounding_box()
    times = []
    for turn in range(turns):
        size = 0.2 + 0.2 * turn / turns
        corners = [(0.5 - size, 0.5 - size), (0.5 + size, 0.5 - size), (0.5, 0.5 + size)]
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
        before = page.locator("#table-count").inner_text()
        page.mouse.move(*places[0])
        page.mouse.down()
        for one in [*places[1:], places[0]]:
            page.mouse.move(*one, steps=8)
        began = time.perf_counter()
        page.mouse.up()
        told = json.dumps(before)
        _until(page, f"() => document.querySelector('#table-count').innerText !== {told}")
        times.append(time.perf_counter() - began)
        page.wait_for_timeout(700)
    return times


def _until(page: Any, is_done: str) -> None:
    began = time.perf_counter()
    while not page.evaluate(is_done):
        if time.perf_counter() - began > WAIT_SECONDS:
            raise RuntimeError(f"this did not come true: {is_done}")
        page.wait_for_timeout(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web_graphs")
    parser.add_argument("--work", help="a directory on the disk to be measured; the stores stay")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

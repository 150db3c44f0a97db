"""
The page in one file: `python -m benchmarks.web_export --help`.

1,000 rows with pictures are exported and opened from disk in Chromium with the network off. An
interaction is a change of the view by what the page listens to (a condition, a chip removed, a
head clicked, a column grouped by); it ends with the frame in which its count or its rows are seen.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import describe_machine, percentile

MB = 1_000_000
TARGETS = {"size_bytes": 20 * MB, "requests": 0, "interaction_ms_p95": 100.0}
API = "/api/v1/p/bench/c/pictures/v0"

INTERACT = """async (turns) => {
    const count = document.getElementById("table-count");
    const box = document.querySelector(".condition-box");
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    const seen = () => count.textContent + (document.querySelector(".grid-row")?.textContent ?? "");
    const timed = async (run, isDone) => {
        const began = performance.now();
        const before = seen();
        run();
        while (!(isDone ? isDone() : seen() !== before)) {
            if (performance.now() - began > 10000) throw new Error(`nothing came of ${run}`);
            await frame();
        }
        await frame();
        return performance.now() - began;
    };
    const times = { filter: [], remove: [], sort: [], group: [], ungroup: [] };
    const choice = document.querySelector("select[aria-label='Group by']");
    const choose = (name) => {
        choice.value = name;
        choice.dispatchEvent(new Event("change"));
    };
    const head = () => document.querySelectorAll("[role=columnheader]")[1];
    const order = () => head().getAttribute("aria-sort");
    const isGrouped = () => document.querySelector("table.groups tbody tr") !== null
        && count.textContent.includes("groups");
    const isPlain = () => !count.textContent.includes("groups");
    const { filter, remove, sort, group, ungroup } = times;
    for (let turn = 0; turn < turns; turn += 1) {
        filter.push(await timed(() => {
            box.value = `label = ${turn % 10} and score > 0.${turn % 9 + 1}`;
            box.form.requestSubmit();
        }));
        remove.push(await timed(() => document.querySelector(".chip-remove").click()));
        const now = order();
        sort.push(await timed(() => head().querySelector("button").click(), () => order() !== now));
        group.push(await timed(() => choose("label"), isGrouped));
        ungroup.push(await timed(() => choose(""), isPlain));
    }
    return times;
}"""


@dataclasses.dataclass(frozen=True, slots=True)
class Exported:
    """A page in one file, and how long it took to make."""

    html: bytes
    cold_seconds: float
    warm_seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    os.environ.update(HOME=str(work), ARTSTORE_CACHE_DIR=str(work / "cache"))
    exported = _export(work, options.rows, options.side)
    file = work / "pictures.html"
    file.write_bytes(exported.html)
    figures = {
        "rows": options.rows,
        "picture_side": options.side,
        "size_bytes": len(exported.html),
        "export_cold_seconds": round(exported.cold_seconds, 3),
        "export_warm_seconds": round(exported.warm_seconds, 3),
        **_opened(file, options.rows, options.turns),
    }
    for name, value in figures.items():
        target = TARGETS.get(name)
        told = (
            ""
            if target is None
            else f", target {target:g}: {'reached' if value <= target else 'MISSED'}"
        )
        print(f"{name} {value}{told}")
    if options.json:
        record = {"machine": describe_machine(work), "figures": figures, "targets": TARGETS}
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return 0


def _export(work: Path, row_count: int, side: int) -> Exported:
    import numpy as np
    from starlette.testclient import TestClient

    import artstore as art
    from artstore.web.app import create_app
    from artstore.web.opening import open_site

    store = art.open_store(str(work / "store"), project="bench")
    store.create()
    rows = np.random.default_rng(0)
    table = art.Table(["id", "image", "label", "score", "name"])
    for number in range(row_count):
        # Coarse noise: neither flat nor what no codec makes smaller.
        small = rows.integers(0, 255, (side // 8, side // 8, 3), np.uint8)
        pixels = small.repeat(8, 0).repeat(8, 1)
        score = float(rows.random())
        table.add_data(number, art.Image(pixels), number % 10, score, f"row {number}")
    draft = art.Artifact("pictures", "dataset")
    draft.add(table, "rows")
    store.log_artifact(draft)
    seconds = []
    with TestClient(create_app(open_site(store)), base_url="http://localhost") as client:
        for _ in range(2):
            began = time.perf_counter()
            answer = client.get(f"{API}/table-export/rows?format=html")
            seconds.append(time.perf_counter() - began)
            answer.raise_for_status()
    return Exported(answer.content, *seconds)


def _opened(file: Path, row_count: int, turns: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    requests: list[str] = []
    with sync_playwright() as playwright:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if is_root else []
        )
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.on("request", lambda asked: requests.append(asked.url))
        began = time.perf_counter()
        page.goto(file.as_uri())
        page.locator(".grid-row").first.wait_for()
        page.locator("#table-count", has_text=f"{row_count:,} of").wait_for()
        seconds = time.perf_counter() - began
        times = page.evaluate(INTERACT, turns)
        browser.close()
    outside = [url for url in requests if not url.startswith(("data:", "file:"))]
    every = [one for found in times.values() for one in found]
    return {
        "requests": len(outside),
        "opened_seconds": round(seconds, 3),
        "interaction_ms_p95": round(percentile(every), 1),
        **{f"{name}_ms_p95": round(percentile(found), 1) for name, found in times.items()},
        "interactions": len(every),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web_export")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--side", type=int, default=224, help="of the pictures, in pixels")
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--work", help="a directory; files stay there")
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

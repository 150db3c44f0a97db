"""
Benchmarks of the page in Chromium: `python -m benchmarks.web_pages --help`.

A server process serves a local store with a table of 1 M rows in two versions, and a table of 2,000
pictures with boxes; another one serves a copy of it in a bucket of moto. What is told is the 95th
percentile of `--runs` turns, from what a person does to the frame in which the answer is seen; of a
third as many where a page is opened for it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artstore.testing.servers import start_moto
from benchmarks.report import percentile, tell_figures

TARGETS = {
    "compare two 1 M-row versions, first page, s": 1.0,
    "filter 1 M rows, s": 0.3,
    "sort 1 M rows, s": 0.3,
    "group 1 M rows, s": 0.3,
    "50 pictures cold, s": 1.0,
    "200 thumbnails warm, s": 1.0,
    "class of boxes switched, s": 0.017,
    "requests when a class is switched": 0,
    "next sample, s": 0.08,
    "server at rest, MB": 150,
    "scripts and styles of the table page, bytes": 60_000,
}
PICTURES = "p/bench/c/pictures/v0/tables/rows"
NUMBERS = "p/bench/c/numbers/v{}/tables/rows"
WAIT_SECONDS = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    os.environ.update(HOME=str(work), ARTSTORE_CACHE_DIR=str(work / "cache"))
    if not (work / "store").exists():
        _fill(work, options.rows)
    figures: dict[str, float] = {}
    _measure(work, options.runs, figures)
    tell_figures(figures, TARGETS, work, options.json)
    return 0


def _fill(work: Path, rows: int) -> None:
    import numpy as np

    import artstore as art

    store = art.open_store(str(work / "store"), project="bench")
    store.create()
    rng = np.random.default_rng(0)
    columns = {
        "id": np.arange(rows),
        "label": rng.integers(0, 10, rows),
        "guess": rng.integers(0, 10, rows),
        "score": rng.random(rows).astype("float32"),
    }
    for _ in range(2):
        table = art.Table(data=columns)
        table.set_pk("id")
        draft = art.Artifact("numbers", "predictions")
        draft.add(table, "rows")
        store.log_artifact(draft)
        columns["guess"] = rng.integers(0, 10, rows)
        columns["score"] = rng.random(rows).astype("float32")
    pictures = art.Table(["id", "image", "label"])
    names = {0: "cat", 1: "road"}
    for number in range(2000):
        pixels = rng.integers(0, 255, (28, 28, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        boxes = [
            {
                "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.2 + kind / 3 + 0.2},
                "class_id": kind,
            }
            for kind in names
        ]
        layer = {"box_data": boxes, "class_labels": names}
        pictures.add_data(number, art.Image(pixels, boxes={"truth": layer}), number % 10)
    draft = art.Artifact("pictures", "dataset")
    draft.add(pictures, "rows")
    store.log_artifact(draft)


def _measure(work: Path, runs: int, figures: dict[str, float]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if is_root else []
        )
        cold = []
        for _ in range(max(runs // 6, 3)):
            shutil.rmtree(work / "cache", ignore_errors=True)
            with _serving(work) as (address, pid):
                figures["server at rest, MB"] = _resident_mb(pid)
                cold.append(
                    _opened(browser, f"{address}{PICTURES}?mode=images&size=64", _are_shown(50))
                )
        figures["50 pictures cold, s"] = max(cold)
        _bucket_figures(work, browser, runs, figures)
        with _serving(work) as (address, _):
            _table_figures(browser, address, runs, figures)
            _picture_figures(browser, address, runs, figures)
        browser.close()


def _bucket_figures(work: Path, browser: Any, runs: int, figures: dict[str, float]) -> None:
    """First pages of the same store in a bucket, of which nothing is on this machine."""
    pages = {
        "rows": (NUMBERS.format(1), "() => document.querySelectorAll('.grid-row').length > 5"),
        "50 pictures": (f"{PICTURES}?mode=images&size=64", _are_shown(50)),
    }
    with start_moto() as server:
        bucket = server.make_bucket()
        for file in sorted((work / "store").rglob("*")):
            key = file.relative_to(work / "store").as_posix()
            if file.is_file() and not key.startswith("tmp/"):
                status, answer = server.request(
                    "PUT", f"/{bucket}/store/{key}", body=file.read_bytes()
                )
                assert status == 200, answer
        for name, (path, is_done) in pages.items():
            times = []
            for _ in range(max(runs // 6, 3)):
                shutil.rmtree(work / "cache", ignore_errors=True)
                with _serving(work, f"s3://{bucket}/store", server.environ) as (address, _):
                    times.append(_opened(browser, address + path, is_done))
            figures[f"first page from a bucket, {name}, s"] = max(times)


def _table_figures(browser: Any, address: str, runs: int, figures: dict[str, float]) -> None:
    compared = f"{address}{NUMBERS.format(1)}?with=bench/numbers:v0/rows"
    rows = "() => document.querySelectorAll('.grid-row').length > 5"
    _opened(browser, compared, rows)
    times = [
        _opened(browser, f"{compared}&start={turn}", rows) for turn in range(max(runs // 3, 5))
    ]
    figures["compare two 1 M-row versions, first page, s"] = percentile(times)
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: _note_size(answer, sizes))
    page.goto(address + NUMBERS.format(1))
    _until(page, rows)
    page.wait_for_load_state("networkidle")
    figures["scripts and styles of the table page, bytes"] = float(sum(sizes.values()))
    asked: dict[str, list[float]] = {"filter": [], "sort": [], "group": []}
    for turn in range(runs):
        low = 0.05 + 0.9 * turn / runs
        asked["filter"].append(_timed(page, "filter", f"score > {low:.4f}"))
        asked["sort"].append(_timed(page, "sort", ""))
        asked["group"].append(_timed(page, "group", "label"))
        _timed(page, "group", "")
    for name, seconds in asked.items():
        figures[f"{name} 1 M rows, s"] = percentile(seconds)
    page.context.close()


ACT = """async ([what, text]) => {
    const count = document.getElementById("table-count");
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    const first = () => document.querySelector(".grid-row")?.textContent ?? "";
    const head = () => document.querySelectorAll("[role=columnheader]")[4];
    const isGrouped = () => count.textContent.includes("groups");
    const before = [count.textContent, head()?.getAttribute("aria-sort"), first()];
    const began = performance.now();
    let done;
    if (what === "filter") {
        document.querySelector(".chip-remove")?.click();
        const box = document.querySelector(".condition-box");
        box.value = text;
        box.form.requestSubmit();
        const chip = () => document.querySelector(".chip")?.textContent ?? "";
        done = () => chip().includes(text) && count.textContent !== before[0];
    } else if (what === "sort") {
        head().querySelector("button").click();
        done = () => head().getAttribute("aria-sort") !== before[1] && first() !== before[2];
    } else {
        const choice = document.querySelector("select[aria-label='Group by']");
        choice.value = text;
        choice.dispatchEvent(new Event("change"));
        const row = () => document.querySelector("table.groups tbody tr");
        done = () => text ? isGrouped() && row() : !isGrouped();
    }
    while (!done()) {
        if (performance.now() - began > 20000) throw new Error(`nothing came of ${what} ${text}`);
        await frame();
    }
    await frame();
    return performance.now() - began;
}"""


def _timed(page: Any, what: str, text: str) -> float:
    return float(page.evaluate(ACT, [what, text])) / 1000


def _picture_figures(browser: Any, address: str, runs: int, figures: dict[str, float]) -> None:
    warm = f"{address}{PICTURES}?mode=images&size=64"
    context = browser.new_context(viewport={"width": 2200, "height": 1600})
    _opened(browser, warm, _are_shown(200), context)
    times = [
        _opened(browser, f"{warm}&start={turn}", _are_shown(200), context)
        for turn in range(max(runs // 3, 5))
    ]
    figures["200 thumbnails warm, s"] = percentile(times)
    page = context.new_page()
    page.goto(f"{address}{PICTURES}?mode=images&size=200")
    _until(page, _are_shown(10))
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "icon" not in one.url else None)
    page.get_by_role("button", name="Boxes and masks").click()
    times = [float(page.evaluate(SWITCH)) / 1000 for _ in range(runs)]
    figures["class of boxes switched, s"] = percentile(times)
    figures["requests when a class is switched"] = float(len(asked))
    page.goto(f"{address}{PICTURES}?row=0")
    page.locator("dialog.row-panel figure img").wait_for()
    page.wait_for_load_state("networkidle")
    times = []
    for _ in range(runs):
        times.append(float(page.evaluate(NEXT)) / 1000)
        page.wait_for_timeout(300)
    figures["next sample, s"] = percentile(times)
    context.close()


SWITCH = """async () => {
    const menu = document.querySelector("[aria-label='Boxes and masks']");
    const box = [...menu.querySelectorAll("input[type=checkbox]")]
        .find((one) => one.closest("label").textContent.includes("cat"));
    const isSeen = (one) => getComputedStyle(one).display !== "none";
    const seen = () => [...document.querySelectorAll(".tile .boxes g")].filter(isSeen).length;
    const before = seen();
    const began = performance.now();
    box.click();
    if (seen() === before) await new Promise((done) => requestAnimationFrame(done));
    if (seen() === before) throw new Error("no box was switched");
    return performance.now() - began;
}"""

NEXT = """async () => {
    const panel = document.querySelector("dialog.row-panel");
    const title = () => panel.querySelector("#row-title").textContent;
    const image = () => panel.querySelector("figure img");
    const [before, old] = [title(), image().src];
    const isThere = () => image() && image().src !== old && image().naturalWidth > 0;
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    const began = performance.now();
    panel.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    while (title() === before || !isThere()) {
        if (performance.now() - began > 10000) throw new Error("the next sample did not come");
        await frame();
    }
    await frame();
    return performance.now() - began;
}"""


def _are_shown(count: int) -> str:
    return (
        "() => [...document.querySelectorAll('.tile img')]"
        f".filter((one) => one.complete && one.naturalWidth).length >= {count}"
    )


def _opened(browser: Any, address: str, is_done: str, context: Any = None) -> float:
    """Seconds until something is seen at an address; without `context` in a fresh profile."""
    own = context or browser.new_context(viewport={"width": 1500, "height": 1000})
    page = own.new_page()
    began = time.perf_counter()
    page.goto(address)
    _until(page, is_done)
    seconds = time.perf_counter() - began
    page.close()
    if context is None:
        own.close()
    return seconds


def _until(page: Any, is_done: str) -> None:
    # The policy of the page refuses what Playwright's own waiting evaluates.
    began = time.perf_counter()
    while not page.evaluate(is_done):
        if time.perf_counter() - began > WAIT_SECONDS:
            raise RuntimeError(f"this did not come true: {is_done}")
        page.wait_for_timeout(5)


def _note_size(answer: Any, sizes: dict[str, int]) -> None:
    if re.search(r"\.(?:js|css)$", answer.url.partition("?")[0]):
        sizes[answer.url] = int(answer.headers.get("content-length", 0))


@contextmanager
def _serving(
    work: Path, url: str | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "artstore.cli.main", "--store", url or str(work / "store")]
    server = subprocess.Popen(
        [*command, "--project", "bench", "serve", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environ or {})},
    )
    assert server.stdout is not None
    try:
        yield json.loads(server.stdout.readline())["address"], server.pid
    finally:
        server.terminate()
        server.wait()


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web_pages")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--work", help="a directory; files stay there")
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

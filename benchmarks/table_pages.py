"""
Benchmarks of the query layer behind the page for tables: `python -m benchmarks.table_pages --help`.

A table of `--rows` rows (id, label, guess, score) is logged once into `--work`; then each question
is asked 30 times, so that no answer is kept from the time before, and the 95th percentile is told.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import describe_machine

LARGE = 5_000_000
"""From so many rows on the targets of a table of 100 M rows hold, below it those of 1 M."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-pages-"))
    work.mkdir(parents=True, exist_ok=True)
    os.environ["ARTSTORE_CACHE_DIR"] = str(work / "cache")
    table = _table(work, options.rows)
    told = {}
    for name, (target, ask) in _questions(table, options.rows).items():
        if options.only and name not in options.only:
            continue
        ask(0)
        seconds = sorted(_timed(ask, turn) for turn in range(1, options.runs + 1))
        p95 = seconds[max(round(0.95 * len(seconds)) - 1, 0)]
        told[name] = {"p95": p95, "median": statistics.median(seconds), "target": target}
        verdict = "reached" if p95 <= target else "MISSED"
        print(f"{name}: p95 {p95:.3f} s, median {told[name]['median']:.3f}; {target}: {verdict}")
    if options.json:
        record = {"machine": describe_machine(work), "rows": options.rows, "questions": told}
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return 0


def _table(work: Path, rows: int) -> Any:
    """The table of a store in `work`; logged if it is not there yet."""
    import pyarrow as pa

    import artstore as art
    from benchmarks.table_work import batches

    store = art.open_store(str(work / f"store-{rows}"))
    if not (work / f"store-{rows}").exists():
        store.create()
        schema = next(batches(1)).schema
        reader = pa.RecordBatchReader.from_batches(schema, batches(rows))
        draft = art.Artifact("pages", "dataset")
        draft.add(art.Table(data=reader), "table")
        store.log_artifact(draft)
    return store.artifact("pages:latest").get("table")


Question = tuple[float, Callable[[int], Any]]


def _questions(table: Any, rows: int) -> dict[str, Question]:
    """Target in seconds, and what is asked in turn n."""
    from artstore.tables.exploring import ExploredTable, Selection, SortKey

    explored = ExploredTable(table)
    names = explored.reader.columns

    def cold() -> ExploredTable:
        """The same table, of which nothing was asked yet but the range of its columns."""
        fresh = ExploredTable(table)
        fresh.columns()
        return fresh

    def filtered(turn: int) -> Selection:
        return Selection((f"score > {1 + turn / 100} AND guess <> label",))

    def ordered(turn: int) -> Selection:
        sort = (SortKey(("score", "guess", "label")[turn % 3], descending=turn % 2 == 0),)
        return Selection(sort=sort)

    def deep(turn: int) -> Any:
        return explored.window(Selection(), min(rows // 2 + turn * 1000, rows - 100))

    def brush(turn: int) -> Any:
        low = -1 + turn / 50
        return explored.facets(Selection((f"score BETWEEN {low} AND {low + 0.5}",)), names)

    def grouped(_: int) -> Any:
        return explored.groups(Selection(), ["label"], columns=["score"])

    is_large = rows > LARGE
    return {
        "first page": (0.3, lambda _: cold().window()),
        "first page, sorted": (0.8 if is_large else 0.3, lambda n: cold().window(ordered(n))),
        "first page, filtered": (0.8 if is_large else 0.3, lambda n: explored.window(filtered(n))),
        "count, filtered": (5.0 if is_large else 0.3, lambda n: explored.count(filtered(n + 50))),
        "window in the middle": (1.0 if is_large else 0.3, deep),
        "sorted, in the middle": (
            10.0 if is_large else 0.3,
            lambda n: cold().window(ordered(n), rows // 2),
        ),
        "groups with histograms": (1.5 if is_large else 0.3, grouped),
        "all facets after a brush": (20.0 if is_large else 0.2, brush),
    }


def _timed(ask: Callable[[int], Any], turn: int) -> float:
    began = time.perf_counter()
    ask(turn)
    return time.perf_counter() - began


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table_pages")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", nargs="+", metavar="QUESTION")
    parser.add_argument("--work", help="a directory on the disk to be measured; files stay there")
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

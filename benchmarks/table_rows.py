"""
Benchmarks of tables: `python -m benchmarks.table_rows --help`.

Each job is a process of its own (`table_work`). Jobs of a row take turns, `--runs` times; what is
told is the median, and ratios are of jobs of the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Command, measure
from benchmarks.report import describe_machine

MB = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class TableRow:
    """
    Attributes:
        jobs: run in this order; the first is ours, the last one measured.
        before: a job that prepares, run once.
        figures: what is told -> (target, what is measured of it).
    """

    id: str
    title: str
    jobs: tuple[str, ...]
    targets: dict[str, float]
    before: str | None = None


ROWS = (
    TableRow(
        "frame",
        "1 M x 5 from a DataFrame, logged",
        ("frame-art", "frame-parquet"),
        {"ratio": 1.5},
    ),
    TableRow(
        "rows",
        "add_data, 1 M rows of 12 numbers",
        ("rows-art",),
        {"microseconds_a_row": 3.0, "peak_bytes": 300 * MB},
    ),
    TableRow(
        "images",
        "10,000 28x28 images with 11 columns, logged",
        ("images-art", "images-pillow"),
        {"ratio": 2.0},
    ),
    TableRow(
        "insert",
        "2 M x 13, 10,000 rows inserted in the middle",
        ("insert-art",),
        {"stored_part": 0.02},
    ),
    TableRow("append", "2 M x 13, 1 % appended", ("append-art",), {"stored_part": 0.013}),
    TableRow(
        "relog",
        "1 M x 20 logged whole again: 1,000 scattered rows changed, 10,000 inserted",
        ("relog-art",),
        {"stored_bytes": 55 * MB},
    ),
    TableRow(
        "large",
        "100 M rows: filter, group, histogram, top 50, deep page, join with 1 M",
        ("large-query",),
        dict.fromkeys(
            (
                "filter_ratio",
                "group_ratio",
                "histogram_ratio",
                "top_ratio",
                "page_ratio",
                "join_ratio",
            ),
            1.3,
        ),
        before="large-make",
    ),
    TableRow(
        "diff-runs",
        "diff of two versions of 2 M x 13: 20 runs of 50 rows changed",
        ("diff-runs",),
        {"diff_seconds": 0.5, "read_part": 0.1},
    ),
    TableRow(
        "diff-scattered",
        "diff of two versions of 2 M x 13: 1,000 scattered rows changed",
        ("diff-scattered",),
        {"to_scan": 1.2},
    ),
    TableRow(
        "extents",
        "queries on 10 M rows, 10,000 scattered ones changed, against the same stored anew",
        ("extents-query",),
        {},
    ),
    TableRow(
        "joined",
        "get('joined') of 1 M predictions, first 50 rows with images",
        ("joined-first",),
        {"first_seconds": 0.5},
        before="joined-make",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    records = []
    for row in ROWS:
        if options.rows and row.id not in options.rows:
            continue
        record = _run_row(row, work / row.id, options.runs, options.scale)
        records.append(record)
        _tell(row, record)
    if options.json:
        told = {"machine": describe_machine(work), "scale": options.scale, "rows": records}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0


def _run_row(row: TableRow, place: Path, runs: int, scale: float) -> dict[str, Any]:
    place.mkdir(parents=True, exist_ok=True)
    before = _run_job(row.before, place, scale) if row.before else {}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in row.jobs}
    for _ in range(runs):
        for name in row.jobs:
            found[name].append(_run_job(name, place, scale))
    medians = {name: _medians(samples) for name, samples in found.items()}
    ours = medians[row.jobs[0]]
    if len(row.jobs) > 1:
        other = medians[row.jobs[-1]]
        ours["ratio"] = ours["work_seconds"] / other["work_seconds"]
        ours["process_ratio"] = ours["seconds"] / other["seconds"]
    return {"id": row.id, "title": row.title, "before": before, "jobs": medians, "runs": runs}


def _run_job(name: str, place: Path, scale: float) -> dict[str, Any]:
    argv = [sys.executable, "-m", "benchmarks.table_work", name, str(place), str(scale)]
    environment = {**os.environ, "ARTSTORE_CACHE_DIR": str(place / "cache"), "HOME": str(place)}
    answer = place / "answer.json"
    sample = measure(Command([*argv, str(answer)], Path.cwd(), environment))
    told = json.loads(answer.read_text("utf-8"))
    return {**told, "seconds": sample.seconds, "peak_bytes": sample.peak_bytes}


def _medians(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def _tell(row: TableRow, record: dict[str, Any]) -> None:
    print(f"{row.id}: {row.title}")
    if record["before"]:
        print("   ", json.dumps(record["before"]))
    ours = record["jobs"][row.jobs[0]]
    for name, target in row.targets.items():
        verdict = "reached" if ours[name] <= target else "MISSED"
        print(f"    {name} {ours[name]:.4g}, target {target:.4g}: {verdict}")
    for name, figures in record["jobs"].items():
        print("   ", name, {key: round(value, 4) for key, value in figures.items()})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table_rows")
    parser.add_argument("--rows", nargs="+", choices=[row.id for row in ROWS])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--work", help="a directory on the disk to be measured; files stay there")
    parser.add_argument("--json", help="write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

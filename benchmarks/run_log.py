"""
Benchmarks of logging: `python -m benchmarks.run_log --help`.

Each job is a process of its own. `ours` and the peers that are installed log the same five
scalars, call by call; `empty` begins a run and ends it; `million` logs a million rows of ten
metrics, finishes (the history is written into a local store) and reads that back as Arrow. Ours
are runs as `artstore.init` gives them, with all that they capture. Jobs take turns, `--runs` times.
Each process also times a loop of plain Python, five million additions, before its work and behind
it: where that is slow, the machine was busy.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Command, measure
from benchmarks.report import describe_machine

Log = Callable[[dict[str, float], int], None]
JOBS: dict[str, Callable[[Path, float], dict[str, float]]] = {}

TARGETS = {
    "ours": {"median_us": 8.0, "p99_us": 30.0},
    "empty": {"both_seconds": 0.08},
    "million": {"log_seconds": 12.0, "close_seconds": 2.0, "read_seconds": 0.3},
}
FULL_CALLS = 100_000
PEER_CALLS = 20_000
"""Peers take up to milliseconds a call."""
MILLION = 1_000_000


def job(
    run: Callable[[Path, float], dict[str, float]],
) -> Callable[[Path, float], dict[str, float]]:
    JOBS[run.__name__] = run
    return run


@job
def ours(_: Path, scale: float) -> dict[str, float]:
    began = time.perf_counter()
    import artstore as art

    imported = time.perf_counter()
    run = art.init(project="bench")
    begun = time.perf_counter()
    told = timed(lambda row, _: run.log(row), int(FULL_CALLS * scale))
    ending = time.perf_counter()
    run.finish()
    return told | {
        "import_seconds": imported - began,
        "init_seconds": begun - imported,
        "close_seconds": time.perf_counter() - ending,
    }


@job
def empty(_: Path, __: float) -> dict[str, float]:
    """A run in which nothing is logged, in a process that imports what it needs."""
    import artstore as art

    began = time.perf_counter()
    run = art.init(project="bench")
    begun = time.perf_counter()
    run.finish()
    ended = time.perf_counter()
    return {
        "init_seconds": begun - began,
        "finish_seconds": ended - begun,
        "both_seconds": ended - began,
    }


@job
def million(_: Path, scale: float) -> dict[str, float]:
    import artstore as art
    from artstore.runs import history

    # As in a program that trains: these are there already.
    history.write_segment(history.build([]))
    count = int(MILLION * scale)
    run = art.init(project="bench")
    cpu, began = [time.process_time()], time.perf_counter()
    value = 0.5
    for _ in range(count):
        # Noise: numbers that repeat would compress to nothing.
        value = 3.9 * value * (1.0 - value)
        other = value * 0.1
        run.log(
            {
                "loss": value,
                "accuracy": other,
                "val/loss": value + other,
                "val/accuracy": value - other,
                "lr": 0.001,
                "grad/norm": other * other,
                "grad/max": value * other,
                "epoch": 3,
                "time/data": other + 0.1,
                "time/step": value + 0.2,
            }
        )
    logged = time.perf_counter()
    cpu.append(time.process_time())
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    run.finish()
    closed = time.perf_counter()
    cpu.append(time.process_time())
    stored = art.open_store().run(run.path)
    segment_bytes = sum(
        segment["bytes"]
        for segments in stored.whole["segments"]["history"].values()
        for segment in segments
    )
    cpu_again, again = time.process_time(), time.perf_counter()
    table = stored.history_table()
    read = time.perf_counter()
    cpu_read = time.process_time() - cpu_again
    assert table.shape == (count, 12)
    return {
        "log_seconds": logged - began,
        "close_seconds": closed - logged,
        "read_seconds": read - again,
        "log_cpu_seconds": cpu[1] - cpu[0],
        "close_cpu_seconds": cpu[2] - cpu[1],
        "read_cpu_seconds": cpu_read,
        "segment_bytes": segment_bytes,
        "peak_bytes_while_logging": peak_bytes,
    }


@job
def trackio(place: Path, scale: float) -> dict[str, float]:
    os.environ["TRACKIO_DIR"] = str(place)
    import trackio as peer

    peer.init(project="bench")
    told = timed(lambda row, _: peer.log(row), int(PEER_CALLS * scale))
    peer.finish()
    return told


@job
def wandb(place: Path, scale: float) -> dict[str, float]:
    import wandb as peer

    run = peer.init(project="bench", mode="offline", dir=str(place))
    told = timed(lambda row, _: run.log(row), int(PEER_CALLS * scale))
    run.finish()
    return told


@job
def tensorboardX(place: Path, scale: float) -> dict[str, float]:  # noqa: N802 - its name
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(place))

    def log(row: dict[str, float], step: int) -> None:
        for key, value in row.items():
            writer.add_scalar(key, value, step)

    told = timed(log, int(PEER_CALLS * scale))
    writer.close()
    return told


@job
def aim(place: Path, scale: float) -> dict[str, float]:
    from aim import Run

    run = Run(repo=str(place), system_tracking_interval=None, capture_terminal_logs=False)

    def log(row: dict[str, float], step: int) -> None:
        for key, value in row.items():
            run.track(value, name=key, step=step)

    told = timed(log, int(PEER_CALLS * scale))
    run.close()
    return told


@job
def mlflow(place: Path, scale: float) -> dict[str, float]:
    import mlflow as peer

    peer.set_tracking_uri(f"sqlite:///{place}/mlflow.db")
    with peer.start_run():
        return timed(lambda row, step: peer.log_metrics(row, step=step), int(PEER_CALLS * scale))


def timed(log: Log, count: int) -> dict[str, float]:
    """How long single calls take; making the row is not part of it."""
    clock = time.perf_counter_ns
    taken = [0] * count
    began = time.perf_counter()
    for at in range(count):
        row = {"loss": at * 0.1, "accuracy": at * 0.2, "lr": 0.001, "epoch": at, "norm": 0.5}
        before = clock()
        log(row, at)
        taken[at] = clock() - before
    seconds = time.perf_counter() - began
    taken.sort()
    shares = {"median_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}
    found = {name: taken[int(share * count)] / 1e3 for name, share in shares.items()}
    return {**found, "most_us": taken[-1] / 1e3, "calls": count, "calls_a_second": count / seconds}


def plain_loop_seconds() -> float:
    began = time.perf_counter()
    total = 0
    for number in range(5_000_000):
        total += number
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.answer:
        _work(options.rows[0], Path(options.work), options.scale, Path(options.answer))
        return 0
    work = Path(options.work or tempfile.mkdtemp(prefix="artstore-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    names = [name for name in JOBS if not options.rows or name in options.rows]
    names = [name for name in names if _is_there(name)]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(options.runs):
        for name in names:
            found[name].append(_run(name, work / f"{name}-{turn}", options.scale))
    medians = {name: _medians(samples) for name, samples in found.items()}
    for name, figures in medians.items():
        _tell(name, figures)
    if options.json:
        told = {"machine": describe_machine(work), "scale": options.scale, "samples": found}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0


def _work(name: str, place: Path, scale: float, answer: Path) -> None:
    before = plain_loop_seconds()
    told = JOBS[name](place, scale)
    told |= {"plain_loop_before": before, "plain_loop_behind": plain_loop_seconds()}
    answer.write_text(json.dumps(told), "utf-8")


def _is_there(name: str) -> bool:
    return name in TARGETS or importlib.util.find_spec(name) is not None


def _run(name: str, place: Path, scale: float) -> dict[str, float]:
    place.mkdir(parents=True, exist_ok=True)
    answer = place / "answer.json"
    words = ["--rows", name, "--work", str(place), "--scale", str(scale), "--answer", str(answer)]
    environment = {**os.environ, "HOME": str(place), "ARTSTORE_SILENT": "1"}
    argv = [sys.executable, "-m", "benchmarks.run_log", *words]
    sample = measure(Command(argv, Path.cwd(), environment))
    return {**json.loads(answer.read_text("utf-8")), "process_seconds": sample.seconds}


def _medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def _tell(name: str, figures: dict[str, Any]) -> None:
    print(name, {key: float(f"{value:.4g}") for key, value in figures.items()})
    for key, target in TARGETS.get(name, {}).items():
        verdict = "reached" if figures[key] <= target else "MISSED"
        print(f"    {key} {figures[key]:.4g}, target {target:.4g}: {verdict}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_log")
    parser.add_argument("--rows", nargs="+", choices=list(JOBS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--work", help="a directory on the disk to be measured; files stay there")
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

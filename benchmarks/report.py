"""
From observations to the table: medians, ratios, verdicts, and the machine they hold for.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Spread
from benchmarks.workloads import Observation, Row, Target

__all__ = [
    "describe_machine",
    "judge",
    "markdown_table",
    "percentile",
    "row_record",
    "tell_figures",
]

Record = dict[str, Any]
REFERENCES = ("cp", "read+blake3")
COUNTS = (
    *("stored_bytes", "store_read_bytes", "left_bytes", "peak_bytes", "extra_files"),
    *("request_count", "write_count", "sent_bytes"),
)


def row_record(row: Row, seen: Mapping[str, Observation], *, is_full_size: bool) -> Record:
    """All that is kept of one row: the figures of every tool, and what they mean for ours."""
    tools = {name: _tool_record(observation) for name, observation in seen.items()}
    for reference in dict.fromkeys((*REFERENCES, row.target.ratio_to)):
        base = tools.get(reference, {}).get("seconds", {}).get("median")
        for record in tools.values():
            if base and "seconds" in record:
                ratios = record.setdefault("ratio_to", {})
                ratios[reference] = round(record["seconds"]["median"] / base, 3)
    missed = judge(row.target, tools) if "art" in tools else None
    if missed is None or not is_full_size:
        verdict = "not judged"
    else:
        verdict = "missed" if missed else "reached"
    return {
        "id": row.id,
        "title": row.title,
        "target": describe_target(row.target),
        "reference": row.target.ratio_to,
        "verdict": verdict,
        "missed": missed or [],
        "faster_peers": _faster_peers(tools),
        "tools": tools,
    }


def _tool_record(observation: Observation) -> Record:
    record: Record = dict(observation.counts)
    samples = observation.samples
    if samples:
        spread = Spread.of(sample.seconds for sample in samples)
        record["seconds"] = {
            "median": round(spread.median, 4),
            "least": round(spread.least, 4),
            "most": round(spread.most, 4),
            "runs": [round(sample.seconds, 4) for sample in samples],
        }
        for name in ("user_seconds", "system_seconds"):
            record[name] = round(Spread.of(getattr(s, name) for s in samples).median, 4)
        record["peak_bytes"] = max(sample.peak_bytes for sample in samples)
    return record


def _faster_peers(tools: Mapping[str, Record]) -> list[str]:
    """Peers that beat `art` in this row; references are no peers."""
    own = tools.get("art", {}).get("seconds")
    if own is None:
        return []
    return sorted(
        name
        for name, record in tools.items()
        if name not in (*REFERENCES, "art")
        and "seconds" in record
        and record["seconds"]["median"] < own["median"]
    )


# --- targets ------------------------------------------------------------------


def judge(target: Target, tools: Mapping[str, Record]) -> list[str]:
    """
    Say which limits of `target` the `art` record passes.

    Returns: one sentence a limit that is missed; a limit that could not be
        measured here (no reference, no strace) is missed too, and says so.
    """
    own = tools["art"]
    missed = []
    if target.seconds is not None or target.ratio is not None:
        missed += _judge_time(target, own)
    if target.sent_ratio is not None:
        missed += _judge_sent(target, tools)
    for name in COUNTS:
        limit = getattr(target, name)
        if limit is None:
            continue
        value = own.get(name)
        if value is None:
            missed.append(f"{name} was not measured")
        elif value > limit:
            missed.append(f"{name} {value:,} > {limit:,}")
    return missed


def _judge_time(target: Target, own: Record) -> list[str]:
    if "seconds" not in own:
        return ["seconds were not measured"]
    median = own["seconds"]["median"]
    ratio = own.get("ratio_to", {}).get(target.ratio_to)
    if target.seconds is not None and median <= target.seconds:
        return []
    if target.ratio is not None and ratio is not None and ratio <= target.ratio:
        return []
    missed = []
    if target.seconds is not None:
        missed.append(f"{median:.2f} s > {target.seconds:g} s")
    if target.ratio is not None:
        told = f"{ratio:.2f}x" if ratio is not None else "no reference"
        missed.append(f"{told} > {target.ratio:.2g}x {target.ratio_to}")
    return missed


def _judge_sent(target: Target, tools: Mapping[str, Record]) -> list[str]:
    own = tools["art"].get("sent_bytes")
    base = tools.get(target.ratio_to, {}).get("sent_bytes")
    assert target.sent_ratio is not None
    if own is None or not base:
        return ["what was sent could not be compared"]
    if own <= target.sent_ratio * base:
        return []
    return [f"sent {own / base:.2f}x > {target.sent_ratio:.2g}x {target.ratio_to}"]


def describe_target(target: Target) -> str:
    times = []
    if target.seconds is not None:
        times.append(f"<= {target.seconds:g} s")
    if target.ratio is not None:
        times.append(f"<= {target.ratio:.2g}x {target.ratio_to}")
    parts = [" or ".join(times)] if times else []
    words = {
        "stored_bytes": "new",
        "store_read_bytes": "read from the store",
        "left_bytes": "left behind",
        "peak_bytes": "of memory",
        "sent_bytes": "sent",
    }
    for name, word in words.items():
        limit = getattr(target, name)
        if limit is not None:
            parts.append(f"<= {_megabytes(limit)} {word}" if limit else f"0 bytes {word}")
    if target.extra_files is not None:
        parts.append("deleted files gone")
    if target.request_count is not None:
        parts.append(f"<= {target.request_count} requests")
    if target.write_count is not None:
        parts.append(f"<= {target.write_count} requests that write")
    if target.sent_ratio is not None:
        parts.append(f"<= {target.sent_ratio:.2g}x what {target.ratio_to} sent")
    return ", ".join(parts)


def _megabytes(count: int) -> str:
    value = count / 1_000_000
    return f"{value:,.1f} MB" if value < 100 else f"{value:,.0f} MB"


# --- the table ----------------------------------------------------------------


def markdown_table(rows: Iterable[Record], tool_names: Iterable[str]) -> str:
    """One line a row, one column a tool, the target and the verdict at the end."""
    names = list(tool_names)
    lines = [
        "| operation | " + " | ".join(names) + " | target | verdict |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    kept = list(rows)
    for row in kept:
        cells = [_cell(row["tools"].get(name), row["reference"]) for name in names]
        verdict = row["verdict"]
        if row["missed"]:
            verdict += ": " + "; ".join(row["missed"])
        if row["faster_peers"]:
            verdict += "; faster: " + ", ".join(row["faster_peers"])
        lines.append(f"| {row['title']} | {' | '.join(cells)} | {row['target']} | {verdict} |")
    peaks = [_peak(kept, name) for name in names]
    lines.append(f"| peak memory in the rows above | {' | '.join(peaks)} | | |")
    return "\n".join(lines)


def _peak(rows: Iterable[Record], name: str) -> str:
    peaks = [row["tools"].get(name, {}).get("peak_bytes", 0) for row in rows]
    return _megabytes(max(peaks)) if any(peaks) else ""


def _cell(record: Record | None, reference: str) -> str:
    if record is None:
        return ""
    parts = []
    if "seconds" in record:
        ratio = record.get("ratio_to", {}).get(reference)
        told = f" ({ratio:.2f}x)" if ratio is not None else ""
        parts.append(f"{record['seconds']['median']:.2f} s{told}")
    if record.get("stored_bytes"):
        parts.append(f"new {_megabytes(record['stored_bytes'])}")
    if "store_read_bytes" in record:
        parts.append(f"read {_megabytes(record['store_read_bytes'])}")
    if record.get("left_bytes"):
        parts.append(f"left {_megabytes(record['left_bytes'])}")
    if record.get("extra_files"):
        parts.append(f"{record['extra_files']} deleted files left")
    if "sent_bytes" in record:
        parts.append(f"sent {_megabytes(record['sent_bytes'])}")
    if "request_count" in record:
        writes = record["write_count"]
        parts.append(f"{record['request_count']:,} requests, {writes:,} of them write")
    return ", ".join(parts)


# --- the machine --------------------------------------------------------------


def percentile(seconds: Sequence[float]) -> float:
    """The 95th."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


def tell_figures(
    figures: Mapping[str, float], targets: Mapping[str, float], work: Path, file: str | None
) -> None:
    """Print figures beside what is to be reached; keep them in a file, if one is named."""
    for name, found in figures.items():
        target = targets.get(name)
        verdict = (
            "" if target is None else f"; {target}: {'reached' if found <= target else 'MISSED'}"
        )
        print(f"{name} {found:.4g}{verdict}")
    if file:
        record = {"machine": describe_machine(work), "figures": figures, "targets": targets}
        Path(file).write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def describe_machine(work: Path) -> Record:
    """What a reader needs to judge the figures; no host or user name."""
    return {
        "processor": _processor(),
        "core_count": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "file_system": _file_system(work),
        "python": platform.python_version(),
        "load_average_before": [round(value, 2) for value in os.getloadavg()],
    }


def _processor() -> str:
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _file_system(place: Path) -> str:
    """Type of the file system that holds `place`: the longest mount point that leads to it."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    best = ("", "unknown")
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split()
        if place.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]

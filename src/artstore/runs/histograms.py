"""
Histograms that a run logged as values, step by step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.runs.nonfinite import restored
from artstore.runs.series import without_twins

if TYPE_CHECKING:
    from artstore.runs.historyreading import HistoryReader, HistorySource

__all__ = ["LoggedHistograms", "logged_histograms"]

_BINS_MAX: Final = 512
"""As a histogram may have."""


@dataclass(frozen=True, slots=True)
class LoggedHistograms:
    """
    Histograms of one key, in the order of steps.

    Attributes:
        edges: of each one more than counts.
        count: how many were logged; fewer are given if there are many.
    """

    steps: list[int]
    edges: list[list[float]]
    counts: list[list[float]]
    count: int


def logged_histograms(
    reader: HistoryReader, sources: Sequence[HistorySource], key: str, points: int
) -> LoggedHistograms:
    """
    The histograms of a key, at most `points` of them, evenly over those that were logged.

    What is none, or damaged, is left out.

    Raises and cost: as `HistoryReader.columns`, and 20 us for each that is given.
    """
    columns = [
        part[key] for part in reader.columns([(one, [key]) for one in sources]) if key in part
    ]
    columns = [column for column in columns if column.kind == "json" and len(column.step)]
    if not columns:
        return LoggedHistograms([], [], [], 0)
    steps = np.concatenate([column.step for column in columns])
    part = np.repeat(np.arange(len(columns)), [len(column.step) for column in columns])
    row = np.concatenate([np.arange(len(column.step)) for column in columns])
    kept = without_twins(steps)
    if kept is None:
        kept = np.arange(len(steps))
    chosen = kept[_evenly(len(kept), points)]
    found = LoggedHistograms([], [], [], len(kept))
    for at in chosen.tolist():
        read = _histogram(columns[part[at]].values[int(row[at])].as_py())
        if read is not None:
            found.steps.append(int(steps[at]))
            found.edges.append(read[0])
            found.counts.append(read[1])
    return found


def _evenly(count: int, points: int) -> Any:
    """Places among `count`, the first and the last of them too."""
    if count <= points:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, points).round().astype(np.int64))


def _histogram(text: str) -> tuple[list[float], list[float]] | None:
    """Edges and counts."""
    try:
        value = restored(json.loads(text))
        if type(value) is not dict or value.get("_type") != "histogram":
            return None
        counts = [float(number) for number in value["values"]]
        edges = [float(number) for number in value["bins"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    is_sound = len(edges) == len(counts) + 1 <= _BINS_MAX + 1
    is_finite = all(abs(number) < float("inf") for number in (*edges, *counts))
    return (edges, counts) if is_sound and is_finite else None

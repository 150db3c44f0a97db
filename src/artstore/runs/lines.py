"""
Lines of several runs for one chart, from the parts of their histories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.runs.historycolumns import STEP, TIMESTAMP
from artstore.runs.historyreading import ReadColumn, joined
from artstore.runs.series import ascending, paired

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from artstore.runs.historyreading import HistoryReader, HistorySource

__all__ = ["RELATIVE", "STEP", "TIMESTAMP", "RunLine", "run_lines"]

RELATIVE: Final = "_relative"
"""Seconds since the first row of the run."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """
    A line of one key of one run, with all its points.

    Attributes:
        run: the number of the run in the order asked.
        x: shape (n,), ascending and finite, int64 or float64.
        y: shape (n,); may hold NaN and infinities.
        last: x and y of the point that was logged last.
    """

    run: int
    key: str
    x: NDArray[Any]
    y: NDArray[np.float64]
    last: tuple[float, float]


def run_lines(
    reader: HistoryReader,
    runs: Sequence[Sequence[HistorySource]],
    keys: Sequence[str],
    x: str,
    *,
    has_steps: bool = True,
) -> list[RunLine | None]:
    """
    For each run and each of its keys a line, in this order; None where there are no points.

    Args:
        runs: of each the parts of its history, in the order in which they were written.
        x: `_step`, `_timestamp`, `_relative` or a key.
        has_steps: false for samples of the machine, which have no steps.
    Raises and cost: as `HistoryReader.columns`, and 50 ns a point.
    """
    names = list(dict.fromkeys(keys if x in (STEP, TIMESTAMP, RELATIVE) else [*keys, x]))
    wanted = []
    for sources in runs:
        for at, source in enumerate(sources):
            is_first = x == RELATIVE and at == 0
            wanted.append((source, [*names, TIMESTAMP] if is_first else names))
    read = iter(reader.columns(wanted))
    lines: list[RunLine | None] = []
    for number, sources in enumerate(runs):
        parts = [next(read) for _ in sources]
        lines += _lines(number, parts, keys, x, has_steps=has_steps)
    return lines


def _lines(
    number: int,
    parts: Sequence[Mapping[str, ReadColumn]],
    keys: Sequence[str],
    x: str,
    *,
    has_steps: bool,
) -> list[RunLine | None]:
    begin = 0.0
    if x == RELATIVE and parts and TIMESTAMP in parts[0] and len(parts[0][TIMESTAMP].values):
        begin = float(parts[0][TIMESTAMP].values[0])
    axis = None
    if x not in (STEP, TIMESTAMP, RELATIVE):
        axis = _joined(parts, x, has_steps=has_steps)
        if axis is None:
            return [None] * len(keys)
    found: list[RunLine | None] = []
    for key in keys:
        column = _joined(parts, key, has_steps=has_steps)
        place = None if column is None else _placed(column, axis, x, begin)
        found.append(None if place is None else _line(number, key, *place))
    return found


def _joined(
    parts: Sequence[Mapping[str, ReadColumn]], key: str, *, has_steps: bool
) -> ReadColumn | None:
    columns = [part[key] for part in parts if key in part]
    if not columns:
        return None
    column = joined(columns, has_steps=has_steps)
    return column if len(column.values) else None


def _placed(
    column: ReadColumn, axis: ReadColumn | None, x: str, begin: float
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The points in the order in which they were logged."""
    if axis is not None:
        return paired(column.step, column.values, axis.step, axis.values)
    if x == STEP:
        return column.step, column.values
    return (column.time - begin if x == RELATIVE else column.time), column.values


def _line(number: int, key: str, x: NDArray[Any], y: NDArray[np.float64]) -> RunLine | None:
    drawn_x, drawn_y = ascending(x, y)
    if not len(drawn_x):
        return None
    # The one that was logged last, if it has a place.
    last = len(x) - 1 if np.isfinite(x[-1]) else None
    place, value = (drawn_x[-1], drawn_y[-1]) if last is None else (x[last], y[last])
    return RunLine(number, key, drawn_x, drawn_y, (place.item(), value.item()))

"""
What the numbers of one group are: from a row of aggregates, or from what each bin has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from artstore.tables.exploring.answers import ColumnInfo, Summary
from artstore.tables.exploring.binning import NULLS, is_whole, number_sql, told_number

__all__ = [
    "SQUARE_MAX",
    "SQUARE_MAX_SQL",
    "Part",
    "aggregates_sql",
    "summary_of_parts",
    "summary_of_row",
    "summary_of_sample",
]

_QUANTILES: Final = (0.25, 0.5, 0.75)
SQUARE_MAX: Final = 1e150
"""The square of a larger number is none: a spread is not told."""

SQUARE_MAX_SQL: Final = f"CAST('{SQUARE_MAX!r}' AS DOUBLE)"


@dataclass(frozen=True, slots=True)
class Part:
    """The cells of a group in one bin; `spread` is their variance."""

    count: int
    mean: float | None
    spread: float | None
    low: Any
    high: Any


def aggregates_sql(info: ColumnInfo) -> str:
    """SQL of all aggregates of a column `v` of numbers or times."""
    number = number_sql("v", info.type)
    finite = number if is_whole(info.type) else f"CASE WHEN isfinite({number}) THEN {number} END"
    told = f"count(v) AS c, count(*) AS n, min({finite}) AS low, max({finite}) AS high"
    if info.role == "time":
        return told
    double = f"CAST({finite} AS DOUBLE)"
    small = f"CASE WHEN abs({double}) < {SQUARE_MAX_SQL} THEN {double} END"
    levels = ", ".join(map(str, _QUANTILES))
    # DuckDB sorts whole numbers more than twice as fast as the same ones as DOUBLE.
    sorted_as = finite if is_whole(info.type) else double
    return (
        f"{told}, sum({double}) AS total, avg({double}) AS mean, stddev_samp({small}) AS spread, "
        f"max(abs({double})) AS largest, quantile_cont({sorted_as}, [{levels}]) AS quantiles"
    )


def summary_of_row(
    info: ColumnInfo, kind: str, row: Mapping[str, Any], histogram: tuple[int, ...]
) -> Summary:
    """A summary of the columns of `aggregates_sql`."""
    count, nulls = row["c"], row["n"] - row["c"]
    low, high = told_number(info.type, row["low"]), told_number(info.type, row["high"])
    if kind == "time":
        return Summary(
            info.name, kind, count, nulls, minimum=low, maximum=high, histogram=histogram
        )
    is_spread = row["largest"] is not None and row["largest"] < SQUARE_MAX
    return Summary(
        info.name,
        kind,
        count,
        nulls,
        total=_finite(row["total"]),
        mean=_finite(row["mean"]),
        stddev=_finite(row["spread"]) if is_spread else None,
        minimum=low,
        maximum=high,
        quantiles=tuple(row["quantiles"] or (None,) * len(_QUANTILES)),
        histogram=histogram,
    )


def summary_of_parts(info: ColumnInfo, parts: Mapping[int, Part], bin_count: int) -> Summary:
    """A summary of what the bins of a group have; its quantiles are estimated within bins."""
    nulls = parts[NULLS].count if NULLS in parts else 0
    count = sum(part.count for part in parts.values()) - nulls
    bins = [parts[at] for at in sorted(parts) if at >= 0]
    histogram = tuple(parts[at].count if at in parts else 0 for at in range(bin_count))
    if not bins:
        none = (None,) * len(_QUANTILES)
        return Summary(info.name, "number", count, nulls, quantiles=none, histogram=histogram)
    rows = sum(part.count for part in bins)
    total = math.fsum((part.mean or 0.0) * part.count for part in bins)
    return Summary(
        info.name,
        "number",
        count,
        nulls,
        total=_finite(total),
        mean=_finite(total / rows),
        stddev=_spread(bins, rows, total / rows),
        minimum=told_number(info.type, bins[0].low),
        maximum=told_number(info.type, bins[-1].high),
        quantiles=tuple(_quantile(bins, rows, level) for level in _QUANTILES),
        histogram=histogram,
    )


def summary_of_sample(
    info: ColumnInfo, row: Mapping[str, Any], of_sample: Summary, sample_size: int | None
) -> Summary:
    """
    A summary with the counts and moments of all rows.

    Args:
        row: `rows`, `cells`, the finite ones as `n`, and what a `Part` has beside that.
        of_sample: gives histogram and quantiles.
        sample_size: rows that these are of; None if of all.
    """
    count, mean = row["n"], row["mean"]
    stddev = None
    if count > 1 and row["spread"] is not None:
        largest = max(abs(float(row["low"])), abs(float(row["high"])))
        if largest < SQUARE_MAX:
            stddev = _finite(math.sqrt(row["spread"] * count / (count - 1)))
    return replace(
        of_sample,
        count=row["cells"],
        nulls=row["rows"] - row["cells"],
        total=None if mean is None else _finite(mean * count),
        mean=_finite(mean),
        stddev=stddev,
        minimum=told_number(info.type, row["low"]),
        maximum=told_number(info.type, row["high"]),
        sample_size=sample_size,
    )


def _spread(bins: Sequence[Part], rows: int, mean: float) -> float | None:
    """The standard deviation of a sample."""
    largest = max(abs(float(bins[0].low)), abs(float(bins[-1].high)))
    if rows < 2 or largest >= SQUARE_MAX:
        return None
    squares = math.fsum(
        part.count * ((part.spread or 0.0) + ((part.mean or 0.0) - mean) ** 2) for part in bins
    )
    return _finite(math.sqrt(squares / (rows - 1)))


def _quantile(bins: Sequence[Part], rows: int, level: float) -> float:
    """Where a part of the numbers is smaller, as if those of a bin lay at equal distances."""
    place = level * (rows - 1)
    for part in bins:
        if place <= part.count - 1 or part is bins[-1]:
            low, high = float(part.low), float(part.high)
            share = min(place / (part.count - 1), 1.0) if part.count > 1 else 0.0
            return low + (high - low) * max(share, 0.0)
        if place < part.count:
            # Between the last of this bin and the first of the next.
            return float(part.high)
        place -= part.count
    raise AssertionError("no bins")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

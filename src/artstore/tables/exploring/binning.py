"""
Bins of numbers and times: edges that are easy to read, and the SQL that counts by them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.tables.types import DATE, TIME, ColumnType, Decimal, Duration, Plain, Timestamp

__all__ = [
    "INF",
    "MINUS_INF",
    "NAN",
    "NULLS",
    "Bins",
    "bins_of",
    "is_binned",
    "is_whole",
    "number_sql",
    "told_number",
]

BINS_MAX: Final = 30
NULLS, NAN, INF, MINUS_INF = -4, -3, -2, -1
"""What stands for the number of a bin where there is none."""

_SAFE: Final = 1 << 61
_STEPS_MAX: Final = 64
"""Numbers that are tried to find where a bin begins."""

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_DAYS: Final = (1, 2, 7, 14, 30, 91, 182)
_TIME_STEPS: Final = (
    *(base * scale for scale in (1, 10, 100, 1000, 10_000, 100_000) for base in (1, 2, 5)),
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)),
    *(n * 3600 * _SECOND for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in _DAYS),
)
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - of local times, too
_FIRST: Final = dt.datetime(1, 1, 1)  # noqa: DTZ001 - likewise
_LAST: Final = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - likewise


@dataclass(frozen=True, slots=True)
class Bins:
    """
    Bins of a column.

    Attributes:
        edges: as an answer tells them, n + 1 for n bins.
        sql: the number of the bin of a cell, or one of `NULLS`, `NAN`, `INF`, `MINUS_INF`.
    """

    edges: tuple[Any, ...]
    sql: str

    @property
    def count(self) -> int:
        """How many bins there are."""
        return max(len(self.edges) - 1, 0)


def is_binned(kind: ColumnType) -> bool:
    """Whether cells of a column go into bins."""
    if isinstance(kind, Plain):
        return kind.name[-1].isdigit() or kind in (DATE, TIME) or kind.name == "int"
    return isinstance(kind, (Timestamp, Duration, Decimal))


def is_whole(kind: ColumnType) -> bool:
    """Whether cells are whole numbers to the engine; times are, too."""
    is_float = isinstance(kind, Decimal) or (isinstance(kind, Plain) and "float" in kind.name)
    return not is_float


def number_sql(value: str, kind: ColumnType) -> str:
    """SQL for a cell as a number that can be binned: whole, or a DOUBLE."""
    if kind == DATE:
        return f"({value} - DATE '1970-01-01')"
    if kind == TIME:
        return f"epoch_us({value})"
    if isinstance(kind, Timestamp):
        return f"epoch_{'ns' if kind.unit == 'ns' and not kind.zone else 'us'}({value})"
    if isinstance(kind, Decimal) and kind.is_wide:
        return f"TRY_CAST({value} AS DOUBLE)"
    return value if is_whole(kind) else f"CAST({value} AS DOUBLE)"


def bins_of(value: str, kind: ColumnType, low: Any, high: Any, *, is_finite: bool = False) -> Bins:
    """
    Bins for the cells from `low` to `high`, both numbers as `number_sql` gives them.

    Args:
        value: SQL for a cell.
        low, high: None if no cell is finite.
        is_finite: no cell is NaN or an infinity, which is looked at for each cell otherwise.
    """
    number = number_sql(value, kind)
    is_double = not is_whole(kind)
    edges: Sequence[Any] = ()
    if low is None:
        place = str(NULLS)
    elif is_double:
        edges, place = _float_bins(number, float(low), float(high))
    else:
        edges, place = _whole_bins(number, kind, int(low), int(high))
    if is_double and is_finite and edges:
        # To the engine the least of None and a number is the number.
        place = f"CASE WHEN {number} IS NOT NULL THEN {place} END"
    elif is_double:
        # Of None each comparison is neither true nor false.
        place = (
            f"CASE WHEN isfinite({number}) THEN {place} WHEN isnan({number}) THEN {NAN} "
            f"WHEN {number} > 0 THEN {INF} WHEN {number} < 0 THEN {MINUS_INF} END"
        )
    told = tuple(_edge(kind, edge) for edge in edges)
    return Bins(told, f"coalesce(({place})::TINYINT, {NULLS})")


def _whole_bins(number: str, kind: ColumnType, low: int, high: int) -> tuple[Sequence[int], str]:
    is_time = kind in (DATE, TIME) or isinstance(kind, (Timestamp, Duration))
    unit = _DAY if kind == DATE else 1
    scale = 1000 if isinstance(kind, (Timestamp, Duration)) and _is_ns(kind) else 1
    step = _time_step(low * unit, high * unit, scale) // unit if is_time else 0
    step = step or _nice_whole(low, high)
    first = low // step * step
    count = (high - first) // step + 1
    if max(abs(low), abs(high)) > _SAFE:
        number, first_sql = f"CAST({number} AS HUGEINT)", f"({first})::HUGEINT"
    else:
        first_sql = f"({first})"
    edges = [first + at * step for at in range(count + 1)]
    return edges, f"(({number} - {first_sql}) // {step})"


def _is_ns(kind: Timestamp | Duration) -> bool:
    return kind.unit == "ns" and not (isinstance(kind, Timestamp) and kind.zone)


def _nice_whole(low: int, high: int) -> int:
    """The smallest step of 1, 2, 5, 10, 20, ... with which there are few enough bins."""
    scale = 1
    while True:
        for base in (1, 2, 5):
            step = base * scale
            if high // step - low // step < BINS_MAX:
                return step
        scale *= 10


def _time_step(low: int, high: int, scale: int) -> int:
    """Likewise of seconds, hours, days; for `low` and `high` in microseconds / `scale`."""
    if scale > 1 and high // scale - low // scale < BINS_MAX:
        return _nice_whole(low, high)
    for step in _TIME_STEPS:
        if high // (step * scale) - low // (step * scale) < BINS_MAX:
            return step * scale
    year = 365 * _DAY * scale
    return year * _nice_whole(low // year, high // year)


def _float_bins(number: str, low: float, high: float) -> tuple[Sequence[float], str]:
    """
    Edges are where the engine's arithmetic goes from one bin to the next, to the last bit: what
    is told is what was counted.
    """
    if low == high:
        return [low, high], "0"
    for found in (_nice_places(low, high), _plain_places(low, high)):
        if found is None:
            continue
        place, sql, nominal, last = found
        thresholds = [_threshold(place, at, edge) for at, edge in enumerate(nominal)]
        edges = [edge for edge in (*thresholds, last) if edge is not None]
        is_told = None not in thresholds and _ascend(edges)
        if is_told and edges[0] <= low and high <= edges[-1]:
            return edges, f"least({sql.format(x=number)}, {len(edges) - 2})"
    # Numbers so near to each other that there is nothing between them to be an edge.
    return [low, high], "0"


def _threshold(place: Callable[[float], float], at: int, edge: float) -> float | None:
    """The least number in bin `at`, which is next to `edge`."""
    for _ in range(_STEPS_MAX):
        if place(edge) < at:
            edge = math.nextafter(edge, math.inf)
        elif place(math.nextafter(edge, -math.inf)) >= at:
            edge = math.nextafter(edge, -math.inf)
        else:
            return edge
    return None


_Places = tuple[Callable[[float], float], str, list[float], float | None]
"""The bin of a number, in Python and in SQL alike; about where bins begin, and the last edge."""


def _nice_places(low: float, high: float) -> _Places | None:
    """Bins that begin at k * m / p, where m is 1, 2 or 5 and one of m and p a power of 10."""
    span = high - low
    if not 1e-290 < span < 1e290:
        return None
    exponent = math.floor(math.log10(span / BINS_MAX))
    for base in (1, 2, 5, 10, 20):
        times, parts = float(base) * 10.0 ** max(exponent, 0), 10.0 ** max(-exponent, 0)
        if max(abs(low), abs(high)) * parts / times >= 1 << 52:
            return None
        first = math.floor(low * parts / times)
        count = math.floor(high * parts / times) - first + 1
        if count <= BINS_MAX:
            break
    else:
        return None
    edges = [(first + at) * times / parts for at in range(count + 1)]
    sql = f"floor({{x}} * {_sql(parts)} / {_sql(times)}) - ({first})"
    return lambda x: math.floor(x * parts / times) - first, sql, edges, None


def _plain_places(low: float, high: float) -> _Places | None:
    """Bins of equal width from `low` to `high`."""
    step = high / BINS_MAX - low / BINS_MAX
    start = low / step if step else math.inf
    if not math.isfinite(start):
        return None
    edges = [low + at * step for at in range(BINS_MAX)]
    sql = f"floor({{x}} / {_sql(step)} - {_sql(start)})"
    return lambda x: math.floor(x / step - start), sql, edges, high


def _ascend(edges: Sequence[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(edges)) and all(map(math.isfinite, edges))


def _sql(value: float) -> str:
    """A number as the engine reads it exactly."""
    return f"CAST('{value!r}' AS DOUBLE)"


def told_number(kind: ColumnType, number: Any) -> Any:
    """A number as `number_sql` gives it, as the column has its cells; None stays None."""
    if number is None:
        return None
    return _edge(kind, number if isinstance(number, float) else int(number))


def _edge(kind: ColumnType, edge: Any) -> Any:
    """An edge as the column has its cells."""
    if kind == DATE:
        return dt.date.fromordinal(min(max(edge + 719_163, 1), dt.date.max.toordinal()))
    if kind == TIME:
        edge = min(edge, _DAY - 1)
        return (_EPOCH + dt.timedelta(microseconds=edge)).time()
    if isinstance(kind, Timestamp):
        micros = edge // 1000 if _is_ns(kind) else edge
        return _moment(micros, dt.UTC if kind.zone else None)
    return edge


def _moment(micros: int, zone: dt.tzinfo | None) -> dt.datetime:
    try:
        found = _EPOCH + dt.timedelta(microseconds=micros)
    except OverflowError:
        found = _LAST if micros > 0 else _FIRST
    return found.replace(tzinfo=zone)

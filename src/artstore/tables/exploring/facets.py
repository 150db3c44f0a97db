"""
How the cells of columns are distributed, in all rows and in a selection.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from artstore.tables.exploring.answers import ColumnInfo, Facet, ValueCount
from artstore.tables.exploring.binning import (
    INF,
    MINUS_INF,
    NAN,
    NULLS,
    Bins,
    bins_of,
    is_binned,
    is_whole,
    number_sql,
)
from artstore.tables.exploring.caching import AnswerCache
from artstore.tables.exploring.display import TEXT_KEPT
from artstore.tables.exploring.plans import Plan, Planner
from artstore.tables.exploring.selection import Selection
from artstore.tables.exploring.sidecolumns import SideColumn
from artstore.tables.types import TEXT, ColumnType, Decimal, Duration, Timestamp

__all__ = ["Range", "facets_of", "is_counted", "ranges_of", "share_ranges", "value_counts"]

VALUES_MAX: Final = 10
NUMBERS_MAX: Final = 20
"""Whole numbers with so few values are told as values, as classes are."""

_COLUMNS_AT_ONCE: Final = 24
_SPECIAL: Final = {"nan": NAN, "inf": INF, "-inf": MINUS_INF}


class Range(NamedTuple):
    """
    What is known of the cells of a column, over all rows.

    Attributes:
        low, high: the least and the greatest finite one, as numbers; None if there is none.
        distinct: how many values there are, about.
        is_finite: whether none is NaN or an infinity.
    """

    low: Any
    high: Any
    distinct: int
    is_finite: bool


class _Counts(NamedTuple):
    """Rows by bin, of all rows and of a selection."""

    all: dict[int, int]
    selected: dict[int, int]


def facets_of(
    planner: Planner, cache: AnswerCache, selection: Selection, infos: Sequence[ColumnInfo]
) -> list[Facet]:
    """
    A facet for each column.

    Cost: the first time for a column a scan for its range; one scan for all that have bins, one
    for each that has values.
    """
    ranges = ranges_of(planner, cache, selection, [info for info in infos if is_binned(info.type)])
    by_name: dict[str, Facet] = {}
    binned, plain = [], []
    for info in infos:
        if info.name in ranges and not _has_few(info, ranges[info.name]):
            binned.append(info)
        elif is_counted(info):
            by_name[info.name] = _values_facet(planner, selection, info)
        else:
            plain.append(info)
    for at in range(0, len(binned), _COLUMNS_AT_ONCE):
        chosen = binned[at : at + _COLUMNS_AT_ONCE]
        for facet in _histograms(planner, cache, selection, chosen, ranges):
            by_name[facet.column] = facet
    for at in range(0, len(plain), 200):
        for facet in _null_facets(planner, selection, plain[at : at + 200]):
            by_name[facet.column] = facet
    return [by_name[info.name] for info in infos]


def is_counted(info: ColumnInfo) -> bool:
    """Whether values of a column can be counted one by one."""
    return info.role in ("number", "text", "bool", "time")


def _has_few(info: ColumnInfo, found: Range) -> bool:
    kind = info.type
    whole = is_whole(kind) and info.role == "number" and not isinstance(kind, Duration)
    return whole and found.distinct <= NUMBERS_MAX


def ranges_of(
    planner: Planner, cache: AnswerCache, selection: Selection, infos: Sequence[ColumnInfo]
) -> dict[str, Range]:
    """The range of each column over all rows of the table; kept."""
    found: dict[str, Range] = {}
    missing = []
    for info in infos:
        kept = cache.get(("range", selection.computed if info.is_computed else (), info.name))
        if kept is None:
            missing.append(info)
        else:
            found[info.name] = kept
    for at in range(0, len(missing), _COLUMNS_AT_ONCE):
        chosen = missing[at : at + _COLUMNS_AT_ONCE]
        for info, made in zip(chosen, _ranges(planner, selection, chosen), strict=True):
            found[info.name] = made
            computed = selection.computed if info.is_computed else ()
            cache.put(("range", computed, info.name), made, 300)
    return found


def share_ranges(
    planner: Planner, cache: AnswerCache, columns: Sequence[SideColumn], names: Sequence[str]
) -> None:
    """
    Give columns of several tables with one name there, and one type, one range.

    Their histograms can be laid upon each other then.

    Args:
        names: of columns that are looked at.
    """
    bases = {column.base for column in columns if column.name in set(names)}
    mates: dict[tuple[str, ColumnType], list[str]] = {}
    for column in columns:
        if column.role == "cell" and column.base in bases and is_binned(column.type):
            assert column.base is not None, "cells are of a column"
            mates.setdefault((column.base, column.type), []).append(column.name)
    for together in mates.values():
        infos = planner.chosen(Selection(), together)
        found = list(ranges_of(planner, cache, Selection(), infos).values())
        lows = [one.low for one in found if one.low is not None]
        highs = [one.high for one in found if one.high is not None]
        if lows and highs:
            distinct = max(one.distinct for one in found)
            is_finite = all(one.is_finite for one in found)
            shared = Range(min(lows), max(highs), distinct, is_finite)
            for name in together:
                cache.put(("range", (), name), shared, 300)


def _ranges(planner: Planner, selection: Selection, infos: Sequence[ColumnInfo]) -> list[Range]:
    plan = planner.plan(selection, [info.name for info in infos], is_filtered=False)
    parts = []
    for at, info in enumerate(infos):
        number = number_sql(f"c{at}", info.type)
        parts.append(f"min({number}) AS l{at}, max({number}) AS h{at}")
        few = is_whole(info.type) and info.role == "number"
        parts.append(f"{f'approx_count_distinct(c{at})' if few else '0'} AS d{at}")
    row = plan.run(f"SELECT {', '.join(parts)} FROM s").to_pylist()[0]
    ranges = [_range(row[f"l{at}"], row[f"h{at}"], row[f"d{at}"]) for at in range(len(infos))]
    wild = [at for at, one in enumerate(ranges) if not one.is_finite]
    if wild:
        row = plan.run(f"SELECT {', '.join(_finite_ends(infos, wild))} FROM s").to_pylist()[0]
        for at in wild:
            ranges[at] = ranges[at]._replace(low=row[f"l{at}"], high=row[f"h{at}"])
    unsure = [at for at, one in enumerate(ranges) if 0 < one.distinct <= 2 * NUMBERS_MAX]
    if unsure:
        # The estimate is good enough to leave out what has many values, not to tell 20 from 21.
        exact = ", ".join(f"count(DISTINCT c{at}) AS d{at}" for at in unsure)
        row = plan.run(f"SELECT {exact} FROM s").to_pylist()[0]
        for at in unsure:
            ranges[at] = ranges[at]._replace(distinct=row[f"d{at}"])
    return ranges


def _range(low: Any, high: Any, distinct: int) -> Range:
    # To the engine NaN is the greatest number: one that is not finite shows at an end.
    is_finite = not isinstance(low, float) or (math.isfinite(low) and math.isfinite(high))
    return Range(low, high, distinct, is_finite)


def _finite_ends(infos: Sequence[ColumnInfo], places: Sequence[int]) -> Iterator[str]:
    for at in places:
        number = number_sql(f"c{at}", infos[at].type)
        finite = f"FILTER (WHERE isfinite({number}))"
        yield f"min({number}) {finite} AS l{at}, max({number}) {finite} AS h{at}"


# histograms -----------------------------------------------------------------------------


def _histograms(
    planner: Planner,
    cache: AnswerCache,
    selection: Selection,
    infos: Sequence[ColumnInfo],
    ranges: dict[str, Range],
) -> list[Facet]:
    bins = {}
    for at, info in enumerate(infos):
        found = ranges[info.name]
        bins[info.name] = bins_of(
            f"c{at}", info.type, found.low, found.high, is_finite=found.is_finite
        )
    names = [info.name for info in infos]
    keys = [
        ("bins", selection.computed if info.is_computed else (), info.name, bins[info.name].edges)
        for info in infos
    ]
    kept = [cache.get(key) for key in keys]
    both = any(one is None for one in kept)
    plan = planner.plan(selection, names)
    if both or selection.where:
        counts = _bin_counts(plan, [bins[name] for name in names], both=both)
    else:
        counts = [_Counts(one, one) for one in kept]
    facets = []
    for info, key, one, count in zip(infos, keys, kept, counts, strict=True):
        if one is None:
            cache.put(key, count.all, 100 * len(count.all) + 100)
        told = _Counts(count.all if one is None else one, count.selected)
        facets.append(_histogram(info, bins[info.name], told))
    return facets


def _bin_counts(plan: Plan, bins: Sequence[Bins], *, both: bool) -> list[_Counts]:
    """Counts by bin for several columns in one scan."""
    listed = ", ".join(f"{one.sql} AS b{at}" for at, one in enumerate(bins))
    sets = ", ".join(f"(b{at})" for at in range(len(bins)))
    names = ", ".join(f"b{at}" for at in range(len(bins)))
    chosen = "count(*) FILTER (WHERE w)" if both else "count(*)"
    found = plan.run(
        f"SELECT {names}, count(*) AS n, {chosen} AS m "
        f"FROM (SELECT {listed}, w FROM s {'' if both else 'WHERE w'}) "
        f"GROUP BY GROUPING SETS ({sets})"
    )
    totals, selected = found["n"].to_pylist(), found["m"].to_pylist()
    counts = []
    for at in range(len(bins)):
        rows = [
            (place, n, m)
            for place, n, m in zip(found[f"b{at}"].to_pylist(), totals, selected, strict=True)
            if place is not None
        ]
        counts.append(
            _Counts({place: n for place, n, _ in rows}, {place: m for place, _, m in rows})
        )
    return counts


def _histogram(info: ColumnInfo, bins: Bins, counts: _Counts) -> Facet:
    special = {name: code for name, code in _SPECIAL.items() if counts.all.get(code, 0)}
    return Facet(
        info.name,
        "histogram",
        edges=bins.edges,
        all_counts=tuple(counts.all.get(at, 0) for at in range(bins.count)),
        selected_counts=tuple(counts.selected.get(at, 0) for at in range(bins.count)),
        nulls_all=counts.all.get(NULLS, 0),
        nulls_selected=counts.selected.get(NULLS, 0),
        special_all={name: counts.all[code] for name, code in special.items()},
        special_selected={name: counts.selected.get(code, 0) for name, code in special.items()},
    )


# values ---------------------------------------------------------------------------------


def value_counts(found: Any, kind: ColumnType) -> tuple[ValueCount, ...]:
    """Rows (v, n, m, z) of a query as values; `z` is the length of a text that was cut."""
    cells = found["v"].to_pylist()
    if isinstance(kind, Timestamp) and kind.unit == "ns" and not kind.zone:
        # Python has no nanoseconds; pandas may be there, and would be what arrow gives.
        cells = found["v"].cast("timestamp[us]", safe=False).to_pylist()
    columns = (found[name].to_pylist() for name in ("n", "m", "z"))
    return tuple(ValueCount(*row) for row in zip(cells, *columns, strict=True))


def shown_value(value: str, kind: ColumnType) -> str:
    """SQL for a value as it is told (`v`), and its length if it was cut (`z`)."""
    if kind == TEXT:
        length = f"length({value})"
        return (
            f"left({value}, {TEXT_KEPT}) AS v, "
            f"CASE WHEN {length} > {TEXT_KEPT} THEN {length} END AS z"
        )
    if isinstance(kind, Decimal):
        return f"{value} AS v, NULL::BIGINT AS z"
    return f"{_local(value, kind)} AS v, NULL::BIGINT AS z"


def _local(value: str, kind: ColumnType) -> str:
    if isinstance(kind, Timestamp) and kind.zone:
        return f"({value} AT TIME ZONE 'UTC')"
    return value


def _values_facet(planner: Planner, selection: Selection, info: ColumnInfo) -> Facet:
    plan = planner.plan(selection, [info.name])
    most = NUMBERS_MAX if info.role == "number" else VALUES_MAX
    found = plan.run(
        f"SELECT {shown_value('k', info.type)}, n, m, groups, nsum, msum FROM ("
        "SELECT k, n, m, count(*) OVER () AS groups, "
        "sum(n) OVER () AS nsum, sum(m) OVER () AS msum "
        "FROM (SELECT c0 AS k, count(*) AS n, count(*) FILTER (WHERE w) AS m FROM s "
        f"GROUP BY c0) ORDER BY k IS NULL DESC, n DESC, k LIMIT {most + 1}"
        ") ORDER BY k IS NULL DESC, n DESC, k"
    )
    rows = found.num_rows
    has_null = bool(rows) and found["v"][0].as_py() is None
    nulls = (found["n"][0].as_py(), found["m"][0].as_py()) if has_null else (0, 0)
    top = found.slice(int(has_null), most)
    values = value_counts(top, info.type)
    sums = (int(found["nsum"][0].as_py()), int(found["msum"][0].as_py())) if rows else (0, 0)
    return Facet(
        info.name,
        "values",
        values=values,
        rest_all=sums[0] - nulls[0] - sum(one.count for one in values),
        rest_selected=sums[1] - nulls[1] - sum(one.selected for one in values),
        nulls_all=nulls[0],
        nulls_selected=nulls[1],
        distinct=found["groups"][0].as_py() - has_null if rows else 0,
    )


def _null_facets(
    planner: Planner, selection: Selection, infos: Sequence[ColumnInfo]
) -> list[Facet]:
    plan = planner.plan(selection, [info.name for info in infos])
    parts = [
        f"count(*) FILTER (WHERE c{at} IS NULL) AS n{at}, "
        f"count(*) FILTER (WHERE w AND c{at} IS NULL) AS m{at}"
        for at in range(len(infos))
    ]
    row = plan.run(f"SELECT {', '.join(parts)} FROM s").to_pylist()[0]
    return [
        Facet(info.name, "nulls", nulls_all=row[f"n{at}"], nulls_selected=row[f"m{at}"])
        for at, info in enumerate(infos)
    ]

"""
Windows, counts, facets and groups are what a plain loop over the rows gives.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.tables.exploring import (
    ExploredTable,
    Facet,
    Selection,
    SortKey,
    grouping,
    ordering,
    sources,
)
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.reading import RowReader
from artstore.tables.table import Table
from tests.unit.tables.fewer import FEWER
from tests.unit.tables.shelf import Shelf

NAN, INF = math.nan, math.inf
FLOATS = st.one_of(
    st.sampled_from([None, NAN, INF, -INF, 0.0, 0.1, 0.3, 1e300, -1e300, 5e-324, 0.5, 2.0]),
    st.floats(-10, 10),
)
WHOLE = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "A", "b", "ä", "😀%", "_x", "a'b", "é" * 3]))
TIMES = st.one_of(st.none(), st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)))
DATES = st.one_of(st.none(), st.dates())
DECIMALS = st.one_of(st.none(), st.decimals(-100, 100, places=2))
ROWS = st.lists(
    st.tuples(FLOATS, WHOLE, TEXTS, st.sampled_from([None, True, False]), TIMES, DATES, DECIMALS),
    min_size=1,
    max_size=30,
)
NAMES = ["f", "n", "t", "b", "m", "d", "e"]
KINDS = [
    pa.float64(),
    pa.int64(),
    pa.string(),
    pa.bool_(),
    pa.timestamp("us"),
    pa.date32(),
    pa.decimal128(6, 2),
]
KEYS = st.lists(
    st.builds(SortKey, st.sampled_from(NAMES), st.booleans()),
    max_size=2,
    unique_by=lambda key: key.column,
)
CONDITIONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "f > 0.2": lambda row: row["f"] is not None and (row["f"] > 0.2 or math.isnan(row["f"])),
    "t = 'a' OR b": lambda row: row["t"] == "a" or row["b"] is True,
    '{"n": {"$gte": 0}}': lambda row: row["n"] is not None and row["n"] >= 0,
    "t IS NULL": lambda row: row["t"] is None,
}
WHERES = st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=2, unique=True)


def table_of(rows: Sequence[tuple[Any, ...]]) -> Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(NAMES)
    arrays = [pa.array(cells, kind) for cells, kind in zip(columns, KINDS, strict=True)]
    return Table(data=pa.table(dict(zip(NAMES, arrays, strict=True))))


def listed(rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def compared(one: Any, two: Any) -> int:
    """-1, 0 or 1, with NaN above all numbers."""
    keys = [
        (1, 0) if isinstance(value, float) and math.isnan(value) else (0, value)
        for value in (one, two)
    ]
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


def in_order(rows: list[dict[str, Any]], numbers: list[int], sort: Sequence[SortKey]) -> list[int]:
    def compare(a: int, b: int) -> int:
        for key in sort:
            one, two = rows[a][key.column], rows[b][key.column]
            if one is None or two is None:
                found = (one is None) - (two is None)
            else:
                found = compared(one, two) * (-1 if key.descending else 1)
            if found:
                return found
        return a - b

    return sorted(numbers, key=functools.cmp_to_key(compare))


def matching_rows(rows: list[dict[str, Any]], where: Sequence[str]) -> list[int]:
    return [n for n, row in enumerate(rows) if all(CONDITIONS[text](row) for text in where)]


def same(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, float) and math.isnan(one):
        return math.isnan(two)
    return bool(one == two)


@FEWER
@given(ROWS, WHERES, KEYS, st.integers(0, 10), st.integers(0, 12))
def test_a_window_is_what_sorting_and_filtering_all_rows_gives(
    rows: list[Any], where: list[str], sort: list[SortKey], start: int, count: int
) -> None:
    explored = ExploredTable(table_of(rows))
    selection = Selection(tuple(where), tuple(sort))
    named = listed(rows)
    expected = in_order(named, matching_rows(named, where), sort)
    window = explored.window(selection, start, count)
    assert window.numbers == expected[start : start + count]
    assert window.total == len(rows)
    assert window.matching in (None, len(expected))
    assert explored.count(selection).matching == len(expected)
    for name in NAMES:
        cells = window.cells[name].to_pylist()
        given_cells = [named[number][name] for number in window.numbers]
        assert all(same(*pair) for pair in zip(cells, given_cells, strict=True)), name
    for number in range(len(rows)):
        place = expected.index(number) if number in expected else None
        assert explored.position(selection, number) == place


def check_histogram(facet: Facet, cells: list[Any], chosen: list[Any]) -> None:
    for values, counts, nulls, special in (
        (cells, facet.all_counts, facet.nulls_all, facet.special_all),
        (chosen, facet.selected_counts, facet.nulls_selected, facet.special_selected),
    ):
        assert nulls == sum(value is None for value in values)
        known = [value for value in values if value is not None]
        floats = [value for value in known if isinstance(value, float)]
        assert special.get("nan", 0) == sum(map(math.isnan, floats))
        assert special.get("inf", 0) == floats.count(INF)
        assert special.get("-inf", 0) == floats.count(-INF)
        finite = [v for v in known if not isinstance(v, float) or math.isfinite(v)]
        expected = [0] * max(len(facet.edges) - 1, 0)
        for value in finite:
            number = float(value) if isinstance(value, decimal.Decimal) else value
            places = [at for at in range(len(expected)) if facet.edges[at] <= number]
            assert places, (facet.edges, number)
            assert number <= facet.edges[-1]
            expected[places[-1]] += 1
        assert list(counts) == expected


@FEWER
@given(ROWS, WHERES)
def test_facets_count_what_a_loop_counts(rows: list[Any], where: list[str]) -> None:
    explored = ExploredTable(table_of(rows))
    named = listed(rows)
    chosen = [named[number] for number in matching_rows(named, where)]
    for _ in range(2):
        for facet in explored.facets(Selection(tuple(where))):
            cells = [row[facet.column] for row in named]
            selected = [row[facet.column] for row in chosen]
            if facet.kind == "histogram":
                check_histogram(facet, cells, selected)
                continue
            assert facet.nulls_all == cells.count(None)
            assert facet.nulls_selected == selected.count(None)
            if facet.kind == "values":
                counts = Counter(cell for cell in cells if cell is not None)
                most = 20 if facet.column == "n" else 10
                top = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]
                assert [(one.value, one.count) for one in facet.values] == top
                assert [one.selected for one in facet.values] == [
                    selected.count(value) for value, _ in top
                ]
                assert facet.rest_all == sum(counts.values()) - sum(n for _, n in top)
                assert facet.distinct == len(counts)


@FEWER
@given(
    ROWS, WHERES, st.lists(st.sampled_from(["t", "b", "n"]), min_size=1, max_size=2, unique=True)
)
def test_groups_sum_up_what_a_loop_sums_up(
    rows: list[Any], where: list[str], by: list[str]
) -> None:
    explored = ExploredTable(table_of(rows))
    named = listed(rows)
    found = explored.groups(Selection(tuple(where)), by, columns=["f", "t", "d"])
    expected: dict[tuple[Any, ...], list[int]] = {}
    for number in matching_rows(named, where):
        expected.setdefault(tuple(named[number][name] for name in by), []).append(number)
    keys = list(zip(*(column.to_pylist() for column in found.keys.columns), strict=True))
    assert found.total == len(expected)
    order = sorted(
        expected,
        key=lambda key: [(value is None, value or 0 if value is None else value) for value in key],
    )
    assert keys == order
    for key, group in zip(keys, found.groups, strict=True):
        numbers = expected[key]
        assert group.count == len(numbers)
        assert list(group.examples) == numbers[:8]
        check_summary(group.summaries[0], [named[n]["f"] for n in numbers], found.edges["f"])
        texts = Counter(named[n]["t"] for n in numbers if named[n]["t"] is not None)
        top = sorted(texts.items(), key=lambda one: (-one[1], one[0]))[:5]
        assert [(one.value, one.count) for one in group.summaries[1].values] == top
        assert group.summaries[1].count == sum(texts.values())
        days = [named[n]["d"] for n in numbers if named[n]["d"] is not None]
        assert group.summaries[2].minimum == min(days, default=None)
        assert group.summaries[2].maximum == max(days, default=None)


def check_summary(summary: Any, cells: list[Any], edges: Sequence[float]) -> None:
    finite = [cell for cell in cells if cell is not None and math.isfinite(cell)]
    assert summary.nulls == cells.count(None)
    assert summary.minimum == min(finite, default=None)
    assert summary.maximum == max(finite, default=None)
    assert sum(summary.histogram) == len(finite)
    if finite and max(map(abs, finite)) < 1e100:
        assert summary.total == pytest.approx(sum(finite), abs=1e-9)
        assert summary.mean == pytest.approx(sum(finite) / len(finite), abs=1e-9)
        assert summary.quantiles == pytest.approx(tuple(np.quantile(finite, (0.25, 0.5, 0.75))))
        if len(finite) > 1:
            assert summary.stddev == pytest.approx(np.std(finite, ddof=1), abs=1e-6)


# other readers, and tables that are too large to be sorted as a whole -------------------


def numbered(count: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    value = rng.integers(-40, 40, count) / 8
    value[rng.random(count) < 0.05] = NAN
    value[rng.random(count) < 0.02] = INF
    names = [None if n % 17 == 0 else f"name {n % 7}" for n in range(count)]
    return Table(
        ["id", "value", "name"],
        data=[[n, None if n % 13 == 0 else value[n].item(), names[n]] for n in range(count)],
    )


def readers(path: Path) -> dict[str, RowReader]:
    shelf = Shelf(path)
    plain = numbered(3000)
    stored = shelf.put(plain)
    changed = numbered(3000)
    rows = [list(row) for row in changed.data]
    rows[100][2] = "other"
    del rows[2000]
    rows.insert(50, [-1, 0.5, "new"])
    grown = shelf.put(Table(["id", "value", "name"], data=rows), parent=stored)
    right = Table(["id", "weight"], data=[[n * 2, n / 3] for n in range(1000)])
    text = Table(["id", "value", "name"], data=[[5, 1, "x"], [7, None, None]])
    return {
        "local": plain,
        "stored": stored,
        "with extents": grown,
        "joined": JoinedTable(stored, shelf.put(right), "id", how="outer"),
        "inner": JoinedTable(stored, right, "id"),
        "partitioned": PartitionedTable("parts", [stored, text, grown]),
        "no parts": PartitionedTable("parts", []),
        "empty": Table(["id", "value", "name"]),
        "stored empty": shelf.put(Table(["id", "value", "name"])),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "local",
        "stored",
        "with extents",
        "joined",
        "inner",
        "partitioned",
        "empty",
        "stored empty",
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
def test_every_reader_gives_the_same_rows_in_a_query_as_when_it_is_read(
    kind: str, is_large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_large:
        monkeypatch.setattr(ordering, "ORDER_ROWS_MAX", 60)
        monkeypatch.setattr(ordering, "TOP_ROWS", 40)
        monkeypatch.setattr(ordering, "_TOP_ROWS_MAX", 50)
        monkeypatch.setattr(ordering, "_BINS", 8)
        monkeypatch.setattr(sources, "_BLOCK_ROWS", 100)
    reader = readers(tmp_path)[kind]
    explored = ExploredTable(reader)
    rows = [dict(row) for row in reader.rows]
    for where in ((), ("value > 0",)):
        numbers = [
            n
            for n, row in enumerate(rows)
            if not where
            or (row["value"] is not None and (row["value"] > 0 or math.isnan(row["value"])))
        ]
        for sort in (
            (),
            (SortKey("value"),),
            (SortKey("value", True), SortKey("name")),
            (SortKey("name", True), SortKey("value")),
        ):
            selection = Selection(where, sort)
            expected = in_order(rows, numbers, sort)
            for start in (0, 30, 1200, len(expected) - 20):
                begin = max(start, 0)
                window = explored.window(selection, begin, 25)
                assert window.numbers == expected[begin : begin + 25], (where, sort, begin)
                for name in reader.columns:
                    cells = window.cells[name].to_pylist()
                    known = [rows[n][name] for n in window.numbers]
                    assert all(same(*pair) for pair in zip(cells, known, strict=True)), name
            for number in (0, 17, 1234, len(rows) - 1):
                if 0 <= number < len(rows):
                    place = expected.index(number) if number in expected else None
                    assert explored.position(selection, number) == place


@FEWER
@given(ROWS, WHERES)
def test_what_is_estimated_of_groups_of_a_large_table_is_near(
    rows: list[Any], where: list[str]
) -> None:
    explored = ExploredTable(table_of(rows))
    selection = Selection(tuple(where))
    exact = explored.groups(selection, ["b"], columns=["f", "n", "e"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "EXACT_ROWS_MAX", 0)
        near = explored.groups(selection, ["b"], columns=["f", "n", "e"])
    assert near.is_approximate
    assert near.keys == exact.keys
    for one, two in zip(near.groups, exact.groups, strict=True):
        assert (one.count, one.examples) == (two.count, two.examples)
        for a, b in zip(one.summaries, two.summaries, strict=True):
            assert (a.count, a.nulls, a.histogram) == (b.count, b.nulls, b.histogram)
            assert (a.minimum, a.maximum) == (b.minimum, b.maximum)
            largest = max(abs(a.minimum or 0), abs(a.maximum or 0))
            if largest < 1e100:
                for got, wanted in (
                    (a.mean, b.mean),
                    (a.total, b.total),
                    (a.stddev, b.stddev),
                ):
                    assert (got is None) == (wanted is None)
                    margin = 1e-6 * (1 + float(largest))
                    assert got is None or got == pytest.approx(wanted, rel=1e-6, abs=margin)
            assert all(
                (q is None) == (p is None)
                and (q is None or float(a.minimum) <= q <= float(a.maximum))
                for q, p in zip(a.quantiles, b.quantiles, strict=True)
            )


def test_a_joined_key_of_whole_numbers_and_fractions_is_read_as_both(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    left = shelf.put(Table(data={"id": [2**60, 2, 3], "x": [1, 2, 3]}))
    right = shelf.put(Table(data={"id": [2.0, 3.0, 5.5], "y": ["a", "b", "c"]}))
    joined = JoinedTable(left, right, "id", how="outer")
    assert str(joined.schema.types[0]) == "float64 | int64"
    cells = ExploredTable(joined).window().cells.column("id").to_pylist()
    assert cells == [
        {"float": None, "int": 2**60},
        {"float": None, "int": 2},
        {"float": None, "int": 3},
        {"float": 5.5, "int": None},
    ]


def test_a_table_without_parts_has_no_rows(tmp_path: Path) -> None:
    explored = ExploredTable(readers(tmp_path)["no parts"])
    assert explored.columns() == ()
    assert explored.window().numbers == []
    assert explored.facets() == []


def test_rows_of_a_first_page_are_found_before_all_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_BLOCK_ROWS", 1)
    monkeypatch.setattr(sources, "_BLOCK_ROWS_MAX", 1)
    rng = np.random.default_rng(0)
    table = Table(data={f"c{n}": rng.normal(size=400_000) for n in range(4)})
    stored = Shelf(tmp_path).put(table)
    assert stored.stored is not None
    assert len(stored.stored.fragments) > 2
    explored = ExploredTable(stored)
    first = Selection(("c0 > 0",))
    assert explored.window(first, 0, 10).matching is None
    count = explored.count(first)
    assert explored.window(first, 0, 10).matching == count.matching
    assert count.total == 400_000
    assert explored.cached_bytes > 0

"""
What is found of a large table by the ends of its files, and by samples: the same, or near.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from artstore.errors import StateError
from artstore.tables.exploring import (
    ExploredTable,
    Selection,
    SortKey,
    grouping,
    ordering,
    sources,
)
from artstore.tables.exploring.sources import StoredSource, source_of
from artstore.tables.exploring.tickets import Ticket, interruptible
from artstore.tables.table import Table
from tests.unit.tables.shelf import Shelf

COUNT = 240_000


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Several files of numbers of every kind, in order, equal, without values, with NaN."""
    rng = np.random.default_rng(3)
    normal = rng.normal(size=COUNT)
    data = {
        "id": np.arange(COUNT),
        "few": rng.integers(0, 4, COUNT).astype(np.int16),
        "x": normal,
        "small": normal.astype(np.float32),
        "wide": rng.integers(0, 2**64, COUNT, np.uint64),
        "gaps": pa.array(np.round(normal, 2), mask=rng.random(COUNT) < 0.3),
        "late": pa.array(np.arange(COUNT), mask=np.arange(COUNT) < COUNT // 2),
        "wild": np.where(rng.random(COUNT) < 0.001, np.nan, normal),
        "endless": np.where(rng.random(COUNT) < 0.001, -np.inf, normal),
        "text": [f"t{n % 7}" for n in range(COUNT)],
    }
    table = Shelf(tmp_path_factory.mktemp("shelf")).put(Table(data=data))
    assert table.stored is not None
    assert len(table.stored.fragments) > 2
    return table


def test_files_tell_the_ends_of_columns_of_numbers(stored: Table) -> None:
    source = source_of(stored)
    assert isinstance(source, StoredSource)
    assert source.is_plain
    rows = stored.to_arrow()
    for name in ("id", "few", "x", "small", "wide", "gaps", "late"):
        ends = source.ends(name)
        assert ends is not None, name
        cells = [cell for cell in rows[name].to_pylist() if cell is not None]
        assert (ends.low, ends.high) == (min(cells), max(cells)), name
    assert source.ends("text") is None
    # NaN would stand at an end, and no file tells it; nor is an end without end of use.
    assert source.ends("wild") is None


@pytest.mark.parametrize(
    "column", ["id", "few", "x", "small", "wide", "gaps", "late", "wild", "endless"]
)
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("where", [(), ("few = 2",), ("id % 5000 = 7",)])
def test_the_first_rows_are_those_of_the_whole_order(
    stored: Table,
    column: str,
    is_descending: bool,
    where: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    selection = Selection(where, (SortKey(column, is_descending),))
    whole = ExploredTable(stored).window(selection, 0, 900, ["id"]).numbers
    monkeypatch.setattr(ordering, "ORDER_ROWS_MAX", 0)
    explored = ExploredTable(stored)
    assert explored.window(selection, 0, 900, ["id"]).numbers == whole
    assert explored.window(selection, 700, 100, ["id"]).numbers == whole[700:800]


def test_a_sample_has_rows_of_every_file_and_the_same_each_time(stored: Table) -> None:
    source = source_of(stored)
    sample = source.sample(["id"], 6000)
    assert sample is not None
    assert 0.8 * 6000 < sample.row_count < 1.2 * 6000
    explored = ExploredTable(stored)
    plan = explored.planner().plan(Selection(), ["id"])
    found = [
        plan.run("SELECT c0 FROM s", source.sample(plan.needs, 6000).relation)["c0"].to_pylist()  # type: ignore[union-attr]
        for _ in range(2)
    ]
    assert sorted(found[0]) == sorted(found[1])
    assert len(set(found[0])) == sample.row_count
    assert {number * 6 // COUNT for number in found[0]} >= {0, 2, 4}
    assert source_of(Table(data={"a": [1]})).sample(["a"], 1) is None


@pytest.mark.parametrize("column", ["x", "gaps", "endless", "wild", "wide"])
def test_groups_of_a_sample_have_exact_counts_and_moments(
    stored: Table, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("id < 239_990 OR few = 1",)
    exact = ExploredTable(stored).groups(Selection(where), ["few"], columns=[column])
    monkeypatch.setattr(grouping, "EXACT_ROWS_MAX", 0)
    monkeypatch.setattr(grouping, "SAMPLE_ROWS", 20_000)
    near = ExploredTable(stored).groups(Selection(where), ["few"], columns=[column])
    assert near.is_approximate
    for one, two in zip(exact.groups, near.groups, strict=True):
        a, b = one.summaries[0], two.summaries[0]
        told: list[Any] = [
            (s.count, s.nulls, s.minimum, s.maximum, s.sample_size is None) for s in (a, b)
        ]
        assert told[0][:4] == told[1][:4]
        assert (told[0][4], told[1][4]) == (True, False)
        assert b.sample_size is not None
        assert 3000 < b.sample_size < 8000
        assert sum(b.histogram) <= b.sample_size
        assert b.total == pytest.approx(a.total, rel=1e-6, abs=1e-6)
        assert b.stddev == pytest.approx(a.stddev, rel=1e-6)
        if column != "wide":
            assert b.quantiles == pytest.approx(a.quantiles, abs=0.1)


def test_small_groups_are_looked_at_as_a_whole(
    stored: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = (("kind", "CASE WHEN id < 20 THEN 'rare' ELSE 'usual' END"),)
    selection = Selection(computed=computed)
    exact = ExploredTable(stored).groups(selection, ["kind"], columns=["x"])
    monkeypatch.setattr(grouping, "EXACT_ROWS_MAX", 0)
    monkeypatch.setattr(grouping, "SAMPLE_ROWS", 5000)
    near = ExploredTable(stored).groups(selection, ["kind"], columns=["x"])
    rare, usual = (group.summaries[0] for group in near.groups)
    assert rare.sample_size is None
    assert rare.histogram == exact.groups[0].summaries[0].histogram
    assert usual.sample_size is not None


@pytest.mark.parametrize("shared_files", [1, 2, 1000])
def test_rows_from_many_files_are_the_same_however_many_queries_pick_them(
    stored: Table, shared_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_SHARED_FILES", shared_files)
    numbers = np.random.default_rng(5).permutation(COUNT)[:200].tolist()
    source = source_of(stored)
    assert len(source.shares(np.sort(numbers))) == (1 if shared_files == 1000 else 2)
    window = ExploredTable(stored).rows([*numbers, numbers[0]], ["id", "text", "gaps"])
    assert window.cells["id"].to_pylist() == [*numbers, numbers[0]]
    assert window.cells["text"].to_pylist() == [f"t{n % 7}" for n in [*numbers, numbers[0]]]


def test_what_goes_wrong_in_one_of_two_queries_is_told(
    stored: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_SHARED_FILES", 1)
    ticket = Ticket()
    ticket.cancel()
    explored = ExploredTable(stored)
    explored.columns()
    with interruptible(ticket), pytest.raises(StateError) as refused:
        explored.rows(list(range(0, COUNT, 5000)), ["x"])
    assert refused.value.code == "query-cancelled"

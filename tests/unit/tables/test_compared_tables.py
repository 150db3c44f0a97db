"""
Compared tables beside a comparison in Python: which rows go together, what differs, what
names mean.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError, StateError
from artstore.media.image import Image
from artstore.tables.exploring import (
    ExploredTable,
    Selection,
    SortKey,
    Ticket,
    gathering,
    interruptible,
)
from artstore.tables.exploring.compared import CompareCounts, ComparedTables, SideCounts
from artstore.tables.exploring.comparekeys import CompareKey
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table
from tests.unit.tables.fewer import FEWER
from tests.unit.tables.shelf import Shelf

NAN = float("nan")
BY_K = CompareKey("columns", ("k",))

KEYS = {
    "int": st.none() | st.integers(0, 4),
    "float": st.none() | st.sampled_from([0.0, 1.0, 2.5, NAN]),
    "text": st.none() | st.sampled_from(["", "a", "é", "it's"]),
}
CELLS = {
    "int": st.none() | st.integers(0, 2),
    "float": st.none() | st.sampled_from([0.0, 1.0, 0.5, NAN]),
    "text": st.none() | st.sampled_from(["1", "1.0", "nan", "ü", ""]),
    "bool": st.none() | st.booleans(),
}


@st.composite
def sides(draw: st.DrawFn) -> list[dict[str, list[Any]]]:
    """Two or three tables with a key `k`; columns may be missing, or have another type."""
    kinds = draw(st.sampled_from([("int",), ("text",), ("int", "float")]))
    found = []
    for _ in range(draw(st.integers(2, 3))):
        rows = draw(st.integers(0, 6))
        names = ["k", *draw(st.lists(st.sampled_from(["x", "y"]), unique=True))]
        table = {}
        for name in names:
            cells = KEYS if name == "k" else CELLS
            kind = draw(st.sampled_from(kinds if name == "k" else sorted(CELLS)))
            table[name] = draw(st.lists(cells[kind], min_size=rows, max_size=rows))
        found.append(table)
    return found


def table_of(columns: dict[str, list[Any]]) -> Table:
    return Table(data=columns) if columns["k"] else Table(list(columns))


def pairs_of(tables: list[dict[str, list[Any]]]) -> list[tuple[int | None, ...]]:
    """Row numbers that go together, in the order that is promised."""
    places: dict[Any, dict[int, int]] = {}
    alone = []
    for at, table in enumerate(tables):
        seen: dict[Any, int] = defaultdict(int)
        for row, key in enumerate(table["k"]):
            if key is None or is_nan(key):
                alone.append({at: row})
                continue
            places.setdefault((key, seen[key]), {})[at] = row
            seen[key] += 1
    found = [tuple(one.get(at) for at in range(len(tables))) for one in (*places.values(), *alone)]
    return sorted(found, key=lambda row: [math.inf if one is None else one for one in row])


def is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def is_different(one: Any, two: Any, *, as_text: bool) -> bool:
    if one is None or two is None:
        return one is not two
    if as_text:
        return spelled(one) != spelled(two)
    return bool(one != two and not (is_nan(one) and is_nan(two)))


def spelled(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def sort_of(cells: list[Any]) -> set[str]:
    names = {bool: "bool", int: "number", float: "number", str: "text"}
    return {names[type(cell)] for cell in cells if cell is not None}


def is_changed(tables: list[dict[str, list[Any]]], row: tuple[int | None, ...]) -> bool:
    for name in ("x", "y"):
        having = [at for at, table in enumerate(tables) if name in table]
        as_text = len(set().union(*(sort_of(tables[at][name]) for at in having))) > 1
        kept = [tables[at][name] for at in having]
        is_float = [any(isinstance(cell, float) for cell in cells) for cells in kept]
        cells = [
            float(cell) if floats and cell is not None else cell
            for at, column, floats in zip(having, kept, is_float, strict=True)
            if (number := row[at]) is not None
            for cell in [column[number]]
        ]
        if any(is_different(cells[0], cell, as_text=as_text) for cell in cells[1:]):
            return True
    return False


def same(one: Any, two: Any) -> bool:
    return one is two or one == two or (is_nan(one) and is_nan(two))


@FEWER
@given(sides())
def test_rows_go_together_as_they_do_in_python(tables: list[dict[str, list[Any]]]) -> None:
    compared = ComparedTables([table_of(table) for table in tables], BY_K)
    expected = pairs_of(tables)
    assert compared.row_count == len(expected)
    for found, row in zip(compared.rows, expected, strict=True):
        for at, (table, number) in enumerate(zip(tables, row, strict=True)):
            assert found[f"in_{at}"] is (number is not None)
            for name in set(table) - {"k"}:
                wanted = None if number is None else table[name][number]
                assert same(found[f"{at}.{name}"], wanted)
            if number is not None:
                assert same(found["k"], table["k"][number])
        assert found["changed"] is is_changed(tables, row)


@FEWER
@given(sides(), st.sampled_from(["changed", "in_0", "NOT in_1", "k = 1", "in_0 AND in_1"]))
def test_an_explored_window_has_the_rows_that_are_read(
    tables: list[dict[str, list[Any]]], condition: str
) -> None:
    compared = ComparedTables([table_of(table) for table in tables], BY_K)
    if condition == "k = 1" and not any(sort_of(table["k"]) == {"number"} for table in tables):
        condition = "k IS NULL"
    explored = ExploredTable(compared)
    selection = Selection((condition,), (SortKey("k", descending=True),))
    window = explored.window(selection)
    told: Callable[[dict[str, Any]], Any] = {
        "changed": lambda row: row["changed"],
        "in_0": lambda row: row["in_0"],
        "NOT in_1": lambda row: not row["in_1"],
        "k = 1": lambda row: row["k"] == 1,
        "k IS NULL": lambda row: row["k"] is None,
        "in_0 AND in_1": lambda row: row["in_0"] and row["in_1"],
    }[condition]
    rows = list(compared.rows)
    assert sorted(window.numbers) == [at for at, row in enumerate(rows) if told(row)]
    for number, cells in zip(window.numbers, window.cells.to_pylist(), strict=True):
        assert all(same(cells[name], rows[number][name]) for name in compared.columns)
    assert explored.count(selection).matching == len(window.numbers)


def test_a_key_of_several_columns_pairs_where_all_are_equal() -> None:
    one = Table(data={"a": [1, 1, 2, None], "b": ["x", "y", "x", "x"]})
    two = Table(data={"b": ["y", "x", "x"], "a": [1, 2, None], "c": [5, 6, 7]})
    compared = ComparedTables([one, two], CompareKey("columns", ("a", "b")))
    assert compared.columns == ["a", "b", "1.c", "in_0", "in_1", "changed"]
    assert list(compared.data) == [
        [1, "x", None, True, False, False],
        [1, "y", 5, True, True, False],
        [2, "x", 6, True, True, False],
        [None, "x", None, True, False, False],
        [None, "x", 7, False, True, False],
    ]


def test_counts_tell_what_pairs_by_occurrence_and_what_by_nothing() -> None:
    one = Table(data={"k": [1, 1, 1, None, 2]})
    two = Table(data={"k": [1, 1, NAN, 3.0]})
    counts = ComparedTables([one, two], BY_K).counts
    assert counts == CompareCounts(7, 2, (SideCounts(5, 3, 2, 1), SideCounts(4, 2, 1, 1)))


def test_a_key_that_few_rows_tell_apart_is_not_joined_pair_by_pair() -> None:
    one, two = (Table(data={"k": [at % 2 for at in range(5000)]}) for _ in range(2))
    compared = ComparedTables([one, two], BY_K)
    assert compared.row_count == 5000
    assert compared.counts.everywhere == 5000


def test_pairing_can_be_cancelled_and_begun_again() -> None:
    compared = ComparedTables([Table(data={"k": [1]}), Table(data={"k": [1]})], BY_K)
    ticket = Ticket()
    ticket.cancel()
    with interruptible(ticket), pytest.raises(StateError) as caught:
        ExploredTable(compared).window()
    assert caught.value.code == "query-cancelled"
    assert ExploredTable(compared).window().numbers == [0]


def test_columns_too_large_to_be_kept_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"k": [1, 2, 3], "x": ["a", "b", None]}
    tables = [Table(data=data), Table(data={"k": [3, 2, 4], "x": ["c", "b", "d"]})]
    found = []
    for limit in (1 << 20, 0):
        monkeypatch.setattr(gathering, "_TEXT_BYTES_MAX", limit)
        explored = ExploredTable(ComparedTables(tables, BY_K))
        selection = Selection(("changed OR t1.x = 'd'",), (SortKey("1.x"),))
        found.append((explored.window(selection).numbers, explored.facets(selection)))
    assert found[0] == found[1]
    assert found[0][0] == [2, 3]


def test_by_position_the_longer_table_has_rows_alone() -> None:
    one, two = Table(data={"k": [5, 6, 7]}), Table(data={"k": [5, 9]})
    compared = ComparedTables([one, two], CompareKey("position"))
    assert list(compared.data) == [
        [0, 5, 5, True, True, False],
        [1, 6, 9, True, True, True],
        [2, 7, None, True, False, False],
    ]
    assert compared.columns[0] == "position"
    assert compared.counts.sides[0] == SideCounts(3, 1, 0, 0)


def test_images_are_a_key_by_digest_and_change_with_what_is_drawn_on_them() -> None:
    pixels = [np.full((2, 2, 3), shade, np.uint8) for shade in (0, 9, 99)]
    box = {
        "p": {
            "box_data": [
                {
                    "position": {"minX": 0.0, "maxX": 0.5, "minY": 0.0, "maxY": 0.5},
                    "class_id": 1,
                }
            ],
            "class_labels": {1: "cat"},
        }
    }
    one = Table(data=[[Image(pixels[0]), 1], [Image(pixels[1]), 2]], columns=["image", "n"])
    two = Table(
        data=[[Image(pixels[1], boxes=box), 2], [Image(pixels[0]), 1], [Image(pixels[2]), 3]],
        columns=["image", "n"],
    )
    compared = ComparedTables([one, two], CompareKey("digest", ("image",)))
    rows = list(compared.rows)
    assert [(row["0.n"], row["1.n"], row["changed"]) for row in rows] == [
        (1, 1, False),
        (2, 2, True),
        (None, 3, False),
    ]
    assert rows[0]["digest"] == Image(pixels[0]).digest.hex()
    assert compared.column(1, "image").name == "1.image"  # type: ignore[union-attr]
    assert ExploredTable(compared).count(Selection(("t1.image.width = 2",))).matching == 3


D = decimal.Decimal


@pytest.mark.parametrize(
    ("one", "two", "is_same"),
    [
        (3, 3.0, True),
        (2**53 + 1, float(2**53), False),
        (2**60, float(2**60), True),
        (2**63, 2**63 + 1, False),
        (D("1.50"), D("1.5"), True),
        (D("3"), 3, True),
        (D("0.5"), 0.5, True),
        (3, "3", True),
        (3, "4", False),
        (True, 1, False),
        (True, "true", True),
        ([1, 2], [1.0, 2.0], True),
        ([1, NAN], [1.0, NAN], True),
        ({"a": 1}, {"a": 1, "b": None}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (dt.timedelta(1), np.timedelta64(86_400_000_000_000, "ns"), True),
        (dt.datetime(2024, 1, 1), np.datetime64("2024-01-01T00:00:00.000000000"), True),
        (dt.datetime(2024, 1, 1), np.datetime64("2024-01-01T00:00:00.000000001"), False),
        (np.array([1, 2], np.int16), np.array([1, 2], np.int16), True),
        (b"a", b"a", True),
        (None, None, True),
        (None, 1, False),
    ],
)
def test_cells_of_two_types_are_compared_by_value(one: Any, two: Any, *, is_same: bool) -> None:
    tables = [Table(data={"k": [1, 2], "x": [cell, None]}) for cell in (one, two)]
    compared = ComparedTables(tables, BY_K)
    assert compared.get_column("changed") == [not is_same, False]


def test_among_three_tables_those_that_have_the_row_are_compared() -> None:
    one = Table(data={"k": [1], "x": [1]})
    two = Table(data={"k": [2, 3], "x": [1, 1]})
    three = Table(data={"k": [1, 2, 3], "x": [2, 1, 5]})
    compared = ComparedTables([one, two, three], BY_K)
    assert compared.get_column("changed") == [True, False, True]


HOSTILE = ['a"b', "$0.x", "0.score", "score", "it's", "in_0", "t0", "changed", "1", "{x}", "é"]


def test_names_that_mean_something_elsewhere_are_told_apart() -> None:
    data = {name: [at] for at, name in enumerate(HOSTILE)}
    tables = [Table(data={"k": [1], **data}), Table(data={"k": [1], **data})]
    compared = ComparedTables(tables, BY_K)
    assert len({name.lower() for name in compared.columns}) == len(compared.columns)
    assert compared.column(0, "score").name == "0.score_"  # type: ignore[union-attr]
    assert compared.flag_names == ("in_0_", "in_1")
    assert compared.changed_name == "changed_"
    explored = ExploredTable(compared)
    row = next(iter(compared.rows))
    for column in compared.side_columns:
        if column.role == "cell":
            told = column.base.replace('"', '""')  # type: ignore[union-attr]
            value = HOSTILE.index(str(column.base))
            assert row[column.name] == value
            for text in (
                f'"{column.side}"."{told}" = {value}',
                '"' + column.name.replace('"', '""') + f'" = {value}',
            ):
                assert explored.count(Selection((text,))).matching == 1, text
    assert explored.window().cells.num_columns == len(compared.columns)


def test_a_name_alone_is_a_column_that_one_table_has() -> None:
    one = Table(data={"k": [1, 2], "x": [1, 2], "extra": [5, 6]})
    two = Table(data={"k": [1, 2], "x": [1, 3]})
    explored = ExploredTable(ComparedTables([one, two], BY_K))
    for text in ("extra = 6", "t0.extra = 6", "k = 2", "t1.k = 2", "{x: 9, k: 2}", "changed"):
        if text.startswith("{x"):
            with pytest.raises(InvalidInputError) as caught:
                explored.count(Selection((text,)))
            assert caught.value.code == "column-ambiguous"
        else:
            assert explored.window(Selection((text,))).numbers == [1], text
    computed = Selection(("more > 4",), computed=(("more", "t0.x + t1.x"),))
    assert explored.window(computed).numbers == [1]


def test_kinds_of_tables_mix_and_stored_ones_are_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    truth = shelf.put(Table(data={"id": [1, 2, 3], "truth": [7, 8, 9]}))
    joined = [
        JoinedTable(shelf.put(Table(data={"id": [3, 2, 1], "guess": guesses})), truth, "id")
        for guesses in ([9, 8, 1], [9, 2, 1])
    ]
    parts = PartitionedTable("parts", [truth, Table(data={"id": [4], "truth": [5]})])
    compared = ComparedTables([*joined, parts], CompareKey("columns", ("id",)))
    names = ["id", "0.guess", "1.guess", "0.truth", "1.truth", "2.truth"]
    assert compared.read_rows(columns=names).to_arrow().to_pylist() == [
        dict(zip(names, row, strict=True))
        for row in (
            [3, 9, 9, 9, 9, 9],
            [2, 8, 2, 8, 8, 8],
            [1, 1, 1, 7, 7, 7],
            [4, None, None, None, None, 5],
        )
    ]
    explored = ExploredTable(compared)
    assert explored.window(Selection(("changed",))).numbers == [1]
    assert compared.query().count().to_pyarrow().as_py() == 4


def test_tables_with_thousands_of_columns_are_compared() -> None:
    names = [f"c{at}" for at in range(1500)]
    tables = [
        Table(data=[[1, *range(1500)], [2, *[at] * 1500]], columns=["k", *names]) for at in (0, 1)
    ]
    compared = ComparedTables(tables, BY_K)
    assert ExploredTable(compared).window(Selection(("changed",))).numbers == [1]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (CompareKey("columns", ("nothing",)), "join-key-unknown"),
        (CompareKey("columns", ("x",)), "join-key-type"),
        (CompareKey("columns", ("list",)), "join-key-type"),
        (CompareKey("digest", ("k",)), "join-key-type"),
        (CompareKey("digest"), "value-invalid"),
        (CompareKey("columns"), "value-invalid"),
        (CompareKey("columns", ("k", "k")), "value-invalid"),
        (CompareKey("position", ("k",)), "value-invalid"),
        (CompareKey("other"), "value-invalid"),
    ],
)
def test_what_is_no_key_is_refused(key: CompareKey, code: str) -> None:
    one = Table(data={"k": [1], "x": [1], "list": [[1]]})
    two = Table(data={"k": [1], "x": ["a"], "list": [[1]]})
    with pytest.raises(InvalidInputError) as caught:
        ComparedTables([one, two], key)
    assert caught.value.code == code


def test_one_table_and_seventeen_are_refused() -> None:
    for count in (1, 17):
        with pytest.raises(InvalidInputError) as caught:
            ComparedTables([Table(data={"k": [1]})] * count, BY_K)
        assert caught.value.code == "value-invalid"
    assert ComparedTables([Table(data={"k": [1]})] * 16, BY_K).row_count == 1

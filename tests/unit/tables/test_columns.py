"""
Columns of a table: added, computed, brought to a type, named as keys.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any

import numpy as np
import pytest

from artstore.errors import ArtstoreError, InvalidInputError, StateError
from artstore.media.classes import Classes
from artstore.tables.table import Table

FIVE = dt.datetime(2026, 1, 31, 5)


def test_a_column_is_added_to_all_rows() -> None:
    table = Table(data={"a": [1, 2]})
    table.add_column("b", ["x", None])
    table.add_column("c", np.array([0.5, 1.5]))
    table.add_column("d", (n for n in range(2)))
    assert list(table.data) == [[1, "x", 0.5, 0], [2, None, 1.5, 1]]
    table.add_data(3, "y", 2.5, 2)
    assert table.row_count == 3


@pytest.mark.parametrize(
    ("name", "cells", "code"),
    [
        ("b", [1], "row-ragged"),
        ("b", [1, 2, 3], "row-ragged"),
        ("b", [1, object()], "cell-unsupported"),
        ("a", [1, 2], "columns-invalid"),
        ("", [1, 2], "columns-invalid"),
    ],
)
def test_a_column_that_does_not_fit_leaves_the_table_as_it_was(
    name: str, cells: list[Any], code: str
) -> None:
    table = Table(data={"a": [1, 2]})
    with pytest.raises(ArtstoreError) as caught:
        table.add_column(name, cells)
    assert caught.value.code == code
    assert list(table.rows) == [{"a": 1}, {"a": 2}]


def test_a_table_that_grows_by_rows_gets_no_columns() -> None:
    table = Table(data={"a": [1]}, log_mode="INCREMENTAL")
    for add in (
        lambda: table.add_column("b", [1]),
        lambda: table.add_computed_columns(lambda at, row: {"b": 1}),
    ):
        with pytest.raises(StateError) as caught:
            add()
        assert caught.value.code == "table-incremental"
    table.add_data(2)
    assert table.columns == ["a"]
    with pytest.raises(InvalidInputError):
        Table(["a"], log_mode="SOMETIMES")


def test_computed_columns_come_from_the_number_and_the_row() -> None:
    table = Table(data={"a": [1, 2, 3]})
    table.add_computed_columns(
        lambda at, row: {"twice": 2 * row["a"], **({"odd": at} if row["a"] % 2 else {})}
    )
    assert list(table.rows) == [
        {"a": 1, "twice": 2, "odd": 0},
        {"a": 2, "twice": 4, "odd": None},
        {"a": 3, "twice": 6, "odd": 2},
    ]


CASTS: list[tuple[Any, list[Any], list[Any], str]] = [
    (int, [1.0, True, "3", None], [1, 1, 3, None], "int"),
    (int, [2**60], [2**60], "int64"),
    (float, [1, "2.5", None], [1.0, 2.5, None], "float64"),
    (str, [1, 1.0, True, None], ["1", "1.0", "True", None], "text"),
    (bool, [True, 0, 1.0, None], [True, False, True, None], "bool"),
    ("int8", [1, np.int64(5)], [1, 5], "int8"),
    ("float32", [0.1, 1], [float(np.float32(0.1)), 1.0], "float32"),
    ("date", [dt.date(2026, 1, 31)], [dt.date(2026, 1, 31)], "date"),
    ("timestamp", [FIVE], [FIVE.replace(tzinfo=dt.UTC)], "timestamp[us, UTC]"),
]


@pytest.mark.parametrize(("dtype", "cells", "expected", "kind"), CASTS)
def test_rows_are_brought_to_the_type_of_their_column(
    dtype: Any, cells: list[Any], expected: list[Any], kind: str
) -> None:
    table = Table(["a"], dtype=dtype)
    for cell in cells:
        table.add_data(cell)
    assert table.get_column("a") == expected
    assert list(map(type, table.get_column("a"))) == list(map(type, expected))
    assert str(table.column_types["a"]) == kind


@pytest.mark.parametrize(
    ("dtype", "cell"),
    [
        (int, 1.5),
        (int, np.float32(1.5)),
        (int, decimal.Decimal("1.5")),
        (int, "x"),
        (int, math.inf),
        (int, math.nan),
        (int, [1]),
        (float, "x"),
        (float, 2**53 + 1),
        (float, 10**400),
        (bool, 2),
        (bool, "no"),
        ("int8", 300),
        ("int8", 1.5),
        ("uint64", -1),
        ("float32", "x"),
        ("bytes", "x"),
        ("date", FIVE),
        ("time", FIVE),
        ("timestamp", "2026-01-31"),
        (Classes([{"id": 1, "name": "x"}]), 2),
    ],
)
def test_a_cell_that_is_none_of_the_type_is_refused_and_nothing_is_added(
    dtype: Any, cell: Any
) -> None:
    table = Table(["a"], dtype=dtype)
    table.add_data(None)
    with pytest.raises(InvalidInputError) as caught:
        table.add_data(cell)
    assert caught.value.code in ("cast-failed", "class-unknown")
    assert table.get_column("a") == [None]


def test_a_whole_column_is_brought_to_a_type_as_its_cells_would_be() -> None:
    table = Table(data={"a": [1.0, 2.0, None]})
    table.cast("a", int, optional=True)
    assert table.get_column("a") == [1, 2, None]
    table.cast("a", float, optional=True)
    table.cast("a", str, optional=True)
    assert table.get_column("a") == ["1.0", "2.0", None]
    large = Table(data={"a": np.array([2**60, 1])})
    large.cast("a", int)
    large.add_data(5)
    large.add_column("b", [0.5] * 3)
    assert large.get_column("a") == [2**60, 1, 5]
    assert str(large.column_types["a"]) == "int64"


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([1.5], int),
        (["x"], int),
        ([None], int),
        ([1, "x"], float),
        ([2**60 + 1], float),
        ([300], "int8"),
    ],
)
def test_a_column_that_does_not_fit_its_type_stays_as_it_is(cells: list[Any], dtype: Any) -> None:
    table = Table(data={"a": cells})
    with pytest.raises(InvalidInputError) as caught:
        table.cast("a", dtype)
    assert caught.value.code == "cast-failed"
    assert table.get_column("a") == cells
    with pytest.raises(InvalidInputError):
        table.cast("z", dtype)
    with pytest.raises(InvalidInputError):
        table.cast("a", "a type")


def test_none_is_refused_where_it_is_not_wanted() -> None:
    table = Table(["a", "b"], dtype={"a": int, "b": str}, optional=[False, True])
    table.add_data(1, None)
    with pytest.raises(InvalidInputError):
        table.add_data(None, "x")
    assert list(table.data) == [[1, None]]


def test_many_rows_of_a_type_take_no_longer_each() -> None:
    """Each row once made the whole table anew."""
    table = Table(["a", "b"], dtype=int)
    for n in range(20_000):
        table.add_data(n, n)
    assert table.row_count == 20_000


def test_rows_know_their_numbers_and_their_table() -> None:
    table = Table(data={"a": ["x", "y", "z"]})
    assert [(int(at), row) for at, row in table.iterrows()] == [(0, ["x"]), (1, ["y"]), (2, ["z"])]
    assert table.get_index()[1].get_row() == {"a": "y"}
    assert table.index_ref(2).get_row() == {"a": "z"}
    with pytest.raises(IndexError):
        table.index_ref(3)
    assert Table(data=[[table.index_ref(1)]], columns=["i"]).get_column("i") == [1]


def test_rows_are_a_sequence() -> None:
    table = Table(data={"a": list(range(1000))})
    rows = table.data
    assert len(rows) == len(table) == 1000
    assert rows[-1] == [999]
    assert rows[300] == [300]
    assert rows[10:12] == [[10], [11]]
    assert rows[5:0:-2] == [[5], [3], [1]]
    assert rows[2000:] == []
    assert rows == [[n] for n in range(1000)]
    assert rows != [[1]]
    assert [row["a"] for row in table.rows][:3] == [0, 1, 2]
    for at in (1000, -1001):
        with pytest.raises(IndexError):
            rows[at]


def test_keys_are_noted_and_checked() -> None:
    truth = Table(data={"id": [1]})
    table = Table(data={"id": [1], "other": [2]})
    table.set_pk("id")
    table.set_fk("other", truth, "id")
    assert table.keys["primary_key"] == ["id"]
    assert table.keys["foreign_keys"]["other"]["column"] == "id"
    with pytest.raises(InvalidInputError):
        table.set_pk("x")
    with pytest.raises(InvalidInputError):
        table.set_fk("id", truth, "x")

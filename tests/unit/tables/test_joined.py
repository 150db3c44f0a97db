"""
Joined tables: which keys are taken, what columns are called, what is read. Their rows are compared
with a join in Python in tests/property/test_tables_joined.py.
"""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artstore.errors import InvalidInputError
from artstore.tables import building
from artstore.tables.joined import JoinCounts, JoinedTable, key_pairs
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table
from tests.unit.tables.shelf import Shelf

D = decimal.Decimal
LEFT = Table(data={"id": [3, 1, 2, 1], "guess": [7, 8, 9, 7]})
RIGHT = Table(data={"id": [1, 2, 4], "label": [8, 9, 5]})


def test_rows_come_in_the_order_of_the_left_table_then_of_the_right() -> None:
    right = Table(data={"id": [1, 3, 1], "label": ["a", "b", "c"]})
    joined = JoinedTable(LEFT, right, "id", how="outer")
    assert list(joined.data) == [
        [3, 7, "b"],
        [1, 8, "a"],
        [1, 8, "c"],
        [2, 9, None],
        [1, 7, "a"],
        [1, 7, "c"],
    ]
    assert list(JoinedTable(right, LEFT, "id", how="outer").data)[-1] == [2, None, 9]


def test_missing_rows_are_told_in_numbers() -> None:
    assert JoinedTable(LEFT, RIGHT, "id").counts == JoinCounts(3, 3, 1, 2, 1)
    assert JoinedTable(LEFT, RIGHT, "id", how="left").counts == JoinCounts(4, 3, 1, 2, 1)
    assert JoinedTable(LEFT, RIGHT, "id", how="outer").counts == JoinCounts(5, 3, 1, 2, 1)
    assert JoinedTable(LEFT, RIGHT, "id", how="anti").counts == JoinCounts(1, 3, 1, 2, 1)


@pytest.mark.parametrize(
    ("key", "pairs"),
    [
        ("id", (("id", "id"),)),
        (["id", "key"], (("id", "key"),)),
        (("id", "key"), (("id", "key"),)),
        ([("a", "b")], (("a", "b"),)),
        ([["a", "b"], "c"], (("a", "b"), ("c", "c"))),
        (["a", "b", "c"], (("a", "a"), ("b", "b"), ("c", "c"))),
    ],
)
def test_a_key_is_a_column_a_pair_or_a_list_of_them(key: Any, pairs: Any) -> None:
    assert key_pairs(key) == pairs


@pytest.mark.parametrize("key", [[], None, 5, [1], [("a",)], [("a", "b", "c")], [("a", 1)]])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        JoinedTable(LEFT, RIGHT, key)
    assert caught.value.code == "join-key-unknown"


def test_a_key_that_a_table_has_not_is_refused_by_name() -> None:
    for key, said in (("label", "left"), ("guess", "right"), (["id", "x"], "'x'")):
        with pytest.raises(InvalidInputError, match=said) as caught:
            JoinedTable(LEFT, RIGHT, key)
        assert caught.value.code == "join-key-unknown"


KEYS: dict[str, Any] = {
    "text": "a",
    "int": 1,
    "bool": True,
    "bytes": b"a",
    "date": dt.date(2026, 1, 1),
    "time": dt.time(1),
    "local": dt.datetime(2026, 1, 1),
    "moment": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "duration": dt.timedelta(1),
    "fine duration": np.timedelta64(1, "ns"),
    "decimal": D("1.5"),
}
NEVER: dict[str, Any] = {
    "list": [1],
    "struct": {"a": 1},
    "array": np.zeros(2),
    "mixed": None,
    "wide decimal": D("1." + "1" * 50),
}


def column(name: str) -> Table:
    if name == "mixed":
        return Table(data={"k": [1, "a"]})
    return Table(data={"k": [{**KEYS, **NEVER}[name]]})


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_one_sort_are_joined_and_of_two_refused(name: str) -> None:
    assert JoinedTable(column(name), column(name), "k").row_count == 1
    for other in KEYS.keys() - {name}:
        if {name, other} == {"int", "decimal"}:
            continue
        with pytest.raises(InvalidInputError) as caught:
            JoinedTable(column(name), column(other), "k")
        assert caught.value.code == "join-key-type"
        assert "never equal" in str(caught.value)


@pytest.mark.parametrize("name", NEVER)
def test_cells_of_many_parts_are_no_keys(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        JoinedTable(column(name), column(name), "k")
    assert caught.value.code == "join-key-type"


NUMBERS = [np.int8(1), np.uint64(1), 1, 1.0, np.float32(1), D(1), D("1.00")]


@pytest.mark.parametrize("one", NUMBERS)
@pytest.mark.parametrize("two", NUMBERS)
def test_numbers_of_all_types_are_compared_by_value(one: Any, two: Any) -> None:
    joined = JoinedTable(Table(data={"k": [one]}), Table(data={"k": [two], "v": ["x"]}), "k")
    assert [row["v"] for row in joined.rows] == ["x"]
    assert joined.rows[0]["k"] == 1


def test_a_column_in_which_nothing_is_yet_joins_nothing() -> None:
    empty = Table(data={"id": [None, None], "guess": [1, 2]})
    for how, rows in (("inner", 0), ("left", 2), ("outer", 5), ("anti", 2)):
        joined = JoinedTable(empty, RIGHT, "id", how=how)
        assert joined.row_count == len(list(joined.data)) == rows
        assert joined.query().count().to_pyarrow().as_py() == rows
    assert JoinedTable(Table(["id"]), RIGHT, "id", how="outer").get_column("id") == [1, 2, 4]
    assert JoinedTable(RIGHT, Table(["id"]), "id", how="left").row_count == 3


@pytest.mark.parametrize("how", ["", "right", "INNER", None])
def test_other_ways_to_join_are_refused(how: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        JoinedTable(LEFT, RIGHT, "id", how=how)
    assert caught.value.code == "value-invalid"


@pytest.mark.parametrize("other", [None, "table.json", {"id": [1]}, PartitionedTable("parts", [])])
def test_only_tables_are_joined(other: Any) -> None:
    with pytest.raises(InvalidInputError):
        JoinedTable(LEFT, other, "id")


def test_columns_of_one_name_are_told_apart() -> None:
    left = Table(data={"id": [1], "v": ["l"], "v_right": ["other"], "V": ["L"]})
    right = Table(data={"id": [1], "v": ["r"], "key": [5]})
    with pytest.raises(InvalidInputError):
        # To SQL `v` and `V` are one name.
        JoinedTable(left, right, "id").row_count  # noqa: B018 - the join is made here
    left = Table(data={"id": [1], "v": ["l"], "v_right": ["other"]})
    joined = JoinedTable(left, right, "id")
    assert joined.columns == ["id", "v", "v_right", "v_right_right", "key"]
    assert list(joined.data) == [[1, "l", "other", "r", 5]]
    assert joined.query().to_pyarrow().to_pylist() == list(joined.rows)
    swapped = JoinedTable(left, Table(data={"key": [1], "id": [7], "V": ["r"]}), ["id", "key"])
    assert list(swapped.rows) == [
        {"id": 1, "v": "l", "v_right": "other", "key": 1, "id_right": 7, "V_right_right": "r"}
    ]


def test_the_key_of_a_row_that_only_the_right_table_has_is_its_own() -> None:
    joined = JoinedTable(LEFT, RIGHT, "id", how="outer")
    assert list(joined.rows)[-1] == {"id": 4, "guess": None, "label": 5}
    fractions = Table(data={"id": [1.0, 4.5], "x": [1, 2]})
    widened = JoinedTable(LEFT, fractions, "id", how="outer")
    assert widened.get_column("id") == [3.0, 1.0, 2.0, 1.0, 4.5]


def test_some_rows_of_some_columns_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 60_000)
    shelf = Shelf(tmp_path)
    left = shelf.put(Table(data={"id": np.arange(30_000), "x": np.arange(30_000)}))
    right = shelf.put(Table(data={"id": np.arange(30_000)[::-1], "text": ["y" * 20] * 30_000}))
    joined = JoinedTable(left, right, "id")
    assert joined.row_count == 30_000
    shelf.opened.clear()
    rows = joined.read_rows(10, 13, ["text", "x"])
    assert rows.to_arrow().to_pylist() == [{"text": "y" * 20, "x": n} for n in (10, 11, 12)]
    assert len(shelf.opened) == 2
    assert joined.rows[29_999] == {"id": 29_999, "x": 29_999, "text": "y" * 20}


def test_a_joined_table_follows_its_tables() -> None:
    left = Table(data={"id": [1]})
    joined = JoinedTable(left, RIGHT, "id")
    assert joined.row_count == 1
    left.add_data(2)
    assert joined.row_count == 2
    assert list(joined.data) == [[1, 8], [2, 9]]


def test_a_table_is_joined_with_itself() -> None:
    joined = JoinedTable(LEFT, LEFT, [("id", "id"), ("guess", "guess")])
    assert joined.row_count == 4
    assert joined.columns == ["id", "guess"]
    assert joined.query().count().to_pyarrow().as_py() == 4


def test_the_shortest_form_of_a_key_is_told() -> None:
    assert JoinedTable(LEFT, RIGHT, [("id", "id")]).join_key == "id"
    assert JoinedTable(LEFT, RIGHT, ("guess", "label")).join_key == ["guess", "label"]
    both = JoinedTable(LEFT, RIGHT, [("id", "id"), ("guess", "label")])
    assert both.join_key == [["id", "id"], ["guess", "label"]]
    assert repr(both).startswith("<inner join by id, guess=label of ")
    assert both.counts.rows == len(both) == 2


def test_columns_follow_a_draft_whose_types_widen() -> None:
    left = Table(data={"id": [1], "x": [1]})
    joined = JoinedTable(left, Table(data={"id": [1], "y": ["a"]}), "id")
    assert [str(kind) for kind in joined.schema.types] == ["int", "int", "text"]
    left.add_data(1, "text")
    assert [str(kind) for kind in joined.schema.types] == ["int", "int | text", "text"]
    assert list(joined.data) == [[1, 1, "a"], [1, "text", "a"]]


def test_what_is_no_table_is_refused_with_what_to_do() -> None:
    parts = PartitionedTable("parts", [LEFT, LEFT])
    for reader in (parts, JoinedTable(LEFT, RIGHT, "id")):
        with pytest.raises(InvalidInputError, match=f"not of a {type(reader).__name__}") as caught:
            JoinedTable(reader, RIGHT, "id")  # type: ignore[arg-type]
        assert caught.value.code == "value-invalid"
        assert "Table.from_query" in str(caught.value.hint)
    with pytest.raises(InvalidInputError, match="not of a list") as caught:
        JoinedTable([1], RIGHT, "id")  # type: ignore[arg-type]
    assert "artifact.get" in str(caught.value.hint)
    one = JoinedTable(Table.from_query(parts.query()), RIGHT, "id")
    assert one.row_count == 6

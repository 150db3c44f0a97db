"""
Tables one after the other: all columns of all, and which table a row is of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.tables.exploring import ExploredTable, Selection, SortKey
from artstore.tables.exploring.compared import ComparedTables
from artstore.tables.exploring.comparekeys import CompareKey
from artstore.tables.exploring.concatenated import Concatenated
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table
from tests.unit.tables.fewer import FEWER
from tests.unit.tables.shelf import Shelf

CELLS = {
    "int": st.none() | st.integers(-3, 3),
    "float": st.none() | st.sampled_from([0.5, 2.0]),
    "text": st.none() | st.sampled_from(["a", "ü", "it's"]),
}


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, list[Any]]]:
    found = []
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.integers(1, 4))
        found.append(
            {
                name: draw(
                    st.lists(
                        CELLS[draw(st.sampled_from(sorted(CELLS)))], min_size=rows, max_size=rows
                    )
                )
                for name in draw(st.lists(st.sampled_from("xyz"), min_size=1, unique=True))
            }
        )
    return found


@FEWER
@given(tables(), st.data())
def test_all_rows_of_all_tables_are_there_in_order(
    given_tables: list[dict[str, list[Any]]], data: st.DataObject
) -> None:
    names = [f"t'{at}" for at in range(len(given_tables))]
    whole = Concatenated([Table(data=columns) for columns in given_tables], names)
    columns = list(dict.fromkeys(name for table in given_tables for name in table))
    expected = [
        {"table": label, **{name: cells[name][at] if name in cells else None for name in columns}}
        for label, cells in zip(names, given_tables, strict=True)
        for at in range(len(next(iter(cells.values()))))
    ]
    assert list(whole.rows) == expected
    start = data.draw(st.integers(0, len(expected)))
    assert whole.rows[start : start + 2] == expected[start : start + 2]
    explored = ExploredTable(whole)
    label = data.draw(st.sampled_from(names)).replace("'", "''")
    window = explored.window(Selection((f"\"table\" = '{label}'",), (SortKey("table"),)))
    assert window.numbers == [
        at for at, row in enumerate(expected) if row["table"] == label.replace("''", "'")
    ]


def test_kinds_of_tables_mix_and_stored_ones_are_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    one = shelf.put(Table(data={"id": [1, 2], "x": ["a", "b"]}))
    joined = JoinedTable(one, Table(data={"id": [2], "table": [7]}), "id")
    parts = PartitionedTable("parts", [one, one])
    compared = ComparedTables([one, joined], CompareKey("columns", ("id",)))
    whole = Concatenated([joined, parts, one, compared], list("abcd"))
    assert whole.columns[:4] == ["table_", "id", "x", "table"]
    assert whole.get_column("table_") == list("abbbbccdd")
    assert whole.get_column("id") == [2, 1, 2, 1, 2, 1, 2, 1, 2]
    assert whole.get_column("table") == [7, *[None] * 8]
    explored = ExploredTable(whole)
    window = explored.window(Selection(("id = 2",)))
    assert window.numbers == [0, 2, 4, 6, 8]
    assert window.cells["1.table"].to_pylist() == [None, None, None, None, 7]
    assert whole.query().count().to_pyarrow().as_py() == 9


def test_tables_without_rows_are_there_too() -> None:
    whole = Concatenated([Table(["a"]), Table(["b"])], ["one", "two"])
    assert (whole.columns, list(whole.data)) == (["table", "a", "b"], [])
    assert ExploredTable(whole).window().numbers == []


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b\0"], ["a", "b", "c"]])
def test_names_are_one_for_each_table(names: list[str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Concatenated([Table(data={"x": [1]})] * 2, names)
    assert caught.value.code == "value-invalid"

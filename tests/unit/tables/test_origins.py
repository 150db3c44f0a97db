"""The rows of stored tables that a row is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

import artstore as art
from artstore.api import Store
from artstore.errors import InvalidInputError
from artstore.tables.origins import trace_row
from tests.trees import open_at


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_at(tmp_path / "store", project="demo")


def log(store: Store, name: str, **tables: art.Table | art.JoinedTable) -> None:
    draft = art.Artifact(name, "dataset")
    for path, table in tables.items():
        draft.add(table, path)
    store.log_artifact(draft)


def test_a_row_of_a_table_is_its_own(store: Store) -> None:
    log(store, "data", rows=art.Table(["a", "b"], data=[[1, 2], [3, 4]]))
    table = store.artifact("data").get("rows")
    (one,) = trace_row(table, 1)
    assert (one.place_name, one.number) == ("demo/data:v0/rows", 1)
    assert one.columns == (("a", "a"), ("b", "b"))
    for number in (-1, 2):
        with pytest.raises(InvalidInputError):
            trace_row(table, number)


def test_what_was_made_here_comes_from_nowhere() -> None:
    assert trace_row(art.Table(["a"], data=[[1]]), 0) == []


def test_a_row_of_a_join_is_made_of_two_and_a_side_may_be_missing(store: Store) -> None:
    left = art.Table(["key", "x"], data=[[1, "a"], [2, "b"]])
    right = art.Table(["key", "x"], data=[[9, "c"], [2, "d"]])
    log(store, "left", rows=left)
    log(store, "right", rows=right)
    tables = [store.artifact(name).get("rows") for name in ("left", "right")]
    joined = art.JoinedTable(*tables, "key", how="outer")
    found = [
        [(one.place_name, one.number) for one in trace_row(joined, row)]
        for row in range(joined.row_count)
    ]
    assert found == [
        [("demo/left:v0/rows", 0)],
        [("demo/left:v0/rows", 1), ("demo/right:v0/rows", 1)],
        [("demo/right:v0/rows", 0)],
    ]
    one, other = trace_row(joined, 1)
    assert one.columns == (("key", "key"), ("x", "x"))
    assert other.columns == (("key", "key"), ("x_right", "x"))


def test_a_row_of_parts_is_of_one_part(store: Store) -> None:
    draft = art.Artifact("parts", "dataset")
    for number, rows in enumerate(([[0], [1]], [[2]], [[3], [4]])):
        draft.add(art.Table(["n"], data=rows), f"shard/{number}")
    draft.add(art.PartitionedTable("shard"), "all")
    store.log_artifact(draft)
    table = store.artifact("parts").get("all")
    found = [trace_row(table, row)[0] for row in range(table.row_count)]
    assert [(one.place_name.rpartition("/")[2], one.number) for one in found] == [
        ("0", 0),
        ("0", 1),
        ("1", 0),
        ("2", 0),
        ("2", 1),
    ]

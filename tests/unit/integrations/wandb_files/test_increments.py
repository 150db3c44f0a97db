"""Incremental tables of W&B, and partitioned and joined ones: files that belong together."""

from __future__ import annotations

import os

import numpy as np
import pytest

from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError
from artstore.integrations.wandb_files.directory import WandbDirectory
from artstore.integrations.wandb_files.joins import WandbJoinedTable, WandbPartitionedTable
from tests.unit.integrations.wandb_files.writing import NUMBER, STRING, Written, optional

NAMES = ["None-1795292638288", "1-1795292638301", "2-1795292638320", "10-1795292638330"]


def path_of(number: int, key: str = "tab") -> str:
    return f"{NAMES[number]}.{key}.table.json"


def increment(written: Written, number: int, rows: list, key: str = "tab", **members) -> str:
    """As `run.log` leaves one: it names all that came before it."""
    previous = [f"wandb-client-artifact://jwi8/{path_of(one, key)}" for one in range(number)]
    types = members.pop("types", {"a": optional(NUMBER)})
    return written.table(
        path_of(number, key),
        types,
        rows,
        increment_num=number,
        log_mode="INCREMENTAL",
        previous_increments_paths=previous,
        **members,
    )


def test_increments_are_one_table_with_all_rows_in_order(written) -> None:
    for number in (2, 0, 1):
        increment(written, number, [[number], [number + 0.5]])
    directory = WandbDirectory(written.root)
    assert directory.tables() == (path_of(2),)
    table = directory.table(path_of(2))
    assert (table.name, table.log_mode) == ("tab", "INCREMENTAL")
    assert table.parts == (path_of(0), path_of(1), path_of(2))
    assert (len(table), list(table.rows())) == (6, [[0], [0.5], [1], [1.5], [2], [2.5]])


def test_a_table_of_one_increment_has_its_name_already(written) -> None:
    increment(written, 0, [[0]])
    assert WandbDirectory(written.root).table(path_of(0)).name == "tab"


def test_an_older_increment_gives_the_rows_up_to_it(written) -> None:
    for number in range(3):
        increment(written, number, [[number]])
    assert list(WandbDirectory(written.root).table(path_of(1)).rows()) == [[0], [1]]


def test_increments_of_several_tables_are_kept_apart(written) -> None:
    for key in ("tab", "other.key", "tab2"):
        increment(written, 0, [[0]], key)
        increment(written, 1, [[1]], key)
    written.table("1-2.tab.table.json", {"x": NUMBER}, [[7]])
    directory = WandbDirectory(written.root)
    assert set(directory.tables()) == {
        path_of(1),
        path_of(1, "other.key"),
        path_of(1, "tab2"),
        "1-2.tab.table.json",
    }
    assert list(directory.table("1-2.tab.table.json").rows()) == [[7]]
    assert directory.table("1-2.tab.table.json").name == "1-2.tab"
    assert directory.table(path_of(1, "other.key")).name == "other.key"


def test_numbers_are_numbers_and_not_texts(written) -> None:
    for number in range(12):
        written.table(
            f"{number}-5.t.table.json",
            {"a": NUMBER},
            [[number]],
            log_mode="INCREMENTAL",
        )
    directory = WandbDirectory(written.root)
    assert directory.tables() == ("11-5.t.table.json",)
    rows = directory.table("11-5.t.table.json").rows()
    assert [row[0] for row in rows] == list(range(12))


def test_increments_with_other_types_give_both(written) -> None:
    increment(written, 0, [[1]])
    increment(written, 1, [["x"]], types={"a": STRING})
    table = WandbDirectory(written.root).table(path_of(1))
    assert str(table.column_types["a"]) == "none | number | string"
    assert list(table.rows()) == [[1], ["x"]]


def test_each_increment_has_its_own_arrays(written) -> None:
    values = np.arange(8.0).reshape(2, 2, 2)
    for number in range(2):
        types = written.arrays(f"5{number}", m=values[number : number + 1])
        increment(written, number, [[None]], types=types)
    rows = list(WandbDirectory(written.root).table(path_of(1)).rows())
    assert np.array_equal([row[0] for row in rows], values)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_missing_increment_is_told(written, gone) -> None:
    for number in range(3):
        increment(written, number, [[number]])
    os.unlink(written.root / path_of(gone))
    with pytest.raises(NotFoundError, match="increment before this one") as caught:
        WandbDirectory(written.root).table(path_of(2))
    assert caught.value.code == "wandb-file-missing"
    assert path_of(2) in str(caught.value)


@pytest.mark.parametrize("names", [["1-5"], ["0-5", "2-5"], ["None-5", "2-9"]])
def test_a_gap_in_the_numbers_is_told_where_nothing_else_tells(written, names) -> None:
    for name in names:
        written.table(f"{name}.t.table.json", {"a": NUMBER}, [], log_mode="INCREMENTAL")
    with pytest.raises(NotFoundError):
        WandbDirectory(written.root).table(f"{names[-1]}.t.table.json")


def test_increments_with_other_columns_are_told(written) -> None:
    increment(written, 0, [[1]])
    increment(written, 1, [[1]], types={"b": NUMBER})
    with pytest.raises(DamagedDataError, match="its columns are b") as caught:
        WandbDirectory(written.root).table(path_of(1))
    assert caught.value.code == "wandb-file-damaged"


def partitioned(written: Written, parts_path: str = "parts") -> WandbDirectory:
    for number in (2, 0, 1):
        written.table(f"parts/tab_{number}.table.json", {"a": NUMBER}, [[number]])
    written.table("partsaside.table.json", {"a": NUMBER}, [[9]])
    written.json(
        "whole.partitioned-table.json", {"_type": "partitioned-table", "parts_path": parts_path}
    )
    return WandbDirectory(written.root)


@pytest.mark.parametrize("parts_path", ["parts", "parts/"])
def test_a_partitioned_table_has_the_rows_of_all_its_parts(written, parts_path) -> None:
    directory = partitioned(written, parts_path)
    parts = tuple(f"parts/tab_{number}.table.json" for number in range(3))
    assert directory.partitioned_tables() == (
        WandbPartitionedTable("whole.partitioned-table.json", parts_path, parts),
    )
    table = directory.table("whole.partitioned-table.json")
    assert (table.name, table.parts, len(table)) == ("whole", parts, 3)
    assert list(table.rows()) == [[0], [1], [2]]
    assert set(parts) <= set(directory.tables())
    assert directory.plain_files() == ()


def test_parts_with_other_columns_are_told(written) -> None:
    written.table("parts/x.table.json", {"b": NUMBER}, [])
    with pytest.raises(DamagedDataError, match=r"parts/x\.table\.json"):
        partitioned(written).table("whole.partitioned-table.json")


@pytest.mark.parametrize("parts_path", ["none", "../parts", "/parts/..", "part"])
def test_parts_that_are_not_there_are_told(written, parts_path) -> None:
    directory = partitioned(written, parts_path)
    with pytest.raises(NotFoundError) as caught:
        directory.partitioned_tables()
    assert caught.value.code == "wandb-file-missing"


def joined(written: Written, **members) -> WandbDirectory:
    written.table("a.table.json", {"id": NUMBER}, [])
    written.table("b.table.json", {"id": NUMBER}, [])
    value = {"_type": "joined-table", "table1": "a.table.json", "table2": "b.table.json"}
    written.json("j.joined-table.json", value | {"join_key": "id"} | members)
    return WandbDirectory(written.root)


@pytest.mark.parametrize(
    ("key", "left", "right"), [("id", "id", "id"), (["id", "uid"], "id", "uid")]
)
def test_a_joined_table_names_two_tables_and_their_keys(written, key, left, right) -> None:
    directory = joined(written, join_key=key)
    assert directory.joined_tables() == (
        WandbJoinedTable("j.joined-table.json", "a.table.json", "b.table.json", left, right),
    )
    assert directory.tables() == ("a.table.json", "b.table.json")
    assert directory.plain_files() == ()


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"_type": "table"}, "wandb-file-damaged"),
        ({"join_key": None}, "wandb-file-damaged"),
        ({"join_key": ["a"]}, "wandb-file-damaged"),
        ({"join_key": ["a", 5]}, "wandb-file-damaged"),
        ({"table1": None}, "wandb-path-refused"),
        ({"table2": "../b.table.json"}, "wandb-path-refused"),
        ({"table2": "/b.table.json"}, "wandb-path-refused"),
        ({"table2": "c.table.json"}, "wandb-file-missing"),
    ],
)
def test_a_joined_table_that_leads_nowhere_is_told(written, members, code) -> None:
    directory = joined(written, **members)
    with pytest.raises(ArtstoreError, match=r"j\.joined-table\.json") as caught:
        directory.joined_tables()
    assert caught.value.code == code

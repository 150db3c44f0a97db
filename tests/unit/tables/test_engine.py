"""
What the engine shows of a table is what the table has: here, in a store, in parts, grown, forked.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from artstore.errors import InvalidInputError
from artstore.tables import building
from artstore.tables import engine as engines
from artstore.tables.engine import ROW, engine
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table
from artstore.tables.viewsql import engine_table
from tests.property.tablecells import CELLS, COLUMNS
from tests.unit.tables.shelf import Shelf

D = decimal.Decimal
BERLIN = pa.array([dt.datetime(2026, 7, 1, 12)], pa.timestamp("us", "Europe/Berlin"))[0].as_py()
TYPES: dict[str, list[Any]] = {
    "bool": [True, False],
    **{
        f"numpy {name}": [getattr(np, name)(1), getattr(np, name)(100)]
        for name in ("int8", "uint16", "int64", "uint64", "float32", "float64")
    },
    "float16": [np.float16(1.5), np.float16(-0.0)],
    "int": [1, -5],
    "float": [0.5, float("inf")],
    "text": ["a'b", ""],
    "bytes": [b"\0x", b""],
    "date": [dt.date(1, 1, 1), dt.date(2026, 1, 31)],
    "time": [dt.time(1, 2, 3, 4), dt.time()],
    "local": [dt.datetime(2026, 1, 31, 1, 2, 3, 4), dt.datetime(9999, 12, 31)],
    "UTC": [dt.datetime(2026, 1, 31, tzinfo=dt.UTC)],
    "zone": [BERLIN],
    "nanoseconds": [np.datetime64(1_700_000_000_123_456_789, "ns")],
    "duration": [dt.timedelta(days=1, microseconds=3)],
    "decimal": [D("1.50"), D("-3")],
    "wide decimal": [D("1.5"), D("9" * 30 + "." + "1" * 30)],
    "list": [[1, None], []],
    "empty lists": [[], None],
    "struct": [{"a": 1, "b": "x"}, {"a": None}],
    "struct of nothing": [{}, {}],
    "list of structs": [[{"a": 1}], []],
    "array": [np.ones((2, 2)), np.zeros((2, 2))],
    "arrays": [np.ones((2, 2)), np.zeros(3)],
    "bool array": [np.array([True, False])],
    "float16 array": [np.ones(2, np.float16)],
    "union": [1, "a", [1], {"a": 2}, b"x", None],
    "numbers": [0.5, 2**60, 2**63],
    "nulls": [None, None],
}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def shown(table: Table, *, in_order: bool = True) -> pa.Table:
    """What the engine has of a table."""
    name = engine().view(table)
    if not in_order:
        return engine().run(f"SELECT * FROM {name}").to_arrow_table()
    found = engine().run(f"SELECT * FROM {name}_rows ORDER BY {ROW}").to_arrow_table()
    assert found.column(ROW).to_pylist() == list(range(table.row_count))
    return found.drop_columns([ROW])


def same_rows(one: pa.Table, two: pa.Table) -> bool:
    return one.column_names == two.column_names and repr(one.to_pylist()) == repr(two.to_pylist())


@pytest.mark.parametrize("kind", TYPES)
def test_a_table_looks_the_same_from_here_and_from_a_store(shelf: Shelf, kind: str) -> None:
    table = Table(["a", "n"])
    for at, cell in enumerate([*TYPES[kind], None]):
        table.add_data(cell, at)
    stored = shelf.put(table)
    local = shown(table)
    assert shown(stored).schema == local.schema
    assert same_rows(shown(stored), local)
    expected = engine_table(table.to_arrow())
    if kind not in ("UTC", "zone"):
        assert same_rows(local, expected)
    else:
        # The engine has moments, and shows them in its own zone.
        found = [row and row.astimezone(dt.UTC) for row in local.column("a").to_pylist()]
        assert found == [row and row.astimezone(dt.UTC) for row in TYPES[kind]] + [None]


@given(COLUMNS, CELLS)
def test_fragments_of_narrower_types_are_shown_in_the_types_of_the_table(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Any], other: Any
) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    # A row this long ends a leaf: what comes after it leaves it where it is.
    long = "x" * 8192
    table = Table(["a", "long"])
    for cell in cells:
        table.add_data(cell, long)
    first = shelf.put(table)
    grown = shelf.get(first.stored)
    grown.add_data(other, long)
    stored = shelf.put(grown, first)
    assert len(stored.stored.fragments) == 1 + bool(cells)
    if "<: " in str(stored.schema.types[0]) or ", : " in str(stored.schema.types[0]):
        # A member without a name, which SQL cannot write.
        with pytest.raises(InvalidInputError, match="the name ''"):
            stored.query()
        return
    assert no_zones(shown(stored)) == no_zones(engine_table(stored.to_arrow()))


def no_zones(table: pa.Table) -> list[str]:
    """
    Rows without what the engine knows less exactly: in which zone a moment is told.

    DuckDB 1.5 takes the sign of a 0 within a struct or list away where it sorts.
    """
    return [repr(one_zone(row)).replace("-0.0", "0.0") for row in table.to_pylist()]


def one_zone(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: one_zone(member) for name, member in value.items()}
    if isinstance(value, list):
        return [one_zone(element) for element in value]
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).timestamp()
    return value


NAMES = [
    *("f", "r", "d", "t", "e", "n", "l", "first", "start", "filename", "rowid", "file"),
    *("a b", 'a"b', "a'b", "a.b", "select", "é", "%s", "?", "{0}", "$1", "--", "/*", "_"),
]


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_columns_may_be_called_what_the_views_call_things(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """With rows left out of fragments, by lists of them and by ranges."""
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 60_000)
    monkeypatch.setattr(engines, "_DEAD_MAX", most)
    count = 1500
    columns = {name: [at * 31 + n for n in range(count)] for at, name in enumerate(NAMES)}
    first = shelf.put(Table(data=columns))
    kept = {name: cells[:700] + cells[760:] for name, cells in columns.items()}
    stored = shelf.put(Table(data=kept), first)
    assert 0 < shelf.last_bytes < shelf.stored_bytes / 4
    assert shown(stored).to_pydict() == kept
    plainly = shown(stored, in_order=False)
    assert sorted(plainly.column("f").to_pylist()) == kept["f"]
    assert plainly.sort_by("f").to_pydict() == kept


def test_a_table_in_which_nothing_is_left_has_its_columns(shelf: Shelf) -> None:
    first = shelf.put(Table(data={"a": [1], "b": ["x"]}))
    empty = shelf.put(Table(["a", "b"]), first)
    assert shown(empty).column_names == shown(empty, in_order=False).column_names == ["a", "b"]
    assert shown(empty).num_rows == 0


def test_a_table_that_grew_shows_its_new_rows_and_keeps_old_expressions_whole(
    shelf: Shelf,
) -> None:
    table = Table(data={"a": [1, 2]})
    before = engine().table(table)
    table.add_data("text")
    assert before.count().to_pyarrow().as_py() == 2
    assert engine().table(table).count().to_pyarrow().as_py() == 3
    stored = shelf.put(table)
    old = engine().table(stored)
    stored.add_data(5)
    assert old.count().to_pyarrow().as_py() == 3
    assert engine().table(stored).count().to_pyarrow().as_py() == 4
    assert engine().view(stored) == engine().view(stored)


def test_an_expression_outlives_the_table_it_was_made_of(shelf: Shelf) -> None:
    expression = shelf.put(Table(data={"a": [1, 2]})).query()
    assert sorted(expression.to_pyarrow()["a"].to_pylist()) == [1, 2]


def test_many_fragments_with_the_same_rows_are_all_shown(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 70_000)
    stored = shelf.put(Table(data={"a": np.full(100_000, 7)}))
    keys = [fragment.key for fragment in stored.stored.fragments]
    assert len(set(keys)) < len(keys)
    assert shown(stored).num_rows == shown(stored, in_order=False).num_rows == 100_000


@pytest.mark.parametrize(
    "names", [["a", "A"], ["__row__"], ["__ROW__"], ["file_row_number"], ["file_index"], ["Ä", "ä"]]
)
def test_names_that_sql_takes_for_one_another_are_refused_for_queries_alone(
    shelf: Shelf, names: list[str]
) -> None:
    table = Table(data={name: [at] for at, name in enumerate(names)})
    for one in (table, shelf.put(table)):
        with pytest.raises(InvalidInputError) as caught:
            one.query()
        assert caught.value.code == "columns-invalid"
        assert one.data[0] == list(range(len(names)))


@pytest.mark.parametrize("cell", [{"x": 1, "X": 2}, [{"x": 1, "X": 2}], {"a": {"x": 1, "X": 2}}])
def test_members_that_sql_takes_for_one_another_are_refused_too(cell: Any) -> None:
    table = Table(data={"a": [cell]})
    with pytest.raises(InvalidInputError, match="'x' and 'X'"):
        table.query()
    assert table.get_column("a") == [cell]


def test_parts_with_other_types_are_shown_as_one(shelf: Shelf) -> None:
    cells = [[1], [0.5], ["x", None], [dt.timedelta(1)], [np.float16(2)]]
    parts = [Table(data={"a": part}) for part in cells]
    whole = PartitionedTable("parts", [*parts[:2], shelf.put(parts[2]), *parts[3:]])
    found = whole.query().to_pyarrow()
    assert sorted(map(repr, found.to_pylist())) == sorted(
        map(repr, engine_table(whole.to_arrow()).to_pylist())
    )
    assert len(whole.data) == 6


def test_a_forked_child_queries_after_its_parent_did(shelf: Shelf) -> None:
    """As the workers of a data loader do."""
    table = Table(data={"a": list(range(1000))})
    stored = shelf.put(table)
    assert shown(stored).num_rows == 1000
    expression = stored.query()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            stored.add_data(1)
            rows = [shown(one).num_rows for one in (table, stored)]
            filtered = stored.filter("a < 10").count().to_pyarrow().as_py()
            status = 0 if (rows, filtered) == ([1000, 1001], 11) else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert expression.count().to_pyarrow().as_py() == 1000


@pytest.mark.parametrize("name", ['"; DROP TABLE x; --', "'); --", '" FROM range(9) --', '"'])
def test_nothing_of_a_name_is_run_as_sql(name: str) -> None:
    assert shown(Table(data={name: [1]})).to_pydict() == {name: [1]}

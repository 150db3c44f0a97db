"""What the engine makes for a table goes when neither the table nor an expression needs it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artstore.tables import engine as engines
from artstore.tables.engine import engine
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.query import table_of_query
from artstore.tables.sql import run_sql
from artstore.tables.table import Table
from tests.unit.tables.shelf import Shelf

ROUNDS = 200
MOST = 90
"""Far less than what all rounds make; garbage is collected at twice the names in use."""


@pytest.fixture(autouse=True)
def engine_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    A new engine. When garbage is looked for rests on the most names that were ever in
    use, so in an engine that had many tests more would lie about.
    """
    gc.collect()
    monkeypatch.setattr(engines, "_engines", {})
    yield
    gc.collect()


def held() -> int:
    """Views, registered data (temporary views) and tables of ours in the engine."""
    sql = "SELECT count(*) FROM {} WHERE {} LIKE 'artstore%'"
    views = engine().run(sql.format("duckdb_views()", "view_name")).fetchone()[0]
    return int(views + engine().run(sql.format("duckdb_tables()", "table_name")).fetchone()[0])


def counted(expression: Any) -> int:
    return int(expression.count().to_pyarrow().as_py())


def test_a_draft_that_is_queried_while_it_grows_leaves_nothing_behind() -> None:
    table = Table(data={"a": [0]})
    old = table.query().filter(lambda t: t.a >= 0)
    before = held()
    for number in range(1, ROUNDS):
        table.add_data(number)
        assert counted(table.filter("a >= 0")) == number + 1
        assert held() < before + MOST
    assert counted(old) == 1
    assert sorted(old.to_pyarrow()["a"].to_pylist()) == [0]


def test_every_expression_that_is_alive_still_shows_what_its_table_was() -> None:
    table = Table(["a"])
    kept = []
    for number in range(60):
        table.add_data(number)
        if number % 10 == 0:
            made = table.query()
            kept.append((number + 1, made.join(made.view(), "a").mutate(b=lambda t: t.a + 1)))
            del made
        else:
            counted(table.query())
        if number % 7 == 0:
            gc.collect()
    gc.collect()
    for expected, expression in kept:
        assert counted(expression) == expected
        assert max(expression.to_pyarrow()["b"].to_pylist()) == expected
    table.query()
    with_kept = held()
    kept.clear()
    del expression
    gc.collect()
    counted(Table(data={"b": [1]}).query())
    assert held() < with_kept - 8


def test_joins_of_a_growing_draft_are_bounded_with_their_pairs() -> None:
    left, right = Table(data={"id": [0], "x": [0.5]}), Table(data={"id": [0], "y": ["a"]})
    joined = JoinedTable(left, right, "id")
    old = joined.query()
    before = held()
    for number in range(1, ROUNDS // 4):
        left.add_data(number, 0.5)
        right.add_data(number, "b")
        assert joined.row_count == number + 1
        assert counted(joined.filter("y = 'b'")) == number
        assert held() < before + MOST
    assert counted(old) == 1


def test_statements_keep_the_views_that_they_name_and_no_longer() -> None:
    table = Table(data={"id": [0]})
    parts = PartitionedTable("p", [table, Table(data={"id": [0.5]})])
    joined = JoinedTable(table, Table(data={"id": [0]}), "id")
    readers = {"one": table, "parts": parts, "joined": joined}
    text = "SELECT one.id FROM 'one' JOIN 'parts' ON one.id = parts.id JOIN 'joined' ON true"
    old = run_sql(text, readers.__getitem__).filter(lambda t: t.id >= 0)
    before = held()
    for number in range(1, 50):
        table.add_data(number)
        found = run_sql(text, readers.__getitem__)
        assert counted(found) == number + 1
        assert held() < before + MOST
    gc.collect()
    assert counted(old) == 1


def test_tables_that_are_gone_leave_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    before = held()
    for number in range(ROUNDS // 4):
        stored = shelf.put(Table(data={"a": [number]}))
        assert counted(stored.query()) == 1
        assert held() < before + MOST
    expression = shelf.put(Table(data={"a": [7]})).query()
    gc.collect()
    Table(data={"a": [1]}).query()
    assert expression.to_pyarrow()["a"].to_pylist() == [7]


def test_the_sources_of_a_result_are_known_when_their_tables_are_gone(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    stored = shelf.put(Table(data={"a": [1, 2]}))
    name = stored.home.name
    expression = stored.filter("a > 1")
    del stored
    gc.collect()
    Table(data={"a": [1]}).query()
    assert table_of_query(expression).source_names == (name,)


def test_a_cursor_reads_beside_what_goes_on_in_the_engine() -> None:
    table = Table(data={"id": range(10)})
    joined = JoinedTable(table, Table(data={"id": range(5)}), "id")
    views = [engine().view(table), engine().view_of(joined)]
    with engine().cursor(views) as cursor:
        stream = cursor.execute(f"SELECT * FROM {views[0]}").to_arrow_reader(1)
        first = stream.read_next_batch().num_rows
        engine().run("SELECT 1")
        assert first + sum(batch.num_rows for batch in stream) == 10
        assert cursor.execute(f"SELECT count(*) FROM {views[1]}").fetchone() == (5,)
        rows = cursor.execute(f"SELECT max(__row__) FROM {views[0]}_rows").fetchone()
        assert rows == (9,)


def test_a_view_of_ours_stays_while_its_name_does_with_what_it_reads() -> None:
    table = Table(data={"id": range(10)})
    name = engine().show(f"SELECT * FROM {(view := engine().view(table))}", view)
    del table, view
    gc.collect()
    Table(data={"a": [1]}).query()
    assert engine().run(f"SELECT count(*) FROM {name}").fetchone() == (10,)
    before = held()
    del name
    Table(data={"a": [1]}).query()
    assert held() < before


def test_a_result_that_becomes_a_table_is_whole_beside_other_threads() -> None:
    """Another statement on the connection ends a stream of rows early."""
    many = 300_000
    table = Table(data={"a": range(many)})
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            engine().view(Table(data={"b": [1]}))

    other = threading.Thread(target=disturb)
    other.start()
    try:
        found = [table_of_query(table.query()).row_count for _ in range(2)]
    finally:
        stop.set()
        other.join()
    assert found == [many] * 2

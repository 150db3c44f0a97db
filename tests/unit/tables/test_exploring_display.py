"""
What is shown of long cells, of computed columns and of many columns; and how queries are stopped.
"""

from __future__ import annotations

import datetime as dt
import decimal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError, StateError
from artstore.tables.exploring import (
    ExploredTable,
    QueryLimits,
    Selection,
    SortKey,
    Ticket,
    interruptible,
)
from artstore.tables.exploring.caching import AnswerCache
from artstore.tables.exploring.rowsets import RowSet
from artstore.tables.table import Table
from tests.unit.tables.shelf import Shelf

D = decimal.Decimal


@pytest.fixture(params=["local", "stored"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """What makes a table one of a store, or leaves it as it is."""
    return Shelf(tmp_path).put if request.param == "stored" else lambda table: table


def test_long_cells_are_cut_and_their_length_is_told(put: Any) -> None:
    rows = [
        ["ä" * 3000, b"x" * 5000, list(range(3000)), {"a": "y" * 2000, "b": 1}, np.arange(2000)],
        ["short", b"", [1], {"a": None, "b": 2}, np.arange(2000)],
        [None, None, None, None, None],
        ["z" * 1000, b"x" * 1000, [], {"a": "", "b": 3}, np.arange(2000)],
    ]
    explored = ExploredTable(put(Table(["t", "b", "l", "s", "a"], data=rows)))
    window = explored.window()
    cells = window.cells.to_pydict()
    assert cells["t"] == ["ä" * 1000, "short", None, "z" * 1000]
    assert cells["b"] == [b"x" * 1000, b"", None, b"x" * 1000]
    assert cells["l"] == [list(range(1000)), [1], None, []]
    assert [one and len(one["a"] or "") for one in cells["s"]] == [1000, 0, None, 0]
    assert [one and one["b"] for one in cells["s"]] == [1, 2, None, 3]
    assert [one and len(one) for one in cells["a"]] == [1000, 1000, None, 1000]
    assert window.lengths == {
        "t": (3000, None, None, None),
        "b": (5000, None, None, None),
        "l": (3000, None, None, None),
        "s": (2000, None, None, None),
        "a": (2000, 2000, None, 2000),
    }


def test_nested_cells_are_cut_inside(put: Any) -> None:
    rows = [[[["x" * 2000], ["y"] * 300]], [[]], [None]]
    window = ExploredTable(put(Table(["l"], data=rows))).window()
    first = window.cells["l"][0].as_py()
    assert [len(first[0][0]), len(first[1])] == [1000, 100]
    assert window.lengths["l"][0] in (2000, 300)
    assert window.lengths["l"][1:] == (None, None)


def test_cells_of_every_type_come_back_as_they_are(put: Any) -> None:
    rows = [
        [True, 1, 2**60, 0.5, "a", b"b", dt.date(2020, 1, 1), dt.time(1, 2), D("1.50"), [1, "x"]],
        [None] * 10,
    ]
    more = [
        [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.timedelta(seconds=5)],
        [None] * 3,
    ]
    names = [f"c{n}" for n in range(13)]
    table = put(Table(names, data=[[*a, *b] for a, b in zip(rows, more, strict=True)]))
    window = ExploredTable(table).window()
    expected = table.to_arrow()
    assert window.cells.schema.types == expected.schema.types
    assert window.cells.to_pylist() == expected.to_pylist()
    facets = ExploredTable(table).facets()
    assert [facet.nulls_all for facet in facets] == [1] * 13


def test_arrays_unions_and_wide_decimals_come_back_as_they_are(put: Any) -> None:
    wide = D("9" * 30 + "." + "1" * 30)
    rows = [
        [np.ones((2, 2)), "text", wide, {"a": {}}, [{"a": 1}]],
        [np.zeros(3), 5, D("1.5"), {"a": None}, [{"a": None}, None]],
        [None, None, None, None, None],
    ]
    table = put(Table(["a", "u", "w", "s", "l"], data=rows))
    explored = ExploredTable(table)
    assert explored.window().cells.to_pylist() == table.to_arrow().to_pylist()
    assert explored.window(Selection(sort=(SortKey("w"),))).numbers == [1, 0, 2]


def test_rows_are_given_by_number_in_any_order(put: Any) -> None:
    explored = ExploredTable(put(Table(["n"], data=[[n] for n in range(50)])))
    window = explored.rows([40, 3, 3, 17])
    assert window.numbers == [40, 3, 3, 17]
    assert window.cells["n"].to_pylist() == [40, 3, 3, 17]
    with pytest.raises(InvalidInputError, match="no row 50"):
        explored.rows([50])


def test_computed_columns_are_shown_sorted_filtered_and_grouped_by(put: Any) -> None:
    explored = ExploredTable(put(Table(["a"], data=[[n] for n in range(10)])))
    selection = Selection(
        where=("odd = 1", "double > 4"),
        sort=(SortKey("double", descending=True),),
        computed=(("double", "a * 2"), ("odd", "a % 2"), ("name", "'n' || CAST(odd AS TEXT)")),
    )
    window = explored.window(selection)
    assert window.cells["double"].to_pylist() == [18, 14, 10, 6]
    assert [(one.name, one.role, one.is_computed) for one in window.columns] == [
        ("a", "number", False),
        ("double", "number", True),
        ("odd", "number", True),
        ("name", "text", True),
    ]
    groups = explored.groups(Selection(computed=selection.computed), ["name"], columns=["double"])
    assert groups.keys["name"].to_pylist() == ["n0", "n1"]
    assert [group.summaries[0].total for group in groups.groups] == [40, 50]
    assert explored.values(selection, "name")[0].value == "n1"
    (facet,) = explored.facets(selection, ["odd"])
    assert [(one.value, one.count, one.selected) for one in facet.values] == [(0, 5, 0), (1, 5, 4)]


def test_an_error_of_a_condition_says_where_it_is() -> None:
    explored = ExploredTable(Table(["a"], data=[[1]]))
    for selection, code in (
        (Selection(where=("a >",)), "expression-invalid"),
        (Selection(where=("b > 1",)), "column-unknown"),
        (Selection(computed=(("c", "nothing + 1"),)), "column-unknown"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            explored.window(selection)
        assert caught.value.code == code
        assert "position" in caught.value.context
    for selection, code in (
        (Selection(sort=(SortKey("b"),)), "column-unknown"),
        (Selection(computed=(("A", "1"),)), "columns-invalid"),
        (Selection(where=("a / 0 > 1",) * 100), "limit-exceeded"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            explored.window(selection)
        assert caught.value.code == code


def test_computed_columns_that_double_each_other_are_refused() -> None:
    explored = ExploredTable(Table(["a"], data=[[1]]))
    computed = [("c0", "a + a")]
    computed += [(f"c{n}", f"c{n - 1} + c{n - 1} + c{n - 1} + c{n - 1}") for n in range(1, 30)]
    with pytest.raises(LimitExceededError):
        explored.window(Selection(computed=tuple(computed)))


def test_values_are_completed_whatever_their_case_and_signs(put: Any) -> None:
    names = ["Apple", "apple", "a%b", "a_b", "a'b\"; DROP", "Äpfel", None, "apple", "b"]
    explored = ExploredTable(put(Table(["t"], data=[[name] for name in names])))

    def found(prefix: str) -> list[Any]:
        return [one.value for one in explored.values(Selection(), "t", prefix)]

    assert found("APP") == ["apple", "Apple"]
    assert found("a%") == ["a%b"]
    assert found("a_") == ["a_b"]
    assert found("a'") == ["a'b\"; DROP"]
    assert found("ä") == ["Äpfel"]
    assert found("") == ["apple", "Apple", "a%b", "a'b\"; DROP", "a_b", "b", "Äpfel"]
    assert [one.count for one in explored.values(Selection(), "t", "", 1)] == [2]
    assert found("%") == []


def test_names_of_columns_are_never_sql(put: Any) -> None:
    name = 'a"; DROP TABLE x; --'
    explored = ExploredTable(put(Table([name, "w", "c0"], data=[[1, 2, 3], [0, 5, 6]])))
    window = explored.window(Selection(where=("w > 1 AND c0 > 1",), sort=(SortKey(name),)))
    assert window.cells[name].to_pylist() == [0, 1]
    assert explored.groups(Selection(), [name, "w"]).total == 2
    assert len(explored.facets()) == 3


def test_rows_are_shown_of_columns_that_sql_cannot_tell_apart(put: Any) -> None:
    explored = ExploredTable(put(Table(["a", "A"], data=[[n, "x" * 1001 * n] for n in range(9)])))
    window = explored.window(start=7)
    assert window.cells["a"].to_pylist() == [7, 8]
    assert window.lengths == {"A": (7007, 8008)}
    assert explored.rows([5, 0], ["a"]).cells["a"].to_pylist() == [5, 0]
    assert explored.count().total == 9
    with pytest.raises(InvalidInputError) as caught:
        explored.window(Selection(where=("a = 1",)))
    assert caught.value.code == "columns-invalid"


def test_two_thousand_columns_are_shown_a_few_at_a_time(tmp_path: Path) -> None:
    data = {f"c{n}": np.arange(20) * n for n in range(2000)}
    explored = ExploredTable(Shelf(tmp_path).put(Table(data=data)))
    window = explored.window(Selection(where=("c1999 > 2000",)), 0, 5, ["c3", "c1999"])
    assert window.cells["c3"].to_pylist() == [6, 9, 12, 15, 18]
    assert len(explored.window(count=3).columns) == 2000
    assert [one.column for one in explored.facets(columns=["c7", "c2"])] == ["c7", "c2"]


def slow_table() -> ExploredTable:
    return ExploredTable(Table(data={"t": np.array(["abcdefgh" * 40] * 150_000)}))


SLOW = Selection(
    where=(" OR ".join(f"regexp_matches(t, '(a.*|b.*)*(c|d)*e.*{n}$')" for n in range(100)),)
)


def test_another_thread_stops_a_query_and_others_go_on() -> None:
    explored = slow_table()
    explored.window()
    ticket = Ticket()
    errors: list[ArtstoreError] = []

    def ask() -> None:
        with interruptible(ticket):
            try:
                explored.count(SLOW)
            except ArtstoreError as error:
                errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    began = time.monotonic()
    assert explored.count().total == 150_000
    assert explored.window(count=5).numbers == [0, 1, 2, 3, 4]
    is_still_running = thread.is_alive()
    ticket.cancel()
    thread.join(20)
    assert is_still_running
    assert time.monotonic() - began < 20
    assert [(type(error), error.code) for error in errors] == [(StateError, "query-cancelled")]
    assert explored.window(count=1).numbers == [0]


def test_a_query_ends_when_its_time_is_over() -> None:
    explored = slow_table()
    with (
        interruptible(Ticket(QueryLimits(seconds=0.05))),
        pytest.raises(LimitExceededError) as late,
    ):
        explored.count(SLOW)
    assert late.value.code == "query-too-long"


def test_a_cancelled_ticket_lets_nothing_begin() -> None:
    ticket = Ticket()
    ticket.cancel()
    with interruptible(ticket), pytest.raises(StateError):
        ExploredTable(Table(["a"], data=[[1]])).window(Selection(where=("a = 1",)))


def test_what_is_kept_is_bounded() -> None:
    cache = AnswerCache(100)
    for n in range(50):
        cache.put(n, str(n), 30)
        assert cache.size_bytes <= 100
    assert cache.get(49) == "49"
    assert cache.get(0) is None
    cache.put("large", "x", 101)
    assert cache.get("large") is None
    explored = ExploredTable(Table(data={"a": np.arange(20_000)}), cache_bytes=50_000)
    for n in range(20):
        explored.window(Selection(where=(f"a > {n}",), sort=(SortKey("a", descending=True),)))
        assert explored.cached_bytes <= 50_000


@pytest.mark.parametrize("part", [0, 0.001, 0.03, 0.5, 1])
def test_a_set_of_rows_knows_its_numbers_and_their_ranks(part: float) -> None:
    rng = np.random.default_rng(1)
    numbers = np.flatnonzero(rng.random(100_000) < part) + 500
    rows = RowSet(np.array_split(rng.permutation(numbers), 7), 500, 100_000)
    assert rows.count == len(numbers)
    for start, stop in ((0, 5), (90, 3000), (len(numbers) - 3, len(numbers) + 9), (10**6, 10**7)):
        assert rows.numbers(start, stop).tolist() == numbers[max(start, 0) : stop].tolist()
    assert rows.numbers(0, 10**6).tolist() == numbers.tolist()
    for place in range(0, len(numbers), 997):
        assert rows.rank(int(numbers[place])) == place
    missing = np.setdiff1d(np.arange(500, 1500), numbers)[:5].tolist()
    assert [rows.rank(number) for number in [3, *missing, 10**9]] == [None] * (2 + len(missing))

"""
Conditions about compared tables: `*` for every side, quick filters, "N of M rows" of each.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.tables.exploring import Count, ExploredTable, Selection
from artstore.tables.exploring.compared import ComparedTables
from artstore.tables.exploring.comparekeys import CompareKey
from artstore.tables.exploring.everyside import expanded
from artstore.tables.exploring.quickconditions import quick_condition, side_counts
from artstore.tables.table import Table
from tests.unit.tables.fewer import FEWER

BY_K = CompareKey("columns", ("k",))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("*.score > 0.5", "t0.score > 0.5"),
        ("NOT *.\"a b\" OR (*.x='*.x')", "NOT t0.\"a b\" OR (t0.x='*.x')"),
        ("abs(*.x-*.y)<1", "abs(t0.x-t0.y)<1"),
        ("{$gt: ['$*.score', 0.5]}", "{$gt: ['$0.score', 0.5]}"),
        ("{$gt: [$*.score, $*.other]}", "{$gt: [$0.score, $0.other]}"),
        ('{"*.score": {"$gt": 1}}', '{"0.score": {"$gt": 1}}'),
        (
            "{$and: [{'*.s': '$*.x'}, {$eq: ['$*.t', {$literal: '$*.y'}]}]}",
            "{$and: [{'0.s': '$*.x'}, {$eq: ['$0.t', {$literal: '$*.y'}]}]}",
        ),
        (
            "{$filter: {input: '$*.list', cond: {$gt: ['$$this', '$*.x']}}}",
            "{$filter: {input: '$0.list', cond: {$gt: ['$$this', '$0.x']}}}",
        ),
    ],
)
def test_a_star_stands_for_every_table(text: str, first: str) -> None:
    assert expanded(text, 3) == tuple(
        first.replace("t0.", f"t{at}.")
        .replace("$0.", f"${at}.")
        .replace("0.s'", f"{at}.s'")
        .replace('"0.s', f'"{at}.s')
        for at in range(3)
    )


@pytest.mark.parametrize(
    "text",
    [
        "score * 0.5 > 1",
        "a*b > 1",
        "2 *.5 > x",
        "name = '*.x'",
        '"*.x" = 1',
        '"*".x = 1',
        "a*.5 > 1",
        "{name: '$*.x'}",
        "{$eq: ['$name', {$literal: '$*.x'}]}",
        "{'a*.b': 1}",
        "{$eq: ['$name', '*.x']}",
        "",
        "{",
        "'*.x",
    ],
)
def test_what_is_no_path_of_every_table_stays(text: str) -> None:
    assert expanded(text, 2) == (text,)


@given(st.text(st.sampled_from("*.x$'\"{}[]:, 1t\\")))
def test_any_text_is_expanded_to_itself_or_to_one_text_for_each_table(text: str) -> None:
    found = expanded(text, 2)
    assert found == (text,) or (len(found) == 2 and "*" in text)


def test_a_condition_of_every_table_holds_for_all() -> None:
    explored = explored_of({"x": [1, 5, 9]}, {"x": [6, 7, 0]})
    for text in ("*.x > 4", "{$gt: ['$*.x', 4]}", "{'*.x': {$gt: 4}}"):
        assert explored.window(Selection((text,))).numbers == [1], text


def explored_of(*tables: dict[str, list[Any]]) -> ExploredTable:
    """Tables compared by `k`, which counts from 0 on if it is left out."""
    made = []
    for columns in tables:
        rows = len(next(iter(columns.values())))
        made.append(Table(data={"k": list(range(rows)), **columns}))
    return ExploredTable(ComparedTables(made, BY_K))


def found(
    explored: ExploredTable, name: str, truth: str | None = None, guess: str | None = None
) -> list[int]:
    compared = explored.reader
    assert isinstance(compared, ComparedTables)
    selection = Selection((quick_condition(name, compared, truth, guess),))
    return explored.window(selection).numbers


def test_quick_filters_tell_where_rows_are() -> None:
    tables = [Table(data={"k": keys}) for keys in ([1, 2, 3], [2, 3, 4], [3, 5])]
    explored = ExploredTable(ComparedTables(tables, BY_K))
    assert found(explored, "both") == [2]
    assert found(explored, "only:0") == [0]
    assert found(explored, "only:1") == [3]
    assert found(explored, "only:2") == [4]
    assert found(explored, "changed") == []


@FEWER
@given(st.lists(st.tuples(*[st.none() | st.integers(0, 2)] * 4), min_size=1, max_size=8))
def test_right_and_wrong_are_what_they_are_in_python(rows: list[tuple[Any, ...]]) -> None:
    truths, others, before, now = (list(column) for column in zip(*rows, strict=True))
    explored = explored_of({"t": truths, "g": before}, {"t": others, "g": now})

    def verdict(truth: Any, guess: Any) -> int:
        return 0 if truth is None else 1 if truth == guess else -1

    told = [
        (verdict(truth, one), verdict(other, two))
        for truth, other, one, two in zip(truths, others, before, now, strict=True)
    ]
    assert found(explored, "regressed", "t", "g") == [
        at for at, one in enumerate(told) if one == (1, -1)
    ]
    assert found(explored, "fixed", "t", "g") == [
        at for at, one in enumerate(told) if one == (-1, 1)
    ]
    assert found(explored, "disagree", guess="g") == [
        at for at, (one, two) in enumerate(zip(before, now, strict=True)) if one != two
    ]


def test_truth_is_a_column_of_one_table_or_of_the_key() -> None:
    one, two = {"g": [1, 2, 3]}, {"g": [1, 0, 3], "it's": [1, 2, 9]}
    assert found(explored_of(one, two), "regressed", "it's", "g") == [1]
    assert found(explored_of(two, one), "fixed", "it's", "g") == [1]
    assert found(explored_of({"g": [0, 0]}, {"g": [0, 1]}), "fixed", "k", "g") == [1]


def test_guesses_of_two_kinds_are_compared_as_texts() -> None:
    explored = explored_of({"g": [1, 2]}, {"g": ["1", "3"]})
    assert found(explored, "disagree", guess="g") == [1]


@pytest.mark.parametrize(
    ("name", "truth", "guess", "code"),
    [
        ("only:2", None, None, "value-invalid"),
        ("only:-1", None, None, "value-invalid"),
        ("only:", None, None, "value-invalid"),
        ("nothing", None, None, "value-invalid"),
        ("regressed", None, "g", "value-invalid"),
        ("disagree", None, None, "value-invalid"),
        ("fixed", "nothing", "g", "column-unknown"),
        ("disagree", None, "one", "column-unknown"),
        ("disagree", None, "list", "expression-type-invalid"),
    ],
)
def test_quick_filters_without_what_they_need_are_refused(
    name: str, truth: str | None, guess: str | None, code: str
) -> None:
    explored = explored_of({"g": [1], "one": [1], "list": [[1]]}, {"g": [1], "list": [[1]]})
    with pytest.raises(InvalidInputError) as caught:
        found(explored, name, truth, guess)
    assert caught.value.code == code


def test_each_side_tells_how_many_of_its_rows_are_selected() -> None:
    explored = explored_of({"x": [1, 2, 3]}, {"x": [1, 5]})
    assert side_counts(explored, Selection()) == [Count(3, 3), Count(2, 2)]
    assert side_counts(explored, Selection(("t0.x > 1",))) == [Count(2, 3), Count(1, 2)]
    with pytest.raises(InvalidInputError) as caught:
        side_counts(ExploredTable(Table(data={"x": [1]})), Selection())
    assert caught.value.code == "value-invalid"


@pytest.mark.parametrize("text", ["*.x + 1", "{$add: ['$*.x', 1]}"])
def test_a_star_in_a_computed_column_is_refused_in_words(text: str) -> None:
    tables = [Table(["k", "x"], data=[[1, n]]) for n in range(2)]
    explored = ExploredTable(ComparedTables(tables, BY_K))
    with pytest.raises(InvalidInputError, match="every table") as error:
        explored.window(Selection(computed=(("y", text),)))
    assert (error.value.code, "t0.score" in str(error.value.hint)) == ("expression-invalid", True)
    computed = Selection(where=("*.x < 5",), computed=(("y", "t0.x + t1.x"),))
    assert explored.window(computed, columns=["y"]).cells["y"].to_pylist() == [1]

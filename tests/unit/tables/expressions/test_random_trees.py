"""Random expressions of Mongo come to what a plain interpreter of the page says."""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artstore.tables.expressions import Scope, parse_condition, parse_value
from tests.unit.tables.expressions.evaluating import NAN, alike, connection
from tests.unit.tables.expressions.interpreter import TooLarge, evaluated

ROWS: list[dict[str, Any]] = [
    {"i": 3, "j": -2, "x": 0.5, "s": "abc", "t": "b", "b": True, "l": [1, 2, 3], "m": ["a", "b"]},
    {"i": 0, "j": None, "x": NAN, "s": "", "t": "B", "b": False, "l": [], "m": []},
    {"i": None, "j": 5, "x": -2.5, "s": None, "t": "a b", "b": None, "l": [None, -4], "m": [None]},
    {"i": -7, "j": 3, "x": None, "s": "aXb", "t": None, "b": True, "l": None, "m": None},
]
TYPES = pa.schema(
    [
        *((name, pa.int64()) for name in "ij"),
        ("x", pa.float64()),
        *((name, pa.string()) for name in "st"),
        ("b", pa.bool_()),
        ("l", pa.list_(pa.int64())),
        ("m", pa.list_(pa.string())),
    ]
)


@pytest.fixture(scope="module")
def scope() -> Scope:
    return Scope.of(ibis.memtable(pa.Table.from_pylist(ROWS, TYPES)))


def one(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*arguments).map(lambda values: {name: list(values)})


def some(name: str, argument: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[Any]:
    return st.lists(argument, min_size=least, max_size=3).map(lambda values: {name: values})


def loops(name: str, over: st.SearchStrategy[Any], key: str, body: Any) -> st.SearchStrategy[Any]:
    """A loop over a list, whose body is drawn with the element among the leaves."""
    names = st.sampled_from(["a", "b", "this"])
    return names.flatmap(
        lambda variable: st.tuples(over, body(f"$${variable}")).map(
            lambda drawn: {name: {"input": drawn[0], "as": variable, key: drawn[1]}}
        )
    )


def numbers(depth: int, *elements: str) -> st.SearchStrategy[Any]:
    """Expressions that give a number; `elements` are names of elements of loops."""
    leaf = st.one_of(
        st.sampled_from(["$i", "$j", "$x", *elements]),
        st.integers(-5, 5),
        st.sampled_from([0.5, -2.5]),
    )
    if not depth:
        return leaf
    number, integer = numbers(depth - 1, *elements), integers(depth - 1, *elements)
    binary = ["$subtract", "$divide", "$mod"]
    unary = ["$abs", "$floor", "$ceil", "$trunc", "$round"]
    return st.one_of(
        leaf,
        integer,
        *(one(name, number, number) for name in binary),
        *(one(name, number) for name in unary),
        *(some(name, number) for name in ("$add", "$multiply")),
        *(some(name, number, 2) for name in ("$min", "$max", "$ifNull")),
        one("$cond", conditions(depth - 1, *elements), number, number),
        st.tuples(conditions(depth - 1, *elements), number, number).map(
            lambda drawn: {
                "$switch": {"branches": [{"case": drawn[0], "then": drawn[1]}], "default": drawn[2]}
            }
        ),
    )


def integers(depth: int, *elements: str) -> st.SearchStrategy[Any]:
    leaf = st.one_of(st.sampled_from(["$i", "$j", *elements]), st.integers(-5, 5))
    if not depth:
        return leaf
    listed = lists(depth - 1, *elements)
    return st.one_of(
        leaf,
        one("$size", listed),
        one("$strLenCP", texts(depth - 1)),
        *(one(name, listed) for name in ("$first", "$last")),
        st.sampled_from(["$min", "$max", "$sum"]).map(lambda name: {name: "$l"}),
        one("$arrayElemAt", listed, integers(0, *elements)),
        some("$sum", integers(depth - 1, *elements), 2),
    )


def texts(depth: int) -> st.SearchStrategy[Any]:
    leaf = st.one_of(st.sampled_from(["$s", "$t"]), st.sampled_from(["", "a", "Bc", "x'y", 'q"']))
    if not depth:
        return leaf
    text = texts(depth - 1)
    return st.one_of(
        leaf,
        some("$concat", text),
        one("$toUpper", text),
        one("$toLower", text),
        one("$substrCP", text, st.integers(0, 2), st.integers(0, 2)),
        some("$ifNull", text, 2),
        one("$cond", conditions(depth - 1), text, text),
        one(
            "$arrayElemAt",
            one("$split", text, st.sampled_from(["a", "b", " "])),
            st.integers(-2, 2),
        ),
        st.sampled_from(["$first", "$last", "$min", "$max"]).map(lambda name: {name: "$m"}),
    )


def lists(depth: int, *elements: str) -> st.SearchStrategy[Any]:
    """Expressions that give a list of whole numbers."""
    leaf = st.one_of(st.just("$l"), st.lists(integers(0, *elements), min_size=1, max_size=3))
    if not depth or len(elements) > 1:
        return leaf
    listed = lists(depth - 1, *elements)
    return st.one_of(
        leaf,
        loops("$filter", listed, "cond", lambda name: conditions(depth - 1, *elements, name)),
        loops("$map", listed, "in", lambda name: integers(depth - 1, *elements, name)),
    )


def conditions(depth: int, *elements: str) -> st.SearchStrategy[Any]:
    leaf = st.one_of(st.just("$b"), st.booleans())
    if not depth:
        return leaf
    number, text = numbers(depth - 1, *elements), texts(depth - 1)
    condition = conditions(depth - 1, *elements)
    listed = lists(depth - 1, *elements)
    same = ["$eq", "$ne"]
    ordered = ["$gt", "$gte", "$lt", "$lte"]
    options = st.lists(st.one_of(st.integers(-5, 5), st.none()), max_size=3)
    truths = st.lists(condition, min_size=1, max_size=3)
    return st.one_of(
        leaf,
        *(one(name, number, number) for name in (*same, *ordered)),
        *(one(name, text, text) for name in (*same, *ordered)),
        *(one(name, condition, condition) for name in same),
        *(one(name, number, st.none()) for name in same),
        *(one(name, number, options) for name in ("$in", "$nin")),
        one("$in", st.integers(-5, 5), listed),
        *(some(name, condition) for name in ("$and", "$or", "$nor")),
        one("$not", condition),
        *(one("$exists", value) for value in (number, text, listed)),
        st.tuples(text, st.sampled_from(["a", "^b", "[A-Z]", "^$", "b$"])).map(
            lambda drawn: {"$regexMatch": {"input": drawn[0], "regex": drawn[1]}}
        ),
        *(one(name, truths) for name in ("$anyElementTrue", "$allElementsTrue")),
        one("$cond", condition, condition, condition),
    )


def expected(tree: Any) -> list[Any]:
    try:
        return [evaluated(tree, row) for row in ROWS]
    except (TooLarge, OverflowError):
        assume(False)
        raise


def found(value: Any) -> list[Any]:
    result = connection().to_pyarrow(value)
    return result.to_pylist() if hasattr(result, "to_pylist") else [result.as_py()] * len(ROWS)


def operations(*drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(*drawn).filter(lambda tree: isinstance(tree, dict))


@given(tree=operations(numbers(3), texts(3), lists(3), conditions(3)))
def test_a_value_is_what_the_interpreter_says(scope: Scope, tree: dict[str, Any]) -> None:
    wanted = expected(tree)
    assert all(map(alike, found(parse_value(tree, scope)), wanted))


@given(tree=operations(conditions(4)))
def test_a_filter_keeps_what_the_interpreter_says(scope: Scope, tree: dict[str, Any]) -> None:
    wanted = [value is True for value in expected(tree)]
    assert [value is True for value in found(parse_condition(tree, scope))] == wanted

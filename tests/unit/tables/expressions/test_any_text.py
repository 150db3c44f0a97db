"""Whatever text comes: an expression that DuckDB takes, or an ArtstoreError."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import ArtstoreError
from artstore.tables.expressions import parse_aggregate, parse_condition, parse_value
from artstore.tables.expressions.mongo import OPERATORS
from artstore.tables.expressions.mongoquery import QUERY_OPERATORS
from artstore.tables.expressions.sql import FUNCTIONS
from tests.unit.tables.expressions.evaluating import connection, scope

CODES = {
    "expression-invalid",
    "expression-type-invalid",
    "column-unknown",
    "column-ambiguous",
    "limit-exceeded",
}
COLUMNS = ["guess", "score", "name", "seen", "tags", "numbers", "day", "zoned", "u64", "f32"]
PATHS = ["image.width", "image.boxes", "image.boxes.ground_truth", "image.masks.road"]
VALUES = ["1", "0", "-1", "0.5", "1e300", "'a'", "'2024-01-01'", "NULL", "true", "[]", "[1, 2]"]

leaves = st.sampled_from(COLUMNS + PATHS + VALUES)


def sql_over(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["+", "-", "*", "/", "%", "=", "!=", "<", ">=", "AND", "OR", "||", "IN", "LIKE"]
    operators += ["IS DISTINCT FROM", "IS NOT DISTINCT FROM"]
    types = ["BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP"]
    arguments = st.lists(inner, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(operators), inner),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), arguments),
        st.builds("list_filter({}, x -> {})".format, inner, inner),
        st.builds("list_transform({}, x -> x.class_id)".format, inner),
        st.builds("CAST({} AS {})".format, inner, st.sampled_from(types)),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, inner, inner, inner),
        st.builds("{} BETWEEN {} AND {}".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("NOT {}".format, inner),
        st.builds("{} IS NULL".format, inner),
        st.builds("{} IN ({})".format, inner, arguments),
    )


json_leaves = st.one_of(
    st.sampled_from([f"${name}" for name in COLUMNS + PATHS] + ["$$this", "$$this.class_id"]),
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.floats(),
    st.text(max_size=5),
)


def mongo_over(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from([*OPERATORS, *QUERY_OPERATORS])
    arguments = st.one_of(inner, st.lists(inner, max_size=3))
    named = st.fixed_dictionaries({"input": inner, "cond": inner})
    return st.one_of(
        st.dictionaries(names, arguments, min_size=1, max_size=1),
        st.dictionaries(st.sampled_from(COLUMNS), arguments, min_size=1, max_size=2),
        st.builds(lambda given: {"$filter": given}, named),
        st.builds(lambda over, body: {"$map": {"input": over, "in": body}}, inner, inner),
    )


sql_texts = st.recursive(leaves, sql_over, max_leaves=8)
mongo_values = st.recursive(json_leaves, mongo_over, max_leaves=10).filter(
    lambda value: isinstance(value, dict)
)
noise = st.text(
    st.one_of(st.characters(), st.sampled_from("()[]{}'\"$.,:;-+*/%<>=| \nabc01")), max_size=40
)
words = st.lists(
    st.sampled_from(
        [*COLUMNS, *VALUES, *"()[]{}.,+-*/%<>='\"", "AND", "NOT", "CASE", "WHEN", "END"]
    ),
    max_size=12,
).map(" ".join)


def works_or_tells(parse: Callable[..., Any], text: Any) -> None:
    try:
        value = parse(text, scope())
    except ArtstoreError as error:
        assert error.code in CODES
        if isinstance(text, str) and "position" in error.context:
            assert 0 <= error.context["position"] <= len(text)
        return
    # Where 64 bits are not enough: the page tells it.
    with suppress(duckdb.OutOfRangeException):
        connection().to_pyarrow(value)


PARSERS = [parse_condition, parse_value, parse_aggregate]


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.one_of(noise, noise.map(lambda text: "{" + text), words))
def test_any_text_is_an_expression_or_an_error(parse: Callable[..., Any], text: str) -> None:
    works_or_tells(parse, text)


@given(text=sql_texts)
def test_what_looks_like_sql_is_an_expression_or_an_error(text: str) -> None:
    works_or_tells(parse_value, text)
    works_or_tells(parse_condition, f"({text}) IS NOT NULL AND seen")


@given(value=mongo_values)
def test_what_looks_like_mongo_is_an_expression_or_an_error(value: dict[str, Any]) -> None:
    works_or_tells(parse_value, value)
    works_or_tells(parse_condition, {"$and": [value, "$seen"]})


@given(text=sql_texts, name=st.sampled_from(["sum", "mean", "max", "count", "stddev", "median"]))
def test_what_looks_like_an_aggregate_is_one_or_an_error(text: str, name: str) -> None:
    works_or_tells(parse_aggregate, f"{name}({text})")

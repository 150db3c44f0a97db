"""Hostile sizes: refused with the limit they pass, at once, and never by a RecursionError."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import ibis
import pytest

from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError
from artstore.tables.expressions import parse_aggregate, parse_condition, parse_value
from tests.unit.tables.expressions.evaluating import connection, scope, values

SIZES = (1, 20, 24, 25, 30, 50, 51, 100, 500, 4_000, 100_000)
SHAPES: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "(" * n + "seen" + ")" * n,
    "open brackets": lambda n: "(" * n,
    "closed brackets": lambda n: ")" * n,
    "functions": lambda n: "abs(" * n + "guess" + ")" * n,
    "roots": lambda n: "sqrt(" * n + "guess" + ")" * n,
    "divisions": lambda n: "(1 / " * n + "guess" + ")" * n,
    "lists": lambda n: "[" * n + "1" + "]" * n,
    "places": lambda n: "tags[" * n + "1" + "]" * n,
    "places behind": lambda n: "tags" + "[1]" * n,
    "not": lambda n: "NOT " * n + "seen",
    "minus": lambda n: "- " * n + "guess",
    "plus": lambda n: "guess" + " + guess" * n,
    "minus between": lambda n: "guess" + " - guess" * n,
    "and": lambda n: "seen" + " AND seen" * n,
    "and or": lambda n: "seen" + " AND seen OR seen" * n,
    "equal": lambda n: "seen" + " = seen" * n,
    "concatenation": lambda n: "name" + " || name" * n,
    "in": lambda n: "guess IN (1" + ", 2" * n + ")",
    "case": lambda n: "CASE WHEN seen THEN " * n + "1" + " END" * n,
    "open case": lambda n: "CASE " * n,
    "when": lambda n: "CASE " + "WHEN seen THEN 1 " * n + "END",
    "casts": lambda n: "guess" + "::BIGINT" * n,
    "types": lambda n: "CAST(guess AS " + "ARRAY<" * n + "INT" + ">" * n + ")",
    "fields": lambda n: "image" + ".a" * n,
    "lambdas": lambda n: "list_filter(tags, x -> " * n + "true" + ")" * n,
    "arrows": lambda n: "list_filter(tags, " + "x -> " * n + "true)",
    "intervals": lambda n: "INTERVAL " * n + "1",
    "mixed prefixes": lambda n: "NOT - " * n + "seen",
    "between": lambda n: "guess BETWEEN 1 AND " * n + "1",
    "digits": lambda n: "1" * n,
    "digits of a fraction": lambda n: "0." + "1" * n,
    "quotes": lambda n: "'" * n,
    "operators": lambda n: "{$not: " * n + "true" + "}" * n,
    "operators in lists": lambda n: "{$abs: [" * n + "'$guess'" + "]}" * n,
    "lists in lists": lambda n: "{$eq: [1, " + "[" * n + "1" + "]" * n + "]}",
    "open objects": lambda n: "{$a:" * n,
    "open lists": lambda n: "{$a:" + "[" * n,
    "members": lambda n: "{" + ", ".join(f"k{i}: 1" for i in range(n)) + "}",
    "terms": lambda n: "{$add: [" + "1, " * n + "]}",
    "conditions": lambda n: "{$and: [" + "'$seen', " * n + "]}",
    "options": lambda n: "{$in: ['$guess', [" + "1, " * n + "]]}",
    "one of one of": lambda n: "{$in: [" * n + "'$seen'" + ", [true, null]]}" * n,
    "divided": lambda n: "{$divide: [1, " * n + "'$guess'" + "]}" * n,
    "loops": lambda n: "{$map: {input: '$tags', in: " * n + "1" + "}}" * n,
    "a path": lambda n: "{$eq: ['$image" + ".a" * n + "', 1]}",
    "a regex": lambda n: "regexp_matches(name, '" + "(" * n + ")" * n + "')",
    "a regex that repeats": lambda n: f"regexp_matches(name, '(a{{{n}}}){{{n}}}')",
    "a pattern": lambda n: "name LIKE '" + "%a_" * n + "'",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_gives_an_expression_or_an_error_at_once(shape: str) -> None:
    for size in SIZES:
        text = SHAPES[shape](size)
        started = time.perf_counter()
        try:
            value = parse_value(text, scope())
        except ArtstoreError as error:
            assert error.code in (
                "limit-exceeded",
                "expression-invalid",
                "expression-type-invalid",
                "column-unknown",
            )
        else:
            ibis.to_sql(value, dialect="duckdb")
            connection().to_pyarrow(value)
        assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "{$not: " * 100_000,
        "seen AND " * 2_000 + "seen",
        "{$map: {input: '$tags', in: " * 4 + "1" + "}}" * 4,
        "(" * 25 + "seen" + ")" * 25,
        "NOT " * 25 + "seen",
        "guess" + " + 1" * 51,
        "{$abs: " * 51 + "1" + "}" * 51,
        "CASE WHEN seen THEN " * 25 + "1" + " END" * 25,
        "list_transform(tags, x -> " * 4 + "1" + ")" * 4,
    ],
)
def test_what_is_too_long_or_too_deep_names_the_limit(text: str) -> None:
    with pytest.raises(LimitExceededError) as caught:
        parse_value(text, scope())
    assert caught.value.code == "limit-exceeded"
    assert f"{caught.value.context['limit']:,}" in caught.value.message


def test_an_aggregate_has_the_same_limits() -> None:
    for text in ("sum(" + "(" * 30 + "guess" + ")" * 31, "sum(" * 100_000):
        with pytest.raises(LimitExceededError):
            parse_aggregate(text, scope())


def test_a_dict_has_the_same_limits() -> None:
    deep: Any = "$seen"
    for _ in range(10_000):
        deep = {"$not": [deep]}
    wide: dict[str, Any] = {"$and": ["$seen"] * 20_000}
    endless: dict[str, Any] = {}
    endless["$not"] = endless
    for hostile in (deep, wide, endless):
        with pytest.raises(LimitExceededError):
            parse_condition(hostile, scope())


def test_thousands_of_options_and_conditions_are_fine() -> None:
    assert values("guess IN (" + ", ".join(map(str, range(1_500))) + ")")[0] is True
    assert values("seen" + " AND seen" * 900)[0] is True


def test_a_stack_that_is_almost_used_up_gives_the_limit() -> None:
    text = "abs(" * 20 + "guess" + ")" * 20

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            parse_value(text, scope())

    parse_value(text, scope())
    with pytest.raises(LimitExceededError, match="nested too deeply"):
        deeper(sys.getrecursionlimit() - len_of_stack() - 120)


def len_of_stack() -> int:
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1  # type: ignore[assignment]
    return count


def test_a_number_of_any_length_is_read_or_refused() -> None:
    assert values("1" * 300)[0] == float("1" * 300)
    for text in ("1" * 400, "1" * 5_000, "{$add: [" + "1" * 5_000 + "]}"):
        with pytest.raises(InvalidInputError, match="larger than any"):
            parse_value(text, scope())

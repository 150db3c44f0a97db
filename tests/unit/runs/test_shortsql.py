"""Short SQL is read as sqlglot reads it, or left to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.dialects.duckdb import DuckDB

from artstore.runs import shortsql
from artstore.runs.names import FIRST_NAMES
from artstore.tables.expressions import sql
from artstore.tables.expressions.refusal import Refusal

WORDS = sorted(word for word in DuckDB.Tokenizer.KEYWORDS if word.isidentifier())

PIECES = st.sampled_from(
    [
        *("a", "b", "config.lr", 'summary."val/acc"', "name", "group", "tags", "x.y.z", "end"),
        *("1", "-2", "0.5", "1e3", "'x'", "'it''s'", "NULL", "true"),
        *("=", "==", "!=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "(", ")", ","),
        *("AND", "or", "NOT", "IS NULL", "IS NOT TRUE", "IN (1, 2)", "NOT IN ('a')", "IN tags"),
        *("BETWEEN 1 AND", "LIKE 'a%'", "not ilike '_'", "lower(", "abs(", "coalesce(", "[1]"),
    ]
)


def same_or_none(text: str) -> bool:
    found = shortsql.read(text, FIRST_NAMES)
    if found is None:
        return False
    assert sql.read(text) == found
    return True


@given(pieces=st.lists(PIECES, min_size=1, max_size=12))
def test_whatever_is_read_is_what_sqlglot_reads(pieces: list[str]) -> None:
    same_or_none(" ".join(pieces))


@pytest.mark.parametrize("place", ["summary.{} > 1", "{} = 1", "1 < config.{} AND a = 2"])
def test_words_of_sql_are_read_alike_or_left_alone(place: str) -> None:
    for word in WORDS:
        for text in (place.format(word), place.format(word.lower())):
            try:
                same_or_none(text)
            except Refusal as error:
                pytest.fail(f"{text}: {error.why}")


@pytest.mark.parametrize(
    "text",
    [
        "summary.acc > 0.9 AND state = 'finished'",
        "config.lr BETWEEN 1e-4 AND 1e-2 OR NOT (a = 1 AND b IS NOT NULL)",
        "(a + b) + c - d * 2 / -e % 3 >= abs(-x)",
        "a + b + c = 1",
        "name ILIKE '%x' AND 'a' IN tags AND group NOT IN ('x', NULL)",
        "created > '2026-01-01' AND duration > 60 * 60",
    ],
)
def test_what_people_write_is_read_here(text: str) -> None:
    assert same_or_none(text)


@pytest.mark.parametrize(
    "text", ["", "a = ", "a -- b", "CAST(a AS INT) = 1", "a::INT = 1", "a = 'x", "a ** 2 > 1"]
)
def test_the_rest_is_left_to_sqlglot(text: str) -> None:
    assert not same_or_none(text)

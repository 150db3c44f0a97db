"""docs/reference/expressions.md has every operator of both languages, and results that hold."""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import cache
from typing import Any

import ibis
import pyarrow as pa
import pytest

from artstore.errors import CODES
from artstore.tables.expressions import (
    AGGREGATES,
    Scope,
    mongo,
    parse_aggregate,
    parse_value,
    relaxed,
    sql,
    sqltext,
)
from artstore.tables.expressions.mongoquery import QUERY_OPERATORS
from artstore.tables.expressions.operation import ARGUMENT_COUNT
from artstore.tables.expressions.refusal import TEXT_CHARS
from tests.docs.pages import DOCS, block_named
from tests.unit.tables.expressions.evaluating import alike, connection

PAGE = DOCS / "reference" / "expressions.md"
TEXT = PAGE.read_text("utf-8")
CELL = re.compile(r"(?:\\\||[^|\n])+")


def rows_of(*heads: str) -> list[list[str]]:
    """The rows of all tables with these heads; a cell is what its backticks hold."""
    found: list[list[str]] = []
    inside = False
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[: len(heads)] == list(heads):
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(line) <= set("|- "):
            found.append([cell.strip("`").replace("\\|", "|") for cell in cells])
    assert found
    return found


EXAMPLES = [
    (text, result)
    for *texts, result in [*rows_of("SQL", "Mongo", "result"), *rows_of("Mongo", "result")]
    for text in texts
    if text
]


@cache
def table() -> Any:
    rows = json.loads(block_named(PAGE, "json rows"))
    for row in rows:
        row["day"] = row["day"] and dt.date.fromisoformat(row["day"])
        row["at"] = row["at"] and dt.datetime.fromisoformat(row["at"])
    return ibis.memtable(pa.Table.from_pylist(rows))


@pytest.mark.parametrize(("text", "result"), EXAMPLES)
def test_an_example_has_the_result_that_is_shown(text: str, result: str) -> None:
    found = connection().to_pyarrow(parse_value(text, Scope.of(table())))
    values = found.to_pylist() if hasattr(found, "to_pylist") else [found.as_py()] * 3
    wanted = json.loads(result)
    assert alike(values, wanted), values
    assert [type(value) for value in values] == [type(value) for value in wanted]


@pytest.mark.parametrize(
    ("text", "result"), [row[:2] for row in rows_of("aggregate", "result", "")]
)
def test_an_aggregate_has_the_result_that_is_shown(text: str, result: str) -> None:
    found = connection().to_pyarrow(parse_aggregate(text, Scope.of(table()))).as_py()
    assert alike(found, json.loads(result)), found


def test_every_operator_of_mongo_stands_on_the_page() -> None:
    assert not {name for name in mongo.OPERATORS if f"{{{name}: " not in TEXT}


def test_every_operator_of_queries_stands_in_their_section() -> None:
    section = TEXT.partition("## Documents of queries")[2].partition("\n## ")[0]
    names = {*QUERY_OPERATORS, "$regex", "$options", "$or", "$expr"}
    assert not {name for name in names if f"{name}: " not in section}


def test_every_function_and_type_of_sql_stands_on_the_page() -> None:
    written = " ".join(text for text, _ in EXAMPLES)
    functions = {*sql.FUNCTIONS, "list_filter", "list_transform"}
    assert functions == set(re.findall(r"\b([a-z][a-z0-9_]*)\(", written))
    assert not {name for name in sql.TYPES if name not in TEXT} - {"TIMESTAMPNTZ", "TIMESTAMPTZ"}


@pytest.mark.parametrize(
    "sign",
    [
        *("=", "==", "!=", "<>", ">", ">=", "<", "<=", "+", "-", "*", "/", "%", "||", "::", "->"),
        *("BETWEEN", "IN", "LIKE", "ILIKE", "ESCAPE", "CASE", "AND", "OR", "NOT"),
        *("IS NULL", "IS NOT NULL", "IS FALSE", "IS NOT TRUE"),
        *("IS DISTINCT FROM", "IS NOT DISTINCT FROM"),
    ],
)
def test_every_sign_of_sql_has_an_example(sign: str) -> None:
    assert any(sign in text for text, _ in EXAMPLES if not text.startswith("{"))


def test_every_aggregate_has_an_example() -> None:
    told = {row[0].partition("(")[0] for row in rows_of("aggregate", "result", "")}
    assert told == set(AGGREGATES)


def test_codes_and_limits_are_those_of_the_code() -> None:
    told = {row[0] for row in rows_of("code", "what")}
    assert told < set(CODES)
    for number in (sqltext.BRACKET_COUNT, relaxed.BRACKET_COUNT, ARGUMENT_COUNT):
        assert re.search(rf"\b{number}\b", TEXT)
    assert f"{TEXT_CHARS:,} characters" in TEXT


def test_the_message_on_the_page_is_the_one_that_is_given() -> None:
    shown = block_named(PAGE, "text").rstrip("\n")
    text = shown.splitlines()[1].strip()
    with pytest.raises(ValueError, match="cannot use") as caught:
        parse_value(text, Scope.of(table()))
    assert str(caught.value) == shown

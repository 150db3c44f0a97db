"""What a group of rows comes to, against Python's statistics."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from typing import Any

import ibis
import pyarrow as pa
import pytest

from artstore.errors import InvalidInputError
from artstore.tables.expressions import AGGREGATES, Scope, parse_aggregate
from tests.unit.tables.expressions.evaluating import IMAGES, connection, scope, table

NUMBERS = [3, 5, 0]


def of_all(text: str) -> Any:
    return connection().to_pyarrow(parse_aggregate(text, scope())).as_py()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count(*)", 4),
        ("count()", 4),
        ("count(1)", 4),
        ("COUNT(guess)", 3),
        ("count(guess > 1)", 3),
        ("count(DISTINCT seen)", 2),
        ("distinct(seen)", 2),
        ("distinct (seen)", 2),
        ("distinct(image.width)", 3),
        ("sum(guess)", 8),
        ("sum(guess * 2 + 1)", 19),
        ("sum(seen)", 2),
        ("mean(guess)", statistics.mean(NUMBERS)),
        ("avg(guess)", statistics.mean(NUMBERS)),
        ("mean(guess = truth)", 0.5),
        ("median(guess)", 3.0),
        ("quantile(guess, 0.5)", 3.0),
        ("quantile(guess, 0)", 0.0),
        ("quantile(guess, 1)", 5.0),
        ("quantile(guess, 0.25)", 1.5),
        ("min(guess)", 0),
        ("max(name)", "cat"),
        ("min(day)", dt.date(2023, 12, 1)),
        ("max(seen)", True),
        ("stddev(guess)", statistics.stdev(NUMBERS)),
        ("max(score)", math.nan),
        ("stddev(score)", math.nan),
        ("sum(score)", math.nan),
        ("sum(i8)", 7),
        ("max(len(image.boxes.ground_truth))", 2),
        ("sum(list_contains(image.boxes.predictions.class_id, 13))", 1),
    ],
)
def test_an_aggregate_is_what_python_computes(text: str, expected: Any) -> None:
    found = of_all(text)
    if isinstance(expected, float) and math.isnan(expected):
        assert math.isnan(found)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-12)
    else:
        assert (type(found), found) == (type(expected), expected)


def test_no_values_give_null_and_a_count_of_zero() -> None:
    empty = ibis.memtable(pa.table({"x": pa.array([None, None], pa.float64())}))
    found = {
        name: connection().to_pyarrow(parse_aggregate(text, Scope.of(empty))).as_py()
        for name in AGGREGATES
        for text in (f"{name}(x, 0.5)" if name == "quantile" else f"{name}(x)",)
    }
    assert found == {name: 0 if name in ("count", "distinct") else None for name in AGGREGATES}


def test_aggregates_go_into_groups() -> None:
    names = {"n": "count(*)", "mean": "mean(id)", "wide": "max(image.width)"}
    grouped = (
        table()
        .group_by("seen")
        .agg(**{name: parse_aggregate(text, scope()) for name, text in names.items()})
    )
    rows = connection().to_pyarrow(grouped.order_by("n", "mean")).to_pylist()
    assert rows == [
        {"seen": False, "n": 1, "mean": 2.0, "wide": IMAGES[1]["width"]},  # type: ignore[index]
        {"seen": None, "n": 1, "mean": 3.0, "wide": IMAGES[2]["width"]},  # type: ignore[index]
        {"seen": True, "n": 2, "mean": 2.5, "wide": IMAGES[0]["width"]},  # type: ignore[index]
    ]


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("score", 0, "an aggregate is wanted here"),
        ("variance(score)", 0, "no aggregate 'variance'"),
        ("maen(score)", 0, "no aggregate 'maen'"),
        ("sum(score) + 1", 0, "stands alone"),
        ("sum(score) OVER ()", 11, "a window"),
        ("sum(score) FILTER (WHERE seen)", 0, "stands alone"),
        ("sum(sum(score))", 4, "is an aggregate"),
        ("sum()", 0, "takes 1 argument, not 0"),
        ("sum(score, 1)", 0, "takes 1 argument, not 2"),
        ("sum(*)", 4, "'*' is not allowed"),
        ("sum(1)", 4, "a column is wanted here"),
        ("count(NULL)", 6, "a column is wanted here"),
        ("sum(DISTINCT score)", 13, "distinct is not allowed"),
        ("count(score, name)", 0, "takes 1 argument, not 2"),
        ("count(DISTINCT score, name)", 0, ""),
        ("sum(name)", 4, "a number is wanted here, not text"),
        ("mean(tags)", 5, "a number is wanted here, not a list"),
        ("max(tags)", 4, "cannot be compared"),
        ("sum(scor)", 4, "no column 'scor'"),
        ("quantile(score)", 0, "takes 2 arguments"),
        ("quantile(score, 2)", 16, "from 0 to 1"),
        ("quantile(score, guess)", 16, "from 0 to 1"),
        ("sum(score); DROP TABLE x", 10, "';' is not allowed"),
        ("sum((SELECT 1))", 5, "a subquery"),
        ("  sum(score", 5, "not closed"),
        ("", 0, "nothing but space"),
    ],
)
def test_what_is_no_aggregate_is_told_with_its_place(text: str, position: int, why: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_aggregate(text, scope())
    assert why.lower() in caught.value.message.lower()
    assert caught.value.context["position"] == position

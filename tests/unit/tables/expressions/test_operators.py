"""Every operation in both languages against the same in Python, over the same rows."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from artstore.tables.expressions.mongo import OPERATORS
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.sql import FUNCTIONS, TYPES
from tests.unit.tables.expressions.evaluating import NAN, ROWS, alike, values

Row = dict[str, Any]


def nullable(compute: Callable[..., Any], *names: str) -> Callable[[Row], Any]:
    """`compute` of columns, null if one of them is."""

    def of(row: Row) -> Any:
        given = [row[name] for name in names]
        return None if None in given else compute(*given)

    return of


def ordered(value: Any) -> Any:
    """NaN is larger than any number."""
    return (1, 0.0) if isinstance(value, float) and math.isnan(value) else (0, value)


def less(left: Any, right: Any) -> bool:
    return ordered(left) < ordered(right)


def rounded(value: float, places: int = 0) -> float:
    """Halves away from zero."""
    if math.isnan(value):
        return value
    scaled = math.floor(abs(value) * 10**places + 0.5) / 10**places
    return math.copysign(scaled, value)


def clean(values: list[Any] | None) -> list[Any]:
    return [value for value in values or [] if value is not None]


NULL_IN_MONGO = "null in SQL, false in Mongo"

# SQL, Mongo, Python; where the two differ, what the difference is.
CASES: list[tuple[str | None, str | None, Callable[[Row], Any], str]] = [
    # Comparing
    ("guess = truth", None, nullable(lambda g, t: g == t, "guess", "truth"), ""),
    ("guess == 3", None, nullable(lambda g: g == 3, "guess"), ""),
    ("guess != truth", None, nullable(lambda g, t: g != t, "guess", "truth"), ""),
    ("guess <> 3", None, nullable(lambda g: g != 3, "guess"), ""),
    (
        "guess IS NOT DISTINCT FROM truth",
        "{$eq: ['$guess', '$truth']}",
        lambda r: r["guess"] == r["truth"],
        "",
    ),
    (
        "guess IS DISTINCT FROM truth",
        "{$ne: ['$guess', '$truth']}",
        lambda r: r["guess"] != r["truth"],
        "",
    ),
    ("guess IS NOT DISTINCT FROM 3", "{$eq: ['$guess', 3]}", lambda r: r["guess"] == 3, ""),
    ("guess IS NULL", "{$eq: ['$guess', null]}", lambda r: r["guess"] is None, ""),
    ("guess IS NOT NULL", "{$ne: [null, '$guess']}", lambda r: r["guess"] is not None, ""),
    ("tags IS NOT NULL", "{$exists: '$tags'}", lambda r: r["tags"] is not None, ""),
    ("tags IS NULL", "{$exists: ['$tags', false]}", lambda r: r["tags"] is None, ""),
    ("image IS NULL", "{$eq: ['$image', null]}", lambda r: r["image"] is None, ""),
    (
        "score > 0",
        "{$gt: ['$score', 0]}",
        nullable(lambda s: less(0, s), "score"),
        NULL_IN_MONGO,
    ),
    (
        "score >= 0.5",
        "{$gte: ['$score', 0.5]}",
        nullable(lambda s: not less(s, 0.5), "score"),
        NULL_IN_MONGO,
    ),
    (
        "score < 0.5",
        "{$lt: ['$score', 0.5]}",
        nullable(lambda s: less(s, 0.5), "score"),
        NULL_IN_MONGO,
    ),
    (
        "score <= 0.5",
        "{$lte: ['$score', 0.5]}",
        nullable(lambda s: not less(0.5, s), "score"),
        NULL_IN_MONGO,
    ),
    ("name < 'b'", "{$lt: ['$name', 'b']}", nullable(lambda n: n < "b", "name"), NULL_IN_MONGO),
    (
        "seen = (guess > 1)",
        "{$eq: ['$seen', {$gt: ['$guess', 1]}]}",
        lambda r: None if None in (r["seen"], r["guess"]) else r["seen"] == (r["guess"] > 1),
        "null in SQL, and null is not false in Mongo",
    ),
    (
        "guess BETWEEN 1 AND truth",
        None,
        lambda r: (
            None
            if r["guess"] is None
            else False
            if r["guess"] < 1
            else None
            if r["truth"] is None
            else r["guess"] <= r["truth"]
        ),
        "",
    ),
    (
        "guess NOT BETWEEN 1 AND 4",
        None,
        nullable(lambda g: not 1 <= g <= 4, "guess"),
        "",
    ),
    (
        "guess IN (3, truth + 1)",
        None,
        lambda r: (
            None
            if r["guess"] is None
            else True
            if r["guess"] == 3
            else None
            if r["truth"] is None
            else r["guess"] == r["truth"] + 1
        ),
        "",
    ),
    ("guess NOT IN (3, 5)", None, nullable(lambda g: g not in (3, 5), "guess"), ""),
    (None, "{$in: ['$guess', [3, 5]]}", lambda r: r["guess"] in (3, 5), ""),
    (None, "{$in: ['$guess', [3, null]]}", lambda r: r["guess"] in (3, None), ""),
    (None, "{$in: ['$guess', [null]]}", lambda r: r["guess"] is None, ""),
    (None, "{$in: ['$guess', []]}", lambda r: False, ""),
    (
        None,
        "{$in: ['$guess', ['$truth']]}",
        nullable(lambda g, t: g == t, "guess", "truth"),
        NULL_IN_MONGO,
    ),
    (None, "{$nin: ['$guess', [3, null]]}", lambda r: r["guess"] not in (3, None), ""),
    # Combining and choosing
    (
        "seen AND guess > 1",
        None,
        lambda r: (
            False
            if r["seen"] is False or (r["guess"] is not None and r["guess"] <= 1)
            else None
            if None in (r["seen"], r["guess"])
            else True
        ),
        "",
    ),
    (
        "seen OR guess > 1",
        None,
        lambda r: (
            True
            if r["seen"] or (r["guess"] or 0) > 1
            else None
            if None in (r["seen"], r["guess"])
            else False
        ),
        "",
    ),
    ("NOT seen", None, nullable(lambda s: not s, "seen"), ""),
    (
        "seen IS TRUE AND guess IS NULL",
        "{$and: ['$seen', {$eq: ['$guess', null]}]}",
        lambda r: r["seen"] is True and r["guess"] is None,
        "",
    ),
    (
        "seen IS TRUE OR guess IS NULL",
        "{$or: ['$seen', {$eq: ['$guess', null]}]}",
        lambda r: r["seen"] is True or r["guess"] is None,
        "",
    ),
    ("seen IS NOT TRUE", "{$not: ['$seen']}", lambda r: r["seen"] is not True, ""),
    ("seen IS FALSE", "{$eq: ['$seen', false]}", lambda r: r["seen"] is False, ""),
    ("seen IS NOT FALSE", "{$ne: ['$seen', false]}", lambda r: r["seen"] is not False, ""),
    (
        "NOT (seen IS TRUE OR guess IS NOT DISTINCT FROM 5)",
        "{$nor: ['$seen', {$eq: ['$guess', 5]}]}",
        lambda r: r["seen"] is not True and r["guess"] != 5,
        "",
    ),
    (
        "CASE WHEN guess > 3 THEN 'big' ELSE name END",
        "{$cond: [{$gt: ['$guess', 3]}, 'big', '$name']}",
        lambda r: "big" if (r["guess"] or 0) > 3 else r["name"],
        "",
    ),
    (
        "if(guess > 3, 1, 0.5)",
        "{$cond: {if: {$gt: ['$guess', 3]}, then: 1, else: 0.5}}",
        lambda r: 1.0 if (r["guess"] or 0) > 3 else 0.5,
        "",
    ),
    (
        "CASE WHEN guess > 3 THEN 'big' WHEN seen THEN 'seen' END",
        "{$switch: {branches: [{case: {$gt: ['$guess', 3]}, then: 'big'}, {case: '$seen', then: 'seen'}]}}",  # noqa: E501
        lambda r: "big" if (r["guess"] or 0) > 3 else "seen" if r["seen"] else None,
        "",
    ),
    (
        "CASE guess WHEN 3 THEN 'three' WHEN 5 THEN 'five' ELSE '' END",
        None,
        lambda r: {3: "three", 5: "five"}.get(r["guess"], ""),
        "",
    ),
    (
        "coalesce(guess, truth, 0)",
        "{$ifNull: ['$guess', '$truth', 0]}",
        lambda r: next(v for v in (r["guess"], r["truth"], 0) if v is not None),
        "",
    ),
    (
        "ifnull(guess, 0.5)",
        "{$ifNull: ['$guess', 0.5]}",
        lambda r: float(r["guess"]) if r["guess"] is not None else 0.5,
        "",
    ),
    ("nullif(guess, 3)", None, lambda r: None if r["guess"] == 3 else r["guess"], ""),
    (
        "least(guess, truth)",
        "{$min: ['$guess', '$truth']}",
        lambda r: min(clean([r["guess"], r["truth"]])),
        "",
    ),
    (
        "greatest(guess, truth, 2)",
        "{$max: ['$guess', '$truth', 2]}",
        lambda r: max(clean([r["guess"], r["truth"], 2])),
        "",
    ),
    ("'$x'", "{$literal: '$x'}", lambda r: "$x", ""),
    # Arithmetic
    (
        "guess + truth + 1",
        "{$add: ['$guess', '$truth', 1]}",
        nullable(lambda g, t: g + t + 1, "guess", "truth"),
        "",
    ),
    ("guess - 1.5", "{$subtract: ['$guess', 1.5]}", nullable(lambda g: g - 1.5, "guess"), ""),
    ("guess * 2 * 2", "{$multiply: ['$guess', 2, 2]}", nullable(lambda g: g * 4, "guess"), ""),
    (
        "truth / guess",
        "{$divide: ['$truth', '$guess']}",
        nullable(lambda t, g: t / g if g else None, "truth", "guess"),
        "",
    ),
    (
        "-7 % guess",
        "{$mod: [-7, '$guess']}",
        nullable(lambda g: int(math.fmod(-7, g)) if g else None, "guess"),
        "",
    ),
    (
        "mod(7.5, truth)",
        "{$mod: [7.5, '$truth']}",
        nullable(lambda t: math.fmod(7.5, t), "truth"),
        "",
    ),
    ("-guess", "{$subtract: [0, '$guess']}", nullable(lambda g: -g, "guess"), ""),
    ("abs(score)", "{$abs: '$score'}", nullable(abs, "score"), ""),
    (
        "floor(score)",
        "{$floor: '$score'}",
        nullable(lambda s: s if math.isnan(s) else float(math.floor(s)), "score"),
        "",
    ),
    (
        "ceil(score)",
        "{$ceil: '$score'}",
        nullable(lambda s: s if math.isnan(s) else float(math.ceil(s)), "score"),
        "",
    ),
    ("ceiling(guess)", "{$ceil: '$guess'}", lambda r: r["guess"], ""),
    (
        "trunc(score)",
        "{$trunc: '$score'}",
        nullable(lambda s: s if math.isnan(s) else float(math.trunc(s)), "score"),
        "",
    ),
    ("round(score)", "{$round: '$score'}", nullable(rounded, "score"), ""),
    ("round(score, 1)", "{$round: ['$score', 1]}", nullable(lambda s: rounded(s, 1), "score"), ""),
    (
        "sqrt(score)",
        "{$sqrt: '$score'}",
        nullable(lambda s: None if s < 0 else math.sqrt(s), "score"),
        "",
    ),
    (
        "ln(guess)",
        "{$ln: '$guess'}",
        nullable(lambda g: math.log(g) if g > 0 else None, "guess"),
        "",
    ),
    (
        "log10(guess * 100)",
        "{$log10: {$multiply: ['$guess', 100]}}",
        nullable(lambda g: math.log10(g * 100) if g > 0 else None, "guess"),
        "",
    ),
    ("exp(guess)", "{$exp: '$guess'}", nullable(math.exp, "guess"), ""),
    ("pow(guess, 2)", "{$pow: ['$guess', 2]}", nullable(lambda g: float(g**2), "guess"), ""),
    ("power(2, truth)", "{$pow: [2, '$truth']}", nullable(lambda t: 2.0**t, "truth"), ""),
    ("isnan(score)", None, nullable(math.isnan, "score"), ""),
    # Text
    ("name || '!'", "{$concat: ['$name', '!']}", nullable(lambda n: n + "!", "name"), ""),
    ("lower(name)", "{$toLower: '$name'}", nullable(str.lower, "name"), ""),
    ("upper(name)", "{$toUpper: '$name'}", nullable(str.upper, "name"), ""),
    (
        "trim(' ' || name || ' ')",
        "{$trim: {input: {$concat: [' ', '$name', ' ']}}}",
        lambda r: r["name"],
        "",
    ),
    ("ltrim(' ' || name)", "{$ltrim: {input: {$concat: [' ', '$name']}}}", lambda r: r["name"], ""),
    ("rtrim(name || ' ')", "{$rtrim: {input: {$concat: ['$name', ' ']}}}", lambda r: r["name"], ""),
    ("length(name)", "{$strLenCP: '$name'}", nullable(len, "name"), ""),
    (
        "substring(name, 2, 2)",
        "{$substrCP: ['$name', 1, 2]}",
        nullable(lambda n: n[1:3], "name"),
        "",
    ),
    ("substr(name, 2)", None, nullable(lambda n: n[1:], "name"), ""),
    (
        "string_split(name, 'a')",
        "{$split: ['$name', 'a']}",
        nullable(lambda n: n.split("a"), "name"),
        "",
    ),
    ("contains(name, 'o')", None, nullable(lambda n: "o" in n, "name"), ""),
    ("starts_with(name, 'c')", None, nullable(lambda n: n.startswith("c"), "name"), ""),
    ("ends_with(name, 't')", None, nullable(lambda n: n.endswith("t"), "name"), ""),
    ("name LIKE '_a%'", None, nullable(lambda n: n[1:2] == "a", "name"), ""),
    ("name NOT LIKE '_a%'", None, nullable(lambda n: n[1:2] != "a", "name"), ""),
    ("name ILIKE 'dog%'", None, nullable(lambda n: n.lower().startswith("dog"), "name"), ""),
    ("name LIKE '%!%' ESCAPE '!'", None, nullable(lambda n: n.endswith("%"), "name"), ""),
    ("name || '%' LIKE '%!%' ESCAPE '!'", None, nullable(lambda n: True, "name"), ""),
    (
        "name LIKE '%_%_%a%'",
        None,
        nullable(lambda n: bool(re.fullmatch(".*..*..*a.*", n)), "name"),
        "",
    ),
    (
        "regexp_matches(name, '^C', 'i')",
        "{$regexMatch: {input: '$name', regex: '^C', options: 'i'}}",
        nullable(lambda n: n[:1].lower() == "c", "name"),
        NULL_IN_MONGO,
    ),
    # Lists
    ("len(tags)", "{$size: '$tags'}", nullable(len, "tags"), ""),
    (
        "list_contains(tags, 'a')",
        "{$in: ['a', '$tags']}",
        nullable(lambda t: "a" in t, "tags"),
        NULL_IN_MONGO,
    ),
    ("'a' IN tags", None, nullable(lambda t: "a" in t, "tags"), ""),
    (
        "list_has(numbers, 2.0)",
        "{$in: [2.0, '$numbers']}",
        nullable(lambda n: 2 in n, "numbers"),
        NULL_IN_MONGO,
    ),
    (
        "tags[1]",
        "{$arrayElemAt: ['$tags', 0]}",
        nullable(lambda t: t[0] if t else None, "tags"),
        "",
    ),
    (
        "tags[-1]",
        "{$arrayElemAt: ['$tags', -1]}",
        nullable(lambda t: t[-1] if t else None, "tags"),
        "",
    ),
    ("tags[9]", "{$arrayElemAt: ['$tags', 8]}", lambda r: None, ""),
    ("tags[0]", None, lambda r: None, ""),
    (
        "tags[id]",
        "{$arrayElemAt: ['$tags', {$subtract: ['$id', 1]}]}",
        lambda r: "a" if r["id"] == 1 else None,
        "",
    ),
    (
        "numbers[-id]",
        "{$arrayElemAt: ['$numbers', {$subtract: [0, '$id']}]}",
        lambda r: {1: 2, 3: 0}.get(r["id"]),
        "",
    ),
    (
        "list_extract(tags, 2)",
        "{$arrayElemAt: ['$tags', 1]}",
        lambda r: "b" if r["id"] == 1 else None,
        "",
    ),
    ("numbers[1]", "{$first: '$numbers'}", nullable(lambda n: n[0] if n else None, "numbers"), ""),
    ("numbers[-1]", "{$last: '$numbers'}", nullable(lambda n: n[-1] if n else None, "numbers"), ""),
    (
        "[guess, truth, 1]",
        "{$map: {input: ['$guess', '$truth', 1], in: '$$this'}}",
        lambda r: [r["guess"], r["truth"], 1],
        "",
    ),
    (
        "list_filter(numbers, x -> x > guess - 3)",
        "{$filter: {input: '$numbers', as: 'x', cond: {$gt: ['$$x', {$subtract: ['$guess', 3]}]}}}",
        lambda r: (
            None
            if r["numbers"] is None
            else [n for n in clean(r["numbers"]) if r["guess"] is not None and n > r["guess"] - 3]
        ),
        "",
    ),
    (
        "list_transform(numbers, x -> x * 2)",
        "{$map: {input: '$numbers', in: {$multiply: ['$$this', 2]}}}",
        nullable(lambda ns: [None if n is None else n * 2 for n in ns], "numbers"),
        "",
    ),
    (
        "list_transform(numbers, x -> list_transform(tags, y -> x))",
        "{$map: {input: '$numbers', as: 'x', in: {$map: {input: '$tags', as: 'y', in: '$$x'}}}}",
        nullable(lambda ns, ts: [[n] * len(ts) for n in ns], "numbers", "tags"),
        "",
    ),
    (
        "list_min(numbers)",
        "{$min: '$numbers'}",
        lambda r: min(clean(r["numbers"]), default=None),
        "",
    ),
    ("list_max(tags)", "{$max: '$tags'}", lambda r: max(clean(r["tags"]), default=None), ""),
    (
        "list_sum(numbers)",
        "{$sum: '$numbers'}",
        lambda r: sum(clean(r["numbers"])) if clean(r["numbers"]) else None,
        "",
    ),
    ("list_sum([guess, 1])", "{$sum: ['$guess', 1]}", lambda r: (r["guess"] or 0) + 1, ""),
    (
        "list_avg(numbers)",
        "{$avg: '$numbers'}",
        lambda r: (
            sum(clean(r["numbers"])) / len(clean(r["numbers"])) if clean(r["numbers"]) else None
        ),
        "",
    ),
    (
        "list_bool_or(list_transform(numbers, x -> x > 2))",
        "{$anyElementTrue: {$map: {input: '$numbers', in: {$gt: ['$$this', 2]}}}}",
        nullable(lambda ns: any(n > 2 for n in clean(ns)), "numbers"),
        NULL_IN_MONGO,
    ),
    (
        "list_bool_and(list_transform(numbers, x -> x > 0))",
        "{$allElementsTrue: {$map: {input: '$numbers', in: {$gt: ['$$this', 0]}}}}",
        nullable(lambda ns: all(n is not None and n > 0 for n in ns), "numbers"),
        NULL_IN_MONGO,
    ),
    # Dates and times
    ("year(day)", "{$year: '$day'}", nullable(lambda d: d.year, "day"), ""),
    ("month(at)", "{$month: '$at'}", nullable(lambda d: d.month, "at"), ""),
    ("day(at)", "{$dayOfMonth: '$at'}", nullable(lambda d: d.day, "at"), ""),
    ("hour(at)", "{$hour: '$at'}", nullable(lambda d: d.hour, "at"), ""),
    ("hour(day)", "{$hour: '$day'}", nullable(lambda d: 0, "day"), ""),
    ("minute(at)", "{$minute: '$at'}", nullable(lambda d: d.minute, "at"), ""),
    ("second(at)", "{$second: '$at'}", nullable(lambda d: d.second, "at"), ""),
    (
        "day >= DATE '2024-01-31'",
        "{$gte: ['$day', {$date: '2024-01-31'}]}",
        nullable(lambda d: str(d) >= "2024-01-31", "day"),
        NULL_IN_MONGO,
    ),
    (
        "at > '2023-12-31T12:00:00'",
        "{$gt: ['$at', '2023-12-31T12:00:00']}",
        nullable(lambda d: d.isoformat() > "2023-12-31T12:00:00", "at"),
        NULL_IN_MONGO,
    ),
    # Other kinds
    ("CAST(guess AS VARCHAR)", "{$toString: '$guess'}", nullable(str, "guess"), ""),
    ("guess::TEXT", None, nullable(str, "guess"), ""),
    ("CAST('1.5' AS DOUBLE)", "{$toDouble: '1.5'}", lambda r: 1.5, ""),
    ("CAST(name AS DOUBLE)", "{$toDouble: '$name'}", lambda r: None, ""),
    ("TRY_CAST('7' AS BIGINT)", None, lambda r: 7, ""),
    ("CAST(score AS INT)", None, lambda r: {1: 0, 2: -1}.get(r["id"]), ""),
    ("CAST(guess AS BOOLEAN)", "{$toBool: '$guess'}", nullable(bool, "guess"), ""),
    ("CAST(at AS DATE)", None, nullable(lambda d: d.date(), "at"), ""),
    (
        "CAST('2024-01-31 12:30:05' AS TIMESTAMP) = at",
        "{$eq: [{$toDate: '2024-01-31 12:30:05'}, '$at']}",
        nullable(lambda d: d == ROWS[0]["at"], "at"),
        NULL_IN_MONGO,
    ),
    (
        "CAST(day AS TIMESTAMP) <= at",
        "{$lte: [{$toDate: '$day'}, '$at']}",
        nullable(lambda d, a: str(d) <= a.isoformat(), "day", "at"),
        NULL_IN_MONGO,
    ),
]


def text_of(case: Any) -> str | None:
    """A text stands for itself; functions get a number, the same in every process."""
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("text", "expected"), [(c[0], c[2]) for c in CASES if c[0]], ids=text_of)
def test_sql_says_what_python_does(text: str, expected: Callable[[Row], Any]) -> None:
    assert_alike(values(text), [expected(row) for row in ROWS])


@pytest.mark.parametrize(
    ("text", "expected", "differs"), [(c[1], c[2], c[3]) for c in CASES if c[1]], ids=text_of
)
def test_mongo_says_what_python_does(
    text: str, expected: Callable[[Row], Any], differs: str
) -> None:
    wanted = [expected(row) for row in ROWS]
    if differs == NULL_IN_MONGO:
        wanted = [value is True for value in wanted]
    elif differs:
        wanted = [row["seen"] == ((row["guess"] or 0) > 1) for row in ROWS]
    assert_alike(values(text), wanted)


def assert_alike(found: list[Any], wanted: list[Any]) -> None:
    for one, other in zip(found, wanted, strict=True):
        if isinstance(one, float) and isinstance(other, float) and not math.isnan(other):
            assert one == pytest.approx(other, rel=1e-15)
        else:
            assert alike(one, other), (found, wanted)


def test_every_word_of_both_languages_is_tried_here() -> None:
    sql = " ".join(case[0] for case in CASES if case[0])
    mongo = " ".join(case[1] for case in CASES if case[1])
    called = set(re.findall(r"(\w+)\(", sql))
    assert set(FUNCTIONS) | {"list_filter", "list_transform"} <= called
    assert set(OPERATORS) == set(re.findall(r"\$[a-zA-Z0-9]+(?=:)", mongo))
    assert {"DOUBLE", "BIGINT", "TEXT", "VARCHAR", "DATE", "TIMESTAMP", "BOOLEAN", "INT"} <= set(
        TYPES
    )


def test_nan_is_a_number_like_others() -> None:
    assert alike(values("greatest(score, 1e308)"), [1e308, 1e308, NAN, 1e308])
    assert values("score = score") == [True, True, True, None]
    assert values("{$eq: ['$score', NaN]}") == [False, False, True, False]


def test_every_operation_is_said_by_a_language() -> None:
    said = set(FUNCTIONS.values()) | set(TYPES.values())
    assert said <= set(OPERATIONS)

"""What null, NaN, division, types of numbers, times and text mean, as the page tells it."""

from __future__ import annotations

import datetime as dt

import ibis
import pytest

from artstore.tables.expressions import Scope, parse_condition, parse_value
from tests.unit.tables.expressions.evaluating import (
    arrow_table,
    connection,
    kept,
    scope,
    table,
    values,
)


def test_a_filter_keeps_rows_whose_condition_is_true() -> None:
    assert kept("guess > 1") == [1, 2]
    assert kept("NOT guess > 1") == [4]
    assert kept("guess != 3") == [2, 4]
    assert kept("guess = NULL") == []


def test_null_is_a_value_in_mongo() -> None:
    assert kept("{$ne: ['$guess', 3]}") == [2, 3, 4]
    assert kept("{$not: [{$gt: ['$guess', 1]}]}") == [3, 4]
    assert kept("{$eq: ['$guess', '$truth']}") == [1]
    assert kept("{$eq: ['$guess', null]}") == [3]
    assert kept("{$lt: ['$guess', 100]}") == [1, 2, 4]


def test_a_filter_has_no_coalesce_that_hides_the_column_from_the_reader() -> None:
    either = "{$or: ['$seen', {$lt: ['$id', 9]}]}"
    text = f"{{$and: [{{$gt: ['$score', 0.5]}}, {{$eq: ['$guess', 3]}}, {either}]}}"
    sql = ibis.to_sql(parse_condition(text, scope()), dialect="duckdb")
    assert "COALESCE" not in sql
    assert "DISTINCT" not in sql
    assert kept(text) == kept("score > 0.5 AND guess = 3 AND (seen OR id < 9)")


def test_what_is_negated_keeps_null_apart_from_false() -> None:
    text = "{$and: [{$not: [{$and: [{$gt: ['$guess', 1]}, '$seen']}]}, {$gt: ['$id', 0]}]}"
    assert kept(text) == [2, 3, 4]


def test_nan_equals_itself_and_is_larger_than_all() -> None:
    assert kept("score > 1e300") == [3]
    assert kept("isnan(score)") == [3]
    assert kept("{$gt: ['$score', Infinity]}") == [3]
    assert kept("NOT score <= 1") == [3]
    assert kept("{$eq: ['$score', NaN]}") == [3]


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "1.5 / 0",
        "1 % 0",
        "1.5 % 0.0",
        "0 / 0",
        "sqrt(-0.1)",
        "ln(0)",
        "ln(-1)",
        "log10(0)",
    ],
)
def test_what_has_no_result_is_null(text: str) -> None:
    assert values(text) == [None] * 4


def test_division_never_rounds_and_remainders_have_the_sign_of_the_dividend() -> None:
    assert values("7 / 2")[0] == 3.5
    assert values("-7 % 3")[0] == -1
    assert values("7 % -3")[0] == 1


def test_roots_are_exact_and_of_zero_and_infinity_too() -> None:
    assert values("sqrt(2)")[0] == 2**0.5
    assert values("sqrt(0)")[0] == 0.0
    assert values("{$sqrt: Infinity}")[0] == float("inf")


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round"])
def test_what_is_rounded_stays_a_float_of_any_size(name: str) -> None:
    assert values(f"{name}(1e300)")[0] == 1e300
    assert values(f"{name}(9007199254740993)")[0] == 9007199254740993


def test_halves_are_rounded_away_from_zero() -> None:
    assert values("[round(2.5), round(-2.5), round(3.5)]")[0] == [3.0, -3.0, 4.0]


def test_small_integers_do_not_overflow() -> None:
    assert values("i8 + i8") == [200, -200, 14, None]
    assert values("i8 * 100000000 * 100")[0] == 1_000_000_000_000
    assert values("2000000000 + 2000000000")[0] == 4_000_000_000


def test_fractions_are_floats_and_no_decimals() -> None:
    assert values("0.1 + 0.2 = 0.3")[0] is False
    assert values("price = 0.1") == [True, False, False, None]
    assert values("price * 2")[1] == 10.5


def test_a_fraction_beside_a_float32_is_rounded_as_the_column_is() -> None:
    assert values("f32 = 0.1") == [True, False, False, None]
    assert values("f32 IN (0.1, 0.2)") == [True, True, False, None]
    assert values("{$in: ['$f32', [0.2]]}") == [False, True, False, False]
    assert values("f32 < 1e300") == [True, True, False, None]
    assert values("f32 BETWEEN 0.1 AND 0.2") == [True, True, False, None]


def test_large_unsigned_integers_are_compared_exactly() -> None:
    assert values("u64 > -1") == [True, True, True, None]
    assert values("u64 = 18446744073709551615") == [False, False, True, None]
    assert values("u64 = id") == [True, True, False, None]


def test_integers_beyond_64_bits_are_floats() -> None:
    assert values("1000000000000000000000000")[0] == 1e24


def test_text_is_compared_by_code_points() -> None:
    assert values("'Z' < 'a' AND 'z' < 'é' AND 'a' < 'aa' AND '' < 'a'")[0] is True
    assert values("'a' = 'A'")[0] is False


def test_lengths_are_in_characters() -> None:
    assert values("length('Zoë 🐈')")[0] == 5
    assert values("substring('🐈🐕', 2, 1)")[0] == "🐕"


def test_a_zone_is_read_by_the_clock_of_utc() -> None:
    assert values("zoned > '2024-01-31T13:30:00+02:00'") == [True, False, False, None]
    assert values("zoned = at") == [True, True, True, None]
    assert values("hour(zoned)") == [12, 0, 23, None]
    assert values("CAST(zoned AS VARCHAR)")[0] == "2024-01-31 12:30:05"
    assert values("zoned >= day") == [True, True, None, None]


def test_the_zone_of_the_session_changes_nothing() -> None:
    other = ibis.duckdb.connect()
    other.raw_sql("SET TimeZone = 'Asia/Tokyo'")
    loose = Scope.of(ibis.memtable(arrow_table()))
    for text in (
        "hour(zoned)",
        "zoned = at",
        "zoned >= day",
        "CAST(zoned AS VARCHAR)",
        "zoned > '2024-01-31 12:00'",
    ):
        value = parse_value(text, loose)
        assert other.to_pyarrow(value).to_pylist() == connection().to_pyarrow(value).to_pylist()


def test_dates_are_compared_with_times_and_with_what_is_written() -> None:
    assert values("day < at") == [True, False, None, None]
    assert values("coalesce(day, '2000-01-01')")[2] == dt.date(2000, 1, 1)
    assert values("coalesce(day, at)")[2] == dt.datetime.fromisoformat("1999-12-31T23:59:59")


def test_a_cast_that_fails_is_null() -> None:
    assert values("CAST('many' AS BIGINT)")[0] is None
    assert values("CAST(score AS BIGINT)")[2] is None
    assert values("CAST('31.1.2024' || '' AS DATE)")[0] is None


def test_what_is_null_in_every_row_fits_everything() -> None:
    empty = table().mutate(nothing=ibis.null())
    for text in (
        "nothing > 1",
        "nothing = 'a'",
        "nothing + 1 > 2",
        "NOT nothing",
        "len(nothing) = 1",
    ):
        value = parse_condition(text, Scope.of(empty))
        assert connection().to_pyarrow(value).to_pylist() == [None] * 4


def test_null_beside_any_kind_is_null_in_sql() -> None:
    for text in ("guess = NULL", "name || NULL", "NULL + 1", "tags[NULL]", "NULL IN (1, 2)"):
        assert values(text) == [None] * 4


def test_least_and_greatest_pass_over_null() -> None:
    assert values("least(guess, NULL)") == [3, 5, None, 0]


def test_members_of_a_union_are_fields() -> None:
    assert values("mixed.text") == ["x", None, None, "y"]
    assert values("{$gt: ['$mixed.number', 2]}") == [False, True, False, False]


def test_like_with_many_wildcards_is_linear() -> None:
    hostile = "a" * 5_000
    pattern = "%a_" * 60 + "b"
    assert values(f"'{hostile}' LIKE '{pattern}'")[0] is False


def test_like_reads_wildcards_over_lines() -> None:
    assert values("'a\nb' LIKE '%_%_%b%'")[0] is True
    assert values("'a.b' LIKE '%_%.%_%'")[0] is True
    assert values("'axb' LIKE '%_%.%_%'")[0] is False


def test_a_loop_over_what_is_written_is_of_each_row() -> None:
    assert values("len(list_filter([1, 5], x -> x = guess))") == [0, 1, 0, 0]
    assert values("tags[1 + 0]") == ["a", None, "b", None]
    assert kept("{$anyElementTrue: [{$map: {input: [0], as: 'a', in: '$seen'}}]}") == [1, 4]


def test_empty_lists_have_elements_of_any_kind() -> None:
    assert values("coalesce(tags, [])") == [["a", "b"], [], ["b", None], []]
    assert values("{$allElementsTrue: [[]]}")[0] is True
    assert values("{$anyElementTrue: [[]]}")[0] is False
    assert values("list_sum([])")[0] is None
    assert values("[]")[0] == []

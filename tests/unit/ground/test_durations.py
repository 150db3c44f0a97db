"""Lengths of time and moments as people write them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.clock import format_time
from artstore.durations import duration_text, end_of_stated, parse_duration, seconds_of_time
from artstore.errors import InvalidInputError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43_200), (" 30d ", 2_592_000), ("6w", 3_628_800)],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "-1d", "1.5h", "30 d", "1d12h", "1e3s", "1001y", "9" * 12 + "s"]
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_duration(text)
    assert caught.value.code == "duration-invalid"


@given(st.integers(1, 30_000_000))
def test_a_length_of_time_is_told_as_it_is_read(seconds: int) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2027-06-30", "2027-06-30T23:59:59Z"),
        ("2027-06-30T12:00:00Z", "2027-06-30T12:00:00Z"),
        ("2027-06-30T12:00:00+02:00", "2027-06-30T10:00:00Z"),
        ("2027-06-30 12:00", "2027-06-30T12:00:00Z"),
        ("1d", format_time(NOW + 86_400)),
        ("9999-12-31", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_day_ends_with_its_last_second_and_a_length_begins_now(text: str, end: str) -> None:
    assert format_time(end_of_stated(text, NOW)) == end


@pytest.mark.parametrize("text", ["soon", "2027-13-01", "2027-02-30", "10000-01-01", "", "0d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        end_of_stated(text, NOW)
    assert caught.value.code == "duration-invalid"


def test_a_moment_without_a_zone_is_one_in_utc() -> None:
    plain = dt.datetime(2027, 1, 1)
    assert seconds_of_time(plain) == seconds_of_time(plain.replace(tzinfo=dt.UTC))

"""Minimum, maximum, mean, first, last and best."""

from __future__ import annotations

import math
import statistics as truth
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.tracking.statistics import MetricStats

ALL = ("min", "max", "mean", "last", "first", "best")
NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.integers(-1000, 1000), min_size=1)


@given(st.lists(NUMBERS, min_size=1))
def test_statistics_of_parts_are_those_of_the_whole(parts):
    stats, at = MetricStats(), 0
    for part in parts:
        stats.add(part, at)
        at += len(part)
    whole = [value for part in parts for value in part]
    told = stats.told(ALL)
    mean = told.pop("mean")
    assert mean == pytest.approx(truth.fmean(whole), abs=1e-6)
    assert told == {
        "min": min(whole),
        "max": max(whole),
        "last": whole[-1],
        "first": whole[0],
        "best": min(whole),
    }


def test_only_what_was_asked_for_is_told():
    stats = MetricStats()
    stats.add([1, 2], 0)
    assert stats.told(("max",)) == {"max": 2}


def test_best_goes_by_the_goal():
    stats = MetricStats(goal="maximize")
    stats.add([1, 3, 2], 0)
    assert stats.told(("best",), "maximize") == {"best": 3}
    assert stats.told(("best",), "minimize") == {"best": 1}


def test_nan_is_passed_over_and_infinities_are_not():
    stats = MetricStats()
    stats.add([math.nan, 2.0, 1.0, math.nan], 0)
    told = stats.told(("min", "max", "mean"))
    assert told == {"min": 1.0, "max": 2.0, "mean": 1.5}
    stats.add([math.inf, -math.inf], 4)
    told = stats.told(ALL)
    assert (told["min"], told["max"]) == (-math.inf, math.inf)
    assert math.isnan(told["mean"])


def test_nothing_but_nan_has_only_a_first_and_a_last_one():
    stats = MetricStats()
    stats.add([math.nan], 0)
    assert set(stats.told(ALL)) == {"first", "last"}


@pytest.mark.parametrize("value", ["a", None, True, [1]])
def test_what_is_no_number_does_not_count(value):
    stats = MetricStats()
    stats.add([value, 1, value], 0)
    stats.add([value, value], 3)
    assert stats.told(("min", "max", "mean")) == {"min": 1, "max": 1, "mean": 1}


def test_numbers_beyond_floats_do_not_count_and_harm_nothing():
    stats = MetricStats()
    for _ in range(2):
        stats.add([10**400, 2, 0.5], 0)
    assert stats.told(("min", "max", "mean")) == {"min": 0.5, "max": 2, "mean": 1.25}


def test_columns_of_arrays_are_taken():
    stats = MetricStats()
    stats.add(array("d", [1, 2, 3]), 0)
    assert stats.told(ALL)["mean"] == 2


def test_groups_may_come_in_any_order():
    stats = MetricStats()
    stats.add([5, 6], 10)
    stats.add([1, 2], 3, is_newest=False)
    told = stats.told(("first", "last"))
    assert told == {"first": 1, "last": 6}


def test_they_go_on_from_an_earlier_session():
    stats = MetricStats({"min": 0.5, "max": 9, "first": 7, "mean": 3})
    stats.add([1, 2], 0)
    assert stats.told(ALL) == {
        "min": 0.5,
        "max": 9,
        "mean": 1.5,
        "last": 2,
        "first": 7,
        "best": 0.5,
    }
    best = MetricStats({"best": 9}, "maximize")
    best.add([1, 2], 0)
    assert best.told(("best",), "maximize") == {"best": 9}

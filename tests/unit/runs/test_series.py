"""Few points of a line that draw what all of them would."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.runs.series import ascending, band, paired, sampled, without_twins

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
anything = st.floats(width=64)


@st.composite
def lines(draw: Any, values: Any = anything) -> tuple[Any, Any]:
    count = draw(st.integers(1, 60))
    is_whole = draw(st.booleans())
    number = st.integers(-(2**53), 2**53) if is_whole else finite
    x = sorted(draw(st.lists(number, min_size=count, max_size=count)))
    y = draw(st.lists(values, min_size=count, max_size=count))
    return np.array(x, np.int64 if is_whole else np.float64), np.array(y, np.float64)


def buckets_of(x: Any, points: int) -> list[int]:
    begin, end = float(x[0]) * 0.5, float(x[-1]) * 0.5
    width = end - begin
    if not width > 0:
        return [0] * len(x)
    return [
        int(min(max((float(place) * 0.5 - begin) / width * points, 0), points - 1)) for place in x
    ]


def outlines(x: Any, y: Any, where: list[int]) -> dict[int, tuple[Any, ...]]:
    """Of each bucket the first, smallest, largest and last point that can be drawn."""
    found: dict[int, list[tuple[float, float]]] = {}
    for place, value, bucket in zip(x.tolist(), y.tolist(), where, strict=True):
        if math.isfinite(value):
            found.setdefault(bucket, []).append((place, value))
    return {
        bucket: (
            points[0],
            min(points, key=lambda point: point[1]),
            max(points, key=lambda point: point[1]),
            points[-1],
        )
        for bucket, points in found.items()
    }


@given(lines(), st.integers(1, 50))
def test_a_sampled_line_covers_in_each_bucket_what_all_points_cover(
    line: tuple[Any, Any], points: int
) -> None:
    x, y = line
    found = sampled(x, y, points)
    where = dict(zip(x.tolist(), buckets_of(x, points), strict=True))
    kept = [where[place] for place in found.x.tolist()]
    assert outlines(found.x, found.y, kept) == outlines(x, y, buckets_of(x, points))
    assert found.count == len(x)


@given(lines(), st.integers(1, 50))
def test_no_bucket_keeps_more_than_four_points_and_one_of_each_sort_that_is_no_number(
    line: tuple[Any, Any], points: int
) -> None:
    x, y = line
    found = sampled(x, y, points)
    if not found.is_sampled:
        assert found.x.tolist() == x.tolist()
        return
    where = dict(zip(x.tolist(), buckets_of(x, points), strict=True))
    counted: dict[tuple[int, str], int] = {}
    for place, value in zip(found.x.tolist(), found.y.tolist(), strict=True):
        key = (where[place], "" if math.isfinite(value) else str(value))
        counted[key] = counted.get(key, 0) + 1
    assert all(count <= (1 if sort else 4) for (_, sort), count in counted.items())


@given(lines(finite), st.integers(1, 50), st.data())
def test_a_spike_is_never_lost(line: tuple[Any, Any], points: int, data: Any) -> None:
    x, y = line
    at = data.draw(st.integers(0, len(x) - 1))
    y = np.clip(y, -1e300, 1e300)
    for spike in (1.5e300, -1.5e300):
        y[at] = spike
        assert (x[at], spike) in zip(
            *map(np.ndarray.tolist, _xy(sampled(x, y, points))), strict=True
        )


def _xy(found: Any) -> tuple[Any, Any]:
    return found.x, found.y


@given(lines(), st.integers(1, 20), finite, finite, st.booleans())
def test_a_range_gives_its_own_points_alone_but_for_its_edges(
    line: tuple[Any, Any], points: int, one: float, other: float, with_edges: bool
) -> None:
    x, y = line
    low, high = sorted((one, other))
    found = sampled(x, y, points, low=low, high=high, with_edges=with_edges)
    inside = [place for place in x.tolist() if low <= place <= high]
    assert found.count == len(inside)
    given_inside = [place for place in found.x.tolist() if low <= place <= high]
    assert set(given_inside) <= set(inside)
    outside = len(found.x) - len(given_inside)
    assert outside <= (2 if with_edges else 0)
    assert found.x.tolist() == sorted(found.x.tolist())


def test_a_line_between_two_points_that_are_out_of_sight_is_drawn_with_its_edges() -> None:
    x, y = np.array([0, 1000]), np.array([1.0, 2.0])
    assert sampled(x, y, 10, low=400, high=600).x.tolist() == []
    assert sampled(x, y, 10, low=400, high=600, with_edges=True).x.tolist() == [0, 1000]


def test_points_out_of_order_are_put_in_order_and_those_of_one_x_stay_as_they_were() -> None:
    x = np.array([3.0, 1.0, math.nan, 1.0, math.inf, 2.0])
    y = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    found_x, found_y = ascending(x, y)
    assert found_x.tolist() == [1.0, 1.0, 2.0, 3.0]
    assert found_y.tolist() == [1.0, 3.0, 5.0, 0.0]


def test_of_rows_of_one_step_the_last_one_stays() -> None:
    assert without_twins(np.array([1, 2, 5])) is None
    kept = without_twins(np.array([1, 2, 3, 2, 3, 4]))
    assert kept is not None
    assert kept.tolist() == [0, 3, 4, 5]


def test_two_keys_are_paired_where_a_row_has_both() -> None:
    x, y = paired(
        np.array([1, 2, 3]),
        np.array([10.0, 20.0, 30.0]),
        np.array([2, 3, 4]),
        np.array([5.0, 6, 7]),
    )
    assert (x.tolist(), y.tolist()) == ([5.0, 6.0], [20.0, 30.0])


def test_a_band_of_equal_steps_is_their_mean_and_reach() -> None:
    x = np.arange(5)
    found = band([(x, np.full(5, 1.0)), (x, np.full(5, 3.0))], 100)
    assert found.x.tolist() == x.tolist()
    assert found.mean.tolist() == [2.0] * 5
    assert (found.low.tolist(), found.high.tolist()) == ([1.0] * 5, [3.0] * 5)


def test_a_line_counts_between_its_ends_even_where_it_has_no_point() -> None:
    dense = (np.arange(11), np.zeros(11))
    sparse = (np.array([2, 8]), np.array([2.0, 8.0]))
    found = band([dense, sparse], 100)
    assert found.high.tolist() == [0, 0, 2, 3, 4, 5, 6, 7, 8, 0, 0]
    assert found.mean[5] == pytest.approx(2.5)


def test_a_band_of_many_points_keeps_spikes_in_its_reach() -> None:
    x = np.arange(10_000)
    y = np.zeros(10_000)
    y[1234], y[4321] = 7.0, -7.0
    found = band([(x, y), (x, np.zeros(10_000))], 50)
    assert len(found.x) == 50
    assert (found.high.max(), found.low.min()) == (7.0, -7.0)


@given(st.lists(lines(), max_size=4), st.integers(1, 20))
def test_a_mean_lies_within_its_reach(drawn: list[tuple[Any, Any]], points: int) -> None:
    small = [(x, np.clip(y, -1e100, 1e100)) for x, y in drawn]
    found = band(small, points)
    assert len(found.x) == len(found.mean) == len(found.low) == len(found.high)
    slack = 1e-9 * np.maximum(np.abs(found.low), np.abs(found.high)) + 1e-300
    assert (found.low - slack <= found.mean).all()
    assert (found.mean <= found.high + slack).all()
    assert not np.isnan(found.mean).any()

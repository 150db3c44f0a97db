"""Histograms."""

from __future__ import annotations

import numpy as np
import pytest

from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError
from artstore.media.histogram import Histogram
from tests.unit.media.making import Tensor


def test_numbers_are_counted_as_numpy_counts_them() -> None:
    numbers = [1, 2, 2, 3.5]
    values, bins = np.histogram(numbers, bins=64)
    histogram = Histogram(numbers)
    assert histogram.values == tuple(values)
    assert histogram.bins == tuple(bins)
    assert histogram == Histogram(np_histogram=(values, bins))
    assert histogram == Histogram(Tensor(np.array(numbers)))


@pytest.mark.parametrize("count", [1, 512])
def test_up_to_512_bins(count) -> None:
    assert len(Histogram([1, 2], num_bins=count).values) == count


@pytest.mark.parametrize("count", [0, 513])
def test_no_more_and_no_fewer_bins(count) -> None:
    with pytest.raises(LimitExceededError) as caught:
        Histogram([1, 2], num_bins=count)
    assert caught.value.context["limit"] == 512


def test_counts_have_the_same_limit() -> None:
    with pytest.raises(LimitExceededError):
        Histogram(np_histogram=(np.zeros(513), np.arange(514)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sequence": [1], "np_histogram": ([1], [0, 1])},
        {"sequence": [np.nan]},
        {"sequence": ["a"]},
        {"sequence": 5},
        {"np_histogram": 5},
        {"np_histogram": ([1], [0])},
        {"np_histogram": ([], [])},
        {"np_histogram": ([1], [1, 0])},
        {"np_histogram": ([np.inf], [0, 1])},
        {"np_histogram": (["a"], [0, 1])},
    ],
)
def test_what_is_no_histogram_is_refused(options) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Histogram(**options)
    assert caught.value.code == "histogram-invalid"


def test_a_histogram_is_inside_its_cell() -> None:
    histogram = Histogram([1, 2, 3], num_bins=3)
    prepared = histogram.prepare()
    assert prepared.files == ()
    assert Histogram.from_cell(prepared.cell) == histogram
    assert Histogram.from_cell(prepared.cell).digest == histogram.digest
    with pytest.raises(DamagedDataError):
        Histogram.from_cell({"values": [1]})

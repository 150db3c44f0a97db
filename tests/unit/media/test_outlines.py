"""Masks drawn from polygons and runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.media.outlines import Outline, drawn_mask, runs_of_mask, unpacked_runs


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_runs_of_any_mask_draw_it_again(inside: np.ndarray) -> None:
    height, width = inside.shape
    runs = runs_of_mask(inside)
    assert sum(runs) == inside.size
    drawn = drawn_mask((width, height), [Outline(5, runs=tuple(runs))])
    assert np.array_equal(drawn, inside * np.uint8(5))


def test_later_outlines_are_drawn_over_earlier_ones() -> None:
    square = (1.0, 1.0, 6.0, 1.0, 6.0, 6.0, 1.0, 6.0)
    small = (3.0, 3.0, 4.0, 3.0, 4.0, 4.0, 3.0, 4.0)
    ids = drawn_mask((8, 9), [Outline(1, (square,)), Outline(2, (small,))], background=255)
    assert ids.shape == (9, 8)
    assert (ids[0, 0], ids[1, 1], ids[6, 6], ids[3, 4], ids[8, 7]) == (255, 1, 1, 2, 255)


def test_a_polygon_may_reach_out_of_the_image() -> None:
    ids = drawn_mask((4, 4), [Outline(1, ((-5.0, -5.0, 9.0, -5.0, 9.0, 9.0, -5.0, 9.0),))])
    assert (ids == 1).all()


@pytest.mark.parametrize(
    "outline",
    [
        Outline(256, ((0.0, 0.0, 1.0, 0.0, 1.0, 1.0),)),
        Outline(-1),
        Outline(1, ((0.0, 0.0, 1.0, 0.0),)),
        Outline(1, ((0.0, 0.0, 1.0, 0.0, 1.0),) * 2),
        Outline(1, ((0.0, 0.0, float("nan"), 0.0, 1.0, 1.0),)),
        Outline(1, ((0.0, 0.0, 1e12, 0.0, 1.0, 1.0),)),
        Outline(1, runs=(3, 4)),
        Outline(1, runs=(-1, 17)),
        Outline(1, runs=()),
    ],
)
def test_what_is_no_outline_is_refused(outline: Outline) -> None:
    with pytest.raises(InvalidInputError) as caught:
        drawn_mask((4, 4), [outline])
    assert caught.value.code == "mask-invalid"


def test_a_mask_of_a_huge_image_is_refused_before_it_is_made() -> None:
    with pytest.raises(LimitExceededError):
        drawn_mask((60_000, 60_000), [])


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120)))
def test_any_text_is_runs_or_refused(text: str) -> None:
    try:
        assert all(type(run) is int for run in unpacked_runs(text))
    except InvalidInputError as error:
        assert error.code == "mask-invalid"

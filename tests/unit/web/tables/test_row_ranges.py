"""Numbers of rows as a short text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.web.tables.rowranges import CHOSEN_MAX, range_count, read_ranges, write_ranges


@given(st.sets(st.integers(0, 300)))
def test_every_set_of_rows_is_read_as_it_was_written(numbers: set[int]) -> None:
    ranges = read_ranges(",".join(map(str, sorted(numbers, reverse=True))))
    assert read_ranges(write_ranges(ranges)) == ranges
    assert {n for first, last in ranges for n in range(first, last + 1)} == numbers
    assert range_count(ranges) == len(numbers)


def test_neighbours_are_one_range_and_the_text_is_short() -> None:
    assert write_ranges(read_ranges("9,0,4-6,5-8")) == "0,4-9"


@pytest.mark.parametrize("text", ["a", "1,", "3-1", "-1", "1.5", "1 ,2", "9" * 16])
def test_what_is_no_list_of_rows_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="row"):
        read_ranges(text)


def test_more_rows_than_are_chosen_one_by_one_are_refused() -> None:
    assert range_count(read_ranges(f"0-{CHOSEN_MAX - 1}")) == CHOSEN_MAX
    with pytest.raises(ValueError, match="at most 100,000"):
        read_ranges(f"0-{CHOSEN_MAX}")

"""Times of day are compared with each other and with what is written as one."""

from __future__ import annotations

import datetime as dt

import pytest

from artstore.errors import InvalidInputError
from artstore.tables.table import Table


def clocks() -> Table:
    cells = [dt.time(1, 2), dt.time(13, 0, 0, 500_000), None]
    return Table(data={"at": cells, "until": [dt.time(2), dt.time(3), None]})


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("at = '01:02'", 1),
        ("at > '13:00'", 1),
        ("at >= '13:00:00.5'", 1),
        ("at < until", 1),
        ("at IS NULL", 1),
        ("at IN ('01:02', '05:00')", 1),
        ("at BETWEEN '00:00' AND '12:00'", 1),
        ("coalesce(at, '07:00') = '07:00'", 1),
        ("{at: {$lt: '12:00'}}", 1),
        ("at != '01:02'", 1),
    ],
)
def test_rows_are_chosen_by_the_time_of_day(condition: str, rows: int) -> None:
    assert clocks().filter(condition).count().to_pyarrow().as_py() == rows


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("at = 'noon'", "'noon' is not a time of day"),
        ("at = '01:02+01:00'", "is not a time of day"),
        ("at > 5", "a time of day and a number cannot be compared"),
        ("at", "a condition gives true or false, and this gives a time of day"),
    ],
)
def test_what_is_no_time_of_day_is_told(condition: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told) as caught:
        clocks().filter(condition)
    assert "position" in caught.value.context

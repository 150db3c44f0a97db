"""
Numbers of rows as a short text: `0,4-9,12`. Addresses and forms have them so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["CHOSEN_MAX", "RowRanges", "range_count", "read_ranges", "write_ranges"]

RowRanges = tuple[tuple[int, int], ...]
"""Pairs (first, last), ascending; between two of them at least one row is left out."""

CHOSEN_MAX: Final = 100_000
"""Rows that are chosen one by one."""

_RANGE: Final = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?", re.ASCII)


def read_ranges(text: str) -> RowRanges:
    """
    The rows of a text; an empty one has none.

    Raises:
        ValueError: it is no such text, or there are more than `CHOSEN_MAX` rows.
    """
    found = []
    for part in text.split(",") if text else ():
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError("it is no list of rows such as 0,4-9,12")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"the row {last} is before {first}")
        found.append((first, last))
    ranges = _joined(sorted(found))
    if range_count(ranges) > CHOSEN_MAX:
        raise ValueError(f"at most {CHOSEN_MAX:,} rows are chosen")
    return ranges


def write_ranges(ranges: RowRanges) -> str:
    """The text of rows; `read_ranges` is the inverse."""
    return ",".join(f"{one}" if one == two else f"{one}-{two}" for one, two in ranges)


def range_count(ranges: RowRanges) -> int:
    """How many rows there are."""
    return sum(last - first + 1 for first, last in ranges)


def _joined(ranges: Iterable[tuple[int, int]]) -> RowRanges:
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)

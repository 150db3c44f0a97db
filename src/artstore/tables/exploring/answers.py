"""
What an explored table answers: plain records, with cells as Arrow has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from artstore.tables.types import ColumnType

__all__ = [
    "ColumnInfo",
    "Count",
    "Facet",
    "Group",
    "Groups",
    "Summary",
    "ValueCount",
    "Window",
]


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """
    A column of a table, or a computed one.

    Attributes:
        role: `number` (also durations and decimals), `text`, `bool`, `time` (dates, times of
            day, timestamps), `media`, `nested` (lists, dicts, arrays, mixed), `other` (bytes,
            columns in which nothing is yet).
    """

    name: str
    type: ColumnType
    role: str
    is_computed: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows match, of how many."""

    matching: int
    total: int


@dataclass(frozen=True, slots=True)
class Window:
    """
    Successive rows of a selection.

    Attributes:
        start: place of the first of them in the selection, counted from 0.
        matching: rows of the selection; None if they are not all counted yet: `count` does.
        total: rows of the table.
        numbers: of each row its number in the table.
        columns: those of `cells`, in their order.
        cells: a `pyarrow.Table`, a column each, of the Arrow types of `columns`, cut for display.
        lengths: of each column in which something was cut: a value for each row, None if its
            cell is whole, else how long the cell is: characters of a text, bytes of a binary,
            elements of a list, values of an array. Of a cell in which something deeper was cut,
            the length of the longest thing that was cut in it.
    """

    start: int
    matching: int | None
    total: int
    numbers: list[int]
    columns: tuple[ColumnInfo, ...]
    cells: Any
    lengths: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValueCount:
    """
    A value and how many rows have it.

    Attributes:
        value: bool, int, float, Decimal, str (cut to 1,000 characters), date, time or datetime.
        count: rows of the whole table for a facet; rows of the selection elsewhere.
        selected: rows of the selection.
        length: of a text that was cut.
    """

    value: Any
    count: int
    selected: int
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """
    How the cells of a column are distributed: in all rows, and in the selected ones.

    Attributes:
        kind: `histogram` (`edges`, `all_counts`, `selected_counts`), `values` (`values` and what
            is rest), or `nulls` (media and all else: only what is None is counted).
        edges: n + 1 values, ascending, for n bins [edge, next edge); the last bin has its
            upper edge, too. Finite int or float; date, time or datetime of times; of durations
            whole numbers of the column's unit. Empty if no cell is finite.
        all_counts, selected_counts: n counts each.
        values: the most frequent values of all rows, at most 10 (20 of whole numbers), by
            count, then by value.
        rest_all, rest_selected: rows with other values that are neither None nor NaN.
        nulls_all, nulls_selected: rows in which it is None.
        special_all, special_selected: counts of `nan`, `inf` and `-inf`, which no bin has.
        distinct: how many different values all rows have, about.
        is_sampled: the counts are of a sample of `sample_size` rows of the table, not of all.
    """

    column: str
    kind: str
    edges: tuple[Any, ...] = ()
    all_counts: tuple[int, ...] = ()
    selected_counts: tuple[int, ...] = ()
    values: tuple[ValueCount, ...] = ()
    rest_all: int = 0
    rest_selected: int = 0
    nulls_all: int = 0
    nulls_selected: int = 0
    special_all: Mapping[str, int] = field(default_factory=dict)
    special_selected: Mapping[str, int] = field(default_factory=dict)
    distinct: int | None = None
    is_sampled: bool = False
    sample_size: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """
    A column in one group.

    Attributes:
        kind: `number`, `time`, `values` (text, bool) or `nulls` (all else).
        count: cells that are not None; the others are `nulls`.
        total: the sum; None where it is no number. Aggregates are floats, over finite cells;
            `minimum` and `maximum` are numbers or times, of decimals floats. None where there is
            no finite cell, and for a spread or sum that no float holds.
        stddev: of a sample.
        quantiles: at 0.25, 0.5 and 0.75, interpolated; empty for other kinds than numbers.
        histogram: counts for the bins of `Groups.edges[column]`; empty for `values`.
        values: the most frequent values, at most 5; `count` and `selected` are the same.
        sample_size: `quantiles` and `histogram` are of so many of its rows, from all over the
            table; None if they are of all. All else always is.
    """

    column: str
    kind: str
    count: int
    nulls: int
    total: float | None = None
    mean: float | None = None
    stddev: float | None = None
    minimum: Any = None
    maximum: Any = None
    quantiles: tuple[float | None, ...] = ()
    histogram: tuple[int, ...] = ()
    values: tuple[ValueCount, ...] = ()
    sample_size: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """
    Rows with the same key.

    Attributes:
        count: rows of it.
        summaries: one for each column that was asked for, in that order.
        examples: numbers of its first rows in the table, at most 8.
    """

    count: int
    summaries: tuple[Summary, ...]
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """
    Some of the groups of a selection.

    Attributes:
        start: place of the first of them.
        total: how many groups there are.
        matching: how many rows are in all of them.
        by: the columns of `keys`.
        keys: a `pyarrow.Table`: of each group its key, None for missing values; cut for display.
        lengths: as in `Window`, of `keys`.
        groups: a record for each row of `keys`.
        edges: of each column with histograms their common edges, as in `Facet`.
        is_approximate: quantiles were estimated: the table is large.
    """

    start: int
    total: int
    matching: int
    by: tuple[ColumnInfo, ...]
    keys: Any
    lengths: Mapping[str, tuple[int | None, ...]]
    groups: tuple[Group, ...]
    edges: Mapping[str, tuple[Any, ...]]
    is_approximate: bool = False

"""
The first rows by a column of numbers of a large stored table, where its files tell their ends.

The files with the least numbers give enough rows; no row with a greater number than the last of
these is among the first. So the rest is scanned for lesser numbers alone, and whatever file has
none is left out: all of them, where the table is sorted or the number is the least of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from artstore.tables.engine import ROW
from artstore.tables.exploring.fragmentends import FragmentEnds
from artstore.tables.exploring.plans import Plan
from artstore.tables.exploring.sources import StoredSource
from artstore.tables.viewsql import sql_type

__all__ = ["stored_top"]

_FIRST_FILES: Final = 2
_MORE_FILES: Final = 4
"""How many times as many are looked through for equal numbers, from one look to the next."""


def stored_top(plan: Plan, column: str, wanted: int, *, is_descending: bool) -> Any:
    """
    The numbers of the first `wanted` rows by c0, equal ones as they come: int64 [wanted].

    Args:
        plan: its first column is `column`, as it is stored.
    Returns:
        None where it is not known, or not this way: the files tell no ends, or fewer rows match.
    """
    source = plan.source
    if not isinstance(source, StoredSource):
        return None
    ends = source.ends(column)
    if ends is None:
        return None
    search = _Search(plan, source, column, ends, is_descending=is_descending)
    return search.found(wanted)


class _Search:
    def __init__(
        self,
        plan: Plan,
        source: StoredSource,
        column: str,
        ends: FragmentEnds,
        *,
        is_descending: bool,
    ) -> None:
        self._plan, self._source = plan, source
        self._type = sql_type(source.schema.type_of(column))
        self._is_descending = is_descending
        self._sign, self._way = (">", "DESC") if is_descending else ("<", "ASC")
        near, far = (ends.highs, ends.lows) if is_descending else (ends.lows, ends.highs)
        self._files = [at for at, end in enumerate(near) if end is not None]
        self._near, self._far = near, far

    def found(self, wanted: int) -> Any:
        best = sorted(self._files, key=self._near.__getitem__, reverse=self._is_descending)
        seen, cells = self._first(best[:_FIRST_FILES], "c0 IS NOT NULL", wanted)
        if len(seen) < wanted:
            return None
        last = cells[wanted - 1]
        # Of the very type of the column: another one is compared number by number.
        value = f"CAST('{last!r}' AS {self._type})" if isinstance(last, float) else str(last)
        files = [at for at in self._files if self._is_before(self._near[at], last)]
        before, _ = self._first(files, f"c0 {self._sign} {value}", wanted)
        return np.concatenate([before, self._equal(last, value, wanted - len(before))])

    def _equal(self, last: Any, value: str, count: int) -> Any:
        """The first `count` rows of the table in which c0 is the number."""
        files = [
            at
            for at in self._files
            if not self._is_before(last, self._near[at])
            and not self._is_before(self._far[at], last)
        ]
        parts, at, step = [np.zeros(0, np.int64)], 0, _FIRST_FILES
        while count > 0 and at < len(files):
            rows, _ = self._first(files[at : at + step], f"c0 = {value}", count)
            parts.append(rows)
            count -= len(rows)
            at, step = at + step, step * _MORE_FILES
        return np.concatenate(parts)

    def _is_before(self, one: Any, other: Any) -> bool:
        return bool(one > other if self._is_descending else one < other)

    def _first(self, files: Sequence[int], condition: str, count: int) -> tuple[Any, list[Any]]:
        """The first rows of some files that a condition is true for, and their cells."""
        if not files:
            return np.zeros(0, np.int64), []
        found = self._plan.run(
            f"SELECT {ROW}, c0 FROM s WHERE w AND {condition} "
            f"ORDER BY c0 {self._way}, {ROW} LIMIT {count}",
            self._source.scan_files(files, self._plan.needs),
        )
        rows = self._source.numbers_in(files, found[ROW].to_numpy())
        return rows, found["c0"].to_pylist()

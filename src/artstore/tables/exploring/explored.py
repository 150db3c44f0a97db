"""
A table that is looked at: any selection of its rows, window by window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from artstore import forks
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.engine import ROW, engine
from artstore.tables.exploring.answers import (
    ColumnInfo,
    Count,
    Facet,
    Groups,
    ValueCount,
    Window,
)
from artstore.tables.exploring.caching import AnswerCache
from artstore.tables.exploring.chosenrows import ChosenSource
from artstore.tables.exploring.display import cut, cut_sql, restored
from artstore.tables.exploring.facets import (
    facets_of,
    is_counted,
    share_ranges,
    shown_value,
    value_counts,
)
from artstore.tables.exploring.grouping import GroupOrder, groups_of
from artstore.tables.exploring.matching import Matches
from artstore.tables.exploring.ordering import Ordering
from artstore.tables.exploring.plans import Planner, role_of
from artstore.tables.exploring.selection import Selection
from artstore.tables.exploring.sources import source_of
from artstore.tables.exploring.wholerows import picked_bytes, picked_rows

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader
    from artstore.tables.rows import Rows

__all__ = ["ALL", "GROUPS_MAX", "NUMBERS_MAX", "WINDOW_MAX", "ExploredTable"]

ALL: Final = Selection()
"""All rows, as they come."""

WINDOW_MAX: Final = 10_000
NUMBERS_MAX: Final = 100_000
GROUPS_MAX: Final = 500
_SORT_MAX: Final = 16
_WHERE_MAX: Final = 64
_BY_MAX: Final = 2


class ExploredTable:
    """
    A table, joined or partitioned table that is looked at. Made once and kept; safe for threads.

    Args:
        reader: its rows; must not change while it is explored.
        cache_bytes: what is kept of earlier answers, at most.
        rows: numbers of the only ones that conditions are looked at for, int64 [n], ascending;
            all if left out. A selection without a condition still has all rows.

    Every method may raise:
        InvalidInputError: `expression-invalid`, `expression-type-invalid`, `column-unknown`,
            `column-ambiguous`, the first three with `position` if it is in a text;
            `columns-invalid`, `value-invalid`, `query-failed`.
        StateError: `query-cancelled`.
        LimitExceededError: `query-too-long`, `limit-exceeded`.
    """

    def __init__(
        self, reader: RowReader, *, cache_bytes: int = 256 << 20, rows: Any = None
    ) -> None:
        self.reader = reader
        self._rows = rows
        self._cache = AnswerCache(cache_bytes)
        self._lock = forks.new_lock()
        # What reads rows without a query is for one thread.
        self._reading = forks.new_lock()
        self._planner: tuple[Any, Planner] | None = None

    @property
    def cached_bytes(self) -> int:
        """What is kept in memory now, about; never more than `cache_bytes`."""
        return self._cache.size_bytes

    def columns(self, selection: Selection = ALL) -> tuple[ColumnInfo, ...]:
        """The columns of the table, then the computed ones."""
        if not selection.computed:
            schema = self.reader.schema
            pairs = zip(schema.names, schema.types, strict=True)
            return tuple(ColumnInfo(name, kind, role_of(kind)) for name, kind in pairs)
        return self._plans().columns(_checked(selection))

    def count(self, selection: Selection = ALL) -> Count:
        """How many rows match. Cost: the first time, one scan of the columns of `where`."""
        total = self.reader.row_count
        if not _checked(selection).where:
            return Count(total, total)
        matches = self._matches(selection)
        found = Count(matches.count(), total)
        self._keep(selection, matches)
        return found

    def window(
        self,
        selection: Selection = ALL,
        start: int = 0,
        count: int = 100,
        columns: Sequence[str] | None = None,
    ) -> Window:
        """
        The rows [start, start + count) of a selection, cut for display.

        Rows behind the last one there are not: the window is shorter, or empty.

        Args:
            count: at most 10,000.
            columns: which, in this order; all and the computed ones if left out.
        """
        _check_numbers(start, count, WINDOW_MAX)
        _checked(selection)
        total = self.reader.row_count
        if not selection.where and not selection.sort:
            stop = min(start + count, total)
            numbers, matching = np.arange(min(start, stop), stop), total
            return self._window(selection, start, matching, numbers, columns)
        found, known = self._numbers(selection, start, start + count)
        return self._window(selection, start, known, found, columns)

    def numbers(self, selection: Selection = ALL, start: int = 0, count: int = NUMBERS_MAX) -> Any:
        """
        The numbers in the table of the rows [start, start + count) of a selection: int64 [n].

        Args:
            count: at most 100,000.
        """
        _check_numbers(start, count, NUMBERS_MAX)
        if not _checked(selection).where and not selection.sort:
            stop = min(start + count, self.reader.row_count)
            return np.arange(min(start, stop), stop)
        return self._numbers(selection, start, start + count)[0]

    def rows(
        self,
        numbers: Sequence[int],
        columns: Sequence[str] | None = None,
        selection: Selection = ALL,
    ) -> Window:
        """
        Rows by their numbers in the table, in this order; `start` is 0.

        Args:
            selection: only its computed columns count here.
        Raises:
            InvalidInputError: `value-invalid`: there is no row of such a number.
        """
        total = self.reader.row_count
        for number in numbers:
            if not 0 <= number < total:
                raise InvalidInputError(
                    f"there is no row {number}, only {total} from 0 on", code="value-invalid"
                )
        _check_numbers(0, len(numbers), WINDOW_MAX)
        plain = Selection(computed=_checked(selection).computed)
        wanted = np.array(list(numbers), np.int64)
        return self._window(plain, 0, len(numbers), wanted, columns)

    def whole_rows(self, numbers: Any, columns: Sequence[str], selection: Selection = ALL) -> Rows:
        """
        Rows by their numbers in the table, in this order, with cells that are not cut.

        Args:
            numbers: int64 [n], n at most 100,000.
            selection: only its computed columns count here.
        """
        _check_numbers(0, len(numbers), NUMBERS_MAX)
        plain = Selection(computed=_checked(selection).computed)
        is_stored = all(name in self.reader.columns for name in columns)
        if is_stored and len(numbers) and (np.diff(numbers) == 1).all():
            # Successive rows are read as they are stored, without a query.
            return self.reader.read_rows(int(numbers[0]), int(numbers[-1]) + 1, list(columns))
        planner = self._plans()
        return picked_rows(planner, plain, planner.chosen(plain, columns), numbers)

    def whole_bytes(self, numbers: Any, columns: Sequence[str]) -> int:
        """How many bytes the stored texts and binaries of rows take; 0 if there are none."""
        planner = self._plans()
        stored = [name for name in columns if name in self.reader.columns]
        return picked_bytes(planner, planner.chosen(ALL, stored), numbers)

    def facets(
        self, selection: Selection = ALL, columns: Sequence[str] | None = None
    ) -> list[Facet]:
        """A facet for each of `columns`, in this order; of all if left out."""
        planner = self._plans()
        names = columns
        if names is None:
            names = [info.name for info in planner.columns(_checked(selection))]
        infos = planner.chosen(_checked(selection), list(dict.fromkeys(names)))
        self._align(planner, [info.name for info in infos])
        found = {facet.column: facet for facet in facets_of(planner, self._cache, selection, infos)}
        return [found[name] for name in names]

    def groups(
        self,
        selection: Selection,
        by: Sequence[str],
        start: int = 0,
        count: int = 50,
        *,
        columns: Sequence[str] = (),
        order: str = "key",
        descending: bool = False,
    ) -> Groups:
        """
        Rows with the same values of one or two columns.

        Args:
            by: one or two columns, no media and nothing nested.
            count: at most 500.
            columns: which to sum up in each group.
            order: `key` or `count`; equal counts by key. None is the last key, both ways.
        """
        _check_numbers(start, count, GROUPS_MAX)
        if not 1 <= len(by) <= _BY_MAX or len(set(by)) < len(by):
            raise InvalidInputError(
                f"rows are grouped by one or two columns, not by {list(by)!r:.200}",
                code="value-invalid",
            )
        if order not in ("key", "count"):
            raise InvalidInputError(
                f"groups come in the order of key or count, not of {order!r:.80}",
                code="value-invalid",
            )
        wanted = GroupOrder(order, descending, start, count)
        planner = self._plans()
        self._align(planner, columns)
        return groups_of(planner, self._cache, _checked(selection), by, list(columns), wanted)

    def values(
        self, selection: Selection, column: str, prefix: str = "", count: int = 20
    ) -> list[ValueCount]:
        """
        The most frequent values of a column, by count, then by value; None is left out.

        Args:
            prefix: their text begins with this, whatever its case.
            count: at most 500.
        Raises:
            InvalidInputError: `expression-type-invalid`: a column of media or nested cells.
        """
        _check_numbers(0, count, GROUPS_MAX)
        planner = self._plans()
        (info,) = planner.chosen(_checked(selection), [column])
        if not is_counted(info):
            raise InvalidInputError(
                f"the values of {column!r} are not listed: it is {info.type}",
                code="expression-type-invalid",
                column=column,
            )
        begins = ""
        if prefix:
            # As digits: a text of the user never becomes part of a query.
            letters = ", ".join(f"chr({ord(letter)})" for letter in prefix[:1000] if ord(letter))
            begins = f"AND starts_with(lower(CAST(c0 AS VARCHAR)), lower(concat({letters})))"
        found = planner.plan(selection, [column]).run(
            f"SELECT {shown_value('k', info.type)}, n, n AS m FROM "
            f"(SELECT c0 AS k, count(*) AS n FROM s WHERE w AND c0 IS NOT NULL {begins} "
            f"GROUP BY c0 ORDER BY n DESC, k LIMIT {count}) ORDER BY n DESC, k"
        )
        return list(value_counts(found, info.type))

    def position(self, selection: Selection, number: int) -> int | None:
        """Where the row with a number in the table stands in a selection; None if it is not in."""
        if not 0 <= number < self.reader.row_count:
            return None
        if not _checked(selection).sort:
            if not selection.where:
                return number
            matches = self._matches(selection)
            found = matches.rank(number)
            self._keep(selection, matches)
            return found
        return self._ordering(selection).rank(number)

    def planner(self) -> Planner:
        """What compiles selections, for answers that are made elsewhere."""
        return self._plans()

    # ----------------------------------------------------------------------------------

    def _plans(self) -> Planner:
        """Compiles selections; made anew in a forked child, which has an engine of its own."""
        with self._lock:
            found = engine()
            if self._planner is None or self._planner[0] is not found:
                source = source_of(self.reader)
                if self._rows is not None:
                    source = ChosenSource(source, self._rows)
                self._planner = (found, Planner(source))
            return self._planner[1]

    def _align(self, planner: Planner, names: Sequence[str]) -> None:
        """Columns of compared tables that are one column there get the same bins."""
        columns = getattr(self.reader, "side_columns", ())
        if columns:
            share_ranges(planner, self._cache, columns, names)

    def _matches(self, selection: Selection) -> Matches:
        def make() -> Matches:
            return Matches(self._plans().plan(selection, ()))

        key = ("matches", selection.where, selection.computed)
        return self._cache.get_or_make(key, make, lambda found: found.nbytes)

    def _keep(self, selection: Selection, matches: Matches) -> None:
        """Tell the cache how large they are by now."""
        key = ("matches", selection.where, selection.computed)
        self._cache.put(key, matches, matches.nbytes)

    def _numbers(self, selection: Selection, start: int, stop: int) -> tuple[Any, int | None]:
        """The rows at places of a selection, and how many there are if that is known."""
        if selection.sort:
            return self._ordering(selection).numbers(start, stop)
        matches = self._matches(selection)
        found = matches.numbers(start, stop)
        self._keep(selection, matches)
        return found, matches.known if matches.is_complete else None

    def _ordering(self, selection: Selection) -> Ordering:
        planner = self._plans()
        names = [key.column for key in selection.sort]
        infos = planner.chosen(selection, names)
        known: int | None = self.reader.row_count
        if selection.where:
            key = ("matches", selection.where, selection.computed)
            matches = self._cache.get(key)
            known = matches.known if matches is not None and matches.is_complete else None
        return Ordering(
            planner.plan(selection, names),
            selection.sort,
            infos,
            self._cache,
            (selection.where, selection.sort, selection.computed),
            lambda: self.count(selection).matching,
            known,
        )

    def _window(
        self,
        selection: Selection,
        start: int,
        matching: int | None,
        numbers: Any,
        columns: Sequence[str] | None,
    ) -> Window:
        try:
            planner = self._plans()
        except InvalidInputError as error:
            if error.code != "columns-invalid" or selection != ALL:
                raise
            # Rows can be read, though SQL cannot tell their columns apart.
            infos = self.columns()
            if columns is not None:
                by_name = {info.name: info for info in infos}
                for name in columns:
                    self.reader.check_column(name)
                infos = tuple(by_name[name] for name in columns)
            cells, lengths = self._read_cells(infos, numbers)
        else:
            names = columns
            if names is None:
                names = [info.name for info in planner.columns(selection)]
            infos = tuple(planner.chosen(selection, names))
            cells, lengths = self._cells(planner, selection, infos, numbers)
        total = self.reader.row_count
        return Window(start, matching, total, numbers.tolist(), infos, cells, lengths)

    def _read_cells(
        self, infos: Sequence[ColumnInfo], numbers: Any
    ) -> tuple[Any, dict[str, tuple[int | None, ...]]]:
        """As `_cells`, without the engine."""
        names = [info.name for info in infos]
        wanted = np.unique(numbers)
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) != 1) + 1) if len(wanted) else []
        with self._reading:
            parts = [
                self.reader.read_rows(int(run[0]), int(run[-1]) + 1, names).to_arrow()
                for run in runs
            ]
        schema = self.reader.schema.only(names).to_arrow()
        rows = pa.concat_tables([schema.empty_table(), *parts])
        chosen = pa.array(np.searchsorted(wanted, numbers))
        arrays, lengths = [], {}
        for info, column in zip(infos, rows.columns, strict=True):
            array, long = cut(restored(column, info.type).take(chosen), info.type)
            arrays.append(array)
            if long is not None:
                lengths[info.name] = tuple(n or None for n in long.tolist())
        return pa.Table.from_arrays(arrays, names=names), lengths

    def _cells(
        self, planner: Planner, selection: Selection, infos: Sequence[ColumnInfo], numbers: Any
    ) -> tuple[Any, dict[str, tuple[int | None, ...]]]:
        """Cells of rows, cut for display, and how long those were that were cut."""
        plan = planner.plan(selection, [info.name for info in infos], is_filtered=False)
        wanted = np.unique(numbers)
        picked = [planner.source.pick(share, plan.needs) for share in planner.source.shares(wanted)]
        places = np.concatenate([one.places for one in picked])
        parts, is_long = [ROW], set()
        for at, info in enumerate(infos):
            shown, length = cut_sql(f"c{at}", info.type)
            parts.append(f"{shown} AS d{at}")
            if length is not None:
                is_long.add(at)
                parts.append(f"{length} AS z{at}")
        found = plan.run_each(f"SELECT {', '.join(parts)} FROM s", [one.relation for one in picked])
        given = found[ROW].to_numpy()
        order = np.argsort(given, kind="stable")
        asked = places[np.searchsorted(wanted, numbers)] if len(wanted) else numbers
        chosen = pa.array(order[np.searchsorted(given[order], asked)])
        arrays, lengths = [], {}
        for at, info in enumerate(infos):
            array = restored(found[f"d{at}"], info.type).take(chosen)
            array, long = (array, None) if at in is_long else cut(array, info.type)
            if at in is_long:
                long = found[f"z{at}"].combine_chunks().fill_null(0).take(chosen).to_numpy()
            arrays.append(array)
            if long is not None and long.any():
                lengths[info.name] = tuple(n or None for n in long.tolist())
        return pa.Table.from_arrays(arrays, names=[info.name for info in infos]), lengths


def _checked(selection: Selection) -> Selection:
    for what, found, most in (
        ("conditions", selection.where, _WHERE_MAX),
        ("sort keys", selection.sort, _SORT_MAX),
    ):
        if len(found) > most:
            raise LimitExceededError(
                f"a view has at most {most} {what}, not {len(found)}", code="limit-exceeded"
            )
    return selection


def _check_numbers(start: int, count: int, most: int) -> None:
    if start < 0 or count < 0:
        raise InvalidInputError(
            f"a window of {count} rows from row {start} on there is not", code="value-invalid"
        )
    if count > most:
        raise LimitExceededError(
            f"at most {most} are given at a time, not {count}", code="limit-exceeded"
        )

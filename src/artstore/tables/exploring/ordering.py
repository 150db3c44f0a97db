"""
Rows in an order: a window of them is found without sorting all, where there are many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from artstore.tables.engine import ROW
from artstore.tables.enginelimits import check_memory
from artstore.tables.exploring.answers import ColumnInfo
from artstore.tables.exploring.binning import is_binned, is_whole, number_sql
from artstore.tables.exploring.caching import AnswerCache
from artstore.tables.exploring.fragmentends import has_ends
from artstore.tables.exploring.plans import Plan
from artstore.tables.exploring.running import Relation
from artstore.tables.exploring.selection import SortKey
from artstore.tables.exploring.storedtop import stored_top
from artstore.tables.types import ColumnType, Decimal, Plain

__all__ = ["ORDER_ROWS_MAX", "Ordering"]

ORDER_ROWS_MAX: Final = 4_000_000
"""Selections with more rows are not sorted as a whole."""

TOP_ROWS: Final = 1000
_TOP_ROWS_MAX: Final = 50_000
"""Windows that end before this, counted from either end, are found by one scan."""

_ROW_BYTES: Final = 24
"""Of a row that is sorted, outside of the engine: its place, its number, and its place again."""

_BINS: Final = 4096
_NARROWED_MAX: Final = 3


class _Key(NamedTuple):
    """
    One thing to sort by.

    Attributes:
        form: SQL for it, with `{}` for the column.
        at: which of the columns.
    """

    form: str
    at: int
    descending: bool

    @property
    def value(self) -> str:
        """SQL for it, of a row of `s`."""
        return self.form.format(f"c{self.at}")

    @property
    def other(self) -> str:
        """SQL for it, of the row in `a`."""
        return self.form.format(f"a.a{self.at}")


class Ordering:
    """
    The rows of a selection with sort keys.

    Args:
        plan: has the columns of the keys as c0, c1, ...
        infos: of these columns.
        name: what tells this ordering from others in `cache`.
        count: gives how many rows there are; may scan all rows.
        known: the same if it is known without a scan, else None.
    """

    def __init__(  # noqa: PLR0917 - what an ordering is of
        self,
        plan: Plan,
        sort: Sequence[SortKey],
        infos: Sequence[ColumnInfo],
        cache: AnswerCache,
        name: Any,
        count: Callable[[], int],
        known: int | None,
    ) -> None:
        self._plan, self._infos, self._cache, self._name = plan, infos, cache, name
        self._count, self._known = count, known
        self._sort = sort
        self._keys: list[_Key] = []
        for at, (key, info) in enumerate(zip(sort, infos, strict=True)):
            if isinstance(info.type, Decimal) and info.type.is_wide:
                # Texts to the engine; digits beyond a float's decide only as texts do.
                self._keys.append(_Key("TRY_CAST({} AS DOUBLE)", at, key.descending))
            self._keys.append(_Key("{}", at, key.descending))

    def numbers(self, start: int, stop: int) -> tuple[Any, int | None]:
        """
        The rows at the places [start, stop): their numbers in the table, int64 [n].

        Returns:
            The numbers, and how many rows there are, if that is known.
        """
        whole = self._whole()
        if whole is not None:
            return whole[start:stop].astype(np.int64), len(whole)
        if stop <= _TOP_ROWS_MAX:
            return self._top(start, stop), self._known
        count = self._count()
        stop = min(stop, count)
        if start >= stop:
            return np.zeros(0, np.int64), count
        if count <= ORDER_ROWS_MAX:
            return self._sorted()[start:stop].astype(np.int64), count
        if count - start <= _TOP_ROWS_MAX:
            found = self._run(f"WHERE w {self._order_by(is_reversed=True)} LIMIT {count - start}")
            return found[::-1][: stop - start], count
        return self._deep(start, stop), count

    def rank(self, number: int) -> int | None:
        """Where a row stands; None if it is not selected."""
        whole = self._whole()
        if whole is not None:
            at = np.flatnonzero(whole == number)
            return int(at[0]) if len(at) else None
        columns = ", ".join(f"c{at}" for at in range(len(self._infos)))
        picked = self._plan.source.pick(np.array([number], np.int64), self._plan.needs)
        row = self._plan.run(f"SELECT {columns}, w FROM s", picked.relation)
        if not row["w"][0].as_py():
            return None
        renamed = row.drop_columns(["w"]).rename_columns(
            [f"a{at}" for at in range(len(self._infos))]
        )
        before = _before(self._keys)
        name = f"{self._plan.source.view}_at"
        found = self._plan.run(
            f"SELECT count(*) AS n FROM s, {name} a WHERE w AND ({before[0]} OR ({before[1]} "
            f"AND {ROW} < {self._place_of(number)}))",
            more=Relation("", (), {name: renamed}),
        )
        return int(found["n"][0].as_py())

    # ----------------------------------------------------------------------------------

    def _whole(self) -> Any:
        """All row numbers in order, if they are few enough; else None."""
        kept = self._cache.get(("order", self._name))
        if kept is not None:
            return kept
        known = self._plan.source.row_count if self._known is None else self._known
        return self._sorted() if known <= ORDER_ROWS_MAX else None

    def _sorted(self) -> Any:
        kind = np.uint32 if self._plan.source.row_count < 1 << 32 else np.int64
        return self._cache.get_or_make(
            ("order", self._name), lambda: self._whole_order(kind), lambda found: found.nbytes
        )

    def _whole_order(self, kind: Any) -> Any:
        rows = self._plan.source.row_count if self._known is None else self._known
        check_memory(_ROW_BYTES * min(rows, ORDER_ROWS_MAX))
        return self._run(f"WHERE w {self._order_by()}").astype(kind)

    def _top(self, start: int, stop: int) -> Any:
        key = ("top", self._name)
        kept = self._cache.get(key)
        if kept is None or (len(kept[0]) < stop and not kept[1]):
            wanted = TOP_ROWS
            while wanted < stop:
                wanted *= 4
            kept = self._stored_top(wanted)
            if len(kept[0]) < stop:
                kept = self._loose_top(wanted)
            if len(kept[0]) < stop and not kept[1]:
                found = self._run(f"WHERE w {self._order_by()} LIMIT {wanted}")
                kept = (found, len(found) < wanted)
            self._cache.put(key, kept, kept[0].nbytes)
        return kept[0][start:stop]

    def _stored_top(self, wanted: int) -> tuple[Any, bool]:
        """The first rows by a column of numbers as they are stored; none if not found so."""
        (info, *others), none = self._infos, np.zeros(0, np.int64)
        if others or info.is_computed or not has_ends(info.type):
            return none, False
        is_descending = self._sort[0].descending
        found = stored_top(self._plan, info.name, wanted, is_descending=is_descending)
        return (none if found is None else found), False

    def _loose_top(self, wanted: int) -> tuple[Any, bool]:
        """
        The first rows by a column of fractions, at most `wanted`, and whether these are all.

        The engine does it a quarter faster where it need not look at the rows of equal cells; most
        fractions have few. Of the last cell it may have taken any rows, so these are left out.
        """
        kind = self._infos[0].type
        if len(self._keys) > 1 or not (isinstance(kind, Plain) and kind.name.startswith("float")):
            return np.zeros(0, np.int64), False
        way = "DESC" if self._keys[0].descending else "ASC"
        found = self._plan.run(
            f"SELECT {ROW}, c0 FROM s WHERE w ORDER BY c0 {way} NULLS LAST LIMIT {wanted}"
        )
        cells = found["c0"].combine_chunks()
        is_null = np.asarray(cells.is_null())
        values = np.asarray(cells.fill_null(0)).astype(np.float64)
        same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        begins = np.concatenate(([True], ~(same & (is_null[1:] == is_null[:-1]))))[: len(values)]
        rows = self._plan.source.numbers(found[ROW].to_numpy())
        rows = rows[np.lexsort((rows, np.cumsum(begins)))]
        if len(rows) < wanted:
            return rows, True
        return rows[: int(np.flatnonzero(begins)[-1])], False

    def _deep(self, start: int, stop: int) -> Any:
        """A window far from both ends: only rows of its range of values are sorted."""
        where, before = "w", 0
        if is_binned(self._infos[0].type):
            where, before = self._range_of(start, stop)
        limit = f"LIMIT {stop - start} OFFSET {start - before}"
        return self._run(f"WHERE {where} {self._order_by()} {limit}")

    def _range_of(self, start: int, stop: int) -> tuple[str, int]:
        """A condition for rows that the window lies in, and how many rows are before them."""
        number = f"CAST({number_sql('c0', self._infos[0].type)} AS DOUBLE)"
        where, before = "w", 0
        low, high = self._bounds(number)
        for _ in range(_NARROWED_MAX):
            if low is None or high is None or not high / _BINS - low / _BINS:
                break
            place = _bin_sql(number, low, high, self._infos[0].type)
            counts = self._counts(where, place, (low, high))
            order = self._bin_order()
            ends = np.cumsum([counts.get(at, 0) for at in order])
            first = int(np.searchsorted(ends, start - before, "right"))
            last = int(np.searchsorted(ends, stop - before, "left"))
            before += int(ends[first - 1]) if first else 0
            chosen = order[first : last + 1]
            where = f"{where} AND {place} IN ({', '.join(map(str, chosen))})"
            inside = [at for at in chosen if 0 <= at < _BINS]
            rows = sum(counts.get(at, 0) for at in chosen)
            if rows <= ORDER_ROWS_MAX or len(inside) < len(chosen):
                break
            step = high / _BINS - low / _BINS
            low, high = low + min(inside) * step, low + (max(inside) + 1) * step
        return where, before

    def _bounds(self, number: str) -> tuple[float | None, float | None]:
        finite = f"isfinite({number})"
        key = ("bounds", self._name[-1], self._infos[0].name)
        found = self._cache.get(key)
        if found is None:
            row = self._plan.run(
                f"SELECT min({number}) FILTER (WHERE {finite}) AS l, "
                f"max({number}) FILTER (WHERE {finite}) AS h FROM s"
            )
            found = (row["l"][0].as_py(), row["h"][0].as_py())
            self._cache.put(key, found, 100)
        return found[0], found[1]

    def _counts(self, where: str, place: str, bounds: tuple[float, float]) -> dict[int, int]:
        def make() -> dict[int, int]:
            found = self._plan.run(
                f"SELECT {place} AS b, count(*) AS n FROM s WHERE {where} GROUP BY b"
            )
            return dict(zip(found["b"].to_pylist(), found["n"].to_pylist(), strict=True))

        key = ("bins", self._name, where, bounds)
        return self._cache.get_or_make(key, make, lambda found: 200 * len(found))

    def _bin_order(self) -> list[int]:
        """Numbers of bins in the order of the rows; None comes last, both ways."""
        order = [-1, *range(_BINS), _BINS, _BINS + 1]
        return [*(reversed(order) if self._sort[0].descending else order), _BINS + 2]

    def _run(self, rest: str) -> Any:
        """Numbers of rows that a query gives."""
        found = self._plan.run(f"SELECT {ROW} FROM s {rest}")
        return self._plan.source.numbers(found[ROW].to_numpy())

    def _place_of(self, number: int) -> int:
        return int(self._plan.source.place_of(number))

    def _order_by(self, *, is_reversed: bool = False) -> str:
        ends = "FIRST" if is_reversed else "LAST"
        keys = [
            f"{key.value} {'DESC' if key.descending != is_reversed else 'ASC'} NULLS {ends}"
            for key in self._keys
        ]
        return f"ORDER BY {', '.join(keys)}, {ROW} {'DESC' if is_reversed else 'ASC'}"


def _bin_sql(number: str, low: float, high: float, kind: ColumnType) -> str:
    """The number of a bin of `_BINS`; -1 for -inf, and above them inf, NaN and None."""
    step = high / _BINS - low / _BINS
    place = f"floor({number} / {_double(step)} - {_double(low)} / {_double(step)})"
    bounded = f"least(greatest({place}, 0), {_BINS - 1})"
    special = f"WHEN {number} IS NULL THEN {_BINS + 2} "
    if not is_whole(kind):
        special += (
            f"WHEN isnan({number}) THEN {_BINS + 1} "
            f"WHEN isinf({number}) THEN CASE WHEN {number} > 0 THEN {_BINS} ELSE -1 END "
        )
    return f"(CASE {special}ELSE {bounded} END::INT)"


def _double(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)"


def _before(keys: Sequence[_Key]) -> tuple[str, str]:
    """SQL for whether a row of `s` comes before the one in `a`, and for whether keys are equal."""
    before, equal = "false", "true"
    for key in keys:
        one, two = key.value, key.other
        sign = ">" if key.descending else "<"
        # None comes last, both ways.
        is_before = f"coalesce({one} {sign} {two}, {two} IS NULL AND {one} IS NOT NULL)"
        before = f"({before} OR ({equal} AND {is_before}))"
        equal = f"({equal} AND {one} IS NOT DISTINCT FROM {two})"
    return before, equal

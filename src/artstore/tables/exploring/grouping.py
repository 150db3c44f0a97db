"""
Rows with the same values of one or two columns, and what the other columns are in each group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.tables.engine import ROW
from artstore.tables.exploring.answers import ColumnInfo, Group, Groups, Summary, ValueCount
from artstore.tables.exploring.binning import Bins, bins_of, is_binned, number_sql
from artstore.tables.exploring.caching import AnswerCache
from artstore.tables.exploring.display import cut, restored
from artstore.tables.exploring.facets import Range, ranges_of, shown_value, value_counts
from artstore.tables.exploring.plans import Plan, Planner
from artstore.tables.exploring.running import Relation
from artstore.tables.exploring.selection import Selection
from artstore.tables.exploring.sources import Block
from artstore.tables.exploring.summaries import (
    SQUARE_MAX,
    SQUARE_MAX_SQL,
    Part,
    aggregates_sql,
    summary_of_parts,
    summary_of_row,
    summary_of_sample,
)
from artstore.tables.types import INT64, List

__all__ = ["GroupOrder", "groups_of"]

_EXAMPLES: Final = 8
_TOP: Final = 5
EXACT_ROWS_MAX: Final = 5_000_000
"""In larger tables quantiles are estimated."""

SAMPLE_ROWS: Final = 1_000_000
"""From so many rows, where these are cheaper to get than all."""

_SAMPLED_LEAST: Final = 1000
"""A group with fewer rows in the sample is looked at as a whole."""


@dataclass(frozen=True, slots=True)
class GroupOrder:
    """Which groups: `by` is `key` or `count`."""

    by: str = "key"
    descending: bool = False
    start: int = 0
    count: int = 50


def groups_of(  # noqa: PLR0917 - a request has as many parts
    planner: Planner,
    cache: AnswerCache,
    selection: Selection,
    by: Sequence[str],
    columns: Sequence[str],
    order: GroupOrder,
) -> Groups:
    """
    Some groups of a selection.

    Cost: a scan of the keys, one of the numbers that are summed up, and one for each column of
    histograms or values; and one for the examples.
    """
    keys = planner.chosen(selection, by)
    for info in keys:
        if info.role in ("media", "nested"):
            raise InvalidInputError(
                f"rows are not grouped by {info.name!r}: it is {info.type}",
                code="expression-type-invalid",
                hint="group by a column of texts, numbers or times, or compute one",
                column=info.name,
            )
    infos = planner.chosen(selection, columns)
    work = _Grouping(planner, selection, keys, order)
    page = work.page()
    shown, lengths = work.keys_shown(page)
    summaries = [work.summary_of(info, page, cache) for info in infos]
    examples = work.examples(page)
    counts = page["n"].to_pylist()
    groups = tuple(
        Group(counts[at], tuple(one[at] for one in summaries), examples[at])
        for at in range(page.num_rows)
    )
    totals = page if page.num_rows else work.totals()
    return Groups(
        start=order.start,
        total=totals["total"][0].as_py(),
        matching=totals["matching"][0].as_py(),
        by=tuple(keys),
        keys=shown,
        lengths=lengths,
        groups=groups,
        edges=work.edges,
        is_approximate=work.is_large and any(is_binned(info.type) for info in infos),
    )


class _Grouping:
    """The queries for one page of groups. `g` is the number of a group on the page."""

    def __init__(
        self, planner: Planner, selection: Selection, keys: Sequence[ColumnInfo], order: GroupOrder
    ) -> None:
        self._planner, self._selection, self._infos, self._order = planner, selection, keys, order
        self._names = [info.name for info in keys]
        self._keys = [f"c{at}" for at in range(len(keys))]
        self._page_name = f"{planner.source.view}_groups"
        self.edges: dict[str, tuple[Any, ...]] = {}
        self.is_large = planner.source.row_count > EXACT_ROWS_MAX

    def page(self) -> Any:
        """The keys (k0, k1) of the groups of the page with their counts `n` and numbers `g`."""
        keys = ", ".join(f"{key} AS k{at}" for at, key in enumerate(self._keys))
        way = "DESC" if self._order.descending else "ASC"
        sort = [f"k{at} {way} NULLS LAST" for at in range(len(self._keys))]
        if self._order.by == "count":
            sort = [f"n {way}", *(f"k{at} ASC NULLS LAST" for at in range(len(self._keys)))]
        return self._plan().run(
            f"SELECT *, (row_number() OVER (ORDER BY {', '.join(sort)}) - 1)::INT AS g, "
            f"count(*) OVER () AS total, (sum(n) OVER ())::BIGINT AS matching FROM "
            f"(SELECT {keys}, count(*) AS n FROM s WHERE w GROUP BY {', '.join(self._keys)}) "
            f"ORDER BY g LIMIT {self._order.count} OFFSET {self._order.start}"
        )

    def totals(self) -> Any:
        """How many groups there are, and how many rows: of a page behind the last group."""
        return self._plan().run(
            "SELECT count(*) AS total, coalesce(sum(n), 0)::BIGINT AS matching FROM "
            f"(SELECT count(*) AS n FROM s WHERE w GROUP BY {', '.join(self._keys)})"
        )

    def keys_shown(self, page: Any) -> tuple[Any, dict[str, tuple[int | None, ...]]]:
        """The keys as a page shows them."""
        arrays, lengths = [], {}
        for at, info in enumerate(self._infos):
            shown, long = cut(restored(page[f"k{at}"], info.type), info.type)
            arrays.append(shown)
            if long is not None:
                lengths[info.name] = tuple(n or None for n in long.tolist())
        # A table may be grouped by one column twice: names of Arrow need not be different.
        return pa.Table.from_arrays(arrays, names=self._names), lengths

    def examples(self, page: Any) -> list[tuple[int, ...]]:
        """The first rows of each group."""
        examples: list[tuple[int, ...]] = [()] * page.num_rows
        wanted = [min(count, _EXAMPLES) for count in page["n"].to_pylist()]
        blocks: list[Block | None] = [None]
        if self.is_large:
            # Most groups have some of the first rows.
            blocks = [*self._planner.source.blocks()[:1], None]
        for block in blocks:
            missing = [at for at, count in enumerate(wanted) if len(examples[at]) < count]
            if missing:
                for at, numbers in self._first_rows(page.take(missing), block):
                    examples[at] = numbers
        return examples

    def _first_rows(self, page: Any, block: Block | None) -> Iterator[tuple[int, tuple[int, ...]]]:
        found = self._aggregated(page, [], f"min({ROW}, {_EXAMPLES}) AS rows", block=block)
        rows = restored(found["rows"], List(INT64))
        numbers = self._planner.source.numbers(rows.flatten().to_numpy(), block).tolist()
        end = 0
        for group, count in zip(
            found["g"].to_pylist(), rows.value_lengths().to_pylist(), strict=True
        ):
            start, end = end, end + count
            yield group - self._order.start, tuple(sorted(numbers[start:end]))

    def summary_of(self, info: ColumnInfo, page: Any, cache: AnswerCache) -> list[Summary]:
        """A column in each group of the page."""
        if is_binned(info.type):
            found = ranges_of(self._planner, cache, self._selection, [info])[info.name]
            bins = bins_of("v", info.type, found.low, found.high, is_finite=found.is_finite)
            self.edges[info.name] = bins.edges
            if self.is_large and info.role == "number":
                return self._estimated(info, found, bins, page)
            return self._numbers(info, bins, page)
        if info.role in ("text", "bool"):
            return self._values(info, page)
        found = self._aggregated(page, [info.name], "count(v) AS c, count(*) AS n")
        rows = self._by_group(found, page)
        return [Summary(info.name, "nulls", row["c"], row["n"] - row["c"]) for row in rows]

    # ----------------------------------------------------------------------------------

    def _numbers(self, info: ColumnInfo, bins: Bins, page: Any) -> list[Summary]:
        rows = self._by_group(self._aggregated(page, [info.name], aggregates_sql(info)), page)
        counts = [[0] * bins.count for _ in rows]
        found = self._aggregated(page, [info.name], "count(*) AS n", bins.sql)
        columns = (found[name].to_pylist() for name in ("g", "b", "n"))
        for group, place, count in zip(*columns, strict=True):
            if place >= 0:
                counts[group - self._order.start][place] += count
        kind = "time" if info.role == "time" else "number"
        return [
            summary_of_row(info, kind, row, tuple(count))
            for row, count in zip(rows, counts, strict=True)
        ]

    def _estimated(self, info: ColumnInfo, known: Range, bins: Bins, page: Any) -> list[Summary]:
        """All of a column from what its bins have: one scan; quantiles are estimates."""
        plan = self._plan([info.name])
        sample = plan.source.sample(plan.needs, SAMPLE_ROWS)
        if sample is not None:
            return self._sampled(info, known, bins, page, sample.relation)
        parts: list[dict[int, Part]] = [{} for _ in range(page.num_rows)]
        self._put_parts(
            parts, self._aggregated(page, [info.name], _part_sql(info, known), bins.sql)
        )
        return [summary_of_parts(info, one, bins.count) for one in parts]

    def _sampled(
        self, info: ColumnInfo, known: Range, bins: Bins, page: Any, sample: Relation
    ) -> list[Summary]:
        """Counts and moments of all rows: one scan; bins of a sample, where it has enough."""
        number = number_sql("v", info.type)
        cell = number if known.is_finite else f"CASE WHEN isfinite({number}) THEN {number} END"
        body = "count(v) AS cells, "
        if not known.is_finite:
            body += f"count({cell}) AS n, "
        exact = self._by_group(
            self._aggregated(page, [info.name], body + _moments_sql(cell, known)),
            page,
        )
        for row, count in zip(exact, page["n"].to_pylist(), strict=True):
            row["rows"] = count
            row.setdefault("n", row["cells"])
        parts: list[dict[int, Part]] = [{} for _ in range(page.num_rows)]
        body = _part_sql(info, known)
        self._put_parts(parts, self._aggregated(page, [info.name], body, bins.sql, block=sample))
        seen: list[int | None] = [sum(part.count for part in one.values()) for one in parts]
        few = [
            at
            for at, count in enumerate(seen)
            if count is not None and count < min(_SAMPLED_LEAST, exact[at]["rows"])
        ]
        if few:
            for at in few:
                parts[at], seen[at] = {}, None
            sql = f"SELECT g, {bins.sql} AS b, {body} FROM {{rows}} GROUP BY g, b"
            self._put_parts(parts, self._run(page.take(few), [info.name], sql))
        return [
            summary_of_sample(info, row, summary_of_parts(info, one, bins.count), count)
            for row, one, count in zip(exact, parts, seen, strict=True)
        ]

    def _put_parts(self, parts: list[dict[int, Part]], found: Any) -> None:
        names = ("g", "b", "n", "mean", "spread", "low", "high")
        for group, place, *row in zip(*(found[name].to_pylist() for name in names), strict=True):
            parts[group - self._order.start][place] = Part(*row)

    def _values(self, info: ColumnInfo, page: Any) -> list[Summary]:
        found = self._run(
            page,
            [info.name],
            f"SELECT g, {shown_value('v', info.type)}, n, n AS m, v IS NULL AS is_null, nulls, "
            "total FROM ("
            "SELECT *, row_number() OVER (PARTITION BY g, v IS NULL ORDER BY n DESC, v) AS place, "
            "coalesce(sum(n) FILTER (WHERE v IS NULL) OVER (PARTITION BY g), 0) AS nulls, "
            "sum(n) OVER (PARTITION BY g) AS total "
            "FROM (SELECT g, v, count(*) AS n FROM {rows} GROUP BY g, v)) "
            f"WHERE place <= {_TOP} ORDER BY g, place",
        )
        tops: list[list[ValueCount]] = [[] for _ in range(page.num_rows)]
        nulls = [0] * page.num_rows
        counts = [0] * page.num_rows
        columns = (found[name].to_pylist() for name in ("g", "is_null", "nulls", "total"))
        values = value_counts(found, info.type)
        for group, is_null, missing, total, value in zip(*columns, values, strict=True):
            at = group - self._order.start
            nulls[at], counts[at] = int(missing), int(total) - int(missing)
            if not is_null:
                tops[at].append(value)
        return [
            Summary(info.name, "values", counts[at], nulls[at], values=tuple(tops[at]))
            for at in range(page.num_rows)
        ]

    def _plan(self, names: Sequence[str] = ()) -> Plan:
        return self._planner.plan(self._selection, [*self._names, *names])

    def _aggregated(
        self,
        page: Any,
        names: Sequence[str],
        body: str,
        place: str | None = None,
        *,
        block: Block | Relation | None = None,
    ) -> Any:
        """Aggregates of `v` by `g`, the number of the group; and by `b`, the number of a bin."""
        bins, also = ("", "") if place is None else (f"{place} AS b, ", ", b")
        if page.num_rows and page["total"][0].as_py() > _GROUPS_AT_ONCE:
            sql = f"SELECT g, {bins}{body} FROM {{rows}} GROUP BY g{also}"
            return self._run(page, names, sql, block)
        keys = ", ".join(f"{key} AS k{at}" for at, key in enumerate(self._keys))
        value = f", c{len(self._keys)} AS v" if names else ""
        sql = (
            f"SELECT p.g, a.* FROM (SELECT {', '.join(self._names_of_keys())}, {bins}{body} "
            f"FROM (SELECT {keys}, {ROW}{value} FROM s WHERE w) "
            f"GROUP BY {', '.join(self._names_of_keys())}{also}) a "
            f"JOIN {self._page_name} p ON {self._same('a.k{0}')}"
        )
        return self._run(page, names, sql, block)

    def _run(
        self, page: Any, names: Sequence[str], sql: str, block: Block | Relation | None = None
    ) -> Any:
        """A query; `{rows}` in it are the rows of the groups of the page: `g`, `v` and `ROW`."""
        value = f", c{len(self._keys)} AS v" if names else ""
        rows = (
            f"(SELECT p.g, s.{ROW}{value} FROM s JOIN {self._page_name} p "
            f"ON {self._same('s.c{0}')} WHERE s.w)"
        )
        relation = Relation("", (), {self._page_name: page.select([*self._names_of_keys(), "g"])})
        return self._plan(names).run(sql.replace("{rows}", rows), block, more=relation)

    def _names_of_keys(self) -> list[str]:
        return [f"k{at}" for at in range(len(self._keys))]

    def _same(self, key: str) -> str:
        pairs = [f"{key.format(at)} IS NOT DISTINCT FROM p.k{at}" for at in range(len(self._keys))]
        return " AND ".join(pairs)

    def _by_group(self, found: Any, page: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{} for _ in range(page.num_rows)]
        for row in found.to_pylist():
            rows[row["g"] - self._order.start] = row
        return rows


def _moments_sql(cell: str, known: Range) -> str:
    """SQL of what a `Part` has beside its count, of cells that are finite or None."""
    double = f"CAST({cell} AS DOUBLE)"
    # A filter on the cells takes as long as all else.
    small = "" if _has_squares(known) else f"FILTER (WHERE abs({double}) < {SQUARE_MAX_SQL})"
    return (
        f"avg({double}) AS mean, var_pop({double}) {small} AS spread, "
        f"min({cell}) AS low, max({cell}) AS high"
    )


def _part_sql(info: ColumnInfo, known: Range) -> str:
    """SQL of a `Part`: of cells of one bin."""
    return f"count(*) AS n, {_moments_sql(number_sql('v', info.type), known)}"


def _has_squares(known: Range) -> bool:
    """Whether the square of each cell is a number."""
    ends = (abs(float(end)) for end in (known.low, known.high) if end is not None)
    return known.is_finite and max(ends, default=0.0) < SQUARE_MAX


_GROUPS_AT_ONCE: Final = 2000
"""With more groups only the rows of those on the page are looked at."""

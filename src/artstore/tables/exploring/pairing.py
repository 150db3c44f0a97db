"""
Rows of several tables that have the same key, side by side: as row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from artstore.tables.engine import ROW
from artstore.tables.enginelimits import check_memory
from artstore.tables.exploring.running import Relation, fetched
from artstore.tables.exploring.sources import Source

__all__ = ["KeyCounts", "counted_keys", "paired", "paired_by_position"]


_ROW_BYTES: Final = 24
"""Of each row: its number, its place in the result, and both while they are put in order."""


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """
    The keys of one table.

    Attributes:
        duplicates: rows whose key an earlier row of the table has.
        missing: rows in whose key something is None or NaN; they pair with nothing.
    """

    duplicates: int
    missing: int


def paired(sources: Sequence[Source], keys: Sequence[Sequence[str]]) -> list[Any]:
    """
    Row numbers of each table, -1 where it has no row of the key: int64 [n], each.

    Every row of every table is there once. Rows come in the order of the first table, then what
    only others have in the order of the second, and so on. Of rows with the same key the first
    of a table goes with the first of the others, the second with the second.

    Args:
        keys: of each table SQL for the parts of its key, from a row of its view.
    Raises:
        LimitExceededError: `query-too-large`.
    Cost: one join; a second one with the rows of each key counted, if keys are not unique.
    """
    check_memory(_ROW_BYTES * sum(source.row_count for source in sources))
    found = _joined(sources, keys, is_counted=False)
    if any(
        int(np.count_nonzero(numbers >= 0)) != source.row_count
        for numbers, source in zip(found, sources, strict=True)
    ):
        found = _joined(sources, keys, is_counted=True)
    return _ordered(found, sources[0].row_count)


def paired_by_position(sources: Sequence[Source]) -> list[Any]:
    """Likewise, by the numbers of rows."""
    count = max(source.row_count for source in sources)
    check_memory(8 * count * (len(sources) + 1))
    numbers = np.arange(count)
    return [np.where(numbers < source.row_count, numbers, -1) for source in sources]


def counted_keys(source: Source, keys: Sequence[str]) -> KeyCounts:
    """How unique and how complete the keys of a table are. Cost: one scan of them."""
    parts = ", ".join(f"{key} AS k{at}" for at, key in enumerate(keys))
    known = " AND ".join(f"k{at} IS NOT NULL" for at in range(len(keys)))
    together = ", ".join(f"k{at}" for at in range(len(keys)))
    row = fetched(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE {known}) AS k, "
        f"count(DISTINCT ({together})) FILTER (WHERE {known}) AS d "
        f"FROM (SELECT {parts} FROM main.{source.view})",
        (Relation("", source.views),),
    ).to_pylist()[0]
    return KeyCounts(row["k"] - row["d"], row["n"] - row["k"])


def _joined(
    sources: Sequence[Source], keys: Sequence[Sequence[str]], *, is_counted: bool
) -> list[Any]:
    """
    Row numbers side by side, in no order.

    Args:
        is_counted: whether the place of a row among those of its table with the same key is
            part of its key. Without it, keys that are not unique give every pair of rows; not
            more of them than show that it is so.
    """
    places = range(len(keys[0]))
    names = [f"k{at}" for at in places] + ["o"] * is_counted
    sides = [
        _side(source, parts, at, is_counted=is_counted)
        for at, (source, parts) in enumerate(zip(sources, keys, strict=True))
    ]
    sql = sides[0]
    for at in range(1, len(sources)):
        same = " AND ".join(f"l.{name} = r.{name}" for name in names)
        merged = ", ".join(f"coalesce(l.{name}, r.{name}) AS {name}" for name in names)
        before = "".join(f"l.n{one}, " for one in range(at))
        sql = (
            f"SELECT {before}r.n{at}, {merged} FROM ({sql}) l "
            f"FULL OUTER JOIN ({sides[at]}) r ON {same}"
        )
    numbers = ", ".join(f"coalesce(n{at}, -1) AS n{at}" for at in range(len(sources)))
    limit = "" if is_counted else f"LIMIT {sum(one.row_count for one in sources) + 1}"
    relations = [Relation("", source.views) for source in sources]
    found = fetched(f"SELECT {numbers} FROM ({sql}) {limit}", relations)
    return [column.to_numpy() for column in found.columns]


def _side(source: Source, parts: Sequence[str], at: int, *, is_counted: bool) -> str:
    listed = ", ".join(f"{part} AS k{place}" for place, part in enumerate(parts))
    sql = f"SELECT {ROW} AS n{at}, {listed} FROM main.{source.view}"
    if not is_counted:
        return sql
    keys = ", ".join(f"k{place}" for place in range(len(parts)))
    return f"SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY n{at}) AS o FROM ({sql})"


def _ordered(found: Sequence[Any], first_count: int) -> list[Any]:
    """The same rows in their order."""
    first = found[0]
    is_first = first >= 0
    rest = [numbers[~is_first] for numbers in found]
    # None is last: the largest number.
    keys = [np.where(numbers < 0, np.iinfo(np.int64).max, numbers) for numbers in rest[1:]]
    order = np.lexsort(keys[::-1]) if keys and len(rest[0]) else np.arange(len(rest[0]))
    ordered = []
    for numbers, others in zip(found, rest, strict=True):
        placed = np.full(first_count, -1, np.int64)
        placed[first[is_first]] = numbers[is_first]
        ordered.append(np.concatenate([placed, others[order]]))
    return ordered

"""
One row of a table in another table: where it is, and which of its cells differ there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.tables.engine import ROW, quoted
from artstore.tables.exploring.comparekeys import CompareKey, key_values, row_key
from artstore.tables.exploring.differing import compared_sql
from artstore.tables.exploring.running import Relation, fetched

if TYPE_CHECKING:
    from artstore.tables.exploring.explored import ExploredTable
    from artstore.tables.exploring.sources import Source

__all__ = ["RowFound", "same_row"]

_COLUMNS_MAX: Final = 500
"""Of a table with more columns the others are not compared."""


@dataclass(frozen=True, slots=True)
class RowFound:
    """
    A row that was looked for in another table.

    Attributes:
        key: by which; None if the tables share none.
        number: the row there, the first of several; None if there is none.
        has_twins: whether more rows have the same key.
        differing: columns of both tables in which the cells are not the same.
    """

    key: CompareKey | None
    number: int | None = None
    has_twins: bool = False
    differing: tuple[str, ...] = ()


def same_row(one: ExploredTable, number: int, two: ExploredTable) -> RowFound:
    """
    Where a row of `one` is in `two`: by primary key, else by `id`, else by the digest of an image.

    Args:
        number: of the row, in `one`.
    Raises:
        LimitExceededError, StateError: as `fetched`.
    Cost: a scan of the key columns of `two`; one row of each table.
    """
    key = row_key((one.reader, two.reader))
    if key is None:
        return RowFound(None)
    sources = one.planner().source, two.planner().source
    if sources[0].view == sources[1].view:
        return RowFound(key, number)
    found = _numbers(one, number, two, key)
    if not found:
        return RowFound(key)
    names = [name for name in one.reader.schema.names if name in set(two.reader.schema.names)]
    differing = _differing(sources, (number, found[0]), names[:_COLUMNS_MAX])
    return RowFound(key, found[0], len(found) > 1, differing)


def _numbers(one: ExploredTable, number: int, two: ExploredTable, key: CompareKey) -> list[int]:
    """The first rows of `two` with the key of a row of `one`; two show that there are twins."""
    own, others = key_values((one.reader, two.reader), key)
    source = two.planner().source
    picked = _picked(one.planner().source, number, key.columns)
    rows = source.scan(key.columns)
    same = " AND ".join(f"l.k{at} = r.k{at}" for at in range(len(own)))
    found = fetched(
        f"SELECT r.{ROW} AS n FROM ({_keyed(own, picked)}) l "
        f"JOIN ({_keyed(others, rows)}) r ON {same} ORDER BY n LIMIT 2",
        (picked, rows),
    )
    places = found["n"].to_numpy()
    return [int(place) for place in source.numbers(places)]


def _keyed(parts: Sequence[str], rows: Relation) -> str:
    listed = ", ".join(f"{part} AS k{at}" for at, part in enumerate(parts))
    return f"SELECT {ROW}, {listed} FROM ({rows.sql})"


def _differing(
    sources: tuple[Source, Source], numbers: tuple[int, int], names: Sequence[str]
) -> tuple[str, ...]:
    rows = [_picked(source, at, names) for source, at in zip(sources, numbers, strict=True)]
    parts = []
    for at, name in enumerate(names):
        kinds = [source.schema.type_of(name) for source in sources]
        cells = [
            compared_sql(f"{side}.{quoted(name)}", kind, kinds)
            for side, kind in zip("ab", kinds, strict=True)
        ]
        parts.append(f"({cells[0]} IS DISTINCT FROM {cells[1]}) AS d{at}")
    found = fetched(f"SELECT {', '.join(parts)} FROM ({rows[0].sql}) a, ({rows[1].sql}) b", rows)
    return tuple(
        name for name, column in zip(names, found.columns, strict=True) if column[0].as_py()
    )


def _picked(source: Source, number: int, names: Sequence[str]) -> Relation:
    wanted: Any = np.array([number], np.int64)
    return source.pick(wanted, list(names)).relation

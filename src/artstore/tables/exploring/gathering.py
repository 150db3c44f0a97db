"""
Columns of compared tables in the order of their pairs, kept in memory where they are small.

A query over them joins nothing: on a million pairs that is ten times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.engine import ROW, quoted
from artstore.tables.exploring.caching import AnswerCache
from artstore.tables.exploring.running import Relation, fetched
from artstore.tables.exploring.sources import Source
from artstore.tables.types import BYTES, TEXT, Decimal, Duration, Plain, Timestamp

__all__ = ["Gathered"]

_KEPT_BYTES: Final = 128 << 20
_TEXT_BYTES_MAX: Final = 64 << 20
"""Of a column of texts; larger ones stay where they are."""

_ROWS_MAX: Final = 8_000_000


class Gathered:
    """
    Columns of several sources, each with a row for each pair.

    Args:
        numbers: of each source the numbers of its rows, -1 for none.
    """

    def __init__(self, sides: Sequence[Source], numbers: Sequence[Any]) -> None:
        self._sides, self._numbers = sides, numbers
        self._cache = AnswerCache(_KEPT_BYTES)
        self._is_small: dict[tuple[int, str], bool] = {}

    def columns(self, wanted: Sequence[tuple[int, str]]) -> list[Any] | None:
        """
        An Arrow array for each (side, column); None if one of them is too large to be kept.

        Cost: the first time, a scan of the column.
        """
        if len(self._numbers[0]) > _ROWS_MAX:
            return None
        if not all(self._may_keep(at, name) for at, name in wanted):
            return None
        missing: dict[int, list[str]] = {}
        found: dict[tuple[int, str], Any] = {}
        for at, name in wanted:
            kept = self._cache.get((at, name))
            if kept is None:
                missing.setdefault(at, []).append(name)
            else:
                found[at, name] = kept
        for at, names in missing.items():
            for name, array in zip(names, self._gathered(at, names), strict=True):
                found[at, name] = array
                self._cache.put((at, name), array, array.nbytes)
        return [found[one] for one in wanted]

    def _may_keep(self, at: int, name: str) -> bool:
        kind = self._sides[at].schema.type_of(name)
        if not isinstance(kind, (Decimal, Duration, Plain, Timestamp)) or kind == BYTES:
            return False
        if kind != TEXT and not (isinstance(kind, Decimal) and kind.is_wide):
            return True
        found = self._is_small.get((at, name))
        if found is None:
            side = self._sides[at]
            size = fetched(
                f"SELECT sum(strlen({quoted(name)})) AS n FROM main.{side.view}",
                (Relation("", side.views),),
            )
            found = (size["n"][0].as_py() or 0) <= _TEXT_BYTES_MAX
            self._is_small[at, name] = found
        return found

    def _gathered(self, at: int, names: Sequence[str]) -> list[Any]:
        side, numbers = self._sides[at], self._numbers[at]
        listed = ", ".join(map(quoted, names))
        found = fetched(
            f"SELECT {listed}, {ROW} FROM main.{side.view}", (Relation("", side.views),)
        )
        places = np.empty(side.row_count, np.int64)
        places[found[ROW].to_numpy()] = np.arange(side.row_count)
        is_in = numbers >= 0
        at_rows = np.zeros(len(numbers), np.int64)
        at_rows[is_in] = places[numbers[is_in]]
        chosen = pa.array(at_rows, mask=~is_in)
        return [_one(found[name]).take(chosen) for name in names]


def _one(column: Any) -> Any:
    """The chunks of a column as one array."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)

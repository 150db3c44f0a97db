"""
Some rows of a source, chosen by number: queries see these and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from artstore.tables.engine import ROW, quoted
from artstore.tables.exploring.running import Relation
from artstore.tables.exploring.sources import Block, Picked, Source

__all__ = ["ChosenSource", "chosen_numbers"]


class ChosenSource(Source):
    """
    Rows keep their numbers, and `row_count` is that of the source: a set of rows is still one
    of all. Who asks for them has to ask with a condition, if only with `TRUE`.

    Args:
        inner: where the rows are.
        numbers: int64 [n], ascending, each once, all in [0, inner.row_count).
    """

    def __init__(self, inner: Source, numbers: Any) -> None:
        super().__init__(inner.view, inner.schema, inner.row_count)
        self._inner, self._chosen = inner, numbers

    @property
    def table(self) -> Any:
        return self._inner.table

    @property
    def views(self) -> tuple[str, ...]:
        return self._inner.views

    def tables(self, columns: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return self._inner.tables(columns)

    def expanded(self, condition: str) -> tuple[str, ...]:
        return self._inner.expanded(condition)

    def scan(self, names: Sequence[str], block: Block | None = None) -> Relation:
        del block
        picked = self._inner.pick(self._chosen, names)
        given = f"{self.view}_chosen"
        # Places need not be in the order of the rows; numbers are.
        placed = pa.table({"place": picked.places, "number": self._chosen})
        listed = "".join(f"t.{quoted(name)}, " for name in names)
        sql = (
            f"SELECT {listed}p.number AS {ROW} FROM ({picked.relation.sql}) t "
            f"JOIN {given} p ON p.place = t.{ROW}"
        )
        registered = {**picked.relation.registered, given: placed}
        return Relation(sql, picked.relation.views, registered)

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        return self._inner.pick(numbers, names)


def chosen_numbers(ranges: Sequence[tuple[int, int]], row_count: int) -> Any:
    """The numbers in ranges (first, last) that rows of a table have: int64 [n], ascending."""
    parts = [np.arange(first, min(last, row_count - 1) + 1) for first, last in ranges]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))

"""
The least and the greatest number of each fragment: what Parquet files say of themselves.

Files of ours tell them of a column of fractions only where no cell is NaN (`tables/fragments.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from artstore.tables.exploring.running import fetched
from artstore.tables.types import ColumnType, Plain
from artstore.tables.viewsql import text_sql

__all__ = ["FragmentEnds", "ends_of", "has_ends"]


@dataclass(frozen=True, slots=True)
class FragmentEnds:
    """
    Of a column in each of n files, in their order. No cell of it is NaN.

    Attributes:
        lows, highs: n numbers as the column has them; None where all cells are None.
    """

    lows: tuple[Any, ...]
    highs: tuple[Any, ...]

    @property
    def low(self) -> Any:
        """The least number of all files; None if there is none."""
        return min((one for one in self.lows if one is not None), default=None)

    @property
    def high(self) -> Any:
        """The greatest, likewise."""
        return max((one for one in self.highs if one is not None), default=None)


def has_ends(kind: ColumnType) -> bool:
    """Whether ends are looked for: of numbers, which no writer cuts."""
    return isinstance(kind, Plain) and (kind.name == "int" or kind.name[-1].isdigit())


def ends_of(paths: Sequence[str], kinds: dict[str, ColumnType]) -> dict[str, FragmentEnds]:
    """
    The ends of columns that have them in every file.

    Cost: the last bytes of each file are read.
    """
    names = [name for name, kind in kinds.items() if has_ends(kind)]
    if not names or not paths:
        return {}
    listed = ", ".join(map(text_sql, paths))
    found = fetched(
        "SELECT file_name, path_in_schema AS name, num_values AS n, stats_null_count AS nulls, "
        "stats_min_value AS low, stats_max_value AS high "
        f"FROM parquet_metadata([{listed}]) "
        f"WHERE path_in_schema IN ({', '.join(map(text_sql, names))})",
        (),
    )
    places = {path: at for at, path in enumerate(paths)}
    ends: dict[str, list[Any]] = {name: [None] * len(paths) for name in names}
    for row in found.to_pylist():
        read = _read(kinds[row["name"]], row)
        of_column, at = ends[row["name"]], places[row["file_name"]]
        # Of several row groups, or of fields called like a column, nothing is known.
        of_column[at] = read if of_column[at] is None else ()
    return {
        name: FragmentEnds(tuple(one[0] for one in told), tuple(one[1] for one in told))
        for name, told in ends.items()
        if all(told)
    }


def _read(kind: ColumnType, row: dict[str, Any]) -> tuple[Any, ...]:
    """(low, high), or nothing if it is not known."""
    if row["nulls"] is not None and row["nulls"] == row["n"]:
        return (None, None)
    if row["low"] is None or row["high"] is None:
        return ()
    try:
        low, high = (_number(kind, row[name]) for name in ("low", "high"))
    except ValueError:
        return ()
    return () if low != low or high != high else (low, high)  # noqa: PLR0124 - NaN


def _number(kind: ColumnType, text: str) -> Any:
    if "float" not in str(kind):
        return int(text)
    # Of 32 bits the text has as many digits as these need.
    return float(text) if str(kind) == "float64" else float(np.float32(text))

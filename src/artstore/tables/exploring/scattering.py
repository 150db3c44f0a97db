"""
Rows as points: two numbers of each row of a selection, of very many rows those of a sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError
from artstore.tables.engine import ROW, quoted

if TYPE_CHECKING:
    from artstore.tables.exploring.answers import ColumnInfo
    from artstore.tables.exploring.explored import ExploredTable
    from artstore.tables.exploring.selection import Selection

__all__ = ["POINTS_MAX", "points"]

POINTS_MAX: Final = 50_000
_TEXT_CHARS: Final = 100
_ELEMENTS: Final = ("\u2190 x", "\u2190 y")


def points(
    explored: ExploredTable,
    selection: Selection,
    x: str,
    y: str | None = None,
    colour: str | None = None,
) -> Any:
    """
    Places of rows, in their order in the table.

    Rows without two finite numbers have none. Of more than `POINTS_MAX` rows about as many are
    given, which a hash of their numbers chooses: the same each time.

    Args:
        y: a column of numbers as `x` is; left out, `x` has lists or arrays, whose first two
            elements are meant.
        colour: another column; its texts are cut to 100 characters.
    Returns:
        An Arrow table of at most `POINTS_MAX` rows: `row` int64, `x` and `y` float64, and with
        `colour` a column `colour`, float64 or text.
    Raises:
        InvalidInputError: `column-unknown`; `expression-type-invalid`: a column has no numbers,
            or no value that a point can be coloured by.
    Cost: one scan to count the rows, one of the columns.
    """
    planner = explored.planner()
    (first,) = planner.chosen(selection, [x])
    names = [x, y]
    if y is None:
        elements = [(name, f"{quoted(x)}[{at}]") for at, name in enumerate(_ELEMENTS, 1)]
        if first.role == "number":
            raise _refused(first, "two of its elements: with numbers, two columns are named")
        selection = replace(selection, computed=(*selection.computed, *elements))
        names = list(_ELEMENTS)
    infos = planner.chosen(selection, [*filter(None, names), *filter(None, [colour])])
    for info in infos[:2]:
        if info.role != "number":
            raise _refused(first if y is None else info, "numbers for a place")
    matching = explored.count(selection).matching
    share = -(-matching // POINTS_MAX)
    # A quarter less than fits: a hash is no exact share.
    chosen = f"AND hash({ROW}) % {share * 5 // 4 + 1} = 0" if share > 1 else ""
    parts = [ROW, "CAST(c0 AS DOUBLE) AS x", "CAST(c1 AS DOUBLE) AS y"]
    if colour is not None:
        parts.append(f"{_colour(infos[2])} AS colour")
    found = planner.plan(selection, [info.name for info in infos]).run(
        f"SELECT * FROM (SELECT {', '.join(parts)} FROM s WHERE w {chosen}) "
        f"WHERE isfinite(x) AND isfinite(y) ORDER BY {ROW} LIMIT {POINTS_MAX}"
    )
    import pyarrow as pa

    numbers = planner.source.numbers(found[ROW].to_numpy())
    return found.drop_columns([ROW]).append_column("row", pa.array(numbers, pa.int64()))


def _colour(info: ColumnInfo) -> str:
    if info.role == "number":
        return "CAST(c2 AS DOUBLE)"
    if info.role not in ("text", "bool", "time"):
        raise _refused(info, "a value that a point is coloured by")
    return f"left(CAST(c2 AS VARCHAR), {_TEXT_CHARS})"


def _refused(info: ColumnInfo, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        f"the column {info.name!r:.80} has no {wanted}: it is {info.type}",
        code="expression-type-invalid",
        column=info.name,
    )

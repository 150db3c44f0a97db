"""
What is answered to questions about a table, as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.web.tables.comparejson import with_sides
from artstore.web.tables.question import place_error, refused

if TYPE_CHECKING:
    from artstore.web.tables.question import Question

__all__ = [
    "example_cells",
    "table_cell",
    "table_check",
    "table_facets",
    "table_groups",
    "table_points",
    "table_rows",
    "table_values",
]

_ROWS_MAX: Final = 500
_ONLY_NUMBERS_MAX: Final = 10_000
_GROUPS_MAX: Final = 200
_VALUES_MAX: Final = 100
_TEXT_CHARS: Final = 100_000
_EXAMPLES_MAX: Final = 4
_POSITION: Final = 2**53


def table_rows(question: Question) -> dict[str, Any]:
    """A window of the selection, or rows by their numbers in the table."""
    from artstore.web.cells.celljson import FULL, SHOWN
    from artstore.web.tables.tablejson import window_json

    explored, selection = question.table.explored, question.selection()
    limits = FULL if question.asked.get("full") else SHOWN
    only, numbers = question.names("only"), question.numbers("numbers")
    links = question.table.links_of(question.visit)
    matching = explored.count(selection).matching
    if numbers is not None:
        found = explored.rows(numbers, only, selection)
        told = window_json(found, matching, links, limits)
        with_sides(question.table, told["columns"])
        places = [explored.position(selection, number) for number in numbers]
        return {**told, "places": places, "told": list(question.told)}
    # Numbers alone are small.
    count = question.number("count", 100, _ONLY_NUMBERS_MAX if only == [] else _ROWS_MAX)
    start = question.state.start
    if "at" in question.asked:
        place = explored.position(selection, question.number("at", 0, _POSITION))
        start = max((place or 0) - count // 2, 0)
    window = explored.window(selection, start, count, only)
    told = window_json(window, matching, links, limits)
    with_sides(question.table, told["columns"])
    return {**told, "told": list(question.told)}


def table_check(question: Question) -> dict[str, Any]:
    """Whether a state can be used, and which columns there are then; an error is an answer."""
    from artstore.web.failures import failure_value
    from artstore.web.tables.tablejson import column_json

    explored, selection = question.table.explored, question.selection()
    try:
        # What is wrong with a value is only known when a row was looked at.
        explored.window(selection, 0, 1, columns=())
        columns = explored.columns(selection)
    except (InvalidInputError, LimitExceededError) as error:
        value = failure_value(error, question.visit.site)
        place_error(question, value["error"], error)
        return {**value, "columns": None}
    found = [column_json(column) for column in columns]
    return {"error": None, "columns": with_sides(question.table, found)}


def table_facets(question: Question) -> dict[str, Any]:
    """How columns are distributed, in all rows and in the selected ones."""
    from artstore.web.tables.tablejson import facet_json

    facets = question.table.explored.facets(question.selection(), question.names("only"))
    return {"facets": [facet_json(facet) for facet in facets]}


def table_groups(question: Question) -> dict[str, Any]:
    """Rows with the same values of the columns that the view is grouped by."""
    from artstore.web.tables.tablejson import groups_json

    by = question.state.group
    if not by:
        raise refused("groups are asked for with group=NAME")
    explored, selection = question.table.explored, question.selection()
    columns = explored.columns(selection)
    only = question.names("only")
    wanted = [one for one in columns if one.name not in by and (only is None or one.name in only)]
    groups = explored.groups(
        selection,
        by,
        question.state.start,
        question.number("count", 50, _GROUPS_MAX),
        columns=[one.name for one in wanted if one.role != "media"],
        order="count" if question.asked.get("order") == "count" else "key",
        descending=question.asked.get("order") == "count",
    )
    media = [one.name for one in wanted if one.role == "media"]
    examples = example_cells(question, media, [group.examples for group in groups.groups])
    told = groups_json(groups, question.table.links_of(question.visit), examples)
    with_sides(question.table, told["by"])
    return told


def example_cells(
    question: Question, columns: Sequence[str], numbers: Sequence[Sequence[int]]
) -> dict[str, dict[int, Any]]:
    """Cells of columns of media in the first rows of groups, by column and number."""
    from artstore.web.tables.tablejson import window_json

    wanted = sorted({number for group in numbers for number in group[:_EXAMPLES_MAX]})
    if not columns or not wanted:
        return {}
    found = question.table.explored.rows(wanted, list(columns), question.selection())
    told = window_json(found, 0, question.table.links_of(question.visit))
    return {
        name: dict(zip(told["rows"], cells, strict=True))
        for name, cells in zip(columns, told["cells"], strict=True)
    }


def table_values(question: Question) -> dict[str, Any]:
    """The most frequent values of a column, for completion and for its menu."""
    from artstore.web.tables.tablejson import values_json

    column = question.asked.get("column")
    if column is None:
        raise refused("values are asked for with column=NAME")
    count = question.number("count", 20, _VALUES_MAX)
    prefix = question.asked.get("prefix", "")
    values = question.table.explored.values(question.selection(), column, prefix, count)
    return {"column": column, "values": values_json(values)}


def table_cell(question: Question) -> dict[str, Any]:
    """One whole cell; of a long text a part, from `offset` on."""
    from artstore.web.cells.celljson import FULL, cells_json
    from artstore.web.tables.tablejson import column_json

    column = question.asked.get("column")
    numbers = question.numbers("numbers") or [
        question.number("number", 0, max(question.table.reader.row_count - 1, 0))
    ]
    if column is None:
        raise refused("a cell is asked for with number=N and column=NAME")
    reader = question.table.reader
    info = {one.name: one for one in question.table.explored.columns(question.selection())}
    if column not in reader.columns:
        # Of a computed column there is what the query gives.
        found = question.table.explored.rows(numbers, [column], question.selection())
        array = found.cells.column(0).combine_chunks()
    else:
        array = reader.read_rows(numbers[0], numbers[0] + 1, [column]).arrays[0]
    told: dict[str, Any] = {"number": numbers[0], "column": column_json(info[column])}
    with_sides(question.table, [told["column"]])
    text = array[0].as_py() if str(info[column].type) == "text" else None
    if isinstance(text, str):
        offset = question.number("offset", 0, _POSITION)
        part = text[offset : offset + _TEXT_CHARS]
        return {**told, "text": {"offset": offset, "length": len(text), "v": part}}
    links = question.table.links_of(question.visit)(column)
    return {**told, "cell": cells_json(info[column].type, array, links, FULL)[0]}


def table_points(question: Question) -> dict[str, Any]:
    """Rows of the selection as points: of `x` and `y`, or of the first two elements of `x`."""
    from artstore.tables.exploring import points

    asked = question.asked
    if not asked.get("x"):
        raise refused("points are asked for with x=NAME, and y=NAME if that is a column of numbers")
    explored, selection = question.table.explored, question.selection()
    names = (asked["x"], asked.get("y") or None, asked.get("colour") or None)
    found = points(explored, selection, *names)
    colours = found["colour"].to_pylist() if names[2] else None
    return {
        "matching": explored.count(selection).matching,
        "rows": found["row"].to_pylist(),
        # More digits than a screen has pixels.
        "x": [float(f"{one:.9g}") for one in found["x"].to_pylist()],
        "y": [float(f"{one:.9g}") for one in found["y"].to_pylist()],
        "colours": colours and [_finite(one) for one in colours],
    }


def _finite(value: str | float | None) -> str | float | None:
    is_odd = isinstance(value, float) and not math.isfinite(value)
    return None if is_odd else value

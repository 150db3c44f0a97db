"""
The page of a table, and the JSON that its grid asks for; the query string is the view.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError
from artstore.web.comparedesk import only_among, open_comparison, selection_of
from artstore.web.comparejson import matrix_json, sides_json, with_sides
from artstore.web.memorybound import renew_bound
from artstore.web.routing import Answer, Page, Visit, json_response
from artstore.web.tabledesk import VIEW_MAX_BYTES, OpenedTable, desk_of, open_table
from artstore.web.tablestate import TableState, parse_state
from artstore.web.tabletickets import CLIENT_HEADER
from artstore.web.warming import warm_for_filters

if TYPE_CHECKING:
    from starlette.responses import Response

    from artstore.api import LoggedArtifact
    from artstore.tables.exploring import Selection

__all__ = ["PAGES", "Question", "ask"]

_ROWS_MAX: Final = 500
_ONLY_NUMBERS_MAX: Final = 10_000
_GROUPS_MAX: Final = 200
_VALUES_MAX: Final = 100
_COLUMNS_MAX: Final = 500
_NUMBERS_MAX: Final = 500
_TEXT_CHARS: Final = 100_000
_EXAMPLES_MAX: Final = 4
_POSITION: Final = 2**53

_ASKED: Final = frozenset(
    (
        *("count", "only", "numbers", "at", "full", "column", "prefix", "number", "offset"),
        *("order", "format", "what", "safe", "thumbs"),
        *("x", "y", "colour"),
    )
)
"""Parts of a query that are no part of a view."""

_LEFT_OUT: Final = frozenset(
    ("where", "group", "with", "key", "how", "quick", "truth", "guess", "matrix")
)
"""Parts that say nothing when they are empty."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    A request about a table.

    Attributes:
        told: what of the address was not understood.
        asked: parts that are no part of the view, by name.
    """

    visit: Visit
    version: LoggedArtifact
    path: str
    table: OpenedTable
    state: TableState
    told: tuple[str, ...]
    asked: dict[str, str]

    def selection(self) -> Selection:
        return selection_of(self.table, self.state)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number that was asked. Raises InvalidInputError `request-invalid`."""
        text = self.asked.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > most:
            raise _refused(f"{name} is a whole number up to {most:,}, not {text!r:.40}")
        return int(text)

    def names(self, name: str) -> list[str] | None:
        """A JSON list of names of columns. Raises InvalidInputError `request-invalid`."""
        return self._list(name, str, _COLUMNS_MAX)

    def numbers(self, name: str) -> list[int] | None:
        """A JSON list of numbers of rows. Raises InvalidInputError `request-invalid`."""
        found = self._list(name, int, _NUMBERS_MAX)
        total = self.table.reader.row_count
        for number in found or ():
            if not 0 <= number < total:
                raise _refused(f"there is no row {number}, the table has {total:,}")
        return found

    def _list(self, name: str, kind: type, most: int) -> list[Any] | None:
        text = self.asked.get(name)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise _refused(f"{name} is a JSON list, not {text!r:.40}")
        if len(value) > most:
            raise _refused(f"{name} has at most {most:,} elements")
        return value


def ask(visit: Visit) -> Question:
    """What a request asks of which table. Raises NotFoundError, InvalidInputError."""
    version = visit.opened()
    table = open_table(visit, version, visit.params["path"])
    pairs = list(visit.query.multi_items())
    if visit.request.method == "POST":
        pairs += visit.form().multi_items()
    views = [text for name, text in pairs if name == "view"]
    if views:
        from urllib.parse import parse_qsl

        kept = parse_qsl(desk_of(visit.site).view(views[-1]), keep_blank_values=True)
        pairs = kept + [pair for pair in pairs if pair[0] != "view"]
    # A form without scripts sends its empty fields too.
    pairs = [(name, text) for name, text in pairs if text or name not in _LEFT_OUT]
    asked = {name: text for name, text in pairs if name in _ASKED}
    state, told = parse_state(pair for pair in pairs if pair[0] not in _ASKED)
    if state.compared:
        try:
            table = open_comparison(visit, version, visit.params["path"], table, state)
        except ArtstoreError as error:
            if visit.is_api:
                raise
            # The page of the table itself can be shown, and tells why.
            state = replace(state, compared=(), keys=(), how=None, quick=None, matrix=None)
            told = (*told, _told(visit, error))
    if state.judge is not None:
        count = 0 if table.comparison is None else len(table.comparison.sides)
        if max(state.judged()) >= count:
            told = (*told, f"judge={state.judge} was left out: {count} tables are compared")
            state = replace(state, judge=None)
    if state.among is not None:
        table = only_among(visit, version, table, state)
    return Question(visit, version, visit.params["path"], table, state, told, asked)


def _told(visit: Visit, error: ArtstoreError) -> str:
    from artstore.web.failures import failure_value

    return str(failure_value(error, visit.site)["error"]["message"])


def show_table(visit: Visit) -> Answer:
    """The page: the first rows, heads with histograms, the form of the filter."""
    from artstore.web.tablepage import first_page

    question = ask(visit)
    with _running(question):
        page = first_page(question)
    warm_for_filters()
    return page


def _answered(read: Callable[[Question], dict[str, Any]]) -> Callable[[Visit], Any]:
    def handler(visit: Visit) -> Answer | Response:
        question = ask(visit)
        try:
            with _running(question):
                return Answer("", read(question))
        except ArtstoreError as error:
            return _failed(question, error)

    return handler


@contextmanager
def _running(question: Question) -> Iterator[None]:
    from artstore.tables.exploring import QueryLimits, Ticket, interruptible

    visit = question.visit
    ticket = Ticket(QueryLimits(visit.site.settings.seconds))
    header = visit.request.headers.get(CLIENT_HEADER)
    with (
        desk_of(visit.site).tickets.running(header, ticket),
        visit.departure.calling(ticket.cancel),
        interruptible(ticket),
    ):
        yield


def _failed(question: Question, error: ArtstoreError) -> Response:
    from artstore.web.failures import failure_value

    if error.code == "query-too-large":
        renew_bound()
    value = failure_value(error, question.visit.site)
    if "position" in error.context:
        place_error(question, value["error"], error)
    return json_response(value, int(error.http_status))


def place_error(question: Question, told: dict[str, Any], error: ArtstoreError) -> None:
    """Tell the part of the address that an error speaks of, and the character there."""
    from artstore.tables.exploring import ComparedTables
    from artstore.tables.exploring.everyside import original_place

    told["part"] = part = failing_part(question, error)
    is_where = part is not None and part.startswith("where:")
    if is_where and "position" in told and isinstance(question.table.reader, ComparedTables):
        text = question.state.where[int(str(part)[6:])]
        told["position"] = original_place(text, told["position"])


def failing_part(question: Question, error: ArtstoreError) -> str | None:
    """Which part of the address an error with a position speaks of: `where:1`, `compute:0`."""
    state, explored = question.state, question.table.explored
    alone = [
        (f"compute:{at}", replace(state, where=(), sort=(), compute=state.compute[: at + 1]))
        for at in range(len(state.compute))
    ] + [
        (f"where:{at}", replace(state, where=(text,), sort=()))
        for at, text in enumerate(state.where)
    ]
    for name, part in alone:
        try:
            explored.window(part.selection(), 0, 1, columns=())
        except ArtstoreError as found:
            if found.message == error.message:
                return name
    return None


def table_rows(question: Question) -> dict[str, Any]:
    """A window of the selection, or rows by their numbers in the table."""
    from artstore.web.celljson import FULL, SHOWN
    from artstore.web.tablejson import window_json

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
    from artstore.web.tablejson import column_json

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
    from artstore.web.tablejson import facet_json

    facets = question.table.explored.facets(question.selection(), question.names("only"))
    return {"facets": [facet_json(facet) for facet in facets]}


def table_groups(question: Question) -> dict[str, Any]:
    """Rows with the same values of the columns that the view is grouped by."""
    from artstore.web.tablejson import groups_json

    by = question.state.group
    if not by:
        raise _refused("groups are asked for with group=NAME")
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
    from artstore.web.tablejson import window_json

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
    from artstore.web.tablejson import values_json

    column = question.asked.get("column")
    if column is None:
        raise _refused("values are asked for with column=NAME")
    count = question.number("count", 20, _VALUES_MAX)
    prefix = question.asked.get("prefix", "")
    values = question.table.explored.values(question.selection(), column, prefix, count)
    return {"column": column, "values": values_json(values)}


def table_cell(question: Question) -> dict[str, Any]:
    """One whole cell; of a long text a part, from `offset` on."""
    from artstore.web.celljson import FULL, cells_json
    from artstore.web.tablejson import column_json

    column = question.asked.get("column")
    numbers = question.numbers("numbers") or [
        question.number("number", 0, max(question.table.reader.row_count - 1, 0))
    ]
    if column is None:
        raise _refused("a cell is asked for with number=N and column=NAME")
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


def table_sample(question: Question) -> dict[str, Any]:
    """Row `row` in other versions of the artifact, and the cells that differ there."""
    from artstore.web.tablesamples import sample_json

    return sample_json(question)


def table_origin(question: Question) -> dict[str, Any]:
    """The tables and files that the cells of row `row` are of, and their lineage."""
    from artstore.web.tableorigins import origin_json

    return origin_json(question)


def table_points(question: Question) -> dict[str, Any]:
    """Rows of the selection as points: of `x` and `y`, or of the first two elements of `x`."""
    from artstore.tables.exploring import points

    asked = question.asked
    if not asked.get("x"):
        raise _refused(
            "points are asked for with x=NAME, and y=NAME if that is a column of numbers"
        )
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


def show_others(visit: Visit) -> Answer:
    """Versions whose table can be compared with this one."""
    from artstore.web.comparepage import other_tables

    return Answer("", other_tables(visit))


def keep_view(visit: Visit) -> Response:
    """Keep a state that is too long for an address."""
    query = visit.body.decode("ascii", "replace")
    return json_response({"view": desk_of(visit.site).keep_view(query)})


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="request-invalid")


_VERSION: Final = "/p/{project}/c/{collection}/{version}"


def _json_page(name: str, read: Callable[[Question], dict[str, Any]]) -> Page:
    return Page(
        f"{_VERSION}/{name}/{{path:path}}",
        _answered(read),
        name,
        # A long filter fits into no address: it may be sent.
        methods=("GET", "POST"),
        api_only=True,
        is_write=False,
        body_max_bytes=VIEW_MAX_BYTES,
    )


PAGES: Final = (
    Page(f"{_VERSION}/tables/{{path:path}}", show_table, "table"),
    _json_page("table-rows", table_rows),
    _json_page("table-check", table_check),
    _json_page("table-facets", table_facets),
    _json_page("table-groups", table_groups),
    _json_page("table-values", table_values),
    _json_page("table-cell", table_cell),
    _json_page("table-sides", sides_json),
    _json_page("table-matrix", matrix_json),
    Page(f"{_VERSION}/table-others/{{path:path}}", show_others, "table-others", api_only=True),
    _json_page("table-sample", table_sample),
    _json_page("table-origin", table_origin),
    _json_page("table-points", table_points),
    Page(
        f"{_VERSION}/table-view/{{path:path}}",
        keep_view,
        "table-view",
        methods=("POST",),
        api_only=True,
        is_write=False,
        body_max_bytes=VIEW_MAX_BYTES,
    ),
)

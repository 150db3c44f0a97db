"""
The page of a table, and the JSON that its grid asks for; the query string is the view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import ArtstoreError
from artstore.web.memorybound import renew_bound
from artstore.web.routing import Answer, Page, Visit, json_response
from artstore.web.tables.answers import (
    table_cell,
    table_check,
    table_facets,
    table_groups,
    table_points,
    table_rows,
    table_values,
)
from artstore.web.tables.comparejson import matrix_json, sides_json
from artstore.web.tables.desk import VIEW_MAX_BYTES, desk_of
from artstore.web.tables.question import Question, ask, place_error
from artstore.web.tables.tickets import CLIENT_HEADER
from artstore.web.warming import warm_for_filters

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["PAGES"]


def show_table(visit: Visit) -> Answer:
    """The page: the first rows, heads with histograms, the form of the filter."""
    from artstore.web.tables.page import first_page

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


def table_sample(question: Question) -> dict[str, Any]:
    """Row `row` in other versions of the artifact, and the cells that differ there."""
    from artstore.web.tables.samples import sample_json

    return sample_json(question)


def table_origin(question: Question) -> dict[str, Any]:
    """The tables and files that the cells of row `row` are of, and their lineage."""
    from artstore.web.tables.origins import origin_json

    return origin_json(question)


def show_others(visit: Visit) -> Answer:
    """Versions whose table can be compared with this one."""
    from artstore.web.tables.comparepage import other_tables

    return Answer("", other_tables(visit))


def keep_view(visit: Visit) -> Response:
    """Keep a state that is too long for an address."""
    query = visit.body.decode("ascii", "replace")
    return json_response({"view": desk_of(visit.site).keep_view(query)})


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

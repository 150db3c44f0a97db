"""
Saving rows of a table as a new version, with cells that were edited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.errors import InvalidInputError
from artstore.storeconnection import author
from artstore.web.failures import failure_value
from artstore.web.guarding import TOKEN_FIELD
from artstore.web.routing import Page, Visit, json_response
from artstore.web.tables.comparedesk import key_text, only_among, open_comparison, selection_of
from artstore.web.tables.desk import OpenedTable, open_table
from artstore.web.tables.saving import SavingRequest, check_request, read_request, save_rows
from artstore.web.tables.state import TableState

if TYPE_CHECKING:
    from starlette.responses import Response

    from artstore.api import LoggedArtifact

__all__ = ["PAGES", "save_table"]

_BODY_BYTES: Final = 16 * 1024 * 1024
_SECONDS_FACTOR: Final = 10
"""What is saved is read whole: longer than a page may take."""
_LISTS: Final = ("where", "sort", "compute", "with", "key", "aliases")
_AS_JSON: Final = ("columns", "rows", "edits", "side")


def save_table(visit: Visit) -> Response:
    """
    Log filtered or chosen rows as a table; see `saving.read_request` for what is sent.

    A form has the same fields: `where`, `sort`, `compute` and `aliases` as often as wanted,
    `columns`, `rows`, `edits` and `side` as JSON.

    Raises:
        InvalidInputError: `request-invalid`, `cell-unsupported`, `column-unknown`, ...
        ConflictError: `version-superseded`.
    """
    from artstore.tables.exploring import QueryLimits, Ticket, interruptible

    request = _request(visit)
    if request.is_check:
        return _checked(visit, request)
    # By its number: what the rows are made from must never be another version.
    source = visit.site.store.artifact(visit.version().qualified_name)
    seconds = visit.site.settings.seconds * _SECONDS_FACTOR
    with interruptible(Ticket(QueryLimits(seconds))):
        wanted = _wanted(visit, source, request)
        store = visit.site.store_of(wanted.source.project)
        saved = save_rows(
            store,
            wanted.source,
            wanted.path,
            wanted.table.explored,
            wanted.request,
            # As the log of the version will say too.
            author=author(),
            noted=wanted.noted,
        )
    place = {
        "project": saved.artifact.project,
        "collection": saved.artifact.collection.name,
        "version": saved.artifact.version,
    }
    address = visit.link("table", **place, path=saved.table)
    value = {
        **place,
        "qualified_name": saved.artifact.qualified_name,
        "table": saved.table,
        "rows": saved.row_count,
        "edits": saved.made_from["edits"],
        "is_new": saved.is_new,
        "made_from": dict(saved.made_from),
        "address": address,
    }
    return visit.done(address, value)


def _wanted(visit: Visit, source: LoggedArtifact, request: SavingRequest) -> _Wanted:
    """Raises InvalidInputError `request-invalid`: of compared tables, and not said of which."""
    path, state = visit.params["path"], request.state
    table = open_table(visit, source, path)
    plain = _Wanted(source, path, table, request, {})
    if request.side is not None:
        return _of_side(visit, plain, request.side)
    if state.compared:
        raise InvalidInputError(
            "of compared tables one is saved: say with `side` which", code="request-invalid"
        )
    if state.among is None:
        return plain
    return plain._replace(table=only_among(visit, source, table, state))


class _Wanted(NamedTuple):
    """What is saved: rows of which table, and what is noted of how they were chosen."""

    source: LoggedArtifact
    path: str
    table: OpenedTable
    request: SavingRequest
    noted: Mapping[str, Any]


def _of_side(visit: Visit, wanted: _Wanted, side: int) -> _Wanted:
    """
    Rows of compared tables as rows of one of these: what else was asked, of that one alone.

    Raises:
        InvalidInputError: `request-invalid`: edits or computed columns; `value-invalid`.
    """
    from artstore.tables.exploring.siderows import selected_numbers, side_rows

    request, state = wanted.request, wanted.request.state
    if request.edits or state.compute:
        raise InvalidInputError(
            "neither edited cells nor computed columns are saved from compared tables",
            code="request-invalid",
            hint="open the one table, and edit it there",
        )
    merged = open_comparison(visit, wanted.source, wanted.path, wanted.table, state)
    if state.among is not None:
        merged = only_among(visit, wanted.source, merged, state)
    comparison = merged.comparison
    assert comparison is not None, "opened with others"
    numbers: Any = request.rows
    if numbers is None:
        numbers = selected_numbers(merged.explored, selection_of(merged, state))
    rows = side_rows(merged.reader, side, numbers)
    found = comparison.sides[side]
    parts = {name: text for name, text in state.pairs() if name in ("how", "quick", "judge")}
    noted: dict[str, Any] = {
        "compared": [one.name for one in comparison.sides],
        **parts,
        **({"compared_where": list(state.where)} if state.where else {}),
        **({} if comparison.key is None else {"key": key_text(comparison.key)}),
    }
    known = set(found.table.reader.columns)
    columns = state.columns and tuple(name for name in state.columns if name in known)
    own = replace(request, state=TableState(columns=columns), rows=tuple(rows.tolist()), side=None)
    source = visit.site.store.artifact(found.version.qualified_name)
    return _Wanted(source, found.path, found.table, own, noted)


def _checked(visit: Visit, request: SavingRequest) -> Response:
    """Whether edits fit; told with 200, since browsers note every other answer as a failure."""
    table = open_table(visit, visit.opened(), visit.params["path"])
    try:
        check_request(table.explored, request)
    except InvalidInputError as error:
        return json_response(failure_value(error, visit.site))
    return json_response({"error": None})


def _request(visit: Visit) -> SavingRequest:
    kind = visit.request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json":
        return read_request(visit.json_body())
    form = visit.form()
    value: dict[str, Any] = {name: form[name] for name in form if name != TOKEN_FIELD}
    for name in _LISTS:
        texts = [text for text in form.getlist(name) if text.strip()]
        value[name] = texts or None
    for name in _AS_JSON:
        text = form.get(name, "")
        value[name] = _json(name, text) if text.strip() else None
    return read_request(value)


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{name} is no JSON: {error}", code="request-invalid") from error


PAGES: Final = (
    Page(
        "/p/{project}/c/{collection}/{version}/table-save/{path:path}",
        save_table,
        "table-save",
        methods=("POST",),
        body_max_bytes=_BODY_BYTES,
    ),
)

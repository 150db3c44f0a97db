"""
Saving rows of a table as a new version, with cells that were edited.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError
from artstore.versions.values import plain_name
from artstore.web.failures import failure_value
from artstore.web.guarding import TOKEN_FIELD
from artstore.web.routing import Page, Visit, json_response
from artstore.web.tabledesk import open_table
from artstore.web.tablesaving import SavingRequest, check_request, read_request, save_rows

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["PAGES", "save_table", "saving_places"]

_BODY_BYTES: Final = 16 * 1024 * 1024
_SECONDS_FACTOR: Final = 10
"""What is saved is read whole: longer than a page may take."""
_LISTS: Final = ("where", "sort", "compute", "aliases")
_AS_JSON: Final = ("columns", "rows", "edits")


def save_table(visit: Visit) -> Response:
    """
    Log filtered or chosen rows as a table; see `tablesaving.read_request` for what is sent.

    A form has the same fields: `where`, `sort`, `compute` and `aliases` as often as wanted,
    `columns`, `rows` and `edits` as JSON.

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
    path = visit.params["path"]
    explored = open_table(visit, source, path).explored
    store = visit.site.store_of(source.project)
    author = store._writes_as()  # noqa: SLF001 - what the log of the version will say too
    seconds = visit.site.settings.seconds * _SECONDS_FACTOR
    with interruptible(Ticket(QueryLimits(seconds))):
        saved = save_rows(store, source, path, explored, request, author=author)
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


def _checked(visit: Visit, request: SavingRequest) -> Response:
    """Whether edits fit; told with 200, since browsers note every other answer as a failure."""
    table = open_table(visit, visit.opened(), visit.params["path"])
    try:
        check_request(table.explored, request)
    except InvalidInputError as error:
        return json_response(failure_value(error, visit.site))
    return json_response({"error": None})


def saving_places(visit: Visit) -> dict[str, dict[str, str]]:
    """What the dialogs of a table page need; nothing on a server that only reads."""
    if not visit.site.settings.write:
        return {}
    params = dict(visit.params)
    project = params["project"]
    places = {
        "save": visit.api_link("table-save", **params),
        "views": visit.api_link("save-view", project=project),
        "viewList": visit.link("views", project=project),
        "collection": params["collection"],
        "table": plain_name(params["path"]),
    }
    return {"saving": places}


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

"""
Saved views of a project: the list, opening one, saving one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from starlette.responses import RedirectResponse, Response

from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.names import VIEW_TYPE
from artstore.web.artifacts.records import page_record
from artstore.web.artifacts.savedviews import (
    PREFIX,
    SavedView,
    read_view,
    save_view,
    view_of_address,
)
from artstore.web.failures import failure_value
from artstore.web.listing import cut_page, together
from artstore.web.routing import Answer, Page, Visit, json_response
from artstore.web.site import RecentValues
from artstore.web.tables.desk import desk_of
from artstore.web.tables.state import ADDRESS_MAX_CHARS
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact

__all__ = ["PAGES", "list_views", "open_view", "save"]

_PAGE_SIZE: Final = 50
_BODY_BYTES: Final = 1024 * 1024
_READ_COUNT: Final = 2_000
_LOOKED_AT: Final = 1_000
"""Views of a project that are read to find those of one kind."""
_FIELDS: Final = frozenset(("title", "address", "description", "kind", "artstore-token"))
_KEPT_STATE: Final = "view"
"""The part of a table's address that stands for a state which the server keeps."""


def list_views(visit: Visit) -> Answer:
    """
    The saved views of a project, by name; with `?kind=runs` only those of that kind.

    Raises:
        NotFoundError: `project-not-found`.
    """
    project = visit.params["project"]
    store = visit.site.store
    every = store.collection_names(project)
    if not every and project not in store.run_projects():
        raise NotFoundError(f"the store has no project {project!r}", code="project-not-found")
    names = [name for name in every if name.startswith(PREFIX)]
    kind = visit.query.get("kind")
    if kind is not None:
        # Only the views themselves tell: they are read once, and kept.
        found = together(lambda name: _record(visit, name), names[:_LOOKED_AT])
        of_kind = [one for one in found if one is not None and one["kind"] == kind]
        cut = cut_page(visit, len(of_kind), _PAGE_SIZE)
        records = of_kind[cut.start : cut.stop]
    else:
        cut = cut_page(visit, len(names), _PAGE_SIZE)
        found = together(lambda name: _record(visit, name), names[cut.start : cut.stop])
        records = [record for record in found if record is not None]
    value = {"project": project, "views": records, "pages": page_record(*cut[:3])}
    shown = [{**record, "told": _told(record)} for record in records]
    return Answer("artifacts/views.html", value, shown={"shown_views": shown, "asked_kind": kind})


def open_view(visit: Visit) -> Response:
    """
    Lead to the page of a view; of an older version of it with `?version=v2`.

    Raises:
        NotFoundError: `view-not-found`.
        DamagedDataError: `view-damaged`.
    """
    project, name = visit.params["project"], visit.params["name"]
    version = visit.query.get("version", "latest")
    try:
        artifact = visit.site.version(project, PREFIX + name, version)
    except NotFoundError as error:
        raise NotFoundError(
            f"{project} has no saved view {name!r}: {error.message}",
            code="view-not-found",
            hint="the list of saved views tells those there are",
        ) from error
    view = read_view(artifact)
    if visit.is_api:
        return json_response(_told_view(visit, artifact, view))
    address = view.address
    if len(address) > ADDRESS_MAX_CHARS and view.shown.page == "tables":
        # As the page of a table itself does: the server keeps what is too long.
        query = address.partition("?")[2]
        address = f"{view.path}?{_KEPT_STATE}={desk_of(visit.site).keep_view(query)}"
    return RedirectResponse(visit.site.settings.root_path + address, status_code=303)


def save(visit: Visit) -> Response:
    """
    Save a view: fields `title`, `address`, `description`, `kind`.

    Raises:
        InvalidInputError: `request-invalid`, `view-invalid`.
        NotFoundError: `view-not-found`: the server no longer keeps the state of the address.
    """
    project, form = visit.params["project"], visit.form()
    unknown = sorted(set(form) - _FIELDS)
    if unknown or "title" not in form or "address" not in form:
        raise InvalidInputError(
            f"a view is saved with title, address, description and kind, not with {unknown}"
            if unknown
            else "a view is saved with a title and the address of a page",
            code="request-invalid",
        )
    title, description = form["title"], form.get("description", "").replace("\r\n", "\n")
    address = form["address"]
    root = visit.site.settings.root_path
    if root and address.startswith(f"{root}/"):
        address = address.removeprefix(root)
    kind = form.get("kind", "")
    view = view_of_address(title, _with_state(visit, address), description, kind)
    logged = save_view(visit.site.store_of(project), view)
    told = _told_view(visit, logged, view)
    return visit.done(visit.link("views", project=project), told)


def _with_state(visit: Visit, address: str) -> str:
    """The address with the state itself, where it has only the id of one."""
    path, _, query = address.partition("#")[0].partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        # Told when it is looked at.
        return address
    ids = [text for name, text in pairs if name == _KEPT_STATE]
    if not ids:
        return address
    from urllib.parse import urlencode

    rest = urlencode([pair for pair in pairs if pair[0] != _KEPT_STATE])
    kept = desk_of(visit.site).view(ids[-1])
    return f"{path}?{'&'.join(text for text in (kept, rest) if text)}"


def _record(visit: Visit, collection: str) -> dict[str, Any] | None:
    """One line of the list; None for what is no view, or has no version any more."""
    store, project = visit.site.store, visit.params["project"]
    name = f"{project}/{collection}"
    try:
        info = store.collection(name)
        if info.type != VIEW_TYPE or info.latest_version is None:
            return None
        artifact = store.artifact(f"{name}:v{info.latest_version}")
    except NotFoundError:
        return None
    state = next(one for one in store.versions(name) if one.version == info.latest_version)
    try:
        record = _told_view(visit, artifact, _read(visit, artifact))
    except (DamagedDataError, UnsupportedFormatError) as error:
        record = _without_view(visit, artifact, error)
    return {
        **record,
        "version_count": info.version_count,
        "created_at": state.created,
        "created_by": state.by,
    }


def _read(visit: Visit, artifact: LoggedArtifact) -> SavedView:
    known: RecentValues[str, SavedView] = visit.site.kept(
        "saved views", lambda: RecentValues(_READ_COUNT)
    )
    found = known.get(artifact.id)
    return known.put(artifact.id, read_view(artifact)) if found is None else found


def _told_view(visit: Visit, artifact: LoggedArtifact, view: SavedView) -> dict[str, Any]:
    shown = view.shown
    return {
        **_named(visit, artifact),
        "title": view.title,
        "description": view.description,
        "kind": view.kind,
        "path": view.path,
        "query": [list(pair) for pair in view.query],
        "shows": {
            "project": shown.project,
            "collection": shown.collection,
            "version": shown.version,
            "page": shown.page,
            "path": shown.path,
        },
        "problem": None,
    }


def _without_view(visit: Visit, artifact: LoggedArtifact, error: ArtstoreError) -> dict[str, Any]:
    return {
        **_named(visit, artifact),
        "title": artifact.collection.name.removeprefix(PREFIX),
        "description": "",
        "kind": None,
        "path": None,
        "query": [],
        "shows": None,
        "problem": failure_value(error, visit.site)["error"],
    }


def _named(visit: Visit, artifact: LoggedArtifact) -> dict[str, Any]:
    project, collection = artifact.project, artifact.collection.name
    name = collection.removeprefix(PREFIX)
    return {
        "project": project,
        "name": name,
        "collection": collection,
        "version": artifact.version,
        "address": visit.link("view", project=project, name=name),
    }


def _told(record: dict[str, Any]) -> str:
    """What a view shows, in a few words: the table, and the exact version."""
    shows = record["shows"]
    if shows is None or shows["collection"] is None:
        return visible(record["path"] or "", 200, lines=False)
    version = f":{shows['version']}" if shows["version"] else ""
    path = f" {shows['path']}" if shows["path"] else ""
    return visible(f"{shows['project']}/{shows['collection']}{version}{path}", 200, lines=False)


PAGES: Final = (
    Page("/p/{project}/views", list_views, "views"),
    Page("/p/{project}/views", save, "save-view", methods=("POST",), body_max_bytes=_BODY_BYTES),
    Page("/p/{project}/views/{name}", open_view, "view"),
)

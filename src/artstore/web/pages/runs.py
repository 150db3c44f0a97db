"""
The runs of a project: listed, filtered, sorted, grouped; and what may be changed about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from artstore.errors import InvalidInputError, NotFoundError, StateError
from artstore.runs.ordering import split_names
from artstore.web.artifacts.records import page_record
from artstore.web.failures import failure_value
from artstore.web.listing import ListedPage
from artstore.web.routing import Answer, Page, Visit
from artstore.web.runs.export import exported_list
from artstore.web.runs.groups import sql_name
from artstore.web.runs.liststate import read_chosen, read_state
from artstore.web.runs.runlist import (
    PAGE_SIZE,
    RunList,
    column_values,
    group_record,
    list_runs,
    measured_groups,
    points_of,
    run_row,
    sorted_groups,
)
from artstore.web.runs.source import ProjectRuns, Whole, project_runs

if TYPE_CHECKING:
    from artstore.runs.storedrun import StoredRun
    from artstore.web.runs.groups import RunGroup

__all__ = ["PAGES", "change_runs", "show_runs"]

_GROUP_RUNS: Final = 20
"""Of a group that is open; the list of all of them is one link away."""
_TAGS_MAX: Final = 60
_AXES_MAX: Final = 40
_NOTES_CHARS: Final = 100_000
_NAME_CHARS: Final = 1_000
_TAG_CHARS: Final = 200
_FIELDS: Final = ("add_tag", "remove_tag", "name", "notes", "delete", "restore", "force")


def show_runs(visit: Visit) -> Answer | Response:
    """
    The runs that the address asks for, a page at a time; `?show=columns` all keys there are,
    `?show=points&axis=...` values for charts, `?format=csv` and `?format=json` a file.

    Raises:
        NotFoundError: `project-not-found`.
        InvalidInputError: `expression-invalid`, `expression-type-invalid`, `column-unknown`,
            `column-ambiguous`, with the position; `request-invalid`.
        LimitExceededError: `limit-exceeded`.
    Cost: as `Live.runs`; nothing else is asked of the store.
    """
    project = visit.params["project"]
    source = project_runs(visit.site, project)
    if not source.wholes:
        _check_project(visit, project)
    shown = visit.query.get("show", "")
    if shown == "columns":
        return Answer("runs/list.html", _columns_value(source)) if visit.is_api else _only_json()
    state = read_state(visit.query)
    is_file = "format" in visit.query
    listed = list_runs(source, state, is_lenient=not (visit.is_api or is_file or shown))
    if is_file:
        return exported_list(listed, visit.query["format"])
    if shown == "points":
        return (
            Answer("runs/list.html", _points_value(visit, listed)) if visit.is_api else _only_json()
        )
    if shown:
        raise InvalidInputError(f"runs are not shown as {shown[:40]!r}", code="request-invalid")
    return _list(visit, listed)


def _only_json() -> Response:
    raise InvalidInputError(
        "this part of the list is only given as JSON, below /api/v1", code="request-invalid"
    )


def _check_project(visit: Visit, project: str) -> None:
    """A project without runs has an empty list; one that is not there has none."""
    if not visit.site.store.collection_names(project):
        visit.site.check_there()
        raise NotFoundError(
            f"the store has no project {project!r}",
            code="project-not-found",
            hint="the first page lists those there are",
        )


# the list -----------------------------------------------------------------------------------


def _list(visit: Visit, listed: RunList) -> Answer:
    source, state = listed.source, listed.state
    groups = sorted_groups(listed) if listed.group else None
    total = len(listed.ids) if groups is None else len(groups)
    cut = _cut(visit, total, state.page)
    rows: list[dict[str, Any]] = []
    wholes: list[Whole] = []
    told_groups: list[dict[str, Any]] | None = None
    fresh = 0
    if groups is None:
        page_ids = listed.ids[cut.start : cut.stop]
        asked = _asked_rows(visit)
        fresh = len(set(page_ids) - set(asked)) if asked else 0
        wholes = source.some(asked or page_ids)
        rows = _rows(listed, wholes)
    else:
        shown = measured_groups(listed, groups[cut.start : cut.stop])
        told_groups = [_told_group(listed, group) for group in shown]
    value = {
        "project": source.project,
        "revision": source.revision,
        "matching": len(listed.ids),
        "total": listed.total,
        "states": source.states(),
        "tags": [{"tag": tag, "count": count} for tag, count in source.tags()[:_TAGS_MAX]],
        "columns": [
            {"name": column.name, "label": column.label, "section": column.section}
            for column in listed.columns
        ],
        "runs": rows,
        "group": list(listed.group) or None,
        "groups": told_groups,
        "fresh": fresh,
        "chosen": list(state.chosen),
        "error": None
        if listed.wrong is None
        else {
            **failure_value(listed.wrong.error, visit.site)["error"],
            "part": listed.wrong.part,
            "text": listed.wrong.text,
        },
        "pages": page_record(*cut[:3]),
    }
    if visit.is_api:
        return Answer("runs/list.html", value)
    from artstore.web.runs.listpage import shown_list

    return Answer("runs/list.html", value, shown=shown_list(visit, listed, value, wholes))


def _cut(visit: Visit, total: int, page: int) -> ListedPage:
    page_count = max(1, -(-total // PAGE_SIZE))
    if page > page_count:
        if visit.is_api:
            raise InvalidInputError(
                f"there is no page {page:,} of {page_count:,}", code="request-invalid"
            )
        # Runs may have gone from the list since the link was made.
        page = page_count
    start = (page - 1) * PAGE_SIZE
    return ListedPage(page, page_count, total, start, min(total, start + PAGE_SIZE))


def _asked_rows(visit: Visit) -> list[str]:
    """Runs that a page shows already and asks for again, whatever the order is by now."""
    asked = [text for part in visit.query.getlist("rows") for text in part.split(",") if text]
    if len(asked) > 2 * PAGE_SIZE:
        raise InvalidInputError(
            f"at most {2 * PAGE_SIZE} rows are asked for again", code="request-invalid"
        )
    return list(dict.fromkeys(asked))


def _rows(listed: RunList, wholes: Sequence[Whole]) -> list[dict[str, Any]]:
    values = column_values(wholes, listed.columns)
    return [run_row(whole, listed.columns, row) for whole, row in zip(wholes, values, strict=True)]


def _told_group(listed: RunList, group: RunGroup) -> dict[str, Any]:
    record = group_record(group, listed.group)
    is_open = group.key in listed.state.opened
    record["is_open"] = is_open
    record["runs"] = _rows(listed, listed.source.some(group.ids[:_GROUP_RUNS])) if is_open else []
    return record


def _columns_value(source: ProjectRuns) -> dict[str, Any]:
    from artstore.runs.names import FACTS

    return {
        "project": source.project,
        "facts": [{"name": name, "kind": kind} for name, (kind, _, _) in FACTS.items()],
        "keys": [
            {
                "name": one.name,
                "sql": sql_name(one.name),
                "section": one.section,
                "kind": one.kind,
                "run_count": one.run_count,
                "differs": one.differs,
            }
            for one in source.key_facts()
        ],
        "first": source.first_columns(),
    }


def _points_value(visit: Visit, listed: RunList) -> dict[str, Any]:
    names = [name for text in visit.query.getlist("axis") for name in split_names(text) if name]
    if len(names) > _AXES_MAX:
        raise InvalidInputError(f"a chart has at most {_AXES_MAX} axes", code="request-invalid")
    points = points_of(listed, names)
    return {
        "project": listed.source.project,
        "matching": len(listed.ids),
        "is_cut": points.is_cut,
        "runs": points.ids,
        "names": points.names,
        "states": points.states,
        "axes": [
            {"name": name, "sql": sql_name(name), "values": values} for name, values in points.axes
        ],
    }


# changes ------------------------------------------------------------------------------------


def change_runs(visit: Visit) -> Response:
    """
    Change some runs: fields `run` (each of them), `add_tag`, `remove_tag`, `name`, `notes`,
    `delete` with `force`, `restore`.

    Raises:
        InvalidInputError: `request-invalid`, `name-invalid`.
        NotFoundError: `run-not-found`.
        StateError: `run-active`: one that goes on is deleted only with `force`.
        LimitExceededError: `limit-exceeded`.
    Cost: one entry in the log of each run.
    """
    project, form = visit.params["project"], visit.form()
    ids = read_chosen(form.getlist("run"))
    if not ids or not any(name in form for name in _FIELDS[:-1]):
        raise InvalidInputError(
            "the request names no run, or nothing that is to be changed",
            code="request-invalid",
            hint=f"its fields are run, {', '.join(_FIELDS)}",
        )
    changes = {
        "name": _text(form.get("name"), _NAME_CHARS),
        "notes": _text(form.get("notes"), _NOTES_CHARS),
    }
    added, removed = (_tags(form.getlist(name)) for name in ("add_tag", "remove_tag"))
    if "name" in form and len(ids) > 1:
        raise InvalidInputError("a name is given to one run alone", code="request-invalid")
    # All are looked at before the first is changed.
    runs = [visit.site.store.run(f"{project}/{run_id}") for run_id in ids]
    if "delete" in form and "force" not in form:
        _check_at_rest(runs)
    for run in runs:
        _change(run, form, changes, added, removed)
    visit.site.live.expire(project)
    back = visit.link("runs", project=project)
    query = visit.request.url.query
    told = {
        "project": project,
        "runs": [
            {"id": run.id, "state": run.state, "tags": list(run.whole["tags"])} for run in runs
        ],
    }
    return visit.done(f"{back}?{query}" if query else back, told)


def _change(
    run: StoredRun,
    form: Mapping[str, str],
    changes: Mapping[str, str | None],
    added: Sequence[str],
    removed: Sequence[str],
) -> None:
    edits: dict[str, Any] = {name: changes[name] or None for name in changes if name in form}
    tags = set(run.whole["tags"])
    now = (tags | set(added)) - set(removed)
    if now != tags:
        edits["tags"] = sorted(now)
    if edits:
        run.edit(**edits)
    if "restore" in form and run.whole["deleted"]:
        run.restore()
    if "delete" in form and not run.whole["deleted"]:
        run.delete()


def _check_at_rest(runs: Sequence[StoredRun]) -> None:
    for run in runs:
        if run.state == "running":
            raise StateError(
                f"run {run.project}/{run.id} is going on",
                code="run-active",
                hint="to delete it all the same, say so with force",
            )


def _text(text: str | None, most: int) -> str | None:
    if text is None:
        return None
    text = text.replace("\r\n", "\n").strip()
    if len(text) > most:
        raise InvalidInputError(
            f"a text of {len(text):,} characters is too long, {most:,} are taken",
            code="request-invalid",
        )
    return text


def _tags(texts: Sequence[str]) -> list[str]:
    found = [text.strip() for text in texts if text.strip()]
    if any(len(text) > _TAG_CHARS for text in found):
        raise InvalidInputError(
            f"a tag has at most {_TAG_CHARS} characters", code="request-invalid"
        )
    return found


_PATH: Final = "/p/{project}/runs"
PAGES: Final = (
    Page(_PATH, show_runs, "runs"),
    Page(_PATH, change_runs, "change-runs", methods=("POST",)),
)

"""
One run: its charts, what was said of it, what it printed and made; and changes to it.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from artstore.errors import InvalidInputError, StateError
from artstore.web.routing import Answer, Page, Visit
from artstore.web.runs.boards import BOARD_PARTS
from artstore.web.runs.cells import duration_text
from artstore.web.runs.record import run_record
from artstore.web.runs.sections import SECTIONS
from artstore.web.runs.visit import ShownRun, shown_run
from artstore.web.visible import visible

__all__ = ["PAGES", "change_run", "show_run"]

_FIRST: Final = "charts"
_FIELDS: Final = ("name", "notes", "add_tag", "remove_tag", "delete", "restore")
_NAME_CHARS: Final = 500
_NOTES_CHARS: Final = 100_000
_TAG_CHARS: Final = 128


def show_run(visit: Visit) -> Answer:
    """
    A run; `?show=` says which section of it: only that one is read.

    Raises:
        NotFoundError: `run-not-found`.
        InvalidInputError: `request-invalid`, `name-invalid`.
    """
    shown = shown_run(visit)
    show = visit.query.get("show", _FIRST)
    if show not in SECTIONS:
        raise InvalidInputError(
            f"a run has no section {visible(show, 40, lines=False)!r}",
            code="request-invalid",
            hint=f"its sections are {', '.join(SECTIONS)}",
        )
    section = SECTIONS[show](visit, shown)
    value = {**run_record(shown), "show": show, **section.value}
    if visit.is_api:
        return Answer("runs/run.html", value)
    told = {**section.shown, **_around(visit, shown, show)}
    told["duration_text"] = duration_text(value["duration_seconds"] or 0)
    told["data"] = _script_data(visit, shown, show, value)
    return Answer("runs/run.html", value, shown=told)


def change_run(visit: Visit) -> Response:
    """
    Change what people say of a run; delete or restore it.

    Fields: `name`, `notes`, `add_tag` and `remove_tag` (as often as wanted), `delete` with `force`,
    `restore`.

    Raises:
        InvalidInputError: `request-invalid`.
        NotFoundError: `run-not-found`.
        StateError: `run-active`: one that goes on is deleted only with `force`.
    """
    form = visit.form()
    if not any(name in form for name in _FIELDS):
        raise _invalid(f"it says nothing that is to be changed: {', '.join(_FIELDS)}")
    shown = shown_run(visit)
    stored = visit.site.store.run(f"{shown.project}/{shown.id}")
    address = visit.link("run", {"show": "overview"}, project=stored.project, run=stored.id)
    if "delete" in form:
        if shown.is_live and "force" not in form:
            raise StateError(
                f"run {shown.project}/{shown.id} is going on",
                code="run-active",
                hint="to delete it all the same, say so with force",
            )
        stored.delete()
    elif "restore" in form:
        stored.restore()
    else:
        changes: dict[str, Any] = {}
        if "name" in form:
            name = form["name"].strip()
            if len(name) > _NAME_CHARS:
                raise _invalid(f"a name has at most {_NAME_CHARS} characters")
            changes["name"] = name or None
        if "notes" in form:
            # Forms end lines as the internet does.
            notes = form["notes"].replace("\r\n", "\n")
            if len(notes) > _NOTES_CHARS:
                raise _invalid(f"notes have at most {_NOTES_CHARS:,} characters")
            changes["notes"] = notes or None
        if "add_tag" in form or "remove_tag" in form:
            changes["tags"] = _tags(stored.facts["tags"], form)
        stored.edit(**changes)
    visit.site.live.expire(stored.project)
    return visit.done(address, run_record(shown_run(visit)))


def _tags(before: list[str], form: Any) -> list[str]:
    added = [text.strip() for text in form.getlist("add_tag") if text.strip()]
    if any(len(tag) > _TAG_CHARS for tag in added):
        raise _invalid(f"a tag has at most {_TAG_CHARS} characters")
    gone = set(form.getlist("remove_tag"))
    return [*(tag for tag in before if tag not in gone), *added]


def _around(visit: Visit, shown: ShownRun, show: str) -> dict[str, Any]:
    """What stands on every section: links to the others, with the board that was chosen."""
    here = {"project": shown.project, "run": shown.id}
    board = {name: visit.query.getlist(name) for name in BOARD_PARTS if visit.query.getlist(name)}
    links = []
    for name in SECTIONS:
        kept = board if name in ("charts", "system") and show in ("charts", "system") else {}
        query = {} if name == _FIRST else {"show": name}
        links.append((name, visit.link("run", {**query, **kept}, **here)))
    return {
        "here": here,
        "title": shown.title,
        "section_links": links,
        "self_link": visit.link("run", **here),
    }


def _script_data(visit: Visit, shown: ShownRun, show: str, value: dict[str, Any]) -> dict[str, Any]:
    here = {"project": shown.project, "run": shown.id}
    data: dict[str, Any] = {
        "project": here["project"],
        "run": here["run"],
        "name": shown.title,
        "show": show,
        "isLive": shown.is_live,
        "revision": shown.revision,
        "canSave": visit.site.settings.write,
        "page": visit.link("run", **here),
    }
    if show in ("charts", "system"):
        data |= {"keys": value["keys"], "board": value["board"]}
    elif show == "console":
        window = value["console"]
        data |= {name: window[name] for name in ("start", "stop", "size_bytes")}
    elif show == "media":
        data |= {"steps": value["steps"], "step": value["step"]}
    return data


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"the run cannot be changed so: {why}", code="request-invalid")


_PATH: Final = "/p/{project}/runs/{run}"
PAGES: Final = (
    Page(_PATH, show_run, "run"),
    Page(_PATH, change_run, "change-run", methods=("POST",)),
)

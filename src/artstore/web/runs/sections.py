"""
The sections of the page of a run, each read only when it is asked for.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.catalog.runs.format import files_collection
from artstore.errors import InvalidInputError, NotFoundError
from artstore.runs.nonfinite import restored
from artstore.web.artifacts.records import page_record
from artstore.web.listing import cut_page
from artstore.web.previews.jsontree import read_tree
from artstore.web.previews.markdown import section_html
from artstore.web.runs.boards import board_of, sections_of
from artstore.web.runs.console import find_lines, read_window
from artstore.web.runs.consolecolours import coloured
from artstore.web.runs.figures import FIGURE_BYTES, figure_svg
from artstore.web.runs.record import alert_records, flat_members, version_links
from artstore.web.runs.sparks import spark_svg
from artstore.web.runs.values import RunLinks, place_of, value_cells
from artstore.web.runs.visit import LoggedValues, ShownRun
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.web.routing import Visit

__all__ = ["SECTIONS", "Section"]

_SPARKS: Final = 24
_MEDIA_KEYS: Final = 12
_STEPS_MAX: Final = 20_000
_FOUND_MAX: Final = 500
_FIND_CHARS: Final = 1_000
_TEXT_CHARS: Final = 2_000
_FILES_MAX: Final = 1_000
_PACKAGES_MAX: Final = 5_000
_DIFF_CHARS: Final = 200_000
_NUMBERS: Final = ("number", "bool")
_DIFF_MARKS: Final = (("+++", ""), ("---", ""), ("@@", "hunk"), ("+", "added"), ("-", "removed"))


class Section(NamedTuple):
    """
    What a section gives.

    Attributes:
        value: for JSON and the template.
        shown: for the template alone.
    """

    value: dict[str, Any]
    shown: dict[str, Any]


def _charts(visit: Visit, shown: ShownRun) -> Section:
    keys = shown.logged_keys()
    board = board_of(visit.query)
    return _chart_section(visit, shown, keys, {"board": board.to_json()}, is_system=False)


def _system(visit: Visit, shown: ShownRun) -> Section:
    board = board_of(visit.query)
    return _chart_section(
        visit, shown, shown.system_keys(), {"board": board.to_json()}, is_system=True
    )


def _chart_section(
    visit: Visit,
    shown: ShownRun,
    keys: list[dict[str, Any]],
    value: dict[str, Any],
    *,
    is_system: bool,
) -> Section:
    told = {**value, "keys": keys}
    if visit.is_api:
        return Section(told, {})
    names = [one["key"] for one in keys if one["type"] in _NUMBERS and not one["is_hidden"]]
    ordered = [key for _, members in sections_of(names, board_of(visit.query)) for key in members]
    cut = cut_page(visit, len(ordered), _SPARKS)
    wanted = ordered[cut.start : cut.stop]
    sparks = [
        (key, spark_svg(key, xs, ys), ys[-1] if ys else None)
        for key, xs, ys in shown.points(wanted, is_system=is_system)
    ]
    return Section(told, {"sparks": sparks, "pages": page_record(*cut[:3])})


def _overview(visit: Visit, shown: ShownRun) -> Section:
    whole = shown.whole
    find = _find(visit)
    value = {
        "config": whole["config"],
        "summary": whole["summary"],
        "used": version_links(visit, whole["used"]),
        "logged": version_links(visit, whole["logged"]),
        "linked": version_links(visit, whole["linked"]),
        "alerts": alert_records(whole["alerts"]),
        "find": find,
    }
    if visit.is_api:
        return Section(value, {})
    config, summary = restored(dict(whole["config"])), _short(restored(dict(whole["summary"])))
    notes = whole["notes"] or ""
    return Section(
        value,
        {
            "config_tree": _tree(config),
            "summary_tree": _tree(summary),
            "found": _found({"config": config, "summary": summary}, find) if find else None,
            "notes_html": section_html(notes),
            "notes_text": notes,
        },
    )


def _console(visit: Visit, shown: ShownRun) -> Section:
    parts = shown.console()
    find = _find(visit)
    window = read_window(parts, before=_place(visit, "before"), after=_place(visit, "after"))
    value: dict[str, Any] = {"console": window.to_json(), "find": find, "found": None}
    if find:
        lines, is_all = find_lines(parts, find)
        value["found"] = {"lines": lines, "is_all": is_all}
    return Section(value, {"pieces": coloured(window.printed)})


def _media(visit: Visit, shown: ShownRun) -> Section:
    keys = [one for one in shown.logged_keys() if one["type"] in ("media", "table", "json")]
    wanted = visit.query.get("key")
    if wanted is not None:
        keys = [one for one in keys if one["key"] == wanted]
    cut = cut_page(visit, len(keys), _MEDIA_KEYS)
    links = RunLinks(visit, shown.live)
    logged = [(one["key"], shown.values(one["key"])) for one in keys[cut.start : cut.stop]]
    logged = [(key, values) for key, values in logged if values.steps]
    step = _place(visit, "step")
    steps = sorted({one for _, values in logged for one in values.steps})
    values = [_value_at(visit, links, key, found, step) for key, found in logged]
    kept = [one for one in values if any(cell["$"] != "unknown" for cell in one["cells"])]
    at = steps[place_of(steps, step)] if steps else None
    value = {
        "step": at,
        "steps": _spread(steps),
        "step_count": len(steps),
        "values": kept,
        "pages": page_record(*cut[:3]),
    }
    if visit.is_api:
        return Section(value, {})
    for one in kept:
        for cell in one["cells"]:
            if cell["$"] == "figure":
                cell.update(_seen_figure(cell, links))
    return Section(value, _steps_around(steps, at))


def _seen_figure(cell: dict[str, Any], links: RunLinks) -> dict[str, Any]:
    """The picture of a figure, or the JSON of one that is not drawn here."""
    if cell["drawn"]:
        return {"svg": figure_svg(cell["drawn"])}
    data = links.read((cell["src"] or "").rpartition("/")[2], FIGURE_BYTES)
    found = None if data is None else read_tree(data.decode("utf-8", "replace"), is_whole=True)
    return {} if found is None else {"tree": found[0]}


def _steps_around(steps: Sequence[int], at: int | None) -> dict[str, Any]:
    if at is None:
        return {"step_before": None, "step_after": None, "step_place": 0}
    before, after = bisect_left(steps, at) - 1, bisect_right(steps, at)
    return {
        "step_before": steps[before] if before >= 0 else None,
        "step_after": steps[after] if after < len(steps) else None,
        "step_place": before + 1,
    }


def _value_at(
    visit: Visit, links: RunLinks, key: str, logged: LoggedValues, step: int | None
) -> dict[str, Any]:
    place = place_of(logged.steps, step)
    return {
        "key": key,
        "step": logged.steps[place],
        "step_count": len(logged.steps),
        "cells": value_cells(logged.at(place), links, visit),
    }


def _environment(visit: Visit, shown: ShownRun) -> Section:
    environment = restored(dict(shown.whole["environment"]))
    value = {"environment": shown.whole["environment"]}
    if visit.is_api:
        return Section(value, {})
    git = environment.pop("git", None)
    git = git if isinstance(git, dict) else {}
    packages = environment.pop("packages", None)
    argv = environment.pop("argv", None)
    diff = git.pop("diff", None)
    shown_diff = visible(diff, _DIFF_CHARS) if isinstance(diff, str) else ""
    command = " ".join(map(str, argv)) if isinstance(argv, list) else ""
    return Section(
        value,
        {
            "command": visible(command, _TEXT_CHARS),
            "facts": _facts(environment),
            "git_facts": _facts(git),
            "packages": [visible(str(one), 200) for one in (packages or [])[:_PACKAGES_MAX]]
            if isinstance(packages, list)
            else [],
            "diff_lines": [(_mark(line), line) for line in shown_diff.splitlines()],
        },
    )


def _files(visit: Visit, shown: ShownRun) -> Section:
    project = shown.project
    collection = files_collection(shown.id)
    own = [
        one
        for one in version_links(visit, shown.whole["logged"])
        if one["type"] in ("run_files", "run_table", "code", "job")
    ]
    files: dict[str, Any] | None = None
    try:
        artifact = visit.site.opened(project, collection, "latest")
        parts = {"project": project, "collection": collection, "version": artifact.version}
        entries = list(islice(artifact.files(), _FILES_MAX + 1))
        files = {
            "version": artifact.qualified_name,
            "address": visit.link("files", **parts, path=""),
            "is_whole": len(entries) <= _FILES_MAX,
            "entries": [
                {
                    "path": entry.path,
                    "size_bytes": entry.size,
                    "address": visit.link("files", **parts, path=entry.path),
                }
                for entry in entries[:_FILES_MAX]
            ],
        }
    except NotFoundError:
        # It saved none, or they were deleted.
        pass
    return Section({"files": files, "collections": own}, {})


SECTIONS: Final[Mapping[str, Callable[[Visit, ShownRun], Section]]] = {
    "charts": _charts,
    "overview": _overview,
    "media": _media,
    "system": _system,
    "console": _console,
    "files": _files,
    "environment": _environment,
}
"""By the word in `?show=`, in the order of the page."""


def _find(visit: Visit) -> str:
    find = visit.query.get("find", "").strip()
    if len(find) > _FIND_CHARS:
        raise InvalidInputError(
            f"a word of more than {_FIND_CHARS:,} characters is not searched for",
            code="request-invalid",
        )
    return find


def _place(visit: Visit, name: str) -> int | None:
    text = visit.query.get(name)
    if text is None or text == "":
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        raise InvalidInputError(
            f"{name}={visible(text, 40, lines=False)} is no whole number", code="request-invalid"
        )
    return int(text)


def _tree(value: Mapping[str, Any]) -> Any:
    if not value:
        return None
    found = read_tree(json.dumps(value, ensure_ascii=False), is_whole=True)
    return None if found is None else found[0]


def _short(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A summary in which media and histograms are told by their kind alone."""
    return {
        key: value["_type"] if isinstance(value, dict) and "_type" in value else value
        for key, value in summary.items()
    }


def _found(values: Mapping[str, Any], find: str) -> list[tuple[str, str]]:
    wanted = find.casefold()
    hits = (
        (visible(name, _TEXT_CHARS, lines=False), visible(text, _TEXT_CHARS, lines=False))
        for name, text in flat_members(values)
        if wanted in name.casefold() or wanted in text[:10_000].casefold()
    )
    return list(islice(hits, _FOUND_MAX))


def _facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = flat_members(dict(values))
    return [
        (visible(name.replace("_", " "), 200, lines=False), visible(text, _TEXT_CHARS))
        for name, text in islice(found, 300)
        if text not in ("None", "{}", "[]", "")
    ]


def _mark(line: str) -> str:
    return next((name for start, name in _DIFF_MARKS if line.startswith(start)), "")


def _spread(steps: Sequence[int]) -> list[int]:
    """All steps, or of very many every n-th and the last one."""
    if len(steps) <= _STEPS_MAX:
        return list(steps)
    every = -(-len(steps) // _STEPS_MAX)
    return [*steps[:-1:every], steps[-1]]

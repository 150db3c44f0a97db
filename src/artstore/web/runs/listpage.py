"""
What the page of a list of runs shows beside its JSON: links that change the view, cells as texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from artstore.catalog.runs.state import current_state
from artstore.runs.names import FACTS
from artstore.web.artifacts.versionruns import run_links
from artstore.web.routing import Visit
from artstore.web.runs.cells import cell_kind, cell_text, duration_text, number_text
from artstore.web.runs.liststate import CHOSEN_MAX, RunListState
from artstore.web.runs.runlist import Column, RunList, column_values
from artstore.web.runs.source import Whole
from artstore.web.visible import visible

__all__ = ["run_address", "run_title", "shown_list"]

_NAME_CHARS: Final = 80
_TITLE_CHARS: Final = 600
_CHIP_CHARS: Final = 160
_TAGS_SHOWN: Final = 12
_NEXT: Final = {"none": "ascending", "ascending": "descending", "descending": "none"}
_SIGNS: Final = {"ascending": "", "descending": "-"}


def run_title(whole: Mapping[str, Any]) -> str:
    """What a run is called: its name, or its id where it has none."""
    return visible(whole["name"] or whole["run"], _NAME_CHARS, lines=False)


def run_address(visit: Visit, project: str, run_id: str) -> str | None:
    """The page of a run, if there are such pages."""
    return run_links(visit, project, run_id)


def shown_list(
    visit: Visit, listed: RunList, value: Mapping[str, Any], wholes: Sequence[Whole]
) -> dict[str, Any]:
    """The names that the template sees beside those of the JSON."""
    state, source = listed.state, listed.source
    here = visit.link("runs", project=source.project)
    links = _links(visit, source.project)
    chosen = source.some(state.chosen)
    rows = _rows(visit, listed, wholes)
    return {
        "here": here,
        "query": state.query,
        "state": state,
        "is_filtered": state.is_filtered,
        "conditions": [
            {
                "text": text,
                "is_wrong": listed.wrong is not None and listed.wrong.text == text,
                "without": here + state.query(where=_without(state.where, place)),
            }
            for place, text in enumerate(state.where)
        ],
        "state_chips": [
            _chip(state, here, "states", name, f"{name} {count:,}")
            for name, count in _with_asked(value["states"], state.states)
        ],
        "tag_chips": [
            _chip(state, here, "tags", one["tag"], f"#{visible(one['tag'], 60, lines=False)}")
            for one in _tags_first(value["tags"], state.tags)
        ],
        "heads": _heads(listed, here, rows),
        "run_head": _head(state, here, "name", "Run"),
        "count_head": _head(state, here, "count", "Runs"),
        "rows": rows,
        "shown_groups": None
        if value["groups"] is None
        else [_group(visit, listed, here, group) for group in value["groups"]],
        "group_labels": list(listed.group),
        "pager_prefix": here + (state.query(page=1) or "?"),
        "pages_query": lambda page: here + state.query(page=page),
        "kept": list(state.pairs(without=("page",))),
        "chosen_elsewhere": _elsewhere(state, wholes, value),
        "chosen_runs": [
            {"id": one["run"], "title": run_title(one), "is_deleted": one["deleted"]}
            for one in chosen
        ],
        "chosen_one": chosen[0] if len(chosen) == 1 else None,
        "chosen_tags": sorted({str(tag) for one in chosen for tag in one["tags"]}),
        "clear_address": here + state.query(chosen=(), page=state.page),
        "compare_address": links["compare"],
        "columns_text": "" if state.columns is None else ",".join(state.columns),
        "group_text": ",".join(state.group),
        "address_now": here + state.query(page=state.page),
        "csv_address": here + _added(state.query(chosen=()), "format=csv"),
        "json_address": here + _added(state.query(chosen=()), "format=json"),
        "names": [*FACTS, *(column.name for column in listed.columns if column.section != "run")],
        "data": {
            "project": source.project,
            "revision": source.revision,
            "links": links,
            "columns": [column.name for column in listed.columns],
            "states": [name for name, _ in _with_asked(value["states"], state.states)],
            "chosenMax": CHOSEN_MAX,
            "canWrite": visit.site.settings.write,
        },
    }


def _links(visit: Visit, project: str) -> dict[str, str]:
    routes = visit.site.routes
    found = {
        "list": visit.link("runs", project=project),
        "api": visit.api_link("runs", project=project),
        "compare": visit.link("run-compare", project=project) if routes.has("run-compare") else "",
    }
    if routes.has("events"):
        found["events"] = visit.api_link("events", project=project)
    return found


def _added(query: str, part: str) -> str:
    return f"{query}&{part}" if query else f"?{part}"


def _without(texts: Sequence[str], place: int) -> tuple[str, ...]:
    return tuple(text for at, text in enumerate(texts) if at != place)


def _with_asked(counts: Mapping[str, int], asked: Sequence[str]) -> list[tuple[str, int]]:
    """The states that there are, and those that are asked for although there are none."""
    return [*counts.items(), *((name, 0) for name in asked if name not in counts)]


def _tags_first(tags: Sequence[Mapping[str, Any]], asked: Sequence[str]) -> list[dict[str, Any]]:
    wanted = [{"tag": tag} for tag in asked]
    return [*wanted, *(dict(one) for one in tags[:_TAGS_SHOWN] if one["tag"] not in asked)]


def _chip(state: RunListState, here: str, part: str, value: str, label: str) -> dict[str, Any]:
    now: tuple[str, ...] = getattr(state, part)
    is_on = value in now
    changed = tuple(one for one in now if one != value) if is_on else (*now, value)
    return {
        "label": visible(label, _CHIP_CHARS, lines=False),
        "value": value,
        "is_on": is_on,
        "address": here + state.query(**{part: changed}),
    }


# heads and cells ----------------------------------------------------------------------------


def _heads(listed: RunList, here: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for place, column in enumerate(listed.columns):
        kinds = {row["cells"][place]["kind"] for row in rows} - {"null"}
        found.append(
            {
                **_head(listed.state, here, column.name, column.label),
                "section": column.section,
                # As its values are aligned; groups tell only numbers.
                "is_number": bool(listed.group) or (bool(kinds) and kinds <= {"number", "odd"}),
            }
        )
    return found


def _head(state: RunListState, here: str, name: str, label: str) -> dict[str, Any]:
    order = "none"
    for key in _sort_texts(state):
        if key.lstrip("+-") == name:
            order = "descending" if key.startswith("-") else "ascending"
    after = _NEXT[order]
    sort = () if after == "none" else (_SIGNS[after] + name,)
    others = [key for key in _sort_texts(state) if key.lstrip("+-") != name]
    return {
        "name": name,
        "label": visible(label, _NAME_CHARS, lines=False),
        "title": visible(name, _TITLE_CHARS, lines=False),
        "sorted": order,
        "address": here + state.query(sort=sort),
        "add_address": here + state.query(sort=(*others, *sort)),
    }


def _sort_texts(state: RunListState) -> Sequence[str]:
    return state.sort


def _rows(visit: Visit, listed: RunList, wholes: Sequence[Whole]) -> list[dict[str, Any]]:
    values = column_values(wholes, listed.columns)
    chosen = set(listed.state.chosen)
    return [
        _row(visit, listed, whole, row, is_chosen=whole["run"] in chosen)
        for whole, row in zip(wholes, values, strict=True)
    ]


def _row(
    visit: Visit, listed: RunList, whole: Whole, values: Sequence[Any], *, is_chosen: bool
) -> dict[str, Any]:
    from artstore import clock

    state = current_state(whole, clock.now_seconds())
    name = whole["name"]
    return {
        "id": whole["run"],
        "title": run_title(whole),
        "id_beside": whole["run"] if name and name != whole["run"] else "",
        "address": run_address(visit, listed.source.project, whole["run"]),
        "state": state,
        "is_chosen": is_chosen,
        "is_deleted": whole["deleted"],
        "cells": [
            _cell(visit, listed, column, value, whole)
            for column, value in zip(listed.columns, values, strict=True)
        ],
    }


def _cell(
    visit: Visit, listed: RunList, column: Column, value: Any, whole: Whole
) -> dict[str, Any]:
    del visit
    name = column.name if column.section == "run" else ""
    cell: dict[str, Any] = {"kind": cell_kind(value), "text": "", "title": ""}
    if name in ("created", "updated"):
        return {**cell, "kind": "time", "text": str(whole[name] or "")}
    if name == "state":
        return {**cell, "kind": "state", "text": str(value)}
    if name == "tags" and isinstance(value, list):
        return {**cell, "kind": "tags", "tags": [_tag(listed, tag) for tag in value[:_TAGS_SHOWN]]}
    text = cell_text(value, name)
    whole_text = value if isinstance(value, str) else ""
    is_longer = len(whole_text) > len(text) or text.endswith("…")
    title = cell_text(value, name, _TITLE_CHARS) if is_longer else ""
    if isinstance(value, float) and not isinstance(value, bool) and repr(value) != text:
        title = repr(value)
    return {**cell, "text": text, "title": title}


def _tag(listed: RunList, tag: Any) -> dict[str, Any]:
    text = str(tag)
    return {
        "text": visible(text, 60, lines=False),
        "query": listed.state.query(tags=tuple(dict.fromkeys((*listed.state.tags, text)))),
    }


def _group(visit: Visit, listed: RunList, here: str, group: Mapping[str, Any]) -> dict[str, Any]:
    state = listed.state
    is_open = group["is_open"]
    opened = tuple(key for key in state.opened if key != group["key"])
    where = group["where"]
    wholes = listed.source.some(one["id"] for one in group["runs"])
    return {
        **group,
        "title": [_group_value(value) for value in group["values"]],
        "fold_address": here
        + state.query(opened=opened if is_open else (*opened, group["key"]), page=state.page),
        "list_address": None
        if where is None
        else here + state.query(group=(), opened=(), sort=(), where=(*state.where, *where)),
        "cells": [_measure(group["measures"].get(one.name), one) for one in listed.columns],
        "rows": _rows(visit, listed, wholes),
    }


def _group_value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict) and "$" in value:
        return visible(value["v"], _NAME_CHARS, lines=False)
    return cell_text(value, max_chars=_NAME_CHARS)


def _measure(told: Mapping[str, Any] | None, column: Column) -> dict[str, str] | None:
    """Mean and range of a group; no range where all have the same."""
    if told is None:
        return None
    is_duration = column.section == "run" and column.name == "duration"
    text = duration_text if is_duration else number_text
    mean, low, high = (text(told[name]) for name in ("mean", "low", "high"))
    return {"mean": mean, "range": "" if low == high else f"{low} to {high}"}


def _elsewhere(state: RunListState, wholes: Sequence[Whole], value: Mapping[str, Any]) -> list[str]:
    """Runs that are ticked and have no box on this page: they stay so in a form."""
    there = {whole["run"] for whole in wholes}
    for group in value["groups"] or ():
        there |= {one["id"] for one in group["runs"]}
    return [run_id for run_id in state.chosen if run_id not in there]

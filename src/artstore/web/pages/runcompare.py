"""
Runs beside each other: what differs in config, summary, environment, inputs and outputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from artstore.catalog.runs.state import current_state
from artstore.errors import InvalidInputError
from artstore.web.artifacts.records import page_record
from artstore.web.listing import cut_page, together
from artstore.web.routing import Answer, Page, Visit
from artstore.web.runs.boards import board_of
from artstore.web.runs.cells import cell_json, cell_kind, cell_text
from artstore.web.runs.comparing import ComparedValue, compared_values
from artstore.web.runs.listpage import run_address, run_title
from artstore.web.runs.liststate import CHOSEN_MAX, read_chosen
from artstore.web.runs.visit import ShownRun
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.web.live.run import LiveRun

__all__ = ["PAGES", "compare_runs"]

_CELLS_MAX: Final = 12_000
"""Of one page; its lines are as many as fit, at most 500."""
_LINES_MAX: Final = 500
_LINES_MIN: Final = 20
_FIND_CHARS: Final = 1_000
_VALUE_CHARS: Final = 300
_TITLE_CHARS: Final = 60
_LOOKED_AT: Final = 12
"""Runs whose history is asked for its keys."""
_VALUES_MAX: Final = 20_000
_OWN_PARTS: Final = ("run", "differ", "find", "page")
_ARTIFACT: Final = re.compile(r"([^/]+)/([^/]+?)(?: as .*)?", re.DOTALL)
_TITLES: Final = {
    "run": "Run",
    "config": "Config",
    "summary": "Summary",
    "environment": "Code and environment",
    "inputs": "Inputs",
    "outputs": "Outputs",
}


def compare_runs(visit: Visit) -> Answer:
    """
    All values of the runs `?run=a&run=b`, at most 200; `differ=1` only those that differ,
    `find=lr` only keys with that in them.

    Raises:
        NotFoundError: `run-not-found`.
        InvalidInputError: `name-invalid`, `request-invalid`.
        LimitExceededError: `limit-exceeded`: more than 200 runs.
    Cost: as `Live.run` for each.
    """
    project = visit.params["project"]
    ids = read_chosen(visit.query.getlist("run"))
    find = visit.query.get("find", "").strip()
    if len(find) > _FIND_CHARS:
        raise InvalidInputError(
            f"a part of a key has at most {_FIND_CHARS:,} characters", code="request-invalid"
        )
    only_differing = visit.query.get("differ", "0") not in ("", "0")
    # Before they are read: what changes meanwhile is told to who watches.
    revision = visit.site.live.runs(project).revision if ids else 0
    runs = together(lambda run_id: visit.site.live.run(project, run_id), ids)
    every = list(compared_values([run.whole for run in runs])) if runs else []
    shown = [
        one
        for one in every
        if not (only_differing and one.is_same) and find.lower() in one.key.lower()
    ]
    size = max(_LINES_MIN, min(_LINES_MAX, _CELLS_MAX // max(1, len(runs))))
    cut = cut_page(visit, len(shown), size)
    lines = shown[cut.start : cut.stop]
    value: dict[str, Any] = {
        "project": project,
        "runs": [_run_record(run) for run in runs],
        "only_differing": only_differing,
        "find": find,
        "total": len(every),
        "differing": sum(not one.is_same for one in every),
        "values": [
            {
                "section": one.section,
                "key": one.key,
                "values": [cell_json(item) for item in one.values],
                "same": one.is_same,
            }
            for one in lines
        ],
        "pages": page_record(*cut[:3]),
    }
    if visit.is_api:
        return Answer("runs/comparing.html", value)
    return Answer("runs/comparing.html", value, shown=_shown(visit, runs, lines, every, revision))


def _run_record(run: LiveRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.whole["name"],
        "state": run.state,
        "created_at": run.whole["created"],
    }


def _shown(
    visit: Visit,
    runs: Sequence[LiveRun],
    lines: Sequence[ComparedValue],
    every: Sequence[ComparedValue],
    revision: int,
) -> dict[str, Any]:
    project = visit.params["project"]
    here = visit.link("run-compare", project=project)
    kept = [pair for pair in visit.query.multi_items() if pair[0] not in _OWN_PARTS]
    chosen = [("run", ",".join(run.id for run in runs))] if runs else []
    own = [pair for pair in visit.query.multi_items() if pair[0] in ("differ", "find")]
    heads = [
        {
            "id": run.id,
            "title": visible(run_title(run.whole), _TITLE_CHARS, lines=False),
            "address": run_address(visit, project, run.id),
            "state": current_state(run.whole, _now()),
            "slot": slot,
            "without": here
            + _query(kept, [("run", ",".join(o.id for o in runs if o is not run))], own),
        }
        for slot, run in enumerate(runs)
    ]
    return {
        "heads": heads,
        "here": here,
        "most": CHOSEN_MAX,
        "list_address": visit.link("runs", project=project) + _query(chosen),
        "all_address": here + _query(kept, chosen, (p for p in own if p[0] != "differ")),
        "differ_address": here
        + _query(kept, chosen, (p for p in own if p[0] != "differ"), [("differ", "1")]),
        "fields": [*kept, *chosen, *(pair for pair in own if pair[0] != "find")],
        "data": _board_data(visit, runs, every, revision) if runs else None,
        "page_address": lambda page: here + _query(kept, chosen, own, [("page", str(page))]),
        "sections": [
            (_TITLES[section], [_line(visit, line) for line in group])
            for section, group in groupby(lines, key=lambda line: line.section)
        ],
    }


def _board_data(
    visit: Visit, runs: Sequence[LiveRun], every: Sequence[ComparedValue], revision: int
) -> dict[str, Any]:
    """What the charts of the runs begin with: their keys, and values to draw them over."""
    logged = together(lambda run: ShownRun(run).logged_keys(), runs[:_LOOKED_AT])
    keys = {one["key"]: one for found in logged for one in found}
    for run in runs[_LOOKED_AT:]:
        # Of many runs the last values tell which metrics they have.
        for key, value in run.summary.items():
            if type(value) in (int, float) and not key.startswith("_"):
                keys.setdefault(key, {"key": key, "type": "number", "x": None, "is_hidden": False})
    most = max(1, _VALUES_MAX // len(runs))
    named = [one for one in every if one.section in ("config", "summary")]
    differing = [one for one in named if not one.is_same][:most]
    return {
        "project": visit.params["project"],
        "revision": revision,
        "runs": [
            {
                "id": run.id,
                "name": run_title(run.whole),
                "slot": slot,
                "isLive": run.state == "running",
                "values": {
                    f"{one.section}.{one.key}": cell_json(one.values[slot]) for one in differing
                },
            }
            for slot, run in enumerate(runs)
        ],
        "keys": list(keys.values()),
        "board": board_of(visit.query).to_json(),
        "canSave": visit.site.settings.write,
        "isLive": any(run.state == "running" for run in runs),
        "groups": [f"config.{one.key}" for one in differing if one.section == "config"],
    }


def _now() -> float:
    from artstore import clock

    return clock.now_seconds()


def _query(*parts: Iterable[tuple[str, str]]) -> str:
    pairs = [pair for part in parts for pair in part]
    return f"?{urlencode(pairs, quote_via=quote, safe=':,/')}" if pairs else ""


def _line(visit: Visit, line: ComparedValue) -> dict[str, Any]:
    is_edge = line.section in ("inputs", "outputs")
    return {
        "key": visible(line.key, _VALUE_CHARS, lines=False),
        "is_same": line.is_same,
        "is_edge": is_edge,
        "address": _artifact_link(visit, line.key) if is_edge else None,
        "cells": [_versions(visit, line.key, value) for value in line.values]
        if is_edge
        else [_cell(line.key, value) for value in line.values],
    }


def _cell(key: str, value: Any) -> dict[str, Any]:
    text = cell_text(value, key if key == "duration" else "", _VALUE_CHARS)
    title = repr(value) if isinstance(value, float) and repr(value) != text else ""
    return {"kind": cell_kind(value), "text": text, "title": title}


def _versions(visit: Visit, key: str, value: Any) -> list[Mapping[str, Any]] | None:
    if value is None:
        return None
    return [{"text": str(one), "address": _version_link(visit, key, str(one))} for one in value]


def _artifact_link(visit: Visit, key: str) -> str | None:
    found = _ARTIFACT.fullmatch(key)
    return found and visit.link("collection", project=found[1], collection=found[2])


def _version_link(visit: Visit, key: str, version: str) -> str | None:
    found = _ARTIFACT.fullmatch(key)
    return found and visit.link("version", project=found[1], collection=found[2], version=version)


PAGES: Final = (Page("/p/{project}/compare", compare_runs, "run-compare"),)

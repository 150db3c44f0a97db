"""
The first page of a table as the server makes it: rows, heads, the form of the filter.

It is all there is without scripts; with them the grid takes its place, and begins with
the same rows, which the page carries as JSON.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from markupsafe import Markup

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.usualnames import GUESS_NAMES, TRUTH_NAMES
from artstore.web.cells.celltext import cell_text
from artstore.web.failures import failure_value
from artstore.web.routing import Answer
from artstore.web.tables.answers import table_groups
from artstore.web.tables.comparejson import with_sides
from artstore.web.tables.comparepage import (
    compare_data,
    compare_shown,
    example_condition,
    merged_heads,
    merged_rows,
)
from artstore.web.tables.gallery import GalleryItem, gallery_columns, gallery_items
from artstore.web.tables.histogramsvg import facet_svg, histogram_svg, values_svg
from artstore.web.tables.question import place_error
from artstore.web.tables.saving import saving_places
from artstore.web.tables.state import SortPart, TableState, query_of
from artstore.web.tables.tablejson import column_json, facet_json, window_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artstore.web.routing import Visit
    from artstore.web.tables.question import Question

__all__ = ["TELLING", "first_page"]

_ROWS: Final = 50
_COLUMNS: Final = 30
_EARLY: Final = 8
_FLAGS: Final = ("in", "changed")
_SORTABLE: Final = ("text", "number", "bool", "time")
TELLING: Final = (*TRUTH_NAMES, *GUESS_NAMES)
"""Columns that people look at first."""
_FACET_SECONDS: Final = 1.0
_THUMBNAIL: Final = "&size=64"


class FirstCell(NamedTuple):
    """A cell of the first page: text, or a picture."""

    text: str
    kind: str
    picture: str | None = None


def first_page(question: Question) -> Answer:
    """
    The page of the state that was asked for.

    A condition that cannot be used is told beside the form, and the rows are shown
    without it; as JSON it is an error.
    """
    error: dict[str, Any] | None = None
    try:
        value = _value(question)
    except (InvalidInputError, LimitExceededError) as failed:
        if question.visit.is_api:
            raise
        error = failure_value(failed, question.visit.site)["error"]
        place_error(question, error, failed)
        value = _value(replace(question, state=_without_selection(question.state)))
    if question.visit.is_api:
        return Answer("", value)
    return Answer("tables/table.html", value, shown=_shown(question, value, error))


def _without_selection(state: TableState) -> TableState:
    return replace(state, where=(), sort=(), compute=(), group=(), start=0, quick=None)


def _value(question: Question) -> dict[str, Any]:
    state, explored = question.state, question.table.explored
    selection = question.selection()
    columns = explored.columns(selection)
    told = with_sides(question.table, [column_json(column) for column in columns])
    usual, known = _usual_order(told), {column.name for column in columns}
    names = [name for name in state.columns or usual if name in known]
    gallery = gallery_columns(state, told)
    if gallery is not None:
        # A window has so many columns: those that are needed come first.
        needed = (gallery.image, *filter(None, gallery.captions))
        names = list(dict.fromkeys((*needed, *names)))
    value: dict[str, Any] = {
        "version": question.version.qualified_name,
        "table": question.path,
        "columns": told,
        "told": list(question.told),
    }
    matching = explored.count(selection).matching
    start = min(state.start, max(matching - 1, 0)) if not state.group or gallery else 0
    window = explored.window(selection, start, _ROWS, names[:_COLUMNS])
    links = question.table.links_of(question.visit)
    value["window"] = window_json(window, matching, links)
    with_sides(question.table, value["window"]["columns"])
    value["facets"] = _facets(question, names[:_COLUMNS])
    is_grouped = state.group and gallery is None
    value["groups"] = table_groups(question) if is_grouped else None
    return value


def _usual_order(columns: Sequence[dict[str, Any]]) -> list[str]:
    """
    As the table has them, but media, truths and guesses not far from the left: right behind the
    first column; the grid does so.
    """
    seen = [column for column in columns if column.get("part") not in _FLAGS]
    late = [
        column["name"]
        for column in seen[_EARLY:]
        if column["role"] == "media" or column.get("base", column["name"]) in TELLING
    ]
    rest = [column["name"] for column in seen if column["name"] not in late]
    return rest[:1] + late + rest[1:]


def _facets(question: Question, names: list[str]) -> list[dict[str, Any]]:
    from artstore.tables.exploring import QueryLimits, Ticket, interruptible

    try:
        # Rows are not kept waiting for pictures: what takes longer is asked for by the grid.
        with interruptible(Ticket(QueryLimits(_FACET_SECONDS))):
            facets = question.table.explored.facets(question.selection(), names)
    except LimitExceededError:
        return []
    return [facet_json(facet) for facet in facets]


def _shown(
    question: Question, value: dict[str, Any], error: dict[str, Any] | None
) -> dict[str, Any]:
    visit, state = question.visit, question.state
    params = {**visit.params}
    here = visit.link("table", None, **params)
    window = value["window"]
    facets = {facet["column"]: facet for facet in value["facets"]}
    heads = [
        {
            **column,
            "svg": facet_svg(facets[column["name"]]) if column["name"] in facets else "",
            "sorted": _sorted(state, column["name"]),
            "sort_address": _address(here, _sorted_by(state, column["name"]))
            if column["role"] in _SORTABLE
            else None,
        }
        for column in window["columns"]
    ]
    rows = [
        {
            "number": number,
            "cells": [
                _cell(window["columns"][at], cells[row]) for at, cells in enumerate(window["cells"])
            ],
        }
        for row, number in enumerate(window["rows"])
    ]
    merged = merged_heads(heads)
    seen = question if error is None else replace(question, state=_without_selection(state))
    shown = {
        "params": params,
        **_crumbs(visit),
        "here": here,
        "heads": merged,
        "rows": merged_rows(rows, merged, window["columns"]),
        **compare_shown(seen, here),
        "gallery": _gallery(question, value),
        "group_rows": _group_rows(value["groups"]) if value["groups"] else None,
        "conditions": [
            {"text": text, "without": _address(here, _without(state, at))}
            for at, text in enumerate(state.where)
        ],
        "kept_parts": [
            pair for pair in state.pairs() if pair[0] not in ("where", "start", "group")
        ],
        "groups_chosen": state.group,
        "group_names": [
            column["name"] for column in value["columns"] if column["role"] in _SORTABLE
        ],
        "error": error,
        "data": {
            "table": value,
            "error": error,
            "query": query_of(state),
            "links": _links(question),
            "compare": compare_data(question),
            "example": example_condition(question, value["columns"]),
            "telling": list(TELLING),
            **saving_places(question.visit),
        },
    }
    return {**shown, **_paging(state, window, here)}


def _paging(state: TableState, window: dict[str, Any], here: str) -> dict[str, Any]:
    start, matching = window["start"], window["matching"]
    return {
        "previous": _address(here, replace(state, start=max(start - _ROWS, 0))) if start else None,
        "next": _address(here, replace(state, start=start + _ROWS))
        if start + _ROWS < matching
        else None,
    }


def _crumbs(visit: Visit) -> dict[str, str]:
    params, links = dict(visit.params), {}
    del params["path"]
    for page in ("version", "collection", "project"):
        links[f"{page}_link"] = visit.link(page, None, **params)
        params.popitem()
    return links


def _links(question: Question) -> dict[str, str]:
    visit, params = question.visit, dict(question.visit.params)
    kinds = (
        "rows",
        "facets",
        "groups",
        "values",
        "cell",
        "check",
        "view",
        "export",
        "matrix",
        "sides",
        "sample",
        "origin",
        "points",
    )
    links = {kind: visit.api_link(f"table-{kind}", None, **params) for kind in kinds}
    if question.table.comparison is not None and question.table.comparison.how != "side":
        # A row of several tables is in no other version, and of none.
        del links["sample"], links["origin"]
    own = {
        "page": visit.link("table", None, **params),
        "scatter": visit.site.assets.address("scatter.bundle.js"),
        "charts": visit.site.assets.address("charts.css"),
    }
    return {**links, **own}


def _address(here: str, state: TableState) -> str:
    query = query_of(state)
    return f"{here}?{query}" if query else here


def _without(state: TableState, at: int) -> TableState:
    return replace(state, where=state.where[:at] + state.where[at + 1 :], start=0)


def _sorted(state: TableState, column: str) -> str:
    for part in state.sort:
        if part.column == column:
            return "descending" if part.descending else "ascending"
    return "none"


def _sorted_by(state: TableState, column: str) -> TableState:
    """Ascending, then descending, then as the rows come."""
    now = _sorted(state, column)
    sort = () if now == "descending" else (SortPart(column, now == "ascending"),)
    return replace(state, sort=sort, start=0)


def _cell(column: dict[str, Any], cell: Any) -> FirstCell:
    if isinstance(cell, dict) and cell.get("$") == "image" and cell["thumb"]:
        return FirstCell(cell["caption"] or "", "image", cell["thumb"] + _THUMBNAIL)
    return FirstCell(cell_text(cell), "null" if cell is None else column["kind"])


def _gallery(question: Question, value: dict[str, Any]) -> list[GalleryItem] | None:
    wanted = gallery_columns(question.state, value["columns"])
    if wanted is None:
        return None
    return gallery_items(wanted, value["window"])


def _group_rows(groups: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for group in groups["groups"]:
        cells = [_summary(groups, summary) for summary in group["summaries"]]
        rows.append(
            {
                "key": " · ".join(cell_text(key) or "null" for key in group["key"]),
                "count": group["count"],
                "cells": cells,
                "pictures": [
                    cell["thumb"] + _THUMBNAIL
                    for cells in group["examples"].values()
                    for cell in cells
                    if isinstance(cell, dict) and cell.get("thumb")
                ],
            }
        )
    return rows


def _summary(groups: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    column, counts = summary["column"], summary["histogram"]
    if counts and any(counts):
        svg = histogram_svg(groups["edges"][column], counts, counts, column)
    elif summary["values"]:
        svg = values_svg(summary["values"], column)
    else:
        svg = Markup("")
    if summary["mean"] is not None:
        text = f"mean {cell_text(summary['mean'])}"
    else:
        text = ", ".join(cell_text(one["value"]) for one in summary["values"][:3])
    return {"column": column, "svg": svg, "text": text}

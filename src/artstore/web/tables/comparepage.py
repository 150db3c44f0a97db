"""
The first page of compared tables as the server makes it: both values in one cell, links as filters.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.errors import ArtstoreError
from artstore.web.cells.celltext import cell_text
from artstore.web.failures import failure_value
from artstore.web.tables.comparedesk import guess_of, truth_of
from artstore.web.tables.comparejson import (
    comparison_json,
    matrix_names,
    side_matrices,
    sides_json,
)
from artstore.web.tables.state import TableState, query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from artstore.web.routing import Visit
    from artstore.web.tables.comparejson import SideMatrix
    from artstore.web.tables.desk import OpenedTable
    from artstore.web.tables.question import Question

__all__ = [
    "compare_data",
    "compare_shown",
    "example_condition",
    "merged_heads",
    "merged_rows",
    "other_tables",
]

_KINDS: Final = ("rows", "facets", "groups", "values", "cell", "check", "sides", "matrix")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_SHADES: Final = 8
_VERSIONS_MAX: Final = 50
_JUDGED: Final = ("disagree", "regressed", "fixed")
_QUICK: Final = {
    "both": "in both",
    "changed": "changed",
    "disagree": "disagree",
    "regressed": "regressed",
    "fixed": "fixed",
}


class MatrixCell(NamedTuple):
    """A cell of the matrix of the first page: `shade` is from 0, none of the row, to 8, all."""

    text: str
    shade: int
    address: str | None


def compare_data(question: Question) -> dict[str, Any]:
    """What scripts are told of the tables beside this one."""
    visit = question.visit
    project, collection = visit.params["project"], visit.params["collection"]
    told: dict[str, Any] = {
        "version": question.version.qualified_name,
        "others": visit.api_link("table-others", None, **visit.params),
        "project": visit.api_link("project", None, project=project),
        "collection": f"{project}/{collection}",
    }
    found = comparison_json(question)
    if found is None or question.table.comparison is None:
        return told
    for side, record in zip(question.table.comparison.sides, found["sides"], strict=True):
        home = side.version.collection
        params = {
            "project": home.project,
            "collection": home.name,
            "version": side.version.version,
            "path": side.path,
        }
        links = {kind: visit.api_link(f"table-{kind}", None, **params) for kind in _KINDS}
        record["links"] = {**links, "page": visit.link("table", None, **params)}
    return {**told, **found}


def example_condition(question: Question, columns: Iterable[Mapping[str, Any]]) -> str:
    """A condition that can be used here, as the box for one shows it while it is empty."""
    table, state = question.table, question.state
    names = [name for name in (guess_of(table, state), truth_of(table, state)) if name is not None]
    if len(names) == 2:
        return " != ".join(_on_all_sides(table, name) for name in names)
    for column in columns:
        if column["role"] == "number":
            return f"{_named(column['name'])} > 0"
    return ""


def _on_all_sides(table: OpenedTable, name: str) -> str:
    """A column of merged tables as conditions have it: of each of them, or of the only one."""
    comparison = table.comparison
    if comparison is None or comparison.how != "merged":
        return _named(name)
    count = sum(name in side.table.reader.schema.names for side in comparison.sides)
    return _named(name) if count == 1 else f"*.{_named(name)}"


def _named(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def compare_shown(question: Question, here: str) -> dict[str, Any]:
    """What the template shows of the comparison, and of the matrix if one is asked for."""
    visit, state = question.visit, question.state
    shown: dict[str, Any] = {"comparison": None, "matrices": None, "matrix_error": None}
    if question.table.comparison is not None:
        found, told = comparison_json(question), sides_json(question)
        assert found is not None, "there is a comparison"
        shown["comparison"] = {
            **found,
            "sides": [
                {**one, **two} for one, two in zip(found["sides"], told["sides"], strict=True)
            ],
            "quick": [
                {
                    "label": _quick_label(one["name"], told["sides"], state.judged()),
                    "matching": one["matching"],
                    "on": state.quick == one["name"],
                    "address": _address(here, _with_quick(state, one["name"])),
                }
                for one in told["quick"]
            ],
            "total": told["total"],
            "chosen": list(state.keys),
        }
    if state.matrix is not None:
        try:
            truth, guess = matrix_names(question)
            shown["matrices"] = [
                _matrix(one, lambda text: _address(here, _with_where(state, text)))
                for one in side_matrices(question, truth, guess)
            ]
            shown["matrix_names"] = (truth, guess)
        except ArtstoreError as error:
            shown["matrix_error"] = failure_value(error, visit.site)["error"]["message"]
    return shown


def merged_heads(heads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One head for the columns that are one in the tables: `of` tells which columns it is of."""
    found: dict[Any, dict[str, Any]] = {}
    for at, head in enumerate(heads):
        is_cell = head.get("part") == "cell"
        name = ("base", head["base"]) if is_cell else ("own", head["name"])
        if name not in found:
            found[name] = {**head, "of": [], "label": head["base"] if is_cell else head["name"]}
        else:
            found[name]["svg"] += head["svg"]
        found[name]["of"].append(at)
    return list(found.values())


def merged_rows(
    rows: Sequence[dict[str, Any]],
    heads: Sequence[dict[str, Any]],
    columns: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Rows with a cell for each head: of equal values one, of others each with its side."""
    return [
        {
            **row,
            "cells": [
                [
                    (None if side is None else columns[at].get("side"), row["cells"][at])
                    for at, side in _different(row["cells"], head["of"])
                ]
                for head in heads
            ],
        }
        for row in rows
    ]


def _different(cells: Sequence[Any], places: Sequence[int]) -> list[tuple[int, int | None]]:
    if len({cells[at] for at in places}) == 1:
        return [(places[0], None)]
    return [(at, at) for at in places]


def _matrix(one: SideMatrix, link: Callable[[str], str]) -> dict[str, Any]:
    found = one.found
    rows = []
    for row, label in enumerate(found.truth_labels):
        counts = found.counts[row]
        total = sum(counts) + found.other_guesses[row]
        cells = []
        for column, count in enumerate(counts):
            condition = found.condition(row, column) if count else None
            if condition is not None and one.also is not None:
                condition = f"{condition} AND {one.also}"
            shade = 0 if not count else max(round(count / total * _SHADES), 1)
            address = None if condition is None else link(condition)
            cells.append(MatrixCell(f"{count:,}" if count else "", shade, address))
        rows.append({"label": _label(label), "cells": cells, "total": total})
    return {
        "label": one.label,
        "total": found.total,
        "guesses": [_label(label) for label in found.guess_labels],
        "rows": rows,
    }


def _label(label: Any) -> str:
    from artstore.web.tables.tablejson import value_json

    return "null" if label is None else cell_text(value_json(label))


def _quick_label(name: str, sides: Sequence[dict[str, Any]], judged: tuple[int, int]) -> str:
    if name.startswith("only:"):
        return f"only {sides[int(name[5:])]['label']}"
    if len(sides) < 3:
        return _QUICK[name]
    if name in _JUDGED:
        one, two = (sides[at]["label"] for at in judged)
        return f"{_QUICK[name]} from {one} to {two}"
    return "in all" if name == "both" else _QUICK[name]


def _with_quick(state: TableState, name: str) -> TableState:
    return replace(state, quick=None if state.quick == name else name, start=0)


def _with_where(state: TableState, text: str) -> TableState:
    where = state.where if text in state.where else (*state.where, text)
    return replace(state, where=where, start=0, matrix=None, group=())


def _address(here: str, state: TableState) -> str:
    query = query_of(state)
    return f"{here}?{query}" if query else here


def other_tables(visit: Visit) -> dict[str, Any]:
    """Versions of the artifact that have a table of the same name, the newest first."""
    from artstore.storetables import table_names

    params, site = visit.params, visit.site
    name = f"{params['project']}/{params['collection']}"
    states = [state for state in site.store.versions(name)[::-1] if state.is_live]
    found = []
    for state in states[:_VERSIONS_MAX]:
        version = f"v{state.version}"
        try:
            names = table_names(site.opened(params["project"], params["collection"], version))
        except ArtstoreError:
            # A damaged version is no reason to hide the others.
            continue
        if params["path"] in names:
            found.append(
                {
                    "name": f"{name}:{version}/{params['path']}",
                    "version": version,
                    "aliases": list(state.aliases),
                    "created_at": state.created,
                    "own": version == visit.opened().version,
                }
            )
    return {"versions": found, "more": max(len(states) - _VERSIONS_MAX, 0)}

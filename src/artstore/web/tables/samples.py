"""
The same example in other versions: one row of a table, looked for in its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from artstore.errors import (
    ArtstoreError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
)
from artstore.tables.exploring import QueryLimits, RowFound, Ticket, interruptible, same_row
from artstore.web.artifacts.versionruns import made_by
from artstore.web.failures import failure_value
from artstore.web.site import RecentValues
from artstore.web.tables.desk import OpenedTable, read_table
from artstore.web.tables.tablejson import column_json, window_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artstore.api import LoggedArtifact
    from artstore.web.tables.question import Question

__all__ = ["sample_json"]

_VERSIONS_MAX: Final = 12
_COLUMNS_MAX: Final = 20
_SECONDS: Final = 3.0
_OPENED_MAX: Final = 48


def sample_json(question: Question) -> dict[str, Any]:
    """
    Row `row` of a table in up to 12 other versions of its artifact, the newest first.

    Raises:
        InvalidInputError: `request-invalid`: there is no such row.
    Cost: 3 seconds at most, for all versions together.
    """
    number = question.state.row
    if number is None or number >= question.table.reader.row_count:
        raise InvalidInputError(
            f"a sample is asked for with row=N, N below {question.table.reader.row_count:,}",
            code="request-invalid",
        )
    if question.state.compared:
        raise InvalidInputError(
            "a sample is a row of one table, not of several that are compared",
            code="request-invalid",
            hint="leave out with=",
        )
    runs, others = _other_versions(question)
    ticket = Ticket(QueryLimits(min(_SECONDS, question.visit.site.settings.seconds or _SECONDS)))
    sides: list[dict[str, Any]] = []
    opened: list[OpenedTable | None] = []
    is_cut = False
    for name in runs:
        try:
            with interruptible(ticket):
                ticket.check()
                side, table = _side(question, number, name)
        except LimitExceededError:
            is_cut = True
            break
        except NotFoundError:
            # Deleted since, or without this table: it has nothing to be shown.
            continue
        except ArtstoreError as error:
            problem = failure_value(error, question.visit.site)["error"]
            side, table = {**_named(question, name, None), "problem": problem}, None
        sides.append({**side, "run": runs[name]})
        opened.append(table)
    differing = {name for side in sides for name in side["differing"]}
    columns = [name for name in question.table.reader.columns if name in differing]
    told = _with_cells(question, number, columns[:_COLUMNS_MAX], sides, opened)
    left_out = others - len(runs)
    return {"row": number, **told, "sides": sides, "is_cut": is_cut, "left_out": left_out}


def _other_versions(question: Question) -> tuple[dict[str, dict[str, str] | None], int]:
    """Those that are looked at, each with the run that made it, and how many there are."""
    params = question.visit.params
    states = question.visit.site.store.versions(f"{params['project']}/{params['collection']}")
    own = question.version.version
    others = [one for one in states[::-1] if one.is_live and f"v{one.version}" != own]
    return {f"v{one.version}": made_by(one) for one in others[:_VERSIONS_MAX]}, len(others)


def _side(question: Question, number: int, name: str) -> tuple[dict[str, Any], OpenedTable]:
    params = question.visit.params
    version = question.visit.site.opened(params["project"], params["collection"], name)
    table = _opened(question, version)
    found = same_row(question.table.explored, number, table.explored)
    side = _named(question, name, found)
    own, there = question.table.reader.columns, table.reader.columns
    side["added"] = [column for column in there if column not in own][:_COLUMNS_MAX]
    side["missing"] = [column for column in own if column not in there][:_COLUMNS_MAX]
    return side, table


def _named(question: Question, name: str, found: RowFound | None) -> dict[str, Any]:
    number = None if found is None else found.number
    key = None if found is None else found.key
    params = {**question.visit.params, "version": name}
    query = {} if number is None else {"row": number}
    return {
        "kind": "version",
        "version": name,
        "address": question.visit.link("table", query, **params),
        "key": None if key is None else {"kind": key.kind, "columns": list(key.columns)},
        "row": number,
        "has_twins": found is not None and found.has_twins,
        "differing": [] if found is None else list(found.differing),
        "added": [],
        "missing": [],
        "cells": [],
        "problem": None,
    }


def _with_cells(
    question: Question,
    number: int,
    names: Sequence[str],
    sides: Sequence[dict[str, Any]],
    opened: Sequence[OpenedTable | None],
) -> dict[str, Any]:
    """Columns that differ anywhere with the cells of this row; each side gets its own cells."""
    infos = {one.name: one for one in question.table.explored.columns()}
    for side, table in zip(sides, opened, strict=True):
        if table is not None and side["row"] is not None:
            side["cells"] = _cells(question, table, side["row"], names)
    return {
        "columns": [column_json(infos[name]) for name in names],
        "cells": _cells(question, question.table, number, names),
    }


def _cells(question: Question, table: OpenedTable, number: int, names: Sequence[str]) -> list[Any]:
    """A cell for each name; None for a column that the table has not."""
    known = [name for name in names if name in table.reader.columns]
    if not known:
        return [None] * len(names)
    found = window_json(table.explored.rows([number], known), 0, table.links_of(question.visit))
    by_name = dict(zip(known, (cells[0] for cells in found["cells"]), strict=True))
    return [by_name.get(name) for name in names]


def _opened(question: Question, version: LoggedArtifact) -> OpenedTable:
    """The table of another version: kept apart, so that pages keep the tables they look into."""
    kept: RecentValues[tuple[str, str], OpenedTable] = question.visit.site.kept(
        "samples", lambda: RecentValues(_OPENED_MAX)
    )
    key = (version.id, question.path)
    return kept.get(key) or kept.put(key, read_table(version, question.path))

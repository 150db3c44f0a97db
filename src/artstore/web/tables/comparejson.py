"""
What is told of compared tables: rows of each side, quick filters, the matrix of truth and guess.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.errors import InvalidInputError
from artstore.web.tables.comparedesk import (
    Comparison,
    base_names,
    guess_of,
    key_parts,
    key_text,
    quick_where,
    shared_names,
    truth_of,
)
from artstore.web.tables.tablejson import value_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artstore.tables.exploring import Confusion, Count, ExploredTable, Selection
    from artstore.web.tables.desk import OpenedTable
    from artstore.web.tables.question import Question

__all__ = [
    "SideMatrix",
    "comparison_json",
    "matrix_json",
    "matrix_names",
    "side_matrices",
    "sides_json",
    "with_sides",
]

_JUDGED: Final = ("disagree", "regressed", "fixed")


class SideMatrix(NamedTuple):
    """The matrix of one side, and the columns of the page that it is of."""

    label: str
    side: int | None
    found: Confusion
    also: str | None


def with_sides(table: OpenedTable, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Columns as JSON, with the side that each is of and its name there, if tables are merged."""
    from artstore.tables.exploring import ComparedTables

    if isinstance(table.reader, ComparedTables):
        known = {one.name: one for one in table.reader.side_columns}
        for column in columns:
            found = known.get(column["name"])
            column["side"] = None if found is None else found.side
            column["base"] = None if found is None else found.base
            column["part"] = "computed" if found is None else found.role
    return columns


def comparison_json(question: Question) -> dict[str, Any] | None:
    """How the tables of a page are seen together; None if there is one."""
    comparison = question.table.comparison
    if comparison is None:
        return None
    return {
        "how": comparison.how,
        "key": None if comparison.key is None else key_text(comparison.key),
        "keys": [{"label": key_text(key), "parts": key_parts(key)} for key in comparison.keys],
        "sides": [
            {"name": side.name, "label": side.label, "own": side.is_own}
            for side in comparison.sides
        ],
        "truth": truth_of(question.table, question.state),
        "guess": guess_of(question.table, question.state),
        "bases": base_names(question.table),
        "shared": shared_names(comparison),
        "judged": list(question.state.judged()),
    }


def sides_json(question: Question) -> dict[str, Any]:
    """
    "N of M rows" of each side, and how many rows each quick filter would leave.

    Raises:
        InvalidInputError: as conditions do; `request-invalid`: nothing is compared.
    Cost: a scan of the columns of the conditions for each filter; kept.
    """
    comparison = question.table.comparison
    if comparison is None:
        raise InvalidInputError(
            "sides are asked for with with=TABLE, and nothing is compared", code="request-invalid"
        )
    state = question.state
    names = (truth_of(question.table, state), guess_of(question.table, state))
    key = (question.selection(), state.where, state.among, state.judge, *names)
    kept = comparison.counts.get(key)
    if kept is None:
        kept = comparison.counts.put(key, _sides_json(question, comparison))
    found: dict[str, Any] = kept
    labels = [side.label for side in comparison.sides]
    sides = [{"label": label, **one} for label, one in zip(labels, found["sides"], strict=True)]
    return {**found, "sides": sides}


def _sides_json(question: Question, comparison: Comparison) -> dict[str, Any]:
    from artstore.tables.exploring import ComparedTables

    explored, selection = question.table.explored, question.selection()
    found = explored.count(selection)
    told: dict[str, Any] = {"matching": found.matching, "total": found.total, "quick": []}
    told["sides"] = [
        {"matching": count.matching, "total": count.total}
        for count in _side_counts(question, comparison, selection)
    ]
    if isinstance(explored.reader, ComparedTables):
        told["quick"] = list(_quick_json(question, comparison))
        counts = explored.reader.counts
        told["everywhere"] = counts.everywhere
        for side, count in zip(told["sides"], counts.sides, strict=True):
            side.update(alone=count.alone, duplicates=count.duplicates, missing=count.missing)
    return told


def _side_counts(question: Question, comparison: Comparison, selection: Selection) -> list[Count]:
    from artstore.tables.exploring import Concatenated, side_counts

    explored = question.table.explored
    if comparison.how == "merged":
        return side_counts(explored, selection)
    reader = explored.reader
    if not isinstance(reader, Concatenated):
        own = replace(question.state.selection(), sort=())
        return [_own_count(side.table.explored, own) for side in comparison.sides]
    totals = [one.row_count for one in reader.readers]
    found = [
        explored.count(_only(selection, _equals(reader.table_column, name)))
        for name in reader.names
    ]
    return [replace(one, total=total) for one, total in zip(found, totals, strict=True)]


def _own_count(explored: ExploredTable, selection: Selection) -> Count:
    from artstore.tables.exploring import Count

    try:
        return explored.count(selection)
    except InvalidInputError:
        # It may have other columns: then none of its rows is meant.
        return Count(0, explored.reader.row_count)


def _quick_json(question: Question, comparison: Comparison) -> Iterator[dict[str, Any]]:
    explored, plain = question.table.explored, question.state.selection()
    only = [f"only:{at}" for at in range(len(comparison.sides))]
    for name in ("both", *only, "changed", *_JUDGED):
        try:
            condition = quick_where(question.table, question.state, name)
            if condition is not None:
                count = explored.count(_only(plain, condition))
                yield {"name": name, "matching": count.matching}
        except InvalidInputError as error:
            # Without a truth and a guess there is nothing to judge.
            if name not in _JUDGED or error.code == "query-failed":
                raise


def matrix_json(question: Question) -> dict[str, Any]:
    """
    The matrix of truth and guess in the selected rows, for each side.

    Raises:
        InvalidInputError: `column-unknown`, `expression-type-invalid`, `request-invalid`: it is
            not clear which columns are meant.
    Cost: one scan of both columns of each side.
    """
    truth, guess = matrix_names(question)
    return {
        "truth": truth,
        "guess": guess,
        "matrices": [
            {
                "label": one.label,
                "side": one.side,
                "truth_column": one.found.truth,
                "guess_column": one.found.guess,
                "condition": one.also,
                "truths": [value_json(label) for label in one.found.truth_labels],
                "guesses": [value_json(label) for label in one.found.guess_labels],
                "counts": [list(row) for row in one.found.counts],
                "other_guesses": list(one.found.other_guesses),
                "other_truths": list(one.found.other_truths),
                "other_both": one.found.other_both,
                "total": one.found.total,
            }
            for one in side_matrices(question, truth, guess)
        ],
    }


def matrix_names(question: Question) -> tuple[str, str]:
    """The two columns of the matrix, by their own names. Raises InvalidInputError."""
    table, state = question.table, question.state
    names = set(base_names(table)) | {name for name, _ in state.compute}
    parts = (state.matrix or "").split(",")
    for at in range(1, len(parts)):
        one, two = ",".join(parts[:at]), ",".join(parts[at:])
        if one in names and two in names:
            return one, two
    truth, guess = truth_of(table, state), guess_of(table, state)
    if truth is None or guess is None:
        raise InvalidInputError(
            "it is not clear which columns the matrix is of",
            code="request-invalid",
            hint="name them with truth=NAME and guess=NAME",
        )
    return truth, guess


def side_matrices(question: Question, truth: str, guess: str) -> list[SideMatrix]:
    """The matrix of each side that has both columns."""
    from artstore.tables.exploring import ComparedTables, Concatenated, confusion

    table, selection = question.table, replace(question.selection(), sort=())
    comparison, reader = table.comparison, table.reader
    if comparison is None:
        return [SideMatrix("", None, confusion(table.explored, selection, truth, guess), None)]
    labels = [side.label for side in comparison.sides]
    found = []
    for at, label in enumerate(labels):
        explored: ExploredTable = table.explored
        names, also = (truth, guess), None
        if isinstance(reader, ComparedTables):
            chosen = [_column_at(reader, at, name) for name in names]
            if chosen[1][1] != at:
                continue
            names, also = (chosen[0][0], chosen[1][0]), _quoted(reader.flag_names[at])
        elif isinstance(reader, Concatenated):
            also = _equals(reader.table_column, label)
        else:
            explored = comparison.sides[at].table.explored
        rows = selection if also is None else _only(selection, also)
        found.append(SideMatrix(label, at, confusion(explored, rows, *names), also))
    return found


def _column_at(reader: Any, side: int, base: str) -> tuple[str, int | None]:
    """The column with the cells of a side, or else of another one; and whose it is."""
    for at in (side, *range(len(reader.readers))):
        column = reader.column(at, base)
        if column is not None:
            return column.name, at if column.side is None else column.side
    return base, side


def _only(selection: Selection, condition: str) -> Selection:
    return replace(selection, where=(*selection.where, condition), sort=())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _equals(name: str, text: str) -> str:
    return f"{_quoted(name)} = '" + text.replace("'", "''") + "'"

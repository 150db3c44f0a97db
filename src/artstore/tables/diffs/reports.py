"""
A diff of tables as a report: JSON values, Markdown, and HTML for a notebook.

Every list of rows says how many of how many it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.tables.diffs.plaincells import cell_text, plain_cells
from artstore.tables.diffs.tablediff import TableDiff
from artstore.tables.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ReportList",
    "diff_html",
    "diff_markdown",
    "diff_record",
    "markdown_table",
    "report_of",
]

_HTML_ROWS: Final = 20
_HTML_CHARS: Final = 200
_MARKDOWN_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class ReportList:
    """
    A part of a report.

    Attributes:
        shown, total: rows that it shows, of how many; None: it is no list of rows.
    """

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    shown: int | None = None
    total: int | None = None

    @property
    def heading(self) -> str:
        """The title, and how many rows of how many follow."""
        if self.total is None:
            return self.title
        part = f"{self.shown:,} of " if self.shown != self.total else ""
        return f"{self.title}: {part}{self.total:,} row{'' if self.total == 1 else 's'}"


# JSON -----------------------------------------------------------------------------------


def diff_record(diff: TableDiff, limit: int) -> dict[str, Any]:
    """The numbers as JSON values, with the first `limit` rows of each sort."""
    return {
        "key": list(diff.key),
        **{name: getattr(diff, name) for name in _COUNTS},
        "cells": dict(diff.cells),
        "columns_added": list(diff.columns_added),
        "columns_removed": list(diff.columns_removed),
        "columns_retyped": [
            {"name": change.name, "old": change.old, "new": change.new}
            for change in diff.columns_retyped
        ],
        **{name: getattr(diff, name) for name in _FACTS},
        "limit": limit,
        "added_rows": _row_records(diff, 1, diff.rows.added[:limit]),
        "removed_rows": _row_records(diff, 0, diff.rows.removed[:limit]),
        "changed_rows": _change_records(diff, np.arange(diff.changed)[:limit]),
        "regressed_rows": _judged_records(diff, _first(diff.rows.regressed, limit)),
        "fixed_rows": _judged_records(diff, _first(diff.rows.fixed, limit)),
    }


_COUNTS: Final = ("rows_old", "rows_new", "added", "removed", "changed", "unchanged")
_FACTS: Final = (
    *("duplicate_rows_old", "duplicate_rows_new", "null_rows_old", "null_rows_new"),
    *("truth", "guess", "regressed", "fixed", "read_bytes", "total_bytes", "read_fragments"),
)


def _first(places: NDArray[np.int64] | None, limit: int) -> NDArray[np.int64]:
    return np.zeros(0, np.int64) if places is None else places[:limit]


def _row_records(diff: TableDiff, side: int, numbers: NDArray[np.int64]) -> list[dict[str, Any]]:
    names = diff.rows.readers[side].columns
    columns = _plain(diff, side, numbers, names)
    return [{name: columns[name][at] for name in names} for at in range(len(numbers))]


def _change_records(diff: TableDiff, places: NDArray[np.int64]) -> list[dict[str, Any]]:
    return [
        {
            "key": dict(zip(diff.key, change.key, strict=True)),
            "old_row": change.old_row,
            "new_row": change.new_row,
            "old": {name: pair[0] for name, pair in change.cells.items()},
            "new": {name: pair[1] for name, pair in change.cells.items()},
            "verdict": change.verdict,
        }
        for change in diff.rows.changes(places, partial(_plain, diff))
    ]


def _judged_records(diff: TableDiff, places: NDArray[np.int64]) -> list[dict[str, Any]]:
    if diff.truth is None or not len(places):
        return []
    truths = _plain(diff, 1, diff.rows.changed_new[places], [diff.truth])[diff.truth]
    records = _change_records(diff, places)
    return [{**record, "truth": truth} for record, truth in zip(records, truths, strict=True)]


def _plain(
    diff: TableDiff,
    side: int,
    numbers: NDArray[np.int64],
    columns: Sequence[str],
    *,
    labelled: bool = False,
) -> dict[str, list[Any]]:
    rows: Rows = diff.rows.sources[side].read(numbers, columns)
    cells = zip(rows.schema.names, rows.schema.types, rows.arrays, strict=True)
    return {name: plain_cells(kind, array, labelled=labelled) for name, kind, array in cells}


# tables ---------------------------------------------------------------------------------


def report_of(diff: TableDiff, limit: int) -> Iterator[ReportList]:
    """
    The parts of a report: numbers, columns, then rows of each sort.

    Args:
        limit: rows of each sort that are shown.
    """
    yield ReportList("Rows", ("", "rows"), list(_count_rows(diff)))
    if diff.cells:
        cells = [(name, f"{number:,}") for name, number in diff.cells.items()]
        yield ReportList("Cells that changed", ("column", "cells"), cells)
    columns = list(_column_rows(diff))
    if columns:
        yield ReportList("Columns", ("column", "change"), columns)
    for title, places in (("Regressed", diff.rows.regressed), ("Fixed", diff.rows.fixed)):
        if places is not None and len(places):
            yield _judged_table(diff, title, places, limit)
    if diff.changed:
        yield _change_table(diff, limit)
    for title, side, numbers in (("Added", 1, diff.rows.added), ("Removed", 0, diff.rows.removed)):
        if len(numbers):
            yield _row_table(diff, title, side, numbers, limit)


def _count_rows(diff: TableDiff) -> Iterator[tuple[str, str]]:
    words = ["added", "removed", "changed", "unchanged"]
    words += ["regressed", "fixed"] if diff.regressed is not None else []
    yield "in the old table", f"{diff.rows_old:,}"
    yield "in the new table", f"{diff.rows_new:,}"
    for word in words:
        yield word, f"{getattr(diff, word):,}"
    told = {"share a key": "duplicate_rows", "have null in the key": "null_rows"}
    for words_for, name in told.items():
        for side in ("old", "new"):
            number = getattr(diff, f"{name}_{side}")
            if number:
                yield f"of the {side} ones that {words_for}", f"{number:,}"


def _column_rows(diff: TableDiff) -> Iterator[tuple[str, str]]:
    for name in diff.columns_added:
        yield name, "added"
    for name in diff.columns_removed:
        yield name, "removed"
    for change in diff.columns_retyped:
        yield change.name, f"{change.old} > {change.new}"


def _judged_table(diff: TableDiff, title: str, places: NDArray[np.int64], limit: int) -> ReportList:
    """A line for each row: its truth, and the guess before and now."""
    assert diff.truth is not None
    assert diff.guess is not None
    first = places[:limit]
    before = _plain(diff, 0, diff.rows.changed_old[first], [diff.guess], labelled=True)
    names = list(dict.fromkeys((*diff.key, diff.truth, diff.guess)))
    now = _plain(diff, 1, diff.rows.changed_new[first], names, labelled=True)
    columns = [now[name] for name in (*diff.key, diff.truth)]
    lines = zip(*columns, before[diff.guess], now[diff.guess], strict=True)
    rows = [tuple(map(cell_text, line)) for line in lines]
    heads = (*diff.key, diff.truth, f"{diff.guess} before", f"{diff.guess} now")
    return ReportList(title, heads, rows, len(first), len(places))


def _change_table(diff: TableDiff, limit: int) -> ReportList:
    """A line for each cell that changed."""
    rows = []
    places = np.arange(diff.changed)[:limit]
    for change in diff.rows.changes(places, partial(_plain, diff, labelled=True)):
        key = tuple(map(cell_text, change.key))
        rows += [
            (*key, name, cell_text(old), cell_text(new))
            for name, (old, new) in change.cells.items()
        ]
    heads = (*diff.key, "column", "old", "new")
    return ReportList("Changed", heads, rows, len(places), diff.changed)


def _row_table(
    diff: TableDiff, title: str, side: int, numbers: NDArray[np.int64], limit: int
) -> ReportList:
    names = diff.rows.readers[side].columns
    columns = _plain(diff, side, numbers[:limit], names, labelled=True)
    shown = min(limit, len(numbers))
    rows = [tuple(cell_text(columns[name][at]) for name in names) for at in range(shown)]
    return ReportList(title, tuple(names), rows, shown, len(numbers))


# Markdown and HTML ----------------------------------------------------------------------


def diff_markdown(diff: TableDiff, limit: int) -> str:
    """The report in Markdown."""
    parts = [f"# Table diff by {', '.join(map(_markdown_text, diff.key))}\n"]
    for part in report_of(diff, limit):
        parts.append(f"## {part.heading}\n")
        if part.rows:
            parts.append(markdown_table(part.heads, part.rows))
    return "\n".join(parts)


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; nothing in a cell is taken for markup."""
    lines = [heads, ["---"] * len(heads), *rows]
    shown: Callable[[str], str] = _markdown_text
    return "".join(
        f"| {' | '.join(cell if at == 1 else shown(cell) for cell in line)} |\n"
        for at, line in enumerate(lines)
    )


def _markdown_text(text: str) -> str:
    text = _printable(text, _MARKDOWN_CHARS).replace("\\", "\\\\")
    for mark in "|`*_[]":
        text = text.replace(mark, f"\\{mark}")
    return escape(text, quote=False)


def diff_html(diff: TableDiff) -> str:
    """The report for a notebook: at most 20 rows in all, everything escaped."""
    parts, left = [], _HTML_ROWS
    for part in report_of(diff, _HTML_ROWS):
        rows = part.rows if part.total is None else part.rows[:left]
        left -= 0 if part.total is None else len(rows)
        parts.append(f"<p><b>{_html_text(_html_heading(part, len(rows)))}</b></p>")
        if rows:
            parts.append(_html_table(part.heads, rows))
    return f'<div class="artstore-diff">{"".join(parts)}</div>'


def _html_heading(part: ReportList, shown: int) -> str:
    if part.total is None or shown == len(part.rows):
        return part.heading
    # A row that changed has a line for each of its cells.
    return f"{part.title}: {part.total:,} rows, {shown:,} lines of them shown"


def _html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        "".join(f"<{tag}>{_html_text(cell)}</{tag}>" for cell in line)
        for tag, line in (("th", heads), *(("td", row) for row in rows))
    ]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _html_text(text: str) -> str:
    return escape(_printable(text, _HTML_CHARS))


def _printable(text: str, most_chars: int) -> str:
    shown = "".join(
        char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
        for char in text[: most_chars + 1]
    )
    return shown if len(shown) <= most_chars else f"{shown[:most_chars]}…"

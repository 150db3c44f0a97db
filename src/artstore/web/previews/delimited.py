"""
CSV and TSV: the first rows as a table.
"""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import Final

from artstore import limits
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource, first_bytes
from artstore.web.visible import decoded, visible

__all__ = ["PREVIEW"]

_READ_BYTES: Final = 128 * limits.KIB
"""Below the longest field that the csv module takes."""
_ROWS_MAX: Final = 100
_COLUMNS_MAX: Final = 100
_CELL_CHARS: Final = 200
_DELIMITERS: Final = (",", ";", "\t", "|")


def _delimited(source: PreviewSource) -> Preview | None:
    data = first_bytes(source, _READ_BYTES)
    is_whole = source.size_bytes == len(data)
    found = decoded(data, is_whole=is_whole)
    if found is None:
        return None
    text, encoding = found
    is_line_cut = not is_whole and "\n" in text
    if is_line_cut:
        # The last line may go on.
        text = text[: text.rindex("\n") + 1]
    delimiter = _delimiter(source.path, text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = list(islice(reader, _ROWS_MAX + 2))
    except csv.Error:
        return None
    rows = [row for row in rows if row]
    if not rows:
        return None
    wide = max(len(row) for row in rows)
    count = min(wide, _COLUMNS_MAX)
    body = rows[1 : _ROWS_MAX + 1]
    has_more_rows = not is_whole or len(rows) > _ROWS_MAX + 1
    grid = Grid(_shown(rows[0], count), tuple(_shown(row, count) for row in body))
    return Preview(
        "csv",
        (("encoding", encoding), ("columns", str(wide))),
        grid=grid,
        note=_note(len(body), wide, has_more_rows=has_more_rows),
        is_cut=has_more_rows or wide > count,
    )


def _delimiter(path: str, text: str) -> str:
    if path.lower().endswith((".tsv", ".tab")):
        return "\t"
    line = text.partition("\n")[0]
    return max(_DELIMITERS, key=line.count)


def _shown(row: list[str], count: int) -> tuple[str, ...]:
    shown = [visible(cell, _CELL_CHARS, lines=False) for cell in row[:count]]
    return tuple(shown + [""] * (count - len(shown)))


def _note(row_count: int, column_count: int, *, has_more_rows: bool) -> str:
    notes = []
    if has_more_rows:
        notes.append(f"The first {row_count} rows are shown.")
    if column_count > _COLUMNS_MAX:
        notes.append(f"The first {_COLUMNS_MAX} of {column_count:,} columns are shown.")
    return " ".join(notes)


PREVIEW = PreviewKind("csv", _delimited, (".csv", ".tsv", ".tab"))

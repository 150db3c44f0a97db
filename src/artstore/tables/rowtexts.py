"""
Rows as the text of CSV, JSON and JSON lines, piece by piece: what the command and the page write.

Cells are those of `plain_cells`: times are ISO 8601, bytes base64, NaN and endless numbers
`"NaN"`, `"Infinity"` and `"-Infinity"`, media objects with the path and the digest of their file.
In CSV a cell that is not there is empty, an empty text is `""`, lists and objects are JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from artstore.tables.diffs.plaincells import plain_cells
from artstore.tables.rows import Rows

__all__ = ["csv_pieces", "json_line_pieces", "json_pieces"]

_FORMULA: Final = re.compile(r"[=+\-@\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-Infinity")


def csv_pieces(
    columns: Sequence[str], parts: Iterable[Rows], *, is_safe: bool = False
) -> Iterator[str]:
    """
    Yield a line of names, then the rows; a piece for each of `parts`.

    Args:
        columns: names, in the order of `parts`.
        is_safe: whether `'` is put before a text that a spreadsheet would take for a formula:
            one that begins with `=`, `+`, `-`, `@`, a tab or a line break, and is no number.
    """
    field = _safe_field if is_safe else _field
    yield ",".join(map(field, columns)) + "\n"
    for part in parts:
        yield "".join(",".join(map(field, row)) + "\n" for row in _rows(part))


def json_line_pieces(columns: Sequence[str], parts: Iterable[Rows]) -> Iterator[str]:
    """Yield a JSON object a line for each row; a piece for each of `parts`."""
    for part in parts:
        yield "".join(f"{_object(columns, row)}\n" for row in _rows(part))


def json_pieces(
    head: Mapping[str, Any], columns: Sequence[str], parts: Iterable[Rows]
) -> Iterator[str]:
    """Yield one JSON object: the members of `head`, then `rows`, a list of objects."""
    opening = json.dumps(head, ensure_ascii=False)[:-1]
    yield f'{opening}{", " if head else ""}"rows": ['
    between = ""
    for part in parts:
        objects = [_object(columns, row) for row in _rows(part)]
        if objects:
            yield between + ",\n".join(objects)
            between = ",\n"
    yield "]}\n"


def _rows(part: Rows) -> Iterator[tuple[Any, ...]]:
    if not part.arrays:
        return iter([()] * part.row_count)
    kinds = zip(part.schema.types, part.arrays, strict=True)
    return zip(*(plain_cells(kind, array) for kind, array in kinds), strict=True)


def _object(columns: Sequence[str], row: tuple[Any, ...]) -> str:
    return json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)


def _field(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = json.dumps(cell, ensure_ascii=False) if isinstance(cell, (dict, list)) else str(cell)
    if text and not set(text) & set(',"\r\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _safe_field(cell: Any) -> str:
    if isinstance(cell, str) and _FORMULA.match(cell) and _NUMBER.fullmatch(cell) is None:
        return _field(f"'{cell}")
    return _field(cell)

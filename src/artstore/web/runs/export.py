"""
A list of runs as a file to keep: CSV or JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from artstore.errors import InvalidInputError
from artstore.runs.columns import as_json
from artstore.web.runs.runlist import RunList, column_values, run_row

if TYPE_CHECKING:
    from artstore.web.runs.source import Whole

__all__ = ["exported_list"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def exported_list(listed: RunList, name: str) -> Response:
    """
    All runs of a list with its columns, whatever page of it is shown.

    Args:
        name: `csv`, in which no text is a formula of a spreadsheet, or `json`.
    Raises:
        InvalidInputError: `request-invalid`.
    """
    wholes = listed.matching()
    if name == "csv":
        data, media_type = _csv(listed, wholes), "text/csv; charset=utf-8; header=present"
    elif name == "json":
        data, media_type = _json(listed, wholes), "application/json"
    else:
        raise InvalidInputError(
            f"runs are saved as csv or json, not as {name[:40]!r}", code="request-invalid"
        )
    headers = {
        "Content-Disposition": f'attachment; filename="runs.{name}"',
        # Opened in the browser, the file would have the policy of its own element alone.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
        "Content-Type": media_type,
    }
    return Response(data, headers=headers)


def _json(listed: RunList, wholes: Sequence[Whole]) -> bytes:
    values = column_values(wholes, listed.columns)
    names = [column.name for column in listed.columns]
    rows = [
        {**run_row(whole, (), ()), "values": dict(zip(names, map(as_json, row), strict=True))}
        for whole, row in zip(wholes, values, strict=True)
    ]
    text = json.dumps(
        {"project": listed.source.project, "runs": rows}, ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "replace")


def _csv(listed: RunList, wholes: Sequence[Whole]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["id", "name", *(_field(column.name) for column in listed.columns)])
    values = column_values(wholes, listed.columns)
    for whole, row in zip(wholes, values, strict=True):
        writer.writerow([_field(whole["run"]), _field(whole["name"]), *map(_field, row)])
    return buffer.getvalue().encode("utf-8", "replace")


def _field(value: Any) -> Any:
    """A cell of CSV; `'` stands before a text that a spreadsheet would run."""
    told = as_json(value)
    if told is None:
        return ""
    if isinstance(told, bool):
        return "true" if told else "false"
    if isinstance(told, (int, float)):
        return told
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text

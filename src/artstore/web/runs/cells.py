"""
Values of runs as JSON gives them and as people read them: short, one line, nothing hidden.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from artstore.runs.columns import as_json
from artstore.web.visible import visible

__all__ = ["cell_json", "cell_kind", "cell_text", "duration_text", "number_text"]

_JSON_CHARS: Final = 1_000
_TEXT_CHARS: Final = 120
_DIGITS: Final = 6
_PLAIN_BEYOND: Final = 10**15
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_MEMBERS: Final = 50
_DEPTH: Final = 6


def cell_json(value: Any) -> Any:
    """
    A value for programs: as conditions see it, times and NaN as texts.

    Of what is longer than 1,000 characters only the beginning, as `v` of an object with `$` and
    `length`.
    """
    told = as_json(value)
    if isinstance(told, str):
        return told if len(told) <= _JSON_CHARS else _cut(told, "text")
    if isinstance(told, (list, dict)):
        text = json.dumps(told, ensure_ascii=False)
        return told if len(text) <= _JSON_CHARS else _cut(text, "json")
    return told


def cell_kind(value: Any) -> str:
    """`number`, `text`, `bool`, `null` or `json`; `odd` for NaN and infinities."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float) and not math.isfinite(value):
        return "odd"
    if isinstance(value, (int, float)):
        return "number"
    return "json" if isinstance(value, (list, dict)) else "text"


def cell_text(value: Any, name: str = "", max_chars: int = _TEXT_CHARS) -> str:
    """
    A value in one line, with marks that hide or reorder others spelled out.

    Args:
        name: of the column: durations are told in hours and minutes.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return str(as_json(value))
    if isinstance(value, (int, float)):
        return duration_text(value) if name == "duration" else number_text(value)
    told = as_json(value)
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        return visible(", ".join(told[:_MEMBERS]), max_chars, lines=False)
    if isinstance(told, (list, dict)):
        told = json.dumps(_shortened(told, 0), ensure_ascii=False)
    return visible(str(told), max_chars, lines=False)


def number_text(value: float) -> str:
    """A number in six digits; whole ones as they are, unless they are very long."""
    if isinstance(value, int):
        return (
            str(value)
            if abs(value) < _PLAIN_BEYOND
            else f"{value:.{_DIGITS}g}"
            if (abs(value) < 10**300)
            else "a very large number"
        )
    return f"{value:.{_DIGITS}g}"


def duration_text(seconds: float) -> str:
    """`12s`, `3m 05s`, `2h 10m`, `4d 3h`."""
    if not math.isfinite(seconds):
        return str(seconds)
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"


def _cut(text: str, kind: str) -> dict[str, Any]:
    return {"$": kind, "v": text[:_JSON_CHARS], "length": len(text)}


def _shortened(value: Any, depth: int) -> Any:
    """Of large objects what fits a line: they are never written out as a whole."""
    if isinstance(value, str):
        return value[:_TEXT_CHARS]
    if isinstance(value, (list, dict)) and depth > _DEPTH:
        return "…"
    if isinstance(value, list):
        return [_shortened(one, depth + 1) for one in value[:_MEMBERS]]
    if isinstance(value, dict):
        items = list(value.items())[:_MEMBERS]
        return {key[:_TEXT_CHARS]: _shortened(one, depth + 1) for key, one in items}
    return value

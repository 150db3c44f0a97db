"""
Files that steps of a run logged: their names, and which of them a value names. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["MEDIA_FOLDER", "media_digest", "media_paths"]

MEDIA_FOLDER: Final = "media/"
_NAME: Final = re.compile(r"([0-9a-f]{64})(?:\.[A-Za-z0-9][A-Za-z0-9.]{0,39})?")


def media_digest(path: str) -> str | None:
    """What `media/<digest>.png` states, 64 hex digits; None for what is called otherwise."""
    if not path.startswith(MEDIA_FOLDER):
        return None
    match = _NAME.fullmatch(path, len(MEDIA_FOLDER))
    return None if match is None else match[1]


def media_paths(value: Any) -> Iterator[str]:
    """
    The files that a value of a row, or of a summary, names: `media/<digest>.png`.

    A text alone names none: a cell of media has, beside the path, the `entry` that stands for it.
    """
    pending = [value]
    while pending:
        found = pending.pop()
        if type(found) is list:
            pending += found
        elif type(found) is dict:
            pending += found.values()
            path = found.get("path")
            if type(path) is str and type(found.get("entry")) is str and media_digest(path):
                yield path

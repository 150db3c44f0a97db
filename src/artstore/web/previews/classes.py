"""
Class sets: number, name and the colour that boxes and masks of the class have.
"""

from __future__ import annotations

import json
from typing import Any, Final

from artstore import limits
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource, first_bytes
from artstore.web.visible import visible

__all__ = ["PALETTE_COUNT", "PREVIEW"]

PALETTE_COUNT: Final = 12
_READ_BYTES: Final = limits.MIB
_ROWS_MAX: Final = 1_000
_NAME_CHARS: Final = 200


def _classes(source: PreviewSource) -> Preview | None:
    if source.size_bytes > _READ_BYTES:
        return None
    value = json.loads(first_bytes(source, _READ_BYTES))
    found = value.get("class_set") if isinstance(value, dict) else None
    if not isinstance(found, list):
        return None
    rows = tuple(_row(item) for item in found[:_ROWS_MAX] if isinstance(item, dict))
    is_cut = len(found) > _ROWS_MAX
    note = f"The first {_ROWS_MAX:,} are shown." if is_cut else ""
    grid = Grid(("colour", "id", "name"), rows, len(found), swatch=0)
    facts = (("classes", f"{len(found):,}"),)
    return Preview("classes", facts, grid=grid, note=note, is_cut=is_cut)


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    number = item.get("id")
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    colour = number % PALETTE_COUNT if isinstance(number, int) and is_whole else 0
    told = (visible(str(item.get(name)), _NAME_CHARS, lines=False) for name in ("id", "name"))
    return (str(colour), *told)


PREVIEW = PreviewKind("classes", _classes, (".classes.json",), priority=10)

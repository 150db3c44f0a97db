"""
Boards: which panels of charts a page of runs shows, as its address tells.

A board is what a person changed of the one that every run has: sections by the prefixes of
keys, a panel for each key. So its address is short, and fits other runs too.

    x, smooth, log, band   of all panels: the axis, from 0 to 0.999, `x` and `y`, `config.lr`
    panel                  one of their own, above all others: JSON; as often as there are some
    set                    what is different for a key's panel: JSON with `key`
    hide                   a key whose panel was taken away
    move                   `3:key`: a panel moved to that place in its section, in this order
    open, fold             sections
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError
from artstore.web.visible import visible

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

__all__ = ["BOARD_PARTS", "PANEL_KINDS", "Board", "board_of", "section_of", "sections_of"]

PANEL_KINDS: Final = ("line", "scatter", "parallel", "histogram", "text")
BOARD_PARTS: Final = (
    "x",
    "smooth",
    "log",
    "band",
    "panel",
    "set",
    "hide",
    "move",
    "open",
    "fold",
)
"""The parts of an address that are of a board; others are of the page that has it."""

_PARTS_MAX: Final = 2_000
_KEYS_MAX: Final = 20
_KEY_CHARS: Final = 2_000
_TITLE_CHARS: Final = 200
_TEXT_CHARS: Final = 5_000
_SMOOTHING_MAX: Final = 0.999
_STEP: Final = "_step"
_LOGS: Final = {"": (False, False), "x": (True, False), "y": (False, True), "xy": (True, True)}
_OTHERS: Final = ""
"""The section of keys without a prefix."""


@dataclass(frozen=True, slots=True)
class Board:
    """
    A board, checked.

    Attributes:
        x: `_step`, `_timestamp`, `_relative` or a metric.
        smoothing: 0 to 0.999.
        log_x, log_y: whether axes are logarithmic.
        band: what runs are grouped by: `config.lr`; empty: nothing.
        panels: those of their own: `kind`, `keys` and what is different from the others.
        changed: by key, what is different for its panel.
        hidden: keys without a panel.
        moves: keys and their new places in their sections, in order.
        opened, folded: sections that are not as they would be.
    """

    x: str = _STEP
    smoothing: float = 0.0
    log_x: bool = False
    log_y: bool = False
    band: str = ""
    panels: tuple[Mapping[str, Any], ...] = ()
    changed: tuple[Mapping[str, Any], ...] = ()
    hidden: tuple[str, ...] = ()
    moves: tuple[tuple[str, int], ...] = ()
    opened: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the scripts of the page and /api/v1 have it."""
        return {
            "x": self.x,
            "smoothing": self.smoothing,
            "logX": self.log_x,
            "logY": self.log_y,
            "group": self.band,
            "panels": [dict(panel) for panel in self.panels],
            "changed": [dict(one) for one in self.changed],
            "hidden": list(self.hidden),
            "moves": [list(move) for move in self.moves],
            "open": list(self.opened),
            "folded": list(self.folded),
        }


def board_of(query: QueryParams) -> Board:
    """
    The board of an address.

    Raises:
        InvalidInputError: `request-invalid`.
    """
    if sum(1 for name, _ in query.multi_items() if name in BOARD_PARTS) > _PARTS_MAX:
        raise _invalid(f"it has more than {_PARTS_MAX:,} parts")
    log = query.get("log", "")
    if log not in _LOGS:
        raise _invalid(f"log={visible(log, 20)} is not one of x, y, xy")
    log_x, log_y = _LOGS[log]
    changed = [_panel(text, is_own=False) for text in query.getlist("set")]
    return Board(
        _text(query.get("x") or _STEP, _KEY_CHARS, "x"),
        _smoothing(query.get("smooth", "0")),
        log_x,
        log_y,
        _text(query.get("band", ""), _KEY_CHARS, "band"),
        tuple(_panel(text, is_own=True) for text in query.getlist("panel")),
        tuple(changed),
        tuple(query.getlist("hide")),
        tuple(_move(text) for text in query.getlist("move")),
        tuple(query.getlist("open")),
        tuple(query.getlist("fold")),
    )


def section_of(key: str) -> str:
    """What stands before the first slash: `train` of `train/loss`; empty where there is none."""
    prefix, slash, _ = key.partition("/")
    return prefix if slash else _OTHERS


def sections_of(keys: Iterable[str], board: Board = Board()) -> list[tuple[str, list[str]]]:
    """
    Sections and the keys of their panels: prefixes in order, those without one last.

    Args:
        board: what was hidden and moved.
    """
    hidden = set(board.hidden)
    found: dict[str, list[str]] = {}
    for key in keys:
        if key not in hidden:
            found.setdefault(section_of(key), []).append(key)
    for key, place in board.moves:
        members = found.get(section_of(key), [])
        if key in members:
            members.remove(key)
            members.insert(min(place, len(members)), key)
    return sorted(found.items(), key=lambda item: (item[0] == _OTHERS, item[0]))


def _panel(text: str, *, is_own: bool) -> Mapping[str, Any]:
    if len(text) > 20_000:
        raise _invalid("a panel is longer than 20,000 characters")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"a panel is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise _invalid("a panel is no JSON object")
    panel: dict[str, Any] = {}
    if is_own:
        kind = value.get("kind", "line")
        if kind not in PANEL_KINDS:
            raise _invalid(f"a panel is one of {', '.join(PANEL_KINDS)}, not {kind!r:.40}")
        panel |= {"kind": kind, "keys": _keys(value.get("keys", []))}
    else:
        panel["key"] = _text(value.get("key"), _KEY_CHARS, "key")
    for name, most in (("x", _KEY_CHARS), ("group", _KEY_CHARS), ("title", _TITLE_CHARS)):
        if name in value:
            panel[name] = _text(value[name], most, name)
    if "text" in value:
        panel["text"] = _text(value["text"], _TEXT_CHARS, "text")
    if "smoothing" in value:
        panel["smoothing"] = _smoothing(value["smoothing"])
    for name in ("logX", "logY"):
        if name in value:
            panel[name] = value[name] is True
    return panel


def _keys(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _KEYS_MAX:
        raise _invalid(f"the keys of a panel are a list of at most {_KEYS_MAX} texts")
    return [_text(key, _KEY_CHARS, "keys") for key in value]


def _text(value: Any, most: int, name: str) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise _invalid(f"{name} is no text of at most {most:,} characters")
    return value


def _smoothing(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= _SMOOTHING_MAX:
        raise _invalid(f"a smoothing is a number from 0 to {_SMOOTHING_MAX}")
    return number


def _move(text: str) -> tuple[str, int]:
    place, colon, key = text.partition(":")
    if not colon or not (place.isascii() and place.isdecimal() and len(place) < 7):
        raise _invalid("a move is the new place, a colon and the key")
    return key, int(place)


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"the address tells no board: {why}",
        code="request-invalid",
        hint="open the page without what stands behind the question mark",
    )

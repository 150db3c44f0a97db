"""
Colours of a console: what programs say of them in escape sequences, as classes of our sheet.

Which colours these are decides the sheet alone, so that all can be read on any ground; nothing else
that a terminal does for an escape sequence is done here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from artstore.web.runs.console import ESCAPE, clean_text
from artstore.web.visible import visible

__all__ = ["coloured"]

_SGR: Final = re.compile(r"\x1b\[([0-9;:]*)m")
_HUES: Final = ("", "red", "green", "yellow", "blue", "magenta", "cyan", "")
"""Black and white are what the ground is not: they say nothing on grounds of both kinds."""
_CODES_MAX: Final = 32
"""Of one sequence: nobody means more."""
_DIGITS: Final = 4
_GREY_SPREAD: Final = 40
_SECTORS: Final = ("red", "yellow", "green", "cyan", "blue", "magenta")
_LEVELS: Final = (0, 95, 135, 175, 215, 255)
"""Of the cube of 6 x 6 x 6 colours."""
_CUBE: Final = range(16, 232)
_PALETTE: Final = range(256)
_ON: Final = {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "inverse", 9: "struck"}
_OFF: Final = {
    22: ("bold", "dim"),
    23: ("italic",),
    24: ("under",),
    27: ("inverse",),
    29: ("struck",),
}
_INKS: Final = {
    39: "",
    **{code + hue: name for code in (30, 90) for hue, name in enumerate(_HUES)},
    90: "grey",
}
_GROUNDS: Final = {
    49: "",
    **{code + hue: name or "grey" for code in (40, 100) for hue, name in enumerate(_HUES)},
}
_INK: Final = 38
_GROUND: Final = 48
_UNDER: Final = 58
"""These are followed by what names a colour; that of lines below a text is not shown."""


class _Look(NamedTuple):
    """How what follows is printed."""

    marks: frozenset[str] = frozenset()
    ink: str = ""
    ground: str = ""

    @property
    def classes(self) -> str:
        names = sorted(self.marks)
        if "inverse" in self.marks:
            # Whatever the colours are: they would be those of each other.
            return " ".join(names)
        if self.ground:
            return " ".join([*names, f"on-{self.ground}"])
        return " ".join([*names, *([f"ink-{self.ink}"] if self.ink else [])])


_PLAIN: Final = _Look()


def coloured(text: str) -> list[tuple[str, str]]:
    """
    The pieces of what `clean_text` makes of a text, each with the classes that it is shown with.

    The classes are those of `ink-red`, `on-red`, `bold` and so on, whatever the text is. A piece
    takes four bytes at least of what was printed: a window has only so many.
    """
    if "\x1b" not in text:
        return [(clean_text(text), "")]
    plain, marks = _told_apart(text)
    pieces: list[tuple[str, str]] = []
    for piece, look in _looks(plain, marks):
        if pieces and pieces[-1][1] == look:
            pieces[-1] = (pieces[-1][0] + piece, look)
        else:
            pieces.append((piece, look))
    return pieces


def _told_apart(text: str) -> tuple[str, list[tuple[int, str]]]:
    """The text without escape sequences, and at which places which of them told of colours."""
    parts: list[str] = []
    marks: list[tuple[int, str]] = []
    at = length = 0
    for found in ESCAPE.finditer(text):
        parts.append(text[at : found.start()])
        length += found.start() - at
        at = found.end()
        sgr = _SGR.fullmatch(found[0])
        if sgr is not None:
            marks.append((length, sgr[1]))
    parts.append(text[at:])
    return "".join(parts), marks


def _looks(plain: str, marks: Sequence[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    look, number = _PLAIN, 0
    for start, stop in _kept(plain):
        at = start
        while at < stop:
            while number < len(marks) and marks[number][0] <= at:
                look = _changed(look, marks[number][1])
                number += 1
            end = min(stop, marks[number][0]) if number < len(marks) else stop
            yield visible(plain[at:end]), look.classes
            at = end


def _kept(plain: str) -> Iterator[tuple[int, int]]:
    """Of each line that was written anew its last state, as `clean_text` has it."""
    if "\r" not in plain:
        yield 0, len(plain)
        return
    at = 0
    while at < len(plain):
        end = plain.find("\n", at)
        end = len(plain) if end < 0 else end
        kept = plain[at:end].rstrip("\r")
        yield at + kept.rfind("\r") + 1, at + len(kept)
        yield end, min(end + 1, len(plain))
        at = end + 1


def _changed(look: _Look, told: str) -> _Look:
    """The look after one sequence; what is not known in it is passed over."""
    # `38:2::255:0:0` names the space of its colours too, which nobody does.
    parts = told.replace("::", ":").replace(":", ";").split(";")
    codes = [int(code[:_DIGITS] or 0) for code in parts[:_CODES_MAX]]
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code not in (_INK, _GROUND, _UNDER):
            look = _simply(look, code)
            continue
        hue, taken = _named(codes[at:])
        at += taken
        if code == _INK:
            look = look._replace(ink=hue)
        elif code == _GROUND:
            look = look._replace(ground=hue)
    return look


def _simply(look: _Look, code: int) -> _Look:
    if code == 0:
        return _PLAIN
    if code in _ON:
        return look._replace(marks=look.marks | {_ON[code]})
    if code in _OFF:
        return look._replace(marks=look.marks.difference(_OFF[code]))
    if code in _INKS:
        return look._replace(ink=_INKS[code])
    if code in _GROUNDS:
        return look._replace(ground=_GROUNDS[code])
    return look


def _named(codes: Sequence[int]) -> tuple[str, int]:
    """The hue of `5;n` or `2;r;g;b`, and how many numbers told it."""
    match codes:
        case [5, number, *_]:
            return _of_palette(number), 2
        case [2, red, green, blue, *_]:
            return _hue(red, green, blue), 4
        case _:
            return "", len(codes)


def _of_palette(number: int) -> str:
    if number not in _PALETTE:
        return ""
    if number in _CUBE:
        red, rest = divmod(number - _CUBE.start, 36)
        return _hue(_LEVELS[red], _LEVELS[rest // 6], _LEVELS[rest % 6])
    return _HUES[number % 8] if number < _CUBE.start else ""


def _hue(red: int, green: int, blue: int) -> str:
    """The nearest of six hues; none for greys."""
    most, least = max(red, green, blue), min(red, green, blue)
    spread = most - least
    if spread < _GREY_SPREAD:
        return ""
    if most == red:
        turn = (green - blue) / spread % 6
    elif most == green:
        turn = (blue - red) / spread + 2
    else:
        turn = (red - green) / spread + 4
    return _SECTORS[round(turn) % 6]

"""
What a terminal would show in the end of what was written to it, as lines.

A progress bar writes its line anew, thousands of times; only its last state is kept.
Pure: texts in, lines out.
"""

from __future__ import annotations

import re
from typing import Final

from artstore.runs.printedtext import COLOURS, without_colours

__all__ = ["LINE_MAX_CHARS", "LineFolder"]

LINE_MAX_CHARS: Final = 16 * 1024
"""A longer line is cut: it is data, not a message."""

_ROWS_MAX: Final = 64
"""Held at most for bars that go up again."""
# CSI (colours, moves of the cursor), OSC (titles, links) and two-character sequences.
_ESCAPE: Final = re.compile(
    r"\x1b\[([0-9;:?<=>]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)?|\x1b[@-Z\\^_]"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-9;:?<=>]{0,64}[ -/]*)?\Z")
_UNFINISHED_CHARS: Final = 80
_STEP: Final = re.compile(r"(\r|\n|\x1b\[[0-9]{0,4}A)")
_UP: Final = re.compile(r"\x1b\[[0-9]{0,4}A")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[0-9;:]*m)")
_PLAIN: Final = "\x1b[0m"


class LineFolder:
    """
    Folds one stream into lines.

    A carriage return begins the line anew; "cursor up", by which several bars are drawn
    at once, goes back to lines that were not taken yet.

    Args:
        with_colours: sequences that say how a text is printed stay in it.
    """

    def __init__(self, *, with_colours: bool = False) -> None:
        self._with_colours = with_colours
        # How to print what comes, from where a line has just begun anew.
        self._held = ""
        self._rows = [""]
        self._at = 0
        # A carriage return alone does not wipe the line; what comes after it does.
        self._begins_anew = False
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take what was written; a part of a line waits for the others."""
        text = self._rest + text
        unfinished = None
        if "\x1b" in text:
            unfinished = _UNFINISHED.search(text, max(0, len(text) - _UNFINISHED_CHARS))
        self._rest = unfinished[0] if unfinished else ""
        text = text[: len(text) - len(self._rest)]
        if "\x1b" in text:
            text = _ESCAPE.sub(_with_colours if self._with_colours else _only_up, text)
        if "\r" not in text and not ("\x1b" in text and _UP.search(text)):
            self._feed_plain(text)
            return
        for step in _STEP.split(text):
            if step == "\r":
                self._begins_anew = True
            elif step == "\n":
                self._down()
            elif _UP.fullmatch(step):
                self._up(int(step[2:-1] or 1))
            elif step:
                self._write(step)

    def take(self, *, with_last: bool = False) -> list[str]:
        """
        The lines that are finished, which are then forgotten.

        Args:
            with_last: also those that may still change: at the end of it all.
        """
        if with_last:
            lines = self._rows if without_colours(self._rows[-1]) else self._rows[:-1]
            self._rows, self._at, self._begins_anew, self._held = [""], 0, False, ""
            return [_CONTROL.sub("", line).rstrip() for line in lines]
        lines, self._rows, self._at = self._rows[: self._at], self._rows[self._at :], 0
        return [_CONTROL.sub("", line).rstrip() for line in lines]

    def _feed_plain(self, text: str) -> None:
        first, *others = text.split("\n")
        if first:
            self._write(first)
        if others and self._at == len(self._rows) - 1:
            # Below is nothing yet: most of what programs print.
            self._stay()
            self._rows += [part if len(part) <= LINE_MAX_CHARS else _cut(part) for part in others]
            self._at = len(self._rows) - 1
            return
        for part in others:
            self._down()
            if part:
                self._write(part)

    def _write(self, text: str) -> None:
        if self._begins_anew:
            if not without_colours(text):
                # It shows nothing: the line that was stays.
                self._held = text
                return
            self._rows[self._at] = ""
            self._begins_anew = False
            text, self._held = self._held + text, ""
        room = LINE_MAX_CHARS - len(self._rows[self._at])
        if room > 0:
            self._rows[self._at] += text if len(text) <= room else _cut(text, room)

    def _stay(self) -> None:
        """The line is as it is now."""
        self._begins_anew = False
        if self._held:
            held, self._held = self._held, ""
            self._write(held)

    def _down(self) -> None:
        self._stay()
        self._at += 1
        if self._at == len(self._rows):
            self._rows.append("")
        else:
            # Where a bar was: what comes replaces it.
            self._begins_anew = True

    def _up(self, count: int) -> None:
        self._at = max(self._at - min(count, _ROWS_MAX), 0)
        self._begins_anew = True


def _cut(text: str, room: int = LINE_MAX_CHARS) -> str:
    kept = text[:room]
    return f"{kept}{_PLAIN}[...]" if "\x1b" in kept else f"{kept}[...]"


def _only_up(match: re.Match[str]) -> str:
    return match[0] if _UP.fullmatch(match[0]) else ""


def _with_colours(match: re.Match[str]) -> str:
    found = match[0]
    return found if _UP.fullmatch(found) or COLOURS.fullmatch(found) else ""

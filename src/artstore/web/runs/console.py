"""
What a run printed, a window at a time: of 100 MB only the part that is looked at is read.

The console of a run is one text, its segments one behind the other and what this machine knows
of it before the store does; places in it are counted in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import limits
from artstore.errors import InvalidInputError
from artstore.runs.printedtext import COLOURS
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.web.live.run import ConsolePiece

__all__ = ["ESCAPE", "ConsoleWindow", "clean_text", "find_lines", "read_window"]

_WINDOW_BYTES: Final = 64 * limits.KIB
_STEP_BYTES: Final = limits.MIB
_FOUND_MAX: Final = 200
_FOUND_CHARS: Final = 500
_WORD_CHARS: Final = 1_000
ESCAPE: Final = re.compile(
    r"\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)?|\x1b[@-Z\\^_]"
)
"""What terminals do something for, and nobody reads."""
_COLOURS: Final = re.compile(COLOURS.pattern.encode("ascii"))


class ConsoleWindow(NamedTuple):
    """
    A part of a console, in whole lines where it has any.

    Attributes:
        start, stop: where it begins and ends, in bytes.
        size_bytes: of the whole console.
        printed: as it was printed, escape sequences and all.
    """

    start: int
    stop: int
    size_bytes: int
    printed: str

    @property
    def text(self) -> str:
        """As `clean_text` has it."""
        return clean_text(self.printed)

    def to_json(self) -> dict[str, Any]:
        """As /api/v1 tells it."""
        return {
            "start": self.start,
            "stop": self.stop,
            "size_bytes": self.size_bytes,
            "text": self.text,
        }


def read_window(
    parts: Sequence[ConsolePiece],
    *,
    before: int | None = None,
    after: int | None = None,
    most: int = _WINDOW_BYTES,
) -> ConsoleWindow:
    """
    The lines that end at `before`, or begin at `after`; the last ones if neither is given.

    Cost: reads `most` bytes.
    """
    size = sum(part.size_bytes for part in parts)
    if after is not None:
        start = min(max(after, 0), size)
        stop = min(size, start + most)
    else:
        stop = size if before is None else min(max(before, 0), size)
        start = max(0, stop - most)
    data = _read(parts, start, stop)
    if after is None and start > 0:
        # The first line began earlier: it comes with the window before.
        cut = data.find(b"\n") + 1
        # Of a line that is longer than the window, as much as there is.
        cut = 0 if cut == len(data) else cut
        start, data = start + cut, data[cut:]
    if stop < size and after is not None:
        # The last line goes on: it comes with the window behind.
        data = data[: data.rfind(b"\n") + 1] or data
        stop = start + len(data)
    return ConsoleWindow(start, stop, size, data.decode("utf-8", "replace"))


def find_lines(parts: Sequence[ConsolePiece], word: str) -> tuple[list[dict[str, Any]], bool]:
    """
    The last lines that have `word`, in any case: `start` (in bytes) and `text`; whether all.

    Raises:
        InvalidInputError: `request-invalid`: it is longer than 1,000 characters.
    Cost: reads all of the console, a piece at a time, from the end, until 200 are found.
    """
    if len(word) > _WORD_CHARS:
        raise InvalidInputError(
            f"a word of more than {_WORD_CHARS:,} characters is not searched for",
            code="request-invalid",
        )
    found: list[dict[str, Any]] = []
    wanted = word.casefold()
    for start, line in _lines_backwards(parts, wanted):
        text = clean_text(line.decode("utf-8", "replace"))
        if wanted in text.casefold():
            if len(found) == _FOUND_MAX:
                return found[::-1], False
            found.append({"start": start, "text": text[:_FOUND_CHARS]})
    return found[::-1], True


def clean_text(text: str) -> str:
    """
    What a terminal would show, as far as lines can: no colours, of a line that was written anew
    the last state; characters that hide or reorder others are spelled out.
    """
    if "\x1b" in text:
        text = ESCAPE.sub("", text)
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return visible(text)


def _lines_backwards(parts: Sequence[ConsolePiece], wanted: str) -> Iterator[tuple[int, bytes]]:
    """The lines that may have `wanted`, the last one first, and where each begins."""
    stop = sum(part.size_bytes for part in parts)
    rest = b""
    while stop > 0:
        start = max(0, stop - _STEP_BYTES)
        data = _read(parts, start, stop) + rest
        # The first one may go on in the piece before; one that is longer than that is cut.
        cut = data.find(b"\n") + 1 or len(data) + 1
        rest = data[: cut - 1] if start > 0 else b""
        at = start + len(data)
        lines = (data[cut:] if start > 0 else data).split(b"\n")
        if (start > 0 and cut > len(data)) or not _may_have(data, wanted):
            lines = []
        for line in reversed(lines):
            at -= len(line)
            if line:
                yield at, line
            at -= 1
        if len(rest) > _STEP_BYTES:
            yield start, rest
            rest = b""
        stop = start


def _may_have(data: bytes, wanted: str) -> bool:
    """Whether it is worth a look at each line: in plain text that is seen at once."""
    if not data.isascii() or not wanted.isascii() or b"\r" in data:
        return True
    if b"\x1b" in data:
        data = _COLOURS.sub(b"", data)
        if b"\x1b" in data:
            return True
    return wanted.encode("ascii") in data.lower()


def _read(parts: Sequence[ConsolePiece], start: int, stop: int) -> bytes:
    pieces = []
    at = 0
    for part in parts:
        low, high = max(start - at, 0), min(stop - at, part.size_bytes)
        if low < high:
            data = part.read(low, high)
            # A piece that is shorter than its log says must not move the others.
            pieces.append(data.ljust(high - low, b" "))
        at += part.size_bytes
    return b"".join(pieces)

"""
Results on stdout, everything else on stderr; one JSON value when asked for.

Text that came out of a store is shown with its control characters escaped: a
file name must not be able to command the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

__all__ = [
    "Output",
    "count",
    "format_bytes",
    "format_seconds",
    "has_colour",
    "printable",
    "table",
]

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "bold": 1, "dim": 2}
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
} | {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class Output:
    """
    The two streams of a run.

    Args:
        as_json: print results as JSON and keep warnings for the result.
        quiet: print names only.
        verbose: print details too.
    """

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    def result(self, value: Any, lines: Iterable[str], *, names: Sequence[str] = ()) -> None:
        """
        Print the result of a command in the form that was asked for.

        Args:
            value: what `--json` prints.
            lines: what people read; only iterated when needed.
            names: what `-q` prints, one a line.
        """
        if self.as_json:
            self._write_json(value)
        elif self.quiet:
            self._write_lines(names)
        else:
            self._write_lines(lines)

    def result_stream(
        self, head: dict[str, Any], key: str, items: Iterable[tuple[Any, str, str]]
    ) -> None:
        """
        Print a result with a long list in bounded memory.

        Args:
            head: the other members of the JSON object.
            key: the member that holds the list, printed last.
            items: for each member its JSON value, its line and its name for `-q`.
        """
        if not self.as_json:
            self._write_lines(name if self.quiet else line for _, line, name in items)
            return
        write = sys.stdout.write
        import json

        opening = json.dumps(head, ensure_ascii=False)[:-1]
        write(f"{opening}{', ' if head else ''}{json.dumps(key)}: [")
        between = ""
        for value, _, _ in items:
            write(between + json.dumps(value, ensure_ascii=False))
            between = ",\n"
        write("]}\n")

    def note(self, text: str) -> None:
        """One line on stderr that is good to know; not in JSON, not when quiet."""
        if not self.as_json and not self.quiet:
            _say_beside(printable(text))

    def detail(self, text: str) -> None:
        """One line on stderr for `-v`."""
        if self.verbose and not self.as_json:
            _say_beside(printable(text))

    def warn(self, text: str) -> None:
        """One line on stderr, also when quiet; in JSON, warnings are part of the result."""
        if not self.as_json:
            label = _paint("warning:", "yellow", sys.stderr)
            _say_beside(f"art: {label} {printable(text)}")

    def paint(self, text: str, colour: str) -> str:
        """`text` in a colour if stdout is a terminal that shows colours."""
        return _paint(text, colour, sys.stdout)

    def _write_json(self, value: Any) -> None:
        import json

        indent = 2 if sys.stdout.isatty() else None
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")

    def _write_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            sys.stdout.write(line + "\n")


def _say_beside(line: str) -> None:
    # Both may go into one log: what stdout was told before stands before it there.
    sys.stdout.flush()
    sys.stderr.write(line + "\n")


def has_colour(stream: TextIO) -> bool:
    """Whether colours are wanted there: a terminal, NO_COLOR not set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _paint(text: str, colour: str, stream: TextIO) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if has_colour(stream) else text


def printable(text: str) -> str:
    """`text` with control characters and changes of writing direction escaped, line ends too."""
    return text if text.isascii() and text.isprintable() else text.translate(_CONTROLS)


def format_bytes(size_bytes: int) -> str:
    """`0 B`, `999 B`, `1.0 kB`, `431.2 MB`, `2.1 GB`: decimal, one digit."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} PB"


def format_known_bytes(size_bytes: int | None) -> str:
    """The same; `unknown` for None."""
    return "unknown" if size_bytes is None else format_bytes(size_bytes)


def format_seconds(seconds: float) -> str:
    """`0.42 s`, `12.3 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60:,} min {int(seconds) % 60:02d} s"


def count(number: int, word: str, words: str | None = None) -> str:
    """`1 file`, `20,000 files`, `2 entries`."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> Iterator[str]:
    """
    Lines with aligned columns.

    Args:
        heads: the title of each column.
        rows: texts, as many a row as heads.
        right: heads of columns to be set flush right, joined by spaces.
    """
    titles = [printable(head) for head in heads]
    body = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *body, strict=True)]
    flush = set(right.split())
    for row in (titles, *body):
        cells = (
            cell.rjust(width) if head in flush else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()

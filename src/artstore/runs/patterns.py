"""
Patterns of texts: LIKE, and regular expressions in RE2, in a time that no text can blow up.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, Final

from artstore import forks
from artstore.tables.expressions.refusal import Refusal

__all__ = ["like", "regex"]

_OPTIONS: Final = "ims"
_KEPT_COUNT: Final = 10_000
"""Of answers: the same text is asked for again and again, and each costs 20 us."""

_Test = Callable[[str], bool]


def like(pattern: str, escape: str | None, position: int, *, folds: bool) -> _Test:
    """
    Whether a text fits a pattern of LIKE.

    Args:
        escape: the character that makes the one behind it mean itself.
        position: where it stands, for what is wrong with it.
        folds: whether capitals do not count.
    Raises:
        Refusal: the escape is no character, or nothing is behind it.
    """
    if escape is not None and len(escape) != 1:
        raise Refusal(position, "one character is wanted after ESCAPE")
    flags = re.DOTALL | (re.IGNORECASE if folds else 0)
    # Between two `%` a piece has one length, so nothing is ever tried twice.
    pieces = _pieces(pattern, escape, position)
    tests = [re.compile("".join(piece), flags) for piece in pieces]
    last_length = len(pieces[-1])

    def test(text: str) -> bool:
        if len(tests) == 1:
            return tests[0].fullmatch(text) is not None
        at = 0
        for number, piece in enumerate(tests[:-1]):
            found = piece.search(text, at) if number else piece.match(text)
            if found is None:
                return False
            at = found.end()
        start = len(text) - last_length
        return start >= at and tests[-1].fullmatch(text, start) is not None

    return test


def _pieces(pattern: str, escape: str | None, position: int) -> list[list[str]]:
    """The parts between `%`, each a list of what stands for one character."""
    pieces: list[list[str]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, None)
            if following is None:
                raise Refusal(position, "the pattern ends with the character of ESCAPE")
            pieces[-1].append(re.escape(following))
        elif character == "%":
            pieces.append([])
        else:
            pieces[-1].append("." if character == "_" else re.escape(character))
    return pieces


def regex(pattern: str, options: str, position: int, options_position: int) -> _Test:
    """
    Whether RE2 finds a part of the text.

    Raises:
        Refusal: RE2 does not take the pattern, or there is no such option.
    """
    if set(options) - set(_OPTIONS):
        raise Refusal(
            options_position,
            f"the options of a regular expression are {', '.join(_OPTIONS)}, not {options!r}",
        )
    wanted = f"(?{''.join(sorted(set(options)))}){pattern}" if options else pattern
    forks.import_late(("pyarrow.compute",))
    import pyarrow as pa
    import pyarrow.compute as pc

    def ask(text: str) -> Any:
        data = text.encode("utf-8", "replace")
        # Not `pa.array`: its first call imports pandas, to ask whether it was given a Series.
        offsets = pa.py_buffer(struct.pack("=ii", 0, len(data)))
        texts = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data))
        return pc.match_substring_regex(texts, wanted)[0].as_py()

    try:
        ask("")
    except pa.ArrowInvalid as error:
        why = str(error).removeprefix("Invalid regular expression: ")
        raise Refusal(position, f"RE2 does not take the regular expression: {why}") from None
    known: dict[str, bool] = {}

    def test(text: str) -> bool:
        found = known.get(text)
        if found is None:
            found = bool(ask(text))
            if len(known) < _KEPT_COUNT:
                known[text] = found
        return found

    return test

"""
What is wrong with an expression, and where: from the place that sees it to the error a user gets.

The readers of both languages raise `Refusal` with an offset; `told` puts the line
and a caret below it. So only one place knows how such a message looks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from artstore.errors import InvalidInputError, LimitExceededError

__all__ = [
    "AMBIGUOUS",
    "INVALID",
    "TEXT_CHARS",
    "TYPE_INVALID",
    "UNKNOWN",
    "LimitRefusal",
    "Refusal",
    "check_character",
    "checked",
    "did_you_mean",
    "told",
]

INVALID: Final = "text"
TYPE_INVALID: Final = "type"
UNKNOWN: Final = "name"
AMBIGUOUS: Final = "names"
LIMIT: Final = "limit"
"""What is wrong; `told` has the code of each."""

TEXT_CHARS: Final = 10_000
"""Of one expression. Nobody writes more by hand, and the parser of SQL takes 20 us a character."""

_SHOWN_CHARS: Final = 100
"""Of a long line, around the caret: what fits a terminal."""
_CLOSE_COUNT: Final = 3


class Refusal(Exception):  # noqa: N818 - never leaves the package: `told` makes an error of it
    """
    An expression cannot be used.

    Args:
        position: of the character that is told, from 0.
        why: what is wrong, without the text.
        hint: what to do, one sentence.
    """

    def __init__(
        self, position: int, why: str, *, kind: str = INVALID, hint: str | None = None
    ) -> None:
        super().__init__(why)
        self.position = position
        self.why = why
        self.kind = kind
        self.hint = hint


class LimitRefusal(Refusal):
    """A limit is passed; `limit` is the number that holds."""

    def __init__(self, position: int, why: str, *, limit: int) -> None:
        super().__init__(position, why, kind=LIMIT)
        self.limit = limit


def checked(text: object) -> str:
    """
    `text` itself, if it is text that a reader may look at.

    Raises:
        InvalidInputError: `expression-invalid`.
        LimitExceededError: `limit-exceeded`.
    """
    if not isinstance(text, str):
        raise InvalidInputError(
            f"an expression is text or a dict, not {type(text).__name__}",
            code="expression-invalid",
            hint="give SQL, as 'score > 0.5', or Mongo, as \"{$gt: ['$score', 0.5]}\"",
        )
    if len(text) > TEXT_CHARS:
        raise LimitExceededError(
            f"an expression has {len(text):,} characters; the limit is {TEXT_CHARS:,}",
            code="limit-exceeded",
            limit=TEXT_CHARS,
            given=len(text),
        )
    with told(text):
        if not text.strip():
            raise Refusal(0, "there is nothing but space", hint="write a condition: score > 0.5")
        for position, character in enumerate(text):
            check_character(character, position)
    return text


def check_character(character: str, position: int) -> None:
    """Refuse what no text in DuckDB may hold, whether it is typed or escaped."""
    if character == "\0":
        raise Refusal(position, "text cannot hold the character NUL")
    if "\ud800" <= character <= "\udfff":
        raise Refusal(position, "half of a surrogate pair is no character")


@contextmanager
def told(text: str) -> Iterator[None]:
    """
    Turn a `Refusal` within the block into the error that shows it in `text`.

    Raises:
        InvalidInputError: `expression-invalid`, `expression-type-invalid`,
            `column-unknown`, `column-ambiguous`, with `position`.
        LimitExceededError: `limit-exceeded`, likewise.
    """
    try:
        yield
    except LimitRefusal as refusal:
        raise LimitExceededError(
            _shown(text, refusal),
            code="limit-exceeded",
            position=refusal.position,
            limit=refusal.limit,
        ) from None
    except Refusal as refusal:
        raise InvalidInputError(
            _shown(text, refusal),
            code={
                INVALID: "expression-invalid",
                TYPE_INVALID: "expression-type-invalid",
                UNKNOWN: "column-unknown",
                AMBIGUOUS: "column-ambiguous",
            }[refusal.kind],
            hint=refusal.hint,
            position=refusal.position,
        ) from None


def did_you_mean(wanted: str, known: Iterable[str]) -> str | None:
    """A hint that names what is close to `wanted`, or all that there is if that is little."""
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.casefold(), name)
    near = difflib.get_close_matches(wanted.casefold(), folded, n=_CLOSE_COUNT)
    if near:
        return f"did you mean {' or '.join(folded[name] for name in near)}?"
    if 0 < len(folded) <= 12:
        return f"there are: {', '.join(folded.values())}"
    return None


def _shown(text: str, refusal: Refusal) -> str:
    """
    The message with the line that is meant, and a caret below the character.

    Control characters are left out: what is printed is a stranger's text.
    """
    position = min(refusal.position, len(text))
    start = max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1
    ends = [end for mark in "\n\r" if (end := text.find(mark, position)) >= 0]
    line, column = text[start : min(ends, default=len(text))], position - start
    before = after = ""
    if len(line) > _SHOWN_CHARS:
        first = max(0, min(column - _SHOWN_CHARS // 2, len(line) - _SHOWN_CHARS))
        before = "..." if first else ""
        after = "..." if first + _SHOWN_CHARS < len(line) else ""
        line, column = line[first : first + _SHOWN_CHARS], column - first
    line = "".join(character if character.isprintable() else " " for character in line)
    caret = " " * (len(before) + column) + "^"
    return f"cannot use the expression: {refusal.why}\n    {before}{line}{after}\n    {caret}"

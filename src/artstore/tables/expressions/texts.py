"""
Text: compared by code points, no language's alphabet, capitals apart from small letters.

Patterns run in RE2, whose time grows with the length of the text and nothing else.
They are tried before a row is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from artstore import forks
from artstore.tables.expressions.kinds import Operand
from artstore.tables.expressions.operation import ARGUMENT_COUNT, Operation
from artstore.tables.expressions.refusal import Refusal

__all__ = ["TEXTS"]

_OPTIONS: Final = "ims"
_LIKE_PERCENTS: Final = 2
"""With `_` beside more of them, DuckDB tries all ways to fit the pattern: RE2 does not."""


def _method(name: str) -> Callable[[Sequence[Operand]], Any]:
    """The method of that name of a text of Ibis, with the other operands as arguments."""

    def build(operands: Sequence[Operand]) -> Any:
        value, *others = (operand.value for operand in operands)
        return getattr(value, name)(*others)

    return build


def _concatenate(operands: Sequence[Operand]) -> Any:
    import ibis.expr.operations as ops

    return ops.StringConcat(tuple(operand.value for operand in operands)).to_expr()


def _length(operands: Sequence[Operand]) -> Any:
    return operands[0].value.length()


def _part(operands: Sequence[Operand]) -> Any:
    """Characters from a place counted from 1, so many of them or all that follow."""
    text, first, *counts = operands
    start = _whole(first, 1) - 1
    if not counts:
        return text.value[start:]
    return text.value[start : start + _whole(counts[0], 0)]


def _whole(operand: Operand, least: int) -> int:
    value = operand.constant
    assert isinstance(value, int)
    if not least <= value < 2**31:
        raise Refusal(operand.position, f"a number from {least} on is wanted here")
    return value


def _like(*, folds: bool) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        text, pattern, *escapes = operands
        wanted = str(pattern.constant)
        if escapes or ("_" in wanted and wanted.count("%") > _LIKE_PERCENTS):
            return text.value.re_search(_like_as_regex(wanted, escapes, folds=folds))
        return text.value.ilike(wanted) if folds else text.value.like(wanted)

    return build


def _like_as_regex(pattern: str, escapes: Sequence[Operand], *, folds: bool) -> str:
    escape = str(escapes[0].constant) if escapes else None
    if escape is not None and len(escape) != 1:
        raise Refusal(escapes[0].position, "one character is wanted after ESCAPE")
    parts, characters = [], iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, None)
            if following is None:
                raise Refusal(escapes[0].position, "the pattern ends with the character of ESCAPE")
            parts.append(re.escape(following))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return f"(?{'is' if folds else 's'})\\A{''.join(parts)}\\z"


def _regex(operands: Sequence[Operand]) -> Any:
    text, pattern, *options = operands
    wanted = str(pattern.constant)
    flags = str(options[0].constant) if options else ""
    if set(flags) - set(_OPTIONS):
        raise Refusal(
            options[0].position,
            f"the options of a regular expression are {', '.join(_OPTIONS)}, not {flags!r}",
        )
    if flags:
        wanted = f"(?{''.join(sorted(set(flags)))}){wanted}"
    _try_regex(wanted, pattern.position)
    return text.value.re_search(wanted)


def _try_regex(pattern: str, position: int) -> None:
    forks.import_late(("pyarrow.compute",))
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        why = str(error).removeprefix("Invalid regular expression: ")
        raise Refusal(position, f"RE2 does not take the regular expression: {why}") from None


TEXTS = (
    Operation("concatenate", ("text",), _concatenate, repeats=True, limit=ARGUMENT_COUNT),
    Operation("lower", ("text",), _method("lower")),
    Operation("upper", ("text",), _method("upper")),
    Operation("trim", ("text",), _method("strip")),
    Operation("trim_left", ("text",), _method("lstrip")),
    Operation("trim_right", ("text",), _method("rstrip")),
    Operation("text_length", ("text",), _length),
    # SQL has one word for both.
    Operation("length", ("text|list",), _length),
    Operation("part", ("text", "places", "places"), _part, optional=1),
    Operation("split", ("text", "pattern"), _method("split")),
    Operation("has_part", ("text", "text"), _method("contains")),
    Operation("starts_with", ("text", "text"), _method("startswith")),
    Operation("ends_with", ("text", "text"), _method("endswith")),
    Operation("like", ("text", "pattern", "pattern"), _like(folds=False), optional=1),
    Operation("like_any_case", ("text", "pattern", "pattern"), _like(folds=True), optional=1),
    Operation("regex", ("text", "pattern", "pattern"), _regex, optional=1),
)

"""
What an operation is: its name, what it takes, and how Ibis says it.

Kinds of arguments:

    any             whatever there is
    boolean, number, text, time, list
    text|list       either of them
    whole           a number without a fraction
    alike           compared with the other arguments: all of one kind
    merged          may become the result: all of one kind
    pattern         text that is written out, no column
    places          a whole number that is written out

Null is taken for each of them but the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.tables.expressions.kinds import Operand, said
from artstore.tables.expressions.refusal import TYPE_INVALID, Refusal

__all__ = ["ARGUMENT_COUNT", "Operation", "accepted"]

ARGUMENT_COUNT: Final = 50
"""Of one operation that is built as a chain: each link is a level of the SQL that comes of it."""

_NULL_TYPES: Final = {
    "boolean": "boolean",
    "number": "int64",
    "whole": "int64",
    "text": "string",
    "time": "timestamp",
    "list": "array<int64>",
    "text|list": "string",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One thing that both languages can say.

    Attributes:
        takes: the kinds of its arguments.
        optional: how many of them, counted from the end, may be left out.
        repeats: whether the last one may come again and again.
        pairs: condition, value, condition, value, ... and one value more, or none.
        limit: of repeated arguments.
        certain: whether the result is never null.
        kept_as: an operation that keeps the same rows in a filter, where an argument is
            written out and not null; its result may be null instead of false.
    """

    name: str
    takes: tuple[str, ...]
    build: Callable[[Sequence[Operand]], Any]
    optional: int = 0
    repeats: bool = False
    pairs: bool = False
    limit: int | None = None
    certain: bool = False
    kept_as: str | None = None

    def expects(self, count: int) -> tuple[str, ...] | None:
        """The kinds of `count` arguments; None if it does not take so many."""
        if self.pairs:
            return ("boolean", "merged") * (count // 2) + ("merged",) * (count % 2)
        missing = len(self.takes) - count
        if missing > self.optional or (missing < 0 and not self.repeats):
            return None
        return self.takes[:count] + self.takes[-1:] * -missing

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        most = len(self.takes)
        if self.repeats:
            return f"{most - self.optional} or more arguments"
        if self.optional:
            return f"{most - self.optional} or {most} arguments"
        return "1 argument" if most == 1 else f"{most} arguments"


def accepted(operand: Operand, wanted: str) -> Operand:
    """
    The operand as an argument of that kind; null gets a type.

    Raises:
        Refusal: `expression-type-invalid`.
    """
    kind = operand.kind
    if wanted in ("any", "alike", "merged"):
        return operand
    if wanted in ("pattern", "places"):
        fits = kind == ("text" if wanted == "pattern" else "number") and operand.is_written
        if wanted == "places":
            fits = fits and isinstance(operand.constant, int)
        if fits:
            return operand
        what = "text that is written out" if wanted == "pattern" else "a whole number written out"
        raise Refusal(operand.position, f"{what} is wanted here", kind=TYPE_INVALID)
    if kind == "null":
        return operand.of_type(_NULL_TYPES[wanted])
    if wanted == "whole":
        if kind == "number" and operand.value.type().is_integer():
            return operand
        raise Refusal(
            operand.position,
            f"a whole number is wanted here, not {operand.value.type()}"
            if kind == "number"
            else f"a whole number is wanted here, not {said(kind)}",
            kind=TYPE_INVALID,
        )
    if kind in wanted.split("|"):
        return operand
    kinds = " or ".join(said(one) for one in wanted.split("|"))
    raise Refusal(operand.position, f"{kinds} is wanted here, not {said(kind)}", kind=TYPE_INVALID)

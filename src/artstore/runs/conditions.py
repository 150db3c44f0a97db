"""
Conditions over runs: the tree of an expression to a function of plain values.

The languages, the meaning and the errors are those of tables; nothing of their engine
is imported. What a name stands for is the business of `names.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.runs import patterns
from artstore.runs.operations import BOOLEAN, FUNCTIONS, LIST, NUMBER, TEXT, TIME, kind_of
from artstore.tables.expressions.compiler import NESTED_COUNT
from artstore.tables.expressions.kinds import COMPARABLE, said
from artstore.tables.expressions.literals import moment
from artstore.tables.expressions.operation import Operation
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.refusal import (
    TYPE_INVALID,
    UNKNOWN,
    LimitRefusal,
    Refusal,
    did_you_mean,
)
from artstore.tables.expressions.tree import Call, Constant, Field, Loop, Node, Path, Variable

__all__ = ["ANY", "Resolve", "RunOperand", "compiled_condition"]

ANY: Final = "any"
"""The kind of what may be of one kind in this run and of another in the next."""
_LOOP_COUNT: Final = 3
_PLACES: Final = {"part": ((1, 2**31), (0, 2**31)), "round": ((0, 21),)}
"""Bounds of the numbers that are written out behind the first argument; the last is beyond."""
_PATTERNS: Final = frozenset(["like", "like_any_case", "regex"])

Get = Callable[[Sequence[Any]], Any]
"""From the values of a run to a value."""


@dataclass(frozen=True, slots=True)
class RunOperand:
    """What computes a value, the kind of it as far as it is known, and where it stands."""

    get: Get
    kind: str
    position: int = 0
    is_written: bool = False
    constant: Any = None


Resolve = Callable[[Path], RunOperand]


def compiled_condition(node: Node, resolve: Resolve) -> Callable[[Sequence[Any]], bool]:
    """
    Whether a run meets a condition.

    Args:
        resolve: gives the term of a path, or raises Refusal.
    Raises:
        Refusal: a name that is not there, kinds that never fit.
        LimitRefusal: it is nested too deeply.
    """
    found = _Compiler(resolve).term(node, 0)
    if found.kind not in (BOOLEAN, "null", ANY):
        raise Refusal(
            node.position,
            f"a condition gives true or false, and this gives {said(found.kind)}",
            kind=TYPE_INVALID,
        )
    get = found.get
    return lambda row: get(row) is True


class _Compiler:
    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._loops: list[tuple[str, list[Any]]] = []
        """The names in the loops around, and where each keeps the element that it is at."""

    def term(self, node: Node, depth: int) -> RunOperand:
        if depth > NESTED_COUNT:
            raise LimitRefusal(
                node.position,
                f"more than {NESTED_COUNT} operations in one another",
                limit=NESTED_COUNT,
            )
        if isinstance(node, Constant):
            return _constant(node.value, node.position)
        if isinstance(node, Path):
            return self._resolve(node)
        if isinstance(node, Variable):
            return self._variable(node)
        if isinstance(node, Field):
            return field_of(self.term(node.of, depth + 1), node.name, node.position)
        if isinstance(node, Loop):
            return self._loop(node, depth)
        return self._call(node, depth)

    def _variable(self, node: Variable) -> RunOperand:
        for name, place in reversed(self._loops):
            if name == node.name:
                return RunOperand(lambda _, place=place: place[0], ANY, node.position)  # type: ignore[misc]
        raise Refusal(
            node.position,
            f"there is no variable {node.name!r}",
            hint=did_you_mean(node.name, [name for name, _ in self._loops]),
        )

    def _loop(self, node: Loop, depth: int) -> RunOperand:
        if len(self._loops) >= _LOOP_COUNT:
            raise LimitRefusal(
                node.position, f"more than {_LOOP_COUNT} loops in one another", limit=_LOOP_COUNT
            )
        over = _accepted(self.term(node.over, depth + 1), LIST).get
        place: list[Any] = [None]
        self._loops.append((node.variable, place))
        body = self.term(node.body, depth + 1)
        if node.keeps:
            body = _accepted(body, BOOLEAN)
        self._loops.pop()
        inside, keeps = body.get, node.keeps

        def through(row: Sequence[Any]) -> list[Any] | None:
            listed = over(row)
            if listed is None:
                return None
            found = []
            for element in listed:
                place[0] = element
                value = inside(row)
                if not keeps:
                    found.append(value)
                elif value is True:
                    found.append(element)
            return found

        return RunOperand(through, LIST, node.position)

    def _call(self, node: Call, depth: int) -> RunOperand:
        operation = OPERATIONS[node.operation]
        kinds = _expected(operation, node)
        terms = [self.term(argument, depth + 1) for argument in node.arguments]
        terms = [_accepted(term, kind) for term, kind in zip(terms, kinds, strict=True)]
        _check_places(node.operation, terms)
        if node.operation in _PATTERNS:
            return _pattern(node, terms)
        terms = _compared(node.operation, terms)
        function, kind = FUNCTIONS[node.operation]
        if kind == "merged":
            kind = _one_kind([terms[place] for place in _together(node.operation, terms)])
        return RunOperand(_applied(function, [term.get for term in terms]), kind, node.position)


def field_of(term: RunOperand, name: str, position: int) -> RunOperand:
    """
    A field of a value: of a struct, or of each struct in a list.

    Raises:
        Refusal: `column-unknown`, the value never has fields.
    """
    if term.kind not in (ANY, "struct", LIST):
        raise Refusal(
            position, f"{said(term.kind)} has no fields, and so no {name!r}", kind=UNKNOWN
        )
    get = term.get

    def of(value: Any) -> Any:
        if type(value) is dict:
            return value.get(name)
        if type(value) is list:
            return [of(one) if type(one) is dict else None for one in value]
        return None

    return RunOperand(lambda row: of(get(row)), ANY, term.position)


def _constant(value: Any, position: int) -> RunOperand:
    return RunOperand(lambda _: value, kind_of(value), position, is_written=True, constant=value)


def _applied(function: Callable[..., Any], gets: Sequence[Get]) -> Get:
    if len(gets) == 1:
        (only,) = gets
        return lambda row: function(only(row))
    if len(gets) == 2:
        left, right = gets
        return lambda row: function(left(row), right(row))
    return lambda row: function(*[get(row) for get in gets])


def _expected(operation: Operation, node: Call) -> tuple[str, ...]:
    count = len(node.arguments)
    kinds = operation.expects(count)
    if kinds is None:
        raise Refusal(node.position, f"{operation.arity} are wanted here, not {count}")
    if operation.limit is not None and count > operation.limit:
        raise LimitRefusal(
            node.position, f"more than {operation.limit} arguments", limit=operation.limit
        )
    return kinds


def _accepted(term: RunOperand, wanted: str) -> RunOperand:
    """The term as an argument of that kind; a value that turns out to be of another is null."""
    if wanted in ("any", "alike", "merged"):
        return term
    if wanted in ("pattern", "places"):
        fits = term.is_written and type(term.constant) is (str if wanted == "pattern" else int)
        if fits:
            return term
        what = "text that is written out" if wanted == "pattern" else "a whole number written out"
        raise Refusal(term.position, f"{what} is wanted here", kind=TYPE_INVALID)
    kinds = (NUMBER,) if wanted == "whole" else tuple(wanted.split("|"))
    if term.kind not in (ANY, "null", *kinds) or (wanted == "whole" and _is_fraction(term)):
        words = "a whole number" if wanted == "whole" else " or ".join(said(kind) for kind in kinds)
        raise Refusal(
            term.position, f"{words} is wanted here, not {said(term.kind)}", kind=TYPE_INVALID
        )
    if term.kind != ANY and wanted != "whole":
        return term
    get = term.get

    def checked(row: Sequence[Any]) -> Any:
        value = get(row)
        if kind_of(value) not in kinds or (wanted == "whole" and type(value) is not int):
            return None
        return value

    return RunOperand(checked, term.kind, term.position, term.is_written, term.constant)


def _check_places(operation: str, terms: Sequence[RunOperand]) -> None:
    for term, (least, beyond) in zip(terms[1:], _PLACES.get(operation, ()), strict=False):
        if not least <= term.constant < beyond:
            most = f" to {beyond - 1}" if operation == "round" else " on"
            raise Refusal(term.position, f"a number from {least}{most} is wanted here")


def _is_fraction(term: RunOperand) -> bool:
    return term.is_written and type(term.constant) is float


_COMPARING: Final = frozenset(
    [
        *("equal", "differs", "less", "at_most", "greater", "at_least", "same", "other"),
        *("between", "in", "one_of", "matches", "null_if", "least", "greatest"),
    ]
)
_MERGING: Final = frozenset(["coalesce", "list"])


def _compared(operation: str, terms: list[RunOperand]) -> list[RunOperand]:
    """
    The terms, checked where their kinds are known; text that is written beside a time is one.

    Raises:
        Refusal: `expression-type-invalid`.
    """
    places = _together(operation, terms)
    if any(terms[place].kind == TIME for place in places):
        terms = [_as_time(term) if at in places else term for at, term in enumerate(terms)]
    together = [terms[place] for place in places]
    kind = _one_kind(together, must=True)
    is_fit = kind in (*COMPARABLE, "null", ANY) or operation not in _COMPARING
    if not is_fit and not any(term.kind == "null" for term in terms):
        # Whether it is null may be asked of all there is.
        first = next(term for term in together if term.kind == kind)
        raise Refusal(first.position, f"{said(str(kind))} cannot be compared", kind=TYPE_INVALID)
    return terms


def _together(operation: str, terms: Sequence[RunOperand]) -> Sequence[int]:
    """Which of the arguments meet: those must be of one kind."""
    if operation in _MERGING:
        return range(len(terms))
    if operation == "case":
        last = [len(terms) - 1] if len(terms) % 2 else []
        return [*range(1, len(terms), 2), *last]
    if operation not in _COMPARING:
        return ()
    is_of_elements = operation in ("matches", "one_of") and terms[0].kind == LIST
    return range(1 if is_of_elements else 0, len(terms))


def _one_kind(terms: Sequence[RunOperand], *, must: bool = False) -> str:
    """
    The kind that all terms have, `any` if that is not known, `null` if nothing is said.

    Raises:
        Refusal: `must`, and two of them have kinds that are not the same.
    """
    known = [term for term in terms if term.kind not in (ANY, "null")]
    if not known:
        return ANY if any(term.kind == ANY for term in terms) else "null"
    for other in known[1:]:
        if other.kind == known[0].kind:
            continue
        if not must:
            return ANY
        raise Refusal(
            other.position,
            f"{said(known[0].kind)} and {said(other.kind)} cannot be compared",
            kind=TYPE_INVALID,
        )
    return known[0].kind if not any(term.kind == ANY for term in terms) else ANY


def _as_time(term: RunOperand) -> RunOperand:
    if not term.is_written or term.kind != TEXT:
        return term
    found: dt.date = moment(term.constant, term.position)
    return _constant(found, term.position)


def _pattern(node: Call, terms: Sequence[RunOperand]) -> RunOperand:
    text, pattern, *others = terms
    given = others[0].constant if others else None
    place = others[0].position if others else pattern.position
    if node.operation == "regex":
        test = patterns.regex(pattern.constant, given or "", pattern.position, place)
    else:
        folds = node.operation == "like_any_case"
        test = patterns.like(pattern.constant, given, place, folds=folds)
    get = text.get

    def matched(row: Sequence[Any]) -> bool | None:
        value = get(row)
        return None if value is None else test(value)

    return RunOperand(matched, BOOLEAN, node.position)

"""
The gate of `art table diff`: conditions over its numbers, and what happens if one is true.

    regressed > 20 or removed != 0 and rows_new < 1000

Names and whole numbers are compared; `and` binds tighter than `or`. Nothing else can be
written, and nothing is evaluated by Python.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn

from artstore.errors import ArtstoreError, InvalidInputError

__all__ = ["GATE_NAMES", "Gate", "GateError", "parse_gate", "refuse_true"]

GATE_NAMES: Final = (
    *("added", "removed", "changed", "unchanged"),
    *("regressed", "fixed", "rows_old", "rows_new"),
)
_OPERATORS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_TOKEN: Final = re.compile(r"\s*(?:([0-9]+)|([A-Za-z_]\w*)|([<>=!]=|[<>()]|\S))")
_TEXT_MAX: Final = 1000

Test = Callable[[Mapping[str, int]], bool]


class GateError(ArtstoreError):
    """A condition of a gate is true: the run is to fail."""

    exit_status: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Gate:
    """
    A condition.

    Attributes:
        text: as it was written.
        names: of the numbers that it compares.
        is_true: whether it is, of these numbers.
    """

    text: str
    names: frozenset[str]
    is_true: Test


def parse_gate(text: str) -> Gate:
    """
    A condition out of its text.

    Raises:
        InvalidInputError: `usage-invalid`, with the place.
    """
    return _Parser(text).gate()


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > _TEXT_MAX:
            raise InvalidInputError(
                f"a condition of {len(text)} characters, more than {_TEXT_MAX}",
                code="usage-invalid",
            )
        self._text = text
        self._tokens = [
            (found[0].strip(), found.start(found.lastindex or 0))
            for found in _TOKEN.finditer(text.rstrip())
        ]
        self._at = 0
        self._names: set[str] = set()

    def gate(self) -> Gate:
        """The condition as a whole."""
        test = self._either()
        if self._at < len(self._tokens):
            self._refuse("`and` or `or` is wanted")
        return Gate(self._text, frozenset(self._names), test)

    def _either(self) -> Test:
        tests = [self._both()]
        while self._takes("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda values: any(t(values) for t in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._takes("and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda values: all(t(values) for t in tests)

    def _single(self) -> Test:
        if self._takes("("):
            test = self._either()
            if not self._takes(")"):
                self._refuse("a bracket is not closed: `)` is wanted")
            return test
        left = self._number()
        word = self._next()
        compare = _OPERATORS.get(word)
        if compare is None:
            self._refuse(f"one of {' '.join(_OPERATORS)} is wanted")
        self._at += 1
        right = self._number()
        return lambda values: compare(left(values), right(values))

    def _number(self) -> Callable[[Mapping[str, int]], int]:
        word = self._next()
        if word.isdecimal():
            self._at += 1
            number = int(word)
            return lambda _values: number
        if word not in GATE_NAMES:
            self._refuse("a number or one of the names is wanted")
        self._at += 1
        self._names.add(word)
        return lambda values: values[word]

    def _takes(self, word: str) -> bool:
        if self._next().lower() != word:
            return False
        self._at += 1
        return True

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _refuse(self, wanted: str) -> NoReturn:
        at = self._tokens[self._at][1] if self._at < len(self._tokens) else len(self._text)
        found = repr(self._next()) if self._next() else "the end"
        raise InvalidInputError(
            f"--fail-if cannot be read at character {at + 1}, {found}: {wanted}",
            code="usage-invalid",
            hint=f"{self._text}\n{' ' * at}^\nnames: {', '.join(GATE_NAMES)}",
            position=at,
        )


def refuse_true(gates: list[Gate], values: Mapping[str, Any]) -> None:
    """
    Fail if a condition is true.

    Raises:
        GateError: `gate-failed`, naming the conditions and the numbers in them.
    """
    failed = [gate for gate in gates if gate.is_true(values)]
    if failed:
        names = [name for name in GATE_NAMES if any(name in gate.names for gate in failed)]
        told = ", ".join(f"{name} is {values[name]:,}" for name in names)
        raise GateError(
            f"{' and '.join(gate.text for gate in failed)}: {told}",
            code="gate-failed",
            conditions=[gate.text for gate in failed],
            **{name: values[name] for name in names},
        )

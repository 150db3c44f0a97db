"""
Arithmetic: whole numbers have 64 bits, all others are float64.

What has no result is null: a division by zero, the root or logarithm of a number that
has none. DuckDB would give infinity for some of these, which a filter keeps as larger
than everything, and end the query for others.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final

from artstore.tables.expressions import builtin
from artstore.tables.expressions.kinds import Operand, as_written, number
from artstore.tables.expressions.operation import ARGUMENT_COUNT, Operation
from artstore.tables.expressions.paths import without
from artstore.tables.expressions.refusal import Refusal

__all__ = ["NUMBERS"]

_LARGEST_NEGATIVE: Final = -5e-324
_PLACES: Final = 20


def _chain(combine: Callable[[Any, Any], Any]) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        return reduce(combine, [number(operand) for operand in operands])

    return build


def _divide(operands: Sequence[Operand]) -> Any:
    dividend, divisor = (number(operand).cast("float64") for operand in operands)
    return dividend / _not_zero(operands[1], divisor)


def _remainder(operands: Sequence[Operand]) -> Any:
    dividend, divisor = (number(operand) for operand in operands)
    return dividend % _not_zero(operands[1], divisor)


def _not_zero(operand: Operand, divisor: Any) -> Any:
    return divisor if operand.constant else without(divisor, 0)


def _negate(operands: Sequence[Operand]) -> Any:
    return -number(operands[0])


def _absolute(operands: Sequence[Operand]) -> Any:
    return number(operands[0]).abs()


def _whole(round_off: Callable[[Any], Any]) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        value = number(operands[0])
        # Ibis casts to whole numbers, which NaN and 1e300 have no place among.
        return value if value.type().is_integer() else round_off(value)

    return build


def _round(operands: Sequence[Operand]) -> Any:
    places = 0
    if len(operands) > 1:
        given = operands[1].constant
        assert isinstance(given, int)
        if not 0 <= given <= _PLACES:
            raise Refusal(operands[1].position, f"from 0 to {_PLACES} places can be kept")
        places = given
    # To no places Ibis rounds to whole numbers.
    return _whole(lambda value: value.round(places) if places else builtin.round(value))(operands)


def _above(value: Any, bound: float) -> Any:
    """The number, or null if it is `bound` or less; it is named once, however deep it is."""
    import ibis

    least = as_written(bound, "float64")
    return without(ibis.greatest(value, least), least)


def _floating(operand: Operand) -> Any:
    return number(operand).cast("float64")


def _root(operands: Sequence[Operand]) -> Any:
    return _above(_floating(operands[0]), _LARGEST_NEGATIVE).sqrt()


def _logarithm(operands: Sequence[Operand]) -> Any:
    return _above(_floating(operands[0]), 0.0).ln()


def _logarithm_10(operands: Sequence[Operand]) -> Any:
    return _above(_floating(operands[0]), 0.0).log10()


def _exponential(operands: Sequence[Operand]) -> Any:
    return _floating(operands[0]).exp()


def _power(operands: Sequence[Operand]) -> Any:
    return _floating(operands[0]) ** _floating(operands[1])


def _is_nan(operands: Sequence[Operand]) -> Any:
    return _floating(operands[0]).isnan()


NUMBERS = (
    Operation("add", ("number",), _chain(operator.add), repeats=True, limit=ARGUMENT_COUNT),
    Operation("subtract", ("number", "number"), _chain(operator.sub)),
    Operation("multiply", ("number",), _chain(operator.mul), repeats=True, limit=ARGUMENT_COUNT),
    Operation("divide", ("number", "number"), _divide),
    Operation("remainder", ("number", "number"), _remainder),
    Operation("negate", ("number",), _negate),
    Operation("absolute", ("number",), _absolute),
    Operation("floor", ("number",), _whole(builtin.floor)),
    Operation("ceil", ("number",), _whole(builtin.ceil)),
    Operation("trunc", ("number",), _whole(builtin.trunc)),
    Operation("round", ("number", "places"), _round, optional=1),
    Operation("root", ("number",), _root),
    Operation("logarithm", ("number",), _logarithm),
    Operation("logarithm_10", ("number",), _logarithm_10),
    Operation("exponential", ("number",), _exponential),
    Operation("power", ("number", "number"), _power),
    Operation("is_nan", ("number",), _is_nan),
)

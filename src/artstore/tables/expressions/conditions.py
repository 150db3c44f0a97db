"""
Comparing, combining and choosing.

Two logics meet here. In SQL a comparison with null is neither true nor false but null.
In Mongo every condition is true or false, and null is a value: `same`, `other`,
`one_of`, `matches` and `is_true` give that.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from artstore.tables.expressions import lists
from artstore.tables.expressions.kinds import Operand, alike, enclosed, merged
from artstore.tables.expressions.operation import Operation
from artstore.tables.expressions.paths import without
from artstore.tables.expressions.refusal import Refusal

__all__ = ["CONDITIONS"]


def _compares(compare: Callable[[Any, Any], Any]) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        return compare(*alike(operands))

    return build


def _is_null(operands: Sequence[Operand]) -> Any:
    (operand,) = operands
    value = enclosed(operand.value) if operand.kind == "boolean" else operand.value
    return value.isnull()


def _same(operands: Sequence[Operand]) -> Any:
    left, right = operands
    for one, other in ((left, right), (right, left)):
        if other.is_written and other.constant is None:
            # Whatever its kind: lists and structs can be null too.
            return _is_null([one])
    first, second = alike(operands)
    return first.identical_to(second)


def _other(operands: Sequence[Operand]) -> Any:
    return ~_same(operands)


def _between(operands: Sequence[Operand]) -> Any:
    value, low, high = alike(operands)
    return value.between(low, high)


def _in(operands: Sequence[Operand]) -> Any:
    value, *options = alike(operands)
    return value.isin(options)


def _one_of(operands: Sequence[Operand]) -> Any:
    """Null is among the options if it is written there."""
    import ibis

    value, *options = operands
    rest = [option for option in options if not (option.is_written and option.constant is None)]
    null_counts = len(rest) < len(options)
    if null_counts and not all(option.is_written for option in rest):
        raise Refusal(
            options[0].position,
            "null stands beside options that are not written out",
            hint="say it as $or of $in and {$eq: [..., null]}",
        )
    if not rest:
        return _is_null([value]) if null_counts else ibis.literal(value=False)
    return _in([value, *rest]).fill_null(null_counts)


def _matches(operands: Sequence[Operand]) -> Any:
    """As a query document means it: a list matches by one of its elements."""
    value, wanted = operands
    if value.kind == "list" and wanted.kind not in ("list", "null"):
        return lists.contains(operands).fill_null(False)  # noqa: FBT003 - a value, no option
    return _same(operands)


def _matches_kept(operands: Sequence[Operand]) -> Any:
    value, wanted = operands
    if value.kind == "list" and wanted.kind != "list":
        return lists.contains(operands)
    return operator.eq(*alike(operands))


def _joined(combine: Callable[[Any, Any], Any]) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        values = [operand.value for operand in operands]
        # In halves: a chain of a thousand terms would be a thousand levels of SQL.
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            odd = values[-1:] if len(values) % 2 else []
            values = [*(combine(left, right) for left, right in pairs), *odd]
        return values[0]

    return build


def _case(operands: Sequence[Operand]) -> Any:
    import ibis

    conditions = [operand.value for operand in operands[: len(operands) // 2 * 2 : 2]]
    outcomes = [*operands[1::2], *(operands[-1:] if len(operands) % 2 else ())]
    values = merged(outcomes)
    branches = list(zip(conditions, values, strict=False))
    if len(operands) % 2:
        return ibis.cases(*branches, else_=values[-1])
    return ibis.cases(*branches)


def _coalesce(operands: Sequence[Operand]) -> Any:
    import ibis

    return ibis.coalesce(*merged(operands))


def _null_if(operands: Sequence[Operand]) -> Any:
    value, unwanted = alike(operands)
    return without(value, unwanted)


def _outermost(name: str) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        import ibis

        # What cannot be compared has no least.
        alike(operands)
        return getattr(ibis, name)(*merged(operands))

    return build


CONDITIONS = (
    Operation("equal", ("alike", "alike"), _compares(operator.eq)),
    Operation("differs", ("alike", "alike"), _compares(operator.ne)),
    Operation("less", ("alike", "alike"), _compares(operator.lt)),
    Operation("at_most", ("alike", "alike"), _compares(operator.le)),
    Operation("greater", ("alike", "alike"), _compares(operator.gt)),
    Operation("at_least", ("alike", "alike"), _compares(operator.ge)),
    Operation("same", ("any", "any"), _same, certain=True, kept_as="equal"),
    Operation("other", ("any", "any"), _other, certain=True),
    Operation("between", ("alike", "alike", "alike"), _between),
    Operation("in", ("alike", "alike"), _in, repeats=True),
    Operation("one_of", ("alike", "alike"), _one_of, optional=1, repeats=True, certain=True),
    Operation("matches", ("any", "alike"), _matches, certain=True, kept_as="matches_kept"),
    Operation("matches_kept", ("any", "alike"), _matches_kept),
    Operation("is_null", ("any",), _is_null, certain=True),
    Operation(
        "is_true",
        ("boolean",),
        lambda operands: operands[0].value.fill_null(False),  # noqa: FBT003 - a value, no option
        certain=True,
    ),
    Operation("and", ("boolean",), _joined(operator.and_), repeats=True),
    Operation("or", ("boolean",), _joined(operator.or_), repeats=True),
    Operation("not", ("boolean",), lambda operands: ~operands[0].value),
    Operation("case", (), _case, pairs=True),
    Operation("coalesce", ("merged",), _coalesce, repeats=True),
    Operation("null_if", ("alike", "alike"), _null_if),
    Operation("least", ("alike", "alike"), _outermost("least"), repeats=True),
    Operation("greatest", ("alike", "alike"), _outermost("greatest"), repeats=True),
)

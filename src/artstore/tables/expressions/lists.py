"""
Lists: their length, their elements, what is in them, what they come to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from artstore.tables.expressions.kinds import COMPARABLE, Operand, alike, kind_of, merged, said
from artstore.tables.expressions.operation import Operation
from artstore.tables.expressions.paths import LoopBody
from artstore.tables.expressions.refusal import TYPE_INVALID, Refusal

__all__ = ["LISTS", "contains"]


def contains(operands: Sequence[Operand]) -> Any:
    """Whether an element of the list equals the value."""
    import ibis.expr.operations as ops

    listed, wanted = operands
    inside = listed.value.type().value_type
    if inside.is_null():
        return ops.ArrayContains(listed.value, wanted.value).to_expr()
    # One element stands for all of them: what it is made to be compared is done to each.
    sample = ops.Argument("element", wanted.value.op().shape, inside).to_expr()
    element, value = alike([Operand(sample, listed.position), wanted])
    searched = listed.value
    if not element.equals(sample):
        made_alike = LoopBody(
            "element", lambda one: alike([Operand(one, listed.position), wanted])[0]
        )
        searched = searched.map(made_alike)
    return ops.ArrayContains(searched, value).to_expr()


def _length(operands: Sequence[Operand]) -> Any:
    return operands[0].value.length()


def _element(operands: Sequence[Operand]) -> Any:
    """The element at a place counted from 0; from the end if it is negative."""
    import ibis

    listed, place = operands
    if place.is_written:
        at = _place(place)
        return _nothing(listed) if at is None else listed.value[at]
    # Ibis names the place twice in its SQL: places in places would double it each time.
    places = ibis.array([place.value.try_cast("int64")])
    return places.map(LoopBody("place", lambda at: listed.value[at]))[0]


def _item(operands: Sequence[Operand]) -> Any:
    """The element at a place counted from 1, as SQL does; there is none at 0."""
    import ibis

    listed, place = operands
    if place.is_written:
        at = _place(place)
        return listed.value[at - 1 if at > 0 else at] if at else _nothing(listed)
    places = ibis.array([place.value.try_cast("int64")])
    return places.map(
        LoopBody("place", lambda at: listed.value[ibis.ifelse(at > 0, at - 1, at.nullif(0))])
    )[0]


def _nothing(listed: Operand) -> Any:
    """Null, as an element of the list."""
    import ibis

    return ibis.literal(None, listed.value.type().value_type)


def _place(place: Operand) -> int | None:
    at = place.constant
    if at is None:
        return None
    assert isinstance(at, int)
    if abs(at) >= 2**31:
        raise Refusal(place.position, "no list is so long", kind=TYPE_INVALID)
    return at


def _list(operands: Sequence[Operand]) -> Any:
    import ibis

    return ibis.array(merged(operands)) if operands else ibis.literal([], "array<null>")


def _over(name: str, wanted: frozenset[str]) -> Callable[[Sequence[Operand]], Any]:
    """The method of that name of a list of Ibis whose elements are of one of these kinds."""

    def build(operands: Sequence[Operand]) -> Any:
        return getattr(_elements(operands[0], wanted), name)()

    return build


def _any(operands: Sequence[Operand]) -> Any:
    true = _elements(operands[0], _BOOLEAN).filter(LoopBody("element", lambda element: element))
    return true.length() > 0


def _all(operands: Sequence[Operand]) -> Any:
    wrong = LoopBody("element", lambda element: ~element.fill_null(False))  # noqa: FBT003 - a value
    return _elements(operands[0], _BOOLEAN).filter(wrong).length() == 0


def _elements(operand: Operand, wanted: frozenset[str]) -> Any:
    """The list, if its elements are of one of these kinds; of `[]` they are of any."""
    kind = kind_of(operand.value.type().value_type)
    if kind == "null":
        return operand.value.cast("array<boolean>" if wanted == _BOOLEAN else "array<int64>")
    if kind not in wanted:
        what = said(next(iter(wanted))) if len(wanted) == 1 else "what can be compared"
        raise Refusal(
            operand.position,
            f"a list of {what} is wanted here, not of {said(kind)}",
            kind=TYPE_INVALID,
        )
    return operand.value


_BOOLEAN: Final = frozenset(("boolean",))
_NUMBER: Final = frozenset(("number",))

LISTS = (
    Operation("size", ("list",), _length),
    Operation("contains", ("list", "any"), contains),
    Operation("element", ("list", "whole"), _element),
    Operation("item", ("list", "whole"), _item),
    Operation("list", ("merged",), _list, optional=1, repeats=True),
    Operation("list_min", ("list",), _over("mins", COMPARABLE)),
    Operation("list_max", ("list",), _over("maxs", COMPARABLE)),
    Operation("list_sum", ("list",), _over("sums", _NUMBER)),
    Operation("list_mean", ("list",), _over("means", _NUMBER)),
    Operation("any", ("list",), _any),
    Operation("all", ("list",), _all),
)

"""
What a group of rows comes to: `mean(score)`, for `group_by(...).agg(...)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from artstore import forks
from artstore.tables.expressions import sql, sqltext
from artstore.tables.expressions.compiler import compiled
from artstore.tables.expressions.kinds import COMPARABLE, Operand, number, said
from artstore.tables.expressions.reading import LATE_MODULES
from artstore.tables.expressions.refusal import (
    TYPE_INVALID,
    Refusal,
    checked,
    did_you_mean,
    told,
)
from artstore.tables.expressions.scope import Scope
from artstore.tables.expressions.tree import Constant, Node

__all__ = ["AGGREGATES", "parse_aggregate"]

_NAME: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*\(")


def parse_aggregate(text: str, scope: Scope) -> Any:
    """
    An aggregate of the values of an expression: `mean(score)`, `quantile(score, 0.9)`.

    Args:
        text: one of `AGGREGATES` with an SQL expression inside.
        scope: what the names stand for.
    Returns:
        A scalar of Ibis, for `agg`.
    Raises:
        InvalidInputError: `expression-invalid`, `expression-type-invalid`, `column-unknown`,
            `column-ambiguous`, with `position` and the text in the message.
        LimitExceededError: `limit-exceeded`.
    Cost: no row is read.
    """
    forks.import_late(LATE_MODULES)
    checked(text)
    with told(text):
        name, position, arguments = _taken_apart(text)
        if name == "count":
            return _count(arguments, position, scope)
        if name == "quantile":
            return _quantile(arguments, position, scope)
        if len(arguments) != 1:
            raise Refusal(position, f"{name} takes 1 argument, not {len(arguments)}")
        return _OF_ONE[name](_operand(sql.read_parsed(arguments[0]), scope))


def _taken_apart(text: str) -> tuple[str, int, list[Any]]:
    """The name in front, where it stands, and its arguments as sqlglot has them."""
    named = _NAME.match(text)
    if named is None:
        raise Refusal(0, "an aggregate is wanted here", hint=f"write {_EXAMPLES}")
    name, start = named[1].lower(), named.start(1)
    if name not in AGGREGATES:
        raise Refusal(
            start, f"there is no aggregate {named[1]!r}", hint=did_you_mean(name, AGGREGATES)
        )
    # DISTINCT is no name to the parser. As long a name keeps everything in its place.
    found = sqltext.parsed(text[:start] + "f".ljust(len(name)) + text[start + len(name) :])
    if found.key != "anonymous" or str(found.this) != "f":
        raise Refusal(
            start, "an aggregate stands alone", hint=f"compute inside of it: {name}(a + b)"
        )
    return name, start, list(found.expressions)


def _count(arguments: list[Any], position: int, scope: Scope) -> Any:
    if len(arguments) > 1:
        raise Refusal(position, f"count takes 1 argument, not {len(arguments)}")
    if not arguments or arguments[0].key == "star":
        return scope.row_count(position)
    (argument,) = arguments
    if argument.key == "distinct":
        if len(argument.expressions) != 1 or argument.args.get("on"):
            raise Refusal(position, "DISTINCT takes one value")
        return _operand(sql.read_parsed(argument.expressions[0]), scope).value.nunique()
    node = sql.read_parsed(argument)
    if isinstance(node, Constant) and node.value is not None:
        # count(1), as people write it.
        return scope.row_count(position)
    return _operand(node, scope).value.count()


def _quantile(arguments: list[Any], position: int, scope: Scope) -> Any:
    if len(arguments) != 2:
        raise Refusal(position, f"quantile takes 2 arguments, not {len(arguments)}")
    node, share = (sql.read_parsed(argument) for argument in arguments)
    return _number(_operand(node, scope)).cast("float64").quantile(_share(share))


def _operand(node: Node, scope: Scope) -> Operand:
    value = compiled(node, scope)
    if value.op().shape.is_scalar():
        raise Refusal(node.position, "a column is wanted here: this is the same in every row")
    return Operand(value, node.position)


def _share(node: Node) -> float:
    value = node.value if isinstance(node, Constant) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise Refusal(node.position, "a number from 0 to 1 is wanted here, written out")


def _number(operand: Operand) -> Any:
    """A number; true counts as 1, so that a mean of booleans is a share."""
    if operand.kind == "boolean":
        return operand.value.cast("int64")
    if operand.kind != "number":
        raise Refusal(
            operand.position,
            f"a number is wanted here, not {said(operand.kind)}",
            kind=TYPE_INVALID,
        )
    return number(operand)


def _ordered(operand: Operand) -> Any:
    if operand.kind not in COMPARABLE:
        raise Refusal(
            operand.position, f"{said(operand.kind)} cannot be compared", kind=TYPE_INVALID
        )
    return operand.value


def _deviation(operand: Operand) -> Any:
    """NaN if there is a value that is not finite, for which DuckDB ends the query."""
    import ibis

    value = _number(operand)
    if value.type().is_integer():
        return value.std()
    endless = value.isnan() | value.isinf()
    return ibis.ifelse(endless.any(), float("nan"), value.std(where=~endless))


AGGREGATES: Final[Mapping[str, str]] = {
    "count": "rows: count(*); rows where a value is not null: count(x)",
    "distinct": "different values, without null",
    "sum": "the sum",
    "mean": "the mean; of true and false, the share of true",
    "avg": "the same as mean",
    "median": "the middle value, or the mean of both in the middle",
    "quantile": "the value below which a share of the others lies: quantile(x, 0.9)",
    "min": "the smallest value",
    "max": "the largest value",
    "stddev": "the standard deviation of a sample",
}
"""Names, and what they give. Null is left out; of no values all give null, or count 0."""

_EXAMPLES: Final = "count(*), mean(score), quantile(score, 0.9)"

_OF_ONE: Final[Mapping[str, Callable[[Operand], Any]]] = {
    "distinct": lambda operand: operand.value.nunique(),
    "sum": lambda operand: _number(operand).sum(),
    "mean": lambda operand: _number(operand).mean(),
    "avg": lambda operand: _number(operand).mean(),
    "median": lambda operand: _number(operand).cast("float64").median(),
    "min": lambda operand: _ordered(operand).min(),
    "max": lambda operand: _ordered(operand).max(),
    "stddev": _deviation,
}

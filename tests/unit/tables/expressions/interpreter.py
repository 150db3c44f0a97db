"""
What Mongo's operators mean, in plain Python, as docs/reference/expressions.md tells it.

Written from the page, without a look at how the package does it: null is None, lists are
lists, and a condition is True or False.
"""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["TooLarge", "evaluated"]


class TooLarge(Exception):  # noqa: N818 - what DuckDB ends a query for
    """A whole number that 64 bits do not hold."""


def evaluated(tree: Any, row: dict[str, Any], elements: dict[str, Any] | None = None) -> Any:
    """The value of an expression in a row."""
    elements = elements or {}
    if isinstance(tree, str) and tree.startswith("$$"):
        return elements[tree[2:]]
    if isinstance(tree, str) and tree.startswith("$"):
        return row[tree[1:]]
    if isinstance(tree, list):
        return [evaluated(one, row, elements) for one in tree]
    if not isinstance(tree, dict):
        return tree
    ((name, given),) = tree.items()
    if name == "$filter":
        return filtered(given, row, elements)
    if name == "$map":
        over = evaluated(given["input"], row, elements)
        return over and [
            evaluated(given["in"], row, {**elements, given["as"]: one}) for one in over
        ]
    if name == "$regexMatch":
        text = evaluated(given["input"], row, elements)
        return text is not None and re.search(given["regex"], text) is not None
    if name == "$switch":
        for branch in given["branches"]:
            if evaluated(branch["case"], row, elements) is True:
                return evaluated(branch["then"], row, elements)
        return evaluated(given["default"], row, elements)
    arguments = given if isinstance(given, list) else [given]
    values = [evaluated(one, row, elements) for one in arguments]
    return checked(OPERATORS[name](*values))


def filtered(given: dict[str, Any], row: dict[str, Any], elements: dict[str, Any]) -> Any:
    over = evaluated(given["input"], row, elements)
    if over is None:
        return None
    name = given["as"]
    return [one for one in over if evaluated(given["cond"], row, {**elements, name: one}) is True]


def checked(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise TooLarge
    return value


def order(value: Any) -> Any:
    """NaN is larger than all other numbers."""
    return (isinstance(value, float) and math.isnan(value), value)


def same(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    return not precedes(left, right) and not precedes(right, left)


def precedes(left: Any, right: Any) -> bool:
    one, other = order(left), order(right)
    if one[0] or other[0]:
        return bool(other[0] and not one[0])
    return bool(left < right)


def ordering(test: Any) -> Any:
    return lambda left, right: None not in (left, right) and test(left, right)


def over_null(compute: Any) -> Any:
    """Null if any argument is."""
    return lambda *values: None if any(value is None for value in values) else compute(*values)


def divided(left: float, right: float) -> float | None:
    return None if right == 0 else left / right


def remainder(left: float, right: float) -> float | None:
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        return int(math.copysign(abs(left) % abs(right), left))
    return math.fmod(left, right)


def whole(round_off: Any) -> Any:
    def of(value: float) -> float:
        if isinstance(value, int) or math.isnan(value) or math.isinf(value):
            return value
        return float(round_off(value))

    return of


def half_away(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def at(values: list[Any], place: int) -> Any:
    return values[place] if -len(values) <= place < len(values) else None


def least(first: Any, *rest: Any) -> Any:
    """Of one list its elements, of several values these."""
    values = first if isinstance(first, list) and not rest else [first, *rest]
    found = None
    for value in values or []:
        if value is not None and (found is None or precedes(value, found)):
            found = value
    return found


def greatest(first: Any, *rest: Any) -> Any:
    values = first if isinstance(first, list) and not rest else [first, *rest]
    found = None
    for value in values or []:
        if value is not None and (found is None or precedes(found, value)):
            found = value
    return found


def total(first: Any, *rest: Any) -> Any:
    values = first if isinstance(first, list) and not rest else [first, *rest]
    known = [value for value in values or [] if value is not None]
    return sum(known) if known else None


OPERATORS: dict[str, Any] = {
    "$eq": same,
    "$ne": lambda left, right: not same(left, right),
    "$gt": ordering(lambda left, right: precedes(right, left)),
    "$gte": ordering(lambda left, right: not precedes(left, right)),
    "$lt": ordering(precedes),
    "$lte": ordering(lambda left, right: not precedes(right, left)),
    "$in": lambda value, options: any(same(value, option) for option in options or []),
    "$nin": lambda value, options: not any(same(value, option) for option in options or []),
    "$exists": lambda value: value is not None,
    "$and": lambda *values: all(value is True for value in values),
    "$or": lambda *values: any(value is True for value in values),
    "$not": lambda value: value is not True,
    "$nor": lambda *values: not any(value is True for value in values),
    "$cond": lambda asked, then, otherwise: then if asked is True else otherwise,
    "$ifNull": lambda *values: next((value for value in values if value is not None), None),
    "$add": over_null(lambda *values: sum(values[1:], values[0])),
    "$subtract": over_null(lambda left, right: left - right),
    "$multiply": over_null(lambda *values: math.prod(values)),
    "$divide": over_null(divided),
    "$mod": over_null(remainder),
    "$abs": over_null(abs),
    "$floor": over_null(whole(math.floor)),
    "$ceil": over_null(whole(math.ceil)),
    "$trunc": over_null(whole(math.trunc)),
    "$round": over_null(whole(half_away)),
    "$concat": over_null(lambda *values: "".join(values)),
    "$toUpper": over_null(str.upper),
    "$toLower": over_null(str.lower),
    "$strLenCP": over_null(len),
    "$substrCP": over_null(lambda text, first, count: text[first : first + count]),
    "$split": over_null(str.split),
    "$size": over_null(len),
    "$arrayElemAt": over_null(at),
    "$first": over_null(lambda values: at(values, 0)),
    "$last": over_null(lambda values: at(values, -1)),
    "$min": least,
    "$max": greatest,
    "$sum": total,
    "$anyElementTrue": lambda values: any(value is True for value in values or []),
    "$allElementsTrue": lambda values: (
        values is not None and all(value is True for value in values)
    ),
}

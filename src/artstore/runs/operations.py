"""
What the operations of expressions make of plain values of Python: numbers, texts, lists.

The meaning is that of tables (docs/reference/expressions.md), whose engine is DuckDB.
What a table tells before a row is read is here told of each value, since a config may
hold a text in one run and a number in the next: values of two kinds are not equal, and
neither is less; an operation on a value of a kind that it does not take gives null.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final

__all__ = [
    "BOOLEAN",
    "FUNCTIONS",
    "LIST",
    "NUMBER",
    "TEXT",
    "TIME",
    "equals",
    "kind_of",
    "precedes",
]

BOOLEAN, NUMBER, TEXT, TIME, LIST = "boolean", "number", "text", "time", "list"

_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: BOOLEAN,
    int: NUMBER,
    float: NUMBER,
    str: TEXT,
    dt.date: TIME,
    dt.datetime: TIME,
    list: LIST,
    dict: "struct",
}
_SPACE: Final = " \t\n\r\v\f"
_TRUE: Final = frozenset(["true", "t", "1", "yes", "y"])
_FALSE: Final = frozenset(["false", "f", "0", "no", "n"])
_WHOLE_LIMIT: Final = 2**63


def kind_of(value: Any) -> str:
    """`null`, `boolean`, `number`, `text`, `time`, `list` or `struct`."""
    return _KINDS.get(type(value), "struct")


def equals(one: Any, other: Any) -> bool:
    """Whether two values that are not null are the same; NaN is, and 1 is 1.0 but not true."""
    if type(one) is not type(other):
        kind = kind_of(one)
        if kind != kind_of(other):
            return False
        if kind == TIME:
            return _moment(one) == _moment(other)
    if type(one) is list:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN


def precedes(one: Any, other: Any) -> bool:
    """Whether `one` is less; neither is null. NaN is larger than all other numbers."""
    kind = kind_of(one)
    if kind != kind_of(other) or kind in (LIST, "struct"):
        return False
    if kind == TIME:
        return _moment(one) < _moment(other)
    if one != one:  # noqa: PLR0124 - NaN
        return False
    return bool(one < other) or other != other  # noqa: PLR0124 - NaN


def _moment(value: dt.date) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    return dt.datetime.combine(value, dt.time.min)


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return equals(one, other)


def _is_comparable(one: Any, other: Any) -> bool:
    return kind_of(one) == kind_of(other)


def _at_most(one: Any, other: Any) -> bool:
    return _is_comparable(one, other) and not precedes(other, one) and kind_of(one) != LIST


# combining ------------------------------------------------------------------------------


def _and(*values: Any) -> bool | None:
    if any(value is False for value in values):
        return False
    return True if all(value is True for value in values) else None


def _or(*values: Any) -> bool | None:
    if any(value is True for value in values):
        return True
    return False if all(value is False for value in values) else None


def _between(value: Any, low: Any, high: Any) -> bool | None:
    return _and(
        None if value is None or low is None else _at_most(low, value),
        None if value is None or high is None else _at_most(value, high),
    )


def _in(value: Any, *options: Any) -> bool | None:
    if value is None:
        return None
    if any(option is not None and equals(value, option) for option in options):
        return True
    return None if any(option is None for option in options) else False


def _one_of(value: Any, *options: Any) -> bool:
    """As a query of Mongo means it: of a list one element is enough."""
    if type(value) is list:
        return any(_one_of(element, *options) for element in value)
    return any(_same(value, option) for option in options)


def _matches(value: Any, wanted: Any) -> bool:
    if type(value) is list and wanted is not None and type(wanted) is not list:
        return any(_same(element, wanted) for element in value)
    return _same(value, wanted)


def _case(*values: Any) -> Any:
    for at in range(0, len(values) - 1, 2):
        if values[at] is True:
            return values[at + 1]
    return values[-1] if len(values) % 2 else None


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _outermost(is_better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def choose(*values: Any) -> Any:
        known = [value for value in values if value is not None]
        if len({kind_of(value) for value in known}) != 1:
            return None
        return reduce(lambda best, value: value if is_better(value, best) else best, known)

    return choose


_least = _outermost(precedes)
_greatest = _outermost(lambda value, best: precedes(best, value))


# numbers --------------------------------------------------------------------------------


def _chain(combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *values: reduce(combine, values)


def _divide(dividend: float, divisor: float) -> float | None:
    return None if divisor == 0 else dividend / divisor


def _remainder(dividend: float, divisor: float) -> float | None:
    if divisor == 0:
        return None
    if type(dividend) is int and type(divisor) is int:
        rest = abs(dividend) % abs(divisor)
        return -rest if dividend < 0 else rest
    try:
        return math.fmod(dividend, divisor)
    except ValueError:
        return math.nan


def _whole(round_off: Callable[[float], float]) -> Callable[..., float]:
    def of(value: float, *places: int) -> float:
        if type(value) is int or not math.isfinite(value):
            return value
        scale = 10.0 ** places[0] if places else 1.0
        found = round_off(value * scale) / scale
        return math.copysign(found, value) if math.isfinite(found) else value

    return of


def _half_away(value: float) -> float:
    size = abs(value)
    below = math.floor(size)
    return math.copysign(below + (size - below >= 0.5), value)


def _above(bound: float, function: Callable[[float], float]) -> Callable[[float], float | None]:
    """Of numbers from `bound` on, and of NaN."""

    def of(value: float) -> float | None:
        return None if value < bound else function(float(value))

    return of


def _exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _power(base: float, exponent: float) -> float:
    base, exponent = float(base), float(exponent)
    try:
        return math.pow(base, exponent)
    except OverflowError:
        is_odd = math.fmod(exponent, 2) != 0
        return -math.inf if base < 0 and is_odd else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


# texts ----------------------------------------------------------------------------------


def _part(text: str, first: int, *count: int) -> str:
    return text[first - 1 : first - 1 + count[0]] if count else text[first - 1 :]


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


# lists ----------------------------------------------------------------------------------


def _element(listed: Sequence[Any], place: int) -> Any:
    return listed[place] if -len(listed) <= place < len(listed) else None


def _item(listed: Sequence[Any], place: int) -> Any:
    return _element(listed, place - 1 if place > 0 else place) if place else None


def _contains(listed: Sequence[Any], wanted: Any) -> bool:
    return any(one is not None and equals(one, wanted) for one in listed)


def _of_numbers(compute: Callable[[list[float]], float]) -> Callable[[Sequence[Any]], float | None]:
    def of(listed: Sequence[Any]) -> float | None:
        known = [value for value in listed if value is not None]
        if not known or any(kind_of(value) != NUMBER for value in known):
            return None
        return compute(known)

    return of


# times, other kinds ---------------------------------------------------------------------


def _as_text(value: Any) -> str | None:
    kind = kind_of(value)
    if kind == BOOLEAN:
        return "true" if value else "false"
    if kind == TIME:
        return value.isoformat(*[" "] * isinstance(value, dt.datetime))  # type: ignore[no-any-return]
    if type(value) is float:
        return repr(value).replace("e+", "e")
    return str(value) if kind in (NUMBER, TEXT) else None


def _as_number(value: Any) -> float | None:
    if kind_of(value) not in (BOOLEAN, NUMBER, TEXT):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _as_whole(value: Any) -> int | None:
    if type(value) is int:
        return value
    number = _as_number(value)
    if number is None or not math.isfinite(number) or abs(number) >= _WHOLE_LIMIT:
        return None
    return int(_half_away(number)) if type(value) is str else round(number)


def _as_boolean(value: Any) -> bool | None:
    kind = kind_of(value)
    if kind == TEXT:
        folded = value.lower()
        return True if folded in _TRUE else False if folded in _FALSE else None
    return bool(value) if kind in (BOOLEAN, NUMBER) else None


def _as_timestamp(value: Any) -> dt.datetime | None:
    if kind_of(value) == TIME:
        return _moment(value)
    if type(value) is not str:
        return None
    try:
        found = dt.datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.tzinfo is None else found.astimezone(dt.UTC).replace(tzinfo=None)


def _as_date(value: Any) -> dt.date | None:
    found = _as_timestamp(value)
    return None if found is None else found.date()


def _time_part(name: str) -> Callable[[dt.date], int]:
    return lambda value: int(getattr(_moment(value), name))


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """Null if an argument is, or if the result has no place among numbers."""

    def of(*values: Any) -> Any:
        if None in values:
            return None
        try:
            return function(*values)
        except (OverflowError, ValueError):
            # Also of whole numbers with more digits than Python writes out.
            return None

    return of


_STRICT: Final[dict[str, tuple[Callable[..., Any], str]]] = {
    "equal": (equals, BOOLEAN),
    "differs": (lambda one, other: not equals(one, other), BOOLEAN),
    "less": (precedes, BOOLEAN),
    "at_most": (_at_most, BOOLEAN),
    "greater": (lambda one, other: precedes(other, one), BOOLEAN),
    "at_least": (lambda one, other: _at_most(other, one), BOOLEAN),
    "not": (operator.not_, BOOLEAN),
    "add": (_chain(operator.add), NUMBER),
    "subtract": (operator.sub, NUMBER),
    "multiply": (_chain(operator.mul), NUMBER),
    "divide": (_divide, NUMBER),
    "remainder": (_remainder, NUMBER),
    "negate": (operator.neg, NUMBER),
    "absolute": (abs, NUMBER),
    "floor": (_whole(math.floor), NUMBER),
    "ceil": (_whole(math.ceil), NUMBER),
    "trunc": (_whole(math.trunc), NUMBER),
    "round": (_whole(_half_away), NUMBER),
    "root": (_above(0.0, math.sqrt), NUMBER),
    "logarithm": (_above(5e-324, math.log), NUMBER),
    "logarithm_10": (_above(5e-324, math.log10), NUMBER),
    "exponential": (_exponential, NUMBER),
    "power": (_power, NUMBER),
    "is_nan": (lambda value: value != value, BOOLEAN),  # noqa: PLR0124 - NaN
    "concatenate": (lambda *values: "".join(values), TEXT),
    "lower": (str.lower, TEXT),
    "upper": (str.upper, TEXT),
    "trim": (lambda text: text.strip(_SPACE), TEXT),
    "trim_left": (lambda text: text.lstrip(_SPACE), TEXT),
    "trim_right": (lambda text: text.rstrip(_SPACE), TEXT),
    "text_length": (len, NUMBER),
    "length": (len, NUMBER),
    "part": (_part, TEXT),
    "split": (_split, LIST),
    "has_part": (operator.contains, BOOLEAN),
    "starts_with": (str.startswith, BOOLEAN),
    "ends_with": (str.endswith, BOOLEAN),
    "size": (len, NUMBER),
    "contains": (_contains, BOOLEAN),
    "element": (_element, "any"),
    "item": (_item, "any"),
    "list_min": (lambda listed: _least(*listed), "any"),
    "list_max": (lambda listed: _greatest(*listed), "any"),
    "list_sum": (_of_numbers(sum), NUMBER),
    "list_mean": (_of_numbers(lambda known: sum(known) / len(known)), NUMBER),
    "any": (lambda listed: any(value is True for value in listed), BOOLEAN),
    "all": (lambda listed: all(value is True for value in listed), BOOLEAN),
    "year": (_time_part("year"), NUMBER),
    "month": (_time_part("month"), NUMBER),
    "day": (_time_part("day"), NUMBER),
    "hour": (_time_part("hour"), NUMBER),
    "minute": (_time_part("minute"), NUMBER),
    "second": (_time_part("second"), NUMBER),
    "as_text": (_as_text, TEXT),
    "as_number": (_as_number, NUMBER),
    "as_whole": (_as_whole, NUMBER),
    "as_boolean": (_as_boolean, BOOLEAN),
    "as_date": (_as_date, TIME),
    "as_timestamp": (_as_timestamp, TIME),
}

FUNCTIONS: Final[dict[str, tuple[Callable[..., Any], str]]] = {
    **{name: (_strict(function), kind) for name, (function, kind) in _STRICT.items()},
    "same": (_same, BOOLEAN),
    "other": (lambda one, other: not _same(one, other), BOOLEAN),
    "between": (_between, BOOLEAN),
    "in": (_in, BOOLEAN),
    "one_of": (_one_of, BOOLEAN),
    "matches": (_matches, BOOLEAN),
    "is_null": (lambda value: value is None, BOOLEAN),
    "is_true": (lambda value: value is True, BOOLEAN),
    "and": (_and, BOOLEAN),
    "or": (_or, BOOLEAN),
    "case": (_case, "merged"),
    "coalesce": (_coalesce, "merged"),
    "null_if": (lambda value, unwanted: None if _same(value, unwanted) else value, "merged"),
    "least": (_least, "merged"),
    "greatest": (_greatest, "merged"),
    "list": (lambda *values: list(values), LIST),
}
"""
By the name of the operation, what computes it and the kind of what it gives; `merged` is
that of its arguments. Patterns are made by `patterns.py`: `like`, `like_any_case`, `regex`.
"""

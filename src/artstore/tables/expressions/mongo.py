"""
Expressions of Mongo's aggregation language, to the tree that both languages share.

Every condition is true or false: where an operation of SQL would give null, `sure`
puts false. `{guess: 3}` and the like, documents of queries, are read by
`mongoquery.py`; wherever a condition stands, it may be one of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from artstore.tables.expressions import mongoquery, relaxed
from artstore.tables.expressions.mongovalues import constant, date, named, scalar, sure
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.refusal import Refusal, did_you_mean
from artstore.tables.expressions.relaxed import JsonList, JsonMapping, JsonScalar, JsonValue
from artstore.tables.expressions.tree import Call, Constant, Loop, Node

__all__ = ["OPERATORS", "read"]

_Handler = Callable[[JsonScalar, JsonValue], Node]


def read(text: str) -> Node:
    """
    The tree of a Mongo expression, or of the document of a query.

    Raises:
        Refusal: it is neither.
        LimitRefusal: more brackets inside one another than `relaxed.BRACKET_COUNT`.
    """
    value = relaxed.read(text)
    return _condition(value) if _is_query(value) else _expression(value)


def _is_query(value: JsonValue) -> bool:
    return isinstance(value, JsonMapping) and mongoquery.is_query(value)


def _condition(value: JsonValue) -> Node:
    """What must be true or false, and never null."""
    if isinstance(value, JsonMapping) and mongoquery.is_query(value):
        return mongoquery.read(value, _condition)
    return sure(_expression(value))


def _expression(value: JsonValue) -> Node:
    """Any value: an operator, a path, a constant, a list."""
    if isinstance(value, JsonScalar):
        return scalar(value)
    if isinstance(value, JsonList):
        return Call("list", tuple(_expression(inside) for inside in value.values), value.position)
    if not value.members:
        raise Refusal(value.position, "an empty object says nothing")
    (key, inside), *others = value.members
    name = str(key.value)
    if not name.startswith("$"):
        raise Refusal(
            key.position,
            f"an operator is wanted here, and {name!r} is none",
            hint="operators begin with $: {$gt: ['$score', 0.5]}",
        )
    if name not in OPERATORS:
        raise Refusal(
            key.position, f"there is no operator {name}", hint=did_you_mean(name, OPERATORS)
        )
    if others:
        raise Refusal(
            others[0][0].position, "an object has one operator", hint="join conditions with $and"
        )
    return OPERATORS[name](key, inside)


def _values(value: JsonValue) -> tuple[JsonValue, ...]:
    """The arguments of an operator: those in a list, or the only one."""
    return value.values if isinstance(value, JsonList) else (value,)


def _called(operation: str, key: JsonScalar, arguments: tuple[Node, ...]) -> Call:
    if OPERATIONS[operation].expects(len(arguments)) is None:
        raise Refusal(
            key.position,
            f"{key.value} takes {OPERATIONS[operation].arity}, not {len(arguments)}",
        )
    return Call(operation, arguments, key.position)


def _count(key: JsonScalar, value: JsonValue, least: int, most: int) -> tuple[JsonValue, ...]:
    values = _values(value)
    if not least <= len(values) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        plural = "" if wanted == "1" else "s"
        raise Refusal(
            key.position, f"{key.value} takes {wanted} argument{plural}, not {len(values)}"
        )
    return values


def _plain(operation: str) -> _Handler:
    """An operator that is one operation."""

    def handle(key: JsonScalar, value: JsonValue) -> Node:
        return _called(operation, key, tuple(_expression(one) for one in _values(value)))

    return handle


def _sure(operation: str) -> _Handler:
    """Likewise, with false for null."""

    def handle(key: JsonScalar, value: JsonValue) -> Node:
        return sure(_plain(operation)(key, value))

    return handle


def _logic(operation: str) -> _Handler:
    def handle(key: JsonScalar, value: JsonValue) -> Node:
        return _called(operation, key, tuple(_condition(one) for one in _values(value)))

    return handle


def _nor(key: JsonScalar, value: JsonValue) -> Node:
    return Call("not", (_logic("or")(key, value),), key.position)


def _in(key: JsonScalar, value: JsonValue) -> Node:
    wanted, among = _count(key, value, 2, 2)
    if isinstance(among, JsonList):
        options = (_expression(one) for one in among.values)
        return _called("one_of", key, (_expression(wanted), *options))
    return sure(_called("contains", key, (_expression(among), _expression(wanted))))


def _not_in(key: JsonScalar, value: JsonValue) -> Node:
    return Call("not", (_in(key, value),), key.position)


def _exists(key: JsonScalar, value: JsonValue) -> Node:
    path, *flags = _count(key, value, 1, 2)
    missing = Call("is_null", (_expression(path),), key.position)
    for flag in flags:
        if not isinstance(flag, JsonScalar) or not isinstance(flag.value, bool):
            raise Refusal(flag.position, "true or false is wanted here")
        if not flag.value:
            return missing
    return Call("not", (missing,), key.position)


def _loop(body: str) -> _Handler:
    """$filter, whose body is `cond`, and $map, whose body is `in`."""

    def handle(key: JsonScalar, value: JsonValue) -> Node:
        given = named(key, value, ("input", body), ("as",))
        variable = given.get("as")
        name = variable.value if isinstance(variable, JsonScalar) else None
        if variable is not None and not (isinstance(name, str) and name.isidentifier()):
            raise Refusal(variable.position, "a name is wanted here: letters, digits and _")
        keeps = body == "cond"
        inside = (_condition if keeps else _expression)(given[body])
        over = _expression(given["input"])
        return Loop(keeps, over, str(name or "this"), inside, key.position)

    return handle


def _cond(key: JsonScalar, value: JsonValue) -> Node:
    if isinstance(value, JsonMapping):
        given = named(key, value, ("if", "then", "else"))
        asked, then, otherwise = given["if"], given["then"], given["else"]
    else:
        asked, then, otherwise = _count(key, value, 3, 3)
    arguments = (_condition(asked), _expression(then), _expression(otherwise))
    return Call("case", arguments, key.position)


def _switch(key: JsonScalar, value: JsonValue) -> Node:
    given = named(key, value, ("branches",), ("default",))
    branches = given["branches"]
    if not isinstance(branches, JsonList) or not branches.values:
        raise Refusal(branches.position, "a list of branches is wanted here")
    arguments: list[Node] = []
    for branch in branches.values:
        parts = named(key, branch, ("case", "then"))
        arguments += (_condition(parts["case"]), _expression(parts["then"]))
    if "default" in given:
        arguments.append(_expression(given["default"]))
    return Call("case", tuple(arguments), key.position)


def _regex_match(key: JsonScalar, value: JsonValue) -> Node:
    given = named(key, value, ("input", "regex"), ("options",))
    arguments = [_expression(given["input"]), constant(given["regex"])]
    if "options" in given:
        arguments.append(constant(given["options"]))
    return sure(_called("regex", key, tuple(arguments)))


def _trim(operation: str) -> _Handler:
    def handle(key: JsonScalar, value: JsonValue) -> Node:
        return Call(operation, (_expression(named(key, value, ("input",))["input"]),), key.position)

    return handle


def _part(key: JsonScalar, value: JsonValue) -> Node:
    """Mongo counts characters from 0, the operation from 1."""
    text, first, count = (_expression(one) for one in _count(key, value, 3, 3))
    if isinstance(first, Constant) and isinstance(first.value, int):
        if first.value < 0:
            raise Refusal(first.position, "a number from 0 on is wanted here")
        first = Constant(first.value + 1, first.position)
    return Call("part", (text, first, count), key.position)


def _element_at(place: int) -> _Handler:
    def handle(key: JsonScalar, value: JsonValue) -> Node:
        (listed,) = _count(key, value, 1, 1)
        return Call("element", (_expression(listed), Constant(place, key.position)), key.position)

    return handle


def _over(of_list: str, of_values: str | None = None) -> _Handler:
    """Of the elements of one list, or of several values."""

    def handle(key: JsonScalar, value: JsonValue) -> Node:
        values = tuple(_expression(one) for one in _values(value))
        if len(values) == 1:
            return Call(of_list, values, key.position)
        if of_values is not None:
            return _called(of_values, key, values)
        return Call(of_list, (_called("list", key, values),), key.position)

    return handle


OPERATORS: Final[dict[str, _Handler]] = {
    # Comparing
    "$eq": _plain("same"),
    "$ne": _plain("other"),
    "$gt": _sure("greater"),
    "$gte": _sure("at_least"),
    "$lt": _sure("less"),
    "$lte": _sure("at_most"),
    "$in": _in,
    "$nin": _not_in,
    "$exists": _exists,
    # Combining and choosing
    "$and": _logic("and"),
    "$or": _logic("or"),
    "$not": _logic("not"),
    "$nor": _nor,
    "$cond": _cond,
    "$switch": _switch,
    "$ifNull": _plain("coalesce"),
    "$literal": lambda _, value: constant(value),
    "$date": lambda _, value: date(value),
    # Arithmetic
    "$add": _plain("add"),
    "$subtract": _plain("subtract"),
    "$multiply": _plain("multiply"),
    "$divide": _plain("divide"),
    "$mod": _plain("remainder"),
    "$abs": _plain("absolute"),
    "$floor": _plain("floor"),
    "$ceil": _plain("ceil"),
    "$round": _plain("round"),
    "$trunc": _plain("trunc"),
    "$sqrt": _plain("root"),
    "$ln": _plain("logarithm"),
    "$log10": _plain("logarithm_10"),
    "$exp": _plain("exponential"),
    "$pow": _plain("power"),
    # Text
    "$concat": _plain("concatenate"),
    "$toLower": _plain("lower"),
    "$toUpper": _plain("upper"),
    "$trim": _trim("trim"),
    "$ltrim": _trim("trim_left"),
    "$rtrim": _trim("trim_right"),
    "$strLenCP": _plain("text_length"),
    "$substrCP": _part,
    "$split": _plain("split"),
    "$regexMatch": _regex_match,
    # Lists
    "$size": _plain("size"),
    "$filter": _loop("cond"),
    "$map": _loop("in"),
    "$arrayElemAt": _plain("element"),
    "$first": _element_at(0),
    "$last": _element_at(-1),
    "$min": _over("list_min", "least"),
    "$max": _over("list_max", "greatest"),
    "$sum": _over("list_sum"),
    "$avg": _over("list_mean"),
    "$anyElementTrue": _sure("any"),
    "$allElementsTrue": _sure("all"),
    # Dates and times
    "$year": _plain("year"),
    "$month": _plain("month"),
    "$dayOfMonth": _plain("day"),
    "$hour": _plain("hour"),
    "$minute": _plain("minute"),
    "$second": _plain("second"),
    # Other kinds
    "$toString": _plain("as_text"),
    "$toDouble": _plain("as_number"),
    "$toBool": _plain("as_boolean"),
    "$toDate": _plain("as_timestamp"),
}
"""What each operator makes of its key and its value."""

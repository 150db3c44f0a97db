"""
Documents of queries as Mongo has them: `{guess: {$ne: 3}, score: {$gt: 0.5}}`.

Keys are paths, values are constants; all of them must hold. A list matches if one of
its elements does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from artstore.tables.expressions.mongovalues import constant, path_parts, sure
from artstore.tables.expressions.refusal import Refusal, did_you_mean
from artstore.tables.expressions.relaxed import JsonList, JsonMapping, JsonScalar, JsonValue
from artstore.tables.expressions.tree import Call, Constant, Field, Loop, Node, Path, Variable

__all__ = ["QUERY_OPERATORS", "is_query", "read"]

_Condition = Callable[[JsonValue], Node]
_Subject = Callable[[JsonScalar], Node]
"""From the key of a member to what it is about."""

_REGEX: Final = ("$regex", "$options")
"""They stand side by side, and are one operator."""

_ELEMENT: Final = "$element"
"""No `as` can name it."""


def is_query(value: JsonMapping) -> bool:
    """Whether an object names a field, or holds what only a query has."""
    names = [str(key.value) for key, _ in value.members]
    return (
        any(not name.startswith("$") for name in names)
        or names == ["$expr"]
        or (len(names) > 1 and all(name in _JOINED or name == "$expr" for name in names))
    )


def read(value: JsonMapping, condition: _Condition) -> Node:
    """
    The tree of a query.

    Args:
        condition: reads what stands in `$and` and `$expr`: a query or an expression.
    Raises:
        Refusal: it is none.
    """
    return _document(value, condition, lambda key: Path(*path_parts(key)))


def _document(value: JsonMapping, condition: _Condition, subject: _Subject) -> Node:
    return _all(
        [
            _joined(key, inside, condition, subject)
            if str(key.value).startswith("$")
            else _member(subject(key), inside)
            for key, inside in value.members
        ],
        value.position,
    )


def _all(conditions: list[Node], position: int) -> Node:
    return conditions[0] if len(conditions) == 1 else Call("and", tuple(conditions), position)


_JOINED: Final = ("$and", "$or", "$nor")


def _joined(key: JsonScalar, value: JsonValue, condition: _Condition, subject: _Subject) -> Node:
    name = str(key.value)
    if name == "$expr":
        return condition(value)
    if name not in _JOINED:
        raise Refusal(
            key.position,
            f"{name} does not stand beside fields",
            hint="an expression in a query is written {$expr: {...}}",
        )
    if not isinstance(value, JsonList) or not value.values:
        raise Refusal(value.position, f"{name} takes a list of conditions")
    conditions = [
        _document(inside, condition, subject)
        if isinstance(inside, JsonMapping) and is_query(inside)
        else condition(inside)
        for inside in value.values
    ]
    if name == "$and":
        return _all(conditions, key.position)
    either = Call("or", tuple(conditions), key.position)
    return either if name == "$or" else Call("not", (either,), key.position)


def _member(about: Node, value: JsonValue) -> Node:
    """The condition on one field."""
    if not isinstance(value, JsonMapping) or [key.value for key, _ in value.members] == ["$date"]:
        return _matches(about, value, value.position)
    if not value.members:
        raise Refusal(value.position, "an empty object says nothing")
    conditions: list[Node] = []
    for key, inside in value.members:
        name = str(key.value)
        if name == "$regex":
            conditions.append(_regex(about, key, value))
        elif name in QUERY_OPERATORS:
            conditions.append(QUERY_OPERATORS[name](about, key, inside))
        elif name not in _REGEX:
            raise _unknown(key)
    if not conditions:
        raise _unknown(value.members[0][0])
    return _all(conditions, value.position)


def _unknown(key: JsonScalar) -> Refusal:
    name = str(key.value)
    if not name.startswith("$"):
        return Refusal(
            key.position,
            "a struct is not compared as a whole",
            hint="name the field by its path: {'image.width': 28}",
        )
    return Refusal(
        key.position,
        f"there is no operator {name} in queries",
        hint=did_you_mean(name, [*QUERY_OPERATORS, "$regex"]),
    )


_Operator = Callable[[Node, JsonScalar, JsonValue], Node]


def _matches(about: Node, value: JsonValue, position: int) -> Node:
    if isinstance(value, JsonList):
        raise Refusal(
            value.position, "a list is not compared as a whole", hint="one of several is $in"
        )
    return Call("matches", (about, constant(value)), position)


def _equal(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    return _matches(about, value, key.position)


def _differs(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    return Call("not", (_matches(about, value, key.position),), key.position)


def _compares(operation: str) -> _Operator:
    def handle(about: Node, key: JsonScalar, value: JsonValue) -> Node:
        return sure(Call(operation, (about, constant(value)), key.position))

    return handle


def _in(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    if not isinstance(value, JsonList):
        raise Refusal(value.position, f"{key.value} takes a list")
    options = tuple(constant(inside) for inside in value.values)
    return Call("one_of", (about, *options), key.position)


def _not_in(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    return Call("not", (_in(about, key, value),), key.position)


def _exists(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    if not isinstance(value, JsonScalar) or not isinstance(value.value, bool):
        raise Refusal(value.position, "true or false is wanted here")
    missing = Call("is_null", (about,), key.position)
    return Call("not", (missing,), key.position) if value.value else missing


def _not(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    if not isinstance(value, JsonMapping):
        raise Refusal(value.position, "$not takes an object of operators")
    return Call("not", (_member(about, value),), key.position)


def _size(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    return sure(
        Call("equal", (Call("size", (about,), key.position), constant(value)), key.position)
    )


def _element_matches(about: Node, key: JsonScalar, value: JsonValue) -> Node:
    if not isinstance(value, JsonMapping) or not value.members:
        raise Refusal(value.position, "$elemMatch takes an object of fields or operators")
    element = Variable(_ELEMENT, value.position)

    def field(inside: JsonScalar) -> Node:
        node: Node = element
        for part, position in zip(*path_parts(inside), strict=True):
            node = Field(node, part, position)
        return node

    def refused(inside: JsonValue) -> Node:
        raise Refusal(inside.position, "only conditions on fields stand in $elemMatch")

    keys = [str(inside.value) for inside, _ in value.members]
    if all(key in QUERY_OPERATORS or key in _REGEX for key in keys):
        body = _member(element, value)
    else:
        body = _document(value, refused, field)
    found = Loop(keeps=True, over=about, variable=_ELEMENT, body=body, position=key.position)
    size = Call("size", (found,), key.position)
    return sure(Call("greater", (size, Constant(0, key.position)), key.position))


def _regex(about: Node, key: JsonScalar, value: JsonMapping) -> Node:
    given = {str(name.value): inside for name, inside in value.members}
    arguments = [about, constant(given["$regex"])]
    if "$options" in given:
        arguments.append(constant(given["$options"]))
    return sure(Call("regex", tuple(arguments), key.position))


QUERY_OPERATORS: Final[dict[str, _Operator]] = {
    "$eq": _equal,
    "$ne": _differs,
    "$gt": _compares("greater"),
    "$gte": _compares("at_least"),
    "$lt": _compares("less"),
    "$lte": _compares("at_most"),
    "$in": _in,
    "$nin": _not_in,
    "$exists": _exists,
    "$not": _not,
    "$size": _size,
    "$elemMatch": _element_matches,
}
"""What may stand in the object behind the name of a field, beside `$regex` and its `$options`."""

"""
SQL expressions, to the tree that both languages share.

Of sqlglot's tree the kinds of nodes in `_READERS` are taken, each with the parts that
are known of it; anything else is refused by its name. So whatever a newer sqlglot
learns to parse stays out until somebody lets it in.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from artstore.tables.expressions import sqltext
from artstore.tables.expressions.literals import as_date, as_timestamp, moment, number
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.refusal import LimitRefusal, Refusal, did_you_mean
from artstore.tables.expressions.tree import (
    Call,
    Constant,
    Field,
    Loop,
    Node,
    Path,
    Variable,
)

__all__ = ["FUNCTIONS", "TYPES", "position_of", "read", "read_parsed"]

_Reader = Callable[[Any, frozenset[str], int], Node]

_NESTED_COUNT: Final = 50
_HARMLESS: Final = frozenset(
    ("safe", "typed", "value_constructor", "bracket_notation", "returns_list_for_maps")
)
"""Flags of nodes that change nothing of what we make of them."""

FUNCTIONS: Final[dict[str, str]] = {
    "abs": "absolute",
    "ceil": "ceil",
    "ceiling": "ceil",
    "coalesce": "coalesce",
    "contains": "has_part",
    "day": "day",
    "ends_with": "ends_with",
    "exp": "exponential",
    "floor": "floor",
    "greatest": "greatest",
    "hour": "hour",
    "if": "case",
    "ifnull": "coalesce",
    "isnan": "is_nan",
    "least": "least",
    "len": "length",
    "length": "length",
    "list_avg": "list_mean",
    "list_bool_and": "all",
    "list_bool_or": "any",
    "list_contains": "contains",
    "list_extract": "item",
    "list_has": "contains",
    "list_max": "list_max",
    "list_min": "list_min",
    "list_sum": "list_sum",
    "ln": "logarithm",
    "log10": "logarithm_10",
    "lower": "lower",
    "ltrim": "trim_left",
    "minute": "minute",
    "mod": "remainder",
    "month": "month",
    "nullif": "null_if",
    "pow": "power",
    "power": "power",
    "regexp_matches": "regex",
    "round": "round",
    "rtrim": "trim_right",
    "second": "second",
    "sqrt": "root",
    "starts_with": "starts_with",
    "string_split": "split",
    "substr": "part",
    "substring": "part",
    "trim": "trim",
    "trunc": "trunc",
    "upper": "upper",
    "year": "year",
}
"""The operation of each function; `_LOOPS` has those that take a lambda."""

_LOOPS: Final[Mapping[str, bool]] = {"list_filter": True, "list_transform": False}

TYPES: Final[dict[str, str]] = {
    "BIGINT": "as_whole",
    "BOOLEAN": "as_boolean",
    "DATE": "as_date",
    "DOUBLE": "as_number",
    "FLOAT": "as_number",
    "INT": "as_whole",
    "TEXT": "as_text",
    "TIMESTAMP": "as_timestamp",
    "TIMESTAMPNTZ": "as_timestamp",
    "TIMESTAMPTZ": "as_timestamp",
    "VARCHAR": "as_text",
}
"""The operation of each type in CAST, by the name that sqlglot has for it."""

_WRITTEN_TIMES: Final[Mapping[str, Callable[[dt.date], dt.date]]] = {
    "as_date": as_date,
    "as_timestamp": as_timestamp,
}

_BINARY: Final[Mapping[str, str]] = {
    "eq": "equal",
    "neq": "differs",
    "lt": "less",
    "lte": "at_most",
    "gt": "greater",
    "gte": "at_least",
    "nullsafeeq": "same",
    "nullsafeneq": "other",
    "sub": "subtract",
    "div": "divide",
    "mod": "remainder",
}
_CHAINS: Final[Mapping[str, str]] = {
    "and": "and",
    "or": "or",
    "add": "add",
    "mul": "multiply",
    "dpipe": "concatenate",
}
_NAMES: Final[Mapping[str, tuple[str, str | None]]] = {
    "star": ("'*'", None),
    "tuple": ("a list in round brackets", "a list is written [1, 2]"),
    "struct": ("a struct in braces", None),
    "comprehension": ("a list comprehension", "write list_filter(scores, x -> x > 0.5)"),
    "distinct": ("DISTINCT", None),
    "anonymous": ("a function", None),
    "filter": ("FILTER (WHERE ...)", None),
    "slice": ("a part of a list", None),
    "jsonextract": ("the operator '->'", None),
}
"""What people write that is not allowed, and what to write instead; sqlglot's name for the rest."""
AGGREGATE_NAMES: Final = frozenset(
    ("avg", "count", "distinct", "max", "mean", "median", "min", "quantile", "stddev", "sum")
)


def read(text: str) -> Node:
    """
    The tree of an SQL expression.

    Raises:
        Refusal: it is none, or has something that is not allowed.
        LimitRefusal: it is nested too deeply.
    """
    return read_parsed(sqltext.parsed(text))


def read_parsed(found: Any) -> Node:
    """Likewise, of sqlglot's tree."""
    return _read(found, frozenset(), 0)


def position_of(found: Any) -> int:
    """Where a node of sqlglot begins; not every kind knows it, but its leaves do."""
    starts = [node.meta["start"] for node in found.walk() if "start" in node.meta]
    return min(starts, default=0)


def _read(found: Any, variables: frozenset[str], depth: int) -> Node:
    """
    Args:
        variables: names of the elements of the loops around.
        depth: nodes around this one.
    """
    if depth > _NESTED_COUNT:
        raise LimitRefusal(
            position_of(found),
            f"more than {_NESTED_COUNT} operations in one another",
            limit=_NESTED_COUNT,
        )
    key = str(found.key)
    if key in _CHAINS:
        return _chain(found, variables, depth)
    if key in _BINARY:
        parts = _parts(found, "this", "expression")
        arguments = (parts["this"], parts["expression"])
        return _call(_BINARY[key], found, arguments, variables, depth)
    reader = _READERS.get(key)
    if reader is None:
        raise _not_allowed(found)
    return reader(found, variables, depth)


def _parts(found: Any, *known: str) -> Mapping[str, Any]:
    """
    The parts of a node, of which only these may be there.

    Raises:
        Refusal: it has another one, which would change its meaning.
    """
    for name, value in found.args.items():
        if value and name not in known and name not in _HARMLESS:
            raise Refusal(position_of(found), f"{name!r} is not allowed with {_words(found)}")
    parts: Mapping[str, Any] = found.args
    return parts


def _words(found: Any) -> str:
    """The class of a node as words: `BitwiseAnd` is a bitwise and."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(found).__name__).lower()


def _not_allowed(found: Any) -> Refusal:
    name, hint = _NAMES.get(found.key) or (_words(found), None)
    return Refusal(position_of(found), f"{name} is not allowed in an expression", hint=hint)


def _call(
    operation: str, found: Any, arguments: Sequence[Any], variables: frozenset[str], depth: int
) -> Call:
    nodes = tuple(_read(argument, variables, depth + 1) for argument in arguments)
    return Call(operation, nodes, position_of(found))


def _chain(found: Any, variables: frozenset[str], depth: int) -> Node:
    """`a AND b AND c` is one operation: as a tree it would be as deep as it is long."""
    key, terms = found.key, []
    rest = found
    while rest.key == key:
        parts = _parts(rest, "this", "expression")
        terms.append(parts["expression"])
        rest = parts["this"]
    terms.append(rest)
    return _call(_CHAINS[key], found, terms[::-1], variables, depth)


def _literal(found: Any, _variables: frozenset[str], _depth: int) -> Node:
    position, text = position_of(found), str(found.this)
    if found.is_string:
        return Constant(text, position)
    return Constant(number(text, position), position)


def _boolean(found: Any, _variables: frozenset[str], _depth: int) -> Node:
    return Constant(bool(found.this), position_of(found))


def _null(found: Any, _variables: frozenset[str], _depth: int) -> Node:
    return Constant(None, position_of(found))


def _inside(found: Any, variables: frozenset[str], depth: int) -> Node:
    """Brackets are no operation, but they nest."""
    return _read(_parts(found, "this")["this"], variables, depth + 1)


def _negated(found: Any, variables: frozenset[str], depth: int) -> Node:
    inside = _read(_parts(found, "this")["this"], variables, depth + 1)
    value = inside.value if isinstance(inside, Constant) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Constant(-value, inside.position)
    return Call("negate", (inside,), inside.position)


def _not(found: Any, variables: frozenset[str], depth: int) -> Node:
    return _call("not", found, (_parts(found, "this")["this"],), variables, depth)


def _column(found: Any, variables: frozenset[str], _depth: int) -> Node:
    parts = _parts(found, "this", "table", "db", "catalog")
    names = [parts[part] for part in ("catalog", "db", "table", "this") if parts.get(part)]
    for name in names:
        if name.key != "identifier":
            raise _not_allowed(name)
    return _path(names, variables)


def _identifier(found: Any, variables: frozenset[str], _depth: int) -> Node:
    return _path([found], variables)


def _path(names: Sequence[Any], variables: frozenset[str]) -> Node:
    texts = tuple(str(name.this) for name in names)
    positions = tuple(position_of(name) for name in names)
    if texts[0] not in variables:
        return Path(texts, positions)
    node: Node = Variable(texts[0], positions[0])
    for text, position in zip(texts[1:], positions[1:], strict=True):
        node = Field(node, text, position)
    return node


def _dot(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "expression")
    name = parts["expression"]
    if name.key != "identifier":
        raise _not_allowed(name)
    return _field(_read(parts["this"], variables, depth + 1), str(name.this), position_of(name))


def _field(of: Node, name: str, position: int) -> Node:
    if isinstance(of, Path):
        return Path((*of.parts, name), (*of.positions, position))
    return Field(of, name, position)


def _bracket(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "expressions")
    places = parts["expressions"]
    if len(places) != 1:
        raise Refusal(position_of(found), "one place is wanted in [ ]")
    of = _read(parts["this"], variables, depth + 1)
    place = _read(places[0], variables, depth + 1)
    if isinstance(place, Constant) and isinstance(place.value, str):
        return _field(of, place.value, place.position)
    return Call("item", (of, place), of.position)


def _array(found: Any, variables: frozenset[str], depth: int) -> Node:
    return _call("list", found, _parts(found, "expressions")["expressions"], variables, depth)


def _between(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "low", "high", "negate")
    arguments = (parts["this"], parts["low"], parts["high"])
    return _maybe_not(parts, _call("between", found, arguments, variables, depth))


def _in(found: Any, variables: frozenset[str], depth: int) -> Node:
    if found.args.get("query") is not None:
        raise _not_allowed(found.args["query"])
    parts = _parts(found, "this", "expressions", "field", "negate")
    if parts.get("field") is not None:
        arguments, operation = (parts["field"], parts["this"]), "contains"
    else:
        arguments, operation = (parts["this"], *parts["expressions"]), "in"
    return _maybe_not(parts, _call(operation, found, arguments, variables, depth))


def _maybe_not(parts: Mapping[str, Any], node: Node) -> Node:
    """Some releases of sqlglot put NOT around `x LIKE y`, some into it."""
    return Call("not", (node,), node.position) if parts.get("negate") else node


def _is(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "expression", "negate")
    of, wanted = _read(parts["this"], variables, depth + 1), parts["expression"]
    if wanted.key == "null":
        node = Call("is_null", (of,), of.position)
    elif wanted.key == "boolean":
        asked = of if wanted.this else Call("not", (of,), of.position)
        node = Call("is_true", (asked,), of.position)
    else:
        raise Refusal(position_of(wanted), "IS takes NULL, TRUE, FALSE or DISTINCT FROM")
    return _maybe_not(parts, node)


def _like(operation: str) -> _Reader:
    def read_like(found: Any, variables: frozenset[str], depth: int) -> Node:
        parts = _parts(found, "this", "expression", "negate")
        arguments = (parts["this"], parts["expression"])
        return _maybe_not(parts, _call(operation, found, arguments, variables, depth))

    return read_like


def _escape(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "expression")
    if parts["this"].key not in ("like", "ilike"):
        raise _not_allowed(found)
    like = _read(parts["this"], variables, depth + 1)
    escape = _read(parts["expression"], variables, depth + 1)
    assert isinstance(like, Call)
    if like.operation == "not":
        (inside,) = like.arguments
        assert isinstance(inside, Call)
        return replace(like, arguments=(_with_argument(inside, escape),))
    return _with_argument(like, escape)


def _with_argument(call: Call, argument: Node) -> Call:
    return replace(call, arguments=(*call.arguments, argument))


def _case(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "ifs", "default")
    subject = parts.get("this") and _read(parts["this"], variables, depth + 1)
    if isinstance(subject, (Call, Loop, Field)):
        # It is written once and would be computed for each WHEN, in CASE in CASE too.
        raise Refusal(
            subject.position,
            "only a column stands between CASE and WHEN",
            hint="write the comparison behind WHEN: CASE WHEN a + b = 1 THEN ... END",
        )
    arguments: list[Node] = []
    for branch in parts["ifs"]:
        asked, then = _parts(branch, "this", "true")["this"], branch.args["true"]
        node = _read(asked, variables, depth + 1)
        if subject is not None:
            node = Call("equal", (subject, node), node.position)
        arguments += (node, _read(then, variables, depth + 1))
    if parts.get("default") is not None:
        arguments.append(_read(parts["default"], variables, depth + 1))
    return Call("case", tuple(arguments), position_of(found))


def _cast(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "to")
    of, wanted = _read(parts["this"], variables, depth + 1), parts["to"]
    name = str(getattr(wanted.this, "name", wanted.this))
    if name not in TYPES or wanted.expressions:
        raise Refusal(
            of.position,
            f"a cast to {wanted.sql('duckdb')} is not allowed",
            hint="the types are BIGINT, DOUBLE, BOOLEAN, VARCHAR, DATE and TIMESTAMP",
        )
    operation = TYPES[name]
    if operation in _WRITTEN_TIMES and isinstance(of, Constant) and isinstance(of.value, str):
        written = moment(of.value, of.position)
        return Constant(_WRITTEN_TIMES[operation](written), of.position)
    return Call(operation, (of,), of.position)


def _function(found: Any, variables: frozenset[str], depth: int) -> Node:
    parts = _parts(found, "this", "expressions")
    name, arguments = str(getattr(parts["this"], "this", parts["this"])), parts["expressions"]
    folded, position = name.lower(), position_of(found)
    if folded in _LOOPS:
        return _loop(found, folded, variables, depth)
    operation = FUNCTIONS.get(folded)
    if operation is None:
        raise _unknown_function(name, position)
    if folded == "if" and len(arguments) not in (2, 3):
        raise Refusal(position, "if takes a condition and one or two values")
    if OPERATIONS[operation].expects(len(arguments)) is None:
        raise Refusal(
            position, f"{folded} takes {OPERATIONS[operation].arity}, not {len(arguments)}"
        )
    return _call(operation, found, arguments, variables, depth)


def _unknown_function(name: str, position: int) -> Refusal:
    if name.lower() in AGGREGATE_NAMES:
        return Refusal(
            position,
            f"{name} is an aggregate, which is of a group of rows",
            hint="of the elements of a list: list_min, list_max, list_sum, list_avg, len",
        )
    return Refusal(
        position,
        f"the function {name!r} is not allowed in an expression",
        hint=did_you_mean(name, [*FUNCTIONS, *_LOOPS]),
    )


def _loop(found: Any, name: str, variables: frozenset[str], depth: int) -> Node:
    arguments, position = found.expressions, position_of(found)
    if len(arguments) != 2 or arguments[1].key != "lambda":
        raise Refusal(
            position, f"{name} takes a list and a lambda", hint=f"write {name}(scores, x -> x > 0)"
        )
    parts = _parts(arguments[1], "this", "expressions")
    if len(parts["expressions"]) != 1 or parts["expressions"][0].key != "identifier":
        raise Refusal(position_of(arguments[1]), "the lambda has one name before ->")
    variable = str(parts["expressions"][0].this)
    over = _read(arguments[0], variables, depth + 1)
    body = _read(parts["this"], variables | {variable}, depth + 1)
    return Loop(_LOOPS[name], over, variable, body, position)


_READERS: Final[dict[str, _Reader]] = {
    "anonymous": _function,
    "array": _array,
    "between": _between,
    "boolean": _boolean,
    "bracket": _bracket,
    "case": _case,
    "cast": _cast,
    "column": _column,
    "dot": _dot,
    "escape": _escape,
    "identifier": _identifier,
    "ilike": _like("like_any_case"),
    "in": _in,
    "is": _is,
    "like": _like("like"),
    "literal": _literal,
    "neg": _negated,
    "not": _not,
    "null": _null,
    "paren": _inside,
    "trycast": _cast,
}
"""By the name of the class in sqlglot."""

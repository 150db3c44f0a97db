"""
What expressions and queries of Mongo have in common: constants, paths, what is never null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from artstore.tables.expressions.literals import moment
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.refusal import Refusal, did_you_mean
from artstore.tables.expressions.relaxed import JsonList, JsonMapping, JsonScalar, JsonValue
from artstore.tables.expressions.tree import Call, Constant, Field, Node, Path, Variable

__all__ = ["constant", "named", "path_parts", "scalar", "sure"]


def sure(node: Node) -> Node:
    """`node`, with false for null."""
    return node if _is_certain(node) else Call("is_true", (node,), node.position)


def _is_certain(node: Node) -> bool:
    if isinstance(node, Constant):
        return isinstance(node.value, bool)
    if not isinstance(node, Call):
        return False
    if node.operation in ("and", "or", "not"):
        return all(_is_certain(argument) for argument in node.arguments)
    return OPERATIONS[node.operation].certain


def scalar(value: JsonScalar) -> Node:
    """A constant; or, from a text that begins with `$`, what it leads to."""
    text = value.value
    if not isinstance(text, str) or not text.startswith("$"):
        return Constant(text, value.position)
    dollars = 2 if text.startswith("$$") else 1
    parts, positions = path_parts(value, dollars)
    if dollars == 1:
        return Path(parts, positions)
    node: Node = Variable(parts[0], positions[0])
    for part, position in zip(parts[1:], positions[1:], strict=True):
        node = Field(node, part, position)
    return node


def path_parts(value: JsonScalar, skipped: int = 0) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """
    The names between the dots of a text, and where each of them stands.

    Args:
        skipped: characters in front that belong to no name.
    Raises:
        Refusal: a name is empty.
    """
    parts = tuple(str(value.value)[skipped:].split("."))
    if not all(parts):
        raise Refusal(
            value.position,
            f"{value.value!r} is no path: a name in it is empty",
            hint="text that begins with $ is written {$literal: '$'}",
        )
    if value.start is None:
        return parts, (value.position,) * len(parts)
    positions, at = [], value.start + skipped
    for part in parts:
        positions.append(at)
        at += len(part) + 1
    return parts, tuple(positions)


def constant(value: JsonValue) -> Node:
    """A value that is written out; a `$` in a text means nothing."""
    if isinstance(value, JsonScalar):
        return Constant(value.value, value.position)
    if isinstance(value, JsonList):
        return Call("list", tuple(constant(inside) for inside in value.values), value.position)
    if [key.value for key, _ in value.members] == ["$date"]:
        return date(value.members[0][1])
    raise Refusal(value.position, "a number, text, true, false or null is wanted here, no object")


def date(value: JsonValue) -> Constant:
    """The date or time that is written as text: `{$date: '2024-01-31T12:00:00Z'}`."""
    if not isinstance(value, JsonScalar) or not isinstance(value.value, str):
        raise Refusal(value.position, "a date is text here", hint="write '2024-01-31'")
    return Constant(moment(value.value, value.position), value.position)


def named(
    key: JsonScalar, value: JsonValue, required: Sequence[str], optional: Sequence[str] = ()
) -> Mapping[str, JsonValue]:
    """
    The arguments of an operator that takes them by name.

    Raises:
        Refusal: one is missing, or is none of its own.
    """
    if not isinstance(value, JsonMapping):
        raise Refusal(
            value.position, f"{key.value} takes an object with {', '.join((*required, *optional))}"
        )
    found = {str(name.value): inside for name, inside in value.members}
    for name, _ in value.members:
        if name.value not in (*required, *optional):
            raise Refusal(
                name.position,
                f"{key.value} has no argument {name.value!r}",
                hint=did_you_mean(str(name.value), (*required, *optional)),
            )
    missing = [name for name in required if name not in found]
    if missing:
        raise Refusal(value.position, f"{key.value} lacks {missing[0]!r}")
    return found

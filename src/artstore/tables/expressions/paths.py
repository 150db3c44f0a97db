"""
From a value to a field of it, in the one way that both languages take.

- A struct has its fields.
- Of a list of structs that have a `layer`, the name is that of a layer: its
  `boxes`, or an empty list, where the struct has such a list; the struct itself,
  or null, where it has none (masks). So `image.boxes.ground_truth` are boxes, and
  `image.masks.ground_truth.path` is a path.
- Of any other list of structs, the field of each element: a list.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from artstore.tables.expressions.kinds import kind_of, said
from artstore.tables.expressions.refusal import UNKNOWN, Refusal, did_you_mean

__all__ = ["LoopBody", "field_of", "without"]

LAYER: Final = "layer"
BOXES: Final = "boxes"


class LoopBody:
    """
    What `map` and `filter` of Ibis call: a body of one parameter with a name of its own.

    Ibis takes the name of the parameter into the SQL. With the same name in a loop
    inside a loop, the inner one would hide the outer.
    """

    def __init__(self, name: str, body: Callable[[Any], Any]) -> None:
        self._name = name
        self._body = body
        parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.__signature__ = inspect.Signature([parameter])

    def __call__(self, **given: Any) -> Any:
        return self._body(given[self._name])


def without(value: Any, unwanted: Any) -> Any:
    """
    The value, or null where it equals another one.

    DuckDB makes a CASE of NULLIF that names the value twice: within one another, twenty of
    them would be a million. Only the innermost one is made so.
    """
    import ibis
    import ibis.expr.operations as ops

    if not value.op().find(ops.NullIf):
        return value.nullif(unwanted)
    return ibis.array([value]).filter(LoopBody("candidate", lambda one: one != unwanted))[0]


def field_of(value: Any, name: str, position: int) -> Any:
    """
    The field `name` of a value of Ibis.

    Raises:
        Refusal: `column-unknown`; the value has no fields, or not that one.
    """
    dtype = value.type()
    if dtype.is_struct():
        _require(name, dtype, position)
        return value[name]
    if dtype.is_array() and dtype.value_type.is_struct():
        inside = dtype.value_type
        if LAYER in inside.names and inside[LAYER].is_string():
            return _layer(value, name, inside)
        _require(name, inside, position)
        return value.map(LoopBody("element", lambda element: element[name]))
    raise Refusal(
        position, f"{said(kind_of(dtype))} has no fields, and so no {name!r}", kind=UNKNOWN
    )


def _layer(layers: Any, name: str, inside: Any) -> Any:
    import ibis

    wanted = ibis.literal(name, "string")
    found = layers.filter(LoopBody("candidate", lambda candidate: candidate[LAYER] == wanted))[0]
    if BOXES in inside.names and inside[BOXES].is_array():
        boxes = found[BOXES]
        return ibis.coalesce(boxes, ibis.literal([], boxes.type()))
    return found


def _require(name: str, struct: Any, position: int) -> None:
    if name not in struct.names:
        raise Refusal(
            position,
            f"there is no field {name!r}",
            kind=UNKNOWN,
            hint=did_you_mean(name, struct.names),
        )

"""
From the tree of an expression to a value of Ibis, with every kind checked on the way.
"""

from __future__ import annotations

from typing import Any, Final

from artstore.tables.expressions.kinds import Operand, said, stored, written
from artstore.tables.expressions.operation import Operation, accepted
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.paths import LoopBody, field_of
from artstore.tables.expressions.refusal import TYPE_INVALID, LimitRefusal, Refusal, did_you_mean
from artstore.tables.expressions.scope import Scope
from artstore.tables.expressions.tree import Call, Constant, Field, Loop, Node, Path, Variable

__all__ = ["NESTED_COUNT", "compiled", "compiled_condition"]

NESTED_COUNT: Final = 50
"""Operations inside one another, as they are written."""
_LEVEL_COUNT: Final = 70
"""
Operations of Ibis inside one another, of which some of ours are several. Ibis writes SQL
with up to 7 calls of Python for each, and Python ends at 1000.
"""
_LOOP_COUNT: Final = 3
"""Loops inside one another: a row with lists of 1000 elements would take 1000 ** loops steps."""


_Elements = tuple[tuple[str, Any], ...]
"""The names in the loops around, the outermost first, and the elements that they stand for."""


def compiled(node: Node, scope: Scope) -> Any:
    """
    The value of Ibis that a tree comes to.

    Raises:
        Refusal: a name that is not there, kinds that do not fit.
        LimitRefusal: it is nested too deeply.
    """
    return _in_rows(stored(_sized(_operand(node, scope, (), kept=False))))


def compiled_condition(node: Node, scope: Scope) -> Any:
    """
    Likewise a condition for a filter; it may be null where it is not met.

    Raises:
        Refusal: likewise, or the tree gives something else than true or false.
        LimitRefusal: it is nested too deeply.
    """
    found = _sized(_operand(node, scope, (), kept=True))
    if found.kind not in ("boolean", "null"):
        raise Refusal(
            node.position,
            f"a condition gives true or false, and this gives {said(found.kind)}",
            kind=TYPE_INVALID,
        )
    return _in_rows(accepted(found, "boolean").value)


def _in_rows(value: Any) -> Any:
    """
    A value of each row, if it says anything of a column.

    To Ibis a loop over `[1, 2]` is one value for all rows, whatever its body says of them.
    """
    import ibis
    import ibis.expr.operations as ops

    columns = value.op().find(ops.Field, filter=ops.Value) if value.op().shape.is_scalar() else []
    if not columns:
        return value
    nothing = ibis.literal(None, value.type())
    return ibis.coalesce(value, ibis.ifelse(columns[0].to_expr().isnull(), nothing, nothing))


def _operand(
    node: Node, scope: Scope, elements: _Elements, *, kept: bool, depth: int = 0
) -> Operand:
    """
    Args:
        elements: those of the loops around.
        kept: whether null means the same as false here, as it does for a filter.
        depth: nodes around this one.
    """
    if depth > NESTED_COUNT:
        raise LimitRefusal(
            node.position, f"more than {NESTED_COUNT} operations in one another", limit=NESTED_COUNT
        )
    if isinstance(node, Constant):
        return written(node.value, node.position)
    if isinstance(node, Path):
        return _column(node, scope)
    if isinstance(node, Variable):
        return Operand(_variable(node, elements), node.position)
    if isinstance(node, Field):
        of = _operand(node.of, scope, elements, kept=False, depth=depth + 1)
        return Operand(field_of(of.value, node.name, node.position), node.position)
    if isinstance(node, Loop):
        return _loop(node, scope, elements, depth)
    return _call(node, scope, elements, kept=kept, depth=depth)


def _column(path: Path, scope: Scope) -> Operand:
    value, used = scope.resolve(path)
    for name, position in zip(path.parts[used:], path.positions[used:], strict=True):
        value = field_of(value, name, position)
    return Operand(value, path.position)


def _variable(node: Variable, elements: _Elements) -> Any:
    for name, element in reversed(elements):
        if name == node.name:
            return element
    raise Refusal(
        node.position,
        f"there is no variable {node.name!r}",
        hint=did_you_mean(node.name, [name for name, _ in elements]),
    )


def _loop(node: Loop, scope: Scope, elements: _Elements, depth: int) -> Operand:
    if len(elements) >= _LOOP_COUNT:
        raise LimitRefusal(
            node.position, f"more than {_LOOP_COUNT} loops in one another", limit=_LOOP_COUNT
        )
    over = _operand(node.over, scope, elements, kept=False, depth=depth + 1)
    over = accepted(over, "list")

    def body(element: Any) -> Any:
        inside = (*elements, (node.variable, element))
        found = _operand(node.body, scope, inside, kept=node.keeps, depth=depth + 1)
        return accepted(found, "boolean").value if node.keeps else stored(found)

    each = LoopBody(f"element_{len(elements)}", body)
    value = over.value.filter(each) if node.keeps else over.value.map(each)
    return Operand(value, node.position)


def _call(node: Call, scope: Scope, elements: _Elements, *, kept: bool, depth: int) -> Operand:
    if kept and node.operation == "is_true":
        return _operand(node.arguments[0], scope, elements, kept=True, depth=depth + 1)
    operation = OPERATIONS[node.operation]
    if kept and operation.kept_as and _has_value_written(node):
        operation = OPERATIONS[operation.kept_as]
    kinds = _expected(operation, node)
    operands = [
        accepted(
            _operand(
                argument,
                scope,
                elements,
                kept=_is_kept(operation, index, kinds, kept=kept),
                depth=depth + 1,
            ),
            kind,
        )
        for index, (argument, kind) in enumerate(zip(node.arguments, kinds, strict=True))
    ]
    return Operand(_built(operation, operands, node.position), node.position)


def _expected(operation: Operation, node: Call) -> tuple[str, ...]:
    count = len(node.arguments)
    kinds = operation.expects(count)
    if kinds is None:
        raise Refusal(node.position, f"{operation.arity} are wanted here, not {count}")
    if operation.limit is not None and count > operation.limit:
        raise LimitRefusal(
            node.position, f"more than {operation.limit} arguments", limit=operation.limit
        )
    return kinds


def _has_value_written(node: Call) -> bool:
    return any(
        isinstance(argument, Constant) and argument.value is not None for argument in node.arguments
    )


def _is_kept(operation: Operation, index: int, kinds: tuple[str, ...], *, kept: bool) -> bool:
    """Whether null is as good as false for an argument."""
    if operation.pairs:
        return kinds[index] == "boolean"
    return kept and operation.name in ("and", "or")


def _built(operation: Operation, operands: list[Operand], position: int) -> Any:
    from ibis.common.annotations import ValidationError
    from ibis.common.exceptions import IbisError

    try:
        return operation.build(operands)
    except (IbisError, ValidationError, TypeError) as error:
        # What Ibis knows of types beyond our kinds, as of structs with other fields.
        types = " and ".join(str(operand.value.type()) for operand in operands)
        raise Refusal(
            position, f"this cannot be done with {types}: {error}", kind=TYPE_INVALID
        ) from error


class _Level(int):
    """How deep a node of Ibis is; a class of its own, as arguments of nodes are numbers too."""


def _sized(operand: Operand) -> Operand:
    import ibis.expr.operations as ops

    def level(node: Any, _: Any, **children: Any) -> _Level:
        if isinstance(node, ops.Relation):
            # Tables may be as deep as they are: they were there before.
            return _Level(0)
        return _Level(1 + max(_levels(children.values()), default=0))

    root = operand.value.op()
    if root.map(level)[root] > _LEVEL_COUNT:
        raise LimitRefusal(
            operand.position, "the operations in one another are too many", limit=_LEVEL_COUNT
        )
    return operand


def _levels(children: Any) -> list[int]:
    found: list[int] = []
    for child in children:
        if isinstance(child, _Level):
            found.append(child)
        elif isinstance(child, (tuple, list)):
            found += _levels(child)
    return found

"""
What goes with what: the kinds of values, and values of one kind made comparable.

DuckDB decides by the exact types of both sides what `=` and `+` do, and some pairs
end in an error while rows are read. Here every value has one of a few kinds, what
does not fit is told before a row is read, and numbers get one type before they meet.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from artstore.tables.expressions.literals import moment, time_of_day
from artstore.tables.expressions.refusal import TYPE_INVALID, Refusal
from artstore.tables.expressions.tree import Scalar

__all__ = [
    "COMPARABLE",
    "Operand",
    "alike",
    "as_written",
    "enclosed",
    "is_empty_list",
    "kind_of",
    "merged",
    "number",
    "plain_time",
    "said",
    "stored",
    "written",
]

_SAID: Final = {
    "null": "null",
    "boolean": "true or false",
    "number": "a number",
    "text": "text",
    "time": "a date or time",
    "clock": "a time of day",
    "list": "a list",
    "struct": "a struct",
}
_FLOAT32_MAX: Final = 3.4028234663852886e38
COMPARABLE: Final = frozenset(("boolean", "number", "text", "time", "clock"))


@dataclass(frozen=True, slots=True)
class Operand:
    """A value of Ibis, where it stands in the text, and the constant that is written there."""

    value: Any
    position: int
    is_written: bool = False
    constant: Scalar = None

    @property
    def kind(self) -> str:
        """One of a few; see `kind_of`."""
        return kind_of(self.value.type())

    def of_type(self, wanted: Any) -> Operand:
        """The same as another type of Ibis."""
        return replace(self, value=self.value.cast(wanted))


def kind_of(dtype: Any) -> str:
    """
    `null`, `boolean`, `number`, `text`, `time` (dates, moments), `clock` (times of day), `list`,
    `struct`, or the name of the type.
    """
    for kind, is_kind in (
        ("null", dtype.is_null()),
        ("boolean", dtype.is_boolean()),
        ("number", dtype.is_numeric()),
        ("text", dtype.is_string()),
        ("time", dtype.is_date() or dtype.is_timestamp()),
        ("clock", dtype.is_time()),
        ("list", dtype.is_array()),
        ("struct", dtype.is_struct()),
    ):
        if is_kind:
            return kind
    return type(dtype).__name__.lower()


def said(kind: str) -> str:
    """The kind in a message."""
    return _SAID.get(kind, f"of type {kind}")


def written(value: Scalar, position: int) -> Operand:
    """
    A constant of the text.

    Raises:
        Refusal: a number that no float holds.
    """
    import ibis

    if isinstance(value, bool) or value is None:
        made = ibis.literal(value)
    elif isinstance(value, (int, float)):
        made = _number_literal(value, position)
    elif isinstance(value, str):
        made = ibis.literal(value, "string")
    else:
        made = as_written(value, "timestamp" if isinstance(value, dt.datetime) else "date")
    return Operand(made, position, is_written=True, constant=value)


def _number_literal(value: float, position: int) -> Any:
    import ibis

    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return ibis.literal(value, "int64")
        if 0 <= value < 2**64:
            return ibis.literal(value, "uint64")
        try:
            value = float(value)
        except OverflowError:
            raise Refusal(position, "a number is larger than any that is stored") from None
    # Without the cast DuckDB would read 0.1 as a decimal: 0.1 + 0.2 = 0.3 and no float column
    # would hold it.
    return as_written(value, "float64")


def as_written(value: Any, dtype: str) -> Any:
    """A literal with its type beside it: DuckDB guesses another one from the bare text."""
    import ibis.expr.datatypes as types
    import ibis.expr.operations as ops

    wanted = types.dtype(dtype)
    if wanted.is_floating():
        if math.isnan(value) or math.isinf(value):
            value, plain = str(value), types.string
        else:
            plain = types.float64
    else:
        value, plain = (value.isoformat(), types.string) if value is not None else (None, wanted)
    return ops.Cast(ops.Literal(value, plain), wanted).to_expr()


def number(operand: Operand) -> Any:
    """A number ready to be computed with: whole numbers have 64 bits, all others are float64."""
    import ibis.expr.operations as ops

    dtype = operand.value.type()
    wanted = "int64" if dtype.is_integer() and str(dtype) != "uint64" else "float64"
    if operand.is_written and wanted == "int64":
        # A bare 2000000000 has 32 bits in DuckDB, and twice as much no place.
        return ops.Cast(operand.value.op(), dtype).to_expr()
    return operand.value if str(dtype) == wanted else operand.value.cast(wanted)


def plain_time(value: Any) -> Any:
    """A date or timestamp; one with a zone as what the clock of UTC shows."""
    from artstore.tables.expressions import builtin

    if value.type().is_timestamp() and value.type().timezone is not None:
        # Casts would take the zone of the session, which is that of the machine.
        return builtin.make_timestamp(builtin.epoch_us(value))
    return value


def is_empty_list(operand: Operand) -> bool:
    """Whether it is `[]`, as it is written."""
    dtype = operand.value.type()
    return bool(dtype.is_array() and dtype.value_type.is_null())


def stored(operand: Operand) -> Any:
    """The value with a type that a column can have: of `[]` any will do."""
    return operand.value.cast("array<int64>") if is_empty_list(operand) else operand.value


def alike(operands: Sequence[Operand]) -> list[Any]:
    """
    The values of operands that are compared with one another.

    Raises:
        Refusal: `expression-type-invalid`.
    """
    kind = _one_kind(operands, "compared")
    if kind not in COMPARABLE | {"null"}:
        first = next(operand for operand in operands if operand.kind != "null")
        raise Refusal(
            first.position,
            f"{said(kind)} cannot be compared",
            kind=TYPE_INVALID,
            hint="name a field of it" if kind == "struct" else None,
        )
    if kind == "number":
        return _numbers_alike(operands)
    if kind == "time":
        return _times_alike(operands)
    if kind == "clock":
        return _clocks_alike(operands)
    values = [operand.value for operand in _typed(operands, "int64")]
    return [enclosed(value) for value in values] if kind == "boolean" else values


def enclosed(value: Any) -> Any:
    """
    A boolean that may stand beside `=` and the like.

    Ibis writes `NOT (a) = b` for (NOT a) = b, and others that DuckDB reads in another way.
    """
    import ibis.expr.operations as ops

    op = value.op()
    simple = isinstance(op, (ops.Field, ops.Literal, ops.Argument, ops.StructField))
    return value if simple else ops.Cast(op, value.type()).to_expr()


def merged(operands: Sequence[Operand]) -> list[Any]:
    """
    The values of operands of which one will be the result: all of one type.

    Raises:
        Refusal: `expression-type-invalid`.
    """
    kind = _one_kind(operands, "one result")
    if kind == "number":
        values = [number(operand) for operand in _typed(operands, "int64")]
        if all(value.type().is_integer() for value in values):
            return values
        return [value if value.type().is_floating() else value.cast("float64") for value in values]
    if kind == "time":
        values = _times_alike(operands)
        return [value.cast("timestamp") for value in values] if _mixed(values) else values
    if kind == "clock":
        return _clocks_alike(operands)
    if kind in ("list", "struct"):
        return _nested_merged(operands)
    return [operand.value for operand in _typed(operands, "int64")]


def _one_kind(operands: Sequence[Operand], what: str) -> str:
    """The kind that all have, nulls aside; written text beside a time counts as one."""
    found = [operand for operand in operands if operand.kind != "null"]
    if not found:
        return "null"
    kinds = {operand.kind for operand in found}
    times = kinds - {"text"}
    if kinds in ({"text", "time"}, {"text", "clock"}):
        loose = [operand for operand in found if operand.kind == "text" and not operand.is_written]
        if not loose:
            return times.pop()
        first, other = next(o for o in found if o.kind in times), loose[0]
    elif len(kinds) == 1:
        return found[0].kind
    else:
        first = found[0]
        other = next(operand for operand in found if operand.kind != first.kind)
    verb = "cannot be compared" if what == "compared" else "do not make one result"
    raise Refusal(
        other.position, f"{said(first.kind)} and {said(other.kind)} {verb}", kind=TYPE_INVALID
    )


def _typed(operands: Sequence[Operand], otherwise: str) -> list[Operand]:
    """All with a type: what is null gets that of the others."""
    types = [operand.value.type() for operand in operands if operand.kind != "null"]
    wanted = types[0] if types else otherwise
    return [operand.of_type(wanted) if operand.kind == "null" else operand for operand in operands]


def _clocks_alike(operands: Sequence[Operand]) -> list[Any]:
    """Times of day; written text is read as one."""
    import ibis

    read = [
        replace(operand, value=ibis.literal(time_of_day(str(operand.constant), operand.position)))
        if operand.kind == "text"
        else operand
        for operand in operands
    ]
    return [operand.value for operand in _typed(read, "time")]


def _numbers_alike(operands: Sequence[Operand]) -> list[Any]:
    operands = _typed(operands, "int64")
    types = [operand.value.type() for operand in operands if not operand.is_written]
    values = [operand.value for operand in operands]
    if types and all(str(dtype) == "float32" for dtype in types):
        return [_in_float32(operand) for operand in operands]
    if any(str(value.type()) == "uint64" for value in values):
        return [
            value.cast("decimal(20, 0)") if str(value.type()) == "uint64" else value
            for value in values
        ]
    return values


def _in_float32(operand: Operand) -> Any:
    """A fraction as a float32 holds it: `score = 0.1` means the 0.1 of the column."""
    value = operand.constant
    if not isinstance(value, float) or _FLOAT32_MAX < abs(value) < math.inf:
        return operand.value
    return as_written(value, "float32")


def _times_alike(operands: Sequence[Operand]) -> list[Any]:
    """Times by the clock of UTC; written text is read as a date or time."""
    operands = [
        replace(operand, value=_read_time(operand)) if operand.kind == "text" else operand
        for operand in operands
    ]
    values = [operand.value for operand in _typed(operands, "timestamp")]
    zoned = {value.type().is_timestamp() and value.type().timezone is not None for value in values}
    # Of one sort they are compared as they lie: what the reader of Parquet can use.
    return [plain_time(value) for value in values] if len(zoned) > 1 else values


def _read_time(operand: Operand) -> Any:
    text = operand.constant
    assert isinstance(text, str)
    return written(moment(text, operand.position), operand.position).value


def _mixed(values: Sequence[Any]) -> bool:
    return len({value.type().is_date() for value in values}) > 1


def _nested_merged(operands: Sequence[Operand]) -> list[Any]:
    """Lists and structs: of one type, or of what both can be."""
    import ibis.expr.datatypes as types

    # `[]` has no elements to tell their type.
    found = [
        operand for operand in operands if operand.kind != "null" and not is_empty_list(operand)
    ]
    try:
        wanted = (
            types.highest_precedence([operand.value.type() for operand in found])
            if found
            else types.dtype("array<int64>")
        )
    except (TypeError, ValueError):
        raise Refusal(
            found[-1].position,
            f"{found[0].value.type()} and {found[-1].value.type()} do not make one result",
            kind=TYPE_INVALID,
        ) from None
    return [
        operand.value if operand.value.type() == wanted else operand.value.cast(wanted)
        for operand in operands
    ]

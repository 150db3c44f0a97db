"""
Dates and times, and values made into another kind.

Whatever has a zone is read by the clock of UTC: the zone of the machine that runs a
query changes nothing. What cannot be made into the other kind is null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from artstore.tables.expressions.kinds import Operand, plain_time, said
from artstore.tables.expressions.operation import Operation
from artstore.tables.expressions.refusal import TYPE_INVALID, Refusal

__all__ = ["TIMES"]


def _part(name: str) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        moment = plain_time(operands[0].value).cast("timestamp")
        return getattr(moment, name)().cast("int64")

    return build


def _cast(wanted: str, *kinds: str) -> Callable[[Sequence[Operand]], Any]:
    def build(operands: Sequence[Operand]) -> Any:
        (operand,) = operands
        if operand.kind not in (*kinds, "null"):
            raise Refusal(
                operand.position,
                f"{said(operand.kind)} cannot be made into {wanted}",
                kind=TYPE_INVALID,
            )
        value = plain_time(operand.value) if operand.kind == "time" else operand.value
        return value.try_cast(wanted)

    return build


_PLAIN = ("boolean", "number", "text")

TIMES = (
    Operation("year", ("time",), _part("year")),
    Operation("month", ("time",), _part("month")),
    Operation("day", ("time",), _part("day")),
    Operation("hour", ("time",), _part("hour")),
    Operation("minute", ("time",), _part("minute")),
    Operation("second", ("time",), _part("second")),
    Operation("as_text", ("any",), _cast("string", *_PLAIN, "time", "uuid")),
    Operation("as_number", ("any",), _cast("float64", *_PLAIN)),
    Operation("as_whole", ("any",), _cast("int64", *_PLAIN)),
    Operation("as_boolean", ("any",), _cast("boolean", *_PLAIN)),
    Operation("as_date", ("any",), _cast("date", "text", "time")),
    Operation("as_timestamp", ("any",), _cast("timestamp", "text", "time")),
)

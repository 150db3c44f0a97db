"""
Numbers, dates and times as they are written in an expression.
"""

from __future__ import annotations

import datetime as dt
import math
from contextlib import suppress
from typing import Final

from artstore.tables.expressions.refusal import TYPE_INVALID, Refusal

__all__ = ["as_date", "as_timestamp", "moment", "number", "time_of_day"]

_DIGITS: Final = 308
"""Of a whole number; Python reads thousands in a time that grows with their square."""


def number(text: str, position: int) -> float:
    """
    The number of a text; a whole one if it has neither point nor exponent.

    Raises:
        Refusal: it is none, or larger than any that is stored.
    """
    digits = text.lstrip("+-")
    try:
        if digits.isdecimal() and len(digits) <= _DIGITS:
            return int(text)
        found = float(text)
    except ValueError:
        raise Refusal(position, f"{text[:40]!r} is not a number") from None
    if math.isinf(found):
        raise Refusal(position, "a number is larger than any that is stored")
    return found


def moment(text: str, position: int) -> dt.date:
    """
    The date or time of a text in ISO 8601; with a zone, what the clock of UTC showed.

    Raises:
        Refusal: it is none.
    """
    try:
        if len(text) == len("2024-01-31"):
            return dt.date.fromisoformat(text)
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(
            position,
            f"{text[:40]!r} is not a date or time",
            kind=TYPE_INVALID,
            hint="write 2024-01-31 or 2024-01-31T12:00:00",
        ) from None
    return found if found.tzinfo is None else found.astimezone(dt.UTC).replace(tzinfo=None)


def time_of_day(text: str, position: int) -> dt.time:
    """
    The time of day of a text in ISO 8601.

    Raises:
        Refusal: it is none, or has a zone.
    """
    with suppress(ValueError):
        found = dt.time.fromisoformat(text)
        if found.tzinfo is None:
            return found
    raise Refusal(
        position,
        f"{text[:40]!r} is not a time of day",
        kind=TYPE_INVALID,
        hint="write 13:05 or 13:05:00.5",
    )


def as_date(found: dt.date) -> dt.date:
    """The day of a date or time."""
    return found.date() if isinstance(found, dt.datetime) else found


def as_timestamp(found: dt.date) -> dt.datetime:
    """The time, or the first moment of a date."""
    if isinstance(found, dt.datetime):
        return found
    return dt.datetime.combine(found, dt.time.min)

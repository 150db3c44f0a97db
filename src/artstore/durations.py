"""
Lengths of time and moments as people write them: `30d`, `12h`, `2026-12-31`.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from artstore.errors import InvalidInputError

__all__ = [
    "DURATION_MAX_SECONDS",
    "duration_text",
    "end_of_stated",
    "parse_duration",
    "seconds_of_time",
]

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdwy])")
DURATION_MAX_SECONDS: Final = 1_000 * 365 * 86_400
_LAST_MOMENT: Final = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


def parse_duration(text: str) -> int:
    """
    Seconds of `90s`, `30m`, `12h`, `30d`, `6w`, `1y`; a year has 365 days.

    Raises:
        InvalidInputError: `duration-invalid`, also for no time at all and for over 1,000 years.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = 0 if match is None else int(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= DURATION_MAX_SECONDS:
        raise InvalidInputError(
            f"{text!r} is not a length of time",
            code="duration-invalid",
            hint="write it like 30d, 12h, 45m or 90s",
        )
    return seconds


def duration_text(seconds: float) -> str:
    """The largest unit that tells it whole, up to days: `30d`, `36h`, `90s`."""
    whole = int(seconds)
    for unit in ("d", "h", "m"):
        if whole and whole % _UNITS[unit] == 0:
            return f"{whole // _UNITS[unit]}{unit}"
    return f"{whole}s"


def end_of_stated(text: str, now_seconds: float) -> float:
    """
    The end of what `text` states, in seconds since 1970: a day in UTC, a moment, or a length of
    time from `now_seconds` on.

    Raises:
        InvalidInputError: `duration-invalid`.
    """
    if _DURATION.fullmatch(text.strip()):
        return min(now_seconds + parse_duration(text), _LAST_MOMENT.timestamp())
    try:
        if len(text) == len("2026-12-31"):
            # Until a day means until its end.
            moment = dt.datetime.combine(dt.date.fromisoformat(text), dt.time(23, 59, 59))
        else:
            moment = dt.datetime.fromisoformat(text)
        return seconds_of_time(moment)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"{text!r} is neither a date nor a length of time",
            code="duration-invalid",
            hint="write it like 2026-12-31, 2026-12-31T12:00:00Z or 30d",
        ) from error


def seconds_of_time(moment: dt.datetime) -> float:
    """Seconds since 1970; a moment without a zone is one in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()

"""
Minimum, maximum, mean, first, last and best of one metric, fed with columns of values.

Only numbers count for minimum, maximum, mean and best, and NaN is passed over: one
diverged step must not hide the best one. Without any number these are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MetricStats"]


class MetricStats:
    """
    Statistics of one metric.

    Args:
        earlier: what the summary had of it before, as a dict of statistics; all go on from
            there but the mean, of which nobody knows how many values it was of.
    """

    __slots__ = ("_count", "_first", "_first_at", "_high", "_last", "_low", "_total")

    def __init__(self, earlier: Mapping[str, Any] | None = None, goal: str | None = None) -> None:
        known = earlier or {}
        best = _number(known.get("best"))
        self._low = _number(known.get("min"))
        self._high = _number(known.get("max"))
        if goal == "maximize" and self._high is None:
            self._high = best
        elif goal != "maximize" and self._low is None:
            self._low = best
        self._first: Any = known.get("first")
        self._first_at = -1 if "first" in known else None
        self._last: Any = known.get("last")
        self._total: float = 0
        self._count = 0

    def add(self, values: Sequence[Any], first_at: int, *, is_newest: bool = True) -> None:
        """
        Take values in the order they were logged in.

        Args:
            values: one or more.
            first_at: the number of the call that logged the first of them.
            is_newest: false if values that came later were added already.
        Cost: a few passes at the speed of `min`, `max` and `sum`.
        """
        if self._first_at is None or first_at < self._first_at:
            self._first, self._first_at = values[0], first_at
        if is_newest:
            self._last = values[-1]
        try:
            self._count_all(values)
        except (TypeError, OverflowError):
            # Texts and nulls among them.
            numbers = [found for found in map(_number, values) if found is not None]
            if numbers:
                self._count_all(numbers)

    def told(self, names: Sequence[str], goal: str | None = None) -> dict[str, Any]:
        """Those of `names` that there are."""
        found = {
            "min": self._low,
            "max": self._high,
            "mean": self._total / self._count if self._count else None,
            "last": self._last,
            "first": self._first,
            "best": self._high if goal == "maximize" else self._low,
        }
        return {name: found[name] for name in names if found[name] is not None}

    def _count_all(self, values: Sequence[Any]) -> None:
        if type(values[0]) is bool:
            raise TypeError
        total = float(sum(values))
        if total != total:  # noqa: PLR0124 - NaN
            values = [value for value in values if value == value]  # noqa: PLR0124 - NaN
            if not values:
                return
            total = float(sum(values))
        low, high = min(values), max(values)
        self._low = low if self._low is None or low < self._low else self._low
        self._high = high if self._high is None or high > self._high else self._high
        self._total += total
        self._count += len(values)


def _number(value: Any) -> float | None:
    """`value` if it is a number that counts: no truth value, and small enough to be a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < 1e300 or isinstance(value, float) else None

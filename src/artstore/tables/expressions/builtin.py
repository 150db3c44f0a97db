"""
Functions of DuckDB that Ibis has no name for, or wraps in a cast that can fail.

They are declared to Ibis with their types and called by name: no SQL is put together here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["ceil", "epoch_us", "floor", "make_timestamp", "round", "trunc"]


def floor(value: Any) -> Any:
    """The whole number below a float64, as a float64."""
    return _function("floor", "float64", "float64")(value)


def ceil(value: Any) -> Any:
    """The whole number above a float64, as a float64."""
    return _function("ceil", "float64", "float64")(value)


def round(value: Any) -> Any:  # noqa: A001 - as DuckDB calls it
    """The whole number next to a float64, as a float64; of two the one farther from zero."""
    return _function("round", "float64", "float64")(value)


def trunc(value: Any) -> Any:
    """A float64 without what stands behind the point."""
    return _function("trunc", "float64", "float64")(value)


def epoch_us(value: Any) -> Any:
    """Microseconds since 1970 in UTC, of a timestamp with a zone."""
    return _function("epoch_us", "timestamp('UTC')", "int64")(value.cast("timestamp('UTC')"))


def make_timestamp(value: Any) -> Any:
    """The timestamp without a zone that so many microseconds make."""
    return _function("make_timestamp", "int64", "timestamp")(value)


@cache
def _function(name: str, given: str, result: str) -> Any:
    import ibis
    import ibis.expr.datatypes as types

    def declared(value: Any) -> None:
        """Only its parameter counts: DuckDB has the function."""

    declared.__name__ = name
    return ibis.udf.scalar.builtin(
        name=name, signature=((types.dtype(given),), types.dtype(result))
    )(declared)

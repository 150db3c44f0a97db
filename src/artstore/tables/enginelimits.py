"""
What the engine may take: a page asks for less than a program of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from artstore.errors import LimitExceededError

__all__ = ["EngineLimits", "check_memory", "engine_limits", "limited_engine", "memory_refusal"]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """
    What queries may take.

    Attributes:
        memory_bytes: of all that run at a time together, and of the result of each. Nothing
            is written to disk instead. None: what DuckDB takes if nobody tells it.
    """

    memory_bytes: int | None = None


_ENDLESS = EngineLimits()
_current: ContextVar[EngineLimits] = ContextVar("engine limits", default=_ENDLESS)


def engine_limits() -> EngineLimits:
    """Those of the block `limited_engine` that is running; else none."""
    return _current.get()


@contextmanager
def limited_engine(limits: EngineLimits) -> Iterator[None]:
    """
    Within the block, in this thread, `engine()` is one of its own that has these limits.

    Raises:
        LimitExceededError: `query-too-large`: what is done outside of DuckDB found no memory.
    """
    token = _current.set(limits)
    try:
        yield
    except MemoryError as error:
        raise memory_refusal() from error
    finally:
        _current.reset(token)


def check_memory(size_bytes: int) -> None:
    """
    Called before as much is allocated outside of DuckDB.

    Raises:
        LimitExceededError: `query-too-large`.
    """
    limit = engine_limits().memory_bytes
    if limit is not None and size_bytes > limit:
        raise memory_refusal()


def memory_refusal() -> LimitExceededError:
    """The error of a query for which there is not enough memory."""
    limit = engine_limits().memory_bytes
    most = "there is" if limit is None else f"the {limit / (1 << 20):,.0f} MiB that queries have"
    return LimitExceededError(
        f"the query needs more memory than {most}",
        code="query-too-large",
        hint="filter first, or group by a column with fewer and shorter values; "
        "what other queries take is free again when they end",
    )

"""
What trying a place comes to: one finding for each promise, and how a check becomes one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from artstore.errors import ArtstoreError

__all__ = ["Finding", "ProbeError", "expect", "find", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was tried, or looked up.

    Attributes:
        is_ok: None if it could not be tried, and nothing is known.
        is_required: whether a store is unsafe without it; the others are told for a
            person to know.
        detail: one sentence on what was found.
        hint: what to do about it.
        error: what the storage raised, if that is why.
    """

    name: str
    is_ok: bool | None
    is_required: bool
    detail: str
    hint: str | None = None
    error: ArtstoreError | None = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """`ok`, `failed` (the place is unsafe), `warning` (it is not), or `unknown`."""
        if self.is_ok is None:
            return "unknown"
        if self.is_ok:
            return "ok"
        return "failed" if self.is_required else "warning"


class ProbeError(Exception):
    """A promise was broken; the text says how."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def find(
    name: str, check: Callable[[], str], *, is_required: bool = True, hint: str | None = None
) -> Finding:
    """
    Run a check, which returns what is well or raises; it becomes a finding either way.

    Args:
        hint: what to do if it fails, unless the check says something better.
    """
    try:
        return Finding(name, is_ok=True, is_required=is_required, detail=check())
    except ProbeError as broken:
        return Finding(
            name,
            is_ok=False,
            is_required=is_required,
            detail=str(broken),
            hint=broken.hint or hint,
        )
    except ArtstoreError as error:
        return Finding(
            name,
            is_ok=False,
            is_required=is_required,
            detail=str(error),
            hint=error.hint or hint,
            error=error,
        )
    except OSError as error:
        return Finding(name, is_ok=False, is_required=is_required, detail=str(error), hint=hint)


def unknown(name: str, why: str, *, is_required: bool = True, hint: str | None = None) -> Finding:
    """A finding on what could not be tried."""
    return Finding(name, is_ok=None, is_required=is_required, detail=why, hint=hint)


def expect(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like assert
    """Raise ProbeError unless `is_so`."""
    if not is_so:
        raise ProbeError(otherwise)

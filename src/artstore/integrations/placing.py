"""Errors of what is imported, told with the place where they were met."""

from __future__ import annotations

from typing import Any

from artstore.errors import ArtstoreError

__all__ = ["placed"]


def placed(error: ArtstoreError, place: str, **context: Any) -> ArtstoreError:
    """The same error, told with its place."""
    return type(error)(
        f"{place}: {error.message}",
        code=error.code,
        hint=error.hint,
        **{**error.context, **context},
    )

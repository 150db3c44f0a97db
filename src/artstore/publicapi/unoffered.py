"""
Names that W&B has and a store has not: what to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = ["Unoffered"]


class Unoffered:
    """Answers for names that are not there, with what is to be used instead."""

    _instead: ClassVar[Mapping[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        instead = type(self)._instead.get(name)  # noqa: SLF001 - its own
        told = f"{type(self).__name__} has no {name!r}"
        raise AttributeError(f"{told}: {instead}" if instead else told)

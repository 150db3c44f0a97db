"""
What to push, and under which name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artstore.transfer.sources import Source

__all__ = ["PushSpec"]


@dataclass(frozen=True, slots=True)
class PushSpec:
    """What to push, and under which name. `None` texts leave what the version before has."""

    project: str
    name: str
    type: str | None
    sources: Sequence[Source]
    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    message: str | None = None
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    dedup: str = "project"

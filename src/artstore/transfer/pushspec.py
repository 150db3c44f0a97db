"""
What to push, and under which name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artstore.catalog.state import CollectionState, VersionState
from artstore.transfer.sources import PathSet, Source

__all__ = ["KeptVersion", "PushSpec"]


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """
    The version whose entries the next one begins with.

    Attributes:
        state: its collection, and the version; None for the newest at the moment of
            the push, if there is one.
        without: what of it is left out.
    """

    state: CollectionState | None
    version: VersionState | None
    without: PathSet


@dataclass(frozen=True, slots=True)
class PushSpec:
    """
    What to push, and under which name. `None` texts leave what the version before has.

    Attributes:
        kept: what the version begins with, before `sources`.
        run: `project/run id` of the run that makes it.
    """

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
    kept: KeptVersion | None = None
    run: str | None = None

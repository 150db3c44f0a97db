"""
What a table that came from a store asks of the version it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from artstore.media.content import MediaContent
from artstore.tables.fragments import Fragment

__all__ = ["TableHome"]


class TableHome(Protocol):
    """
    The place of a stored table; the layer above gives one to each table it reads.

    Attributes:
        version: the artifact it belongs to, for links.
        path: of the table in it.
    """

    @property
    def version(self) -> Any: ...

    @property
    def path(self) -> str: ...

    @property
    def name(self) -> str:
        """`project/name:v3/path`."""
        ...

    def fragment_paths(self, fragments: Sequence[Fragment]) -> list[Path]:
        """A verified local file for each fragment."""
        ...

    def open_content(self, path: str) -> MediaContent:
        """The content of a file of the version."""
        ...

"""
One of the two stores of a sync, and names of versions in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from artstore.names import parse_version_address

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.transfer.place import StorePlace

__all__ = ["SyncPlace", "VersionKey", "parse_version_key"]


class VersionKey(NamedTuple):
    """A version by number, in one of the two stores."""

    project: str
    name: str
    version: int

    @property
    def collection(self) -> tuple[str, str]:
        """Project and name."""
        return self.project, self.name

    def __str__(self) -> str:
        return f"{self.project}/{self.name}:v{self.version}"


@dataclass(frozen=True, slots=True)
class SyncPlace:
    """A store as a sync sees it: content and logs, and its runs."""

    place: StorePlace
    runs: RunIndex

    @property
    def id(self) -> str:
        """Of the store."""
        return self.place.store_id

    @property
    def url(self) -> str:
        """Of the store, for messages."""
        return self.place.storage.url


def parse_version_key(text: object) -> VersionKey | None:
    """The version that `project/name:v3`, or `project/name:v3/path`, names; None for no such."""
    if type(text) is not str:
        return None
    named = parse_version_address(text)
    return None if named is None else VersionKey(*named)

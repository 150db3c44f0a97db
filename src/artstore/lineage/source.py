"""
Where lineage comes from: what a walk asks, a whole level of the graph at a time.

Whoever knows edges and collections implements it. Nothing here caches an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from artstore.lineage.records import (
    CollectionFacts,
    CollectionName,
    Edge,
    FileFacts,
    NodeName,
    RunFacts,
    RunName,
    VersionFacts,
    VersionName,
)

__all__ = ["FileSource", "Source"]


class Source(Protocol):
    """
    What `graph` and `stale` ask.

    Names are those of now: of a collection that was renamed, the new one, in edges too. All
    questions may name thousands of nodes, each of them once, and nodes that are not there;
    answers leave out what is not known. The order of answers does not matter.
    """

    def versions(self, names: Collection[VersionName], /) -> Mapping[VersionName, VersionFacts]:
        """Versions of this store, live and deleted."""
        ...

    def runs(self, names: Collection[RunName], /) -> Mapping[RunName, RunFacts]:
        """Runs of this store; deleted ones too, as long as anything is known of them."""
        ...

    def edges_into(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        """All edges whose `after` is one of `names`, of versions elsewhere too."""
        ...

    def edges_out_of(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        """All edges whose `before` is one of `names`, of versions elsewhere too."""
        ...

    def collections(
        self, names: Collection[CollectionName], /
    ) -> Mapping[CollectionName, CollectionFacts]:
        """What collections of this store offer now."""
        ...

    def live_versions(self, project: str | None, /) -> Iterable[VersionName]:
        """All live versions of a project; None: of the store."""
        ...


class FileSource(Source, Protocol):
    """What `why` asks beside: it looks into versions, one at a time."""

    def file(self, version: VersionName, path: str, /) -> FileFacts | None:
        """The entry at `path`; None if there is none, or the version cannot be read any more."""
        ...

    def first_version_with(self, version: VersionName, path: str, digest: str, /) -> VersionName:
        """
        The version that brought this content to this path of the collection.

        It is the lowest one of the unbroken line of versions that ends with `version` and in
        which each has an entry of this digest at `path`. Versions that cannot be read any more
        neither break the line nor are the answer. `version` itself if its own is the first.
        """
        ...

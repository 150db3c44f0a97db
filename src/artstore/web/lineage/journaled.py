"""
Lineage as this machine knows it: what the store has, and runs of which it has not heard yet.

A run writes to a journal first, and its store hears of it a quarter of a minute later, or when it
can be reached again; what such a run used and made has its place in the graph all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from artstore import clock
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
from artstore.lineagesource import edges_of_whole, run_facts

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.lineagesource import StoreSource
    from artstore.tracking.localruns import LocalRun

__all__ = ["JournaledSource"]


class JournaledSource:
    """
    A `FileSource` over a store and the journals of this machine, for one walk.

    Args:
        stored: of the store.
        index: the runs of the store, refreshed after the journals were read.
        journaled: the runs that have a journal here, by project and id.

    Attributes:
        unstored: those of them that the store has not heard of.
    """

    def __init__(
        self,
        stored: StoreSource,
        index: RunIndex,
        journaled: Mapping[tuple[str, str], LocalRun],
    ) -> None:
        self._stored = stored
        states = {key: index.run(*key) for key in journaled}
        self.unstored = frozenset(RunName(*key) for key, state in states.items() if state is None)
        self._wholes = {
            RunName(*key): run.whole_of(None if (state := states[key]) is None else state.whole)
            for key, run in journaled.items()
        }
        self._edges = [
            edge for name, whole in self._wholes.items() for edge in edges_of_whole(name, whole)
        ]

    def runs(self, names: Collection[RunName], /) -> Mapping[RunName, RunFacts]:
        """As `Source.runs`."""
        found = dict(self._stored.runs(names))
        now = clock.now_seconds()
        for name in self._wholes.keys() & set(names):
            found[name] = run_facts(name, self._wholes[name], now)
        return found

    def edges_into(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        """As `Source.edges_into`."""
        wanted = set(names)
        own = [edge for edge in self._edges if edge.after in wanted]
        return _together(self._stored.edges_into(names), own)

    def edges_out_of(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        """As `Source.edges_out_of`."""
        wanted = set(names)
        own = [edge for edge in self._edges if edge.before in wanted]
        return _together(self._stored.edges_out_of(names), own)

    def versions(self, names: Collection[VersionName], /) -> Mapping[VersionName, VersionFacts]:
        """As `Source.versions`."""
        return self._stored.versions(names)

    def collections(
        self, names: Collection[CollectionName], /
    ) -> Mapping[CollectionName, CollectionFacts]:
        """As `Source.collections`."""
        return self._stored.collections(names)

    def live_versions(self, project: str | None, /) -> Iterable[VersionName]:
        """As `Source.live_versions`."""
        return self._stored.live_versions(project)

    def file(self, version: VersionName, path: str, /) -> FileFacts | None:
        """As `FileSource.file`."""
        return self._stored.file(version, path)

    def first_version_with(self, version: VersionName, path: str, digest: str, /) -> VersionName:
        """As `FileSource.first_version_with`."""
        return self._stored.first_version_with(version, path, digest)


def _together(stored: Iterable[Edge], own: Iterable[Edge]) -> Iterator[Edge]:
    """Those of the store, and of the others what it has not, however it tells of them."""
    known = set()
    for edge in stored:
        known.add((edge.kind, edge.before, edge.after))
        yield edge
    yield from (edge for edge in own if (edge.kind, edge.before, edge.after) not in known)

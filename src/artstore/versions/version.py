"""
One version with the store it lies in: opened when it is asked, changed by log entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artstore import forks
from artstore.catalog.state import CollectionState, VersionState
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace

if TYPE_CHECKING:
    from artstore.catalog.catalog import Committed
    from artstore.catalog.requests import Request
    from artstore.manifests.reader import Manifest
    from artstore.transfer.versionfiles import VersionFiles

__all__ = ["LoggedVersion"]


class LoggedVersion:
    """
    What an artifact that has a version works with.

    It can be handed to other processes, forked or spawned: there it opens the
    store anew.

    Args:
        open_place: opens the store in this process, or gives what was opened.
    Attributes:
        state: of the collection, when the version was looked up or last changed here.
        version: its own part of it.
    """

    def __init__(
        self,
        open_place: Callable[[], StorePlace],
        checkouts: Checkouts,
        state: CollectionState,
        version: VersionState,
    ) -> None:
        self._open_place = open_place
        self.checkouts = checkouts
        self.state = state
        self.version = version
        # By `forks.generation`: what a parent opened is not used in a child.
        self._manifests: dict[int, Manifest] = {}
        self._opened_files: dict[int, VersionFiles] = {}
        self._header: Mapping[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        kept = {**self.__dict__, "state": _portable(self.state, self.version)}
        return {**kept, "_manifests": {}, "_opened_files": {}, "_header": None}

    @property
    def place(self) -> StorePlace:
        """The store, opened in this process."""
        return self._open_place()

    @property
    def number(self) -> int:
        """3 of `v3`."""
        return self.version.version

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`."""
        return f"{self.state.qualified_name}:v{self.number}"

    @property
    def default_root(self) -> Path:
        """Where it is downloaded to if nobody says where."""
        return Path("artifacts") / f"{self.state.name}:v{self.number}"

    @property
    def is_newest(self) -> bool:
        """Whether it is what `latest` means."""
        latest = None if self.state.is_in_doubt else self.state.latest
        return latest is not None and latest.version == self.number

    def beside(self, state: CollectionState, version: VersionState) -> LoggedVersion:
        """Another version in the same store."""
        return LoggedVersion(self._open_place, self.checkouts, state, version)

    def manifest(self) -> Manifest:
        """The list of its files, opened."""
        generation = forks.generation()
        manifest = self._manifests.get(generation)
        if manifest is None:
            opened = self.place.manifest(self.version)
            manifest = self._manifests.setdefault(generation, opened)
        return manifest

    def files(self) -> VersionFiles:
        """Its files, opened for reading in part."""
        from artstore.transfer.versionfiles import VersionFiles

        generation = forks.generation()
        files = self._opened_files.get(generation)
        if files is None:
            opened = VersionFiles(self.place, self.manifest())
            files = self._opened_files.setdefault(generation, opened)
        return files

    def header(self) -> Mapping[str, Any]:
        """Description, message and metadata. Cost: one read, the first time."""
        if self._header is None:
            self._header = self.place.header(self.version)
        return self._header

    def commit(self, request: Request) -> Committed:
        """Write one change of it into the log of its collection."""
        committed = self.place.catalog.commit(self.state.project, self.state.name, request)
        self.take(committed.state)
        return committed

    def describe(self, header: Mapping[str, Any]) -> None:
        """Replace description and metadata."""
        self.take(self.place.describe(self.state.project, self.state.name, self.number, header))
        self._header = None

    def take(self, state: CollectionState) -> None:
        """The collection is so now."""
        self.state, self.version = state, state.versions[self.number]


def _portable(state: CollectionState, version: VersionState) -> CollectionState:
    """What a version tells of its collection, without the versions that it says nothing of."""
    told = {version.version: version}
    if state.latest is not None:
        told[state.latest.version] = state.latest
    versions = {number: told[number] for number in sorted(told)}
    return replace(state, versions=versions, aliases={}, drafts={}, unknown=(), fences=())

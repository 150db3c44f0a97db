"""
What lies within a store: for rooms of this package that read it without `Store` in between.

No part of what users of the package may rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.catalog.runs.index import RunIndex
    from artstore.lineagesource import StoreSource
    from artstore.runs.storedrun import StoredRun
    from artstore.settings import Settings
    from artstore.storage.protocol import Storage
    from artstore.storeconnection import StoreConnection
    from artstore.storegarbage import StoreGarbage
    from artstore.storelineage import StoreLineage
    from artstore.storeruns import StoreRuns
    from artstore.transfer.place import StorePlace
    from artstore.versions.version import LoggedVersion

__all__ = [
    "guarded_storage_of",
    "lineage_source_of",
    "logged_version_of",
    "place_of",
    "run_index_of",
    "settings_of",
    "stored_run_of",
]


def settings_of(store: StoreConnection) -> Settings:
    """What it was opened with."""
    return store._settings  # noqa: SLF001 - here alone, so that nobody else does


def guarded_storage_of(store: StoreConnection) -> Storage:
    """The storage of a store, with all that stands before it. Raises NotFoundError."""
    return store._guarded_storage()  # noqa: SLF001 - as above


def place_of(store: StoreGarbage) -> StorePlace:
    """Its catalog and its storage. Raises NotFoundError."""
    return store._place()  # noqa: SLF001 - as above


def run_index_of(store: StoreConnection) -> RunIndex:
    """What this machine knows of the runs of a store. Raises NotFoundError."""
    return store._run_index()  # noqa: SLF001 - as above


def stored_run_of(
    store: StoreRuns, project: str, run_id: str, facts: Mapping[str, Any]
) -> StoredRun:
    """A run of which the facts are known already; nothing is read. Raises NotFoundError."""
    return store._stored(store._run_index(), project, run_id, facts)  # noqa: SLF001 - as above


def lineage_source_of(store: StoreLineage) -> StoreSource:
    """What walks of lineage ask. Cost: one scan for each project with runs."""
    return store._lineage_source()  # noqa: SLF001 - as above


def logged_version_of(artifact: Artifact) -> LoggedVersion:
    """The version that an artifact is. Raises StateError `artifact-not-logged`."""
    return artifact._logged()  # noqa: SLF001 - as above

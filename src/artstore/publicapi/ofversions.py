"""
The runs of one version: which made it, and which used it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artstore.errors import NotFoundError
from artstore.publicapi.publicrun import PublicRun
from artstore.storeaccess import run_index_of

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.versions.version import LoggedVersion

__all__ = ["run_that_made", "runs_that_used"]


def run_that_made(version: LoggedVersion) -> PublicRun | None:
    """The run that the log of its collection names."""
    named = version.version.run
    if named is None:
        return None
    return _run(_store_of(version), named)


def runs_that_used(version: LoggedVersion) -> list[PublicRun]:
    """The runs whose logs say that they used it; deleted ones are left out."""
    store = _store_of(version)
    index = run_index_of(store)
    for project in index.projects():
        index.refresh(project)
    key = (version.state.qualified_name, version.number)
    edges = [edge for edge in index.edges_of_versions([key]) if edge.direction == "used"]
    names = dict.fromkeys(f"{edge.project}/{edge.run_id}" for edge in edges)
    found = [run for name in names if (run := _run(store, name)) is not None]
    return sorted(found, key=lambda run: (run.created_at, run.id))


def _store_of(version: LoggedVersion) -> Store:
    from artstore.defaultstore import store_of
    from artstore.settings import resolve

    return store_of(resolve(version.place.storage.url, version.state.project))


def _run(store: Store, name: str) -> PublicRun | None:
    try:
        found = PublicRun(lambda: store, store.run(name))
    except NotFoundError:
        return None
    return None if found.facts["deleted"] else found

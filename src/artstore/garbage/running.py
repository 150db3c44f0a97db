"""
Versions that running runs use: neither prune nor rm takes them without force (PROTOCOL G12).

This is for the comfort of readers, not for safety: a run that begins a moment later is
not seen, and then finds by name who deleted what it wants.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from artstore.catalog.runs.runlog import run_entry_key
from artstore.catalog.runs.state import is_open
from artstore.errors import NotFoundError
from artstore.forks import LazyValue

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.state import CollectionState
    from artstore.storage.protocol import Storage

__all__ = ["HEARTBEAT_SECONDS", "RunInputs"]

HEARTBEAT_SECONDS: Final = 24 * 3600.0
"""A run that has not written for so long, by the clock of the store, is taken for dead."""
_THREAD_COUNT: Final = 16


class RunInputs:
    """
    What runs use that go on now.

    Args:
        now_seconds: by the clock of the store.
    """

    def __init__(self, storage: Storage, index: RunIndex, now_seconds: float) -> None:
        self._storage = storage
        self._index = index
        self._now = now_seconds
        self._running: dict[tuple[str, str], bool] = {}

    def users(
        self, state: CollectionState, versions: Collection[int]
    ) -> dict[int, tuple[str, ...]]:
        """
        By version of a collection the runs that use it, `project/id`; others are left out.

        Raises:
            StorageError: the runs cannot be asked for: then nobody knows what they use.
        Cost: the first time one scan of names, one scan for each project with runs, and one for
            each run that goes on there, each run is read once in the life of this machine's
            cache; then a scan and a stat for each run that has not ended and uses one of them.
        """
        if not versions or not self._is_fresh:
            return {}
        names = {state.qualified_name, "/".join(state.now_named or (state.project, state.name))}
        found: dict[int, list[str]] = {}
        wanted = [(name, version) for name in sorted(names) for version in versions]
        for edge in self._index.edges_of_versions(wanted):
            if edge.direction == "used" and self._is_running(edge.project, edge.run_id):
                found.setdefault(edge.version, []).append(f"{edge.project}/{edge.run_id}")
        return {version: tuple(dict.fromkeys(runs)) for version, runs in found.items()}

    @LazyValue
    def _is_fresh(self) -> bool:
        """Brings the index up to date; whether there are runs at all."""
        projects = self._index.projects()
        if len(projects) > 1:
            with ThreadPoolExecutor(min(_THREAD_COUNT, len(projects))) as pool:
                list(pool.map(self._index.refresh, projects))
        elif projects:
            self._index.refresh(projects[0])
        return bool(projects)

    def _is_running(self, project: str, run_id: str) -> bool:
        known = self._running.get((project, run_id))
        if known is None:
            known = self._running[project, run_id] = self._has_heartbeat(project, run_id)
        return known

    def _has_heartbeat(self, project: str, run_id: str) -> bool:
        state = self._index.run(project, run_id)
        if state is None or not is_open(state.whole):
            return False
        # When to ask again is decided there by the clock of this machine; here it is asked now.
        state = self._index.refresh_run(project, run_id)
        if state.whole["deleted"] or not is_open(state.whole):
            return False
        try:
            told = self._storage.stat(run_entry_key(project, run_id, state.n))
        except NotFoundError:
            return False
        return self._now - told.modified_seconds < HEARTBEAT_SECONDS

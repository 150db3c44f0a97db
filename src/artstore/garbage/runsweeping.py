"""
Free what runs no longer need: segments that were written anew, and all of deleted runs.

Each run is for itself: one that cannot be read or is not whole loses nothing, is told of, and
keeps no other one from being looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from artstore.catalog.guard import is_guarded_here
from artstore.catalog.runs.format import project_prefix
from artstore.catalog.runs.runlog import RunLog, RunState
from artstore.catalog.runs.survey import RunKeys, runs_in
from artstore.errors import ArtstoreError
from artstore.garbage.records import RunGarbage
from artstore.garbage.runobjects import (
    dead_segments,
    is_recent,
    may_hold_garbage,
    sessions_of,
    swept_objects,
)

if TYPE_CHECKING:
    from artstore.catalog.format import Body
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.runs.state import Whole
    from artstore.storage.protocol import KeyInfo, Storage

__all__ = ["RunSweep"]

_PARALLEL: Final = 16
_DELETED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Dead:
    """What goes of one run; `kept` says why nothing may."""

    objects: tuple[KeyInfo, ...] = ()
    is_deleted_run: bool = False
    kept: str = ""


class RunSweep:
    """
    Args:
        author: `user@host`, written into log entries.
        quiet_since: seconds since 1970 by the clock of the storage: what was written, named or
            deleted later stays.
        is_dry_run: only say what would go.
    """

    def __init__(
        self,
        storage: Storage,
        index: RunIndex,
        *,
        author: str,
        quiet_since: float,
        is_dry_run: bool,
    ) -> None:
        self._storage = storage
        self._index = index
        self._author = author
        self._quiet_since = quiet_since
        self._is_dry_run = is_dry_run

    def sweep(self) -> RunGarbage:
        """
        All runs of the store.

        Raises:
            StorageError: projects cannot be listed, or these credentials may not delete.
        Cost: a scan of names, a scan of all runs; a scan and a batch of reads for each run
            that may have something to free, an entry for each deleted one; a delete request
            for 1,000 objects.
        """
        found = RunGarbage()
        for project in self._index.projects():
            try:
                found += self._sweep_project(project)
            except ArtstoreError as error:
                found += RunGarbage(kept=((project, error.message),))
        return found

    def _sweep_project(self, project: str) -> RunGarbage:
        self._index.refresh(project)
        deleted = {whole["run"] for whole in self._index.runs(project) if whole["deleted"]}
        known = self._index.heads(project)
        wanted = [
            run
            for run in runs_in(self._storage.scan(project_prefix(project)))
            if run.objects and (run.run_id in deleted or may_hold_garbage(run, self._quiet_since))
        ]

        def look(run: RunKeys) -> _Dead:
            try:
                return self._look(run, known.get(run.run_id, -1))
            except ArtstoreError as error:
                return _Dead(kept=error.message)

        if is_guarded_here(self._storage.url):
            dead = [look(run) for run in wanted]
        else:
            with ThreadPoolExecutor(_PARALLEL) as pool:
                dead = list(pool.map(look, wanted))
        self._delete(info.key for one in dead for info in one.objects)
        return RunGarbage(
            deleted_runs=sum(one.is_deleted_run for one in dead),
            segments=sum(len(one.objects) for one in dead if not one.is_deleted_run),
            objects=sum(len(one.objects) for one in dead),
            size_bytes=sum(info.size_bytes for one in dead for info in one.objects),
            kept=tuple(
                (run.name, one.kept) for run, one in zip(wanted, dead, strict=True) if one.kept
            ),
        )

    def _look(self, run: RunKeys, known_n: int) -> _Dead:
        log = RunLog(self._storage, run.project, run.run_id, self._author)
        states: list[tuple[int, Whole]] = []
        last: RunState | None = None
        is_quiet = True
        for kind, last in log.replay():
            if not kind:
                return _Dead(kept=f"entry {last.n} of its log is damaged or not known here")
            states.append((last.n, last.whole))
            is_quiet &= kind == "sweep" or not is_recent(run, last.n, self._quiet_since)
        if last is None or last.n < known_n:
            return _Dead(kept="entries of its log that this machine has read are missing")
        if last.warnings:
            return _Dead(kept=f"its log is not whole: {last.warnings[0].message}")
        if not last.whole["deleted"]:
            return _Dead(tuple(dead_segments(run, states, self._quiet_since)))
        if not is_quiet:
            return _Dead()
        dead = tuple(swept_objects(run, last.whole, self._quiet_since))
        if not dead or not self._may_go(log, last):
            return _Dead()
        return _Dead(dead, is_deleted_run=True)

    def _may_go(self, log: RunLog, looked_at: RunState) -> bool:
        """Write that all is gone, unless that stands; False if the run changed meanwhile."""
        sessions = sessions_of(looked_at.whole)
        if self._is_dry_run or sessions == set(looked_at.whole["swept"]):
            return True

        def decide(_: Whole) -> Body | None:
            if log.state.n != looked_at.n:
                return None
            return "sweep", {"sessions": sorted(sessions)}

        after = log.append(decide)
        is_written = after.n == looked_at.n + 1 and sessions <= set(after.whole["swept"])
        if is_written:
            self._index.accept(log.project, log.run_id, after)
        return is_written

    def _delete(self, keys: Iterable[str]) -> None:
        ordered = [] if self._is_dry_run else list(keys)
        for start in range(0, len(ordered), _DELETED_AT_ONCE):
            self._storage.delete(ordered[start : start + _DELETED_AT_ONCE])

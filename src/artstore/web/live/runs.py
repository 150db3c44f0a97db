"""
The runs of the served store as they are now: what it has, and what this machine knows before it.

Whoever shows runs asks here, as `site.live`:

    site.live.runs(project) -> LiveRuns     all runs of a project, and a revision
    site.live.run(project, id) -> LiveRun   one run: `artstore.web.live.run` tells what it gives
    site.live.expire(project)               after a change that this server has made itself
    site.live.watch(...)                    be woken when something changes

What is asked for within half a second is the same moment, for however many visitors. While
somebody watches, one thread looks every half second, and all others are told what it found.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import clock, forks
from artstore.catalog.runs.format import check_run_id
from artstore.errors import ArtstoreError, LimitExceededError
from artstore.limits import MIB
from artstore.names import check_project_name
from artstore.runs.columncache import ColumnCache
from artstore.storeaccess import guarded_storage_of, run_index_of, settings_of, stored_run_of
from artstore.tracking.localruns import LocalRuns
from artstore.tracking.statehome import state_home
from artstore.web.live.project import Changed, LiveProject
from artstore.web.live.run import LiveRun

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.catalog.runs.index import RunIndex
    from artstore.runs.historyreading import HistoryReader
    from artstore.tracking.localruns import LocalRun

__all__ = ["Live", "LiveRuns"]

_LOG: Final = logging.getLogger("artstore.web")
_LOOK_SECONDS: Final = 0.5
_FRESH_SECONDS: Final = 2 * _LOOK_SECONDS
"""While the thread looks; who comes in between does not look himself."""
_BUCKET_SECONDS: Final = 5.0
"""A bucket is asked no more often: runs store every 15 seconds, and each look costs money."""
_STORE_SHARE: Final = 20
"""No more than this part of the time goes into asking the store."""
_STORE_MOST_SECONDS: Final = 15.0
_AFTER_FAILURE_SECONDS: Final = 5.0
_CACHE_BYTES: Final = 192 * MIB
_WATCHERS_COUNT: Final = 256
_PROJECTS_COUNT: Final = 256
_NEVER: Final = float("-inf")

Whole = Mapping[str, Any]


class LiveRuns(NamedTuple):
    """
    All runs of a project at one moment; nothing in it changes.

    Attributes:
        wholes: as `RunIndex.runs` gives them (no uses, outputs, segments and environment),
            the oldest first, deleted ones too. The same list while nothing is different.
        revision: another one whenever something is different; it only grows.
    """

    project: str
    wholes: Sequence[Whole]
    revision: int


class Live:
    """What a site knows of the runs of its store. Safe between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache = ColumnCache(_CACHE_BYTES)
        self._turn = forks.new_lock()
        self._local: LocalRuns | None = None
        self._reader: HistoryReader | None = None
        self._projects: dict[str, LiveProject] = {}
        self._looked: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._store_seconds = 0.0
        self._watching = forks.new_lock()
        self._watched: dict[str, list[Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    # reading ------------------------------------------------------------------------------

    def runs(self, project: str) -> LiveRuns:
        """
        The runs of a project.

        Raises:
            InvalidInputError: `name-invalid`.
            ArtstoreError: what the storage raises.
        Cost: nothing within half a second of the last time; else as `RunIndex.refresh`, and the
            facts of runs that are different.
        """
        wholes, revision = self._fresh(check_project_name(project)).wholes()
        return LiveRuns(project, wholes, revision)

    def run(self, project: str, run_id: str) -> LiveRun:
        """
        One run.

        Raises:
            NotFoundError: `run-not-found`, with ids that are close.
            InvalidInputError: `name-invalid`.
            ArtstoreError: what the storage raises.
        Cost: as `runs`.
        """
        known = self._fresh(check_project_name(project))
        return self._run(known, check_run_id(run_id))

    def some(self, project: str, run_ids: Sequence[str]) -> list[LiveRun]:
        """Several runs of one moment. Raises and cost: as `run`."""
        known = self._fresh(check_project_name(project))
        return [self._run(known, check_run_id(run_id)) for run_id in run_ids]

    def expire(self, project: str) -> None:
        """Ask the store again when somebody next wants to know: something was changed."""
        with self._turn:
            # Who looks just now has seen what was before.
            self._looked[project] = self._asked[project] = _NEVER

    def journaled(self) -> Mapping[tuple[str, str], LocalRun]:
        """
        What journals of this machine tell of runs, of all projects, by project and id.

        Cost: a look at these journals; of the store nothing is asked.
        """
        with self._turn:
            local = self._local_runs()
            local.refresh()
            return local.runs

    @property
    def reader(self) -> HistoryReader:
        """Reads columns of runs, and keeps those that were read lately."""
        if self._reader is None:
            from artstore.runs.historyreading import HistoryReader

            self._reader = HistoryReader(guarded_storage_of(self._store), self._cache)
        return self._reader

    def _run(self, known: LiveProject, run_id: str) -> LiveRun:
        # In this order: what the store tells may be newer than that, and never older.
        local, revision = known.local(run_id)
        state = self._index().run(known.project, run_id)
        if local is not None:
            whole: Whole = local.whole_of(None if state is None else state.whole)
        elif state is not None:
            whole = state.whole
        else:
            # Markers may be late, or lost.
            whole = self._store.run(f"{known.project}/{run_id}").whole
        stored = stored_run_of(self._store, known.project, run_id, whole)

        def renewed() -> LiveRun:
            self.expire(known.project)
            return self.run(known.project, run_id)

        return LiveRun(stored, local, self.reader, renewed, revision=revision)

    def _index(self) -> RunIndex:
        return run_index_of(self._store)

    # looking ------------------------------------------------------------------------------

    def _fresh(self, project: str) -> LiveProject:
        """What is known of a project, looked at just now."""
        known = self._projects.get(project)
        if known is not None and self._is_fresh(project):
            return known
        with self._turn:
            known = self._projects.get(project)
            if known is None or not self._is_fresh(project):
                known = self._look(project)
            return known

    def _is_fresh(self, project: str) -> bool:
        is_looked_for = self._thread is not None and project in self._watched
        age = clock.monotonic_seconds() - self._looked.get(project, _NEVER)
        return age < (_FRESH_SECONDS if is_looked_for else _LOOK_SECONDS)

    def _look(self, project: str) -> LiveProject:
        """
        Look at journals, then at the store: what a journal notes as stored is there by then.
        """
        known = self._projects.get(project) or LiveProject(project)
        local = self._local_runs()
        local.refresh()
        runs = {key[1]: run for key, run in local.runs.items() if key[0] == project}
        index = self._index()
        began = clock.monotonic_seconds()
        heads = None
        if began - self._asked.get(project, _NEVER) >= self._store_seconds:
            index.refresh(project)
            heads = index.heads(project)
            self._asked[project] = clock.monotonic_seconds()
            self._store_seconds = self._pause(clock.monotonic_seconds() - began)
        else:
            for run_id in known.behind(runs):
                index.refresh_run(project, run_id)
        known.take(index, runs, heads)
        self._projects[project] = known
        self._looked[project] = clock.monotonic_seconds()
        if len(self._projects) > _PROJECTS_COUNT:
            self._forget_oldest()
        return known

    def _forget_oldest(self) -> None:
        """Anybody may ask for any name."""
        idle = [name for name in self._projects if name not in self._watched]
        if idle:
            oldest = min(idle, key=lambda name: self._looked.get(name, _NEVER))
            for kept in (self._projects, self._looked, self._asked):
                kept.pop(oldest, None)

    def _local_runs(self) -> LocalRuns:
        if self._local is None:
            settings = settings_of(self._store)
            self._local = LocalRuns(state_home(settings.state_dir), settings.url)
        return self._local

    def _pause(self, took_seconds: float) -> float:
        """Until the store is asked again."""
        is_near = self._store.url.startswith(("file:", "memory:"))
        least = _LOOK_SECONDS * 0.9 if is_near else _BUCKET_SECONDS
        return min(max(least, _STORE_SHARE * took_seconds), _STORE_MOST_SECONDS)

    # watching -----------------------------------------------------------------------------

    @property
    def look_count(self) -> int:
        """How often the journals of this machine were looked at."""
        return 0 if self._local is None else self._local.look_count

    @property
    def watcher_count(self) -> int:
        """How many watch now."""
        return sum(len(watchers) for watchers in self._watched.values())

    @property
    def is_closed(self) -> bool:
        """Whether the server ends: then nobody watches any more."""
        return self._stop.is_set()

    def open(self) -> None:
        """The server begins to answer."""
        self._stop = threading.Event()

    def close(self) -> None:
        """The server ends: whoever watches is woken, and finds `is_closed`."""
        self._stop.set()
        with self._watching:
            watchers = [wake for waiting in self._watched.values() for wake in waiting]
        for wake in watchers:
            wake()

    def check_room(self) -> None:
        """
        Find out whether one more may watch.

        Raises:
            LimitExceededError: `watchers-too-many`.
        """
        if self.watcher_count >= _WATCHERS_COUNT:
            raise LimitExceededError(
                f"{_WATCHERS_COUNT} visitors watch runs of this server, and no more can",
                code="watchers-too-many",
                hint="close pages of runs that nobody looks at",
            )

    @contextmanager
    def watch(self, project: str, wake: Callable[[], None]) -> Iterator[None]:
        """
        Within the block, `wake` is called after each change in a project, by any thread.

        Raises:
            InvalidInputError: `name-invalid`.
        """
        check_project_name(project)
        with self._watching:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._keep_looking, name="artstore runs", daemon=True
                )
                # It waits for this lock before it finds that nobody watches.
                thread.start()
                self._thread = thread
            self._watched.setdefault(project, []).append(wake)
        try:
            yield
        finally:
            with self._watching:
                self._watched[project].remove(wake)
                if not self._watched[project]:
                    del self._watched[project]

    def changes(self, project: str, since: int) -> Changed | None:
        """What has changed in a project after a revision; None if nothing is known of it yet."""
        known = self._projects.get(project)
        return None if known is None else known.since(since)

    def _keep_looking(self) -> None:
        """The thread: as long as anybody watches."""
        is_told = False
        told: dict[str, int] = {}
        while True:
            pause = _LOOK_SECONDS
            for project in self._watched_projects():
                try:
                    self._look_for_watchers(project, told)
                    is_told = False
                except ArtstoreError as error:
                    if not is_told:
                        _LOG.warning("runs of %s cannot be looked at: %s", project, error)
                    is_told, pause = True, _AFTER_FAILURE_SECONDS
                except Exception:  # noqa: BLE001 - whatever it is, the others are looked at
                    _LOG.exception("runs of %s cannot be looked at", project)
                    pause = _AFTER_FAILURE_SECONDS
            self._stop.wait(pause)
            with self._watching:
                if self._stop.is_set() or not self._watched:
                    self._thread = None
                    return

    def _watched_projects(self) -> list[str]:
        with self._watching:
            return list(self._watched)

    def _look_for_watchers(self, project: str, told: dict[str, int]) -> None:
        with self._turn:
            revision = self._look(project).revision
        if told.get(project) == revision:
            return
        # Others may have looked in between: what counts is what watchers were told.
        told[project] = revision
        with self._watching:
            waiting = list(self._watched.get(project, ()))
        for wake in waiting:
            wake()

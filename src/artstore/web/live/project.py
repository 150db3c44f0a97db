"""
The runs of one project as a server knows them, and what of them changed when.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import clock, forks
from artstore.catalog.runs.state import current_state

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.tracking.localruns import LocalRun

__all__ = ["Changed", "LiveProject"]

Whole = Mapping[str, Any]

_LARGE: Final = ("used", "logged", "linked", "segments", "environment")
"""What `RunIndex.runs` leaves out."""
_RUNNING: Final = "running"
_FEW_COUNT: Final = 8
"""Of more runs the facts are read together."""


class Changed(NamedTuple):
    """
    What has changed after a revision.

    Attributes:
        revision: up to which this tells.
        runs: id, revision and state of runs, in the order of their changes.
        is_whole: whether these are all; else everything may be different.
    """

    revision: int
    runs: list[tuple[str, int, str]]
    is_whole: bool


class LiveProject:
    """
    The runs of a project. One thread at a time lets it learn; others may read meanwhile.
    """

    def __init__(self, project: str) -> None:
        self.project = project
        self._lock = forks.new_lock()
        self._local: Mapping[str, LocalRun] = {}
        # Later servers begin behind what earlier ones told.
        self._first = self._revision = int(clock.now_seconds() * 1000)
        self._heads: Mapping[str, int] = {}
        self._ordered: list[Whole] = []
        self._places: dict[str, int] = {}
        self._states: dict[str, str] = {}
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._is_known = False

    @property
    def revision(self) -> int:
        """Of the last change; it only grows, also from one server to the next."""
        return self._revision

    def wholes(self) -> tuple[Sequence[Whole], int]:
        """All runs, the oldest first, as `RunIndex.runs` gives them; the revision of that."""
        with self._lock:
            return self._ordered, self._revision

    def local(self, run_id: str) -> tuple[LocalRun | None, int]:
        """What this machine knows of a run beyond the store; the revision of its last change."""
        with self._lock:
            return self._local.get(run_id), self._changed.get(run_id, self._first)

    def since(self, revision: int) -> Changed:
        """What has changed after a revision. Cost: what has changed."""
        with self._lock:
            backwards = ((run_id, self._changed[run_id]) for run_id in reversed(self._changed))
            changed = list(takewhile(lambda one: one[1] > revision, backwards))[::-1]
            runs = [(run_id, at, self._states.get(run_id, "")) for run_id, at in changed]
            return Changed(self._revision, runs, is_whole=revision >= self._first)

    def behind(self, local: Mapping[str, LocalRun]) -> list[str]:
        """Runs of which the store has more than when its log was read last, as journals tell."""
        return [
            run_id
            for run_id in {**self._local, **local}
            if _mark(self._local.get(run_id)) != _mark(local.get(run_id))
        ]

    def take(
        self, index: RunIndex, local: Mapping[str, LocalRun], heads: Mapping[str, int] | None
    ) -> None:
        """
        Learn what is different.

        Args:
            index: refreshed after `local` was read.
            heads: the numbers of the last entries, where the project was asked for.
        """
        changed = {run_id for run_id in {**self._local, **local} if self._is_other(run_id, local)}
        if heads is None:
            heads = self._heads
        else:
            changed.update(run_id for run_id, n in heads.items() if self._heads.get(run_id) != n)
            changed.update(self._heads.keys() - heads.keys())
        news, numbers = self._loaded(index, local, changed)
        self._heads = {**heads, **numbers} if numbers else heads
        now = clock.now_seconds()
        # Of those that go on time alone may make one that has crashed.
        for run_id in [run_id for run_id, state in self._states.items() if state == _RUNNING]:
            whole = self._ordered[self._places[run_id]]
            if run_id not in changed and current_state(whole, now) != _RUNNING:
                changed.add(run_id)
                news[run_id] = whole
        with self._lock:
            self._local = local
            if changed:
                self._publish(news, changed, now)
        self._is_known = True

    def _is_other(self, run_id: str, local: Mapping[str, LocalRun]) -> bool:
        before, now = self._local.get(run_id), local.get(run_id)
        return before is None or now is None or before.revision != now.revision

    def _loaded(
        self, index: RunIndex, local: Mapping[str, LocalRun], changed: set[str]
    ) -> tuple[dict[str, Whole], dict[str, int]]:
        """The facts of runs that are different, and the entries up to which some of them tell."""
        found: dict[str, Whole] = {}
        numbers: dict[str, int] = {}
        stored = changed - local.keys()
        if len(stored) > _FEW_COUNT:
            only = list(stored) if self._is_known else None
            wholes = index.runs(self.project, only=only)
            found = {whole["run"]: whole for whole in wholes if whole["run"] in stored}
            stored = set()
        for run_id in stored | (changed & local.keys()):
            state = index.run(self.project, run_id)
            whole: Whole | None = None
            if state is not None:
                whole, numbers[run_id] = state.whole, state.n
            if run_id in local:
                whole = local[run_id].whole_of(whole)
            if whole is not None:
                found[run_id] = {key: value for key, value in whole.items() if key not in _LARGE}
        return found, numbers

    def _publish(self, news: Mapping[str, Whole], changed: set[str], now: float) -> None:
        """Under the lock."""
        self._revision += 1
        if all(self._has_same_place(news.get(run_id), run_id) for run_id in changed):
            # Others may be reading the list that was.
            self._ordered = [*self._ordered]
            for run_id, whole in news.items():
                self._ordered[self._places[run_id]] = whole
        else:
            kept = [whole for whole in self._ordered if whole["run"] not in changed]
            self._ordered = sorted([*kept, *news.values()], key=_place)
            self._places = {whole["run"]: at for at, whole in enumerate(self._ordered)}
        for run_id in sorted(changed):
            if run_id in news:
                self._states[run_id] = current_state(news[run_id], now)
            else:
                self._states.pop(run_id, None)
            if self._is_known:
                self._changed[run_id] = self._revision
                self._changed.move_to_end(run_id)

    def _has_same_place(self, whole: Whole | None, run_id: str) -> bool:
        at = self._places.get(run_id)
        return whole is not None and at is not None and _place(self._ordered[at]) == _place(whole)


def _place(whole: Whole) -> tuple[str, str]:
    return whole["created"] or "", whole["run"]


def _mark(run: LocalRun | None) -> Any:
    return None if run is None else run.stored_mark

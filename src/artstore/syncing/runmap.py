"""
Which run of the target is which of the source: by the origin that it states, else by its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from artstore.catalog.runs.format import RUN_ID_MAX_CHARS
from artstore.syncing.syncplace import SyncPlace

__all__ = ["RunIdentity", "RunMap", "identity_of"]

_ID_COUNT: Final = 10_000


class RunIdentity(NamedTuple):
    """Where a run was made: the id of a store, the project and the id that it has there."""

    store: str
    project: str
    run_id: str


def identity_of(store_id: str, project: str, run_id: str, facts: Mapping[str, Any]) -> RunIdentity:
    """The origin that a run states, or the store it lies in."""
    origin = facts.get("origin")
    if origin:
        return RunIdentity(str(origin["store"]), str(origin["project"]), str(origin["run"]))
    return RunIdentity(store_id, project, run_id)


class RunMap:
    """
    The runs of both stores by project, each project looked at once.

    Args:
        target: None for a store that is still to be made.
    """

    def __init__(self, source: SyncPlace, target: SyncPlace | None) -> None:
        self._source = source
        self._target = target
        self._facts: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._heads: dict[str, dict[str, int]] = {}
        self._brought: dict[tuple[str, str], Mapping[str, int]] = {}
        self._partial: set[tuple[str, str]] = set()
        self._by_origin: dict[str, dict[RunIdentity, str]] = {}
        self._taken: dict[str, dict[str, RunIdentity]] = {}

    def source_runs(self, project: str) -> Mapping[str, Mapping[str, Any]]:
        """What lists show of the runs of a project of the source. Cost: one scan, once."""
        found = self._facts.get(project)
        if found is None:
            self._source.runs.refresh(project)
            self._heads[project] = self._source.runs.heads(project)
            found = self._facts[project] = {
                str(facts["run"]): facts for facts in self._source.runs.runs(project)
            }
        return found

    def head(self, project: str, run_id: str) -> int:
        """The number of the last entry of a run of the source."""
        self.source_runs(project)
        return self._heads[project].get(run_id, -1)

    def brought(self, project: str, run_id: str) -> Mapping[str, int]:
        """Up to which entry a run of the target is as in other stores, when it was looked at."""
        return self._brought.get((project, run_id), {})

    def is_partial(self, project: str, run_id: str) -> bool:
        """Whether a run of the target named versions that were not there when it was brought."""
        return (project, run_id) in self._partial

    def identity(self, project: str, run_id: str) -> RunIdentity:
        """Where a run of the source was made."""
        facts = self.source_runs(project).get(run_id) or {}
        return identity_of(self._source.id, project, run_id, facts)

    def find(self, project: str, run_id: str) -> tuple[str, str]:
        """
        Project and id that a run of the source has in the target, or will have.

        Cost: one scan of each store, the first time a project is asked for.
        """
        identity = self.identity(project, run_id)
        if self._target is not None and identity.store == self._target.id:
            return identity.project, identity.run_id
        self._load(project)
        found = self._by_origin[project].get(identity)
        if found is None:
            found = self._free_id(project, run_id)
            self.take(project, found, identity)
        return project, found

    def take(self, project: str, run_id: str, identity: RunIdentity) -> None:
        """Note whose an id in the target is."""
        self._load(project)
        self._taken[project][run_id] = identity
        self._by_origin[project][identity] = run_id

    def pass_over(self, project: str, run_id: str, holder: RunIdentity) -> None:
        """Note that somebody else has an id that a run of the source was to get."""
        self._load(project)
        taken = self._taken[project]
        before = taken.get(run_id)
        if before is not None:
            self._by_origin[project].pop(before, None)
        taken[run_id] = holder

    def name_of(self, run: str | None) -> str | None:
        """`project/run id` in the target of such a name in the source."""
        if run is None:
            return None
        project, _, run_id = run.partition("/")
        return "/".join(self.find(project, run_id))

    def _load(self, project: str) -> None:
        if project in self._by_origin:
            return
        self._by_origin[project], self._taken[project] = {}, {}
        if self._target is None:
            return
        self._target.runs.refresh(project)
        for facts in self._target.runs.runs(project):
            run_id = str(facts["run"])
            identity = identity_of(self._target.id, project, run_id, facts)
            self._taken[project][run_id] = identity
            self._by_origin[project][identity] = run_id
            self._brought[project, run_id] = facts.get("brought") or {}
            if (facts.get("origin") or {}).get("missing"):
                self._partial.add((project, run_id))

    def _free_id(self, project: str, run_id: str) -> str:
        taken = self._taken[project]
        return next(one for one in _candidates(run_id) if one not in taken)


def _candidates(run_id: str) -> Iterator[str]:
    yield run_id
    for number in range(2, _ID_COUNT):
        ending = f"-{number}"
        yield run_id[: RUN_ID_MAX_CHARS - len(ending)] + ending

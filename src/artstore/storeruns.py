"""
Runs of a store and the lineage of its versions: what `Store` offers to find them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from artstore.errors import NotFoundError

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.runs.selecting import Conditions
    from artstore.runs.storedrun import StoredRun
    from artstore.storage.protocol import Storage

__all__ = ["StoreRuns"]

_SHOWN_CLOSE_COUNT = 3


class StoreRuns:
    """The part of `Store` that reads runs."""

    @property
    def project(self) -> str:
        """As `Store.project`."""
        raise NotImplementedError

    def _run_index(self) -> RunIndex:
        """As `StoreConnection._run_index`."""
        raise NotImplementedError

    def _guarded_storage(self) -> Storage:
        """As `StoreConnection._guarded_storage`."""
        raise NotImplementedError

    def run(self, name: str) -> StoredRun:
        """
        The run `[project/]id`, as it is now.

        Raises:
            NotFoundError: `run-not-found`, with ids that are close.
            InvalidInputError: `name-invalid`.
        Cost: one scan; one batch of reads if there is something new.
        """
        from artstore.catalog.runs.format import check_run_id
        from artstore.names import check_project_name

        *before, run_id = name.split("/")
        project = check_project_name(before[-1] if before else self.project)
        index = self._run_index()
        state = index.refresh_run(project, check_run_id(run_id))
        if not state.exists:
            raise self._no_run(index, project, run_id)
        return self._stored(index, project, run_id, state.whole)

    def runs(
        self,
        project: str | None = None,
        *,
        where: Conditions = None,
        sort: str | Sequence[str] | None = None,
        deleted: bool = False,
        limit: int | None = None,
    ) -> list[StoredRun]:
        """
        The runs of a project, the oldest first.

        Args:
            project: that of the store if None.
            where: a condition in SQL, such as `summary.acc > 0.9 AND state = 'finished'`; or in
                Mongo, as text or a dict; or several that must all hold.
            sort: names such as `created`, `-summary.acc`: those with `-` from the largest down.
            deleted: whether deleted ones are given too.
            limit: the first so many only.
        Raises:
            InvalidInputError: `expression-invalid`, `expression-type-invalid`,
                `column-unknown`, `column-ambiguous`.
            LimitExceededError: `limit-exceeded`.
        Cost: one scan; one scan for each run that goes on; about 3 us a run and 20 us for each
            that is given.
        """
        from artstore.runs.selecting import selected_runs

        wanted = project or self.project
        index = self._run_index()
        index.refresh(wanted)
        found = selected_runs(index, wanted, where=where, sort=sort, deleted=deleted, limit=limit)
        return [self._stored(index, wanted, whole["run"], whole) for whole in found]

    def run_projects(self) -> list[str]:
        """Projects that have runs. Cost: one scan of names."""
        return self._run_index().projects()

    def _stored(
        self, index: RunIndex, project: str, run_id: str, facts: Mapping[str, Any]
    ) -> StoredRun:
        from artstore.runs.storedrun import StoredRun

        storage = self._guarded_storage()
        return StoredRun(storage, index, project, run_id, facts)

    def _no_run(self, index: RunIndex, project: str, run_id: str) -> NotFoundError:
        import difflib

        index.refresh(project)
        there = [whole["run"] for whole in index.runs(project)]
        close = difflib.get_close_matches(run_id, there, _SHOWN_CLOSE_COUNT)
        return NotFoundError(
            f"there is no run {project}/{run_id}",
            code="run-not-found",
            hint=f"did you mean {' or '.join(close)}?" if close else None,
            close=close,
        )

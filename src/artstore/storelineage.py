"""
Lineage of a store: where versions come from, what was made of them, what is stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from artstore import names as naming

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.state import CollectionState, VersionState
    from artstore.lineage.graph import Graph
    from artstore.lineage.records import NodeName, VersionName
    from artstore.lineage.stale import StaleReport
    from artstore.lineage.why import WhyReport
    from artstore.lineagesource import StoreSource
    from artstore.transfer.place import StorePlace

__all__ = ["StoreLineage"]


class StoreLineage:
    """The part of `Store` that walks lineage."""

    @property
    def project(self) -> str:
        """As `Store.project`."""
        raise NotImplementedError

    def _place(self) -> StorePlace:
        raise NotImplementedError

    def _run_index(self) -> RunIndex:
        raise NotImplementedError

    def _resolve(self, name: str) -> tuple[CollectionState, VersionState]:
        raise NotImplementedError

    def lineage(
        self,
        *names: str,
        direction: Literal["up", "down", "both"] = "both",
        depth: int | None = None,
    ) -> Graph:
        """
        What versions and runs were made from, and what was made from them.

        Args:
            names: `[project/]name[:version]` of versions, `run:[project/]id` of runs.
            direction: `up`: what they come from; `down`: what came from them.
            depth: edges from them at the most; all if None.
        Raises:
            NotFoundError: `collection-not-found`, `version-not-found`, `run-not-found`, ...
        Cost: one scan a project with runs; one scan a collection that is met, all of the store
            on the way down; logs are read where they have grown since, no content is read.
        """
        from artstore.lineage.graph import graph

        source = self._lineage_source()
        roots = [self._node(source, name) for name in names]
        return graph(source, roots, direction=direction, depth=depth)

    def why(self, name: str, path: str | None = None, *, depth: int = 8) -> WhyReport:
        """
        Which run made a version, or brought a file of it, with which code and inputs, and so on.

        Args:
            path: of an entry of the version, or the name of a table in it.
            depth: levels of inputs.
        Raises:
            NotFoundError: as `artifact`; `entry-not-found`.
        Cost: as `lineage`; with a path, reads the lists of files of earlier versions.
        """
        from artstore.lineage.why import why

        source = self._lineage_source()
        version = self._version_name(source, name)
        if path is not None:
            path = source.entry_path(version, path)
        return why(source, version, path, depth=depth)

    def stale(self, project: str | None = None, *, names: list[str] | None = None) -> StaleReport:
        """
        Versions whose inputs have a newer version, or were marked bad or deleted.

        Args:
            project: where to look; that of the store if None. `"*"` is every project.
            names: only these versions.
        Cost: one scan for each collection of the project and of its inputs.
        """
        from artstore.lineage.stale import stale

        source = self._lineage_source()
        if names is None:
            wanted = None if project == "*" else project or self.project
            return stale(source, project=wanted)
        return stale(source, roots=[self._version_name(source, name) for name in names])

    def _lineage_source(self) -> StoreSource:
        from artstore.lineagesource import StoreSource

        index = self._run_index()
        for project in index.projects():
            index.refresh(project)
        return StoreSource(self._place(), index)

    def _node(self, source: StoreSource, name: str) -> NodeName:
        from artstore.lineage.records import RunName

        if name.startswith("run:"):
            *before, run_id = name.removeprefix("run:").split("/")
            project = naming.check_project_name(before[-1] if before else self.project)
            self.run(f"{project}/{run_id}")
            return RunName(project, run_id)
        return self._version_name(source, name)

    def _version_name(self, source: StoreSource, name: str) -> VersionName:
        from artstore.lineage.records import VersionName

        parsed = naming.parse_artifact_name(name)
        found = source.find(parsed.project or self.project, parsed)
        if found is not None:
            return found
        # It may be there all the same; else the error says what is.
        state, version = self._resolve(name)
        return VersionName(state.project, state.name, version.version)

    def run(self, name: str) -> object:
        """As `Store.run`."""
        raise NotImplementedError

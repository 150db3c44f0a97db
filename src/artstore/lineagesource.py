"""
What walks of lineage ask, answered from the index of runs and the logs of collections.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from artstore import clock
from artstore.catalog.runs.state import current_state
from artstore.errors import ArtstoreError, NotFoundError
from artstore.lineage.records import (
    CollectionFacts,
    CollectionName,
    Edge,
    FileFacts,
    NodeName,
    RunFacts,
    RunName,
    VersionFacts,
    VersionName,
)
from artstore.names import parse_artifact_name

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.state import CollectionState, VersionState
    from artstore.manifests.entry import Entry
    from artstore.transfer.place import StorePlace

__all__ = ["StoreSource"]

_BAD: Final = "bad"
_THREAD_COUNT: Final = 16


class StoreSource:
    """
    A `FileSource` over one store, for one walk: each collection is looked up once.

    Edges between versions stand with the version that names another one (`inputs`, `source`);
    from the other end they are found among the collections of every project.
    """

    def __init__(self, place: StorePlace, index: RunIndex) -> None:
        self._place = place
        self._index = index
        self._states: dict[CollectionName, CollectionState | None] = {}
        self._named_by: dict[VersionName, list[Edge]] | None = None

    # --- nodes ------------------------------------------------------------------------------

    def versions(self, names: Collection[VersionName], /) -> Mapping[VersionName, VersionFacts]:
        """As `Source.versions`."""
        self._look_up({name.collection for name in names})
        found = {}
        for name in names:
            state = self._states.get(name.collection)
            version = None if state is None else state.versions.get(name.version)
            if state is not None and version is not None and not name.store:
                found[name] = _version_facts(name, state, version)
        return found

    def runs(self, names: Collection[RunName], /) -> Mapping[RunName, RunFacts]:
        """As `Source.runs`."""
        now = clock.now_seconds()
        found = {}
        for name in names:
            state = self._index.run(name.project, name.run_id)
            if state is not None:
                found[name] = _run_facts(name, state.whole, now)
        return found

    def collections(
        self, names: Collection[CollectionName], /
    ) -> Mapping[CollectionName, CollectionFacts]:
        """As `Source.collections`."""
        self._look_up(names)
        found = {}
        for name in names:
            state = self._states.get(name)
            if state is not None:
                good = [one.version for one in state.live if not _is_bad(one)]
                found[name] = CollectionFacts(max(good, default=None), dict(state.aliases))
        return found

    def live_versions(self, project: str | None, /) -> Iterable[VersionName]:
        """As `Source.live_versions`."""
        projects = self._place.catalog.projects() if project is None else [project]
        names = self._all_collections(projects)
        self._look_up(names)
        for name in names:
            state = self._states.get(name)
            if state is not None:
                for version in state.live:
                    yield VersionName(name.project, name.name, version.version)

    # --- edges ------------------------------------------------------------------------------

    def edges_into(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        """As `Source.edges_into`."""
        versions = [name for name in names if isinstance(name, VersionName) and not name.store]
        runs = [name for name in names if isinstance(name, RunName)]
        yield from self._edges_of_versions(versions, "logged")
        for edge in self._edges_of_runs(runs):
            if edge.kind == "used":
                yield edge
        self._look_up({name.collection for name in versions})
        for name in versions:
            yield from self._named(name)

    def edges_out_of(self, names: Collection[NodeName], /) -> Iterable[Edge]:
        """As `Source.edges_out_of`."""
        versions = [name for name in names if isinstance(name, VersionName) and not name.store]
        runs = [name for name in names if isinstance(name, RunName)]
        yield from self._edges_of_versions(versions, "used")
        for edge in self._edges_of_runs(runs):
            if edge.kind == "logged":
                yield edge
        if versions:
            named_by = self._all_named_by()
            for name in versions:
                yield from named_by.get(name, ())

    def _edges_of_versions(self, versions: Collection[VersionName], kind: str) -> Iterator[Edge]:
        wanted = [(str(name.collection), name.version) for name in versions]
        for found in self._index.edges_of_versions(wanted):
            if found.direction == kind:
                yield from _as_edges(found)

    def _edges_of_runs(self, runs: Collection[RunName]) -> Iterator[Edge]:
        for found in self._index.edges_of_runs([(one.project, one.run_id) for one in runs]):
            yield from _as_edges(found)

    def _named(self, name: VersionName) -> Iterator[Edge]:
        """Edges from what a version itself names."""
        state = self._states.get(name.collection)
        version = None if state is None else state.versions.get(name.version)
        if version is None:
            return
        for kind, sources in (("depends", version.inputs), ("linked", (version.source,))):
            for source in sources:
                if source is not None:
                    before = VersionName(source.project, source.name, source.version)
                    yield Edge("linked" if kind == "linked" else "depends", before, name)

    def _all_named_by(self) -> Mapping[VersionName, list[Edge]]:
        if self._named_by is None:
            found: dict[VersionName, list[Edge]] = defaultdict(list)
            names = self._all_collections(self._place.catalog.projects())
            self._look_up(names)
            for name in names:
                state = self._states.get(name)
                for version in () if state is None else state.versions.values():
                    if version.inputs or version.source is not None:
                        for edge in self._named(VersionName(*name, version.version)):
                            assert isinstance(edge.before, VersionName)
                            found[edge.before].append(edge)
            self._named_by = found
        return self._named_by

    # --- files ------------------------------------------------------------------------------

    def file(self, version: VersionName, path: str, /) -> FileFacts | None:
        """As `FileSource.file`."""
        entry = self._entry(version, path)
        return None if entry is None else FileFacts(entry.digest.hex(), _link_of(entry))

    def first_version_with(self, version: VersionName, path: str, digest: str, /) -> VersionName:
        """As `FileSource.first_version_with`."""
        self._look_up([version.collection])
        state = self._states.get(version.collection)
        first = version
        for number in range(version.version - 1, -1, -1):
            if state is None or number not in state.versions:
                continue
            name = VersionName(version.project, version.name, number)
            try:
                found = self._read_entry(name, path)
            except NotFoundError:
                break
            except ArtstoreError:
                # Deleted and swept, or damaged: it cannot tell.
                continue
            if found.digest.hex() != digest:
                break
            first = name
        return first

    def _entry(self, name: VersionName, path: str) -> Entry | None:
        try:
            return self._read_entry(name, path)
        except ArtstoreError:
            return None

    def _read_entry(self, name: VersionName, path: str) -> Entry:
        self._look_up([name.collection])
        state = self._states.get(name.collection)
        if state is None or name.version not in state.versions:
            raise NotFoundError(f"there is no {name}", code="version-not-found")
        return self._place.manifest(state.versions[name.version]).entry(path)

    # --- inside -----------------------------------------------------------------------------

    def _all_collections(self, projects: Iterable[str]) -> list[CollectionName]:
        catalog = self._place.catalog
        return [
            CollectionName(project, name)
            for project in projects
            for name in catalog.collections(project)
        ]

    def _look_up(self, names: Iterable[CollectionName]) -> None:
        new = [name for name in dict.fromkeys(names) if name not in self._states]
        if len(new) == 1:
            self._states[new[0]] = self._state(new[0])
        elif new:
            with ThreadPoolExecutor(min(_THREAD_COUNT, len(new))) as pool:
                self._states.update(zip(new, pool.map(self._state, new), strict=True))

    def _state(self, name: CollectionName) -> CollectionState | None:
        try:
            return self._place.catalog.state_or_none(name.project, name.name)
        except ArtstoreError:
            # One log that cannot be read must not hide the lineage of all others.
            return None


def _version_facts(
    name: VersionName, state: CollectionState, version: VersionState
) -> VersionFacts:
    return VersionFacts(
        name,
        "live" if version.is_live else "deleted",
        state.type,
        version.digest,
        version.size_bytes,
        version.created,
        version.by,
        tuple(version.aliases),
        tuple(version.tags),
    )


def _is_bad(version: VersionState) -> bool:
    return _BAD in version.tags or _BAD in version.aliases


def _run_facts(name: RunName, whole: Mapping[str, Any], now: float) -> RunFacts:
    environment = whole["environment"]
    git = environment.get("git") or {}
    sessions = whole["sessions"]
    argv = environment.get("argv")
    return RunFacts(
        name,
        current_state(whole, now),
        whole["name"],
        whole["job_type"],
        whole["created"],
        sessions[-1].get("ended") if sessions else None,
        sessions[0].get("user") if sessions else None,
        git.get("commit"),
        git.get("remote"),
        bool(git.get("dirty")),
        shlex.join(map(str, argv)) if type(argv) is list else None,
    )


def _as_edges(found: Any) -> Iterator[Edge]:
    """Edges of the graph from one of the index; none from what names no version."""
    project, slash, name = found.artifact.partition("/")
    if not slash:
        return
    version = VersionName(project, name, found.version)
    run = RunName(found.project, found.run_id)
    detail = found.detail
    time = detail.get("time")
    if found.direction == "used":
        yield Edge("used", version, run, time, detail.get("alias"), detail.get("through"))
    elif found.direction == "logged":
        yield Edge("logged", run, version, time, is_new=bool(detail.get("is_new", True)))


def _link_of(entry: Entry) -> tuple[VersionName, str] | None:
    source, path = entry.extra.get("source"), entry.extra.get("path")
    if type(source) is not str or type(path) is not str:
        return None
    try:
        parsed = parse_artifact_name(source)
    except ArtstoreError:
        return None
    if parsed.project is None or parsed.version is None:
        return None
    return VersionName(parsed.project, parsed.name, parsed.version), path

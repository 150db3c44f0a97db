"""
What walks of lineage ask, answered from what this machine knows of runs and collections.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from artstore import clock
from artstore.catalog.runs.index import Edge as RunEdge
from artstore.catalog.runs.index import run_edges
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
    is_marked_bad,
)
from artstore.names import parse_artifact_name
from artstore.versions.saidpaths import meant_path

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.state import Source
    from artstore.catalog.versionindex import KnownCollection, KnownVersion, NamedVersions
    from artstore.manifests.entry import Entry
    from artstore.names import ArtifactName
    from artstore.transfer.place import StorePlace

__all__ = ["StoreSource", "edges_of_whole", "run_facts"]


class StoreSource:
    """
    A `FileSource` over one store, for one walk: each collection is looked up once.

    Edges between versions stand with the version that names another one (`inputs`, `source`,
    `origin`); from the other end they are found among the collections of every project.

    Cost: one scan for each collection that is met, of all of them where edges go out of
    versions; logs are read and folded only where they have grown since this machine last
    looked (`catalog/versionindex.py`).
    """

    def __init__(self, place: StorePlace, index: RunIndex) -> None:
        self._place = place
        self._index = index
        self._known: dict[CollectionName, KnownCollection | None] = {}
        self._named_by: dict[VersionName, list[Edge]] | None = None

    # --- nodes ------------------------------------------------------------------------------

    def versions(self, names: Collection[VersionName], /) -> Mapping[VersionName, VersionFacts]:
        """As `Source.versions`."""
        self._look_up({name.collection for name in names})
        found = {}
        for name in names:
            known = self._known.get(name.collection)
            version = None if known is None else known.versions.get(name.version)
            if known is not None and version is not None and not name.store:
                found[name] = _version_facts(name, known.type, version)
        return found

    def runs(self, names: Collection[RunName], /) -> Mapping[RunName, RunFacts]:
        """As `Source.runs`."""
        now = clock.now_seconds()
        found = {}
        for name in names:
            state = self._index.run(name.project, name.run_id)
            if state is not None:
                found[name] = run_facts(name, state.whole, now)
        return found

    def collections(
        self, names: Collection[CollectionName], /
    ) -> Mapping[CollectionName, CollectionFacts]:
        """As `Source.collections`."""
        self._look_up(names)
        found = {}
        for name in names:
            known = self._known.get(name)
            if known is not None:
                good = (
                    one.version
                    for one in known.versions.values()
                    if one.is_live and not is_marked_bad(one.tags, one.aliases)
                )
                found[name] = CollectionFacts(max(good, default=None), dict(known.aliases))
        return found

    def live_versions(self, project: str | None, /) -> Iterable[VersionName]:
        """As `Source.live_versions`."""
        projects = self._place.catalog.projects() if project is None else [project]
        names = self._all_collections(projects)
        self._look_up(names)
        for name in names:
            known = self._known.get(name)
            for version in () if known is None else known.versions.values():
                if version.is_live:
                    yield VersionName(*name, version.version)

    def find(self, project: str, name: ArtifactName) -> VersionName | None:
        """The live version that a name means, if that is easily told. Cost: one scan."""
        where = CollectionName(project, name.name)
        self._look_up([where])
        known = self._known.get(where)
        version = None if known is None else known.find(name)
        if known is None or version is None:
            return None
        return VersionName(known.project, known.name, version.version)

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
        known = self._known.get(name.collection)
        named = None if known is None else known.named.get(name.version)
        return iter(()) if named is None else _edges_from(named, name)

    def _all_named_by(self) -> Mapping[VersionName, list[Edge]]:
        if self._named_by is None:
            found: dict[VersionName, list[Edge]] = defaultdict(list)
            names = self._all_collections(self._place.catalog.projects())
            self._look_up(names)
            for name in names:
                known = self._known.get(name)
                for number, named in () if known is None else known.named.items():
                    for edge in _edges_from(named, VersionName(*name, number)):
                        assert isinstance(edge.before, VersionName)
                        found[edge.before].append(edge)
            self._named_by = found
        return self._named_by

    # --- files ------------------------------------------------------------------------------

    def entry_path(self, version: VersionName, said: str) -> str:
        """
        The path of the entry that is meant; as it was said, if the version cannot be read.

        Raises:
            NotFoundError: `entry-not-found`.
        """
        self._look_up([version.collection])
        known = self._known.get(version.collection)
        if known is None or version.version not in known.versions:
            return said
        try:
            manifest = self._place.manifest(known.versions[version.version])
            return meant_path(manifest, said, where=str(version))
        except ArtstoreError as error:
            if error.code == "entry-not-found":
                raise
            return said

    def file(self, version: VersionName, path: str, /) -> FileFacts | None:
        """As `FileSource.file`."""
        entry = self._entry(version, path)
        return None if entry is None else FileFacts(entry.digest.hex(), _link_of(entry))

    def first_version_with(self, version: VersionName, path: str, digest: str, /) -> VersionName:
        """As `FileSource.first_version_with`."""
        self._look_up([version.collection])
        known = self._known.get(version.collection)
        first = version
        for number in range(version.version - 1, -1, -1):
            if known is None or number not in known.versions:
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
        known = self._known.get(name.collection)
        if known is None or name.version not in known.versions:
            raise NotFoundError(f"there is no {name}", code="version-not-found")
        return self._place.manifest(known.versions[name.version]).entry(path)

    # --- inside -----------------------------------------------------------------------------

    def _all_collections(self, projects: Iterable[str]) -> list[CollectionName]:
        catalog = self._place.catalog
        return [
            CollectionName(project, name)
            for project in projects
            for name in catalog.collections(project)
        ]

    def _look_up(self, names: Iterable[CollectionName]) -> None:
        new = [name for name in names if name not in self._known]
        found = self._place.version_index.collections(new)
        self._known.update((CollectionName(*name), known) for name, known in found.items())


def _version_facts(name: VersionName, type_name: str | None, version: KnownVersion) -> VersionFacts:
    return VersionFacts(
        name,
        "live" if version.is_live else "deleted",
        type_name,
        version.digest,
        version.size_bytes,
        version.created,
        version.by,
        version.aliases,
        version.tags,
    )


def _edges_from(named: NamedVersions, name: VersionName) -> Iterator[Edge]:
    for one in named.inputs:
        yield Edge("depends", _name_of(one), name)
    if named.source is not None:
        yield Edge("linked", _name_of(named.source), name)
    if named.origin is not None:
        origin = named.origin
        before = VersionName(origin.project, origin.name, origin.version, origin.store)
        yield Edge("derived", before, name)


def _name_of(source: Source) -> VersionName:
    return VersionName(source.project, source.name, source.version, source.store)


def run_facts(name: RunName, whole: Mapping[str, Any], now: float) -> RunFacts:
    """
    What a graph tells of a run.

    Args:
        whole: all that is said of it (docs/format/run.md, 4).
    """
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
        group=whole["group"],
    )


def edges_of_whole(name: RunName, whole: Mapping[str, Any]) -> Iterator[Edge]:
    """The edges that all that is said of a run tells of, as the index would give them."""
    for found in run_edges(name.project, name.run_id, whole):
        yield from _as_edges(found)


def _as_edges(found: RunEdge) -> Iterator[Edge]:
    """Edges of the graph from one of the index; none from what names no version."""
    store, _, artifact = found.artifact.rpartition("//")
    project, slash, name = artifact.partition("/")
    if not slash:
        return
    version = VersionName(project, name, found.version, store)
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

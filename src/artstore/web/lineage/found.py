"""
Graphs for lineage pages: walked, cut to what is asked for, with what is out of date in them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore import clock
from artstore.catalog.runs.format import check_run_id
from artstore.errors import InvalidInputError, NotFoundError
from artstore.lineage.collapsing import Collapsed, collapse, extracted, nodes_of, only_nodes
from artstore.lineage.graph import Graph, facts_of, graph
from artstore.lineage.layout import Layout, layered
from artstore.lineage.records import NodeName, RunName, VersionName
from artstore.lineage.searching import matching_nodes
from artstore.lineage.stale import StaleVersion, stale
from artstore.lineage.why import Traced, why
from artstore.names import check_project_name, parse_artifact_name
from artstore.storeaccess import lineage_source_of, run_index_of
from artstore.versions.values import JOINED_SUFFIX, PARTITIONED_SUFFIX, TABLE_SUFFIX
from artstore.web.lineage.journaled import JournaledSource
from artstore.web.site import RecentValues

if TYPE_CHECKING:
    from artstore.web.lineage.asked import LineageAsked
    from artstore.web.site import Site

__all__ = ["LineageFound", "find_lineage", "laid_out"]

_GRAPHS_MAX: Final = 16
_LAYOUTS_MAX: Final = 64
_FRESH_SECONDS: Final = 3.0
"""So old may a graph be: unfolding a tile, or its card, walks no second time."""
_CHECKED_MAX: Final = 3_000
"""Of graphs with more versions it is not told what is out of date: that takes seconds."""
_RUN: Final = "run:"


@dataclass(frozen=True, slots=True)
class _Walked:
    graph: Graph
    stale: Mapping[NodeName, StaleVersion] | None
    trail: tuple[Traced, ...]
    unstored: frozenset[RunName]


@dataclass(frozen=True, slots=True)
class LineageFound:
    """
    What a lineage page shows.

    Args:
        whole: the graph as it was walked; `graph` what is wanted of it.
        stale: versions that are out of date; None: there are too many to find out.
        trail: where the file that was asked for comes from.
        matches: nodes that the search found, in the order of the graph.
        known_projects: of all nodes of the walk.
        unstored: runs that this machine knows and the store does not yet.
        hidden_count: nodes that are of other projects, or beside what was extracted.
    """

    asked: LineageAsked
    whole: Graph
    graph: Graph
    collapsed: Collapsed
    stale: Mapping[NodeName, StaleVersion] | None
    trail: tuple[Traced, ...]
    matches: tuple[NodeName, ...]
    known_projects: tuple[str, ...]
    unstored: frozenset[RunName]

    @property
    def hidden_count(self) -> int:
        """How many nodes of the walk are not wanted."""
        return len(self.whole.nodes) - len(self.graph.nodes)


def find_lineage(site: Site, asked: LineageAsked) -> LineageFound:
    """
    Walk, or take what was walked a moment ago, and cut it to what is asked for.

    Raises:
        NotFoundError: `version-not-found`, `collection-not-found`, `run-not-found`,
            `entry-not-found`, ....
        InvalidInputError: `name-invalid`, `request-invalid`.
    Cost: as `Store.lineage` and `Store.stale`.
    """
    walked = _walked(site, asked)
    whole = walked.graph
    known_projects = tuple(sorted({facts.name.project for facts in whole.nodes}))
    wanted = whole
    if asked.projects:
        roots = set(whole.roots)
        names = {
            facts.name
            for facts in whole.nodes
            if facts.name.project in asked.projects or facts.name in roots
        }
        wanted = only_nodes(whole, names)
    if asked.extract is not None:
        begin = nodes_of(wanted, asked.extract)
        if not begin:
            raise InvalidInputError(
                f"the graph has no tile {asked.extract[:20]!r} that could be extracted",
                code="request-invalid",
                hint="leave out extract= of the address",
            )
        wanted = only_nodes(wanted, extracted(wanted, begin))
    collapsed = collapse(wanted, asked.option)
    matches = tuple(matching_nodes(wanted, asked.search))
    return LineageFound(
        asked,
        whole,
        wanted,
        collapsed,
        walked.stale,
        walked.trail,
        matches,
        known_projects,
        walked.unstored,
    )


def laid_out(site: Site, breadths: tuple[int, ...], edges: tuple[tuple[int, int], ...]) -> Layout:
    """The layout of tiles and the edges between them; of the same graph it is made once."""
    layouts: RecentValues[Hashable, Layout] = site.kept(
        "lineage layouts", lambda: RecentValues(_LAYOUTS_MAX)
    )
    key = (breadths, edges)
    return layouts.get(key) or layouts.put(key, layered(breadths, edges))


def _walked(site: Site, asked: LineageAsked) -> _Walked:
    graphs: RecentValues[Hashable, tuple[float, _Walked]] = site.kept(
        "lineage graphs", lambda: RecentValues(_GRAPHS_MAX)
    )
    key = (asked.nodes, asked.direction, asked.depth, asked.path)
    known = graphs.get(key)
    if known is not None and clock.monotonic_seconds() - known[0] < _FRESH_SECONDS:
        return known[1]
    # Journals first: what one of them notes as stored, the store has by then.
    journaled = site.live.journaled()
    stored = lineage_source_of(site.store)
    source = JournaledSource(stored, run_index_of(site.store), journaled)
    roots = [_root(site, source, text) for text in asked.nodes]
    trail: tuple[Traced, ...] = ()
    if asked.path is not None and isinstance(roots[0], VersionName):
        trail = _trail(source, roots[0], asked.path)
        # Where the content came in, then where it was asked for.
        roots = list(dict.fromkeys((trail[-1].version, *roots)))
    found = graph(source, roots, direction=asked.direction, depth=asked.depth)
    walked = _Walked(found, _stale_in(source, found), trail, source.unstored)
    graphs.put(key, (clock.monotonic_seconds(), walked))
    return walked


def _stale_in(source: JournaledSource, found: Graph) -> dict[NodeName, StaleVersion] | None:
    versions = [
        facts.name
        for facts in found.nodes
        if isinstance(facts.name, VersionName) and not facts.name.store
    ]
    if len(versions) > _CHECKED_MAX:
        return None
    report = stale(source, roots=versions)
    return {one.version.name: one for one in report.versions}


def _trail(source: JournaledSource, version: VersionName, path: str) -> tuple[Traced, ...]:
    endings = ("", TABLE_SUFFIX, JOINED_SUFFIX, PARTITIONED_SUFFIX)
    for ending in endings:
        # A table is asked for by its name; its entry has another ending.
        if source.file(version, path + ending) is not None:
            path += ending
            break
    return why(source, version, path, depth=0).trail


def _root(site: Site, source: JournaledSource, text: str) -> NodeName:
    name: NodeName
    if text.startswith(_RUN):
        project, _, run_id = text.removeprefix(_RUN).rpartition("/")
        name = RunName(check_project_name(project or site.store.project), check_run_id(run_id))
        code, what = "run-not-found", f"run {name}"
    else:
        name = _version(site, text)
        code, what = "version-not-found", f"version {name}"
    facts: Any = facts_of(source, [name])[name]
    if facts.state == "missing":
        raise NotFoundError(f"there is no {what}", code=code)
    return name


def _version(site: Site, text: str) -> VersionName:
    parsed = parse_artifact_name(text)
    if parsed.version is not None:
        # Deleted ones have lineage too.
        return VersionName(parsed.project or site.store.project, parsed.name, parsed.version)
    found = site.store.artifact(text)
    number = int(found.version.removeprefix("v"))
    return VersionName(found.project, found.collection.name, number)

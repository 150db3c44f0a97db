"""
The graph around some versions or runs: what they came from, what came of them.

A walk goes level by level from its roots and asks the source once for each level.
Each node is looked at once in each direction, so that cycles end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from artstore.errors import InvalidInputError
from artstore.lineage.records import (
    Edge,
    NodeFacts,
    NodeName,
    RunFacts,
    RunName,
    VersionFacts,
    VersionName,
    sort_key,
)
from artstore.lineage.source import Source

__all__ = [
    "NODE_LIMIT",
    "Direction",
    "Graph",
    "Truncated",
    "Walk",
    "edge_key",
    "facts_of",
    "graph",
]

NODE_LIMIT: Final = 10_000
"""More nodes than anybody looks at, and few enough to be drawn."""

Direction: TypeAlias = Literal["up", "down", "both"]
_DIRECTIONS: Final = {"up": ("up",), "down": ("down",), "both": ("up", "down")}


@dataclass(frozen=True, slots=True)
class Truncated:
    """
    `name` has neighbours that are not in the graph.

    Args:
        direction: `up` or `down`: on which side.
        reason: `depth`, or `nodes` for the limit on their number.
    """

    name: NodeName
    direction: str
    reason: str


@dataclass(frozen=True, slots=True)
class Graph:
    """
    Versions, runs and what went from where to where.

    Args:
        roots: where the walk began.
        nodes: the roots first, then what is nearer, then by name.
        edges: all that lie on a way that was walked, both of whose ends are in `nodes`.
        levels: by node, how many edges from a root: below 0 upwards, above 0 downwards.
        truncated: where it goes on; empty if the graph is whole.
    """

    direction: Direction
    depth: int | None
    roots: tuple[NodeName, ...]
    nodes: tuple[NodeFacts, ...]
    edges: tuple[Edge, ...]
    levels: Mapping[NodeName, int]
    truncated: tuple[Truncated, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One JSON value. Source: docs/reference/json.md, `lineage`."""
        from artstore.lineage.jsonvalues import graph_value

        return graph_value(self)

    def to_text(self) -> list[str]:
        """Lines of a tree, without colours and control characters."""
        from artstore.lineage.texttree import graph_lines

        return graph_lines(self)

    def to_dot(self) -> str:
        """A digraph for Graphviz."""
        from artstore.lineage.dot import graph_dot

        return graph_dot(self)

    def to_mermaid(self) -> str:
        """A flowchart for Mermaid."""
        from artstore.lineage.mermaid import graph_mermaid

        return graph_mermaid(self)

    def to_openlineage(self, namespace: str) -> list[dict[str, Any]]:
        """
        One OpenLineage RunEvent for each run of the graph.

        Args:
            namespace: the store, by its id or URL; what names are unique in.
        """
        from artstore.lineage.openlineage import run_events

        return run_events(self, namespace)


def graph(
    source: Source,
    roots: Iterable[NodeName],
    *,
    direction: Direction = "both",
    depth: int | None = None,
    node_limit: int = NODE_LIMIT,
) -> Graph:
    """
    Walk from `roots`.

    Args:
        direction: `up` to what they came from, `down` to what came of them, or `both`: the two
            walks together, and not what else came of what they came from.
        depth: how many edges at most; a run is one edge away from a version, what it used two.
        node_limit: the most nodes; the roots are in the graph in any case.

    Raises:
        InvalidInputError: `value-invalid`.
    Cost: one question for each level and direction, two at the end; memory by the graph.
    """
    if direction not in _DIRECTIONS:
        raise InvalidInputError(
            f"a graph goes up, down or both, not {direction!r}", code="value-invalid"
        )
    if (depth is not None and depth < 0) or node_limit < 1:
        raise InvalidInputError(
            f"a depth is 0 or more and a limit 1 or more, not {depth} and {node_limit}",
            code="value-invalid",
        )
    walk = Walk(source, roots, node_limit)
    walk.run(_DIRECTIONS[direction], depth)
    by_name = sorted(walk.levels, key=sort_key)
    ranks = {name: rank for rank, name in enumerate(by_name)}
    # Sorting keeps the order by name within a level; roots stay as they were given.
    beyond = [name for name in by_name if walk.levels[name]]
    beyond.sort(key=lambda name: (abs(walk.levels[name]), walk.levels[name]))
    nodes = [*walk.roots, *beyond]
    facts = facts_of(source, nodes)

    def order(edge: Edge) -> tuple[Any, ...]:
        return ranks[edge.before], ranks[edge.after], *_edge_rest(edge)

    return Graph(
        direction,
        depth,
        walk.roots,
        tuple(facts[name] for name in nodes),
        tuple(sorted(walk.edges, key=order)),
        {name: walk.levels[name] for name in nodes},
        tuple(sorted(walk.truncated, key=lambda one: (sort_key(one.name), one.direction))),
    )


def facts_of(source: Source, names: Iterable[NodeName]) -> dict[NodeName, NodeFacts]:
    """What is known of each; of what is gone, that it is."""
    versions: list[VersionName] = []
    runs: list[RunName] = []
    for name in names:
        if isinstance(name, RunName):
            runs.append(name)
        else:
            versions.append(name)
    here = [name for name in versions if not name.store]
    known = source.versions(here) if here else {}
    known_runs = source.runs(runs) if runs else {}
    found: dict[NodeName, NodeFacts] = {}
    for version in versions:
        gone = VersionFacts(version, "elsewhere" if version.store else "missing")
        found[version] = known.get(version, gone)
    for run in runs:
        found[run] = known_runs.get(run) or RunFacts(run, "missing")
    return found


def edge_key(edge: Edge) -> tuple[Any, ...]:
    """What edges are ordered by: their ends, then the rest."""
    return sort_key(edge.before), sort_key(edge.after), *_edge_rest(edge)


def _edge_rest(edge: Edge) -> tuple[Any, ...]:
    return edge.kind, edge.time or "", edge.asked or "", edge.through or "", edge.is_new


class Walk:
    """
    The nodes and edges found so far. `limit` None: as many as there are.

    `edges` has each edge once, in the order in which the source gave them.
    """

    def __init__(self, source: Source, roots: Iterable[NodeName], limit: int | None) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self.levels: dict[NodeName, int] = dict.fromkeys(self.roots, 0)
        self.edges: dict[Edge, None] = {}
        self.truncated: dict[Truncated, None] = {}
        self._source = source
        self._limit = limit

    def run(self, directions: tuple[str, ...], depth: int | None) -> None:
        """Go in all `directions` by turns, so that a limit on nodes is shared fairly."""
        walks = [self._go(direction, depth) for direction in directions]
        while walks:
            walks = [walk for walk in walks if next(walk, None) is not None]

    def _go(self, direction: str, depth: int | None) -> Iterator[int]:
        seen: set[NodeName] = set(self.roots)
        frontier = list(self.roots)
        level = 0
        while frontier:
            is_last = depth is not None and level >= depth
            level += 1
            found = self._neighbours(frontier, direction)
            news = {far for _, _, far in found if far not in seen}
            taken = [] if is_last else self._take(news, level if direction == "down" else -level)
            seen.update(taken)
            for edge, near, far in found:
                if far in seen:
                    self.edges[edge] = None
                else:
                    reason = "depth" if is_last else "nodes"
                    self.truncated[Truncated(near, direction, reason)] = None
            frontier = taken
            yield level

    def _neighbours(
        self, frontier: list[NodeName], direction: str
    ) -> list[tuple[Edge, NodeName, NodeName]]:
        asked = set(frontier)
        if direction == "up":
            edges = self._source.edges_into(frontier)
            found = [(edge, edge.after, edge.before) for edge in edges]
        else:
            edges = self._source.edges_out_of(frontier)
            found = [(edge, edge.before, edge.after) for edge in edges]
        return [one for one in found if one[1] in asked]

    def _take(self, news: set[NodeName], level: int) -> list[NodeName]:
        ordered = sorted(news, key=sort_key)
        if self._limit is not None:
            room = self._limit - len(self.levels)
            kept = []
            for name in ordered:
                if name not in self.levels:
                    room -= 1
                    if room < 0:
                        continue
                kept.append(name)
            ordered = kept
        for name in ordered:
            self.levels.setdefault(name, level)
        return ordered

"""
Graphs in few tiles: versions folded by type and collection, runs by job type and group.

A tile stands for one node or for several. Coarse groups unfold into finer ones, those into nodes.
Of what unfolds into very many of one level, some are seen and the rest is one tile, a cluster.
Tiles have keys made of what they stand for, so that an address can name them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from artstore.lineage.graph import Graph
from artstore.lineage.records import Edge, NodeFacts, NodeName, RunFacts, RunName, VersionFacts

__all__ = [
    "TILE_LIMIT",
    "WIDEST",
    "CollapseOption",
    "Collapsed",
    "Strand",
    "Tile",
    "collapse",
    "extracted",
    "node_key",
    "nodes_of",
    "only_nodes",
]

TILE_LIMIT: Final = 1_500
"""More tiles than anybody looks at in one picture."""
WIDEST: Final = 60
"""Nodes of one level, before those of one sort are drawn as a cluster."""

_SHARE_MIN: Final = 3
"""So many tiles a sort has at least, its cluster among them."""
_KEY_BYTES: Final = 6
_GONE: Final = frozenset(("deleted", "missing"))


@dataclass(frozen=True, slots=True)
class CollapseOption:
    """
    How a graph is collapsed.

    Args:
        is_exploded: each node is a tile of its own, but for clusters.
        opened: keys of tiles that are unfolded all the same.
        folded: keys of groups that stay folded in a graph that is exploded.
        widest: nodes of one level before there are clusters; 0: there are none.
        tile_limit: what is farther than so many tiles is left out.
    """

    is_exploded: bool = False
    opened: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()
    widest: int = WIDEST
    tile_limit: int = TILE_LIMIT


@dataclass(frozen=True, slots=True)
class Tile:
    """
    What stands in the picture for one node or for several.

    Args:
        kind: `version`, `run`; `versions`, `runs` of several.
        label: what the nodes have in common: a type, a collection, a job type; empty of one node.
        project: of all its nodes; empty if they are of several.
        nodes: in the order of the graph.
        is_cluster: whether it is what is left of many.
        folds_into: the key of the group that it came out of; None if it cannot be folded.
        inner_count: edges between its own nodes.
    """

    key: str
    kind: str
    label: str
    project: str
    nodes: tuple[NodeFacts, ...]
    level: int
    is_root: bool = False
    is_cluster: bool = False
    folds_into: str | None = None
    inner_count: int = 0


@dataclass(frozen=True, slots=True)
class Strand:
    """
    All edges from one tile to another.

    Args:
        kinds: each with how many edges are of it, by kind.
        spoiled_count: how many of them come from a version that is bad, deleted or missing.
    """

    before: str
    after: str
    count: int
    kinds: tuple[tuple[str, int], ...]
    spoiled_count: int


@dataclass(frozen=True, slots=True)
class Collapsed:
    """
    A graph in tiles.

    Args:
        tiles: those of the roots first, then what is nearer.
        tile_of: by node, the key of the tile that it is in; not of nodes that are left out.
        left_out: nodes that are in none, since there are too many tiles.
    """

    tiles: tuple[Tile, ...]
    strands: tuple[Strand, ...]
    tile_of: dict[NodeName, str]
    left_out: tuple[NodeName, ...]


class _Fold(NamedTuple):
    """A group that a node may be folded into."""

    key: str
    label: str


def node_key(name: NodeName) -> str:
    """The key of the tile of one node."""
    return _key("run" if isinstance(name, RunName) else "version", *name)


def collapse(graph: Graph, option: CollapseOption | None = None) -> Collapsed:
    """
    Fold the nodes of a graph into tiles and count the edges between them.

    Roots are always tiles of their own, and so is who would be alone in a group.

    Cost: time by nodes and edges.
    """
    option = option or CollapseOption()
    roots = set(graph.roots)
    ways = _ways(graph)
    chosen = [
        None if facts.name in roots else _chosen(way, option)
        for facts, way in zip(graph.nodes, ways, strict=True)
    ]
    counts = Counter(fold.key for fold in chosen if fold is not None)
    chosen = [None if fold is None or counts[fold.key] == 1 else fold for fold in chosen]
    clusters = _clusters(graph, ways, chosen, option)
    members: dict[str, list[NodeFacts]] = defaultdict(list)
    firsts: dict[str, Tile] = {}
    for facts, way, fold in zip(graph.nodes, ways, chosen, strict=True):
        tile = _tile(graph, facts, way, fold, clusters.get(facts.name))
        firsts.setdefault(tile.key, tile)
        members[tile.key].append(facts)
    shown = list(firsts)[: option.tile_limit]
    tile_of = {facts.name: key for key in shown for facts in members[key]}
    inner, strands = _strands(graph, tile_of)
    tiles = tuple(
        replace(
            firsts[key],
            nodes=tuple(members[key]),
            inner_count=inner[key],
            is_root=any(facts.name in roots for facts in members[key]),
        )
        for key in shown
    )
    left_out = tuple(facts.name for facts in graph.nodes if facts.name not in tile_of)
    return Collapsed(tiles, strands, tile_of, left_out)


def nodes_of(graph: Graph, key: str) -> list[NodeName]:
    """The nodes of the tile or the group of that key, folded or not; of a cluster none."""
    return [
        facts.name
        for facts, way in zip(graph.nodes, _ways(graph), strict=True)
        if node_key(facts.name) == key or any(fold.key == key for fold in way)
    ]


def extracted(graph: Graph, names: Iterable[NodeName]) -> set[NodeName]:
    """The nodes, all that they came from, and all that came of them, as far as the graph goes."""
    begin = [name for name in names if name in graph.levels]
    found = set(begin)
    before: dict[NodeName, list[NodeName]] = defaultdict(list)
    after: dict[NodeName, list[NodeName]] = defaultdict(list)
    for edge in graph.edges:
        before[edge.after].append(edge.before)
        after[edge.before].append(edge.after)
    for sides in (before, after):
        seen = set(begin)
        stack = [*begin]
        while stack:
            news = set(sides.get(stack.pop(), ())) - seen
            seen |= news
            stack.extend(news)
        found |= seen
    return found


def only_nodes(graph: Graph, names: Collection[NodeName]) -> Graph:
    """The graph without all other nodes, and without the edges that they are ends of."""
    return replace(
        graph,
        roots=tuple(name for name in graph.roots if name in names),
        nodes=tuple(facts for facts in graph.nodes if facts.name in names),
        edges=tuple(e for e in graph.edges if e.before in names and e.after in names),
        levels={name: level for name, level in graph.levels.items() if name in names},
        truncated=tuple(one for one in graph.truncated if one.name in names),
    )


def _key(*parts: Any) -> str:
    """Short, the same everywhere, and harmless wherever it stands, whatever a type is called."""
    text = "\0".join(str(part) for part in parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_KEY_BYTES).hexdigest()


def _ways(graph: Graph) -> list[tuple[_Fold, ...]]:
    """For each node the groups that it may be folded into, the coarsest first."""
    ways = [_way(facts) for facts in graph.nodes]
    finer: dict[str, set[str]] = defaultdict(set)
    for facts, (coarse, fine) in zip(graph.nodes, ways, strict=True):
        if facts.name not in graph.roots:
            finer[coarse.key].add(fine.key)
    # A type of one collection says less than the collection.
    return [(coarse, fine) if len(finer[coarse.key]) > 1 else (fine,) for coarse, fine in ways]


def _way(facts: NodeFacts) -> tuple[_Fold, _Fold]:
    name = facts.name
    if isinstance(facts, RunFacts):
        job = facts.job_type or "run"
        parts: tuple[Any, ...] = ("job", name.project, facts.job_type)
        group = facts.group or ""
        return (
            _Fold(_key(*parts), job),
            _Fold(_key(*parts, "group", group), f"{job}, {group}" if group else job),
        )
    own = facts.name
    collection = _Fold(_key("collection", own.store, own.project, own.name), own.name)
    if facts.type is None:
        # It is not known, and what is not known has not that in common.
        return collection, collection
    return _Fold(_key("type", own.store, own.project, facts.type), facts.type), collection


def _chosen(way: tuple[_Fold, ...], option: CollapseOption) -> _Fold | None:
    for fold in way:
        is_open = fold.key not in option.folded if option.is_exploded else fold.key in option.opened
        if not is_open:
            return fold
    return None


def _clusters(
    graph: Graph,
    ways: Sequence[tuple[_Fold, ...]],
    chosen: Sequence[_Fold | None],
    option: CollapseOption,
) -> dict[NodeName, _Fold]:
    """What is folded since its level is too wide: of each sort the oldest."""
    if not option.widest:
        return {}
    levels: dict[int, dict[_Fold, list[NodeFacts]]] = defaultdict(lambda: defaultdict(list))
    for facts, way, fold in zip(graph.nodes, ways, chosen, strict=True):
        if fold is None and facts.name not in graph.roots:
            levels[graph.levels[facts.name]][way[-1]].append(facts)
    found: dict[NodeName, _Fold] = {}
    for level, sorts in levels.items():
        room = option.widest
        if sum(map(len, sorts.values())) <= room:
            continue
        # The smallest sorts are seen whole; the room that is left is shared by the others.
        by_size = sorted(sorts.items(), key=lambda item: (len(item[1]), item[0]))
        for at, (sort, members) in enumerate(by_size):
            share = max(room // (len(by_size) - at), _SHARE_MIN)
            key = _key("cluster", level, sort.key)
            if len(members) <= share or key in option.opened:
                room -= len(members)
                continue
            room -= share
            newest = sorted(members, key=_age)
            # The cluster has a place among them.
            found |= {facts.name: _Fold(key, sort.label) for facts in newest[share - 1 :]}
    return found


def _age(facts: NodeFacts) -> tuple[int, ...]:
    """Orders nodes of one sort, the newest first; text by the negative of its characters."""
    if isinstance(facts, VersionFacts):
        return (-facts.name.version,)
    return tuple(-ord(char) for char in (facts.started or "")[:32])


def _tile(
    graph: Graph,
    facts: NodeFacts,
    way: tuple[_Fold, ...],
    fold: _Fold | None,
    cluster: _Fold | None,
) -> Tile:
    """The tile that a node is in, as if it were alone in it."""
    kind = "run" if isinstance(facts, RunFacts) else "version"
    name, level = facts.name, graph.levels[facts.name]
    if fold is not None:
        above = way[: way.index(fold)]
        into = above[-1].key if above else None
        return Tile(fold.key, f"{kind}s", fold.label, name.project, (), level, folds_into=into)
    if cluster is not None:
        return Tile(
            cluster.key,
            f"{kind}s",
            cluster.label,
            name.project,
            (),
            level,
            is_cluster=True,
            folds_into=way[-1].key,
        )
    into = None if name in graph.roots else way[-1].key
    return Tile(node_key(name), kind, "", name.project, (), level, folds_into=into)


def _strands(graph: Graph, tile_of: dict[NodeName, str]) -> tuple[Counter[str], tuple[Strand, ...]]:
    spoiled = {
        facts.name
        for facts in graph.nodes
        if isinstance(facts, VersionFacts)
        and (facts.is_bad or facts.state in {"deleted", "missing"})
    }
    inner: Counter[str] = Counter()
    between: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        before, after = tile_of.get(edge.before), tile_of.get(edge.after)
        if before is None or after is None:
            continue
        if before == after:
            inner[before] += 1
        else:
            between[before, after].append(edge)
    strands = tuple(
        Strand(
            before,
            after,
            len(edges),
            tuple(sorted(Counter(edge.kind for edge in edges).items())),
            sum(edge.before in spoiled for edge in edges),
        )
        for (before, after), edges in between.items()
    )
    return inner, strands

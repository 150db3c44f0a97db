"""
Where the nodes of a graph are drawn: in layers, by the method of Sugiyama, Tagawa and Toda.

Four steps: edges that close cycles are turned round and nodes get layers (`layers.py`); edges over
several layers get inner points; each layer is ordered (`crossings.py`); nodes are put near their
neighbours (`coordinates.py`). The same graph always gives the same layout.

It is ours since nothing that could be relied on fits. Of the libraries in Python `grandalf` does
layers, under the GPL or the EPL, calls itself alpha and has had no release since 2023; `networkx`
(BSD, 19 MB) draws layers that it is given and orders none. Graphviz (EPL) and ELK (EPL, Java) are
programs that have to be installed, and `dagre` would have to run in the browser, where the page
without scripts has no picture. What is needed of such a library is a few hundred lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from artstore.lineage.coordinates import spread_out
from artstore.lineage.crossings import Orders, count_crossings, fewer_crossings
from artstore.lineage.layers import NumberEdge, back_edges, layers_of

__all__ = ["Layout", "Placed", "Routed", "layered"]

_INNER_MAX: Final = 6_000
"""Inner points of edges in all. Edges that get none for it, the longest, are drawn in one piece."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A node: the number of its layer, and its middle along the layer, from 0."""

    layer: int
    middle: int


@dataclass(frozen=True, slots=True)
class Routed:
    """
    An edge.

    Args:
        inner: the points between its ends, one for each layer, from lower layers to higher.
        is_back: whether it leads from a higher layer to a lower one: it closes a cycle.
    """

    before: int
    after: int
    inner: tuple[Placed, ...]
    is_back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Where everything lies.

    Args:
        extent: how long the longest layer is.
        places: of each node.
        routes: in the order of the edges; edges from a node to itself have none.
        crossings: of edges between successive layers; `first_crossings` as the nodes were given.
    """

    layer_count: int
    extent: int
    places: tuple[Placed, ...]
    routes: tuple[Routed, ...]
    crossings: int
    first_crossings: int


def layered(
    breadths: Sequence[int], edges: Sequence[NumberEdge], *, gap: int = 16, inner_breadth: int = 8
) -> Layout:
    """
    Lay out a graph.

    Args:
        breadths: of each node along its layer, 1 or more.
        edges: pairs of numbers of nodes, each pair once. Cycles are allowed.
        gap: room between what lies in one layer.
        inner_breadth: room that an edge takes which passes a layer.
    Cost: half a second for 500 nodes and 1,500 edges; by about the square for more.
    """
    count = len(breadths)
    proper = [edge for edge in edges if edge[0] != edge[1]]
    back = back_edges(count, proper)
    down = [
        (after, before) if at in back else (before, after)
        for at, (before, after) in enumerate(proper)
    ]
    layers = layers_of(count, down)
    chains = _chains(layers, down)
    # From here on inner points are nodes too.
    widths = [*breadths]
    for (before, _), chain in zip(down, chains, strict=True):
        layers.extend(layers[before] + 1 + at for at in range(len(chain)))
        widths.extend([inner_breadth] * len(chain))
    above, below = _neighbours(layers, down, chains)
    first: Orders = [[] for _ in range(max(layers, default=-1) + 1)]
    for node, layer in enumerate(layers):
        first[layer].append(node)
    orders, crossings = fewer_crossings(first, above, below)
    middles = spread_out(orders, widths, above, below, chains, gap=gap)
    placed = [Placed(layer, middle) for layer, middle in zip(layers, middles, strict=True)]
    routes = tuple(
        Routed(before, after, tuple(placed[node] for node in chain), at in back)
        for at, ((before, after), chain) in enumerate(zip(proper, chains, strict=True))
    )
    extent = max(
        (middle + (width + 1) // 2 for middle, width in zip(middles, widths, strict=True)),
        default=0,
    )
    return Layout(
        len(first),
        extent,
        tuple(placed[:count]),
        routes,
        crossings,
        count_crossings(first, below),
    )


def _chains(layers: Sequence[int], edges: Sequence[NumberEdge]) -> list[list[int]]:
    """The numbers of the inner points of each edge; the shortest ones get theirs first."""
    spans = [layers[after] - layers[before] - 1 for before, after in edges]
    room = _INNER_MAX
    has_inner = [False] * len(edges)
    for at in sorted(range(len(edges)), key=spans.__getitem__):
        room -= spans[at]
        if room < 0:
            break
        has_inner[at] = True
    chains = []
    next_node = len(layers)
    for span, is_chosen in zip(spans, has_inner, strict=True):
        size = span if is_chosen else 0
        chains.append(list(range(next_node, next_node + size)))
        next_node += size
    return chains


def _neighbours(
    layers: Sequence[int], edges: Sequence[NumberEdge], chains: Sequence[Sequence[int]]
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in layers]
    below: list[list[int]] = [[] for _ in layers]
    for (before, after), chain in zip(edges, chains, strict=True):
        stations = [before, *chain, after]
        for one, other in pairwise(stations):
            # An edge without inner points may pass over layers: it pulls at nothing.
            if layers[other] == layers[one] + 1:
                below[one].append(other)
                above[other].append(one)
    return above, below

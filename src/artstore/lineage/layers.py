"""
Which layer each node of a drawn graph lies in, so that edges point from lower layers to higher.

Nodes are numbers, edges pairs of them. Edges that would close a cycle are turned round first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

__all__ = ["NumberEdge", "back_edges", "layers_of"]

NumberEdge: TypeAlias = tuple[int, int]
"""From one number to another."""

_ROUNDS: Final = 4
"""After so many rounds of moving nodes together hardly anything moves any more."""


def back_edges(count: int, edges: Sequence[NumberEdge]) -> set[int]:
    """
    Few edges without which there is no cycle; none where there is none.

    The greedy way of Eades, Lin and Smyth: what has only inputs goes last, what has only outputs
    first, of the rest what has the most outputs over its inputs. Edges against that order go back.

    Args:
        edges: no edge from a node to itself.
    Returns: places in `edges`.
    Cost: time by nodes and edges, by the square of the nodes that lie on cycles.
    """
    into, out_of = _sides(count, edges)
    inputs = [set(found) for found in into]
    outputs = [set(found) for found in out_of]
    first: list[int] = []
    last: list[int] = []
    left = dict.fromkeys(range(count))

    def free(node: int) -> None:
        del left[node]
        for other in inputs[node]:
            outputs[other].discard(node)
        for other in outputs[node]:
            inputs[other].discard(node)
        ends.extend(sorted(inputs[node] | outputs[node]))

    ends = deque(range(count))
    while left:
        while ends:
            node = ends.popleft()
            if node in left and not (inputs[node] and outputs[node]):
                (last if inputs[node] else first).append(node)
                free(node)
        if left:
            node = max(left, key=lambda one: (len(outputs[one]) - len(inputs[one]), -one))
            first.append(node)
            free(node)
    place = {node: at for at, node in enumerate([*first, *reversed(last)])}
    return {at for at, (before, after) in enumerate(edges) if place[before] > place[after]}


def layers_of(count: int, edges: Collection[NumberEdge]) -> list[int]:
    """
    A layer for each node, from 0 and without gaps; each edge leads to a higher one.

    Each node begins as near to the first layer as its inputs let it, then is pulled to where most
    of its edges lead, so that edges become short.

    Args:
        edges: without cycles.
    Cost: time by nodes and edges.
    """
    into, out_of = _sides(count, edges)
    order = _sorted(into, out_of)
    layers = [0] * count
    for node in order:
        layers[node] = max((layers[one] + 1 for one in into[node]), default=0)
    for _ in range(_ROUNDS):
        moved = False
        for node in reversed(order):
            if len(out_of[node]) > len(into[node]):
                to = min(layers[one] for one in out_of[node]) - 1
                moved |= to != layers[node]
                layers[node] = to
        for node in order:
            if len(into[node]) > len(out_of[node]):
                to = max(layers[one] for one in into[node]) + 1
                moved |= to != layers[node]
                layers[node] = to
        if not moved:
            break
    numbers = {layer: at for at, layer in enumerate(sorted(set(layers)))}
    return [numbers[layer] for layer in layers]


def _sides(count: int, edges: Collection[NumberEdge]) -> tuple[list[list[int]], list[list[int]]]:
    into: list[list[int]] = [[] for _ in range(count)]
    out_of: list[list[int]] = [[] for _ in range(count)]
    for before, after in edges:
        into[after].append(before)
        out_of[before].append(after)
    return into, out_of


def _sorted(into: list[list[int]], out_of: list[list[int]]) -> list[int]:
    """The nodes, each behind all that lead to it."""
    waiting = [len(found) for found in into]
    ready = deque(node for node, number in enumerate(waiting) if not number)
    order = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for one in out_of[node]:
            waiting[one] -= 1
            if not waiting[one]:
                ready.append(one)
    return order

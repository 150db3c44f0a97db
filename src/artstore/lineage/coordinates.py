"""
Where each node lies within its layer: near its neighbours, none over another, long edges straight.

Of one layer the places nearest to those wished for, in a given order and with room between, are
an isotonic regression: solved exactly and in one pass by pooling neighbours that want to overlap.
Layers take turns with that, then the inner points of each long edge are put in one line if
there is a line that is free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median_low
from typing import Final, TypeAlias

from artstore.lineage.crossings import Orders

__all__ = ["spread_out"]

_ROUNDS: Final = 6
_STRAIGHT_ROUNDS: Final = 2
_WEIGHTS: Final = (1.0, 2.0, 8.0)
"""Of an edge with no, one, two inner points at its ends: the inside of long edges is straight."""
_LOOSE: Final = 0.05
"""The weight of staying where it is, for what no edge pulls."""

_Sides: TypeAlias = Sequence[Sequence[int]]


def spread_out(
    orders: Orders,
    breadths: Sequence[int],
    above: _Sides,
    below: _Sides,
    chains: Sequence[Sequence[int]],
    *,
    gap: int,
) -> list[int]:
    """
    The middle of each node along its layer, from 0 up.

    Args:
        orders: each node in one layer, in order.
        breadths: of each node, along its layer.
        above, below: neighbours of each node in the layer before and behind its own.
        chains: the inner points of each long edge, layer by layer; they are nodes too.
        gap: room between two nodes of a layer; half of it beside an inner point, less between two.
    Cost: 12 passes over nodes and edges.
    """
    inner = {node for chain in chains for node in chain}
    rooms = [_rooms(order, breadths, inner, gap) for order in orders]
    middles = [0.0] * len(breadths)
    for order, room in zip(orders, rooms, strict=True):
        at = -sum(room) / 2
        for node, needed in zip(order, room, strict=True):
            at += needed
            middles[node] = at
    for number in range(_ROUNDS):
        is_last = number == _ROUNDS - 1
        for sides in (above, below):
            layers = range(len(orders)) if sides is above else range(len(orders) - 1, -1, -1)
            for layer in layers:
                both = (above, below) if is_last else (sides,)
                _settle(orders[layer], rooms[layer], middles, both, inner)
    found = [round(middle) for middle in middles]
    for order, room in zip(orders, rooms, strict=True):
        for at in range(1, len(order)):
            found[order[at]] = max(found[order[at]], found[order[at - 1]] + room[at])
    _straighten(orders, rooms, found, chains)
    first = min((found[node] - (breadths[node] + 1) // 2 for node in range(len(found))), default=0)
    return [middle - first for middle in found]


def _rooms(order: Sequence[int], breadths: Sequence[int], inner: set[int], gap: int) -> list[int]:
    """How far each middle has to be from that before it; 0 for the first."""
    gaps = (gap, gap // 2, gap // 4)
    return [0] + [
        (breadths[left] + breadths[right] + 1) // 2 + gaps[(left in inner) + (right in inner)]
        for left, right in pairwise(order)
    ]


def _settle(
    order: Sequence[int],
    room: Sequence[int],
    middles: list[float],
    sides: tuple[_Sides, ...],
    inner: set[int],
) -> None:
    """Put a layer as near to its neighbours as it fits."""
    # Without the room between them nodes may lie in one place: then an order is all that is asked.
    needed = 0.0
    pools: list[tuple[float, float, int]] = []
    offsets = []
    for node, distance in zip(order, room, strict=True):
        needed += distance
        offsets.append(needed)
        weight, pull = _LOOSE, _LOOSE * middles[node]
        for side in sides:
            for other in side[node]:
                own = _WEIGHTS[(node in inner) + (other in inner)]
                weight += own
                pull += own * middles[other]
        pool = (pull / weight - needed, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            place, before, count = pools.pop()
            total = before + pool[1]
            middle = (place * before + pool[0] * pool[1]) / total
            pool = (middle, total, count + pool[2])
        pools.append(pool)
    at = 0
    for place, _, count in pools:
        for _ in range(count):
            middles[order[at]] = place + offsets[at]
            at += 1


def _straighten(
    orders: Orders, rooms: list[list[int]], found: list[int], chains: Sequence[Sequence[int]]
) -> None:
    """Few lines for the inner points of each long edge, the longest edge first."""
    places = {
        node: (layer, at) for layer, order in enumerate(orders) for at, node in enumerate(order)
    }

    def between(node: int) -> tuple[float, float]:
        layer, at = places[node]
        order, room = orders[layer], rooms[layer]
        least = found[order[at - 1]] + room[at] if at else -math.inf
        most = found[order[at + 1]] - room[at + 1] if at + 1 < len(order) else math.inf
        return least, most

    longest = sorted((chain for chain in chains if len(chain) > 1), key=len, reverse=True)
    for _ in range(_STRAIGHT_ROUNDS):
        for chain in longest:
            piece: list[int] = []
            least, most = -math.inf, math.inf
            for node in chain:
                low, high = between(node)
                if max(low, least) > min(high, most):
                    _put_in_line(piece, found, least, most)
                    piece, least, most = [], -math.inf, math.inf
                piece.append(node)
                least, most = max(low, least), min(high, most)
            _put_in_line(piece, found, least, most)


def _put_in_line(piece: Sequence[int], found: list[int], least: float, most: float) -> None:
    line = int(min(max(median_low([found[node] for node in piece]), least), most))
    for node in piece:
        found[node] = line

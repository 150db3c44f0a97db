"""
The order within each layer of a drawn graph, so that few edges cross.

Layers are sorted by the medians of their neighbours, down and up again, and pairs that lie side
by side are swapped where that helps. The best order that was met is kept, the first one included:
so there are never more crossings than there were.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import Final, TypeAlias

__all__ = ["Orders", "count_crossings", "fewer_crossings"]

Orders: TypeAlias = list[list[int]]
"""The nodes of each layer, in order."""

_SWEEPS: Final = 12
_PATIENCE: Final = 3
"""Sweeps that may bring nothing before the next one is not made."""
_SWAPPED_MAX: Final = 6_000
"""Of more edges no pairs are swapped: the sweeps alone take long enough."""

_Sides: TypeAlias = Sequence[Sequence[int]]


def count_crossings(orders: Orders, below: _Sides) -> int:
    """How often edges between successive layers cross; `below`: neighbours in the next layer."""
    places = _places(orders)
    total = 0
    for order in orders:
        seen: list[int] = []
        for node in order:
            found = sorted(places[one] for one in below[node])
            total += sum(len(seen) - bisect_right(seen, place) for place in found)
            for place in found:
                insort(seen, place)
    return total


def fewer_crossings(orders: Orders, above: _Sides, below: _Sides) -> tuple[Orders, int]:
    """
    An order of each layer with few crossings, and their number.

    Args:
        orders: each node in one layer.
        above, below: neighbours of each node in the layer before and behind its own.
    Cost: 12 sweeps at most, each by edges times the logarithm of their number.
    """
    best, least = orders, count_crossings(orders, below)
    is_small = sum(map(len, below)) <= _SWAPPED_MAX
    walked = _walked(orders, above, below)
    for begin in (orders, walked):
        now = [list(order) for order in begin]
        fruitless = 0
        for sweep in range(_SWEEPS):
            if not least or fruitless > _PATIENCE:
                break
            _sweep(now, above if sweep % 2 == 0 else below, is_down=sweep % 2 == 0)
            if is_small:
                _swap(now, above, below)
            number = count_crossings(now, below)
            fruitless += 1
            if number < least:
                best, least, fruitless = [list(order) for order in now], number, 0
    return best, least


def _places(orders: Orders) -> list[int]:
    places = [0] * sum(map(len, orders))
    for order in orders:
        for at, node in enumerate(order):
            places[node] = at
    return places


def _walked(orders: Orders, above: _Sides, below: _Sides) -> Orders:
    """The nodes in the order in which a walk along edges meets them: what belongs together."""
    layer_of = {node: at for at, order in enumerate(orders) for node in order}
    found: Orders = [[] for _ in orders]
    seen: set[int] = set()
    for begin in (node for order in orders for node in order):
        stack = [begin]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            found[layer_of[node]].append(node)
            stack.extend(reversed([*below[node], *above[node]]))
    return found


def _sweep(orders: Orders, sides: _Sides, *, is_down: bool) -> None:
    """Sort each layer by the one before it; what has no neighbour there stays in its place."""
    places = _places(orders)
    layers = range(1, len(orders)) if is_down else range(len(orders) - 2, -1, -1)
    for layer in layers:
        order = orders[layer]
        free = [at for at, node in enumerate(order) if sides[node]]
        keys = {}
        for at in free:
            node = order[at]
            found = sorted(places[one] for one in sides[node])
            middle = len(found) // 2
            median = found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2
            keys[node] = median, sum(found) / len(found), places[node]
        for at, node in zip(free, sorted(keys, key=keys.__getitem__), strict=True):
            order[at] = node
        for at, node in enumerate(order):
            places[node] = at


def _swap(orders: Orders, above: _Sides, below: _Sides) -> None:
    """Swap neighbours of a layer where that takes crossings away; once through all layers."""
    places = _places(orders)
    for order in orders:
        sides = {
            node: (
                sorted(places[one] for one in above[node]),
                sorted(places[one] for one in below[node]),
            )
            for node in order
        }
        for at in range(len(order) - 1):
            left, right = sides[order[at]], sides[order[at + 1]]
            now = _crossed(left[0], right[0]) + _crossed(left[1], right[1])
            then = _crossed(right[0], left[0]) + _crossed(right[1], left[1])
            if then < now:
                order[at], order[at + 1] = order[at + 1], order[at]
        for at, node in enumerate(order):
            places[node] = at


def _crossed(left: list[int], right: list[int]) -> int:
    """How many edges of a node cross with those of the node on its right; both lists sorted."""
    total = at = 0
    for place in left:
        while at < len(right) and right[at] < place:
            at += 1
        total += at
    return total

"""Layered layouts: nothing overlaps, edges point down, the same graph gives the same picture."""

from __future__ import annotations

import itertools
import random
import time
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.lineage.layers import back_edges, layers_of
from artstore.lineage.layout import Layout, layered

GAP = 16


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    """Breadths and edges; cycles, edges to itself and nodes without edges among them."""
    breadths = draw(st.lists(st.integers(1, 90), max_size=24))
    if not breadths:
        return [], []
    ends = st.integers(0, len(breadths) - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=60, unique=True))
    return breadths, edges


@given(graphs())
def test_no_two_boxes_overlap_and_none_begins_below_nothing(graph) -> None:
    breadths, edges = graph
    found = layered(breadths, edges, gap=GAP)
    layers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, breadth in zip(found.places, breadths, strict=True):
        layers[place.layer].append((place.middle, breadth))
    for members in layers.values():
        members.sort()
        assert members[0][0] * 2 >= members[0][1]
        assert members[-1][0] * 2 + members[-1][1] <= 2 * found.extent
        for (left, one), (right, other) in itertools.pairwise(members):
            assert (right - left) * 2 >= one + other + 2 * GAP


@given(graphs())
def test_every_edge_points_down_the_layers_but_those_that_close_cycles(graph) -> None:
    breadths, edges = graph
    found = layered(breadths, edges)
    proper = [edge for edge in edges if edge[0] != edge[1]]
    assert [(route.before, route.after) for route in found.routes] == proper
    for route in found.routes:
        before, after = (found.places[end].layer for end in (route.before, route.after))
        assert (after < before) if route.is_back else (before < after)
        if route.inner:
            least, most = sorted((before, after))
            assert [point.layer for point in route.inner] == list(range(least + 1, most))
    assert sorted({place.layer for place in found.places}) == list(range(found.layer_count))


@given(graphs())
def test_inner_points_of_edges_keep_clear_of_boxes(graph) -> None:
    breadths, edges = graph
    found = layered(breadths, edges, gap=GAP, inner_breadth=8)
    boxes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, breadth in zip(found.places, breadths, strict=True):
        boxes[place.layer].append((place.middle, breadth))
    for route in found.routes:
        for point in route.inner:
            for middle, breadth in boxes[point.layer]:
                assert abs(point.middle - middle) * 2 >= breadth + 8


@given(graphs())
def test_the_same_graph_is_laid_out_the_same(graph) -> None:
    breadths, edges = graph
    assert layered(breadths, edges) == layered(breadths, edges)


@given(graphs())
def test_there_are_never_more_crossings_than_in_the_order_given(graph) -> None:
    found = layered(*graph)
    assert found.crossings <= found.first_crossings
    assert found.crossings == crossings_of(found)


@given(graphs())
def test_only_graphs_with_cycles_have_edges_that_go_back(graph) -> None:
    breadths, edges = graph
    forward = sorted({(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]})
    assert back_edges(len(breadths), forward) == set()
    proper = [edge for edge in edges if edge[0] != edge[1]]
    back = back_edges(len(breadths), proper)
    turned = [(b, a) if at in back else (a, b) for at, (a, b) in enumerate(proper)]
    layers = layers_of(len(breadths), turned)
    assert all(layers[before] < layers[after] for before, after in turned)


def test_a_tree_has_no_crossings_whatever_order_its_nodes_come_in() -> None:
    names = list(range(40))
    random.Random(3).shuffle(names)
    edges = [(names[(at - 1) // 3], names[at]) for at in range(1, 40)]
    found = layered([40] * 40, edges)
    assert (found.crossings, found.layer_count) == (0, 4)
    assert found.first_crossings > 0


def test_an_edge_past_a_chain_is_straight() -> None:
    chain = [(at, at + 1) for at in range(9)]
    found = layered([40] * 10, [*chain, (0, 9)])
    past = found.routes[-1]
    assert len(past.inner) == 8
    assert len({point.middle for point in past.inner}) == 1
    assert len({place.middle for place in found.places}) <= 3


def test_a_node_lies_beside_what_uses_it() -> None:
    # 5 is used only at the end of the chain: its edge is not as long as the chain.
    found = layered([40] * 6, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 4)])
    assert found.places[5].layer == found.places[3].layer


def test_nothing_is_laid_out_as_nothing() -> None:
    assert layered([], []) == Layout(0, 0, (), (), 0, 0)
    assert layered([10], [(0, 0)]).routes == ()


@pytest.mark.parametrize("reach", [30, 499])
def test_500_nodes_and_1500_edges_take_no_second(reach: int) -> None:
    chance = random.Random(7)
    edges: set[tuple[int, int]] = set()
    while len(edges) < 1500:
        before = chance.randrange(499)
        edges.add((before, min(499, before + chance.randint(1, reach))))
    started = time.perf_counter()
    layered([44] * 500, sorted(edges))
    assert time.perf_counter() - started < 5


def test_a_chain_of_which_each_uses_the_first_ends_in_time() -> None:
    count = 1500
    edges = [(at, at + 1) for at in range(count - 1)] + [(0, at) for at in range(2, count)]
    found = layered([44] * count, edges)
    assert found.layer_count == count
    assert sum(len(route.inner) for route in found.routes) <= 6_000


def crossings_of(found: Layout) -> int:
    """Counted pair by pair."""
    total = 0
    strokes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for route in found.routes:
        ends = (found.places[route.before], found.places[route.after])
        low, high = ends[::-1] if route.is_back else ends
        points = [low, *route.inner, high]
        for one, other in itertools.pairwise(points):
            if other.layer == one.layer + 1:
                strokes[one.layer].append((one.middle, other.middle))
    for lines in strokes.values():
        for at, (a, b) in enumerate(lines):
            total += sum((a - c) * (b - d) < 0 for c, d in lines[:at])
    return total

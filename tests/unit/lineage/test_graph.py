"""Walks: what is found, in which order, where they stop, how often they ask."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError
from artstore.lineage.graph import Direction, Graph, graph
from artstore.lineage.records import Edge, NodeName, RunFacts, VersionFacts, VersionName
from tests.unit.lineage.memory import MemorySource, node, pipeline, version


def names(found: Graph) -> list[str]:
    return [str(one.name).removeprefix("p/") for one in found.nodes]


def edges(found: Graph) -> set[str]:
    return {
        f"{str(one.before).removeprefix('p/')} {one.kind} {str(one.after).removeprefix('p/')}"
        for one in found.edges
    }


def walk(
    source: MemorySource,
    root: str,
    direction: Direction = "both",
    depth: int | None = None,
    limit: int = 1000,
) -> Graph:
    return graph(source, [node(root)], direction=direction, depth=depth, node_limit=limit)


def test_up_finds_what_a_version_came_from_nearest_first() -> None:
    found = walk(pipeline(), "model:v0", "up")
    assert names(found) == [
        "model:v0",
        "train",
        "clean:v0",
        "features:v0",
        "clean",
        "featurize",
        "raw:v0",
        "ingest",
    ]
    assert "clean logged stats:v0" not in edges(found)
    assert found.truncated == ()
    assert found.levels[node("train")] == -1


def test_down_finds_what_came_of_it_through_links_too() -> None:
    found = walk(pipeline(), "model:v0", "down")
    assert names(found) == ["model:v0", "registry/best:v0", "evaluate", "report:v0"]
    assert "model:v0 linked registry/best:v0" in edges(found)
    assert found.levels[node("report:v0")] == 3


def test_both_is_up_and_down_and_nothing_beside() -> None:
    source = pipeline()
    up, down = walk(source, "clean:v0", "up"), walk(source, "clean:v0", "down")
    both = walk(source, "clean:v0")
    assert set(names(both)) == set(names(up)) | set(names(down))
    assert edges(both) == edges(up) | edges(down)
    # `stats` came of what `clean` came of, and not of `clean`.
    assert "stats:v0" not in names(both)


def test_a_run_can_be_where_a_walk_begins() -> None:
    assert names(walk(pipeline(), "clean")) == [
        "clean",
        "raw:v0",
        "clean:v0",
        "stats:v0",
        "ingest",
        "featurize",
        "train",
        "features:v0",
        "model:v0",
        "registry/best:v0",
        "evaluate",
        "report:v0",
    ]


def test_depth_counts_edges_and_says_where_it_stopped() -> None:
    found = walk(pipeline(), "model:v0", "up", 2)
    assert names(found) == ["model:v0", "train", "clean:v0", "features:v0"]
    assert [(str(one.name), one.direction, one.reason) for one in found.truncated] == [
        ("p/clean:v0", "up", "depth"),
        ("p/features:v0", "up", "depth"),
    ]
    assert names(walk(pipeline(), "model:v0", "up", 0)) == ["model:v0"]


def test_a_walk_that_reaches_the_end_at_its_depth_is_not_truncated() -> None:
    assert walk(pipeline(), "raw:v0", "up", 1).truncated == ()


def test_edges_between_nodes_of_the_last_level_are_in_the_graph() -> None:
    source = MemorySource()
    source.join("a:v0 depends c:v0")
    source.join("b:v0 depends c:v0")
    source.join("a:v0 depends b:v0")
    assert edges(walk(source, "c:v0", "up", 1)) == {
        "a:v0 depends c:v0",
        "b:v0 depends c:v0",
        "a:v0 depends b:v0",
    }


def test_a_limit_keeps_the_nearest_and_says_where_it_stopped() -> None:
    found = walk(pipeline(), "model:v0", "up", limit=3)
    assert names(found) == ["model:v0", "train", "clean:v0"]
    assert {(str(one.name), one.reason) for one in found.truncated} == {
        ("p/train", "nodes"),
        ("p/clean:v0", "nodes"),
    }


def test_a_limit_is_shared_by_both_directions() -> None:
    source = MemorySource()
    for number in range(20):
        source.step(f"make{number}", f"in{number}:v0", "x:v0")
        source.step(f"use{number}", "x:v0", f"out{number}:v0")
    found = walk(source, "x:v0", limit=41)
    assert sum(level > 0 for level in found.levels.values()) == 20
    assert len(found.nodes) == 41


def test_roots_are_in_the_graph_even_past_the_limit() -> None:
    source = pipeline()
    roots = [node("model:v0"), node("raw:v0"), node("model:v0")]
    found = graph(source, roots, node_limit=1)
    assert names(found) == ["model:v0", "raw:v0"]
    assert found.roots == (node("model:v0"), node("raw:v0"))


def test_cycles_end() -> None:
    source = MemorySource()
    source.step("r", "m:v0", "m:v0")
    source.join("m:v0 linked m:v0")
    source.join("a:v0 depends b:v0")
    source.join("b:v0 depends a:v0")
    assert names(walk(source, "m:v0")) == ["m:v0", "r"]
    assert names(walk(source, "a:v0", "up")) == ["a:v0", "b:v0"]
    for text in ("m:v0", "a:v0"):
        found = walk(source, text)
        assert found.to_text()
        assert found.to_json()["nodes"]


def test_what_was_deleted_or_is_gone_stays_visible_as_such() -> None:
    source = pipeline()
    source.mark("clean:v0", state="deleted")
    source.forget(node("features:v0"))
    source.forget(node("featurize"))
    source.add("train", state="deleted")
    found = walk(source, "model:v0", "up")
    states = {str(one.name): one.state for one in found.nodes}
    assert states["p/clean:v0"] == "deleted"
    assert states["p/features:v0"] == "missing"
    assert states["p/featurize"] == "missing"
    assert states["p/train"] == "deleted"
    assert "p/raw:v0" in states


def test_a_root_that_nobody_knows_is_a_graph_of_one() -> None:
    found = walk(MemorySource(), "x:v7")
    assert found.nodes == (VersionFacts(version("x:v7"), "missing"),)
    assert graph(MemorySource(), []).nodes == ()


def test_a_version_of_another_store_is_elsewhere_and_not_asked_for() -> None:
    source = MemorySource()
    origin = VersionName("p", "m", 3, "ab" * 16)
    source.add("m:v0")
    source.put(Edge("derived", origin, version("m:v0")))
    found = walk(source, "m:v0", "up")
    assert found.nodes[1] == VersionFacts(origin, "elsewhere")
    assert str(origin) == f"{'ab' * 16}//p/m:v3"


def test_several_uses_of_one_version_are_several_edges() -> None:
    source = MemorySource()
    source.step("r", "", "m:v0")
    source.join("d:v0 used r", asked="best")
    source.join("d:v0 used r", asked="latest")
    source.join("d:v0 used r", asked="latest")
    assert [edge.asked for edge in walk(source, "m:v0", "up").edges if edge.kind == "used"] == [
        "best",
        "latest",
    ]


def test_order_does_not_depend_on_the_order_of_answers() -> None:
    class Backwards(MemorySource):
        def edges_into(self, names):
            return reversed(list(super().edges_into(list(reversed(names)))))

    source, other = pipeline(), Backwards()
    other.__dict__.update(source.__dict__)
    forwards, backwards = walk(source, "report:v0"), walk(other, "report:v0")
    assert forwards == backwards
    assert forwards.to_json() == backwards.to_json()


def test_edges_that_were_not_asked_for_are_left_out() -> None:
    class Chatty(MemorySource):
        def edges_into(self, names):
            return [edge for found in self.into.values() for edge in found]

    source = Chatty()
    source.__dict__.update(pipeline().__dict__)
    assert names(walk(source, "raw:v0", "up")) == ["raw:v0", "ingest"]


def test_a_level_is_one_question() -> None:
    source = MemorySource()
    for number in range(5000):
        source.step(f"r{number}", f"d{number}:v0", "m:v0")
    found = walk(source, "m:v0", "up", limit=100_000)
    assert len(found.nodes) == 10_001
    assert source.asked["edges"] == 3
    assert source.asked["versions"] == source.asked["runs"] == 1


@pytest.mark.parametrize(
    "options", [{"direction": "sideways"}, {"depth": -1}, {"node_limit": 0}], ids=str
)
def test_options_that_mean_nothing_are_refused(options) -> None:
    with pytest.raises(InvalidInputError) as caught:
        graph(MemorySource(), [], **options)
    assert caught.value.code == "value-invalid"


@pytest.mark.parametrize(
    ("labels", "is_bad"),
    [
        ({"tags": ("bad",)}, True),
        ({"aliases": ("bad",)}, True),
        ({"tags": ("Bad", "bad rows", "badge")}, False),
        ({}, False),
    ],
)
def test_bad_is_the_tag_or_the_alias_of_that_very_name(labels, is_bad) -> None:
    assert VersionFacts(version("m:v0"), **labels).is_bad is is_bad


def test_runs_and_versions_of_one_name_are_two_nodes() -> None:
    source = MemorySource()
    source.step("m", "", "m:v0")
    found = walk(source, "m:v0")
    assert [type(one) for one in found.nodes] == [VersionFacts, RunFacts]
    kinds: set[type] = {type(name) for name in found.levels}
    assert len(kinds) == 2
    assert all(isinstance(name, NodeName) for name in found.levels)

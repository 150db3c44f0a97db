"""Graphs in few tiles: what is folded, what unfolds, and that nothing is lost on the way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.lineage.collapsing import (
    Collapsed,
    CollapseOption,
    Tile,
    collapse,
    extracted,
    node_key,
    nodes_of,
    only_nodes,
)
from artstore.lineage.graph import Graph, graph
from artstore.lineage.records import RunName, VersionName
from artstore.lineage.searching import matching_nodes
from tests.unit.lineage.hostile import HOSTILE, hostile_graph
from tests.unit.lineage.memory import MemorySource, node, pipeline, version
from tests.unit.lineage.test_properties import NODES, reached, sources


def walked(source: MemorySource, *roots: str) -> Graph:
    return graph(source, [node(root) for root in roots])


def labels(found: Collapsed) -> Counter[str]:
    return Counter(tile.label or str(tile.nodes[0].name) for tile in found.tiles)


def labelled(found: Collapsed, label: str) -> Tile:
    (tile,) = [one for one in found.tiles if one.label == label]
    return tile


@pytest.fixture
def sweep() -> MemorySource:
    """raw:v0 used by 5 sweeps and 1 check; sweeps log versions of two models."""
    source = MemorySource()
    for number in range(5):
        run = f"s{number}"
        source.add(run, job_type="sweep", group="a" if number < 3 else "b")
        source.join(f"raw:v0 used {run}")
        name = "big" if number % 2 else "small"
        source.add(f"{name}:v{number}", type="model")
        source.join(f"{run} logged {name}:v{number}")
    source.add("check", job_type="check")
    source.join("raw:v0 used check")
    return source


def test_versions_fold_by_type_and_runs_by_job_type(sweep: MemorySource) -> None:
    found = collapse(walked(sweep, "raw:v0"))
    assert labels(found) == {"p/raw:v0": 1, "sweep": 1, "model": 1, "p/check": 1}
    model, runs = labelled(found, "model"), labelled(found, "sweep")
    assert (model.kind, runs.kind, len(model.nodes), len(runs.nodes)) == ("versions", "runs", 5, 5)
    counts = {(one.before, one.after): (one.count, one.kinds) for one in found.strands}
    assert counts[runs.key, model.key] == (5, (("logged", 5),))
    assert counts[node_key(version("raw:v0")), runs.key] == (5, (("used", 5),))


def test_a_type_unfolds_into_collections_and_those_into_versions(sweep: MemorySource) -> None:
    whole = walked(sweep, "raw:v0")
    model = labelled(collapse(whole), "model")
    finer = collapse(whole, CollapseOption(opened=frozenset([model.key])))
    assert labels(finer)["big"] == labels(finer)["small"] == 1
    big = labelled(finer, "big")
    assert big.folds_into == model.key
    finest = collapse(whole, CollapseOption(opened=frozenset([model.key, big.key])))
    assert labels(finest)["p/big:v1"] == labels(finest)["p/big:v3"] == labels(finest)["small"] == 1
    ones = [tile for tile in finest.tiles if tile.folds_into == big.key]
    assert {str(tile.nodes[0].name) for tile in ones} == {"p/big:v1", "p/big:v3"}


def test_a_job_type_unfolds_into_groups(sweep: MemorySource) -> None:
    whole = walked(sweep, "raw:v0")
    job = labelled(collapse(whole), "sweep")
    finer = collapse(whole, CollapseOption(opened=frozenset([job.key])))
    assert labels(finer)["sweep, a"] == labels(finer)["sweep, b"] == 1
    assert len(labelled(finer, "sweep, a").nodes) == 3


def test_all_can_be_exploded_and_one_folded_again(sweep: MemorySource) -> None:
    whole = walked(sweep, "raw:v0")
    exploded = collapse(whole, CollapseOption(is_exploded=True))
    assert len(exploded.tiles) == len(whole.nodes)
    assert len(exploded.strands) == len(whole.edges)
    group = next(one.folds_into for one in exploded.tiles if "small" in str(one.nodes[0].name))
    assert group is not None
    again = collapse(whole, CollapseOption(is_exploded=True, folded=frozenset([group])))
    assert len(labelled(again, "small").nodes) == 3
    assert len(again.tiles) == len(whole.nodes) - 2


def test_roots_and_who_would_be_alone_are_tiles_of_their_own(sweep: MemorySource) -> None:
    found = collapse(walked(sweep, "big:v1", "raw:v0"))
    roots = [tile for tile in found.tiles if tile.is_root]
    assert [str(tile.nodes[0].name) for tile in roots] == ["p/big:v1", "p/raw:v0"]
    assert all(tile.folds_into is None for tile in roots)
    assert labels(found)["p/check"] == 1


@pytest.fixture
def wide() -> Graph:
    """raw:v0 -> 100 runs -> 100 versions, and 4 runs of another sort."""
    source = MemorySource()
    for number in range(100):
        source.add(f"r{number:03d}", job_type="train", started=f"2026-01-01T00:{number:04d}Z")
        source.join(f"raw:v0 used r{number:03d}")
        source.join(f"r{number:03d} logged m:v{number}")
    for number in range(4):
        source.add(f"e{number}", job_type="eval")
        source.join(f"raw:v0 used e{number}")
    return walked(source, "raw:v0")


def test_a_wide_level_has_clusters_of_what_is_older(wide: Graph) -> None:
    found = collapse(wide, CollapseOption(is_exploded=True, widest=20))
    runs = next(one for one in found.tiles if one.is_cluster and one.kind == "runs")
    versions = next(one for one in found.tiles if one.is_cluster and one.kind == "versions")
    assert Counter(tile.level for tile in found.tiles) == {0: 1, 1: 20, 2: 20}
    assert {str(one.name) for one in versions.nodes} == {f"p/m:v{at}" for at in range(81)}
    assert {str(one.name) for one in runs.nodes} == {f"p/r{at:03d}" for at in range(85)}
    seen = {str(one.nodes[0].name) for one in found.tiles if not one.is_cluster}
    assert {"p/e0", "p/e3", "p/r099", "p/m:v99"} <= seen


def test_a_cluster_unfolds_and_no_width_makes_none(wide: Graph) -> None:
    option = CollapseOption(is_exploded=True, widest=20)
    cluster = next(tile for tile in collapse(wide, option).tiles if tile.is_cluster)
    opened = frozenset([cluster.key])
    found = collapse(wide, CollapseOption(is_exploded=True, opened=opened, widest=20))
    assert cluster.key not in {tile.key for tile in found.tiles}
    assert sum(tile.is_cluster for tile in found.tiles) == 1
    assert len(collapse(wide, CollapseOption(is_exploded=True, widest=0)).tiles) == len(wide.nodes)


def test_what_an_opened_group_has_too_many_of_is_a_cluster_of_its_own(wide: Graph) -> None:
    versions = labelled(collapse(wide), "m")
    found = collapse(wide, CollapseOption(opened=frozenset([versions.key])))
    cluster = next(tile for tile in found.tiles if tile.is_cluster)
    assert cluster.folds_into == versions.key
    assert len(cluster.nodes) == 100 - 59


def test_more_tiles_than_are_drawn_are_left_out_and_told(wide: Graph) -> None:
    found = collapse(wide, CollapseOption(is_exploded=True, widest=0, tile_limit=50))
    assert len(found.tiles) == 50
    assert len(found.left_out) == len(wide.nodes) - 50
    assert found.tiles[0].is_root
    keys = {tile.key for tile in found.tiles}
    assert all({one.before, one.after} <= keys for one in found.strands)


def test_edges_from_what_is_bad_or_gone_are_counted() -> None:
    source = pipeline()
    source.mark("clean:v0", tags=("bad",))
    source.mark("raw:v0", state="deleted")
    found = collapse(walked(source, "model:v0"), CollapseOption(is_exploded=True))
    names = {tile.key: str(tile.nodes[0].name) for tile in found.tiles}
    spoiled = {(names[one.before], names[one.after]) for one in found.strands if one.spoiled_count}
    assert spoiled == {
        ("p/clean:v0", "p/featurize"),
        ("p/clean:v0", "p/train"),
        ("p/raw:v0", "p/clean"),
    }


def test_an_extract_has_ancestors_and_descendants_and_nothing_beside() -> None:
    whole = walked(pipeline(), "raw:v0")
    names = extracted(whole, [version("features:v0")])
    assert names == {
        *(
            node(one)
            for one in ("ingest", "raw:v0", "clean", "clean:v0", "featurize", "features:v0")
        ),
        *(node(one) for one in ("train", "model:v0", "evaluate", "report:v0")),
        VersionName("registry", "best", 0),
    }
    cut = only_nodes(whole, names)
    assert {facts.name for facts in cut.nodes} == names
    assert {end for edge in cut.edges for end in (edge.before, edge.after)} <= names


@given(sources(), st.sampled_from(NODES), st.data())
def test_every_node_is_in_one_tile_and_every_edge_in_one_strand(source, root, data) -> None:
    whole = graph(source, [root])
    keys = [tile.key for tile in collapse(whole).tiles]
    option = CollapseOption(
        data.draw(st.booleans()),
        frozenset(data.draw(st.lists(st.sampled_from(keys)))),
        frozenset(data.draw(st.lists(st.sampled_from(keys)))),
        data.draw(st.integers(0, 4)),
    )
    found = collapse(whole, option)
    names = [facts.name for tile in found.tiles for facts in tile.nodes]
    assert sorted(map(str, names)) == sorted(str(facts.name) for facts in whole.nodes)
    assert len({tile.key for tile in found.tiles}) == len(found.tiles)
    inner = sum(tile.inner_count for tile in found.tiles)
    assert sum(one.count for one in found.strands) + inner == len(whole.edges)
    assert collapse(whole, option) == found
    for tile in found.tiles:
        assert len({isinstance(facts.name, RunName) for facts in tile.nodes}) == 1
        if not tile.is_cluster:
            members = set(nodes_of(whole, tile.key)) - set(whole.roots)
            assert {facts.name for facts in tile.nodes} - set(whole.roots) <= members


@given(sources(), st.sampled_from(NODES), st.sampled_from(NODES))
def test_an_extract_is_what_a_plain_model_reaches(source, root, name) -> None:
    whole = graph(source, [root])
    found = extracted(whole, [name])
    if name not in whole.levels:
        assert found == set()
        return
    turned = [type(one)(one.kind, one.after, one.before) for one in whole.edges]
    count = len(whole.nodes)
    assert found == reached(whole.edges, [name], count) | reached(turned, [name], count)


@pytest.mark.parametrize("text", HOSTILE)
def test_keys_are_harmless_whatever_things_are_called(text: str) -> None:
    found = collapse(hostile_graph(text), CollapseOption(is_exploded=True))
    assert len(found.tiles) == 3
    for tile in found.tiles:
        assert len(tile.key) == 12
        assert set(tile.key) <= set("0123456789abcdef")


def test_nodes_are_found_by_name_alias_tag_digest_and_run_name() -> None:
    source = pipeline()
    source.mark("model:v0", aliases=("best",), tags=("Gold Star",), digest="abcd" + "0" * 60)
    source.add("train", title="Lively Cedar", job_type="fit")
    whole = walked(source, "raw:v0")

    def found(text: str) -> list[str]:
        return [str(name) for name in matching_nodes(whole, text)]

    assert found("MODEL:v0") == ["p/model:v0"]
    assert set(found("best")) == {"p/model:v0", "registry/best:v0"}
    assert found("#gold") == found("abcd") == ["p/model:v0"]
    assert found("lively") == found("fit") == ["p/train"]
    assert found("abc") == found("nothing") == found("  ") == []

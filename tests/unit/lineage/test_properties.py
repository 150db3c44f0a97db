"""Walks and causes beside a plain model of the same graph, on graphs of any shape."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from artstore.lineage.graph import graph
from artstore.lineage.records import Edge, NodeName, RunName, VersionFacts, VersionName, sort_key
from artstore.lineage.stale import stale
from artstore.lineage.why import why
from tests.unit.lineage.memory import MemorySource

VERSIONS = [VersionName("p", name, number) for name in "abc" for number in range(3)]
RUNS = [RunName("p", f"r{number}") for number in range(4)]
NODES: list[NodeName] = [*VERSIONS, *RUNS]

versions = st.sampled_from(VERSIONS)
runs = st.sampled_from(RUNS)
times = st.one_of(st.none(), st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]))
asked = st.sampled_from([None, "latest", "gold"])
edge = st.one_of(
    st.builds(Edge, st.just("used"), versions, runs, times, asked),
    st.builds(Edge, st.just("logged"), runs, versions, times, is_new=st.booleans()),
    st.builds(Edge, st.sampled_from(["linked", "depends", "derived"]), versions, versions),
)


@st.composite
def sources(draw: st.DrawFn) -> MemorySource:
    source = MemorySource()
    for one in draw(st.lists(edge, max_size=25)):
        source.put(one)
    for name in VERSIONS:
        state = draw(st.sampled_from(["live", "live", "live", "deleted", "gone"]))
        if state != "gone":
            tags = draw(st.sampled_from([(), (), (), ("bad",)]))
            source.known[name] = VersionFacts(name, state, tags=tags)  # type: ignore[arg-type]
    for run in RUNS:
        if draw(st.booleans()):
            source.add(run.run_id)
    for name in draw(st.lists(versions, max_size=2)):
        if name in source.known and source.known[name].state == "live":
            source.aliases[name.collection]["gold"] = name.version
    return source


def all_edges(source: MemorySource) -> set[Edge]:
    return {one for found in source.into.values() for one in found}


def reached(edges: Iterable[Edge], roots: Iterable[NodeName], depth: int) -> set[NodeName]:
    """What lies at most `depth` edges above."""
    found = set(roots)
    for _ in range(depth):
        found |= {one.before for one in edges if one.after in found}
    return found


@given(sources(), st.sampled_from(NODES), st.sampled_from(NODES))
def test_what_is_above_one_has_it_below(source, one, other) -> None:
    up = graph(source, [one], direction="up").levels
    down = graph(source, [other], direction="down").levels
    assert (other in up) == (one in down)


@given(sources(), st.lists(st.sampled_from(NODES), max_size=3), st.integers(0, 6))
def test_a_walk_finds_what_a_plain_model_finds(source, roots, depth) -> None:
    edges = all_edges(source)
    found = graph(source, roots, direction="up", depth=depth)
    nodes = reached(edges, roots, depth)
    assert set(found.levels) == nodes
    assert set(found.edges) == {one for one in edges if one.before in nodes and one.after in nodes}
    assert {one.name for one in found.truncated} == {
        one.after for one in edges if one.after in nodes and one.before not in nodes
    }


@given(
    sources(), st.sampled_from(NODES), st.integers(0, 6), st.sampled_from(["up", "down", "both"])
)
def test_a_deeper_walk_loses_nothing(source, root, depth, direction) -> None:
    less = graph(source, [root], direction=direction, depth=depth)
    more = graph(source, [root], direction=direction, depth=depth + 1)
    whole = graph(source, [root], direction=direction)
    assert set(less.levels) <= set(more.levels) <= set(whole.levels)
    assert set(less.edges) <= set(more.edges) <= set(whole.edges)
    assert whole.truncated == ()
    if not less.truncated:
        assert set(less.levels) == set(whole.levels)


@given(sources(), st.sampled_from(NODES), st.integers(1, 8))
def test_a_limit_keeps_a_part_and_says_so(source, root, limit) -> None:
    part = graph(source, [root], node_limit=limit)
    whole = graph(source, [root])
    assert len(part.nodes) == min(limit, len(whole.nodes))
    assert set(part.edges) <= set(whole.edges)
    assert (set(part.levels) != set(whole.levels)) <= bool(part.truncated)


@given(sources(), st.sets(st.sampled_from(NODES)), st.sampled_from(VERSIONS))
def test_forgetting_nodes_never_raises_and_changes_no_shape(source, gone, root) -> None:
    before = graph(source, [root])
    for name in gone:
        source.forget(name)
    after = graph(source, [root])
    assert after.levels == before.levels
    assert after.edges == before.edges
    for found in (before, after):
        found.to_json()
        found.to_text()
        found.to_dot()
        found.to_mermaid()
        found.to_openlineage("s")
    stale(source).to_text()
    if root in source.known:
        why(source, root).to_text()


@given(sources(), st.sampled_from(VERSIONS), st.integers(0, 3))
def test_why_names_each_version_once_and_says_what_it_leaves_out(source, root, depth) -> None:
    if root not in source.known:
        return
    steps = why(source, root, depth=depth).steps
    names = [step.version.name for step in steps]
    assert len(names) == len(set(names))
    assert max(step.level for step in steps) <= depth
    for step in steps:
        beyond = {one.before for one in step.inputs} - set(names)
        assert step.is_truncated >= bool(beyond)
        assert not beyond or step.level == depth


# --- stale, told in another way ---------------------------------------------------------------


def newer(source: MemorySource, one: Edge) -> bool:
    name = one.before
    aliases = source.aliases[name.collection]
    if one.asked == "gold" and "gold" in aliases:
        return aliases["gold"] != name.version
    return any(
        other.collection == name.collection
        and other.version > name.version
        and facts.state == "live"
        and not facts.is_bad
        for other, facts in source.known.items()
    )


def expected(source: MemorySource, name: VersionName) -> set[tuple[str, object]]:
    """For each cause one search, along the nodes that it concerns."""
    edges = all_edges(source)
    found: set[tuple[str, object]] = set()
    for one in edges:
        version = one.before
        if not isinstance(version, VersionName):
            continue
        facts = source.known.get(version)
        kind = "missing" if facts is None else "bad" if facts.is_bad else facts.state
        if kind == "live":
            if not newer(source, one):
                continue
            kind = "newer"
        passes = [
            node
            for node in NODES
            if isinstance(node, RunName)
            or (node.collection != version.collection if kind == "newer" else node != version)
        ]
        area = {one.after} & set(passes)
        for _ in NODES:
            area |= {two.after for two in edges if two.before in area and two.after in set(passes)}
        if name in area:
            found.add((kind, version.collection if kind == "newer" else version))
    return found


@given(sources())
def test_stale_finds_the_causes_that_a_plain_search_finds(source) -> None:
    report = stale(source, cause_limit=None)
    found = {
        one.version.name: {
            (cause.kind, cause.input.collection if cause.kind == "newer" else cause.input)
            for cause in one.causes
        }
        for one in report.versions
    }
    live = [name for name, facts in source.known.items() if facts.state == "live"]
    wanted = {name: causes for name in live if (causes := expected(source, name))}
    assert found == wanted
    assert report.checked_count == len(live)


@given(sources())
def test_every_cause_comes_with_a_way_that_is_there(source) -> None:
    pairs = {(one.before, one.after) for one in all_edges(source)}
    for one in stale(source).versions:
        for cause in one.causes:
            assert cause.path[0] == one.version.name
            assert cause.path[-1] == cause.input
            assert len(set(cause.path)) == len(cause.path)
            for after, before in zip(cause.path, cause.path[1:], strict=False):
                assert (before, after) in pairs


@given(sources(), st.integers(1, 3))
def test_a_limit_of_causes_leaves_none_out_silently(source, limit) -> None:
    whole = {one.version.name: one for one in stale(source, cause_limit=None).versions}
    limited = stale(source, cause_limit=limit).versions
    assert {one.version.name for one in limited} == set(whole)
    for one in limited:
        left_out = len(whole[one.version.name].causes) - len(one.causes)
        assert left_out >= 0
        assert one.has_more >= (left_out > 0)


@given(st.permutations(NODES))
def test_nodes_have_one_order(nodes) -> None:
    assert sorted(nodes, key=sort_key) == sorted(NODES, key=sort_key)

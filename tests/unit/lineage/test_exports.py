"""What is given to other tools is what they can read, whatever things are called."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.lineage.captions import caption, visible
from artstore.lineage.graph import Graph, graph
from artstore.lineage.records import Edge, FileFacts, VersionName
from artstore.lineage.stale import stale
from artstore.lineage.why import why
from tests.unit.lineage.hostile import (
    HOSTILE,
    MERMAID_LINE,
    dot_tokens,
    hostile_graph,
    hostile_source,
    mermaid_labels,
)
from tests.unit.lineage.memory import MemorySource, node, pipeline, version

texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


def whole() -> Graph:
    source = pipeline()
    source.mark("raw:v0", tags=("bad",), type="dataset", aliases=("gold",))
    source.mark("clean:v0", state="deleted")
    return graph(source, [node("model:v0")], direction="up")


# --- dot ------------------------------------------------------------------------------------


def statements(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Checks the grammar of all that is written, and gives the nodes and edges."""
    tokens = dot_tokens(text)
    assert tokens[:3] == ["digraph", "lineage", "{"]
    assert tokens[-1] == "}"
    body = " ".join(tokens[3:-1])
    nodes, edges = [], []
    for statement in _split(tokens[3:-1]):
        if statement[1] == "=":
            assert statement == ["rankdir", "=", "LR"]
        elif statement[0] == "node":
            assert statement[1] == "["
        elif statement[1] == "->":
            edges.append((statement[0], statement[2]))
            assert statement[3:6] == ["[", "label", "="]
            assert statement[6][0] == '"'
            assert statement[7:] == ["]"]
        else:
            nodes.append(statement[0])
            assert statement[1:4] == ["[", "label", "="], body
            assert statement[4][0] == '"'
            assert statement[-1] == "]"
    return nodes, edges


def _split(tokens: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for token in tokens:
        if token == ";":
            found.append([])
        else:
            found[-1].append(token)
    assert found.pop() == []
    return found


def test_dot_has_every_node_and_edge() -> None:
    nodes, edges = statements(whole().to_dot())
    assert len(nodes) == len(set(nodes)) == len(whole().nodes)
    assert len(edges) == len(whole().edges)
    assert {end for edge in edges for end in edge} <= set(nodes)
    assert (
        'label="p/raw:v0\\ndataset, gold, #bad\\n[bad]", shape=box, color=red' in whole().to_dot()
    )


@given(texts)
def test_dot_stays_one_graph_of_three_nodes_whatever_things_are_called(text: str) -> None:
    nodes, edges = statements(hostile_graph(text).to_dot())
    assert nodes == ["n0", "n1", "n2"]
    assert edges == [("n2", "n1"), ("n1", "n0")]
    assert len(hostile_graph(text).to_dot().splitlines()) == 9


def test_dot_is_read_by_programs_of_others() -> None:
    program = shutil.which("dot")
    if program is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pydot = pytest.importorskip("pydot")
    for text in HOSTILE:
        source = hostile_graph(text).to_dot()
        if program is not None:
            command = [program, "-Tplain"]
            done = subprocess.run(command, check=True, input=source.encode(), capture_output=True)
            assert done.stdout.count(b"\nnode ") == 3
        else:
            (parsed,) = pydot.graph_from_dot_data(source)
            assert [one.get_name() for one in parsed.get_nodes()] == ["node", "n0", "n1", "n2"]


# --- mermaid --------------------------------------------------------------------------------


def test_mermaid_has_every_node_and_edge() -> None:
    lines = whole().to_mermaid().splitlines()
    assert sum("-->" in line for line in lines) == len(whole().edges)
    assert '  n0["p/model#58;v0"]' in lines
    assert '  n1(["p/train<br/>finished"])' in lines
    assert any(line.startswith("  class n") and line.endswith(" bad") for line in lines)


@given(texts)
def test_mermaid_keeps_to_its_grammar_and_shows_what_things_are_called(text: str) -> None:
    found = hostile_graph(text)
    drawn = found.to_mermaid()
    for line in drawn.removesuffix("\n").split("\n"):
        assert MERMAID_LINE.fullmatch(line), line
    assert mermaid_labels(drawn)[:3] == [caption(facts) for facts in found.nodes]


# --- OpenLineage ----------------------------------------------------------------------------

# What the published schemas require; https://openlineage.io/spec/2-0-2/OpenLineage.json.
EVENT_TYPES = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
REQUIRED_OF_FACETS = {
    "jobType": {"processingType", "integration"},
    "sourceCodeLocation": {"type", "url"},
    "tags": set(),
    "version": {"datasetVersion"},
    "datasetType": {"datasetType"},
}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
URI = r"[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def check_facets(facets: dict[str, dict[str, str]]) -> None:
    for name, facet in facets.items():
        assert {"_producer", "_schemaURL"} | REQUIRED_OF_FACETS[name] <= set(facet)
        for key in ("_producer", "_schemaURL", *(["url"] if "url" in facet else [])):
            assert re.fullmatch(URI, facet[key]), facet[key]


def check_event(event: dict) -> None:
    assert {"eventTime", "producer", "schemaURL", "run", "job"} <= set(event)
    assert event["eventType"] in EVENT_TYPES
    assert re.fullmatch(TIME, event["eventTime"])
    assert re.fullmatch(URI, event["producer"])
    assert event["schemaURL"] == (
        "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    )
    assert re.fullmatch(UUID, event["run"]["runId"])
    assert {"namespace", "name"} <= set(event["job"])
    check_facets(event["run"]["facets"])
    check_facets(event["job"]["facets"])
    for tag in event["run"]["facets"]["tags"]["tags"]:
        assert {type(tag["key"]), type(tag["value"])} == {str}
    for dataset in [*event["inputs"], *event["outputs"]]:
        assert {type(dataset["namespace"]), type(dataset["name"])} == {str}
        check_facets(dataset["facets"])


def test_openlineage_has_one_event_a_run_with_its_inputs_and_outputs() -> None:
    source = pipeline()
    source.add(
        "train",
        state="failed",
        job_type="train",
        started="2026-01-01T00:00:00Z",
        ended="2026-01-01T01:00:00Z",
        commit="0a1b",
        repository="git@github.com:org/repo.git",
    )
    source.mark("clean:v0", type="dataset")
    events = graph(source, [node("model:v0")]).to_openlineage("file:///data/store")
    assert len(events) == 5
    for event in events:
        check_event(event)
    event = events[0]
    assert event["eventType"] == "FAIL"
    assert event["eventTime"] == "2026-01-01T01:00:00Z"
    assert event["job"]["name"] == "p/train"
    assert [one["name"] for one in event["inputs"]] == ["p/clean", "p/features"]
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"] == "v0"
    assert event["inputs"][0]["facets"]["datasetType"]["datasetType"] == "DATASET"
    assert [one["name"] for one in event["outputs"]] == ["p/model"]
    code = event["job"]["facets"]["sourceCodeLocation"]
    assert code["url"] == "ssh://github.com/org/repo.git"
    assert code["version"] == "0a1b"


def test_openlineage_ids_stay_the_same_and_differ_between_stores_and_runs() -> None:
    def ids(namespace: str) -> list[str]:
        found = graph(pipeline(), [node("model:v0")])
        return [event["run"]["runId"] for event in found.to_openlineage(namespace)]

    assert ids("a") == ids("a")
    assert not set(ids("a")) & set(ids("b"))
    assert len(set(ids("a"))) == 5


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("finished", "COMPLETE"),
        ("failed", "FAIL"),
        ("crashed", "FAIL"),
        ("killed", "ABORT"),
        ("preempted", "ABORT"),
        ("running", "RUNNING"),
        ("deleted", "OTHER"),
        ("missing", "OTHER"),
    ],
)
def test_openlineage_tells_how_a_run_ended(state: str, kind: str) -> None:
    source = MemorySource()
    source.step("r", "", "m:v0")
    source.add("r", state=state)
    (event,) = graph(source, [node("r")]).to_openlineage("s")
    assert event["eventType"] == kind
    assert event["eventTime"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("https://github.com/o/r", "https://github.com/o/r"),
        ("https://ada:secret@example.org:8443/o/r.git", "https://example.org:8443/o/r.git"),
        ("ssh://git@example.org/o/r", "ssh://example.org/o/r"),
        ("example.org:o/r 1.git", "ssh://example.org/o/r%201.git"),
        ("/home/ada/repo", None),
        ("file:///home/ada/repo", None),
        ("C:/Users/ada/repo", None),
        ("https://exa mple.org/x", None),
        ("https://example.org:port/x", None),
    ],
)
def test_openlineage_has_the_repository_as_a_url_without_secrets(repository, url) -> None:
    source = MemorySource()
    source.step("r", "", "m:v0")
    source.add("r", repository=repository, commit="0a")
    (event,) = graph(source, [node("r")]).to_openlineage("s")
    check_event(event)
    found = event["job"]["facets"].get("sourceCodeLocation")
    assert (None if found is None else found["url"]) == url
    assert "secret" not in json.dumps(event)


@given(texts)
def test_openlineage_is_valid_whatever_things_are_called(text: str) -> None:
    for event in hostile_graph(text).to_openlineage("s"):
        check_event(event)
        json.dumps(event)


# --- text -----------------------------------------------------------------------------------


def test_a_tree_says_each_thing_once() -> None:
    assert whole().to_text() == [
        "p/model:v0",
        "└─ logged by p/train  finished",
        "   ├─ used p/clean:v0  [deleted]",
        "   │  └─ logged by p/clean  finished",
        "   │     └─ used p/raw:v0  dataset, gold, #bad  [bad]",
        "   │        └─ logged by p/ingest  finished",
        "   └─ used p/features:v0",
        "      └─ logged by p/featurize  finished",
        "         └─ used p/clean:v0  [deleted]  (above)",
    ]


def test_a_tree_of_both_directions_has_two_parts() -> None:
    assert graph(pipeline(), [node("stats:v0")], depth=1).to_text() == [
        "p/stats:v0",
        "up:",
        "└─ logged by p/clean  finished  (more not shown)",
        "down: nothing",
    ]


def test_a_tree_of_several_roots_begins_anew_for_each() -> None:
    found = graph(pipeline(), [node("clean:v0"), node("stats:v0")], direction="up")
    assert found.to_text() == [
        "p/clean:v0",
        "└─ logged by p/clean  finished",
        "   └─ used p/raw:v0",
        "      └─ logged by p/ingest  finished",
        "",
        "p/stats:v0",
        "└─ logged by p/clean  finished  (above)",
    ]


def test_a_tree_joins_several_uses_of_one_version() -> None:
    source = MemorySource()
    source.step("r", "", "m:v0")
    for asked in ("latest", "best", None):
        source.join("d:v0 used r", asked=asked)
    assert graph(source, [node("m:v0")], direction="up").to_text()[2:] == [
        "   └─ used p/d:v0  (asked for: best, latest)"
    ]


def test_a_chain_longer_than_the_stack_of_python_is_printed() -> None:
    source = MemorySource()
    for number in range(3000):
        source.join(f"m:v{number} depends m:v{number + 1}")
    found = graph(source, [node("m:v3000")], direction="up")
    assert len(found.to_text()) == 3001
    assert found.to_dot()
    assert found.to_mermaid()


@given(texts)
def test_text_has_no_control_characters_whatever_things_are_called(text: str) -> None:
    found = hostile_graph(text)
    lines = found.to_text()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    "\n".join(lines).encode()


@given(texts)
def test_answers_have_no_control_characters_whatever_things_are_called(text: str) -> None:
    source, made = hostile_source(text)
    source.files[made, text] = FileFacts(text, (VersionName(text, "x", 0), text))
    source.put(Edge("depends", VersionName(text, "lost", 0), made))
    lines = [*why(source, made, text).to_text(), *why(source, made).to_text()]
    assert len(lines) > 8
    lines += stale(source).to_text()
    assert all(line.isprintable() for line in lines)


@given(texts)
def test_what_is_shown_of_a_text_is_short_and_printable(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable() and len(text) <= 200:
        assert visible(text) == text


# --- JSON -----------------------------------------------------------------------------------


@given(texts)
def test_json_can_be_written_whatever_things_are_called(text: str) -> None:
    found = hostile_graph(text)
    assert json.loads(json.dumps(found.to_json())) == found.to_json()


def test_json_names_each_node_by_one_id() -> None:
    value = whole().to_json()
    ids = [one["id"] for one in value["nodes"]]
    assert len(ids) == len(set(ids))
    assert value["roots"] == ["p/model:v0"]
    assert {end for one in value["edges"] for end in (one["from"], one["to"])} <= set(ids)
    assert value["nodes"][0] == {
        "id": "p/model:v0",
        "kind": "version",
        "project": "p",
        "state": "live",
        "name": "model",
        "version": "v0",
        "store_id": None,
        "type": None,
        "digest": None,
        "size_bytes": None,
        "created_at": None,
        "created_by": None,
        "aliases": [],
        "tags": [],
        "bad": False,
        "run": None,
        "title": None,
        "job_type": None,
        "started_at": None,
        "ended_at": None,
        "author": None,
        "commit": None,
        "repository": None,
        "uncommitted_changes": False,
        "command": None,
        "level": 0,
    }


def test_nodes_of_both_kinds_have_the_same_keys() -> None:
    keys = {frozenset(one) for one in whole().to_json()["nodes"]}
    assert len(keys) == 1


def test_all_answers_can_be_written_as_json() -> None:
    source = pipeline()
    source.add("raw:v1")
    json.dumps(stale(source).to_json())
    json.dumps(why(source, version("model:v0")).to_json())

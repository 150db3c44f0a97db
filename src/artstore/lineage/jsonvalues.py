"""Graphs as JSON values. The names are promised in docs/reference/json.md and stay."""

from __future__ import annotations

from typing import Any

from artstore.lineage.graph import Graph
from artstore.lineage.records import Edge, NodeFacts, RunFacts, VersionFacts

__all__ = ["edge_value", "graph_value", "node_value", "run_value", "version_value"]


def graph_value(graph: Graph) -> dict[str, Any]:
    """`lineage` of docs/reference/json.md."""
    return {
        "direction": graph.direction,
        "depth": graph.depth,
        "roots": [str(name) for name in graph.roots],
        "nodes": [{**node_value(one), "level": graph.levels[one.name]} for one in graph.nodes],
        "edges": [edge_value(edge) for edge in graph.edges],
        "truncated": [
            {"id": str(one.name), "direction": one.direction, "reason": one.reason}
            for one in graph.truncated
        ],
    }


def node_value(facts: NodeFacts) -> dict[str, Any]:
    """A version or a run: all keys of both, so that each row has the same ones."""
    if isinstance(facts, RunFacts):
        return {**_NO_VERSION, **run_value(facts)}
    return {**_NO_RUN, **version_value(facts)}


def version_value(facts: VersionFacts) -> dict[str, Any]:
    """What is known of a version."""
    return {
        "id": str(facts.name),
        "kind": "version",
        "project": facts.name.project,
        "state": facts.state,
        "name": facts.name.name,
        "version": f"v{facts.name.version}",
        "store_id": facts.name.store or None,
        "type": facts.type,
        "digest": facts.digest,
        "size_bytes": facts.size_bytes,
        "created_at": facts.created,
        "created_by": facts.created_by,
        "aliases": list(facts.aliases),
        "tags": list(facts.tags),
        "bad": facts.is_bad,
    }


def run_value(facts: RunFacts) -> dict[str, Any]:
    """What is known of a run."""
    return {
        "id": str(facts.name),
        "kind": "run",
        "project": facts.name.project,
        "state": facts.state,
        "run": facts.name.run_id,
        "title": facts.title,
        "job_type": facts.job_type,
        "started_at": facts.started,
        "ended_at": facts.ended,
        "author": facts.author,
        "commit": facts.commit,
        "repository": facts.repository,
        "uncommitted_changes": facts.is_changed,
        "command": facts.command,
    }


def edge_value(edge: Edge) -> dict[str, Any]:
    """One edge."""
    return {
        "kind": edge.kind,
        "from": str(edge.before),
        "to": str(edge.after),
        "time": edge.time,
        "asked": edge.asked,
        "through": edge.through,
        "is_new": edge.is_new,
    }


_NO_VERSION: dict[str, Any] = {
    "name": None,
    "version": None,
    "store_id": None,
    "type": None,
    "digest": None,
    "size_bytes": None,
    "created_at": None,
    "created_by": None,
    "aliases": [],
    "tags": [],
    "bad": False,
}
_NO_RUN: dict[str, Any] = {
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
}

"""
Runs as events of OpenLineage 2-0-2, for catalogs that collect lineage from many tools.

One event a run, with what the graph knows of its inputs and outputs. Edges between versions
without a run have no place in such an event and are left out.

Source: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets named below.
"""

from __future__ import annotations

import re
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from artstore._version import __version__
from artstore.digest import digest_of
from artstore.lineage.graph import Graph
from artstore.lineage.records import (
    Edge,
    NodeName,
    RunFacts,
    RunName,
    VersionFacts,
    VersionName,
    sort_key,
)

__all__ = ["run_events"]

_SPEC: Final = "https://openlineage.io/spec"
_RUN_EVENT: Final = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS: Final = {
    "jobType": "2-0-3/JobTypeJobFacet",
    "sourceCodeLocation": "1-0-1/SourceCodeLocationJobFacet",
    "tags": "1-0-0/TagsRunFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "datasetType": "1-0-0/DatasetTypeDatasetFacet",
}
_PRODUCER: Final = f"pkg:pypi/artstore@{__version__}"
_EVENT_TYPES: Final = {
    "finished": "COMPLETE",
    "failed": "FAIL",
    "crashed": "FAIL",
    "killed": "ABORT",
    "preempted": "ABORT",
    "running": "RUNNING",
}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
_NO_TIME: Final = "1970-01-01T00:00:00Z"
# One letter before the colon is a drive of Windows.
_SCP_LIKE: Final = re.compile(r"(?:[\w.-]+@)?([\w.-]{2,}):(?!//)(.+)")


def run_events(graph: Graph, namespace: str) -> list[dict[str, Any]]:
    """The events, in the order of the graph's nodes."""
    facts = {one.name: one for one in graph.nodes}
    inputs: dict[NodeName, list[Edge]] = defaultdict(list)
    outputs: dict[NodeName, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        if edge.kind == "used":
            inputs[edge.after].append(edge)
        elif edge.kind == "logged":
            outputs[edge.before].append(edge)

    def datasets(names: Iterable[NodeName]) -> list[dict[str, Any]]:
        return [
            _dataset(one, namespace)
            for name in sorted(set(names), key=sort_key)
            if isinstance(one := facts[name], VersionFacts)
        ]

    return [
        {
            "eventType": _EVENT_TYPES.get(one.state, "OTHER"),
            "eventTime": _event_time(one, [*inputs[one.name], *outputs[one.name]]),
            "producer": _PRODUCER,
            "schemaURL": _RUN_EVENT,
            "run": {"runId": _run_id(namespace, one.name), "facets": _run_facets(one)},
            "job": {
                "namespace": namespace,
                "name": f"{one.name.project}/{one.job_type or 'run'}",
                "facets": _job_facets(one),
            },
            "inputs": datasets(edge.before for edge in inputs[one.name]),
            "outputs": datasets(edge.after for edge in outputs[one.name]),
        }
        for one in graph.nodes
        if isinstance(one, RunFacts)
    ]


def _facet(name: str, values: dict[str, Any]) -> dict[str, Any]:
    place = _FACETS[name]
    pointer = place.partition("/")[2]
    return {
        "_producer": _PRODUCER,
        "_schemaURL": f"{_SPEC}/facets/{place}.json#/$defs/{pointer}",
        **values,
    }


def _dataset(facts: VersionFacts, namespace: str) -> dict[str, Any]:
    name = facts.name
    facets = {"version": _facet("version", {"datasetVersion": f"v{name.version}"})}
    if facts.type:
        facets["datasetType"] = _facet("datasetType", {"datasetType": facts.type.upper()})
    return {
        "namespace": _namespace_of(name, namespace),
        "name": str(name.collection),
        "facets": facets,
    }


def _namespace_of(name: VersionName, namespace: str) -> str:
    return name.store or namespace


def _run_facets(facts: RunFacts) -> dict[str, Any]:
    told = {
        "run": facts.name.run_id,
        "title": facts.title,
        "state": facts.state,
        "started": facts.started,
        "author": facts.author,
        "command": facts.command,
        "commit": facts.commit,
        "uncommitted_changes": "true" if facts.is_changed else None,
    }
    tags = [
        {"key": key, "value": value, "source": "ARTSTORE"}
        for key, value in told.items()
        if value is not None
    ]
    return {"tags": _facet("tags", {"tags": tags})}


def _job_facets(facts: RunFacts) -> dict[str, Any]:
    values = {
        "processingType": "BATCH",
        "integration": "ARTSTORE",
        "jobType": facts.job_type or "RUN",
    }
    facets = {"jobType": _facet("jobType", values)}
    url = _repository_url(facts.repository or "")
    if url is not None:
        code = {"type": "git", "url": url, "repoUrl": url}
        if facts.commit:
            code["version"] = facts.commit
        facets["sourceCodeLocation"] = _facet("sourceCodeLocation", code)
    return facets


def _repository_url(text: str) -> str | None:
    """The remote of a repository as a URL without user and password; None if it is none."""
    if "://" not in text:
        match = _SCP_LIKE.fullmatch(text)
        if match is None:
            return None
        text = f"ssh://{match[1]}/{match[2].lstrip('/')}"
    try:
        parts = urllib.parse.urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "ssh", "git") or not host:
        return None
    if not re.fullmatch(r"[\w.-]+", host, re.ASCII):
        return None
    place = host if port is None else f"{host}:{port}"
    path = urllib.parse.quote(parts.path, safe="/~%-._", errors="replace")
    return f"{parts.scheme}://{place}{re.sub('%(?![0-9A-Fa-f]{2})', '%25', path)}"


def _event_time(facts: RunFacts, edges: list[Edge]) -> str:
    """When it ended; of a run that is gone, when it was last heard of."""
    times = [facts.ended] if facts.ended else [facts.started, *(edge.time for edge in edges)]
    known = [time for time in times if time is not None and _TIME.fullmatch(time)]
    return max(known, default=_NO_TIME)


def _run_id(namespace: str, name: RunName) -> str:
    """A UUID that is the same for the same run whenever it is told of."""
    text = f"{namespace}\n{name}".encode("utf-8", "surrogatepass")
    octets = bytearray(digest_of(text)[:16])
    # RFC 9562: version 8 is for ids that are made in a way of one's own.
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    digits = octets.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

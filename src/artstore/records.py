"""
The shapes of versions, artifacts and log entries in JSON, each in one place.

`art --json` and the page tell them alike and add what only they know: docs/reference/json.md,
docs/reference/web-api.md. Keys are never renamed or taken away and keep their type; new ones
may come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from artstore.api import CollectionInfo, LoggedArtifact, VersionState
    from artstore.catalog.retention import Retention
    from artstore.catalog.state import Origin, Pin
    from artstore.manifests.entry import Entry

__all__ = [
    "collection_record",
    "entry_record",
    "history_record",
    "listed_version",
    "pin_records",
    "retention_record",
    "run_details",
    "run_record",
    "version_name",
    "version_record",
]

_LOG_PLUMBING: Final = frozenset(
    ["format", "n", "prev", "kind", "must_understand", "write", "time", "by", "version", "root"]
)


def version_name(version: int | str | None) -> str | None:
    """3 -> `v3`; what is written so already stays."""
    return f"v{version}" if isinstance(version, int) else version


def version_record(artifact: LoggedArtifact) -> dict[str, Any]:
    """One version with all that it says of itself."""
    return {
        "project": artifact.project,
        "name": artifact.collection.name,
        "version": artifact.version,
        "qualified_name": artifact.qualified_name,
        "type": artifact.type,
        "digest": artifact.digest,
        "size_bytes": artifact.size,
        "file_count": artifact.file_count,
        "aliases": list(artifact.aliases),
        "tags": list(artifact.tags),
        "description": artifact.description,
        "message": artifact.message,
        "metadata": artifact.metadata,
        "created_at": artifact.created_at,
        "origin": _origin_record(artifact.origin),
    }


def _origin_record(origin: Origin | None) -> dict[str, Any] | None:
    """From where a version was brought."""
    if origin is None:
        return None
    return {
        "store": origin.store,
        "project": origin.project,
        "name": origin.name,
        "version": version_name(origin.version),
    }


def retention_record(rule: Retention) -> dict[str, Any]:
    """What of an artifact is kept."""
    return {
        "keep_last": rule.keep_last,
        "keep_within_seconds": rule.within_seconds,
        "keep_aliases": list(rule.keep_aliases),
    }


def pin_records(pins: Iterable[Pin]) -> list[dict[str, str]]:
    """Who keeps a version, and until when."""
    return [{"holder": pin.holder, "until": pin.until} for pin in pins]


def listed_version(state: VersionState, latest: int | None) -> dict[str, Any]:
    """One line of a list of versions, of which `latest` is the newest that is not deleted."""
    first = ["latest"] if state.version == latest else []
    return {
        "version": version_name(state.version),
        "digest": state.digest,
        "size_bytes": state.size_bytes,
        "file_count": state.file_count,
        "aliases": first + list(state.aliases),
        "tags": list(state.tags),
        "created_at": state.created,
        "created_by": state.by,
    }


def collection_record(info: CollectionInfo) -> dict[str, Any]:
    """One artifact of a project with its newest version."""
    return {
        "project": info.project,
        "name": info.name,
        "type": info.type,
        "latest_version": version_name(info.latest_version),
        "version_count": info.version_count,
        "size_bytes": info.size_bytes,
        "aliases": list(info.aliases),
        "updated_at": info.updated,
    }


def entry_record(entry: Entry) -> dict[str, Any]:
    """One entry of a version; `target` is where a symlink, a reference or a link leads."""
    target = entry.target or entry.url or None
    if entry.kind == "link":
        target = f"{entry.extra.get('source', '')}/{entry.extra.get('path', '')}"
    return {
        "path": entry.path,
        "kind": entry.kind,
        "size_bytes": entry.content_bytes,
        "digest": entry.digest.hex(),
        "executable": entry.executable,
        "target": target,
    }


def history_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the log of an artifact; `details`: what its kind says beside the version."""
    return {
        "number": record["n"],
        "kind": record["kind"],
        "version": version_name(record.get("version")),
        "time": record["time"],
        "by": record["by"],
        "details": {key: value for key, value in record.items() if key not in _LOG_PLUMBING},
    }


def run_record(facts: Mapping[str, Any]) -> dict[str, Any]:
    """One run as a list shows it; `facts` is what its log says, with or without the large parts."""
    from artstore.runs.columns import as_json
    from artstore.runs.names import fact_of

    told = {name: as_json(fact_of(facts, name)) for name in _RUN_FACTS}
    return {
        "project": facts["project"],
        "id": facts["run"],
        **told,
        "created_at": facts["created"],
        "updated_at": facts["updated"],
        "duration_seconds": fact_of(facts, "duration"),
        "config": as_json(facts["config"]),
        "summary": as_json(facts["summary"]),
    }


_RUN_FACTS: Final = (
    *("name", "state", "exit_code", "tags", "group", "job_type", "notes"),
    *("user", "host"),
)


def run_details(whole: Mapping[str, Any]) -> dict[str, Any]:
    """One run with all that its log says, but where its history lies."""
    from artstore.runs.columns import as_json

    return {
        **run_record(whole),
        "environment": as_json(whole["environment"]),
        "metrics": as_json(whole["metrics"]),
        "inputs": [_edge_record(edge) for edge in whole["used"]],
        "outputs": [_edge_record(edge) for edge in whole["logged"]],
        "links": [_edge_record(edge) for edge in whole["linked"]],
        "alerts": [as_json(alert) for alert in whole["alerts"]],
        "sessions": [as_json(session) for session in whole["sessions"]],
    }


def _edge_record(edge: Mapping[str, Any]) -> dict[str, Any]:
    """What was used or made; versions as everywhere: `v3`."""
    return {
        key: version_name(value) if key in ("version", "target_version") else value
        for key, value in edge.items()
    }

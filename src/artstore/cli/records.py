"""
The shapes that `--json` prints, each in one place; docs/reference/json.md describes them.

Keys are never renamed or taken away and keep their type; new ones may come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artstore.api import CollectionInfo, LoggedArtifact, VersionState
    from artstore.manifests.entry import Entry

__all__ = [
    "collection_record",
    "entry_record",
    "log_record",
    "version_name",
    "version_record",
    "versions_record",
]

_LOG_PLUMBING = frozenset(
    ["format", "n", "prev", "kind", "must_understand", "write", "time", "by", "version", "root"]
)


def version_name(version: int | str | None) -> str | None:
    """3 -> `v3`; what is written so already stays."""
    return f"v{version}" if isinstance(version, int) else version


def version_record(artifact: LoggedArtifact) -> dict[str, Any]:
    """One version with all that is known of it."""
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
    }


def versions_record(state: VersionState, latest: int | None) -> dict[str, Any]:
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
        "deleted": state.deleted is not None,
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


def log_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of an artifact's log; `details` holds what its kind says beside the version."""
    return {
        "number": record["n"],
        "kind": record["kind"],
        "version": version_name(record.get("version")),
        "time": record["time"],
        "by": record["by"],
        "details": {key: value for key, value in record.items() if key not in _LOG_PLUMBING},
    }

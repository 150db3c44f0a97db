"""
The shapes of collections and versions in JSON, each in one place; docs/reference/web-api.md.

Keys are never renamed or taken away and keep their type; new ones may come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artstore.api import CollectionInfo, LoggedArtifact, VersionState

__all__ = [
    "collection_record",
    "history_record",
    "listed_version",
    "page_record",
    "version_record",
]

_PLUMBING = frozenset(
    ["format", "n", "prev", "kind", "must_understand", "write", "time", "by", "version", "root"]
)


def collection_record(info: CollectionInfo, new_bytes: int | None) -> dict[str, Any]:
    """One artifact of a project with its newest version."""
    return {
        "project": info.project,
        "name": info.name,
        "type": info.type,
        "latest_version": None if info.latest_version is None else f"v{info.latest_version}",
        "version_count": info.version_count,
        "size_bytes": info.size_bytes,
        "new_bytes": new_bytes,
        "aliases": list(info.aliases),
        "tags": list(info.tags),
        "updated_at": info.updated or None,
    }


def listed_version(
    state: VersionState, latest: int | None, message: str | None, new_bytes: int | None
) -> dict[str, Any]:
    """One line of a list of versions, of which `latest` is the newest that is not deleted."""
    gone = state.deleted
    return {
        "version": f"v{state.version}",
        "digest": state.digest,
        "size_bytes": state.size_bytes,
        "new_bytes": new_bytes,
        "file_count": state.file_count,
        "aliases": (["latest"] if state.version == latest else []) + list(state.aliases),
        "tags": list(state.tags),
        "message": message,
        "created_at": state.created,
        "created_by": state.by,
        "deleted": None
        if gone is None
        else {"by": gone.by, "time": gone.time, "is_purged": gone.is_purged},
        "source": None if state.source is None else _source_name(state),
    }


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
        "source": artifact.source_qualified_name if artifact.is_link else None,
    }


def history_record(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the log of a collection; `details` holds what its kind says beside that."""
    number = entry.get("version")
    return {
        "number": entry["n"],
        "kind": entry["kind"],
        "version": None if number is None else f"v{number}",
        "time": entry["time"],
        "by": entry["by"],
        "details": {key: value for key, value in entry.items() if key not in _PLUMBING},
    }


def page_record(page: int, page_count: int, total: int) -> dict[str, int]:
    """Which part of a long list this is; pages count from 1."""
    return {"page": page, "page_count": page_count, "total": total}


def _source_name(state: VersionState) -> str:
    source = state.source
    assert source is not None
    return f"{source.project}/{source.name}:v{source.version}"

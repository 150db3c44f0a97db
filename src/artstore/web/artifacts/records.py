"""
The shapes of collections and versions in JSON, with what only the page tells of them.

docs/reference/web-api.md describes them; what `art --json` tells as well is in `artstore.records`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore import records
from artstore.web.artifacts.versionruns import made_by

if TYPE_CHECKING:
    from artstore.api import CollectionInfo, LoggedArtifact, VersionState

__all__ = ["collection_record", "listed_version", "page_record", "version_record"]


def collection_record(info: CollectionInfo, new_bytes: int | None) -> dict[str, Any]:
    """One artifact of a project with its newest version."""
    return {
        **records.collection_record(info),
        "new_bytes": new_bytes,
        "tags": list(info.tags),
        "updated_at": info.updated or None,
        "retention": records.retention_record(info.retention),
        "protected_aliases": list(info.protected_aliases),
    }


def listed_version(
    state: VersionState,
    latest: int | None,
    message: str | None,
    new_bytes: int | None,
    deleted: dict[str, Any] | None,
) -> dict[str, Any]:
    """
    One line of a list of versions.

    Args:
        latest: the newest that is not deleted.
        deleted: what is told of its deletion.
    """
    source = state.source
    return {
        **records.listed_version(state, latest),
        "new_bytes": new_bytes,
        "message": message,
        "deleted": deleted,
        "ttl_seconds": state.ttl_seconds,
        "pins": records.pin_records(state.pins),
        "source": None if source is None else f"{source.project}/{source.name}:v{source.version}",
        "run": made_by(state),
    }


def version_record(artifact: LoggedArtifact) -> dict[str, Any]:
    """One version with all that it says of itself."""
    source = artifact.source_qualified_name if artifact.is_link else None
    return {**records.version_record(artifact), "source": source}


def page_record(page: int, page_count: int, total: int) -> dict[str, int]:
    """Which part of a long list this is; pages count from 1."""
    return {"page": page, "page_count": page_count, "total": total}

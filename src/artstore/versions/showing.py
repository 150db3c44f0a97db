"""
An artifact as a notebook shows it, and as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any, Final

from artstore.versions.entries import ArtifactEntry

if TYPE_CHECKING:
    from artstore.artifact import Artifact

__all__ = ["SHOWN_ENTRIES", "artifact_html", "artifact_json"]

SHOWN_ENTRIES: Final = 20
_TEXT_MAX_CHARS: Final = 200
_UNIT_BYTES: Final = 1000


def artifact_html(
    facts: Sequence[tuple[str, str]], entries: Sequence[ArtifactEntry], entry_count: int
) -> str:
    """
    A table of facts and one of files, for a notebook. Everything is escaped.

    Args:
        entries: the first of them, at most `SHOWN_ENTRIES`.
        entry_count: how many there are in all.
    """
    rows = [f"<tr><th>{_shown(name)}</th><td>{_shown(text)}</td></tr>" for name, text in facts]
    parts = [f"<table>{''.join(rows)}</table>"]
    if entries:
        files = [
            f"<tr><td>{_shown(entry.path)}</td><td>{_shown(entry.kind)}</td>"
            f"<td>{_size(entry.size)}</td></tr>"
            for entry in entries
        ]
        head = "<tr><th>path</th><th>kind</th><th>size</th></tr>"
        parts.append(f"<table>{head}{''.join(files)}</table>")
    if entry_count > len(entries):
        parts.append(f"<p>{len(entries)} of {entry_count} entries</p>")
    return f'<div class="artstore-artifact">{"".join(parts)}</div>'


def artifact_facts(artifact: Artifact, *, is_logged: bool) -> list[tuple[str, str]]:
    """What is told of an artifact, without anything that has to be read for it."""
    facts = [("name", artifact.qualified_name if is_logged else artifact.name)]
    facts.append(("type", artifact.type or ""))
    facts.append(("state", artifact.state))
    if is_logged:
        facts.append(("digest", artifact.digest))
        facts.append(("created", artifact.created_at))
    facts.append(("content", f"{artifact.file_count} files, {_size(artifact.size)}"))
    facts.append(("aliases", ", ".join(artifact.aliases)))
    facts.append(("tags", ", ".join(artifact.tags)))
    return [(name, text) for name, text in facts if text]


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """All that a version tells of itself, as JSON values."""
    ttl = artifact.ttl
    return {
        "id": artifact.id,
        "project": artifact.project,
        "collection": artifact.collection.name,
        "name": artifact.name,
        "version": artifact.version,
        "qualified_name": artifact.qualified_name,
        "type": artifact.type,
        "state": artifact.state,
        "digest": artifact.digest,
        "size_bytes": artifact.size,
        "file_count": artifact.file_count,
        "aliases": list(artifact.aliases),
        "tags": list(artifact.tags),
        "description": artifact.description,
        "message": artifact.message,
        "metadata": artifact.metadata,
        "ttl_seconds": int(ttl.total_seconds()) if isinstance(ttl, timedelta) else None,
        "created_at": artifact.created_at,
        "source": artifact.source_qualified_name if artifact.is_link else None,
    }


def _shown(text: str) -> str:
    if len(text) > _TEXT_MAX_CHARS:
        text = f"{text[:_TEXT_MAX_CHARS]}…"
    return escape(
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )


def _size(size_bytes: int) -> str:
    size, units = float(size_bytes), ["B", "kB", "MB", "GB", "TB"]
    while size >= _UNIT_BYTES and len(units) > 1:
        size /= _UNIT_BYTES
        units.pop(0)
    return f"{size_bytes} B" if units[0] == "B" else f"{size:.1f} {units[0]}"

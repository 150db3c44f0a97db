"""
What the log of a run says of versions that it used and made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore import clock

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.logged import LoggedArtifact

__all__ = [
    "linked_record",
    "logged_changes",
    "logged_record",
    "number_of",
    "used_record",
]


def number_of(version: Artifact) -> int:
    """3 of `v3`."""
    return int(version.version[1:])


def used_record(
    version: LoggedArtifact, through: str, *, asked: str | None = None, use_as: str | None = None
) -> dict[str, Any]:
    """
    What the log of a run says of a version that it used.

    Args:
        asked: the name by which it was asked for: an alias in it is kept.
    """
    return {
        **_version_record(version),
        "alias": _alias_in(asked),
        "as": use_as,
        "through": through,
        "time": clock.format_time(clock.now_seconds()),
    }


def logged_record(version: LoggedArtifact) -> dict[str, Any]:
    """What the log of a run says of a version that it made."""
    return {
        **_version_record(version),
        "type": version.type,
        "is_new": version.push.is_new,
        "time": clock.format_time(clock.now_seconds()),
    }


def linked_record(version: Artifact, linked: LoggedArtifact) -> dict[str, Any]:
    """What the log of a run says of a version that it linked, and of the version that this made."""
    return {
        **_version_record(version),
        "target": linked.collection.qualified_name,
        "target_version": number_of(linked),
    }


def logged_changes(version: LoggedArtifact) -> dict[str, Any]:
    """Changes to a run that made a version, and so used those that the version names."""
    inputs = _named_records(version)
    return {"logged": [logged_record(version)], **({"used": inputs} if inputs else {})}


def _version_record(version: Artifact) -> dict[str, Any]:
    return {"artifact": version.collection.qualified_name, "version": number_of(version)}


def _named_records(version: LoggedArtifact) -> list[dict[str, Any]]:
    """As `used_record`, of the versions that a version names: by links, in tables."""
    return [
        {
            "artifact": f"{source.project}/{source.name}",
            "version": source.version,
            "alias": None,
            "as": None,
            "through": "link",
            "time": clock.format_time(clock.now_seconds()),
        }
        for source in version.inputs
    ]


def _alias_in(name: str | None) -> str | None:
    """`best` of `digits:best`, `latest` of `digits`; None where a version was asked for."""
    if name is None:
        return None
    last = name.rpartition("/")[2]
    if "@" in last:
        return None
    alias = last.partition(":")[2] or "latest"
    return None if alias[0] == "v" and alias[1:].isdecimal() else alias

"""
What the log of a run says of versions that it used and made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore import clock

if TYPE_CHECKING:
    from artstore.logged import LoggedArtifact

__all__ = ["logged_record", "named_records", "used_record"]


def used_record(
    version: LoggedArtifact, through: str, *, asked: str | None = None, use_as: str | None = None
) -> dict[str, Any]:
    """
    What the log of a run says of a version that it used.

    Args:
        asked: the name by which it was asked for: an alias in it is kept.
    """
    return {
        "artifact": version.collection.qualified_name,
        "version": int(version.version[1:]),
        "alias": _alias_in(asked),
        "as": use_as,
        "through": through,
        "time": clock.format_time(clock.now_seconds()),
    }


def logged_record(version: LoggedArtifact) -> dict[str, Any]:
    """What the log of a run says of a version that it made."""
    return {
        "artifact": version.collection.qualified_name,
        "version": int(version.version[1:]),
        "type": version.type,
        "is_new": version.push.is_new,
        "time": clock.format_time(clock.now_seconds()),
    }


def named_records(version: LoggedArtifact) -> list[dict[str, Any]]:
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

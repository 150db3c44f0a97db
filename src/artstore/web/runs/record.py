"""
What the page of a run tells, as JSON: docs/reference/web-api.md describes it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from artstore.catalog.runs.state import seconds_of
from artstore.errors import ArtstoreError
from artstore.web.listing import together
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.api import VersionState
    from artstore.web.routing import Visit
    from artstore.web.runs.visit import ShownRun

__all__ = ["LEVELS", "alert_records", "flat_members", "run_record", "version_links"]

LEVELS: Final = ("ERROR", "WARN", "INFO")
_VERSIONS_MAX: Final = 500
_TEXT_CHARS: Final = 2_000
_FLAT_MAX: Final = 100_000
_LEVELS_MAX: Final = 24
_NAME: Final = re.compile(r"([^/:@]+)/([^/:@]+)")


def run_record(shown: ShownRun) -> dict[str, Any]:
    """Name, state, times, who and where: what stands on every part of the page."""
    whole = shown.whole
    sessions = whole["sessions"]
    primary = [one for one in sessions if one.get("is_primary")] or sessions
    first, last = (primary[0], primary[-1]) if primary else ({}, {})
    state = shown.state
    ended = _text(last.get("ended")) if not shown.is_live else None
    alerts = Counter(record["level"] for record in alert_records(whole["alerts"]))
    return {
        "project": shown.project,
        "run": shown.id,
        "name": whole["name"],
        "state": state,
        "is_live": shown.is_live,
        "revision": shown.revision,
        "created_at": whole["created"],
        "updated_at": whole["updated"],
        "ended_at": ended,
        "duration_seconds": _duration(whole, ended),
        "exit_code": last.get("exit_code") if type(last.get("exit_code")) is int else None,
        "user": _text(first.get("user") or whole["environment"].get("user")),
        "host": _text(first.get("host") or whole["environment"].get("host")),
        "session_count": len(sessions),
        "group": whole["group"],
        "job_type": whole["job_type"],
        "tags": [str(tag) for tag in whole["tags"]],
        "notes": whole["notes"],
        "is_deleted": bool(whole["deleted"]),
        "is_swept": bool(whole["swept"]),
        "alert_counts": {level: alerts[level] for level in LEVELS},
    }


def alert_records(alerts: Sequence[Any]) -> list[dict[str, Any]]:
    """Alerts, the worst first, of one level in the order in which they came."""
    told = [
        {
            "level": one["level"] if one.get("level") in LEVELS else "INFO",
            "title": visible(str(one.get("title") or ""), _TEXT_CHARS, lines=False),
            "text": visible(str(one.get("text") or ""), _TEXT_CHARS),
            "time": _text(one.get("time")),
        }
        for one in alerts
        if isinstance(one, dict)
    ]
    return sorted(told, key=lambda one: LEVELS.index(str(one["level"])))


def version_links(visit: Visit, found: Sequence[Any]) -> list[dict[str, Any]]:
    """
    The versions that a run used or made, with what they are called today.

    Args:
        found: `used`, `logged` or `linked` of the run, whoever wrote it.
    Cost: one scan for each collection.
    """
    records = [one for one in found if isinstance(one, dict)][-_VERSIONS_MAX:]
    names = sorted({str(one["artifact"]) for one in records if _is_name(one.get("artifact"))})
    states = dict(zip(names, together(lambda name: _states(visit, name), names), strict=True))
    return [_version_link(visit, one, states) for one in records]


def flat_members(value: Any, name: str = "", level: int = 0) -> Iterator[tuple[str, str]]:
    """`(a.b.0, text)` of every value within others, 100,000 at most."""
    yield from islice(_flat(value, name, level), _FLAT_MAX)


def _flat(value: Any, name: str, level: int) -> Iterator[tuple[str, str]]:
    if level < _LEVELS_MAX and isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in items:
            yield from _flat(member, f"{name}.{key}" if name else str(key), level + 1)
    else:
        yield name, str(value)


def _version_link(
    visit: Visit, record: Mapping[str, Any], states: Mapping[str, Any]
) -> dict[str, Any]:
    name, version = record.get("artifact"), record.get("version")
    told: dict[str, Any] = {
        "artifact": visible(str(name), _TEXT_CHARS, lines=False),
        "version": f"v{version}" if type(version) is int else None,
        "type": _text(record.get("type")),
        "use_as": _text(record.get("as")),
        "asked_alias": _text(record.get("alias")),
        "through": _text(record.get("through")),
        "target": _text(record.get("target")),
        "time": _text(record.get("time")),
        "aliases": [],
        "is_there": False,
        "address": None,
    }
    known = states.get(str(name), {})
    state: VersionState | None = known.get(version)
    if state is not None and state.is_live:
        newest = max(number for number, one in known.items() if one.is_live)
        project, _, collection = str(name).partition("/")
        parts = {"project": project, "collection": collection, "version": f"v{version}"}
        told |= {
            "aliases": [*state.aliases, *(["latest"] if version == newest else [])],
            "is_there": True,
            "address": visit.link("version", **parts),
        }
    return told


def _states(visit: Visit, name: str) -> dict[int, VersionState]:
    try:
        return {state.version: state for state in visit.site.store.versions(name)}
    except ArtstoreError:
        # A collection that is gone, or was never there: its versions have no pages.
        return {}


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _duration(whole: Mapping[str, Any], ended: str | None) -> int | None:
    start, stop = seconds_of(whole["created"]), seconds_of(ended or whole["updated"])
    return int(stop - start) if start and stop >= start else None


def _text(value: Any) -> str | None:
    return visible(value, _TEXT_CHARS, lines=False) if isinstance(value, str) else None

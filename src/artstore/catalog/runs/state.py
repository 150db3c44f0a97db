"""
From the entries of a run's log to what the run is: `fold`, pure, no I/O.

A state is a plain JSON object, since it travels: the last entry of a run that has
ended holds it whole, and the replica keeps it as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from artstore.catalog.format import LogEntry

__all__ = [
    "CRASH_GRACE_SECONDS",
    "applied",
    "apply_entry",
    "current_state",
    "empty_whole",
    "is_open",
    "seconds_of",
]

CRASH_GRACE_SECONDS: Final = 120.0
"""A session that is so much later with its next entry than it said is taken for dead."""

_TEXTS: Final = ("name", "notes", "group", "job_type")
_LISTS: Final = ("used", "logged", "linked", "alerts")
_BESIDE: Final = frozenset(["alias", "is_new", "through", "time"])
"""What does not tell two uses, or two outputs, apart."""

Whole = dict[str, Any]


def empty_whole(project: str, run_id: str) -> Whole:
    """A run of which nothing was said yet."""
    return {
        "run": run_id,
        "project": project,
        "created": None,
        "updated": None,
        "deleted": False,
        "name": None,
        "notes": None,
        "group": None,
        "job_type": None,
        "tags": [],
        "config": {},
        "summary": {},
        "metrics": {},
        "used": [],
        "logged": [],
        "linked": [],
        "alerts": [],
        "environment": {},
        "segments": {},
        "swept": [],
        "sessions": [],
        "origin": {},
        "brought": {},
    }


def apply_entry(whole: Whole, entry: LogEntry) -> Whole:
    """The state after `entry`; `whole` stays as it is."""
    fields = entry.fields
    stated = fields.get("whole")
    if stated is not None:
        return _without_swept(_normal(stated, whole["project"], whole["run"]))
    after = applied(whole, fields.get("changes") or {})
    after["created"] = after["created"] or fields.get("started") or entry.time
    after["updated"] = entry.time
    if entry.kind in ("start", "update", "end"):
        after["sessions"] = _sessions(after["sessions"], entry)
    elif entry.kind == "sync":
        after["origin"], after["brought"] = dict(fields["origin"]), dict(fields["brought"])
    elif entry.kind in ("delete", "restore"):
        after["deleted"] = entry.kind == "delete"
    elif entry.kind == "sweep" and after["deleted"]:
        after["swept"] = sorted({*after["swept"], *fields["sessions"]})
    return _without_swept(after)


def _without_swept(whole: Whole) -> Whole:
    """What a session wrote is gone once it was swept, whatever a late entry names."""
    gone = set(whole["swept"])
    if not gone or not any(map(gone.intersection, map(_object, whole["segments"].values()))):
        return whole
    kept = {
        kind: {session: one for session, one in _object(by_session).items() if session not in gone}
        for kind, by_session in whole["segments"].items()
    }
    return {**whole, "segments": kept}


def applied(whole: Whole, changes: Mapping[str, Any]) -> Whole:
    """`changes` made to a state: a new one, which shares what did not change."""
    after = dict(whole)
    for name in _TEXTS:
        if name in changes:
            after[name] = _text_or_none(changes[name])
    if "tags" in changes:
        after["tags"] = sorted({str(tag) for tag in _list(changes["tags"])})
    for name in ("config", "summary"):
        gone = {str(key) for key in _list(changes.get(f"{name}_removed"))}
        news = _object(changes.get(name))
        if news or gone:
            kept = {key: value for key, value in after[name].items() if key not in gone}
            after[name] = {**kept, **news}
    for name in ("metrics", "environment"):
        if changes.get(name):
            after[name] = {**after[name], **_object(changes[name])}
    for name in _LISTS:
        added = [value for value in _list(changes.get(name)) if type(value) is dict]
        if added:
            after[name] = _joined(after[name], added)
    if changes.get("segments"):
        after["segments"] = _segments(after["segments"], _object(changes["segments"]))
    return after


def is_open(whole: Mapping[str, Any]) -> bool:
    """Whether a session of it has not ended, as far as the log says."""
    return any(session.get("ended") is None for session in whole["sessions"])


def current_state(whole: Mapping[str, Any], now_seconds: float) -> str:
    """
    `running`, one of ENDED_STATES, or `deleted`.

    That of the last primary session; one that should have been heard of long ago has crashed.
    """
    if whole["deleted"]:
        return "deleted"
    sessions = [one for one in whole["sessions"] if one.get("is_primary")] or whole["sessions"]
    if not sessions:
        return "crashed"
    last = sessions[-1]
    if last.get("ended") is not None:
        return str(last.get("state") or "finished")
    late = now_seconds - seconds_of(last.get("next_by"))
    return "crashed" if late > CRASH_GRACE_SECONDS else "running"


def seconds_of(text: str | None) -> float:
    """Seconds since the epoch of `2026-01-31T12:00:00Z`; 0 for what is no time."""
    if type(text) is not str or len(text) != len("2026-01-31T12:00:00Z") or text[-1] != "Z":
        return 0.0
    try:
        # A tenth of what `time.strptime` costs: a list of runs asks for every marker and run.
        return dt.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _normal(stated: Mapping[str, Any], project: str, run_id: str) -> Whole:
    """What a writer states as the whole: members of another type than ours count as absent."""
    after = empty_whole(project, run_id)
    for name, usual in after.items():
        value = stated.get(name)
        if name in ("run", "project") or value is None:
            continue
        if usual is None or type(usual) is type(value):
            after[name] = str(value) if usual is None else value
    after["sessions"] = [one for one in after["sessions"] if _is_session(one)]
    for name in _LISTS:
        after[name] = [value for value in after[name] if type(value) is dict]
    after["swept"] = [session for session in after["swept"] if type(session) is str]
    if not all(type(after["origin"].get(name)) is str for name in ("store", "project", "run")):
        after["origin"] = {}
    after["brought"] = {store: n for store, n in after["brought"].items() if type(n) is int}
    return after


def _is_session(value: Any) -> bool:
    return type(value) is dict and type(value.get("id")) is str


def _sessions(before: list[Any], entry: LogEntry) -> list[Any]:
    fields = entry.fields
    found = {"id": fields["session"], "ended": None, "state": None, "exit_code": None}
    known = [session.get("id") for session in before]
    at = known.index(fields["session"]) if fields["session"] in known else len(before)
    if at < len(before):
        found = {**before[at]}
    if entry.kind != "update":
        found |= {"is_primary": fields["is_primary"], "started": fields["started"]}
    if entry.kind == "end":
        found |= {name: fields[name] for name in ("ended", "state", "exit_code")}
    elif found["ended"] is None or entry.kind == "start":
        found |= {"next_by": fields["next_by"], "ended": None}
    for name in ("host", "user", "rank"):
        if name in fields:
            found[name] = fields[name]
    # In the order in which they began, those of one second in the order in which they were first
    # heard of: the last one is the run's present.
    after = [*before[:at], found, *before[at + 1 :]]
    return sorted(after, key=lambda one: str(one.get("started")))


def _segments(before: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    after = dict(before)
    for kind, by_session in news.items():
        after[kind] = {**_object(after.get(kind)), **_object(by_session)}
    return after


def _joined(before: list[Any], news: list[Any]) -> list[Any]:
    known = {_identity(value) for value in before}
    after = list(before)
    for value in news:
        identity = _identity(value)
        if identity not in known:
            known.add(identity)
            after.append(value)
    return after


def _identity(value: Mapping[str, Any]) -> str:
    if "artifact" not in value:
        return repr(sorted(value.items(), key=lambda item: item[0]))
    told = [item for item in value.items() if item[0] not in _BESIDE]
    return repr(sorted(told, key=lambda item: item[0]))


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _object(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}

"""
The state of a run by the names of another store: versions, keys and id as they are there. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from artstore import clock
from artstore.catalog.format import LogEntry
from artstore.catalog.runs.state import CRASH_GRACE_SECONDS, Whole, apply_entry, seconds_of
from artstore.syncing.syncplace import VersionKey, parse_version_key

__all__ = ["RunNames", "is_same_run", "mapped_run", "run_versions", "with_edits"]

_LISTS: Final = ("used", "logged", "linked")
_EDITS: Final = frozenset(["edit", "delete", "restore", "sweep"])
_BOOKKEEPING: Final = ("brought", "updated", "created", "sessions")
_IN_SESSION: Final = ("next_by",)
_WAIT_SECONDS: Final = 24 * 3600.0


class RunNames:
    """
    How what a run names is called in the target.

    Args:
        find: where a version of the source lies there.
        source_id, target_id: of the two stores.
        prefixes: what the keys of the run begin with, in the source and in the target.
    """

    def __init__(
        self,
        find: Callable[[VersionKey], VersionKey | None],
        source_id: str,
        target_id: str,
        prefixes: tuple[str, str],
    ) -> None:
        self.find = find
        self.source_id = source_id
        self.target_id = target_id
        self.prefixes = prefixes

    def record(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """A use, an output or a link; with `store` where the version is not in the target."""
        record = dict(stated)
        if "store" in record:
            if record["store"] == self.target_id:
                del record["store"]
            return record
        key = _key(record.get("artifact"), record.get("version"))
        found = None if key is None else self.find(key)
        if found is None:
            return {**record, "store": self.source_id}
        record |= {"artifact": f"{found.project}/{found.name}", "version": found.version}
        if "target" in record:
            linked = _key(record["target"], record.get("target_version"))
            place = None if linked is None else self.find(linked)
            if place is None:
                return {**stated, "store": self.source_id}
            record |= {
                "target": f"{place.project}/{place.name}",
                "target_version": place.version,
            }
        return record

    def segment(self, stated: Any) -> Any:
        """A segment under its key in the target; what lies elsewhere stays as it is."""
        before, after = self.prefixes
        if type(stated) is not dict or not str(stated.get("key")).startswith(before):
            return stated
        return {**stated, "key": after + str(stated["key"])[len(before) :]}


def run_versions(whole: Mapping[str, Any]) -> Iterator[VersionKey]:
    """The versions that a run used, logged and linked, as far as they are of its own store."""
    for name in _LISTS:
        for record in whole[name]:
            if "store" in record:
                continue
            for artifact, number in (("artifact", "version"), ("target", "target_version")):
                key = _key(record.get(artifact), record.get(number))
                if key is not None:
                    yield key


def mapped_run(whole: Mapping[str, Any], names: RunNames, *, now_seconds: float) -> Whole:
    """What a run is in the target; its id, origin and bookkeeping are for the caller to set."""
    after = dict(whole)
    for name in _LISTS:
        after[name] = [names.record(record) for record in whole[name]]
    after["segments"] = {
        kind: {
            session: [names.segment(one) for one in segments]
            for session, segments in _object(by_session).items()
            if type(segments) is list
        }
        for kind, by_session in whole["segments"].items()
    }
    after["sessions"] = [
        session if session.get("ended") is not None else _waiting(session, now_seconds)
        for session in whole["sessions"]
    ]
    return after


def _waiting(session: Mapping[str, Any], now_seconds: float) -> Mapping[str, Any]:
    """A session that goes on: nobody is to hear of it in the target before it is brought again."""
    if now_seconds - seconds_of(session.get("next_by")) > CRASH_GRACE_SECONDS:
        # In its own store it is taken for dead, too.
        return session
    return {**session, "next_by": clock.format_time(now_seconds + _WAIT_SECONDS)}


def with_edits(whole: Whole, added: Iterable[LogEntry]) -> Whole:
    """The state with what was edited in the target on top again."""
    for entry in added:
        if entry.kind in _EDITS:
            fields = {name: value for name, value in entry.fields.items() if name != "whole"}
            whole = apply_entry(whole, replace(entry, fields=fields))
    return whole


def is_same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two states say the same, but for when and from where they were brought."""
    names = (one.keys() | other.keys()) - set(_BOOKKEEPING)
    if any(one.get(name) != other.get(name) for name in names):
        return False
    return [*map(_told, one["sessions"])] == [*map(_told, other["sessions"])]


def _told(session: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in session.items() if name not in _IN_SESSION}


def _key(artifact: Any, version: Any) -> VersionKey | None:
    if type(artifact) is not str or type(version) is not int:
        return None
    return parse_version_key(f"{artifact}:v{version}")


def _object(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict else {}

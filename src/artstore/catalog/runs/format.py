"""
What stands in the log of a run: keys and kinds, pure, no I/O. docs/format/run.md states the rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from artstore import names
from artstore.catalog.format import Kinds, Rule
from artstore.errors import InvalidInputError

__all__ = [
    "ENDED_STATES",
    "RUN_ID_MAX_CHARS",
    "RUN_KINDS",
    "RUN_OBJECTS",
    "SegmentName",
    "check_run_id",
    "files_collection",
    "object_key",
    "parse_segment_name",
    "project_prefix",
    "run_prefix",
]

ENDED_STATES: Final = frozenset(["finished", "failed", "crashed", "killed", "preempted"])
RUN_OBJECTS: Final = ("history", "system", "console", "media")
"""What lies beside a run's log: directories below its prefix."""

RUN_ID_MAX_CHARS: Final = 64
_RUN_ID = re.compile(r"[A-Za-z0-9_\-](?:[A-Za-z0-9_\-.]*[A-Za-z0-9_\-])?")
_SESSION = re.compile(r"[0-9a-f]{16}")
_SEGMENT = re.compile(r"(history|system|console)/([0-9a-f]{16})-([0-9]{6,12})\.(parquet|txt)")
_STORE = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_EXIT_CODE_LIMIT: Final = 2**31
_ENTRY_LIMIT: Final = 10**12


def check_run_id(text: str) -> str:
    """
    `text`, if a run may be called so: 1 to 64 of A-Z a-z 0-9 _ - and, inside, dots.

    Raises:
        InvalidInputError: `name-invalid`.
    """
    if len(text) > RUN_ID_MAX_CHARS or _RUN_ID.fullmatch(text) is None:
        raise InvalidInputError(
            f"{text!r} cannot be the id of a run",
            code="name-invalid",
            hint=f"up to {RUN_ID_MAX_CHARS} letters, digits, _ and -, with dots inside",
        )
    return text


def project_prefix(project: str) -> str:
    """`runs/<project>/`, escaped."""
    return f"runs/{names.escape_for_key(project)}/"


def run_prefix(project: str, run_id: str) -> str:
    """`runs/<project>/<run id>/`, both escaped."""
    return f"{project_prefix(project)}{names.escape_for_key(run_id)}/"


def object_key(project: str, run_id: str, kind: str, name: str) -> str:
    """The key of something that lies beside a run's log: a segment, a picture."""
    assert kind in RUN_OBJECTS
    return f"{run_prefix(project, run_id)}{kind}/{name}"


@dataclass(frozen=True, slots=True)
class SegmentName:
    """Part `number` of what a session wrote of one kind: `history`, `system` or `console`."""

    kind: str
    session: str
    number: int


def parse_segment_name(name: str) -> SegmentName | None:
    """
    What a key says behind the prefix of its run; None if it is none of a segment.

    Args:
        name: `history/<session>-000001.parquet`.
    """
    match = _SEGMENT.fullmatch(name)
    if match is None or (match[4] == "txt") != (match[1] == "console"):
        return None
    return SegmentName(match[1], match[2], int(match[3]))


def files_collection(run_id: str) -> str:
    """The collection of the files that a run saved."""
    return f"run-{run_id}-files"


# --- Field rules ----------------------------------------------------------------


def _matches(pattern: re.Pattern[str]) -> Rule:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _is_run_id(value: Any) -> bool:
    return (
        type(value) is str
        and len(value) <= RUN_ID_MAX_CHARS
        and _RUN_ID.fullmatch(value) is not None
    )


def _is_project(value: Any) -> bool:
    try:
        names.check_project_name(value)
    except (InvalidInputError, TypeError):
        return False
    return type(value) is str


def _is_bool(value: Any) -> bool:
    return type(value) is bool


def _is_exit_code(value: Any) -> bool:
    return value is None or (type(value) is int and abs(value) < _EXIT_CODE_LIMIT)


def _is_object(value: Any) -> bool:
    return type(value) is dict


def _is_whole(value: Any) -> bool:
    # Absent where it would not fit: then readers fold the entries.
    return value is None or (type(value) is dict and _is_run_id(value.get("run")))


def _is_origin(value: Any) -> bool:
    return (
        type(value) is dict
        and _is_store(value.get("store"))
        and _is_project(value.get("project"))
        and _is_run_id(value.get("run"))
    )


def _is_brought(value: Any) -> bool:
    return type(value) is dict and all(
        _is_store(store) and type(n) is int and 0 <= n < _ENTRY_LIMIT for store, n in value.items()
    )


def _are_sessions(value: Any) -> bool:
    return type(value) is list and all(map(_is_session, value))


_is_store = _matches(_STORE)
_is_session = _matches(_SESSION)
_is_time = _matches(_TIME)
_NAMED: Final = (("run", _is_run_id), ("project", _is_project))
_SESSION_FIELDS: Final = (("session", _is_session), ("changes", _is_object))

RUN_KINDS: Final[Kinds] = {
    "start": (
        *_NAMED,
        *_SESSION_FIELDS,
        ("is_primary", _is_bool),
        ("started", _is_time),
        ("next_by", _is_time),
    ),
    "update": (*_SESSION_FIELDS, ("next_by", _is_time)),
    "end": (
        *_NAMED,
        *_SESSION_FIELDS,
        ("is_primary", _is_bool),
        ("started", _is_time),
        ("ended", _is_time),
        ("state", lambda value: type(value) is str and value in ENDED_STATES),
        ("exit_code", _is_exit_code),
        ("whole", _is_whole),
    ),
    "edit": (*_NAMED, ("changes", _is_object), ("whole", _is_whole)),
    "sync": (
        *_NAMED,
        ("origin", _is_origin),
        ("brought", _is_brought),
        ("changes", lambda value: value is None or _is_object(value)),
        ("whole", _is_whole),
    ),
    "delete": (*_NAMED, ("whole", _is_whole)),
    "restore": (*_NAMED, ("whole", _is_whole)),
    "sweep": (*_NAMED, ("sessions", _are_sessions), ("whole", _is_whole)),
}
"""The kinds of `runs/<project>/<run id>/` in format 1."""

Whole = Mapping[str, Any]
"""All that a run's log says, folded; docs/format/run.md names its members."""

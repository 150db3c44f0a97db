"""
A process below `art run exec`: which run it belongs to, and how it tells what it did.

The command that began the run names its session in the environment. Who begins no run of its
own leaves what it used and made in the inbox of that session; who calls `init` joins the run
as a session more, whose end is not the run's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.errors import ArtstoreError
from artstore.tracking.journal import is_alive
from artstore.tracking.sessions import SessionMeta, drop_into_inbox
from artstore.versions.runrecords import logged_changes, used_record

if TYPE_CHECKING:
    from artstore.logged import LoggedArtifact

__all__ = [
    "SESSION_VARIABLE",
    "Joined",
    "joined_session",
    "made_by",
    "next_joined_step",
    "note_logged",
    "note_next_step",
    "note_used",
    "write_facts",
]

SESSION_VARIABLE: Final = "ARTSTORE_EXEC"
_FACTS: Final = "facts.json"
_STEP: Final = "step-"
"""Begins the name of a file that tells where the steps of a session have ended."""


class Joined(NamedTuple):
    """The session of the command above this process, and what is said of its run."""

    directory: Path
    meta: SessionMeta
    facts: Mapping[str, Any]

    @property
    def path(self) -> str:
        """`project/run id`."""
        return f"{self.meta.project}/{self.meta.run_id}"


def joined_session() -> Joined | None:
    """The session that the environment names, if its process lives; None without one."""
    named = os.environ.get(SESSION_VARIABLE)
    if not named:
        return None
    directory = Path(named)
    try:
        meta = SessionMeta.read(directory)
        facts = json.loads((directory / _FACTS).read_bytes())
    except (ArtstoreError, OSError, ValueError):
        return None
    if meta.pid == os.getpid() or not is_alive(directory):
        return None
    return Joined(directory, meta, facts)


def write_facts(directory: Path, facts: Mapping[str, Any]) -> None:
    """Leave for joining processes what is said of the run."""
    (directory / _FACTS).write_text(json.dumps(dict(facts)), encoding="utf-8")


def next_joined_step(directory: Path) -> int:
    """
    The first step of a session that joins now: behind those of all that have ended.

    Sessions that go on beside each other begin at the same step.
    """
    found = [0]
    for file in directory.glob(f"{_STEP}*"):
        with suppress(OSError, ValueError):
            found.append(int(file.read_text(encoding="ascii")))
    return max(found)


def note_next_step(directory: Path, session: str, step: int) -> None:
    """Tell sessions that join later where this one has ended; the run itself may be over."""
    with suppress(OSError):
        (directory / f"{_STEP}{session}").write_text(str(step), encoding="ascii")


def made_by(url: str) -> str | None:
    """`project/run id` of the run above this process, if it is in the store at `url`."""
    found = joined_session()
    return found.path if found is not None and _is_in(found, url) else None


def note_used(
    version: LoggedArtifact, url: str, through: str, *, asked: str | None = None
) -> str | None:
    """
    Tell the run above this process, if there is one, that a version was used.

    Args:
        url: of the store that has the version; of another store nothing is noted.
    Returns:
        `project/run id` of that run.
    """
    return _drop(url, {"used": [used_record(version, through, asked=asked)]})


def note_logged(version: LoggedArtifact, url: str) -> str | None:
    """Likewise, that a version was made."""
    return _drop(url, logged_changes(version))


def _drop(url: str, changes: Mapping[str, Any]) -> str | None:
    found = joined_session()
    if found is None or not _is_in(found, url):
        return None
    try:
        drop_into_inbox(found.directory, changes)
    except OSError:
        # The run has just ended, or its disk is full: what was asked for is done all the same.
        return None
    return found.path


def _is_in(found: Joined, url: str) -> bool:
    from artstore.storeconnection import connection_of

    return connection_of(found.meta.settings()).url == url

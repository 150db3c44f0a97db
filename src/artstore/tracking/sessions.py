"""
One session of a run on this machine: its directory, and what it is about.

    journal.log  lock     the journal (`journal.py`)
    meta.json             which run of which store
    files/                `run.dir`, the program's own
    media/                pictures and the like of steps, until the store has them
    inbox/                what other processes of this run used and logged
    facts.json  step-*    of a command: what is said of its run, and where steps of sessions ended
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from artstore import canonical, clock
from artstore.errors import DamagedDataError
from artstore.settings import Settings, resolve
from artstore.storage.durable import translate
from artstore.tracking.journal import JOURNALS

__all__ = [
    "FILES",
    "FORMAT",
    "INBOX",
    "MEDIA",
    "META",
    "SessionMeta",
    "drop_into_inbox",
    "new_session_id",
]

FORMAT: Final = 1
META: Final = "meta.json"
FILES: Final = "files"
MEDIA: Final = "media"
INBOX: Final = "inbox"


def new_session_id() -> str:
    """16 hex digits that no other session has."""
    return clock.random_bytes(8).hex()


@dataclass(frozen=True, slots=True)
class SessionMeta:
    """
    What a journal is about: enough to bring it to its store from another process.

    Attributes:
        started: seconds since the epoch.
        earlier: the state that the run had when the session began; empty for a new run.
    """

    url: str
    project: str
    run_id: str
    session: str
    is_primary: bool
    started: float
    host: str
    user: str
    pid: int
    rank: int = 0
    earlier: Mapping[str, Any] = field(default_factory=dict)

    def directory(self, state_dir: Path) -> Path:
        """Where it lies below a state directory."""
        return state_dir / JOURNALS / f"{self.run_id}-{self.session}"

    def write(self, directory: Path) -> None:
        """
        Make the directory with what it is about.

        Raises:
            StorageError: `storage-denied`, `-full`, `-failed`.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = directory / f"{META}.new"
            beside.write_text(json.dumps({"format": FORMAT, **asdict(self)}), encoding="utf-8")
            os.replace(beside, directory / META)
        except OSError as error:
            raise translate(error, "make the journal of a run", str(directory)) from error

    @staticmethod
    def read(directory: Path) -> SessionMeta:
        """
        What stands in a directory.

        Raises:
            DamagedDataError: `journal-damaged`.
        """
        try:
            value = json.loads((directory / META).read_bytes())
            if value.pop("format") != FORMAT:
                raise ValueError("of another format")
            return SessionMeta(**value)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedDataError(
                f"{directory / META} does not tell which run its journal belongs to: {error}",
                code="journal-damaged",
                hint="its rows can still be read: artstore.tracking.journal.JournalReader",
            ) from error

    def settings(self) -> Settings:
        """The settings with which its store is opened."""
        return resolve(self.url, self.project)


def drop_into_inbox(directory: Path, changes: Mapping[str, Any]) -> None:
    """
    Leave changes for the session that has `directory`; any process may.

    Cost: one small file, written beside and renamed.
    """
    inbox = directory / INBOX
    inbox.mkdir(exist_ok=True)
    name = clock.random_bytes(8).hex()
    beside = inbox / f".{name}"
    beside.write_bytes(canonical.encode(dict(changes), what="changes of a run"))
    os.replace(beside, inbox / f"{name}.json")

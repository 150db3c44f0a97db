"""
The journal of one session as somebody else reads it while it grows.

A journal notes up to where the store has it, and which segments hold that. So both together are
one moment: the segments of the last note, and the blocks behind it. No row is in both, and none
in neither, whatever the store is asked meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artstore.catalog.runs.changes import merged
from artstore.errors import DamagedDataError
from artstore.limits import MIB
from artstore.runs.journalblocks import CHANGE, CONSOLE, END, ROWS, STORED, SYSTEM
from artstore.tracking.journal import JournalReader
from artstore.tracking.journalsummary import JournalSummary

if TYPE_CHECKING:
    from artstore.runs.historycolumns import HistoryPart
    from artstore.tracking.sessions import SessionMeta

__all__ = ["JournalFollower", "JournalGoneError", "JournalStretch", "JournalView", "SessionEnd"]

LOG: Final = "journal.log"
_STRETCH_BYTES: Final = 4 * MIB
"""What is read again of a journal when its end has moved, and no more."""
_CHANGES_COUNT: Final = 16
_SHOWN: Final = (ROWS, SYSTEM, CONSOLE)


class JournalGoneError(Exception):
    """A journal is no longer there, since the store has all of it: look at the run anew."""


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended, as its journal tells."""

    state: str
    exit_code: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class JournalStretch:
    """
    Whole blocks of a journal, from one place to another; they never change.

    Attributes:
        kind: of the blocks that count: `rows`, `system` or `console`.
        text_bytes: of a console, how much was printed.
    """

    path: Path
    session: str
    kind: str
    start: int
    stop: int
    text_bytes: int = 0

    @property
    def identity(self) -> Hashable:
        """Sessions have names that no other has."""
        return self.session, self.kind, self.start, self.stop

    @property
    def stored(self) -> None:
        """It is not in the store."""
        return None

    def payloads(self) -> list[bytes]:
        """
        Its blocks of its kind.

        Raises:
            JournalGoneError: the journal has been brought to the store meanwhile.
        """
        found = []
        reader = JournalReader(self.path)
        for end, kind, payload in reader.blocks(self.start):
            if kind == self.kind:
                found.append(payload)
            if end >= self.stop:
                break
        if reader.end_offset < self.stop:
            raise JournalGoneError(self.session)
        return found

    def table(self) -> Any:
        """
        As a history, or as samples of the machine.

        Raises:
            DamagedDataError: `journal-damaged`.
            JournalGoneError: as `payloads`.
        """
        from artstore.runs import history

        build = history.build if self.kind == ROWS else history.build_system
        return build(self.payloads())

    def read(self, data: None, keys: Sequence[str]) -> tuple[Mapping[str, str], HistoryPart]:
        """As `HistorySource.read` tells. Raises as `table`."""
        del data
        from artstore.runs.historyreading import kinds_of, part_of

        table = self.table()
        chosen = [name for name in table.column_names if name in ("_step", "_timestamp", *keys)]
        return kinds_of(table.schema), part_of(table.select(chosen), 0)

    def kinds(self, data: None) -> Mapping[str, str]:
        """As `HistorySource.kinds` tells. Raises as `table`."""
        return self.read(data, ())[0]

    def text(self) -> bytes:
        """What was printed. Raises as `table`."""
        texts = [text_of(payload) for payload in self.payloads()]
        return b"".join(texts).ljust(self.text_bytes)


@dataclass(frozen=True, slots=True)
class JournalView:
    """
    What a journal has that its store may not have; nothing in it changes.

    Attributes:
        segments: kind to segments of this session, as the store has them.
        changes: what was said of the run since.
        stretches: kind to what was logged since.
        stored_offset: up to where the store has it; -1: nothing yet.
        seconds: when it was written last.
        revision: another one whenever something is different.
    """

    segments: Mapping[str, Any]
    changes: Mapping[str, Any]
    stretches: Mapping[str, tuple[JournalStretch, ...]]
    stored_offset: int
    end: SessionEnd | None
    seconds: float
    revision: int


class JournalFollower:
    """
    Reads the journal in a directory, a bit further each time. One thread at a time.
    """

    def __init__(self, directory: Path, meta: SessionMeta) -> None:
        self._path = directory / LOG
        self._session = meta.session
        self._reader = JournalReader(self._path)
        self._summary = JournalSummary(meta.earlier)
        self._size = -1
        self._offset = 0
        self._stored_offset = -1
        self._segments: Mapping[str, Any] = {}
        self._changes: list[tuple[int, dict[str, Any]]] = []
        self._cuts = [0]
        self._last = dict.fromkeys(_SHOWN, 0)
        self._printed: list[tuple[int, int]] = []
        self._end: SessionEnd | None = None
        self._seconds = meta.started
        self._is_stopped = False
        self._revision = 0
        self._view: JournalView | None = None

    def read_on(self) -> bool:
        """
        Learn what came since; whether anything did.

        What is damaged, or of a newer release, ends it there, as it ends for who brings it home.

        Cost: one stat if nothing came; else 1 s for some hundred MB.
        """
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        if status.st_size == self._size or self._is_stopped:
            return False
        before = self._offset
        try:
            for end, kind, payload in self._reader.blocks(self._offset):
                self._take(end, kind, payload)
                self._offset = end
        except Exception:  # noqa: BLE001 - whatever it is, the journals of others are read on
            self._is_stopped = True
        self._is_stopped = self._is_stopped or self._reader.damage is not None
        # A block of which only a part is there is looked at again.
        self._size = -1 if self._reader.is_torn else status.st_size
        if self._offset == before:
            return False
        self._note(self._offset, self._summary.take_changes())
        self._seconds = status.st_mtime
        self._revision += 1
        self._view = None
        return True

    def view(self) -> JournalView:
        """What is known now."""
        if self._view is None:
            changes: dict[str, Any] = {}
            for _, one in self._changes:
                changes = merged(changes, one)
            self._view = JournalView(
                self._segments,
                changes,
                {kind: tuple(self._stretches(kind)) for kind in _SHOWN},
                self._stored_offset,
                self._end,
                self._seconds,
                self._revision,
            )
        return self._view

    def _take(self, end: int, kind: str, payload: bytes) -> None:
        if kind == STORED:
            self._take_stored(json.loads(payload))
            return
        if kind == END:
            said = json.loads(payload)
            self._end = SessionEnd(str(said["state"]), said["exit_code"], float(said["time"]))
        elif self._end is not None and kind in (ROWS, CHANGE):
            # It was told to end, and went on.
            self._end = None
        if kind == ROWS:
            self._summary.learn_rows(payload)
        elif kind == CHANGE:
            changes = json.loads(payload)
            self._summary.learn_changes(changes)
            self._note(end, changes)
        elif kind == CONSOLE:
            self._printed.append((end, len(text_of(payload))))
        if kind in self._last:
            self._last[kind] = end
        if end - self._cuts[-1] >= _STRETCH_BYTES:
            self._cuts.append(end)

    def _take_stored(self, said: Mapping[str, Any]) -> None:
        offset, segments = int(said["offset"]), said["segments"]
        if not 0 <= offset <= self._offset or not _are_segments(segments):
            raise DamagedDataError("a note of what is stored is none", code="journal-damaged")
        self._stored_offset = offset
        self._segments = segments
        # What was said up to there has to be taken off, also of the summary.
        self._note(self._offset, self._summary.take_changes())
        self._changes = [one for one in self._changes if one[0] > offset]
        self._printed = [one for one in self._printed if one[0] > offset]
        while len(self._cuts) > 1 and self._cuts[1] <= offset:
            del self._cuts[0]

    def _note(self, end: int, changes: dict[str, Any]) -> None:
        if not changes:
            return
        self._changes.append((end, changes))
        if len(self._changes) > _CHANGES_COUNT:
            # Said once more after the store has it, a change says nothing new.
            together: dict[str, Any] = {}
            for _, one in self._changes:
                together = merged(together, one)
            self._changes = [(end, together)]

    def _stretches(self, kind: str) -> list[JournalStretch]:
        found = []
        stored = max(0, self._stored_offset)
        last = self._last[kind]
        for at, cut in enumerate(self._cuts):
            start = max(cut, stored)
            stop = self._cuts[at + 1] if at + 1 < len(self._cuts) else last
            stop = min(stop, last)
            if start >= stop:
                continue
            text_bytes = 0
            if kind == CONSOLE:
                text_bytes = sum(size for end, size in self._printed if start < end <= stop)
            found.append(JournalStretch(self._path, self._session, kind, start, stop, text_bytes))
        return found


def text_of(payload: bytes) -> bytes:
    """
    The text of a block of a console, as the store gets it.

    Raises:
        DamagedDataError: `journal-damaged`.
    """
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        found: bytes = json.loads(payload)["text"].encode("utf-8", "replace")
        return found
    raise DamagedDataError("a block of a console in a journal is none", code="journal-damaged")


def _are_segments(value: Any) -> bool:
    return type(value) is dict and all(
        type(segments) is list and all(type(one) is dict for one in segments)
        for segments in value.values()
    )

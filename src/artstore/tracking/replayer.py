"""
From the journal of a session to the store, in steps; the same for a run that goes on and for one
whose process died.

Each step reads what the journal holds since the last one, stores segments, then writes one
entry into the run's log, then notes in the journal how far it came. Whatever step is cut
short is done again: a segment that nobody names is garbage, and an entry says nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artstore import canonical, clock, forks
from artstore.catalog.runs.changes import cut_large, merged, split_changes
from artstore.catalog.runs.format import object_key
from artstore.catalog.runs.runlog import RunLog
from artstore.digest import digest_of
from artstore.errors import AlreadyExistsError, ArtstoreError
from artstore.runs.journalblocks import CHANGE, CONSOLE, END, ROWS, STORED, SYSTEM
from artstore.storeaccess import guarded_storage_of, run_index_of
from artstore.tracking.journal import JournalReader
from artstore.tracking.journalsummary import JournalSummary
from artstore.tracking.sessions import INBOX, MEDIA, SessionMeta

if TYPE_CHECKING:
    from artstore.storage.protocol import Storage
    from artstore.storeconnection import StoreConnection

__all__ = ["EndRecord", "Replayer"]

_PENDING_MAX_BYTES: Final = 128 * 2**20
"""Rows of one segment, as they stand in the journal."""
_SEGMENTS_MAX_COUNT: Final = 64
"""With more, all are written anew as few."""
_PROMISE_SECONDS: Final = 60.0
"""How much later than planned a step may come before others take the run for dead."""

_MODULES: Final = (
    "artstore.storeconnection",
    "artstore.catalog.runs.index",
    "artstore.runs.history",
)

Watermark = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class EndRecord:
    """How a session ended."""

    state: str
    exit_code: int | None
    seconds: float


@dataclass(slots=True)
class _Pending:
    """What was read and is not in the store yet."""

    rows: list[bytes] = field(default_factory=list)
    system: list[bytes] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    size_bytes: int = 0


class Replayer:
    """
    Brings one journal to its store; one thread at a time.

    Args:
        note: writes a watermark into the journal.
    """

    def __init__(self, directory: Path, meta: SessionMeta, note: Watermark) -> None:
        self._directory = directory
        self._meta = meta
        self._note = note
        self._reader = JournalReader(directory / "journal.log")
        self._offset = 0
        self._pending = _Pending()
        self._segments: dict[str, list[dict[str, Any]]] = {}
        self._numbers: dict[str, int] = {}
        self._has_started = False
        self._is_ended = False
        self._connection: StoreConnection | None = None
        self._log: RunLog | None = None
        self._summary = JournalSummary(meta.earlier)
        self._sent_media: set[str] = set()
        self._cut: dict[str, int] = {}
        self._end: EndRecord | None = None
        self._take_up()

    @property
    def end_record(self) -> EndRecord | None:
        """How the session ended, as far as the journal was read."""
        return self._end

    def take_cut(self) -> dict[str, int]:
        """Values that were too large and of which the beginning was stored: their sizes, once."""
        found, self._cut = self._cut, {}
        return found

    def prepare(self) -> None:
        """
        Open the store, so that it does not have to be opened at the end.

        Raises:
            ArtstoreError: what the storage raises.
        """
        # With no other thread that may fork meanwhile: a child would wait for the import.
        forks.import_late(_MODULES)
        self._opened()

    def step(self, next_seconds: float) -> None:
        """
        Bring what is new to the store.

        Args:
            next_seconds: until the next step.
        Raises:
            ArtstoreError: what the storage raises; nothing is lost, the next step goes on.
        Cost: one object for each kind of segment that has anything new; one entry.
        """
        if self._is_ended:
            # It was told to end, and went on.
            self._is_ended = self._has_started = False
            self._end = None
        while True:
            is_all = self._collect()
            inbox = self._read_inbox()
            self._send_segments()
            if len(self._segments.get("history", ())) > _SEGMENTS_MAX_COUNT:
                self._compact()
            self._send_media()
            self._write(self._take_changes(), next_seconds)
            for file in inbox:
                file.unlink(missing_ok=True)
            self._note_progress()
            if is_all:
                return

    def add(self, changes: Mapping[str, Any]) -> None:
        """Have changes that no journal holds stored with the next entry."""
        self._pending.changes = merged(self._pending.changes, dict(changes))

    def finish(self, usual: EndRecord, *, compact: bool = True) -> None:
        """
        Bring all there is to the store and end the session in its log.

        Args:
            usual: how it ended, if the journal does not tell.
            compact: write the history anew as few segments.
        Raises and cost: as `step`, and a second or two for a million rows.
        """
        offset = self._offset
        while not self._collect():
            self._send_segments()
        if self._is_ended and offset == self._offset:
            return
        inbox = self._read_inbox()
        self._send_segments()
        if compact and len(self._segments.get("history", ())) > 1:
            self._compact()
        self._send_media()
        self._write_end(self._take_changes(), self._end or usual)
        for file in inbox:
            file.unlink(missing_ok=True)
        self._is_ended = True
        self._note_progress()

    # --- reading the journal ------------------------------------------------------------------

    def _take_up(self) -> None:
        """Find how far an earlier process came with this journal."""
        last: dict[str, Any] | None = None
        for _, kind, payload in JournalReader(self._directory / "journal.log").blocks():
            if kind == STORED:
                last = json.loads(payload)
        if last is None:
            return
        self._offset = int(last["offset"])
        self._segments = last["segments"]
        self._numbers = last["numbers"]
        self._has_started = True
        self._is_ended = bool(last.get("is_ended"))
        # Rules and statistics know only what they were fed.
        for end, kind, payload in JournalReader(self._directory / "journal.log").blocks():
            if end > self._offset:
                break
            if kind == ROWS:
                self._summary.learn_rows(payload)
            elif kind == CHANGE:
                self._summary.learn_changes(json.loads(payload))
        self._summary.take_changes()

    def _collect(self) -> bool:
        """Read on; False if there is more than one segment should hold."""
        pending = self._pending
        for end, kind, payload in self._reader.blocks(self._offset):
            self._offset = end
            if kind == ROWS:
                self._summary.learn_rows(payload)
                pending.rows.append(payload)
            elif kind == SYSTEM:
                pending.system.append(payload)
            elif kind == CONSOLE:
                pending.console.append(json.loads(payload)["text"])
            elif kind == CHANGE:
                changes = json.loads(payload)
                self._summary.learn_changes(changes)
                pending.changes = merged(pending.changes, changes)
            elif kind == END:
                said = json.loads(payload)
                self._end = EndRecord(said["state"], said["exit_code"], said["time"])
            pending.size_bytes += len(payload)
            if pending.size_bytes > _PENDING_MAX_BYTES:
                return False
        return True

    def _read_inbox(self) -> list[Path]:
        found = []
        for file in sorted((self._directory / INBOX).glob("*.json")):
            try:
                changes = canonical.decode(file.read_bytes(), what=str(file))
            except (OSError, ArtstoreError):
                continue
            if type(changes) is dict:
                self._pending.changes = merged(self._pending.changes, changes)
                found.append(file)
        return found

    # --- storing ------------------------------------------------------------------------------

    def _storage(self) -> Storage:
        return guarded_storage_of(self._opened())

    def _opened(self) -> StoreConnection:
        from artstore.storeconnection import connection_of

        if self._connection is None:
            connection = connection_of(self._meta.settings())
            connection.create()
            self._connection = connection
        return self._connection

    def _send_segments(self) -> None:
        pending = self._pending
        if pending.rows:
            from artstore.runs import history

            self._keep_table("history", history.build(pending.rows))
            pending.rows = []
        if pending.system:
            from artstore.runs import history

            self._keep_table("system", history.build_system(pending.system))
            pending.system = []
        if pending.console:
            data = "".join(pending.console).encode("utf-8", "replace")
            self._keep("console", "txt", data, {"rows": data.count(b"\n")})
            pending.console = []
        pending.size_bytes = 0

    def _keep_table(self, kind: str, table: Any) -> None:
        from artstore.runs import history

        told: dict[str, Any] = {"rows": table.num_rows}
        if kind == "history":
            steps = table.column("_step")
            told["first_step"] = steps[0].as_py()
            told["last_step"] = steps[table.num_rows - 1].as_py()
        self._keep(kind, "parquet", history.write_segment(table), told)

    def _keep(self, kind: str, extension: str, data: bytes, told: Mapping[str, Any]) -> None:
        storage = self._storage()
        while True:
            number = self._numbers.get(kind, 0)
            name = f"{self._meta.session}-{number:06d}.{extension}"
            key = object_key(self._meta.project, self._meta.run_id, kind, name)
            self._numbers[kind] = number + 1
            try:
                storage.create(key, data)
            except AlreadyExistsError:
                # Left by a step that was cut short.
                continue
            break
        stored = {"key": key, "bytes": len(data), "digest": digest_of(data).hex(), **told}
        self._segments.setdefault(kind, []).append(stored)
        stated = {kind: {self._meta.session: self._segments[kind]}}
        self._pending.changes = merged(self._pending.changes, {"segments": stated})

    def _compact(self) -> None:
        """Write the history anew, out of the journal, as few segments."""
        from artstore.runs import history

        before = self._segments.pop("history", [])
        try:
            for rows in self._all_rows():
                self._keep_table("history", history.build(rows))
        except BaseException:
            self._segments["history"] = before
            raise

    def _all_rows(self) -> Iterator[list[bytes]]:
        rows: list[bytes] = []
        size = 0
        for end, kind, payload in JournalReader(self._directory / "journal.log").blocks():
            if end > self._offset:
                break
            if kind != ROWS:
                continue
            rows.append(payload)
            size += len(payload)
            if size > _PENDING_MAX_BYTES:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows

    def _send_media(self) -> None:
        """Files that steps of this run made; each under its digest, so twice is once."""
        directory = self._directory / MEDIA
        if not directory.is_dir():
            return
        for file in sorted(directory.iterdir()):
            if file.name in self._sent_media or file.name.startswith("."):
                continue
            data = file.read_bytes()
            # One that a power loss cut off would lie under the name of the whole for ever.
            if file.name.startswith(digest_of(data).hex()):
                key = object_key(self._meta.project, self._meta.run_id, "media", file.name)
                with suppress(AlreadyExistsError):
                    self._storage().create(key, data)
            self._sent_media.add(file.name)

    def _take_changes(self) -> dict[str, Any]:
        changes = self._pending.changes
        automatic = self._summary.take_changes()
        if automatic:
            changes = merged(changes, automatic)
        # One that no entry can hold would keep all the rest from being stored.
        self._pending.changes = cut_large(changes, self._cut.__setitem__)
        return self._pending.changes

    def _write(self, changes: dict[str, Any], next_seconds: float) -> None:
        *first, last = split_changes(changes)
        next_by = clock.format_time(clock.now_seconds() + next_seconds + _PROMISE_SECONDS)
        for part in (*first, last):
            kind = "update" if self._has_started else "start"
            fields = {**self._fields(kind), "changes": part, "next_by": next_by}
            self._append(kind, fields)
            self._has_started = True
        self._pending.changes = {}

    def _write_end(self, changes: dict[str, Any], end: EndRecord) -> None:
        *first, last = split_changes(changes)
        for part in first:
            self._write(part, 0.0)
        fields = {
            **self._fields("end"),
            "changes": last,
            "ended": clock.format_time(end.seconds),
            "state": end.state,
            "exit_code": end.exit_code,
        }
        self._append("end", fields)
        self._pending.changes = {}

    def _fields(self, kind: str) -> dict[str, Any]:
        meta = self._meta
        if kind == "update":
            return {"session": meta.session}
        return {
            "session": meta.session,
            "is_primary": meta.is_primary,
            "started": clock.format_time(meta.started),
            "host": meta.host,
            "user": meta.user,
            "rank": meta.rank,
        }

    def _append(self, kind: str, fields: dict[str, Any]) -> None:
        index = run_index_of(self._opened())
        project, run_id = self._meta.project, self._meta.run_id
        if self._log is None:
            self._log = RunLog(self._storage(), project, run_id, index.author)
        state = self._log.append(lambda _: (kind, fields))
        # The entry is written: what this machine remembers of it is no reason to write another.
        with suppress(ArtstoreError):
            index.accept(project, run_id, state)

    def _note_progress(self) -> None:
        self._note(
            {
                "offset": self._offset,
                "segments": self._segments,
                "numbers": self._numbers,
                "is_ended": self._is_ended,
            }
        )

"""
The log of one run: read it, append to it.

Runs are no roots of garbage collection, so damage in such a log loses at most what the
damaged entry said: it is passed over and told, and writing goes on behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from artstore import clock
from artstore.catalog import log
from artstore.catalog.format import (
    Body,
    LogEntry,
    RawEntry,
    UnknownEntry,
    VoidEntry,
    decode_entry,
    encode_entry,
    entry_key,
)
from artstore.catalog.log import START, Head
from artstore.catalog.runs import activity
from artstore.catalog.runs.format import RUN_KINDS, run_prefix
from artstore.catalog.runs.state import Whole, apply_entry, empty_whole
from artstore.catalog.state import LogWarning
from artstore.errors import ConflictError, LimitExceededError
from artstore.storage.protocol import Storage

__all__ = ["ANNOUNCED_KINDS", "RunLog", "RunState", "decode_last", "run_entry_key"]

ANNOUNCED_KINDS: Final = frozenset(["start", "end", "edit", "sync", "delete", "restore", "sweep"])
WITH_WHOLE: Final = frozenset(["end", "edit", "delete", "restore", "sweep"])
_ROUND_COUNT: Final = 10_000

Decide = Callable[[Whole], Body | None]
"""The entry to write on a state; None for nothing to do. Run again after every lost race."""


@dataclass(frozen=True, slots=True)
class RunState:
    """What a run's log says, up to entry `n`; -1 if there is no entry."""

    whole: Whole
    n: int
    warnings: tuple[LogWarning, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether anything was ever written about it."""
        return self.n >= 0


@dataclass(slots=True)
class RunLog:
    """
    One run's log as this process knows it. Not safe between threads.

    Args:
        author: `user@host`, written into every entry.
    """

    storage: Storage
    project: str
    run_id: str
    author: str
    _whole: Whole = field(init=False)
    _head: Head = START
    _has_damaged_tail: bool = False
    _warnings: list[LogWarning] = field(default_factory=list)
    _added: list[LogEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._whole = empty_whole(self.project, self.run_id)

    @property
    def prefix(self) -> str:
        """What all its keys begin with."""
        return run_prefix(self.project, self.run_id)

    @property
    def state(self) -> RunState:
        """What is known now, without asking the storage."""
        return RunState(self._whole, self._head.n, tuple(self._warnings))

    @property
    def added(self) -> Sequence[LogEntry]:
        """What was written here to a run that was brought from another store: edits, sessions."""
        return self._added

    def refresh(self) -> RunState:
        """
        Learn what was appended since.

        Cost: one scan; one batch of reads if there is something new.
        """
        if self._has_damaged_tail:
            # What was damaged when it was read may have been put back since.
            self._forget()
        if self._head.n < 0:
            entries, _, _ = log.read_all(self.storage, self.prefix, with_rollups=False)
        else:
            entries = log.read_tail(self.storage, self.prefix, self._head).entries
        self._take(entries)
        return self.state

    def _forget(self) -> None:
        self._whole, self._head = empty_whole(self.project, self.run_id), START
        self._has_damaged_tail = False
        self._warnings, self._added = [], []

    def fold(self, entries: Iterable[RawEntry]) -> RunState:
        """Learn entries that somebody else has read, in order. Cost: no request."""
        self._take(entries)
        return self.state

    def replay(self) -> Iterator[tuple[str, RunState]]:
        """
        The kind of each entry, empty if it is void or unknown, and the state after it.

        Of a log that was not read before.

        Cost: one scan; one batch of reads.
        """
        assert self._head.n < 0
        entries, _, _ = log.read_all(self.storage, self.prefix, with_rollups=False)
        for raw in entries:
            taken = self._take_one(raw)
            yield taken.kind if isinstance(taken, LogEntry) else "", self.state

    def append(self, decide: Decide) -> RunState:
        """
        Write the entry that `decide` makes of the state, which is the newest there is.

        Raises:
            UnavailableError: `commit-unknown`, `storage-unavailable`.
            ConflictError: `commit-contended`.
            LimitExceededError: `limit-exceeded`, one entry cannot hold it.
        Cost: one create, two for a kind that is announced; a lost race costs a scan more.
        """
        for _ in range(_ROUND_COUNT):
            body = decide(self._whole)
            if body is None:
                return self.state
            n = self._head.n + 1
            data = self._encoded(body, n)
            if body[0] in ANNOUNCED_KINDS:
                now = clock.now_seconds()
                activity.announce(self.storage, self.project, self.run_id, n, now)
            others = log.append_or_read(self.storage, self.prefix, n, data)
            if not others:
                self._take([RawEntry.of(n, data)])
                return self.state
            self._take(others)
        raise ConflictError(
            f"the log of run {self.project}/{self.run_id} changes faster than it can be written",
            code="commit-contended",
        )

    def _encoded(self, body: Body, n: int) -> bytes:
        kind, fields = body
        now = clock.format_time(clock.now_seconds())
        entry = {"run": self.run_id, "project": self.project, **fields}

        def encoded(whole: Whole | None) -> bytes:
            return encode_entry(
                (kind, entry if whole is None else {**entry, "whole": whole}),
                n=n,
                previous=self._head.digest,
                write=clock.random_bytes(8).hex(),
                time=now,
                by=self.author,
                kinds=RUN_KINDS,
            )

        if kind not in WITH_WHOLE:
            return encoded(None)
        stated = LogEntry(n, kind, must_understand=True, write="", time=now, by="", fields=entry)
        try:
            return encoded(apply_entry(self._whole, stated))
        except LimitExceededError:
            # Too large to be said at once: readers then fold all entries.
            return encoded(None)

    def _take(self, entries: Iterable[RawEntry]) -> None:
        for raw in entries:
            if raw.n > self._head.n:
                self._take_one(raw)

    def _take_one(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        expected = self._head.n + 1
        previous = self._head.digest
        if raw.n > expected:
            self._warn("log-hole", expected, f"entries {expected} to {raw.n - 1} are missing")
        taken = self._decode(raw, previous if raw.n == expected else None)
        if isinstance(taken, LogEntry):
            if self._whole["origin"] and taken.kind != "sync":
                self._added.append(taken)
            self._whole = apply_entry(self._whole, taken)
        elif isinstance(taken, VoidEntry):
            self._warn("log-void-entry", raw.n, f"entry {raw.n} {taken.reason}; it is ignored")
        self._has_damaged_tail = isinstance(taken, VoidEntry) and taken.is_damaged
        self._head = Head(raw.n, raw.digest, raw.size_bytes)
        return taken

    def _decode(self, raw: RawEntry, previous: bytes | None) -> LogEntry | VoidEntry | UnknownEntry:
        if raw.data is None:
            return VoidEntry(raw.n, "is too large", is_damaged=True)
        taken = decode_entry(raw.data, raw.n, previous, RUN_KINDS)
        if self._has_damaged_tail and isinstance(taken, VoidEntry) and not taken.is_chained:
            # The bytes before it were sound when it was written: they alone are lost.
            return decode_entry(raw.data, raw.n, None, RUN_KINDS)
        return taken

    def _warn(self, code: str, n: int, message: str) -> None:
        self._warnings.append(LogWarning(code, n, message))


def decode_last(project: str, run_id: str, raw: RawEntry) -> RunState | None:
    """
    The state that entry `raw` states whole; None if it states none, or is damaged.

    Its chain is not looked at: `art check` does that.
    """
    if raw.data is None:
        return None
    taken = decode_entry(raw.data, raw.n, None, RUN_KINDS)
    if not isinstance(taken, LogEntry) or taken.fields.get("whole") is None:
        return None
    if (taken.fields.get("run"), taken.fields.get("project")) != (run_id, project):
        return None
    return RunState(apply_entry(empty_whole(project, run_id), taken), raw.n)


def run_entry_key(project: str, run_id: str, n: int) -> str:
    """The key of entry n of a run's log."""
    return entry_key(run_prefix(project, run_id), n)

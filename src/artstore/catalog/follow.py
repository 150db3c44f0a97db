"""
Following one log: what the replica knows, then one scan for what came after.

Holes, rolled-back stores and replaced entries are found here, and told to the
fold, which keeps them as the reason not to write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from artstore.catalog import log
from artstore.catalog.format import LogEntry, RawEntry, UnknownEntry, VoidEntry
from artstore.catalog.log import START, Head, Tail
from artstore.catalog.replica import Replica
from artstore.catalog.rollups import FAN_OUT
from artstore.catalog.state import LogWarning
from artstore.storage.protocol import Storage

__all__ = ["Foldable", "FollowedLog"]


class Foldable(Protocol):
    """What turns entries into a state."""

    @property
    def head_n(self) -> int:
        """The number of the last entry applied."""
        ...

    @property
    def is_damaged(self) -> bool:
        """Whether `mark_damage` or `skip_hole` was called."""
        ...

    @property
    def has_damaged_tail(self) -> bool:
        """Whether the last entry applied is not what was written; the next may settle it."""
        ...

    def apply(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        """Continue by one entry."""
        ...

    def skip_hole(self, first: int, last: int) -> None:
        """Go on behind entries that are lost."""
        ...

    def mark_damage(self, warning: LogWarning) -> None:
        """Remember why the log must not be written."""
        ...


FoldType = TypeVar("FoldType", bound=Foldable)


class FollowedLog(Generic[FoldType]):
    """
    One log as this process knows it. Not safe between threads: callers hold `lock`.

    Args:
        new_fold: makes the fold of an empty log.
    """

    def __init__(
        self,
        storage: Storage,
        replica: Replica | None,
        store_id: str,
        prefix: str,
        new_fold: Callable[[], FoldType],
    ) -> None:
        self._storage = storage
        self._replica = replica
        self._store_id = store_id
        self._new_fold = new_fold
        self.prefix = prefix
        self.lock = threading.RLock()
        self._start_over()

    def _start_over(self) -> None:
        self.fold = self._new_fold()
        self.head = START
        self.block: list[RawEntry] = []
        """The entries of the last, unfinished group of 64: the next rollup."""
        self._remembered = START
        self._to_remember: list[RawEntry] = []
        self._unsound: set[int] = set()
        self.has_looked = False
        """Whether the storage was asked at all; an empty log has no head to show it."""
        self._found: tuple[Head, Tail] | None = None

    def still_at(self, head: Head) -> Head | None:
        """
        `head` with the time that the storage tells now, if the log still ends there.

        For whoever has remembered what the log comes to up to there, and need not fold it.

        Returns:
            None if there is something new or strange, or if the log is folded already:
            `refresh` then goes on with what was found here.
        Cost: as `refresh`, which costs nothing then.
        """
        if self.has_looked or head.modified_seconds is None:
            return None
        tail = log.read_tail(self._storage, self.prefix, head)
        if tail.fate == "there" and not tail.entries:
            return replace(head, modified_seconds=tail.modified_seconds)
        self._found = head, tail
        return None

    def refresh(self) -> None:
        """
        Learn what was appended since.

        Cost: one scan, and one batch of reads if there is something new.
        """
        found, self._found = self._found, None
        if self.fold.is_damaged or self.fold.has_damaged_tail:
            # Somebody may have repaired it.
            self._start_over()
        if not self.has_looked:
            self._recall()
        if self.head.n < 0:
            self._read_cold()
            return
        if found is not None and (found[0].n, found[0].digest) == (self.head.n, self.head.digest):
            tail = found[1]
        else:
            tail = log.read_tail(self._storage, self.prefix, self.head)
        if tail.fate == "replaced" or (tail.fate == "missing" and not tail.entries):
            self._read_rolled_back()
            return
        if tail.fate == "missing":
            # The replica still holds the lost entry: all can be read, nothing written.
            n = self.head.n
            self.fold.mark_damage(LogWarning("log-hole", n, f"entry {n} is missing"))
        first = self._apply(tail.entries)
        if (
            first is not None
            and first.n == self.head.n + 1
            and not first.is_chained
            and tail.fate == "there"
            and log.digest_at(self._storage, self.prefix, self.head.n) != self.head.digest
        ):
            # Not the new entry was false, but ours: another history of equal size.
            self._read_rolled_back()
            return
        self._set_head(tail.entries, tail.modified_seconds)
        self._remember(tail.entries)

    def accept(self, entries: Sequence[RawEntry]) -> None:
        """Continue by entries that this process has just written, or lost a race to."""
        self._apply(entries)
        self._set_head(entries, None)
        self._remember(entries)

    def forget(self) -> None:
        """Believe the store from now on, whatever this machine has seen."""
        if self._replica is not None:
            self._replica.forget(self._store_id, self.prefix)
        self._start_over()

    def _recall(self) -> None:
        self.has_looked = True
        if self._replica is None:
            return
        entries, head = self._replica.load(self._store_id, self.prefix)
        self._remembered = head
        self._apply(entries)
        self.head = head

    def _read_cold(self) -> None:
        entries, rolled_count, modified = log.read_all(self._storage, self.prefix)
        first_void = self._apply(entries)
        if first_void is not None and first_void.n < rolled_count:
            # Void entries are rare, false rollups too: only the entries themselves can tell.
            self._forget_applied()
            entries, _, modified = log.read_all(self._storage, self.prefix, with_rollups=False)
            self._apply(entries)
        self._set_head(entries, modified)
        self._remember(entries)

    def _read_rolled_back(self) -> None:
        known = self.head.n
        self._forget_applied()
        entries, _, modified = log.read_all(self._storage, self.prefix, with_rollups=False)
        self._apply(entries)
        self._set_head(entries, modified)
        warning = LogWarning(
            "log-rolled-back",
            known,
            f"this machine has seen another entry {known}; the store was restored "
            f"from a backup, or its entries were replaced{self._way_out()}",
        )
        # The replica keeps what was seen, so that the next process finds it too.
        self.fold.mark_damage(warning)

    def _way_out(self) -> str:
        if self._replica is None:
            return ""
        return f" (if that was on purpose, delete {self._replica.file})"

    def _forget_applied(self) -> None:
        self.fold = self._new_fold()
        self.block = []
        self.head = START

    def _apply(self, entries: Sequence[RawEntry]) -> VoidEntry | None:
        """Apply entries; the first void one."""
        first_void = None
        for raw in entries:
            taken = self._apply_one(raw)
            if first_void is None and isinstance(taken, VoidEntry):
                first_void = taken
        return first_void

    def _apply_one(self, raw: RawEntry) -> LogEntry | VoidEntry | UnknownEntry:
        expected = self.fold.head_n + 1
        if raw.n > expected:
            self.fold.skip_hole(expected, raw.n - 1)
            self.block = []
        if raw.n % FAN_OUT == 0:
            self.block = []
        self.block.append(raw)
        taken = self.fold.apply(raw)
        if not isinstance(taken, LogEntry):
            self._unsound.add(raw.n)
        return taken

    def _set_head(self, entries: Sequence[RawEntry], modified: float | None) -> None:
        if entries:
            last = entries[-1]
            self.head = Head(last.n, last.digest, last.size_bytes, modified)
        elif modified is not None and self.head.n >= 0:
            head = self.head
            self.head = Head(head.n, head.digest, head.size_bytes, modified)

    def _remember(self, entries: Sequence[RawEntry]) -> None:
        if self._replica is None or self.fold.is_damaged:
            return
        self._to_remember.extend(entries)
        # A damaged newest entry may yet be put right: only what is chained over stays as it is.
        if self.head != self._remembered and not self.fold.has_damaged_tail:
            rows = [(raw, raw.n not in self._unsound) for raw in self._to_remember]
            self._replica.extend(self._store_id, self.prefix, self._remembered, rows, self.head)
            self._remembered = self.head
            self._to_remember = []

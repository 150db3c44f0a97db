"""
What a run logs, on its way to the journal: `log` in microseconds, written every second.

Whoever logs puts rows into lists and goes on. One thread, the *flusher*, takes them out,
writes the journal and answers requests; nobody else touches the file. Between the two are only
operations of Python that neither a thread nor an interrupt can divide, and no lock that the
flusher takes: a handler of a signal may log, flush and close at any moment, also in the middle
of `log` itself.

Memory is bounded. Who logs faster than the flusher writes waits for it at `PENDING_MAX_WEIGHT`;
a disk that takes nothing keeps up to `HELD_MAX_BYTES` waiting here, later rows are lost, and
the program goes on in either case.
"""

from __future__ import annotations

import operator
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from artstore.clock import now_seconds
from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError
from artstore.forks import generation
from artstore.runs.journalblocks import CHANGE, CONSOLE, END, ROWS, STORED, SYSTEM
from artstore.tracking.journal import JournalWriter
from artstore.tracking.rowgroups import (
    ConvertRow,
    LoggedRows,
    RowGroup,
    json_text,
    stored_row,
)
from artstore.tracking.telling import warn_user

__all__ = ["HELD_MAX_BYTES", "PENDING_MAX_WEIGHT", "Recorder"]

PENDING_MAX_WEIGHT: Final = 2**18
"""Numbers (of about 30 bytes) that wait to be written: 8 MB, written in 10 ms."""
HELD_MAX_BYTES: Final = 64 * 2**20
"""Blocks that wait for a disk that takes none."""
_GROUPS_KEPT: Final = 1_000
_NEW_GROUP_WEIGHT: Final = 100
_LONGEST_ANSWER_SECONDS: Final = 1.0
_STEP_END: Final = 2**63 - 1
_DROPPABLE: Final = frozenset({ROWS, SYSTEM, CONSOLE})
# An interval is from the end of one writing to the begin of the next: room for the writing.
_INTERVAL_PART: Final = 0.9

_Schema = tuple[tuple[str, ...], tuple[type, ...]]
_Request = tuple[queue.SimpleQueue[None], bool]
"""Who waits for a writing, and whether it is the last."""


class Recorder:
    """
    Takes everything a run does and writes it to the journal.

    All methods may be called by any thread, by handlers of signals and by `on_rows`. In a forked
    child, and after `close`, they do nothing.

    Args:
        journal: closed with the recorder.
        flush_seconds: what `kill -9` may cost.
        first_step: of the first row, as it is stored.
        hidden_steps: stored steps before those that the program counts from 0.
        convert_row: makes scalars and JSON of a row with anything else in it; called by the
            thread that logs.
        on_rows: given rows that were just written, by the flusher: each row once, those of one
            group of keys in order, groups in no order (see `LoggedRows.seqs`).
        tell: gets each sentence for the user; stderr if left out.
    """

    def __init__(
        self,
        journal: JournalWriter,
        *,
        flush_seconds: float = 1.0,
        first_step: int = 0,
        hidden_steps: int = 0,
        convert_row: ConvertRow | None = None,
        on_rows: Callable[[LoggedRows], None] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._journal = journal
        self._flush_seconds = flush_seconds
        self._convert_row = convert_row
        self._on_rows = on_rows
        self._tell = tell or warn_user
        self._told: set[str] = set()
        # The second becomes -1 at the end: one comparison tells `log` of that and of forks.
        self._born = self._generation = generation()
        # Held for a few steps of `log`; reentrant for handlers of signals, and never taken by
        # the flusher, for which such a handler may be waiting.
        self._lock = threading.RLock()
        self._groups: dict[_Schema, RowGroup] = {}
        self._items: deque[tuple[int, str, bytes]] = deque()
        self._step = first_step
        self._hidden_steps = hidden_steps
        self._count = 0
        self._system_count = 0
        self._logged_weight = 0
        self._weight_bound = PENDING_MAX_WEIGHT
        self._waiting: deque[tuple[str, bytes, int]] = deque()
        self._waiting_bytes = 0
        self._lost_count = 0
        self._failure: str | None = None
        self._is_done = False
        # These queues are written in C for this: usable within handlers of signals.
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._flusher = threading.Thread(target=self._run, name="artstore-journal", daemon=True)
        self._flusher.start()

    @property
    def step(self) -> int:
        """The step of the next row, as the program counts."""
        return self._step - self._hidden_steps

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as W&B has it
    ) -> None:
        """
        Add values to the row of a step; copies them.

        Args:
            step: of the row, not below that of the row before; the next one if left out.
            commit: whether the step is over with this; else later calls add to its row. By
                default if `step` is left out.
        Raises:
            InvalidInputError: `value-invalid`: no mapping, keys that are no text, a step that
                is no number; what `convert_row` raises.
        Cost: about 2 us for five scalars; no I/O, but who logs faster than the journal is
            written waits.
        """
        if self._generation != generation():
            return
        now = now_seconds()
        try:
            # Of a copy: another thread may be changing it.
            row = {**data}
        except TypeError:
            row = {}
            stored_row(data, None)
        values = (*row.values(),)
        schema = (*row,), (*map(type, values),)
        with self._lock:
            group = self._groups.get(schema)
            if group is not None:
                is_on_time = self._add(group, values, now, step, commit=commit)
        if group is None:
            is_on_time = self._log_anything(row, now, step, commit=commit)
        if self._logged_weight > self._weight_bound:
            self._ask()
        if not is_on_time:
            self._tell_once(
                "step",
                f"a row of step {step} was not logged: the run is at step {self.step}, and steps"
                " cannot go back",
            )

    def _log_anything(
        self, data: Mapping[str, Any], now: float, step: int | None, *, commit: bool | None
    ) -> bool:
        """Rows of new keys or types, and of values that are no scalars."""
        row = stored_row(data, self._convert_row)
        schema = (row.keys, row.types)
        with self._lock:
            group = self._groups.get(schema)
            if group is None:
                group = self._groups[schema] = RowGroup(*schema)
                self._logged_weight += _NEW_GROUP_WEIGHT + 4 * len(row.keys)
            return self._add(group, row.values, row.time or now, step, commit=commit)

    def _add(
        self,
        group: RowGroup,
        values: tuple[Any, ...],
        now: float,
        step: int | None,
        *,
        commit: bool | None,
    ) -> bool:
        """Put a row into its group, under the lock; False if its step was over before."""
        # In this order: a handler of a signal that logs may come in at each call, an interrupt
        # too. So nothing is called between reading a counter and setting it, nor between the
        # last counter and the row; what gets lost is a number at most.
        if step is not None:
            step = _whole_number(step, self._hidden_steps)
        self._logged_weight += group.weigh(values) if group.has_texts else group.weight
        at = self._step
        if step is None:
            if commit is not False:
                self._step = at + 1
        elif step < at:
            return False
        else:
            at = step
            self._step = step + 1 if commit else step
        count = self._count
        self._count = count + 1
        group.flat.extend((count, at, now, *values))
        return True

    def add_change(self, changes: Mapping[str, Any]) -> None:
        """Write a `changes` object; it stands behind all rows that were logged before it."""
        self._add_item(CHANGE, changes)

    def add_stored(self, watermark: Mapping[str, Any]) -> None:
        """Write what is in the store by now, see `artstore.runs.journalblocks`."""
        self._add_item(STORED, watermark)

    def add_console(self, stream: str, text: str) -> None:
        """Write a piece of console output."""
        self._add_item(CONSOLE, {"stream": stream, "time": now_seconds(), "text": text})

    def add_system(self, row: Mapping[str, Any]) -> None:
        """Write one sample of system metrics; values that are no scalars are kept as JSON."""
        if self._generation != generation():
            return
        now = now_seconds()
        stored = stored_row(row, None)
        group = RowGroup(stored.keys, stored.types)
        with self._lock:
            at = self._system_count
            self._system_count = at + 1
            flat = [at, at, stored.time or now, *stored.values]
        self._add_payload(SYSTEM, group.encode(group.logged(flat)))

    def end(self, state: str, exit_code: int | None = None) -> None:
        """Write how the run ended, and return when it is written. The last end counts."""
        self._add_item(END, {"state": state, "exit_code": exit_code, "time": now_seconds()})
        self.flush()

    def flush(self) -> None:
        """
        Return when all that was logged is in the journal, or the disk has refused it.

        Returns at once within `on_rows`.
        """
        if self._generation == generation():
            self._ask()

    def close(self) -> None:
        """
        Write everything, end the flusher, close the journal. Does nothing the second time;
        after an interrupt call it again.
        """
        if self._born != generation():
            return
        with self._lock:
            self._generation = -1
        self._ask(is_last=True)

    def _add_item(self, kind: str, value: Mapping[str, Any]) -> None:
        if self._generation == generation():
            self._add_payload(kind, json_text(value).encode("utf-8", "replace"))

    def _add_payload(self, kind: str, payload: bytes) -> None:
        with self._lock:
            self._items.append((self._count, kind, payload))
            self._logged_weight += 4 + len(payload) // 16
        if self._logged_weight > self._weight_bound:
            self._ask()

    def _ask(self, *, is_last: bool = False) -> None:
        """Have the flusher write now, and wait for it."""
        answer: queue.SimpleQueue[None] = queue.SimpleQueue()
        if threading.get_ident() == self._flusher.ident:
            if is_last:
                self._requests.put((answer, True))
            return
        self._requests.put((answer, is_last))
        # Not asked of the thread: Python 3.11 takes it for ended where `is_alive` is interrupted.
        while not self._is_done and not sys.is_finalizing():
            with suppress(queue.Empty):
                answer.get(timeout=_LONGEST_ANSWER_SECONDS)
                return

    # What follows runs in the flusher alone.

    def _run(self) -> None:
        answers: list[_Request] = []
        try:
            answers = self._serve()
        finally:
            # Here, where no interrupt comes in between.
            self._tell_of_lost()
            self._journal.close()
            self._is_done = True
            self._answer([*answers, *self._further_requests()])

    def _serve(self) -> list[_Request]:
        """Write until asked for the last time; returns who waits for that."""
        while True:
            requests: list[_Request] = []
            with suppress(queue.Empty):
                requests.append(self._requests.get(timeout=_INTERVAL_PART * self._flush_seconds))
                requests += self._further_requests()
            try:
                self._write_out()
            except Exception as error:  # noqa: BLE001 - logging must go on whatever happens
                self._tell_once("write", f"rows may not have been logged: {error!r}")
            if any(is_last for _, is_last in requests):
                return requests
            self._answer(requests)

    def _answer(self, requests: list[_Request]) -> None:
        for answer, _ in requests:
            answer.put(None)

    def _tell_of_lost(self) -> None:
        if self._waiting:
            self._lost_count += sum(count for _, _, count in self._waiting)
            self._tell_once("lost", f"{self._lost_count:,} rows were lost: {self._failure}")

    def _further_requests(self) -> list[_Request]:
        return [self._requests.get() for _ in range(self._requests.qsize())]

    def _write_out(self) -> None:
        # Read first: what comes later is left for the next time, so that rows and other items
        # stand in the journal in the order in which they came.
        weight, end = self._logged_weight, self._count
        taken = self._take_rows(end)
        written: list[LoggedRows] = []
        for _ in range(len(self._items)):
            if self._items[0][0] > end:
                break
            seq, kind, payload = self._items.popleft()
            if kind not in (CONSOLE, SYSTEM):
                taken = self._encode_rows(taken, seq, written)
            self._hold(kind, payload, 0)
        self._encode_rows(taken, end, written)
        self._weight_bound = weight + PENDING_MAX_WEIGHT
        self._write_waiting()
        self._forget_groups()
        for rows in written:
            self._show(rows)

    def _take_rows(self, end: int) -> list[tuple[RowGroup, list[Any]]]:
        taken = [(group, group.take(end)) for group in list(self._groups.values()) if group.flat]
        return [(group, flat) for group, flat in taken if flat]

    def _encode_rows(
        self,
        taken: list[tuple[RowGroup, list[Any]]],
        end: int,
        written: list[LoggedRows],
    ) -> list[tuple[RowGroup, list[Any]]]:
        """Put rows of calls before `end` behind what waits; returns the others."""
        later = []
        for group, flat in taken:
            now, rest = group.split(flat, end)
            if now:
                rows = group.logged(now)
                self._hold(ROWS, group.encode(rows), len(rows.seqs))
                written.append(rows)
            if rest:
                later.append((group, rest))
        return later

    def _hold(self, kind: str, payload: bytes, row_count: int) -> None:
        is_full = self._waiting_bytes + len(payload) > HELD_MAX_BYTES
        if is_full and kind in _DROPPABLE and self._failure is not None:
            self._lost_count += row_count
            return
        self._waiting.append((kind, payload, row_count))
        self._waiting_bytes += len(payload)

    def _write_waiting(self) -> None:
        while self._waiting:
            kind, payload, row_count = self._waiting[0]
            try:
                self._journal.append(kind, payload)
            except LimitExceededError as error:
                self._lost_count += row_count
                self._tell_once("large", f"{row_count:,} rows were not logged: {error}")
            except ArtstoreError as error:
                self._fail(error)
                return
            self._waiting.popleft()
            self._waiting_bytes -= len(payload)
        if self._failure is not None:
            lost = f"{self._lost_count:,} rows were lost" if self._lost_count else "nothing is lost"
            self._failure = None
            self._tell(f"the journal of the run is being written again, {lost}")

    def _fail(self, error: ArtstoreError) -> None:
        if self._failure is None:
            held = f"{HELD_MAX_BYTES >> 20} MiB"
            self._tell(f"{error}; the run goes on, up to {held} of it wait in memory")
        self._failure = str(error)

    def _show(self, rows: LoggedRows) -> None:
        if self._on_rows is None:
            return
        try:
            self._on_rows(rows)
        except Exception as error:  # noqa: BLE001 - they are written, whoever else wants them
            self._tell_once("show", f"the summary may not be up to date: {error!r}")

    def _forget_groups(self) -> None:
        # A program that logs other keys each time. Without waiting: the lock may be held by
        # somebody who waits for this thread.
        if len(self._groups) > _GROUPS_KEPT and self._lock.acquire(blocking=False):
            try:
                self._groups = {key: kept for key, kept in self._groups.items() if kept.flat}
            finally:
                self._lock.release()

    def _tell_once(self, what: str, sentence: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(sentence)


def _whole_number(step: Any, hidden_steps: int) -> int:
    """The stored step of the one that a program counts as `step`."""
    try:
        number = operator.index(step)
    except TypeError:
        number = int(step) if isinstance(step, float) and step.is_integer() else -1
        if number < 0:
            raise InvalidInputError(
                f"the step of a row is a whole number, not {step!r}", code="value-invalid"
            ) from None
    if number + hidden_steps > _STEP_END - 1:
        raise InvalidInputError(
            f"the step of a row is below 2**63, not {step}", code="value-invalid"
        )
    return number + hidden_steps

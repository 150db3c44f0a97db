"""
One run at one moment: what the store has of it, and what its journal on this machine has since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, TypeVar

from artstore import clock
from artstore.catalog.runs.format import run_prefix
from artstore.catalog.runs.state import current_state
from artstore.errors import NotFoundError, StateError
from artstore.runs.journalblocks import CONSOLE, ROWS, SYSTEM
from artstore.runs.nonfinite import restored
from artstore.tracking.journalfollower import JournalGoneError, JournalStretch

if TYPE_CHECKING:
    from artstore.runs.historyreading import HistoryReader, HistorySource
    from artstore.runs.storedrun import StoredRun
    from artstore.tracking.localruns import LocalRun

__all__ = ["ConsolePiece", "LiveRun", "RunKey", "surely"]

_Answer = TypeVar("_Answer")
_KINDS: Final = {"history": ROWS, "system": SYSTEM, "console": CONSOLE}
_TRIES: Final = 5
"""A journal goes once, when its run ends; one more for each session."""


class RunKey(NamedTuple):
    """
    A key of the history of a run.

    Attributes:
        kind: `number`, `bool`, `text`, `json`, `histogram`, `media` or `table`: what its values
            are; of several sorts `json`.
    """

    name: str
    kind: str


class ConsolePiece(NamedTuple):
    """A part of what was printed: its length, and what reads a range of it."""

    size_bytes: int
    read: Callable[[int, int], bytes]


class LiveRun:
    """
    A run; nothing in it changes. Safe between threads.

    Args:
        stored: with all that is said of the run, by its log and by journals.
        local: what this machine knows beyond the log; None if nothing.
        renew: gives the run anew, when a journal is no longer there.

    Attributes:
        whole: all that is said of it, as `StoredRun.whole` has it (docs/format/run.md, 4).
        revision: another one whenever something is different; it only grows.
    """

    def __init__(
        self,
        stored: StoredRun,
        local: LocalRun | None,
        reader: HistoryReader,
        renew: Callable[[], LiveRun],
        *,
        revision: int,
    ) -> None:
        self._stored = stored
        self._local = local
        self._reader = reader
        self._renew = renew
        self.project = stored.project
        self.id = stored.id
        self.whole: Mapping[str, Any] = stored.whole
        self.revision = revision

    @property
    def state(self) -> str:
        """`running`, `finished`, `failed`, `crashed`, `killed`, `preempted` or `deleted`."""
        return current_state(self.whole, clock.now_seconds())

    @property
    def config(self) -> dict[str, Any]:
        """A copy of its config, with NaN and infinities as Python has them."""
        found: dict[str, Any] = restored(dict(self.whole["config"]))
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """A copy of its summary, likewise."""
        found: dict[str, Any] = restored(dict(self.whole["summary"]))
        return found

    def renewed(self) -> LiveRun:
        """The run as it is now. Raises NotFoundError `run-not-found`."""
        return self._renew()

    # history ---------------------------------------------------------------------------

    def keys(self) -> list[RunKey]:
        """
        The keys of its history, in the order of their first appearance.

        Raises:
            DamagedDataError: `history-damaged`.
        Cost: what tells the columns of each segment is read once; of a key of JSON also values.
        """
        return surely(self, LiveRun._keys)

    def system_keys(self) -> list[str]:
        """The keys of the samples of its machine. Raises and cost: as `keys`."""
        return surely(self, LiveRun._system_keys)

    def history_table(
        self,
        keys: Sequence[str] | None = None,
        *,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Any:
        """
        As `StoredRun.history_table`, with the rows that the store does not have yet: of Arrow.

        For media and tables by step, and for exports; charts ask for `/series`.
        """
        bounds = {"min_step": min_step, "max_step": max_step}
        return surely(self, lambda run: LiveRun._history_table(run, keys, **bounds))

    def system_table(self) -> Any:
        """As `StoredRun.system_table`, likewise."""
        return surely(self, LiveRun._system_table)

    def sources(self, kind: str) -> list[HistorySource]:
        """The parts of its history, or of its `system` metrics, in order: for a `HistoryReader`."""
        from artstore.runs.historyreading import StoredSource

        return [
            part
            if isinstance(part, JournalStretch)
            else StoredSource(part["key"], _size_of(part), has_steps=kind == "history")
            for part in self._parts(kind)
        ]

    def _system_keys(self) -> list[str]:
        return list(self._reader.kinds(self.sources("system")))

    def _history_table(
        self, keys: Sequence[str] | None, *, min_step: int | None, max_step: int | None
    ) -> Any:
        from artstore.runs.history import read_segments

        data = self._data("history", min_step, max_step)
        return read_segments(data, keys=keys, min_step=min_step, max_step=max_step)

    def _system_table(self) -> Any:
        from artstore.runs.history import read_samples

        return read_samples(self._data("system"))

    def _keys(self) -> list[RunKey]:
        sources = self.sources("history")
        kinds = self._reader.kinds(sources)
        unclear = [name for name, kind in kinds.items() if kind == "json"]
        told = {name: _type_in(self.whole["summary"], name) for name in unclear}
        asked = [name for name, kind in told.items() if kind is None]
        if asked:
            # The summary may have been told to leave it out.
            for columns in reversed(self._reader.columns([(one, asked) for one in sources])):
                for name, column in columns.items():
                    if told[name] is None and column.kind == "json" and len(column.values):
                        told[name] = _type_of(column.values[len(column.values) - 1].as_py())
        return [
            RunKey(name, _shown_kind(told.get(name)) if kind == "json" else kind)
            for name, kind in kinds.items()
            if kind != "none"
        ]

    def _data(
        self, kind: str, min_step: int | None = None, max_step: int | None = None
    ) -> Iterator[bytes]:
        """The bytes of its segments; what the store has not yet, as it will have it."""
        from artstore.runs.history import write_segment

        parts = [
            part
            for part in self._parts(kind)
            if isinstance(part, JournalStretch)
            or (
                (max_step is None or _whole(part.get("first_step"), max_step - 1) < max_step)
                and (min_step is None or _whole(part.get("last_step"), min_step) >= min_step)
            )
        ]
        keys = [part["key"] for part in parts if not isinstance(part, JournalStretch)]
        stored = iter(self._stored.read_segments(keys))
        for part in parts:
            if isinstance(part, JournalStretch):
                yield write_segment(part.table())
            else:
                yield next(stored)

    def _parts(self, kind: str) -> list[Any]:
        """Segments, and behind those of a session what its journal has since."""
        by_session = self.whole["segments"].get(kind) or {}
        local = self._local.stretches(_KINDS[kind]) if self._local else {}
        order = [session["id"] for session in self.whole["sessions"]]
        sessions = sorted(
            {**by_session, **local}, key=lambda one: order.index(one) if one in order else 0
        )
        own = run_prefix(self.project, self.id)
        parts: list[Any] = []
        for session in sessions:
            parts += [
                segment
                for segment in by_session.get(session, ())
                # A log that was written by somebody else must not name what is not the run's.
                if type(segment) is dict and str(segment.get("key")).startswith(own)
            ]
            parts += local.get(session, ())
        return parts

    # console and files -----------------------------------------------------------------

    def console_pieces(self) -> list[ConsolePiece]:
        """
        What it printed, in pieces one behind the other.

        Cost: nothing is read; each piece reads what is asked of it.
        """
        pieces = []
        at = 0
        for part in self._parts("console"):
            if isinstance(part, JournalStretch):
                size = part.text_bytes
                pieces.append(ConsolePiece(size, partial(self._read_printed, at, part)))
            else:
                size = _size_of(part)
                read = partial(self._stored.read_segment, part["key"])
                pieces.append(ConsolePiece(size, read))
            at += size
        return pieces

    def _read_printed(self, at: int, part: JournalStretch, start: int, stop: int) -> bytes:
        """What a journal has of a console; from the store, when it has that by now."""
        try:
            return part.text()[start:stop]
        except JournalGoneError:
            return self.renewed().printed(at + start, at + stop)

    def printed(self, start: int, stop: int) -> bytes:
        """A range of what it printed, in bytes of all of it."""
        found = []
        at = 0
        for piece in self.console_pieces():
            low, high = max(start - at, 0), min(stop - at, piece.size_bytes)
            if low < high:
                found.append(piece.read(low, high))
            at += piece.size_bytes
        return b"".join(found)

    def media(self, path: str) -> bytes:
        """
        A picture or other value of a step, as its row names it: `media/<digest>.png`.

        Raises:
            NotFoundError: `key-not-found`.
        """
        return self._with_file(path, _read_file, self._stored.media)

    def media_size(self, path: str) -> int:
        """How many bytes `media` gives. Raises NotFoundError `key-not-found`."""
        return self._with_file(path, _file_size, self._stored.media_size)

    def read_media(self, path: str, start: int, stop: int) -> bytes:
        """A range of what `media` gives; less where it ends. Raises as `media`."""

        def read(file: BinaryIO) -> bytes:
            file.seek(start)
            return file.read(max(0, stop - start))

        return self._with_file(path, read, lambda one: self._stored.read_media(one, start, stop))

    def _with_file(
        self, path: str, read: Callable[[BinaryIO], _Answer], otherwise: Callable[[str], _Answer]
    ) -> _Answer:
        """From this machine while it is here, else from the store."""
        file = self._local.media_file(path) if self._local else None
        if file is not None:
            with suppress(OSError), open(file, "rb") as opened:
                return read(opened)
        try:
            return otherwise(path)
        except NotFoundError:
            if file is None:
                raise
        return otherwise(path)


def surely(run: LiveRun, read: Callable[[LiveRun], _Answer]) -> _Answer:
    """
    What `read` gives of a run, also if one of its journals is brought to the store meanwhile.

    Raises:
        StateError: `journal-in-use`: its journals come and go.
        ArtstoreError: what `read` raises.
    """
    for _ in range(_TRIES):
        try:
            return read(run)
        except JournalGoneError:
            run = run.renewed()
    raise StateError(
        f"the journals of run {run.project}/{run.id} go while they are read",
        code="journal-in-use",
        hint="try again: the store has them by then",
    )


def _read_file(file: BinaryIO) -> bytes:
    return file.read()


def _file_size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _size_of(segment: Mapping[str, Any]) -> int:
    return max(0, _whole(segment.get("bytes"), 0))


def _whole(value: Any, otherwise: int) -> int:
    return value if type(value) is int else otherwise


def _type_of(text: Any) -> str | None:
    """`_type` of a value as a history has it."""
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return str(value["_type"]) if type(value) is dict and "_type" in value else ""


def _type_in(summary: Mapping[str, Any], name: str) -> str | None:
    """`_type` of what a summary has under a key, which may stand for dicts in dicts."""
    value: Any = summary.get(name)
    if value is None:
        value = summary
        for part in name.split("."):
            value = value.get(part) if type(value) is dict else None
    return str(value["_type"]) if type(value) is dict and "_type" in value else None


def _shown_kind(type_name: str | None) -> str:
    if not type_name:
        return "json"
    if type_name == "histogram":
        return "histogram"
    return "table" if type_name.endswith("table-file") else "media"

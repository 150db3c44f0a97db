"""
One run as the store has it: what was said of it, its history, what it printed; and edits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from artstore import clock
from artstore.catalog.runs.format import object_key, run_prefix
from artstore.catalog.runs.mediapaths import media_digest
from artstore.catalog.runs.runlog import RunLog
from artstore.catalog.runs.state import current_state
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, NotFoundError
from artstore.runs.nonfinite import encoded, restored
from artstore.runs.printedtext import without_colours
from artstore.storage.protocol import Span

if TYPE_CHECKING:
    import pyarrow as pa

    from artstore.catalog.format import Body
    from artstore.catalog.runs.index import RunIndex
    from artstore.catalog.runs.state import Whole
    from artstore.storage.protocol import Storage

__all__ = ["StoredRun"]

EDITABLE: Final = ("name", "notes", "group", "job_type", "tags", "config", "summary")
_POLL_SECONDS: Final = 1.0


class StoredRun:
    """
    A run in a store, as its log says. Safe between threads.

    Attributes:
        facts: what lists show of it: all but uses, outputs, segments and environment.
    """

    def __init__(
        self,
        storage: Storage,
        index: RunIndex,
        project: str,
        run_id: str,
        facts: Mapping[str, Any],
    ) -> None:
        self._storage = storage
        self._index = index
        self.project = project
        self.id = run_id
        self.facts = facts

    def __repr__(self) -> str:
        return f"StoredRun({self.project}/{self.id}, {self.state})"

    # what was said of it ---------------------------------------------------------------

    @property
    def whole(self) -> Mapping[str, Any]:
        """All that its log says, as docs/format/run.md names it."""
        if "segments" not in self.facts:
            # From a list, which does not hold all.
            known = self._index.run(self.project, self.id)
            if known is None:
                self.refresh()
            else:
                self.facts = known.whole
        return self.facts

    @property
    def state(self) -> str:
        """`running`, `finished`, `failed`, `crashed`, `killed`, `preempted` or `deleted`."""
        return current_state(self.facts, clock.now_seconds())

    @property
    def config(self) -> dict[str, Any]:
        """A copy of its config."""
        found: dict[str, Any] = restored(dict(self.facts["config"]))
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """A copy of its summary."""
        found: dict[str, Any] = restored(dict(self.facts["summary"]))
        return found

    def refresh(self) -> StoredRun:
        """Ask the store again. Cost: one scan; one batch of reads if there is something new."""
        self.facts = self._index.refresh_run(self.project, self.id).whole
        return self

    def wait(self, timeout_seconds: float | None = None) -> str:
        """
        Wait until it runs no more; its state then, or `running` when the time is over.

        Cost: one scan a second.
        """
        until = None if timeout_seconds is None else clock.monotonic_seconds() + timeout_seconds
        while self.refresh().state == "running":
            if until is not None and clock.monotonic_seconds() >= until:
                break
            clock.sleep(_POLL_SECONDS)
        return self.state

    # history ---------------------------------------------------------------------------

    def history_table(
        self,
        keys: Sequence[str] | None = None,
        *,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> pa.Table:
        """
        The rows that were logged, in the order of steps, as Arrow.

        Args:
            keys: of the columns after `_step` and `_timestamp`; all if None.
            min_step: the first step that is wanted.
            max_step: the first step that is not.
        Raises:
            DamagedDataError: `history-damaged`.
        Cost: reads the segments; with bounds only the parts of them that can have such steps.
        """
        from artstore.runs.history import read_segments

        segments = [
            segment
            for segment in self._segments("history")
            if (max_step is None or _number(segment.get("first_step"), max_step - 1) < max_step)
            and (min_step is None or _number(segment.get("last_step"), min_step) >= min_step)
        ]
        return read_segments(self._read(segments), keys=keys, min_step=min_step, max_step=max_step)

    def system_table(self) -> pa.Table:
        """
        The samples of the machine as Arrow: `_timestamp`, then docs/reference/run-metrics.md.

        Raises:
            DamagedDataError: `history-damaged`.
        """
        from artstore.runs.history import read_samples

        return read_samples(self._read(self._segments("system")))

    def rows(
        self,
        keys: Sequence[str] | None = None,
        *,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The rows of the history, each with what it has: missing values are left out."""
        from artstore.runs.history import rows_of

        yield from rows_of(self.history_table(keys, min_step=min_step, max_step=max_step))

    def console(self) -> str:
        """
        What it printed, both streams in the order of printing; without its colours.

        Raises:
            DamagedDataError: `run-console-damaged`.
        """
        parts = self._read(self._segments("console"))
        return without_colours(b"".join(parts).decode("utf-8", "replace"))

    def console_pieces(self) -> list[tuple[int, Callable[[int, int], bytes]]]:
        """The console in pieces, in order: the length of each, and what reads a range of it."""
        pieces: list[tuple[int, Callable[[int, int], bytes]]] = []
        for segment in self._segments("console"):
            key, size = str(segment["key"]), _number(segment.get("bytes"), 0)
            pieces.append((max(size, 0), partial(self._read_range, key)))
        return pieces

    def media_size(self, path: str) -> int:
        """
        How many bytes `media` gives.

        Raises:
            NotFoundError: `key-not-found`.
        """
        return self._storage.stat(self._media_key(path)).size_bytes

    def read_media(self, path: str, start: int, stop: int) -> bytes:
        """
        A range of what `media` gives; less where it ends.

        Raises:
            NotFoundError: `key-not-found`.
        """
        return self._read_range(self._media_key(path), start, stop)

    def media(self, path: str) -> bytes:
        """
        A picture or other value of a step, as its row names it: `media/<digest>.png`.

        Raises:
            NotFoundError: `key-not-found`.
            DamagedDataError: `run-media-damaged`.
        """
        key = self._media_key(path)
        data = self._storage.read(key)
        stated = media_digest(key[len(run_prefix(self.project, self.id)) :])
        if stated is not None and digest_of(data).hex() != stated:
            raise self._damaged(key, "run-media-damaged", "its name")
        return data

    def _media_key(self, path: str) -> str:
        return object_key(self.project, self.id, "media", path.removeprefix("media/"))

    def read_segments(self, keys: Sequence[str]) -> Iterator[bytes]:
        """Segments by their keys, which must be those of `whole`. Cost: one batch of reads."""
        return (bytes(value) for value in self._storage.read_many([(key, None) for key in keys]))

    def read_segment(self, key: str, start: int, stop: int) -> bytes:
        """A range of a segment, likewise; less where it ends."""
        return self._read_range(key, start, stop)

    def _read_range(self, key: str, start: int, stop: int) -> bytes:
        return bytes(self._storage.read(key, Span(start, stop - start, or_less=True)))

    def _read(self, segments: Sequence[Mapping[str, Any]]) -> list[bytes]:
        wanted = [(str(segment["key"]), None) for segment in segments]
        values = self._storage.read_many(wanted)
        return [
            self._compared(segment, bytes(value))
            for segment, value in zip(segments, values, strict=True)
        ]

    def _compared(self, segment: Mapping[str, Any], data: bytes) -> bytes:
        """The bytes of a segment, if they are those of the digest that the log states."""
        stated, key = segment.get("digest"), str(segment["key"])
        is_console = key.startswith(object_key(self.project, self.id, "console", ""))
        if type(stated) is str and digest_of(data).hex() != stated:
            code = "run-console-damaged" if is_console else "history-damaged"
            raise self._damaged(key, code, "the log of its run")
        return data

    def _damaged(self, key: str, code: str, states: str) -> DamagedDataError:
        return DamagedDataError(
            f"{key} is damaged: its bytes are not those of the digest in {states}",
            code=code,
            hint=f"`art verify run:{self.project}/{self.id}` tells all that is damaged; "
            "`art check --repair --read-data --from COPY` takes it from a copy of the store",
            key=key,
        )

    def _check_there(self, whole: Mapping[str, Any]) -> None:
        if whole["swept"]:
            raise NotFoundError(
                f"the run {self.project}/{self.id} was deleted, and gc has deleted its history, "
                "console and media",
                code="content-swept",
                hint="what was said of it, such as config and summary, is still there",
                run=self.id,
            )

    def _segments(self, kind: str) -> list[Mapping[str, Any]]:
        self._check_there(self.whole)
        by_session = self.whole["segments"].get(kind) or {}
        order = [session["id"] for session in self.whole["sessions"]]
        sessions = sorted(by_session, key=lambda one: order.index(one) if one in order else 0)
        return [
            segment
            for session in sessions
            for segment in by_session[session]
            if type(segment) is dict and self._is_own(segment.get("key"))
        ]

    def _is_own(self, key: Any) -> bool:
        # A log that was written by somebody else must not name what is not the run's.
        return type(key) is str and key.startswith(run_prefix(self.project, self.id))

    # edits -----------------------------------------------------------------------------

    def edit(self, **changes: Any) -> StoredRun:
        """
        Change what is said of it: name, notes, group, job_type, tags, config, summary.

        Args:
            changes: of config and summary, the keys that are given are replaced, and a None
                takes one away.
        Cost: one entry in its log.
        """
        stated: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in EDITABLE:
                raise TypeError(f"a run has no {name!r} that could be changed")
            if name in ("config", "summary"):
                stated[name] = {k: encoded(v) for k, v in value.items() if v is not None}
                stated[f"{name}_removed"] = [k for k, v in value.items() if v is None]
            else:
                stated[name] = list(value) if name == "tags" else value
        return self._append("edit", {"changes": stated})

    def delete(self) -> StoredRun:
        """Hide it from lists; `restore` takes that back. Its versions stay."""
        return self._append("delete", {})

    def restore(self) -> StoredRun:
        """
        Take back `delete`.

        Raises:
            NotFoundError: `content-swept`, gc has deleted what the run logged.
        """
        return self._append("restore", {})

    def _append(self, kind: str, fields: dict[str, Any]) -> StoredRun:
        def decide(whole: Whole) -> Body:
            if kind == "restore":
                self._check_there(whole)
            return kind, fields

        log = RunLog(self._storage, self.project, self.id, self._index.author)
        if not log.refresh().exists:
            raise NotFoundError(
                f"there is no run {self.project}/{self.id}", code="run-not-found", run=self.id
            )
        state = log.append(decide)
        self._index.accept(self.project, self.id, state)
        self.facts = state.whole
        return self


def _number(value: Any, otherwise: int) -> int:
    return value if type(value) is int else otherwise

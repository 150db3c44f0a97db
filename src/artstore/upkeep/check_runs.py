"""
Check of runs: is all there that their logs name, and is it what was written?

    by listing      entries of each log: sealed, chained, none missing
                    segments: there, and as long as the log says
                    media that a summary names: there
    by reading      segments by the digest that the log states, those without one by their form
                    media by the digest in their names, and those that a history names: there

What nobody names is garbage, and no damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from artstore import clock, limits
from artstore.catalog.format import entry_key
from artstore.catalog.runs.format import run_prefix
from artstore.catalog.runs.mediapaths import media_digest, media_paths
from artstore.catalog.runs.runlog import RunLog, RunState
from artstore.catalog.runs.survey import (
    Denied,
    RunKeys,
    SegmentRef,
    named_segments,
    read_states,
    runs_in,
)
from artstore.digest import Hasher
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    DeniedError,
    NotFoundError,
    StorageError,
)
from artstore.storage.bounded import is_stored
from artstore.storage.protocol import Span, Storage

__all__ = ["DAMAGE_CODES", "LookAtHistory", "RunCheck", "RunMaterial", "RunProblem", "verify_run"]

DAMAGE_CODES: Final = {
    "history": "history-damaged",
    "system": "history-damaged",
    "console": "run-console-damaged",
    "media": "run-media-damaged",
}
"""What is told of a damaged value, by its kind."""

_MISSING: Final = "key-not-found"
_BATCH_COUNT: Final = 256
_BATCH_BYTES: Final = 32 * limits.MIB
_FORM_MAX_BYTES: Final = 256 * limits.MIB
"""A larger segment is hashed and not looked into: no release writes one."""

LookAtHistory = Callable[[bytes, bool, bool], tuple[int, frozenset[str]]]
"""
Rows of a segment, and the media it names; of bytes, whether they have steps, and whether they
are proven to be what was written. Raises DamagedDataError.
"""


class RunProblem(NamedTuple):
    """
    One damaged or missing value of a run.

    Attributes:
        run: `project/run id`.
        is_inside: found by reading what the log alone does not tell.
    """

    key: str
    message: str
    code: str
    run: str
    is_inside: bool = False


class _Reading(NamedTuple):
    """A value that is to be read, and what is known of it."""

    run: RunKeys
    key: str
    kind: str
    size_bytes: int
    digest: str | None
    row_count: int | None


class RunMaterial(NamedTuple):
    """
    What a check of runs uses that is not in the store.

    Attributes:
        look: reads a segment of a history; without it, bytes are only hashed.
        heads: by `(project, run id)`, the newest entry that this machine has seen.
    """

    look: LookAtHistory | None = None
    heads: Mapping[tuple[str, str], int] = MappingProxyType({})


@dataclass(slots=True)
class RunCheck:
    """
    Checks runs one after the other. Changes nothing.

    Args:
        read_data: read segments and media too, this part of them (0 to 1); None reads logs only.
        on_run: told each run when its log was looked at.
    Attributes:
        run_count: runs looked at.
        value_count: entries, segments and media looked at.
        read_bytes: of segments and media.
    """

    storage: Storage
    material: RunMaterial
    read_data: float | None = None
    on_run: Callable[[RunKeys], None] | None = None
    run_count: int = 0
    value_count: int = 0
    read_bytes: int = 0
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _denied: Denied = field(default_factory=dict)
    _now: tuple[str, Mapping[str, Any]] | None = None

    def problems(self, runs: Iterable[RunKeys]) -> Iterator[RunProblem]:
        """
        What is damaged or missing, run by run; what is found by reading comes later.

        Raises:
            StorageError: the storage fails.
        Cost: a read for each entry, in batches; a stat for each value that is missing. With
            `read_data` the values, in windows of limits.READ_WINDOW_BYTES; holds one segment.
        """
        readings: list[_Reading] = []
        size = 0
        for run, state in read_states(self.storage, runs, self._denied):
            self.run_count += 1
            yield from self._log_problems(run, state)
            for segment in named_segments(run, state.whole):
                found = self._listed(run, segment)
                if found is not None:
                    yield found
                elif segment.key in run.objects and self._is_chosen():
                    readings.append(_of_segment(run, segment))
            yield from self._summary_problems(run, state.whole)
            readings += self._media(run)
            size = sum(one.size_bytes for one in readings)
            if len(readings) >= _BATCH_COUNT or size >= _BATCH_BYTES:
                yield from self._read(readings)
                readings = []
            if self.on_run is not None:
                self.on_run(run)
        yield from self._read(readings)

    def lost(self) -> Iterator[RunProblem]:
        """Runs of which nothing is left, and that this machine has seen. Cost: a scan of each."""
        for (project, run_id), n in sorted(self.material.heads.items()):
            if (project, run_id) in self._seen:
                continue
            run = RunKeys(project, run_id)
            # One that was begun behind the scan is there.
            if next(self.storage.scan(run.prefix), None) is None:
                yield _rolled_back(run, n)

    # by listing ------------------------------------------------------------------------

    def _log_problems(self, run: RunKeys, state: RunState) -> Iterator[RunProblem]:
        self.value_count += len(run.entries)
        for warning in state.warnings:
            key = entry_key(run.prefix, warning.n)
            # What may not be read looks like a hole.
            if key not in self._denied:
                yield RunProblem(key, f"{warning.code}: {warning.message}", warning.code, run.name)
        for key, error in self._denied.items():
            yield RunProblem(key, error.message, error.code, run.name)
        self._denied.clear()
        self._seen.add((run.project, run.run_id))
        known = self.material.heads.get((run.project, run.run_id), -1)
        if known > state.n and not is_stored(self.storage, entry_key(run.prefix, known)):
            yield _rolled_back(run, known)

    def _listed(self, run: RunKeys, segment: SegmentRef) -> RunProblem | None:
        self.value_count += 1
        info = run.objects.get(segment.key)
        if info is None:
            return self._missing(run, segment.key, "the log of its run names it")
        if segment.size_bytes not in (None, info.size_bytes):
            message = f"it has {info.size_bytes} bytes, not {segment.size_bytes}"
            return RunProblem(segment.key, message, DAMAGE_CODES[segment.kind], run.name)
        return None

    def _summary_problems(self, run: RunKeys, whole: Mapping[str, Any]) -> Iterator[RunProblem]:
        for path in dict.fromkeys(media_paths(whole["summary"])):
            if run.prefix + path not in run.objects:
                found = self._missing(run, run.prefix + path, "the summary of its run names it")
                if found is not None:
                    yield found

    def _missing(
        self, run: RunKeys, key: str, who: str, *, is_inside: bool = False
    ) -> RunProblem | None:
        # A run that goes on has moved on since it was listed.
        if is_stored(self.storage, key):
            return None
        if self._now is None or self._now[0] != run.name:
            log = RunLog(self.storage, run.project, run.run_id, "")
            self._now = run.name, log.refresh().whole
        whole = self._now[1]
        if media_digest(key[len(run.prefix) :]) is not None:
            # Of a deleted run gc takes them: the log says so before.
            is_named = not whole.get("swept")
        else:
            is_named = any(one.key == key for one in named_segments(run, whole))
        if not is_named:
            return None
        return RunProblem(key, f"it is missing; {who}", _MISSING, run.name, is_inside)

    # by reading ------------------------------------------------------------------------

    def _is_chosen(self) -> bool:
        return self.read_data is not None and clock.random_fraction() < self.read_data

    def _media(self, run: RunKeys) -> Iterator[_Reading]:
        for key, info in run.objects.items():
            digest = media_digest(key[len(run.prefix) :])
            if digest is not None:
                self.value_count += 1
                if self._is_chosen():
                    yield _Reading(run, key, "media", info.size_bytes, digest, None)

    def _read(self, readings: Sequence[_Reading]) -> Iterator[RunProblem]:
        done = 0
        try:
            for found in self._read_together(readings):
                done += 1
                yield from found
        except (NotFoundError, DamagedDataError, DeniedError):
            # One is not as it was listed: the others are still to be read.
            for reading in readings[done:]:
                yield from self._read_alone(reading)

    def _read_together(self, readings: Sequence[_Reading]) -> Iterator[list[RunProblem]]:
        requests = [request for one in readings for request in _spans(one)]
        answers = iter(self.storage.read_many(requests)) if requests else iter(())
        for reading in readings:
            hasher, kept = Hasher(), bytearray()
            is_kept = reading.kind != "media" and reading.size_bytes <= _FORM_MAX_BYTES
            for _ in _spans(reading):
                answer = next(answers)
                hasher.update(answer)
                if is_kept:
                    kept += answer
            self.read_bytes += reading.size_bytes
            yield list(self._compared(reading, hasher.digest().hex(), kept if is_kept else None))

    def _read_alone(self, reading: _Reading) -> Iterator[RunProblem]:
        try:
            (found,) = self._read_together([reading])
        except DeniedError as error:
            found = [
                RunProblem(reading.key, error.message, error.code, reading.run.name, is_inside=True)
            ]
        except StorageError:
            raise
        except NotFoundError:
            if reading.kind == "media":
                return
            gone = self._missing(reading.run, reading.key, "the log of its run names it")
            found = [] if gone is None else [gone]
        except ArtstoreError as error:
            found = [self._damaged(reading, error.message)]
        yield from found

    def _compared(
        self, reading: _Reading, digest: str, data: bytearray | None
    ) -> Iterator[RunProblem]:
        if reading.digest not in (None, digest):
            told = "its name" if reading.kind == "media" else "the log of its run"
            yield self._damaged(reading, f"its bytes are not those of the digest in {told}")
        elif data is not None and reading.kind == "console":
            if reading.digest is None and not _is_console(data, reading.row_count):
                yield self._damaged(reading, "its bytes are not the text that the log tells of")
        elif data is not None and self.material.look is not None:
            yield from self._history_problems(reading, bytes(data), self.material.look)

    def _history_problems(
        self, reading: _Reading, data: bytes, look: LookAtHistory
    ) -> Iterator[RunProblem]:
        try:
            rows, paths = look(data, reading.kind == "history", reading.digest is not None)
        except DamagedDataError as error:
            yield self._damaged(reading, error.message)
            return
        if reading.row_count not in (None, rows):
            yield self._damaged(reading, f"it has {rows} rows, not {reading.row_count}")
        run = reading.run
        for path in sorted(paths):
            if run.prefix + path not in run.objects:
                told = f"{reading.key[len(run.prefix) :]} names it"
                found = self._missing(run, run.prefix + path, told, is_inside=True)
                if found is not None:
                    yield found

    @staticmethod
    def _damaged(reading: _Reading, message: str) -> RunProblem:
        code = DAMAGE_CODES[reading.kind]
        return RunProblem(reading.key, message, code, reading.run.name, is_inside=True)


def _rolled_back(run: RunKeys, n: int) -> RunProblem:
    message = f"log-rolled-back: this machine has seen entries up to {n}"
    return RunProblem(entry_key(run.prefix, n), message, "log-rolled-back", run.name)


def verify_run(
    storage: Storage,
    material: RunMaterial,
    project: str,
    run_id: str,
    on_checked: Callable[[int, int], None],
) -> tuple[RunCheck, list[tuple[str, RunProblem]]]:
    """
    Read all that one run names; what was looked at, and the problems behind their paths.

    Args:
        on_checked: told values and bytes when all is done.
    Raises:
        StorageError: the storage fails.
    """
    prefix = run_prefix(project, run_id)
    check = RunCheck(storage, material, read_data=1.0)
    found = {one.key: one for one in check.problems(runs_in(storage.scan(prefix)))}
    on_checked(check.value_count, check.read_bytes)
    return check, [(key[len(prefix) :], found[key]) for key in sorted(found)]


def _of_segment(run: RunKeys, segment: SegmentRef) -> _Reading:
    size_bytes = run.objects[segment.key].size_bytes
    digest, row_count = segment.digest, segment.row_count
    return _Reading(run, segment.key, segment.kind, size_bytes, digest, row_count)


def _spans(reading: _Reading) -> Iterator[tuple[str, Span | None]]:
    window = limits.READ_WINDOW_BYTES
    if reading.size_bytes <= window:
        yield reading.key, None
        return
    for offset in range(0, reading.size_bytes, window):
        yield reading.key, Span(offset, min(window, reading.size_bytes - offset))


def _is_console(data: bytearray, row_count: int | None) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return row_count in (None, data.count(b"\n"))

"""
Every run of a store: the keys below its prefix, by one scan for all runs, and what its log says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, NamedTuple

from artstore import limits, names, sealed
from artstore.catalog.format import RawEntry, entry_key, parse_entry_key
from artstore.catalog.log import read_one
from artstore.catalog.runs.format import RUN_OBJECTS, check_run_id, run_prefix
from artstore.catalog.runs.runlog import RunLog, RunState, decode_last
from artstore.errors import DamagedDataError, DeniedError, InvalidInputError, NotFoundError
from artstore.storage.protocol import KeyInfo, Storage

__all__ = [
    "RUNS_PREFIX",
    "Denied",
    "RunKeys",
    "SegmentRef",
    "kind_of",
    "last_states",
    "name_in_key",
    "named_segments",
    "read_states",
    "runs_in",
    "stated_segments",
]

RUNS_PREFIX: Final = "runs/"
LOG: Final = "log"
OTHER: Final = "other"
Denied = dict[str, DeniedError]
_BATCH_COUNT: Final = 512
_BATCH_BYTES: Final = 16 * limits.MIB
_GAP_TRIED_COUNT: Final = 64
"""Entries that a scan left out are asked for one by one; a hostile number far above is not."""


@dataclass(slots=True)
class RunKeys:
    """
    What a scan shows of one run.

    Attributes:
        entries: by their numbers, the entries of its log.
        objects: by their keys, in their order, what lies beside the log.
        other_bytes: of keys that no release of this format writes.
    """

    project: str
    run_id: str
    entries: dict[int, KeyInfo] = field(default_factory=dict)
    objects: dict[str, KeyInfo] = field(default_factory=dict)
    other_bytes: int = 0

    @property
    def prefix(self) -> str:
        """What all its keys begin with."""
        return run_prefix(self.project, self.run_id)

    @property
    def name(self) -> str:
        """`project/run id`."""
        return f"{self.project}/{self.run_id}"

    @property
    def stored_bytes(self) -> int:
        """Of all that lies below its prefix."""
        infos = chain(self.entries.values(), self.objects.values())
        return sum(info.size_bytes for info in infos) + self.other_bytes


class SegmentRef(NamedTuple):
    """
    A segment as a log names it.

    Attributes:
        size_bytes, row_count, digest: None where it is not said.
    """

    key: str
    kind: str
    size_bytes: int | None
    row_count: int | None
    digest: str | None


def name_in_key(key: str) -> tuple[str, str] | None:
    """Project and run id of a key below `runs/`; None if it names none."""
    parts = key.split("/", 3)
    if len(parts) < 4 or f"{parts[0]}/" != RUNS_PREFIX:
        return None
    project, run_id = map(names.unescape_from_key, parts[1:3])
    try:
        found = names.check_project_name(project), check_run_id(run_id)
    except InvalidInputError:
        return None
    return found if key.startswith(run_prefix(*found)) else None


def kind_of(prefix: str, key: str) -> str:
    """What a key of a run holds: `log`, one of RUN_OBJECTS, or `other`."""
    if parse_entry_key(prefix, key) is not None:
        return LOG
    kind, _, name = key[len(prefix) :].partition("/")
    return kind if name and "/" not in name and kind in RUN_OBJECTS else OTHER


def runs_in(scanned: Iterable[KeyInfo]) -> Iterator[RunKeys]:
    """
    Runs, in the order of their keys.

    Args:
        scanned: of `runs/`, or of the prefix of one run.
    Cost: holds the keys of one run.
    """
    current: RunKeys | None = None
    prefix = ""
    for info in scanned:
        if current is None or not info.key.startswith(prefix):
            found = name_in_key(info.key)
            if found is None:
                continue
            if current is not None:
                yield current
            current = RunKeys(*found)
            prefix = current.prefix
        kind = kind_of(prefix, info.key)
        if kind == LOG:
            current.entries[int(info.key[len(prefix) :])] = info
        elif kind == OTHER:
            current.other_bytes += info.size_bytes
        else:
            current.objects[info.key] = info
    if current is not None:
        yield current


def named_segments(run: RunKeys, whole: Mapping[str, Any]) -> Iterator[SegmentRef]:
    """The segments that a run's log names; what it cannot have written is passed over."""
    for kind, stated in stated_segments(whole):
        key, digest = stated["key"], stated.get("digest")
        # A reader passes over what is not the run's, too.
        if _is_segment(run.prefix, key, kind):
            yield SegmentRef(
                key,
                kind,
                _count(stated.get("bytes")),
                _count(stated.get("rows")),
                digest if type(digest) is str else None,
            )


def stated_segments(whole: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The kind of each segment, and what a log says of it: its `key` at least, whatever that is."""
    for kind, by_session in whole["segments"].items():
        for segments in by_session.values() if type(by_session) is dict else ():
            for stated in segments if type(segments) is list else ():
                if type(stated) is dict and type(stated.get("key")) is str:
                    yield kind, stated


def read_states(
    storage: Storage, runs: Iterable[RunKeys], denied: Denied | None = None
) -> Iterator[tuple[RunKeys, RunState]]:
    """
    What the log of each run says, by all its entries.

    Args:
        denied: gets, by their keys, entries that may not be read; left out, they are raised.
    Raises:
        StorageError: the storage fails.
    Cost: a read for each entry, in batches; an entry that looks damaged is read again.
    """
    for batch in _batches(runs):
        wanted = [
            (one.prefix, n, one.entries[n].size_bytes) for one in batch for n in sorted(one.entries)
        ]
        entries = _entries(storage, wanted, denied)
        for run in batch:
            log = RunLog(storage, run.project, run.run_id, "")
            yield run, log.fold(_of_one(storage, run, entries))


def last_states(storage: Storage, runs: Iterable[RunKeys]) -> Iterator[tuple[RunKeys, RunState]]:
    """
    What each run is by the last entry of its log; by all of them, where it does not state that.

    Raises:
        StorageError: the storage fails.
    Cost: a read for each run that has ended, in batches.
    """
    for batch in _batches(runs):
        begun = [one for one in batch if one.entries]
        last = [(one.prefix, max(one.entries), one) for one in begun]
        wanted = [(prefix, n, one.entries[n].size_bytes) for prefix, n, one in last]
        found: dict[str, RunState] = {}
        for run, raw in zip(begun, _entries(storage, wanted), strict=True):
            state = None if raw is None else decode_last(run.project, run.run_id, raw)
            if state is not None:
                found[run.name] = state
        for run, state in read_states(storage, [one for one in batch if one.name not in found]):
            found[run.name] = state
        for run in batch:
            yield run, found[run.name]


def _batches(runs: Iterable[RunKeys]) -> Iterator[list[RunKeys]]:
    batch: list[RunKeys] = []
    count = size = 0
    for run in runs:
        batch.append(run)
        count += len(run.entries) + 1
        # The keys of its objects are held as long.
        size += sum(info.size_bytes for info in run.entries.values())
        size += sum(map(len, run.objects))
        if count >= _BATCH_COUNT or size >= _BATCH_BYTES:
            yield batch
            batch, count, size = [], 0, 0
    if batch:
        yield batch


def _entries(
    storage: Storage, wanted: list[tuple[str, int, int]], denied: Denied | None = None
) -> Iterator[RawEntry | None]:
    """Entries in the order asked: prefix, number and size; None for what is gone meanwhile."""
    small = [
        (entry_key(prefix, n), None) for prefix, n, size in wanted if size <= limits.ENTRY_MAX_BYTES
    ]
    answers = iter(storage.read_many(small)) if small else iter(())
    is_failed = False
    for prefix, n, size in wanted:
        if not is_failed and size <= limits.ENTRY_MAX_BYTES:
            try:
                yield RawEntry.of(n, bytes(next(answers)))
                continue
            except (NotFoundError, DamagedDataError, DeniedError):
                # One cannot be had, or no more: the others are still wanted.
                is_failed = True
        try:
            yield read_one(storage, prefix, n)
        except DeniedError as error:
            if denied is None:
                raise
            denied[entry_key(prefix, n)] = error
            yield None


def _of_one(
    storage: Storage, run: RunKeys, entries: Iterator[RawEntry | None]
) -> Iterator[RawEntry]:
    """The entries of one run, with those that the scan has left out."""
    expected = 0
    for n in sorted(run.entries):
        raw = next(entries)
        last = n if n - expected <= _GAP_TRIED_COUNT else expected + 1
        for number in range(expected, last):
            missed = read_one(storage, run.prefix, number)
            if missed is not None:
                yield missed
        if raw is not None and raw.data is not None and not sealed.has_seal(raw.data):
            # A bit that flipped on its way here is no damage in the store.
            raw = read_one(storage, run.prefix, n)
        if raw is not None:
            yield raw
        expected = n + 1


def _is_segment(prefix: str, key: str, kind: str) -> bool:
    try:
        names.check_key(key)
    except InvalidInputError:
        return False
    return key.startswith(prefix) and kind != "media" and kind_of(prefix, key) == kind


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None

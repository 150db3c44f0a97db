"""
Finding what a run wrote again: segments by the digest that its log states, media by their names.

A segment without a digest is taken from a copy of this very store alone, if it is as long as the
log says and can be read. What is of a deleted run is not put back: gc may be about to take it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from artstore import limits
from artstore.catalog.runs.format import RUN_OBJECTS, run_prefix
from artstore.catalog.runs.mediapaths import media_digest
from artstore.catalog.runs.runlog import RunLog
from artstore.catalog.runs.survey import (
    RUNS_PREFIX,
    RunKeys,
    kind_of,
    name_in_key,
    named_segments,
    runs_in,
)
from artstore.digest import digest_of
from artstore.errors import DamagedDataError
from artstore.storage.protocol import Storage
from artstore.upkeep.check import Problem, problem_of
from artstore.upkeep.check_runs import LookAtHistory, RunCheck, RunMaterial
from artstore.upkeep.repair_sources import SecondStore, read_part, read_value

__all__ = ["FindMedia", "RunPlaces", "RunValues", "look_inside", "run_logs_of"]

_ENTRY_PARTS: Final = 4
"""Of the key of an entry: `runs`, project, run id, number."""
_VALUE_MAX_BYTES: Final = 1024 * limits.MIB
"""What is put back is held in memory: a longer film stays where its copy is."""

Sources = tuple[str, ...]
FindMedia = Callable[[str], Iterable[Path]]
"""Directories of this machine that may have media of a run, by its id."""


class _Wanted(NamedTuple):
    """
    What is known of a lost value.

    Attributes:
        origins: `(store id, prefix)` where other stores may have it, beside its own key.
    """

    kind: str
    size_bytes: int | None
    row_count: int | None
    digest: str | None
    origins: tuple[tuple[str, str], ...]


class RunPlaces(NamedTuple):
    """
    Where segments and media of runs may come from, in the order in which they are asked.

    Attributes:
        journal: of an earlier repair, with what to call it.
    """

    journal: tuple[str, Storage]
    stores: Sequence[SecondStore]
    find_media: FindMedia


@dataclass(slots=True)
class RunValues:
    """
    Finds segments and media of runs again.

    Args:
        storage: the store, with the entries of logs that are put back.
    """

    storage: Storage
    store_id: str
    places: RunPlaces
    look: LookAtHistory | None
    _wholes: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def find_all(self, keys: Iterable[str]) -> Iterator[tuple[str, tuple[bytes, Sources] | str]]:
        """
        Of those of the keys that are of such values, the bytes and who had them; or why not.

        Raises:
            StorageError: the store or a source fails.
        Cost: reads the log of each run, and what lies under each key, until one is whole.
        """
        for key in keys:
            name = name_in_key(key) if key.startswith(RUNS_PREFIX) else None
            if name is not None and kind_of(run_prefix(*name), key) in RUN_OBJECTS:
                yield key, self._find(key, *name)

    def _find(self, key: str, project: str, run_id: str) -> tuple[bytes, Sources] | str:
        wanted = self._wanted(key, project, run_id)
        if isinstance(wanted, str):
            return wanted
        if wanted.digest is None:
            return self._by_word(key, wanted)
        for data, source in self._candidates(key, run_id, wanted):
            if data is not None and digest_of(data).hex() == wanted.digest:
                return data, (source,)
        return "no source has it"

    def _wanted(self, key: str, project: str, run_id: str) -> _Wanted | str:
        whole = self._whole(project, run_id)
        if whole["deleted"]:
            return "its run is deleted"
        prefix = run_prefix(project, run_id)
        origins = tuple(
            (origin["store"], run_prefix(origin["project"], origin["run"]))
            for origin in (whole["origin"],)
            if origin
        )
        digest = media_digest(key[len(prefix) :])
        if digest is not None:
            return _Wanted("media", None, None, digest, origins)
        for segment in named_segments(RunKeys(project, run_id), whole):
            if segment.key == key:
                return _Wanted(
                    segment.kind, segment.size_bytes, segment.row_count, segment.digest, origins
                )
        return "the log of its run names it no more"

    def _whole(self, project: str, run_id: str) -> Mapping[str, Any]:
        if (project, run_id) not in self._wholes:
            log = RunLog(self.storage, project, run_id, "")
            self._wholes[project, run_id] = log.refresh().whole
        return self._wholes[project, run_id]

    def _candidates(
        self, key: str, run_id: str, wanted: _Wanted
    ) -> Iterator[tuple[bytes | None, str]]:
        label, journal = self.places.journal
        yield read_value(journal, key, max_bytes=_VALUE_MAX_BYTES), label
        if wanted.kind == "media":
            for directory in self.places.find_media(run_id):
                yield _read_file(directory / key.rpartition("/")[2]), str(directory)
        rest = key.split("/", 3)[3]
        for store in self.places.stores:
            yield store.value(key, max_bytes=_VALUE_MAX_BYTES), store.label
            for store_id, prefix in wanted.origins:
                if store_id == store.store_id:
                    yield store.value(prefix + rest, max_bytes=_VALUE_MAX_BYTES), store.label

    def _by_word(self, key: str, wanted: _Wanted) -> tuple[bytes, Sources] | str:
        label, journal = self.places.journal
        sources = [(label, journal)]
        sources += [
            (store.label, store.storage)
            for store in self.places.stores
            if store.store_id == self.store_id
        ]
        found: dict[bytes, str] = {}
        for source, storage in sources:
            data = read_value(storage, key, max_bytes=wanted.size_bytes or _VALUE_MAX_BYTES)
            if data is not None and self._is_likely(data, wanted):
                found.setdefault(data, f"{source} (by its word alone)")
        if len(found) > 1:
            return "the sources hold different bytes, and nothing tells which are right"
        return next(
            ((data, (told,)) for data, told in found.items()), "no copy of this store has it"
        )

    def _is_likely(self, data: bytes, wanted: _Wanted) -> bool:
        if wanted.size_bytes != len(data):
            return False
        if wanted.kind == "console" or self.look is None:
            return wanted.kind == "console"
        is_proven = False
        try:
            rows, _ = self.look(data, wanted.kind == "history", is_proven)
        except DamagedDataError:
            return False
        return wanted.row_count in (None, rows)


def look_inside(
    storage: Storage, material: RunMaterial, prefixes: Iterable[str]
) -> dict[str, Problem]:
    """
    What only reading shows of some runs: what was put back may name more than was known.

    Cost: reads all that they name.
    """
    check = RunCheck(storage, material, read_data=1.0)
    return {
        found.key: problem_of(found)
        for prefix in prefixes
        for found in check.problems(runs_in(storage.scan(prefix)))
        if found.is_inside
    }


def runs_of(keys: Iterable[str]) -> list[str]:
    """The prefixes of the runs that any of the keys is of."""
    found = {name_in_key(key) for key in keys if key.startswith(RUNS_PREFIX)}
    return sorted(run_prefix(*name) for name in found if name is not None)


def run_logs_of(keys: Iterable[str]) -> list[str]:
    """The prefixes of runs of whose logs an entry is among the keys."""
    return runs_of(key for key in keys if len(key.split("/")) == _ENTRY_PARTS)


def _read_file(file: Path) -> bytes | None:
    try:
        size_bytes = file.stat().st_size
    except OSError:
        return None
    return read_part(file, 0, size_bytes) if size_bytes <= _VALUE_MAX_BYTES else None

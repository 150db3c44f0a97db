"""
Single columns out of the parts of a history, for many runs at once, kept for the next time.

A part is a segment in the store, or a stretch of a journal that the store does not have yet.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from artstore import limits
from artstore.runs.historycolumns import JSON_KIND, STEP, TIMESTAMP
from artstore.runs.historyfile import part_of, read_part, read_schema
from artstore.runs.nonfinite import restored
from artstore.runs.series import without_twins
from artstore.storage.protocol import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from artstore.runs.columncache import ColumnCache
    from artstore.runs.historycolumns import HistoryPart
    from artstore.storage.protocol import Storage

__all__ = [
    "HistoryReader",
    "HistorySource",
    "ReadColumn",
    "StoredSource",
    "joined",
    "kinds_of",
    "part_of",
]

_WHOLE_BYTES: Final = 16 * limits.MIB
"""A larger segment is not read whole: only what is wanted of it."""
_BATCH_BYTES: Final = 64 * limits.MIB
_BATCH_COUNT: Final = 256
_THREAD_COUNT: Final = 4
_BUFFER_BYTES: Final = 256 * limits.KIB
_SCHEMA: Final = ""
"""Under this name, which no column has, the kinds of all columns of a part are kept."""
_FIELD_BYTES: Final = 200
_VALUE_BYTES: Final = 100
_NUMBER: Final = re.compile(r'-?[0-9]|\{"\$"')
"""What begins a number as JSON."""

Kinds = Mapping[str, str]
"""Column -> `number`, `bool`, `text`, `json` or `none`."""


class HistorySource(Protocol):
    """A part of a history that never changes."""

    @property
    def identity(self) -> Hashable:
        """Of this part and no other, in this process."""
        ...

    @property
    def stored(self) -> tuple[str, int] | None:
        """The key of a value in the store that `read` wants to be given; its size."""
        ...

    def read(self, data: Any, keys: Sequence[str]) -> tuple[Kinds, HistoryPart]:
        """
        Some columns, and the kinds of all it has.

        Args:
            data: the value of `stored`, or a file of it; None if that is None.
        """
        ...

    def kinds(self, data: Any) -> Kinds:
        """Of all its columns but `_step` and `_timestamp`."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSource:
    """
    A segment in the store.

    Attributes:
        size_bytes: as the log of the run tells it.
        has_steps: whether it is of the history; else it holds samples of the machine.
    """

    key: str
    size_bytes: int
    has_steps: bool = True

    @property
    def identity(self) -> Hashable:
        """Its key: nothing in a store is ever replaced."""
        return self.key

    @property
    def stored(self) -> tuple[str, int]:
        """As `HistorySource` tells."""
        return self.key, self.size_bytes

    def read(self, data: Any, keys: Sequence[str]) -> tuple[Kinds, HistoryPart]:
        """
        As `HistorySource` tells.

        Raises:
            DamagedDataError: `history-damaged`.
        """
        schema, part = read_part(data, keys=keys, has_steps=self.has_steps)
        return kinds_of(schema), part

    def kinds(self, data: Any) -> Kinds:
        """As `HistorySource` tells. Raises DamagedDataError `history-damaged`."""
        return kinds_of(read_schema(data, has_steps=self.has_steps))


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """
    The rows of a part that have a value of one key; rows that have none are left out.

    Attributes:
        kind: `number`, `bool`, `text` or `json`.
        step: shape (n,).
        time: shape (n,), seconds since 1970.
        values: shape (n,) of float64; an Arrow array of texts for `text` and `json`.
    """

    kind: str
    step: NDArray[np.int64]
    time: NDArray[np.float64]
    values: Any

    def numbers(self) -> ReadColumn:
        """What of it is numbers, truth values among them; of JSON also such as are written so."""
        if self.kind in ("number", "bool"):
            return self
        found = self.values.to_pylist() if self.kind == "json" else []
        pairs = [(at, number) for at, text in enumerate(found) for number in _number_in(text)]
        at = np.array([place for place, _ in pairs], np.int64)
        values = np.array([number for _, number in pairs], np.float64)
        return ReadColumn("number", self.step[at], self.time[at], values)


def _number_in(text: str) -> Iterator[float]:
    if _NUMBER.match(text):
        try:
            value = restored(json.loads(text))
            if isinstance(value, (int, float)):
                yield float(value)
        except (ValueError, OverflowError, RecursionError):
            return


def kinds_of(schema: Any) -> dict[str, str]:
    """The kinds of the columns of a history, by its Arrow schema."""
    return {field.name: _kind(field) for field in schema if field.name not in (STEP, TIMESTAMP)}


def _kind(field: Any) -> str:
    if pa.types.is_string(field.type):
        return "json" if (field.metadata or {}).get(JSON_KIND) else "text"
    if pa.types.is_boolean(field.type):
        return "bool"
    return "none" if pa.types.is_null(field.type) else "number"


class HistoryReader:
    """
    Reads columns of parts, each once while it is kept. Safe between threads.

    Args:
        cache: of all runs; what is in it is never another thing.
    """

    def __init__(self, storage: Storage, cache: ColumnCache) -> None:
        self._storage = storage
        self._cache = cache

    def columns(
        self, wanted: Sequence[tuple[HistorySource, Sequence[str]]]
    ) -> list[dict[str, ReadColumn]]:
        """
        For each part its columns of some keys; those that it has not are left out.

        Args:
            wanted: parts, and of each the keys; `_timestamp` is one.
        Raises:
            DamagedDataError: `history-damaged`.
            NotFoundError: `key-not-found`, a segment is gone.
            ArtstoreError: what else the storage, or the part, raises.
        Cost: what is not kept is read, many segments in one request of the storage: 1 ms a
            segment and 50 ns a value. Of segments above 16 MiB only what is wanted is read.
        """
        found: list[dict[str, ReadColumn]] = []
        missing: list[_Missing] = []
        for at, (source, keys) in enumerate(wanted):
            kept = self._kept(source, keys)
            found.append({key: column for key, column in kept.items() if column is not None})
            absent = [key for key in dict.fromkeys(keys) if key not in kept]
            if absent:
                missing.append(_Missing(at, source, absent))
        for batch in _batches(missing):
            for one, columns in zip(batch, self._read_all(batch), strict=True):
                found[one.at].update(columns)
        return found

    def kinds(self, sources: Sequence[HistorySource]) -> dict[str, str]:
        """
        The keys of several parts, in the order of their first appearance, with their kinds.

        Raises and cost: as `columns`; of each part only what tells its columns.
        """
        told: dict[int, Kinds] = {}
        missing: list[_Missing] = []
        for at, source in enumerate(sources):
            kept = self._cache.get((source.identity, _SCHEMA))
            if kept is None:
                missing.append(_Missing(at, source, []))
            else:
                told[at] = kept
        for batch in _batches(missing):
            for one, data in zip(batch, self._data(batch), strict=True):
                told[one.at] = self._keep_kinds(one.source, one.source.kinds(data))
        merged: dict[str, str] = {}
        for _, kinds in sorted(told.items()):
            for name, kind in kinds.items():
                merged[name] = _together(merged.get(name, "none"), kind)
        return merged

    # --- inside -------------------------------------------------------------------------------

    def _kept(self, source: HistorySource, keys: Sequence[str]) -> dict[str, ReadColumn | None]:
        """What is known: of a key that the part has not, that it has none."""
        kinds = self._cache.get((source.identity, _SCHEMA))
        kept: dict[str, ReadColumn | None] = {}
        for key in keys:
            if kinds is not None and key not in kinds and key != TIMESTAMP:
                kept[key] = None
                continue
            column = self._cache.get((source.identity, key))
            if column is not None:
                kept[key] = column
        return kept

    def _read_all(self, batch: Sequence[_Missing]) -> Iterator[dict[str, ReadColumn]]:
        data = self._data(batch)
        if len(batch) == 1:
            yield from map(self._read, batch, data)
            return
        with ThreadPoolExecutor(min(_THREAD_COUNT, len(batch))) as pool:
            yield from pool.map(self._read, batch, data)

    def _data(self, batch: Sequence[_Missing]) -> Iterator[Any]:
        """What each part is to be read from."""
        values = [one.source.stored for one in batch]
        small = [(value[0], None) for value in values if value and value[1] <= _WHOLE_BYTES]
        read = iter(self._storage.read_many(small) if small else ())
        for value in values:
            if value is None:
                yield None
            elif value[1] <= _WHOLE_BYTES:
                yield bytes(next(read))
            else:
                yield io.BufferedReader(_StoredFile(self._storage, *value), _BUFFER_BYTES)

    def _read(self, one: _Missing, data: Any) -> dict[str, ReadColumn]:
        kinds, part = one.source.read(data, [key for key in one.keys if key != TIMESTAMP])
        self._keep_kinds(one.source, kinds)
        time = _numbers(part.columns[TIMESTAMP].values)
        found = {}
        for key in one.keys:
            if key == TIMESTAMP:
                read = ReadColumn("number", part.step, time, time)
            elif key in part.columns and key in kinds:
                read = _read_column(kinds[key], part.columns[key].values, part.step, time)
            else:
                continue
            self._cache.put((one.source.identity, key), read, _bytes_of(read))
            found[key] = read
        return found

    def _keep_kinds(self, source: HistorySource, kinds: Kinds) -> Kinds:
        size = sum(len(name) for name in kinds) + _FIELD_BYTES * (len(kinds) + 1)
        self._cache.put((source.identity, _SCHEMA), kinds, size)
        return kinds


class _Missing(NamedTuple):
    at: int
    source: HistorySource
    keys: list[str]


class _StoredFile(io.RawIOBase):
    """A value of the store as a file that can seek."""

    def __init__(self, storage: Storage, key: str, size_bytes: int) -> None:
        self._storage = storage
        self._key = key
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size_bytes - self._at)
        if count <= 0:
            return 0
        data = self._storage.read(self._key, Span(self._at, count, or_less=True))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _batches(missing: Sequence[_Missing]) -> Iterator[list[_Missing]]:
    """As many at once as may be in memory together."""
    batch: list[_Missing] = []
    size = 0
    for one in missing:
        stored = one.source.stored
        batch.append(one)
        size += min(_WHOLE_BYTES, stored[1]) if stored else 0
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_COUNT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _together(before: str, kind: str) -> str:
    """The kind of a key that is of one kind here and of another there."""
    if before in ("none", kind):
        return kind
    return before if kind == "none" else "json"


def _read_column(
    kind: str, values: Any, step: NDArray[np.int64], time: NDArray[np.float64]
) -> ReadColumn:
    is_number = kind in ("number", "bool")
    if values.null_count:
        rows = np.flatnonzero(np.asarray(values.is_valid()))
        step, time, values = step[rows], time[rows], values.drop_null()
    elif kind == "none":
        step, time, values = step[:0], time[:0], values[:0]
    return ReadColumn(kind, step, time, _numbers(values) if is_number else values)


def _numbers(values: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = values.cast(pa.float64(), safe=False).to_numpy()
    return found


def _bytes_of(column: ReadColumn) -> int:
    return int(column.step.nbytes + column.time.nbytes + column.values.nbytes) + _VALUE_BYTES


def joined(columns: Sequence[ReadColumn], *, has_steps: bool = True) -> ReadColumn:
    """
    The numbers of one key in all parts of a run as one; of one step the last one counts.

    Args:
        columns: at least one, in the order in which the parts were written.
        has_steps: false for samples of the machine: they are one behind the other.
    """
    numbers = [column.numbers() for column in columns]
    if len(numbers) == 1 and (not has_steps or without_twins(numbers[0].step) is None):
        return numbers[0]
    step = np.concatenate([column.step for column in numbers])
    time = np.concatenate([column.time for column in numbers])
    values = np.concatenate([column.values for column in numbers])
    kept = without_twins(step) if has_steps else None
    if kept is not None:
        step, time, values = step[kept], time[kept], values[kept]
    return ReadColumn("number", step, time, values)

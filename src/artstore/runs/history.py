"""
Metric history of a run as Arrow: made of what the journal holds, written as segments, read back.

What needs numpy and pyarrow is imported when it is first called.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from artstore import forks
from artstore.errors import DamagedDataError
from artstore.runs.nonfinite import restored

if TYPE_CHECKING:
    from artstore.runs.historyfile import Source

__all__ = [
    "build",
    "build_system",
    "read_samples",
    "read_segments",
    "rows_of",
    "segment_facts",
    "write_segment",
]

_IMPORTED_LATE: Final = (
    "numpy",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.parquet",
    "artstore.runs.historyfile",
    "artstore.runs.historyrows",
)
_ROWS_AT_ONCE: Final = 4_096


def build(payloads: Iterable[bytes]) -> Any:
    """
    History out of blocks of rows, in any order, also such that were written twice.

    Args:
        payloads: of blocks of kind `rows`.
    Returns:
        An Arrow table, sorted by `_step`: `_step` int64, `_timestamp` double (of the newest row
        of a step), then the keys in the order of their first appearance. Of the values of one
        key in one step the one logged last counts, where None is no value. Whole numbers and
        fractions become double; other mixtures, and what is no scalar, texts of JSON, with
        `artstore.kind: json` in the metadata of the field.
    Raises:
        DamagedDataError: `journal-damaged`.
    Cost: 0.2 s for a million rows of ten numbers; twice the memory of the result.
    """
    forks.import_late(_IMPORTED_LATE)
    from artstore.runs.historycolumns import merge
    from artstore.runs.historyrows import parts_of

    return merge(parts_of(payloads))


def build_system(payloads: Iterable[bytes]) -> Any:
    """
    System metrics out of blocks of kind `system`: `_timestamp`, then the keys.

    Raises:
        DamagedDataError: `journal-damaged`.
    """
    return build(payloads).drop_columns(["_step"])


def write_segment(table: Any) -> bytes:
    """
    A table of any function here as the bytes of a Parquet file.

    Cost: 0.2 s for a million rows of ten numbers. Numbers with noise become a quarter smaller,
        at the price of no time: less has to be written.
    """
    forks.import_late(_IMPORTED_LATE)
    from artstore.runs import historyfile

    return historyfile.write_segment(table)


def read_segments(
    sources: Iterable[Source],
    *,
    keys: Sequence[str] | None = None,
    min_step: int | None = None,
    max_step: int | None = None,
) -> Any:
    """
    The history that is in some segments, as `build` has it.

    Args:
        sources: in the order in which they were written: of the values of one key in one step
            that of the last segment counts.
        keys: read only these, `_step` and `_timestamp`; those that no segment has are left out.
        min_step: leave out rows of lower steps.
        max_step: leave out rows of this step and of higher ones.
    Raises:
        DamagedDataError: `history-damaged`.
        StorageError: `storage-failed`: a file cannot be read.
    Cost: 0.1 s for a million rows of ten numbers that are in order. Row groups without any row
        between `min_step` and `max_step` are not read.
    """
    forks.import_late(_IMPORTED_LATE)
    from artstore.runs import historyfile

    return historyfile.read_segments(sources, keys=keys, span=(min_step, max_step))


def read_samples(sources: Iterable[Source], *, keys: Sequence[str] | None = None) -> Any:
    """
    System metrics that are in some segments, as `build_system` has them, one after the other.

    Args:
        sources: in the order in which they were written.
        keys: read only these and `_timestamp`.
    Raises:
        DamagedDataError: `history-damaged`.
        StorageError: `storage-failed`: a file cannot be read.
    """
    forks.import_late(_IMPORTED_LATE)
    from artstore.runs import historyfile

    return historyfile.read_samples(sources, keys=keys)


def segment_facts(
    source: Source, *, has_steps: bool, is_proven: bool
) -> tuple[int, frozenset[str]]:
    """
    How many rows a segment has, and the media that they name: `media/<digest>.png`.

    Args:
        has_steps: whether it is of a history; else it holds samples of a machine.
        is_proven: whether its bytes are known to be what was written: if not, all of it is read.
    Raises:
        DamagedDataError: `history-damaged`.
    Cost: reads the columns of JSON, a row group at a time.
    """
    forks.import_late(_IMPORTED_LATE)
    from artstore.runs import historyfile

    return historyfile.read_facts(source, has_steps=has_steps, is_proven=is_proven)


def rows_of(table: Any) -> Iterator[dict[str, Any]]:
    """
    Yield each row of a history as a dict of the values it has; JSON as what it stands for.

    Raises:
        DamagedDataError: `history-damaged`: a column of JSON holds something else.
    Cost: 1 us a value; some thousand rows in memory.
    """
    is_json = {field.name for field in table.schema if (field.metadata or {}).get(b"artstore.kind")}
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            yield {
                key: _from_json(key, value) if key in is_json else value
                for key, value in row.items()
                if value is not None
            }


def _from_json(key: str, text: str) -> Any:
    try:
        return restored(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedDataError(
            f"the column {key!r} of a history is not JSON: {error}", code="history-damaged"
        ) from error

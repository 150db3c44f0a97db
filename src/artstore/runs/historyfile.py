"""
Segments of a run's history: Parquet files, which any engine reads without us.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from artstore import limits
from artstore.catalog.runs.mediapaths import MEDIA_FOLDER, media_paths
from artstore.errors import ArtstoreError, DamagedDataError, StorageError
from artstore.runs.historycolumns import (
    JSON_FIELD,
    JSON_KIND,
    STEP,
    TIMESTAMP,
    HistoryColumn,
    HistoryPart,
    merge,
    stack,
)

__all__ = [
    "Source",
    "Span",
    "part_of",
    "read_facts",
    "read_part",
    "read_samples",
    "read_schema",
    "read_segments",
    "write_segment",
]

Source = bytes | str | Path | BinaryIO
"""A segment: its bytes, its path, or an open file of it that can seek."""
Span = tuple[int | None, int | None]
"""The first step that is wanted, and the first one after it that is not."""

_GROUP_ROWS: Final = 131_072
_GROUP_VALUES: Final = 4_194_304
"""Wide tables get groups of fewer rows."""
_FOOTER_BYTES: Final = 64 * limits.MIB
_ROWS_MAX: Final = 2**28
_PLAIN_BYTES: Final = 8 * 1024 * limits.MIB
"""Of the row groups that are read, as the footer tells them."""
_BYTES_A_VALUE: Final = 8
_ALWAYS_BYTES: Final = 512 * limits.MIB
_UNPACKED: Final = 2_000
"""How much larger than its file a table may be in memory, beyond what is always allowed."""
_TAIL_BYTES: Final = 8
_STEPS: Final = b"artstore.steps"
"""
Metadata of a file: the least and the greatest step of each row group, as JSON.

Not read from the statistics of Parquet, which say the same: see `_check_sizes`.
"""
_TYPES: Final = frozenset({pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.null()})


def write_segment(table: Any) -> bytes:
    """As `artstore.runs.history.write_segment` tells."""
    encodings = {}
    dictionaries = []
    for field in table.schema:
        if pa.types.is_floating(field.type):
            # The bytes of one rank together: neighbours have the same exponent.
            encodings[field.name] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_integer(field.type):
            encodings[field.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_string(field.type):
            dictionaries.append(field.name)
    group_rows = max(1, min(_GROUP_ROWS, _GROUP_VALUES // table.num_columns))
    has_step = STEP in table.schema.names
    if has_step:
        table = table.replace_schema_metadata({_STEPS: _steps_of_groups(table, group_rows)})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=group_rows,
        compression="zstd",
        compression_level=1,
        use_dictionary=dictionaries or False,
        column_encoding=encodings or None,
        # NaN among the least and the greatest misleads other engines.
        write_statistics=[STEP] if has_step else False,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_segments(sources: Iterable[Source], *, keys: Sequence[str] | None, span: Span) -> Any:
    """As `artstore.runs.history.read_segments` tells."""
    found = [_read(source, at, keys, span) for at, source in enumerate(sources)]
    parts = [part for part in found if len(part.step)] or found
    pairs = itertools.pairwise(parts)
    if all(part.is_ascending for part in parts) and all(
        before.step[-1] < after.step[0] for before, after in pairs
    ):
        return stack(parts)
    return merge(parts)


def read_samples(sources: Iterable[Source], *, keys: Sequence[str] | None) -> Any:
    """As `artstore.runs.history.read_samples` tells."""
    parts = [_read(source, at, keys, None) for at, source in enumerate(sources)]
    return stack(parts).drop_columns([STEP])


def read_part(source: Source, *, keys: Sequence[str], has_steps: bool) -> tuple[Any, HistoryPart]:
    """
    Some columns of one segment as they lie there, and the schema of all it has.

    Args:
        keys: read these and `_timestamp`; those that it has not are left out.
        has_steps: whether it is of a history; else it holds samples of a machine.
    Raises and cost: as `artstore.runs.history.read_segments`.
    """
    with _told("a segment of a history"):
        schema, table = _read_table(source, keys, (None, None) if has_steps else None)
        return schema, part_of(table, 0)


def read_schema(source: Source, *, has_steps: bool) -> Any:
    """The Arrow schema of one segment. Raises as `read_part`. Cost: its footer."""
    with _told("a segment of a history"):
        opened, size_bytes = _opened(source)
        _check_footer(opened, size_bytes)
        with _parquet(opened) as file:
            schema = file.schema_arrow
        _check_schema(schema, has_steps=has_steps)
        return schema


def read_facts(source: Source, *, has_steps: bool, is_proven: bool) -> tuple[int, frozenset[str]]:
    """As `artstore.runs.history.segment_facts` tells."""
    paths: set[str] = set()
    with _told("a segment of a history"):
        opened, size_bytes = _opened(source)
        _check_footer(opened, size_bytes)
        with _parquet(opened) as file:
            schema, metadata = file.schema_arrow, file.metadata
        _check_schema(schema, has_steps=has_steps)
        texts = [field.name for field in schema if _is_json(field)]
        names = texts if is_proven else schema.names
        columns = [schema.names.index(name) for name in names]
        groups = range(metadata.num_row_groups) if names else ()
        with _parquet(opened, metadata=metadata, read_dictionary=texts) as file:
            for group in groups:
                _check_sizes(metadata, [group], columns, size_bytes)
                table = file.read_row_groups([group], columns=names)
                if not is_proven and has_steps and table[STEP].null_count:
                    raise ValueError("it has rows without a step")
                for name in texts:
                    paths.update(_media_in(table[name], size_bytes))
    return metadata.num_rows, frozenset(paths)


def _media_in(column: Any, size_bytes: int) -> Iterator[str]:
    """The media that a column of JSON names; texts that stand in many rows are read once."""
    for chunk in column.chunks:
        values = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk.unique()
        if (values.nbytes or 0) > _bound(size_bytes):
            raise ValueError("its texts are too long")
        named = values.filter(pc.match_substring(values, MEDIA_FOLDER))
        for text in named.to_pylist():
            yield from media_paths(json.loads(text))


def _read(
    source: Source,
    rank: int,
    keys: Sequence[str] | None,
    span: Span | None,
) -> HistoryPart:
    where = f"segment {rank} of a history" if isinstance(source, bytes) else f"{source}"
    with _told(where):
        _, table = _read_table(source, keys, span)
        return part_of(table, rank)


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise StorageError(
            f"cannot read {where}: {error.strerror}", code="storage-failed", path=where
        ) from error
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ArtstoreError):
            raise
        found = str(error)[:300]
        raise DamagedDataError(
            f"{where} is damaged: {found}", code="history-damaged", where=where, found=found
        ) from error


def _read_table(source: Source, keys: Sequence[str] | None, span: Span | None) -> tuple[Any, Any]:
    """The schema of the whole file, and what is wanted of it."""
    opened, size_bytes = _opened(source)
    _check_footer(opened, size_bytes)
    with _parquet(opened) as file:
        schema, metadata = file.schema_arrow, file.metadata
    _check_schema(schema, has_steps=span is not None)
    wanted = None if keys is None else {STEP, TIMESTAMP, *keys}
    columns = [at for at, name in enumerate(schema.names) if wanted is None or name in wanted]
    groups = list(range(metadata.num_row_groups))
    if span is not None:
        groups = _groups(metadata, span)
    _check_sizes(metadata, groups, columns, size_bytes)
    names = [schema.names[at] for at in columns]
    texts = [name for name in names if pa.types.is_string(schema.field(name).type)]
    with _parquet(opened, metadata=metadata, read_dictionary=texts) as file:
        table = file.read_row_groups(groups, columns=names)
    table = _with_texts(table, schema, _bound(size_bytes))
    return schema, table if span is None else _between(table, span)


def _parquet(opened: Any, **options: Any) -> Any:
    # A footer may state any lengths: without limits they are allocated.
    return pq.ParquetFile(
        opened,
        pre_buffer=False,
        thrift_string_size_limit=_FOOTER_BYTES,
        thrift_container_size_limit=_FOOTER_BYTES,
        **options,
    )


def _bound(size_bytes: int) -> int:
    return max(_ALWAYS_BYTES, _UNPACKED * size_bytes)


def _with_texts(table: Any, schema: Any, bound: int) -> Any:
    """Texts written out; until then a long one that stands in every row is there once."""
    for at, column in enumerate(table.columns):
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            lengths = pc.binary_length(chunk.dictionary).take(chunk.indices)
            bound -= pc.sum(lengths).as_py() or 0
        if bound < 0:
            raise ValueError(f"the texts of {table.schema.names[at]!r} are too long")
        field = schema.field(table.schema.names[at])
        table = table.set_column(at, field, column.cast(pa.string()))
    return table


def _opened(source: Source) -> tuple[Any, int]:
    if isinstance(source, bytes):
        # In memory of Arrow: one of its threads may be the last to let go of it.
        owned = pa.allocate_buffer(len(source))
        pa.FixedSizeBufferWriter(owned).write(source)
        return pa.BufferReader(owned), len(source)
    if isinstance(source, (str, os.PathLike)):
        opened = pa.OSFile(os.fspath(source))
        return opened, opened.size()
    return pa.PythonFile(source, mode="r"), source.seek(0, os.SEEK_END)


def _check_footer(opened: Any, size_bytes: int) -> None:
    if size_bytes < 2 * _TAIL_BYTES:
        raise ValueError(f"it has {size_bytes:,} bytes")
    opened.seek(size_bytes - _TAIL_BYTES)
    length = int.from_bytes(opened.read(_TAIL_BYTES)[:4], "little")
    if length > min(_FOOTER_BYTES, size_bytes):
        raise ValueError(f"its footer has {length:,} bytes")
    opened.seek(0)


def _check_schema(schema: Any, *, has_steps: bool) -> None:
    names = schema.names
    if len(set(names)) != len(names):
        raise ValueError("two of its columns have one name")
    if not has_steps and STEP in names:
        raise ValueError(f"samples of a machine have no column {STEP!r}")
    leading = [(STEP, pa.int64())] if has_steps else []
    for name, kind in (*leading, (TIMESTAMP, pa.float64())):
        if name not in names or schema.field(name).type != kind:
            raise ValueError(f"it has no column {name!r} of type {kind}")
    for field in schema:
        if field.type not in _TYPES:
            raise ValueError(f"the column {field.name!r} is of type {field.type}")


def _steps_of_groups(table: Any, group_rows: int) -> bytes:
    steps = table[STEP].to_numpy()
    slices = [steps[at : at + group_rows] for at in range(0, len(steps), group_rows)]
    return json.dumps([[int(part.min()), int(part.max())] for part in slices]).encode()


def _groups(found: Any, span: Span) -> list[int]:
    """The row groups that may have rows within `span`."""
    low, high = span
    every = list(range(found.num_row_groups))
    told = json.loads((found.metadata or {}).get(_STEPS, b"null"))
    if not isinstance(told, list) or len(told) != len(every):
        return every
    return [
        at
        for at, (first, last) in zip(every, told, strict=True)
        if (low is None or last >= low) and (high is None or first < high)
    ]


def _check_sizes(found: Any, groups: Sequence[int], columns: Sequence[int], size: int) -> None:
    """
    Refuse what would fill the memory: a few bytes may stand for any number of equal values.

    Nothing is asked of single columns: where their metadata are damaged, pyarrow ends the process.
    """
    rows = plain = 0
    for at in groups:
        group = found.row_group(at)
        rows += group.num_rows
        plain += group.total_byte_size
    values = rows * len(columns)
    if rows > _ROWS_MAX or plain > _PLAIN_BYTES or values * _BYTES_A_VALUE > _bound(size):
        raise ValueError(f"{size:,} bytes state {rows:,} rows of {len(columns):,} columns")


def _between(table: Any, span: Span) -> Any:
    low, high = span
    if low is None and high is None:
        return table
    steps = table[STEP].to_numpy()
    inside = np.ones(len(steps), np.bool_)
    if low is not None:
        inside &= steps >= low
    if high is not None:
        inside &= steps < high
    return table if inside.all() else table.filter(pa.array(inside))


def part_of(table: Any, rank: int) -> HistoryPart:
    """A table of a history, or of samples, as a part whose rows are all of one rank."""
    has_steps = STEP in table.schema.names
    if has_steps and table[STEP].null_count:
        raise ValueError("it has rows without a step")
    columns = {
        field.name: HistoryColumn(table[field.name], _is_json(field))
        for field in table.schema
        if field.name != STEP
    }
    step = table[STEP].to_numpy() if has_steps else np.arange(table.num_rows)
    return HistoryPart(np.full(len(step), rank), step, columns)


def _is_json(field: Any) -> bool:
    said = (field.metadata or {}).get(JSON_KIND)
    return bool(said == JSON_FIELD[JSON_KIND] and pa.types.is_string(field.type))

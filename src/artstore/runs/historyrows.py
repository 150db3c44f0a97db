"""
Blocks of rows of a journal as parts of a history: the columns of one schema put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import DamagedDataError
from artstore.runs.historycolumns import TIMESTAMP, HistoryColumn, HistoryPart
from artstore.runs.rowblocks import BOOL, FLOAT, INT, JSON, NONE, TEXT, RowBlock, decode_rows

__all__ = ["parts_of"]

_TEXTS_MAX_BYTES: Final = 2**31 - 1
"""Arrow counts the bytes of texts with signed numbers of 32 bits."""


def parts_of(payloads: Iterable[bytes]) -> list[HistoryPart]:
    """
    A part for each schema.

    Raises:
        DamagedDataError: `journal-damaged`.
    """
    groups: dict[bytes, list[RowBlock]] = {}
    for payload in payloads:
        block = decode_rows(payload)
        if block.count:
            groups.setdefault(block.schema, []).append(block)
    return [_part(blocks) for blocks in groups.values()]


def _part(blocks: Sequence[RowBlock]) -> HistoryPart:
    rank = np.frombuffer(_joined([block.seq for block in blocks]), "<i8")
    step = np.frombuffer(_joined([block.step for block in blocks]), "<i8")
    time = np.frombuffer(_joined([block.time for block in blocks]), "<f8")
    columns = {TIMESTAMP: HistoryColumn(pa.array(time))}
    for at, (key, kind) in enumerate(zip(blocks[0].keys, blocks[0].types, strict=True)):
        pieces = [(block.columns[at], block.count) for block in blocks]
        columns[key] = HistoryColumn(_values(kind, pieces), kind == JSON)
    if np.any(rank[1:] <= rank[:-1]):
        # Written a second time, or brought in another order.
        rank, order = np.unique(rank, return_index=True)
        picked = pa.array(order)
        step = step[order]
        columns = {
            key: HistoryColumn(column.values.take(picked), column.is_json)
            for key, column in columns.items()
        }
    return HistoryPart(rank, step, columns)


def _joined(pieces: Sequence[memoryview]) -> bytes | memoryview:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _values(kind: str, pieces: Sequence[tuple[memoryview, int]]) -> Any:
    if kind == NONE:
        return pa.nulls(sum(count for _, count in pieces))
    if kind in (TEXT, JSON):
        return pa.chunked_array([_texts(data, count) for data, count in pieces], pa.string())
    data = _joined([piece for piece, _ in pieces])
    if kind == BOOL:
        return pa.array(np.frombuffer(data, np.uint8) != 0)
    return pa.array(np.frombuffer(data, {FLOAT: "<f8", INT: "<i8"}[kind]))


def _texts(data: memoryview, count: int) -> Any:
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.frombuffer(data[: 4 * count], "<u4"), out=offsets[1:])
    if offsets[-1] > _TEXTS_MAX_BYTES:
        raise DamagedDataError(
            f"a block of a journal has {offsets[-1]:,} bytes of text in one column, 2 GiB are read",
            code="journal-damaged",
        )
    owned = pa.py_buffer(bytes(data[4 * count :]))
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), owned]
    texts = pa.Array.from_buffers(pa.string(), count, buffers)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DamagedDataError(
            f"a block of a journal holds text that is not Unicode: {error}", code="journal-damaged"
        ) from error
    return texts

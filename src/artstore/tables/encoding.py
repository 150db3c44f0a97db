"""
Cells as bytes, the same whatever type their column has: what digests of rows are made of.

docs/format/table.md section 4. A cell has a *kind* (1 byte) and a *payload* (8
bytes): a number itself, or how many bytes or elements its *body* has. The number 3
is the same cell in a column of integers, of floats and of a union, so a column can
widen and no digest below the schema changes. Bodies of one sort are a *stream* beside
the kinds and payloads, which is how Arrow has them: texts are not copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from artstore.digest import digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Column",
    "Kind",
    "Stream",
    "encoded_bytes",
    "encoded_leaves",
    "hashes_of_rows",
    "row_sizes",
]

U8 = np.uint8
U64 = np.uint64


class Kind:
    """FORMAT: the kinds of cells."""

    NULL: Final = 0
    FALSE: Final = 1
    TRUE: Final = 2
    INT: Final = 3
    UINT: Final = 4
    FLOAT: Final = 5
    TEXT: Final = 6
    BYTES: Final = 7
    DECIMAL: Final = 8
    DATE: Final = 9
    LOCAL_US: Final = 10
    LOCAL_NS: Final = 11
    ZONED_US: Final = 12
    ZONED_NS: Final = 13
    DURATION_US: Final = 14
    DURATION_NS: Final = 15
    TIME: Final = 16
    LIST: Final = 20
    STRUCT: Final = 21
    ARRAY: Final = 22
    MEDIA: Final = 23


@dataclass(frozen=True, slots=True)
class Stream:
    """
    Bodies of the cells of one sort in a column, in the order of the rows.

    Attributes:
        kind: of the cells they belong to.
        name: of a zone, a dtype or a kind of media; empty for other sorts.
        offsets: int64 [n + 1], where each row's part of `data` or `elements`
            begins; None: the members have one row for each row of the column.
        data: uint8, the bodies one after the other.
        elements: the column of all elements of all lists.
        members: the columns of a struct by name, in the order of the names.
        shapes: of arrays: the shape of each row that is one, as bytes.
    """

    kind: int
    name: str = ""
    offsets: NDArray[np.int64] | None = None
    data: NDArray[np.uint8] | None = None
    elements: Column | None = None
    members: tuple[tuple[str, Column], ...] = ()
    shapes: tuple[bytes, ...] | None = None

    @property
    def is_named(self) -> bool:
        """Whether a kind alone does not tell which stream a cell belongs to."""
        return self.kind in (Kind.ZONED_US, Kind.ARRAY, Kind.MEDIA)


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column of n cells, encoded.

    Attributes:
        kinds: uint8 [n].
        payloads: uint64 [n], 0 where the kind is null.
        streams: ordered by kind and name.
        rows_of: for a named stream its rows, bool [n], by its place in `streams`.
    """

    kinds: NDArray[np.uint8]
    payloads: NDArray[np.uint64]
    streams: tuple[Stream, ...] = ()
    rows_of: tuple[NDArray[np.bool_] | None, ...] = ()

    def __len__(self) -> int:
        return len(self.kinds)


# bytes ------------------------------------------------------------------------------


def encoded_bytes(columns: Sequence[Column], start: int, stop: int) -> bytes:
    """The rows [start, stop) of `columns` as bytes, which tell where each part ends."""
    return next(encoded_leaves(columns, start, [stop]))


def encoded_leaves(columns: Sequence[Column], start: int, ends: Iterable[int]) -> Iterator[bytes]:
    """
    The rows of each leaf as bytes: [start, first end), then up to the next one.

    Cost: under 2 us a leaf and column of numbers or texts; other columns more.
    """
    prepared = [_prepared(column) for column in columns]
    count = _u32(len(columns))
    for stop in ends:
        parts: list[Any] = [_u32(stop - start), count]
        for column, kinds, payloads, offsets, data in prepared:
            if column is not None:
                _emit(column, start, stop, parts)
                continue
            parts += (kinds[start:stop], payloads[8 * start : 8 * stop])
            if offsets:
                parts.append(data[offsets[start] : offsets[stop]])
        yield b"".join(parts)
        start = stop


def _prepared(column: Column) -> tuple[Any, ...]:
    """Buffers that are cheap to cut, of numbers and texts; of other columns the column."""
    kinds, payloads = column.kinds.data, column.payloads.view(U8).data
    if not column.streams:
        return None, kinds, payloads, (), None
    first = column.streams[0]
    is_plain = len(column.streams) == 1 and first.data is not None and not first.is_named
    if not is_plain or first.offsets is None:
        return column, None, None, (), None
    assert first.data is not None
    return None, kinds, payloads, first.offsets.tolist(), first.data.data


def _emit(column: Column, start: int, stop: int, parts: list[Any]) -> None:
    parts.append(column.kinds[start:stop].data)
    parts.append(column.payloads[start:stop].view(U8).data)
    for at, stream in enumerate(column.streams):
        rows = column.rows_of[at]
        if rows is None:
            if stream.kind != Kind.STRUCT or (column.kinds[start:stop] == Kind.STRUCT).any():
                _emit_stream(stream, start, stop, parts)
            continue
        here = np.flatnonzero(rows[start:stop])
        if len(here):
            _emit_name(stream.kind, stream.name, parts)
            parts += (_u32(len(here)), here.astype("<u4").tobytes())
            if stream.shapes is not None:
                first = int(np.count_nonzero(rows[:start]))
                parts += stream.shapes[first : first + len(here)]
            _emit_stream(stream, start, stop, parts)


def _emit_stream(stream: Stream, start: int, stop: int, parts: list[Any]) -> None:
    if stream.offsets is not None:
        first, last = int(stream.offsets[start]), int(stream.offsets[stop])
        if first == last:
            return
        if stream.data is not None:
            parts.append(stream.data[first:last].data)
        else:
            assert stream.elements is not None
            _emit(stream.elements, first, last, parts)
    for name, member in stream.members:
        if member.kinds[start:stop].any():
            _emit_name(stream.kind, name, parts)
            _emit(member, start, stop, parts)
    if stream.offsets is None:
        parts.append(b"\0")


def _emit_name(kind: int, name: str, parts: list[Any]) -> None:
    data = name.encode("utf-8")
    parts += (bytes((kind,)), _u32(len(data)), data)


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


# sizes and hashes of rows -------------------------------------------------------------


def row_sizes(column: Column) -> NDArray[np.int64]:
    """How many bytes each row adds, roughly: what decides how many rows are cut together."""
    sizes = np.full(len(column), 9, np.int64)
    for stream in column.streams:
        if stream.offsets is not None:
            if stream.data is not None:
                sizes += np.diff(stream.offsets)
            elif stream.elements is not None:
                sizes += _sums(row_sizes(stream.elements), stream.offsets)
        for _, member in stream.members:
            sizes += np.where(member.kinds != 0, row_sizes(member), 0)
    return sizes


def row_hashes(column: Column) -> NDArray[np.uint64]:
    """
    A hash of each cell, 0 for null: good enough to cut by, not to identify anything.

    Of texts it takes the length and the eight bytes at both ends.
    """
    hashes = _mixed(column.payloads + column.kinds.astype(U64) * U64(0x9E3779B97F4A7C15))
    for stream in column.streams:
        hashes += _stream_hashes(stream, len(column))
    hashes[column.kinds == Kind.NULL] = 0
    return hashes


def _stream_hashes(stream: Stream, row_count: int) -> NDArray[np.uint64]:
    hashes = np.zeros(row_count, U64)
    if stream.offsets is not None:
        if stream.data is not None:
            hashes += _ends(stream.data, stream.offsets)
        elif stream.elements is not None:
            elements = row_hashes(stream.elements)
            hashes += _sums(_placed(elements, stream.offsets), stream.offsets)
    for name, member in stream.members:
        found = row_hashes(member)
        hashes += np.where(found != 0, _mixed(found ^ name_hash(name)), 0)
    return hashes


def _ends(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A hash of the first and the last eight bytes of each part of `data`."""
    padded = np.concatenate((data, np.zeros(8, U8)))
    words = np.lib.stride_tricks.sliding_window_view(padded, 8)
    sizes = np.diff(offsets)
    short = np.minimum(sizes, 8)
    # Only as many bytes as the part has.
    masks = np.array([(1 << (8 * n)) - 1 for n in range(9)], U64)[short]
    heads = np.ascontiguousarray(words[offsets[:-1]]).view("<u8").ravel() & masks
    tails = np.ascontiguousarray(words[offsets[1:] - short]).view("<u8").ravel() & masks
    hashes = _mixed(heads) + _mixed(tails ^ U64(0xD6E8FEB86659FD93))
    hashes[sizes == 0] = 0
    return hashes


def _placed(hashes: NDArray[np.uint64], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes of elements, each mixed with its place in its list."""
    places = np.arange(len(hashes)) - np.repeat(offsets[:-1], np.diff(offsets))
    return _mixed(hashes + places.astype(U64) * U64(0xC2B2AE3D27D4EB4F))


def _sums(values: Any, offsets: NDArray[np.int64]) -> Any:
    """The sum of each part of `values`; unsigned sums wrap around."""
    total = np.zeros(len(values) + 1, values.dtype)
    np.cumsum(values, out=total[1:])
    return total[offsets[1:]] - total[offsets[:-1]]


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """FORMAT: the finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    values ^= values >> U64(27)
    values *= U64(0x94D049BB133111EB)
    values ^= values >> U64(31)
    return values


def name_hash(name: str) -> np.uint64:
    """A hash of a name: the first eight bytes of its digest."""
    return U64(int.from_bytes(digest_of(name.encode("utf-8"))[:8], "little"))


def hashes_of_rows(columns: Sequence[Column], names: Sequence[str]) -> NDArray[np.uint64]:
    """The hash of each row: those of its cells, each mixed with the name of its column."""
    hashes = np.zeros(len(columns[0]), U64)
    for column, name in zip(columns, names, strict=True):
        found = row_hashes(column)
        hashes += np.where(found != 0, _mixed(found ^ name_hash(name)), 0)
    return _mixed(hashes)

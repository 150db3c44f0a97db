"""
Arrow arrays as encoded columns: each type's way from Arrow's buffers to kinds and payloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.arrowtypes import decimal_texts
from artstore.tables.encoding import Column, Kind, Stream
from artstore.tables.types import (
    Array,
    ColumnType,
    Duration,
    List,
    Media,
    Plain,
    Struct,
    Timestamp,
    Union,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["encode_column"]

NOT_IDENTITY: Final = frozenset(("path", "encoded_digest"))
"""FORMAT: members of media cells that encoders and places decide, and that do not count."""

_EXACT: Final = float(2**53)
_NAN: Final = 0x7FF8_0000_0000_0000


def encode_column(kind: ColumnType, array: Any) -> Column:
    """
    The cells of an Arrow array, which has the Arrow type that belongs to `kind`.

    Cost: numbers and texts are not copied; about 10 ns a number.
    """
    if isinstance(kind, Union):
        return _encode_union(kind, array)
    if isinstance(kind, Plain):
        return _PLAIN[kind.name](array)
    if isinstance(kind, Struct):
        return _encode_struct(kind, array)
    if isinstance(kind, Media):
        return _encode_media(kind, array)
    if isinstance(kind, List):
        return _encode_list(kind, array)
    if isinstance(kind, Array):
        return _encode_arrays(kind, array)
    if isinstance(kind, Timestamp):
        return _encode_timestamps(kind, array)
    if isinstance(kind, Duration):
        return _encode_times(array, kind.unit, Kind.DURATION_US, Kind.DURATION_NS)
    return _encode_bodies(array if kind.is_wide else decimal_texts(array), Kind.DECIMAL)


# numbers ------------------------------------------------------------------------------


def _fixed(array: Any, kinds: Any, payloads: NDArray[Any]) -> Column:
    """A column without bodies; cells that are null in `array` are null."""
    if not isinstance(kinds, np.ndarray):
        kinds = np.full(len(array), kinds, np.uint8)
    payloads = np.ascontiguousarray(payloads).view(np.uint64)
    if array.null_count:
        valid = _valid(array)
        kinds = np.where(valid, kinds, np.uint8(Kind.NULL))
        payloads = np.where(valid, payloads, np.uint64(0))
    return Column(kinds, payloads)


def _valid(array: Any) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _values(array: Any, dtype: str) -> NDArray[Any]:
    """The values of an array of numbers; anything where it is null."""
    if array.null_count and not pa.types.is_floating(array.type):
        array = array.fill_null(0)
    found: NDArray[Any] = array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    return found


def _encode_null(array: Any) -> Column:
    return Column(np.zeros(len(array), np.uint8), np.zeros(len(array), np.uint64))


def _encode_bool(array: Any) -> Column:
    values = array.fill_null(False) if array.null_count else array  # noqa: FBT003
    truth = values.to_numpy(zero_copy_only=False)
    return _fixed(array, truth.astype(np.uint8) + Kind.FALSE, np.zeros(len(array), np.uint64))


def _encode_int(array: Any) -> Column:
    return _fixed(array, Kind.INT, _values(array, "<i8"))


def _encode_uint64(array: Any) -> Column:
    values = _values(array, "<u8")
    kinds = np.where(values >= 1 << 63, Kind.UINT, Kind.INT).astype(np.uint8)
    return _fixed(array, kinds, values)


def _encode_float(array: Any) -> Column:
    values = _values(array, "<f8")
    kinds, payloads = encode_floats(values)
    return _fixed(array, kinds, payloads)


def encode_floats(values: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Kinds and payloads: whole numbers up to 2^53 are integers, -0.0 is not, NaN is one."""
    kinds = np.full(len(values), Kind.FLOAT, np.uint8)
    payloads = values.view(np.uint64).copy()
    with np.errstate(invalid="ignore"):
        whole = (np.rint(values) == values) & (np.abs(values) <= _EXACT)
    if whole.any():
        whole &= (values != 0) | ~np.signbit(values)
        kinds[whole] = Kind.INT
        payloads[whole] = values[whole].astype("<i8").view(np.uint64)
    payloads[np.isnan(values)] = _NAN
    return kinds, payloads


def _encode_date(array: Any) -> Column:
    return _fixed(array, Kind.DATE, _values(array.cast(pa.int32()), "<i8"))


def _encode_time(array: Any) -> Column:
    return _fixed(array, Kind.TIME, _values(array.cast(pa.time64("ns")).cast(pa.int64()), "<i8"))


def _encode_times(array: Any, unit: str, micro_kind: int, nano_kind: int) -> Column:
    """Microseconds where nothing is lost by it, nanoseconds elsewhere."""
    values = _values(array.cast(pa.int64()), "<i8")
    if unit == "us":
        return _fixed(array, micro_kind, values)
    micros, rest = np.divmod(values, 1000)
    kinds = np.where(rest == 0, micro_kind, nano_kind).astype(np.uint8)
    return _fixed(array, kinds, np.where(rest == 0, micros, values))


def _encode_timestamps(kind: Timestamp, array: Any) -> Column:
    if kind.zone is None:
        return _encode_times(array, kind.unit, Kind.LOCAL_US, Kind.LOCAL_NS)
    column = _encode_times(array, kind.unit, Kind.ZONED_US, Kind.ZONED_NS)
    offsets = np.zeros(len(array) + 1, np.int64)
    stream = Stream(Kind.ZONED_US, kind.zone, offsets, data=np.zeros(0, np.uint8))
    return Column(column.kinds, column.payloads, (stream,), (column.kinds != Kind.NULL,))


# texts --------------------------------------------------------------------------------


def _encode_text(array: Any) -> Column:
    return _encode_bodies(array, Kind.TEXT)


def _encode_bytes(array: Any) -> Column:
    return _encode_bodies(array, Kind.BYTES)


def _encode_bodies(array: Any, kind: int) -> Column:
    filled = array.fill_null(b"" if kind == Kind.BYTES else "") if array.null_count else array
    _, offset_buffer, data_buffer = filled.buffers()
    count = len(filled)
    offsets = np.zeros(count + 1, np.int64)
    if count:
        raw = np.frombuffer(offset_buffer, "<i4", count=count + 1, offset=4 * filled.offset)
        offsets[:] = raw
    data = np.zeros(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    data = data[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    column = _fixed(array, kind, np.diff(offsets))
    return Column(column.kinds, column.payloads, (Stream(kind, "", offsets, data),), (None,))


# nested -------------------------------------------------------------------------------


def _list_column(array: Any) -> tuple[Column, NDArray[np.int64]]:
    """Kinds and lengths, and where the elements of each list begin."""
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype("<i8")
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return _fixed(array, Kind.LIST, lengths), offsets


def _encode_list(kind: List, array: Any, *, is_media: bool = False) -> Column:
    column, offsets = _list_column(array)
    # `flatten` leaves out what lies below lists that are null.
    elements = _encode_member(kind.element, array.flatten(), is_media=is_media)
    stream = Stream(Kind.LIST, "", offsets, elements=elements)
    return Column(column.kinds, column.payloads, (stream,), (None,))


def _encode_struct(kind: Struct, array: Any, *, is_media: bool = False) -> Column:
    members = _members(kind, array, is_media=is_media)
    column = _fixed(array, Kind.STRUCT, np.zeros(len(array), np.uint64))
    return Column(column.kinds, column.payloads, (Stream(Kind.STRUCT, members=members),), (None,))


def _encode_media(kind: Media, array: Any) -> Column:
    members = _members(kind.cell, array, is_media=True)
    column = _fixed(array, Kind.MEDIA, np.zeros(len(array), np.uint64))
    stream = Stream(Kind.MEDIA, kind.kind, members=members)
    return Column(column.kinds, column.payloads, (stream,), (column.kinds != Kind.NULL,))


def _members(kind: Struct, array: Any, *, is_media: bool) -> tuple[tuple[str, Column], ...]:
    """The members of an array of structs, by name; null where the struct is."""
    # `flatten` gives each member the nulls of the struct.
    parts = dict(zip([name for name, _ in kind.fields], array.flatten(), strict=False))
    return tuple(
        (name, _encode_member(member, parts[name], is_media=is_media))
        for name, member in sorted(kind.fields, key=lambda field: field[0])
        if not (is_media and name in NOT_IDENTITY)
    )


def _encode_member(kind: ColumnType, array: Any, *, is_media: bool) -> Column:
    """A member; inside media, structs at any depth leave out what does not count."""
    if is_media and isinstance(kind, Struct):
        return _encode_struct(kind, array, is_media=True)
    if is_media and isinstance(kind, List):
        return _encode_list(kind, array, is_media=True)
    return encode_column(kind, array)


def _encode_arrays(kind: Array, array: Any) -> Column:
    count = len(array)
    if kind.shape is None:
        shapes_array, values = array.flatten()
        shapes = [_shape_bytes(shape) for shape in shapes_array.drop_null().to_pylist()]
    else:
        values = array
        shapes = [_shape_bytes(kind.shape)] * (count - array.null_count)
    lengths = values.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype("<i8")
    column = _fixed(array, Kind.ARRAY, lengths)
    numbers = values.flatten().to_numpy(zero_copy_only=False)
    if numbers.dtype.kind == "f":
        numbers = np.where(np.isnan(numbers), np.asarray(np.nan, numbers.dtype), numbers)
    data = np.ascontiguousarray(numbers.astype(numbers.dtype.newbyteorder("<"))).view(np.uint8)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(lengths * numbers.dtype.itemsize, out=offsets[1:])
    stream = Stream(Kind.ARRAY, kind.dtype, offsets, data, shapes=tuple(shapes))
    return Column(column.kinds, column.payloads, (stream,), (column.kinds != Kind.NULL,))


def _shape_bytes(shape: Any) -> bytes:
    return bytes((len(shape),)) + b"".join(int(n).to_bytes(8, "little") for n in shape)


def _encode_union(kind: Union, array: Any) -> Column:
    """Each cell as its member has it."""
    kinds = np.zeros(len(array), np.uint8)
    payloads = np.zeros(len(array), np.uint64)
    found = []
    for (_, member), part in zip(kind.members, array.flatten(), strict=True):
        column = encode_column(member, part)
        kinds |= column.kinds
        payloads |= column.payloads
        found += list(zip(column.streams, column.rows_of, strict=True))
    merged: dict[tuple[int, str], tuple[Stream, Any]] = {}
    for stream, rows in found:
        known = merged.get((stream.kind, stream.name))
        if known is not None:
            # Micro- and nanoseconds of one zone: one stream, which has no bodies.
            assert stream.kind == Kind.ZONED_US
            rows = known[1] | rows  # noqa: PLW2901 - what is kept of it
        merged[stream.kind, stream.name] = stream, rows
    ordered = [merged[key] for key in sorted(merged)]
    streams = tuple(stream for stream, _ in ordered)
    return Column(kinds, payloads, streams, tuple(rows for _, rows in ordered))


_PLAIN: Final = {
    "null": _encode_null,
    "bool": _encode_bool,
    "text": _encode_text,
    "bytes": _encode_bytes,
    "date": _encode_date,
    "time": _encode_time,
    "uint64": _encode_uint64,
    **dict.fromkeys(("float16", "float32", "float64"), _encode_float),
    **dict.fromkeys(("int", "int8", "int16", "int32", "int64"), _encode_int),
    **dict.fromkeys(("uint8", "uint16", "uint32"), _encode_int),
}

"""
Payload of a block of rows: rows that have the same keys with the same types, column by column.

    4     length of the schema, little-endian
    4     number of rows
    .     schema: JSON {"keys": [...], "types": [...]}, spaces up to a multiple of 8
    8 n   seq: order of the calls that logged, unsigned
    8 n   step, signed
    8 n   time, seconds since the epoch, double
    then a column for each key, each filled up with zeros to a multiple of 8:
    "f8"    8 n   double
    "i8"    8 n   signed
    "b1"    n     0 or 1
    "text"  4 n   lengths, then UTF-8
    "json"  4 n   likewise, each a JSON text
    "none"        nothing: None in every row

Numbers are little-endian. Blocks with equal schema bytes are put together without looking inside.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import DamagedDataError

__all__ = [
    "BOOL",
    "FLOAT",
    "INT",
    "JSON",
    "NONE",
    "TEXT",
    "RowBlock",
    "decode_rows",
    "encode_rows",
    "encode_schema",
    "sound_text",
    "values_of",
]

FLOAT: Final = "f8"
INT: Final = "i8"
BOOL: Final = "b1"
TEXT: Final = "text"
JSON: Final = "json"
NONE: Final = "none"

_COUNTS: Final = struct.Struct("<II")
_WIDTHS: Final = {FLOAT: 8, INT: 8, BOOL: 1, NONE: 0}
_TYPES: Final = frozenset({*_WIDTHS, TEXT, JSON})
_LEADING_BYTES: Final = 24
"""Of each row: seq, step and time."""
_IS_BIG_ENDIAN: Final = sys.byteorder == "big"
_SCHEMAS_KEPT: Final = 4096
_schemas: dict[bytes, tuple[tuple[str, ...], tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class RowBlock:
    """
    Rows as they lie in a payload.

    Attributes:
        schema: the bytes that state keys and types; equal for rows that go together.
        seq: the bytes of n numbers, like `step` and `time`.
        columns: for each key the bytes of its values.
    """

    schema: bytes
    keys: tuple[str, ...]
    types: tuple[str, ...]
    count: int
    seq: memoryview
    step: memoryview
    time: memoryview
    columns: tuple[memoryview, ...]


def encode_schema(keys: Sequence[str], types: Sequence[str]) -> bytes:
    """Keys and types as they stand in a payload. Keys are Unicode (see `sound_text`)."""
    described = {"keys": list(keys), "types": list(types)}
    text = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return text + b" " * (-len(text) % 8)


def encode_rows(
    keys: Sequence[str], types: Sequence[str], schema: bytes, columns: Sequence[Sequence[Any]]
) -> bytes:
    """
    The payload of some rows.

    Args:
        schema: of these keys and types.
        columns: seq, step and time, then the values of each key; for JSON they are JSON texts.
    Cost: 0.05 us a number. Whole numbers beyond 64 bits make a column JSON, and a schema anew.
    """
    seq, step, time, *values = columns
    parts: list[bytes] = []
    stored = list(types)
    for at, (kind, column) in enumerate(zip(types, values, strict=True)):
        try:
            part = _encode_column(kind, column)
        except OverflowError:
            stored[at] = JSON
            part = _encode_texts([_digits(value) for value in column])
        parts.append(part)
        if len(part) % 8:
            parts.append(bytes(-len(part) % 8))
    if stored != list(types):
        schema = encode_schema(keys, stored)
    leading = (_packed("Q", seq), _packed("q", step), _packed("d", time))
    return b"".join((_COUNTS.pack(len(schema), len(seq)), schema, *leading, *parts))


def _encode_column(kind: str, column: Sequence[Any]) -> bytes:
    if kind == FLOAT:
        return _packed("d", column)
    if kind == INT:
        return _packed("q", column)
    if kind == BOOL:
        return bytes(column)
    return b"" if kind == NONE else _encode_texts(column)


def _encode_texts(texts: Iterable[str]) -> bytes:
    encoded = [_utf8(text) for text in texts]
    return b"".join((_packed("I", [len(text) for text in encoded]), *encoded))


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def sound_text(text: str) -> str:
    """`text`, with a question mark for each half surrogate, which UTF-8 and Arrow cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:
        # Beyond 4,300 digits Python refuses decimal ones.
        return f'"{number:#x}"'


def _packed(code: str, numbers: Iterable[Any]) -> bytes:
    packed = array(code, numbers)
    if _IS_BIG_ENDIAN:
        packed.byteswap()
    return packed.tobytes()


def _unpacked(code: str, data: memoryview) -> list[Any]:
    numbers = array(code)
    numbers.frombytes(data)
    if _IS_BIG_ENDIAN:
        numbers.byteswap()
    return numbers.tolist()


def decode_rows(payload: bytes) -> RowBlock:
    """
    Where keys, types and columns lie in a payload.

    Raises:
        DamagedDataError: `journal-damaged`: lengths do not add up, or the schema is none.
    Cost: 1 us and 0.3 us a key; nothing is copied.
    """
    view = memoryview(payload)
    try:
        length, count = _COUNTS.unpack_from(payload)
        at = _COUNTS.size + length
        schema = payload[_COUNTS.size : at]
        keys, types = _schemas.get(schema) or _read_schema(schema)
        seq, step, time = (view[at + part * 8 * count :][: 8 * count] for part in range(3))
        at += _LEADING_BYTES * count
        columns = []
        for kind in types:
            width = _WIDTHS.get(kind)
            size = _texts_size(view[at:], count) if width is None else width * count
            columns.append(view[at : at + size])
            at += size + -size % 8
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(str(error)) from error
    if at != len(payload):
        raise _damaged(f"its columns need {at:,} bytes, it has {len(payload):,}")
    return RowBlock(schema, keys, types, count, seq, step, time, tuple(columns))


def _read_schema(schema: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    described = json.loads(schema.decode("utf-8"))
    keys, types = tuple(described["keys"]), tuple(described["types"])
    if len(keys) != len(types) or not _TYPES.issuperset(types):
        raise ValueError(f"its columns are of types {types}")
    for key in keys:
        # An escape may stand for half a surrogate.
        key.encode("utf-8")
    if len(_schemas) >= _SCHEMAS_KEPT:
        _schemas.clear()
    _schemas[schema] = keys, types
    return keys, types


def _texts_size(data: memoryview, count: int) -> int:
    if len(data) < 4 * count:
        raise ValueError("a column of texts is cut short")
    lengths: list[int] = _unpacked("I", data[: 4 * count])
    return 4 * count + sum(lengths)


def values_of(block: RowBlock) -> list[list[Any]]:
    """
    The values of each key as Python has them; of JSON columns the texts.

    Raises:
        DamagedDataError: `journal-damaged`: text that is not UTF-8.
    """
    pairs = zip(block.types, block.columns, strict=True)
    return [_decode_column(kind, data, block.count) for kind, data in pairs]


def _decode_column(kind: str, data: memoryview, count: int) -> list[Any]:
    if kind == FLOAT:
        return _unpacked("d", data)
    if kind == INT:
        return _unpacked("q", data)
    if kind == BOOL:
        return [bool(value) for value in data]
    if kind == NONE:
        return [None] * count
    texts, at = [], 4 * count
    try:
        for length in _unpacked("I", data[:at]):
            texts.append(str(data[at : at + length], "utf-8"))
            at += length
    except ValueError as error:
        raise _damaged(str(error)) from error
    return texts


def _damaged(found: str) -> DamagedDataError:
    return DamagedDataError(
        f"a block of rows in a journal is damaged: {found}", code="journal-damaged", found=found
    )

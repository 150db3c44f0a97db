"""
The description of a stored table: bytes <-> values, without I/O.

docs/format/table.md section 6. It is the content of a table's entry in a manifest,
stored in chunks like a file. Integers are little-endian.

    0   8 B  magic "ARTTABL1"
    8   u32  bytes of the header, u32 extents, u32 leaves
    20  header: canonical JSON
        extents, 12 B each: u32 fragment, u32 first row in it, u32 rows
        leaves, 36 B each: u32 rows, digest
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from artstore import canonical, limits
from artstore.digest import Hasher, parse_digest
from artstore.errors import ArtstoreError, DamagedDataError, UnsupportedFormatError
from artstore.packs.locator import PUSH_ID_BYTES
from artstore.tables.fragments import Fragment
from artstore.tables.leaves import LeafList
from artstore.tables.schema import COLUMNS_MAX, Schema

__all__ = ["Extent", "TableFile", "decode_table", "encode_table", "table_digest"]

_MAGIC: Final = b"ARTTABL1"
_HEAD: Final = struct.Struct("<8sIII")
_FORMAT: Final = 1
_DOMAIN: Final = b"artstore table digest v1\0"
HEADER_MAX_BYTES: Final = 64 * limits.MIB
"""FORMAT: of the header; 400,000 fragments have 60 MB."""

_EXTENT: Final = np.dtype([("fragment", "<u4"), ("first", "<u4"), ("count", "<u4")])
_LEAF: Final = np.dtype([("count", "<u4"), ("digest", "V32")])
_FRAGMENT_ROWS_MAX: Final = 1 << 31


class Extent(NamedTuple):
    """Successive rows of a table that lie one after the other in a fragment."""

    fragment: int
    first: int
    row_count: int


@dataclass(frozen=True, slots=True)
class TableFile:
    """
    A stored table.

    Attributes:
        schema: of the table; each fragment has it or a narrower one.
        row_count: rows.
        stored_schemas: those of the fragments.
        fragments: the Parquet files.
        extents: the rows in order.
        leaves: digests of the rows in order.
        keys: `primary_key`: names of columns; `foreign_keys`: for a column the
            table and the column it points to; other names are passed over.
    """

    schema: Schema
    row_count: int
    stored_schemas: tuple[Schema, ...]
    fragments: tuple[Fragment, ...]
    extents: tuple[Extent, ...]
    leaves: LeafList
    keys: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> bytes:
        """The digest of schema, keys and rows."""
        return table_digest(self.schema, self.keys, self.leaves)


def table_digest(schema: Schema, keys: Mapping[str, Any], leaves: LeafList) -> bytes:
    """
    BLAKE3 over a domain tag, the length and the canonical JSON of columns and keys, and all leaves.

    How rows are spread over fragments makes no difference.
    """
    told = canonical.encode({"columns": schema.to_json(), "keys": dict(keys)}, what="columns")
    hasher = Hasher(_DOMAIN)
    hasher.update(len(told).to_bytes(4, "little"))
    hasher.update(told)
    hasher.update(_leaf_bytes(leaves))
    return hasher.digest()


def _leaf_bytes(leaves: LeafList) -> bytes:
    records = np.empty(len(leaves), _LEAF)
    records["count"] = leaves.counts
    records["digest"] = np.frombuffer(bytes(leaves.digests), "V32")
    return records.tobytes()


def encode_table(table: TableFile) -> bytes:
    """Table -> bytes."""
    header = canonical.encode(
        {
            "format": _FORMAT,
            "row_count": table.row_count,
            "columns": table.schema.to_json(),
            "stored_columns": [schema.to_json() for schema in table.stored_schemas],
            "fragments": [
                [part.digest.hex(), part.push.hex(), part.size_bytes, part.row_count, part.columns]
                for part in table.fragments
            ],
            "keys": dict(table.keys),
        },
        what="the description of a table",
    )
    head = _HEAD.pack(_MAGIC, len(header), len(table.extents), len(table.leaves))
    extents = np.array(table.extents, "<u4").reshape(-1, 3).tobytes()
    return b"".join((head, header, extents, _leaf_bytes(table.leaves)))


def decode_table(data: bytes, *, where: str) -> TableFile:
    """
    Bytes -> table, every count and place checked.

    Raises:
        DamagedDataError: `table-damaged`.
        UnsupportedFormatError: `format-unsupported`.
    """
    try:
        return _decode(data, where)
    except (DamagedDataError, UnsupportedFormatError):
        raise
    except (ArtstoreError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(where, str(error)) from error


def _decode(data: bytes, where: str) -> TableFile:
    if len(data) < _HEAD.size or data[:8] != _MAGIC:
        raise _damaged(where, "it does not describe a table")
    _, header_bytes, extent_count, leaf_count = _HEAD.unpack_from(data)
    extents_at = _HEAD.size + header_bytes
    leaves_at = extents_at + _EXTENT.itemsize * extent_count
    expected = leaves_at + _LEAF.itemsize * leaf_count
    if header_bytes > HEADER_MAX_BYTES or len(data) != expected:
        raise _damaged(where, f"it has {len(data)} bytes, not {expected}")
    header = canonical.decode(data[_HEAD.size : extents_at], what=where)
    if not isinstance(header, dict):
        raise _damaged(where, "its header is no object")
    if type(header.get("format")) is not int:
        raise _damaged(where, "its header states no format")
    if header["format"] != _FORMAT:
        raise UnsupportedFormatError(
            f"{where} has format {header.get('format')}, this release reads {_FORMAT}",
            code="format-unsupported",
            hint="upgrade artstore",
        )
    stored = tuple(Schema.from_json(one, where=where) for one in header["stored_columns"])
    fragments = tuple(_fragment(value, len(stored)) for value in header["fragments"])
    records = np.frombuffer(data, _EXTENT, extent_count, extents_at)
    extents = tuple(Extent(*record) for record in records.tolist())
    leaves = _leaves(np.frombuffer(data, _LEAF, leaf_count, leaves_at))
    schema = Schema.from_json(header["columns"], where=where)
    keys = header["keys"]
    if not isinstance(keys, dict):
        raise _damaged(where, "its keys are no object")
    table = TableFile(schema, header["row_count"], stored, fragments, extents, leaves, keys)
    _check(table, where)
    return table


def _check(table: TableFile, where: str) -> None:
    names = table.schema.names
    if len(set(names)) != len(names) or len(names) > COLUMNS_MAX:
        raise _damaged(where, "a column twice, or too many")
    if any(schema.names != names for schema in table.stored_schemas):
        raise _damaged(where, "fragments with other columns")
    if not all(map(table.schema.holds, table.stored_schemas)):
        raise _damaged(where, "fragments with types that the table has not")
    for extent in table.extents:
        if extent.fragment >= len(table.fragments) or not extent.row_count:
            raise _damaged(where, "an extent of no fragment")
        if extent.first + extent.row_count > table.fragments[extent.fragment].row_count:
            raise _damaged(where, "an extent beyond the end of its fragment")
    ends: dict[int, int] = {}
    for extent in sorted(table.extents):
        if extent.first < ends.get(extent.fragment, 0):
            raise _damaged(where, "rows of a fragment twice")
        ends[extent.fragment] = extent.first + extent.row_count
    counts = (sum(extent.row_count for extent in table.extents), sum(table.leaves.counts))
    is_sound = type(table.row_count) is int and 0 not in table.leaves.counts
    if not is_sound or counts != (table.row_count, table.row_count):
        raise _damaged(where, "its counts of rows disagree")


def _fragment(value: Sequence[Any], schemas: int) -> Fragment:
    digest, push, size_bytes, row_count, columns = value
    key = bytes.fromhex(push)
    if len(key) != PUSH_ID_BYTES or push != key.hex():
        raise ValueError(f"{push!r} is no push")
    counts = (size_bytes, row_count, columns)
    if any(type(count) is not int or count < 0 for count in counts) or columns >= schemas:
        raise ValueError("the record of a fragment")
    if row_count >= _FRAGMENT_ROWS_MAX:
        raise ValueError("a fragment with too many rows")
    return Fragment(parse_digest(digest), key, size_bytes, row_count, columns)


def _leaves(records: Any) -> LeafList:
    counts = array("I")
    counts.frombytes(np.ascontiguousarray(records["count"], "=u4").tobytes())
    assert counts.itemsize == 4
    return LeafList(counts, bytearray(np.ascontiguousarray(records["digest"]).tobytes()))


def _damaged(where: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: {found}", code="table-damaged", where=where, found=found
    )

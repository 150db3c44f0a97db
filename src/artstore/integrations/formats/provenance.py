"""
Where exported rows came from: a small JSON beside them, or inside the files.

    {"artstore_export": 1, "format": "csv", "primary_key": ["id"],
     "sources": [{"table": "project/name:v3/path", "digest": "<hex>"}],
     "columns": [["id", "int"], ["image", {...}]], "layout": {...}}

`columns` are the types, as docs/format/table.md writes them, so that an import gives
back the very types. `layout` is what a format has to remember.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artstore.errors import ArtstoreError
from artstore.integrations.formats.failures import damaged, reading
from artstore.names import check_collection_name, check_entry_path, check_project_name
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.reading import RowReader
from artstore.tables.schema import Schema
from artstore.tables.table import Table

__all__ = ["FILE_NAME", "Provenance", "provenance_of", "read_provenance"]

FILE_NAME: Final = "artstore-table.json"
"""Not `artstore.json`: a directory with that is a store."""

_FORMAT: Final = 1
_TABLE: Final = re.compile(r"([^/:]+)/([^/:]+):v(\d+)/(.+)")
_MAX_BYTES: Final = 64 * 1024 * 1024
_SOURCES_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Provenance:
    """
    What is said of an export.

    Attributes:
        sources: names of tables, `project/name:v3/path`, and their digests, if known.
        primary_key: names of columns.
        schema: of the rows; None if the columns speak for themselves.
    """

    format: str
    sources: tuple[tuple[str, str | None], ...] = ()
    primary_key: tuple[str, ...] = ()
    schema: Schema | None = None
    layout: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """As JSON."""
        value = {
            "artstore_export": _FORMAT,
            "format": self.format,
            "sources": [{"table": name, "digest": digest} for name, digest in self.sources],
            "primary_key": list(self.primary_key),
            "columns": None if self.schema is None else self.schema.to_json(),
            "layout": dict(self.layout),
        }
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    @classmethod
    def decode(cls, data: bytes, *, where: str) -> Provenance:
        """
        Inverse of `encode`; other members are passed over.

        Raises:
            DamagedDataError: `exchange-file-damaged`.
        """
        try:
            value = json.loads(data)
            if value["artstore_export"] != _FORMAT:
                raise ValueError("it is written by a newer release")
            columns = value["columns"]
            schema = None if columns is None else Schema.from_json(columns, where=where)
            key = tuple(map(_text, value["primary_key"]))
            if schema is not None and not set(key) <= set(schema.names):
                raise ValueError("its key is no column")
            sources = tuple(
                (_name(one["table"]), _digest(one["digest"])) for one in value["sources"]
            )
            return cls(_text(value["format"]), sources, key, schema, dict(value["layout"]))
        except (ArtstoreError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise damaged(where, f"it does not tell where rows came from ({error})") from error


def provenance_of(
    reader: RowReader, format_name: str, layout: Mapping[str, Any] | None = None
) -> Provenance:
    """What an export of these rows says of them."""
    key: tuple[str, ...] = ()
    if isinstance(reader, Table):
        key = tuple(reader.keys.get("primary_key", ()))
    sources: dict[str, str | None] = {}
    for table in _tables_of(reader):
        if table.home is None:
            sources |= dict.fromkeys(table.source_names)
        else:
            stored = table.stored
            sources[table.home.name] = None if stored is None else stored.digest().hex()
    return Provenance(format_name, tuple(sources.items()), key, reader.schema, layout or {})


def read_provenance(path: str) -> Provenance | None:
    """
    What the file at `path` says; None if there is none.

    Raises:
        DamagedDataError: `exchange-file-damaged`.
    """
    if not os.path.lexists(path):
        return None
    with reading(path), open(path, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise damaged(path, f"it has more than {_MAX_BYTES:,} bytes")
    return Provenance.decode(data, where=path)


def _tables_of(reader: RowReader) -> list[Table]:
    if isinstance(reader, JoinedTable):
        return [reader.left, reader.right]
    if isinstance(reader, PartitionedTable):
        return list(reader.parts)[:_SOURCES_MAX]
    return [reader] if isinstance(reader, Table) else []


def _name(value: Any) -> str:
    match = _TABLE.fullmatch(_text(value))
    if match is None:
        raise ValueError(f"{value!r:.100} is no name of a table")
    check_project_name(match[1])
    check_collection_name(match[2])
    check_entry_path(match[4])
    return match[0]


def _digest(value: Any) -> str | None:
    if value is not None and not re.fullmatch("[0-9a-f]{64}", _text(value)):
        raise ValueError(f"{value!r:.100} is no digest")
    return None if value is None else str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.100} is not text")
    return value

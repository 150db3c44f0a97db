"""
What tells which rows of several tables are the same one: columns, digests of images, or places.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from artstore.errors import InvalidInputError
from artstore.tables.engine import ROW, quoted
from artstore.tables.exploring.running import Relation, fetched
from artstore.tables.exploring.sources import Source, source_of
from artstore.tables.joined import JoinedTable
from artstore.tables.joinkeys import comparable, key_sql
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.reading import RowReader
from artstore.tables.table import Table
from artstore.tables.types import (
    FLOAT64,
    NULL,
    ColumnType,
    Decimal,
    Media,
    Plain,
    Timestamp,
    Union,
)
from artstore.tables.widening import widened

__all__ = [
    "CompareKey",
    "check_key",
    "default_key",
    "key_type",
    "key_values",
    "possible_keys",
    "row_key",
]

_KINDS: Final = ("columns", "digest", "position")
_IMAGE: Final = "image-file"
_ID: Final = "id"


@dataclass(frozen=True, slots=True)
class CompareKey:
    """
    How rows of several tables find each other.

    Attributes:
        kind: `columns`, whose values are equal; `digest`, that of a column of images; or
            `position`, the number of the row.
        columns: that all tables have; one column of images for `digest`, none for `position`.
    """

    kind: str
    columns: tuple[str, ...] = ()


def possible_keys(readers: Sequence[RowReader]) -> list[CompareKey]:
    """
    All keys of one column that tables can be compared by, the likeliest first.

    Primary keys that they share, the column `id`, other columns whose types can be compared,
    columns of images, and the position.
    """
    found = [CompareKey("columns", key) for key in _shared_primary_keys(readers)]
    names = _shared(readers)
    plain = [name for name in names if _is_key(readers, (name,)) and _has_cells(readers, name)]
    plain.sort(key=lambda name: name != _ID)
    found += [CompareKey("columns", (name,)) for name in plain]
    found += [CompareKey("digest", (name,)) for name in names if _is_image(readers, name)]
    return [*dict.fromkeys(found), CompareKey("position")]


def default_key(readers: Sequence[RowReader]) -> CompareKey:
    """
    The primary key, if all tables have the same one; else a unique `id`; else the digest of
    images; else the position.

    Cost: without a primary key, a scan of the column `id`.
    """
    primary = _shared_primary_keys(readers)
    if primary:
        return CompareKey("columns", primary[0])
    names = _shared(readers)
    is_shared = _ID in names and _is_key(readers, (_ID,)) and _has_cells(readers, _ID)
    if is_shared and _is_unique(readers, _ID):
        return CompareKey("columns", (_ID,))
    images = [name for name in names if _is_image(readers, name)]
    return CompareKey("digest", (images[0],)) if images else CompareKey("position")


def row_key(readers: Sequence[RowReader]) -> CompareKey | None:
    """
    What one row of the first table is looked for by in the others; None if they share nothing.

    As `default_key`, but no cell is read, and a position says nothing about one row.
    """
    primary = _shared_primary_keys(readers)
    if primary:
        return CompareKey("columns", primary[0])
    names = _shared(readers)
    if _ID in names and _is_key(readers, (_ID,)) and _has_cells(readers, _ID):
        return CompareKey("columns", (_ID,))
    images = [name for name in names if _is_image(readers, name)]
    return CompareKey("digest", (images[0],)) if images else None


def check_key(readers: Sequence[RowReader], key: CompareKey) -> None:
    """
    Raises:
        InvalidInputError: `value-invalid`, `join-key-unknown`, `join-key-type`.
    """
    counts = {"columns": key.columns, "digest": len(key.columns) == 1, "position": not key.columns}
    if key.kind not in _KINDS or not counts[key.kind] or len(set(key.columns)) < len(key.columns):
        raise InvalidInputError(
            f"{key.kind!r} of {list(key.columns)!r:.200} is no key to compare by",
            code="value-invalid",
            hint="columns by name, the digest of one column of images, or the position",
        )
    for at, reader in enumerate(readers):
        for name in key.columns:
            if name not in reader.schema.names:
                raise InvalidInputError(
                    f"table {at} has no column {name!r} to compare by, "
                    f"only {', '.join(reader.columns)[:200]}",
                    code="join-key-unknown",
                    column=name,
                )
    for name in key.columns:
        is_good = _is_image(readers, name) if key.kind == "digest" else _is_key(readers, (name,))
        if not is_good:
            kinds = ", ".join(str(kind)[:80] for kind in dict.fromkeys(_types(readers, name)))
            raise InvalidInputError(
                f"tables are not compared by the {key.kind} {name!r}: it is {kinds}",
                code="join-key-type",
                hint="choose another key, or the position",
                column=name,
            )


def key_type(kinds: Sequence[ColumnType]) -> ColumnType:
    """The type of a column of keys of these types, which are comparable."""
    found = reduce(widened, kinds)
    if not isinstance(found, Union):
        return found
    known = [kind for kind in kinds if kind != NULL]
    if isinstance(known[0], Timestamp):
        return Timestamp("us", "UTC" if known[0].zone else None)
    if all(isinstance(kind, Plain) and not kind.name.startswith("float") for kind in known):
        return Decimal(20, 0)
    return FLOAT64


def key_values(readers: Sequence[RowReader], key: CompareKey) -> list[list[str]]:
    """
    SQL for the parts of a key, of each table, from a row of its view; null equals nothing.

    Args:
        key: of columns or digests.
    """
    if key.kind == "digest":
        return [[f"{quoted(key.columns[0])}.digest"] for _ in readers]
    others = [_told_type(_types(readers, name)) for name in key.columns]
    return [
        [
            key_sql(quoted(name), reader.schema.type_of(name), other)
            for name, other in zip(key.columns, others, strict=True)
        ]
        for reader in readers
    ]


def _told_type(kinds: Sequence[ColumnType]) -> ColumnType:
    """One of the types that is not of nothing, if there is one."""
    return next((kind for kind in kinds if kind != NULL), NULL)


def _types(readers: Sequence[RowReader], name: str) -> list[ColumnType]:
    return [reader.schema.type_of(name) for reader in readers]


def _shared(readers: Sequence[RowReader]) -> list[str]:
    """Columns that all have, in the order of the first."""
    others = [set(reader.schema.names) for reader in readers[1:]]
    return [name for name in readers[0].schema.names if all(name in other for other in others)]


def _is_key(readers: Sequence[RowReader], names: Sequence[str]) -> bool:
    for name in names:
        kinds = _types(readers, name)
        if not all(comparable(one, two) for one, two in itertools.combinations(kinds, 2)):
            return False
    return True


def _has_cells(readers: Sequence[RowReader], name: str) -> bool:
    return any(kind != NULL for kind in _types(readers, name))


def _is_image(readers: Sequence[RowReader], name: str) -> bool:
    return all(isinstance(kind, Media) and kind.kind == _IMAGE for kind in _types(readers, name))


def _shared_primary_keys(readers: Sequence[RowReader]) -> list[tuple[str, ...]]:
    """The primary key of all tables, if they have one and the same."""
    keys = {_primary_key(reader) for reader in readers}
    key = keys.pop()
    names = set(_shared(readers))
    if keys or not key or not names.issuperset(key) or not _is_key(readers, key):
        return []
    return [key]


def _primary_key(reader: RowReader) -> tuple[str, ...]:
    if isinstance(reader, JoinedTable):
        key = _primary_key(reader.left)
        return key if set(key) <= set(reader.schema.names) else ()
    if isinstance(reader, PartitionedTable):
        keys = {_primary_key(part) for part in reader.parts}
        return keys.pop() if len(keys) == 1 else ()
    return tuple(reader.keys.get("primary_key", ())) if isinstance(reader, Table) else ()


def _is_unique(readers: Sequence[RowReader], name: str) -> bool:
    """Whether no value is in a column twice, and none is missing."""
    return all(_has_no_twins(source_of(reader), name) for reader in readers)


def _has_no_twins(source: Source, name: str) -> bool:
    relation = Relation(f"SELECT {quoted(name)} AS k, {ROW} FROM main.{source.view}", source.views)
    found = fetched(f"SELECT count(DISTINCT k) = count(*) AS u FROM ({relation.sql})", (relation,))
    return bool(found["u"][0].as_py())

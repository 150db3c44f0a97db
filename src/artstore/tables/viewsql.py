"""
The SQL that shows fragments as the rows of one table. Only names and files of ours go into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.schema import Schema
from artstore.tables.tablefile import TableFile
from artstore.tables.types import (
    NULL,
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Media,
    Plain,
    Struct,
    Timestamp,
    Union,
)
from artstore.tables.widening import tag_of, tag_within

__all__ = [
    "ROW",
    "FragmentFile",
    "arrow_sql",
    "cast_sql",
    "casts_of",
    "check_names",
    "dead_rows",
    "engine_table",
    "files_of",
    "gaps_of",
    "live_ranges",
    "partial_sql",
    "quoted",
    "ranges_sql",
    "scan_sql",
    "sql_type",
    "text_sql",
    "whole_sql",
]

ROW: Final = "__row__"
"""The number of a row in its table; a column of the views with positions."""

_FILE: Final = "__file__"
_RESERVED: Final = frozenset((ROW, _FILE, "file_index", "file_row_number"))
"""Names that a file shown as a table has for itself, in any case."""


_SQL_TYPES: Final = {
    "null": "INTEGER",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "bytes": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "int": "BIGINT",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float16": "FLOAT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
}


@dataclass(frozen=True, slots=True)
class FragmentFile:
    """A fragment as the engine reads it: its file, its columns, which rows, and where they go."""

    path: str
    columns: int
    row_count: int
    extents: tuple[tuple[int, int, int], ...]

    @property
    def is_whole(self) -> bool:
        """Whether all of its rows are in the table, one after the other."""
        return len(self.extents) == 1 and self.extents[0][1] == self.row_count


def files_of(stored: TableFile, paths: Sequence[str]) -> list[FragmentFile]:
    """The fragments of a table with what of them is in it."""
    extents: dict[int, list[tuple[int, int, int]]] = {}
    at = 0
    for extent in stored.extents:
        extents.setdefault(extent.fragment, []).append((extent.first, extent.row_count, at))
        at += extent.row_count
    return [
        FragmentFile(
            paths[number],
            stored.fragments[number].columns,
            stored.fragments[number].row_count,
            tuple(sorted(found)),
        )
        for number, found in extents.items()
    ]


def gaps_of(file: FragmentFile) -> list[tuple[int, int]]:
    """Runs of rows of a file that are not in the table: the first and how many."""
    gaps, at = [], 0
    for first, count, _ in (*file.extents, (file.row_count, 0, 0)):
        if first > at:
            gaps.append((at, first - at))
        at = first + count
    return gaps


def scan_sql(files: Sequence[FragmentFile], *, rows: bool = False) -> str:
    """What a query reads files with; `rows` adds `file_row_number`."""
    listed = ", ".join(text_sql(file.path) for file in files)
    return f"read_parquet([{listed}]{', file_row_number=true' if rows else ''})"


def whole_sql(files: Sequence[FragmentFile], casts: str, *, with_rows: bool = False) -> str:
    """All rows of files that are in the table as a whole; with the number of each row."""
    if not with_rows:
        return f"SELECT {casts} FROM {scan_sql(files)} t"
    starts = ", ".join(str(file.extents[0][2]) for file in files)
    number = f"t.file_row_number + ([{starts}]::BIGINT[])[(t.file_index + 1)::BIGINT] AS {ROW}"
    return f"SELECT {casts}, {number} FROM {scan_sql(files, rows=True)} t"


def dead_rows(files: Sequence[FragmentFile]) -> Any:
    """An Arrow table of the rows (`f` file, `r` row) that are in files and not in the table."""
    numbers, rows = [], []
    for number, file in enumerate(files):
        for first, count in gaps_of(file):
            numbers.append(np.full(count, number, np.uint64))
            rows.append(np.arange(first, first + count))
    return pa.table({"f": np.concatenate(numbers), "r": np.concatenate(rows)})


def live_ranges(files: Sequence[FragmentFile]) -> Any:
    """An Arrow table of ranges of rows: `f` file, `first` row, `n` rows, `start` in the table."""
    ranges = sorted(
        (number, first, count, start)
        for number, file in enumerate(files)
        for first, count, start in file.extents
    )
    columns = zip(("f", "first", "n", "start"), zip(*ranges, strict=True), strict=True)
    kinds = {"f": pa.uint64()}
    return pa.table({name: pa.array(c, kinds.get(name, pa.int64())) for name, c in columns})


def partial_sql(files: Sequence[FragmentFile], casts: str, dead: str) -> str:
    """Rows of files without those that `dead` lists, in no order."""
    return (
        f"SELECT {casts} "
        f"FROM (SELECT *, file_index AS {_FILE} FROM {scan_sql(files, rows=True)}) t "
        f"ANTI JOIN {dead} d ON d.f = t.{_FILE} AND d.r = t.file_row_number"
    )


def ranges_sql(
    files: Sequence[FragmentFile], casts: str, ranges: str, *, with_rows: bool = False
) -> str:
    """As `partial_sql`, by ranges of rows that are in the table; with the number of each row."""
    number = f", t.file_row_number - e.first + e.start AS {ROW}" if with_rows else ""
    return (
        f"SELECT {casts}{number} "
        f"FROM (SELECT *, file_index AS {_FILE} FROM {scan_sql(files, rows=True)}) t "
        f"ASOF JOIN {ranges} e ON e.f = t.{_FILE} AND t.file_row_number >= e.first "
        "WHERE t.file_row_number < e.first + e.n"
    )


# types ----------------------------------------------------------------------------------


def casts_of(stored: TableFile, columns: int, names: Sequence[str] | None = None) -> str:
    """The columns of a stored schema as those of the table; of `names` only, if given."""
    source = stored.stored_schemas[columns]
    have = dict(zip(source.names, source.types, strict=True))
    casts = []
    chosen = stored.schema.only(names)
    for name, wanted in zip(chosen.names, chosen.types, strict=True):
        column = f"t.{quoted(name)}"
        casts.append(f"{cast_sql(column, have[name], wanted)} AS {quoted(name)}")
    return ", ".join(casts) or "1"


def cast_sql(value: str, have: ColumnType, wanted: ColumnType) -> str:
    """SQL for `value` in the type `wanted`, which is `have` or wider."""
    if have == NULL:
        return f"CAST(NULL AS {sql_type(wanted)})"
    if arrow_type(have) == arrow_type(wanted):
        return value
    if isinstance(have, Duration) and isinstance(wanted, Duration):
        return f"({value} * 1000)"
    if isinstance(have, Decimal) and isinstance(wanted, Decimal) and wanted.is_wide:
        text = f"CAST({value} AS VARCHAR)"
        return f"rtrim(rtrim({text}, '0'), '.')" if have.scale else text
    if isinstance(wanted, Union):
        return _cast_union(value, have, wanted)
    if isinstance(have, (Struct, Media)) and isinstance(wanted, (Struct, Media)):
        return _cast_struct(value, _fields(have), _fields(wanted))
    if isinstance(have, List) and isinstance(wanted, List):
        return f"list_transform({value}, lambda x: {cast_sql('x', have.element, wanted.element)})"
    if isinstance(have, Array) and isinstance(wanted, Array):
        shape = f"[{', '.join(map(str, have.shape or ()))}]::BIGINT[]"
        return _unless_null(value, f"struct_pack(shape := {shape}, values := {value})")
    return f"CAST({value} AS {sql_type(wanted)})"


def _cast_union(value: str, have: ColumnType, wanted: Union) -> str:
    members = have.members if isinstance(have, Union) else ((tag_of(have), have),)
    held = {tag_within(member, wanted): (name, member) for name, member in members}
    parts = []
    for tag, target in wanted.members:
        if tag not in held:
            part = f"CAST(NULL AS {sql_type(target)})"
        else:
            name, member = held[tag]
            found = f"{value}.{quoted(name)}" if isinstance(have, Union) else value
            part = cast_sql(found, member, target)
        parts.append(f"{quoted(tag)} := {part}")
    return _unless_null(value, f"struct_pack({', '.join(parts)})")


def _cast_struct(
    value: str, have: Mapping[str, ColumnType], wanted: Mapping[str, ColumnType]
) -> str:
    parts = [
        f"{quoted(name)} := "
        + (
            cast_sql(f"{value}.{quoted(name)}", have[name], kind)
            if name in have
            else f"CAST(NULL AS {sql_type(kind)})"
        )
        for name, kind in wanted.items()
    ]
    return _unless_null(value, f"struct_pack({', '.join(parts)})")


def _fields(kind: Struct | Media) -> dict[str, ColumnType]:
    return dict(kind.fields if isinstance(kind, Struct) else kind.cell.fields)


def _unless_null(value: str, made: str) -> str:
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {made} END"


def sql_type(kind: ColumnType) -> str:
    """The type of DuckDB that holds a column."""
    if isinstance(kind, Plain):
        return _SQL_TYPES[kind.name]
    if isinstance(kind, Timestamp):
        local = "TIMESTAMP_NS" if kind.unit == "ns" else "TIMESTAMP"
        return "TIMESTAMPTZ" if kind.zone else local
    if isinstance(kind, Duration):
        return "BIGINT"
    if isinstance(kind, Decimal):
        return "VARCHAR" if kind.is_wide else f"DECIMAL({kind.precision}, {kind.scale})"
    if isinstance(kind, List):
        return f"{sql_type(kind.element)}[]"
    if isinstance(kind, Array):
        values = f"{_SQL_TYPES[kind.dtype]}[]"
        return values if kind.shape is not None else f"STRUCT(shape BIGINT[], values {values})"
    if isinstance(kind, Media):
        return sql_type(kind.cell)
    members = kind.fields if isinstance(kind, Struct) else kind.members
    told = [f"{quoted(name)} {sql_type(member)}" for name, member in members]
    return f"STRUCT({', '.join(told or ['_ BOOLEAN'])})"


def engine_table(data: Any) -> Any:
    """An Arrow table of ours with the types that the engine reads from fragments."""
    fields = [field.with_type(_engine_type(field.type)) for field in data.schema]
    return data.cast(pa.schema(fields))


def arrow_sql(name: str, schema: Any) -> str:
    """
    All rows of an Arrow table with the column `ROW`, registered under a name.

    Comparisons of its columns are made by Arrow, for which NaN is not larger than other numbers;
    those of an expression are not.
    """
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    plain = (f"CASE WHEN {ROW} >= 0 THEN {quoted(one)} END AS {quoted(one)}" for one in floats)
    replaced = f" REPLACE ({', '.join(plain)})" if floats else ""
    return f"SELECT *{replaced} FROM {name}"


def _engine_type(found: Any) -> Any:
    """The Arrow type of what the engine reads where Parquet has `found`."""
    if pa.types.is_null(found):
        return pa.int32()
    if pa.types.is_duration(found):
        return pa.int64()
    if pa.types.is_float16(found):
        return pa.float32()
    if pa.types.is_list(found):
        return pa.list_(found.value_field.with_type(_engine_type(found.value_type)))
    if pa.types.is_struct(found):
        fields = [found.field(at) for at in range(found.num_fields)]
        return pa.struct([field.with_type(_engine_type(field.type)) for field in fields])
    return found


def check_names(schema: Schema) -> None:
    """
    Refuse names that the engine takes for one another or for its own.

    Raises:
        InvalidInputError: `columns-invalid`.
    """
    for name in schema.names:
        if name.lower() in _RESERVED:
            raise _unqueryable(f"the column {name!r} has a name that queries use themselves")
    _check_cases(schema.names, "the columns")
    for name, kind in zip(schema.names, schema.types, strict=True):
        _check_members(kind, f"the members of {name!r}")


def _check_members(kind: ColumnType, what: str) -> None:
    if isinstance(kind, List):
        _check_members(kind.element, what)
    elif isinstance(kind, (Struct, Media, Union)):
        members = dict(kind.members) if isinstance(kind, Union) else _fields(kind)
        _check_cases(list(members), what)
        for name, member in members.items():
            _check_members(member, f"{what}, {name!r},")


def _check_cases(names: Sequence[str], what: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not name or "\0" in name:
            raise _unqueryable(f"{what} have the name {name!r}, which SQL has no way to write")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise _unqueryable(f"{what} {other!r} and {name!r} are one name to SQL")


def _unqueryable(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"the table cannot be queried: {why}",
        code="columns-invalid",
        hint="read its rows, or rename the column",
    )


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def text_sql(value: str) -> str:
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"

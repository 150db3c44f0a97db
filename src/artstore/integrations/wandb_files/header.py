"""What a table of W&B says of itself: all of its file but the rows, which are counted."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from artstore.integrations.wandb_files.arrays import ArraySource
from artstore.integrations.wandb_files.failures import Misfit, damaged_cell, damaged_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.jsonstream import JsonStream
from artstore.integrations.wandb_files.types import ANY, ForeignKey, WandbType, parse_type

__all__ = ["TableHeader", "raw_rows", "read_header"]


@dataclass(frozen=True, slots=True)
class TableHeader:
    """
    One `*.table.json`, without its rows.

    Attributes:
        columns: their names; numbers have become text.
        types: of each column.
        log_mode: `IMMUTABLE`, `MUTABLE`, `INCREMENTAL`, or None in old files.
        increment_number: which increment of an incremental table it is; None if it is none,
            and for the first one, which says so.
        previous: the paths of the increments before it, as the file names them.
    """

    path: str
    columns: tuple[str, ...]
    types: Mapping[str, WandbType]
    row_count: int
    log_mode: str | None
    increment_number: int | None
    previous: tuple[str, ...]

    def arrays(self) -> dict[str, ArraySource]:
        """The columns whose cells lie in npz files."""
        found = {}
        for column, kind in self.types.items():
            for one in (kind, *kind.members):
                place = one.params.get("serialization_path")
                if one.name == "ndarray" and place is not None:
                    found[column] = self._array(column, place, one.shape)
        return found

    def primary_key(self) -> str | None:
        """The column whose cells name the rows."""
        return next((c for c, kind in self.types.items() if kind.plain.name == "primaryKey"), None)

    def foreign_keys(self) -> dict[str, ForeignKey]:
        """The columns whose cells name rows of other tables."""
        found = {}
        for column, kind in self.types.items():
            if kind.plain.name not in ("foreignKey", "foreignIndex"):
                continue
            table, name = kind.plain.params.get("table"), kind.plain.params.get("col_name")
            if not isinstance(table, str) or not isinstance(name, (str, type(None))):
                raise damaged_file(self.path, f"column {column!r} names no table that it refers to")
            found[column] = ForeignKey(table, name if kind.plain.name == "foreignKey" else None)
        return found

    def _array(self, column: str, place: Any, shape: tuple[int, ...] | None) -> ArraySource:
        path, key = (place.get("path"), place.get("key")) if isinstance(place, dict) else (0, 0)
        if not isinstance(path, str) or not isinstance(key, str):
            raise damaged_file(self.path, f"column {column!r} does not say where its arrays lie")
        return ArraySource(path, key, shape)


def read_header(files: WandbFiles, path: str) -> TableHeader:
    """
    The header of a table, after all of its file was read once.

    Raises:
        DamagedDataError: `wandb-file-damaged`, `wandb-cell-damaged` for a row with more
            or fewer cells than there are columns.
        LimitExceededError: `limit-exceeded`.
    Cost: parses the file; memory for one row.
    """
    found: dict[str, Any] = {}
    widths: dict[int, int] = {}
    row_count = 0
    has_rows = False
    with files.open(path) as file:
        stream = JsonStream(file, path)
        for name in stream.members():
            if name == "data":
                has_rows = True
                for row_count, row in enumerate(stream.items(), 1):
                    if not isinstance(row, list):
                        raise damaged_cell(f"row {row_count - 1} of {path}", "it is not a list")
                    widths.setdefault(len(row), row_count - 1)
            else:
                found[name] = stream.value()
        stream.end()
    # What a run shows of a table says neither what it is nor of what types.
    if found.get("_type", "table") != "table":
        raise damaged_file(path, f"it says that it is of type {found['_type']!r:.40}, not a table")
    if not has_rows:
        raise damaged_file(path, "it has no rows: there is no member 'data'")
    columns = _columns(found.get("columns"), path)
    for width, row in widths.items():
        if width != len(columns):
            raise damaged_cell(
                f"row {row} of {path}",
                f"it has {width} cells, and there are {len(columns)} columns",
                file=path,
                row=row,
            )
    for name, there in (("nrows", row_count), ("ncols", len(columns))):
        if name in found and found[name] != there:
            raise damaged_file(path, f"{name} is {found[name]!r:.40}, and there are {there}")
    number = found.get("increment_num")
    return TableHeader(
        path=path,
        columns=columns,
        types=_types(found.get("column_types"), columns, path),
        row_count=row_count,
        log_mode=found["log_mode"] if isinstance(found.get("log_mode"), str) else None,
        increment_number=number if type(number) is int else None,
        previous=_texts(found.get("previous_increments_paths"), path),
    )


def raw_rows(files: WandbFiles, path: str) -> Generator[list[Any], None, None]:
    """The rows of a table as JSON has them. Raises as `read_header`."""
    with files.open(path) as file:
        stream = JsonStream(file, path)
        for name in stream.members():
            if name == "data":
                yield from stream.items()
            else:
                stream.value()


def _columns(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(type(name) in (str, int) for name in value):
        raise damaged_file(path, "its columns are not a list of names")
    names = tuple(map(str, value))
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise damaged_file(path, f"it has two columns called {double!r}")
    return names


def _types(value: Any, columns: tuple[str, ...], path: str) -> dict[str, WandbType]:
    if value is None:
        # Tables of W&B before 0.10.13 have none.
        return dict.fromkeys(columns, ANY)
    try:
        whole = parse_type(value)
    except Misfit as error:
        raise damaged_file(path, f"its column_types: {error}") from error
    if whole.name != "typedDict":
        raise damaged_file(path, f"its column_types are {whole}, not one for each column")
    return {name: whole.fields.get(name, ANY) for name in columns}


def _texts(value: Any, path: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise damaged_file(path, "previous_increments_paths is not a list of paths")
    return tuple(value)

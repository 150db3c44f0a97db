"""Joined and partitioned tables of W&B: files that name tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from artstore.integrations.wandb_files.failures import damaged_file, missing_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.jsonstream import decode_json

__all__ = ["WandbJoinedTable", "WandbPartitionedTable", "read_joined", "read_partitioned"]

_SMALL_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WandbJoinedTable:
    """
    Two tables and the columns by which their rows belong together.

    Attributes:
        path: of its file.
        left, right: the paths of the tables; each a table or a partitioned one.
        left_key, right_key: a column of each; both the same where W&B has one name.
    """

    path: str
    left: str
    right: str
    left_key: str
    right_key: str


@dataclass(frozen=True, slots=True)
class WandbPartitionedTable:
    """
    A table whose rows lie in the tables of a directory.

    Attributes:
        path: of its file.
        parts_path: the directory.
        parts: the paths of the tables below it, sorted.
    """

    path: str
    parts_path: str
    parts: tuple[str, ...]


def read_joined(files: WandbFiles, path: str) -> WandbJoinedTable:
    """
    A joined table whose two tables are there.

    Raises:
        DamagedDataError: `wandb-file-damaged`.
        NotFoundError: `wandb-file-missing` for one of its tables.
        InvalidInputError: `wandb-path-refused`, likewise.
    """
    record = _record(files, path, "joined-table")
    tables = [record.get("table1"), record.get("table2")]
    for table in tables:
        files.find(table, path)
    key = record.get("join_key")
    keys = [key, key] if isinstance(key, str) else key
    if not isinstance(keys, list) or len(keys) != 2 or not all(isinstance(k, str) for k in keys):
        raise damaged_file(path, f"its join_key is {key!r:.60}, and not a column or a pair of them")
    return WandbJoinedTable(path, str(tables[0]), str(tables[1]), str(keys[0]), str(keys[1]))


def read_partitioned(
    files: WandbFiles, path: str, tables: tuple[str, ...]
) -> WandbPartitionedTable:
    """
    A partitioned table.

    Args:
        tables: the paths of all tables.
    Raises:
        DamagedDataError: `wandb-file-damaged`.
        NotFoundError: `wandb-file-missing`: no table lies in its directory.
    """
    record = _record(files, path, "partitioned-table")
    parts_path = record.get("parts_path")
    if not isinstance(parts_path, str):
        raise damaged_file(path, "it does not say where its parts are")
    prefix = parts_path.strip("/") + "/"
    parts = tuple(table for table in tables if prefix == "/" or table.startswith(prefix))
    if not parts:
        raise missing_file(parts_path, path, "no table lies there")
    return WandbPartitionedTable(path, parts_path, parts)


def _record(files: WandbFiles, path: str, kind: str) -> dict[str, Any]:
    record = decode_json(files.read(path, _SMALL_BYTES), path)
    if not isinstance(record, dict) or record.get("_type") != kind:
        raise damaged_file(path, f"it is not a record of type {kind}")
    return record

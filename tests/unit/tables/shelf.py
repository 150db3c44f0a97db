"""
A place for tables without a store: fragments as files of a directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from artstore.tables.fragments import Fragment
from artstore.tables.storing import store_table
from artstore.tables.table import Table
from artstore.tables.tablefile import TableFile, decode_table, encode_table

__all__ = ["Shelf"]


class Shelf:
    """
    Stores tables as a push does, and gives them back as a version does.

    Attributes:
        stored_bytes: of all fragments so far.
        last_bytes: of those that the last table needed.
        opened: keys of fragments that were asked for.
    """

    version: Any = None
    path = "table.parquet"
    name = "project/name:v0/table"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stored_bytes = self.last_bytes = 0
        self.opened: list[str] = []
        self._pushes = 0

    def put(self, table: Table, parent: Table | None = None) -> Table:
        """Store a table, of which `parent` is the version before."""
        self._pushes += 1
        self.last_bytes = 0
        before = parent.stored if parent is not None else None
        push = self._pushes.to_bytes(8, "big")
        stored = store_table(table.built(), table.keys, before, push, self._put)
        return self.get(decode_table(encode_table(stored), where="the table"))

    def get(self, stored: TableFile) -> Table:
        """The table that a version has."""
        return Table.from_stored(stored, self)

    def _put(self, key: str, data: bytes) -> None:
        file = self._file(key)
        assert not file.exists(), "one key, two values"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.last_bytes += len(data)
        self.stored_bytes += len(data)

    def _file(self, key: str) -> Path:
        return self.directory / key

    def fragment_paths(self, fragments: Sequence[Fragment]) -> list[Path]:
        self.opened += [fragment.key for fragment in fragments]
        return [self._file(fragment.key) for fragment in fragments]

    def open_content(self, path: str) -> Any:
        raise AssertionError(path)

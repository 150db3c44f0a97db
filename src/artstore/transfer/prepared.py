"""
What is stored without ever having been a file: bytes in memory, and tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artstore.forks import LazyValue
from artstore.manifests.entry import FILE, TABLE, Entry

if TYPE_CHECKING:
    from artstore.tables.building import BuiltTable

__all__ = ["BytesItem", "TableItem"]


@dataclass(frozen=True, slots=True)
class BytesItem:
    """
    A file that is in memory, or waits in another one.

    Attributes:
        digest: of the bytes that `read` gives.
    """

    path: str
    size_bytes: int
    digest: bytes
    read: Callable[[], bytes]

    @property
    def kind(self) -> str:
        """That of its entry."""
        return FILE

    @property
    def entry(self) -> Entry:
        """Its entry, as far as it is known before it is stored."""
        return Entry(self.path, FILE, self.size_bytes, self.digest)


class TableItem:
    """
    A table to be stored under a path.

    Args:
        keys: primary and foreign keys, part of the digest.
        sources: tables that it was made of by a query, for lineage.
    """

    def __init__(
        self,
        path: str,
        built: BuiltTable,
        keys: Mapping[str, Any],
        sources: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.built = built
        self.keys = keys
        self.sources = sources

    def with_keys(self, keys: Mapping[str, Any]) -> TableItem:
        """The same rows with other keys."""
        return TableItem(self.path, self.built, keys, self.sources)

    @property
    def kind(self) -> str:
        """That of its entry."""
        return TABLE

    @property
    def entry(self) -> Entry:
        """Its entry, as far as it is known before it is stored."""
        extra = {"row_count": self.built.row_count}
        return Entry(self.path, TABLE, 0, self.digest, extra=extra)

    @LazyValue
    def digest(self) -> bytes:
        """The digest of schema, keys and rows. Cost: one pass over the list of leaves."""
        from artstore.tables.tablefile import table_digest

        return table_digest(self.built.schema, self.keys, self.built.leaves())

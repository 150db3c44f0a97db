"""
Storing tables within a push: their new fragments, and what they rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from artstore.digest import Buffer
from artstore.errors import NotFoundError
from artstore.manifests.entry import TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.packs.reader import PackReader
from artstore.transfer.prepared import TableItem

if TYPE_CHECKING:
    from artstore.tables.tablefile import TableFile

__all__ = ["TableSending"]


class TableSending:
    """
    The tables of one push.

    Args:
        put: stores a value; durable before the version is published.
        parent: the version before, of which rows are used again.
    Attributes:
        parent_keys: fragments of the version before that are used again.
        other_keys: fragments of versions of other names that are used.
        kept_keys: fragments of tables that stay as they are.
    """

    def __init__(
        self,
        packs: PackReader,
        push: bytes,
        put: Callable[[str, list[Buffer]], None],
        parent: Manifest | None,
    ) -> None:
        self._packs = packs
        self._push = push
        self._put = put
        self._parent = parent
        self.parent_keys: set[str] = set()
        self.other_keys: set[str] = set()
        self.kept_keys: set[str] = set()

    def store(self, item: TableItem) -> TableFile:
        """Store the fragments of a table that are new."""
        from artstore.tables.storing import store_table

        before = self._before(item.path)
        table = store_table(
            item.built, item.keys, before, self._push, lambda key, data: self._put(key, [data])
        )
        of_parent = frozenset(_keys(before)) if before is not None else frozenset()
        for fragment in table.fragments:
            if fragment.push != self._push:
                found = self.parent_keys if fragment.key in of_parent else self.other_keys
                found.add(fragment.key)
        return table

    def rely_on(self, entry: Entry) -> None:
        """Note the fragments of a table that is taken over as it is."""
        from artstore.tables.stored import read_table

        keys = _keys(read_table(self._packs, entry))
        (self.other_keys if "source" in entry.extra else self.kept_keys).update(keys)

    def _before(self, path: str) -> TableFile | None:
        if self._parent is None:
            return None
        try:
            entry = self._parent.entry(path)
        except NotFoundError:
            return None
        if entry.kind != TABLE:
            return None
        from artstore.tables.stored import read_table

        return read_table(self._packs, entry)


def _keys(table: TableFile) -> Iterator[str]:
    return (fragment.key for fragment in table.fragments)

"""
Foreign keys that lead to a table of the same draft, in whatever order the two are added.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artstore.drafts.added import AdditionList, ValueAddition
from artstore.transfer.prepared import TableItem

if TYPE_CHECKING:
    from artstore.tables.table import Table

__all__ = ["AwaitedTables"]


@dataclass(slots=True)
class _Pointing:
    """A table of the draft with foreign keys."""

    item: TableItem


class AwaitedTables:
    """Tables that others of a draft lead to and that are not in it, or not yet."""

    def __init__(self) -> None:
        self._waiting: weakref.WeakKeyDictionary[Table, list[tuple[_Pointing, str]]] = (
            weakref.WeakKeyDictionary()
        )

    def note(self, table: Table, added: ValueAddition) -> None:
        """`table` was added, as `added`."""
        if isinstance(added, TableItem):
            pointing = _Pointing(added)
            for column, other in table.foreign_tables.items():
                self._waiting.setdefault(other, []).append((pointing, column))

    def arrived(self, table: Table, name: str, additions: AdditionList) -> None:
        """A table was added as `name`: whoever leads to it says so from now on."""
        for pointing, column in self._waiting.get(table, ()):
            old = pointing.item
            pointing.item = old.with_keys(_named(old.keys, column, name))
            additions.replace(old, pointing.item)


def _named(keys: Any, column: str, name: str) -> dict[str, Any]:
    foreign = dict(keys["foreign_keys"])
    foreign[column] = {**foreign[column], "table": name}
    return {**keys, "foreign_keys": foreign}

"""
What a site keeps for its table pages: opened tables, running queries, long states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from artstore import forks
from artstore.errors import NotFoundError
from artstore.web.cells.medialinks import ClassNames, ColumnLinks
from artstore.web.site import RecentValues
from artstore.web.tables.tickets import TableTickets

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact
    from artstore.tables.exploring import ExploredTable
    from artstore.tables.reading import RowReader
    from artstore.web.routing import Visit
    from artstore.web.site import Site
    from artstore.web.tables.comparedesk import Comparison
    from artstore.web.tables.tablejson import LinksOf

__all__ = ["VIEW_MAX_BYTES", "OpenedTable", "TableDesk", "desk_of", "open_table", "read_table"]

VIEW_MAX_BYTES: Final = 256 * 1024
_VIEWS_MAX: Final = 128
_ID_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class OpenedTable:
    """
    A table of a version that pages look into.

    Attributes:
        comparison: the tables it stands for, or stands beside; None if there is no other.
    """

    reader: RowReader
    explored: ExploredTable
    classes: ClassNames = field(default_factory=ClassNames)
    comparison: Comparison | None = None

    def links_of(self, visit: Visit) -> LinksOf:
        """What gives the links of a column, for the answer to one request."""
        known = set(self.reader.columns)

        def links(column: str) -> Any:
            from artstore.web.cells.celljson import NO_LINKS

            if column not in known:
                return NO_LINKS
            return ColumnLinks(visit, self.reader, column, self.classes)

        return links


class TableDesk:
    """What one site keeps; see the module."""

    def __init__(self) -> None:
        self.tickets = TableTickets()
        self._views: RecentValues[str, str] = RecentValues(_VIEWS_MAX)

    def keep_view(self, query: str) -> str:
        """Keep a state; its id is made of what it says, so the same is kept once."""
        found = hashlib.blake2b(query.encode(), digest_size=_ID_CHARS // 2).hexdigest()
        self._views.put(found, query)
        return found

    def view(self, name: str) -> str:
        """
        The state of an id.

        Raises:
            NotFoundError: `view-not-found`.
        """
        query = self._views.get(name)
        if query is None:
            raise NotFoundError(
                f"this server keeps no view {name!r} of a table any more",
                code="view-not-found",
                hint="leave out the part view= of the address, and filter anew",
            )
        return query


_DESKS: Final[WeakKeyDictionary[Site, TableDesk]] = WeakKeyDictionary()
_LOCK: Final = forks.new_lock()


def desk_of(site: Site) -> TableDesk:
    """The desk of a site."""
    with _LOCK:
        desk = _DESKS.get(site)
        if desk is None:
            desk = _DESKS[site] = TableDesk()
        return desk


def open_table(visit: Visit, version: LoggedArtifact, path: str) -> OpenedTable:
    """
    The table of a version; opened once.

    Raises:
        NotFoundError: `table-not-found`, naming the tables there are.
    """
    key = ("explored", version.id, path)
    return visit.site.kept(key, lambda: read_table(version, path))


def read_table(version: LoggedArtifact, path: str) -> OpenedTable:
    """The table of a version. Raises NotFoundError `table-not-found`."""
    from artstore.tables.exploring import ExploredTable

    found = version.get(path)
    if found is None or not hasattr(found, "read_rows"):
        raise _no_table(version, path)
    return OpenedTable(found, ExploredTable(found))


def _no_table(version: LoggedArtifact, path: str) -> NotFoundError:
    from artstore.storetables import table_names

    there: Sequence[str] = table_names(version)
    told = ", ".join(there) if there else "none"
    return NotFoundError(
        f"{version.qualified_name} has no table {path!r}, its tables are: {told}",
        code="table-not-found",
    )

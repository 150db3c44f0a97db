"""
Queries of one visitor: those of a newer view end those of an older one.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from artstore import forks
from artstore.errors import StateError

if TYPE_CHECKING:
    from artstore.tables.exploring import Ticket

__all__ = ["CLIENT_HEADER", "TableTickets"]

CLIENT_HEADER: Final = "X-Artstore-Client"
"""`<id>;<number>`: who asks, and for which of its views, counted up."""

_CLIENT: Final = re.compile(r"([0-9a-zA-Z-]{1,64});([0-9]{1,15})")
_CLIENTS_MAX: Final = 1_000


@dataclass(slots=True)
class _Client:
    generation: int = 0
    running: set[Ticket] = field(default_factory=set)


class TableTickets:
    """The tickets of what runs now, by client. For several threads."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._lock = forks.new_lock()

    @contextmanager
    def running(self, header: str | None, ticket: Ticket) -> Iterator[None]:
        """
        Within the block `ticket` is cancelled when the same client asks for a newer view.

        Args:
            header: of the request; None or anything else for a visitor without scripts.
        Raises:
            StateError: `query-cancelled`: the client has asked for a newer view already.
        """
        found = _CLIENT.fullmatch(header or "")
        if found is None:
            yield
            return
        client = self._entered(found[1], int(found[2]), ticket)
        try:
            yield
        finally:
            with self._lock:
                client.running.discard(ticket)

    def _entered(self, name: str, generation: int, ticket: Ticket) -> _Client:
        with self._lock:
            client = self._clients.setdefault(name, _Client())
            self._clients.move_to_end(name)
            while len(self._clients) > _CLIENTS_MAX:
                self._clients.popitem(last=False)
            if generation < client.generation:
                raise StateError(
                    "the query was cancelled: a newer view was asked for", code="query-cancelled"
                )
            older: set[Ticket] = set()
            if generation > client.generation:
                older, client.running = client.running, set()
                client.generation = generation
            client.running.add(ticket)
        for one in older:
            one.cancel()
        return client

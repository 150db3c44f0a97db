"""
The way to one store: its storage, opened and guarded, its identity, and who writes.

All that a run needs to be stored, and the part of `Store` that costs the least to import.
"""

from __future__ import annotations

import os
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from artstore import forks
from artstore.catalog.guard import GuardCache, guarded, is_guarded_here, make_store
from artstore.catalog.identity import Identity, read_identity
from artstore.errors import NotFoundError
from artstore.settings import user_name
from artstore.storage.opener import open_storage

if TYPE_CHECKING:
    from artstore.catalog.runs.index import RunIndex
    from artstore.settings import Settings
    from artstore.storage.protocol import Storage

__all__ = ["StoreConnection", "author", "connection_of"]


class StoreConnection:
    """
    A connection to a store. Safe to use from several threads, and in forked children.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._storage = open_storage(settings.url)
        self._identity: Identity | None = None
        # By `forks.generation`: what a parent opened is neither used nor closed in a child.
        self._guarded: dict[int, Storage] = {}
        self._run_indexes: dict[int, RunIndex] = {}

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._storage.url

    @property
    def project(self) -> str:
        """The project of names that state none."""
        return self._settings.project

    @property
    def id(self) -> str:
        """32 hex digits that no other store has. Raises NotFoundError `store-not-found`."""
        return self._known_identity().store_id

    @property
    def has_one_writer(self) -> bool:
        """Whether it was made for one writer at a time. Raises NotFoundError `store-not-found`."""
        return self._known_identity().has_one_writer

    def create(self, *, single_writer: bool = False) -> bool:
        """
        Make the store if it is not there; whether it was made just now.

        Args:
            single_writer: for a place that cannot keep writers apart: one at a time.
        Raises:
            StorageError: `storage-unsuitable`, such a place without `single_writer`.
        """
        try:
            self._known_identity()
        except NotFoundError:
            make_store(self._storage, self._guards(), has_one_writer=single_writer)
            self._known_identity()
            return True
        return False

    def _guarded_storage(self) -> Storage:
        """The storage of the store, with all that stands before it. Raises NotFoundError."""
        generation = forks.generation()
        found = self._guarded.get(generation)
        if found is None:
            # Of two threads that come here at once both get the same one.
            found = self._guarded.setdefault(generation, self._open_guarded())
        return found

    def _run_index(self) -> RunIndex:
        """What this machine knows of the runs of the store. Raises NotFoundError."""
        from artstore.catalog.runs.index import RunIndex

        generation = forks.generation()
        found = self._run_indexes.get(generation)
        if found is None:
            # A store in memory is of one process, and so is what is known of it.
            is_shared = not self._settings.url.startswith("memory:")
            file = RunIndex.file_in(self._settings.cache_dir) if is_shared else None
            opened = RunIndex(self._guarded_storage(), self.id, file, author())
            found = self._run_indexes.setdefault(generation, opened)
        return found

    def _open_guarded(self) -> Storage:
        identity = self._known_identity()
        storage = guarded(self._storage, identity, self._guards())
        if self._settings.limit_rate_bytes is not None:
            from artstore.storage.pace import PacedStorage

            storage = PacedStorage(storage, bytes_per_second=self._settings.limit_rate_bytes)
        return storage

    def _known_identity(self) -> Identity:
        if self._identity is None:
            identity = read_identity(self._storage)
            if identity.has_one_writer and not is_guarded_here(self.url):
                self._storage = open_storage(self._settings.url, unguarded=True)
            self._identity = identity
        return self._identity

    def _guards(self) -> GuardCache:
        return GuardCache(self._settings.cache_dir, self._settings.url)


@lru_cache(maxsize=8)
def connection_of(settings: Settings) -> StoreConnection:
    """The connection for these settings: one for all who ask in this process."""
    return StoreConnection(settings)


@cache
def author() -> str:
    """`user@host`, which every log entry names."""
    return f"{user_name()}@{os.uname().nodename}"

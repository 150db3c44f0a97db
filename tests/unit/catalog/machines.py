"""A host with what it remembers of collections, for tests, and what the fold of a log tells."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from artstore.catalog.replica import Replica
from artstore.catalog.state import CollectionState
from artstore.catalog.versionindex import KnownCollection, VersionIndex
from artstore.storage.meter import MeteredStorage
from tests.unit.catalog.logs import catalog_of

NAME = ("p", "c")


class Machine:
    """The files of one host, and the processes that come and go on it."""

    def __init__(self, directory: Path) -> None:
        self.replica = directory / "replica.sqlite"
        self.index = directory / "versions.sqlite"

    def open(self, storage: Any, store_id: str = "s", *, is_near: bool = True) -> VersionIndex:
        catalog = catalog_of(storage, Replica(self.replica), store_id)
        return VersionIndex(catalog, store_id, self.index, is_near=is_near)

    def look(self, storage: Any, *names: tuple[str, str]) -> Any:
        """What a new process finds."""
        index = self.open(storage)
        try:
            found = index.collections(names or [NAME])
            told = {name: told_of(known) for name, known in found.items()}
        finally:
            index.close()
        return told if names else told[NAME]

    def requests(self, storage: Any) -> dict[str, int]:
        """Those that a new process makes."""
        metered = MeteredStorage(storage)
        self.look(metered)
        return {name: one.calls for name, one in metered.snapshot().items() if one.calls}

    def change(self, statement: str) -> None:
        """Do something to the index that it would not do itself."""
        with sqlite3.connect(self.index) as database:
            assert database.execute(statement).rowcount


def told_of(known: KnownCollection | None) -> Any:
    if known is None:
        return None
    return (
        (known.project, known.name, known.type, known.is_in_doubt),
        {number: tuple(one) for number, one in known.versions.items()},
        {number: tuple(one) for number, one in known.named.items()},
        dict(known.aliases),
    )


def told_by(state: CollectionState | None) -> Any:
    """The same, from the fold itself."""
    if state is None:
        return None
    versions = {
        number: (
            *(number, one.is_live, one.digest, one.root, one.size_bytes, one.created, one.by),
            *(one.aliases, one.tags),
        )
        for number, one in state.versions.items()
    }
    named = {
        number: (one.inputs, one.source, one.origin)
        for number, one in state.versions.items()
        if one.inputs or one.source or one.origin
    }
    about = (state.project, state.name, state.type, state.is_in_doubt)
    return about, versions, named, dict(state.aliases)

"""
What this machine has seen of the logs of all stores: entries, never answers.

One SQLite file per host (`hostdatabase.py`), which may vanish at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from artstore import digest
from artstore.catalog.format import RawEntry
from artstore.catalog.hostdatabase import HostDatabase, file_of_host
from artstore.catalog.log import START, Head

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Replica"]

_SCHEMA_NUMBER: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    store TEXT NOT NULL, log TEXT NOT NULL, n INTEGER NOT NULL,
    digest BLOB NOT NULL, size_bytes INTEGER NOT NULL, is_sound INTEGER NOT NULL, data BLOB,
    PRIMARY KEY (store, log, n)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (
    store TEXT NOT NULL, log TEXT NOT NULL,
    n INTEGER NOT NULL, digest BLOB NOT NULL, modified_seconds REAL NOT NULL,
    PRIMARY KEY (store, log)
) WITHOUT ROWID;
"""


class Replica(HostDatabase):
    """
    The replica in `file`; made when something is first written to it.

    Safe between threads and processes, and in forked children.

    Args:
        file: where SQLite keeps it; `Replica.file_in` names the one of this host.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file, _SCHEMA, _SCHEMA_NUMBER)

    @staticmethod
    def file_in(directory: Path) -> Path:
        """The replica of this host inside a cache directory."""
        return file_of_host(directory, "replica")

    def load(self, store_id: str, log: str) -> tuple[list[RawEntry], Head]:
        """The entries known of a log, from 0 on without a gap, and the last of them."""
        nothing: tuple[list[RawEntry], Head] = ([], START)
        return self.attempt(lambda db: _load(db, store_id, log), nothing)

    def extend(
        self,
        store_id: str,
        log: str,
        after: Head,
        entries: Sequence[tuple[RawEntry, bool]],
        head: Head,
    ) -> None:
        """
        Remember the entries that follow `after`, up to `head`, and whether each was decoded as one.

        If the replica does not end in just that entry (another process was
        here, or the history is another one), nothing is written.
        """
        self.attempt(lambda db: _extend(db, store_id, log, after, entries, head), None)

    def logs(self, store_id: str) -> list[str]:
        """The prefixes of all logs of a store that this machine has seen, in order."""
        nothing: list[str] = []
        return self.attempt(lambda db: _logs(db, store_id), nothing)

    def stores(self) -> list[str]:
        """The ids of all stores of which this machine has seen a log."""
        nothing: list[str] = []
        return self.attempt(_stores, nothing)

    def forget(self, store_id: str, log: str) -> None:
        """Drop what is known of a log: the next reader believes the store."""
        self.attempt(lambda db: _forget(db, store_id, log), None)


def _load(db: sqlite3.Connection, store_id: str, log: str) -> tuple[list[RawEntry], Head]:
    rows = db.execute(
        "SELECT n, data, digest, size_bytes, is_sound FROM entries "
        "WHERE store = ? AND log = ? ORDER BY n",
        (store_id, log),
    ).fetchall()
    entries = []
    for expected, (n, data, digest_, size, is_sound) in enumerate(rows):
        # SQLite has no checksums, and a flipped bit would make an entry void.
        sound = data is None or (len(data) == size and digest.digest_of(data) == digest_)
        if n != expected or len(digest_) != digest.DIGEST_BYTES or not sound:
            raise ValueError(f"the replica of {log} is damaged at entry {expected}")
        entries.append(RawEntry(n, data, digest_, size, bool(is_sound)))
    if not entries:
        return [], START
    last = entries[-1]
    told = db.execute(
        "SELECT modified_seconds FROM heads WHERE store = ? AND log = ? AND n = ? AND digest = ?",
        (store_id, log, last.n, last.digest),
    ).fetchone()
    return entries, Head(last.n, last.digest, last.size_bytes, told[0] if told else None)


def _logs(db: sqlite3.Connection, store_id: str) -> list[str]:
    rows = db.execute("SELECT DISTINCT log FROM entries WHERE store = ? ORDER BY log", (store_id,))
    return [str(log) for (log,) in rows]


def _stores(db: sqlite3.Connection) -> list[str]:
    rows = db.execute("SELECT DISTINCT store FROM entries ORDER BY store").fetchall()
    return [str(store_id) for (store_id,) in rows]


def _extend(  # noqa: PLR0917 - one transaction
    db: sqlite3.Connection,
    store_id: str,
    log: str,
    after: Head,
    entries: Sequence[tuple[RawEntry, bool]],
    head: Head,
) -> None:
    # Take the write lock first: between the look and the insert nobody may come.
    db.execute("BEGIN IMMEDIATE")
    last = db.execute(
        "SELECT n, digest FROM entries WHERE store = ? AND log = ? ORDER BY n DESC LIMIT 1",
        (store_id, log),
    ).fetchone()
    if (last or (START.n, START.digest)) != (after.n, after.digest):
        return
    db.executemany(
        "INSERT INTO entries (store, log, n, data, digest, size_bytes, is_sound) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (store_id, log, raw.n, raw.data, raw.digest, raw.size_bytes, is_sound)
            for raw, is_sound in entries
        ],
    )
    if head.modified_seconds is not None:
        db.execute(
            "INSERT OR REPLACE INTO heads (store, log, n, digest, modified_seconds) "
            "VALUES (?, ?, ?, ?, ?)",
            (store_id, log, head.n, head.digest, head.modified_seconds),
        )


def _forget(db: sqlite3.Connection, store_id: str, log: str) -> None:
    for table in ("entries", "heads"):
        db.execute(
            f"DELETE FROM {table} WHERE store = ? AND log = ?",  # noqa: S608 - two literals
            (store_id, log),
        )

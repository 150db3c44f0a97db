"""
What this machine has seen of the logs of all stores: entries, never answers.

One SQLite file per host, since home directories on network disks are shared,
with a rollback journal, since WAL needs memory that such disks do not share
(C13). It may vanish at any time and any error is treated as if it were empty;
what is found damaged is deleted and made anew.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from artstore import digest, forks
from artstore.catalog.format import RawEntry
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
_WAIT_SECONDS: Final = 1.0
_Answer = TypeVar("_Answer")


class Replica:
    """
    The replica in `file`; made when something is first written to it.

    Safe between threads and processes. A forked child needs one of its own: the
    lock may be held by a thread that is not there.

    Args:
        file: where SQLite keeps it; `Replica.file_in` names the one of this host.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._generation = forks.generation()
        self._of_parents: list[sqlite3.Connection] = []

    @staticmethod
    def file_in(directory: Path) -> Path:
        """The replica of this host inside a cache directory."""
        host = re.sub(r"[^a-z0-9.\-]", "_", os.uname().nodename.lower()).strip(".") or "host"
        return directory / f"replica-{host}.sqlite"

    def load(self, store_id: str, log: str) -> tuple[list[RawEntry], Head]:
        """The entries known of a log, from 0 on without a gap, and the last of them."""
        nothing: tuple[list[RawEntry], Head] = ([], START)
        return self._attempt(lambda db: _load(db, store_id, log), nothing)

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
        self._attempt(lambda db: _extend(db, store_id, log, after, entries, head), None)

    def logs(self, store_id: str) -> list[str]:
        """The prefixes of all logs of a store that this machine has seen, in order."""
        nothing: list[str] = []
        return self._attempt(lambda db: _logs(db, store_id), nothing)

    def stores(self) -> list[str]:
        """The ids of all stores of which this machine has seen a log."""
        nothing: list[str] = []
        return self._attempt(_stores, nothing)

    def forget(self, store_id: str, log: str) -> None:
        """Drop what is known of a log: the next reader believes the store."""
        self._attempt(lambda db: _forget(db, store_id, log), None)

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        with self._lock, forks.held_off():
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            if self._generation == forks.generation():
                self._connection.close()
            else:
                # It belongs to the parent. To close it, which also happens when
                # it is forgotten, could undo what the parent is writing.
                self._of_parents.append(self._connection)
        self._connection = None

    def _attempt(
        self, action: Callable[[sqlite3.Connection], _Answer], otherwise: _Answer
    ) -> _Answer:
        """`action` in a transaction; `otherwise` on any error: a replica only saves time."""
        import sqlite3

        # SQLite has locks of the whole process, and believes that it knows the
        # file locks it holds: no child is made while it works.
        with self._lock, forks.held_off():
            try:
                connection = self._open()
                with connection:
                    return action(connection)
            except (sqlite3.OperationalError, OSError):
                # Locked, read-only, full, or a disk without locks: another time.
                self._close()
            except (sqlite3.Error, ValueError, TypeError, OverflowError):
                self._close()
                self._discard()
        return otherwise

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        if self._generation != forks.generation():
            self._close()
            self._generation = forks.generation()
        if self._connection is not None:
            return self._connection
        self.file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=_WAIT_SECONDS, check_same_thread=False)
        try:
            # Losing the file costs a few requests; waiting for the disk would cost every push.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = OFF")
            (number,) = connection.execute("PRAGMA user_version").fetchone()
            if number != _SCHEMA_NUMBER:
                if number != 0:
                    raise sqlite3.DatabaseError(f"schema {number} of another release")
                connection.executescript(_SCHEMA)
                connection.execute(f"PRAGMA user_version = {_SCHEMA_NUMBER}")
                connection.commit()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _discard(self) -> None:
        for suffix in ("", "-journal"):
            try:
                os.unlink(f"{self.file}{suffix}")
            except OSError:
                # Read-only or gone already: then it is only of no use.
                continue


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

"""
A SQLite file of one host, in a cache directory: it saves time and proves nothing.

Home directories on network disks are shared, so each host has a file of its own, with a
rollback journal, since WAL needs memory that such disks do not share (C13). It may
vanish at any time and any error is treated as if it were empty; what is found damaged
is deleted and made anew.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from artstore import forks

if TYPE_CHECKING:
    import sqlite3

__all__ = ["HostDatabase", "file_of_host"]

_WAIT_SECONDS: Final = 1.0
_Answer = TypeVar("_Answer")

_dropped: Final[deque[tuple[int, sqlite3.Connection]]] = deque()
"""Left by databases that were forgotten, with the generation that opened them."""
_of_parents: Final[list[sqlite3.Connection]] = []
"""Kept for ever: to close one, as forgetting it does too, could undo what the parent is writing."""


def file_of_host(directory: Path, name: str) -> Path:
    """`<name>-<host>.sqlite` inside a cache directory."""
    host = re.sub(r"[^a-z0-9.\-]", "_", os.uname().nodename.lower()).strip(".") or "host"
    return directory / f"{name}-{host}.sqlite"


class HostDatabase:
    """
    The database in `file`; made when something is first written to it.

    Safe between threads and processes. A forked child needs a connection of its own: the
    lock may be held by a thread that is not there.

    Args:
        file: where SQLite keeps it; `file_of_host` names the one of this host.
        schema: the statements that make the tables, if they are not there.
        number: of the schema; a file with another one is made anew.
    """

    def __init__(self, file: Path, schema: str, number: int) -> None:
        self.file = file
        self._schema = schema
        self._number = number
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._generation = forks.generation()

    def __del__(self) -> None:
        # Not closed here: the collector runs in any thread at any moment, and a child that
        # is forked while SQLite closes a file finds its mutexes locked for ever.
        self._drop()

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        with self._lock, forks.held_off():
            self._close()

    def attempt(
        self, action: Callable[[sqlite3.Connection], _Answer], otherwise: _Answer
    ) -> _Answer:
        """`action` in a transaction; `otherwise` on any error: the file only saves time."""
        # SQLite has locks of the whole process, and believes that it knows the
        # file locks it holds: no child is made while it works, or is imported.
        with self._lock, forks.held_off():
            import sqlite3

            _close_dropped()
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

    def _drop(self) -> None:
        if self._connection is not None:
            _dropped.append((self._generation, self._connection))
        self._connection = None

    def _close(self) -> None:
        self._drop()
        _close_dropped()

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
            if number != self._number:
                if number != 0:
                    raise sqlite3.DatabaseError(f"schema {number} of another release")
                connection.executescript(self._schema)
                connection.execute(f"PRAGMA user_version = {self._number}")
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


def _close_dropped() -> None:
    """Close what was left: by whoever works with a database, while no fork can happen."""
    with suppress(IndexError):
        while True:
            generation, connection = _dropped.popleft()
            if generation == forks.generation():
                connection.close()
            else:
                _of_parents.append(connection)

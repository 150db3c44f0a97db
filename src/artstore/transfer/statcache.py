"""
Digests of files that were hashed before and have not changed since.

One SQLite file a host, one row a directory: 20,000 unchanged files cost a small
query for each of their directories. Losing the file costs a rehash and nothing
else, so every doubt about it is answered by starting empty.

An entry is trusted by git's rule for racily clean files: a file whose times are
as young as the moment hashing began could have been changed afterwards within
one tick of the clock of its disk, and would look the same. Such files are not
recorded at all.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Final, Protocol, Self

from artstore import forks
from artstore.digest import DIGEST_BYTES, checksum64

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FileStamp", "StatCache", "StatEntry", "host_file", "is_settled", "settles_at_ns"]

StatEntry = tuple[int, int, int, int, bytes]
"""(size_bytes, mtime_ns, ctime_ns, inode, digest)"""

_SLACK_NS: Final = 100_000_000
"""Ten times the coarsest tick of a kernel that stamps nanoseconds."""
_COARSE_SLACK_NS: Final = 2_100_000_000
"""FAT keeps two whole seconds, some network disks one."""
_SECOND_NS: Final = 1_000_000_000
_HEAD: Final = struct.Struct("<8sII")
"""checksum of directory path and all that follows · count · bytes of names"""
_STAMP: Final = struct.Struct("<qqqQ")
"""size · mtime · ctime · inode"""
_RECORD_BYTES: Final = _STAMP.size + DIGEST_BYTES
_HELD_COUNT: Final = 131_072
"""Entries held in memory, about 200 bytes each, before directories are let go."""
_CHECKED_COUNT: Final = 256
"""Rows looked at in one save, to drop those whose directory is gone."""
_BUSY_SECONDS: Final = 5.0
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS directories (path BLOB PRIMARY KEY, entries BLOB)"
_BUSY_CODES: Final = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED


class FileStamp(Protocol):
    """The part of `walk.Found` that tells one state of a file from another."""

    @property
    def location(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...
    @property
    def ctime_ns(self) -> int: ...
    @property
    def inode(self) -> int: ...


def settles_at_ns(found: FileStamp) -> int:
    """From when on a change of the file has other times than it has now."""
    slack = _COARSE_SLACK_NS if found.ctime_ns % _SECOND_NS == 0 else _SLACK_NS
    return max(found.mtime_ns, found.ctime_ns) + slack


def is_settled(found: FileStamp, began_ns: int) -> bool:
    """Whether every change after `began_ns` shows in the times of a file."""
    return settles_at_ns(found) <= began_ns


def host_file(directory: Path) -> Path:
    """The cache file of this host: hosts that share a home must not share a SQLite file."""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "localhost"
    return directory / f"stat-{host}.sqlite"


class StatCache:
    """
    Digest by directory, name, size, times and inode; safe to use from threads.

    A forked child needs one of its own.

    Nothing here raises for the state of the cache file: a damaged, locked,
    foreign or unwritable one behaves as an empty one.

    Args:
        file: made with its directory at the first `save`; see `host_file`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = RLock()
        self._database: sqlite3.Connection | None = None
        self._is_disabled = False
        self._held: dict[str, dict[str, bytes]] = {}
        self._held_count = 0
        self._changed: dict[str, dict[str, bytes]] = {}
        self._changed_count = 0
        # Lookups come directory by directory: the last one is kept at hand.
        # One tuple, so that a thread never sees the name of one with the other's entries.
        self._last: tuple[str, dict[str, bytes]] = ("", {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lookup(self, found: FileStamp) -> bytes | None:
        """
        The digest of the file, if it is known and nothing says that it changed.

        Cost: under 1 µs; one query for the first file of each directory.
        """
        directory, _, name = found.location.rpartition("/")
        last_directory, entries = self._last
        if directory != last_directory:
            entries = self._move_to(directory)
        record = entries.get(name)
        if record is None:
            return None
        stamp = _STAMP.pack(found.size_bytes, found.mtime_ns, found.ctime_ns, found.inode)
        # Records stay packed: a third of the time and memory of tuples of numbers.
        return record[_STAMP.size :] if record.startswith(stamp) else None

    def directory(self, directory: str) -> dict[str, StatEntry]:
        """All that is known of one directory, by name; the caller's to keep."""
        with self._lock:
            records = self._entries_of(directory.rstrip("/"))
            return {
                name: (*_STAMP.unpack_from(record), record[_STAMP.size :])
                for name, record in records.items()
            }

    def record(self, found: FileStamp, digest: bytes, *, began_ns: int) -> bool:
        """
        Remember what a file was hashed to; says whether it could be trusted.

        Args:
            found: its state when hashing began and still when hashing ended;
                that both were the same is for the caller to check.
            began_ns: time of the epoch just before the first byte was read.
        """
        if not is_settled(found, began_ns):
            return False
        stamp = _STAMP.pack(found.size_bytes, found.mtime_ns, found.ctime_ns, found.inode)
        self._remember(found.location, stamp + digest)
        return True

    def record_written(self, location: str, status: os.stat_result, digest: bytes) -> bool:
        """
        Remember a file that `TargetDirectory.write_file` has just made.

        Its mtime was set back by more than a tick, so that any later change
        shows in the mtime, however soon it comes; where the disk kept only whole
        seconds of it that is not so, and the file is left out.
        """
        if status.st_mtime_ns % _SECOND_NS == 0:
            return False
        stamp = _STAMP.pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        self._remember(location, stamp + digest)
        return True

    def save(self) -> None:
        """
        Write the directories that changed, without names that are gone.

        Cost: one transaction; a listing and a row for each changed directory.
        """
        with self._lock:
            changed, self._changed, self._changed_count = self._changed, {}, 0
            if not changed:
                return
            # As in the replica: a child that SQLite is forked into could hang.
            with forks.held_off():
                database = self._open(create=True)
                if database is None:
                    return
                try:
                    self._write(database, changed)
                except Exception as error:  # noqa: BLE001 - whatever it is, only a cache is lost
                    self._recover(error)
            self._forget_held()

    def close(self) -> None:
        """Let go of the file; what was not saved is lost."""
        with self._lock, forks.held_off():
            if self._database is not None:
                with suppress(Exception):
                    self._database.close()
                self._database = None
            self._changed, self._changed_count = {}, 0
            self._forget_held()

    def _move_to(self, directory: str) -> dict[str, bytes]:
        with self._lock:
            entries = self._entries_of(directory)
            self._last = (directory, entries)
            return entries

    def _entries_of(self, directory: str) -> dict[str, bytes]:
        entries = self._held.get(directory)
        if entries is None:
            entries = self._read(directory)
            entries.update(self._changed.get(directory, {}))
            if self._held_count > _HELD_COUNT:
                self._forget_held()
            self._held[directory] = entries
            self._held_count += len(entries)
        return entries

    def _forget_held(self) -> None:
        self._held, self._held_count = {}, 0
        self._last = ("", {})

    def _remember(self, location: str, record: bytes) -> None:
        directory, _, name = location.rpartition("/")
        with self._lock:
            held = self._held.get(directory)
            if held is not None:
                if held.get(name) == record:
                    return
                held[name] = record
            self._changed.setdefault(directory, {})[name] = record
            self._changed_count += 1
            if self._changed_count >= _HELD_COUNT:
                self.save()

    def _read(self, directory: str) -> dict[str, bytes]:
        with forks.held_off():
            database = self._open(create=False)
            if database is None:
                return {}
            try:
                return self._read_row(database, os.fsencode(directory))
            except Exception as error:  # noqa: BLE001 - whatever it is, only a cache is lost
                self._recover(error)
                return {}

    @staticmethod
    def _read_row(database: sqlite3.Connection, key: bytes) -> dict[str, bytes]:
        row = database.execute("SELECT entries FROM directories WHERE path = ?", (key,)).fetchone()
        return _decode(key, row[0]) if row else {}

    def _write(self, database: sqlite3.Connection, changed: dict[str, dict[str, bytes]]) -> None:
        database.execute("BEGIN IMMEDIATE")
        try:
            for directory, entries in changed.items():
                key = os.fsencode(directory)
                # Read again: another process may have written it meanwhile.
                merged = self._read_row(database, key) | entries
                if len(merged) > len(entries):
                    merged = _still_there(directory, merged)
                database.execute(
                    "INSERT INTO directories VALUES (?, ?) "
                    "ON CONFLICT (path) DO UPDATE SET entries = excluded.entries",
                    (key, _encode(key, merged)),
                )
            _drop_gone_directories(database)
            database.execute("COMMIT")
        except BaseException:
            with suppress(Exception):
                database.execute("ROLLBACK")
            raise

    def _open(self, *, create: bool) -> sqlite3.Connection | None:
        if self._database is not None or self._is_disabled:
            return self._database
        if not create and not self._file.exists():
            return None
        import sqlite3

        try:
            if create:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            # Never WAL: its shared memory does not work on network disks. Never
            # synchronous: what a power cut tears is found by the checksums.
            self._database.execute("PRAGMA journal_mode = DELETE")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute(_SCHEMA)
        except Exception as error:  # noqa: BLE001 - whatever it is, only a cache is lost
            self._recover(error)
        return self._database

    def _recover(self, error: Exception) -> None:
        """Start empty after damage; after a lock or a refusal do without for this run."""
        import sqlite3

        if self._database is not None:
            with suppress(Exception):
                self._database.close()
            self._database = None
        is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY_CODES
        if is_busy or not isinstance(error, (sqlite3.DatabaseError, UnicodeError)):
            self._is_disabled = True
            return
        for leftover in (self._file, self._file.with_name(f"{self._file.name}-journal")):
            try:
                leftover.unlink(missing_ok=True)
            except OSError:
                # Neither readable nor removable (a directory, a read-only home).
                self._is_disabled = True


def _still_there(directory: str, entries: dict[str, bytes]) -> dict[str, bytes]:
    try:
        names = set(os.listdir(directory))
    except OSError:
        return {}
    return {name: entry for name, entry in entries.items() if name in names}


def _drop_gone_directories(database: sqlite3.Connection) -> None:
    # A few rows in each save, from a random place on, find them all in time.
    rows = database.execute(
        "SELECT rowid, path FROM directories WHERE rowid >= "
        "(SELECT abs(random()) % (coalesce(max(rowid), 0) + 1) FROM directories) "
        "ORDER BY rowid LIMIT ?",
        (_CHECKED_COUNT,),
    ).fetchall()
    gone = [(rowid,) for rowid, path in rows if not os.path.isdir(path)]
    database.executemany("DELETE FROM directories WHERE rowid = ?", gone)


def _encode(key: bytes, entries: dict[str, bytes]) -> bytes:
    names = os.fsencode("\0".join(entries))
    counts = struct.pack("<II", len(entries), len(names))
    body = b"".join((counts, names, *entries.values()))
    return checksum64(key + body) + body


def _decode(key: bytes, row: object) -> dict[str, bytes]:
    """The records of a row by name; a damaged row is as good as none."""
    if not isinstance(row, bytes) or len(row) < _HEAD.size:
        return {}
    checksum, count, names_bytes = _HEAD.unpack_from(row)
    start = _HEAD.size + names_bytes
    # The path is part of what is summed, so a row can only speak for its own directory.
    if len(row) != start + count * _RECORD_BYTES or checksum != checksum64(key + row[8:]):
        return {}
    names = os.fsdecode(row[_HEAD.size : start]).split("\0")
    if len(names) != count:
        return {}
    records = [row[at : at + _RECORD_BYTES] for at in range(start, len(row), _RECORD_BYTES)]
    return dict(zip(names, records, strict=True))

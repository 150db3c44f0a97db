"""
What lineage asks of the collections of a store, kept between processes: one row a collection.

A row says what the fold of a log came to, and at which entry. Whoever uses it asks the store
first whether the log still ends there, with the very scan that following the log costs; if
it does not, or anything is wrong with the row, the log is folded and the row made anew. So
the file saves time and decides nothing: it may vanish, be damaged, lag behind, be ahead
of a store that was rolled back, and be written by several processes at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import clock, digest
from artstore.catalog.format import collection_prefix
from artstore.catalog.hostdatabase import HostDatabase, file_of_host
from artstore.catalog.log import Head
from artstore.catalog.state import CollectionState, Origin, Source
from artstore.errors import ArtstoreError
from artstore.forks import LazyValue

if TYPE_CHECKING:
    import sqlite3

    from artstore.catalog.catalog import Catalog
    from artstore.names import ArtifactName

__all__ = ["KnownCollection", "KnownVersion", "NamedVersions", "VersionIndex"]

# Raise the number whenever the fold of a log comes to something else, too: it is all that
# keeps the rows of an older release from being believed.
_SCHEMA_NUMBER: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS collections (
    store TEXT NOT NULL, log TEXT NOT NULL,
    n INTEGER NOT NULL, digest BLOB NOT NULL,
    size_bytes INTEGER NOT NULL, modified_seconds REAL NOT NULL,
    outline TEXT NOT NULL, outline_check BLOB NOT NULL,
    versions_check BLOB NOT NULL, versions TEXT NOT NULL,
    PRIMARY KEY (store, log)
);
"""
_KEPT_MAX_COUNT: Final = 100_000
"""Of versions: a row is written anew as a whole with each change of its collection."""
_THREAD_COUNT: Final = 16
_ALONE_SECONDS: Final = 0.1
"""A local disk answers for 500 logs meanwhile, and threads would double its work."""

_Name = tuple[str, str]


class KnownVersion(NamedTuple):
    """A version, live or deleted. The fields are those of `VersionState`."""

    version: int
    is_live: bool
    digest: str
    root: str
    size_bytes: int
    created: str
    by: str
    aliases: tuple[str, ...]
    tags: tuple[str, ...]


class NamedVersions(NamedTuple):
    """The versions that one of a collection names. The fields are those of `VersionState`."""

    inputs: tuple[Source, ...]
    source: Source | None
    origin: Origin | None


class KnownCollection:
    """
    A collection as of one entry of its log.

    Args:
        project, name: where it lies, also if it was asked for by the name it had before.
        named: by number, of those versions that name any.
        versions: gives all by their numbers, when they are first asked for.
        is_in_doubt: whether damage leaves open what is newest, or where an alias is.
    """

    def __init__(
        self,
        project: str,
        name: str,
        type_name: str | None,
        named: Mapping[int, NamedVersions],
        versions: Callable[[], Mapping[int, KnownVersion]],
        *,
        is_in_doubt: bool = False,
    ) -> None:
        self.project = project
        self.name = name
        self.type = type_name
        self.named = named
        self.is_in_doubt = is_in_doubt
        self._load = versions

    @classmethod
    def of(cls, state: CollectionState) -> KnownCollection:
        """What a state tells."""
        named = {
            one.version: NamedVersions(one.inputs, one.source, one.origin)
            for one in state.versions.values()
            if one.inputs or one.source is not None or one.origin is not None
        }
        return cls(
            state.project,
            state.name,
            state.type,
            named,
            lambda: _versions_of(state),
            is_in_doubt=state.is_in_doubt,
        )

    @LazyValue
    def versions(self) -> Mapping[int, KnownVersion]:
        """All versions, live and deleted, lowest first."""
        return self._load()

    @LazyValue
    def aliases(self) -> Mapping[str, int]:
        """Those that are set, with the number of the version that each is on."""
        return {
            alias: version.version
            for version in self.versions.values()
            for alias in version.aliases
        }

    def find(self, name: ArtifactName) -> KnownVersion | None:
        """The live version that a number, an alias or `latest` means, if that is easily told."""
        if self.is_in_doubt or name.digest_prefix is not None:
            return None
        number = name.version
        if number is None and name.alias in (None, "latest"):
            live = (version for version in reversed([*self.versions.values()]) if version.is_live)
            return next(live, None)
        if number is None:
            number = self.aliases.get(name.alias or "", -1)
        found = self.versions.get(number)
        return found if found is not None and found.is_live else None


class _Row(NamedTuple):
    """A collection and the entry of which it is known; the log is no other one."""

    head: Head
    known: KnownCollection


class VersionIndex:
    """
    The collections of one store as this machine knows them. Safe between threads.

    Args:
        file: None to remember nothing between processes.
        is_near: whether the storage is a disk: logs are then asked for one after the other
            for a while, and many at once only where that takes long.
    """

    def __init__(
        self,
        catalog: Catalog,
        store_id: str,
        file: Path | None,
        *,
        is_near: bool = False,
    ) -> None:
        self._catalog = catalog
        self._store_id = store_id
        self._alone_seconds = _ALONE_SECONDS if is_near else 0.0
        self._database = None if file is None else HostDatabase(file, _SCHEMA, _SCHEMA_NUMBER)

    @staticmethod
    def file_in(directory: Path) -> Path:
        """The index of this host inside a cache directory."""
        return file_of_host(directory, "versions")

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        if self._database is not None:
            self._database.close()

    def collections(self, names: Iterable[_Name]) -> dict[_Name, KnownCollection | None]:
        """
        Collections `(project, name)` as they are now.

        Returns:
            None for one that is not there, or whose log cannot be read: it must not hide
            all others.
        Cost: one scan a collection; what is new in its log is read and folded.
        """
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        rows = self._rows
        new: list[tuple[str, _Row]] = []

        def look(some: Sequence[_Name]) -> None:
            for name in some:
                found[name] = self._look(rows, name, new)

        found: dict[_Name, KnownCollection | None] = {}
        began = clock.monotonic_seconds()
        while wanted and (
            len(wanted) == 1 or clock.monotonic_seconds() - began < self._alone_seconds
        ):
            look([wanted.pop()])
        if wanted:
            count = min(_THREAD_COUNT, len(wanted))
            with ThreadPoolExecutor(count) as pool:
                # Not one task for each: of hundreds of logs that would cost more than the logs.
                list(pool.map(look, [wanted[start::count] for start in range(count)]))
        self._keep(new)
        return found

    def _look(
        self, rows: dict[str, _Row], name: _Name, new: list[tuple[str, _Row]]
    ) -> KnownCollection | None:
        log = collection_prefix(*name)
        row = rows.get(log)
        try:
            head, state = self._catalog.state_since(*name, row and row.head)
        except ArtstoreError:
            return None
        if state is None:
            if head is None or row is None:
                return None
            known = row.known
            if head == row.head:
                return known
        else:
            known = KnownCollection.of(state)
        if head is not None:
            rows[log] = _Row(head, known)
            new.append((log, rows[log]))
        return known

    # --- the file ---------------------------------------------------------------------------

    @LazyValue
    def _rows(self) -> dict[str, _Row]:
        """By log; what is found out later is added."""
        nothing: dict[str, _Row] = {}
        if self._database is None:
            return nothing

        def load(db: sqlite3.Connection) -> dict[str, _Row]:
            query = (
                "SELECT log, n, digest, size_bytes, modified_seconds, outline, outline_check "
                "FROM collections WHERE store = ?"
            )
            return {
                log: self._row(log, Head(n, digest_, size, modified), outline, check)
                for log, n, digest_, size, modified, outline, check in db.execute(
                    query, (self._store_id,)
                )
            }

        return self._database.attempt(load, nothing)

    def _row(self, log: str, head: Head, outline: str, check: bytes) -> _Row:
        if _check_of(self._store_id, log, head, outline) != check:
            # As anything else that SQLite does not see: then the file is made anew.
            raise ValueError(f"what is known of {log} is damaged")
        project, name, type_name, named = json.loads(outline)
        return _Row(
            head,
            KnownCollection(
                project,
                name,
                type_name,
                {number: _named(*rest) for number, *rest in named},
                lambda: self._versions(log, head, (project, name)),
            ),
        )

    def _versions(self, log: str, head: Head, name: _Name) -> Mapping[int, KnownVersion]:
        def load(db: sqlite3.Connection) -> Mapping[int, KnownVersion] | None:
            found = db.execute(
                "SELECT versions, versions_check FROM collections "
                "WHERE store = ? AND log = ? AND n = ? AND digest = ?",
                (self._store_id, log, head.n, head.digest),
            ).fetchone()
            if found is None:
                return None
            if _check_of(self._store_id, log, head, found[0]) != found[1]:
                raise ValueError(f"what is known of {log} is damaged")
            return {row[0]: _known_version(row) for row in json.loads(found[0])}

        assert self._database is not None
        loaded = self._database.attempt(load, None)
        if loaded is not None:
            return loaded
        # Replaced by another process meanwhile, or gone.
        state = self._catalog.state_or_none(*name)
        return {} if state is None else _versions_of(state)

    def _keep(self, new: Sequence[tuple[str, _Row]]) -> None:
        if self._database is None:
            return
        values = [
            self._values(log, row)
            for log, row in new
            if row.head.modified_seconds is not None and len(row.known.versions) <= _KEPT_MAX_COUNT
        ]
        if not values:
            return

        def write(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT OR REPLACE INTO collections (store, log, n, digest, size_bytes, "
                "modified_seconds, outline, outline_check, versions, versions_check) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

        self._database.attempt(write, None)

    def _values(self, log: str, row: _Row) -> tuple[Any, ...]:
        head, known = row
        named = [(number, *map(_plain, one)) for number, one in known.named.items()]
        outline = _text((known.project, known.name, known.type, named))
        versions = _text([*known.versions.values()])
        return (
            self._store_id,
            log,
            *astuple(head),
            outline,
            _check_of(self._store_id, log, head, outline),
            versions,
            _check_of(self._store_id, log, head, versions),
        )


def _versions_of(state: CollectionState) -> dict[int, KnownVersion]:
    return {
        number: KnownVersion(
            number,
            one.deleted is None,
            one.digest,
            one.root,
            one.size_bytes,
            one.created,
            one.by,
            one.aliases,
            one.tags,
        )
        for number, one in state.versions.items()
    }


def _known_version(row: list[Any]) -> KnownVersion:
    *plain, aliases, tags = row
    return KnownVersion._make((*plain, tuple(aliases), tuple(tags)))


def _named(inputs: list[Any], source: list[Any] | None, origin: list[Any] | None) -> NamedVersions:
    return NamedVersions(
        tuple(Source(*one) for one in inputs),
        None if source is None else Source(*source),
        None if origin is None else Origin(*origin),
    )


def _plain(value: Any) -> Any:
    if type(value) is tuple:
        return [astuple(one) for one in value]
    return None if value is None else astuple(value)


def _check_of(store_id: str, log: str, head: Head, text: str) -> bytes:
    """SQLite has no checksums. The time is left out: a false one costs a look at the entry."""
    where = f"{store_id} {log} {head.n} {head.digest.hex()} {head.size_bytes}\n"
    return digest.checksum64((where + text).encode())


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

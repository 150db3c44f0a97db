"""
Roots: what is live, by the logs of all collections; whatever cannot be read stops gc.

"No references" must never be what a damaged log, an unknown entry or a refused listing comes to
(PROTOCOL G5): here each of them is an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from artstore import names
from artstore.catalog.catalog import Catalog
from artstore.catalog.format import collection_prefix, entry_key
from artstore.catalog.guard import is_guarded_here
from artstore.catalog.log import listed_entries
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import (
    ArtstoreError,
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    StateError,
    UnsupportedFormatError,
)
from artstore.storage.protocol import Storage

__all__ = ["LogHead", "RootVersion", "Roots", "all_logs", "check_sound", "find_roots", "no_log"]

_COLLECTIONS: Final = "collections/"
_PARALLEL: Final = 16
_Log = TypeVar("_Log")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class RootVersion:
    """
    A version and the keys of the manifest roots it is read by.

    Attributes:
        is_purged: to be gone for good: then it is no root, and every pack of its is repacked.
        entry_count: by its log; 0 where that is not told.
        deleted_n, deleted_seconds: the number of its tombstone in the log, and when that was
            written, by the clock of the storage; -1 and 0.0 where that is not told.
    """

    project: str
    name: str
    version: int
    roots: tuple[str, ...]
    is_purged: bool = False
    is_deleted: bool = False
    entry_count: int = 0
    deleted_n: int = -1
    deleted_seconds: float = 0.0

    @property
    def label(self) -> str:
        """`project/name:v3`."""
        return f"{self.project}/{self.name}:v{self.version}"


@dataclass(frozen=True, slots=True)
class LogHead:
    """The last entry of a collection's log that was looked at, and the digest of its bytes."""

    project: str
    name: str
    n: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Roots:
    """
    All versions of a store.

    Attributes:
        heads: of every log, those that only redirect left out: they take no versions.
        live: what can be pulled.
        restorable: deleted so short a time ago that it stays, whether it can be restored or
            was purged.
        dropped: deleted before that, or purged and honoured: what they alone hold may go.
    """

    heads: tuple[LogHead, ...]
    live: tuple[RootVersion, ...]
    restorable: tuple[RootVersion, ...]
    dropped: tuple[RootVersion, ...]


def find_roots(
    storage: Storage,
    catalog: Catalog,
    *,
    now_seconds: float,
    restore_window_seconds: float,
    upkeep_head_n: int,
    honours_purges: bool = False,
    as_purged: tuple[str, str, int] | None = None,
) -> Roots:
    """
    Read every log.

    Args:
        now_seconds: by the clock of the storage.
        upkeep_head_n: the last entry of gc's log.
        honours_purges: a purged version is dropped at once.
        as_purged: project, collection and number of a version that is taken for purged, and
            honoured.
    Raises:
        DamagedDataError, UnsupportedFormatError, StateError, StorageError: something cannot
            be read, or not be understood.
    Cost: two scans a collection, 16 at once on a bucket, and what this machine has not read yet.
    """
    logs = all_logs(storage, catalog)

    def read(log: tuple[str, str]) -> tuple[CollectionState, Mapping[int, float]] | None:
        return _read_log(storage, catalog, *log)

    heads, live, restorable, dropped = [], [], [], []
    for found in over_logs(storage, read, logs):
        if found is None:
            continue
        state, times = found
        _check_fences(state, upkeep_head_n)
        heads.append(LogHead(state.project, state.name, state.head_n, state.head_digest))
        for version in state.versions.values():
            one = root_version(state, version)
            deleted = version.deleted
            if (one.project, one.name, one.version) == as_purged:
                dropped.append(replace(one, is_purged=True))
            elif deleted is None:
                live.append(one)
            elif (deleted.is_purged and honours_purges) or (
                now_seconds - times[deleted.n] >= restore_window_seconds
            ):
                dropped.append(one)
            else:
                told = replace(one, deleted_n=deleted.n, deleted_seconds=times[deleted.n])
                restorable.append(told)
    return Roots(tuple(heads), tuple(live), tuple(restorable), tuple(dropped))


def root_version(state: CollectionState, version: VersionState) -> RootVersion:
    """What a version is read by."""
    return RootVersion(
        state.project,
        state.name,
        version.version,
        (version.root,) if version.meta is None else (version.root, version.meta),
        is_purged=version.deleted is not None and version.deleted.is_purged,
        is_deleted=version.deleted is not None,
        entry_count=version.entry_count,
    )


def all_logs(storage: Storage, catalog: Catalog) -> list[tuple[str, str]]:
    """
    (project, name) of every log below `collections/`.

    Raises:
        UnsupportedFormatError: `entry-kind-unknown`, a name that this release gives to none:
            a newer one may, and what lies below it may be needed.
        DamagedDataError: `log-rolled-back`, this machine has seen one that is not listed.
    Cost: a scan of each project.
    """
    seen = set(catalog.seen())
    logs: list[tuple[str, str]] = []
    for project in _names(storage, _COLLECTIONS, names.check_project_name):
        place = f"{_COLLECTIONS}{names.escape_for_key(project)}"
        below = list(_names(storage, f"{place}/", names.check_collection_name))
        if not below:
            # A value where a project should be.
            raise _none_of_ours(place)
        logs += [(project, name) for name in below]
    for project, name in sorted(seen.difference(logs)):
        raise DamagedDataError(
            f"this machine has seen the collection {project}/{name}, and nothing of it is listed",
            code="log-rolled-back",
            hint="`art check` shows more; its versions may still be needed",
            project=project,
            name=name,
        )
    return logs


def over_logs(
    storage: Storage, do: Callable[[_Log], _Answer], logs: Iterable[_Log]
) -> Iterator[_Answer]:
    """`do` of each log, several at once where each waits for a network."""
    if is_guarded_here(storage.url):
        yield from map(do, logs)
        return
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="artstore-logs") as pool:
        yield from pool.map(do, logs)


def check_sound(state: CollectionState) -> None:
    """
    Refuse a log of which any entry may be another one than it seems, or may hold something here.

    Raises:
        DamagedDataError: `log-hole`, `log-rolled-back`, `log-entry-damaged`.
        UnsupportedFormatError: `entry-kind-unknown`.
        StateError: `draft-not-open`: a draft is open, and its parts are not known here.
    """
    state.check_writable()
    if state.damaged or state.is_in_doubt:
        n = state.damaged[-1] if state.damaged else state.head_n
        raise DamagedDataError(
            f"entry {n} of the log of {state.qualified_name} is damaged: "
            "it may have made a version, whose content would go",
            code="log-entry-damaged",
            hint="put it back: art check --repair --from COPY",
            n=n,
        )
    for draft, version in state.drafts.items():
        if version is None:
            raise StateError(
                f"the draft {draft} of {state.qualified_name} is open; "
                "this release does not know what is part of it",
                code="draft-not-open",
                hint="finish or abandon it with the release that opened it",
            )


def no_log(storage: Storage, project: str, name: str) -> ArtstoreError:
    """What a name without entries of a log comes to: they are lost, or it is none of ours."""
    prefix = collection_prefix(project, name)
    for info in storage.scan(prefix):
        return DamagedDataError(
            f"the log of {project}/{name} has no entries, but {info.key} lies there",
            code="log-hole",
            key=info.key,
        )
    return _none_of_ours(prefix.rstrip("/"))


def _check_fences(state: CollectionState, upkeep_head_n: int) -> None:
    """Refuse a log that knows of plans that gc's own log does not: one of them is older."""
    for fence in state.fences:
        if fence.plan > upkeep_head_n:
            raise DamagedDataError(
                f"entry {fence.n} of {state.qualified_name} is the fence of plan {fence.plan}, "
                f"and the log of gc ends at {upkeep_head_n}: it was restored from an older copy",
                code="log-rolled-back",
                hint="bring upkeep/ back from the copy that the rest was restored from",
                n=fence.n,
            )


def _read_log(
    storage: Storage, catalog: Catalog, project: str, name: str
) -> tuple[CollectionState, Mapping[int, float]] | None:
    prefix = collection_prefix(project, name)
    times = {n: info.modified_seconds for n, info in listed_entries(storage, prefix)}
    if not times:
        raise no_log(storage, project, name)
    state = catalog.damaged_state(project, name)
    if (state.project, state.name) != (project, name):
        return None
    check_sound(state)
    listed_n = max(times)
    for n in range(listed_n):
        if n not in times:
            times[n] = _time_of_unlisted(storage, prefix, n)
    if not state.exists:
        # Another's first entry may be under way; fences alone make no collection.
        return state, times
    for version in state.versions.values():
        if version.deleted is not None and version.deleted.n not in times:
            # Deleted while this was read: it counts as just now.
            times[version.deleted.n] = float("inf")
    return state, times


def _time_of_unlisted(storage: Storage, prefix: str, n: int) -> float:
    """When an entry was written that a listing shows only later ones than."""
    try:
        # Of two that are written while a directory is listed, the second alone may be shown.
        return storage.stat(entry_key(prefix, n)).modified_seconds
    except NotFoundError:
        raise DamagedDataError(
            f"entry {n} of the log {prefix} is missing",
            code="log-hole",
            hint="art check --repair",
            key=entry_key(prefix, n),
            n=n,
        ) from None


def _names(storage: Storage, prefix: str, check: Callable[[str], str]) -> Iterator[str]:
    for part in storage.scan_names(prefix):
        try:
            name = check(names.unescape_from_key(part))
            is_ours = names.escape_for_key(name) == part
        except InvalidInputError:
            is_ours = False
        if not is_ours:
            raise _none_of_ours(f"{prefix}{part}")
        yield name


def _none_of_ours(key: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        f"{key} is no name that this release gives; what lies there may be needed",
        code="entry-kind-unknown",
        hint="install a newer artstore, or take it out of the store",
        key=key,
    )

"""
A version in a store, and what can be done with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from artstore import forks
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import InvalidInputError
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress

if TYPE_CHECKING:
    from artstore.manifests.entry import Entry
    from artstore.manifests.reader import Manifest
    from artstore.transfer.openfile import ArtifactFile
    from artstore.transfer.randomread import RangeReader
    from artstore.transfer.versionfiles import VersionFiles

__all__ = ["LoggedArtifact", "PullResult", "PushSummary"]


class PushSummary(NamedTuple):
    """
    What logging an artifact did.

    Attributes:
        is_new: whether a version was made; False: the newest has this content.
        stored_bytes: bytes written to the store, manifests included.
        read_bytes: bytes of source files that had to be read.
    """

    is_new: bool
    stored_bytes: int
    read_bytes: int
    seconds: float
    warnings: tuple[str, ...]


class PullResult(NamedTuple):
    """What a download did, or with `dry_run` would do. Counts are of files and symlinks."""

    root: Path
    files: int
    written_files: int
    written_bytes: int
    skipped_files: int
    deleted: int
    linked: int
    seconds: float
    warnings: tuple[str, ...]
    written_paths: tuple[str, ...] = ()
    deleted_paths: tuple[str, ...] = ()


class LoggedArtifact:
    """
    One version in a store. What it says was true when it was looked up.

    It can be handed to the workers of a data loader, forked or spawned: there
    it opens the store anew. `push` is set on what `Store.log_artifact` returns.

    Args:
        place: opens the store in this process, or gives what was opened.
    """

    def __init__(
        self,
        place: Callable[[], StorePlace],
        checkouts: Checkouts,
        state: CollectionState,
        version: VersionState,
        *,
        push: PushSummary | None = None,
    ) -> None:
        self._open_place = place
        self._checkouts = checkouts
        self._state = state
        self._version = version
        self._push = push
        # By `forks.generation`: what a parent opened is not used in a child.
        self._manifests: dict[int, Manifest] = {}
        self._opened_files: dict[int, VersionFiles] = {}
        self._header: Mapping[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        kept = {**self.__dict__, "_state": _portable(self._state, self._version)}
        return {**kept, "_manifests": {}, "_opened_files": {}, "_header": None}

    def __repr__(self) -> str:
        return f"<artifact {self.qualified_name} {self.digest[:12]}>"

    @property
    def push(self) -> PushSummary:
        """What logging it did."""
        assert self._push is not None, "only log_artifact knows"
        return self._push

    @property
    def project(self) -> str:
        """Its project."""
        return self._state.project

    @property
    def name(self) -> str:
        """Its name, without project and version."""
        return self._state.name

    @property
    def version(self) -> str:
        """`v3`."""
        return f"v{self._version.version}"

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`."""
        return f"{self.project}/{self.name}:{self.version}"

    @property
    def store_id(self) -> str:
        """The id of the store that has it."""
        return self._open_place().store_id

    @property
    def type(self) -> str:
        """`dataset`, `model`, ..."""
        return self._state.type or ""

    @property
    def digest(self) -> str:
        """The artifact digest, 64 hex digits: equal exactly for equal content."""
        return self._version.digest

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self._version.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it has."""
        return self._version.file_count

    @property
    def aliases(self) -> tuple[str, ...]:
        """Names it also has; `latest` first, if it is the newest."""
        latest = None if self._state.is_in_doubt else self._state.latest
        first = ("latest",) if latest and latest.version == self._version.version else ()
        return first + tuple(self._version.aliases)

    @property
    def tags(self) -> tuple[str, ...]:
        """Marks on this version."""
        return tuple(self._version.tags)

    @property
    def created_at(self) -> str:
        """UTC, `2026-01-31T12:00:00Z`."""
        return self._version.created

    @property
    def description(self) -> str | None:
        """What this is."""
        return self._read_header().get("description")

    @property
    def message(self) -> str | None:
        """Why this version was made."""
        return self._read_header().get("message")

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values by name."""
        return dict(self._read_header().get("metadata") or {})

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Files, symlinks, empty directories and references, by path."""
        return self._open().entries(prefix)

    def entry(self, path: str) -> Entry:
        """
        The entry at `path`. Raises NotFoundError `entry-not-found`.

        Cost: one segment, and none for what lies near something that was asked for.
        """
        return self._files().tree.entry(path)

    def resolved(self, path: str) -> Entry:
        """
        The entry at `path`, or at the end of the symlinks that begin there.

        Raises NotFoundError `entry-not-found`, also where they lead out of the version.
        """
        return self._files().tree.resolve(path)

    def children(self, directory: str = "") -> Iterator[Entry]:
        """
        What lies directly in a directory, by path; directories in it as such entries.

        Cost: the parts of the list with files of this directory, and one for each
        directory in it: not what lies further down.
        """
        return self._files().tree.children(directory)

    def open(self, path: str) -> ArtifactFile:
        """
        Open a file for reading, without a checkout: a binary file with random access.

        Symlinks inside the version are followed; a reference is read where it lies.
        Only what is read is fetched, each chunk verified before it is given.

        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`, `reference-refused`.
            DamagedDataError: also out of every read.
        """
        return self._files().open(path, self._reader, (self.open, (path,)))

    def read_ranges(self, ranges: Sequence[tuple[str, int, int | None]]) -> list[bytes]:
        """
        Ranges of files, (path, start, stop) as a slice has them, in as few requests as it takes.

        Raises:
            As `open`.
        Cost: chunks of all ranges that lie near each other are read at once.
        """
        return self._files().read_ranges(ranges)

    def iter_bytes(self, path: str) -> Iterator[bytes]:
        """
        The bytes of a file, piece by piece, each verified.

        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`.
            DamagedDataError: what was yielded before is sound.
        """
        from artstore.manifests.entry import FILE, LINK

        entry = self._open().entry(path)
        if entry.kind not in (FILE, LINK):
            raise InvalidInputError(
                f"{path!r} is a {entry.kind}, not a file", code="entry-not-file", path=path
            )
        done, is_whole = 0, False
        while not is_whole:
            generation = forks.generation()
            chunks = islice(self._open().chunks(entry), done, None)
            for data in self._open_place().packs.chunks(chunks):
                yield bytes(data)
                done += 1
                if generation != forks.generation():
                    break
            else:
                is_whole = True

    def read(self, path: str) -> bytes:
        """The bytes of a file, at once. Raises as `iter_bytes`."""
        return b"".join(self.iter_bytes(path))

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        path_prefix: str | None = None,
        paths: Sequence[str] = (),
        link: str = "copy",
        delete: bool = False,
        dry_run: bool = False,
        into: bool = True,
        on_progress: OnProgress | None = None,
    ) -> PullResult:
        """
        Make a directory hold this version; files that are right already are left alone.

        Args:
            root: `./artifacts/<name>:<version>` if left out.
            path_prefix: only entries whose path starts so.
            paths: only entries that match one of these globs.
            link: `copy`, or `reflink`, `hard`, `sym` to one read-only file in the cache.
            delete: remove what the version does not have.
            into: False refuses a directory that is not empty and no checkout.
        Raises:
            DamagedDataError: naming the file; nothing wrong is left behind.
            StateError: `target-not-empty`, `target-occupied`.
            DeniedError: `target-full`, `target-denied`, `space-short`.
        """
        from artstore.transfer.pull import PullSpec, check_link_mode, pull
        from artstore.transfer.selection import Selection

        began = time.monotonic()
        if root is None:
            root = Path("artifacts") / f"{self.name}:{self.version}"
        spec = PullSpec(
            Path(root),
            Selection(path_prefix or "", tuple(paths)),
            link=check_link_mode(link),
            delete=delete,
            dry_run=dry_run,
            into=into,
        )
        outcome = pull(
            self._open_place(),
            self._checkouts,
            self._state,
            self._version,
            spec,
            on_progress=on_progress,
        )
        return PullResult(
            root=outcome.root,
            files=outcome.file_count,
            written_files=len(outcome.written_paths),
            written_bytes=outcome.written_bytes,
            skipped_files=outcome.skipped_count,
            deleted=len(outcome.deleted_paths),
            linked=outcome.linked_count,
            seconds=time.monotonic() - began,
            warnings=outcome.warnings,
            written_paths=outcome.written_paths,
            deleted_paths=outcome.deleted_paths,
        )

    def _open(self) -> Manifest:
        generation = forks.generation()
        manifest = self._manifests.get(generation)
        if manifest is None:
            opened = self._open_place().manifest(self._version)
            manifest = self._manifests.setdefault(generation, opened)
        return manifest

    def _files(self) -> VersionFiles:
        from artstore.transfer.versionfiles import VersionFiles

        generation = forks.generation()
        files = self._opened_files.get(generation)
        if files is None:
            opened = VersionFiles(self._open_place(), self._open())
            files = self._opened_files.setdefault(generation, opened)
        return files

    def _reader(self) -> RangeReader:
        return self._files().reader

    def _read_header(self) -> Mapping[str, Any]:
        if self._header is None:
            self._header = self._open_place().header(self._version)
        return self._header


def _portable(state: CollectionState, version: VersionState) -> CollectionState:
    """What an artifact tells of its collection, without the versions that it says nothing of."""
    told = {version.version: version}
    if state.latest is not None:
        told[state.latest.version] = state.latest
    versions = {number: told[number] for number in sorted(told)}
    return replace(state, versions=versions, aliases={}, drafts={}, unknown=(), fences=())

"""
A version in a store, and what can be done with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import InvalidInputError
from artstore.transfer.checkouts import Checkouts
from artstore.transfer.place import StorePlace
from artstore.transfer.progress import OnProgress

if TYPE_CHECKING:
    from artstore.manifests.entry import Entry
    from artstore.manifests.reader import Manifest

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

    `push` is set on what `Store.log_artifact` returns.
    """

    def __init__(
        self,
        place: StorePlace,
        checkouts: Checkouts,
        state: CollectionState,
        version: VersionState,
        *,
        push: PushSummary | None = None,
    ) -> None:
        self._place = place
        self._checkouts = checkouts
        self._state = state
        self._version = version
        self._push = push
        self._manifest: Manifest | None = None
        self._header: Mapping[str, Any] | None = None

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
        return self._place.store_id

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
        """The entry at `path`. Raises NotFoundError `entry-not-found`. Cost: one segment."""
        return self._open().entry(path)

    def iter_bytes(self, path: str) -> Iterator[bytes]:
        """
        The bytes of a file, piece by piece, each verified.

        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`.
            DamagedDataError: what was yielded before is sound.
        """
        from artstore.manifests.entry import FILE, LINK

        manifest = self._open()
        entry = manifest.entry(path)
        if entry.kind not in (FILE, LINK):
            raise InvalidInputError(
                f"{path!r} is a {entry.kind}, not a file", code="entry-not-file", path=path
            )
        for data in self._place.packs.chunks(manifest.chunks(entry)):
            yield bytes(data)

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
            self._place,
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
        if self._manifest is None:
            self._manifest = self._place.manifest(self._version)
        return self._manifest

    def _read_header(self) -> Mapping[str, Any]:
        if self._header is None:
            self._header = self._place.header(self._version)
        return self._header

"""
What a version tells and gives: the part of an artifact that only reads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from artstore import forks
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.manifests.entry import FILE, LINK, REFERENCE, TABLE
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.versions.entries import ArtifactEntry

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.catalog.state import Origin, Source
    from artstore.manifests.entry import Entry
    from artstore.publicapi.publicrun import PublicRun
    from artstore.transfer.openfile import ArtifactFile
    from artstore.transfer.randomread import RangeReader
    from artstore.versions.version import LoggedVersion

__all__ = ["Collection", "PullResult", "PushSummary", "VersionReader"]

_WITH_BYTES: Final = frozenset((FILE, LINK, REFERENCE, TABLE))
_TOLD_PROBLEMS: Final = 8


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
    """
    What a download did, or with `dry_run` would do. Counts are of files and symlinks.

    It can be used in place of the path of its directory: `open(result / "a.txt")`,
    `os.listdir(result)`, `f"{result}/a.txt"`.
    """

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

    def __fspath__(self) -> str:
        return os.fspath(self.root)

    def __str__(self) -> str:
        return os.fspath(self.root)

    def __truediv__(self, path: str | os.PathLike[str]) -> Path:
        return self.root / path


class Collection(NamedTuple):
    """The sequence of versions that a version is one of."""

    project: str
    name: str
    type: str

    @property
    def qualified_name(self) -> str:
        """`project/name`."""
        return f"{self.project}/{self.name}"


class VersionReader:
    """The part of `Artifact` that needs a version; StateError `artifact-not-logged` without."""

    def _logged(self) -> LoggedVersion:
        """Raises StateError `artifact-not-logged`."""
        raise NotImplementedError

    # what it is ----------------------------------------------------------------------

    @property
    def version(self) -> str:
        """`v3`."""
        return f"v{self._logged().number}"

    @property
    def project(self) -> str:
        """Its project."""
        return self._logged().state.project

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`."""
        return self._logged().qualified_name

    @property
    def collection(self) -> Collection:
        """What it is a version of: `project`, `name` and `type`."""
        state = self._logged().state
        return Collection(state.project, state.name, state.type or "")

    @property
    def id(self) -> str:
        """16 hex digits that no other version has, in any store; they never change."""
        return self._logged().version.push

    @property
    def inputs(self) -> tuple[Source, ...]:
        """Versions that it names: by links, in joined tables, as sources of a query."""
        return self._logged().version.inputs

    @property
    def origin(self) -> Origin | None:
        """The version of another store that it was brought from by a sync, if it was."""
        return self._logged().version.origin

    @property
    def made_by(self) -> str | None:
        """`project/run id` of the run that made it, if one did."""
        return self._logged().version.run

    @property
    def url(self) -> str:
        """`art://project/name:v3`, which fsspec and `add_reference` take."""
        return f"art://{self.qualified_name}"

    @property
    def store_id(self) -> str:
        """The id of the store that has it."""
        return self._logged().place.store_id

    @property
    def digest(self) -> str:
        """The artifact digest, 64 hex digits: equal exactly for equal content."""
        return self._logged().version.digest

    @property
    def created_at(self) -> str:
        """UTC, `2026-01-31T12:00:00Z`."""
        return self._logged().version.created

    @property
    def updated_at(self) -> str:
        """When the log last told something of it. Cost: reads the whole log."""
        from artstore.catalog.format import LogEntry

        version = self._logged()
        state = version.state
        told = [
            entry.time
            for entry in version.place.catalog.history(state.project, state.name)
            if isinstance(entry, LogEntry) and entry.fields.get("version") == version.number
        ]
        return max(told, default=version.version.created)

    @property
    def history_step(self) -> int | None:
        """The step of the run that logged it; None: no run is known."""
        self._logged()
        return None

    @property
    def message(self) -> str | None:
        """Why this version was made."""
        return self._logged().header().get("message")

    # where it is from ------------------------------------------------------------------

    @property
    def is_link(self) -> bool:
        """Whether it was made by linking a version of another collection."""
        return self._logged().version.source is not None

    @property
    def source_project(self) -> str:
        """The project of the version that a link was made from; else its own. As the next four."""
        return self._source()[0]

    @property
    def source_collection(self) -> str:
        """The name of that collection."""
        return self._source()[1]

    @property
    def source_version(self) -> str:
        """`v3`."""
        return f"v{self._source()[2]}"

    @property
    def source_name(self) -> str:
        """`name:v3`."""
        return f"{self.source_collection}:{self.source_version}"

    @property
    def source_qualified_name(self) -> str:
        """`project/name:v3`."""
        return f"{self.source_project}/{self.source_name}"

    def _source(self) -> tuple[str, str, int]:
        version = self._logged()
        source = version.version.source
        if source is None:
            return version.state.project, version.state.name, version.number
        return source.project, source.name, source.version

    def logged_by(self) -> PublicRun | None:
        """
        The run that made it; None if none did, or none is known any more.

        Cost: one scan; one batch of reads if there is something new.
        """
        from artstore.publicapi.ofversions import run_that_made

        return run_that_made(self._logged())

    def used_by(self) -> list[PublicRun]:
        """
        The runs that used it, of all projects, the oldest first.

        Cost: two scans for each project with runs, and what is new.
        """
        from artstore.publicapi.ofversions import runs_that_used

        return runs_that_used(self._logged())

    # files ---------------------------------------------------------------------------

    def get(self, name: str) -> Any:
        """
        The table, joined table or media value that was added as `name`; None if there is none.

        `get` gives what `add` took: a table reads its rows when they are asked for, an
        image its pixels. The endings of W&B's files (`x.table.json`) may be left on.

        Raises:
            StateError: `artifact-not-logged`.
            DamagedDataError: `table-damaged`, `media-cell-damaged`, `joined-table-damaged`.
        Cost: of a table its description, of a media value the file that describes it.
        """
        from artstore.versions.values import read_value

        return read_value(self._logged(), name)

    def entry(self, path: str) -> Entry:
        """
        The stored record at `path`. Raises NotFoundError `entry-not-found`.

        Cost: one segment, and none for what lies near something that was asked for.
        """
        return self._logged().files().tree.entry(path)

    def resolved(self, path: str) -> Entry:
        """
        The stored record at `path`, or at the end of the symlinks that begin there.

        Raises NotFoundError `entry-not-found`, also where they lead out of the version.
        """
        return self._logged().files().tree.resolve(path)

    def children(self, directory: str = "", *, after: str = "") -> Iterator[Entry]:
        """
        What lies directly in a directory, by path; directories in it as such entries.

        Args:
            after: the path of the child to go on behind, in a listing by pages.
        Cost: the parts of the list with files of this directory, and one for each
        directory in it: not what lies further down.
        """
        return self._logged().files().tree.children(directory, after=after)

    def files(self, names: Iterable[str] | None = None) -> Iterator[ArtifactEntry]:
        """
        Files and references, by path.

        Args:
            names: only these paths, in this order; what is not there is left out.
        """
        version, artifact = self._logged(), cast("Artifact", self)
        if names is not None:
            found = (artifact.manifest.entries.get(name) for name in names)
            return (entry for entry in found if entry is not None and entry.kind in _WITH_BYTES)
        return (
            ArtifactEntry(entry, artifact, self._logged)
            for entry in version.manifest().entries()
            if entry.kind in _WITH_BYTES
        )

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
        return self._logged().files().open(path, self._reader, (self.open, (path,)))

    def read_ranges(self, ranges: Sequence[tuple[str, int, int | None]]) -> list[bytes]:
        """
        Ranges of files, (path, start, stop) as a slice has them, in as few requests as it takes.

        Raises:
            As `open`.
        Cost: chunks of all ranges that lie near each other are read at once.
        """
        return self._logged().files().read_ranges(ranges)

    def iter_bytes(self, path: str) -> Iterator[bytes]:
        """
        The bytes of a file, piece by piece, each verified; of a table those that a pull writes.

        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`.
            DamagedDataError: what was yielded before is sound.
        """
        version = self._logged()
        entry = version.manifest().entry(path)
        if entry.kind == TABLE:
            from artstore.transfer.tablewriting import table_buffers

            yield from map(bytes, table_buffers(entry, version.place))
            return
        if entry.kind not in (FILE, LINK):
            raise InvalidInputError(
                f"{path!r} is a {entry.kind}, not a file", code="entry-not-file", path=path
            )
        done, is_whole = 0, False
        while not is_whole:
            generation = forks.generation()
            chunks = islice(version.manifest().chunks(entry), done, None)
            for data in version.place.packs.chunks(chunks):
                yield bytes(data)
                done += 1
                if generation != forks.generation():
                    break
            else:
                is_whole = True

    def read(self, path: str) -> bytes:
        """The bytes of a file, at once. Raises as `iter_bytes`."""
        return b"".join(self.iter_bytes(path))

    # directories -----------------------------------------------------------------------

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """
        Download the one file of an artifact that has one; returns where it is.

        Args:
            root: `./artifacts/<name>:<version>` if left out.
        Raises:
            InvalidInputError: `entry-not-single`.
            DamagedDataError, StateError, DeniedError: as `download`.
        """
        found = list(islice(self.files(), 2))
        if len(found) != 1:
            held = (
                "no file" if not found else f"{found[0].path!r}, {found[1].path!r} and maybe more"
            )
            raise InvalidInputError(
                f"{self.qualified_name} has not just one file: it has {held}",
                code="entry-not-single",
                hint="use download() for all files, or get_entry(path).download() for one",
            )
        return found[0].download(root)

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,  # noqa: FBT001, FBT002 - W&B's
        skip_cache: bool | None = None,  # noqa: ARG002, FBT001 - W&B's
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,  # noqa: ARG002, FBT001 - W&B's
        *,
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
            allow_missing_references: leave out references behind which nothing lies.
            skip_cache: as W&B has it; without effect, a copy leaves nothing in a cache.
            path_prefix: only entries whose path starts so.
            multipart: as W&B has it; without effect, large files always are read in parts.
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
        version = self._logged()
        spec = PullSpec(
            version.default_root if root is None else Path(root),
            Selection("" if path_prefix is None else os.fspath(path_prefix), tuple(paths)),
            link=check_link_mode(link),
            delete=delete,
            dry_run=dry_run,
            into=into,
            allow_missing=allow_missing_references,
        )
        outcome = pull(
            version.place,
            version.checkouts,
            version.state,
            version.version,
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

    def checkout(self, root: str | os.PathLike[str] | None = None) -> PullResult:
        """
        Make a directory hold this version and nothing else: what it does not have is deleted.

        Args:
            root: `./artifacts/<name>` if left out.
        Raises:
            As `download`.
        """
        if root is None:
            root = self._logged().default_root.with_name(self._logged().state.name)
        return self.download(root, delete=True)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """
        Check that a directory holds this version, byte for byte, and nothing else.

        Every file is read. A reference that was not fetched is let pass.

        Args:
            root: `./artifacts/<name>:<version>` if left out.
        Raises:
            DamagedDataError: `damage-found`, naming what is missing, different or too
                much; all of it is in `context["problems"]`, as (path, what is wrong).
            InvalidInputError: `source-vanished`, there is no such directory.
        """
        from artstore.transfer.verifydir import verify_directory

        version = self._logged()
        directory = version.default_root if root is None else Path(root)
        place = version.place
        problems = list(
            verify_directory(
                version.manifest(),
                directory,
                content_root=place.content_root,
                meter=ProgressMeter("verify", None),
            )
        )
        if not problems:
            return
        told = [f"{path} {what}" for path, what in problems[:_TOLD_PROBLEMS]]
        if len(problems) > _TOLD_PROBLEMS:
            told.append(f"and {len(problems) - _TOLD_PROBLEMS} more")
        raise DamagedDataError(
            f"{directory} does not hold {version.qualified_name}: {'; '.join(told)}",
            code="damage-found",
            hint="checkout() makes it right, and removes what does not belong",
            problems=problems,
        )

    def _reader(self) -> RangeReader:
        return self._logged().files().reader

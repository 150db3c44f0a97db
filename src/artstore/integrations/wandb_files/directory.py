"""
A directory as W&B's SDK or `wandb artifact get` leaves it, read without W&B.

    directory = WandbDirectory("artifacts/predictions:v3")
    for path in directory.tables():
        table = directory.table(path)
        for row in table.rows():
            ...

It only reads. What it gives are plain values, media values of artstore, and paths:
what becomes of them is for others to say.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from typing import Any, Final

from artstore import forks
from artstore.errors import ArtstoreError, NotFoundError
from artstore.integrations.placing import placed
from artstore.integrations.wandb_files.claims import claimed_by_record, claimed_by_table
from artstore.integrations.wandb_files.failures import Misfit, damaged_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.header import TableHeader, read_header
from artstore.integrations.wandb_files.increments import increment_of, superseded, with_previous
from artstore.integrations.wandb_files.joins import (
    WandbJoinedTable,
    WandbPartitionedTable,
    read_joined,
    read_partitioned,
)
from artstore.integrations.wandb_files.jsonstream import decode_json
from artstore.integrations.wandb_files.kinds import (
    JOINED_TABLE,
    MEDIA_KINDS,
    PARTITIONED_TABLE,
    TABLE,
    kind_of_file,
)
from artstore.integrations.wandb_files.manifest import (
    MANIFESTS,
    WandbEntry,
    WandbManifest,
    read_manifest,
)
from artstore.integrations.wandb_files.media import MediaReader, class_set
from artstore.integrations.wandb_files.tables import WandbTable
from artstore.integrations.wandb_files.verification import WandbReport, verified
from artstore.media.boxes import BoundingBoxes

__all__ = ["WandbDirectory"]

_MEDIA: Final = "media/"
"""Where W&B puts the files of tables and media."""
_SMALL_BYTES: Final = 64 * 1024 * 1024


class WandbDirectory:
    """
    The tables, media, files and references of one artifact, or of the files of one run.

    All paths are those of the artifact: below the directory, with `/`. Nothing outside
    of the directory is read.

    Args:
        path: the directory to which the artifact was downloaded.
        check_digests: compare media with the SHA-256 that tables tell of them.
        clip_boxes: cut boxes off at the edges of their image; W&B takes any, and here
            they are else refused (`box-outside`).
    Raises:
        NotFoundError: `wandb-file-missing`: there is no such directory.
        InvalidInputError: `wandb-path-refused`: a link in it leads out, or is no file.
    Cost: one walk over the directory.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        check_digests: bool = True,
        clip_boxes: bool = False,
    ) -> None:
        self._files = WandbFiles(path)
        self._check_digests, self._clip_boxes = check_digests, clip_boxes
        self._headers: dict[str, TableHeader] = {}
        self._kinds = {
            path: kind
            for path in self._files.places
            if (kind := kind_of_file(self._files, path)) is not None
        }

    @property
    def path(self) -> str:
        """The directory, absolute."""
        return self._files.root

    @forks.LazyValue
    def manifest(self) -> WandbManifest | None:
        """
        The manifest that lies in the directory; None if there is none. The full one, if several.

        Raises:
            DamagedDataError: `wandb-file-damaged`.
            InvalidInputError: `wandb-path-refused`.
            UnsupportedFormatError: `format-unsupported`.
        """
        found = next((name for name in MANIFESTS if name in self._files.places), None)
        return None if found is None else read_manifest(self._files, found)

    def tables(self) -> tuple[str, ...]:
        """
        The paths of all tables, sorted; of the increments of a table that of the newest.

        Parts of partitioned tables and tables that others refer to are among them.
        Cost: reads the increments of tables once.
        """
        return self._leave_out(superseded(self._all_tables, self._is_incremental))

    def table(self, path: str) -> WandbTable:
        """
        One table.

        Args:
            path: of a table; of an increment, for all rows up to it; or of a
                partitioned table, for the rows of all its parts.
        Raises:
            DamagedDataError: `wandb-file-damaged`, `wandb-cell-damaged`.
            NotFoundError: `wandb-file-missing`: the table, or a part of it.
            InvalidInputError: `wandb-path-refused`.
            LimitExceededError: `limit-exceeded`.
        Cost: parses its files once, without keeping rows.
        """
        kind = self._kind(path, (TABLE, PARTITIONED_TABLE))
        if kind == PARTITIONED_TABLE:
            whole = read_partitioned(self._files, path, self._all_tables)
            headers = tuple(self._header(part) for part in whole.parts)
        else:
            headers = with_previous(self._header(path), self._all_tables, self._header)
        name = _name_of(path, is_increment=headers[-1].log_mode == "INCREMENTAL")
        return WandbTable(path, name, headers, self._files, self._reader)

    def joined_tables(self) -> tuple[WandbJoinedTable, ...]:
        """
        All joined tables; both tables of each are there.

        Raises:
            DamagedDataError: `wandb-file-damaged`.
            NotFoundError: `wandb-file-missing`.
            InvalidInputError: `wandb-path-refused`.
        """
        return tuple(read_joined(self._files, path) for path in self._of_kind(JOINED_TABLE))

    def partitioned_tables(self) -> tuple[WandbPartitionedTable, ...]:
        """All partitioned tables. Raises as `joined_tables`."""
        return tuple(
            read_partitioned(self._files, path, self._all_tables)
            for path in self._of_kind(PARTITIONED_TABLE)
        )

    def media(self) -> tuple[str, ...]:
        """
        The paths of files that describe one media value, and are not of a table's media.

        Cost: as `plain_files`.
        """
        return tuple(
            path
            for path, kind in self._kinds.items()
            if kind in MEDIA_KINDS and path not in self._claimed
        )

    def media_value(self, path: str) -> Any:
        """
        The value that such a file describes: an Image, Audio, ..., Classes, BoundingBoxes or Mask.

        Raises:
            DamagedDataError: `wandb-file-damaged`, `wandb-digest-mismatch` and those of media.
            NotFoundError: `wandb-file-missing`.
            InvalidInputError: `wandb-path-refused` and those of media.
        """
        kind = self._kind(path, MEDIA_KINDS)
        record = decode_json(self._files.read(path, _SMALL_BYTES), path)
        if isinstance(record, dict) and record.get("_type") not in (kind, None):
            raise damaged_file(path, f"it says that it is of type {record['_type']!r:.40}")
        try:
            return self._value(kind, record, path)
        except Misfit as error:
            raise damaged_file(path, str(error)) from error
        except ArtstoreError as error:
            raise placed(error, path) from error

    def plain_files(self) -> tuple[str, ...]:
        """
        The paths of all other files, sorted: neither tables nor media nor files of theirs.

        A file that a table names and that does not lie under `media/` was added by its
        own name too, and is one of them. Manifests are left out, and so is what the
        manifest says lies elsewhere.
        Cost: reads all tables that can hold media once, when it is asked for first.
        """
        entries = self.manifest.entries if self.manifest is not None else {}
        return tuple(
            path
            for path in self._files.places
            if path not in self._kinds
            and path not in self._claimed
            and path not in MANIFESTS
            and not (path in entries and entries[path].is_elsewhere)
        )

    def references(self) -> tuple[WandbEntry, ...]:
        """
        What the manifest says lies elsewhere, sorted by path, but for media of tables.

        References into other artifacts of W&B are among them only if their files were
        not downloaded. Nothing without a manifest. Cost: as `plain_files`.
        """
        if self.manifest is None:
            return ()
        return tuple(
            entry
            for path, entry in sorted(self.manifest.entries.items())
            if entry.url is not None
            and path not in self._claimed
            and (entry.is_elsewhere or path not in self._files.places)
        )

    def file_path(self, path: str) -> str:
        """
        Where a file is on this machine.

        Raises:
            NotFoundError: `wandb-file-missing`.
            InvalidInputError: `wandb-path-refused`.
        """
        return self._files.find(path, "the caller")

    def verify(self, digest: str | None = None) -> WandbReport:
        """
        Compare all files with the manifest.

        Args:
            digest: of the artifact, 32 hex digits, as W&B shows it; compared too.
        Raises:
            NotFoundError: `wandb-file-missing`: a file, or the manifest.
            DamagedDataError: `wandb-digest-mismatch`, naming the first files.
            StateError: `wandb-manifest-partial`: a digest was given, and the manifest
                lists only what is new.
        Cost: reads every file.
        """
        if self.manifest is None:
            raise NotFoundError(
                f"there is no {next(iter(MANIFESTS))} in {self.path}",
                code="wandb-file-missing",
                hint="a download of W&B has none; there is nothing to compare with",
            )
        return verified(self._files, self.manifest, digest)

    @forks.LazyValue
    def _all_tables(self) -> tuple[str, ...]:
        return self._of_kind(TABLE)

    @forks.LazyValue
    def _reader(self) -> MediaReader:
        return MediaReader(
            self._files,
            self.manifest,
            check_digests=self._check_digests,
            clip_boxes=self._clip_boxes,
        )

    @forks.LazyValue
    def _claimed(self) -> frozenset[str]:
        """
        The files under `media/` that tables and descriptions of media name.

        What they name elsewhere, somebody added by its own name.
        """
        found: set[str] = set()
        for path in self._all_tables:
            found |= claimed_by_table(self._files, self._header(path))
        for path, kind in self._kinds.items():
            if kind in MEDIA_KINDS:
                found |= claimed_by_record(
                    decode_json(self._files.read(path, _SMALL_BYTES), path), inside=True
                )
        return frozenset(path for path in found if path.startswith(_MEDIA))

    def _value(self, kind: str, record: Any, path: str) -> Any:
        if kind == "classes":
            return class_set(record, path)
        if kind == "mask":
            return self._reader.mask(record, None)
        if kind == "bounding-boxes":
            return BoundingBoxes(self._reader.boxes(record, None, "boxes"))
        if not isinstance(record, dict):
            raise Misfit("it is not a record")
        return self._reader.value({**record, "_type": kind}, {})

    def _kind(self, path: str, allowed: Iterable[str]) -> str:
        self._files.find(path, "the caller")
        kind = self._kinds.get(path)
        if kind is None or kind not in allowed:
            raise damaged_file(path, f"its name is not that of a {' or a '.join(sorted(allowed))}")
        return kind

    def _header(self, path: str) -> TableHeader:
        if path not in self._headers:
            self._headers[path] = read_header(self._files, path)
        return self._headers[path]

    def _is_incremental(self, path: str) -> bool:
        return self._header(path).log_mode == "INCREMENTAL"

    def _of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(path for path, found in self._kinds.items() if found == kind)

    def _leave_out(self, paths: set[str]) -> tuple[str, ...]:
        return tuple(path for path in self._all_tables if path not in paths)

    def __repr__(self) -> str:
        return f"<WandbDirectory {self.path}>"


def _name_of(path: str, *, is_increment: bool) -> str:
    increment = increment_of(path) if is_increment else None
    if increment is not None:
        return increment.table
    for kind in (PARTITIONED_TABLE, TABLE):
        if path.endswith(f".{kind}.json"):
            return path.removesuffix(f".{kind}.json")
    return posixpath.splitext(path)[0]

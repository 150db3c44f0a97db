"""
An artifact directory of W&B as a draft: its tables, media, files and references.

All keep the names by which W&B finds them. What cannot be kept as what it is, and is no
damage, is told in a warning.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore import forks
from artstore.artifact import Artifact
from artstore.errors import InvalidInputError
from artstore.integrations.placing import placed
from artstore.integrations.wandb_files.claims import claimed_by_record
from artstore.integrations.wandb_files.directory import WandbDirectory
from artstore.integrations.wandb_files.increments import increment_of
from artstore.integrations.wandb_files.joins import WandbJoinedTable
from artstore.integrations.wandb_files.jsonstream import decode_json
from artstore.integrations.wandb_files.manifest import WandbEntry
from artstore.integrations.wandb_files.tables import WandbTable
from artstore.manifests.entry import Entry
from artstore.media.kinds import kind_of
from artstore.references.stamp import ReferenceStamp
from artstore.transfer.progress import OnProgress, ProgressMeter
from artstore.versions.values import TABLE_SUFFIX, plain_name

if TYPE_CHECKING:
    from artstore.tables.table import Table

__all__ = ["ImportSummary", "ImportedTable", "fill_draft"]

_IMAGE: Final = "image-file"
_MEMBER: Final = re.compile(r"t[12]_\d+\.table\.json")
"""What W&B calls a table that was joined and not added by a name: the number is an address."""
_WITHOUT_MEDIA: Final = frozenset(
    (
        *("boolean", "classesId", "foreignIndex", "foreignKey", "ndarray", "none", "number"),
        *("primaryKey", "string", "timestamp"),
    )
)
"""Types of columns whose cells are no media."""


@dataclass(frozen=True, slots=True)
class ImportedTable:
    """
    One table of a draft.

    Attributes:
        name: by which `Artifact.get` finds it.
        image_count: images in its cells.
        media_count: media values of all kinds in its cells, images among them.
    """

    name: str
    row_count: int
    column_count: int
    image_count: int
    media_count: int


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """
    What a directory became.

    Attributes:
        tables: also those that only a joined table has, as `<its name>.joined/left`.
        joined_tables, partitioned_tables: their names.
        media_count: media values that are entries by themselves.
        image_count: images among them.
        file_count: plain files.
        reference_count: entries that lie elsewhere.
        warnings: what is not as it was, and why.
    """

    tables: tuple[ImportedTable, ...] = ()
    joined_tables: tuple[str, ...] = ()
    partitioned_tables: tuple[str, ...] = ()
    media_count: int = 0
    image_count: int = 0
    file_count: int = 0
    reference_count: int = 0
    warnings: tuple[str, ...] = ()


def fill_draft(
    draft: Artifact, directory: WandbDirectory, on_progress: OnProgress | None = None
) -> ImportSummary:
    """
    Add all that a directory holds.

    Raises:
        DamagedDataError, NotFoundError, InvalidInputError: as `WandbDirectory` and its
            tables, naming the file, for a cell also row and column; `columns-invalid`
            and `cell-unsupported` for what no table of ours holds.
    Cost: reads tables row by row, and each image to see that it is sound; memory for
        some rows and for the paths of all files.
    """
    # In a program of several threads a fork must not meet these half imported.
    forks.import_late(
        (
            *("artstore.tables.table", "artstore.tables.joined", "artstore.tables.partitioned"),
            "artstore.drafts.looking",
            "artstore.drafts.values",
        )
    )
    return _Filling(draft, directory, ProgressMeter("read", on_progress)).run()


class _Filling:
    def __init__(self, draft: Artifact, directory: WandbDirectory, meter: ProgressMeter) -> None:
        self._draft = draft
        self._directory = directory
        self._meter = meter
        self._files = directory.plain_files()
        self._references = directory.references()
        self._taken = _TakenPaths((*self._files, *(entry.path for entry in self._references)))
        self._warnings: list[str] = []
        # By the path of W&B; held until joined tables are added, which find them by identity.
        self._read: dict[str, _ReadTable] = {}
        self._tables: list[ImportedTable] = []

    def run(self) -> ImportSummary:
        joined = self._directory.joined_tables()
        self._add_tables(_members(joined))
        partitioned = tuple(self._add_partitioned())
        joined_names = tuple(self._add_joined(joined))
        image_count, media_count = self._add_media()
        for path in self._files:
            self._draft.add_file(self._directory.file_path(path), path)
        self._add_references()
        return ImportSummary(
            tables=tuple(sorted(self._tables, key=lambda table: table.name)),
            joined_tables=joined_names,
            partitioned_tables=partitioned,
            media_count=media_count,
            image_count=image_count,
            file_count=len(self._files),
            reference_count=len(self._references),
            warnings=tuple(self._warnings),
        )

    # tables ----------------------------------------------------------------------------

    def _add_tables(self, members: frozenset[str]) -> None:
        paths = [path for path in self._directory.tables() if path not in members]
        found = [self._directory.table(path) for path in paths]
        # What was logged bit by bit is called by its key, which the name of another may be too.
        found.sort(key=_is_increment)
        for source in found:
            self._read[source.path] = self._read_table(source)
        for source in found:
            self._set_foreign_keys(source)
        for source in found:
            self._add_table(source)

    def _add_table(self, source: WandbTable) -> None:
        if not source.columns:
            self._warn(f"{source.path} is left out: it has no columns")
            return
        name = self._free_name(source)
        read = self._read[source.path]
        self._draft.add(read.table, name)
        self._tables.append(read.told(name))

    def _read_table(self, source: WandbTable) -> _ReadTable:
        """The table with all its rows, which is not in the draft yet."""
        from artstore.tables.table import Table

        try:
            table = Table(list(source.columns))
        except InvalidInputError as error:
            raise placed(error, source.path, table=source.path) from error
        image_count = media_count = 0
        kinds = [source.column_types[column].plain.name for column in source.columns]
        columns = [at for at, kind in enumerate(kinds) if kind not in _WITHOUT_MEDIA]
        # Rows without cells hold nothing.
        rows = source.rows() if source.columns else ()
        for number, row in enumerate(rows):
            try:
                table.add_data(*row)
            except InvalidInputError as error:
                place = f"row {number} of {source.path}"
                raise placed(error, place, table=source.path, row=number) from error
            media = [kind for at in columns for kind in _media_in(row[at])]
            media_count += len(media)
            image_count += media.count(_IMAGE)
            self._meter.add(len(media), 0)
        if source.primary_key is not None:
            table.set_pk(source.primary_key)
        self._add_classes(source)
        return _ReadTable(table, image_count, media_count)

    def _add_classes(self, source: WandbTable) -> None:
        """The class sets of columns of ids, where W&B has them."""
        for column, classes in source.classes.items():
            place = source.column_types[column].plain.params["classes_obj"]["path"]
            self._draft.add(classes, _given_name(place, "classes"))

    def _set_foreign_keys(self, source: WandbTable) -> None:
        table = self._read[source.path].table
        for column, key in source.foreign_keys.items():
            if key.column is None:
                # Numbers of rows, which stay numbers.
                continue
            other = self._read.get(key.table)
            if other is None or key.column not in other.table.columns:
                self._warn(
                    f"{source.path}: that column {column!r} names rows of {key.table} by"
                    f" {key.column!r} is left out: there is no such column"
                )
            else:
                table.set_fk(column, other.table, key.column)

    def _free_name(self, source: WandbTable) -> str:
        """What a table is called: as in W&B, unless its path is that of something else."""
        wanted = source.name if _is_increment(source) else _given_name(source.path, "table")
        name, number = wanted, 1
        while not self._taken.take(plain_name(name) + TABLE_SUFFIX):
            name = f"{plain_name(wanted)}.table" + (f"-{number}" if number > 1 else "")
            number += 1
        if name != wanted:
            self._warn(
                f"{source.path} is called {name!r} here: {plain_name(wanted) + TABLE_SUFFIX!r},"
                " the path that it would have, is that of something else"
            )
        return name

    # what is made of tables --------------------------------------------------------------

    def _add_partitioned(self) -> Iterator[str]:
        from artstore.tables.partitioned import PartitionedTable

        for found in self._directory.partitioned_tables():
            columns = {self._directory.table(part).columns for part in found.parts}
            parts_path = found.parts_path.strip("/")
            if len(columns) > 1 or not parts_path:
                why = "its parts have not the same columns" if parts_path else "it names no parts"
                self._warn(f"{found.path} is left out: {why}")
                continue
            name = _given_name(found.path, "partitioned-table")
            self._draft.add(PartitionedTable(parts_path), name)
            yield name

    def _add_joined(self, found: Iterable[WandbJoinedTable]) -> Iterator[str]:
        from artstore.tables.joined import JoinedTable

        named = set(self._read)
        for one in found:
            name = _given_name(one.path, "joined-table")
            sides = {"left": one.left, "right": one.right}
            left, right = (self._side(path).table for path in sides.values())
            try:
                joined = JoinedTable(left, right, [(one.left_key, one.right_key)])
            except InvalidInputError as error:
                # W&B compares nothing before the join is shown: its data are sound.
                self._warn(f"{one.path} is left out: {error.message}")
                for path in dict.fromkeys(sides.values()):
                    if path not in named and _MEMBER.fullmatch(path):
                        self._add_table(self._directory.table(path))
                        named.add(path)
                continue
            self._draft.add(joined, name)
            for side, path in sides.items():
                if path not in named:
                    self._tables.append(self._read[path].told(f"{name}.joined/{side}"))
            yield name

    def _side(self, path: str) -> _ReadTable:
        """A table that is joined: one of the draft, or one that comes with the joined table."""
        if path not in self._read:
            self._read[path] = self._read_table(self._directory.table(path))
        return self._read[path]

    # media, references -------------------------------------------------------------------

    def _add_media(self) -> tuple[int, int]:
        """How many images there were, and how many media values."""
        image_count = media_count = 0
        for path in self._directory.media():
            value = self._directory.media_value(path)
            if kind_of(value) is None:
                self._keep_files(path)
                continue
            self._draft.add(value, _given_name(path, value.type_name))
            media_count += 1
            image_count += value.type_name == _IMAGE
            self._meter.add(1, 0)
        return image_count, media_count

    def _keep_files(self, path: str) -> None:
        """A mask or boxes without an image: the files as they are."""
        place = self._directory.file_path(path)
        with open(place, "rb") as file:
            record = decode_json(file.read(), path)
        self._draft.add_file(place, path)
        for other in sorted(claimed_by_record(record, inside=True)):
            self._draft.add_file(self._directory.file_path(other), other)
        self._warn(f"{path} is kept as a file: masks and boxes are part of an image here")

    def _add_references(self) -> None:
        entries = [_reference(entry) for entry in self._references]
        # What is known of them stands in the manifest: `add_reference` would ask, or forget it.
        self._draft._add_entries(entries)  # noqa: SLF001 - as above
        for scheme, why in (
            ("file", "of this machine: a pull follows them only where it is told to"),
            ("wandb-artifact", "into other artifacts of W&B, which were not downloaded"),
            ("wandb-client-artifact", "into other artifacts of W&B, which were not downloaded"),
        ):
            paths = [entry.path for entry in entries if entry.url.startswith(f"{scheme}:")]
            if paths:
                self._warn(f"{len(paths)} references are {why}: {paths[0]} and so on")

    def _warn(self, text: str) -> None:
        self._warnings.append(text)


@dataclass(frozen=True, slots=True)
class _ReadTable:
    table: Table
    image_count: int
    media_count: int

    def told(self, name: str) -> ImportedTable:
        table = self.table
        return ImportedTable(
            name, table.row_count, len(table.columns), self.image_count, self.media_count
        )


class _TakenPaths:
    """The paths of a draft, so that a table takes none of a file, nor of a directory."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: set[str] = set()
        self._above: set[str] = set()
        for path in paths:
            self._add(path)

    def take(self, path: str) -> bool:
        """Whether it was free; it is not any more."""
        if path in self._paths or path in self._above or not self._paths.isdisjoint(_above(path)):
            return False
        self._add(path)
        return True

    def _add(self, path: str) -> None:
        self._paths.add(path)
        self._above.update(_above(path))


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _members(joined: Iterable[WandbJoinedTable]) -> frozenset[str]:
    """
    Tables that have no name of their own, but one that is another in each run.

    They come with the joined table, so that the same content is the same version.
    """
    paths = {path for one in joined for path in (one.left, one.right)}
    return frozenset(path for path in paths if _MEMBER.fullmatch(path))


def _given_name(path: str, kind: str) -> str:
    """What somebody called it who added it: W&B leaves names be that end in `table.json`."""
    return path.removesuffix(f".{kind}.json")


def _is_increment(source: WandbTable) -> bool:
    return source.log_mode == "INCREMENTAL" and increment_of(source.path) is not None


def _media_in(cell: Any) -> Iterator[str]:
    """The kinds of the media in a cell, wherever they are."""
    if isinstance(cell, list):
        for item in cell:
            yield from _media_in(item)
    elif isinstance(cell, dict):
        for item in cell.values():
            yield from _media_in(item)
    elif (kind := kind_of(cell)) is not None:
        yield kind.type_name


def _reference(entry: WandbEntry) -> Entry:
    """
    What W&B knew of a reference, as far as it can be compared with what is there.

    Of pages it noted what it was told of the compressed ones.
    """
    assert entry.url is not None
    scheme = entry.url.partition(":")[0].lower()
    etag, version = entry.extra.get("etag"), entry.extra.get("versionID")
    if scheme not in ("s3", "gs"):
        return ReferenceStamp().entry(entry.path, entry.url)
    if isinstance(etag, str) and etag:
        etag = etag.strip('"')
        # In answers of S3 it stands in quotes.
        etag = f'"{etag}"' if scheme == "s3" else etag
    else:
        etag = None
    is_told = type(version) in (int, str) and version not in ("", "null")
    stamp = ReferenceStamp(
        size_bytes=entry.size_bytes, etag=etag, version_id=str(version) if is_told else None
    )
    return stamp.entry(entry.path, entry.url)

"""
Tables to and from the formats of others, with their images.

    table = import_table("imagefolder", "pets")
    export_table(table, "webdataset", "shards")

An export says where its rows came from (`provenance`), and a table that is imported from
it notes that. Rows stream both ways. Nothing half-written is seen: an export gets its
name in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.integrations.formats.cocoreading import import_coco
from artstore.integrations.formats.cocowriting import export_coco
from artstore.integrations.formats.csvrows import export_csv, import_csv
from artstore.integrations.formats.huggingface import export_dataset, import_dataset
from artstore.integrations.formats.imagefolder import export_imagefolder, import_imagefolder
from artstore.integrations.formats.jsonrows import export_json, import_json
from artstore.integrations.formats.options import SHARD_BYTES, ImportOptions, check_options
from artstore.integrations.formats.outgoing import Exported
from artstore.integrations.formats.parquetrows import export_parquet, import_parquet
from artstore.integrations.formats.staging import StagingPlace, staged
from artstore.integrations.formats.webdataset import export_webdataset, import_webdataset
from artstore.tables.reading import RowReader
from artstore.tables.table import Table

__all__ = ["FORMATS", "Exported", "export_table", "format_of_place", "import_table"]

_LATE_MODULES: Final = ("pyarrow", "pyarrow.csv", "pyarrow.parquet", "sqlite3", "tarfile")


@dataclass(frozen=True, slots=True)
class _Format:
    """
    One format.

    Attributes:
        endings: of the single files that it is written to; none: always a directory.
        options: of `ImportOptions`, those that it takes.
    """

    read: Callable[[str, ImportOptions], Table]
    write: Callable[[RowReader, StagingPlace, int], None]
    endings: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()


def import_table(
    format_name: str,
    place: str | os.PathLike[str],
    *,
    image_columns: Sequence[str] = (),
    images: str | os.PathLike[str] | None = None,
    split: str | None = None,
    masks: bool = True,
    clip_boxes: bool = False,
) -> Table:
    """
    The table that files of another format hold.

    Args:
        format_name: one of `FORMATS`.
        place: a file, or a directory.
        image_columns: csv, json, jsonl: columns of paths of images, relative to the file;
            parquet, hf: columns of their bytes. What an export of ours holds, it says itself.
        images: coco: the directory of the images; else it is looked for near the file.
        split: imagefolder, hf: the part to read; all of them, and a column `split`, if left out.
        masks: coco: draw the segmentation of each image as a mask.
        clip_boxes: coco: cut boxes off at the edges of their image, however far they reach out.
    Raises:
        InvalidInputError: `exchange-format-unknown`, `exchange-path-refused`, `value-invalid`,
            `column-unknown`, and those of images, boxes and cells.
        NotFoundError: `exchange-file-missing`.
        DamagedDataError: `exchange-file-damaged`, `image-damaged`.
        LimitExceededError: `limit-exceeded`, `image-too-large`.
    Cost: memory for a batch of rows, and 32 MiB of images; more wait in a temporary file.
        Images that are files of their own stay where they are until the table is logged.
    """
    wanted = _format_named(format_name)
    options = ImportOptions(
        tuple(image_columns),
        None if images is None else os.fspath(images),
        split,
        masks,
        clip_boxes,
    )
    check_options(options, format_name, wanted.options)
    forks.import_late(_LATE_MODULES)
    return wanted.read(os.fspath(place), options)


def export_table(
    table: RowReader,
    format_name: str,
    place: str | os.PathLike[str],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> Exported:
    """
    Write the rows of a table, a joined or a partitioned one, with the files of their media.

    Args:
        format_name: one of `FORMATS`.
        place: a new file if it ends as files of the format do, else a new directory, or
            an empty one.
        shard_bytes: webdataset, parquet, hf: about how large each file of a directory is.
    Raises:
        InvalidInputError: `exchange-format-unknown`, `exchange-column-unsupported`.
        AlreadyExistsError: `export-target-exists`.
        DeniedError: `target-full`, `target-denied`.
        StateError: `media-not-here`.
    Cost: reads every row and every image; memory for a window of rows.
    """
    wanted = _format_named(format_name)
    if shard_bytes < 1:
        raise InvalidInputError(f"shard_bytes is {shard_bytes}", code="value-invalid")
    forks.import_late(_LATE_MODULES)
    target = os.fspath(place)
    with staged(target, is_file=target.endswith(wanted.endings)) as stage:
        wanted.write(table, stage, shard_bytes)
    return Exported(os.path.abspath(target), format_name, table.row_count)


def format_of_place(place: str) -> str | None:
    """The format that the ending of a file names; None if it names none."""
    for name, one in FORMATS.items():
        if one.endings and place.endswith(one.endings):
            return name
    return None


def _whole(
    write: Callable[[RowReader, StagingPlace], None],
) -> Callable[[RowReader, StagingPlace, int], None]:
    """A format whose rows are in one file, however long."""
    return lambda reader, stage, _: write(reader, stage)


FORMATS: Final[Mapping[str, _Format]] = {
    "imagefolder": _Format(
        import_imagefolder, _whole(export_imagefolder), options=frozenset(("split",))
    ),
    "coco": _Format(
        import_coco, _whole(export_coco), options=frozenset(("images", "masks", "clip_boxes"))
    ),
    "webdataset": _Format(import_webdataset, export_webdataset, (".tar",)),
    "hf": _Format(import_dataset, export_dataset, options=frozenset(("split", "image_columns"))),
    "parquet": _Format(
        import_parquet, export_parquet, (".parquet",), frozenset(("split", "image_columns"))
    ),
    "csv": _Format(import_csv, _whole(export_csv), (".csv",), frozenset(("image_columns",))),
    "json": _Format(
        lambda place, options: import_json(place, options, lines=False),
        lambda reader, stage, _: export_json(reader, stage, lines=False),
        (".json",),
        frozenset(("image_columns",)),
    ),
    "jsonl": _Format(
        lambda place, options: import_json(place, options, lines=True),
        lambda reader, stage, _: export_json(reader, stage, lines=True),
        (".jsonl", ".ndjson"),
        frozenset(("image_columns",)),
    ),
}
"""The formats by their names."""


def _format_named(name: str) -> _Format:
    found = FORMATS.get(name)
    if found is None:
        raise InvalidInputError(
            f"there is no format {name!r} of tables",
            code="exchange-format-unknown",
            hint=f"one of {', '.join(FORMATS)}",
            format=name,
        )
    return found

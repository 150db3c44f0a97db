"""`art table import` and `art table export`: tables from and to the formats of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name, transfer_options
from artstore.cli.output import count, printable
from artstore.cli.session import Session
from artstore.cli.tablenames import TABLE_METAVAR, find_table

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.tables.table import Table

__all__ = ["FORMAT_NAMES", "export_command", "import_command"]

FORMAT_NAMES: Final = (
    *("imagefolder", "coco", "webdataset", "hf"),
    *("parquet", "csv", "json", "jsonl"),
)
"""Those of `artstore.integrations.formats.exchange`, which costs too much for `--help`."""

_FORMAT = click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    help="The format; what the ending of PLACE says if left out.",
)


@click.command(
    "import",
    cls=Command,
    examples=(
        "art table import pets/examples pets/ --format imagefolder",
        "art table import coco/val annotations/instances_val2017.json --format coco",
        "art table import scores/results results.csv --alias best",
    ),
)
@click.argument("name", metavar="NAME/TABLE")
@click.argument("place", metavar="PLACE", type=click.Path())
@_FORMAT
@click.option(
    "--type",
    "type_name",
    metavar="TYPE",
    help="What NAME is: dataset, predictions, ... Of a new name dataset if left out.",
)
@click.option("--alias", "aliases", metavar="ALIAS", multiple=True, help="Name it so too (many).")
@click.option(
    "--image-column",
    "image_columns",
    metavar="COLUMN",
    multiple=True,
    help="A column of paths of images (many): csv, json, jsonl; of their bytes: parquet, hf.",
)
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(),
    help="Where the images of coco lie; looked for near PLACE if left out.",
)
@click.option("--split", metavar="PART", help="Read this part only: imagefolder, parquet, hf.")
@click.option("--no-masks", is_flag=True, help="Draw no masks of the segmentation of coco.")
@click.option("--clip-boxes", is_flag=True, help="Cut boxes of coco off at their image's edges.")
@transfer_options
@shared_options
@click.pass_obj
def import_command(
    session: Session,
    *,
    name: str,
    place: str,
    format_name: str | None,
    type_name: str | None,
    aliases: tuple[str, ...],
    image_columns: tuple[str, ...],
    images: str | None,
    split: str | None,
    no_masks: bool,
    clip_boxes: bool,
) -> None:
    """
    Make a table of files of another format, with its images, boxes, masks and ids.

    PLACE is a file or a directory. The table becomes TABLE of a new version of the artifact NAME,
    beside what its newest version holds. What was exported from a table of a store says so, and
    the version notes where its rows came from.
    """
    from artstore.artifact import Artifact
    from artstore.integrations.formats.exchange import import_table

    artifact_name, table_name = _new_name(name)
    session.name(artifact_name)
    format_name = format_name or _guessed(place)
    table = import_table(
        format_name,
        place,
        image_columns=image_columns,
        images=images,
        split=split,
        masks=not no_masks,
        clip_boxes=clip_boxes,
    )
    artifact = Artifact(artifact_name, type_name, incremental=True)
    artifact.add(table, table_name, overwrite=True)
    store = session.open_store()
    with session.progress() as bar:
        logged = store.log_artifact(artifact, aliases=aliases, on_progress=bar.on_progress)
    _report_import(session, logged, table, table_name, format_name)


def _report_import(
    session: Session, logged: Artifact, table: Table, table_name: str, format_name: str
) -> None:
    version = session.short_name(logged.project, logged.collection.name, logged.version)
    name = f"{version}/{table_name}"
    value: dict[str, Any] = {
        "kind": "import",
        "name": name,
        "format": format_name,
        "project": logged.project,
        "version": logged.version,
        "row_count": table.row_count,
        "columns": [{"name": n, "type": str(t)} for n, t in table.column_types.items()],
        "sources": list(table.source_names),
    }

    def lines() -> Iterator[str]:
        rows, columns = count(table.row_count, "row"), count(len(table.columns), "column")
        yield f"{printable(name)}  {rows}, {columns}"
        for source in table.source_names:
            yield f"  made from    {printable(source)}"

    session.output.result(value, lines(), names=[name])


@click.command(
    "export",
    cls=Command,
    examples=(
        "art table export digits:v3/examples digits/ --format imagefolder",
        "art table export digits/examples shards/ --format webdataset --shard-size 256MB",
        "art table export digits:best/examples digits.parquet",
    ),
)
@click.argument("name", metavar=TABLE_METAVAR, shell_complete=complete_name)
@click.argument("place", metavar="PLACE", type=click.Path())
@_FORMAT
@click.option(
    "--shard-size",
    metavar="SIZE",
    help="About how large each file of a directory is: webdataset, parquet, hf. 512MiB.",
)
@transfer_options
@shared_options
@click.pass_obj
def export_command(
    session: Session, *, name: str, place: str, format_name: str | None, shard_size: str | None
) -> None:
    """
    Write a table, a joined or a partitioned one, with its images in another format.

    PLACE is a new file, or a new or empty directory; nothing is replaced, and nothing stays if it
    fails. A small file beside says which table it is, for an import of it.
    """
    from artstore.integrations.formats.exchange import export_table
    from artstore.integrations.formats.options import SHARD_BYTES
    from artstore.settings import parse_size

    format_name = format_name or _guessed(place)
    shard_bytes = SHARD_BYTES if shard_size is None else parse_size(shard_size)
    reader = find_table(session, session.open_store(), name)
    done = export_table(reader, format_name, place, shard_bytes=shard_bytes)
    value = {
        "kind": "export",
        "name": name,
        "format": done.format,
        "place": done.place,
        "row_count": done.row_count,
    }
    line = f"{printable(place)}  {count(done.row_count, 'row')} as {done.format}"
    session.output.result(value, [line], names=[done.place])


def _new_name(text: str) -> tuple[str, str]:
    name, _, table = text.partition("/")
    if not name or not table or set(name) & set(":@"):
        raise click.UsageError(
            f"NAME/TABLE is the artifact and the table in it, without a version: not {text!r}",
            click.get_current_context(),
        )
    return name, table


def _guessed(place: str) -> str:
    from artstore.integrations.formats.exchange import format_of_place

    found = format_of_place(place)
    if found is None:
        raise click.UsageError(
            f"say the format of {place}: --format {'|'.join(FORMAT_NAMES)}",
            click.get_current_context(),
        )
    return found

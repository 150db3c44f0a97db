"""
Tables as JSON: one object a line (`jsonl`), or a list of objects (`json`).

Media are objects that name files beside (`mediarecords`), all else as `jsoncells` tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, TextIO

from artstore.integrations.formats.failures import damaged, reading
from artstore.integrations.formats.incoming import BATCH_ROWS, BatchIntake, ReadMedia
from artstore.integrations.formats.jsoncells import encoded_cells
from artstore.integrations.formats.jsonparts import JsonParts, json_lines
from artstore.integrations.formats.mediafolder import MediaFolder, media_reader
from artstore.integrations.formats.mediarecords import record_of
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.outgoing import windows
from artstore.integrations.formats.places import Source, file_source
from artstore.integrations.formats.provenance import FILE_NAME, provenance_of
from artstore.integrations.formats.staging import StagingPlace
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows
from artstore.tables.table import Table

__all__ = [
    "LINES_NAME",
    "LIST_NAME",
    "Records",
    "export_json",
    "import_json",
    "intake_of_records",
    "json_objects",
]

LINES_NAME: Final = "rows.jsonl"
LIST_NAME: Final = "rows.json"

Records = Callable[[], Iterator[tuple[str, dict[str, Any]]]]
"""Gives the rows from the beginning: the place of each, for errors, and its values."""


def export_json(reader: RowReader, stage: StagingPlace, *, lines: bool) -> None:
    """Write all rows and the files of their media."""
    media = MediaFolder(stage.root, stage.media_prefix)
    with open(stage.main(LINES_NAME if lines else LIST_NAME), "x", encoding="utf-8") as file:
        _write(reader, file, media, lines=lines)
    told = provenance_of(reader, "jsonl" if lines else "json")
    with open(stage.beside(FILE_NAME), "xb") as beside:
        beside.write(told.encode())


def _write(reader: RowReader, file: TextIO, media: MediaFolder, *, lines: bool) -> None:
    before = "" if lines else "["
    between = "" if lines else ","
    for row in json_rows(reader, lambda value: record_of(value, media.put)):
        text = json.dumps(row, ensure_ascii=False)
        file.write(f"{text}\n" if lines else f"{before}\n{text}")
        before = between
    if not lines:
        file.write("[]\n" if before == "[" else "\n]\n")


def json_rows(reader: RowReader, tell: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
    """The rows as objects; `tell` gives the JSON of a media value."""
    for _, rows in windows(reader):
        yield from json_objects(reader, rows, tell)


def json_objects(
    reader: RowReader, rows: Rows, tell: Callable[[Any], Any], without: Collection[str] = ()
) -> Iterator[dict[str, Any]]:
    """Some rows of `reader` as objects, without these columns."""
    columns = {
        name: encoded_cells(kind, array, reader.opener_of(name), tell)
        for name, kind, array in zip(rows.schema.names, rows.schema.types, rows.arrays, strict=True)
        if name not in without
    }
    if not columns:
        yield from ({} for _ in range(rows.row_count))
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(columns, cells, strict=True))


def import_json(place: str, options: ImportOptions, *, lines: bool) -> Table:
    """The rows of one file, as `import_table` tells."""
    if lines:
        source = file_source(place, LINES_NAME, (".jsonl", ".ndjson"))
        records: Records = lambda: _of_lines(source)  # noqa: E731 - read twice
    else:
        source = file_source(place, LIST_NAME, (".json",))
        records = lambda: _of_list(source)  # noqa: E731 - likewise
    return intake_of_records(
        records, source, media_reader(source.root), image_columns=options.image_columns
    ).table()


def intake_of_records(
    records: Records, source: Source, read: ReadMedia, *, image_columns: tuple[str, ...] = ()
) -> BatchIntake:
    """
    All rows, read once if the source tells its columns, else twice.

    Args:
        image_columns: columns of paths or records of images, where the source does not tell.
    """
    told = source.told
    if told is not None and told.schema is not None:
        names = list(told.schema.names)
    else:
        names = list(dict.fromkeys(name for _, row in records() for name in row))
    incoming = BatchIntake(names, told)
    for name in image_columns:
        incoming.check(name)
    declared = told.schema.names if told is not None and told.schema is not None else ()
    loose = [name for name in image_columns if name not in declared]
    places: list[str] = []
    batch: list[dict[str, Any]] = []
    for place, row in records():
        for name in loose:
            if row.get(name) is not None:
                row[name] = read(row[name], place)
        places.append(place)
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            incoming.add_json(batch, read, places.__getitem__)
            places, batch = [], []
    incoming.add_json(batch, read, places.__getitem__)
    return incoming


def _of_lines(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, row in json_lines(source.file):
        yield f"{source.file}, line {number}", row


def _of_list(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    with reading(source.file), open(source.file, "rb") as file:
        parts = JsonParts(file, source.file)
        for number, row in enumerate(parts.items()):
            place = f"{source.file}, item {number}"
            if not isinstance(row, dict):
                raise damaged(place, "it is no object with names and values")
            yield place, row
        parts.end()

"""
Tables as CSV, read and written by Arrow.

Numbers, truth values, times and texts are written as they are, lists and dictionaries as
JSON, media as the path of a file beside. What is said of media (caption, boxes, masks,
classes) stands as JSON in a column of its own behind, if there is any. A cell that is
not there is empty, an empty text is `""`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv

from artstore.integrations.formats.failures import damaged, reading, unsupported
from artstore.integrations.formats.incoming import (
    BATCH_ROWS,
    BatchIntake,
    ReadMedia,
    row_namer,
)
from artstore.integrations.formats.jsoncells import encoded_cells
from artstore.integrations.formats.mediafolder import MediaFolder, media_reader
from artstore.integrations.formats.mediarecords import record_of
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.outgoing import windows
from artstore.integrations.formats.places import Source, file_source
from artstore.integrations.formats.provenance import FILE_NAME, Provenance, provenance_of
from artstore.integrations.formats.staging import StagingPlace
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.reading import RowReader
from artstore.tables.table import Table
from artstore.tables.types import (
    BOOL,
    BYTES,
    DATE,
    TEXT,
    TIME,
    ColumnType,
    Decimal,
    Media,
    Plain,
    Timestamp,
    Union,
)

__all__ = ["FILE", "export_csv", "import_csv", "typed_batches"]

FILE: Final = "rows.csv"
_SAID: Final = "_info"
_BLOCK_BYTES: Final = 16 << 20
"""At once; no row may be longer."""
_TEXTS: Final = (BYTES, DATE, TEXT, TIME)
_PARSE: Final = pacsv.ParseOptions(newlines_in_values=True)
_PARSE_ALL: Final = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
"""In a file with one column an empty line is a row."""


# table -> CSV ---------------------------------------------------------------------------


def export_csv(reader: RowReader, stage: StagingPlace) -> None:
    """Write all rows and the files of their media."""
    media = MediaFolder(stage.root, stage.media_prefix)
    said = _said_columns(reader)
    layout = {"said": said}
    if not reader.columns:
        raise unsupported("csv does not hold a table without columns", "export it as jsonl")
    with pa.OSFile(stage.main(FILE), "wb") as file:
        _write(reader, file, media, said)
    with open(stage.beside(FILE_NAME), "xb") as beside:
        beside.write(provenance_of(reader, "csv", layout).encode())


def _said_columns(reader: RowReader) -> dict[str, str]:
    """For each column of media, the one for what is said of it; none is called as another one."""
    taken = set(reader.columns)
    found: dict[str, str] = {}
    for name, kind in reader.column_types.items():
        if isinstance(kind, Media):
            other = name + _SAID
            while other in taken:
                other += "_"
            taken.add(other)
            found[name] = other
    return found


def _write(reader: RowReader, file: Any, media: MediaFolder, said: Mapping[str, str]) -> None:
    fields = []
    for name, kind in reader.column_types.items():
        fields.append(pa.field(name, _flat_type(kind)))
        if name in said:
            fields.append(pa.field(said[name], pa.string()))
    schema = pa.schema(fields)
    with pacsv.CSVWriter(file, schema) as writer:
        for _, rows in windows(reader):
            arrays: list[Any] = []
            for name, kind, array in zip(
                rows.schema.names, rows.schema.types, rows.arrays, strict=True
            ):
                opener = reader.opener_of(name)
                tell: Callable[[Any], Any] = lambda value: record_of(value, media.put)  # noqa: E731
                if isinstance(kind, Media):
                    arrays += _media_arrays(encoded_cells(kind, array, opener, tell))
                else:
                    arrays.append(_flat_array(kind, array, opener, tell))
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _flat_type(kind: ColumnType) -> Any:
    """Of the Arrow column that is written: what has no sign of its own in CSV is text."""
    return arrow_type(kind) if _is_flat(kind) else pa.string()


def _is_flat(kind: ColumnType) -> bool:
    if isinstance(kind, Plain):
        return kind not in (BYTES, TIME) and kind.name != "float16"
    return isinstance(kind, Timestamp)


def _flat_array(kind: ColumnType, array: Any, opener: Any, tell: Callable[[Any], Any]) -> Any:
    if _is_flat(kind):
        return array
    cells = encoded_cells(kind, array, opener, tell)
    return pa.array([cell if _is_text(kind, cell) else _json(cell) for cell in cells], pa.string())


def _is_text(kind: ColumnType, cell: Any) -> bool:
    # In a mixed column a text is told from a number by its quotes.
    return cell is None or (isinstance(cell, str) and not isinstance(kind, Union))


def _media_arrays(cells: list[Any]) -> list[Any]:
    paths: list[str | None] = []
    said: list[str | None] = []
    for cell in cells:
        if cell is None:
            paths.append(None)
            said.append(None)
            continue
        paths.append(cell.pop("path", None) or cell.pop("url", None))
        said.append(_json(cell) if cell else None)
    return [pa.array(paths, pa.string()), pa.array(said, pa.string())]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# CSV -> table ---------------------------------------------------------------------------


def import_csv(place: str, options: ImportOptions) -> Table:
    """The rows of one file, as `import_table` tells."""
    source = file_source(place, FILE, (".csv",))
    read = media_reader(source.root)
    if source.told is not None and source.told.schema is not None:
        return _own(source, source.told, read)
    return _of_others(source, read, options.image_columns)


def _own(source: Source, told: Provenance, read: ReadMedia) -> Table:
    """A file that an export wrote: types are known, and an empty text is not nothing."""
    assert told.schema is not None
    said = told.layout.get("said", {})
    incoming = BatchIntake(told.schema.names, told)
    kinds = dict(zip(told.schema.names, told.schema.types, strict=True))
    for first, batch in _text_batches(source.file):
        missing = [name for name in kinds if name not in batch.schema.names]
        if missing:
            raise damaged(source.file, f"there is no column {missing[0]!r}")
        rows = []
        texts = {name: batch[name].to_pylist() for name in batch.schema.names}
        for at in range(batch.num_rows):
            place = f"{source.file}, row {first + at}"
            row = {name: _value(kinds[name], texts[name][at], place) for name in kinds}
            for name, other in said.items():
                _join_said(row, name, texts.get(other, [None] * batch.num_rows)[at], place)
            rows.append(row)
        incoming.add_json(rows, read, row_namer(source.file, first))
    return incoming.table()


def _join_said(row: dict[str, Any], name: str, text: str | None, place: str) -> None:
    if text is None or name not in row:
        return
    value = _parsed(text, place)
    if not isinstance(value, dict):
        raise damaged(place, f"what is said of {name!r} is no object")
    row[name] = {**({"path": row[name]} if row[name] else {}), **value}


def _value(kind: ColumnType, text: str | None, place: str) -> Any:
    """The JSON value that a text of the file stands for."""
    if text is None or isinstance(kind, (Media, Timestamp, Decimal)) or kind in _TEXTS:
        return text
    if kind == BOOL:
        if text not in ("true", "false"):
            raise damaged(place, f"{text!r:.40} is neither true nor false")
        return text == "true"
    if not isinstance(kind, Plain):
        return _parsed(text, place)
    try:
        return float(text) if kind.name.startswith("float") else int(text)
    except ValueError as error:
        raise damaged(place, f"{text!r:.40} is no number") from error


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise damaged(place, f"{text!r:.40} is no JSON ({error})") from error


def _text_batches(file: str) -> Iterator[tuple[int, Any]]:
    """All columns as texts; only what is empty without quotes is nothing."""
    names = _header(file)
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = _PARSE_ALL if len(names) == 1 else _PARSE
    for first, batch in _batches(file, convert, parse):
        # They become Python objects, which take ten times the memory.
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield first + start, batch.slice(start, BATCH_ROWS)


def _of_others(source: Source, read: ReadMedia, image_columns: tuple[str, ...]) -> Table:
    types = _inferred(source.file)
    incoming = BatchIntake(list(types), source.told)
    for name in image_columns:
        incoming.check(name)
        types[name] = pa.string()
    for first, batch in _batches(source.file, pacsv.ConvertOptions(column_types=types)):
        place = f"{source.file}, row {first}"
        if not image_columns:
            incoming.add_batch(batch, place)
            continue
        columns: dict[str, Any] = {}
        for name in batch.schema.names:
            held = batch[name]
            columns[name] = (
                [
                    read(path, f"{source.file}, row {first + at}") if path else None
                    for at, path in enumerate(held.to_pylist())
                ]
                if name in image_columns
                else incoming.arrow_column(name, held, place)
            )
        incoming.add(columns, batch.num_rows, row_namer(source.file, first))
    return incoming.table()


def typed_batches(file: str) -> Iterator[tuple[int, Any]]:
    """Yield the number of the first row of each batch, from 1, and the batch."""
    yield from _batches(file, pacsv.ConvertOptions(column_types=_inferred(file)))


def _inferred(file: str) -> dict[str, Any]:
    """
    The type of each column, as Arrow infers it, over all rows.

    Arrow infers a stream from its first block, and fails where a later one does not fit.
    So each block of texts is written and read once more by itself.
    """
    names = _header(file)
    found = dict.fromkeys(names, pa.null())
    convert = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    for _, batch in _batches(file, convert):
        buffer = io.BytesIO()
        pacsv.write_csv(batch, buffer)
        with reading(file):
            again = pacsv.read_csv(io.BytesIO(buffer.getvalue()), parse_options=_PARSE)
        for name in names:
            found[name] = _wider(found[name], again.schema.field(name).type)
    return found


def _wider(one: Any, two: Any) -> Any:
    if one == two or two == pa.null():
        return one
    if one == pa.null():
        return two
    kinds = {str(one), str(two)}
    if kinds == {"int64", "double"}:
        return pa.float64()
    if all(kind.startswith(("date32", "timestamp")) and "tz=" not in kind for kind in kinds):
        return pa.timestamp("ns" if any("[ns" in kind for kind in kinds) else "s")
    return pa.string()


def _header(file: str) -> list[str]:
    with _opened(file) as stream:
        names = list(pacsv.open_csv(stream, parse_options=_PARSE).schema.names)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise damaged(file, f"the column {twice[0]!r} is there twice")
    return names


def _batches(file: str, convert: Any, parse: Any = _PARSE) -> Iterator[tuple[int, Any]]:
    """Yield the number of the first row of each batch, from 1, and the batch."""
    options = pacsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    first = 1
    with _opened(file) as stream:
        reader = pacsv.open_csv(
            stream, read_options=options, parse_options=parse, convert_options=convert
        )
        for batch in reader:
            yield first, batch
            first += batch.num_rows


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    with reading(file), pa.OSFile(file, "rb") as stream:
        yield stream

"""Tables of W&B: one file, the increments of a table, or the parts of a partitioned one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

from artstore.errors import ArtstoreError, DamagedDataError
from artstore.integrations.placing import placed
from artstore.integrations.wandb_files.cells import Decoder, decoder_of
from artstore.integrations.wandb_files.failures import Misfit, damaged_cell, damaged_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.header import TableHeader, raw_rows
from artstore.integrations.wandb_files.media import MediaReader
from artstore.integrations.wandb_files.types import ForeignKey, WandbType, union_of
from artstore.media.classes import Classes

__all__ = ["WandbTable"]


class WandbTable:
    """
    A table, of which the rows are read when they are asked for.

    Attributes:
        path: of the file that it was asked for by.
        name: what the table is called: the path without its ending, of an incremental
            table without number and time.
        columns: their names, in order.
        column_types: by name; of a table of several files what all of them say.
        row_count: how many rows there are.
        primary_key: the column that names the rows; None if none does.
        foreign_keys: by column, the table and column that its cells name.
        classes: by column, the class set that its cells are ids of.
        log_mode: as W&B has it, or None.
        parts: the paths of the files that the rows come from, in order.
    """

    def __init__(
        self,
        path: str,
        name: str,
        headers: tuple[TableHeader, ...],
        files: WandbFiles,
        media: MediaReader,
    ) -> None:
        first = headers[0]
        for header in headers[1:]:
            if header.columns != first.columns:
                raise damaged_file(
                    header.path,
                    f"its columns are {', '.join(header.columns)},"
                    f" and those of {first.path} {', '.join(first.columns)}",
                )
        self.path = path
        self.name = name
        self.columns = first.columns
        self.column_types: Mapping[str, WandbType] = {
            column: union_of(header.types[column] for header in headers) for column in self.columns
        }
        self.row_count = sum(header.row_count for header in headers)
        self.primary_key = first.primary_key()
        self.foreign_keys: Mapping[str, ForeignKey] = first.foreign_keys()
        self.log_mode = first.log_mode
        self.parts = tuple(header.path for header in headers)
        self.classes: Mapping[str, Classes] = _classes(first, media)
        self._headers = headers
        self._files = files
        self._media = media

    def rows(self) -> Iterator[list[Any]]:
        """
        The rows in order, each a list with a cell for each column.

        A cell is None, a bool, int, float, str, datetime in UTC, list, dict, an array of
        numpy, or a media value. Iterating again reads again.

        Raises:
            DamagedDataError: `wandb-file-damaged`; `wandb-cell-damaged`; and
                `wandb-digest-mismatch`, `image-damaged` and others of media. The message
                and the context tell file, row (from 0) and column. Rows before are right.
            NotFoundError: `wandb-file-missing`, likewise.
            InvalidInputError: `wandb-path-refused` and those of media, likewise.
        Cost: memory for one row; reads each image in full, to see that it is sound.
        """
        for header in self._headers:
            yield from self._rows_of(header)

    def _rows_of(self, header: TableHeader) -> Iterator[list[Any]]:
        sources = header.arrays()
        decoders = [decoder_of(header.types[column], self._media) for column in header.columns]
        with ExitStack() as stack:
            arrays = {
                header.columns.index(column): stack.enter_context(
                    closing(source.rows(self._files, header.row_count))
                )
                for column, source in sources.items()
            }
            rows = stack.enter_context(closing(raw_rows(self._files, header.path)))
            number = -1
            for number, raw in enumerate(rows):
                if number >= header.row_count or len(raw) != len(decoders):
                    raise damaged_file(header.path, "it was changed while it was read")
                row = self._row(header, decoders, number, raw)
                for index, array in arrays.items():
                    row[index] = next(array)
                yield row
            if number + 1 != header.row_count:
                raise damaged_file(header.path, "it was changed while it was read")
            for array in arrays.values():
                # Its end is where it is compared with its checksum.
                next(array, None)

    def _row(
        self, header: TableHeader, decoders: list[Decoder], number: int, raw: list[Any]
    ) -> list[Any]:
        row = []
        for decode, value in zip(decoders, raw, strict=True):
            try:
                row.append(decode(value))
            except (Misfit, ArtstoreError) as error:
                raise _at(error, header, number, header.columns[len(row)]) from error
        return row

    def __len__(self) -> int:
        return self.row_count

    def __repr__(self) -> str:
        return f"<WandbTable {self.path} {self.row_count} x {len(self.columns)}>"


def _at(
    error: Misfit | ArtstoreError, header: TableHeader, number: int, column: str
) -> ArtstoreError:
    place = f"row {number}, column {column!r} of {header.path}"
    context = {"table": header.path, "row": number, "column": column}
    if isinstance(error, ArtstoreError):
        return placed(error, place, **context)
    return damaged_cell(place, str(error), **context)


def _classes(header: TableHeader, media: MediaReader) -> dict[str, Classes]:
    found = {}
    for column, kind in header.types.items():
        record = kind.plain.params.get("classes_obj")
        if kind.plain.name != "classesId" or record is None:
            continue
        try:
            classes = media.classes(record)
        except (Misfit, DamagedDataError) as error:
            raise damaged_file(header.path, f"the classes of column {column!r}: {error}") from error
        if classes is not None:
            found[column] = classes
    return found

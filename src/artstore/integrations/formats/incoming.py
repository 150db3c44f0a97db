"""
Rows on their way into a table, in batches: memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.integrations.formats.failures import damaged
from artstore.integrations.formats.jsoncells import decoded_cells, is_exact, python_value
from artstore.integrations.formats.provenance import Provenance
from artstore.integrations.placing import placed
from artstore.tables.inference import BuiltArray
from artstore.tables.intake import RowIntake
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema, check_column_names
from artstore.tables.table import Table

__all__ = ["BATCH_ROWS", "BatchIntake", "ReadMedia", "Where", "row_namer"]

BATCH_ROWS: Final = 1024

ReadMedia = Callable[[Any, str], Any]
"""Makes a media value of its JSON; the text names its place in errors."""

Where = Callable[[int], str]
"""Names the place of a row by its number in a batch, for errors."""

_NOT_OF_TYPE: Final = (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException)


class BatchIntake:
    """
    Takes columns in batches, and gives the table.

    Args:
        names: of the columns.
        told: what the source says of itself: types, key, where rows came from.
    Raises:
        InvalidInputError: `columns-invalid`.
    """

    def __init__(self, names: Sequence[str], told: Provenance | None = None) -> None:
        self.names = check_column_names(list(names))
        self._told = told
        declared = None if told is None else told.schema
        self._declared = dict(zip(declared.names, declared.types, strict=True)) if declared else {}
        types = Schema.of_names(self.names).types
        kinds = (self._declared.get(n, t) for n, t in zip(self.names, types, strict=True))
        self._intake = RowIntake(Schema(self.names, tuple(kinds)))

    @property
    def row_count(self) -> int:
        """Rows so far."""
        return self._intake.row_count

    def add_json(self, rows: Sequence[Mapping[str, Any]], read: ReadMedia, where: Where) -> None:
        """
        Rows of JSON values; columns that a row does not name are None.

        Args:
            where: names the place of a row by its number in `rows`.
        Raises:
            DamagedDataError: `exchange-file-damaged`: a value is not of the type that the
                source says its column has.
            InvalidInputError: `cell-unsupported`, and those of media.
        """
        columns = {
            name: self._column(name, [row.get(name) for row in rows], read, where)
            for name in self.names
        }
        self.add(columns, len(rows), where)

    def add(self, columns: Mapping[str, Any], row_count: int, where: Where) -> None:
        """
        A batch.

        Args:
            columns: for each name a `BuiltArray`, or Python cells.
        Raises:
            InvalidInputError: `cell-unsupported`.
        """
        if not row_count:
            return
        built = {name: columns[name] for name in self.names}
        for name, cells in built.items():
            if not isinstance(cells, BuiltArray):
                built[name] = self._built(name, cells, where)
        kinds = tuple(built[name].kind for name in self.names)
        arrays = tuple(built[name].array for name in self.names)
        self._intake.add_rows(Rows(Schema(self.names, kinds), arrays, row_count))

    def add_batch(self, batch: Any, where: str) -> None:
        """
        An Arrow record batch with these columns.

        Raises:
            InvalidInputError: `column-type-unsupported`.
        """
        try:
            rows = Rows.of_batch(batch)
        except ArtstoreError as error:
            raise placed(error, where) from error
        self._intake.add_rows(rows)

    def check(self, name: str) -> None:
        """
        Whether there is such a column.

        Raises:
            InvalidInputError: `column-unknown`.
        """
        if name not in self.names:
            raise InvalidInputError(
                f"there is no column {name!r}, only {', '.join(self.names)[:200]}",
                code="column-unknown",
                column=name,
            )

    def arrow_column(self, name: str, array: Any, where: str) -> BuiltArray:
        """
        A column of Arrow's.

        Raises:
            InvalidInputError: `column-type-unsupported`.
        """
        try:
            rows = Rows.of_batch(pa.record_batch([array], [name]))
        except ArtstoreError as error:
            raise placed(error, where) from error
        return BuiltArray(rows.schema.types[0], rows.arrays[0])

    def table(self, key: Sequence[str] = ()) -> Table:
        """
        The table of all rows; it notes where they came from.

        Args:
            key: columns that identify a row, if the source does not say.
        """
        table = Table.of_intake(self._intake)
        if self._told is not None:
            table.note_sources([name for name, _ in self._told.sources])
            key = self._told.primary_key
        for name in key:
            if name in self.names:
                table.set_pk(name)
        return table

    def _column(self, name: str, cells: list[Any], read: ReadMedia, where: Where) -> Any:
        """What is said of a column's type, kept to; what is not said, as it is."""
        kind = self._declared.get(name)
        if kind is None:
            return cells
        if not is_exact(kind):
            return [
                self._checked(name, where(at), python_value, kind, cell, _reader(read, where(at)))
                for at, cell in enumerate(cells)
            ]
        try:
            return decoded_cells(kind, cells)
        except _NOT_OF_TYPE:
            for at, cell in enumerate(cells):
                self._checked(name, where(at), decoded_cells, kind, [cell])
            raise

    def _checked(self, name: str, place: str, decode: Callable[..., Any], *values: Any) -> Any:
        try:
            return decode(*values)
        except ArtstoreError:
            raise
        except _NOT_OF_TYPE as error:
            why = f"column {name!r} is said to be of {self._declared[name]}: {error}"
            raise damaged(place, why, column=name) from error

    def _built(self, name: str, cells: Sequence[Any], where: Where) -> BuiltArray:
        try:
            return self._intake.arrays_of({name: cells})[name]
        except ArtstoreError:
            for at, cell in enumerate(cells):
                try:
                    self._intake.arrays_of({name: [cell]})
                except ArtstoreError as error:
                    raise placed(error, where(at)) from error
            raise


def row_namer(file: str, first: int) -> Where:
    """Names rows of a file by their numbers, the first of a batch being `first`."""
    return lambda at: f"{file}, row {first + at}"


def _reader(read: ReadMedia, place: str) -> Callable[[Any], Any]:
    return lambda value: read(value, place)

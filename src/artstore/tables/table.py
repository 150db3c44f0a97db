"""
Tables: rows under named columns of any type, in a store or on the way there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError, StateError
from artstore.media.content import MediaContent, MediaFile
from artstore.tables.building import BuiltTable, StoredPart
from artstore.tables.casting import cast_rows, wanted_type
from artstore.tables.content import TableContent
from artstore.tables.frames import columns_of, fill
from artstore.tables.intake import RowIntake
from artstore.tables.pythoncells import OpenContent, content_of
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema, check_column_names

if TYPE_CHECKING:
    import pyarrow as pa

    from artstore.tables.home import TableHome
    from artstore.tables.query import Query
    from artstore.tables.tablefile import TableFile

__all__ = ["Table", "TableIndex"]

_LOG_MODES: Final = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")
_DEFAULT_COLUMNS: Final = ("Input", "Output", "Expected")


class TableIndex(int):
    """The number of a row, which knows its table; in another table it stays a number."""

    _table: Table

    @classmethod
    def of(cls, table: Table, number: int) -> TableIndex:
        """The row `number` of `table`."""
        index = cls(number)
        index._table = table
        return index

    def get_row(self) -> dict[str, Any]:
        """The row by names of columns."""
        row: dict[str, Any] = self._table.rows[int(self)]
        return row


class Table(RowReader):
    """
    A table. Rows stream: memory is bounded, and there is no limit of rows.

    Args:
        columns: names; those of `data` if left out, else Input, Output, Expected.
        data: a DataFrame of pandas or polars, an Arrow table or reader, a dict of
            arrays, a 2-d array, or rows: lists, tuples or dicts.
        rows: as `data`, rows only.
        dataframe: as `data`.
        dtype: the type of all columns or a dict by column: `int`, `float`, `str`,
            `bool`, or the name of a type ("float32"); what does not fit is refused.
        optional: whether columns with a `dtype` may hold None.
        allow_mixed_types: taken for the sake of scripts; columns always may.
        log_mode: `IMMUTABLE`, `MUTABLE` or `INCREMENTAL`; the last refuses new columns.
            In all of them a table may grow and be logged again.
    Raises:
        InvalidInputError: `columns-invalid`, `row-ragged`, `rows-unknown`,
            `cell-unsupported`, `column-type-unsupported`, `value-invalid`.
    """

    def __init__(  # noqa: PLR0917 - the order that scripts know
        self,
        columns: Sequence[Any] | None = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: bool | Sequence[bool] = True,  # noqa: FBT001, FBT002 - likewise
        allow_mixed_types: bool = False,  # noqa: ARG002, FBT001, FBT002 - likewise
        log_mode: str = "IMMUTABLE",
    ) -> None:
        given = [source for source in (data, rows, dataframe) if source is not None]
        if len(given) > 1:
            raise InvalidInputError(
                "a table is made of data, of rows or of a dataframe, not of several of them",
                code="value-invalid",
            )
        source = given[0] if given else None
        own = None if source is None else columns_of(source)
        named: Any = columns if columns is not None else own
        names = check_column_names(_DEFAULT_COLUMNS if named is None else named)
        named = names if named is None or isinstance(named, Iterator) else list(named)
        self._home: TableHome | None = None
        self._stored: TableFile | None = None
        self._keys: dict[str, Any] = {}
        # Tables that foreign keys lead to; what they are called shows when they are added.
        self._foreign: dict[str, Table] = {}
        self._sources: tuple[str, ...] = ()
        self._media_homes: tuple[TableHome, ...] = ()
        self.log_mode = _checked_log_mode(log_mode)
        self._intake = RowIntake(Schema.of_names(names))
        self._content: TableContent | None = None
        if source is not None:
            labels = own if own is not None and columns is None else named
            fill(self._intake, source, _labels(own, labels))
        self._wanted = self._wanted_types(dtype, optional)
        if self._wanted:
            self._replace(cast_rows(self.read_rows(), self._wanted))

    @classmethod
    def from_stored(cls, stored: TableFile, home: TableHome) -> Table:
        """The table of a version; nothing of its rows is read."""
        table = cls(list(stored.schema.names))
        table._home, table._stored = home, stored
        table._media_homes = (home,)
        table._keys = dict(stored.keys)
        return table

    @classmethod
    def from_query(cls, expression: Query) -> Table:
        """
        The rows of an Ibis expression; the tables that it reads are noted as its sources.

        Raises:
            InvalidInputError: `rows-unknown`.
        """
        from artstore.tables.query import table_of_query

        return table_of_query(expression)

    @classmethod
    def from_arrow(cls, data: Any) -> Table:
        """The rows of an Arrow table, batch or reader."""
        return cls(data=data)

    @classmethod
    def of_intake(cls, intake: RowIntake) -> Table:
        """The rows of an intake, which belongs to the table from now on."""
        table = cls(list(intake.names))
        table._intake = intake
        return table

    # what it is -----------------------------------------------------------------------

    @property
    def schema(self) -> Schema:
        """Names and types of the columns."""
        if self._is_untouched():
            assert self._stored is not None
            return self._stored.schema
        return self._intake.built().schema

    @property
    def row_count(self) -> int:
        """How many rows it has."""
        if self._is_untouched():
            assert self._stored is not None
            return self._stored.row_count
        return self._intake.row_count

    def __repr__(self) -> str:
        where = f" of {self._home.name}" if self._home else ""
        return f"<table{where}: {self.row_count} rows, columns {', '.join(self.columns)[:120]}>"

    @property
    def home(self) -> TableHome | None:
        """Where it was read from; None for a table that was made here."""
        return self._home

    @property
    def stored(self) -> TableFile | None:
        """How it lies in its store; None if it was made here or rows were added."""
        return self._stored if self._is_untouched() else None

    @property
    def is_changed(self) -> bool:
        """Whether keys were set since it was read."""
        return self._stored is None or self._keys != dict(self._stored.keys)

    @property
    def source_names(self) -> tuple[str, ...]:
        """The tables that a query read to make it: `project/name:v3/path`."""
        return self._sources

    def note_sources(self, names: Sequence[str], homes: Sequence[TableHome] = ()) -> None:
        """
        Note the tables, `project/name:v3/path`, that its rows came from.

        Args:
            homes: of tables of a store among them: its media files are looked for there, too.
        """
        self._sources = tuple(dict.fromkeys((*self._sources, *names)))
        self._media_homes = (*self._media_homes, *homes)

    def add_rows(self, rows: Rows) -> None:
        """
        Append rows that are Arrow arrays already, with the same columns.

        Raises:
            InvalidInputError: `cast-failed`, for columns with a `dtype`.
        """
        if self._home is not None:
            self._adopt()
        self._content = None
        self._intake.add_rows(cast_rows(rows, self._wanted) if self._wanted else rows)

    @property
    def keys(self) -> dict[str, Any]:
        """Primary and foreign keys, as `set_pk` and `set_fk` noted them."""
        return dict(self._keys)

    @property
    def foreign_tables(self) -> dict[str, Table]:
        """The tables that foreign keys lead to, by column, as far as they were set here."""
        return dict(self._foreign)

    def keys_beside(self, name_of: Callable[[Table], str | None]) -> dict[str, Any]:
        """`keys`, in which foreign keys lead to tables of the same artifact by their names."""
        keys = self.keys
        for column, table in self._foreign.items():
            name = name_of(table)
            if name is not None:
                told = dict(keys["foreign_keys"])
                told[column] = {**told[column], "table": name}
                keys["foreign_keys"] = told
        return keys

    # adding ---------------------------------------------------------------------------

    def add_data(self, *row: Any) -> None:
        """
        Append one row, a cell for each column.

        A cell is None, a number, text, bytes, a time, a list, a dict, an array, a tensor
        or a media value. What fits no type of its column widens it.

        Raises:
            InvalidInputError: `row-ragged`, `cell-unsupported`; nothing was added.
        Cost: under 3 µs for twelve numbers.
        """
        if self._home is not None:
            self._adopt()
        if self._wanted:
            row = tuple(self._cast_row(row))
        self._content = None
        self._intake.add(row)

    add_row = add_data

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as scripts call it
        """
        Append a column: one cell for each row, or any number if there are no columns.

        Raises:
            InvalidInputError: `columns-invalid`, `row-ragged`, `cell-unsupported`.
            StateError: `table-incremental`.
        Cost: reads and writes the whole table.
        """
        if self.log_mode == "INCREMENTAL":
            raise StateError(
                "a table that grows by rows gets no new columns", code="table-incremental"
            )
        names = check_column_names([*self.columns, name])
        cells = data if hasattr(data, "__len__") else list(data)
        if self.columns and len(cells) != self.row_count:
            raise InvalidInputError(
                f"the column {name!r} has {len(cells)} cells for {self.row_count} rows",
                code="row-ragged",
            )
        other = RowIntake(Schema.of_names([name]))
        fill(other, {name: cells}, [name])
        before = self.read_rows()
        added = TableContent.built(other.built(), None).all_rows()
        kinds = (*before.schema.types, *added.schema.types)
        arrays = (*before.arrays, *added.arrays)
        self._replace(Rows(Schema(names, kinds), arrays, added.row_count), other.media)

    def add_computed_columns(self, fn: Callable[[int, dict[str, Any]], Mapping[str, Any]]) -> None:
        """
        Append the columns that `fn(number of the row, row by names)` gives for each row.

        Raises:
            InvalidInputError: as `add_column`.
            StateError: `table-incremental`.
        """
        made: dict[str, list[Any]] = {}
        for at, row in enumerate(self.rows):
            cells = fn(at, row)
            for name in cells:
                made.setdefault(name, [None] * at)
            for name, column in made.items():
                column.append(cells.get(name))
        for name, column in made.items():
            self.add_column(name, column)

    def cast(self, col_name: str, dtype: Any, optional: bool = False) -> None:  # noqa: FBT001, FBT002 - as scripts call it
        """
        Bring a column to a type: `int`, `float`, `str`, `bool` or the name of one.

        Raises:
            InvalidInputError: `column-unknown`, `cast-failed`, `value-invalid`.
        Cost: reads and writes the whole table.
        """
        self.check_column(col_name)
        wanted = {col_name: wanted_type(dtype, optional=optional)}
        self._replace(cast_rows(self.read_rows(), wanted))
        self._wanted.update(wanted)

    def set_pk(self, col_name: str) -> None:
        """
        Name the column that identifies a row.

        Raises:
            InvalidInputError: `column-unknown`.
        """
        self.check_column(col_name)
        self._keys["primary_key"] = [col_name]

    def set_fk(self, col_name: str, table: Table, table_col: str) -> None:
        """
        Say that a column holds values of a column of another table.

        Raises:
            InvalidInputError: `column-unknown`.
        """
        self.check_column(col_name)
        table.check_column(table_col)
        place = table.home.name if table.home is not None else None
        known = dict(self._keys.get("foreign_keys", {}))
        self._keys["foreign_keys"] = {**known, col_name: {"table": place, "column": table_col}}
        self._foreign[col_name] = table

    # reading --------------------------------------------------------------------------

    def iterrows(self) -> Iterator[tuple[TableIndex, list[Any]]]:
        """Yield the number of each row and its cells."""
        for at, row in enumerate(self.data):
            yield TableIndex.of(self, at), row

    def get_index(self) -> list[TableIndex]:
        """The numbers of all rows."""
        return [TableIndex.of(self, at) for at in range(self.row_count)]

    def index_ref(self, index: int) -> TableIndex:
        """The number of one row. Raises IndexError."""
        if not 0 <= index < self.row_count:
            raise IndexError(f"row {index} of {self.row_count}")
        return TableIndex.of(self, index)

    def read_rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Rows:
        return self.content().all_rows(start, stop, columns)

    def to_arrow(self) -> pa.Table:
        # In chunks: an array of 2 GiB of text there is not.
        return self.content().to_arrow()

    def opener_of(self, column: str) -> OpenContent:  # noqa: ARG002 - all are of one artifact
        return self.open_content

    def query(self) -> Query:
        from artstore.tables.query import query_of

        return query_of(self)

    # for the layers above -------------------------------------------------------------

    def built(self) -> BuiltTable:
        """All rows, as a push stores them."""
        if self._is_untouched():
            assert self._stored is not None
            stored = self._stored
            return BuiltTable(stored.schema, (StoredPart(stored, stored.leaves, stored.row_count),))
        return self._intake.built()

    def content(self) -> TableContent:
        """The rows as Arrow arrays, read as they are asked for."""
        if self._content is None:
            paths = self._home.fragment_paths if self._home is not None else None
            if self._is_untouched():
                assert self._stored is not None
                assert paths is not None
                self._content = TableContent.stored(self._stored, paths)
            else:
                self._content = TableContent.built(self._intake.built(), paths)
        return self._content

    def media_files(self) -> Iterator[MediaFile]:
        """The files that cells name, for the artifact that the table is added to."""
        own = self._intake.media
        yield from own
        if self._media_homes:
            from artstore.tables.mediacells import media_paths

            for path in sorted(media_paths(self.content())):
                if own.get(path) is None:
                    yield MediaFile(path, self.open_content(path))

    def open_content(self, path: str) -> MediaContent:
        """The content of a file that a cell names. Raises NotFoundError `entry-not-found`."""
        own = self._intake.media.get(path)
        if own is not None:
            return own
        return content_of([home.open_content for home in self._media_homes], path)

    # ----------------------------------------------------------------------------------

    def _is_untouched(self) -> bool:
        """Whether it is just what its store has."""
        return self._stored is not None and not self._intake.row_count

    def _adopt(self) -> None:
        """Go on after the rows of the store: the last leaf of them may grow."""
        if not self._is_untouched():
            return
        stored, content = self._stored, self.content()
        assert stored is not None
        media = self._intake.media
        if not stored.row_count:
            self._intake = RowIntake(stored.schema)
        else:
            kept = stored.leaves.part(0, len(stored.leaves) - 1)
            count = sum(kept.counts)
            self._intake = RowIntake(stored.schema, StoredPart(stored, kept, count))
            self._intake.add_rows(content.all_rows(count))
        self._intake.media = media
        self._content = None

    def _replace(self, rows: Rows, media: Any = ()) -> None:
        """Have these rows instead of all before; media files stay."""
        intake = RowIntake(Schema.of_names(rows.schema.names))
        intake.media.add(self.media_files())
        intake.media.add(media)
        intake.add_rows(rows)
        self._intake, self._stored, self._content = intake, None, None

    def _wanted_types(self, dtype: Any, optional: Any) -> dict[str, Any]:
        if dtype is None:
            return {}
        by_name = dtype if isinstance(dtype, Mapping) else self._listed(dtype)
        options = optional if isinstance(optional, Sequence) else [optional] * len(self.columns)
        may_be_none = dict(zip(self.columns, options, strict=True))
        for name in by_name:
            self.check_column(name)
        return {
            name: wanted_type(kind, optional=may_be_none[name]) for name, kind in by_name.items()
        }

    def _listed(self, dtype: Any) -> dict[str, Any]:
        kinds = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(self.columns)
        if len(kinds) != len(self.columns):
            raise InvalidInputError(
                f"{len(kinds)} types for {len(self.columns)} columns", code="value-invalid"
            )
        return dict(zip(self.columns, kinds, strict=True))

    def _cast_row(self, row: Sequence[Any]) -> Iterator[Any]:
        names = self._intake.names
        if len(row) != len(names):
            # Refused when it is added.
            yield from row
            return
        for name, cell in zip(names, row, strict=True):
            wanted = self._wanted.get(name)
            yield cell if wanted is None else wanted.cell(cell, name)


def _labels(own: list[Any] | None, wanted: Sequence[Any]) -> Sequence[Any]:
    """What `source` calls the columns that were asked for."""
    if own is None:
        return wanted
    known = {str(name): name for name in own}
    missing = [name for name in map(str, wanted) if name not in known]
    if missing:
        raise InvalidInputError(
            f"the data has no column {missing[0]!r}, only {', '.join(known)[:200]}",
            code="column-unknown",
            column=missing[0],
        )
    return [known[str(name)] for name in wanted]


def _checked_log_mode(mode: str) -> str:
    if mode not in _LOG_MODES:
        raise InvalidInputError(
            f"log_mode is one of {', '.join(_LOG_MODES)}, not {mode!r}", code="value-invalid"
        )
    return mode

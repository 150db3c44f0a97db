"""
Where rows come from: the SQL that scans all rows of a reader, and that picks some by number.

Rows have *places* in a query, numbers in the column `ROW` that are in the order of the rows. They
are the row numbers, or what is cheaper for the engine to tell: file and row of the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from artstore.tables.engine import ROW, engine, quoted
from artstore.tables.exploring.fragmentends import FragmentEnds, ends_of
from artstore.tables.exploring.running import Relation, fetched
from artstore.tables.reading import RowReader
from artstore.tables.schema import Schema
from artstore.tables.viewsql import (
    FragmentFile,
    cast_sql,
    casts_of,
    engine_table,
    files_of,
    scan_sql,
)

if TYPE_CHECKING:
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

__all__ = [
    "Block",
    "Picked",
    "Sample",
    "Source",
    "SourceReader",
    "StoredSource",
    "among",
    "source_of",
]

_FILE_BITS: Final = 40
"""A place is the number of a file, and in its lower bits the number of a row in it."""

_PART_BITS: Final = 52
_SHARED_FILES: Final = 16
"""Rows of so many files are picked by two queries at once."""

_SAMPLE_SCANS: Final = 4
_BLOCK_ROWS: Final = 2_000_000
_BLOCK_ROWS_MAX: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class Picked:
    """
    Some rows.

    Attributes:
        relation: gives them, in no order, each once.
        places: of each number that was asked for its place in the relation: int64 [n].
    """

    relation: Relation
    places: Any


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows that stand for all: these columns and `ROW`, and how many there are."""

    relation: Relation
    row_count: int


@dataclass(frozen=True, slots=True)
class Block:
    """Successive rows of a table that are scanned together."""

    first: int
    row_count: int
    files: tuple[int, int] | None = None


class Source(ABC):
    """
    The rows of a reader as queries see them.

    Attributes:
        view: a view of the engine with all columns and `ROW`.
    """

    def __init__(self, view: str, schema: Schema, row_count: int) -> None:
        # The name itself: the view stays as long as somebody has it.
        self.view, self.schema, self.row_count = view, schema, row_count
        self._table: Any = None

    @property
    def table(self) -> Any:
        """The Ibis table of the view, bound to nothing: in a query any rows may be given to it."""
        if self._table is None:
            self._table = engine().ibis.table(self.view).unbind()
        return self._table

    @property
    def views(self) -> tuple[str, ...]:
        """Views that are read, as `Engine.view` names them."""
        return (self.view,)

    def tables(self, columns: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Of `columns`, by their names, those that an expression calls `$0.name`, `$1.name`, ..."""
        return [columns]

    def expanded(self, condition: str) -> tuple[str, ...]:
        """Conditions, all of which must hold, that one stands for."""
        return (condition,)

    def blocks(self) -> list[Block]:
        """All rows in blocks, in order."""
        return [Block(0, self.row_count)] if self.row_count else []

    def scan(self, names: Sequence[str], block: Block | None = None) -> Relation:  # noqa: ARG002 - not all have several
        """All rows, or those of one block: these columns and `ROW`."""
        return Relation(f"SELECT {_listed(names)} FROM main.{self.view}", self.views)

    def numbers(self, places: Any, block: Block | None = None) -> Any:  # noqa: ARG002 - not all have several
        """The numbers of rows that `scan` gave at places."""
        return places

    def place_of(self, number: int) -> int:
        """Where `scan` of all rows has a row."""
        return number

    def sample(self, names: Sequence[str], row_count: int) -> Sample | None:  # noqa: ARG002 - not all have one
        """
        Pieces from all over the table, the same each time: about so many rows of it.

        None if that is no cheaper than all rows.
        """
        return None

    def shares(self, numbers: Any) -> list[Any]:
        """The same numbers in parts: it is quicker to pick these at the same time than all."""
        return [numbers]

    @abstractmethod
    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        """
        Rows by number: these columns and `ROW`.

        Args:
            numbers: int64 [n], ascending, each once.
        """


class SourceReader(RowReader):
    """A reader that tells itself how queries see its rows."""

    @abstractmethod
    def source(self) -> Source:
        """Its rows, in the engine of this process."""


class _ViewSource(Source):
    """Rows of a table in memory."""

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        sql = f"SELECT {_listed(names)} FROM main.{self.view} WHERE {among(ROW, numbers)}"
        return Picked(Relation(sql, self.views), numbers)


class StoredSource(Source):
    """
    Rows of a table of a store.

    If each fragment is in it whole, in order, and all have the same columns, rows are scanned
    without looking up where they stand.
    """

    def __init__(self, view: str, table: Table) -> None:
        super().__init__(view, table.schema, table.row_count)
        stored, home = table.stored, table.home
        assert stored is not None, "a table of a store"
        assert home is not None, "of a store"
        self._stored = stored
        self._files = files_of(
            stored, [str(path) for path in home.fragment_paths(stored.fragments)]
        )
        extents = sorted(
            (place, count, at, first)
            for at, file in enumerate(self._files)
            for first, count, place in file.extents
        )
        columns = [np.array(column, np.int64) for column in zip(*extents, strict=True)]
        self._starts, self._counts, self._file, self._first = columns or [np.zeros(0, np.int64)] * 4
        kinds = {file.columns for file in self._files}
        self._ends: dict[str, FragmentEnds] | None = None
        self.is_plain = len(kinds) == 1 and all(file.is_whole for file in self._files)

    def blocks(self) -> list[Block]:
        if not self.is_plain:
            return super().blocks()
        # The first block is small: it may have all rows of the first page.
        blocks, limit, begin, rows, first = [], _BLOCK_ROWS, 0, 0, 0
        for at, file in enumerate(self._files):
            rows += file.row_count
            if rows >= limit or at == len(self._files) - 1:
                blocks.append(Block(first, rows, (begin, at + 1)))
                first, begin, rows = first + rows, at + 1, 0
                limit = min(limit * 4, _BLOCK_ROWS_MAX)
        return blocks

    def scan(self, names: Sequence[str], block: Block | None = None) -> Relation:
        if not self.is_plain:
            return super().scan(names, block)
        begin, end = block.files if block is not None and block.files else (0, len(self._files))
        return Relation(self._files_sql(self._files[begin:end], names))

    def numbers(self, places: Any, block: Block | None = None) -> Any:
        if not self.is_plain:
            return places
        begin = block.files[0] if block is not None and block.files else 0
        return self._starts[(places >> _FILE_BITS) + begin] + (places & ((1 << _FILE_BITS) - 1))

    def place_of(self, number: int) -> int:
        if not self.is_plain:
            return number
        file = int(np.searchsorted(self._starts, number, "right")) - 1
        return (file << _FILE_BITS) + number - int(self._starts[file])

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        extents = np.searchsorted(self._starts, numbers, "right") - 1
        files = self._file[extents]
        rows = self._first[extents] + numbers - self._starts[extents]
        parts = []
        for at in np.unique(files).tolist():
            found = self._files_sql([self._files[at]], names, at)
            rows_of_file = among("t.file_row_number", np.sort(rows[files == at]))
            parts.append(f"{found} WHERE {rows_of_file}")
        sql = (
            " UNION ALL ".join(parts)
            or f"SELECT {_listed(names)} FROM main.{self.view} WHERE false"
        )
        return Picked(Relation(sql, () if parts else self.views), (files << _FILE_BITS) + rows)

    def shares(self, numbers: Any) -> list[Any]:
        # The engine reads files of which it needs a few rows each one after the other.
        extents = np.searchsorted(self._starts, numbers, "right")
        those = np.unique(extents)
        if len(those) < _SHARED_FILES:
            return [numbers]
        return np.split(numbers, [int(np.searchsorted(extents, those[len(those) // 2]))])

    def ends(self, name: str) -> FragmentEnds | None:
        """The least and the greatest numbers of a column by file; None if one is not known."""
        if not self.is_plain:
            return None
        if self._ends is None:
            kinds = dict(zip(self.schema.names, self.schema.types, strict=True))
            self._ends = ends_of([file.path for file in self._files], kinds)
        return self._ends.get(name)

    def scan_files(self, files: Sequence[int], names: Sequence[str]) -> Relation:
        """All rows of these files, ascending: these columns and `ROW`. For a plain source."""
        return Relation(self._files_sql([self._files[at] for at in files], names))

    def numbers_in(self, files: Sequence[int], places: Any) -> Any:
        """The numbers of rows that `scan_files` gave at places."""
        chosen = np.array(files, np.int64)[places >> _FILE_BITS]
        return self._starts[chosen] + (places & ((1 << _FILE_BITS) - 1))

    def sample(self, names: Sequence[str], row_count: int) -> Sample | None:
        if not self.is_plain or not self._files:
            return None
        # One piece of each file, larger ones of larger files; all pieces that are scanned
        # together lie at the same rows of their files, which the engine then finds without
        # reading what is before them.
        sizes = np.array([file.row_count for file in self._files])
        share, taken, parts = row_count / self.row_count, 0, []
        for chosen in np.array_split(np.argsort(sizes, kind="stable"), _SAMPLE_SCANS):
            if not len(chosen):
                continue
            piece = max(int(share * sizes[chosen].mean()), 1)
            first = max(int(sizes[chosen].min()) - piece, 0) // 2
            taken += int(np.minimum(sizes[chosen] - first, piece).sum())
            files = [self._files[at] for at in sorted(chosen.tolist())]
            rows = f"t.file_row_number BETWEEN {first} AND {first + piece - 1}"
            parts.append(f"{self._files_sql(files, names)} WHERE {rows}")
        return Sample(Relation(" UNION ALL ".join(parts)), taken)

    def _files_sql(self, files: Sequence[FragmentFile], names: Sequence[str], at: int = 0) -> str:
        casts = casts_of(self._stored, files[0].columns, names) if names else ""
        place = f"((t.file_index::BIGINT + {at}) << {_FILE_BITS}) + t.file_row_number AS {ROW}"
        return f"SELECT {casts}{',' * bool(names)} {place} FROM {scan_sql(files, rows=True)} t"


class _JoinedSource(Source):
    """Rows of a joined table: pairs of rows of its tables."""

    def __init__(self, reader: JoinedTable) -> None:
        found = engine()
        self._reader = reader
        self._sides = (_table_source(reader.left), _table_source(reader.right))
        self._pairs = reader.pairs()
        self._columns = reader.columns_sql()
        self._origins = reader.origins()
        left, right = (side.view for side in self._sides)
        view = found.show(
            f"SELECT {self._listed(reader.schema.names)}"
            f"p.rowid AS {ROW} FROM {self._pairs} p LEFT JOIN {left} l ON l.{ROW} = p.l "
            f"LEFT JOIN {right} r ON r.{ROW} = p.r",
            left,
            right,
            self._pairs,
        )
        super().__init__(view, reader.schema, reader.row_count)

    @property
    def views(self) -> tuple[str, ...]:
        return tuple(view for side in self._sides for view in side.views)

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        found = fetched(
            f"SELECT rowid AS n, l, r FROM {self._pairs} WHERE {among('rowid', numbers)}", ()
        )
        name = f"{self.view}_picked"
        columns, parts = {ROW: found["n"]}, []
        views: list[str] = []
        registered: dict[str, Any] = {}
        for side, source in zip("lr", self._sides, strict=True):
            rows = found[side].combine_chunks()
            wanted = np.unique(np.asarray(rows.drop_null()).astype(np.int64))
            own = set(source.schema.names)
            picked = source.pick(
                wanted, [name for name in self._wanted(side, names) if name in own]
            )
            at = np.searchsorted(wanted, np.asarray(rows.fill_null(0)))
            places = picked.places[np.minimum(at, max(len(wanted) - 1, 0))] if len(wanted) else at
            columns[side] = pa.array(places.astype(np.int64), mask=np.asarray(rows.is_null()))
            parts.append(f"LEFT JOIN ({picked.relation.sql}) {side} ON {side}.{ROW} = p.{side}")
            views += picked.relation.views
            registered.update(picked.relation.registered)
        registered[name] = pa.table(columns)
        sql = f"SELECT {self._listed(names)}p.{ROW} AS {ROW} FROM {name} p {' '.join(parts)}"
        return Picked(Relation(sql, tuple(views), registered), numbers)

    def _listed(self, names: Sequence[str]) -> str:
        return "".join(f"{self._columns[name]} AS {quoted(name)}, " for name in names)

    def _wanted(self, side: str, names: Sequence[str]) -> list[str]:
        """The columns of one table that columns of the result are made of."""
        index = "lr".index(side)
        found = [self._origins[name][index] for name in names]
        return list(dict.fromkeys(name for name in found if name is not None))


class _PartsSource(Source):
    """Rows of a partitioned table: those of one part after those of another."""

    def __init__(self, reader: PartitionedTable) -> None:
        self._parts = [_table_source(part) for part in reader.parts]
        counts = np.array([part.row_count for part in self._parts], np.int64)
        self._ends = np.cumsum(counts)
        self.schema = reader.schema
        parts, kept = [], [part.view for part in self._parts]
        for at, part in enumerate(self._parts):
            casts = self._casts(part.schema, reader.schema.names)
            start = int(self._ends[at] - counts[at])
            parts.append(f"SELECT {casts}t.{ROW} + {start} AS {ROW} FROM {part.view} t")
        sql = " UNION ALL ".join(parts) or f"SELECT 0::BIGINT AS {ROW} WHERE false"
        view = engine().show(sql, *kept)
        super().__init__(view, reader.schema, reader.row_count)

    @property
    def views(self) -> tuple[str, ...]:
        return tuple(view for part in self._parts for view in part.views) or (self.view,)

    def pick(self, numbers: Any, names: Sequence[str]) -> Picked:
        owners = np.searchsorted(self._ends, numbers, "right")
        parts, places = [], np.zeros(len(numbers), np.int64)
        views: list[str] = []
        registered: dict[str, Any] = {}
        for at in np.unique(owners).tolist():
            part, is_own = self._parts[at], owners == at
            start = int(self._ends[at]) - part.row_count
            picked = part.pick(numbers[is_own] - start, names)
            places[is_own] = picked.places + (at << _PART_BITS)
            casts = self._casts(part.schema, names)
            parts.append(
                f"SELECT {casts}t.{ROW} + {at << _PART_BITS} AS {ROW} "
                f"FROM ({picked.relation.sql}) t"
            )
            views += picked.relation.views
            registered.update(picked.relation.registered)
        if not parts:
            sql = f"SELECT {_listed(names)} FROM main.{self.view} WHERE false"
            return Picked(Relation(sql, self.views), places)
        return Picked(Relation(" UNION ALL ".join(parts), tuple(views), registered), places)

    def _casts(self, have: Schema, names: Sequence[str]) -> str:
        return "".join(
            f"{cast_sql(f't.{quoted(name)}', have.type_of(name), self.schema.type_of(name))} "
            f"AS {quoted(name)}, "
            for name in names
        )


def source_of(reader: RowReader) -> Source:
    """
    The rows of a table, a joined or a partitioned one.

    Raises:
        InvalidInputError: `columns-invalid`: SQL cannot tell its columns apart.
    Cost: fragments that are not on this machine are fetched; a joined table is joined.
    """
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

    if isinstance(reader, JoinedTable):
        return _JoinedSource(reader)
    if isinstance(reader, PartitionedTable):
        return _PartsSource(reader)
    if isinstance(reader, Table):
        return _table_source(reader)
    if isinstance(reader, SourceReader):
        return reader.source()
    return _ArrowSource(reader)


def _table_source(table: Table) -> Source:
    view = engine().view(table, with_rows=True)
    if table.stored is not None and table.stored.extents:
        return StoredSource(view, table)
    return _ViewSource(view, table.schema, table.row_count)


class _ArrowSource(_ViewSource):
    """Rows of any other reader, which are read once and kept."""

    def __init__(self, reader: RowReader) -> None:
        data = engine_table(reader.to_arrow())
        rows = pa.array(np.arange(data.num_rows))
        view = engine().show_data(data.append_column(ROW, rows))
        super().__init__(view, reader.schema, data.num_rows)


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*map(quoted, names), ROW])


def among(value: str, numbers: Any) -> str:
    """SQL for whether a value is one of some numbers, which are ascending."""
    if not len(numbers):
        return "false"
    first, last = int(numbers[0]), int(numbers[-1])
    if last - first + 1 == len(numbers):
        return f"{value} BETWEEN {first} AND {last}"
    return f"{value} IN ({', '.join(map(str, numbers.tolist()))})"

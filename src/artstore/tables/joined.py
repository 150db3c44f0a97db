"""
Two tables joined by keys: kept as a description, joined when rows are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.tables.engine import ROW, engine, quoted
from artstore.tables.joinkeys import comparable, key_sql
from artstore.tables.pythoncells import OpenContent
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.table import Table
from artstore.tables.types import NULL, ColumnType
from artstore.tables.viewsql import cast_sql
from artstore.tables.widening import convert, widened

if TYPE_CHECKING:
    from artstore.tables.query import Query

__all__ = ["HOWS", "JoinCounts", "JoinedTable", "key_pairs"]

HOWS: Final = ("inner", "left", "outer", "anti")
_SUFFIX: Final = "_right"
_INNER: Final = "artstore_right_"
"""How columns of the right table begin inside a query, where no name may be there twice."""


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """
    How many rows found each other.

    Attributes:
        rows: of the result.
        left_matched: rows of the left table with at least one partner.
        left_missing, right_missing: rows without one.
    """

    rows: int
    left_matched: int
    left_missing: int
    right_matched: int
    right_missing: int


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the result: of the left table, of the right one, or a key of both."""

    name: str
    kind: ColumnType
    left: str | None
    right: str | None


class JoinedTable(RowReader):
    """
    Rows of two tables side by side, by equal keys.

    Rows come in the order of the left table, and for one of its rows in the order of
    the right one; rows that only the right table has come last. Duplicate keys
    give every pair; None equals nothing, and neither does NaN. A key that has one name in both
    tables is one column; another column that both have is called `<name>_right`
    on the right.

    Args:
        table1, table2: left and right.
        join_key: the column that both have; a pair (left, right); or a list of columns
            and pairs, all of which must be equal. A list of two texts is a pair, as
            scripts have it: write `["a", "b"]` as `[("a", "a"), ("b", "b")]`.
        how: `inner`; `left`, all rows of the left table; `outer`, all rows of both;
            `anti`, the rows of the left table that have no partner.
    Raises:
        InvalidInputError: `join-key-unknown`, `join-key-type`, `value-invalid`.
    Cost: nothing is read before rows are asked for.
    """

    def __init__(
        self,
        table1: Table,
        table2: Table,
        join_key: str | Sequence[Any],
        *,
        how: str = "inner",
    ) -> None:
        for table in (table1, table2):
            if not isinstance(table, Table):
                is_reader = isinstance(table, RowReader)
                raise InvalidInputError(
                    f"a joined table is made of two tables, not of a {type(table).__name__}",
                    code="value-invalid",
                    hint="make one table of its rows: Table.from_query(it.query())"
                    if is_reader
                    else 'get a table of an artifact with artifact.get("name")',
                )
        if how not in HOWS:
            raise InvalidInputError(
                f"how is one of {', '.join(HOWS)}, not {how!r}", code="value-invalid"
            )
        self.left = table1
        self.right = table2
        self.on = key_pairs(join_key)
        self.how = how
        self._check_keys()
        self._pairs: tuple[tuple[Any, Any], str, int] | None = None
        self._known_columns: tuple[tuple[Schema, Schema], Sequence[_Column]] | None = None

    def __repr__(self) -> str:
        keys = ", ".join(a if a == b else f"{a}={b}" for a, b in self.on)
        return f"<{self.how} join by {keys} of {self.left!r} and {self.right!r}>"

    @property
    def join_key(self) -> Any:
        """The key as it was given, in its shortest form."""
        if len(self.on) == 1:
            left, right = self.on[0]
            return left if left == right else [left, right]
        return [list(pair) for pair in self.on]

    @property
    def schema(self) -> Schema:
        columns = self._columns()
        return Schema(tuple(c.name for c in columns), tuple(c.kind for c in columns))

    @property
    def row_count(self) -> int:
        """How many rows the result has. Cost: the first time, joins the keys."""
        return self._joined()[1]

    @property
    def counts(self) -> JoinCounts:
        """How many rows of each side have partners. Cost: as `row_count`."""
        name, rows = self._joined()
        if self.how == "anti":
            matched = self.left.row_count - rows
            keys = self._right_matched_sql()
            right = int(engine().run(keys).fetchone()[0])
        else:
            counts = engine().run(
                f"SELECT count(DISTINCT l) FILTER (r IS NOT NULL), "
                f"count(DISTINCT r) FILTER (l IS NOT NULL) FROM {name}"
            )
            matched, right = map(int, counts.fetchone())
        return JoinCounts(
            rows,
            matched,
            self.left.row_count - matched,
            right,
            self.right.row_count - right,
        )

    def read_rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Rows:
        name, count = self._joined()
        stop = count if stop is None else min(stop, count)
        return self._rows_of(
            f"SELECT l, r FROM {name} WHERE rowid >= {int(start)} AND rowid < {int(stop)} "
            "ORDER BY rowid",
            columns,
        )

    def take(self, numbers: Sequence[int], columns: Sequence[str] | None = None) -> Rows:
        """
        Rows by their numbers, in this order.

        Cost: as `read_rows`, of the fragments that hold these rows.
        """
        name, _ = self._joined()
        listed = f"[{', '.join(str(int(number)) for number in numbers)}]::BIGINT[]"
        return self._rows_of(
            f"SELECT p.l, p.r FROM (SELECT unnest({listed}) AS n, "
            f"generate_subscripts({listed}, 1) AS at) w JOIN {name} p ON p.rowid = w.n "
            "ORDER BY w.at",
            columns,
        )

    def _rows_of(self, pairs: str, columns: Sequence[str] | None) -> Rows:
        """The rows of pairs (`l`, `r`) of row numbers, which a query of ours gives."""
        found = engine()
        with found.lock:
            numbers = found.run(pairs).to_arrow_table().combine_chunks()
        wanted = {c.name: c for c in self._columns()}
        chosen = [wanted[n] for n in (columns if columns is not None else wanted)]
        left = self._side(self.left, numbers["l"], [c.left for c in chosen])
        right = self._side(self.right, numbers["r"], [c.right for c in chosen])
        arrays = tuple(_merged(column, left, right) for column in chosen)
        schema = Schema(tuple(c.name for c in chosen), tuple(c.kind for c in chosen))
        return Rows(schema, arrays, numbers.num_rows)

    def opener_of(self, column: str) -> OpenContent:
        found = next(c for c in self._columns() if c.name == column)
        return (self.left if found.left is not None else self.right).open_content

    def pairs(self) -> str:
        """
        The engine's table of pairs (`l`, `r`) of row numbers, in order; there as long as this is.

        Cost: as `row_count`.
        """
        return self._joined()[0]

    def origins(self) -> dict[str, tuple[str | None, str | None]]:
        """Of each column its names in the left and in the right table; a key may have both."""
        return {column.name: (column.left, column.right) for column in self._columns()}

    def columns_sql(self) -> dict[str, str]:
        """
        Of each column the SQL that gives it from a row `l` of the left table, `r` of the right.

        Where a row is missing, all columns of its table are null.
        """
        found = {}
        for column in self._columns():
            parts = [
                cast_sql(f"{side}.{quoted(name)}", table.schema.type_of(name), column.kind)
                for side, name, table in (
                    ("l", column.left, self.left),
                    ("r", column.right, self.right),
                )
                if name is not None
            ]
            found[column.name] = parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"
        return found

    def query(self) -> Query:
        found = engine()
        left, right = found.table(self.left), found.table(self.right)
        for (a, b), kinds in zip(self.on, self._key_types(), strict=True):
            if kinds[0] == NULL != kinds[1]:
                left = left.mutate(**{a: left[a].cast(right[b].type())})
            elif kinds[1] == NULL != kinds[0]:
                right = right.mutate(**{b: right[b].cast(left[a].type())})
        if self.how == "anti":
            return left.anti_join(right, [_key(left[a]) == _key(right[b]) for a, b in self.on])
        inner = {name: f"{_INNER}{at}" for at, name in enumerate(self.right.schema.names)}
        renamed = right.select(**{told: right[name] for name, told in inner.items()})
        pairs = [_key(left[a]) == _key(renamed[inner[b]]) for a, b in self.on]
        joined = left.join(renamed, pairs, how=self.how)
        return joined.select(**{c.name: _value(joined, c, inner) for c in self._columns()})

    # ----------------------------------------------------------------------------------

    def _check_keys(self) -> None:
        for left, right in self.on:
            for table, column, side in ((self.left, left, "left"), (self.right, right, "right")):
                if column not in table.schema.names:
                    raise InvalidInputError(
                        f"the {side} table has no column {column!r} to join by, "
                        f"only {', '.join(table.columns)[:200]}",
                        code="join-key-unknown",
                        column=column,
                    )
            kinds = self.left.schema.type_of(left), self.right.schema.type_of(right)
            if not comparable(*kinds):
                raise InvalidInputError(
                    f"the key {left!r} is {kinds[0]} in the left table, {right!r} is {kinds[1]} "
                    "in the right one: they are never equal",
                    code="join-key-type",
                    hint="cast one of them: table.cast(column, type)",
                )

    def _columns(self) -> Sequence[_Column]:
        # Types of a draft widen as it grows.
        schemas = (self.left.schema, self.right.schema)
        if self._known_columns is None or self._known_columns[0] != schemas:
            self._known_columns = (schemas, self._made_columns(*schemas))
        return self._known_columns[1]

    def _made_columns(self, left: Schema, right: Schema) -> list[_Column]:
        shared = {one for one, other in self.on if one == other}
        columns = []
        for name, kind in zip(left.names, left.types, strict=True):
            both = name in shared and self.how != "anti"
            merged = widened(kind, right.type_of(name)) if both else kind
            columns.append(_Column(name, merged, name, name if both else None))
        if self.how == "anti":
            return columns
        # To SQL `a` and `A` are one name.
        taken = {column.name.lower() for column in columns}
        for name, kind in zip(right.names, right.types, strict=True):
            if name in shared:
                continue
            told = name
            while told.lower() in taken:
                told += _SUFFIX
            taken.add(told.lower())
            columns.append(_Column(told, kind, None, name))
        return columns

    def _side(self, table: Table, numbers: Any, names: Sequence[str | None]) -> Rows:
        """The rows of one table, for the columns that come from it."""
        wanted = list(dict.fromkeys(name for name in names if name is not None))
        return table.content().take(numbers, wanted)

    def _joined(self) -> tuple[str, int]:
        """The table of pairs of row numbers, in order, and how many there are."""
        contents = (self.left.content(), self.right.content())
        if self._pairs is not None and self._pairs[0] == contents:
            return self._pairs[1:]
        found = engine()
        # The pairs of what the tables were go first.
        self._pairs = None
        with found.lock:
            name = found.keep(self._pairs_sql())
            count = int(found.run(f"SELECT count(*) FROM {name}").fetchone()[0])
        self._pairs = (contents, name, count)
        return name, count

    def _pairs_sql(self) -> str:
        left, right = self._key_views()
        if self.how == "anti":
            return (
                f"SELECT l.{ROW} AS l, NULL::BIGINT AS r FROM {left} l "
                f"ANTI JOIN {right} r ON {self._condition()} ORDER BY 1"
            )
        kind = {"inner": "INNER", "left": "LEFT", "outer": "FULL OUTER"}[self.how]
        return (
            f"SELECT l.{ROW} AS l, r.{ROW} AS r FROM {left} l {kind} JOIN {right} r "
            f"ON {self._condition()} ORDER BY l.{ROW} NULLS LAST, r.{ROW}"
        )

    def _right_matched_sql(self) -> str:
        left, right = self._key_views()
        return f"SELECT count(*) FROM {right} r SEMI JOIN {left} l ON {self._condition()}"

    def _key_views(self) -> tuple[str, str]:
        found = engine()
        return found.view(self.left, with_rows=True), found.view(self.right, with_rows=True)

    def _condition(self) -> str:
        conditions = []
        for (a, b), (left, right) in zip(self.on, self._key_types(), strict=True):
            one = key_sql(f"l.{quoted(a)}", left, right)
            two = key_sql(f"r.{quoted(b)}", right, left)
            conditions.append(f"{one} = {two}")
        return " AND ".join(conditions)

    def _key_types(self) -> list[tuple[ColumnType, ColumnType]]:
        """The types of each pair of keys; of a column in which nothing is yet, null."""
        left, right = self.left.schema, self.right.schema
        return [(left.type_of(a), right.type_of(b)) for a, b in self.on]


def key_pairs(join_key: str | Sequence[Any]) -> tuple[tuple[str, str], ...]:
    """
    The pairs (left, right) of columns that a key names.

    Raises:
        InvalidInputError: `join-key-unknown`.
    """
    if isinstance(join_key, str):
        return ((join_key, join_key),)
    if not isinstance(join_key, (list, tuple)):
        raise _no_key(join_key)
    parts = list(join_key)
    if len(parts) == 2 and all(isinstance(part, str) for part in parts):
        return ((parts[0], parts[1]),)
    pairs = []
    for part in parts:
        pair = (part, part) if isinstance(part, str) else part
        if not isinstance(pair, (list, tuple)):
            raise _no_key(join_key)
        if len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise _no_key(join_key)
        pairs.append((pair[0], pair[1]))
    if not pairs:
        raise _no_key(join_key)
    return tuple(pairs)


def _no_key(join_key: Any) -> InvalidInputError:
    return InvalidInputError(
        f"{join_key!r} is no key: give a column, a pair (left, right), or a list of them",
        code="join-key-unknown",
    )


def _key(value: Query) -> Query:
    """A key in an Ibis join; as `key_sql`."""
    return value.nullif(math.nan) if value.type().is_floating() else value


def _merged(column: _Column, left: Rows, right: Rows) -> Any:
    """The cells of a column; of a key, those of the side that has the row."""
    found = []
    for rows, name in ((left, column.left), (right, column.right)):
        if name is not None:
            at = rows.schema.names.index(name)
            found.append(convert(rows.arrays[at], rows.schema.types[at], column.kind))
    if len(found) == 1:
        return found[0]
    return pa.compute.coalesce(*found)


def _value(joined: Query, column: _Column, inner: Mapping[str, str]) -> Query:
    """A column of the result in an Ibis join, in which the right table's are `inner`."""
    if column.right is None:
        return joined[column.left]
    right = joined[inner[column.right]]
    return right if column.left is None else joined[column.left].coalesce(right)

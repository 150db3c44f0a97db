"""
Tables as Ibis expressions, and results of queries as tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.arrowtypes import arrow_type, plain_array, type_of_arrow
from artstore.tables.engine import Source, engine, told_errors
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.table import Table
from artstore.tables.types import Array, ColumnType, Media, Union

__all__ = ["Query", "filtered", "grouped", "pivoted", "query_of", "table_of_query"]

_PIVOT_MAX: Final = 1000
_CELL: Final = "artstore_cell"

Query = Any
"""An Ibis table expression."""


def query_of(table: Table) -> Query:
    """
    The Ibis expression of a table; what is made of it is run by DuckDB, in this process.

    Cost: fragments that are not on this machine are fetched.
    """
    return engine().table(table)


def filtered(expression: Query, condition: str | Mapping[str, Any]) -> Query:
    """
    The rows of which a condition is true: SQL, or Mongo as text or dict.

    Raises:
        InvalidInputError: `expression-invalid`, `column-unknown`.
    """
    from artstore.tables.expressions import Scope, parse_condition

    return expression.filter(parse_condition(condition, Scope.of(expression)))


def table_of_query(expression: Query) -> Table:
    """
    The rows of an Ibis expression as a table that can be logged; its sources are noted in it.

    Columns that a query passes on are what they were: images, arrays, mixed columns.

    Raises:
        InvalidInputError: `rows-unknown`.
    Cost: rows stream, memory stays bounded.
    """
    if not hasattr(expression, "to_pyarrow_batches"):
        raise InvalidInputError(
            f"a table is made of an Ibis expression, not of {type(expression).__name__}",
            code="rows-unknown",
        )
    sources = engine().sources(expression)
    names = tuple(expression.columns)
    table = Table(list(names))
    homes = [source.home for source in sources]
    table.note_sources([home.name for home in homes], homes)
    known: tuple[ColumnType | None, ...] | None = None
    # Another statement on the connection would end the stream of rows, without a word.
    with engine().lock:
        for batch in _batches(expression):
            if known is None:
                fields = zip(names, batch.schema.types, strict=True)
                known = tuple(_known_type(name, found, sources) for name, found in fields)
            table.add_rows(_typed(Rows.of_batch(batch), names, known))
    return table


def _typed(rows: Rows, names: tuple[str, ...], known: Sequence[ColumnType | None]) -> Rows:
    """Rows with the types that are known to say more than theirs."""
    kinds, arrays = [], []
    for kind, array, wanted in zip(rows.schema.types, rows.arrays, known, strict=True):
        kinds.append(kind if wanted is None else wanted)
        arrays.append(array if wanted is None else plain_array(array, wanted))
    return Rows(Schema(names, tuple(kinds)), tuple(arrays), rows.row_count)


def _batches(expression: Query) -> Iterator[Any]:
    """Record batches of a query, its errors told in our words."""
    with told_errors():
        yield from expression.to_pyarrow_batches()


def _known_type(name: str, found: Any, sources: Sequence[Source]) -> ColumnType | None:
    """The type that a column of a query has in its sources, where Arrow's says less."""
    plain = type_of_arrow(found, column=name)
    for source in sources:
        for column, kind in zip(source.schema.names, source.schema.types, strict=True):
            # Lists and structs may be anybody's; a struct with all members of an image is one.
            is_same = column == name or isinstance(kind, Media)
            says_more = isinstance(kind, (Array, Media, Union))
            if is_same and says_more and type_of_arrow(arrow_type(kind), column=name) == plain:
                return kind
    return None


def grouped(expression: Query, by: Sequence[str], aggregates: Mapping[str, str]) -> Query:
    """
    One row a group, in the order of the groups.

    Args:
        by: columns; none for all rows as one group.
        aggregates: name of a new column -> `count()`, `mean(score)`, `quantile(score, 0.9)`, ...
    Raises:
        InvalidInputError: `column-unknown`, `expression-invalid`, `expression-type-invalid`.
    """
    from artstore.tables.expressions import Scope, parse_aggregate

    scope = Scope.of(expression)
    made = {name: parse_aggregate(text, scope) for name, text in aggregates.items()}
    if not by:
        return expression.aggregate(**made)
    return expression.group_by(list(by)).aggregate(**made).order_by(list(by))


def pivoted(expression: Query, rows: str, columns: str, aggregate: str = "count()") -> Query:
    """
    One row for each value of `rows`, one column for each of `columns`, an aggregate in each cell.

    Raises:
        InvalidInputError: as `grouped`; `limit-exceeded`: more than 1,000 columns.
    Cost: one run over the data for the values of `columns`.
    """
    long = grouped(expression, [rows, columns], {_CELL: aggregate})
    found = long.select(columns).distinct().order_by(columns).limit(_PIVOT_MAX + 1)
    with told_errors():
        values = found.to_pyarrow()[columns].to_pylist()
    if len(values) > _PIVOT_MAX:
        raise LimitExceededError(
            f"{columns!r} has more than {_PIVOT_MAX} values, too many for columns",
            code="limit-exceeded",
        )
    is_count = aggregate.lstrip().lower().startswith(("count", "distinct"))
    cells = {}
    for value in values:
        is_here = long[columns].isnull() if value is None else long[columns] == value
        cell = long[_CELL].max(where=is_here)
        cells[str(value)] = cell.coalesce(0) if is_count else cell
    return long.group_by(rows).aggregate(**cells).order_by(rows)

"""
What everything with rows offers to a reader: tables, partitioned and joined ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from artstore.errors import InvalidInputError, StateError
from artstore.tables.pythoncells import OpenContent, python_cells
from artstore.tables.rows import Rows
from artstore.tables.rowview import RowView
from artstore.tables.schema import Schema
from artstore.tables.types import (
    INT64,
    UINT64,
    Array,
    ColumnType,
    Decimal,
    List,
    Media,
    Struct,
    Union,
)

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from artstore.tables.query import Query

__all__ = ["RowReader", "frame_of_rows"]


class RowReader(ABC):
    """
    Rows under named columns, read as they are asked for.

    Attributes:
        place_name: where it was read from, `project/name:v3/path`; None: made here.
    """

    place_name: str | None = None

    @property
    @abstractmethod
    def schema(self) -> Schema:
        """Names and types of the columns."""

    @property
    @abstractmethod
    def row_count(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def read_rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Rows:
        """
        The rows [start, stop) in one piece; of `columns`, if given.

        Raises:
            DamagedDataError: `fragment-damaged`, `fragment-missing`,
                `fragment-digest-mismatch`.
        """

    @abstractmethod
    def opener_of(self, column: str) -> OpenContent:
        """What opens the files that cells of a column name."""

    @abstractmethod
    def query(self) -> Query:
        """
        The rows as an Ibis expression: `filter`, `group_by`, `order_by`, `join`, ...

        Its rows come in no promised order, unless it orders them.

        Cost: nothing is read before the expression is run, by DuckDB in this process.
        """

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.names)

    @property
    def column_types(self) -> dict[str, ColumnType]:
        """The type of each column, as far as rows tell."""
        return dict(zip(self.schema.names, self.schema.types, strict=True))

    def __len__(self) -> int:
        return self.row_count

    @property
    def data(self) -> RowView:
        """The rows as lists; read as they are asked for."""
        return RowView(self.row_count, self._cells, list)

    @property
    def rows(self) -> RowView:
        """The rows as dicts by names of columns; read as they are asked for."""
        names = self.columns
        return RowView(self.row_count, self._cells, lambda row: dict(zip(names, row, strict=True)))

    def get_column(self, name: str, convert_to: str | None = None) -> Any:
        """
        All cells of a column: a list, or with `convert_to="numpy"` an array.

        Raises:
            InvalidInputError: `column-unknown`, `value-invalid`.
        """
        self.check_column(name)
        if convert_to not in (None, "numpy"):
            raise InvalidInputError(
                f"a column is converted to numpy, not to {convert_to!r}", code="value-invalid"
            )
        rows = self.read_rows(columns=[name])
        kind, array = rows.schema.types[0], rows.arrays[0]
        if convert_to is None or isinstance(kind, (Array, Media, Union)):
            cells = python_cells(kind, array, self.opener_of(name))
            return np.array(cells) if convert_to else cells
        return array.to_numpy(zero_copy_only=False)

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table; media as structs, mixed columns as one struct of types."""
        return self.read_rows().to_arrow()

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a DataFrame; arrays, media and mixed cells as Python objects."""
        import pandas as pd

        rows = self.read_rows()
        columns: dict[str, Any] = {}
        for name, kind, array in zip(
            rows.schema.names, rows.schema.types, rows.arrays, strict=True
        ):
            wide = isinstance(kind, Decimal) and kind.is_wide
            if wide or isinstance(kind, (Array, List, Media, Struct, Union)):
                cells = python_cells(kind, array, self.opener_of(name))
                columns[name] = pd.Series(cells, dtype=object)
            else:
                # As floats, which pandas has for None, large numbers would be others.
                columns[name] = array.to_pandas(integer_object_nulls=kind in (INT64, UINT64))
        return pd.DataFrame(columns, columns=list(rows.schema.names))

    def get_dataframe(self) -> pd.DataFrame:
        """As `to_pandas`."""
        return self.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """All rows as a DataFrame of polars; media as structs."""
        import polars as pl

        found = pl.from_arrow(self.to_arrow())
        assert isinstance(found, pl.DataFrame)
        return found

    def to_torch(
        self,
        columns: Sequence[str] | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        *,
        images: str = "tensor",
    ) -> Any:
        """
        The rows as a map-style dataset of torch; each is a dict with its key under `__key__`.

        Args:
            columns: which to give; all if left out.
            transform: gets each row, and gives what the dataset gives.
            images: `tensor`, uint8 [channel, height, width]; `pil`; or `image`, the value
                with its boxes and masks.
        Raises:
            InvalidInputError: `column-unknown`, `value-invalid`.
            StateError: `library-missing`: torch is not installed.
        """
        try:
            # By its name: what torch needs of a table is the business of a layer above.
            module = import_module("artstore.integrations.torchdata")
        except ModuleNotFoundError as error:
            raise StateError(
                f"torch is needed for this, and not installed: {error}",
                code="library-missing",
                hint="pip install 'artstore[torch]'",
            ) from error
        return module.TableDataset(self, columns, transform, images=images)

    def _repr_html_(self) -> str:
        """What a notebook shows: the first rows, with small images."""
        from artstore.tables.notebook import html_of_reader

        return html_of_reader(self)

    def filter(self, condition: str | Mapping[str, Any]) -> Query:
        """
        The rows of which a condition is true: SQL (`guess != truth`) or Mongo.

        Raises:
            InvalidInputError: `expression-invalid`, `column-unknown`.
        """
        from artstore.tables.query import filtered

        return filtered(self.query(), condition)

    def group(self, by: str | Sequence[str] = (), /, **aggregates: str) -> Query:
        """
        Aggregates by group: `table.group("label", n="count()", m="mean(score)")`.

        Args:
            by: a column or several; none for all rows as one group.
            aggregates: count, distinct, sum, mean, median, quantile, min, max, stddev of
                a value in SQL.
        Returns:
            An Ibis expression, one row a group, in the order of the groups.
        Raises:
            InvalidInputError: `column-unknown`, `expression-invalid`,
                `expression-type-invalid`.
        """
        from artstore.tables.query import grouped

        keys = [by] if isinstance(by, str) else list(by)
        for key in keys:
            self.check_column(key)
        return grouped(self.query(), keys, aggregates or {"n": "count()"})

    def pivot(self, rows: str, columns: str, aggregate: str = "count()") -> Query:
        """
        An aggregate for each pair of values of two columns: `table.pivot("label", "guess")`.

        Returns:
            An Ibis expression: one row for each value of `rows`, one column for each of
            `columns`; None, or 0 of counts, where a pair does not occur.
        Raises:
            InvalidInputError: as `group`.
            LimitExceededError: `limit-exceeded`, more than 1,000 columns.
        """
        from artstore.tables.query import pivoted

        self.check_column(rows)
        self.check_column(columns)
        return pivoted(self.query(), rows, columns, aggregate)

    def check_column(self, name: str) -> None:
        """Raises InvalidInputError `column-unknown`."""
        names = self.schema.names
        if name in names:
            return
        from difflib import get_close_matches

        near = get_close_matches(str(name), names, 3)
        raise InvalidInputError(
            f"there is no column {name!r}",
            code="column-unknown",
            hint=f"did you mean {', '.join(near)}?" if near else None,
            column=name,
        )

    def _cells(self, start: int, stop: int) -> list[list[Any]]:
        rows = self.read_rows(start, stop)
        columns = [
            python_cells(kind, array, self.opener_of(name))
            for name, kind, array in zip(
                rows.schema.names, rows.schema.types, rows.arrays, strict=True
            )
        ]
        if not columns:
            return [[] for _ in range(rows.row_count)]
        return [list(cells) for cells in zip(*columns, strict=True)]


def frame_of_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    A DataFrame of rows of plain values.

    Raises:
        StateError: `library-missing`.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise StateError(
            "pandas is needed for this, and not installed",
            code="library-missing",
            hint="install pandas, or ask for plain values: pandas=False",
        ) from error
    return pd.DataFrame(list(rows))

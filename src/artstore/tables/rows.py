"""
Rows in memory: a schema and one Arrow array a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.tables.arrowtypes import (
    arrow_type,
    check_times,
    narrowed,
    plain_array,
    type_of_arrow,
)
from artstore.tables.schema import Schema
from artstore.tables.widening import convert

__all__ = ["Rows", "concatenated"]


@dataclass(frozen=True, slots=True)
class Rows:
    """
    n rows.

    Attributes:
        arrays: one Arrow array of n cells a column, of the types of `schema`.
    """

    schema: Schema
    arrays: tuple[Any, ...]
    row_count: int

    @classmethod
    def of_batch(cls, batch: Any) -> Rows:
        """
        The rows of an Arrow record batch, of any types that a table holds.

        Raises:
            InvalidInputError: `column-type-unsupported`, `cell-unsupported`.
        """
        kinds, arrays = [], []
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            kind = type_of_arrow(array.type, column=name)
            try:
                held = plain_array(array, kind)
            except (pa.ArrowException, ValueError) as error:
                raise InvalidInputError(
                    f"column {name!r} of {array.type} cannot be kept as {kind}: {error}",
                    code="cell-unsupported",
                    column=name,
                ) from error
            check_times(kind, held, column=name)
            kind = narrowed(kind, held)
            kinds.append(kind)
            arrays.append(held)
        schema = Schema(tuple(batch.schema.names), tuple(kinds))
        return cls(schema, tuple(arrays), batch.num_rows)

    def slice(self, start: int, stop: int) -> Rows:
        """The rows [start, stop); nothing is copied."""
        if not start and stop == self.row_count:
            return self
        arrays = tuple(array.slice(start, stop - start) for array in self.arrays)
        return Rows(self.schema, arrays, stop - start)

    def copied(self, start: int, stop: int) -> Rows:
        """The rows [start, stop), which keep nothing of the others in memory."""
        if not start and stop == self.row_count:
            return self
        numbers = pa.array(range(start, stop), pa.int64())
        return Rows(self.schema, tuple(a.take(numbers) for a in self.arrays), stop - start)

    def converted(self, schema: Schema) -> Rows:
        """The same rows under a schema that is this one or wider."""
        if schema == self.schema:
            return self
        kinds = zip(self.arrays, self.schema.types, schema.types, strict=True)
        arrays = tuple(convert(array, have, wanted) for array, have, wanted in kinds)
        return Rows(schema, arrays, self.row_count)

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`."""
        return pa.Table.from_arrays(list(self.arrays), schema=self.schema.to_arrow())


def concatenated(parts: Sequence[Rows], schema: Schema) -> Rows:
    """All rows of `parts`, under a schema that holds them."""
    held = [part.converted(schema) for part in parts if part.row_count]
    if len(held) == 1:
        return held[0]
    if not held:
        return Rows(schema, tuple(pa.nulls(0, arrow_type(kind)) for kind in schema.types), 0)
    columns = zip(*(part.arrays for part in held), strict=True)
    arrays = tuple(pa.concat_arrays(column) for column in columns)
    return Rows(schema, arrays, sum(part.row_count for part in held))

"""
Tables in parts: all tables of a directory of an artifact, read as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from artstore.errors import InvalidInputError, StateError
from artstore.tables.pythoncells import OpenContent, content_of
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows, concatenated
from artstore.tables.schema import Schema

if TYPE_CHECKING:
    from artstore.tables.query import Query
    from artstore.tables.table import Table

__all__ = ["PartitionedTable"]


class PartitionedTable(RowReader):
    """
    The tables below a directory of an artifact, one after the other, by their names.

    All have the same columns; types may differ, and are widened.

    Args:
        parts_path: the directory in the artifact that it is added to.
        parts: filled in when it is read from an artifact.
    Raises:
        InvalidInputError: `columns-invalid`: parts with other columns.
    """

    def __init__(self, parts_path: str, parts: Sequence[Table] | None = None) -> None:
        self.parts_path = parts_path.rstrip("/")
        self._parts = parts
        for part in parts or ():
            if part.columns != (parts or ())[0].columns:
                raise InvalidInputError(
                    f"the tables in {parts_path} have not the same columns: "
                    f"{', '.join(part.columns)[:200]}",
                    code="columns-invalid",
                )

    def __repr__(self) -> str:
        return f"<partitioned table {self.parts_path}>"

    @property
    def parts(self) -> Sequence[Table]:
        """
        The tables.

        Raises:
            StateError: `artifact-not-logged`: it was made here, not read from an artifact.
        """
        if self._parts is None:
            raise StateError(
                f"the parts in {self.parts_path} are known once the artifact is logged",
                code="artifact-not-logged",
            )
        return self._parts

    @property
    def schema(self) -> Schema:
        if not self.parts:
            return Schema((), ())
        schema = self.parts[0].schema
        for part in self.parts[1:]:
            schema = schema.widened(part.schema.types)
        return schema

    @property
    def row_count(self) -> int:
        return sum(part.row_count for part in self.parts)

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the number of each row and its cells, part after part."""
        yield from enumerate(self.data)

    def read_rows(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Rows:
        stop = self.row_count if stop is None else stop
        schema = self.schema.only(columns)
        found, at = [], 0
        for part in self.parts:
            first, last = max(start - at, 0), min(stop - at, part.row_count)
            if first < last:
                found.append(part.read_rows(first, last, columns))
            at += part.row_count
        return concatenated(found, schema)

    def opener_of(self, column: str) -> OpenContent:
        # Files are named by content: one name is one content, whichever part brought it.
        openers = [part.opener_of(column) for part in self.parts]
        return lambda path: content_of(openers, path)

    def query(self) -> Query:
        from artstore.tables.engine import engine

        return engine().union(self.parts, self.schema)

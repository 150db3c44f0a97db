"""
The columns of a table, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.types import NULL, ColumnType, decode_type, encode_type
from artstore.tables.widening import widened

__all__ = ["COLUMNS_MAX", "Schema", "check_column_names"]

COLUMNS_MAX = 10_000
"""FORMAT: columns of one table."""

_NAME_MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Schema:
    """Names and types of columns, both in the order of the columns."""

    names: tuple[str, ...]
    types: tuple[ColumnType, ...]

    @classmethod
    def of_names(cls, names: Sequence[str]) -> Schema:
        """Columns in which there is nothing yet."""
        return cls(tuple(names), (NULL,) * len(names))

    def type_of(self, name: str) -> ColumnType:
        """The type of a column. Raises ValueError for none of that name."""
        return self.types[self.names.index(name)]

    def only(self, columns: Sequence[str] | None) -> Schema:
        """These columns, in this order; all if left out."""
        if columns is None:
            return self
        return Schema(tuple(columns), tuple(self.type_of(name) for name in columns))

    def widened(self, types: Sequence[ColumnType]) -> Schema:
        """The same columns, holding also cells of `types`."""
        pairs = zip(self.types, types, strict=True)
        return Schema(self.names, tuple(widened(have, new) for have, new in pairs))

    def holds(self, other: Schema) -> bool:
        """Whether the rows of another schema can be brought to this one."""
        return self.names == other.names and self.widened(other.types) == self

    def to_arrow(self) -> Any:
        """The Arrow schema of the fragments."""
        kinds = zip(self.names, self.types, strict=True)
        return pa.schema([pa.field(name, arrow_type(kind)) for name, kind in kinds])

    def to_json(self) -> list[Any]:
        """A list of [name, type]."""
        pairs = zip(self.names, self.types, strict=True)
        return [[name, encode_type(kind)] for name, kind in pairs]

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> Schema:
        """
        Inverse of `to_json`.

        Raises:
            DamagedDataError: `table-damaged`.
        """
        try:
            pairs = [(name, kind) for name, kind in value]
            if not all(isinstance(name, str) for name, _ in pairs):
                raise TypeError("a name that is no text")
        except (TypeError, ValueError) as error:
            raise DamagedDataError(
                f"{where} is damaged: its columns are no list of pairs",
                code="table-damaged",
                where=where,
            ) from error
        kinds = tuple(decode_type(kind, where=where) for _, kind in pairs)
        return cls(tuple(name for name, _ in pairs), kinds)


def check_column_names(names: Iterable[Any]) -> tuple[str, ...]:
    """
    Names as texts.

    Raises:
        InvalidInputError: `columns-invalid`: a name twice, empty, or no text.
        LimitExceededError: `limit-exceeded`.
    """
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise _invalid(f"the columns of a table are a list of names, not {names!r:.80}")
    names = list(names)
    if len(names) > COLUMNS_MAX:
        raise LimitExceededError(
            f"a table has at most {COLUMNS_MAX} columns, not {len(names)}", code="limit-exceeded"
        )
    checked: dict[str, None] = {}
    for name in names:
        # Numbers are what a DataFrame made of an array has.
        text = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
        if not isinstance(text, str) or not text:
            raise _invalid(f"{name!r} is no name of a column")
        if len(text.encode("utf-8", "surrogatepass")) > _NAME_MAX_BYTES or not text.isprintable():
            raise _invalid(f"{text!r:.80} is no name of a column: too long, or not printable")
        if text in checked:
            raise _invalid(f"the column {text!r} is there twice")
        checked[text] = None
    return tuple(checked)


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="columns-invalid")

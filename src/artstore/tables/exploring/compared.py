"""
Several tables as one: a row for each key, with the cells of every table side by side.

docs/explanation/exploring-tables.md tells how rows find each other, and what columns are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.exploring.comparedsource import ComparedSource
from artstore.tables.exploring.comparekeys import CompareKey, check_key, key_type, key_values
from artstore.tables.exploring.pairing import KeyCounts, counted_keys, paired, paired_by_position
from artstore.tables.exploring.readingsource import QueriedReader
from artstore.tables.exploring.sidecolumns import SideColumn
from artstore.tables.exploring.sources import Source, source_of
from artstore.tables.pythoncells import OpenContent, content_of
from artstore.tables.reading import RowReader
from artstore.tables.schema import COLUMNS_MAX, Schema
from artstore.tables.types import BOOL, INT64, TEXT

__all__ = ["SIDES_MAX", "CompareCounts", "ComparedTables", "SideCounts"]

SIDES_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class SideCounts:
    """
    How the rows of one of several tables found others.

    Attributes:
        rows: of the table.
        alone: that no other table has.
        duplicates: whose key an earlier row of the table has; they pair by occurrence.
        missing: in whose key something is None or NaN; they pair with nothing.
    """

    rows: int
    alone: int
    duplicates: int
    missing: int


@dataclass(frozen=True, slots=True)
class CompareCounts:
    """
    How rows found each other.

    Attributes:
        rows: of all tables together, each key once.
        everywhere: that all tables have.
        sides: of each table.
    """

    rows: int
    everywhere: int
    sides: tuple[SideCounts, ...]


class ComparedTables(QueriedReader):
    """
    Tables side by side: one row for each key that any of them has.

    Rows come in the order of the first table, then what only others have in the order
    of the second, and so on. Of rows with the same key the first of one table
    goes with the first of the others; rows without a key are alone.

    First come the columns of the key, then each column of each table that has it, called
    `0.score` and `1.score`; then for each table whether it has the row, `in_0`, `in_1`;
    and `changed`: a column that several tables have differs between two that have the row.
    A name that is taken gets `_` at its end.

    Args:
        readers: 2 to 16 tables, joined or partitioned ones; must not change from now on.
        key: how rows find each other.
    Raises:
        InvalidInputError: `value-invalid`, `join-key-unknown`, `join-key-type`.
        LimitExceededError: `limit-exceeded`: more than 10,000 columns.
    Cost: nothing is read before rows are asked for; then the keys are, and joined.
    """

    def __init__(self, readers: Sequence[RowReader], key: CompareKey) -> None:
        super().__init__()
        if not 2 <= len(readers) <= SIDES_MAX:
            raise InvalidInputError(
                f"2 to {SIDES_MAX} tables are compared, not {len(readers)}", code="value-invalid"
            )
        check_key(readers, key)
        self.readers = tuple(readers)
        self.key = key
        self.side_columns = _columns_of(self.readers, key)
        if len(self.side_columns) > COLUMNS_MAX:
            raise LimitExceededError(
                f"the tables have {len(self.side_columns)} columns together, more than "
                f"{COLUMNS_MAX}",
                code="limit-exceeded",
            )
        self._schema = Schema(
            tuple(column.name for column in self.side_columns),
            tuple(column.type for column in self.side_columns),
        )

    def __repr__(self) -> str:
        by = ", ".join(self.key.columns) or self.key.kind
        return f"<{len(self.readers)} tables compared by {by}>"

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def key_names(self) -> tuple[str, ...]:
        """Columns of the key, by their names here."""
        return tuple(column.name for column in self.side_columns if column.role == "key")

    @property
    def flag_names(self) -> tuple[str, ...]:
        """Of each table the column that tells whether it has a row."""
        return tuple(column.name for column in self.side_columns if column.role == "in")

    @property
    def changed_name(self) -> str:
        """The column that tells whether a row differs."""
        return self.side_columns[-1].name

    @property
    def counts(self) -> CompareCounts:
        """How rows found each other. Cost: pairs them, and counts the keys of each table."""
        source = self.source()
        assert isinstance(source, ComparedSource)
        is_in = [numbers >= 0 for numbers in source.numbers_of]
        how_many = reduce(np.add, [one.astype(np.int8) for one in is_in])
        keys: list[KeyCounts] = [KeyCounts(0, 0) for _ in self.readers]
        if self.key.kind != "position":
            values = key_values(self.readers, self.key)
            keys = [counted_keys(*pair) for pair in zip(source.sides, values, strict=True)]
        sides = tuple(
            SideCounts(
                side.row_count,
                int(np.count_nonzero(one & (how_many == 1))),
                key.duplicates,
                key.missing,
            )
            for side, one, key in zip(source.sides, is_in, keys, strict=True)
        )
        everywhere = int(np.count_nonzero(how_many == len(self.readers)))
        return CompareCounts(source.row_count, everywhere, sides)

    def column(self, side: int, base: str) -> SideColumn | None:
        """The column here that has the cells of a column of a table; None if it has none."""
        if not 0 <= side < len(self.readers) or base not in self.readers[side].schema.names:
            return None
        found = [
            column
            for column in self.side_columns
            if column.base == base and column.side in (side, None)
        ]
        # With digests as key, the images have a column of their own, and the key another.
        return found[-1]

    def opener_of(self, column: str) -> OpenContent:
        found = next(one for one in self.side_columns if one.name == column)
        if found.side is not None and found.base is not None:
            return self.readers[found.side].opener_of(found.base)
        openers = [reader.opener_of(name) for reader in self.readers for name in reader.columns[:1]]
        return lambda path: content_of(openers, path)

    def make_source(self) -> Source:
        sides = [source_of(reader) for reader in self.readers]
        if self.key.kind == "position":
            numbers = paired_by_position(sides)
        else:
            numbers = paired(sides, key_values(self.readers, self.key))
        return ComparedSource(sides, numbers, self.side_columns, self.key.kind)


def _columns_of(readers: Sequence[RowReader], key: CompareKey) -> tuple[SideColumn, ...]:
    bases = dict.fromkeys(name for reader in readers for name in reader.schema.names)
    # To SQL `a` and `A` are one name; and a name alone must mean one thing in an expression.
    taken = {name.lower() for name in bases}

    def free(name: str) -> str:
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        return name

    columns = []
    if key.kind == "columns":
        for name in key.columns:
            kind = key_type([reader.schema.type_of(name) for reader in readers])
            columns.append(SideColumn(name, kind, "key", None, name))
    elif key.kind == "digest":
        columns.append(SideColumn(free("digest"), TEXT, "key", None, key.columns[0]))
    else:
        columns.append(SideColumn(free("position"), INT64, "key", None, None))
    own = [dict(zip(one.schema.names, one.schema.types, strict=True)) for one in readers]
    for name in bases:
        if key.kind == "columns" and name in key.columns:
            continue
        columns += [
            SideColumn(free(f"{at}.{name}"), kinds[name], "cell", at, name)
            for at, kinds in enumerate(own)
            if name in kinds
        ]
    columns += [SideColumn(free(f"in_{at}"), BOOL, "in", at, None) for at in range(len(readers))]
    return (*columns, SideColumn(free("changed"), BOOL, "changed", None, None))

"""Rows by number: the same rows as reading gives, in any order, of every kind of table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.tables.celledits import edited_array
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.picking import homes_of, rows_at
from artstore.tables.reading import RowReader
from artstore.tables.table import Table
from artstore.tables.types import (
    BOOL,
    FLOAT64,
    INT,
    TEXT,
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Plain,
    Struct,
    Timestamp,
    Union,
)


def numbers_table(name: str, start: int, count: int) -> Table:
    table = Table([name, "text"])
    for number in range(start, start + count):
        table.add_data(number, f"{name} {number}")
    return table


def readers() -> list[RowReader]:
    parts = [numbers_table("a", 0, 4), numbers_table("a", 4, 0), numbers_table("a", 4, 7)]
    left, right = numbers_table("a", 0, 9), numbers_table("a", 3, 9)
    return [
        numbers_table("a", 0, 11),
        PartitionedTable("parts", parts),
        JoinedTable(left, right, "a", how="outer"),
    ]


READERS = readers()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
TOLD = st.fixed_dictionaries(
    {"$": st.sampled_from(["number", "time", "text", "image"]), "v": VALUES}
)
KINDS: list[ColumnType] = [
    *(BOOL, INT, FLOAT64, TEXT),
    *(Plain(name) for name in ("null", "bytes", "date", "time", "int8", "uint64", "float16")),
    *(Timestamp("us", "UTC"), Timestamp("us"), Timestamp("ns"), Timestamp("us", "+01:00")),
    *(Duration("us"), Duration("ns"), Decimal(4, 2), Decimal(60, 10)),
    *(
        List(INT),
        Struct((("a", INT), ("b", List(TEXT)))),
        Array("float32", (2,)),
        Array("int8", None),
    ),
    Union((("int", INT), ("text", TEXT))),
]


@pytest.mark.parametrize("reader", READERS, ids=["table", "partitioned", "joined"])
@given(numbers=st.lists(st.integers(0, 10), max_size=20))
def test_rows_by_number_are_those_of_reading(reader: RowReader, numbers: list[int]) -> None:
    every = [list(row) for row in reader.data]
    found = rows_at(reader, np.array(numbers, np.int64), reader.columns)
    assert found.row_count == len(numbers)
    cells = [array.to_pylist() for array in found.arrays]
    assert [list(row) for row in zip(*cells, strict=True)] == [every[at] for at in numbers]
    assert found.schema == reader.schema


def test_only_the_columns_that_are_asked_for_come_in_their_order() -> None:
    for reader in READERS:
        found = rows_at(reader, np.array([2, 0]), ["text"])
        assert found.schema.names == ("text",)


def test_tables_that_were_made_here_have_no_home() -> None:
    assert [homes_of(reader) for reader in READERS] == [[], [], []]


@given(st.sampled_from(KINDS), VALUES | TOLD)
def test_any_value_becomes_a_cell_of_the_column_or_is_refused_by_name(
    kind: ColumnType, value: Any
) -> None:
    from artstore.tables.arrowtypes import arrow_type

    try:
        array = edited_array(kind, [value, None], "score")
    except InvalidInputError as error:
        assert error.code == "cell-unsupported"
        assert "'score'" in error.message
        return
    assert array.type == arrow_type(kind)
    assert array[1].as_py() is None
    array.validate(full=True)

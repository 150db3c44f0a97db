"""
Types of columns: what several have in common, and that no cell is lost on the way there.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.inference import build_array, checked_cell
from artstore.tables.pythoncells import python_cells
from artstore.tables.table import Table
from artstore.tables.types import NULL, ColumnType, Plain, Union, decode_type, encode_type
from artstore.tables.viewsql import sql_type
from artstore.tables.widening import convert, tag_of, tag_within, widened
from tests.property.tablecells import CELLS, COLUMNS, plain
from tests.property.tabletypes import TYPES, unordered


@given(TYPES)
def test_a_type_is_read_back_from_its_json(kind: ColumnType) -> None:
    assert decode_type(encode_type(kind), where="here") == kind


@given(TYPES)
def test_every_type_has_one_in_arrow_and_one_in_sql(kind: ColumnType) -> None:
    assert isinstance(arrow_type(kind), pa.DataType)
    assert sql_type(kind)
    assert str(kind)


@given(TYPES, TYPES)
def test_the_wider_type_holds_both(one: ColumnType, two: ColumnType) -> None:
    wide = widened(one, two)
    assert widened(wide, one) == wide
    assert widened(wide, two) == wide
    assert widened(one, one) == one
    assert widened(NULL, one) == widened(one, NULL) == one


@given(TYPES, TYPES, TYPES)
def test_the_order_in_which_types_meet_makes_no_difference(
    one: ColumnType, two: ColumnType, three: ColumnType
) -> None:
    assert unordered(widened(one, two)) == unordered(widened(two, one))
    left = widened(widened(one, two), three)
    assert unordered(left) == unordered(widened(one, widened(two, three)))


@given(TYPES, TYPES)
def test_members_of_a_union_have_names_of_their_own(one: ColumnType, two: ColumnType) -> None:
    wide = widened(one, two)
    if isinstance(wide, Union):
        tags = [tag for tag, _ in wide.members]
        assert tags == sorted({tag_of(kind) for _, kind in wide.members})
        assert not any(isinstance(kind, Union) or kind == NULL for _, kind in wide.members)
        for tag, kind in wide.members:
            assert tag_within(kind, wide) == tag


def cells_of(kind: ColumnType, array: Any) -> list[Any]:
    return python_cells(kind, array, opened)


def opened(path: str) -> Any:
    raise AssertionError(path)


@given(COLUMNS)
def test_cells_come_back_as_what_they_were(cells: list[Any]) -> None:
    built = build_array([checked_cell(cell, "a", []) for cell in cells])
    assert list(map(plain, cells_of(*built))) == list(map(plain, cells))


@given(COLUMNS, CELLS)
def test_no_cell_is_lost_where_a_column_widens(cells: list[Any], other: Any) -> None:
    kind, array = build_array([checked_cell(cell, "a", []) for cell in cells])
    wide = widened(kind, build_array([checked_cell(other, "a", [])]).kind)
    found = convert(array, kind, wide)
    assert found.type == arrow_type(wide)
    assert list(map(plain, cells_of(wide, found))) == list(map(plain, cells))


@given(COLUMNS, COLUMNS)
def test_a_table_gives_back_all_cells_of_a_column_that_changed_its_type(
    first: list[Any], second: list[Any]
) -> None:
    table = Table(["a"])
    for cell in first:
        table.add_data(cell)
    before = table.schema
    for cell in second:
        table.add_data(cell)
    assert list(map(plain, table.get_column("a"))) == list(map(plain, [*first, *second]))
    assert table.schema.holds(before)


NUMBERS = """
           int8   int16  int32  int    int64  uint8  uint16 uint32 uint64 float16 float32 float64
int8       int8   int16  int32  int    int64  int16  int32  int    |      float64 float64 float64
int16      .      int16  int32  int    int64  int16  int32  int    |      float64 float64 float64
int32      .      .      int32  int    int64  int32  int32  int    |      float64 float64 float64
int        .      .      .      int    int64  int    int    int    |      float64 float64 float64
int64      .      .      .      .      int64  int64  int64  int64  |      |       |       |
uint8      .      .      .      .      .      uint8  uint16 uint32 |      float64 float64 float64
uint16     .      .      .      .      .      .      uint16 uint32 |      float64 float64 float64
uint32     .      .      .      .      .      .      .      uint32 |      float64 float64 float64
uint64     .      .      .      .      .      .      .      .      uint64 |       |       |
float16    .      .      .      .      .      .      .      .      .      float16 float32 float64
float32    .      .      .      .      .      .      .      .      .      .       float32 float64
float64    .      .      .      .      .      .      .      .      .      .       .       float64
"""


def number_pairs() -> list[tuple[str, str, str]]:
    head, *lines = NUMBERS.strip("\n").splitlines()
    rows = [line.split() for line in lines]
    return [
        (row[0], name, wide)
        for row in rows
        for name, wide in zip(head.split(), row[1:], strict=True)
        if wide != "."
    ]


@pytest.mark.parametrize(("one", "two", "wide"), number_pairs())
def test_numbers_widen_to_what_holds_all_of_both_exactly(one: str, two: str, wide: str) -> None:
    found = widened(Plain(one), Plain(two))
    assert found == widened(Plain(two), Plain(one))
    assert (str(found) == wide) if wide != "|" else isinstance(found, Union)


@given(st.sampled_from(number_pairs()), st.data())
def test_the_ends_of_all_numbers_survive_widening(
    pair: tuple[str, str, str], data: st.DataObject
) -> None:
    one, two = (Plain(name) for name in pair[:2])
    wide = widened(one, two)
    for kind in (one, two):
        cells = [*ends(kind.name), None]
        exact = pa.float64() if kind.name[0] == "f" else arrow_type(kind)
        array = pa.array(cells, exact).cast(arrow_type(kind))
        found = cells_of(wide, convert(array, kind, wide))
        assert list(map(plain, found)) == list(map(plain, cells))


def ends(name: str) -> list[Any]:
    if name == "int":
        return [-(2**53), 2**53]
    bits = int("".join(filter(str.isdigit, name)))
    if name[0] == "f":
        largest = {16: 65504.0, 32: 3.4028234663852886e38, 64: 1.7976931348623157e308}[bits]
        return [largest, -0.0, float("nan"), float("-inf")]
    return [0, 2**bits - 1] if name[0] == "u" else [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]


WORDS = st.sampled_from(
    [
        "int",
        "null",
        "uint64",
        "timestamp",
        "decimal",
        "list",
        "struct",
        "union",
        "array",
        "media",
        "us",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {"type": WORDS},
            optional=dict.fromkeys(
                (
                    *(
                        "unit",
                        "zone",
                        "precision",
                        "scale",
                        "element",
                        "dtype",
                        "shape",
                        "kind",
                        "cell",
                    ),
                    "members",
                ),
                inner,
            ),
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_what_is_no_type_is_refused_as_damage(value: Any) -> None:
    refused_or_sound(value)


@given(TYPES, st.data())
def test_a_type_of_which_a_part_was_changed_is_refused_or_another_type(
    kind: ColumnType, data: st.DataObject
) -> None:
    refused_or_sound(changed(encode_type(kind), data))


def changed(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict) and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: changed(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], changed(value[at], data), *value[at + 1 :]]
    return data.draw(JSON)


def refused_or_sound(value: Any) -> None:
    try:
        kind = decode_type(value, where="here")
    except DamagedDataError as error:
        assert error.code == "table-damaged"
        return
    assert decode_type(encode_type(kind), where="here") == kind
    assert isinstance(arrow_type(kind), pa.DataType)

"""
Cells as bytes: as docs/format/table.md tells it, whatever a column's type is and however its
rows were handed over.
"""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.tables.arrowcells import encode_column
from artstore.tables.building import TableBuilder
from artstore.tables.encoding import Column, encoded_bytes, hashes_of_rows, row_sizes
from artstore.tables.inference import build_array, checked_cell
from artstore.tables.leaves import leaves_of
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.table import Table
from artstore.tables.types import (
    FLOAT64,
    INT,
    INT64,
    TEXT,
    Array,
    ColumnType,
    Decimal,
    Struct,
    Timestamp,
)
from artstore.tables.widening import convert, widened
from tests.property.leafreference import cut, read_leaf, row_hash, row_size
from tests.property.tablecells import CELLS, COLUMNS, FAMILIES, plain


def encoded(cells: list[Any]) -> tuple[ColumnType, Any, Column]:
    built = build_array([checked_cell(cell, "a", []) for cell in cells])
    return built.kind, built.array, encode_column(built.kind, built.array)


def rows_of(kind: ColumnType, array: Any) -> Rows:
    return Rows(Schema(("a",), (kind,)), (array,), len(array))


@given(COLUMNS)
def test_every_cell_can_be_read_from_the_bytes_of_its_leaf(cells: list[Any]) -> None:
    _, array, column = encoded(cells)
    assert read_leaf(encoded_bytes([column], 0, len(cells))) == [list(map(plain, cells))]
    assert len(array) == len(cells)


@given(COLUMNS, st.data())
def test_rows_within_a_batch_have_the_bytes_that_they_have_alone(
    cells: list[Any], data: st.DataObject
) -> None:
    _, _, column = encoded(cells)
    start = data.draw(st.integers(0, len(cells)))
    stop = data.draw(st.integers(start, len(cells)))
    _, _, alone = encoded(cells[start:stop])
    assert encoded_bytes([column], start, stop) == encoded_bytes([alone], 0, stop - start)


@given(COLUMNS)
def test_sizes_and_hashes_of_rows_are_those_of_their_cells(cells: list[Any]) -> None:
    _, _, column = encoded(cells)
    told = list(map(plain, cells))
    assert row_sizes(column).tolist() == [row_size([cell]) for cell in told]
    hashes = hashes_of_rows([column, column], ["a", "ü"]).tolist()
    assert hashes == [row_hash(["a", "ü"], [cell, cell]) for cell in told]


@given(COLUMNS, CELLS)
def test_a_column_may_widen_to_hold_any_cell_without_one_byte_changing(
    cells: list[Any], other: Any
) -> None:
    kind, array, column = encoded(cells)
    wide = widened(kind, encoded([other])[0])
    assert same(column, encode_column(wide, convert(array, kind, wide)))


def same(one: Column, two: Column) -> bool:
    """Whether two columns have the same bytes, row by row and in all."""
    parts = [(0, len(one)), *((at, at + 1) for at in range(len(one)))]
    return (
        all(encoded_bytes([one], *part) == encoded_bytes([two], *part) for part in parts)
        and row_sizes(one).tolist() == row_sizes(two).tolist()
        and hashes_of_rows([one], ["a"]).tolist() == hashes_of_rows([two], ["a"]).tolist()
    )


WHOLE = st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=12)
NUMBER_TYPES = [
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
]


@given(WHOLE)
def test_whole_numbers_are_the_same_cells_in_columns_of_all_numbers(cells: list[Any]) -> None:
    _, _, column = encoded(cells)
    for name in NUMBER_TYPES:
        held = pa.array(cells, pa.int64()).cast(getattr(pa, name)())
        rows = Rows.of_batch(pa.record_batch([held], ["a"]))
        assert same(column, encode_column(rows.schema.types[0], rows.arrays[0])), name


@given(st.lists(st.none() | st.text(max_size=30) | st.just("x" * 40), min_size=1, max_size=10))
def test_texts_are_the_same_cells_in_every_array_of_texts(cells: list[Any]) -> None:
    _, _, column = encoded(cells)
    array = pa.array(cells, pa.string())
    for other in (
        array.cast(pa.large_string()),
        pa.array(cells, pa.string_view()),
        array.dictionary_encode(),
        pc.run_end_encode(array),
        pa.concat_arrays([array[:1], pa.array(["no"]), array[1:]]).take(
            pa.array([0, *range(2, len(cells) + 1)])
        ),
        pa.array(pd.Series(cells, dtype="category")),
        pl.Series(cells, dtype=pl.String).to_arrow(),
        pl.Series(cells, dtype=pl.Categorical).to_arrow(),
    ):
        assert same(column, arrow_column(other)), other.type


def arrow_column(array: Any) -> Column:
    rows = Rows.of_batch(pa.record_batch([array], ["a"]))
    return encode_column(rows.schema.types[0], rows.arrays[0])


@given(st.lists(st.none() | FAMILIES["list"], min_size=1, max_size=8))
def test_lists_are_the_same_cells_in_every_array_of_lists(cells: list[Any]) -> None:
    _, _, column = encoded(cells)
    lists = pa.list_(pa.int64())
    for kind in (lists, pa.large_list(pa.int64()), pa.list_view(pa.int64())):
        array = pa.array(cells, kind)
        assert same(column, arrow_column(array)), kind
        assert same(column, arrow_column(framed(array))), kind
    nulls_below = pa.ListArray.from_arrays(
        pa.array(range(0, 2 * len(cells) + 1, 2), pa.int32()),
        pa.array(range(2 * len(cells)), pa.int64()),
        mask=pa.array([cell is None for cell in cells]),
    )
    full = [None if cell is None else [2 * at, 2 * at + 1] for at, cell in enumerate(cells)]
    assert same(encoded(full)[2], arrow_column(nulls_below))
    fixed = pa.array(full, pa.list_(pa.int64(), 2))
    assert same(encoded(full)[2], arrow_column(framed(fixed)))


def framed(array: Any) -> Any:
    """The same array as a part of a longer one, of which it has an offset."""
    return pa.concat_arrays([array, array, array])[len(array) : 2 * len(array)]


@given(COLUMNS)
def test_arrays_with_an_offset_and_chunks_are_the_same_cells(cells: list[Any]) -> None:
    kind, array, column = encoded(cells)
    if not cells:
        return
    assert same(column, encode_column(kind, framed(array)))
    chunks = pa.chunked_array([array[:1], array[1:1], array[1:]])
    assert same(column, encode_column(kind, chunks.combine_chunks()))


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=6))
def test_maps_are_lists_of_keys_and_values(cells: list[dict[str, int]]) -> None:
    array = pa.array([list(cell.items()) for cell in cells], pa.map_(pa.string(), pa.int64()))
    pairs = [[{"key": k, "value": v} for k, v in cell.items()] for cell in cells]
    assert same(encoded(pairs)[2], arrow_column(array))
    assert same(encoded(pairs)[2], arrow_column(framed(array)))


@given(st.lists(st.none() | FAMILIES["struct"], min_size=1, max_size=8))
def test_members_that_are_none_are_not_there(cells: list[Any]) -> None:
    kind, array, column = encoded(cells)
    assert kind == Struct(()) or isinstance(kind, Struct) or not any(cells)
    wide = widened(kind, Struct((("zz", TEXT), ("A", INT))))
    assert same(column, encode_column(wide, convert(array, kind, wide)))
    without = [
        cell and {name: member for name, member in reversed(cell.items()) if member is not None}
        for cell in cells
    ]
    assert same(column, encoded(without)[2])


@given(st.lists(st.none() | st.sampled_from(FAMILY := list(range(1, 4))), min_size=1, max_size=8))
def test_arrays_are_the_same_cells_with_one_shape_and_with_several(cells: list[Any]) -> None:
    held = [None if cell is None else np.full((2, 2), cell, np.float32) for cell in cells]
    kind, array, column = encoded(held)
    if any(cell is not None for cell in cells):
        assert kind == Array("float32", (2, 2))
        wide = Array("float32", None)
        assert same(column, encode_column(wide, convert(array, kind, wide)))
    with_other = encoded([*held, np.zeros(3, np.float32)])[2]
    assert encoded_bytes([with_other], 0, len(held)) == encoded_bytes([column], 0, len(held))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+05:30"])
def test_times_are_the_same_cells_in_all_units(unit: str, zone: str | None) -> None:
    moments = [dt.datetime(1970, 1, 1), dt.datetime(1999, 12, 31, 23, 59, 59), None]
    array = pa.array(moments, pa.timestamp(unit, zone))
    reference = pa.array(moments, pa.timestamp("us", zone))
    assert same(arrow_column(reference), arrow_column(array))
    assert same(arrow_column(reference), arrow_column(pa.array(pd.Series(array.to_pandas()))))
    spans = pa.array([0, -86_400, None], pa.int64()).cast(pa.duration("s"))
    assert same(arrow_column(spans), arrow_column(spans.cast(pa.duration(unit))))


@given(st.lists(st.none() | FAMILIES["fine"], min_size=1, max_size=8))
def test_nanoseconds_beside_microseconds_are_the_cells_they_are_alone(cells: list[Any]) -> None:
    """Of one zone, too, of which a leaf has one list of rows in both columns."""
    column = encoded(cells)[2]
    told = list(map(plain, cells))
    fine = [None if cell is None else cell[1] for cell in told]
    if all(number is None or abs(number) < 2**63 for number in fine):
        alone = pa.array(fine, pa.int64()).cast(pa.timestamp("ns"))
        assert same(column, encode_column(Timestamp("ns"), alone))
        zoned = alone.cast(pa.timestamp("ns", "UTC"))
        wide = widened(Timestamp("us", "UTC"), Timestamp("ns", "UTC"))
        mixed = convert(zoned, Timestamp("ns", "UTC"), wide)
        halves = [number is not None and number % 1000 == 0 for number in fine]
        micros = pa.array([n // 1000 if h else None for n, h in zip(fine, halves, strict=True)])
        micros = convert(
            micros.cast(pa.int64()).cast(pa.timestamp("us", "UTC")), Timestamp("us", "UTC"), wide
        )
        both = pa.concat_arrays([mixed, micros]).take(
            pa.array([at + len(fine) if half else at for at, half in enumerate(halves)])
        )
        assert same(encode_column(Timestamp("ns", "UTC"), zoned), encode_column(wide, both))


@given(st.lists(st.none() | FAMILIES["decimal"], min_size=1, max_size=8))
def test_decimals_are_the_same_cells_whatever_digits_their_column_has(cells: list[Any]) -> None:
    kind, array, column = encoded(cells)
    if isinstance(kind, Decimal):
        for wide in (Decimal(38, 19), Decimal(152, 76)):
            to = widened(kind, wide)
            assert same(column, encode_column(to, convert(array, kind, to)))


def test_small_decimals_are_written_without_an_exponent() -> None:
    for scale in (10, 20, 30):
        tiny = pa.array([decimal.Decimal("1E-10")], pa.decimal128(38, scale))
        assert read_leaf(encoded_bytes([arrow_column(tiny)], 0, 1)) == [
            [("decimal", "0.0000000001")]
        ]


DIFFERENT = [
    None, float("nan"), -0.0, 0, 1, -1, True, False, "", "0", b"", b"0", [], [None], {}, [[]],
    [0], ["0"], {"a": 0}, {"a": {}}, {"b": 0}, [{}], 2**53, 2**53 + 1, 2**60, -(2**63), 2**63,
    2**64 - 1, 2**70, 10**80, 0.5, float("inf"), dt.date(1970, 1, 1), dt.datetime(1970, 1, 1),
    dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.time(), dt.timedelta(), np.zeros(0), np.zeros(1),
    np.zeros((1, 1)), np.zeros(1, np.float32), np.datetime64(1, "ns"), pd.Timedelta(1, "ns"),
]  # fmt: skip


def test_different_cells_are_different_bytes() -> None:
    told = {encoded_bytes([encoded([cell])[2]], 0, 1) for cell in DIFFERENT}
    assert len(told) == len(DIFFERENT)
    together = encoded(DIFFERENT)[2]
    assert {encoded_bytes([together], at, at + 1) for at in range(len(DIFFERENT))} == told


@given(CELLS, CELLS)
def test_two_cells_have_the_same_bytes_exactly_if_they_are_the_same(one: Any, two: Any) -> None:
    bytes_ = [encoded_bytes([encoded([cell])[2]], 0, 1) for cell in (one, two)]
    assert (bytes_[0] == bytes_[1]) == (plain(one) == plain(two))


# leaves ---------------------------------------------------------------------------------

SIZED = st.lists(st.sampled_from(["", "a", "b" * 100, "c" * 9000, "d" * 3000]), max_size=60)


@given(SIZED, st.integers(0, 3))
def test_leaves_end_where_the_page_says(texts: list[str], seed: int) -> None:
    texts = texts + [f"{seed}-{at}" * (at % 40) for at in range(400)]
    kind, array, _ = encoded(texts)
    told = [[plain(text)] for text in texts]
    ends = cut([row_hash(["a"], cells) for cells in told], [row_size(cells) for cells in told])
    leaves = leaves_of(Schema(("a",), (kind,)), [rows_of(kind, array)])
    assert np.cumsum(leaves.counts).tolist() == ends
    assert len(set(ends)) > 1


def test_rows_without_a_hash_that_cuts_end_at_the_limit() -> None:
    """Of equal rows each would end a leaf, or none would."""
    found = []
    for number in range(40):
        array = pa.array([number] * 20_000, pa.int64())
        leaves = leaves_of(Schema(("a",), (INT,)), [rows_of(INT, array)])
        told = [plain(number)]
        size, number_hash = row_size(told), row_hash(["a"], told)
        assert np.cumsum(leaves.counts).tolist() == cut([number_hash] * 20_000, [size] * 20_000)
        found.append(max(leaves.counts))
    assert {-(-65536 // 9)} <= set(found)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.integers(0, 5))
def test_leaves_do_not_depend_on_how_rows_were_handed_over(sizes: list[int], seed: int) -> None:
    count = sum(sizes)
    draw = np.random.default_rng(seed)
    texts = ["x" * n for n in draw.integers(0, 90, count).tolist()]
    numbers = draw.integers(0, 5, count)
    batch = pa.record_batch([pa.array(texts), pa.array(numbers)], ["text", "number"])
    whole = Rows.of_batch(batch)
    expected = leaves_of(whole.schema, [whole])
    parts, at = [], 0
    for size in sizes:
        parts.append(Rows.of_batch(batch.slice(at, size)))
        at += size
    assert leaves_of(whole.schema, parts) == expected
    builder = TableBuilder(Schema.of_names(("text", "number")))
    for part in parts:
        builder.add(part)
        if seed % 2:
            # What was asked for on the way changes nothing.
            builder.built()
    assert builder.built().leaves() == expected


@given(COLUMNS, st.lists(st.integers(0, 12), max_size=3))
def test_a_table_is_the_same_added_row_by_row_or_at_once(cells: list[Any], cuts: list[int]) -> None:
    by_row = Table(["a"])
    for cell in cells:
        by_row.add_data(cell)
    in_parts = Table(["a"])
    for at, cell in enumerate(cells):
        in_parts.add_data(cell)
        if at in cuts:
            assert in_parts.schema.names == ("a",)
    at_once = Table(data={"a": list(cells)})
    for other in (in_parts, at_once, Table(columns=["a"], data=[[cell] for cell in cells])):
        assert other.schema == by_row.schema
        assert other.built().leaves() == by_row.built().leaves()


@given(st.integers(0, 2999), st.integers(0, 9))
def test_a_changed_cell_changes_the_leaves_it_is_in_and_no_other(at: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    texts = [f"{n:040}" for n in draw.integers(0, 1 << 60, 3000).tolist()]
    before = text_leaves(texts)
    texts[at] += "!"
    after = text_leaves(texts)
    changed = [digest for _, digest in before if digest not in {d for _, d in after}]
    # Its leaf; the next one, if the row ended its leaf or does so now.
    assert 1 <= len(changed) <= 2


def text_leaves(texts: list[str]) -> Any:
    return leaves_of(Schema(("a",), (TEXT,)), [rows_of(TEXT, pa.array(texts))])


def test_names_of_columns_are_part_of_where_rows_are_cut_and_not_of_the_bytes() -> None:
    numbers = pa.array(range(50_000), pa.int64())
    leaves = [
        leaves_of(Schema((name,), (kind,)), [Rows(Schema((name,), (kind,)), (numbers,), 50_000)])
        for name, kind in (("a", INT), ("b", INT), ("a", INT64), ("a", FLOAT64))
    ]
    assert leaves[0] == leaves[2]
    assert leaves[0].counts != leaves[1].counts

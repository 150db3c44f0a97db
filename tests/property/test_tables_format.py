"""
The description of a table, and its fragments: read back, and refused where they are damaged.
"""

from __future__ import annotations

import io
import tracemalloc
from array import array
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore import canonical
from artstore.errors import ArtstoreError, DamagedDataError, UnsupportedFormatError
from artstore.tables.fragments import Fragment, parquet_buffers, read_fragment, write_fragment
from artstore.tables.inference import build_array, checked_cell
from artstore.tables.leaves import LeafList
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.tablefile import Extent, TableFile, decode_table, encode_table
from artstore.tables.types import INT, NULL, TEXT
from tests.property.formats import DIGESTS, JSON_FIELDS, damaged, returns_or_refuses
from tests.property.tablecells import COLUMNS
from tests.property.tabletypes import TYPES


@st.composite
def tables(draw: st.DrawFn) -> TableFile:
    names = draw(st.lists(st.text("abcé", min_size=1, max_size=3), max_size=3, unique=True))
    narrow = Schema(tuple(names), tuple(draw(TYPES) for _ in names))
    schema = narrow.widened([draw(TYPES) for _ in names])
    fragments, extents = [], []
    for number in range(draw(st.integers(0, 4))):
        counts = draw(st.lists(st.integers(1, 50), min_size=1, max_size=3))
        gap, at = draw(st.integers(0, 9)), 0
        for count in counts:
            extents.append(Extent(number, at, count))
            at += count + gap
        push = draw(st.binary(min_size=8, max_size=8))
        columns = draw(st.integers(0, 1))
        fragments.append(Fragment(draw(DIGESTS), push, draw(st.integers(0, 2**40)), at, columns))
    extents = draw(st.permutations(extents))
    row_count = sum(extent.row_count for extent in extents)
    leaves = LeafList()
    left = row_count
    while left:
        count = draw(st.integers(1, left))
        leaves.add(count, draw(DIGESTS))
        left -= count
    keys = draw(st.just({}) | JSON_FIELDS)
    return TableFile(
        schema, row_count, (narrow, schema), tuple(fragments), tuple(extents), leaves, keys
    )


def decoded(data: bytes) -> TableFile:
    return decode_table(data, where="the table")


@given(tables())
def test_a_description_is_read_back(table: TableFile) -> None:
    data = encode_table(table)
    assert decoded(data) == table
    assert encode_table(decoded(data)) == data
    assert decoded(data).digest() == table.digest()


@given(tables(), st.data())
def test_a_damaged_description_is_refused_or_another_sound_one(
    table: TableFile, data: st.DataObject
) -> None:
    found = returns_or_refuses(decoded, data.draw(damaged(encode_table(table))))
    if found is not None:
        check_sound(found)


def check_sound(table: TableFile) -> None:
    assert decoded(encode_table(table)) == table
    assert sum(extent.row_count for extent in table.extents) == table.row_count
    assert sum(table.leaves.counts) == table.row_count
    taken: set[tuple[int, int]] = set()
    for number, first, count in table.extents:
        assert first + count <= table.fragments[number].row_count
        rows = {(number, row) for row in range(first, first + count)}
        assert not rows & taken
        taken |= rows


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedDataError) as caught:
        decoded(data)
    assert caught.value.code == "table-damaged"
    with pytest.raises(DamagedDataError):
        decoded(b"ARTTABL1" + data)


HEADER_PARTS = ("row_count", "columns", "stored_columns", "fragments", "keys", "format")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3) | st.just("int") | st.just("00" * 8) | st.just("00" * 32),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)  # fmt: skip


@given(tables(), st.sampled_from(HEADER_PARTS), JSON)
def test_a_header_with_any_value_in_it_is_refused_or_sound(
    table: TableFile, part: str, value: Any
) -> None:
    header, rest = split(encode_table(table))
    data = joined({**header, part: value}, table, rest)
    found = returns_or_refuses(decoded, data)
    if found is not None:
        check_sound(found)
    if part == "format" and (value != 1 or isinstance(value, bool)):
        with pytest.raises((UnsupportedFormatError, DamagedDataError)):
            decoded(data)


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[8:12], "little")
    return canonical.decode(data[20 : 20 + size], what="header"), data[20 + size :]


def joined(header: Any, table: TableFile, rest: bytes) -> bytes:
    text = canonical.encode(header)
    counts = (len(text), len(table.extents), len(table.leaves))
    return b"ARTTABL1" + b"".join(n.to_bytes(4, "little") for n in counts) + text + rest


@given(tables(), st.sampled_from(HEADER_PARTS))
def test_a_header_without_a_part_is_refused(table: TableFile, part: str) -> None:
    header, rest = split(encode_table(table))
    del header[part]
    with pytest.raises((DamagedDataError, UnsupportedFormatError)):
        decoded(joined(header, table, rest))


PLAIN = TableFile(
    Schema(("a",), (INT,)),
    3,
    (Schema(("a",), (NULL,)),),
    (Fragment(bytes(32), bytes(8), 10, 3, 0),),
    (Extent(0, 0, 3),),
    LeafList(array("I", [3]), bytearray(32)),
)


TWICE = Schema(("a", "a"), (INT, INT))


@pytest.mark.parametrize(
    "changes",
    [
        {"extents": (Extent(0, 0, 4),), "row_count": 4},
        {"extents": (Extent(0, 0, 2), Extent(0, 1, 1))},
        {"extents": (Extent(1, 0, 3),)},
        {"extents": (Extent(0, 0, 0), Extent(0, 0, 3))},
        {"extents": (Extent(0, 2**32 - 1, 3),)},
        {"extents": ()},
        {"row_count": 2},
        {"row_count": 3.0},
        {"row_count": True, "extents": (Extent(0, 0, 1),)},
        {"leaves": LeafList(array("I", [3, 0]), bytearray(64))},
        {"leaves": LeafList(array("I", [2]), bytearray(32))},
        {"stored_schemas": ()},
        {"stored_schemas": (Schema(("b",), (NULL,)),)},
        {"stored_schemas": (Schema(("a",), (TEXT,)),)},
        {"schema": TWICE, "stored_schemas": (TWICE,)},
        {"fragments": (Fragment(bytes(32), bytes(8), 10, 2**31, 0),)},
        {"fragments": (Fragment(bytes(32), bytes(8), -1, 3, 0),)},
        {"fragments": (Fragment(bytes(32), bytes(8), 10, 3, 1),)},
        {"fragments": (Fragment(bytes(31), bytes(8), 10, 3, 0),)},
        {"fragments": (Fragment(bytes(32), bytes(7), 10, 3, 0),)},
    ],
)  # fmt: skip
def test_counts_and_places_that_disagree_are_refused(changes: dict[str, Any]) -> None:
    assert decoded(encode_table(PLAIN)) == PLAIN
    with pytest.raises(DamagedDataError) as caught:
        decoded(encode_table(replace(PLAIN, **changes)))
    assert caught.value.code == "table-damaged"


def test_a_newer_format_is_told_apart_from_damage() -> None:
    header, rest = split(encode_table(PLAIN))
    with pytest.raises(UnsupportedFormatError) as caught:
        decoded(joined({**header, "format": 2}, PLAIN, rest))
    assert caught.value.code == "format-unsupported"


@pytest.mark.parametrize("at", [8, 12, 16])
def test_counts_that_are_claimed_cost_no_memory(at: int) -> None:
    data = bytearray(encode_table(PLAIN))
    data[at : at + 4] = b"\xff" * 4
    tracemalloc.start()
    try:
        with pytest.raises(DamagedDataError):
            decoded(bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


# fragments ------------------------------------------------------------------------------


def rows_of(cells: list[Any]) -> Rows:
    kind, found = build_array([checked_cell(cell, "a", []) for cell in cells])
    return Rows(Schema(("a",), (kind,)), (found,), len(cells))


@given(COLUMNS, st.integers(1, 4))
def test_rows_are_read_back_from_a_fragment(cells: list[Any], parts: int) -> None:
    rows = rows_of(cells)
    data, _ = write_fragment([rows] * parts, rows.schema)
    found = read_fragment(data, rows.schema, where="here")
    assert found.row_count == parts * len(cells)
    for at in range(parts):
        part = found.slice(at * len(cells), (at + 1) * len(cells))
        assert part.to_arrow().to_pylist().__repr__() == rows.to_arrow().to_pylist().__repr__()
    whole = b"".join(parquet_buffers(rows.schema, [rows] * parts))
    assert read_fragment(whole, rows.schema, where="here").row_count == found.row_count


NAMED = Rows(
    Schema(("a", "a.b", "b"), (INT, TEXT, INT)),
    (pa.array([1, 2]), pa.array(["x", "y"]), pa.array([3, 4])),
    2,
)


@pytest.mark.parametrize("columns", [["a"], ["a.b"], ["b", "a"], ["b", "a.b", "a"], []])
def test_some_columns_are_read_in_the_order_asked_for(columns: list[str]) -> None:
    """Dots in names are no paths."""
    data, _ = write_fragment([NAMED], NAMED.schema)
    found = read_fragment(data, NAMED.schema, where="here", columns=columns)
    assert found.schema.names == tuple(columns)
    for name, cells in zip(columns, found.arrays, strict=True):
        assert cells == NAMED.arrays[NAMED.schema.names.index(name)]


DATA = write_fragment([NAMED] * 50, NAMED.schema)[0]


@given(st.data())
def test_a_damaged_fragment_is_refused_or_has_the_columns_asked_for(data: st.DataObject) -> None:
    """What is read from a store was compared with its digest before."""
    broken = data.draw(damaged(DATA))
    try:
        found = read_fragment(broken, NAMED.schema, where="here")
    except DamagedDataError as error:
        assert error.code == "fragment-damaged"
    else:
        assert found.to_arrow().schema.equals(NAMED.schema.to_arrow())


@pytest.mark.parametrize("stop", [0, 4, 8, len(DATA) // 2, len(DATA) - 8, len(DATA) - 1])
def test_a_fragment_that_ends_early_is_refused(stop: int) -> None:
    refused(DATA[:stop])


def refused(data: bytes, columns: list[str] | None = None) -> None:
    with pytest.raises(DamagedDataError) as caught:
        read_fragment(data, NAMED.schema, where="here", columns=columns)
    assert caught.value.code == "fragment-damaged"
    assert "here" in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 2**31, 2**32 - 1])
def test_a_footer_that_lies_about_its_size_is_refused(size: int) -> None:
    refused(DATA[:-8] + size.to_bytes(4, "little") + DATA[-4:])


def test_a_parquet_file_with_other_columns_is_refused() -> None:
    for other in (
        NAMED.to_arrow().drop_columns(["b"]),
        NAMED.to_arrow().append_column("c", pa.array([1, 2])),
        NAMED.to_arrow().rename_columns(["a", "x", "b"]),
        NAMED.to_arrow().set_column(0, "a", pa.array(["1", "2"])),
    ):
        sink = io.BytesIO()
        pq.write_table(other, sink)
        refused(sink.getvalue())


def test_a_column_that_the_fragment_has_not_is_refused() -> None:
    schema = Schema(("a", "z"), (INT, INT))
    with pytest.raises(DamagedDataError):
        read_fragment(DATA, schema, where="here", columns=["z"])


def test_a_file_that_is_not_there_is_damage_too() -> None:
    with pytest.raises(ArtstoreError):
        read_fragment("/nowhere/at/all.parquet", NAMED.schema, where="here")


def test_fragments_of_the_same_rows_are_the_same_bytes() -> None:
    again = write_fragment([NAMED.slice(0, 1), NAMED.slice(1, 2)] * 50, NAMED.schema)[0]
    assert again == DATA
    numbers = Rows(Schema(("a",), (INT,)), (pa.array(np.arange(100_000)),), 100_000)
    one, two = (write_fragment([numbers], numbers.schema) for _ in range(2))
    assert one == two

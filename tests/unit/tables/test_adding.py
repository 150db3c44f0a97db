"""
Rows as they are added: every cell comes back as it went in, and what cannot be kept is refused
at once, with nothing added.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import torch

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.tables import intake
from artstore.tables.table import Table
from tests.property.tablecells import plain

D = decimal.Decimal
BERLIN = ZoneInfo("Europe/Berlin")
HALF_PAST = dt.timezone(dt.timedelta(hours=5, minutes=30))


class Colour(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: int


EXACTLY: dict[str, tuple[Any, Any, str]] = {
    # what is added: what comes back, the type of a column of it
    "none": (None, None, "null"),
    "true": (True, True, "bool"),
    "int": (3, 3, "int"),
    "2^53": (2**53, 2**53, "int"),
    "2^53 + 1": (2**53 + 1, 2**53 + 1, "int64"),
    "-2^63": (-(2**63), -(2**63), "int64"),
    "2^63": (2**63, 2**63, "uint64"),
    "2^64": (2**64, D(2**64), "decimal(20, 0)"),
    "2^70": (-(2**70), D(-(2**70)), "decimal(22, 0)"),
    "10^76": (10**76, str(10**76), "text"),
    "10^5000": (10**5000, "1" + "0" * 5000, "text"),
    "float": (0.1, 0.1, "float64"),
    "whole float": (3.0, 3.0, "float64"),
    "-0.0": (-0.0, -0.0, "float64"),
    "nan": (math.nan, math.nan, "float64"),
    "inf": (-math.inf, -math.inf, "float64"),
    "text": ("é\0", "é\0", "text"),
    "bytes": (b"\0\xff", b"\0\xff", "bytes"),
    "date": (dt.date(1, 1, 1), dt.date(1, 1, 1), "date"),
    "time": (dt.time(1, 2, 3, 4), dt.time(1, 2, 3, 4), "time"),
    "first moment": (dt.datetime.min, dt.datetime.min, "timestamp[us]"),
    "last moment": (dt.datetime.max, dt.datetime.max, "timestamp[us]"),
    "UTC": (
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "timestamp[us, UTC]",
    ),
    "zone": (
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
        "timestamp[us, Europe/Berlin]",
    ),
    "offset": (
        dt.datetime(2026, 1, 1, tzinfo=HALF_PAST),
        dt.datetime(2026, 1, 1, tzinfo=HALF_PAST),
        "timestamp[us, +05:30]",
    ),
    "odd offset": (
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=90))),
        dt.datetime(2025, 12, 31, 23, 58, 30, tzinfo=dt.UTC),
        "timestamp[us, UTC]",
    ),
    "duration": (
        dt.timedelta(-1, microseconds=5),
        dt.timedelta(-1, microseconds=5),
        "duration[us]",
    ),
    "decimal": (D("1.50"), D("1.50"), "decimal(3, 2)"),
    "large decimal": (D("1E+30"), D("1E+30"), "decimal(31, 0)"),
    "wide decimal": (
        D("9" * 60 + "." + "9" * 60),
        D("9" * 60 + "." + "9" * 60),
        "decimal(120, 60)",
    ),
    "no number": (D("NaN"), math.nan, "float64"),
    "signalling": (D("sNaN"), math.nan, "float64"),
    "endless": (D("-Infinity"), -math.inf, "float64"),
    "list": ([1, None, [2]], [1, None, [2]], "list<int | list<int>>"),
    "tuple": ((1, 2), [1, 2], "list<int>"),
    "named tuple": (Point(1, 2), [1, 2], "list<int>"),
    "empty list": ([], [], "list<null>"),
    "dict": ({"b": 1, "a": None}, {"b": 1, "a": None}, "struct<b: int, a: null>"),
    "mapping": (MappingProxyType({"a": 1}), {"a": 1}, "struct<a: int>"),
    "empty dict": ({}, {}, "struct<>"),
    "int enum": (Colour.RED, 1, "int"),
    "text enum": (Word.YES, "yes", "text"),
    "bool of numpy": (np.bool_(True), True, "bool"),
    "int of numpy": (np.int64(5), 5, "int"),
    "long of numpy": (np.longlong(5), 5, "int"),
    "int8": (np.int8(-5), -5, "int8"),
    "uint64": (np.uint64(5), 5, "uint64"),
    "float16": (np.float16(0.5), 0.5, "float16"),
    "float32": (np.float32(0.1), float(np.float32(0.1)), "float32"),
    "float64": (np.float64(0.1), 0.1, "float64"),
    "text of numpy": (np.str_("a"), "a", "text"),
    "bytes of numpy": (np.bytes_(b"a"), b"a", "bytes"),
    "day of numpy": (np.datetime64("2026-01-31"), dt.datetime(2026, 1, 31), "timestamp[us]"),
    "year of numpy": (np.datetime64("2026", "Y"), dt.datetime(2026, 1, 1), "timestamp[us]"),
    "nanoseconds of numpy": (
        np.datetime64("2026-01-01T00:00:00.123456789"),
        pd.Timestamp("2026-01-01T00:00:00.123456789"),
        "timestamp[ns]",
    ),
    "minutes of numpy": (np.timedelta64(5, "m"), dt.timedelta(minutes=5), "duration[us]"),
    "five seconds of numpy": (
        np.array([10], "m8[5s]")[0],
        dt.timedelta(seconds=50),
        "duration[us]",
    ),
    "timestamp of pandas": (
        pd.Timestamp("2026-01-01").as_unit("us"),
        dt.datetime(2026, 1, 1),
        "timestamp[us]",
    ),
    "fine timestamp of pandas": (
        pd.Timestamp(1, unit="ns").tz_localize("UTC"),
        pd.Timestamp(1, unit="ns").tz_localize("UTC"),
        "timestamp[ns, UTC]",
    ),
    "timedelta of pandas": (pd.Timedelta(5, "ns"), pd.Timedelta(5, "ns"), "duration[ns]"),
    "NaT": (pd.NaT, None, "null"),
    "NA": (pd.NA, None, "null"),
    "NaT of numpy": (np.datetime64("NaT"), None, "null"),
    "masked": (np.ma.masked, None, "null"),
    "0-d array": (np.array(3), 3, "int"),
    "0-d tensor": (torch.tensor(2.5), 2.5, "float32"),
    "0-d tensor with a gradient": (torch.tensor(2.5, requires_grad=True), 2.5, "float32"),
    "0-d truth": (torch.tensor(True), True, "bool"),
    "masked array": (np.ma.array([1, 2], mask=[1, 0]), [None, 2], "list<int>"),
    "array of texts": (np.array(["a", "bb"]), ["a", "bb"], "list<text>"),
    "array of objects": (np.array([1, None, "x"], object), [1, None, "x"], "list<int | text>"),
    "array of days": (
        np.array(["2026-01-31"], "M8[D]"),
        [dt.datetime(2026, 1, 31)],
        "list<timestamp[us]>",
    ),
}


def same(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return repr(one) == repr(two)
    if isinstance(one, dt.datetime) and isinstance(two, dt.datetime):
        return one == two and one.utcoffset() == two.utcoffset() and one.fold == two.fold
    return type(one) is type(two) and one == two


def table_of(*cells: Any) -> Table:
    table = Table(["a"])
    for cell in cells:
        table.add_data(cell)
    return table


@pytest.mark.parametrize("name", EXACTLY)
def test_a_cell_comes_back_as_it_went_in(name: str) -> None:
    added, expected, kind = EXACTLY[name]
    table = table_of(added)
    (found,) = table.get_column("a")
    assert same(found, expected), (found, expected)
    assert str(table.column_types["a"]) == kind
    assert same(Table(data={"a": [added]}).get_column("a")[0], expected)


def test_each_of_them_comes_back_also_from_a_column_of_all() -> None:
    cells = [added for added, _, _ in EXACTLY.values()]
    found = table_of(*cells).get_column("a")
    alone = [plain(expected) for _, expected, _ in EXACTLY.values()]
    assert list(map(plain, found)) == alone


ARRAYS: list[Any] = [
    np.arange(6).reshape(2, 3),
    np.arange(6).reshape(2, 3).T,
    np.zeros((0, 3), np.float32),
    np.array([True, False]),
    np.array([1, 2], ">i4"),
    np.array([[1.5, np.nan]], np.float16),
    np.arange(4, dtype=np.uint8)[::2],
]


@pytest.mark.parametrize("array", ARRAYS)
def test_an_array_comes_back_with_its_dtype_and_shape(array: Any) -> None:
    (found,) = table_of(array).get_column("a")
    assert found.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, array)
    both = table_of(array, None, np.zeros(7, array.dtype)).get_column("a")
    np.testing.assert_array_equal(both[0], array)
    assert both[1] is None
    assert both[2].shape == (7,)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_a_tensor_comes_back_as_an_array(dtype: str) -> None:
    tensor = torch.ones((2, 3), dtype=getattr(torch, dtype))
    (found,) = table_of(tensor).get_column("a")
    assert (found.dtype.name, found.shape) == (dtype, (2, 3))
    (brain,) = table_of(torch.ones(2, dtype=torch.bfloat16)).get_column("a")
    assert brain.dtype.name == "float32"


class Meters(float):
    pass


class Nameless(dt.tzinfo):
    """A zone that has the name of no zone."""

    zone = "Nowhere/At all"

    def utcoffset(self, when: Any) -> dt.timedelta:
        return dt.timedelta(hours=2)

    def dst(self, when: Any) -> None:
        return None


def test_subclasses_of_numbers_and_odd_zones_are_what_they_say() -> None:
    assert table_of(Meters(2.5)).get_column("a") == [2.5]
    (moment,) = table_of(dt.datetime(2026, 1, 1, tzinfo=Nameless())).get_column("a")
    assert moment.utcoffset() == dt.timedelta(hours=2)


DEEP: Any = 1
for _ in range(14):
    DEEP = [DEEP]

REFUSED: dict[str, Any] = {
    "object": object(),
    "class": int,
    "function": len,
    "module": math,
    "generator": (n for n in range(3)),
    "set": {1},
    "complex": 1j,
    "complex of numpy": np.complex64(1),
    "long double": np.longdouble(1),
    "array of complex": np.zeros(2, complex),
    "record": np.zeros(1, [("a", "i4")])[0],
    "half a surrogate": "\ud800",
    "half a surrogate as a name": {"\ud800": 1},
    "number as a name": {1: 2},
    "bytearray": bytearray(b"x"),
    "enum": enum.Enum("E", "A").A,
    "deep": DEEP,
    "object inside": [1, {"a": [object()]}],
    "time with a zone": dt.time(1, tzinfo=dt.UTC),
    "long duration": dt.timedelta.max,
    "long duration of numpy": np.timedelta64(2**62, "s"),
    "duration in months": np.timedelta64(3, "M"),
    "duration without a unit": np.timedelta64(3),
    "picoseconds": np.datetime64("2026-01-01T00:00:00.000000000001"),
    "far future": np.datetime64(10_000, "Y"),
    "far future of pandas": pd.Timestamp(np.datetime64(10_000, "Y").astype("M8[s]")),
    "moment before the first": dt.datetime(1, 1, 1, tzinfo=BERLIN),
    "moment after the last": dt.datetime(9999, 12, 31, 23, tzinfo=ZoneInfo("America/New_York")),
    "decimal with too many digits": D("1E+80"),
    "decimal with too small a part": D("1E-80"),
    "period": pd.Period("2026-01"),
    "interval": pd.Interval(0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_column_holds_is_refused_and_nothing_is_added(name: str) -> None:
    cell = REFUSED[name]
    table = Table(["a", "b"])
    table.add_data(1, "x")
    with pytest.raises(InvalidInputError) as caught:
        table.add_data(2, cell)
    assert caught.value.code == "cell-unsupported"
    assert "'b'" in str(caught.value)
    with pytest.raises(InvalidInputError):
        table.add_data([cell], 2)
    assert table.row_count == 1
    table.add_data(3, "z")
    assert list(table.data) == [[1, "x"], [3, "z"]]
    with pytest.raises(InvalidInputError):
        Table(data={"a": [cell, 1]})


@pytest.mark.parametrize("row", [(), (1,), (1, 2, 3)])
@pytest.mark.parametrize("dtype", [None, int])
def test_a_row_with_more_or_fewer_cells_is_refused(row: tuple[int, ...], dtype: Any) -> None:
    table = Table(["a", "b"], dtype=dtype)
    table.add_data(1, 2)
    with pytest.raises(InvalidInputError) as caught:
        table.add_data(*row)
    assert caught.value.code == "row-ragged"
    assert list(table.data) == [[1, 2]]


def test_a_table_without_columns_takes_no_row() -> None:
    table = Table([])
    with pytest.raises(InvalidInputError):
        table.add_data()
    table.add_column("a", [1, 2])
    assert list(table.rows) == [{"a": 1}, {"a": 2}]
    assert Table(data=pd.DataFrame(index=range(3))).row_count == 0


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        [""],
        [None],
        [b"a"],
        "abc",
        5,
        ["a\n"],
        ["\ud800"],
        ["x" * 1025],
        [1, "1"],
        [True],
    ],
)
def test_names_that_are_none_are_refused(names: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Table(names)
    assert caught.value.code == "columns-invalid"


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(ArtstoreError) as caught:
        Table(list(range(10_001)))
    assert caught.value.code == "limit-exceeded"


def test_what_changes_after_it_was_added_is_not_changed_in_the_table() -> None:
    values: list[Any] = [
        [1, [2]],
        {"a": {"b": 1}},
        np.zeros(3),
        torch.zeros(2),
        np.ma.array([1, 2], mask=[0, 1]),
    ]
    table = Table(["a", "b", "c", "d", "e"])
    row = list(values)
    table.add_data(*row)
    values[0][1].append(3)
    values[1]["a"]["b"] = 9
    values[2][:] = 7
    values[3].add_(5)
    values[4][0] = 5
    row[0] = None
    (found,) = table.data
    assert found[:2] == [[1, [2]], {"a": {"b": 1}}]
    assert found[2].tolist() == [0, 0, 0]
    assert found[3].tolist() == [0, 0]
    assert found[4] == [1, None]


def test_what_is_read_may_be_changed_without_changing_the_table() -> None:
    table = table_of({"a": [1]}, np.zeros(2))
    for row in table.data:
        row[0] = None
    table.data[0][0]["a"].append(5)
    table.data[1][0][:] = 9
    assert table.data[0] == [{"a": [1]}]
    assert table.data[1][0].tolist() == [0, 0]


def test_rows_wait_in_batches_that_are_bounded_by_rows_and_by_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_FLUSH_ROWS", 10)
    monkeypatch.setattr(intake, "_FLUSH_BYTES", 1000)
    for cell in (1, "x" * 600, b"x" * 600, np.zeros(100), ["x" * 600], {"a": ["x" * 600]}):
        table = Table(["a"])
        longest = 0
        for _ in range(35):
            table.add_data(cell)
            longest = max(longest, len(table._intake._buffer))
        assert longest == (9 if isinstance(cell, int) else 1), cell
        assert table.row_count == 35
        assert len(table.get_column("a")) == 35


def test_the_type_of_a_column_may_change_at_any_row() -> None:
    table = Table(["a"])
    cells = [1, 2.5, 2**60, "x", None, [1], {"a": 1}, b"x", np.zeros(2), True, 2**63, D(5)]
    for at, cell in enumerate(cells):
        table.add_data(cell)
        if at % 3 == 0:
            assert table.row_count == at + 1
            assert len(table.schema.types) == 1
    assert list(map(plain, table.get_column("a"))) == list(map(plain, cells))
    assert str(table.column_types["a"]) == (
        "array<float64, 2> | bool | bytes | decimal(1, 0) | float64 | int64 | list<int> | "
        "struct<a: int> | text | uint64"
    )

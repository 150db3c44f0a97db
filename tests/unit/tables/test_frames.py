"""
Frames of other libraries, arrays and lists as tables: the same rows, whatever they come in.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from artstore.errors import InvalidInputError
from artstore.tables import frames
from artstore.tables.table import Table

ROWS = [[1, "a", 0.5], [2, "b", 1.5], [3, "c", 2.5]]
NAMES = ["id", "name", "score"]
COLUMNS = {name: [row[at] for row in ROWS] for at, name in enumerate(NAMES)}
DICTS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
ARROW = pa.table(COLUMNS)


def uneven(cells: list[Any], at: int) -> pa.ChunkedArray:
    return pa.chunked_array([cells[: at + 1], cells[at + 1 :]], pa.array(cells).type)


SOURCES: dict[str, Any] = {
    "lists": ROWS,
    "tuples": list(map(tuple, ROWS)),
    "dicts": DICTS,
    "dicts in another order": [dict(reversed(row.items())) for row in DICTS],
    "dict of lists": COLUMNS,
    "dict of tuples": {name: tuple(cells) for name, cells in COLUMNS.items()},
    "dict of arrays": {name: np.array(cells) for name, cells in COLUMNS.items()},
    "dict of series": {name: pd.Series(cells) for name, cells in COLUMNS.items()},
    "dict of polars": {name: pl.Series(cells) for name, cells in COLUMNS.items()},
    "dict of arrow": {name: uneven(cells, 0) for name, cells in COLUMNS.items()},
    "dict of mixed": {**COLUMNS, "id": torch.tensor([1, 2, 3]), "score": np.array([0.5, 1.5, 2.5])},
    "pandas": pd.DataFrame(COLUMNS),
    "pandas with an index": pd.DataFrame(COLUMNS, index=[5, 5, 7]),
    "pandas of objects": pd.DataFrame(COLUMNS, dtype=object),
    "pandas of arrow": pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
    "pandas that may be missing": pd.DataFrame(COLUMNS).convert_dtypes(),
    "polars": pl.DataFrame(COLUMNS),
    "arrow": ARROW,
    "arrow in chunks": pa.concat_tables([ARROW[:1], ARROW[1:1], ARROW[1:]]),
    "arrow in uneven chunks": pa.table({n: uneven(c, len(n) % 3) for n, c in COLUMNS.items()}),
    "batch": ARROW.to_batches()[0],
    "reader": None,
    "array": np.array(ROWS, object),
    "iterator": None,
}  # fmt: skip


def source(name: str) -> Any:
    if name == "reader":
        return ARROW.to_reader(2)
    if name == "iterator":
        return (row for row in ROWS)
    return SOURCES[name]


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_rows_make_the_same_table(name: str) -> None:
    table = Table(columns=NAMES, data=source(name))
    assert list(table.data) == ROWS
    expected = Table(columns=NAMES, data=ROWS)
    if name != "dict of mixed":
        assert table.built().leaves() == expected.built().leaves()
        assert table.schema == expected.schema


@pytest.mark.parametrize("name", [name for name in SOURCES if "lists" != name != "array"])
def test_columns_are_called_what_the_data_calls_them(name: str) -> None:
    if name in ("tuples", "iterator"):
        return
    table = Table(data=source(name))
    assert sorted(table.columns) == sorted(NAMES)
    assert list(table.rows) == DICTS


@pytest.mark.parametrize("name", ["pandas", "polars", "arrow", "dict of arrays", "reader"])
def test_some_columns_may_be_chosen_in_any_order(name: str) -> None:
    table = Table(columns=["score", "id"], data=source(name))
    assert list(table.data) == [[row[2], row[0]] for row in ROWS]


@pytest.mark.parametrize(
    "names",
    [pd.Index(NAMES), np.array(NAMES), (n for n in NAMES), dict.fromkeys(NAMES), tuple(NAMES)],
)
def test_names_come_as_any_sequence_of_them(names: Any) -> None:
    assert list(Table(columns=names, data=ROWS).rows) == DICTS


def test_numbers_are_names_too() -> None:
    table = Table(data=pd.DataFrame(np.arange(4).reshape(2, 2)))
    assert list(table.rows) == [{"0": 0, "1": 1}, {"0": 2, "1": 3}]
    assert list(Table(columns=[1], data=[{1: "x"}]).data) == [["x"]]


def test_a_two_dimensional_array_has_rows_and_columns() -> None:
    assert list(Table(columns=["a", "b"], data=np.arange(4).reshape(2, 2)).data) == [[0, 1], [2, 3]]
    assert list(Table(columns=["a"], data=np.zeros((0, 1))).data) == []


def test_dicts_need_not_have_every_name() -> None:
    table = Table(data=[{"a": 1}, {"b": 2}])
    assert list(table.data) == [[1, None], [None, 2]]


NAN = math.nan
DAY = "2026-01-01"


@pytest.mark.parametrize(
    ("column", "cells", "kind"),
    [
        (np.array([1.0, NAN]), [1.0, NAN], "float64"),
        (pd.Series([1.0, None]), [1.0, NAN], "float64"),
        (pd.Series([1, None], dtype="Int64"), [1, None], "int"),
        (pd.Series([True, None], dtype="boolean"), [True, None], "bool"),
        (pd.Series([1.5, None], dtype="Float64"), [1.5, None], "float64"),
        (pd.Series(["a", None]), ["a", None], "text"),
        (pd.Series(["a", None, NAN], dtype=object), ["a", None, None], "text"),
        (pd.Series([1, NAN, "a"], dtype=object), [1, NAN, "a"], "float64 | text"),
        (pd.Series([None, None], dtype=object), [None, None], "null"),
        (pd.Series(["a", "b", None], dtype="category"), ["a", "b", None], "text"),
        (pd.Series([3, 5], dtype="category"), [3, 5], "int"),
        (pd.Series([{"a": 1}, None]), [{"a": 1}, None], "struct<a: int>"),
        (pd.Series([[1], None]), [[1], None], "list<int>"),
        (np.array(["a", "bb"]), ["a", "bb"], "text"),
        (np.array([b"a", b"bb"]), [b"a", b"bb"], "bytes"),
        (np.array([True, False]), [True, False], "bool"),
        (np.array([1, 2], ">i2"), [1, 2], "int16"),
        (np.array([1, 2], ">f8"), [1.0, 2.0], "float64"),
        (np.array([1, 2], np.float16), [1.0, 2.0], "float16"),
        (np.array([2**60, 1]), [2**60, 1], "int64"),
        (np.array([2**60, 1], np.uint64), [2**60, 1], "uint64"),
        (np.arange(4)[::-2], [3, 1], "int"),
        (np.array([1, None, "x"], object), [1, None, "x"], "int | text"),
        (np.array([DAY, "NaT"], "M8[D]"), [dt.datetime(2026, 1, 1), None], "timestamp[us]"),
        (np.array([DAY, "NaT"], "M8[s]"), [dt.datetime(2026, 1, 1), None], "timestamp[us]"),
        (np.array([DAY, "NaT"], "M8[ns]"), [pd.Timestamp(DAY), None], "timestamp[ns]"),
        (np.array([1, "NaT"], "m8[ms]"), [dt.timedelta(milliseconds=1), None], "duration[us]"),
        (pl.Series([1, None]), [1, None], "int"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"], "text"),
        (pl.Series([[1], None]), [[1], None], "list<int>"),
        (pl.Series([{"a": 1}]), [{"a": 1}], "struct<a: int>"),
        (pl.Series([dt.timedelta(1)]), [dt.timedelta(1)], "duration[us]"),
        (pl.Series([1.5], dtype=pl.Decimal(38, 10)), [1.5], "decimal(38, 10)"),
        (torch.tensor([1, 2]), [1, 2], "int"),
        (torch.tensor([1.5], requires_grad=True), [1.5], "float32"),
        (pa.array([b"x" * 16], pa.uuid()), [b"x" * 16], "bytes"),
        (pa.array([dt.date(1970, 1, 2)], pa.date64()), [dt.datetime(1970, 1, 2)], "timestamp[us]"),
        (pa.array([1, None], pa.time32("s")), [dt.time(0, 0, 1), None], "time"),
        (pa.array(["1.5"]).cast(pa.decimal256(40, 3)), [1.5], "decimal(40, 3)"),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [[1, 2]], "list<int8>"),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 2))), [[0, 0]], "list<float64>"),
        (pa.nulls(2), [None, None], "null"),
    ],
)  # fmt: skip
def test_a_column_has_the_cells_and_the_type_of_what_it_came_in(
    column: Any, cells: list[Any], kind: str
) -> None:
    table = Table(data={"a": column})
    found = table.get_column("a")
    assert str(table.column_types["a"]) == kind
    assert list(map(no_nan, found)) == list(map(no_nan, cells))


def no_nan(cell: Any) -> Any:
    return "NaN" if isinstance(cell, float) and math.isnan(cell) else cell


def test_columns_of_arrays_hold_an_array_in_each_row() -> None:
    for column in (np.zeros((2, 3)), torch.zeros(2, 3, dtype=torch.float64)):
        found = Table(data={"a": column}).get_column("a")
        assert [cell.shape for cell in found] == [(3,), (3,)]


@pytest.mark.parametrize("code", ["rows-unknown"])
@pytest.mark.parametrize(
    "data",
    [
        5,
        "text",
        b"bytes",
        np.zeros(3),
        np.zeros((2, 2, 2)),
        {"a": 1},
        {"a": "abc"},
        {"a": (n for n in "ab")},
        [1, 2],
        ["ab"],
        object(),
    ],
)
def test_what_has_no_rows_is_refused(data: Any, code: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Table(columns=["a"], data=data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data",
    [
        {"a": [1, 2], "b": [1]},
        [[1, 2], [1]],
        [[1, 2], [1, 2, 3]],
        np.zeros((2, 3)),
        [{"a": 1, "b": 2}, {"c": 3}],
    ],
)
def test_ragged_rows_and_columns_are_refused(data: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Table(columns=["a", "b"], data=data)
    assert caught.value.code == "row-ragged"


def test_a_column_that_the_data_has_not_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no column 'x'"):
        Table(columns=["id", "x"], data=ARROW)
    with pytest.raises(InvalidInputError):
        Table(data=pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(InvalidInputError):
        Table(data=pd.DataFrame([[1, 2]], columns=["a", "a"]))


UNSUPPORTED = {
    "union": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    "interval": pa.array([pa.MonthDayNano([1, 2, 3])]),
    "members of one name": pa.StructArray.from_arrays([pa.array([1])] * 2, ["a", "a"]),
    "unknown zone": pa.array([1], pa.timestamp("us", "Foo/Bar")),
    "deep": pa.array([1]),
}  # fmt: skip
for _ in range(14):
    UNSUPPORTED["deep"] = pa.ListArray.from_arrays([0, 1], UNSUPPORTED["deep"])
LOSSY = {
    "nanoseconds of a day": pa.array([1], pa.time64("ns")),
    "seconds beyond all years": pa.array([2**60]).cast(pa.timestamp("s")),
    "moment after the year 9999": pa.array([2**62]).cast(pa.timestamp("us")),
    "moment before the year 1": pa.array([-(2**62)]).cast(pa.timestamp("us", "UTC")),
    "date after the year 9999": pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    "duration of seconds": pa.array([2**60]).cast(pa.duration("s")),
    "duration of microseconds": pa.array([2**63 - 1]).cast(pa.duration("us")),
    "date in a list": pa.array([[2**31 - 1]], pa.list_(pa.int32())).cast(pa.list_(pa.date32())),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_arrow_types_that_no_column_has_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Table(data={"a": UNSUPPORTED[name]})
    assert caught.value.code == "column-type-unsupported"


@pytest.mark.parametrize("name", LOSSY)
def test_cells_of_which_something_would_be_lost_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Table(data={"a": LOSSY[name]})
    assert caught.value.code == "cell-unsupported"
    with pytest.raises(InvalidInputError):
        Table(data=pa.table({"a": LOSSY[name]}))


@pytest.mark.parametrize(
    "column", [pd.Series(pd.period_range("2026", periods=2)), pd.Series([1, 2]) * 1j]
)
def test_columns_of_pandas_that_have_no_counterpart_are_refused(column: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Table(data=pd.DataFrame({"a": column}))
    assert caught.value.code == "cell-unsupported"


def test_a_frame_is_the_same_table_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "n": draw.integers(0, 1000, 5000),
            "x": draw.random(5000),
            "text": [f"{n}" * (n % 7) for n in range(5000)],
            "any": [[n, str(n), n / 3, [n], None][n % 5] for n in range(5000)],
            "few": pd.Series([["x", NAN][n % 2] for n in range(4999)] + [5], dtype=object),
        }
    )
    expected = Table(data=frame)
    for rows in (1, 7, 1000):
        monkeypatch.setattr(frames, "_BATCH_ROWS", rows)
        part = frame if rows > 1 else frame[:50]
        found = Table(data=part)
        if rows > 1:
            assert found.built().leaves() == expected.built().leaves()
            assert found.schema == expected.schema
        assert found.row_count == len(part)


def test_to_pandas_and_to_polars_give_back_what_was_added() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, NAN]})
    table = Table(data=frame)
    pd.testing.assert_frame_equal(table.to_pandas(), frame)
    assert table.get_dataframe().equals(frame)
    assert table.to_polars().equals(pl.DataFrame(table.to_arrow()))
    large = Table(data={"a": [2**60 + 1, None]}).to_pandas()
    assert large["a"].tolist() == [2**60 + 1, None]
    mixed = Table(data={"a": [1, "x", np.zeros(2)]}).to_pandas()
    assert mixed["a"].tolist()[:2] == [1, "x"]


def test_a_column_becomes_a_numpy_array() -> None:
    table = Table(data={"a": [1, 2], "b": [np.zeros(2), np.ones(2)], "c": ["x", 1]})
    assert table.get_column("a", convert_to="numpy").tolist() == [1, 2]
    assert table.get_column("b", convert_to="numpy").shape == (2, 2)
    assert table.get_column("c", convert_to="numpy").tolist() == ["x", "1"]
    with pytest.raises(InvalidInputError):
        table.get_column("a", convert_to="list")
    with pytest.raises(InvalidInputError, match="no column"):
        table.get_column("A")

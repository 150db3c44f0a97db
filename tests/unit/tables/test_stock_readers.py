"""
Fragments, and tables as a pull writes them, opened by engines that know nothing of us.

What an engine has no type for is told here: `OTHERWISE` says what it has instead.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from artstore.media.image import Image
from artstore.tables.fragments import parquet_buffers
from artstore.tables.table import Table
from tests.unit.tables.shelf import Shelf

D = decimal.Decimal
NOON = dt.datetime(2026, 7, 1, 12, 0, 0, 5)
WIDE = D("9" * 30 + "." + "1" * 30)
CELLS: dict[str, list[Any]] = {
    "bool": [True, False],
    "int8": [np.int8(-5), np.int8(127)],
    "uint16": [np.uint16(0), np.uint16(65535)],
    "int64": [2**60, -(2**63)],
    "uint64": [np.uint64(2**64 - 1), np.uint64(0)],
    "int": [1, -(2**53)],
    "float16": [np.float16(0.5), np.float16(-0.0)],
    "float32": [np.float32(0.5), np.float32("inf")],
    "float64": [0.1, -0.0],
    "text": ["é", ""],
    "bytes": [b"\0\xff", b""],
    "date": [dt.date(1, 1, 1), dt.date(2026, 7, 1)],
    "time": [dt.time(1, 2, 3, 4), dt.time()],
    "local": [NOON, dt.datetime(9999, 12, 31)],
    "UTC": [NOON.replace(tzinfo=dt.UTC)],
    "offset": [NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=5)))],
    "nanoseconds": [np.datetime64(1_700_000_000_123_456_789, "ns")],
    "duration": [dt.timedelta(days=1, microseconds=3), dt.timedelta(-1)],
    "decimal": [D("1.50"), D("-3.25")],
    "wide decimal": [D("1.5"), WIDE],
    "list": [[1, None, 3], []],
    "struct": [{"a": 1, "b": {"c": ["x"]}}, {"a": None, "b": None}],
    "struct of nothing": [{}, {}],
    "empty lists": [[], []],
    "array": [np.ones((2, 2)), np.zeros((2, 2))],
    "arrays": [np.ones((1, 2)), np.zeros(3)],
    "union": [1, "x", [0.5]],
    "nulls": [None, None],
}


def as_kept(cell: Any) -> Any:
    """What Arrow has of a cell: numbers of an array in a list, and so on."""
    if isinstance(cell, np.ndarray):
        return cell.ravel().tolist()
    return cell.item() if isinstance(cell, np.generic) and cell.dtype.kind != "M" else cell


KEPT: dict[str, list[Any]] = {
    "nanoseconds": [pd.Timestamp(1_700_000_000_123_456_789)],
    "wide decimal": ["1.5", str(WIDE)],
    "struct of nothing": [{"_": None}] * 2,
    "arrays": [
        {"shape": [1, 2], "values": [1.0, 1.0]},
        {"shape": [3], "values": [0.0, 0.0, 0.0]},
    ],
    "union": [
        {"int": 1, "list": None, "text": None},
        {"int": None, "list": None, "text": "x"},
        {"int": None, "list": [0.5], "text": None},
    ],
}
"""What Arrow has where it is not the cell itself."""

MICROS = [86_400_000_003, -86_400_000_000]
OTHERWISE: dict[tuple[str, str], list[Any]] = {
    # DuckDB takes durations for whole microseconds, float16 for float32, and NULL for integers.
    ("duckdb", "duration"): MICROS,
    # Moments are shown in the zone of the session.
    ("duckdb", "offset"): [NOON.replace(hour=7, tzinfo=dt.UTC)],
    # polars has no fixed offsets, and its lists no nanoseconds, which its frames have.
    ("polars", "offset"): [NOON.replace(hour=7, tzinfo=dt.UTC)],
    ("polars", "nanoseconds"): [dt.datetime(2023, 11, 14, 22, 13, 20, 123456)],
}


def expected(kind: str) -> list[Any]:
    return KEPT.get(kind) or list(map(as_kept, CELLS[kind]))


def by_pyarrow(files: list[str]) -> list[Any]:
    return ds.dataset(files).to_table().column("a").to_pylist()


def by_duckdb(files: list[str]) -> list[Any]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute("SELECT a FROM read_parquet(?)", [files])
        return found.to_arrow_table().column("a").to_pylist()


def by_polars(files: list[str]) -> list[Any]:
    return pl.read_parquet(files, columns=["a"]).get_column("a").to_list()


def by_pandas(files: list[str]) -> list[Any]:
    frame = pd.concat([pd.read_parquet(file, dtype_backend="pyarrow") for file in files])
    return pa.array(frame["a"]).to_pylist()


READERS: dict[str, Callable[[list[str]], list[Any]]] = {
    "pyarrow": by_pyarrow,
    "duckdb": by_duckdb,
    "polars": by_polars,
    "pandas": by_pandas,
}


def fragment(table: Table, directory: Path) -> list[str]:
    Shelf(directory).put(table)
    return [str(file) for file in directory.rglob("*.parquet")]


def pulled(table: Table, directory: Path) -> list[str]:
    file = directory / "a.parquet"
    rows = table.content().rows()
    file.write_bytes(b"".join(parquet_buffers(table.schema, rows)))
    return [str(file)]


def comparable(cell: Any) -> Any:
    """NaN and -0.0 as what they are; moments of any zone as moments."""
    if isinstance(cell, dt.datetime) and not isinstance(cell, pd.Timestamp) and cell.tzinfo:
        return cell.astimezone(dt.UTC)
    if isinstance(cell, dict):
        return {name: comparable(member) for name, member in sorted(cell.items())}
    return repr(cell) if isinstance(cell, float) else cell


@pytest.mark.parametrize("made", [fragment, pulled])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", CELLS)
def test_an_engine_reads_the_cells(
    tmp_path: Path, kind: str, reader: str, made: Callable[[Table, Path], list[str]]
) -> None:
    table = Table(["a", "n"])
    for at, cell in enumerate([*CELLS[kind], None]):
        table.add_data(cell, at)
    files = made(table, tmp_path)
    found = READERS[reader](files)
    wanted = OTHERWISE.get((reader, kind)) or expected(kind)
    assert list(map(comparable, found)) == [*map(comparable, wanted), None]


@pytest.mark.parametrize("reader", READERS)
def test_an_engine_reads_all_fragments_of_a_table_as_one(
    tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artstore.tables.building._FRAGMENT_BYTES", 30_000)
    shelf = Shelf(tmp_path)
    stored = shelf.put(Table(data={"a": list(range(20_000))}))
    files = [str(path) for path in shelf.fragment_paths(stored.stored.fragments)]
    assert len(files) > 3
    assert READERS[reader](files) == list(range(20_000))


def test_an_engine_reads_what_a_cell_of_an_image_says(tmp_path: Path) -> None:
    table = Table(["a"])
    box = {"position": {"minX": 0.0, "maxX": 1.0, "minY": 0.0, "maxY": 1.0}, "class_id": 13}
    table.add_data(Image(np.zeros((2, 3), np.uint8), boxes={"truth": {"box_data": [box]}}))
    table.add_data(None)
    (file,) = fragment(table, tmp_path)
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT a.width, a.height, a.boxes[1].layer, a.boxes[1].boxes[1].class_id "
            "FROM read_parquet(?)",
            [file],
        ).fetchall()
    assert found == [(3, 2, "truth", 13), (None,) * 4]
    assert pl.read_parquet(file)["a"].struct.field("width").to_list() == [3, None]


def test_a_file_says_the_types_of_its_columns_in_our_words_too(tmp_path: Path) -> None:
    (file,) = fragment(Table(data={"a": [1, "x"], "b": [np.zeros(2)] * 2}), tmp_path)
    told = json.loads(pq.read_schema(file).metadata[b"artstore.columns"])
    assert told == [
        ["a", {"type": "union", "members": [["int", "int"], ["text", "text"]]}],
        ["b", {"type": "array", "dtype": "float64", "shape": [2]}],
    ]


def test_large_tables_come_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artstore.tables.fragments._GROUP_BYTES", 100_000)
    monkeypatch.setattr("artstore.tables.building._FRAGMENT_BYTES", 50_000)
    table = Table(data={"a": list(range(100_000))})
    (file,) = pulled(table, tmp_path)
    assert pq.ParquetFile(file).num_row_groups > 3
    assert by_pyarrow([file]) == list(range(100_000))
    (nothing,) = pulled(Table(["a"]), tmp_path)
    assert pq.read_table(nothing).num_rows == 0

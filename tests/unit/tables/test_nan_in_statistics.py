"""Least and greatest numbers in Parquet files never make an engine miss NaN."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from artstore.tables.content import TableContent
from artstore.tables.fragments import parquet_buffers, write_fragment
from artstore.tables.table import Table

NAN = float("nan")
CELLS = [[1, 1.5], [2, NAN], [3, 3.0], [4, None]]


def written(table: Table, how: str) -> bytes:
    content = TableContent.built(table.built(), None)
    if how == "fragment":
        return write_fragment([content.all_rows()], content.schema)[0]
    return b"".join(parquet_buffers(content.schema, content.rows()))


@pytest.mark.parametrize("how", ["fragment", "pulled"])
@pytest.mark.parametrize(
    ("condition", "count"),
    [("x > 100", 1), ("x <> 1.5", 2), ("NOT (x <= 3)", 1), ("isnan(x)", 1), ("id > 2", 2)],
)
def test_duckdb_finds_nan(tmp_path: Path, how: str, condition: str, count: int) -> None:
    file = tmp_path / "file.parquet"
    file.write_bytes(written(Table(["id", "x"], CELLS), how))
    found = duckdb.sql(f"SELECT count(*) FROM '{file}' WHERE {condition}").fetchall()
    assert found == [(count,)]


def test_numbers_without_nan_have_statistics() -> None:
    data = written(Table(["id", "x"], [[1, 1.5], [2, None]]), "fragment")
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    assert [group.column(at).is_stats_set for at in range(2)] == [True, True]

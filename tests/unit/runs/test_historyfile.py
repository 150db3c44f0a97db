"""Segments that are damaged or hostile; segments in the hands of other engines."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artstore.errors import DamagedDataError, StorageError
from artstore.runs import history
from artstore.runs.rowblocks import FLOAT, INT, TEXT, encode_rows, encode_schema
from tests.unit.upkeep.runs import history as recorded
from tests.unit.upkeep.runs import path_of, samples


def segment(count: int = 50) -> bytes:
    keys, types = ["loss", "n.x", "name"], [FLOAT, INT, TEXT]
    numbers = list(range(count))
    texts = [f"text {at % 3}" for at in numbers]
    columns = [numbers, numbers, [0.5] * count, [at * 0.1 for at in numbers], numbers, texts]
    return history.write_segment(
        history.build([encode_rows(keys, types, encode_schema(keys, types), columns)])
    )


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_every_cut_and_every_changed_byte_is_refused_or_read() -> None:
    data = segment()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]
        for hostile in (changed, data[:at]):
            try:
                history.read_segments([hostile])
            except DamagedDataError as error:
                assert error.code == "history-damaged"


def test_facts_are_rows_and_the_media_that_cells_name() -> None:
    pictures = (b"one", b"two", b"three", b"one")
    data = recorded(pictures)
    named = {path_of(picture) for picture in pictures}
    for is_proven in (True, False):
        facts = history.segment_facts(data, has_steps=True, is_proven=is_proven)
        assert facts == (4, named)
    assert history.segment_facts(segment(), has_steps=True, is_proven=True) == (50, frozenset())
    assert history.segment_facts(samples(), has_steps=False, is_proven=False) == (2, frozenset())


def test_facts_of_a_cut_or_changed_segment_are_refused_or_told() -> None:
    data = recorded((b"one", b"two"))
    for at in range(0, len(data), 3):
        changed = data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]
        for hostile in (changed, data[:at]):
            try:
                history.segment_facts(hostile, has_steps=True, is_proven=False)
            except DamagedDataError as error:
                assert error.code == "history-damaged"


def test_other_parquet_files_are_no_segments() -> None:
    step, time = pa.array([1, 2]), pa.array([0.1, 0.2])
    for table in (
        pa.table({"a": [1]}),
        pa.table({"_step": step}),
        pa.table({"_step": pa.array([1.5, 2]), "_timestamp": time}),
        pa.table({"_step": pa.array([1, None]), "_timestamp": time}),
        pa.table({"_step": step, "_timestamp": time, "a": pa.array([[1], [2]])}),
        pa.Table.from_arrays([step, time, time, time], ["_step", "_timestamp", "a", "a"]),
    ):
        with pytest.raises(DamagedDataError):
            history.read_segments([parquet(table)])


def test_a_small_file_of_a_long_text_in_every_row_is_refused_before_it_fills_the_memory() -> None:
    count = 1_000_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 100_000])
    table = pa.table({"_step": range(count), "_timestamp": [0.0] * count, "t": texts})
    sink = io.BytesIO()
    pq.write_table(table, sink, store_schema=False)
    with pytest.raises(DamagedDataError, match="too long"):
        history.read_segments([sink.getvalue()])


def test_a_small_file_of_very_many_equal_rows_is_refused() -> None:
    count = 2_000_000
    columns = {f"c{at}": pa.nulls(count, pa.float64()) for at in range(40)}
    table = pa.table({"_step": pa.array([0] * count), "_timestamp": [0.0] * count, **columns})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=count)
    with pytest.raises(DamagedDataError, match="state"):
        history.read_segments([sink.getvalue()])


def test_a_path_an_open_file_and_bytes_are_the_same(tmp_path: Path) -> None:
    data = segment()
    path = tmp_path / "0.parquet"
    path.write_bytes(data)
    expected = history.read_segments([data])
    assert history.read_segments([path]).equals(expected)
    assert history.read_segments([str(path)]).equals(expected)
    with path.open("rb") as file:
        assert history.read_segments([file]).equals(expected)
    with pytest.raises(StorageError):
        history.read_segments([tmp_path / "none.parquet"])


def test_other_engines_read_segments(tmp_path: Path) -> None:
    path = tmp_path / "0.parquet"
    path.write_bytes(segment())
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT count(*), sum(loss), max(\"n.x\"), min(name) FROM '{path}'"
        ).fetchall()
    assert found == [(50, pytest.approx(122.5), 49, "text 0")]

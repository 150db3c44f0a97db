"""art:// in the hands of the libraries that people read data with."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import dask.dataframe
import duckdb
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import artstore as art

ROWS = 20_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> art.Store:
    root = tmp_path_factory.mktemp("libraries")
    data = root / "data"
    (data / "parts/label=0").mkdir(parents=True)
    (data / "parts/label=1").mkdir()
    frame = pd.DataFrame({"id": range(ROWS), "name": [f"n{i % 100}" for i in range(ROWS)]})
    frame.to_parquet(data / "labels.parquet", row_group_size=2_000)
    frame.to_csv(data / "labels.csv", index=False)
    for label in (0, 1):
        frame[frame.id % 2 == label].to_parquet(data / f"parts/label={label}/part.parquet")
    np.save(data / "array.npy", np.arange(100_000).reshape(1000, 100))
    torch.save({"weights": torch.arange(50_000)}, data / "model.pt")
    for number in range(40):
        (data / f"item-{number:02}.bin").write_bytes(bytes([number]) * 100)
    store = art.open_store(os.fspath(root / "store"), project="p")
    draft = art.Artifact("digits")
    draft.add_dir(data)
    store.log_artifact(draft)
    return store


@pytest.fixture(autouse=True)
def store(made: art.Store, monkeypatch: pytest.MonkeyPatch) -> art.Store:
    monkeypatch.setenv("ARTSTORE_URL", made.url)
    monkeypatch.setenv("ARTSTORE_PROJECT", "p")
    return made


@pytest.fixture
def system() -> Any:
    return fsspec.filesystem("art")


def test_pandas_reads_parquet_and_csv() -> None:
    frame = pd.read_parquet("art://digits:latest/labels.parquet")
    assert (len(frame), int(frame.id.sum())) == (ROWS, sum(range(ROWS)))
    assert len(pd.read_parquet("art://digits:latest/parts")) == ROWS
    assert pd.read_csv("art://digits:v0/labels.csv").equals(frame)
    assert len(pd.read_csv("art://p/digits:v0/labels.csv", nrows=5)) == 5


def test_pandas_takes_the_store_as_storage_options(
    store: art.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARTSTORE_URL")
    options = {"store": store.url}
    assert len(pd.read_parquet("art://digits:v0/labels.parquet", storage_options=options)) == ROWS


def test_pyarrow_reads_parquet_datasets_and_csv(system: Any) -> None:
    with system.open("digits:v0/labels.parquet") as file:
        assert pa.parquet.ParquetFile(file).read_row_group(3).num_rows == 2_000
    table = pa.parquet.read_table(
        "digits:v0/labels.parquet", filesystem=system, filters=[("id", "<", 10)]
    )
    assert table.num_rows == 10
    dataset = pa.dataset.dataset(
        "digits:v0/parts", filesystem=system, format="parquet", partitioning="hive"
    )
    assert dataset.count_rows(filter=pa.dataset.field("label") == 1) == ROWS // 2
    with system.open("digits:v0/labels.csv") as file:
        assert pa.csv.read_csv(file).num_rows == ROWS


def test_polars_reads_parquet_and_csv(system: Any) -> None:
    # Polars reads URLs by itself and asks fsspec for none: it takes the open file.
    with system.open("digits:v0/labels.parquet") as file:
        assert pl.read_parquet(file, columns=["id"]).height == ROWS
    with system.open("digits:v0/labels.parquet") as file:
        assert pl.scan_parquet(file).filter(pl.col("id") < 3).collect().height == 3
    with system.open("digits:v0/labels.csv") as file:
        assert pl.read_csv(file).height == ROWS
    dataset = pa.dataset.dataset("digits:v0/labels.parquet", filesystem=system)
    lazy = pl.scan_pyarrow_dataset(dataset).filter(pl.col("id") < 7)
    assert lazy.collect().height == 7


def test_duckdb_queries_files(system: Any) -> None:
    with duckdb.connect() as connection:
        connection.register_filesystem(system)
        found = connection.sql("SELECT count(*) FROM 'art://digits:v0/labels.parquet'").fetchall()
        assert found == [(ROWS,)]
        found = connection.sql(
            "SELECT label, count(*) FROM read_parquet('art://digits:v0/parts/*/*.parquet', "
            "hive_partitioning = true) GROUP BY label ORDER BY label"
        ).fetchall()
        assert found == [(0, ROWS // 2), (1, ROWS // 2)]
        found = connection.sql("SELECT max(id) FROM 'art://digits:v0/labels.csv'").fetchall()
        assert found == [(ROWS - 1,)]


def test_dask_reads_parquet_and_csv() -> None:
    frame = dask.dataframe.read_parquet("art://digits:v0/parts")
    assert len(frame) == ROWS
    frame = dask.dataframe.read_csv("art://digits:latest/labels.csv", blocksize=50_000)
    assert frame.npartitions > 1
    assert int(frame.id.sum().compute(scheduler="threads")) == sum(range(ROWS))


def test_dask_reads_in_other_processes() -> None:
    frame = dask.dataframe.read_csv("art://digits:latest/labels.csv", blocksize=100_000)
    total = frame.id.sum().compute(scheduler="processes", num_workers=2)
    assert int(total) == sum(range(ROWS))


def test_numpy_loads_an_array(system: Any) -> None:
    with system.open("digits:v0/array.npy") as file:
        array = np.load(file)
    assert array.shape == (1000, 100)
    assert array[999, 99] == 99_999


def test_torch_loads_a_model(system: Any) -> None:
    with system.open("digits:v0/model.pt") as file:
        assert int(torch.load(file)["weights"][-1]) == 49_999


class Items(Dataset[int]):
    def __init__(self, system: Any, version: art.LoggedArtifact) -> None:
        self.system = system
        self.version = version

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> int:
        path = f"item-{index:02}.bin"
        data = self.system.cat_file(f"digits:latest/{path}")
        with self.version.open(path) as file:
            assert file.read() == data
        return int(data[0])


def test_workers_of_a_data_loader_read(system: Any, store: art.Store) -> None:
    items = Items(system, store.artifact("digits"))
    assert items[7] == 7
    with warnings.catch_warnings():
        # Forking beside the threads of pyarrow and others is what users do.
        warnings.simplefilter("ignore", DeprecationWarning)
        loader = DataLoader(items, batch_size=10, num_workers=2, multiprocessing_context="fork")
        assert sorted(int(x) for batch in loader for x in batch) == list(range(40))


def test_fsspec_caches_and_mappers_lie_over_it(tmp_path: Path) -> None:
    with fsspec.open(
        "filecache::art://digits:v0/labels.csv", "r", filecache={"cache_storage": str(tmp_path)}
    ) as file:
        assert file.readline() == "id,name\n"
    mapper = fsspec.get_mapper("art://digits:v0/parts")
    assert set(mapper) == {"label=0/part.parquet", "label=1/part.parquet"}
    assert mapper["label=0/part.parquet"][:4] == b"PAR1"

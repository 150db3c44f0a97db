"""Exports, opened with the libraries that people have for each format."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import PIL.Image
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from artstore.integrations.formats.exchange import export_table
from tests.unit.integrations.formats.tabling import (
    every_type_table,
    image_table,
    mask,
    picture,
)


def opened(data: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_pandas_and_csv_read_an_export_as_csv(tmp_path: Path) -> None:
    export_table(image_table(), "csv", tmp_path / "out.csv")
    frame = pd.read_csv(tmp_path / "out.csv")
    assert list(frame.columns) == ["id", "image", "image_info", "label", "text", "score"]
    assert np.array_equal(opened((tmp_path / frame["image"][3]).read_bytes()), picture(3))
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(rows[2]["image_info"])["caption"].startswith("caption 2")
    assert rows[0]["text"] == 'é"x\n,'


def test_pandas_and_duckdb_read_an_export_as_jsonl(tmp_path: Path) -> None:
    export_table(image_table(), "jsonl", tmp_path / "out.jsonl")
    frame = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert frame["id"].tolist() == [f"k{at}" for at in range(7)]
    assert opened((tmp_path / frame["image"][1]["path"]).read_bytes()).shape == (10, 12, 3)
    found = duckdb.sql(
        f"SELECT count(*) FROM read_json('{tmp_path}/out.jsonl') WHERE label = 'cat'"
    )
    assert found.fetchall() == [(2,)]


def test_polars_pandas_and_duckdb_read_an_export_as_parquet(tmp_path: Path) -> None:
    export_table(image_table(), "parquet", tmp_path / "out", shard_bytes=2000)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) > 1
    assert names[0] == f"data-00000-of-{len(names):05d}.parquet"
    frame = pl.read_parquet(tmp_path / "out" / "*.parquet")
    assert frame["id"].to_list() == [f"k{at}" for at in range(7)]
    cell = pd.read_parquet(tmp_path / "out")["image"][4]
    assert np.array_equal(opened(cell["bytes"]), picture(4))
    found = duckdb.sql(f"SELECT image_masks[1].mask.bytes FROM '{tmp_path}/out/*.parquet' LIMIT 1")
    assert np.array_equal(opened(found.fetchall()[0][0]), mask(0))


def test_every_type_is_what_parquet_calls_it(tmp_path: Path) -> None:
    export_table(every_type_table(), "parquet", tmp_path / "out.parquet")
    schema = pq.read_schema(tmp_path / "out.parquet")
    kinds = dict(zip(schema.names, map(str, schema.types), strict=True))
    assert kinds["when"] == "timestamp[us, tz=+02:00]"
    assert kinds["day"] == "date32[day]"
    assert kinds["blob"] == "binary"
    assert kinds["big"] == "int64"
    assert pd.read_parquet(tmp_path / "out.parquet")["f"].isna().sum() == 4


def test_the_files_of_a_saved_dataset_are_those_that_datasets_reads(tmp_path: Path) -> None:
    # As `datasets` 5.2 wrote and read them when this was made.
    export_table(image_table(), "hf", tmp_path / "out")
    root = tmp_path / "out"
    names = sorted(path.name for path in root.iterdir())
    assert names == ["data-00000-of-00001.arrow", "dataset_info.json", "state.json"]
    state = json.loads((root / "state.json").read_text())
    assert set(state) == {
        "_data_files",
        "_fingerprint",
        "_format_columns",
        "_format_kwargs",
        "_format_type",
        "_output_all_columns",
        "_split",
    }
    info = json.loads((root / "dataset_info.json").read_text())
    assert info["features"] == {
        "id": {"dtype": "string", "_type": "Value"},
        "image": {"_type": "Image"},
        "image_info": {"dtype": "string", "_type": "Value"},
        "image_masks": [
            {"layer": {"dtype": "string", "_type": "Value"}, "mask": {"_type": "Image"}}
        ],
        "label": {"dtype": "string", "_type": "Value"},
        "text": {"dtype": "string", "_type": "Value"},
        "score": {"dtype": "float64", "_type": "Value"},
    }
    with pa.ipc.open_stream(root / "data-00000-of-00001.arrow") as stream:
        told = json.loads(stream.schema.metadata[b"huggingface"])
        table = stream.read_all()
    assert told["info"]["features"] == info["features"]
    assert np.array_equal(opened(table["image"][5].as_py()["bytes"]), picture(5))


def test_a_fingerprint_of_a_dataset_is_of_its_rows(tmp_path: Path) -> None:
    prints = []
    for rows in (2, 2, 3):
        place = tmp_path / str(len(prints))
        export_table(image_table(rows), "hf", place)
        prints.append(json.loads((place / "state.json").read_text())["_fingerprint"])
    assert prints[0] == prints[1] != prints[2]


def test_a_sample_of_webdataset_lies_side_by_side(tmp_path: Path) -> None:
    export_table(image_table(3), "webdataset", tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as archive:
        names = archive.getnames()
        data = archive.extractfile("k2.png")
        assert data is not None
        assert np.array_equal(opened(data.read()), picture(2))
    assert names[:4] == ["k0.png", "k0.mask0.png", "k0.txt", "k0.json"]
    keys = [name.partition(".")[0] for name in names]
    assert keys == sorted(keys)


def test_the_same_rows_are_the_same_shards(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        export_table(image_table(3), "webdataset", tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_directory_of_images_has_one_directory_a_label(tmp_path: Path) -> None:
    export_table(image_table(4), "imagefolder", tmp_path / "out")
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("k*"))
    assert found == ["Käfer/k2.png", "cat/k0.png", "do%2Fg/k1.png", "k3.png"]
    lines = (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()
    # `image` is what Hugging Face calls the image of a row.
    columns = ["file_name", "image_info", "id", "label", "text", "score"]
    assert list(json.loads(lines[0])) == columns
    assert [json.loads(line)["file_name"] for line in lines] == [
        "cat/k0.png",
        "do%2Fg/k1.png",
        "Käfer/k2.png",
        "k3.png",
    ]


def test_coco_lists_images_annotations_and_categories(tmp_path: Path) -> None:
    export_table(image_table(2), "coco", tmp_path / "out")
    value = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [one["id"] for one in value["images"]] == [1, 2]
    assert [(c["id"], c["name"]) for c in value["categories"]] == [(1, "cat"), (2, "dog")]
    assert {one["image_id"] for one in value["annotations"]} == {1, 2}
    ids = [one["id"] for one in value["annotations"]]
    assert ids == sorted(set(ids))
    first = value["annotations"][0]
    assert first["bbox"] == [1.2000000000000002, 2.0, 4.8, 7.0]
    image = value["images"][1]
    assert opened((tmp_path / "out" / "images" / image["file_name"]).read_bytes()).shape == (
        image["height"],
        image["width"],
        3,
    )

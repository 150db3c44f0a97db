"""What is exported and imported again is the same table, and knows where it came from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import artstore as art
from artstore.integrations.formats.exchange import FORMATS, export_table, import_table
from artstore.tables.joined import JoinedTable
from artstore.tables.table import Table
from tests.unit.integrations.formats.tabling import (
    assert_equal,
    digest,
    every_type_table,
    image_table,
    logged,
    picture,
    rich_image,
)

ALL = sorted(FORMATS)
WITHOUT_IMAGES = ["csv", "hf", "json", "jsonl", "parquet", "webdataset"]
SINGLE = [(name, ending) for name in ALL for ending in FORMATS[name].endings]


@pytest.mark.parametrize("name", ALL)
def test_images_with_boxes_masks_classes_and_captions_come_back(name: str, tmp_path: Path) -> None:
    table = image_table()
    done = export_table(table, name, tmp_path / "out")
    assert (done.row_count, done.format) == (7, name)
    found = import_table(name, tmp_path / "out")
    assert_equal(found, table)
    assert found.keys == table.keys
    # Not only equal cells: the very same table, of which a store has everything already.
    assert digest(found) == digest(table)


@pytest.mark.parametrize(("name", "ending"), SINGLE)
def test_a_single_file_holds_the_same(name: str, ending: str, tmp_path: Path) -> None:
    table = image_table()
    export_table(table, name, tmp_path / f"out{ending}")
    assert (tmp_path / f"out{ending}").is_file()
    assert digest(import_table(name, tmp_path / f"out{ending}")) == digest(table)


@pytest.mark.parametrize("name", WITHOUT_IMAGES)
def test_cells_of_every_type_come_back(name: str, tmp_path: Path) -> None:
    table = every_type_table()
    export_table(table, name, tmp_path / "out")
    found = import_table(name, tmp_path / "out")
    assert_equal(found, table)
    assert found.column_types == table.column_types


@pytest.mark.parametrize("name", WITHOUT_IMAGES)
def test_a_table_without_rows_keeps_its_columns(name: str, tmp_path: Path) -> None:
    table = Table(["a", "b"], dtype={"a": int, "b": str})
    export_table(table, name, tmp_path / "out")
    found = import_table(name, tmp_path / "out")
    assert (found.columns, found.row_count) == (["a", "b"], 0)
    assert found.column_types == table.column_types


@pytest.mark.parametrize("name", ALL)
def test_many_rows_go_through_in_windows(name: str, tmp_path: Path) -> None:
    table = Table(["id", "image", "n"])
    for at in range(1100):
        table.add_data(at, art.Image(picture(at, 2, 2)), at % 7)
    export_table(table, name, tmp_path / "out", shard_bytes=60_000)
    found = import_table(name, tmp_path / "out")
    assert digest(found) == digest(table)
    if name in ("webdataset", "parquet", "hf"):
        data = [file for file in (tmp_path / "out").iterdir() if file.suffix != ".json"]
        assert len(data) > 1
        assert all(file.stat().st_size < 2_000_000 for file in data)


@pytest.mark.parametrize("name", ALL)
def test_an_export_of_a_version_names_it_and_the_import_notes_it(name: str, tmp_path: Path) -> None:
    table = logged(image_table(), tmp_path / "store")
    assert table.home is not None
    export_table(table, name, tmp_path / "out")
    found = import_table(name, tmp_path / "out")
    assert found.source_names == (table.home.name,)
    assert digest(found) == digest(table)
    again = logged(found, tmp_path / "other", "copy")
    assert_equal(again, table)


def test_a_joined_table_is_exported_with_both_sources(tmp_path: Path) -> None:
    truth = logged(image_table(), tmp_path / "store")
    guesses = Table(["id", "guess"], data=[[f"k{at}", at] for at in (5, 2, 9)])
    guesses = logged(guesses, tmp_path / "store", "guesses")
    joined = JoinedTable(guesses, truth, "id")
    export_table(joined, "jsonl", tmp_path / "out.jsonl")
    found = import_table("jsonl", tmp_path / "out.jsonl")
    assert_equal(found, joined)
    assert found.source_names == tuple(t.home.name for t in (guesses, truth) if t.home)


@pytest.mark.parametrize("name", ["hf", "jsonl", "parquet", "webdataset"])
def test_several_columns_of_images_and_missing_ones(name: str, tmp_path: Path) -> None:
    table = Table(["left", "Right", "n"])
    table.add_data(rich_image(1), None, 1)
    table.add_data(None, rich_image(2), 2)
    table.add_data(art.Image(picture(3), file_type="jpg"), rich_image(4), None)
    export_table(table, name, tmp_path / "out")
    assert_equal(import_table(name, tmp_path / "out"), _as_read(table, tmp_path))


def _as_read(table: Table, tmp_path: Path) -> Any:
    # A JPEG that was made of pixels is known by its file when it comes back.
    expected = Table(table.columns)
    for row in table.data:
        expected.add_data(*(_by_file(cell, tmp_path) for cell in row))
    return expected


def _by_file(cell: Any, tmp_path: Path) -> Any:
    if not isinstance(cell, art.Image) or cell.format != "jpeg":
        return cell
    (tmp_path / "made.jpg").write_bytes(cell.encoded().data)
    return art.Image(str(tmp_path / "made.jpg"))


@pytest.mark.parametrize("name", ["csv", "json", "jsonl"])
def test_text_formats_hold_media_of_all_kinds_and_within_lists(name: str, tmp_path: Path) -> None:
    table = Table(["clip", "several", "page", "counts", "labels"])
    sound = art.Audio(np.linspace(-1, 1, 80), sample_rate=8000, caption="beep")
    page = art.Html("<p>x</p>")
    counts = art.Histogram([1, 2, 2, 3], num_bins=3)
    table.add_data(sound, [rich_image(1), rich_image(2)], page, counts, art.Classes([]))
    table.add_data(None, [], None, None, None)
    table.add_data(art.Audio("https://example.org/a.wav"), None, None, None, None)
    export_table(table, name, tmp_path / "out")
    assert_equal(import_table(name, tmp_path / "out"), table)


def test_an_image_under_a_url_stays_one(tmp_path: Path) -> None:
    table = Table(["image"], data=[[art.Image("https://example.org/a.png", caption="far")]])
    for name in ("jsonl", "csv", "parquet"):
        export_table(table, name, tmp_path / name)
        (row,) = import_table(name, tmp_path / name).rows
        assert row["image"] == table.rows[0]["image"]


def test_imagefolder_gives_ids_and_labels_back_as_paths(tmp_path: Path) -> None:
    for path in ("cat/a b.png", "cat/deep/c.png", "dog/1.PNG"):
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / path).write_bytes(art.Image(picture(len(path))).encoded().data)
    table = import_table("imagefolder", tmp_path / "pets")
    assert [(row["id"], row["label"]) for row in table.rows] == [
        ("cat/a b.png", "cat"),
        ("cat/deep/c.png", "cat"),
        ("dog/1.PNG", "dog"),
    ]
    export_table(table, "imagefolder", tmp_path / "out")
    for row in table.rows:
        there = (tmp_path / "out" / row["id"]).read_bytes()
        assert there == (tmp_path / "pets" / row["id"]).read_bytes()
    assert digest(import_table("imagefolder", tmp_path / "out")) == digest(table)


def test_names_of_images_may_be_anything_and_clash(tmp_path: Path) -> None:
    table = Table(["id", "image"])
    keys = ["../../etc/passwd", "a", "a", "", "artstore-media/x.png", ".hidden.png", "x" * 300]
    for at, key in enumerate(keys):
        table.add_data(key, art.Image(picture(at)))
    for name in ("imagefolder", "coco", "webdataset"):
        export_table(table, name, tmp_path / name)
        assert_equal(import_table(name, tmp_path / name), table)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco", "imagefolder", "webdataset"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.tuples(JSON, st.text(max_size=8), st.floats(width=32)), max_size=12))
def test_any_cells_come_back_from_json_and_csv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, str, float]]
) -> None:
    table = Table(["mixed", "text", "number"], data=[list(row) for row in rows] or None)
    place = tmp_path_factory.mktemp("rows")
    for name in ("jsonl", "csv", "json"):
        export_table(table, name, place / name)
        assert_equal(import_table(name, place / name), table)


def test_nan_and_none_are_kept_apart_everywhere(tmp_path: Path) -> None:
    table = Table(["x", "text"], data=[[math.nan, "NaN"], [None, ""], [1.0, None], [2.0, "null"]])
    for name in WITHOUT_IMAGES:
        export_table(table, name, tmp_path / name)
        assert_equal(import_table(name, tmp_path / name), table)


def test_what_is_exported_tells_its_key_and_its_digest(tmp_path: Path) -> None:
    table = logged(image_table(), tmp_path / "store")
    export_table(table, "csv", tmp_path / "out.csv")
    told = json.loads((tmp_path / "out.csv.artstore-table.json").read_text())
    assert told["primary_key"] == ["id"]
    assert told["sources"] == [
        {"table": "default/digits:v0/examples", "digest": digest(table).hex()}
    ]

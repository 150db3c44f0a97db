"""Artifacts of W&B as versions: what becomes of each thing in them."""

from __future__ import annotations

import numpy as np
import pytest

from artstore.integrations.wandb_files.tables import WandbTable
from artstore.integrations.wandb_import import ImportedTable
from artstore.media.audio import Audio
from artstore.media.classes import Classes
from artstore.media.image import Image
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table
from tests.unit.integrations.importing import (
    BOX,
    IDS,
    ROWS,
    WIDE_BOX,
    beside,
    imported,
    increments,
    joined,
    numbers,
    refused,
)
from tests.unit.integrations.wandb_files.writing import (
    NUMBER,
    STRING,
    TIMESTAMP,
    b64,
    image_type,
    md5,
    optional,
    pixels,
    record_of,
)


def test_images_keep_pixels_boxes_masks_and_labels(store, written) -> None:
    kind = image_type(boxes={"truth": {"1": "lorry"}})
    records = [
        written.image(
            pixels(seed),
            caption=f"number {seed}",
            classes=written.classes("road", "car", "tree"),
            boxes={"truth": [BOX]},
            masks={"truth": written.mask(IDS * seed)},
        )
        for seed in (1, 2)
    ]
    written.table("t.table.json", {"id": NUMBER, "image": kind}, list(enumerate(records)))
    written.manifest()
    one = imported(store, written)
    assert one.summary.tables == (ImportedTable("t", 2, 2, image_count=2, media_count=2),)
    table = store.artifact("digits").get("t")
    for seed, row in zip((1, 2), table.rows, strict=True):
        image = row["image"]
        assert np.array_equal(image.to_numpy(), pixels(seed))
        assert image.caption == f"number {seed}"
        assert image.classes.names == {0: "road", 1: "car", 2: "tree"}
        assert np.array_equal(image.masks["truth"].to_numpy(), IDS * seed)
        assert image.masks["truth"].classes.names == {0: "road", 1: "car", 2: "tree"}
        (box,) = image.boxes["truth"].boxes
        assert (box.fractions, box.class_label) == ((0.1, 0.5, 0.25, 0.75), "lorry")
        assert (box.caption, box.scores) == ("a car", (("p", 0.5),))


def test_an_image_is_stored_as_the_file_that_it_was(store, written) -> None:
    record = written.image(pixels())
    written.table("t.table.json", {"image": image_type()}, [[record]])
    artifact = imported(store, written).artifact
    image = artifact.get("t").rows[0]["image"]
    with artifact.open(image.path) as file:
        assert file.read() == (written.root / record["path"]).read_bytes()


def test_a_join_runs_on_the_tables_that_were_imported(store, written) -> None:
    numbers(written, "truth.table.json", [[0, 5], [1, 6], [2, 7]])
    written.table("pred.table.json", {"uid": NUMBER, "guess": NUMBER}, [[2, 7], [0, 4]])
    joined(written, "pred.table.json", "truth.table.json", key=["uid", "id"])
    one = imported(store, written)
    assert one.summary.joined_tables == ("both",)
    assert [table.name for table in one.summary.tables] == ["pred", "truth"]
    both = store.artifact("digits").get("both")
    assert isinstance(both, JoinedTable)
    assert list(both.data) == [[2, 7, 2, 7], [0, 4, 0, 5]]
    assert {entry.path for entry in one.artifact.entries()} == {
        "both.joined-table.json",
        "pred.parquet",
        "truth.parquet",
    }


def test_a_joined_table_that_has_no_name_of_its_own_comes_with_the_join(store, written) -> None:
    numbers(written, "truth.table.json")
    numbers(written, "t2_140252404562704.table.json", [[1, 8]])
    joined(written, "truth.table.json", "t2_140252404562704.table.json")
    first = imported(store, written)
    assert [table.name for table in first.summary.tables] == ["both.joined/right", "truth"]
    assert list(first.artifact.get("both").data) == [[1, 6, 8]]
    # The same, as another process of W&B writes it.
    other = beside(written, "digits:v4")
    numbers(other, "truth.table.json")
    numbers(other, "t2_7.table.json", [[1, 8]])
    joined(other, "truth.table.json", "t2_7.table.json")
    again = imported(store, other)
    assert (again.is_new, again.artifact.version) == (False, "v0")
    assert again.wandb_digest != first.wandb_digest


def test_a_join_with_a_partitioned_table_runs_too(store, written) -> None:
    numbers(written, "parts/a.table.json", [[0, 5]])
    numbers(written, "parts/b.table.json", [[1, 6]])
    written.json(
        "whole.partitioned-table.json", {"_type": "partitioned-table", "parts_path": "parts/"}
    )
    numbers(written, "t.table.json", [[1, 7]])
    joined(written, "whole.partitioned-table.json", "t.table.json")
    artifact = imported(store, written).artifact
    assert list(artifact.get("both").data) == [[1, 6, 7]]
    whole = artifact.get("whole")
    assert isinstance(whole, PartitionedTable)
    assert list(whole.data) == [[0, 5], [1, 6]]
    assert list(artifact.get("parts/b").data) == [[1, 6]]


@pytest.mark.parametrize(
    ("types", "rows", "why"),
    [
        ({"uid": NUMBER}, [[1]], "no column 'id'"),
        ({"id": STRING}, [["1"]], "never equal"),
    ],
)
def test_a_join_that_cannot_run_is_left_out_and_its_tables_are_not(
    store, written, types, rows, why
) -> None:
    numbers(written, "t1_5.table.json")
    written.table("t.table.json", types, rows)
    joined(written, "t1_5.table.json", "t.table.json")
    one = imported(store, written)
    assert one.summary.joined_tables == ()
    (warning,) = one.summary.warnings
    assert "both.joined-table.json" in warning
    assert why in warning
    assert list(one.artifact.get("t1_5").data) == ROWS
    assert list(one.artifact.get("t").data) == rows


def test_columns_of_arrays_are_arrays(store, written) -> None:
    stacks = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    types = {"id": NUMBER, **written.arrays("5a", mat=stacks)}
    written.table("t.table.json", types, [[number, None] for number in range(4)])
    table = imported(store, written).artifact.get("t")
    for row, stack in zip(table.rows, stacks, strict=True):
        assert np.array_equal(row["mat"], stack)
        assert row["mat"].dtype == np.float32


def test_the_increments_of_a_table_are_one_table(store, written) -> None:
    increments(written, [[0, 1]], [[1, 2], [2, 3]], [[3, 4]])
    one = imported(store, written)
    assert [(table.name, table.row_count) for table in one.summary.tables] == [("log", 4)]
    assert list(one.artifact.get("log").data) == [[0, 1], [1, 2], [2, 3], [3, 4]]


def test_cells_are_what_they_were(store, written) -> None:
    types = {
        "text": optional(STRING),
        "time": TIMESTAMP,
        "record": record_of(a=NUMBER),
        "number": NUMBER,
    }
    rows = [["a", 1000, {"a": 1}, 0.5], [None, 2000, {"a": 2}, None]]
    written.table("t.table.json", types, rows)
    first, second = imported(store, written).artifact.get("t").rows
    assert (first["text"], first["record"], first["number"]) == ("a", {"a": 1}, 0.5)
    assert first["time"].isoformat() == "1970-01-01T00:00:01+00:00"
    assert second["text"] is None
    assert np.isnan(second["number"])


def test_keys_stay_keys(store, written) -> None:
    key = {"wb_type": "primaryKey"}
    written.table("media/tables/5a.table.json", {"id": key, "n": NUMBER}, [["a", 1]])
    foreign = {
        "wb_type": "foreignKey",
        "params": {"table": "media/tables/5a.table.json", "col_name": "id"},
    }
    index = {"wb_type": "foreignIndex", "params": {"table": "media/tables/5a.table.json"}}
    gone = {"wb_type": "foreignKey", "params": {"table": "x.table.json", "col_name": "id"}}
    written.table("t.table.json", {"a": foreign, "b": index, "c": gone}, [["a", 0, "z"]])
    one = imported(store, written)
    assert one.artifact.get("media/tables/5a").keys == {"primary_key": ["id"]}
    assert one.artifact.get("t").keys["foreign_keys"]["a"]["column"] == "id"
    assert list(one.artifact.get("t").data) == [["a", 0, "z"]]
    (warning,) = one.summary.warnings
    assert "column 'c' names rows of x.table.json" in warning


def test_class_sets_of_columns_and_by_themselves_are_kept(store, written) -> None:
    written.classes("dog", "cat", path="mine.classes.json")
    record = written.classes("road", "car")
    kind = {"wb_type": "classesId", "params": {"classes_obj": {**record, "_type": "classes-file"}}}
    written.table("t.table.json", {"class": kind}, [[1], [0]])
    artifact = imported(store, written).artifact
    assert artifact.get("mine") == Classes([{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}])
    assert artifact.get("media/classes/5a_cls").names == {0: "road", 1: "car"}
    assert list(artifact.get("t").data) == [[1], [0]]


def test_media_are_values_by_themselves(store, written) -> None:
    written.json("one.image-file.json", written.image(pixels(), caption="one"))
    sound = written.media("audio-file", "media/audio/5a/a.mp3", b"sound", caption="hear")
    written.json("two.audio-file.json", sound)
    one = imported(store, written)
    assert (one.summary.media_count, one.summary.image_count) == (2, 1)
    image = one.artifact.get("one")
    assert isinstance(image, Image)
    assert np.array_equal(image.to_numpy(), pixels())
    assert isinstance(one.artifact.get("two"), Audio)
    assert one.artifact.get("two").caption == "hear"


def test_a_mask_without_an_image_stays_the_files_that_it_was(store, written) -> None:
    record = written.mask(IDS)
    written.json("m.mask.json", record)
    one = imported(store, written)
    assert {entry.path for entry in one.artifact.entries()} == {"m.mask.json", record["path"]}
    assert "m.mask.json" in one.summary.warnings[0]


def test_files_are_files_and_what_lies_elsewhere_stays_there(store, written) -> None:
    written.file("notes.txt", b"hello")
    written.file("model/weights.bin", bytes(100_000))
    references = {
        "s3.bin": {
            "digest": "abc-3",
            "ref": "s3://bucket.invalid/key",
            "size": 9,
            "extra": {"etag": "abc-3", "versionID": "77"},
        },
        "gs.bin": {
            "digest": "CJ+=",
            "ref": "gs://bucket.invalid/key",
            "size": 9,
            "extra": {"etag": "CJ+=", "versionID": 1234},
        },
        "page.html": {
            "digest": '"x"',
            "ref": "https://host.invalid/page.html",
            "size": 5,
            "extra": {"etag": '"x"'},
        },
        "disk.bin": {"digest": b64(md5(b"x")), "ref": "file:///etc/passwd", "size": 1},
        "other.bin": {"digest": "x", "ref": "wandb-artifact://0123/other.bin", "size": 0},
    }
    written.manifest(references)
    one = imported(store, written)
    assert (one.summary.file_count, one.summary.reference_count) == (2, 5)
    assert one.verified_count == 2
    entries = {entry.path: entry for entry in one.artifact.entries()}
    assert set(entries) == {"notes.txt", "model/weights.bin", *references}
    assert entries["s3.bin"].extra == {
        "url": "s3://bucket.invalid/key",
        "etag": '"abc-3"',
        "version_id": "77",
        "size_bytes": 9,
    }
    assert entries["gs.bin"].extra["etag"] == "CJ+="
    assert entries["gs.bin"].extra["version_id"] == "1234"
    assert entries["page.html"].extra == {"url": "https://host.invalid/page.html"}
    assert entries["disk.bin"].extra == {"url": "file:///etc/passwd"}
    told = " ".join(one.summary.warnings)
    assert "of this machine" in told
    assert "disk.bin" in told
    assert "other.bin" in told
    with one.artifact.open("notes.txt") as file:
        assert file.read() == b"hello"


def test_an_image_that_lies_elsewhere_stays_there(store, written) -> None:
    url = "https://host.invalid/x.png"
    record = {
        "_type": "image-file",
        "path": "media/images/5a/x.png",
        "sha256": "5a",
        "format": "png",
    }
    written.table("t.table.json", {"image": image_type()}, [[record]])
    written.manifest({record["path"]: {"digest": url, "ref": url}})
    one = imported(store, written)
    (image,) = one.artifact.get("t").get_column("image")
    assert one.artifact.entry(image.path).url == url
    assert one.summary.reference_count == 0


@pytest.mark.parametrize("extra", [{"etag": 5, "versionID": []}, {"etag": "", "versionID": True}])
def test_what_no_etag_and_no_version_is_is_not_noted(store, written, extra) -> None:
    reference = {"digest": "x", "ref": "s3://bucket.invalid/key", "extra": extra}
    written.manifest({"r.bin": reference})
    (entry,) = imported(store, written).artifact.entries()
    assert entry.extra == {"url": "s3://bucket.invalid/key"}


# names --------------------------------------------------------------------------


def test_everything_is_found_by_the_name_that_it_was_added_by(store, written) -> None:
    for path in ("deep/er/t.table.json", "mytable.json", "x.parquet.table.json"):
        numbers(written, path)
    artifact = imported(store, written).artifact
    for name in ("deep/er/t", "deep/er/t.table.json", "mytable.json", "x.parquet"):
        assert isinstance(artifact.get(name), Table), name


def test_a_table_gives_way_where_its_path_is_that_of_something_else(store, written) -> None:
    written.file("a.parquet", b"a file")
    written.file("b.parquet/part0.bin", b"a file below")
    written.file("c", b"a file above")
    for path in ("a.table.json", "b.table.json", "log.table.json"):
        numbers(written, path)
    increments(written, [[7, 7]])
    numbers(written, "pred.table.json")
    joined(written, "a.table.json", "pred.table.json")
    one = imported(store, written)
    names = [table.name for table in one.summary.tables]
    assert names == ["a.table", "b.table", "log", "log.table", "pred"]
    assert len(one.summary.warnings) == 3
    assert "a.table.json is called 'a.table' here" in one.summary.warnings[0]
    assert list(one.artifact.get("log.table").data) == [[7, 7]]
    assert list(one.artifact.get("a.table").data) == ROWS
    assert one.artifact.get("both").row_count == 2
    with one.artifact.open("a.parquet") as file:
        assert file.read() == b"a file"


# what does not fit --------------------------------------------------------------------------


def test_boxes_outside_of_their_image_are_refused_or_cut_off(store, written) -> None:
    record = written.image(pixels(), boxes={"truth": [WIDE_BOX]})
    written.table("t.table.json", {"image": image_type()}, [[record]])
    refused(store, written, "box-outside")
    one = imported(store, written, clip_boxes=True)
    (box,) = one.artifact.get("t").rows[0]["image"].boxes["truth"].boxes
    assert box.fractions == (0.0, 1.0, 0.25, 0.75)


def test_a_column_that_no_table_has_is_told_with_its_file(store, written) -> None:
    written.table("t.table.json", {"": NUMBER}, [[1]])
    error = refused(store, written, "columns-invalid")
    assert "t.table.json" in str(error)


def test_a_cell_that_no_column_holds_is_told_with_its_row(store, written) -> None:
    deep: list = []
    for _ in range(40):
        deep = [deep]
    written.table("t.table.json", {"x": {"wb_type": "any"}}, [[1], [deep]])
    error = refused(store, written, "cell-unsupported")
    assert "row 1 of t.table.json" in str(error)


def test_a_table_without_columns_is_left_out(store, written) -> None:
    written.table("empty.table.json", {}, [[], []])
    written.file("notes.txt", b"hello")
    one = imported(store, written)
    assert [entry.path for entry in one.artifact.entries()] == ["notes.txt"]
    assert "empty.table.json" in one.summary.warnings[0]


@pytest.mark.parametrize("parts", [{"a.table.json": "x", "b.table.json": "y"}, {}])
def test_parts_that_do_not_fit_are_tables_still(store, written, parts) -> None:
    for path, column in parts.items():
        written.table(f"parts/{path}", {column: NUMBER}, [[1]])
    numbers(written)
    parts_path = "parts" if parts else "/"
    written.json(
        "w.partitioned-table.json", {"_type": "partitioned-table", "parts_path": parts_path}
    )
    one = imported(store, written)
    assert one.summary.partitioned_tables == ()
    assert "w.partitioned-table.json is left out" in one.summary.warnings[0]
    assert len(one.summary.tables) == 1 + len(parts)


# cost --------------------------------------------------------------------------


class Row(list):
    """A row that is counted as long as somebody holds it."""

    alive = 0
    most = 0

    def __init__(self, cells: list) -> None:
        super().__init__(cells)
        Row.alive += 1
        Row.most = max(Row.most, Row.alive)

    def __del__(self) -> None:
        Row.alive -= 1


def test_rows_are_not_gathered(store, written, monkeypatch) -> None:
    rows_of = WandbTable.rows
    monkeypatch.setattr(WandbTable, "rows", lambda table: map(Row, rows_of(table)))
    numbers(written, rows=[[number, 1] for number in range(5000)])
    imported(store, written)
    assert 1 <= Row.most <= 3

"""Files that other programs wrote: what each format of theirs becomes."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import artstore as art
from artstore.errors import DamagedDataError, InvalidInputError, LimitExceededError
from artstore.integrations.formats.exchange import export_table, import_table
from artstore.media.outlines import runs_of_mask, unpacked_runs
from tests.unit.integrations.formats.tabling import assert_equal, digest, picture


def png(seed: int = 0, width: int = 12, height: int = 10) -> bytes:
    return art.Image(picture(seed, width, height)).encoded().data


def write(place: Path, data: bytes | str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data if isinstance(data, bytes) else data.encode())
    return place


# images in directories ------------------------------------------------------------------


def test_parts_become_a_column_or_are_read_by_name(tmp_path: Path) -> None:
    for path in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png"):
        write(tmp_path / path, png(len(path)))
    table = import_table("imagefolder", tmp_path)
    assert table.columns == ["id", "image", "label", "split"]
    assert table.get_column("split") == ["test", "train", "train"]
    assert table.get_column("label") == ["cat", "cat", "dog"]
    train = import_table("imagefolder", tmp_path, split="train")
    assert train.columns == ["id", "image", "label"]
    assert train.get_column("id") == ["train/cat/1.png", "train/dog/2.png"]


def test_a_flat_directory_has_no_labels_and_other_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "1.png", png())
    write(tmp_path / "README.md", "x")
    write(tmp_path / ".hidden.png", "x")
    table = import_table("imagefolder", tmp_path)
    assert table.columns == ["id", "image"]
    assert table.keys["primary_key"] == ["id"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_metadata_of_hugging_face_says_rows_and_columns(tmp_path: Path, ending: str) -> None:
    for name in ("b/2.png", "a.png", "not-listed.png"):
        write(tmp_path / name, png(len(name)))
    if ending == "csv":
        text = "file_name,text,n\na.png,first,1\nb/2.png,second,2\n"
    else:
        rows = [{"file_name": "a.png", "text": "first", "n": 1}]
        rows += [{"file_name": "b/2.png", "text": "second", "n": 2}]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
    write(tmp_path / f"metadata.{ending}", text)
    table = import_table("imagefolder", tmp_path)
    assert table.columns == ["id", "image", "text", "n"]
    assert table.get_column("id") == ["a.png", "b/2.png"]
    assert table.get_column("n") == [1, 2]
    assert table.rows[1]["image"].encoded().data == png(len("b/2.png"))


def test_metadata_of_each_part_is_relative_to_it(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "1.png", png())
        write(tmp_path / split / "metadata.csv", f"file_name,text\n1.png,{split}\n")
    table = import_table("imagefolder", tmp_path)
    assert table.columns == ["id", "image", "text", "split"]
    assert table.get_column("id") == ["test/1.png", "train/1.png"]
    assert table.get_column("split") == table.get_column("text") == ["test", "train"]


def test_metadata_above_the_parts_speaks_for_all_of_them(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "1.png", png())
    write(tmp_path / "metadata.csv", "file_name,n\ntrain/1.png,1\ntest/1.png,2\n")
    table = import_table("imagefolder", tmp_path)
    assert table.get_column("id") == ["train/1.png", "test/1.png"]
    assert import_table("imagefolder", tmp_path, split="test").get_column("n") == [2]


def test_labels_may_be_called_as_parts_are(tmp_path: Path) -> None:
    table = art.Table(["image", "label"])
    for label in ("train", "test"):
        table.add_data(art.Image(picture(len(label))), label)
    export_table(table, "imagefolder", tmp_path / "out")
    assert_equal(import_table("imagefolder", tmp_path / "out"), table)


# CSV, JSON ------------------------------------------------------------------------------


def test_types_of_csv_are_inferred_over_all_rows(tmp_path: Path) -> None:
    count = 200_000
    lines = [f"{n},{n},t{n % 3},true,2020-01-0{1 + n % 9}," for n in range(count)]
    lines += ["0.5,x,NA,,2020-01-01 12:00:00,", ",,,false,,"]
    write(tmp_path / "a.csv", "\n".join(["f,mixed,text,flag,when,none", *lines]) + "\n")
    table = import_table("csv", tmp_path / "a.csv")
    kinds = {name: str(kind) for name, kind in table.column_types.items()}
    assert kinds == {
        "f": "float64",
        "mixed": "text",
        "text": "text",
        "flag": "bool",
        "when": "timestamp[us]",
        "none": "null",
    }
    assert table.row_count == count + 2
    assert table.rows[count]["mixed"] == "x"
    assert table.rows[count]["text"] == "NA"


def test_columns_of_paths_become_images_when_told(tmp_path: Path) -> None:
    write(tmp_path / "img" / "1.png", png())
    write(tmp_path / "a.csv", "file,n\nimg/1.png,1\n,2\n")
    write(tmp_path / "a.jsonl", '{"file": "img/1.png", "n": 1}\n\n{"n": 2}\n')
    for name in ("csv", "jsonl"):
        table = import_table(name, tmp_path / f"a.{name}", image_columns=["file"])
        assert table.rows[0]["file"].encoded().data == png()
        assert table.rows[1]["file"] is None
        assert table.get_column("n") == [1, 2]


def test_json_rows_may_have_different_members(tmp_path: Path) -> None:
    rows = [{"a": 1}, {"b": [1, {"c": None}], "a": 2.5}, {"a": "x"}]
    write(tmp_path / "a.json", "\ufeff" + json.dumps(rows))
    table = import_table("json", tmp_path / "a.json")
    assert table.columns == ["a", "b"]
    assert table.get_column("a") == [1, 2.5, "x"]


# Parquet, Hugging Face ------------------------------------------------------------------


def hf_schema(fields: dict[str, Any], features: dict[str, Any]) -> Any:
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(fields.items()), metadata=metadata)


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def hf_table() -> Any:
    schema = hf_schema(
        {"image": IMAGE, "label": pa.int64()},
        {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}},
    )
    images = [{"bytes": png(1), "path": "1.png"}, {"bytes": None, "path": "img/2.png"}, None]
    return pa.table({"image": images, "label": [1, 0, -1]}, schema=schema)


def test_features_of_hugging_face_say_what_is_an_image_and_how_labels_are_called(
    tmp_path: Path,
) -> None:
    write(tmp_path / "img" / "2.png", png(2))
    pq.write_table(hf_table(), tmp_path / "train-00000-of-00001.parquet")
    for name in ("parquet", "hf"):
        table = import_table(name, tmp_path)
        assert table.columns == ["image", "label", "label_name"]
        assert table.get_column("label_name") == ["dog", "cat", None]
        assert [r["image"] and r["image"].encoded().data for r in table.rows] == [
            png(1),
            png(2),
            None,
        ]


def test_a_saved_dataset_in_parts_is_read_by_its_state(tmp_path: Path) -> None:
    write(tmp_path / "dataset_dict.json", json.dumps({"splits": ["train", "test"]}))
    for split in ("train", "test"):
        folder = tmp_path / split
        write(folder / "img" / "2.png", png(2))
        write(folder / "data-00000-of-00001.arrow", b"")
        with pa.ipc.new_stream(folder / "data-00000-of-00001.arrow", hf_table().schema) as out:
            out.write_table(hf_table().slice(0, 1))
        files = [{"filename": "data-00000-of-00001.arrow"}]
        write(folder / "state.json", json.dumps({"_data_files": files}))
    table = import_table("hf", tmp_path)
    assert table.get_column("split") == ["train", "test"]
    assert import_table("hf", tmp_path, split="test").row_count == 1


def test_embedded_images_of_a_plain_parquet_file_are_found(tmp_path: Path) -> None:
    cells = [{"bytes": png(at), "path": None} for at in range(3)]
    other = [{"bytes": b"RIFF....WAVE", "path": "a.wav"}] * 3
    pq.write_table(pa.table({"x": cells, "sound": other}), tmp_path / "a.parquet")
    table = import_table("parquet", tmp_path / "a.parquet")
    assert isinstance(table.rows[2]["x"], art.Image)
    assert table.rows[2]["sound"] == {"bytes": b"RIFF....WAVE", "path": "a.wav"}


# WebDataset -----------------------------------------------------------------------------


def tar(place: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(place, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return place


def test_endings_of_webdataset_become_columns(tmp_path: Path) -> None:
    first = {"./a/1.png": png(1), "./a/1.cls": b"3\n", "./a/1.seg.png": png(2), ".DS_Store": b""}
    second = {"2.png": png(3), "2.txt": "Käfer".encode(), "2.json": b'{"x": [1]}', "2.npy": b"?"}
    tar(tmp_path / "000.tar", first)
    tar(tmp_path / "001.tar", second)
    table = import_table("webdataset", tmp_path)
    assert table.columns == ["__key__", "png", "cls", "seg.png", "txt", "json", "npy"]
    assert table.keys["primary_key"] == ["__key__"]
    one, two = table.rows
    assert (one["__key__"], one["cls"], one["txt"]) == ("a/1", 3, None)
    assert one["seg.png"].encoded().data == png(2)
    assert (two["txt"], two["json"], two["npy"]) == ("Käfer", {"x": [1]}, b"?")


# COCO -----------------------------------------------------------------------------------


def coco(**changes: Any) -> dict[str, Any]:
    value = {
        "info": {"year": 2017},
        "annotations": [
            {
                "id": 7,
                "image_id": 42,
                "category_id": 18,
                "bbox": [1, 2, 6, 5],
                "area": 30.0,
                "iscrowd": 0,
                "segmentation": [[1, 2, 7, 2, 7, 7, 1, 7]],
            },
            {
                "id": 8,
                "image_id": 42,
                "category_id": 1,
                "bbox": [0.5, 0, 11.9, 2],
                "area": 2,
                "iscrowd": 1,
                "segmentation": {"size": [10, 12], "counts": [0, 2, 118]},
                "score": 0.5,
            },
        ],
        "images": [
            {"id": 42, "file_name": "a.png", "width": 12, "height": 10, "license": 1},
            {"id": 5, "file_name": "b.png", "width": 12, "height": 10},
        ],
        "categories": [
            {"id": 18, "name": "dog", "supercategory": "animal"},
            {"id": 1, "name": "person"},
        ],
    }
    return {**value, **changes}


def coco_place(place: Path, value: dict[str, Any] | None = None) -> Path:
    for at, name in enumerate(("a.png", "b.png")):
        write(place / "val2017" / name, png(at))
    return write(place / "annotations" / "instances_val2017.json", json.dumps(value or coco()))


def test_coco_becomes_rows_with_boxes_masks_and_the_annotations_themselves(
    tmp_path: Path,
) -> None:
    table = import_table("coco", coco_place(tmp_path))
    assert table.columns == ["id", "file_name", "image", "license", "annotations"]
    assert table.get_column("id") == [42, 5]
    row = table.rows[0]
    image = row["image"]
    assert dict(image.classes.names) == {1: "person", 18: "dog"}
    first, second = image.boxes["ground_truth"].boxes
    assert (first.class_label, first.pixels) == ("dog", (1.0, 7.0, 2.0, 7.0))
    # It reached out by rounding.
    assert second.pixels == (0.5, 12.0, 0.0, 2.0)
    assert second.scores == (("score", 0.5),)
    ids = image.masks["ground_truth"].to_numpy()
    assert ids[0, 0] == ids[1, 0] == 1
    assert ids[4, 4] == 18
    assert ids[9, 11] == 0
    assert [one["id"] for one in row["annotations"]] == [7, 8]
    assert row["annotations"][0]["polygons"] == [[1, 2, 7, 2, 7, 7, 1, 7]]
    assert row["annotations"][1]["rle"] == {"size": [10, 12], "counts": [0, 2, 118]}
    assert table.rows[1]["annotations"] == []


def test_coco_goes_out_with_the_ids_that_it_came_with(tmp_path: Path) -> None:
    table = import_table("coco", coco_place(tmp_path))
    export_table(table, "coco", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "annotations.json").read_text())
    wanted = coco()
    assert found["annotations"] == wanted["annotations"]
    for one, other in zip(found["images"], wanted["images"], strict=True):
        assert {name: one[name] for name in ("id", "file_name", "width")} == {
            name: other[name] for name in ("id", "file_name", "width")
        }
    assert [(c["id"], c["name"]) for c in found["categories"]] == [(1, "person"), (18, "dog")]
    again = import_table("coco", tmp_path / "out")
    assert_equal(again, table)
    assert digest(again) == digest(table)


def test_a_box_that_was_moved_in_another_tool_is_where_it_was_moved_to(tmp_path: Path) -> None:
    image = art.Image(picture(0), boxes={"truth": {"box_data": [_box(0.25)]}})
    table = art.Table(["image"], data=[[image]])
    export_table(table, "coco", tmp_path / "out")
    place = tmp_path / "out" / "annotations.json"
    value = json.loads(place.read_text())
    value["annotations"][0]["bbox"][0] = 6
    place.write_text(json.dumps(value))
    (row,) = import_table("coco", tmp_path / "out").rows
    (box,) = row["image"].boxes["truth"].boxes
    assert box.pixels == (6.0, 9.0, 0.0, 5.0)


def _box(left: float) -> dict[str, Any]:
    position = {"minX": left, "maxX": left + 0.25, "minY": 0.0, "maxY": 0.5}
    return {"position": position, "class_id": 3}


def test_category_zero_is_kept_apart_from_the_background(tmp_path: Path) -> None:
    value = coco(categories=[{"id": 0, "name": "none"}, {"id": 1, "name": "person"}])
    for one in value["annotations"]:
        one["category_id"] = 0
    table = import_table("coco", coco_place(tmp_path, value))
    ids = table.rows[0]["image"].masks["ground_truth"].to_numpy()
    assert (ids[4, 4], ids[9, 11]) == (0, 255)


def test_categories_beyond_255_need_to_go_without_masks(tmp_path: Path) -> None:
    value = coco(categories=[{"id": 1, "name": "a"}, {"id": 18, "name": "b"}])
    value["categories"].append({"id": 1203, "name": "zucchini"})
    place = coco_place(tmp_path, value)
    with pytest.raises(InvalidInputError) as caught:
        import_table("coco", place)
    assert caught.value.code == "mask-invalid"
    table = import_table("coco", place, masks=False)
    assert table.rows[0]["image"].masks == {}
    assert len(table.rows[0]["annotations"]) == 2


def test_packed_runs_are_those_that_coco_packs() -> None:
    # Packed by pycocotools 2.0 of the array below.
    inside = np.zeros((10, 12), bool)
    inside[2:5, 3:7] = True
    inside[7, 7] = True
    assert runs_of_mask(inside) == [32, 3, 7, 3, 7, 3, 7, 3, 12, 1, 42]
    assert unpacked_runs("P137000005Nn0") == tuple(runs_of_mask(inside))


@pytest.mark.parametrize("text", ["P", "~", "o" * 40, "P1\ud800"])
def test_packed_runs_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        unpacked_runs(text)
    assert caught.value.code == "mask-invalid"


# what is wrong with them ----------------------------------------------------------------


def _coco_of(one: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return coco(annotations=[{**coco()["annotations"][0], **one}], **changes)


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("an unknown image", _coco_of({"image_id": 3}), "exchange-file-damaged", "annotation 7"),
    ("an unknown category", _coco_of({"category_id": 3}), "exchange-file-damaged", "category 3"),
    ("no images", {"annotations": []}, "exchange-file-damaged", "no images"),
    ("a box far out", _coco_of({"bbox": [1, 2, 60, 5]}), "box-outside", "image 42"),
    ("a negative box", _coco_of({"bbox": [5, 5, -2, 2]}), "exchange-file-damaged", "annotation 7"),
    ("a box of texts", _coco_of({"bbox": ["1", 2, 3, 4]}), "exchange-file-damaged", "annotation 7"),
    ("an id twice", coco(images=[coco()["images"][0]] * 2), "exchange-file-damaged", "images[1]"),
    (
        "a huge id",
        coco(images=[{"id": 2**70, "file_name": "a"}]),
        "exchange-file-damaged",
        "images",
    ),
    (
        "a category twice",
        coco(categories=coco()["categories"] * 2),
        "exchange-file-damaged",
        "category 18",
    ),
    (
        "runs of another size",
        _coco_of({"segmentation": {"size": [9, 9], "counts": [81]}}),
        "exchange-file-damaged",
        "annotation 7",
    ),
    (
        "runs that are too few",
        _coco_of({"segmentation": {"size": [10, 12], "counts": [3, 4]}}),
        "mask-invalid",
        "image 42",
    ),
    (
        "a path that leads out",
        coco(images=[{**coco()["images"][0], "file_name": "../../../etc/passwd"}]),
        "exchange-path-refused",
        "../../../etc/passwd",
    ),
    (
        "an absolute path",
        coco(images=[{**coco()["images"][0], "file_name": "/etc/passwd"}]),
        "exchange-path-refused",
        "/etc/passwd",
    ),
    (
        "a missing image",
        coco(images=[{**coco()["images"][0], "file_name": "gone.png"}]),
        "exchange-file-missing",
        "gone.png",
    ),
    (
        "another size",
        coco(images=[{**coco()["images"][0], "width": 640}]),
        "exchange-file-damaged",
        "640",
    ),
]


@pytest.mark.parametrize(
    ("value", "code", "told"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_what_is_wrong_with_coco_is_told(
    tmp_path: Path, value: dict[str, Any], code: str, told: str
) -> None:
    with pytest.raises(art.ArtstoreError) as caught:
        import_table("coco", coco_place(tmp_path, value))
    assert (caught.value.code, told in str(caught.value)) == (code, True), str(caught.value)


def test_boxes_far_out_are_cut_off_when_told(tmp_path: Path) -> None:
    place = coco_place(tmp_path, _coco_of({"bbox": [1, 2, 60, 5]}))
    table = import_table("coco", place, clip_boxes=True)
    assert table.rows[0]["image"].boxes["ground_truth"].boxes[0].pixels == (1.0, 12.0, 2.0, 7.0)
    assert table.rows[0]["annotations"][0]["bbox"] == [1, 2, 60, 5]


def test_an_image_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    data = bytearray(png())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    write(tmp_path / "a" / "bomb.png", bytes(data))
    with pytest.raises(LimitExceededError) as caught:
        import_table("imagefolder", tmp_path / "a")
    assert caught.value.code == "image-too-large"
    assert "bomb.png" in str(caught.value)
    tar(tmp_path / "a.tar", {"1.png": bytes(data)})
    with pytest.raises(LimitExceededError, match=r"1\.png"):
        import_table("webdataset", tmp_path / "a.tar")


def test_an_image_that_is_cut_short_is_told_with_its_file_and_member(tmp_path: Path) -> None:
    write(tmp_path / "a" / "cut.png", png()[:100])
    with pytest.raises(DamagedDataError, match=r"cut\.png"):
        import_table("imagefolder", tmp_path / "a")
    tar(tmp_path / "b.tar", {"1.png": png(), "2.png": png()[:100]})
    with pytest.raises(DamagedDataError, match=r"b\.tar, member '2\.png'"):
        import_table("webdataset", tmp_path / "b.tar")
    cells = [{"bytes": png()[:100], "path": "x.png"}]
    pq.write_table(pa.table({"x": cells}), tmp_path / "c.parquet")
    with pytest.raises(DamagedDataError, match=r"c\.parquet, row 0, x\.png"):
        import_table("parquet", tmp_path / "c.parquet")

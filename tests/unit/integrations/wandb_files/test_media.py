"""Media out of W&B's records: in cells of tables, and in files of one value."""

from __future__ import annotations

import base64
import os
import wave

import numpy as np
import pytest

from artstore.digest import digest_of
from artstore.errors import ArtstoreError, DamagedDataError, InvalidInputError, NotFoundError
from artstore.integrations.wandb_files.directory import WandbDirectory
from artstore.media.audio import Audio
from artstore.media.bokeh import Bokeh
from artstore.media.boxes import BoundingBoxes
from artstore.media.classes import Classes
from artstore.media.html import Html
from artstore.media.image import Image
from artstore.media.masks import Mask
from artstore.media.molecule import Molecule
from artstore.media.plotly import Plotly
from artstore.media.scene import Scene
from artstore.media.video import Video
from tests.unit.integrations.wandb_files.writing import (
    ANY,
    NUMBER,
    Written,
    b64,
    image_type,
    list_of,
    md5,
    optional,
    pixels,
    record_of,
    replaced,
    sha256,
)

BOX = {
    "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.25, "maxY": 0.75},
    "class_id": 1,
    "box_caption": "a car",
    "scores": {"p": 0.5},
}
PIXEL_BOX = {"position": {"middle": [4, 3], "width": 4, "height": 2}, "domain": "pixel"}
IDS = np.eye(6, 8, dtype=np.uint8)


def cell(written: Written, record: dict, kind: dict | None = None, **options) -> Image:
    """What a record is in the cell of a table."""
    written.table("t.table.json", {"n": NUMBER, "image": kind or image_type()}, [[1, record]])
    directory = WandbDirectory(written.root, **options)
    ((_, image),) = directory.table("t.table.json").rows()
    return image


def refused(written: Written, record: dict, code: str, **options) -> ArtstoreError:
    with pytest.raises(ArtstoreError) as caught:
        cell(written, record, **options)
    assert caught.value.code == code
    assert "row 0, column 'image' of t.table.json" in str(caught.value)
    return caught.value


def test_an_image_has_its_pixels_caption_and_grouping(written) -> None:
    record = written.image(pixels(), caption="one", grouping="left")
    image = cell(written, record)
    assert np.array_equal(image.to_numpy(), pixels())
    assert (image.width, image.height, image.format) == (8, 6, "png")
    assert (image.caption, image.grouping) == ("one", "left")
    assert (image.classes, image.boxes, image.masks) == (None, {}, {})
    # The file is stored as it is.
    assert image.digest == digest_of((written.root / record["path"]).read_bytes())


def test_boxes_masks_and_classes_come_with_it(written) -> None:
    record = written.image(
        pixels(),
        classes=written.classes("road", "car", "tree"),
        boxes={"truth": [BOX, PIXEL_BOX], "guess": []},
        masks={"truth": written.mask(IDS)},
    )
    image = cell(written, record)
    assert image.classes is not None
    assert image.classes.names == {0: "road", 1: "car", 2: "tree"}
    first, second = image.boxes["truth"].boxes
    assert (first.fractions, first.class_label) == ((0.1, 0.5, 0.25, 0.75), "car")
    assert (first.caption, first.scores) == ("a car", (("p", 0.5),))
    assert (second.pixels, second.class_id) == ((2.0, 6.0, 2.0, 4.0), None)
    assert len(image.boxes["guess"]) == 0
    assert np.array_equal(image.masks["truth"].to_numpy(), IDS)
    assert image.masks["truth"].classes.names == image.classes.names


def test_layers_have_the_names_that_their_column_has_for_them(written) -> None:
    kind = image_type(
        boxes={"truth": {"1": "lorry"}},
        masks={"truth": {"0": "sky", "1": "tree"}},
        classes={"1": "anything"},
    )
    record = written.image(pixels(), boxes={"truth": [BOX]}, masks={"truth": written.mask(IDS)})
    image = cell(written, record, optional(kind))
    assert image.boxes["truth"].boxes[0].class_label == "lorry"
    assert image.masks["truth"].classes.names == {0: "sky", 1: "tree"}
    assert image.classes.names == {1: "anything"}


def test_a_class_that_nobody_named_is_called_as_w_and_b_calls_it(written) -> None:
    record = written.image(
        pixels(),
        classes=written.classes("road"),
        boxes={"truth": [BOX]},
        masks={"truth": written.mask(IDS * 7)},
    )
    image = cell(written, record)
    assert image.boxes["truth"].boxes[0].class_label == "class_1"
    assert image.masks["truth"].classes.names == {0: "road", 7: "class_7"}
    del record["classes"]
    image = cell(written, record)
    assert image.boxes["truth"].boxes[0].class_label == "class_1"
    assert image.masks["truth"].classes is None


def test_fields_of_a_box_that_w_and_b_does_not_read_are_left_out(written) -> None:
    image = cell(written, written.image(pixels(), boxes={"x": [BOX | {"colour": "red"}]}))
    assert image.boxes["x"].boxes[0].caption == "a car"


def test_boxes_may_lie_in_a_file_of_their_own(written) -> None:
    place = written.json(
        "media/metadata/boxes2D/a.boxes2D.json", {"box_data": [BOX], "class_labels": {"1": "car"}}
    )
    data = (written.root / place).read_bytes()
    record = written.image(
        pixels(), boxes={"x": {"_type": "boxes2D", "path": place, "sha256": sha256(data)}}
    )
    assert cell(written, record).boxes["x"].boxes[0].class_label == "car"


def test_a_box_outside_of_its_image_is_told_or_cut_off(written) -> None:
    wide = {"position": {"minX": -0.5, "maxX": 1.5, "minY": 0.25, "maxY": 0.75}}
    far = {"position": {"middle": [8, 3], "width": 4, "height": 2}, "domain": "pixel"}
    record = written.image(pixels(), boxes={"x": [BOX, wide, far]})
    assert "box 1 of layer 'x'" in str(refused(written, record, "box-outside"))
    boxes = cell(written, record, clip_boxes=True).boxes["x"].boxes
    assert boxes[0].fractions == (0.1, 0.5, 0.25, 0.75)
    assert boxes[1].fractions == (0.0, 1.0, 0.25, 0.75)
    assert boxes[2].pixels == (6.0, 8.0, 2.0, 4.0)


def test_clipping_hides_nothing_else_that_is_wrong_with_a_box(written) -> None:
    for position in (5, {}, {"minX": "a"}, {"middle": 5}, {"middle": [1, "a"]}):
        record = written.image(pixels(), boxes={"x": [{"position": position}]})
        refused(written, record, "box-invalid", clip_boxes=True)


def test_images_in_lists_and_records_are_images(written) -> None:
    one, two = written.image(pixels(1)), written.image(pixels(2))
    types = {
        "list": list_of(image_type()),
        "record": record_of(k=image_type()),
        "any": ANY,
        "deep": record_of(),
    }
    rows = [[[one, two], {"k": one}, {"x": [two, 5]}, {"y": {"z": one}}]]
    written.table("t.table.json", types, rows)
    ((both, record, anything, deep),) = WandbDirectory(written.root).table("t.table.json").rows()
    assert [type(image) for image in both] == [Image, Image]
    assert record["k"] == both[0] == deep["y"]["z"]
    assert anything["x"] == [both[1], 5]


def test_an_image_of_a_file_that_was_added_too_is_read_where_it_lies(written) -> None:
    record = written.image(pixels())
    os.renames(written.root / record["path"], written.root / "images" / "x.png")
    image = cell(written, record | {"path": "images/x.png"})
    assert np.array_equal(image.to_numpy(), pixels())
    assert WandbDirectory(written.root).plain_files() == ("images/x.png",)


def wav() -> bytes:
    import io

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes(bytes(100))
    return buffer.getvalue()


OTHERS = [
    ("audio-file", "media/audio/5a/a.wav", wav(), Audio),
    ("bokeh-file", "media/bokeh/5a.bokeh.json", b'{"roots":[]}', Bokeh),
    ("html-file", "media/html/5a.html", b"<p>hi</p>", Html),
    ("molecule-file", "media/molecule/5a/m.pdb", b"ATOM", Molecule),
    ("object3D-file", "media/object3D/5a.pts.json", b'{"points":[]}', Scene),
    ("plotly-file", "media/plotly/5a.plotly.json", b'{"data":[]}', Plotly),
    ("video-file", "media/videos/5a/v.mp4", b"video", Video),
]
CAPTIONED = (Audio, Molecule, Scene, Video)


@pytest.mark.parametrize(("kind", "path", "data", "cls"), OTHERS)
def test_other_media_are_read(written, kind, path, data, cls) -> None:
    record = written.media(kind, path, data, caption="what it is")
    for column in ({"wb_type": kind}, ANY):
        value = cell(written, record, column)
        assert type(value) is cls
        assert value.read() == data
        assert value.caption == ("what it is" if cls in CAPTIONED else None)


@pytest.mark.parametrize(("kind", "path", "data", "cls"), OTHERS)
def test_a_file_may_describe_one_value(written, kind, path, data, cls) -> None:
    written.json(f"a.{kind}.json", written.media(kind, path, data))
    directory = WandbDirectory(written.root)
    assert directory.media() == (f"a.{kind}.json",)
    assert type(directory.media_value(f"a.{kind}.json")) is cls


def test_images_classes_masks_and_boxes_may_be_described_by_files_too(written) -> None:
    written.json("a.image-file.json", written.image(pixels(), classes=written.classes("road")))
    written.classes("dog", path="c.classes.json")
    written.json("m.mask.json", written.mask(IDS))
    # W&B writes the list alone.
    written.json("b.bounding-boxes.json", [BOX])
    directory = WandbDirectory(written.root)
    found = {path: directory.media_value(path) for path in directory.media()}
    assert {path: type(value) for path, value in found.items()} == {
        "a.image-file.json": Image,
        "b.bounding-boxes.json": BoundingBoxes,
        "c.classes.json": Classes,
        "m.mask.json": Mask,
    }
    assert found["c.classes.json"].names == {0: "dog"}
    assert len(found["b.bounding-boxes.json"]) == 1
    assert directory.plain_files() == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.image-file.json", {"_type": "audio-file"}),
        ("a.image-file.json", []),
        ("a.image-file.json", {"_type": "image-file", "path": "x", "boxes": []}),
        ("a.mask.json", 5),
        ("a.bounding-boxes.json", {"_type": "bounding-boxes"}),
        ("a.bounding-boxes.json", {"box_data": 5}),
        ("a.classes.json", {"_type": "classes"}),
        ("a.classes.json", {"_type": "classes", "class_set": [5]}),
        ("a.html-file.json", "text"),
    ],
)
def test_what_describes_nothing_is_told_with_its_file(written, path, value) -> None:
    written.file("x", b"")
    written.json(path, value)
    with pytest.raises(ArtstoreError) as caught:
        WandbDirectory(written.root).media_value(path)
    assert caught.value.code in ("wandb-file-damaged", "image-damaged")
    assert path in str(caught.value)


def test_only_names_of_media_are_media(written) -> None:
    written.table("t.table.json", {"a": NUMBER}, [])
    written.file("notes.txt", b"")
    directory = WandbDirectory(written.root)
    for path in ("t.table.json", "notes.txt"):
        with pytest.raises(DamagedDataError, match="its name is not that of"):
            directory.media_value(path)
    with pytest.raises(NotFoundError):
        directory.media_value("a.image-file.json")


def test_an_image_whose_file_is_missing_is_told(written) -> None:
    record = written.image(pixels())
    os.unlink(written.root / record["path"])
    assert record["path"] in str(refused(written, record, "wandb-file-missing"))


def test_an_image_whose_file_is_another_is_told(written) -> None:
    record = written.image(pixels())
    written.file(record["path"], b"something else entirely")
    refused(written, record, "wandb-digest-mismatch")
    refused(written, record, "wandb-digest-mismatch", clip_boxes=True)
    refused(written, record, "media-format-unknown", check_digests=False)


def test_an_image_that_is_cut_short_is_told(written) -> None:
    record = written.image(pixels(height=60, width=60))
    data = (written.root / record["path"]).read_bytes()[:-100]
    written.file(record["path"], data)
    refused(written, record | {"sha256": sha256(data)}, "image-damaged")


@pytest.mark.parametrize("claim", [{"width": 9}, {"height": 10**12}, {"width": "8"}])
def test_an_image_of_another_size_than_is_claimed_is_told(written, claim) -> None:
    refused(written, written.image(pixels()) | claim, "wandb-cell-damaged")


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "media/../../secret.png", "", None, 5, "a\0b", "C:\\x"]
)
def test_a_path_out_of_the_directory_is_refused(written, path) -> None:
    (written.root.parent / "secret.png").write_bytes(b"secret")
    record = written.image(pixels()) | {"path": path}
    error = refused(
        written, record, "wandb-file-missing" if path == "C:\\x" else "wandb-path-refused"
    )
    assert "secret" not in str(error) or "names" in str(error)


@pytest.mark.parametrize("layer", ["masks", "classes", "boxes"])
def test_paths_of_layers_are_refused_likewise(written, layer) -> None:
    place = {"path": "../secret", "type": "classes-file"}
    record = written.image(pixels()) | {layer: place if layer == "classes" else {"x": place}}
    refused(written, record, "wandb-path-refused")


@pytest.mark.parametrize(
    "members",
    [
        {"boxes": 5},
        {"boxes": {"x": 5}},
        {"masks": []},
        {"masks": [1]},
        {"masks": {"x": "path"}},
        {"classes": 5},
        {"boxes": {"x": [5]}},
        {"boxes": {"x": [{"position": {}}]}},
        {"boxes": {"": [BOX]}},
    ],
)
def test_layers_that_are_none_are_told(written, members) -> None:
    record = written.image(pixels()) | members
    if members == {"masks": []}:
        assert cell(written, record).masks == {}
        return
    with pytest.raises(ArtstoreError, match="row 0, column 'image'") as caught:
        cell(written, record)
    assert caught.value.code in ("wandb-cell-damaged", "box-invalid")


def test_a_mask_of_another_size_is_told(written) -> None:
    record = written.image(pixels(), masks={"x": written.mask(IDS[:3])})
    refused(written, record, "mask-shape")


def test_classes_whose_file_is_another_are_told(written) -> None:
    record = written.image(pixels(), classes=written.classes("road"))
    replaced(written.root / record["classes"]["path"], b"road", b"boat")
    refused(written, record, "wandb-digest-mismatch")
    image = cell(written, record, check_digests=False)
    assert image.classes.names == {0: "boat"}


def test_classes_of_an_artifact_with_the_newer_digests_are_read(written) -> None:
    import xxhash

    place = written.classes("road")
    data = (written.root / place["path"]).read_bytes()
    place["digest"] = base64.b64encode(xxhash.xxh3_128_digest(data)).decode()
    assert cell(written, written.image(pixels(), classes=place)).classes.names == {0: "road"}
    assert place["digest"] != b64(md5(data))


def test_members_of_a_class_beside_id_and_name_are_left_out(written) -> None:
    entries = [{"id": 0, "name": "road", "color": "#fff"}]
    written.json("c.classes.json", {"_type": "classes", "class_set": entries})
    assert WandbDirectory(written.root).media_value("c.classes.json").names == {0: "road"}
    written.json("c.classes.json", {"_type": "classes", "class_set": [*entries, *entries]})
    with pytest.raises(InvalidInputError, match=r"c\.classes\.json") as caught:
        WandbDirectory(written.root).media_value("c.classes.json")
    assert caught.value.code == "classes-invalid"


def test_an_image_at_a_url_that_was_not_downloaded_is_a_reference(written) -> None:
    url = "https://example.org/cat.png"
    # W&B notes no size, and the digest of the URL.
    path = "media/images/0ea1/cat.png"
    record = {"_type": "image-file", "format": "png", "path": path, "sha256": sha256(url.encode())}
    written.manifest(references={path: {"digest": "etag", "ref": url, "size": 5}})
    image = cell(written, record | {"caption": "cat"})
    assert (image.width, image.caption, image.content.url) == (None, "cat", url)
    os.unlink(written.root / "wandb_manifest.json")
    refused(written, record, "wandb-file-missing")


def test_an_image_at_a_url_that_was_downloaded_is_the_file(written) -> None:
    record = written.image(pixels())
    record["sha256"] = sha256(b"https://example.org/cat.png")
    del record["width"], record["height"]
    assert cell(written, record).width == 8
    reference = {"digest": "etag", "ref": "https://example.org/cat.png"}
    written.manifest(references={record["path"]: reference})
    assert cell(written, record).width == 8


def test_an_image_of_another_artifact_that_was_not_downloaded_is_told(written) -> None:
    record = written.image(pixels())
    os.unlink(written.root / record["path"])
    url = "wandb-artifact://0a1b/media/images/x.png"
    written.manifest(references={record["path"]: {"digest": "x", "ref": url, "size": 0}})
    assert "another artifact" in str(refused(written, record, "wandb-file-missing"))

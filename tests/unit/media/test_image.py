"""Images: what they are made of, what they are, what they bring."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow

from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError, StateError
from artstore.media.classes import Classes
from artstore.media.image import Image
from artstore.media.pixels import pixels_of_array
from tests.unit.media.making import (
    Tensor,
    gradient,
    never,
    photograph,
    saved,
    stored,
    written,
)
from tests.unit.media.test_pixels import SHAPES

CLASSES = [{"id": 1, "name": "car"}, {"id": 2, "name": "tree"}]
BOX = {
    "position": {"minX": 2, "maxX": 6, "minY": 0, "maxY": 3},
    "domain": "pixel",
    "class_id": 1,
    "box_caption": "a car",
    "scores": {"score": 0.5, "area": 12},
}


def annotated(**options) -> Image:
    return Image(
        gradient(6, 8),
        caption="street",
        classes=CLASSES,
        boxes={"truth": {"box_data": [BOX]}, "guess": {"box_data": []}},
        masks={"truth": {"mask_data": np.eye(6, 8, dtype=np.uint8), "class_labels": {1: "x"}}},
        **options,
    )


def test_importing_the_room_loads_neither_pillow_nor_numpy() -> None:
    program = (
        "import sys, artstore.media.kinds as k; [kind.load() for kind in k.KINDS];"
        "print(sorted({'PIL', 'numpy', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_an_array_is_an_image_of_its_pixels() -> None:
    array = gradient(6, 8)
    image = Image(array)
    assert (image.width, image.height, image.mode, image.format) == (8, 6, "RGB", "png")
    assert image.scaling is None
    assert image.digest == pixels_of_array(array).digest()
    assert np.array_equal(image.to_numpy(), array)
    assert image.to_pil().size == (8, 6)


def test_the_array_of_the_mnist_tutorials_is_an_image() -> None:
    digit = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28)
    image = Image(digit)
    assert (image.width, image.height, image.mode, image.scaling) == (28, 28, "L", "unit")
    assert image.to_numpy()[-1, -1] == 255


def test_changing_an_array_afterwards_changes_no_image() -> None:
    array = gradient()
    image = Image(array)
    before = image.encoded()
    array[:] = 0
    image.to_numpy()[:] = 0
    assert image.encoded() == before
    assert image.to_numpy().any()


def test_a_tensor_has_its_channels_first_whatever_its_shape() -> None:
    image = Image(Tensor(np.zeros((3, 224, 3), np.float32)))
    assert (image.width, image.height) == (3, 224)


def test_a_tensor_of_bfloat16_is_read() -> None:
    image = Image(Tensor(np.full((1, 2, 2), 0.5, np.float32), "torch.bfloat16"))
    assert image.to_numpy().tolist() == [[128, 128], [128, 128]]


def test_tensors_of_torch_are_read() -> None:
    torch = pytest.importorskip("torch")
    numbers = torch.linspace(0, 1, 3 * 5 * 7).reshape(3, 5, 7)
    image = Image(numbers.clone().requires_grad_(requires_grad=True))
    assert (image.width, image.height, image.mode) == (7, 5, "RGB")
    assert image.digest == Image(numbers.numpy()).digest
    assert Image(numbers.to(torch.bfloat16)).scaling == "unit"


class Figure:
    def __init__(self) -> None:
        self.figure = None

    def savefig(self, file, **options) -> None:
        assert options == {"format": "png"}
        file.write(saved(Pillow.fromarray(gradient(6, 8, 4)), "png"))


class Axes:
    figure = Figure()


@pytest.mark.parametrize("figure", [Figure(), Axes()])
def test_a_figure_is_an_image_of_what_it_shows(figure) -> None:
    assert Image(figure).digest == Image(gradient(6, 8, 4)).digest


def test_figures_of_matplotlib_are_read() -> None:
    matplotlib = pytest.importorskip("matplotlib.figure")
    figure = matplotlib.Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([1, 2])
    assert (Image(figure).width, Image(figure).height) == (100, 50)


def test_the_digits_of_scikit_learn_are_images() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    for digit in datasets.load_digits().images[:20]:
        image = Image(digit)
        assert (image.width, image.height, image.scaling) == (8, 8, "clip")
        assert np.array_equal(image.to_numpy(), digit)


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        ("1", "L"),
        ("L", "L"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("LA", "RGBA"),
        ("P", "RGB"),
        ("PA", "RGBA"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
        ("I;16", "I;16"),
        ("I", "L"),
        ("F", "L"),
    ],
)
def test_a_picture_of_any_mode_becomes_one_that_is_kept(mode, kept) -> None:
    image = Image(Pillow.new(mode, (5, 4)))
    assert (image.mode, image.width, image.height) == (kept, 5, 4)
    assert image.to_pil().size == (5, 4)
    assert image.encoded().data


def test_a_picture_of_floats_follows_the_rule_for_arrays() -> None:
    picture = Pillow.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32))
    image = Image(picture)
    assert (list(image.to_numpy()[0]), image.scaling) == ([0, 128, 255], "unit")


def test_a_picture_and_the_array_of_it_are_the_same_image() -> None:
    assert Image(Pillow.fromarray(gradient())).digest == Image(gradient()).digest


def test_metadata_of_a_picture_changes_neither_digest_nor_bytes() -> None:
    picture = Pillow.fromarray(gradient())
    plain = Image(picture)
    picture.info["icc_profile"] = b"x" * 200
    picture.info["dpi"] = (300, 300)
    assert Image(picture).encoded() == plain.encoded()


def test_transparency_of_a_palette_is_kept() -> None:
    picture = Pillow.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.info["transparency"] = 0
    assert Image(picture).to_numpy().tolist() == [[[10, 20, 30, 0], [40, 50, 60, 255]]]


def test_a_mode_that_is_asked_for_is_made() -> None:
    assert Image(Pillow.fromarray(gradient()), mode="L").mode == "L"
    with pytest.raises(InvalidInputError) as caught:
        Image(Pillow.fromarray(gradient()), mode="CMYK")
    assert caught.value.code == "image-mode-invalid"


@given(array=hnp.arrays(np.uint8, SHAPES))
def test_png_bmp_and_webp_keep_every_pixel(array) -> None:
    expected = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    for file_type in ("png", "webp", "bmp"):
        image = Image(array, file_type=file_type)
        prepared = image.prepare()
        read = Image.from_cell(prepared.cell, stored(prepared.files))
        shown = expected[..., :3] if file_type == "bmp" and image.mode == "RGB" else expected
        assert np.array_equal(read.to_numpy(), shown)
        assert read == image


def test_sixteen_bits_of_grey_come_back() -> None:
    deep = np.arange(48, dtype=np.uint16).reshape(6, 8) * 999
    prepared = Image(deep, mode="I;16").prepare()
    read = Image.from_cell(prepared.cell, stored(prepared.files))
    assert np.array_equal(read.to_numpy(), deep)
    with pytest.raises(InvalidInputError) as caught:
        Image(deep, mode="I;16", file_type="jpg")
    assert caught.value.code == "image-mode-invalid"


@pytest.mark.parametrize(
    ("file_type", "kind", "ending"),
    [
        (None, "png", "png"),
        ("png", "png", "png"),
        ("jpg", "jpeg", "jpg"),
        ("JPEG", "jpeg", "jpg"),
        (".bmp", "bmp", "bmp"),
        ("webp", "webp", "webp"),
    ],
)
def test_an_image_is_written_as_it_is_asked_for(file_type, kind, ending) -> None:
    image = Image(gradient(channels=4), file_type=file_type)
    data, digest, written_as = image.encoded()
    assert (image.format, written_as, digest) == (kind, kind, digest_of(data))
    assert image.path == f"media/images/{image.digest.hex()[:40]}.{ending}"
    assert Pillow.open(io.BytesIO(data)).format == kind.upper()
    assert image.mode == ("RGBA" if kind in ("png", "webp") else "RGB")


@pytest.mark.parametrize("file_type", ["gif", "tiff", "exe", "png "])
def test_other_file_types_are_refused(file_type) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Image(gradient(), file_type=file_type)
    assert caught.value.code == "media-format-unknown"


@pytest.mark.parametrize("value", [None, 5, [[1, 2], [3, 4]], {"a": 1}, object(), b"\x89PNG"])
def test_what_no_image_is_made_from_is_told_by_its_type(value) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Image(value)
    assert caught.value.code == "media-input-unknown"
    assert type(value).__qualname__ in str(caught.value)


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "gif", "webp", "tiff", "ppm"])
def test_a_file_stays_as_it_is(tmp_path, kind) -> None:
    data = saved(photograph(), kind)
    # Its content says what it is, not its name.
    image = Image(written(tmp_path / "picture.dat", data))
    assert (image.format, image.width, image.height) == (kind, 128, 96)
    assert image.digest == digest_of(data)
    assert image.encoded().data == data
    prepared = image.prepare()
    assert prepared.cell["encoded_digest"] == prepared.cell["digest"] == digest_of(data).hex()
    assert [file.content.read() for file in prepared.files] == [data]
    assert image.to_pil().size == (128, 96)


def test_a_path_may_be_text_and_the_working_directory_may_change(tmp_path, monkeypatch) -> None:
    written(tmp_path / "a.png", saved(photograph(), "png"))
    monkeypatch.chdir(tmp_path)
    image = Image("a.png")
    monkeypatch.chdir("/")
    assert image.to_pil().size == (128, 96)


def test_a_file_that_changes_afterwards_is_noticed_when_it_is_read(tmp_path) -> None:
    path = written(tmp_path / "a.png", saved(photograph(), "png"))
    image = Image(path)
    written(path, saved(photograph(8, 8), "png"))
    with pytest.raises(InvalidInputError) as caught:
        image.to_pil()
    assert caught.value.code == "media-file-changed"


@pytest.mark.parametrize("name", ["missing.png", "nul\0.png", "file.png/below.png"])
def test_a_file_that_is_not_there_is_told(tmp_path, name) -> None:
    written(tmp_path / "file.png", b"")
    with pytest.raises(InvalidInputError) as caught:
        Image(str(tmp_path / name))
    assert caught.value.code == "media-file-missing"


def test_a_directory_is_no_image(tmp_path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Image(tmp_path)
    assert caught.value.code == "media-file-unreadable"


@pytest.mark.parametrize("url", ["s3://bucket/a.png", "https://host/a.JPG?x=1", "gs://b/k"])
def test_a_url_is_kept_and_not_fetched(url) -> None:
    image = Image(url, caption="elsewhere")
    assert (image.width, image.height, image.format, image.mode) == (None, None, None, None)
    prepared = image.prepare()
    assert prepared.cell["encoded_digest"] is None
    assert prepared.files[0].content.url == url
    with pytest.raises(StateError) as caught:
        image.to_pil()
    assert caught.value.code == "media-not-here"
    again = Image.from_cell(prepared.cell, lambda path: prepared.files[0].content)
    assert again == image


def test_an_image_of_an_image_shares_pixels_and_classes_and_nothing_else() -> None:
    first = annotated()
    second = Image(first, caption="again")
    assert second.shown is first.shown
    assert second.classes == first.classes
    assert (second.boxes, second.masks, second.caption) == ({}, {}, "again")
    third = Image(first, boxes={"guess": {"box_data": [BOX]}}, classes=[{"id": 1, "name": "bus"}])
    assert third.boxes["guess"].boxes[0].class_label == "bus"


def test_an_image_of_a_stored_one_reads_nothing() -> None:
    prepared = annotated().prepare()
    read = Image.from_cell(prepared.cell, never)
    again = Image(read, masks={"guess": {"mask_data": np.zeros((6, 8), np.uint8)}})
    cell = again.prepare().cell
    assert cell["digest"] == prepared.cell["digest"]
    assert cell["classes"] == prepared.cell["classes"]


def test_an_image_of_an_image_in_another_form_has_the_same_pixels() -> None:
    first = Image(np.linspace(0, 1, 48).reshape(6, 8))
    second = Image(first, file_type="bmp")
    assert (second.format, second.digest, second.scaling) == ("bmp", first.digest, "unit")


def test_the_cell_holds_everything_in_a_fixed_set_of_fields() -> None:
    prepared = annotated(grouping=3).prepare()
    cell = prepared.cell
    json.dumps(cell)
    bare = Image(gradient()).prepare().cell
    assert list(cell) == list(bare)
    assert bare["boxes"] == bare["masks"] == []
    assert (cell["caption"], cell["grouping"], cell["scaling"]) == ("street", "3", None)
    assert [layer["layer"] for layer in cell["boxes"]] == ["guess", "truth"]
    assert cell["boxes"][1]["boxes"] == [
        {
            "min_x": 0.25,
            "max_x": 0.75,
            "min_y": 0.0,
            "max_y": 0.5,
            "domain": "pixel",
            "pixels": {"min_x": 2.0, "max_x": 6.0, "min_y": 0.0, "max_y": 3.0},
            "class_id": 1,
            "class_label": "car",
            "caption": "a car",
            "scores": [{"name": "area", "value": 12.0}, {"name": "score", "value": 0.5}],
        }
    ]
    assert cell["masks"][0]["layer"] == "truth"
    named = {cell["path"], cell["classes"]["path"]}
    named |= {layer["path"] for layer in cell["masks"]}
    named |= {layer["classes"]["path"] for layer in [*cell["masks"], *cell["boxes"]]}
    assert {file.path for file in prepared.files} == named


def test_what_was_prepared_is_read_back_the_same() -> None:
    image = annotated()
    prepared = image.prepare()
    read = Image.from_cell(json.loads(json.dumps(prepared.cell)), stored(prepared.files))
    assert read == image
    assert read.identity() == image.identity()
    assert np.array_equal(read.to_numpy(), image.to_numpy())
    assert np.array_equal(read.masks["truth"].to_numpy(), image.masks["truth"].to_numpy())
    assert read.boxes["truth"] == image.boxes["truth"]
    assert read.classes.names == {1: "car", 2: "tree"}
    assert read.masks["truth"].classes.names == {1: "x"}
    assert read.prepare().cell == prepared.cell


def test_reading_a_cell_reads_no_file() -> None:
    read = Image.from_cell(annotated().prepare().cell, never)
    assert (read.width, read.height, read.caption) == (8, 6, "street")
    assert read.boxes["truth"].boxes[0].class_label == "car"


def test_the_identity_says_nothing_of_encoders_and_places() -> None:
    text = json.dumps(annotated().identity())
    assert "path" not in text
    assert "encoded" not in text
    assert annotated().identity() != annotated(grouping="a").identity()


def test_the_same_image_is_the_same_in_every_process() -> None:
    program = (
        "import json, numpy as np; from artstore.media.image import Image\n"
        "s = {'b': 1.0, 'a': 2.0, 'c': 3}\n"
        "box = {'position': {'minX': 0, 'maxX': 1, 'minY': 0, 'maxY': 1}, 'scores': s}\n"
        "i = Image(np.ones((2, 2)), boxes={x: {'box_data': [box]} for x in 'zay'})\n"
        "print(json.dumps(i.prepare().cell))"
    )
    cells = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(cells) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "short"},
        {"digest": None},
        {"path": 5},
        {"width": 0},
        {"height": "6"},
        {"boxes": None},
        {"boxes": [{"layer": "a"}]},
        {"masks": {"a": 1}},
        {"classes": {"path": "x"}},
        {"caption": 7},
    ],
)
def test_a_damaged_cell_is_told(change) -> None:
    cell = annotated().prepare().cell | change
    with pytest.raises(DamagedDataError) as caught:
        Image.from_cell(cell, never)
    assert caught.value.code == "media-cell-damaged"


def test_a_stored_box_outside_of_its_image_is_damage() -> None:
    cell = annotated().prepare().cell
    cell["boxes"][1]["boxes"][0]["pixels"]["max_x"] = 100.0
    with pytest.raises(DamagedDataError):
        Image.from_cell(cell, never)


def test_fields_that_a_newer_release_added_are_passed_over() -> None:
    cell = annotated().prepare().cell | {"depth": 3}
    assert Image.from_cell(cell, never) == annotated()


@pytest.mark.parametrize("layers", [["truth"], {3: {}}, {"": {}}, "truth"])
def test_layers_are_named_by_text(layers) -> None:
    with pytest.raises(InvalidInputError):
        Image(gradient(), boxes=layers)
    with pytest.raises(InvalidInputError):
        Image(gradient(), masks=layers)


def test_layers_of_another_image_are_measured_against_this_one() -> None:
    small = annotated()
    large = Image(gradient(12, 16), boxes=small.boxes)
    assert large.boxes["truth"].boxes[0].fractions == (0.125, 0.375, 0.0, 0.25)
    with pytest.raises(InvalidInputError) as caught:
        Image(gradient(2, 2), boxes=small.boxes)
    assert caught.value.code == "box-outside"
    with pytest.raises(InvalidInputError) as caught:
        Image(gradient(2, 2), masks=small.masks)
    assert caught.value.code == "mask-shape"


def test_a_caption_may_be_a_number_and_must_be_unicode() -> None:
    assert Image(gradient(), caption=np.int64(7)).caption == "7"
    with pytest.raises(InvalidInputError) as caught:
        Image(gradient(), caption="\ud800")
    assert caught.value.code == "value-invalid"


def test_class_sets_that_are_alike_are_one_file() -> None:
    image = Image(
        gradient(),
        classes=Classes(CLASSES),
        boxes={"a": {"box_data": [], "class_labels": {2: "tree", 1: "car"}}},
    )
    assert len(image.prepare().files) == 2


def test_what_an_image_is_is_said_in_a_line() -> None:
    assert repr(annotated()).startswith("<Image png 8 x 6 'street' ")
    assert "reference" in repr(Image("s3://b/k"))


def test_the_name_that_scripts_know_for_the_picture_is_there(tmp_path: Path) -> None:
    assert Image(gradient()).image.size == (8, 6)

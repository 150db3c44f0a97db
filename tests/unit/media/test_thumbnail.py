"""Thumbnails, and what a notebook shows of an image."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image as Pillow

from artstore.errors import DamagedDataError, InvalidInputError, StateError
from artstore.media.content import StoredContent
from artstore.media.image import Image
from artstore.media.thumbnail import png_of, shrunk
from tests.unit.media.making import gradient, photograph, saved, stored, written

BOXES = {
    "truth": {
        "box_data": [
            {"position": {"minX": 0.25, "maxX": 0.75, "minY": 0.25, "maxY": 0.75}, "class_id": 1}
        ],
        "class_labels": {1: "<car>"},
    }
}


def opened(png: bytes) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(png))
    assert picture.format == "PNG"
    picture.load()
    return picture


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [
        ((60, 100), 50, (50, 30)),
        ((100, 60, 3), 50, (30, 50)),
        ((100, 60, 4), 50, (30, 50)),
        ((28, 28), 64, (28, 28)),
        ((1, 1000), 10, (10, 1)),
        ((1000, 1), 10, (1, 10)),
        ((7, 7), 1, (1, 1)),
    ],
)
def test_a_thumbnail_fits_and_is_never_enlarged(shape, side, size) -> None:
    assert opened(Image(np.zeros(shape, np.uint8)).thumbnail(side)).size == size


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
)
@pytest.mark.parametrize("side", [16, 256])
def test_a_picture_of_any_mode_can_be_shown(mode, side) -> None:
    small = shrunk(Pillow.new(mode, (80, 60)), side)
    assert small.mode in ("L", "RGB", "RGBA")
    assert max(small.size) == min(side, 80)
    assert opened(png_of(small)).size == small.size


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "F"])
def test_a_file_of_another_mode_has_a_thumbnail(tmp_path, mode) -> None:
    picture = Pillow.new(mode, (80, 60))
    image = Image(written(tmp_path / "a.tiff", saved(picture, "tiff")))
    assert opened(image.thumbnail(16)).size == (16, 12)


def test_a_palette_with_transparency_keeps_it(tmp_path) -> None:
    picture = Pillow.new("P", (4, 4))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    path = written(tmp_path / "a.png", saved(picture, "png", transparency=0))
    assert opened(Image(path).thumbnail()).getpixel((0, 0))[3] == 0


def test_a_small_image_keeps_its_pixels() -> None:
    array = gradient(20, 30)
    assert np.array_equal(np.asarray(opened(Image(array).thumbnail(30))), array)


def test_a_photograph_looks_as_it_did(tmp_path) -> None:
    picture = photograph(400, 600)
    path = written(tmp_path / "a.jpg", saved(picture, "jpeg"))
    small = np.asarray(opened(Image(path).thumbnail(60)), float)
    expected = np.asarray(picture.resize((60, 40), Pillow.Resampling.BOX), float)
    assert np.abs(small - expected).mean() < 8


def test_numbers_of_16_bits_are_stretched_so_that_something_is_seen() -> None:
    depth = np.full((4, 4), 1000, np.uint16)
    depth[0, 0], depth[3, 3] = 900, 1101
    pixels = np.asarray(opened(Image(depth, mode="I;16").thumbnail()))
    assert (pixels.min(), pixels[1, 1], pixels.max()) == (0, 127, 255)
    flat = np.full((4, 4), 1000, np.uint16)
    assert opened(Image(flat, mode="I;16").thumbnail()).size == (4, 4)


@pytest.mark.parametrize("side", [0, -1, 2049, 1.5, "8", None, True])
def test_other_sizes_are_refused(side) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Image(gradient()).thumbnail(side)
    assert caught.value.code == "value-invalid"


def test_a_reference_has_no_thumbnail() -> None:
    image = Image("https://example.org/<a>.png")
    with pytest.raises(StateError) as caught:
        image.thumbnail()
    assert caught.value.code == "media-not-here"
    assert image._repr_png_() is None
    assert "<img" not in image._repr_html_()
    assert "https://example.org/&lt;a&gt;.png" in image._repr_html_()


def test_boxes_and_masks_are_drawn_over_it_in_the_colours_of_their_classes() -> None:
    ids = np.zeros((40, 40), np.uint8)
    ids[:10] = 2
    image = Image(np.full((40, 40, 3), 255, np.uint8), boxes=BOXES, masks={"m": {"mask_data": ids}})
    plain = np.asarray(opened(image.thumbnail()))
    drawn = np.asarray(opened(image.thumbnail(overlays=True)).convert("RGB"))
    assert (plain == 255).all()
    assert tuple(drawn[10, 20]) == (60, 180, 75)
    assert tuple(drawn[39, 39]) == (255, 255, 255)
    assert tuple(drawn[2, 2]) != (255, 255, 255)
    assert (drawn[:10].std(axis=(0, 1)) == 0).all()


def test_boxes_of_an_image_that_was_made_smaller_stay_in_place() -> None:
    image = Image(np.zeros((400, 400), np.uint8), boxes=BOXES)
    drawn = np.asarray(opened(image.thumbnail(40, overlays=True)).convert("L"))
    rows, columns = np.nonzero(drawn)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 10, 29)


def test_stored_masks_are_drawn_too() -> None:
    prepared = Image(
        gradient(8, 8), masks={"m": {"mask_data": np.full((8, 8), 3, np.uint8)}}
    ).prepare()
    read = Image.from_cell(prepared.cell, stored(prepared.files))
    assert read.thumbnail(overlays=True) != read.thumbnail()


def test_a_notebook_shows_the_picture_its_caption_and_its_classes_escaped() -> None:
    image = Image(gradient(), caption='"><script>alert(1)</script>', boxes=BOXES)
    html = image._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;car&gt; 1" in html
    assert "8 x 6 RGB png" in html
    data = re.search(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', html)[1]
    assert base64.b64decode(data) == image.thumbnail(overlays=True) == image._repr_png_()


def test_a_small_image_is_shown_larger() -> None:
    assert 'width="84" height="84"' in Image(np.zeros((28, 28)))._repr_html_()


def test_what_a_notebook_shows_is_bounded() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1200, 4), np.uint8)
    box = BOXES["truth"]["box_data"][0]
    many = {
        f"layer{'x' * 99}{number}": {
            "box_data": [box | {"class_id": index} for index in range(200)],
            "class_labels": dict.fromkeys(range(200), "n" * 500),
        }
        for number in range(40)
    }
    masks = {f"{'m' * 200}{number}": {"mask_data": np.ones((1200, 1200))} for number in range(30)}
    html = Image(noise, caption="c" * 100_000, boxes=many, masks=masks)._repr_html_()
    assert len(html) < 500_000
    assert "and 20 more layers" in html


def test_an_image_that_cannot_be_read_is_told_and_raises_only_when_asked(tmp_path) -> None:
    path = written(tmp_path / "<a>.png", saved(Pillow.fromarray(gradient()), "png"))
    image = Image(path)
    path.unlink()
    assert image._repr_png_() is None
    assert "not shown: there is no file" in image._repr_html_()
    assert "<a>" not in image._repr_html_()
    with pytest.raises(InvalidInputError):
        image.thumbnail()


def test_a_stored_image_that_is_damaged_is_told() -> None:
    prepared = Image(gradient()).prepare()
    half = prepared.files[0].content.read()[:60]
    image = Image.from_cell(prepared.cell, lambda _: StoredContent(bytes(32), lambda: half))
    with pytest.raises(DamagedDataError):
        image.thumbnail()
    assert "not shown" in image._repr_html_()


def test_making_one_changes_no_image() -> None:
    image = Image(gradient(60, 80), boxes=BOXES)
    before = image.encoded(), image.identity()
    image._repr_html_()
    assert (image.encoded(), image.identity()) == before

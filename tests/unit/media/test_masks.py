"""Masks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.classes import Classes
from artstore.media.masks import ImageMask, Mask
from artstore.media.pixels import Pixels
from tests.unit.media.making import Tensor, saved, written

IDS = np.array([[0, 1, 1], [2, 255, 0]], np.uint8)


def refused(code: str, value: object, **options) -> str:
    with pytest.raises(InvalidInputError) as caught:
        Mask(value, **options)
    assert caught.value.code == code
    return str(caught.value)


def test_a_mask_is_the_image_of_its_ids() -> None:
    mask = Mask({"mask_data": IDS})
    assert mask.digest == Pixels("L", 3, 2, IDS.tobytes()).digest()
    assert (mask.width, mask.height, mask.classes) == (3, 2, None)
    assert np.array_equal(mask.to_numpy(), IDS)
    assert mask.path == f"media/masks/{mask.digest.hex()[:40]}.mask.png"


@pytest.mark.parametrize(
    "array",
    [
        IDS.astype(np.int64),
        IDS.astype(np.float32),
        IDS.astype(">u2"),
        np.asfortranarray(IDS),
        IDS[None],
        IDS[:, :, None],
        Tensor(IDS),
    ],
)
def test_ids_are_taken_in_any_number_and_layout(array) -> None:
    assert Mask({"mask_data": array}) == Mask({"mask_data": IDS})


def test_it_is_made_by_the_name_and_in_the_order_that_scripts_know() -> None:
    assert ImageMask({"mask_data": IDS}, "guess") == Mask({"mask_data": IDS})
    with pytest.raises(InvalidInputError, match="layer 'guess'"):
        ImageMask({}, "guess")


def test_truth_values_are_classes_0_and_1() -> None:
    assert Mask({"mask_data": IDS > 1}).to_numpy().tolist() == [[0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((2, 2, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.full((2, 2), 256),
        np.full((2, 2), -1),
        np.full((2, 2), 0.5),
        np.full((2, 2), np.nan),
        np.array([["a"]]),
        [[1, 2]],
    ],
)
def test_what_are_no_ids_is_refused(data) -> None:
    assert "layer 'm'" in refused("mask-invalid", {"mask_data": data}, layer="m")


def test_a_mask_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        Mask({"mask_data": np.zeros((0, 3), np.uint8)})


@pytest.mark.parametrize(
    "value", [None, {}, {"mask_data": IDS, "path": "a.png"}, {"mask": IDS}, [IDS]]
)
def test_a_layer_that_is_none_is_refused(value) -> None:
    refused("mask-invalid", value)


def test_a_mask_of_another_shape_than_its_image_is_refused() -> None:
    message = refused("mask-shape", {"mask_data": IDS}, size=(2, 3))
    assert "3 x 2" in message


def test_labels_need_not_name_background_and_ignored() -> None:
    mask = Mask({"mask_data": IDS, "class_labels": {1: "road", 2: "car"}})
    assert mask.classes.names == {1: "road", 2: "car"}
    refused("class-unlabelled", {"mask_data": IDS, "class_labels": {1: "road"}})
    refused("class-unlabelled", {"mask_data": IDS}, classes=Classes([{"id": 1, "name": "a"}]))


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_file_is_kept_and_its_numbers_are_the_ids(tmp_path, mode) -> None:
    picture = Pillow.frombytes(mode, (3, 2), IDS.tobytes())
    if mode == "P":
        picture.putpalette([value % 256 for value in range(768)])
    data = saved(picture, "png")
    mask = Mask(
        {"path": str(written(tmp_path / "mask.png", data)), "class_labels": {1: "a", 2: "b"}}
    )
    assert mask.digest == digest_of(data)
    assert mask.file().content.read() == data
    assert np.array_equal(mask.to_numpy(), IDS)


def test_a_file_of_bits_has_classes_0_and_1(tmp_path) -> None:
    picture = Pillow.fromarray(IDS > 1)
    path = written(tmp_path / "bits.png", saved(picture, "png"))
    mask = Mask({"path": path, "class_labels": {1: "a"}})
    assert mask.to_numpy().tolist() == [[0, 0, 0], [1, 1, 0]]


def test_a_file_with_colours_is_refused(tmp_path) -> None:
    path = written(tmp_path / "rgb.bmp", saved(Pillow.new("RGB", (3, 2)), "bmp"))
    assert "RGB" in refused("mask-invalid", {"path": path})


def test_a_file_that_is_missing_or_cut_is_told(tmp_path) -> None:
    refused("media-file-missing", {"path": tmp_path / "none.png"})
    data = saved(Pillow.effect_noise((60, 60), 50), "png")
    with pytest.raises(DamagedDataError):
        Mask({"path": written(tmp_path / "cut.png", data[: len(data) // 2])})

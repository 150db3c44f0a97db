"""How arrays become pixels, and what identifies them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from artstore.digest import digest_of
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.media.pixels import Pixels, pixels_of_array
from tests.unit.media.making import gradient

SHAPES = st.one_of(
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from((1, 3, 4))),
)


@pytest.mark.parametrize(
    ("shape", "size", "mode"),
    [
        ((28, 30), (30, 28), "L"),
        ((28, 30, 1), (30, 28), "L"),
        ((28, 30, 3), (30, 28), "RGB"),
        ((28, 30, 4), (30, 28), "RGBA"),
        ((1, 28, 30), (30, 28), "L"),
        ((3, 28, 30), (30, 28), "RGB"),
        ((4, 28, 30), (30, 28), "RGBA"),
        # The last axis comes first.
        ((3, 224, 3), (224, 3), "RGB"),
        ((1, 1, 3), (1, 1), "RGB"),
        ((3, 1, 1), (1, 3), "L"),
        ((4, 4, 4), (4, 4), "RGBA"),
        ((3, 3, 4), (3, 3), "RGBA"),
        ((1, 1, 28, 30), (30, 28), "L"),
        ((1, 1, 1, 28, 30, 3), (30, 28), "RGB"),
        ((1, 1), (1, 1), "L"),
    ],
)
def test_channels_are_the_last_axis_if_it_can_be_else_the_first(shape, size, mode) -> None:
    pixels = pixels_of_array(np.zeros(shape, np.uint8))
    assert ((pixels.width, pixels.height), pixels.mode) == (size, mode)


def test_channels_first_and_last_give_the_same_image() -> None:
    array = gradient(5, 7)
    assert pixels_of_array(array) == pixels_of_array(np.moveaxis(array, 2, 0))


def test_told_that_channels_come_first_no_shape_is_read_another_way() -> None:
    pixels = pixels_of_array(np.zeros((3, 224, 3), np.uint8), channels_first=True)
    assert (pixels.width, pixels.height, pixels.mode) == (3, 224, "RGB")
    with pytest.raises(InvalidInputError) as caught:
        pixels_of_array(np.zeros((28, 30, 3), np.uint8), channels_first=True)
    assert caught.value.code == "image-shape-invalid"


@pytest.mark.parametrize(
    "shape", [(5,), (), (28, 28, 2), (5, 28, 28), (2, 28, 28), (8, 3, 28, 28), (2, 2, 2, 2, 2)]
)
def test_other_shapes_are_no_images(shape) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pixels_of_array(np.zeros(shape, np.uint8))
    assert caught.value.code == "image-shape-invalid"
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0, 3), (0,), (3, 0, 0)])
def test_an_array_without_pixels_is_told_as_such(shape) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pixels_of_array(np.zeros(shape))
    assert caught.value.code == "image-empty"


def test_a_side_of_65500_is_taken_and_no_longer_one() -> None:
    assert pixels_of_array(np.zeros((1, 65_500), np.uint8)).width == 65_500
    with pytest.raises(LimitExceededError) as caught:
        pixels_of_array(np.zeros((65_501, 1), np.uint8))
    assert caught.value.code == "image-too-large"


def test_more_pixels_than_are_taken_are_refused_before_they_are_copied() -> None:
    huge = np.broadcast_to(np.uint8(0), (20_000, 20_000))
    with pytest.raises(LimitExceededError) as caught:
        pixels_of_array(huge)
    assert caught.value.code == "image-too-large"


@pytest.mark.parametrize(
    ("values", "expected", "scaling"),
    [
        (np.array([[0, 0.5, 1]]), [0, 128, 255], "unit"),
        (np.array([[0, 0.5, 1]], np.float16), [0, 128, 255], "unit"),
        (np.array([[0.0, 0.0, 0.0]]), [0, 0, 0], "unit"),
        (np.array([[-1, 0, 1]], np.float32), [0, 128, 255], "symmetric"),
        (np.array([[-0.5, -0.25, -1]]), [64, 96, 0], "symmetric"),
        (np.array([[0, 100.4, 300.0]]), [0, 100, 255], "clip"),
        (np.array([[-2.0, 0.9, 1]]), [0, 1, 1], "clip"),
        (np.array([[True, False, True]]), [255, 0, 255], "unit"),
        (np.array([[-5, 1, 999]], np.int64), [0, 1, 255], "clip"),
        (np.array([[0, 1, 1]], np.int32), [0, 1, 1], "clip"),
        (np.array([[0, 1, 65_535]], np.uint16), [0, 1, 255], "clip"),
        (np.array([[0, 1, 255]], np.uint8), [0, 1, 255], None),
    ],
)
def test_numbers_become_bytes_by_their_range_and_it_is_recorded(values, expected, scaling) -> None:
    pixels = pixels_of_array(values)
    assert list(pixels.data) == expected
    assert pixels.scaling == scaling


def test_without_normalising_floats_are_only_cut_off() -> None:
    pixels = pixels_of_array(np.array([[-1.0, 0.6, 1.0, 300]]), normalize=False)
    assert list(pixels.data) == [0, 1, 1, 255]
    assert pixels.scaling == "clip"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_byte_over_255_comes_back_as_itself(dtype) -> None:
    every = np.arange(256, dtype=dtype).reshape(16, 16)
    assert list(pixels_of_array(every / dtype(255)).data) == list(range(256))
    assert list(pixels_of_array(every / dtype(127.5) - dtype(1)).data) == list(range(256))


def test_an_image_that_is_scaled_in_pieces_is_scaled_alike_everywhere() -> None:
    row = np.linspace(0, 1, 4096)
    pixels = pixels_of_array(np.broadcast_to(row, (700, 4096)))
    rows = pixels.array()
    assert (rows == rows[0]).all()
    assert rows[0, 0] == 0
    assert rows[-1, -1] == 255


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(bad) -> None:
    array = np.zeros((4, 4))
    array[2, 1] = bad
    with pytest.raises(InvalidInputError) as caught:
        pixels_of_array(array)
    assert caught.value.code == "image-pixels-invalid"


@pytest.mark.parametrize(
    "array", [np.array([["a", "b"]]), np.array([[None, 1]]), np.array([[1j, 2]])]
)
def test_arrays_of_other_things_are_refused(array) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pixels_of_array(array)
    assert caught.value.code == "image-pixels-invalid"


def test_sixteen_bits_are_kept_where_the_mode_says_so() -> None:
    deep = np.array([[0, 258], [40_000, 65_535]], ">u2")
    pixels = pixels_of_array(deep, mode="I;16")
    assert pixels.data == struct.pack("<4H", 0, 258, 40_000, 65_535)
    assert (pixels.array() == deep).all()


@pytest.mark.parametrize(
    ("array", "mode"),
    [
        (np.zeros((2, 2, 3), np.uint8), "L"),
        (np.zeros((2, 2), np.uint8), "RGB"),
        (np.zeros((2, 2), np.uint8), "nonsense"),
        (np.zeros((2, 2), np.float32), "I;16"),
        (np.zeros((2, 2), np.int64), "I;16"),
    ],
)
def test_a_mode_that_does_not_fit_is_refused(array, mode) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pixels_of_array(array, mode=mode)
    assert caught.value.code == "image-mode-invalid"


def test_the_digest_is_of_the_bytes_that_the_module_tells() -> None:
    data = bytes(range(2 * 3 * 3))
    told = b"artstore image digest v1\0\x03RGB\x05uint8" + struct.pack("<III", 2, 3, 3) + data
    assert Pixels("RGB", 3, 2, data).digest() == digest_of(told)


@pytest.mark.parametrize(
    ("array", "mode", "expected"),
    [
        (
            np.zeros((1, 1), np.uint8),
            None,
            "15fdf4330780bc3d5eef985f48c6001d643a3377f1bcdd5e1f68bf49fa583418",
        ),
        (
            gradient(6, 8, 3),
            None,
            "4d4e90b33225e783470cd62faeb69b98514bde9bb0935dea71021dadb3af689c",
        ),
        (
            gradient(6, 8, 4),
            None,
            "dbf06df99832854e1490add272b43e588c5400a9ca3d1a2718e1ccfba0c14dd1",
        ),
        (
            np.linspace(-1, 1, 48).reshape(6, 8),
            None,
            "d5909a3411e0005d280f3e68ece81d90ae3c29b889b4ca33a195035ba63346dc",
        ),
        (
            np.arange(48, dtype=np.uint16).reshape(6, 8) * 999,
            "I;16",
            "37adf643d7b8261808ffbc15c74e96590f780610d5f36afe370d3da96502ed58",
        ),
    ],
)
def test_digests_never_change(array, mode, expected) -> None:
    assert pixels_of_array(array, mode=mode).digest().hex() == expected


def test_mode_and_shape_count_and_scaling_does_not() -> None:
    data = bytes(12)
    different = {
        Pixels("L", 12, 1, data).digest(),
        Pixels("L", 1, 12, data).digest(),
        Pixels("L", 6, 2, data).digest(),
        Pixels("RGB", 2, 2, data).digest(),
        Pixels("RGBA", 3, 1, data).digest(),
        Pixels("I;16", 6, 1, data).digest(),
    }
    assert len(different) == 6
    assert Pixels("L", 12, 1, data, "unit").digest() == Pixels("L", 12, 1, data).digest()


@given(array=hnp.arrays(np.uint8, SHAPES), data=st.data())
def test_the_digest_does_not_depend_on_how_an_array_lies_in_memory(array, data) -> None:
    expected = pixels_of_array(array).digest()
    wider = np.zeros(tuple(2 * side for side in array.shape), np.uint8)
    strided = wider[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    backwards = np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    read_only = array.copy()
    read_only.flags.writeable = False
    for other in (np.asfortranarray(array), strided, backwards, read_only):
        assert pixels_of_array(other).digest() == expected


@given(array=hnp.arrays(np.float32, SHAPES, elements=st.floats(-300, 300, width=32)))
def test_pixels_do_not_depend_on_byte_order_or_precision(array) -> None:
    expected = pixels_of_array(array)
    assert pixels_of_array(array.astype(">f4")) == expected
    assert pixels_of_array(array.astype(np.float64)) == expected


@given(array=hnp.arrays(np.uint8, SHAPES))
def test_array_gives_back_what_was_put_in(array) -> None:
    pixels = pixels_of_array(array)
    expected = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    assert np.array_equal(pixels.array(), expected)

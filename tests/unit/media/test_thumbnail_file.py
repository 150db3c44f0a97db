"""What a thumbnail is stored as."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as PillowImage

from artstore.media.thumbnailfile import make_thumbnail


def png(side: int) -> io.BytesIO:
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    return buffer


@pytest.mark.parametrize("side", [8, 64])
def test_a_picture_that_is_small_already_is_kept_to_the_pixel(side: int) -> None:
    source = png(side)
    data, kind = make_thumbnail(source, "a", 64)
    assert kind == "image/png"
    with PillowImage.open(io.BytesIO(data)) as made, PillowImage.open(source) as given:
        assert np.array_equal(np.asarray(made), np.asarray(given))


@pytest.mark.parametrize("max_side", [64, 128])
def test_a_picture_that_became_smaller_takes_few_bytes(max_side: int) -> None:
    data, kind = make_thumbnail(png(224), "a", max_side)
    assert kind == "image/webp"
    assert len(data) < max_side * max_side
    with PillowImage.open(io.BytesIO(data)) as made:
        assert made.size == (max_side, max_side)

"""Images of arrays, made without Pillow."""

from __future__ import annotations

import numpy as np

from artstore import canonical
from artstore.digest import digest_of
from artstore.media.image import Image


def gradient(height: int = 6, width: int = 8, channels: int = 3) -> np.ndarray:
    """`uint8` [height, width, channel], no two pixels alike; two axes for one channel."""
    numbers = np.arange(height * width * channels, dtype=np.uint32) * 37 % 251
    shape = (height, width) if channels == 1 else (height, width, channels)
    return numbers.astype(np.uint8).reshape(shape)


def images() -> dict[str, Image]:
    """One of each mode that is kept and of each rule of scaling, and one with all there can be."""
    box = {
        "position": {"middle": [4, 3], "width": 4, "height": 2},
        "domain": "pixel",
        "class_id": 1,
        "scores": {"b": 0.5, "a": 1},
    }
    return {
        "L": Image(gradient(6, 8, 1)),
        "RGB": Image(gradient(6, 8, 3)),
        "RGBA": Image(gradient(6, 8, 4)),
        "I;16": Image(np.arange(48, dtype=np.uint16).reshape(6, 8) * 999, mode="I;16"),
        "unit": Image(np.linspace(0, 1, 48).reshape(6, 8), file_type="bmp"),
        "symmetric": Image(np.linspace(-1, 1, 48).reshape(6, 8), file_type="jpg"),
        "annotated": Image(
            gradient(6, 8, 3),
            caption="street",
            grouping="left",
            classes=[{"id": 1, "name": "car"}, {"id": 2, "name": "tree"}],
            boxes={"truth": {"box_data": [box]}},
            masks={"truth": {"mask_data": np.eye(6, 8, dtype=np.uint8)}},
        ),
    }


def digests() -> dict[str, list[str]]:
    """Of each image: its digest, that of what it is, and that of its cell before it is encoded."""
    return {
        name: [image.digest.hex(), of_json(image.identity()), of_json(image.cell().to_dict())]
        for name, image in images().items()
    }


def of_json(value: object) -> str:
    return digest_of(canonical.encode(value)).hex()

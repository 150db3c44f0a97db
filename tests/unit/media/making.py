"""Images and places for the tests of media."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from artstore.media.content import MediaContent, MediaFile, StoredContent
from tests.unit.media.arrays import gradient

__all__ = ["Tensor", "gradient", "never", "photograph", "saved", "stored", "written"]


def photograph(height: int = 96, width: int = 128) -> Pillow.Image:
    """Smooth, with some noise: what JPEG was made for."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(7).integers(0, 24, (height, width))
    planes = [x * 1.5, y * 2.0, (x + y) * 0.9]
    return Pillow.fromarray(
        np.stack([(plane + noise).clip(0, 255) for plane in planes], axis=2).astype(np.uint8)
    )


def saved(picture: Pillow.Image, format_name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=format_name, **options)
    return buffer.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def stored(files: Iterable[MediaFile]) -> Callable[[str], MediaContent]:
    """A store that has these files; reading another one is a KeyError."""
    kept = {file.path: (file.content.digest, file.content.read()) for file in files}

    def open_content(path: str) -> MediaContent:
        digest, data = kept[path]
        return StoredContent(digest, lambda: data)

    return open_content


def never(path: str) -> MediaContent:
    """A store of which nothing may be read."""

    def fetch() -> bytes:
        raise AssertionError(f"{path} was read")

    return StoredContent(bytes(32), fetch)


class Tensor:
    """What a tensor of torch looks like to us."""

    def __init__(self, array: np.ndarray, dtype: str = "torch.float32") -> None:
        self.array, self.dtype = array, dtype

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return Tensor(self.array.astype(np.float32))

    def numpy(self) -> np.ndarray:
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array

"""
Thumbnails as files: an image file in, a small one out, within limits that fit a server.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from artstore.errors import LimitExceededError
from artstore.media.raster import decode_small, peek_raster
from artstore.media.thumbnail import check_side, png_of, shrunk

if TYPE_CHECKING:
    from artstore.media.image import Image

__all__ = ["THUMBNAIL_MAX_PIXELS", "check_thumbnail_source", "make_drawing", "make_thumbnail"]

THUMBNAIL_MAX_PIXELS: Final = 64 * 1024 * 1024
"""8,192 x 8,192: decoded, 192 to 256 MiB. JPEGs may have more, they are decoded smaller."""

_QUALITY: Final = 82
_EFFORT: Final = 2
"""Of WebP 0 to 6: twice as fast as the default, and hardly larger at these sizes."""
_EXACT_SIDE: Final = 64
"""Pictures that are no larger are kept to the pixel: a scanned digit would be smeared."""

# A page asks for fifty at once, and each holds its picture as pixels.
_decoding = threading.BoundedSemaphore(2)


def make_thumbnail(file: BinaryIO, what: str, max_side: int) -> tuple[bytes, str]:
    """
    A thumbnail with no side longer than `max_side`, never enlarged.

    Args:
        file: of an image, a stream that can seek.
        what: names the image in errors.
    Returns:
        The bytes of a PNG or WebP file, and `image/png` or `image/webp`.
    Raises:
        DamagedDataError: `image-damaged`.
        InvalidInputError: `media-format-unknown`, `value-invalid`.
        LimitExceededError: `image-too-large`, before anything is decoded.
    Cost: decoding, of two images at once at most.
    """
    check_side(max_side)
    sides = check_thumbnail_source(file, what)
    with _decoding:
        picture = shrunk(decode_small(file, what, 2 * max_side), max_side)
    if max(sides) <= min(_EXACT_SIDE, max_side):
        return png_of(picture), "image/png"
    return _encoded(picture)


def make_drawing(image: Image, max_side: int) -> tuple[bytes, str]:
    """
    The same of an image with its masks and boxes drawn over it.

    Args:
        image: `check_thumbnail_source` took its file and those of its masks.
    Raises:
        As `make_thumbnail`.
    """
    with _decoding:
        return image.thumbnail(max_side, overlays=True), "image/png"


def check_thumbnail_source(file: BinaryIO, what: str) -> tuple[int, int]:
    """
    Refuse an image that takes too much to be decoded; raises as `make_thumbnail`.

    Returns:
        Width and height, in pixels.
    Cost: reads the header.
    """
    info = peek_raster(file, what)
    if info.format != "jpeg" and info.width * info.height > THUMBNAIL_MAX_PIXELS:
        raise LimitExceededError(
            f"{what} is {info.width:,} x {info.height:,} pixels; a thumbnail is made of at most "
            f"{THUMBNAIL_MAX_PIXELS:,} in all",
            code="image-too-large",
            hint="download the file to look at it",
        )
    return info.width, info.height


def _encoded(picture: Any) -> tuple[bytes, str]:
    from PIL import features

    if not features.check("webp"):
        return png_of(picture), "image/png"
    buffer = io.BytesIO()
    picture.save(buffer, format="webp", quality=_QUALITY, method=_EFFORT)
    return buffer.getvalue(), "image/webp"

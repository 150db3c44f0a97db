"""
Images: format, mode and size from the header; the page shows the picture itself.
"""

from __future__ import annotations

from typing import BinaryIO, Final, cast

from artstore import limits
from artstore.media.raster import peek_raster
from artstore.web.previews.bounded import BudgetFile
from artstore.web.previews.preview import TINY_PIXELS, Preview, PreviewKind, PreviewSource

__all__ = ["IMAGE_ENDINGS", "PREVIEW"]

IMAGE_ENDINGS: Final = (
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    *(".jp2", ".avif", ".ppm", ".pgm", ".pbm"),
)
_HEADER_BYTES: Final = 4 * limits.MIB
"""A JPEG may carry colour profiles and thumbnails before its size."""


def _picture(source: PreviewSource) -> Preview:
    file = cast("BinaryIO", BudgetFile(source, _HEADER_BYTES))
    info = peek_raster(file, source.path)
    facts = (
        ("format", info.format),
        ("mode", info.mode),
        ("size", f"{info.width} x {info.height} pixels"),
    )
    return Preview(
        "image", facts, media="image", is_tiny=max(info.width, info.height) <= TINY_PIXELS
    )


PREVIEW = PreviewKind(
    "image",
    _picture,
    IMAGE_ENDINGS,
    (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"),
)

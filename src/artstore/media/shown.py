"""
What an image shows, apart from what is said about it: pixels, a file, a URL, an entry.

Images that are made of one another share it.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, Final

from artstore.media.content import (
    FileContent,
    MediaContent,
    ReferenceContent,
    file_content,
    is_url,
    member_path,
)
from artstore.media.pixels import Pixels, pixels_of_array
from artstore.media.raster import (
    ENDINGS,
    check_writable,
    decode_raster,
    format_of_file_type,
    has_alpha,
    inspect_raster,
    is_picture,
    pixels_of_picture,
)
from artstore.media.values import as_array, is_channels_first, unknown_input

__all__ = ["ShownImage", "shown_of"]

_ENDINGS: Final = frozenset((*ENDINGS.values(), "jpeg", "tif"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownImage:
    """
    Either `pixels` in memory, or `content` somewhere; the rest as `Image` tells.

    Attributes:
        path: where the file lies in an artifact.
    """

    digest: bytes
    path: str
    format: str | None = None
    mode: str | None = None
    width: int | None = None
    height: int | None = None
    scaling: str | None = None
    pixels: Pixels | None = None
    content: MediaContent | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height; None if they are not known."""
        if self.width is None or self.height is None:
            return None
        return self.width, self.height


def shown_of(data: Any, mode: str | None, file_type: str | None, *, normalize: bool) -> ShownImage:
    """What `Image(data, mode, file_type=, normalize=)` shows; raises as it tells."""
    written = format_of_file_type(file_type)
    if isinstance(data, (str, os.PathLike)):
        return _shown_elsewhere(data) if is_url(data) else _shown_file(data)
    alpha = has_alpha(written)
    picture = data if is_picture(data) else _figure_picture(data)
    if picture is not None:
        pixels = pixels_of_picture(picture, mode=mode, normalize=normalize, alpha=alpha)
    else:
        array = as_array(data)
        if array is None:
            raise unknown_input(
                "an image",
                data,
                "a path, a URL, a PIL image, an array, a tensor, a figure or another Image",
            )
        pixels = pixels_of_array(
            array,
            mode=mode,
            normalize=normalize,
            channels_first=is_channels_first(data),
            alpha=alpha,
        )
    check_writable(pixels, written)
    digest = pixels.digest()
    return ShownImage(
        digest=digest,
        path=member_path("images", digest, ENDINGS[written]),
        format=written,
        mode=pixels.mode,
        width=pixels.width,
        height=pixels.height,
        scaling=pixels.scaling,
        pixels=pixels,
    )


def _shown_file(path: Any) -> ShownImage:
    content: FileContent = file_content(path)
    with content.open() as file:
        info = inspect_raster(file, content.path)
    place = member_path("images", content.digest, ENDINGS[info.format])
    return ShownImage(
        digest=content.digest,
        path=place,
        format=info.format,
        mode=info.mode,
        width=info.width,
        height=info.height,
        content=content,
    )


def _shown_elsewhere(url: Any) -> ShownImage:
    content = ReferenceContent(str(url))
    ending = str(url).partition("?")[0].rpartition(".")[2].lower()
    place = member_path("images", content.digest, ending if ending in _ENDINGS else "image")
    return ShownImage(digest=content.digest, path=place, content=content)


def _figure_picture(data: Any) -> Any:
    """What a figure, axes or the pyplot module of matplotlib shows; None for anything else."""
    figure: Any = data if hasattr(data, "savefig") else getattr(data, "figure", None)
    if not hasattr(figure, "savefig"):
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return decode_raster(buffer, "the figure")

"""
Pictures of one column side by side, as the server makes them: all there is without scripts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.web.cells.celltext import cell_text
from artstore.web.content.thumbnails import THUMBNAIL_SIDES, gallery_side
from artstore.web.tables.state import CAPTIONS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artstore.web.tables.state import TableState

__all__ = ["GalleryColumns", "GalleryItem", "gallery_columns", "gallery_items"]

_LABELS: Final = re.compile(r"label|truth|target|class|guess|pred", re.IGNORECASE)
_PLAIN: Final = ("text", "number", "bool", "time")
_SMALL_PIXELS: Final = 64
_SHOWN_AS_IT_IS: Final = re.compile(r"\.(png|jpe?g|webp|gif)\?.*\bd=", re.IGNORECASE)


class GalleryColumns(NamedTuple):
    """
    What a gallery shows.

    Attributes:
        image: the column of the pictures.
        captions: columns told below each; "" for the picture's own words.
        side: of the thumbnails.
    """

    image: str
    captions: tuple[str, ...]
    side: int


class GalleryItem(NamedTuple):
    """
    One picture.

    Attributes:
        address: of the picture itself.
        picture: of a thumbnail, the very one that the grid asks for when it takes over;
            None if there is nothing to be fetched.
        sharper: of one for screens with twice the pixels.
        is_small: whether single pixels are seen.
        lines: name and text of each line below it.
    """

    number: int
    address: str | None
    picture: str | None
    sharper: str | None
    is_small: bool
    lines: list[tuple[str, str]]


def gallery_columns(state: TableState, columns: Sequence[dict[str, Any]]) -> GalleryColumns | None:
    """What the state asks for, of columns as JSON tells them; None if there is no gallery."""
    images = [one["name"] for one in columns if one["kind"] == "image"]
    if state.mode != "images" or not images:
        return None
    image = next((name for name in images if name == state.image), images[0])
    plain = [one["name"] for one in columns if one["role"] in _PLAIN]
    if state.captions is not None:
        captions = tuple(name for name in state.captions if not name or name in plain)
    else:
        # The grid of the page has the same.
        labels = [name for name in plain if _LABELS.search(name)]
        captions = (*labels[: CAPTIONS_MAX - 1], "")
    return GalleryColumns(image, captions, gallery_side(state.size_pixels))


def gallery_items(wanted: GalleryColumns, window: dict[str, Any]) -> list[GalleryItem]:
    """The pictures of a window of rows, which has the columns that are wanted."""
    names = [column["name"] for column in window["columns"]]
    cells = dict(zip(names, window["cells"], strict=True))
    items = []
    for at, number in enumerate(window["rows"]):
        image = cells[wanted.image][at] or {}
        lines = [
            (name, cell_text(cells[name][at]) if name else image.get("caption") or "")
            for name in wanted.captions
        ]
        src, thumb = image.get("src"), image.get("thumb")
        is_small = max(image.get("width") or 0, image.get("height") or 0) <= _SMALL_PIXELS
        picture = sharper = None
        if thumb and is_small and src and _SHOWN_AS_IT_IS.search(src):
            picture = src
        elif thumb:
            picture = f"{thumb}&size={wanted.side}"
            sharper = f"{thumb}&size={min(2 * wanted.side, THUMBNAIL_SIDES[-1])}"
        lines = [line for line in lines if line[1]]
        items.append(GalleryItem(number, src, picture, sharper, is_small, lines))
    return items

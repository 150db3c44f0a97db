"""
Small pictures of images, for pages and notebooks. They are shown and never stored.

No digest is of one, so nothing depends on how a release of Pillow makes it smaller.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from artstore import forks
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.media.boxes import BoundingBoxes
from artstore.media.masks import Mask
from artstore.media.values import whole

__all__ = [
    "MAX_SIDE_PIXELS",
    "SIDE_PIXELS",
    "check_side",
    "drawn_over",
    "figure_html",
    "png_of",
    "shrunk",
]

SIDE_PIXELS: Final = 256
"""Of a thumbnail, if nobody says: as noise in four channels it takes 350 kB of a page."""
MAX_SIDE_PIXELS: Final = 2_048

_COLOURS: Final = (
    (230, 25, 75),
    (60, 180, 75),
    (0, 130, 200),
    (245, 130, 48),
    (145, 30, 180),
    (70, 240, 240),
    (240, 50, 230),
    (210, 245, 60),
    (0, 128, 128),
    (255, 225, 25),
    (170, 110, 40),
    (128, 0, 0),
)
"""By class id, round and round."""
_MASK_ALPHA: Final = 110
_READABLE_PIXELS: Final = 96
"""What is smaller than this is shown larger, each pixel as a square."""
_CAPTION_CHARS: Final = 500
_LABEL_CHARS: Final = 40
_LABEL_COUNT: Final = 20
_ALREADY_SHOWN: Final = frozenset(("L", "RGB", "RGBA"))
_TO_RGBA: Final = frozenset(("LA", "La", "PA", "RGBa"))


def check_side(max_side: int) -> None:
    """
    Refuse a size that no thumbnail has.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    side = whole(max_side)
    if side is None or not 1 <= side <= MAX_SIDE_PIXELS:
        raise InvalidInputError(
            f"a thumbnail has 1 to {MAX_SIDE_PIXELS:,} pixels a side, not {max_side!r}",
            code="value-invalid",
            hint="to_pil() gives the image in full",
        )


def shrunk(picture: Any, max_side: int) -> Any:
    """
    A picture in mode L, RGB or RGBA with no side longer than `max_side`, never enlarged.

    Numbers that are no bytes (16 bits, floats) are stretched from their least to
    their most: a depth image in its own scale would be black.
    """
    from PIL import Image

    if picture.mode not in _ALREADY_SHOWN:
        # Not all of these can be averaged; of twice the size every pixel that counts is there.
        picture = picture.resize(
            _fitting(picture.size, 2 * max_side), resample=Image.Resampling.NEAREST
        )
        picture = _as_shown(picture)
    size = _fitting(picture.size, max_side)
    return picture.resize(size, resample=Image.Resampling.LANCZOS, reducing_gap=2.0)


def drawn_over(picture: Any, masks: Mapping[str, Mask], boxes: Mapping[str, BoundingBoxes]) -> Any:
    """A thumbnail with its masks as colours, class 0 left clear, and its boxes as frames."""
    forks.import_late(("PIL.ImageDraw",))
    from PIL import Image, ImageDraw

    result = picture.convert("RGBA")
    for mask in masks.values():
        ids = Image.fromarray(mask.to_numpy()).resize(
            result.size, resample=Image.Resampling.NEAREST
        )
        coloured = Image.merge("RGBA", [ids.point(table) for table in _mask_tables()])
        result.alpha_composite(coloured)
    draw = ImageDraw.Draw(result)
    for left, top, right, bottom, colour in _frames(result.size, boxes):
        draw.rectangle((left, top, right, bottom), outline=colour)
    return result


def png_of(picture: Any) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return buffer.getvalue()


def figure_html(
    png: bytes | ArtstoreError | None,
    caption: str | None,
    facts: str,
    masks: Mapping[str, Mask],
    boxes: Mapping[str, BoundingBoxes],
) -> str:
    """
    A picture with its caption and the classes in it, as HTML; all text escaped, and cut where long.

    Args:
        png: a thumbnail; None where only the facts can be told; or why there is none.
        facts: size, mode, format.
    """
    lines = [_shown(caption, _CAPTION_CHARS)] if caption else []
    if isinstance(png, bytes):
        picture = _picture_html(png, caption or facts)
    else:
        picture = ""
        if png is not None:
            lines.append(_shown(f"not shown: {png}", _CAPTION_CHARS))
    lines.append(f"<small>{_shown(facts, _CAPTION_CHARS)}</small>")
    lines += list(_legend(masks, boxes))
    text = "<br>".join(lines)
    return (
        '<figure style="display:inline-block;margin:0">'
        f"{picture}<figcaption>{text}</figcaption></figure>"
    )


def _picture_html(png: bytes, text: str) -> str:
    # The header of a PNG file: width and height stand behind its name.
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    scale = max(1, _READABLE_PIXELS // max(width, height))
    data = base64.b64encode(png).decode("ascii")
    style = ' style="image-rendering:pixelated"' if scale > 1 else ""
    return (
        f'<img src="data:image/png;base64,{data}" alt="{_shown(text, _CAPTION_CHARS)}"'
        f' width="{width * scale}" height="{height * scale}"{style}>'
    )


def _legend(masks: Mapping[str, Mask], boxes: Mapping[str, BoundingBoxes]) -> Iterator[str]:
    """One line for each layer: its boxes by class, or what its mask is."""
    for number, (layer, value) in enumerate(sorted(boxes.items())):
        if number == _LABEL_COUNT:
            yield f"<small>and {len(boxes) - number} more layers</small>"
            return
        counts = Counter((box.class_id, box.class_label) for box in value.boxes)
        shown = [
            f'<span style="color:{_web_colour(class_id)}">&#9632;</span> '
            f"{_shown(label or 'no class', _LABEL_CHARS)} {count}"
            for (class_id, label), count in counts.most_common(_LABEL_COUNT)
        ]
        if len(counts) > _LABEL_COUNT:
            shown.append("...")
        yield f"<small>boxes {_shown(layer, _LABEL_CHARS)}: {', '.join(shown) or 'none'}</small>"
    if masks:
        names = ", ".join(_shown(layer, _LABEL_CHARS) for layer in sorted(masks)[:_LABEL_COUNT])
        yield f"<small>masks {names}</small>"


def _shown(text: str, chars: int) -> str:
    return escape(text if len(text) <= chars else f"{text[:chars]}...", quote=True)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    factor = min(1.0, side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _as_shown(picture: Any) -> Any:
    if picture.mode.startswith(("I", "F")):
        return _stretched(picture)
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in _TO_RGBA or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("RGB")


def _stretched(picture: Any) -> Any:
    import numpy as np
    from PIL import Image

    numbers = np.asarray(picture).astype(np.float64)
    numbers[~np.isfinite(numbers)] = 0
    least, most = numbers.min(), numbers.max()
    if most > least:
        numbers = (numbers - least) * (255 / (most - least))
    return Image.fromarray(np.rint(numbers.clip(0, 255)).astype(np.uint8))


def _frames(
    size: tuple[int, int], boxes: Mapping[str, BoundingBoxes]
) -> Iterator[tuple[int, int, int, int, tuple[int, int, int]]]:
    """Left, top, right, bottom and colour of each box whose place in the image is known."""
    width, height = size[0] - 1, size[1] - 1
    for layer in boxes.values():
        for box in layer.boxes:
            if box.fractions is None:
                continue
            min_x, max_x, min_y, max_y = box.fractions
            yield (
                round(min_x * width),
                round(min_y * height),
                round(max_x * width),
                round(max_y * height),
                _colour(box.class_id),
            )


def _mask_tables() -> list[list[int]]:
    """For red, green, blue and alpha: what each class id becomes."""
    colours = [_colour(class_id) for class_id in range(256)]
    planes = [[colour[channel] for colour in colours] for channel in range(3)]
    return [*planes, [0, *[_MASK_ALPHA] * 255]]


def _colour(class_id: int | None) -> tuple[int, int, int]:
    return _COLOURS[(class_id or 0) % len(_COLOURS)]


def _web_colour(class_id: int | None) -> str:
    return "#" + bytes(_colour(class_id)).hex()

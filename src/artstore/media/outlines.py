"""
Masks drawn from outlines: polygons, and runs of pixels as COCO writes them.

Runs go down the columns of an image, from the left one to the right one: so many
pixels outside, so many inside, so many outside. COCO writes them as a list of
numbers or packed into a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.media.pixels import check_size

__all__ = ["Outline", "drawn_mask", "runs_of_mask", "unpacked_runs"]

_DIGITS_MAX: Final = 13
"""Of a packed number: 65 bits."""


@dataclass(frozen=True, slots=True)
class Outline:
    """
    The pixels of one object.

    Attributes:
        class_id: 0 to 255, which the pixels get.
        polygons: each `x1, y1, x2, y2, ...` in pixels, at least three points.
        runs: of the whole image; None for polygons.
    """

    class_id: int
    polygons: tuple[tuple[float, ...], ...] = ()
    runs: tuple[int, ...] | None = None


def drawn_mask(size: tuple[int, int], outlines: Sequence[Outline], background: int = 0) -> Any:
    """
    A mask, `uint8` [height, width], with one outline drawn over the other.

    Pixels that the line of a polygon goes through belong to it.

    Raises:
        InvalidInputError: `mask-invalid`, and those of an image that is too large.
    """
    forks.import_late(("PIL.ImageDraw",))
    import numpy as np
    from PIL import Image, ImageDraw

    check_size(*size, "a mask")
    picture = Image.new("L", size, background)
    for outline in outlines:
        if not 0 <= outline.class_id <= 255:
            raise _invalid(f"class {outline.class_id} is not from 0 to 255")
        if outline.runs is not None:
            inside = Image.fromarray(_filled(outline.runs, size))
            picture.paste(outline.class_id, mask=inside)
            continue
        draw = ImageDraw.Draw(picture)
        for polygon in outline.polygons:
            if len(polygon) < 6 or len(polygon) % 2:
                raise _invalid(f"a polygon of {len(polygon)} numbers, not of three points or more")
            if not all(abs(number) < 1e7 for number in polygon):
                raise _invalid("a polygon reaches far out of any image")
            draw.polygon(list(polygon), fill=outline.class_id)
    return np.asarray(picture)


def unpacked_runs(text: str) -> tuple[int, ...]:
    """
    The runs that COCO packs into a text: five bits a character, differences from the third on.

    Raises:
        InvalidInputError: `mask-invalid`.
    """
    runs: list[int] = []
    number = digits = 0
    for sign in text:
        value = ord(sign) - 48
        if not 0 <= value < 64 or digits == _DIGITS_MAX:
            raise _invalid(f"{text[:40]!r} are no packed runs")
        number |= (value & 31) << 5 * digits
        digits += 1
        if not value & 32:
            if value & 16:
                number -= 1 << 5 * digits
            runs.append(number + runs[-2] if len(runs) > 2 else number)
            number = digits = 0
    if digits:
        raise _invalid(f"{text[:40]!r} are no packed runs: they are cut short")
    return tuple(runs)


def runs_of_mask(inside: Any) -> list[int]:
    """The runs of an array of truth values, [height, width]."""
    import numpy as np

    flat = np.asarray(inside, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs: list[int] = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def _filled(runs: Sequence[int], size: tuple[int, int]) -> Any:
    """Runs as an array of 0 and 255."""
    import numpy as np

    width, height = size
    if min(runs, default=0) < 0 or sum(runs) != width * height:
        raise _invalid(f"its runs are not those of an image of {width} x {height} pixels")
    values = np.zeros(len(runs), np.uint8)
    values[1::2] = 255
    return np.ascontiguousarray(np.repeat(values, runs).reshape((width, height)).T)


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"a mask cannot be drawn: {why}", code="mask-invalid")

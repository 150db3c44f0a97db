"""
Bounding boxes of one layer of an image, in one form whatever they were given in.

A box is kept by its corners, in fractions of width and height from 0 to 1 with
the origin at the upper left. A box that was given in pixels keeps those numbers
too, so that nothing is lost to division. Scores are sorted by name: the order of
a dict says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from artstore import canonical
from artstore.digest import digest_of
from artstore.errors import InvalidInputError
from artstore.media.classes import Classes, labels_for
from artstore.media.values import require_mapping, text_or_none, whole

__all__ = ["FRACTION", "PIXEL", "BoundingBoxes", "BoundingBoxes2D", "Box"]

FRACTION: Final = "fraction"
PIXEL: Final = "pixel"

_CORNERS: Final = ("minX", "maxX", "minY", "maxY")
_CENTRE: Final = ("middle", "width", "height")
_FIELDS: Final = frozenset(("position", "domain", "class_id", "scores", "box_caption"))
_LAYER_FIELDS: Final = frozenset(("box_data", "class_labels"))
_TOLERANCE: Final = 1e-6
"""Of the side: what float32 loses on a box that ends at the edge. It is cut off at the edge."""

Corners = tuple[float, float, float, float]
"""min_x, max_x, min_y, max_y."""


@dataclass(frozen=True, slots=True)
class Box:
    """
    One box.

    Attributes:
        domain: what it was given in, `fraction` or `pixel`.
        fractions: min_x, max_x, min_y, max_y from 0 to 1; None for a box in
            pixels of an image whose size is not known.
        pixels: the same in pixels, for a box that was given so.
        class_label: the name of its class; `class_<id>` if nobody said.
        scores: name and number, sorted by name.
    """

    domain: str
    fractions: Corners | None
    pixels: Corners | None
    class_id: int | None
    class_label: str | None
    caption: str | None
    scores: tuple[tuple[str, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python with the same fields for every box, as rows of a table hold it."""
        fractions = self.fractions or (None,) * 4
        return {
            "min_x": fractions[0],
            "max_x": fractions[1],
            "min_y": fractions[2],
            "max_y": fractions[3],
            "domain": self.domain,
            "pixels": None
            if self.pixels is None
            else dict(zip(("min_x", "max_x", "min_y", "max_y"), self.pixels, strict=True)),
            "class_id": self.class_id,
            "class_label": self.class_label,
            "caption": self.caption,
            "scores": [{"name": name, "value": value} for name, value in self.scores],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Box:
        """Inverse of `to_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        names = ("min_x", "max_x", "min_y", "max_y")
        fractions = _stored_corners([value[name] for name in names])
        pixels = value["pixels"]
        if value["domain"] not in (FRACTION, PIXEL):
            raise ValueError(f"domain {value['domain']!r}")
        class_id = value["class_id"]
        return cls(
            domain=value["domain"],
            fractions=fractions,
            pixels=None if pixels is None else _stored_corners([pixels[name] for name in names]),
            class_id=None if class_id is None else int(class_id),
            class_label=value["class_label"],
            caption=value["caption"],
            scores=tuple((str(score["name"]), float(score["value"])) for score in value["scores"]),
        )

    def to_box_data(self) -> dict[str, Any]:
        """The box as an entry of W&B's `box_data`."""
        corners = self.pixels or self.fractions
        assert corners is not None
        position = dict(zip(_CORNERS, corners, strict=True))
        if self.domain == PIXEL:
            position = {
                name: int(value) if value.is_integer() else value
                for name, value in position.items()
            }
        data = {
            "position": position,
            "domain": PIXEL if self.domain == PIXEL else None,
            "class_id": self.class_id,
            "box_caption": self.caption,
            "scores": dict(self.scores) or None,
        }
        return {name: value for name, value in data.items() if value is not None}


class BoundingBoxes:
    """
    The boxes of one layer.

    Args:
        value: `{"box_data": [...], "class_labels": {id: name}}`. A box has
            `position` (`minX`, `maxX`, `minY`, `maxY`, or `middle`, `width`,
            `height`), `domain` (None for fractions, or `"pixel"`), and, if
            wanted, `class_id`, `scores` (name -> number) and `box_caption`.
        layer: the name of the layer, for errors.
        size: width and height of the image, if known.
        classes: names for ids where there are no `class_labels`.
    Raises:
        InvalidInputError: `box-invalid`, `box-outside`, `class-unlabelled`,
            `classes-invalid`.
    """

    __slots__ = ("boxes", "classes")

    type_name: ClassVar[str] = "bounding-boxes"

    boxes: tuple[Box, ...]
    classes: Classes | None

    def __init__(
        self,
        value: Mapping[str, Any],
        layer: str = "boxes",
        *,
        size: tuple[int, int] | None = None,
        classes: Classes | None = None,
    ) -> None:
        what = f"layer {layer!r}"
        known = require_mapping(value, what, "box-invalid")
        _refuse_unknown(known, _LAYER_FIELDS, what)
        data = known.get("box_data")
        if isinstance(data, (str, bytes, Mapping)) or not isinstance(data, Sequence):
            raise _invalid(what, "box_data is not a list of boxes")
        boxes = [_read_box(box, size, f"box {index} of {what}") for index, box in enumerate(data)]
        used = [box.class_id for box in boxes if box.class_id is not None]
        self.classes = labels_for(known.get("class_labels"), classes, used, what)
        self.boxes = tuple(_labelled(box, self.classes) for box in boxes)

    @classmethod
    def of(cls, boxes: Sequence[Box], classes: Classes | None) -> BoundingBoxes:
        """A layer of boxes that are right already, as they are read from a store."""
        layer = cls.__new__(cls)
        layer.boxes, layer.classes = tuple(boxes), classes
        return layer

    def fitted(self, size: tuple[int, int] | None, layer: str) -> BoundingBoxes:
        """
        The layer for an image of that size: boxes in pixels are measured against it.

        Raises:
            InvalidInputError: `box-outside`.
        """
        if size is None or all(box.pixels is None for box in self.boxes):
            return self
        boxes = [
            box if box.pixels is None else replace(box, **_fitted(box.pixels, size, what))
            for index, box in enumerate(self.boxes)
            for what in (f"box {index} of layer {layer!r}",)
        ]
        return BoundingBoxes.of(boxes, self.classes)

    @property
    def digest(self) -> bytes:
        """BLAKE3 of the boxes as canonical JSON."""
        return digest_of(canonical.encode(self.to_dicts(), what="boxes"))

    def to_dicts(self) -> list[dict[str, Any]]:
        """The boxes as plain Python."""
        return [box.to_dict() for box in self.boxes]

    def to_wandb(self) -> dict[str, Any]:
        """The layer in the form it can be given in; boxes by their corners."""
        value: dict[str, Any] = {"box_data": [box.to_box_data() for box in self.boxes]}
        if self.classes is not None:
            value["class_labels"] = dict(self.classes.names)
        return value

    def __len__(self) -> int:
        return len(self.boxes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BoundingBoxes)
            and self.boxes == other.boxes
            and self.classes == other.classes
        )

    def __hash__(self) -> int:
        return hash(self.boxes)

    def __repr__(self) -> str:
        return f"BoundingBoxes({self.to_wandb()!r})"


BoundingBoxes2D = BoundingBoxes
"""The name that W&B gives it."""


def _read_box(box: object, size: tuple[int, int] | None, what: str) -> Box:
    known = require_mapping(box, what, "box-invalid")
    _refuse_unknown(known, _FIELDS, what)
    domain = known.get("domain")
    if domain not in (None, PIXEL):
        raise _invalid(what, f"domain {domain!r} is neither None nor 'pixel'")
    given = _read_position(known.get("position"), what)
    class_id = known.get("class_id")
    if class_id is not None and whole(class_id) is None:
        raise _invalid(what, f"class_id {class_id!r} is not a whole number")
    if domain is None:
        place: dict[str, Any] = {"fractions": _inside(given, 1.0, 1.0, what), "pixels": None}
    else:
        place = _fitted(given, size, what)
    return Box(
        domain=FRACTION if domain is None else PIXEL,
        **place,
        class_id=None if class_id is None else whole(class_id),
        class_label=None,
        caption=text_or_none(known.get("box_caption"), f"the caption of {what}"),
        scores=_read_scores(known.get("scores"), what),
    )


def _fitted(given: Corners, size: tuple[int, int] | None, what: str) -> dict[str, Any]:
    """Corners in pixels, and as fractions where the size of the image is known."""
    if size is None:
        # Of an image elsewhere nothing is known but that it starts at 0.
        return {"fractions": None, "pixels": _inside(given, math.inf, math.inf, what)}
    width, height = size
    pixels = _inside(given, float(width), float(height), what)
    left, right, top, bottom = pixels
    fractions = (left / width, right / width, top / height, bottom / height)
    return {"fractions": fractions, "pixels": pixels}


def _labelled(box: Box, classes: Classes | None) -> Box:
    if box.class_id is None:
        return box
    label = f"class_{box.class_id}" if classes is None else classes.name_of(box.class_id)
    return replace(box, class_label=label)


def _read_position(position: object, what: str) -> Corners:
    known = require_mapping(position, f"the position of {what}", "box-invalid")
    if set(known) == set(_CORNERS):
        values = [_number(known[name], name, what) for name in _CORNERS]
        corners = (values[0], values[1], values[2], values[3])
    elif set(known) == set(_CENTRE):
        middle = known["middle"]
        if isinstance(middle, (str, bytes)) or not hasattr(middle, "__len__") or len(middle) != 2:
            raise _invalid(what, "middle is not a pair of numbers")
        x, y = (_number(value, "middle", what) for value in middle)
        half_width = _number(known["width"], "width", what) / 2
        half_height = _number(known["height"], "height", what) / 2
        corners = (x - half_width, x + half_width, y - half_height, y + half_height)
    else:
        raise _invalid(
            what, f"position has {', '.join(_CORNERS)} or {', '.join(_CENTRE)}, and nothing else"
        )
    if corners[0] > corners[1] or corners[2] > corners[3]:
        raise _invalid(what, "its right or lower edge comes before the left or upper one")
    return corners


def _inside(corners: Corners, width: float, height: float, what: str) -> Corners:
    """The corners, cut off at the edges where only rounding passes them."""
    result = []
    for value, side in zip(corners, (width, width, height, height), strict=True):
        slack = _TOLERANCE * (side if math.isfinite(side) else 1.0)
        if not -slack <= value <= side + slack:
            box = ", ".join(f"{n}={v:g}" for n, v in zip(_CORNERS, corners, strict=True))
            raise InvalidInputError(
                f"{what} reaches out of its domain: {box}, and sides go from 0 to {side:g}",
                code="box-outside",
                hint="give domain='pixel' for pixels, or cut the box off at the edge",
                position=list(corners),
            )
        # Plus zero: -0.0 and 0.0 are one place.
        result.append(min(max(value, 0.0), side) + 0.0)
    return (result[0], result[1], result[2], result[3])


def _read_scores(scores: object, what: str) -> tuple[tuple[str, float], ...]:
    if scores is None:
        return ()
    known = require_mapping(scores, f"scores of {what}", "box-invalid")
    read = []
    for name, value in known.items():
        if not isinstance(name, str):
            raise _invalid(what, f"the name {name!r} of a score is not text")
        text_or_none(name, f"the name of a score of {what}")
        read.append((name, _number(value, f"score {name!r}", what)))
    return tuple(sorted(read))


def _number(value: object, name: str, what: str) -> float:
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError("text")
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise _invalid(what, f"{name} is {value!r}, which is not a number") from error
    if not math.isfinite(number):
        raise _invalid(what, f"{name} is {number}")
    return number


def _refuse_unknown(known: Mapping[Any, Any], fields: frozenset[str], what: str) -> None:
    extra = sorted(str(name) for name in known if name not in fields)
    if extra:
        raise _invalid(what, f"it has no {', '.join(extra)}; known are {', '.join(sorted(fields))}")


def _invalid(what: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"{what} cannot be used: {why}", code="box-invalid")


def _stored_corners(values: Sequence[Any]) -> Corners | None:
    if all(value is None for value in values):
        return None
    min_x, max_x, min_y, max_y = (float(value) for value in values)
    return (min_x, max_x, min_y, max_y)

"""
Cells of a table as JSON: for the grid of the page, and for what is exported.

null, true, false, finite numbers up to 2^53, and text are as they are. Anything else is
an object whose member `$` says what it is:

    number  v: nan, inf, -inf, -0, or the digits of a number that JSON readers would round
    text    v: the first characters, length: of all of it
    time    v: a date, a time of day or both, as ISO 8601; a duration: seconds in v, unit "s"
    binary  v: the first bytes as hex digits, size
    list    v: the first elements, length
    dict    v: pairs of name and value, in order
    array   dtype, shape; v: numbers, row by row, as many as `shown` says
    image   src, thumb, width, height, caption, digest, boxes, masks
    media   kind (audio, video, html, ...), src, frame, caption, size, format

`src`, `frame` and `thumb` are addresses, or null where there is no file to fetch. Boxes are
`{layer: [{x0, y0, x1, y1, class, label, caption, scores}]}` in fractions from 0 to 1, masks
`{layer: {src, classes: {id: name}}}`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from artstore.tables.types import (
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Media,
    Plain,
    Struct,
    Timestamp,
    Union,
)

__all__ = [
    "FULL",
    "NO_LINKS",
    "SHOWN",
    "CellLimits",
    "MediaLinks",
    "cells_json",
    "media_json",
    "number_json",
]

_EXACT_MAX: Final = 2**53
_SMALL: Final = 65
"""Pixels a side; the page makes no thumbnail of what has less."""


class MediaLinks(Protocol):
    """Where the files lie that cells of a column name."""

    def content(self, path: str, digest: str | None) -> str | None:
        """The address of the bytes."""
        ...

    def frame(self, path: str, digest: str | None) -> str | None:
        """The address at which a page of a stranger may be shown in a frame."""
        ...

    def thumbnail(self, path: str, digest: str | None) -> str | None:
        """The address of a small picture, without the size that is asked for last."""
        ...

    def ready(self, path: str, digest: str | None) -> dict[str, Any] | None:
        """The small picture itself, if it is at hand: `size`, and as `src` a `data:` address."""
        ...

    def class_names(self, path: str) -> dict[str, str]:
        """The names of a class set; empty if it cannot be read."""
        ...


class _NoLinks:
    """Nothing can be fetched."""

    def content(self, path: str, digest: str | None) -> str | None:
        del path, digest
        return None

    def frame(self, path: str, digest: str | None) -> str | None:
        del path, digest
        return None

    def thumbnail(self, path: str, digest: str | None) -> str | None:
        del path, digest
        return None

    def ready(self, path: str, digest: str | None) -> dict[str, Any] | None:
        del path, digest
        return None

    def class_names(self, path: str) -> dict[str, str]:
        del path
        return {}


NO_LINKS: Final[MediaLinks] = _NoLinks()


@dataclass(frozen=True, slots=True)
class CellLimits:
    """
    How much of a cell is told.

    Attributes:
        text_chars: of a text.
        elements: of a list, and members of a dictionary.
        numbers: of an array; more are thinned out evenly.
        depth: of lists and dictionaries within each other.
        boxes: of one layer.
    """

    text_chars: int = 1_000
    elements: int = 50
    numbers: int = 1_024
    depth: int = 6
    boxes: int = 300


SHOWN: Final = CellLimits()
"""In a row of the grid."""

FULL: Final = CellLimits(text_chars=100_000, elements=2_000, numbers=65_536, depth=40, boxes=10_000)
"""In the panel of one row."""


def cells_json(
    kind: ColumnType, array: Any, links: MediaLinks = NO_LINKS, limits: CellLimits = SHOWN
) -> list[Any]:
    """
    The cells of an Arrow array of a column of type `kind` as JSON values.

    Args:
        links: where files lie that cells name.
    """
    return _Writer(links, limits).cells(kind, array, 0)


def media_json(
    kind: str, cell: dict[str, Any], links: MediaLinks, limits: CellLimits = FULL
) -> Any:
    """
    One cell of media that lies in no table, as cells of tables are told.

    Args:
        kind: `image-file`, `audio-file`, ...
        cell: as `MediaValue.prepare` gives it; of a stranger it may raise anything.
    """
    return _Writer(links, limits)._media(Media(kind, Struct(())), cell)  # noqa: SLF001 - of this module


class _Writer:
    def __init__(self, links: MediaLinks, limits: CellLimits) -> None:
        self.links = links
        self.limits = limits

    def cells(self, kind: ColumnType, array: Any, depth: int) -> list[Any]:
        if isinstance(kind, Plain):
            return self._plain(kind.name, array)
        if isinstance(kind, Timestamp):
            return _moments(array, kind)
        if isinstance(kind, Duration):
            return _durations(array, kind.unit)
        if isinstance(kind, Decimal):
            return [None if cell is None else _number(str(cell)) for cell in array.to_pylist()]
        if isinstance(kind, Array):
            return self._arrays(kind, array)
        if isinstance(kind, Media):
            return [self._media(kind, cell) for cell in array.to_pylist()]
        if isinstance(kind, Union):
            return self._unions(kind, array, depth)
        if isinstance(kind, List):
            return self._lists(kind, array, depth)
        return self._structs(kind, array, depth)

    def _plain(self, name: str, array: Any) -> list[Any]:
        if name == "text":
            return [None if cell is None else self._text(cell) for cell in array.to_pylist()]
        if name == "bytes":
            return [None if cell is None else _binary(cell) for cell in array.to_pylist()]
        if name in ("date", "time"):
            return [
                None if cell is None else {"$": "time", "v": cell.isoformat()}
                for cell in array.to_pylist()
            ]
        cells: list[Any] = array.to_pylist()
        if name in ("bool", "null"):
            return cells
        return [number_json(cell) for cell in cells]

    def _text(self, text: str) -> Any:
        if len(text) <= self.limits.text_chars:
            return text
        return {"$": "text", "v": text[: self.limits.text_chars], "length": len(text)}

    def _lists(self, kind: List, array: Any, depth: int) -> list[Any]:
        lengths = array.value_lengths().to_pylist()
        if depth >= self.limits.depth:
            return [
                None if length is None else {"$": "list", "v": [], "length": length}
                for length in lengths
            ]
        found: list[Any] = []
        for at, length in enumerate(lengths):
            if length is None:
                found.append(None)
                continue
            elements = array[at].values.slice(0, self.limits.elements)
            inner = self.cells(kind.element, elements, depth + 1)
            found.append({"$": "list", "v": inner, "length": length})
        return found

    def _structs(self, kind: Struct, array: Any, depth: int) -> list[Any]:
        valid = array.is_valid().to_pylist()
        if depth >= self.limits.depth:
            cut = {"$": "dict", "v": [], "length": len(kind.fields)}
            return [cut if is_there else None for is_there in valid]
        most = kind.fields[: self.limits.elements]
        parts = [
            self.cells(member, part, depth + 1)
            for (_, member), part in zip(most, array.flatten(), strict=False)
        ]
        names = [name for name, _ in most]
        found: list[Any] = []
        for at, is_there in enumerate(valid):
            pairs = [[name, part[at]] for name, part in zip(names, parts, strict=True)]
            told = {"$": "dict", "v": pairs, "length": len(kind.fields)}
            found.append(told if is_there else None)
        return found

    def _unions(self, kind: Union, array: Any, depth: int) -> list[Any]:
        found: list[Any] = [None] * len(array)
        for (_, member), part in zip(kind.members, array.flatten(), strict=True):
            for at, cell in enumerate(self.cells(member, part, depth)):
                if cell is not None:
                    found[at] = cell
        return found

    def _arrays(self, kind: Array, array: Any) -> list[Any]:
        shapes: list[Any]
        if kind.shape is None:
            told, values = array.flatten()
            shapes = told.to_pylist()
        else:
            shapes, values = [kind.shape] * len(array), array
        found: list[Any] = []
        for at, shape in enumerate(shapes):
            cell = values[at]
            if shape is None or not cell.is_valid:
                found.append(None)
                continue
            numbers = cell.values.to_numpy(zero_copy_only=False)
            found.append(self._array(kind.dtype, tuple(shape), numbers))
        return found

    def _array(self, dtype: str, shape: tuple[int, ...], flat: Any) -> dict[str, Any]:
        told: dict[str, Any] = {"$": "array", "dtype": dtype, "shape": list(shape)}
        if math.prod(shape) != len(flat):
            # Cut where it was read: what there is stands for a line of numbers.
            numbers = flat
        else:
            # Of more than two axes the first plane is shown.
            numbers = flat.reshape(shape)
            while numbers.ndim > 2:
                numbers = numbers[0] if len(numbers) else numbers.reshape(numbers.shape[1:])
        numbers = _thinned(numbers, self.limits.numbers)
        told["shown"] = list(numbers.shape)
        told["v"] = [number_json(number) for number in numbers.ravel().tolist()]
        return told

    def _media(self, kind: Media, cell: dict[str, Any] | None) -> Any:
        if cell is None:
            return None
        if kind.kind == "image-file":
            return self._image(cell)
        path, caption = cell.get("path"), cell.get("caption")
        return {
            "$": "media",
            "kind": kind.kind.removesuffix("-file").lower(),
            "src": self._src(path, cell),
            "frame": self._frame(kind.kind, path, cell),
            "caption": self._text(caption) if isinstance(caption, str) else None,
            "size": cell.get("size_bytes"),
            "format": cell.get("format"),
        }

    def _src(self, path: Any, cell: dict[str, Any]) -> str | None:
        digest = cell.get("encoded_digest")
        return self.links.content(path, digest) if isinstance(path, str) else None

    def _frame(self, kind: str, path: Any, cell: dict[str, Any]) -> str | None:
        if kind != "html-file" or not isinstance(path, str):
            return None
        return self.links.frame(path, cell.get("encoded_digest"))

    def _image(self, cell: dict[str, Any]) -> dict[str, Any]:
        path, digest = cell.get("path"), cell.get("encoded_digest")
        is_file = isinstance(path, str)
        size = (cell.get("width"), cell.get("height"))
        # One that is small already is shown as it is.
        has_thumb = is_file and path and max(size[0] or _SMALL, size[1] or _SMALL) >= _SMALL
        ready = self.links.ready(str(path), digest) if has_thumb else None
        return {
            "$": "image",
            **({} if ready is None else {"ready": ready}),
            "src": self._src(path, cell),
            "thumb": self.links.thumbnail(path, digest) if is_file and path else None,
            "width": size[0],
            "height": size[1],
            "caption": cell.get("caption"),
            "digest": cell.get("digest"),
            "boxes": {
                layer["layer"]: [
                    _box(box, size) for box in (layer["boxes"] or ())[: self.limits.boxes]
                ]
                for layer in cell.get("boxes") or ()
            },
            "masks": {
                layer["layer"]: {
                    "src": self._src(layer.get("path"), layer),
                    "classes": self._classes(layer.get("classes") or cell.get("classes")),
                }
                for layer in cell.get("masks") or ()
            },
        }

    def _classes(self, cell: dict[str, Any] | None) -> dict[str, str]:
        path = cell and cell.get("path")
        return self.links.class_names(path) if path else {}


def _box(box: dict[str, Any], size: tuple[int | None, int | None]) -> dict[str, Any]:
    names = ("min_x", "min_y", "max_x", "max_y")
    corners = [box.get(name) for name in names]
    pixels = box.get("pixels")
    width, height = size
    if corners[0] is None and pixels is not None and width and height:
        sides = (width, height, width, height)
        corners = [pixels[name] / side for name, side in zip(names, sides, strict=True)]
    return {
        **dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True)),
        "class": box.get("class_id"),
        "label": box.get("class_label"),
        "caption": box.get("caption"),
        "scores": {score["name"]: number_json(score["value"]) for score in box["scores"] or ()},
    }


def _number(text: str) -> dict[str, str]:
    return {"$": "number", "v": text}


def number_json(number: Any) -> Any:
    """A number, or None, as a cell is told."""
    if isinstance(number, bool) or number is None:
        return number
    if isinstance(number, int):
        return number if -_EXACT_MAX <= number <= _EXACT_MAX else _number(str(number))
    number = float(number)
    if math.isfinite(number):
        # JSON has a negative zero, and JavaScript shows it as 0.
        return number if number or math.copysign(1, number) > 0 else _number("-0")
    if math.isnan(number):
        return _number("nan")
    return _number("inf" if number > 0 else "-inf")


def _binary(cell: bytes) -> dict[str, Any]:
    return {"$": "binary", "v": cell[:32].hex(), "size": len(cell)}


def _moments(array: Any, kind: Timestamp) -> list[Any]:
    # Arrow gives nanoseconds only to those who have pandas; numpy writes them as they are.
    numbers, valid = _numbers(array)
    texts = np.datetime_as_string(numbers.astype(f"datetime64[{kind.unit}]")).tolist()
    ending = "Z" if kind.zone else ""
    return [
        {"$": "time", "v": f"{_trimmed(text)}{ending}"} if is_there else None
        for text, is_there in zip(texts, valid, strict=True)
    ]


def _durations(array: Any, unit: str) -> list[Any]:
    numbers, valid = _numbers(array)
    scale = 10**9 if unit == "ns" else 10**6
    return [
        {"$": "time", "v": number / scale, "unit": "s"} if is_there else None
        for number, is_there in zip(numbers.tolist(), valid, strict=True)
    ]


def _numbers(array: Any) -> tuple[Any, list[bool]]:
    valid = array.is_valid().to_pylist()
    return array.cast("int64").fill_null(0).to_numpy(zero_copy_only=False), valid


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _thinned(numbers: Any, most: int) -> Any:
    """Every n-th number of each axis, so that at most `most` are left."""
    while numbers.size > most:
        axis = int(np.argmax(numbers.shape))
        step = 2 if numbers.ndim == 2 else -(-numbers.size // most)
        numbers = numbers[::step] if axis == 0 else numbers[:, ::step]
    return numbers

"""
The cell of an image in a row of a table: plain Python with a fixed set of fields.

    path            text    where the file lies in the artifact
    digest          text    64 hex digits: of the file given by path, or of the pixels
    encoded_digest  text    of the bytes of the file; None for a reference
    format          text    png, jpeg, ...; None for a reference
    mode            text    L, RGB, RGBA, I;16, or another mode of Pillow for a file
    width, height   number  None for a reference
    caption         text
    grouping        text
    scaling         text    unit, symmetric, clip: how the numbers of an array became bytes
    classes         {path, digest}
    boxes           list of {layer, classes: {path, digest}, boxes: list of box}
    masks           list of {layer, path, digest, encoded_digest, classes: {path, digest}}

Layers are sorted by name. A box is what `artstore.media.boxes.Box.to_dict` tells.
What is not there is None; lists are never None. All layers of all images share
one type, so a query can say "at least one box of class 13 in layer x".

Paths and encoded digests do not count in what a cell *is*: a release of Pillow
may write other bytes for the same pixels. `identity_of` leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.digest import parse_digest
from artstore.errors import DamagedDataError
from artstore.media.boxes import Box

__all__ = ["BoxLayer", "ClassesCell", "ImageCell", "MaskLayer", "damaged_cell", "identity_of"]

_NOT_IDENTITY: Final = frozenset(("path", "encoded_digest"))


@dataclass(frozen=True, slots=True)
class ClassesCell:
    """Where a class set lies, and its digest as hex digits."""

    path: str
    digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain Python."""
        return {"path": self.path, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class BoxLayer:
    """The boxes of one layer."""

    layer: str
    classes: ClassesCell | None
    boxes: tuple[Box, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python."""
        return {
            "layer": self.layer,
            "classes": self.classes and self.classes.to_dict(),
            "boxes": [box.to_dict() for box in self.boxes],
        }


@dataclass(frozen=True, slots=True)
class MaskLayer:
    """Where the mask of one layer lies."""

    layer: str
    path: str
    digest: str
    encoded_digest: str | None
    classes: ClassesCell | None

    def to_dict(self) -> dict[str, Any]:
        """Plain Python."""
        return {
            "layer": self.layer,
            "path": self.path,
            "digest": self.digest,
            "encoded_digest": self.encoded_digest,
            "classes": self.classes and self.classes.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class ImageCell:
    """What a row holds of an image; the module tells the fields."""

    path: str
    digest: str
    encoded_digest: str | None
    format: str | None
    mode: str | None
    width: int | None
    height: int | None
    caption: str | None
    grouping: str | None
    scaling: str | None
    classes: ClassesCell | None
    boxes: tuple[BoxLayer, ...]
    masks: tuple[MaskLayer, ...]

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height; None if they are not known."""
        if self.width is None or self.height is None:
            return None
        return self.width, self.height

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, all fields, in the order of the module's table."""
        return {
            "path": self.path,
            "digest": self.digest,
            "encoded_digest": self.encoded_digest,
            "format": self.format,
            "mode": self.mode,
            "width": self.width,
            "height": self.height,
            "caption": self.caption,
            "grouping": self.grouping,
            "scaling": self.scaling,
            "classes": self.classes and self.classes.to_dict(),
            "boxes": [layer.to_dict() for layer in self.boxes],
            "masks": [layer.to_dict() for layer in self.masks],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ImageCell:
        """
        Inverse of `to_dict`; fields that a newer release added are passed over.

        Raises:
            DamagedDataError: `media-cell-damaged`.
        """
        try:
            return cls(
                path=_text(value["path"]),
                digest=_digest(value["digest"]),
                encoded_digest=_maybe(_digest, value["encoded_digest"]),
                format=_maybe(_text, value["format"]),
                mode=_maybe(_text, value["mode"]),
                width=_maybe(_side, value["width"]),
                height=_maybe(_side, value["height"]),
                caption=_maybe(_text, value["caption"]),
                grouping=_maybe(_text, value["grouping"]),
                scaling=_maybe(_text, value["scaling"]),
                classes=_maybe(_classes, value["classes"]),
                boxes=tuple(_box_layer(layer) for layer in _list(value["boxes"])),
                masks=tuple(_mask_layer(layer) for layer in _list(value["masks"])),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise damaged_cell("an image", error) from error


def damaged_cell(kind: str, error: Exception) -> DamagedDataError:
    """That the record of a media value cannot be read; a missing field is named."""
    why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return DamagedDataError(f"the record of {kind} is damaged: {why}", code="media-cell-damaged")


def identity_of(cell: Any) -> Any:
    """`cell` without what encoders and places decide, at any depth."""
    if isinstance(cell, dict):
        return {
            name: identity_of(value) for name, value in cell.items() if name not in _NOT_IDENTITY
        }
    if isinstance(cell, list):
        return [identity_of(value) for value in cell]
    return cell


def _box_layer(value: Mapping[str, Any]) -> BoxLayer:
    return BoxLayer(
        _text(value["layer"]),
        _maybe(_classes, value["classes"]),
        tuple(Box.from_dict(box) for box in _list(value["boxes"])),
    )


def _mask_layer(value: Mapping[str, Any]) -> MaskLayer:
    return MaskLayer(
        _text(value["layer"]),
        _text(value["path"]),
        _digest(value["digest"]),
        _maybe(_digest, value["encoded_digest"]),
        _maybe(_classes, value["classes"]),
    )


def _classes(value: Mapping[str, Any]) -> ClassesCell:
    return ClassesCell(_text(value["path"]), _digest(value["digest"]))


def _maybe(read: Any, value: Any) -> Any:
    return None if value is None else read(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _digest(value: Any) -> str:
    parse_digest(_text(value))
    return str(value)


def _side(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is not a width or height")
    return value


def _list(value: Any) -> Sequence[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise TypeError(f"{value!r} is not a list")
    return value

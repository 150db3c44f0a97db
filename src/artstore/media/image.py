"""
Images: from a file, a URL, an array, a picture or a figure, with boxes, masks and classes.

Identity. An image given by a path is its bytes: `digest` is that of the file,
which is stored as it is. An image made in memory is its pixels: `digest` is that
of mode, shape, number type and pixels (`artstore.media.pixels` tells the bytes).
A URL is kept and not fetched; its digest is that of a reference of which only
the URL is known.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from artstore.digest import parse_digest
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.media.boxes import BoundingBoxes
from artstore.media.cells import (
    BoxLayer,
    ClassesCell,
    ImageCell,
    MaskLayer,
    damaged_cell,
    identity_of,
)
from artstore.media.classes import Classes
from artstore.media.content import BytesContent, MediaContent, MediaFile, ReferenceContent
from artstore.media.masks import Mask
from artstore.media.pixels import CHANNELS
from artstore.media.raster import (
    decode_raster,
    decode_small,
    encode_pixels,
    picture_of,
    pixels_of_picture,
)
from artstore.media.shown import ShownImage, shown_of
from artstore.media.thumbnail import (
    SIDE_PIXELS,
    check_side,
    drawn_over,
    figure_html,
    png_of,
    shrunk,
)
from artstore.media.values import PreparedMedia, require_mapping, text_or_none

__all__ = ["EncodedFile", "Image"]


class EncodedFile(NamedTuple):
    """The bytes of a file, their own digest, and their format."""

    data: bytes
    digest: bytes
    format: str


class Image:
    """
    An image, for a cell of a table or as an entry of an artifact.

    Args:
        data_or_path: the path of a file; a URL, kept as a reference; a
            `PIL.Image.Image`; an array of numpy or jax with rows and columns
            [height, width], channels last or first (1, 3 or 4 of them); a tensor
            of torch, channels first; a figure of matplotlib; another Image,
            whose pixels and classes are shared, not its boxes and masks.
        mode: what the channels are (`L`, `RGB`, `RGBA`, `I;16`); guessed if left
            out. A file stays as it is.
        caption: text shown with it.
        grouping: text by which a viewer puts images side by side.
        classes: `Classes`, or a list of `{"id", "name"}`, for boxes and masks
            without labels of their own.
        boxes: layer -> what `BoundingBoxes` takes, or one.
        masks: layer -> what `Mask` takes, or one.
        file_type: what an image in memory is written as: `png`, `jpg`, `jpeg`,
            `bmp`, `webp`. JPEG and BMP drop transparency, JPEG loses detail.
        normalize: bring floats in [0, 1] or [-1, 1] to 0..255; see
            `artstore.media.pixels` for the rule. False: only cut off at 0 and 255.
    Raises:
        InvalidInputError: `media-input-unknown`, `media-file-missing`,
            `media-file-unreadable`, `media-format-unknown`, `image-shape-invalid`,
            `image-empty`, `image-pixels-invalid`, `image-mode-invalid`, and those of
            `Classes`, `BoundingBoxes` and `Mask`.
        LimitExceededError: `image-too-large`.
        DamagedDataError: `image-damaged`: the file was decoded, and is not whole.
    Cost: a file is read and decoded once, and its pixels dropped; an array is
        copied as bytes. Nothing is encoded before `encoded` or `prepare`.
    """

    __slots__ = ("boxes", "caption", "classes", "grouping", "masks", "shown")

    type_name: ClassVar[str] = "image-file"

    boxes: dict[str, BoundingBoxes]
    masks: dict[str, Mask]
    classes: Classes | None
    shown: ShownImage

    def __init__(  # noqa: PLR0917 - the order that scripts know
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: object = None,
        grouping: object = None,
        classes: Classes | Sequence[Mapping[str, Any]] | None = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool = True,  # noqa: FBT001, FBT002 - likewise
    ) -> None:
        given = data_or_path if isinstance(data_or_path, Image) else None
        if isinstance(data_or_path, ShownImage):
            self.shown = data_or_path
        elif given is None:
            self.shown = shown_of(data_or_path, mode, file_type, normalize=normalize)
        elif mode is None and file_type is None:
            self.shown = given.shown
        else:
            shown = shown_of(given.to_pil(), mode, file_type, normalize=normalize)
            self.shown = replace(shown, scaling=given.scaling)
        self.caption = text_or_none(caption, "the caption of an image")
        self.grouping = text_or_none(grouping, "the grouping of an image")
        if classes is None:
            self.classes = given.classes if given is not None else None
        else:
            self.classes = classes if isinstance(classes, Classes) else Classes(classes)
        size = self.shown.size
        self.boxes = {
            layer: value.fitted(size, layer)
            if isinstance(value, BoundingBoxes)
            else BoundingBoxes(value, size=size, classes=self.classes, layer=layer)
            for layer, value in _layers(boxes, "boxes", "box-invalid")
        }
        self.masks = {
            layer: value.fitted(size, layer)
            if isinstance(value, Mask)
            else Mask(value, size=size, classes=self.classes, layer=layer)
            for layer, value in _layers(masks, "masks", "mask-invalid")
        }

    @property
    def digest(self) -> bytes:
        """32 bytes: of the file given by path, of the pixels, or of the reference."""
        return self.shown.digest

    @property
    def path(self) -> str:
        """Where its file lies in an artifact; named by content."""
        return self.shown.path

    @property
    def format(self) -> str | None:
        """`png`, `jpeg`, ...; None for a reference."""
        return self.shown.format

    @property
    def mode(self) -> str | None:
        """`L`, `RGB`, `RGBA`, `I;16`, or of a file another mode of Pillow; None for a reference."""
        return self.shown.mode

    @property
    def width(self) -> int | None:
        """In pixels; None for a reference."""
        return self.shown.width

    @property
    def height(self) -> int | None:
        """In pixels; None for a reference."""
        return self.shown.height

    @property
    def scaling(self) -> str | None:
        """How the numbers of an array became bytes: `unit`, `symmetric`, `clip`, or None."""
        return self.shown.scaling

    @property
    def content(self) -> MediaContent | None:
        """Where the bytes are, if the image is a file, a URL or in a store; None in memory."""
        return self.shown.content

    @property
    def image(self) -> Any:
        """`to_pil()`, by the name that W&B gives it."""
        return self.to_pil()

    def to_pil(self) -> Any:
        """
        The image as a new `PIL.Image.Image`.

        Raises:
            StateError: `media-not-here` for a reference.
            InvalidInputError: `media-file-changed` and the like, for a file.
            DamagedDataError: `image-damaged`.
        """
        shown = self.shown
        if shown.pixels is not None:
            return picture_of(shown.pixels)
        picture = decode_raster(io.BytesIO(self._read()), shown.path)
        if shown.mode in CHANNELS and picture.mode != shown.mode:
            # Some formats have no grey, some releases of Pillow no 16 bits of it.
            picture = picture.convert(shown.mode)
        return picture

    def to_numpy(self) -> Any:
        """
        The pixels, `uint8` (`uint16` for `I;16`), [height, width] or [height, width, channel].

        Raises as `to_pil`. Palettes become colours.
        """
        if self.shown.pixels is not None:
            return self.shown.pixels.array().copy()
        return pixels_of_picture(self.to_pil()).array().copy()

    def encoded(self) -> EncodedFile:
        """
        The bytes of the file. Raises as `to_pil`.

        Cost: encodes an image in memory, each time.
        """
        shown = self.shown
        if shown.pixels is not None:
            assert shown.format is not None
            content = BytesContent.of(encode_pixels(shown.pixels, shown.format))
            return EncodedFile(content.data, content.digest, shown.format)
        data = self._read()
        assert shown.content is not None
        return EncodedFile(data, shown.content.digest, shown.format or "")

    def thumbnail(self, max_side: int = SIDE_PIXELS, *, overlays: bool = False) -> bytes:
        """
        A small PNG for a page: no side longer than `max_side`, never enlarged.

        Args:
            max_side: 1 to 2,048 pixels.
            overlays: draw masks and boxes over it, each class in a colour of its own.
        Raises:
            InvalidInputError: `value-invalid` for another size; else as `to_pil`.
        Cost: decodes the image (a JPEG at a fraction of its size), and with `overlays`
            its masks.
        """
        check_side(max_side)
        shown = self.shown
        if shown.pixels is not None:
            picture = picture_of(shown.pixels)
        else:
            picture = decode_small(io.BytesIO(self._read()), shown.path, max_side)
        picture = shrunk(picture, max_side)
        if overlays and (self.masks or self.boxes):
            picture = drawn_over(picture, self.masks, self.boxes)
        return png_of(picture)

    def cell(self) -> ImageCell:
        """The cell without digests of encoded bytes; `prepare` has them."""
        shown = self.shown
        return ImageCell(
            path=shown.path,
            digest=shown.digest.hex(),
            encoded_digest=None,
            format=shown.format,
            mode=shown.mode,
            width=shown.width,
            height=shown.height,
            caption=self.caption,
            grouping=self.grouping,
            scaling=shown.scaling,
            classes=_classes_cell(self.classes),
            boxes=tuple(
                BoxLayer(name, _classes_cell(layer.classes), layer.boxes)
                for name, layer in sorted(self.boxes.items())
            ),
            masks=tuple(
                MaskLayer(name, mask.path, mask.digest.hex(), None, _classes_cell(mask.classes))
                for name, mask in sorted(self.masks.items())
            ),
        )

    def identity(self) -> dict[str, Any]:
        """What counts: the cell without paths and digests of encoded bytes."""
        return dict(identity_of(self.cell().to_dict()))

    def prepare(self) -> PreparedMedia:
        """
        The cell, and the files it names: image, masks, class sets.

        Cost: encodes what is in memory.
        """
        shown = self.shown
        content = shown.content
        if content is None:
            content = BytesContent(*self.encoded()[:2])
        masks = {name: mask.file() for name, mask in self.masks.items()}
        cell = self.cell().to_dict()
        if not isinstance(content, ReferenceContent):
            cell["encoded_digest"] = content.digest.hex()
        for layer in cell["masks"]:
            layer["encoded_digest"] = masks[layer["layer"]].content.digest.hex()
        files = {shown.path: MediaFile(shown.path, content)}
        files |= {file.path: file for file in masks.values()}
        layers: list[BoundingBoxes | Mask] = [*self.boxes.values(), *self.masks.values()]
        for classes in (self.classes, *(layer.classes for layer in layers)):
            if classes is not None:
                files[classes.path] = classes.file()
        return PreparedMedia(cell, tuple(files.values()))

    @classmethod
    def from_cell(
        cls, cell: Mapping[str, Any], open_content: Callable[[str], MediaContent]
    ) -> Image:
        """
        The image that `prepare` gave as `cell`; no file is read before it is asked for.

        Args:
            open_content: gives the content of a path that the cell names.
        Raises:
            DamagedDataError: `media-cell-damaged`.
        """
        read = ImageCell.from_dict(cell)
        known: dict[str, Classes] = {}

        def classes_of(place: ClassesCell | None) -> Classes | None:
            if place is None:
                return None
            if place.digest not in known:
                load = open_content(place.path).read
                known[place.digest] = Classes.stored(parse_digest(place.digest), load)
            return known[place.digest]

        def mask_of(layer: MaskLayer) -> Mask:
            return Mask.of(
                digest=parse_digest(layer.digest),
                path=layer.path,
                content=open_content(layer.path),
                size=read.size,
                classes=classes_of(layer.classes),
            )

        shown = ShownImage(
            digest=parse_digest(read.digest),
            path=read.path,
            format=read.format,
            mode=read.mode,
            width=read.width,
            height=read.height,
            scaling=read.scaling,
            content=open_content(read.path),
        )
        try:
            return cls(
                shown,
                caption=read.caption,
                grouping=read.grouping,
                classes=classes_of(read.classes),
                boxes={
                    layer.layer: BoundingBoxes.of(layer.boxes, classes_of(layer.classes))
                    for layer in read.boxes
                },
                masks={layer.layer: mask_of(layer) for layer in read.masks},
            )
        except InvalidInputError as error:
            raise damaged_cell("an image", error) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.identity() == other.identity()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        caption = f" {self.caption!r}" if self.caption else ""
        size = "at a URL" if self.shown.size is None else f"{self.width} x {self.height}"
        return f"<Image {self.format or 'reference'} {size}{caption} {self.digest.hex()[:12]}>"

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: a thumbnail with boxes and masks; None if it cannot be read."""
        try:
            return self.thumbnail(overlays=True)
        except ArtstoreError:
            return None

    def _repr_html_(self) -> str:
        """
        What a notebook shows: the thumbnail, caption, size and classes; under 0.5 MB.

        An image at a URL is told and not fetched.
        """
        png: bytes | ArtstoreError | None
        try:
            png = (
                None
                if isinstance(self.content, ReferenceContent)
                else self.thumbnail(overlays=True)
            )
        except ArtstoreError as error:
            png = error
        if isinstance(self.content, ReferenceContent):
            facts = self.content.url
        else:
            facts = f"{self.width} x {self.height} {self.mode} {self.format}"
        return figure_html(png, self.caption, facts, self.masks, self.boxes)

    def _read(self) -> bytes:
        assert self.shown.content is not None
        return self.shown.content.read()


def _layers(value: Mapping[str, Any] | None, what: str, code: str) -> Sequence[tuple[str, Any]]:
    if value is None:
        return ()
    known = require_mapping(value, what, code)
    for layer in known:
        if not isinstance(layer, str) or not layer:
            raise InvalidInputError(f"the layer {layer!r} of {what} is not text", code=code)
        text_or_none(layer, f"the name of a layer of {what}")
    return list(known.items())


def _classes_cell(classes: Classes | None) -> ClassesCell | None:
    return None if classes is None else ClassesCell(classes.path, classes.digest.hex())

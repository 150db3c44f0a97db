"""
Media values as JSON, with their files elsewhere: what formats without media hold of them.

    {"path": "media/images/ab.png", "caption": "a cat", "grouping": "...",
     "classes": [{"id": 1, "name": "cat"}],
     "boxes": {"truth": {"box_data": [...], "class_labels": {"1": "cat"}}},
     "masks": {"truth": {"path": "...", "digest": "...", "class_labels": {...}}},
     "digest": "...", "scaling": "unit"}

Only `path` (or `url`) is always there. Boxes and classes are in the form in which they
can be given to `Image`. `digest` is there for what was made of pixels: if the file
still shows these, the import gives the very same image, and nothing is stored twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.integrations.formats.failures import damaged
from artstore.integrations.placing import placed
from artstore.media.boxes import BoundingBoxes
from artstore.media.cells import damaged_cell
from artstore.media.classes import Classes
from artstore.media.content import MediaContent, ReferenceContent, is_url, member_path
from artstore.media.filemedia import FileMedia
from artstore.media.image import Image
from artstore.media.kinds import kind_named, kind_of
from artstore.media.masks import Mask
from artstore.media.raster import (
    ENDINGS,
    decode_raster,
    ending_of,
    inspect_raster,
    pixels_of_picture,
)
from artstore.media.shown import ShownImage

__all__ = ["Find", "Put", "image_of", "record_of", "said_of_image", "value_of"]

Put = Callable[[MediaContent, str], str]
"""Keeps a file, for which a path is proposed, and gives the path that it has now."""

Find = Callable[[str], MediaContent]
"""Gives the content of the file at a path that a record names."""

_LOSSLESS: Final = frozenset(("png", "bmp", "webp"))
_ENDING: Final = re.compile(r"[a-z0-9]{1,10}(\.[a-z0-9]{1,10})?")
_NOT_SAID: Final = ("path", "digest", "encoded_digest", "size_bytes")


# media -> JSON --------------------------------------------------------------------------


def record_of(value: Any, put: Put) -> dict[str, Any]:
    """
    A media value as JSON; its files go to `put`.

    Raises:
        StateError: `media-not-here`, and what reading its file raises.
    """
    kind = kind_of(value)
    assert kind is not None
    if isinstance(value, Image):
        return {**_placed_image(value, put), **said_of_image(value, put)}
    cell = value.prepare().cell
    if not isinstance(value, FileMedia):
        return {"_type": kind.type_name, **cell}
    said = {name: told for name, told in cell.items() if name not in _NOT_SAID}
    content = value.source.content
    if isinstance(content, ReferenceContent):
        return {"_type": kind.type_name, **said, "url": content.url}
    return {"_type": kind.type_name, **said, "path": put(content, value.path)}


def file_of_image(image: Image) -> tuple[MediaContent, str]:
    """
    The bytes of an image that was read from a table, and what its file ends in.

    Raises:
        StateError: `media-not-here` for an image under a URL.
    """
    content = image.content
    assert content is not None, "of a row"
    if image.format is not None:
        return content, ENDINGS[image.format]
    # Of a URL nothing is known but its bytes; of one that was never logged not even these.
    with content.open() as file:
        return content, ENDINGS[inspect_raster(file, image.path).format]


def said_of_image(image: Image, put: Put) -> dict[str, Any]:
    """What is said of an image, without its own file; masks go to `put`."""
    said: dict[str, Any] = {
        "caption": image.caption,
        "grouping": image.grouping,
        "classes": None if image.classes is None else image.classes.class_set,
        "boxes": {layer: boxes.to_wandb() for layer, boxes in image.boxes.items()},
        "masks": {layer: _mask_record(mask, put) for layer, mask in image.masks.items()},
    }
    content = image.content
    if content is not None and image.format is not None and content.digest != image.digest:
        said |= {"digest": image.digest.hex(), "scaling": image.scaling}
    return {name: value for name, value in said.items() if value not in (None, {})}


def _placed_image(image: Image, put: Put) -> dict[str, Any]:
    if isinstance(image.content, ReferenceContent):
        return {"url": image.content.url}
    content, ending = file_of_image(image)
    return {"path": put(content, member_path("images", image.digest, ending))}


def _mask_record(mask: Mask, put: Put) -> dict[str, Any]:
    ending = mask.path.rpartition(".")[2]
    ending = ending if ending in ENDINGS.values() else "png"
    record: dict[str, Any] = {
        "path": put(mask.file().content, member_path("masks", mask.digest, f"mask.{ending}")),
        "digest": mask.digest.hex(),
    }
    if mask.classes is not None:
        record["class_labels"] = dict(mask.classes.names)
    return record


# JSON -> media --------------------------------------------------------------------------


def value_of(record: Any, find: Find, what: str) -> Any:
    """
    The media value that a record tells.

    Args:
        record: a path or URL of an image, or what `record_of` gave.
        what: names the place of the record in errors.
    Raises:
        DamagedDataError: `exchange-file-damaged`, `image-damaged`, `media-cell-damaged`.
        NotFoundError, InvalidInputError, LimitExceededError: as `find` and the media tell.
    """
    if isinstance(record, str):
        record = {"path": record}
    if not isinstance(record, Mapping):
        raise damaged(what, f"{str(record)[:60]!r} tells no media")
    type_name = record.get("_type", Image.type_name)
    try:
        if type_name == Image.type_name:
            path = record.get("path")
            url = path if is_url(path) else record.get("url")
            if url is not None:
                return Image(_url(url), **_said(record, find))
            return image_of(find(_text(path)), f"{what}, {path}", record, find)
        return _other(str(type_name), record, find)
    except ArtstoreError as error:
        raise error if what in error.message else placed(error, what) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged(what, f"it tells no media: {error}") from error


def image_of(
    content: MediaContent,
    what: str,
    said: Mapping[str, Any] | None = None,
    find: Find | None = None,
) -> Image:
    """
    The image whose file is `content`, of which `said` is said.

    Raises:
        DamagedDataError: `image-damaged`.
        LimitExceededError: `image-too-large`.
        InvalidInputError: `media-format-unknown`, and those of boxes, masks and classes.
    Cost: decodes it once, to see that it is whole.
    """
    said = said or {}
    with content.open() as file:
        info = inspect_raster(file, what)
        digest, scaling, mode = content.digest, None, info.mode
        claimed = said.get("digest")
        if claimed not in (None, digest.hex()) and info.format in _LOSSLESS:
            pixels = pixels_of_picture(decode_raster(file, what))
            if pixels.digest().hex() == claimed:
                digest, mode = pixels.digest(), pixels.mode
                scaling = _one_of(said.get("scaling"), ("unit", "symmetric", "clip"))
    shown = ShownImage(
        digest=digest,
        path=member_path("images", digest, ENDINGS[info.format]),
        format=info.format,
        mode=mode,
        width=info.width,
        height=info.height,
        scaling=scaling,
        content=content,
    )
    return Image(shown, **_said(said, find))


def _said(record: Mapping[str, Any], find: Find | None) -> dict[str, Any]:
    masks = record.get("masks") or {}
    return {
        "caption": _maybe_text(record.get("caption")),
        "grouping": _maybe_text(record.get("grouping")),
        "classes": None if record.get("classes") is None else Classes(record["classes"]),
        "boxes": {layer: BoundingBoxes(boxes, layer) for layer, boxes in _pairs(record, "boxes")},
        "masks": {layer: _mask_of(mask, find, layer) for layer, mask in masks.items()},
    }


def _pairs(record: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    return list((record.get(name) or {}).items())


def _mask_of(record: Mapping[str, Any], find: Find | None, layer: str) -> Mask:
    if find is None:
        raise TypeError("a mask without its file")
    path = _text(record["path"])
    content = find(path)
    with content.open() as file:
        picture = decode_raster(file, path)
    if picture.mode not in ("L", "P"):
        raise InvalidInputError(
            f"the mask {path} has mode {picture.mode}, and not one channel of bytes",
            code="mask-invalid",
        )
    import_labels = {"class_labels": record.get("class_labels")}
    drawn = Mask({"mask_data": _ids(picture), **import_labels}, layer)
    if record.get("digest") != content.digest.hex():
        return drawn
    # It was given as a file, and is known by its bytes.
    return Mask.of(
        digest=content.digest,
        path=member_path("masks", content.digest, f"mask.{ending_of(picture)}"),
        content=content,
        size=picture.size,
        classes=drawn.classes,
    )


def _ids(picture: Any) -> Any:
    from artstore.media.values import as_array

    return as_array(picture)


def _other(type_name: str, record: Mapping[str, Any], find: Find) -> Any:
    kind = kind_named(type_name)
    made = kind.load()
    if not issubclass(made, FileMedia):
        return kind.from_cell(record, find)
    ending = _text(record["format"])
    if not _ENDING.fullmatch(ending):
        raise damaged_cell("a media value", ValueError(f"its format is {ending!r:.40}"))
    told = record.get("path", record.get("url"))
    content = ReferenceContent(told) if is_url(told) else find(_text(told))
    path = member_path(made.folder, content.digest, ending)
    is_reference = isinstance(content, ReferenceContent)
    cell = {
        **{name: record.get(name) for name in made.fact_names},
        "path": path,
        "digest": content.digest.hex(),
        "encoded_digest": None if is_reference else content.digest.hex(),
        "size_bytes": None if is_reference else len(content.read()),
        "format": ending,
        "caption": _maybe_text(record.get("caption")),
    }
    return kind.from_cell(cell, lambda _: content)


def _url(value: Any) -> str:
    if not is_url(value):
        raise TypeError(f"{value!r:.80} is no URL")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r:.80} is no path")
    return value


def _maybe_text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _one_of(value: Any, known: tuple[str, ...]) -> str | None:
    return value if value in known else None

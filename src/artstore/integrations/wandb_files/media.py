"""
Media values out of W&B's records of them: in a cell of a table, or in a file of one value.

Files are read where they lie; their digests are compared with those that the record
tells, and an image's size too.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from artstore.errors import DamagedDataError, InvalidInputError, NotFoundError
from artstore.integrations.wandb_files.digests import ALGORITHMS, MD5, entry_digest
from artstore.integrations.wandb_files.failures import Misfit, damaged_file, missing_file
from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.jsonstream import decode_json
from artstore.integrations.wandb_files.manifest import WandbManifest
from artstore.integrations.wandb_files.types import constant
from artstore.media.audio import Audio
from artstore.media.bokeh import Bokeh
from artstore.media.boxes import PIXEL
from artstore.media.classes import Classes
from artstore.media.histogram import Histogram
from artstore.media.html import Html
from artstore.media.image import Image
from artstore.media.masks import Mask
from artstore.media.molecule import Molecule
from artstore.media.plotly import Plotly
from artstore.media.scene import Scene
from artstore.media.video import Video

__all__ = ["MEDIA_TYPES", "MediaReader", "class_set", "is_media"]

_SMALL_BYTES: Final = 64 * 1024 * 1024
_BOX_FIELDS: Final = ("position", "domain", "class_id", "scores", "box_caption")
_UNNAMED: Final = frozenset((0, 255))
_FILES: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "audio-file": lambda place, caption: Audio(place, caption=caption),
    "bokeh-file": lambda place, _: Bokeh(place),
    # What W&B adds to a page stands in it already.
    "html-file": lambda place, _: Html(place, inject=False),
    "molecule-file": Molecule,
    "object3D-file": Scene,
    "plotly-file": lambda place, _: Plotly(place),
    "video-file": Video,
}
MEDIA_TYPES: Final = frozenset((*_FILES, "histogram", "image-file"))
"""The `_type` of what a cell can hold."""


def is_media(value: Mapping[str, Any]) -> bool:
    """Whether a record says that it is media of a cell."""
    kind = value.get("_type")
    return isinstance(kind, str) and kind in MEDIA_TYPES


class MediaReader:
    """
    Makes values out of records.

    Args:
        files: the directory.
        manifest: the manifest in it, which tells what lies elsewhere.
        check_digests: compare files with the SHA-256 and MD5 that records tell.
        clip_boxes: cut boxes off at the edges of their image, instead of refusing them.
    """

    def __init__(
        self,
        files: WandbFiles,
        manifest: WandbManifest | None,
        *,
        check_digests: bool,
        clip_boxes: bool,
    ) -> None:
        self._files = files
        self._manifest = manifest
        self._check_digests = check_digests
        self._clip_boxes = clip_boxes
        self._classes: dict[str, Classes] = {}

    def value(self, record: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
        """
        The value that a record of one of MEDIA_TYPES tells.

        Args:
            params: of the type of its column, which may name classes.
        Raises:
            Misfit: the record lacks something.
            ArtstoreError: what the value itself raises, `wandb-file-missing`,
                `wandb-path-refused`, `wandb-digest-mismatch`.
        """
        kind = record["_type"]
        if kind == "image-file":
            return self._image(record, params)
        if kind == "histogram":
            return Histogram(np_histogram=(record.get("values"), record.get("bins")))
        return _FILES[kind](self._place(record), record.get("caption"))

    def classes(self, record: Any) -> Classes | None:
        """The class set that a record names by its file; each file is read once."""
        if record is None:
            return None
        path = _mapping(record, "classes").get("path")
        place = self._files.find(path, "a record of classes")
        if place not in self._classes:
            data = self._files.read(str(path), _SMALL_BYTES)
            # A record does not say of which kind its digest is.
            found = {name: entry_digest(io.BytesIO(data), name) for name in ALGORITHMS}
            if record.get("digest") not in found.values():
                self._compare(str(path), record.get("digest"), found[MD5], MD5)
            self._classes[place] = class_set(decode_json(data, str(path)), str(path))
        return self._classes[place]

    def mask(self, record: Any, labels: Mapping[int, str] | None, layer: str = "mask") -> Mask:
        """One mask, with names for all classes in it if there are names at all."""
        given: dict[str, Any] = {"path": self._place(_mapping(record, "a mask"))}
        if labels is None:
            return Mask(given, layer)
        try:
            return Mask({**given, "class_labels": labels}, layer)
        except InvalidInputError as error:
            if error.code != "class-unlabelled":
                raise
        import numpy as np

        used = np.unique(Mask(given, layer).to_numpy()).tolist()
        return Mask({**given, "class_labels": _completed(labels, set(used) - _UNNAMED)}, layer)

    def boxes(self, record: Any, labels: Mapping[int, str] | None, layer: str) -> dict[str, Any]:
        """One layer of boxes as `Image` takes it; a record may also name a file of them."""
        if isinstance(record, dict) and "path" in record:
            self._place(record)
            record = decode_json(self._files.read(record["path"], _SMALL_BYTES), record["path"])
        if isinstance(record, dict):
            labels = labels if labels is not None else _numbered(record.get("class_labels"))
            record = record.get("box_data")
        if not isinstance(record, list):
            raise Misfit(f"the boxes of layer {layer!r} are not a list")
        # W&B keeps fields that nothing reads; what it reads is taken.
        boxes = [
            {name: box[name] for name in _BOX_FIELDS if name in box}
            if isinstance(box, dict)
            else box
            for box in record
        ]
        value: dict[str, Any] = {"box_data": boxes}
        if labels is not None:
            used = {box.get("class_id") for box in boxes if isinstance(box, dict)}
            value["class_labels"] = _completed(labels, {i for i in used if type(i) is int})
        return value

    def _image(self, record: Mapping[str, Any], params: Mapping[str, Any]) -> Image:
        place = self._place(record)
        classes = self.classes(record.get("classes"))
        if classes is None:
            classes = _classes_of(_numbered(constant(params, "class_map")))
        image = Image(
            place,
            caption=record.get("caption"),
            grouping=record.get("grouping"),
            classes=classes,
        )
        self._compare_size(image, record)
        boxes = _mapping(record.get("boxes") or {}, "boxes")
        masks = _mapping(record.get("masks") or {}, "masks")
        if not boxes and not masks:
            return image
        layers: dict[str, Any] = {}
        for layer, one in boxes.items():
            labels = _labels(params, "box_class_maps", layer, classes)
            layers[layer] = self._clipped(self.boxes(one, labels, layer), image)
        return Image(
            image,
            caption=image.caption,
            grouping=image.grouping,
            boxes=layers,
            masks={
                layer: self.mask(one, _labels(params, "mask_class_maps", layer, classes), layer)
                for layer, one in masks.items()
            },
        )

    def _place(self, record: Mapping[str, Any]) -> str:
        """Where the file of a record is: on this machine, or the URL of what is not here."""
        path = record.get("path")
        entry = (
            self._manifest.entries.get(path) if self._manifest and isinstance(path, str) else None
        )
        # A record of an image at a URL does not say its size, and as a digest has that of the URL.
        is_reference = (entry is not None and entry.url is not None) or (
            record.get("_type") == "image-file" and "width" not in record
        )
        try:
            place = self._files.find(path, f"a record of type {record.get('_type')!r}")
        except NotFoundError as error:
            if entry is None or entry.url is None:
                raise
            if entry.is_elsewhere:
                return entry.url
            raise missing_file(
                entry.path, "a record", f"it lies in another artifact, at {entry.url}"
            ) from error
        expected = record.get("sha256")
        if self._check_digests and isinstance(expected, str) and not is_reference:
            with self._files.open(str(path)) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            self._compare(str(path), expected, found, "SHA-256")
        return place

    def _compare(self, path: str, expected: Any, found: str, algorithm: str) -> None:
        if self._check_digests and isinstance(expected, str) and expected != found:
            raise DamagedDataError(
                f"{path} has the {algorithm} {found}, and its record says {expected}",
                code="wandb-digest-mismatch",
                hint="download the artifact again; check_digests=False reads it as it is",
                file=path,
                expected=expected,
                found=found,
            )

    def _compare_size(self, image: Image, record: Mapping[str, Any]) -> None:
        for name, found in (("width", image.width), ("height", image.height)):
            expected = record.get(name)
            if expected is not None and found is not None and expected != found:
                raise Misfit(f"the record says {name} {expected!r}, and the file has {found}")

    def _clipped(self, layer: dict[str, Any], image: Image) -> dict[str, Any]:
        if not self._clip_boxes:
            return layer
        return {**layer, "box_data": [_clipped_box(box, image) for box in layer["box_data"]]}


def class_set(value: Any, path: str) -> Classes:
    """
    The class set in a file of W&B.

    Raises:
        DamagedDataError: `wandb-file-damaged`.
        InvalidInputError: `classes-invalid`.
    """
    entries = value.get("class_set") if isinstance(value, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise damaged_file(path, "it has no list of classes")
    # Colours and the like, which W&B lets pass, say nothing of what a class is.
    return Classes([{key: one[key] for key in ("id", "name") if key in one} for one in entries])


def _labels(
    params: Mapping[str, Any], name: str, layer: str, classes: Classes | None
) -> dict[int, str] | None:
    """The names of a layer: those that the column has for it, else those of the image."""
    maps = constant(params, name)
    own = _numbered(maps.get(layer)) if isinstance(maps, dict) else None
    if own:
        return own
    if classes is None:
        return None
    return {key: label for key, label in classes.names.items() if isinstance(key, int)}


def _numbered(names: Any) -> dict[int, str] | None:
    """Names by id: JSON has turned the ids into text."""
    if not isinstance(names, dict) or not names:
        return None
    return {
        int(key): str(name)
        for key, name in names.items()
        if isinstance(key, str) and key.removeprefix("-").isdecimal()
    }


def _completed(labels: Mapping[int, str], used: Iterable[int]) -> dict[int, str]:
    """With the name that W&B shows for a class that nobody named."""
    return {**{one: f"class_{one}" for one in sorted(used) if one not in labels}, **labels}


def _classes_of(labels: Mapping[int, str] | None) -> Classes | None:
    if not labels:
        return None
    return Classes([{"id": key, "name": name} for key, name in labels.items()])


def _clipped_box(box: Any, image: Image) -> Any:
    position = box.get("position") if isinstance(box, dict) else None
    if not isinstance(position, dict) or image.width is None or image.height is None:
        return box
    width, height = (image.width, image.height) if box.get("domain") == PIXEL else (1, 1)
    try:
        if "middle" in position:
            (x, y), wide, high = position["middle"], position["width"], position["height"]
            corners = {
                "minX": x - wide / 2,
                "maxX": x + wide / 2,
                "minY": y - high / 2,
                "maxY": y + high / 2,
            }
        else:
            corners = dict(position)
        sides = {"minX": width, "maxX": width, "minY": height, "maxY": height}
        clipped = {name: min(max(corners[name], 0), side) for name, side in sides.items()}
    except (KeyError, TypeError, ValueError):
        # What is wrong with it is told where boxes are read.
        return box
    return {**box, "position": clipped}


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Misfit(f"{what}: {value!r:.60} is not a record")
    return value

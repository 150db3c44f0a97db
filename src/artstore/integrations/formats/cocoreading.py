"""
Tables of COCO: one row an image, with its boxes, its mask and its annotations.

    id, file_name, image    as the file has them; boxes and mask in layer `ground_truth`
    annotations             each with id, category_id, bbox, area, iscrowd, polygons, rle and
                            whatever else it has; polygons and runs are kept as numbers

A mask has the category of each pixel; where objects lie over one another, the smaller one
is on top. It is drawn from the numbers, which are kept beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.integrations.formats.cocofile import CocoFile
from artstore.integrations.formats.failures import damaged, missing
from artstore.integrations.formats.incoming import BATCH_ROWS, BatchIntake
from artstore.integrations.formats.localfiles import SourceFiles
from artstore.integrations.formats.mediarecords import image_of
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.places import Source, file_source
from artstore.integrations.placing import placed
from artstore.media.boxes import BoundingBoxes
from artstore.media.image import Image
from artstore.media.masks import Mask
from artstore.media.outlines import Outline, drawn_mask, unpacked_runs
from artstore.tables.table import Table

__all__ = ["FILE", "LAYER", "bbox_of", "import_coco"]

FILE: Final = "annotations.json"
LAYER: Final = "ground_truth"
_OWN: Final = "artstore"
_NUMBERS: Final = ("bbox", "area")
_ROUNDING_PIXELS: Final = 1.0
"""So far boxes of others reach out of their image by rounding; they are cut off there."""


def import_coco(place: str, options: ImportOptions) -> Table:
    """The images of one file with their annotations, as `import_table` tells."""
    source = file_source(place, FILE, (".json",))
    coco = CocoFile(source.file)
    try:
        reader = _Reader(coco, source, options)
        told = source.told
        if told is not None and told.schema is not None and "image" in told.layout:
            incoming = BatchIntake(told.schema.names, told)
        else:
            incoming = BatchIntake(reader.names())
        batch: list[dict[str, Any]] = []
        for row in reader.rows():
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                incoming.add_json(batch, _as_it_is, reader.where)
                batch = []
        incoming.add_json(batch, _as_it_is, reader.where)
        return incoming.table(["id"])
    finally:
        coco.close()


def bbox_of(box: Mapping[str, Any], size: tuple[int, int]) -> list[float]:
    """The `bbox` of COCO, in pixels, of a box as it is given to `BoundingBoxes`."""
    place = box["position"]
    width, height = (1, 1) if box.get("domain") == "pixel" else size
    left, right = place["minX"] * width, place["maxX"] * width
    top, bottom = place["minY"] * height, place["maxY"] * height
    return [float(left), float(top), float(right - left), float(bottom - top)]


def _as_it_is(value: Any, _place: str) -> Any:
    return value


class _Reader:
    """Rows of the images of a file."""

    def __init__(self, coco: CocoFile, source: Source, options: ImportOptions) -> None:
        self._coco = coco
        self._options = options
        self._file = source.file
        self._told = source.told
        self._files = SourceFiles(_image_root(coco, source, options))
        is_own = source.told is not None
        self._background = 255 if coco.draws_class_zero and not is_own else 0
        if options.masks and max(coco.categories, default=0) > 255:
            raise InvalidInputError(
                f"{source.file} has categories up to {max(coco.categories)}, "
                "and a mask holds 0 to 255",
                code="mask-invalid",
                hint="import it without masks (masks=False, --no-masks); polygons are kept",
            )

    def names(self) -> list[str]:
        """Columns of a file of others."""
        others = (name for name in self._coco.columns if name not in ("image", "annotations"))
        return ["id", "file_name", "image", *others, "annotations"]

    def where(self, _: int) -> str:
        """Names the file: rows are told by the ids in it."""
        return self._file

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row."""
        for record, found in self._coco.images():
            place = f"{self._file}, image {record['id']!r}"
            own = record.get(_OWN)
            said = own.get("said") if isinstance(own, Mapping) else None
            image = self._image(record, found, said if isinstance(said, dict) else {}, place)
            kept = [_kept(one, place) for one in found if _OWN not in one]
            if self._told is None or not isinstance(own, Mapping):
                yield {**record, "image": image, "annotations": kept}
                continue
            row = own.get("row")
            if not isinstance(row, dict):
                raise damaged(place, "it does not tell its row")
            column = str(self._told.layout["image"])
            yield {**row, column: image, **({"annotations": kept} if own.get("kept") else {})}

    def _image(
        self,
        record: Mapping[str, Any],
        annotations: Sequence[Mapping[str, Any]],
        said: dict[str, Any],
        place: str,
    ) -> Image:
        path = record["file_name"]
        content = self._files.content(path, place)
        plain = image_of(content, f"{place}, {path}", said)
        size = (plain.width or 0, plain.height or 0)
        told = (record.get("width", size[0]), record.get("height", size[1]))
        if told != size:
            raise damaged(place, f"it is said to be {told[0]} x {told[1]}, {path} is {size}")
        try:
            return Image(
                plain,
                caption=plain.caption or _caption(annotations),
                grouping=plain.grouping,
                classes=self._coco.classes,
                boxes=self._boxes(annotations, size),
                masks=self._masks(annotations, size) if self._options.masks else None,
            )
        except ArtstoreError as error:
            raise error if place in error.message else placed(error, place) from error

    def _boxes(
        self, annotations: Sequence[Mapping[str, Any]], size: tuple[int, int]
    ) -> dict[str, Any]:
        layers: dict[str, list[Any]] = {}
        for one in annotations:
            own = _own(one)
            if one.get("bbox") is not None and not own.get("mask"):
                box = self._box(one, own, size)
                layers.setdefault(str(own.get("layer", LAYER)), []).append(box)
        classes = self._coco.classes
        return {
            layer: BoundingBoxes({"box_data": boxes}, layer, size=size, classes=classes)
            for layer, boxes in layers.items()
        }

    def _box(
        self, one: Mapping[str, Any], own: Mapping[str, Any], size: tuple[int, int]
    ) -> dict[str, Any]:
        bbox = [_number(value, one) for value in _list(one, "bbox")]
        if len(bbox) != 4:
            raise damaged(_called(one), "its bbox is not x, y, width and height")
        told = own.get("box")
        if isinstance(told, dict) and bbox_of(told, size) == bbox:
            return {**told, "class_id": one.get("category_id")} if "class_id" in told else told
        left, top, width, height = bbox
        if width < 0 or height < 0:
            raise damaged(_called(one), f"its bbox {bbox} has a negative side")
        slack = float("inf") if self._options.clip_boxes else _ROUNDING_PIXELS
        corners = {
            "minX": _clipped(left, size[0], slack),
            "maxX": _clipped(left + width, size[0], slack),
            "minY": _clipped(top, size[1], slack),
            "maxY": _clipped(top + height, size[1], slack),
        }
        box: dict[str, Any] = {"position": corners, "domain": "pixel"}
        if one.get("category_id") is not None:
            box["class_id"] = one["category_id"]
        if isinstance(one.get("score"), (int, float)):
            box["scores"] = {"score": one["score"]}
        return box

    def _masks(
        self, annotations: Sequence[Mapping[str, Any]], size: tuple[int, int]
    ) -> dict[str, Any]:
        layers: dict[str, list[tuple[float, Outline]]] = {}
        for one in annotations:
            if one.get("segmentation") and one.get("category_id") is not None:
                layer = str(_own(one).get("layer", LAYER))
                area = one.get("area")
                order = -float(area) if isinstance(area, (int, float)) else 0.0
                layers.setdefault(layer, []).append((order, _outline(one, size)))
        masks = {}
        for layer, outlines in layers.items():
            drawn = [outline for _, outline in sorted(outlines, key=lambda pair: pair[0])]
            ids = drawn_mask(size, drawn, self._background)
            masks[layer] = Mask({"mask_data": ids}, layer, classes=self._coco.classes)
        return masks


def _image_root(coco: CocoFile, source: Source, options: ImportOptions) -> str:
    """The directory that the names of images are relative to: where the first one lies."""
    if options.images is not None:
        return options.images
    first = next(iter(coco.images()), None)
    if first is None:
        return source.root
    name = first[0]["file_name"]
    stem = os.path.splitext(os.path.basename(source.file))[0]
    above = os.path.dirname(source.root)
    places = [
        source.root,
        os.path.join(source.root, "images"),
        *(os.path.join(above, part) for part in (stem.rpartition("_")[2], stem, "images")),
        above,
    ]
    for place in places:
        try:
            SourceFiles(place).place(name, source.file)
        except ArtstoreError as error:
            if error.code != "exchange-file-missing":
                raise
            continue
        return place
    lost = missing(name, source.file)
    lost.hint = f"say where images lie (images=, --images); looked in {', '.join(places[:4])}"
    raise lost


def _kept(one: Mapping[str, Any], place: str) -> dict[str, Any]:
    """An annotation as the row keeps it: a member has one type, in all annotations."""
    row = {name: value for name, value in one.items() if name not in ("image_id", "segmentation")}
    for name in _NUMBERS:
        value = row.get(name)
        if isinstance(value, list):
            row[name] = [_number(number, one) for number in value]
        elif value is not None:
            row[name] = _number(value, one)
    found = one.get("segmentation")
    if isinstance(found, list):
        row["polygons"] = [[_number(number, one) for number in _polygon(p, one)] for p in found]
    elif isinstance(found, dict):
        row["rle"] = {"size": found.get("size"), "counts": list(_runs(found, one))}
    elif found is not None:
        raise damaged(place, f"{_called(one)} has a segmentation that is none")
    return row


def _outline(one: Mapping[str, Any], size: tuple[int, int]) -> Outline:
    found = one["segmentation"]
    try:
        if isinstance(found, dict):
            told = found.get("size")
            if told != [size[1], size[0]]:
                raise damaged(_called(one), f"its runs are of {told}, height and width")
            return Outline(one["category_id"], runs=_runs(found, one))
        polygons = tuple(
            tuple(_number(number, one) for number in _polygon(polygon, one)) for polygon in found
        )
        # Two points are a line, which annotation tools leave behind; it has no pixels.
        return Outline(one["category_id"], tuple(p for p in polygons if len(p) >= 6))
    except TypeError as error:
        raise damaged(_called(one), f"its segmentation is none: {error}") from error


def _polygon(value: Any, one: Mapping[str, Any]) -> list[Any]:
    if not isinstance(value, list):
        raise damaged(_called(one), "a polygon of it is no list of numbers")
    return value


def _runs(found: Mapping[str, Any], one: Mapping[str, Any]) -> tuple[int, ...]:
    counts = found.get("counts")
    if isinstance(counts, str):
        return unpacked_runs(counts)
    if not isinstance(counts, list) or not all(type(count) is int for count in counts):
        raise damaged(_called(one), "its runs are neither whole numbers nor packed")
    return tuple(counts)


def _caption(annotations: Sequence[Mapping[str, Any]]) -> str | None:
    return next(
        (one["caption"] for one in annotations if isinstance(one.get("caption"), str)), None
    )


def _own(one: Mapping[str, Any]) -> Mapping[str, Any]:
    found = one.get(_OWN)
    return found if isinstance(found, Mapping) else {}


def _clipped(value: float, side: int, slack: float) -> float:
    return min(max(value, 0.0), float(side)) if -slack <= value <= side + slack else value


def _list(one: Mapping[str, Any], name: str) -> list[Any]:
    found = one[name]
    if not isinstance(found, list):
        raise damaged(_called(one), f"its {name} is no list")
    return found


def _number(value: Any, one: Mapping[str, Any]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise damaged(_called(one), f"{value!r:.40} stands where a number has to")
    try:
        return float(value)
    except OverflowError as error:
        raise damaged(_called(one), "a number in it is too large") from error


def _called(one: Mapping[str, Any]) -> str:
    return f"annotation {one.get('id')!r} of image {one.get('image_id')!r}"

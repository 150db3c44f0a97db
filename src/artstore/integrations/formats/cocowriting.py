"""
Tables as COCO: images in a directory, and one JSON with boxes, masks and categories.

What the annotations of an import were is written as it was. Boxes and masks of other
layers become annotations with a member `artstore`, by which an import knows the layer and
the exact box; a mask becomes the runs of each of its classes. What else a row holds
stands in the member `artstore` of its image.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final, TextIO

from artstore.integrations.formats.cocofile import UNNAMED
from artstore.integrations.formats.cocoreading import FILE, LAYER, bbox_of
from artstore.integrations.formats.failures import unsupported
from artstore.integrations.formats.filenames import FileNames, fetched_file, main_image
from artstore.integrations.formats.jsoncells import encoded_cells
from artstore.integrations.formats.jsonrows import json_objects
from artstore.integrations.formats.mediafolder import MediaFolder, write_file
from artstore.integrations.formats.mediarecords import record_of, said_of_image
from artstore.integrations.formats.outgoing import windows
from artstore.integrations.formats.provenance import FILE_NAME, provenance_of
from artstore.integrations.formats.staging import StagingPlace
from artstore.media.classes import Classes
from artstore.media.image import Image
from artstore.media.masks import Mask
from artstore.media.outlines import runs_of_mask
from artstore.tables.pythoncells import python_cells
from artstore.tables.reading import RowReader
from artstore.tables.types import List, Plain, Struct

__all__ = ["export_coco"]

_IMAGES: Final = "images/"
_KEPT: Final = "annotations"
_OWN: Final = "artstore"


def export_coco(reader: RowReader, stage: StagingPlace) -> None:
    """Write the images of one column and `annotations.json`."""
    image = main_image(reader, "coco")
    told = provenance_of(reader, "coco", {"image": image})
    parts = [os.path.join(stage.root, f"{name}.part") for name in ("images", "annotations")]
    with ExitStack() as stack:
        images, marks = (stack.enter_context(open(part, "x+", encoding="utf-8")) for part in parts)
        writer = _Writer(reader, stage, image, _Members(images), _Members(marks))
        writer.write()
        with open(os.path.join(stage.root, FILE), "x", encoding="utf-8") as file:
            _join(file, images, marks, list(writer.categories.values()))
    for part in parts:
        os.unlink(part)
    write_file(os.path.join(stage.root, FILE_NAME), told.encode())


def _join(file: TextIO, images: TextIO, marks: TextIO, categories: list[Any]) -> None:
    info = {"description": "exported by artstore"}
    categories = sorted(categories, key=lambda one: one["id"])
    file.write(f'{{"info": {_json(info)},\n"licenses": [],\n"categories": {_json(categories)}')
    for name, part in (("images", images), ("annotations", marks)):
        file.write(f',\n"{name}": [')
        part.seek(0)
        shutil.copyfileobj(part, file)
        file.write("]")
    file.write("}\n")


class _Members:
    """Members of a JSON list, written one by one."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._between = "\n"

    def add(self, value: Mapping[str, Any]) -> None:
        """Write one."""
        self._file.write(self._between + _json(value))
        self._between = ",\n"


class _Writer:
    """Writes images, and what is said of them, row by row."""

    def __init__(
        self, reader: RowReader, stage: StagingPlace, image: str, images: _Members, marks: _Members
    ) -> None:
        self._reader = reader
        self._image = image
        self._images, self._annotations = images, marks
        self._media = MediaFolder(stage.root)
        self._names = FileNames(os.path.join(stage.root, _IMAGES), reader.row_count)
        self._keeps = _keeps_annotations(reader)
        self._has_ids = _has_ids(reader)
        self._next_id = 1 + (_last_id(reader) if self._keeps else 0)
        self.categories: dict[int, dict[str, Any]] = {}

    def write(self) -> None:
        """Write all rows."""
        reader, name = self._reader, self._image
        for first, rows in windows(reader):
            at = rows.schema.names.index(name)
            images = python_cells(rows.schema.types[at], rows.arrays[at], reader.opener_of(name))
            without = {name, _KEPT} if self._keeps else {name}
            others = json_objects(
                reader, rows, lambda value: record_of(value, self._media.put), without
            )
            kept: list[Any] = [None] * rows.row_count
            if self._keeps:
                kind, array = (
                    rows.schema.type_of(_KEPT),
                    rows.arrays[rows.schema.names.index(_KEPT)],
                )
                kept = encoded_cells(kind, array, reader.opener_of(_KEPT), str)
            cells = zip(images, others, kept, strict=True)
            for number, (value, row, found) in enumerate(cells, first):
                if value is None:
                    raise unsupported(
                        f"row {number} has no image, and coco needs one in each row",
                        "leave such rows out, or export it as jsonl",
                        row=number,
                    )
                self._row(number, value, row, found)

    def _row(self, number: int, image: Image, row: dict[str, Any], kept: Any) -> None:
        content, ending = fetched_file(image, number)
        wanted = row.get("file_name", row.get("id"))
        path = self._names.write(number, content.read(), ending, wanted)
        image_id = row["id"] if self._has_ids else number + 1
        said = said_of_image(image, lambda _, path: path)
        own: dict[str, Any] = {
            "row": row,
            "said": {n: v for n, v in said.items() if n not in ("boxes", "masks", "classes")},
        }
        if self._keeps and kept is not None:
            own["kept"] = True
        self._images.add(
            {
                "id": image_id,
                "file_name": path,
                "width": image.width,
                "height": image.height,
                _OWN: own,
            }
        )
        if image.classes is not None:
            self._add_classes(image.classes)
        for one in kept or ():
            self._annotations.add({**_native(one), "image_id": image_id})
        for one in self._layers(image):
            self._annotations.add({"id": self._next_id, "image_id": image_id, **one})
            self._next_id += 1

    def _layers(self, image: Image) -> Iterator[dict[str, Any]]:
        """Boxes and masks as annotations; those that the kept ones tell are not told twice."""
        size = (image.width or 0, image.height or 0)
        for layer, boxes in image.boxes.items():
            if self._keeps and layer == LAYER:
                continue
            for box in boxes.boxes:
                data = box.to_box_data()
                bbox = bbox_of(data, size)
                if box.class_id is not None:
                    self._add_category(box.class_id, box.class_label, boxes.classes)
                yield {
                    "category_id": box.class_id,
                    "bbox": bbox,
                    "area": bbox[2] * bbox[3],
                    "iscrowd": 0,
                    _OWN: {"layer": layer, "box": data},
                }
        for layer, mask in image.masks.items():
            if not (self._keeps and layer == LAYER):
                yield from self._of_mask(layer, mask)

    def _of_mask(self, layer: str, mask: Mask) -> Iterator[dict[str, Any]]:
        ids = mask.to_numpy()
        height, width = ids.shape
        for class_id in range(1, 256):
            inside = ids == class_id
            area = int(inside.sum())
            if not area:
                continue
            self._add_category(class_id, None, mask.classes)
            rows, columns = inside.any(axis=1).nonzero()[0], inside.any(axis=0).nonzero()[0]
            left, top = int(columns[0]), int(rows[0])
            yield {
                "category_id": class_id,
                "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
                "area": area,
                "iscrowd": 1,
                "segmentation": {"size": [height, width], "counts": runs_of_mask(inside)},
                _OWN: {"layer": layer, "mask": True},
            }

    def _add_classes(self, classes: Classes) -> None:
        for class_id, name in classes.names.items():
            if not isinstance(class_id, int):
                raise unsupported(
                    f"the class {class_id!r} has a text as its id, and coco has numbers",
                    "export it as jsonl",
                )
            self._add_category(class_id, name, classes)

    def _add_category(self, class_id: int, name: str | None, classes: Classes | None) -> None:
        known = None if classes is None else classes.name_of(class_id)
        told = {"id": class_id, "name": known or name or f"class_{class_id}", "supercategory": ""}
        told |= {UNNAMED: True} if known is None else {}
        found = self.categories.setdefault(class_id, told)
        if found.get(UNNAMED) and known is not None:
            self.categories[class_id] = told
        elif known is not None and found["name"] != known:
            raise unsupported(
                f"class {class_id} is called {found['name']!r} in one image and {known!r} in "
                "another, and coco has one list of classes",
                "export it as jsonl, which has classes for each image",
            )


def _keeps_annotations(reader: RowReader) -> bool:
    """Whether there are annotations as an import of COCO keeps them."""
    kind = reader.column_types.get(_KEPT)
    if not isinstance(kind, List) or not isinstance(kind.element, Struct):
        return False
    return {"id", "category_id"} <= {name for name, _ in kind.element.fields}


def _last_id(reader: RowReader) -> int:
    last = 0
    for _, rows in windows(reader, [_KEPT]):
        for cell in rows.arrays[0].to_pylist():
            numbers = (one["id"] for one in cell or () if one is not None)
            last = max(last, *(n for n in numbers if isinstance(n, int)), 0)
    return last


def _has_ids(reader: RowReader) -> bool:
    """Whether the column `id` may be the ids of images: whole numbers, each once."""
    kind = reader.column_types.get("id")
    if not isinstance(kind, Plain) or "int" not in kind.name:
        return False
    array = reader.read_rows(columns=["id"]).arrays[0]
    return bool(not array.null_count and len(array.unique()) == len(array))


def _native(one: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation as COCO writes it."""
    told = {name: value for name, value in one.items() if value is not None}
    polygons, runs = told.pop("polygons", None), told.pop("rle", None)
    if polygons is not None:
        told["segmentation"] = polygons
    elif runs is not None:
        told["segmentation"] = runs
    return told


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

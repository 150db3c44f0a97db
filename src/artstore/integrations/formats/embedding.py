"""
Rows as Arrow batches with the images inside: `{bytes, path}`, the Image feature of Hugging Face.

What is said of images (caption, boxes, classes, of which layer a mask is) stands as JSON in
a column `<name>_info`, masks in a column `<name>_masks`; both only if there are any.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from artstore.integrations.formats.features import features_of
from artstore.integrations.formats.mediarecords import file_of_image, said_of_image
from artstore.integrations.formats.outgoing import image_columns, windows
from artstore.integrations.formats.provenance import provenance_of
from artstore.media.content import MediaContent, ReferenceContent
from artstore.media.image import Image
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.pythoncells import python_cells
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows

__all__ = ["IMAGE_TYPE", "MASKS_TYPE", "OWN_KEY", "EmbeddedRows"]

OWN_KEY: Final = b"artstore"
"""Of the schema's metadata: where the rows came from, and their types."""

IMAGE_TYPE: Final = pa.struct((("bytes", pa.binary()), ("path", pa.string())))
MASKS_TYPE: Final = pa.list_(pa.struct((("layer", pa.string()), ("mask", IMAGE_TYPE))))

_BATCH_BYTES: Final = 32 * 1024 * 1024
"""Of images in one batch."""
_PLAIN_ROWS: Final = 65_536
"""Of a batch without images."""


class EmbeddedRows:
    """
    The batches of a table, with its images in them.

    Attributes:
        schema: Arrow's; its metadata tell the features of Hugging Face, and ours.
    """

    def __init__(self, reader: RowReader, format_name: str) -> None:
        self._reader = reader
        self._images = image_columns(reader, format_name)
        taken = set(reader.columns)
        has = {name: _what_is_said(reader, name) for name in self._images}
        self._said = {n: _free(f"{n}_info", taken) for n in self._images if has[n][0]}
        self._masks = {n: _free(f"{n}_masks", taken) for n in self._images if has[n][1]}
        layout = {"said": self._said, "masks": self._masks}
        told = provenance_of(reader, format_name, layout)
        fields = []
        for name, kind in reader.column_types.items():
            if name not in self._images:
                fields.append(pa.field(name, arrow_type(kind)))
                continue
            fields.append(pa.field(name, IMAGE_TYPE))
            if name in self._said:
                fields.append(pa.field(self._said[name], pa.string()))
            if name in self._masks:
                fields.append(pa.field(self._masks[name], MASKS_TYPE))
        images = {*self._images, *self._masks.values()}
        self.features = features_of(fields, images)
        metadata = {
            b"huggingface": json.dumps({"info": {"features": self.features}}).encode(),
            OWN_KEY: told.encode(),
        }
        self.schema = pa.schema(fields, metadata=metadata)

    def batches(self) -> Iterator[Any]:
        """Yield record batches; those with images hold 32 MiB of them, or one image."""
        rows_at_once = None if self._images else _PLAIN_ROWS
        for _, rows in windows(self._reader, rows_at_once=rows_at_once):
            yield from self._of_window(rows)

    def _of_window(self, rows: Rows) -> Iterator[Any]:
        if not self._images:
            yield pa.record_batch(list(rows.arrays), schema=self.schema)
            return
        values = {
            name: python_cells(
                rows.schema.type_of(name),
                rows.arrays[rows.schema.names.index(name)],
                self._reader.opener_of(name),
            )
            for name in self._images
        }
        made: dict[str, list[Any]] = {name: [] for name in self.schema.names}
        start = size_bytes = 0
        for at in range(rows.row_count):
            size_bytes += sum(self._add(made, name, values[name][at]) for name in self._images)
            if size_bytes >= _BATCH_BYTES or at + 1 == rows.row_count:
                yield self._batch(rows.slice(start, at + 1), made)
                made = {name: [] for name in self.schema.names}
                start, size_bytes = at + 1, 0

    def _add(self, made: dict[str, list[Any]], name: str, image: Image | None) -> int:
        """The cells of one image, in all its columns; gives the bytes that they hold."""
        cell: dict[str, Any] | None = None
        said: dict[str, Any] = {}
        masks: list[dict[str, Any]] = []
        if image is not None:
            layers = list(image.masks)

            def put(mask: MediaContent, path: str) -> str:
                file = {"bytes": mask.read(), "path": os.path.basename(path)}
                masks.append({"layer": layers[len(masks)], "mask": file})
                return layers[len(masks) - 1]

            cell = _embedded(image)
            said = said_of_image(image, put)
        made[name].append(cell)
        if name in self._said:
            text = json.dumps(said, ensure_ascii=False) if said else None
            made[self._said[name]].append(text)
        if name in self._masks:
            made[self._masks[name]].append(masks if cell is not None else None)
        held = [cell["bytes"] if cell else None, *(mask["mask"]["bytes"] for mask in masks)]
        return sum(len(data) for data in held if data is not None)

    def _batch(self, rows: Rows, made: dict[str, list[Any]]) -> Any:
        plain = dict(zip(rows.schema.names, rows.arrays, strict=True))
        arrays = []
        for field in self.schema:
            if field.name in plain and field.name not in self._images:
                arrays.append(plain[field.name])
            else:
                arrays.append(pa.array(made[field.name], field.type))
        return pa.record_batch(arrays, schema=self.schema)


def _embedded(image: Image) -> dict[str, Any]:
    if isinstance(image.content, ReferenceContent):
        return {"bytes": None, "path": image.content.url}
    content, ending = file_of_image(image)
    return {"bytes": content.read(), "path": f"{image.digest.hex()[:40]}.{ending}"}


def _what_is_said(reader: RowReader, name: str) -> tuple[bool, bool]:
    """Whether anything is said of the images of a column, and whether there are masks."""
    is_said = has_masks = False
    for _, rows in windows(reader, [name], rows_at_once=_PLAIN_ROWS):
        cells = rows.arrays[0]
        boxes, masks = (pc.struct_field(cells, one) for one in ("boxes", "masks"))
        has_masks = has_masks or _any(pc.greater(pc.list_value_length(masks), 0))
        is_said = is_said or has_masks or _any(pc.greater(pc.list_value_length(boxes), 0))
        digests = (pc.struct_field(cells, one) for one in ("digest", "encoded_digest"))
        is_said = is_said or _any(pc.not_equal(*digests))
        for one in ("caption", "grouping", "classes"):
            is_said = is_said or _any(pc.struct_field(cells, one).is_valid())
    return is_said, has_masks


def _any(truths: Any) -> bool:
    return bool(pc.any(truths, min_count=0).as_py())


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name

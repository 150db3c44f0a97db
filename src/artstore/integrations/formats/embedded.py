"""
Arrow batches with images inside, on their way into a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.integrations.formats.embedding import OWN_KEY
from artstore.integrations.formats.failures import damaged, missing
from artstore.integrations.formats.features import FeatureSet
from artstore.integrations.formats.incoming import BatchIntake, row_namer
from artstore.integrations.formats.localfiles import SourceFiles
from artstore.integrations.formats.mediarecords import image_of, value_of
from artstore.integrations.formats.provenance import Provenance
from artstore.media.content import BytesContent, MediaContent, is_url
from artstore.media.image import Image
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.inference import BuiltArray
from artstore.tables.table import Table
from artstore.tables.types import Array, ColumnType, List, Media, Struct, Union

__all__ = ["BATCH_ROWS", "Part", "own_provenance", "sniffed_images", "table_of_parts"]

BATCH_ROWS: Final = 64
"""With images; without them a batch is what the file has."""

_NAME: Final = "_name"


@dataclass(frozen=True, slots=True)
class Part:
    """
    Batches of one file.

    Attributes:
        place: names the file in errors.
        split: the part of a dataset that it belongs to.
    """

    place: str
    batches: Iterator[Any]
    split: str | None = None


def own_provenance(schema: Any, where: str) -> Provenance | None:
    """What a schema says that an export of ours wrote. Raises `exchange-file-damaged`."""
    data = (schema.metadata or {}).get(OWN_KEY)
    return None if data is None else Provenance.decode(data, where=where)


def table_of_parts(
    parts: Iterator[Part],
    schema: Any,
    features: FeatureSet,
    told: Provenance | None,
    files: SourceFiles,
    *,
    has_split: bool,
) -> Table:
    """
    The table of all batches, which have the columns of `schema`.

    Raises:
        DamagedDataError, InvalidInputError: as `import_table` tells.
    """
    if told is not None and told.schema is not None:
        reader: _Reader = _OwnReader(told, files)
    else:
        reader = _Reader(schema, features, files)
    names = [*reader.names, *(["split"] if has_split and "split" not in reader.names else [])]
    incoming = BatchIntake(names, told)
    for part in parts:
        first = 0
        for batch in _pieces(part, has_images=bool(reader.images)):
            rows = batch.num_rows
            columns = reader.columns(batch, part.place, first, incoming)
            if len(names) > len(reader.names):
                columns["split"] = [part.split] * rows
            incoming.add(columns, rows, row_namer(part.place, first))
            first += rows
    return incoming.table()


def _pieces(part: Part, *, has_images: bool) -> Iterator[Any]:
    for batch in part.batches:
        try:
            # Of a stranger's file nothing is sure, not even that texts are texts.
            batch.validate(full=True)
        except pa.ArrowException as error:
            raise damaged(part.place, str(error)) from error
        step = BATCH_ROWS if has_images else max(batch.num_rows, 1)
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step)


class _Reader:
    """What becomes of the columns of a stranger's file."""

    def __init__(self, schema: Any, features: FeatureSet, files: SourceFiles) -> None:
        self._files = files
        self._labels = {
            name: names for name, names in features.labels.items() if name in schema.names
        }
        self.images = tuple(name for name in features.images if name in schema.names)
        self._plain = tuple(schema.names)
        # What each label is called stands in a column behind it.
        self._told = {n: n + _NAME for n in self._labels if n + _NAME not in schema.names}
        self.names = tuple(
            one for name in schema.names for one in (name, self._told.get(name)) if one is not None
        )

    def columns(self, batch: Any, place: str, first: int, incoming: BatchIntake) -> dict[str, Any]:
        """The columns of a batch, for `BatchIntake.add`."""
        found: dict[str, Any] = {}
        for name in self._plain:
            array = _column(batch, name, place)
            if name in self.images:
                found[name] = [
                    self._image(cell, f"{place}, row {first + at}", {}, {})
                    for at, cell in enumerate(array.to_pylist())
                ]
            else:
                found[name] = incoming.arrow_column(name, array, place)
            if name in self._told:
                found[self._told[name]] = _label_names(self._labels[name], array, name, place)
        return found

    def _image(
        self, cell: Any, place: str, said: Mapping[str, Any], masks: Mapping[str, bytes]
    ) -> Image | None:
        if cell is None:
            return None
        if isinstance(cell, bytes):
            cell = {"bytes": cell}
        if not isinstance(cell, dict) or not {"bytes", "path"} & set(cell):
            raise damaged(place, "an image is told by its bytes and path")
        data, path = cell.get("bytes"), cell.get("path")
        if data is None and path is None:
            return None

        def find(layer: str) -> MediaContent:
            if layer not in masks:
                raise missing(layer, place)
            return _content(masks[layer], place)

        if data is None and is_url(path):
            image: Image = value_of({**said, "url": path}, find, place)
            return image
        what = f"{place}, {path}" if path else place
        content = self._files.content(path, place) if data is None else _content(data, what)
        return image_of(content, what, said, find)


class _OwnReader(_Reader):
    """What becomes of the columns of an export of ours, whose types are told."""

    def __init__(self, told: Provenance, files: SourceFiles) -> None:
        assert told.schema is not None
        self._files = files
        self._kinds = dict(zip(told.schema.names, told.schema.types, strict=True))
        self._said = _names(told.layout.get("said"))
        self._masks = _names(told.layout.get("masks"))
        self.names = told.schema.names
        self.images = tuple(n for n, kind in self._kinds.items() if isinstance(kind, Media))

    def columns(self, batch: Any, place: str, first: int, incoming: BatchIntake) -> dict[str, Any]:
        del incoming
        found: dict[str, Any] = {}
        for name, kind in self._kinds.items():
            array = _column(batch, name, place)
            if name not in self.images:
                found[name] = BuiltArray(kind, _checked(kind, array, f"{place}, column {name!r}"))
                continue
            said = self._beside(batch, self._said.get(name), place)
            masks = self._beside(batch, self._masks.get(name), place)
            found[name] = [
                self._image(
                    cell,
                    f"{place}, row {first + at}",
                    _parsed(said[at], f"{place}, row {first + at}"),
                    {one["layer"]: one["mask"]["bytes"] for one in masks[at] or ()},
                )
                for at, cell in enumerate(array.to_pylist())
            ]
        return found

    def _beside(self, batch: Any, name: str | None, place: str) -> list[Any]:
        if name is None:
            return [None] * batch.num_rows
        return list(_column(batch, name, place).to_pylist())


def _column(batch: Any, name: str, place: str) -> Any:
    if name not in batch.schema.names:
        raise damaged(place, f"there is no column {name!r}")
    return batch.column(batch.schema.names.index(name))


def _content(data: Any, what: str) -> BytesContent:
    if not isinstance(data, bytes):
        raise damaged(what, "the bytes of an image are not bytes")
    return BytesContent.of(data)


def _names(value: Any) -> dict[str, str]:
    return {str(name): str(other) for name, other in value.items()} if value else {}


def _parsed(text: Any, place: str) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (RecursionError, TypeError, ValueError) as error:
        raise damaged(place, f"what is said of the image is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise damaged(place, "what is said of the image is no object")
    return value


def _label_names(names: Sequence[str], array: Any, name: str, place: str) -> BuiltArray:
    from artstore.tables.types import TEXT

    # -1 stands for "not known" in test sets.
    known = pc.if_else(pc.equal(array, -1), None, array)
    try:
        return BuiltArray(TEXT, pa.array(names, pa.string()).take(known))
    except pa.ArrowException as error:
        raise damaged(place, f"column {name!r} has a label that has no name") from error


def _checked(kind: ColumnType, array: Any, where: str) -> Any:
    """An array that is said to be of a type, if it is."""
    try:
        held = array if array.type.equals(arrow_type(kind)) else array.cast(arrow_type(kind))
    except pa.ArrowException as error:
        raise damaged(where, f"it is said to be of {kind}: {error}") from error
    _check(kind, held, where)
    return held


def _check(kind: ColumnType, array: Any, where: str) -> None:
    """What Arrow does not know: shapes of arrays, and that a mixed cell is of one type."""
    if isinstance(kind, List):
        _check(kind.element, array.flatten(), where)
    elif isinstance(kind, Struct):
        for (_, member), part in zip(kind.fields, array.flatten(), strict=False):
            _check(member, part, where)
    elif isinstance(kind, Union):
        parts = array.flatten()
        for (_, member), part in zip(kind.members, parts, strict=True):
            _check(member, part, where)
        for at, row in enumerate(zip(*(p.is_valid().to_pylist() for p in parts), strict=True)):
            if sum(row) > 1:
                raise damaged(where, f"the mixed cell {at} is of several types at once")
    elif isinstance(kind, Array):
        _check_shapes(kind, array, where)


def _check_shapes(kind: Array, array: Any, where: str) -> None:
    shapes: list[Any] = [kind.shape] * len(array)
    values = array
    if kind.shape is None:
        told, values = array.flatten()
        shapes = told.to_pylist()
    for shape, length in zip(shapes, values.value_lengths().to_pylist(), strict=True):
        if length is None:
            continue
        if shape is None or any(n is None or n < 0 for n in shape) or math.prod(shape) != length:
            raise damaged(where, f"an array of {length} numbers has not the shape {shape}")


def sniffed_images(batch: Any) -> tuple[str, ...]:
    """The columns of `{bytes, path}` whose first bytes are those of an image."""
    found = []
    for name in batch.schema.names:
        kind = batch.schema.field(name).type
        if not pa.types.is_struct(kind):
            continue
        if {kind.field(at).name for at in range(kind.num_fields)} != {"bytes", "path"}:
            continue
        cells = (cell for cell in batch.column(name).to_pylist() if cell and cell["bytes"])
        first = next(cells, None)
        if first is not None and _is_image(first["bytes"]):
            found.append(name)
    return tuple(found)


def _is_image(data: Any) -> bool:
    # No image has fewer bytes.
    if not isinstance(data, bytes) or len(data) < 16:
        return False
    try:
        image_of(BytesContent.of(data), "a cell")
    except InvalidInputError:
        return False
    except ArtstoreError:
        # It begins as an image, and is a damaged one: that will be told with its place.
        return True
    return True

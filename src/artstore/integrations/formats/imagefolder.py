"""
Directories of images: one directory a class, and the `metadata.jsonl` or `.csv` of Hugging Face.

Rows of a directory without metadata have `id` (the path), `image`, `label` (the name of
the directory, if images lie in directories) and `split` (if all directories at the top
are called `train`, `test` and the like). With metadata the rows are those that it
lists, and its columns come behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from artstore.errors import NotFoundError
from artstore.integrations.formats.csvrows import typed_batches
from artstore.integrations.formats.failures import damaged, reading
from artstore.integrations.formats.filenames import (
    IMAGE_ENDINGS,
    FileNames,
    ending_of_path,
    fetched_file,
    folder_name,
    main_image,
)
from artstore.integrations.formats.incoming import BATCH_ROWS, BatchIntake
from artstore.integrations.formats.jsonparts import json_lines
from artstore.integrations.formats.jsonrows import intake_of_records, json_objects
from artstore.integrations.formats.localfiles import SourceFiles, files_below
from artstore.integrations.formats.mediafolder import MediaFolder, media_reader, write_file
from artstore.integrations.formats.mediarecords import image_of, record_of, said_of_image
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.outgoing import windows
from artstore.integrations.formats.places import Source, require_place, told_of_directory
from artstore.integrations.formats.provenance import FILE_NAME, provenance_of
from artstore.integrations.formats.staging import StagingPlace
from artstore.media.image import Image
from artstore.tables.pythoncells import python_cells
from artstore.tables.reading import RowReader
from artstore.tables.table import Table

__all__ = ["export_imagefolder", "import_imagefolder"]

_METADATA: Final = ("metadata.jsonl", "metadata.csv")
_SPLITS: Final = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval")
)
_OTHERS: Final = "artstore-media/"
"""Of masks and of images of further columns; to torchvision it is a class of its own."""
_FILE: Final = "file_name"


# directory -> table ---------------------------------------------------------------------


def import_imagefolder(place: str, options: ImportOptions) -> Table:
    """The images of a directory, as `import_table` tells."""
    root = require_place(place)
    splits = _splits(root)
    if options.split is not None and options.split not in splits:
        raise NotFoundError(
            f"{place} has no part {options.split!r}",
            code="exchange-file-missing",
            hint=f"its parts are {', '.join(splits)}" if splits else "it is not in parts",
        )
    folders = [options.split] if options.split is not None else splits or [""]
    told = told_of_directory(root)
    # One file above all parts speaks for all of them.
    metadata: dict[str, str] = {}
    for folder in folders:
        file = _metadata_of(root, folder)
        if file is not None:
            metadata.setdefault(file, folder)
    if metadata:
        return _of_metadata(root, metadata, Source("", root, told), options.split)
    return _of_directories(root, folders, has_split=len(splits) > 0 and options.split is None)


def _splits(root: str) -> list[str]:
    """The directories at the top, if all of them are parts."""
    with reading(root), os.scandir(root) as found:
        names = sorted(e.name for e in found if e.is_dir() and not e.name.startswith("."))
    return names if names and all(name.lower() in _SPLITS for name in names) else []


def _metadata_of(root: str, folder: str) -> str | None:
    for place in dict.fromkeys((folder, "")):
        for name in _METADATA:
            path = os.path.join(root, place, name)
            if os.path.exists(path):
                return path
    return None


def _of_directories(root: str, folders: list[str], *, has_split: bool) -> Table:
    has_label = any("/" in _below(path, folder) for path, folder in _images(root, folders))
    names = ["id", "image", *(["label"] if has_label else []), *(["split"] if has_split else [])]
    incoming = BatchIntake(names)
    files = SourceFiles(root)
    batch: list[tuple[str, Any, str | None, str]] = []
    for path, folder in _images(root, folders):
        place = os.path.join(root, path)
        image = image_of(files.content(path, "the directory"), place)
        top, slash, _ = _below(path, folder).partition("/")
        batch.append((path, image, top if slash else None, folder))
        if len(batch) == BATCH_ROWS:
            _add(incoming, batch)
            batch = []
    _add(incoming, batch)
    return incoming.table(["id"])


def _images(root: str, folders: list[str]) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in files_below(root, folder):
            if ending_of_path(path) in IMAGE_ENDINGS:
                yield path, folder


def _below(path: str, folder: str) -> str:
    return path.removeprefix(f"{folder}/") if folder else path


def _add(incoming: BatchIntake, batch: list[tuple[str, Any, str | None, str]]) -> None:
    cells = dict(zip(("id", "image", "label", "split"), zip(*batch, strict=True), strict=True))
    if batch:
        incoming.add(cells, len(batch), lambda at: batch[at][0])


def _of_metadata(
    root: str, metadata: Mapping[str, str], source: Source, split: str | None
) -> Table:
    """
    The rows that metadata lists; of an export of ours, with their types.

    Args:
        metadata: for each file the part that it is of.
        split: the part that was asked for.
    """
    told = source.told
    read = media_reader(root)
    first = next(iter(metadata))
    if told is not None and told.schema is not None and "image" in told.layout:
        records = lambda: _own_records(first, told.layout)  # noqa: E731 - read twice
        return intake_of_records(records, source, read).table()
    columns = dict.fromkeys(name for file in metadata for _, row in _rows(file) for name in row)
    if _FILE not in columns:
        raise damaged(first, f"it has no column {_FILE}")
    image = _free("image", columns)
    # The path is the id, but where there is another one.
    rest = [name for name in columns if name not in ("id", _FILE if "id" not in columns else "id")]
    has_split = len(metadata) > 1 and "split" not in columns
    intake = BatchIntake(["id", image, *rest, *(["split"] if has_split else [])])
    for file, folder in metadata.items():
        base = os.path.relpath(os.path.dirname(file), root)
        for batch in _batched(_rows(file)):
            rows, places = [], []
            for place, row in batch:
                path = _joined(base, row.get(_FILE))
                if split is None or str(path).startswith(f"{split}/"):
                    value = None if path is None else read(path, place)
                    rows.append({"id": path, "split": folder, **row, image: value})
                    places.append(place)
            intake.add_json(rows, read, places.__getitem__)
    return intake.table(["id"])


def _own_records(file: str, layout: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    column, renamed = str(layout["image"]), str(layout.get(_FILE, _FILE))
    for place, row in _rows(file):
        said = row.pop(str(layout.get("said")), None)
        path = row.pop(_FILE, None)
        if renamed in row:
            row[_FILE] = row.pop(renamed)
        if path is not None:
            row[column] = {**(said if isinstance(said, Mapping) else {}), "path": path}
        yield place, row


def _joined(base: str, path: Any) -> Any:
    return path if base == "." or not isinstance(path, str) else f"{base}/{path}"


def _rows(file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if file.endswith(".jsonl"):
        for number, row in json_lines(file):
            yield f"{file}, line {number}", row
        return
    for first, batch in typed_batches(file):
        for at, row in enumerate(batch.to_pylist()):
            yield f"{file}, row {first + at}", row


def _batched(
    rows: Iterator[tuple[str, dict[str, Any]]],
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


# table -> directory ---------------------------------------------------------------------


def export_imagefolder(reader: RowReader, stage: StagingPlace) -> None:
    """Write the images of one column, `metadata.jsonl`, and other media beside."""
    image = main_image(reader, "a directory of images")
    renamed = _free(_FILE, reader.columns)
    # Not under the name of the image: that is what Hugging Face calls the image itself.
    info = _free(f"{image}_info", reader.columns)
    layout = {"image": image, "said": info, _FILE: renamed}
    told = provenance_of(reader, "imagefolder", layout)
    key = told.primary_key[0] if told.primary_key else "id" if "id" in reader.columns else None
    media = MediaFolder(stage.root, _OTHERS)
    names = FileNames(stage.root, reader.row_count, refused=(_OTHERS,))
    with open(os.path.join(stage.root, _METADATA[0]), "x", encoding="utf-8") as file:
        for first, rows in windows(reader):
            at = rows.schema.names.index(image)
            images = python_cells(rows.schema.types[at], rows.arrays[at], reader.opener_of(image))
            others = json_objects(reader, rows, lambda v: record_of(v, media.put), {image})
            for number, (value, cells) in enumerate(zip(images, others, strict=True), first):
                row: dict[str, Any] = {_FILE: None}
                if value is not None:
                    row[_FILE] = _write_image(value, number, cells, key, names)
                    row |= {info: said} if (said := said_of_image(value, media.put)) else {}
                row |= {renamed if name == _FILE else name: cell for name, cell in cells.items()}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    write_file(os.path.join(stage.root, FILE_NAME), told.encode())


def _write_image(
    image: Image, number: int, cells: Mapping[str, Any], key: str | None, names: FileNames
) -> str:
    content, ending = fetched_file(image, number)
    label = cells.get("label")
    folder = "" if label is None else folder_name(str(label))
    wanted = cells.get(key) if key is not None else None
    return names.write(number, content.read(), ending, wanted, folder)


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name

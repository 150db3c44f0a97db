"""
WebDataset: tar files of samples, each some files with one name and different endings.

    000017.jpg  000017.cls  000017.json        the sample 000017

A file of others becomes a column for each ending, and `__key__`. An export writes images as
`.png` and so on, whole numbers of a column `label` or `cls` as `.cls`, texts of `text`,
`txt` or `caption` as `.txt`, and all else as `.json`.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artstore.errors import NotFoundError
from artstore.integrations.formats.failures import damaged, missing
from artstore.integrations.formats.filenames import IMAGE_ENDINGS, fetched_file, plain_key
from artstore.integrations.formats.incoming import BatchIntake
from artstore.integrations.formats.jsonrows import json_objects
from artstore.integrations.formats.localfiles import files_below
from artstore.integrations.formats.mediafolder import write_file
from artstore.integrations.formats.mediarecords import image_of, said_of_image
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.outgoing import image_columns, numbered, windows
from artstore.integrations.formats.places import require_place, told_of_directory
from artstore.integrations.formats.provenance import FILE_NAME, provenance_of, read_provenance
from artstore.integrations.formats.staging import StagingPlace
from artstore.integrations.formats.tarshards import MemberFile, members
from artstore.media.content import BytesContent, MediaContent
from artstore.media.image import Image
from artstore.tables.pythoncells import python_cells
from artstore.tables.reading import RowReader
from artstore.tables.rows import Rows
from artstore.tables.table import Table
from artstore.tables.types import TEXT, ColumnType, Plain

__all__ = ["export_webdataset", "import_webdataset"]

KEY: Final = "__key__"
_ENDINGS: Final = (".tar", ".tar.gz", ".tgz")
_NAME: Final = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")
_NUMBERS: Final = frozenset(("cls", "cls2", "class", "count", "index", "inx"))
_TEXTS: Final = frozenset(("txt", "text", "transcript"))
_JSON: Final = frozenset(("json", "jsn"))
_TEXT_MAX_BYTES: Final = 64 * 1024 * 1024
_BATCH_ROWS: Final = 256
_BATCH_BYTES: Final = 32 * 1024 * 1024
_LABELS: Final = ("cls", "label")
_CAPTIONS: Final = ("txt", "text", "caption")


@dataclass(slots=True)
class _Sample:
    """The files of one key."""

    key: str
    place: str
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    size_bytes: int = 0


# shards -> table ------------------------------------------------------------------------


def import_webdataset(place: str, options: ImportOptions) -> Table:
    """The samples of all shards, as `import_table` tells."""
    del options
    path = require_place(place)
    if os.path.isdir(path):
        told = told_of_directory(path)
        shards = [os.path.join(path, n) for n in files_below(path) if n.endswith(_ENDINGS)]
    else:
        told, shards = read_provenance(f"{path}.{FILE_NAME}"), [path]
    if not shards:
        raise NotFoundError(
            f"there is no tar file in {place}", code="exchange-file-missing", path=path
        )
    if told is not None and told.schema is not None and "images" in told.layout:
        incoming = BatchIntake(told.schema.names, told)
        make: Callable[[_Sample], dict[str, Any]] = lambda one: _own_row(one, told.layout)  # noqa: E731
        key: tuple[str, ...] = ()
    else:
        # A column has to be known before the first row: the names are read once before.
        endings = dict.fromkeys(
            parts[1] for shard in shards for one in members(shard) if (parts := _split(one))
        )
        incoming, make, key = BatchIntake([KEY, *endings]), _row, (KEY,)
    for batch in _batches(shards):
        rows = [make(one) for one in batch]
        incoming.add_json(rows, _as_it_is, [one.place for one in batch].__getitem__)
    return incoming.table(key)


def _as_it_is(value: Any, _place: str) -> Any:
    return value


def _batches(shards: list[str]) -> Iterator[list[_Sample]]:
    batch: list[_Sample] = []
    size_bytes = 0
    for shard in shards:
        for sample in _samples(shard):
            batch.append(sample)
            size_bytes += sample.size_bytes
            if len(batch) == _BATCH_ROWS or size_bytes >= _BATCH_BYTES:
                yield batch
                batch, size_bytes = [], 0
    if batch:
        yield batch


def _samples(shard: str) -> Iterator[_Sample]:
    sample: _Sample | None = None
    for member in members(shard):
        parts = _split(member)
        if parts is None:
            continue
        key, ending = parts
        if sample is None or key != sample.key:
            if sample is not None:
                yield sample
            sample = _Sample(key, f"{shard}, sample {key!r}")
        if ending in sample.files:
            raise damaged(member.place, f"the sample has a file .{ending} already")
        data = member.read()
        sample.files[ending] = (member.place, data)
        sample.size_bytes += len(data)
    if sample is not None:
        yield sample


def _split(member: MemberFile) -> tuple[str, str] | None:
    """Key and ending of a member; None for one that belongs to no sample, such as `.DS_Store`."""
    match = _NAME.fullmatch(member.name)
    return None if match is None else (match[1], match[2].lower())


def _row(sample: _Sample) -> dict[str, Any]:
    row: dict[str, Any] = {KEY: sample.key}
    for ending, (place, data) in sample.files.items():
        row[ending] = _decoded(ending.rpartition(".")[2], data, place)
    return row


def _decoded(ending: str, data: bytes, place: str) -> Any:
    if ending in IMAGE_ENDINGS:
        return image_of(BytesContent.of(data), place)
    if ending in _TEXTS:
        return _text(data, place)
    if ending in _JSON:
        return _parsed(data, place)
    if ending in _NUMBERS:
        text = _text(data, place).strip()
        try:
            return int(text)
        except ValueError as error:
            raise damaged(place, f"{text[:40]!r} is no whole number") from error
    # Arrays and pickled objects of others stay what they are: bytes.
    return data


def _text(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(place, "it is not UTF-8") from error


def _parsed(data: bytes, place: str) -> Any:
    if len(data) > _TEXT_MAX_BYTES:
        raise damaged(place, f"it has {len(data):,} bytes, too many for JSON of one row")
    try:
        return json.loads(data)
    except (RecursionError, ValueError) as error:
        raise damaged(place, f"it is no JSON ({error})") from error


def _own_row(sample: _Sample, layout: Mapping[str, Any]) -> dict[str, Any]:
    """A sample that an export of ours wrote."""
    place, data = sample.files.get("json", (sample.place, b"{}"))
    told = _parsed(data, place)
    row = told.get("row") if isinstance(told, dict) else None
    said = told.get("said") if isinstance(told, dict) else None
    if not isinstance(row, dict) or not isinstance(said, dict):
        raise damaged(place, "it does not tell its row")
    for name, ending, decode in (
        (layout.get("label"), "cls", "cls"),
        (layout.get("text"), "txt", "txt"),
    ):
        if name is not None and ending in sample.files:
            row[name] = _decoded(decode, sample.files[ending][1], sample.files[ending][0])
    for name in layout["images"]:
        own = said.get(name)
        if own is None:
            continue
        file_place, file_data = _file(sample, own.pop("file", None))

        def find(path: str) -> MediaContent:
            return BytesContent.of(_file(sample, path)[1])

        row[name] = image_of(BytesContent.of(file_data), file_place, own, find)
    return row


def _file(sample: _Sample, ending: Any) -> tuple[str, bytes]:
    found = sample.files.get(ending)
    if found is None:
        raise missing(f"{sample.key}.{ending}", sample.place)
    return found


# table -> shards ------------------------------------------------------------------------


class _Shards:
    """Tar files of a bounded size; a sample is in one of them."""

    def __init__(self, stage: StagingPlace, shard_bytes: int) -> None:
        self._stage = stage
        self._limit = shard_bytes if stage.file is None else None
        self._count = 0
        self._archive: tarfile.TarFile | None = None

    def add(self, key: str, files: Mapping[str, bytes]) -> None:
        """Write the files of one sample."""
        if self._archive is None:
            path = self._stage.main(f"shard-{self._count:06d}.tar")
            self._archive = tarfile.open(path, "x", format=tarfile.PAX_FORMAT)  # noqa: SIM115
            self._count += 1
        for ending, data in files.items():
            # No times and no users: the same rows, the same bytes.
            info = tarfile.TarInfo(f"{key}.{ending}")
            info.size, info.mode = len(data), 0o644
            self._archive.addfile(info, io.BytesIO(data))
            self._archive.members = []  # type: ignore[attr-defined]
        if self._limit is not None and self._archive.offset >= self._limit:
            self.close()

    def close(self) -> None:
        """End the shard that is written."""
        if self._archive is not None:
            self._archive.close()
        self._archive = None

    def end(self) -> None:
        """End the last shard; without any sample an empty one."""
        if not self._count:
            self.add("", {})
        self.close()


def export_webdataset(reader: RowReader, stage: StagingPlace, shard_bytes: int) -> None:
    """Write all rows with their images."""
    images = image_columns(reader, "webdataset")
    layout = {
        "images": images,
        "label": _first(reader, _LABELS, _is_whole),
        "text": _first(reader, _CAPTIONS, lambda kind: kind == TEXT),
    }
    told = provenance_of(reader, "webdataset", layout)
    shards = _Shards(stage, shard_bytes)
    key = told.primary_key[0] if told.primary_key else None
    last = None
    try:
        for first, rows in windows(reader):
            for number, row, values in _rows(reader, rows, first, images):
                name = plain_key(row.get(key)) if key is not None else None
                if name is None or name == last:
                    name = numbered(number, reader.row_count)
                last = name
                shards.add(name, _files(number, row, values, layout))
        shards.end()
    finally:
        shards.close()
    write_file(stage.beside(FILE_NAME), told.encode())


def _rows(
    reader: RowReader, rows: Rows, first: int, images: list[str]
) -> Iterator[tuple[int, dict[str, Any], dict[str, Image | None]]]:
    columns = [
        python_cells(
            rows.schema.type_of(name),
            rows.arrays[rows.schema.names.index(name)],
            reader.opener_of(name),
        )
        for name in images
    ]
    others = json_objects(reader, rows, str, set(images))
    for at, row in enumerate(others):
        yield first + at, row, {n: c[at] for n, c in zip(images, columns, strict=True)}


def _files(
    number: int,
    row: dict[str, Any],
    images: Mapping[str, Image | None],
    layout: Mapping[str, Any],
) -> dict[str, bytes]:
    """The files of a sample, by their endings."""
    files: dict[str, bytes] = {}
    said: dict[str, Any] = {}
    for at, (name, image) in enumerate(images.items()):
        if image is None:
            continue
        content, ending = fetched_file(image, number)
        # Of one column `.png`; of several `.left.png`, so that no two have one name.
        prefix = "" if len(images) == 1 else f"{_plain(name, at)}."
        files[f"{prefix}{ending}"] = content.read()
        masks: list[str] = []

        def put(
            mask: MediaContent, path: str, prefix: str = prefix, masks: list[str] = masks
        ) -> str:
            told = f"{prefix}mask{len(masks)}.{path.rpartition('.')[2]}"
            masks.append(told)
            files[told] = mask.read()
            return told

        said[name] = {"file": f"{prefix}{ending}", **said_of_image(image, put)}
    label, text = layout["label"], layout["text"]
    if label is not None and row[label] is not None:
        files["cls"] = str(row.pop(label)).encode()
    if text is not None and row[text] is not None:
        files["txt"] = row.pop(text).encode()
    value = {"row": row, "said": said}
    files["json"] = json.dumps(value, ensure_ascii=False).encode()
    return files


def _plain(name: str, at: int) -> str:
    """A column as a part of a file's name; endings are compared in lower case."""
    return f"{re.sub('[^a-z0-9_-]', '_', name.lower())[:60]}{at}"


def _first(
    reader: RowReader, names: tuple[str, ...], fits: Callable[[ColumnType], bool]
) -> str | None:
    kinds = reader.column_types
    return next((name for name in names if name in kinds and fits(kinds[name])), None)


def _is_whole(kind: ColumnType) -> bool:
    return isinstance(kind, Plain) and "int" in kind.name

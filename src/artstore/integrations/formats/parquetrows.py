"""
Tables as Parquet: one file, or several of a directory, with images inside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from artstore.errors import NotFoundError
from artstore.integrations.formats.embedded import (
    BATCH_ROWS,
    Part,
    own_provenance,
    sniffed_images,
    table_of_parts,
)
from artstore.integrations.formats.embedding import EmbeddedRows
from artstore.integrations.formats.failures import damaged, reading
from artstore.integrations.formats.features import FeatureSet, known_features
from artstore.integrations.formats.localfiles import SourceFiles, files_below
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.places import require_place
from artstore.integrations.formats.staging import StagingPlace
from artstore.tables.reading import RowReader
from artstore.tables.table import Table

__all__ = ["export_parquet", "import_parquet", "with_totals"]

_ENDING: Final = ".parquet"
_SPLIT: Final = re.compile(r"(?:.*/)?([A-Za-z][A-Za-z0-9_]*)-\d+-of-\d+\.parquet")
_PLAIN_ROWS: Final = 65_536


def export_parquet(reader: RowReader, stage: StagingPlace, shard_bytes: int) -> None:
    """Write all rows with their images; into several files, if a directory was asked for."""
    embedding = EmbeddedRows(reader, "parquet")
    batches = embedding.batches()
    if stage.file is not None:
        _write(stage.main(""), embedding.schema, batches, None)
        return
    names: list[str] = []
    is_more = True
    while is_more or not names:
        name = f"data-{len(names):05d}"
        names.append(name)
        is_more = _write(os.path.join(stage.root, name), embedding.schema, batches, shard_bytes)
    with_totals(stage.root, names, _ENDING)


def _write(path: str, schema: Any, batches: Iterator[Any], shard_bytes: int | None) -> bool:
    """Write batches until there are enough bytes; gives whether there may be more."""
    with pa.OSFile(path, "wb") as file, pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            if shard_bytes is not None and file.tell() >= shard_bytes:
                return True
    return False


def with_totals(root: str, names: Sequence[str], ending: str) -> list[str]:
    """Call files `<name>-of-<how many>`, now that it is known; gives their names."""
    told = [f"{name}-of-{len(names):05d}{ending}" for name in names]
    for name, new in zip(names, told, strict=True):
        os.rename(os.path.join(root, name), os.path.join(root, new))
    return told


def import_parquet(place: str, options: ImportOptions) -> Table:
    """The rows of all files, as `import_table` tells."""
    path = require_place(place)
    is_directory = os.path.isdir(path)
    root = path if is_directory else os.path.dirname(path)
    names = [os.path.basename(path)]
    if is_directory:
        names = [name for name in files_below(root) if name.endswith(_ENDING)]
    splits = _splits_of(names)
    if options.split is not None:
        names = [name for name, split in zip(names, splits, strict=True) if split == options.split]
        splits = [options.split] * len(names)
    if not names:
        wanted = f"of the part {options.split!r} " if options.split else ""
        raise NotFoundError(
            f"there is no file {wanted}that ends in {_ENDING} in {place}",
            code="exchange-file-missing",
            path=path,
        )
    return _read(root, names, splits, options, has_split=len(set(splits)) > 1)


def _splits_of(names: Sequence[str]) -> list[str | None]:
    """`train` of `data/train-00000-of-00002.parquet`; None for all, if one has no such name."""
    matches = [_SPLIT.fullmatch(name) for name in names]
    found = [match[1] for match in matches if match is not None]
    return list(found) if len(found) == len(names) else [None] * len(names)


def _read(
    root: str,
    names: Sequence[str],
    splits: Sequence[str | None],
    options: ImportOptions,
    *,
    has_split: bool,
) -> Table:
    first = os.path.join(root, names[0])
    with reading(first), pq.ParquetFile(first) as file:
        schema = file.schema_arrow
        head = next(file.iter_batches(BATCH_ROWS), None)
    told = own_provenance(schema, first)
    known = known_features(schema.metadata, first) or FeatureSet(
        () if head is None else sniffed_images(head)
    )
    images = tuple(dict.fromkeys((*known.images, *options.image_columns)))
    known = FeatureSet(images, known.labels)
    _check_columns(options.image_columns, schema.names)

    def parts() -> Iterator[Part]:
        for name, split in zip(names, splits, strict=True):
            path = os.path.join(root, name)
            yield Part(path, _batches(path, schema.names, has_images=bool(images)), split)

    files = SourceFiles(root)
    return table_of_parts(parts(), schema, known, told, files, has_split=has_split)


def _check_columns(wanted: Sequence[str], names: Sequence[str]) -> None:
    from artstore.integrations.formats.incoming import BatchIntake

    for name in wanted:
        BatchIntake(names).check(name)


def _batches(path: str, names: Sequence[str], *, has_images: bool) -> Iterator[Any]:
    with ExitStack() as stack:
        stack.enter_context(reading(path))
        file = stack.enter_context(pq.ParquetFile(path))
        if set(file.schema_arrow.names) != set(names):
            odd = min(set(file.schema_arrow.names) ^ set(names))
            raise damaged(path, f"its columns are not those of the other files: {odd!r}")
        yield from file.iter_batches(BATCH_ROWS if has_images else _PLAIN_ROWS)

"""
Datasets of Hugging Face as `save_to_disk` writes them, without its library.

A directory of files of Arrow's stream format, with `dataset_info.json` and
`state.json`; or one such directory a part, and `dataset_dict.json`. A directory
without them is read as files of Parquet, as the hub has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pyarrow as pa

from artstore.digest import digest_of
from artstore.errors import NotFoundError, UnsupportedFormatError
from artstore.integrations.formats.embedded import Part, own_provenance, table_of_parts
from artstore.integrations.formats.embedding import EmbeddedRows
from artstore.integrations.formats.failures import damaged, reading
from artstore.integrations.formats.features import (
    FeatureSet,
    features_of_json,
    known_features,
)
from artstore.integrations.formats.localfiles import SourceFiles
from artstore.integrations.formats.mediafolder import write_file
from artstore.integrations.formats.options import ImportOptions
from artstore.integrations.formats.parquetrows import import_parquet, with_totals
from artstore.integrations.formats.places import require_place
from artstore.integrations.formats.staging import StagingPlace
from artstore.media.content import file_content
from artstore.tables.reading import RowReader
from artstore.tables.table import Table

__all__ = ["export_dataset", "import_dataset"]

_STATE: Final = "state.json"
_INFO: Final = "dataset_info.json"
_DICT: Final = "dataset_dict.json"
_MAX_BYTES: Final = 64 * 1024 * 1024


def export_dataset(reader: RowReader, stage: StagingPlace, shard_bytes: int) -> None:
    """Write what `datasets.load_from_disk` reads."""
    embedding = EmbeddedRows(reader, "hf")
    batches = embedding.batches()
    names: list[str] = []
    is_more = True
    while is_more or not names:
        names.append(f"data-{len(names):05d}")
        is_more = _write(
            os.path.join(stage.root, names[-1]), embedding.schema, batches, shard_bytes
        )
    files = with_totals(stage.root, names, ".arrow")
    info = {"citation": "", "description": "", "features": embedding.features}
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in files],
        # Names results in a cache of theirs: the same rows, the same name.
        "_fingerprint": _fingerprint(stage.root, files),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    for name, value in ((_INFO, {**info, "homepage": "", "license": ""}), (_STATE, state)):
        write_file(os.path.join(stage.root, name), (json.dumps(value, indent=2) + "\n").encode())


def _fingerprint(root: str, files: list[str]) -> str:
    digests = [file_content(os.path.join(root, name)).digest for name in files]
    return digest_of(b"".join(digests)).hex()[:16]


def _write(path: str, schema: Any, batches: Iterator[Any], shard_bytes: int) -> bool:
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            if file.tell() >= shard_bytes:
                return True
    return False


def import_dataset(place: str, options: ImportOptions) -> Table:
    """The rows of a dataset, as `import_table` tells."""
    path = require_place(place)
    if not os.path.isdir(path):
        return import_parquet(place, options)
    gate = SourceFiles(path)
    folders: list[tuple[str, str | None]] = [("", None)]
    if os.path.exists(os.path.join(path, _DICT)):
        splits = [str(name) for name in _list(_json(gate, _DICT), "splits", _DICT)]
        folders = [(f"{name}/", name) for name in splits if options.split in (None, name)]
    elif not os.path.exists(os.path.join(path, _STATE)):
        return import_parquet(place, options)
    elif options.split is not None:
        folders = []
    if not folders:
        raise NotFoundError(
            f"{place} has no part {options.split!r}", code="exchange-file-missing", path=path
        )
    places = [(one, split) for folder, split in folders for one in _data_files(gate, folder)]
    if not places:
        raise damaged(place, f"its {_STATE} names no files")
    schema = _schema(places[0][0])
    told = own_provenance(schema, places[0][0])
    known = known_features(schema.metadata, places[0][0]) or _known_beside(gate, folders[0][0])
    images = tuple(dict.fromkeys((*known.images, *options.image_columns)))
    parts = (Part(one, _batches(one), split) for one, split in places)
    return table_of_parts(
        parts,
        schema,
        FeatureSet(images, known.labels),
        told,
        gate,
        has_split=len(folders) > 1,
    )


def _data_files(gate: SourceFiles, folder: str) -> list[str]:
    state = f"{folder}{_STATE}"
    value = _json(gate, state)
    if value.get("_indices_data_files") or value.get("_indices_files"):
        raise UnsupportedFormatError(
            f"{state} chooses rows by another file, which is not read",
            code="format-unsupported",
            hint="save it again, after dataset.flatten_indices()",
        )
    names = []
    for one in _list(value, "_data_files", state):
        if not isinstance(one, dict):
            raise damaged(state, "_data_files is no list of objects")
        names.append(one.get("filename"))
    told = [f"{folder}{name}" if isinstance(name, str) else name for name in names]
    return [gate.place(name, state) for name in told]


def _known_beside(gate: SourceFiles, folder: str) -> FeatureSet:
    info = f"{folder}{_INFO}"
    if not os.path.exists(os.path.join(gate.root, info)):
        return FeatureSet()
    features = _json(gate, info).get("features")
    return FeatureSet() if features is None else features_of_json(features, info)


def _json(gate: SourceFiles, path: str) -> dict[str, Any]:
    place = gate.place(path, "the dataset")
    with reading(place), open(place, "rb") as file:
        data = file.read(_MAX_BYTES)
    try:
        value = json.loads(data)
    except (RecursionError, ValueError) as error:
        raise damaged(place, f"it is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise damaged(place, "it is no object with names and values")
    return value


def _list(value: dict[str, Any], name: str, where: str) -> list[Any]:
    found = value.get(name)
    if not isinstance(found, list):
        raise damaged(where, f"{name} is no list")
    return found


def _schema(path: str) -> Any:
    with reading(path), pa.OSFile(path, "rb") as file, pa.ipc.open_stream(file) as stream:
        return stream.schema


def _batches(path: str) -> Iterator[Any]:
    with ExitStack() as stack:
        stack.enter_context(reading(path))
        file = stack.enter_context(pa.OSFile(path, "rb"))
        yield from stack.enter_context(pa.ipc.open_stream(file))

"""
Media of a run as JSON in its history, and back.

The JSON is the cell that the value has in a table too (`MediaValue.prepare`), with

    _type       `image-file`, ...
    path        of each file: the key under which the run keeps it; of a URL, the URL
    entry       of each file: its path in an artifact, should it be put into one

A list of values of one kind is `{"_type": "images/separated", "count": 2, "items": [...]}`,
with the name that W&B has for such lists; of several kinds, it is a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from artstore.errors import DamagedDataError
from artstore.media.content import (
    FileContent,
    MediaContent,
    MediaFile,
    ReferenceContent,
    is_url,
)
from artstore.media.kinds import kind_named
from artstore.media.values import MediaValue
from artstore.runs.nonfinite import encoded, restored

__all__ = ["MediaSink", "media_json", "media_list_json", "media_value"]

_READ_MAX_BYTES: Final = 8 << 20
"""A larger file is not read into memory: it is copied by its path."""
_LISTS: Final = {
    "audio-file": "audio",
    "html-file": "html",
    "image-file": "images/separated",
    "molecule-file": "molecule",
    "object3D-file": "object3D",
    "video-file": "videos",
}


class MediaSink(Protocol):
    """Where a run keeps the files of its media."""

    def __call__(self, content: bytes | Path, extension: str, digest: bytes) -> str:
        """
        Keep a file; keeping the same one twice is no error.

        Args:
            content: its bytes, or a file of this machine, which is to be copied and
                compared with `digest`: it may have been written to since.
            extension: what its name ends in, without the dot: `png`, `plotly.json`.
            digest: of the bytes.
        Returns:
            The key of the file.
        """
        ...


def media_json(value: MediaValue, put: MediaSink) -> dict[str, Any]:
    """
    What a history row holds of a media value, whose files are given to `put`.

    Raises:
        InvalidInputError: `media-file-changed` and the like, for a file of this machine.
    Cost: encodes what is in memory.
    """
    prepared = value.prepare()
    places = {file.path: _kept(file, put) for file in prepared.files}
    return {"_type": value.type_name, **_with_places(encoded(prepared.cell), places)}


def media_list_json(values: Sequence[MediaValue], put: MediaSink) -> Any:
    """As `media_json`, for a list."""
    items = [media_json(value, put) for value in values]
    kinds = {item["_type"] for item in items}
    name = _LISTS.get(kinds.pop()) if len(kinds) == 1 else None
    return items if name is None else {"_type": name, "count": len(items), "items": items}


def media_value(data: Mapping[str, Any], open_content: Callable[[str], MediaContent]) -> MediaValue:
    """
    The value that `media_json` made `data` of; no file is read before it is asked for.

    Args:
        open_content: gives the content that lies under a key.
    Raises:
        InvalidInputError: `media-kind-unknown`.
        DamagedDataError: `media-cell-damaged`.
    """
    keys: dict[str, str] = {}
    cell = _with_entries(restored(dict(data)), keys)

    def opened(entry: str) -> MediaContent:
        key = keys.get(entry)
        if key is None:
            raise DamagedDataError(
                f"a media value names a file {entry!r} that it has no key for",
                code="media-cell-damaged",
            )
        return ReferenceContent(key) if is_url(key) else open_content(key)

    return kind_named(str(cell.pop("_type", None))).from_cell(cell, opened)


def _kept(file: MediaFile, put: MediaSink) -> str:
    content = file.content
    if isinstance(content, ReferenceContent):
        return content.url
    extension = file.path.rpartition("/")[2].partition(".")[2]
    if isinstance(content, FileContent) and content.size_bytes > _READ_MAX_BYTES:
        return put(Path(content.path), extension, content.digest)
    return put(content.read(), extension, content.digest)


def _with_places(cell: Any, places: Mapping[str, str]) -> Any:
    if isinstance(cell, list):
        return [_with_places(element, places) for element in cell]
    if not isinstance(cell, dict):
        return cell
    told = {name: _with_places(member, places) for name, member in cell.items()}
    if told.get("path") in places:
        told["entry"] = told["path"]
        told["path"] = places[told["entry"]]
    return told


def _with_entries(data: Any, keys: dict[str, str]) -> Any:
    """Inverse of `_with_places`; notes the key of each entry."""
    if isinstance(data, list):
        return [_with_entries(element, keys) for element in data]
    if not isinstance(data, Mapping):
        return data
    cell = {name: _with_entries(member, keys) for name, member in data.items()}
    if isinstance(cell.get("entry"), str) and isinstance(cell.get("path"), str):
        entry = cell.pop("entry")
        keys[entry] = cell["path"]
        cell["path"] = entry
    return cell

"""
The entries of a version as they are listed in the target: links lead to versions there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from artstore.manifests.entry import FILE, LINK, TABLE, Entry
from artstore.syncing.syncplace import VersionKey, parse_version_key

if TYPE_CHECKING:
    from artstore.manifests.reader import Manifest
    from artstore.transfer.copying import CopiedItem, CopySource

__all__ = ["mapped_items", "named_versions"]

Find = Callable[[VersionKey], VersionKey | None]
"""Where a version of the source lies in the target."""


def named_versions(manifest: Manifest, store_id: str) -> list[VersionKey]:
    """
    The versions of the same store that entries name: by links, in tables, as sources of queries.

    Cost: reads the list of files.
    """
    texts: dict[Any, None] = {}
    for entry in manifest.entries():
        extra = entry.extra
        if extra and entry.kind in (LINK, TABLE):
            if extra.get("store", store_id) == store_id:
                texts[extra.get("source")] = None
            texts.update(dict.fromkeys(_texts(extra.get("sources"))))
    keys = (parse_version_key(text) for text in texts)
    return list(dict.fromkeys(key for key in keys if key is not None))


def mapped_items(
    manifest: Manifest, source: CopySource, find: Find, store_id: str
) -> Iterator[Entry | CopiedItem]:
    """
    What a push of the target takes: entries as they are there, with their bytes here.

    Args:
        source: where the bytes are.
        find: tells what links lead to from now on.
        store_id: of the target.
    """
    from artstore.transfer.copying import CopiedItem

    for entry in manifest.entries():
        if entry.kind == LINK:
            yield CopiedItem(_mapped_link(entry, find, store_id), source)
        elif entry.kind == TABLE:
            yield CopiedItem(
                replace(entry, extra=_mapped_table(entry.extra, find, store_id)), source
            )
        elif entry.kind == FILE or entry.chunks:
            yield CopiedItem(entry, source)
        else:
            yield entry


def _mapped_link(entry: Entry, find: Find, store_id: str) -> Entry:
    found = _found(entry.extra.get("source"), find)
    if found is None:
        # What it was taken from is gone for good; the file itself is whole.
        return replace(entry, kind=FILE, extra={})
    return replace(entry, extra={**entry.extra, "source": str(found), "store": store_id})


def _mapped_table(extra: Any, find: Find, store_id: str) -> dict[str, Any]:
    mapped = dict(extra)
    if "source" in mapped:
        found = _found(mapped["source"], find)
        if found is None:
            for name in ("source", "path", "store"):
                mapped.pop(name, None)
        else:
            mapped |= {"source": str(found), "store": store_id}
    if "sources" in mapped:
        texts = _texts(mapped.pop("sources"))
        sources = [text for text in (_mapped_text(one, find) for one in texts) if text]
        if sources:
            mapped["sources"] = sources
    return mapped


def _mapped_text(text: str, find: Find) -> str | None:
    """`project/name:v3/table` by the number that the version has in the target."""
    found = _found(text, find)
    if found is None:
        return None
    path = text.partition(":")[2].partition("/")[2]
    return f"{found}/{path}" if path else str(found)


def _found(text: object, find: Find) -> VersionKey | None:
    key = parse_version_key(text)
    return None if key is None else find(key)


def _texts(value: Any) -> list[str]:
    return [one for one in value if type(one) is str] if isinstance(value, list) else []

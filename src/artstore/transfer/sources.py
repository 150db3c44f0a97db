"""
What is to be pushed, as one stream of files and entries in manifest order.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from artstore.errors import InvalidInputError
from artstore.manifests.entry import DIRECTORY, Entry, directory_entry, symlink_entry
from artstore.transfer.ignore import IgnoreRules
from artstore.transfer.walk import Found, look, walk

__all__ = [
    "EntrySource",
    "FileSource",
    "Item",
    "Source",
    "TreeSource",
    "entry_without_bytes",
    "scan",
]

Item = Found | Entry
"""A file or link on disk, or an entry that has no bytes of its own here."""


@dataclass(frozen=True, slots=True)
class TreeSource:
    """The contents of a directory, below `prefix` (empty: at the root of the version)."""

    root: Path
    prefix: str = ""
    rules: IgnoreRules | None = None
    follow_links: bool = False


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file, under `path`."""

    location: Path
    path: str


@dataclass(frozen=True, slots=True)
class EntrySource:
    """Entries that exist already: references and links."""

    entries: tuple[Entry, ...]


Source = TreeSource | FileSource | EntrySource


def scan(
    sources: Sequence[Source], *, content_root: str, on_warning: Callable[[str], None]
) -> Iterator[Item]:
    """
    Everything that the sources hold, by ascending path.

    Raises:
        InvalidInputError: `path-twice`, a path comes from two sources, or is a
            file in one and a directory in another.
    """
    streams = [_stream(source, content_root, on_warning) for source in sources]
    if len(streams) == 1 and not isinstance(sources[0], EntrySource):
        return streams[0]
    return _without_collisions(heapq.merge(*streams, key=lambda item: item.path))


def _stream(source: Source, content_root: str, on_warning: Callable[[str], None]) -> Iterator[Item]:
    if isinstance(source, EntrySource):
        yield from sorted(source.entries, key=lambda entry: entry.path)
    elif isinstance(source, FileSource):
        yield look(os.fspath(source.location), source.path)
    else:
        items = walk(
            source.root,
            rules=source.rules,
            follow_links=source.follow_links,
            content_root=content_root,
            on_warning=on_warning,
        )
        items = filter(_is_no_leftover, items)
        if source.prefix:
            prefix = source.prefix + "/"
            yield from (found._replace(path=prefix + found.path) for found in items)
        else:
            yield from items


def _without_collisions(items: Iterable[Item]) -> Iterator[Item]:
    leaves: set[str] = set()
    checked: set[str] = set()
    for item in items:
        path = item.path
        if path in leaves:
            raise InvalidInputError(f"{path!r} is added twice", code="path-twice", path=path)
        parent = path.rpartition("/")[0]
        while parent and parent not in checked:
            if parent in leaves:
                raise InvalidInputError(
                    f"{parent!r} is added as a file and, with {path!r}, as a directory",
                    code="path-twice",
                    path=parent,
                )
            checked.add(parent)
            parent = parent.rpartition("/")[0]
        leaves.add(path)
        yield item


def entry_without_bytes(item: Item) -> Entry:
    """The entry of an item that is no file: link, empty directory, reference."""
    if isinstance(item, Entry):
        return item
    if item.kind == DIRECTORY:
        return directory_entry(item.path)
    return symlink_entry(item.path, item.target)


def _is_no_leftover(found: Found) -> bool:
    # What a pull that was killed left in its directory is nobody's data.
    path = found.path
    if ".art-" not in path:
        return True
    from artstore.transfer.target import is_temporary

    return not is_temporary(path)

"""
What is to be pushed, as one stream of files and entries in manifest order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import (
    DIRECTORY,
    FILE,
    LINK,
    SYMLINK,
    Entry,
    directory_entry,
    symlink_entry,
)
from artstore.manifests.reader import Manifest
from artstore.transfer.ignore import IgnoreRules
from artstore.transfer.merging import Item, Ranked, merge
from artstore.transfer.noted import Noted
from artstore.transfer.prepared import BytesItem, TableItem
from artstore.transfer.walk import Found, look, walk

__all__ = [
    "EntrySource",
    "FileSource",
    "Item",
    "NotedFiles",
    "PathSet",
    "Source",
    "TreeSource",
    "VersionSource",
    "entry_without_bytes",
    "scan",
]


@dataclass(frozen=True, slots=True)
class PathSet:
    """Paths, each with all that lies below it."""

    paths: frozenset[str] = frozenset()

    def __contains__(self, path: str) -> bool:
        return self.named(path) is not None

    def named(self, path: str) -> str | None:
        """The path in the set that covers `path`: itself, or one above it."""
        while path:
            if path in self.paths:
                return path
            path = path.rpartition("/")[0]
        return None


@dataclass(frozen=True, slots=True)
class TreeSource:
    """
    The contents of a directory, below `prefix` (empty: at the root of the version).

    Attributes:
        without: paths of the version that it does not bring.
        replaces: what it brings comes instead of what sources before it bring.
    """

    root: Path
    prefix: str = ""
    rules: IgnoreRules | None = None
    follow_links: bool = False
    without: PathSet = PathSet()
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file, under `path`; if it was `noted`, it must still be so."""

    location: Path
    path: str
    noted: Noted | None = None


@dataclass(frozen=True, slots=True)
class EntrySource:
    """References and links, which are entries already, and what is in memory."""

    entries: tuple[Entry | BytesItem | TableItem, ...]


@dataclass(frozen=True, slots=True)
class VersionSource:
    """
    The entries of a version as they are: nothing of them is read or stored again.

    Attributes:
        name: of the version, for messages.
        without: what is left out; each of these must be there.
        gives_way: whatever else comes to one of its paths comes instead. If not,
            only a tree that `replaces`, and a file with the same content.
        digest_of: the digest of a file on disk, None if it cannot be read.
    """

    manifest: Manifest
    name: str
    without: PathSet
    gives_way: bool
    digest_of: Callable[[Found], bytes | None]


Source = TreeSource | FileSource | EntrySource | VersionSource


class NotedFiles:
    """The files among the sources that were noted when they were added."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._by_path = {
            source.path: source.noted
            for source in sources
            if isinstance(source, FileSource) and source.noted is not None
        }

    def of(self, found: Found) -> Noted | None:
        """What was noted of this very file, which another one may replace at its path."""
        noted = self._by_path.get(found.path)
        return noted if noted is not None and noted.found.location == found.location else None


def scan(
    sources: Sequence[Source], *, content_root: str, on_warning: Callable[[str], None]
) -> Iterator[Item]:
    """
    Everything that the sources hold, by ascending path.

    Raises:
        InvalidInputError: `path-twice`, a path comes from two sources, or is a
            file in one and a directory in another; `entry-exists`, it is another
            file than in the version that is continued.
        NotFoundError: `entry-not-found`, what is to be left out of a version is not in it.
        StateError: `source-changed`, of a file that was noted.
    """
    streams = [_stream(source, content_root, on_warning) for source in sources]
    if len(streams) == 1 and not isinstance(sources[0], EntrySource):
        return streams[0]
    return merge(streams, partial(_settle, sources))


def _stream(source: Source, content_root: str, on_warning: Callable[[str], None]) -> Iterator[Item]:
    if isinstance(source, EntrySource):
        yield from sorted(source.entries, key=lambda entry: entry.path)
    elif isinstance(source, FileSource):
        found = look(os.fspath(source.location), source.path)
        if source.noted is not None:
            source.noted.check_found(found)
        yield found
    elif isinstance(source, VersionSource):
        yield from _kept(source)
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
            items = (found._replace(path=prefix + found.path) for found in items)
        if source.without.paths:
            items = (found for found in items if found.path not in source.without)
        yield from items


def _kept(source: VersionSource) -> Iterator[Entry]:
    without = source.without
    if not without.paths:
        yield from source.manifest.entries()
        return
    met: set[str] = set()
    for entry in source.manifest.entries():
        named = without.named(entry.path)
        if named is None:
            yield entry
        else:
            met.add(named)
    missed = min(without.paths - met, default=None)
    if missed is not None:
        raise NotFoundError(
            f"{missed!r} cannot be removed: {source.name} has no such path",
            code="entry-not-found",
            path=missed,
        )


def _settle(sources: Sequence[Source], lower: Ranked, upper: Ranked) -> Ranked | None:
    """Which of two items at one path stays; the upper one is of a later source."""
    source, below = sources[upper[1]], sources[lower[1]]
    if isinstance(source, TreeSource) and source.replaces:
        return upper
    if not isinstance(below, VersionSource):
        return None
    if below.gives_way:
        return upper
    return _same_or_refused(lower[0], upper[0], below), upper[1]


def _same_or_refused(kept: Item, item: Item, source: VersionSource) -> Item:
    """What a version has at a path, if an item has the same content."""
    assert isinstance(kept, Entry)
    if isinstance(item, Entry):
        is_same = (kept.kind, kept.digest, kept.extra) == (item.kind, item.digest, item.extra)
    elif isinstance(item, (BytesItem, TableItem)):
        is_same = item.digest == kept.digest and (kept.kind in (FILE, LINK)) == (item.kind == FILE)
    elif item.kind == FILE:
        is_same = (
            kept.kind in (FILE, LINK)
            and (kept.size_bytes, kept.executable) == (item.size_bytes, item.executable)
            and kept.digest == source.digest_of(item)
        )
    elif item.kind == SYMLINK:
        is_same = (kept.kind, kept.target) == (SYMLINK, item.target)
    else:
        is_same = kept.kind == item.kind
    if is_same:
        return kept
    raise InvalidInputError(
        f"{kept.path!r} is another file in {source.name}",
        code="entry-exists",
        hint="remove it first, or add the directory with merge=True",
        path=kept.path,
    )


def entry_without_bytes(item: Found | Entry) -> Entry:
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

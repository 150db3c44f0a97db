"""
What a draft is made of: additions, in the order they came, each path once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from artstore.manifests.entry import Entry
from artstore.transfer.noted import Noted
from artstore.transfer.prepared import BytesItem, TableItem
from artstore.transfer.sources import PathSet
from artstore.versions.version import LoggedVersion

__all__ = [
    "AddedDirectory",
    "AddedFile",
    "Addition",
    "AdditionList",
    "DraftOrigin",
    "ValueAddition",
]


@dataclass(frozen=True, slots=True)
class AddedDirectory:
    """
    The contents of `location`, below `prefix`; patterns as in `Artifact.add_dir`.

    Attributes:
        without: paths of the artifact that are left out of it.
        replaces: what it holds comes instead of what was added before.
    """

    location: Path
    prefix: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    follow_links: bool
    without: PathSet
    replaces: bool = False

    def relative(self, path: str) -> str | None:
        """A path of the artifact as it is below `location`; None outside of `prefix`."""
        if not self.prefix:
            return path
        inner = path.removeprefix(self.prefix + "/")
        return inner if inner != path else None


@dataclass(frozen=True, slots=True)
class AddedFile:
    """One file, stored at `path`. Without `noted` it is taken as it is when it is logged."""

    location: Path
    path: str
    noted: Noted | None


ValueAddition = AddedFile | BytesItem | TableItem | Entry
"""What a table or a media value adds; all have a path of their own."""

Addition = AddedDirectory | AddedFile | BytesItem | TableItem | Entry
"""
What one call added. An entry is what needs no reading: a reference or a link. Whatever
is added in another form gets a record here, and its sources in `artstore.additions`.
"""


@dataclass(frozen=True, slots=True)
class DraftOrigin:
    """
    The version that a draft begins with.

    Attributes:
        version: None for the newest when it is logged.
        without: paths that are left out of it.
    """

    version: LoggedVersion | None
    without: PathSet

    def leaving_out(self, path: str) -> DraftOrigin:
        """The same without `path` and all below it."""
        return replace(self, without=PathSet(self.without.paths | {path}))


class AdditionList:
    """Additions in order. What has a path of its own is found by it."""

    def __init__(self) -> None:
        # Directories have a number as key, everything else its path.
        self._items: dict[str | int, Addition] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Addition]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def append(self, addition: Addition) -> None:
        """One more; instead of what has its path, if anything has."""
        if isinstance(addition, AddedDirectory):
            self._items[self._count] = addition
            self._count += 1
            return
        self._items.pop(addition.path, None)
        self._items[addition.path] = addition

    def replace(self, old: ValueAddition, new: ValueAddition) -> None:
        """Put `new` where `old` stands, if it is still there."""
        if self._items.get(old.path) is old:
            self._items[old.path] = new

    def at(self, path: str) -> AddedFile | BytesItem | TableItem | Entry | None:
        """What was added under this very path; directories do not count."""
        found = self._items.get(path)
        assert not isinstance(found, AddedDirectory)
        return found

    def directories(self) -> list[AddedDirectory]:
        """The directories, the last one first."""
        found = [one for one in self._items.values() if isinstance(one, AddedDirectory)]
        return found[::-1]

    def take_out(self, path: str) -> bool:
        """Remove what lies at a path or below it, but for directories; whether anything did."""
        covered = PathSet(frozenset([path]))
        keys = [key for key in self._items if isinstance(key, str) and key in covered]
        for key in keys:
            del self._items[key]
        return bool(keys)

    def leave_out(self, directory: AddedDirectory, path: str) -> None:
        """From now on a directory that was added does not bring `path`, nor what is below it."""
        key = next(key for key, one in self._items.items() if one is directory)
        prefix = directory.prefix
        if prefix and (prefix == path or prefix.startswith(path + "/")):
            del self._items[key]
            return
        self._items[key] = replace(directory, without=PathSet(directory.without.paths | {path}))

"""
The list of an artifact's files as a mapping, read as far as it is looked into.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import Any, Final

from artstore.errors import NotFoundError
from artstore.versions.entries import ArtifactEntry

__all__ = ["EntryView", "ManifestView"]

_FORMAT: Final = 1


class EntryView(Mapping[str, ArtifactEntry]):
    """
    Entries by path.

    Args:
        find: the entry at a path; NotFoundError if there is none.
        walk: all of them, by path.
        count: how many there are.
    """

    def __init__(
        self,
        find: Callable[[str], ArtifactEntry],
        walk: Callable[[], Iterator[ArtifactEntry]],
        count: Callable[[], int],
    ) -> None:
        self._find = find
        self._walk = walk
        self._count = count

    def __getitem__(self, path: str) -> ArtifactEntry:
        try:
            return self._find(path)
        except NotFoundError as error:
            raise KeyError(path) from error

    def __iter__(self) -> Iterator[str]:
        return (entry.path for entry in self._walk())

    def __len__(self) -> int:
        return self._count()

    def values(self) -> ValuesView[ArtifactEntry]:
        """The entries, in one pass over the list."""
        return _Values(self, self._walk)

    def items(self) -> ItemsView[str, ArtifactEntry]:
        """(path, entry), in one pass over the list."""
        return _Items(self, self._walk)


# Those of the standard library look every path up by itself.
class _Values(ValuesView[ArtifactEntry]):
    def __init__(self, view: EntryView, walk: Callable[[], Iterator[ArtifactEntry]]) -> None:
        super().__init__(view)
        self._walk = walk

    def __iter__(self) -> Iterator[ArtifactEntry]:
        return self._walk()


class _Items(ItemsView[str, ArtifactEntry]):
    def __init__(self, view: EntryView, walk: Callable[[], Iterator[ArtifactEntry]]) -> None:
        super().__init__(view)
        self._walk = walk

    def __iter__(self) -> Iterator[tuple[str, ArtifactEntry]]:
        return ((entry.path, entry) for entry in self._walk())


class ManifestView:
    """
    What an artifact holds.

    Attributes:
        entries: by path.
    """

    def __init__(self, entries: EntryView) -> None:
        self.entries: Mapping[str, ArtifactEntry] = entries

    def get_entry_by_path(self, path: str) -> ArtifactEntry | None:
        """The entry at a path, None if there is none."""
        return self.entries.get(path)

    def to_manifest_json(self) -> dict[str, Any]:
        """
        All of it as one JSON value.

        Cost: reads the whole list; of a draft, every file.
        """
        return {
            "version": _FORMAT,
            "storagePolicy": "artstore",
            "contents": {path: _record(entry) for path, entry in self.entries.items()},
        }


def _record(entry: ArtifactEntry) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": entry.kind, "digest": entry.digest, "size": entry.size}
    if entry.executable:
        record["executable"] = True
    if entry.ref is not None:
        record["ref"] = entry.ref
    if entry.extra:
        record["extra"] = dict(entry.extra)
    return record

"""
What a table or a media value of a version asks of it: fragments, and the files of its cells.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from artstore.errors import ArtstoreError, NotFoundError
from artstore.manifests.entry import FILE, LINK, TABLE, Entry
from artstore.transfer.fragmentfiles import FragmentFiles
from artstore.versions.version import LoggedVersion

if TYPE_CHECKING:
    from artstore.tables.fragments import Fragment

__all__ = ["VersionContent", "VersionHome", "find_version", "linked_entry"]


class VersionContent:
    """The bytes of a file of a version; nothing is looked up before they are asked for."""

    def __init__(self, version: LoggedVersion, path: str) -> None:
        self.version = version
        self.path = path

    @property
    def entry(self) -> Entry:
        """The record of the file. Raises NotFoundError `entry-not-found`."""
        return self.version.files().tree.entry(self.path)

    @property
    def digest(self) -> bytes:
        """The digest of the bytes, or of the reference."""
        return self.entry.digest

    def read(self) -> bytes:
        """All bytes, verified; of a reference, those that lie there now."""
        return self.version.files().read_ranges([(self.path, 0, None)])[0]

    def open(self) -> BinaryIO:
        """As `read`, as a file."""
        return io.BytesIO(self.read())

    def linked(self, path: str) -> Entry:
        """
        An entry for another version that stands for the same file; nothing is copied.

        Raises:
            NotFoundError: `entry-not-found`.
        """
        version = self.version
        return linked_entry(
            self.entry, path, source=version.qualified_name, store_id=version.place.store_id
        )


def linked_entry(entry: Entry, path: str, *, source: str, store_id: str) -> Entry:
    """
    An entry for another version that stands for the same file or table; nothing is copied.

    Links say where they come from; references, symlinks and directories are what they are.

    Args:
        path: its path in the other version.
        source: the version that has it, `project/name:v3`.
    """
    origin = {"source": source, "path": entry.path, "store": store_id}
    if entry.kind == FILE:
        return replace(entry, path=path, kind=LINK, extra=origin)
    if entry.kind == TABLE:
        # Of a link to a link the first one counts: the files of its cells are there.
        return replace(entry, path=path, extra={**origin, **entry.extra})
    return replace(entry, path=path)


class VersionHome:
    """
    Where a table of a version was read from; see `tables.home.TableHome`.

    Args:
        entry: of the table, which may be a link to the table of another version. Files
            of its cells are then looked for there.
    """

    def __init__(self, version: LoggedVersion, entry: Entry) -> None:
        self.version = version
        self.entry = entry
        self._files: FragmentFiles | None = None
        self._source: LoggedVersion | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Files and sources are found anew where it is unpickled: in a worker process.
        return {**self.__dict__, "_files": None, "_source": None}

    @property
    def path(self) -> str:
        """Of the table in the version."""
        return self.entry.path

    @property
    def name(self) -> str:
        """`project/name:v3/path`; of a link, that of the table it stands for."""
        source = self.entry.extra.get("source")
        if source is not None:
            return f"{source}/{_plain(str(self.entry.extra.get('path')))}"
        return f"{self.version.qualified_name}/{_plain(self.path)}"

    def linked(self, path: str) -> Entry:
        """The table as an entry of another version; its rows and images stay where they are."""
        version = self.version
        return linked_entry(
            self.entry, path, source=version.qualified_name, store_id=version.place.store_id
        )

    def fragment_paths(self, fragments: Sequence[Fragment]) -> list[Path]:
        """A verified local file for each fragment. Raises as `FragmentFiles.paths`."""
        if self._files is None:
            self._files = FragmentFiles(self.version.place)
        return self._files.paths(fragments)

    def open_content(self, path: str) -> VersionContent:
        """The content of a file that a cell names; nothing is read."""
        if self._source is None:
            source = self.entry.extra.get("source")
            self._source = self.version if source is None else find_version(self.version, source)
        return VersionContent(self._source, path)


def find_version(beside: LoggedVersion, name: str) -> LoggedVersion:
    """
    The version `project/name:v3` in the store of another one.

    Raises:
        NotFoundError: `version-not-found`; also for one that was deleted.
    """
    collection, _, number = name.rpartition(":v")
    project, _, collection_name = collection.partition("/")
    try:
        state = beside.place.catalog.state(project, collection_name)
        version = state.versions[int(number)]
    except (ArtstoreError, KeyError, ValueError) as error:
        raise NotFoundError(
            f"{name}, which {beside.qualified_name} refers to, is not in the store",
            code="version-not-found",
            hint="a deleted version comes back with `art restore`",
        ) from error
    return beside.beside(state, version)


def _plain(path: str) -> str:
    return path.removesuffix(".parquet")

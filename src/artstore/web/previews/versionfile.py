"""
A file of a version as previews read it, and which entries have bytes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from artstore import limits
from artstore.errors import NotFoundError
from artstore.manifests.entry import DIRECTORY, FILE, LINK, REFERENCE, TABLE, Entry
from artstore.web.visible import cut

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact

__all__ = ["VersionFile", "entry_with_bytes", "find_entry", "is_content"]

_TOLD_CHARS = 300


class VersionFile:
    """
    The source of a preview: ranges of one file, each chunk verified.

    Args:
        entry: a file or link of the version, not a symlink to one.
    """

    def __init__(self, artifact: LoggedArtifact, entry: Entry) -> None:
        self._artifact = artifact
        self._entry = entry

    @property
    def path(self) -> str:
        """Its path in the version."""
        return self._entry.path

    @property
    def size_bytes(self) -> int:
        """Its length."""
        return self._entry.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        """The bytes of a range. Raises DamagedDataError."""
        return self._artifact.read_ranges([(self._entry.path, start, stop)])[0]

    def open(self) -> BinaryIO:
        """A binary file with random access."""
        return cast("BinaryIO", self._artifact.open(self._entry.path))


def is_content(entry: Entry) -> bool:
    """Whether an entry has bytes in the store that can be sent as they are."""
    return entry.kind in (FILE, LINK)


def find_entry(artifact: LoggedArtifact, path: str) -> Entry:
    """The entry at a path of an address. Raises NotFoundError `entry-not-found`."""
    if not path or len(path) > limits.PATH_MAX_BYTES:
        raise _not_found(path)
    try:
        # Of an address that is no UTF-8 half a character may be left: no path has it.
        path.encode("utf-8")
        return artifact.entry(path)
    except (NotFoundError, UnicodeEncodeError) as error:
        raise _not_found(path) from error


def entry_with_bytes(artifact: LoggedArtifact, path: str, *, with_tables: bool = False) -> Entry:
    """
    The file or link at a path, or at the end of symlinks in the version.

    Args:
        with_tables: whether a table will do.
    Raises:
        NotFoundError: `entry-not-found`; `content-elsewhere` for a reference, whose bytes
            the page never fetches, for a table and for a directory.
    """
    find_entry(artifact, path)
    entry = artifact.resolved(path)
    if is_content(entry) or (with_tables and entry.kind == TABLE):
        return entry
    shown = cut(path, _TOLD_CHARS)
    hints = {
        REFERENCE: "its bytes lie elsewhere and are not fetched by the page; `art pull` does",
        TABLE: "a table has no file of its own in the store; its content is made as Parquet",
        DIRECTORY: "a directory has no bytes; its page lists what is in it",
    }
    raise NotFoundError(
        f"{shown!r} is a {entry.kind}: it has no bytes that could be sent",
        code="content-elsewhere",
        hint=hints.get(entry.kind, "a newer release may know what it is"),
        path=shown,
    )


def _not_found(path: str) -> NotFoundError:
    shown = cut(path, _TOLD_CHARS)
    return NotFoundError(
        f"{shown!r} is not in this version",
        code="entry-not-found",
        hint="the page of the version lists its files",
        path=shown,
    )

"""
One file of an artifact as its user has it in hand, logged or not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from artstore.errors import InvalidInputError
from artstore.manifests.entry import LINK, REFERENCE, SYMLINK, Entry
from artstore.transfer.walk import Found

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.transfer.openfile import ArtifactFile
    from artstore.versions.version import LoggedVersion

__all__ = ["ArtifactEntry"]


class ArtifactEntry:
    """
    One path of an artifact.

    Args:
        item: the record in a version, or what stands on disk and is not yet logged.
        version: of the artifact; raises while it has none.
        digest: of what stands on disk, if that is known.
    """

    __slots__ = ("_digest", "_found", "_parent", "_stored", "_version")

    def __init__(
        self,
        item: Entry | Found,
        parent: Artifact,
        version: Callable[[], LoggedVersion],
        *,
        digest: bytes | None = None,
    ) -> None:
        self._stored = item if isinstance(item, Entry) else None
        self._found = None if isinstance(item, Entry) else item
        self._parent = parent
        self._version = version
        self._digest = digest

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path!r} of {self.size} bytes>"

    @property
    def _item(self) -> Entry | Found:
        item = self._stored if self._found is None else self._found
        assert item is not None
        return item

    @property
    def path(self) -> str:
        """Where it is in the artifact."""
        return self._item.path

    @property
    def kind(self) -> str:
        """`file`, `link` (a file of another version), `reference`, `symlink`, `directory`."""
        return self._item.kind

    @property
    def size(self) -> int:
        """Bytes; of a symlink those of its text."""
        return self.stored.size_bytes if self.kind == SYMLINK else self._item.size_bytes

    @property
    def local_path(self) -> str | None:
        """Where a file lies that was added and not yet logged; else None."""
        return None if self._found is None else self._found.location

    @property
    def stored(self) -> Entry:
        """The record in the list of a version. Cost: a file not yet logged is read."""
        if self._stored is None:
            from artstore.transfer.hashing import entry_of_found

            assert self._found is not None
            self._stored = entry_of_found(self._found, self._digest)
        return self._stored

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def digest(self) -> str:
        """
        BLAKE3 of the bytes, 64 hex digits; of a reference whose content is not known, of its URL.

        Cost: a file that was added and not yet logged is read.
        """
        return self.stored.digest.hex()

    @property
    def executable(self) -> bool:
        """The one mode bit that is kept."""
        return self._item.executable

    @property
    def ref(self) -> str | None:
        """The URL of a reference; of a link, the file it was taken from; None for others."""
        if self._stored is None:
            return None
        if self.kind == LINK:
            source, path = (self._stored.extra.get(key) for key in ("source", "path"))
            return f"art://{source}/{path}"
        return self._stored.url or None

    @property
    def extra(self) -> Mapping[str, Any]:
        """What else is noted: of a reference etag, version and the like."""
        return {} if self._stored is None else dict(self._stored.extra)

    def ref_target(self) -> str:
        """
        Where a reference, or a link, leads.

        Raises:
            InvalidInputError: `entry-not-reference`.
        """
        if self.ref is None:
            raise InvalidInputError(
                f"{self.path!r} is a {self.kind}, not a reference",
                code="entry-not-reference",
                path=self.path,
            )
        return self.ref

    def ref_url(self) -> str:
        """
        The address of this very entry, `art://project/name:v3/path`; `add_reference` takes it.

        Raises:
            StateError: `artifact-not-logged`.
        """
        return f"art://{self._version().qualified_name}/{self.path}"

    def parent_artifact(self) -> Artifact:
        """The artifact that it is of."""
        return self._parent

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        skip_cache: bool | None = None,  # noqa: ARG002, FBT001 - W&B's; nothing is kept of a copy
    ) -> str:
        """
        Write this one file below `root`, at its path; nothing is done if it stands there.

        Args:
            root: `./artifacts/<name>:<version>` if left out.
        Returns:
            Where it is.
        Raises:
            StateError: `artifact-not-logged`, `target-occupied`.
            DamagedDataError: nothing wrong is left behind.
            InvalidInputError: `entry-not-file`, for a directory.
        Cost: reads what is missing, and nothing else below `root`.
        """
        from artstore.versions.onefile import write_entry

        return write_entry(self._version(), self.stored, root)

    def open(self) -> ArtifactFile:
        """Open the file for reading, as `LoggedArtifact.open`."""
        return self._parent.open(self.path)

    def read(self) -> bytes:
        """
        The bytes, at once; of a reference those that lie there now.

        Raises:
            StateError: `artifact-not-logged`.
        """
        if self.kind == REFERENCE:
            with self.open() as file:
                return file.read()
        return self._parent.read(self.path)

"""
An artifact while it is put together: what will become the next version of a name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from artstore import canonical, names
from artstore.errors import InvalidInputError
from artstore.manifests.entry import FILE, LINK, Entry

__all__ = ["AddedDirectory", "AddedFile", "Addition", "Artifact", "LinkSource"]

_METADATA_KEYS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class AddedDirectory:
    """The contents of `location`, below `prefix`; patterns as in `Artifact.add_dir`."""

    location: Path
    prefix: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    follow_links: bool


@dataclass(frozen=True, slots=True)
class AddedFile:
    """One file, stored at `path`."""

    location: Path
    path: str


Addition = AddedDirectory | AddedFile | Entry


class LinkSource(Protocol):
    """What `Artifact.add_link` asks of a version; `LoggedArtifact` is one."""

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`."""
        ...

    @property
    def store_id(self) -> str:
        """The id of the store that has it."""
        ...

    def entry(self, path: str) -> Entry:
        """The entry at `path`."""
        ...


class Artifact:
    """
    A draft: add what belongs to it, then log it.

    Nothing is read before it is logged, except what `add_reference` must read to
    know a digest.

    Args:
        name: `[A-Za-z0-9_.-]`, not first a dot, at most 128 characters.
        type: what kind of thing this is (`dataset`, `model`); fixed for all
            versions of a name. None: that of the versions before, or `dataset`.
        description: free text.
        metadata: JSON values under at most 100 names.
    Raises:
        InvalidInputError: `name-invalid`, `value-invalid`.
    """

    def __init__(
        self,
        name: str,
        type: str | None = None,  # noqa: A002 - the name users of W&B know
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = names.check_collection_name(name)
        self.type = None if type is None else names.check_type_name(type)
        self.description = description
        self.metadata = None if metadata is None else _check_metadata(metadata)
        self._additions: list[Addition] = []

    @property
    def additions(self) -> Sequence[Addition]:
        """What was added so far, in the order it was."""
        return tuple(self._additions)

    def add_file(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """
        Add one file; a symlink stands for what it leads to.

        Args:
            name: path in the artifact; the file's own name if left out.
        Raises:
            InvalidInputError: `source-missing`, `path-invalid`.
        """
        location = Path(local_path)
        if not location.is_file():
            raise _missing(location, "file")
        path = names.check_entry_path(name if name is not None else location.name)
        self._additions.append(AddedFile(location.absolute(), path))

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        follow_links: bool = False,
    ) -> None:
        """
        Add the contents of a directory, `.artignore` rules applied.

        Args:
            name: directory in the artifact to put them in; its root if left out.
            include: only paths that match one of these globs, if any is given.
            exclude: gitignore patterns of what to leave out.
            follow_links: store what symlinks lead to instead of the links.
        Raises:
            InvalidInputError: `source-missing`, `path-invalid`.
        """
        location = Path(local_path)
        if not location.is_dir():
            raise _missing(location, "directory")
        prefix = "" if name is None else names.check_entry_path(name.rstrip("/"))
        self._additions.append(
            AddedDirectory(
                location.absolute(), prefix, tuple(include), tuple(exclude), follow_links
            )
        )

    def add_link(self, source: LinkSource, path: str, name: str | None = None) -> None:
        """
        Add a file of another version in the same store, without copying a byte.

        The link holds the file's digest and where its chunks lie, so it outlives
        the version that it was taken from.

        Args:
            source: a version, as `Store.artifact` finds it.
            path: the file in that version.
            name: path in this artifact; the same if left out.
        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`, `path-invalid`.
        """
        entry = source.entry(path)
        if entry.kind not in (FILE, LINK):
            raise InvalidInputError(
                f"{path!r} of {source.qualified_name} is a {entry.kind}, not a file",
                code="entry-not-file",
                path=path,
            )
        origin = {"source": source.qualified_name, "path": path, "store": source.store_id}
        self._additions.append(
            replace(
                entry,
                path=names.check_entry_path(name if name is not None else path),
                kind=LINK,
                extra=origin if entry.kind == FILE else entry.extra,
            )
        )

    def add_reference(
        self,
        uri: str,
        name: str | None = None,
        *,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> Sequence[Entry]:
        """
        Add something that stays where it is and is named by a URL.

        A URL of a directory or of a prefix in a bucket adds an entry for every
        file below it. What is known of a file now is noted, and compared when it
        is read: size, etag and version; behind `file://` the digest of its bytes.

        Args:
            uri: `s3://`, `gs://`, `az://`, `abfs://`, `hf://`, `http://`, `https://`
                or `file://`.
            name: path in the artifact, of a prefix the directory to put its files
                in; if left out, the last part of the URL, and the root for a prefix.
            checksum: False notes the URL and nothing else, without looking there;
                any URL may then be kept.
            max_objects: how many files a prefix may have; one million if left out.
        Returns:
            What was added.
        Raises:
            InvalidInputError: `reference-invalid`, `source-missing`, `path-invalid`.
            LimitExceededError: `references-too-many`.
            StorageError, DamagedDataError: `reference-unreadable`.
        Cost: one request, or one for every 1,000 keys; local files are read.
        """
        from artstore.references.listing import look

        entries = look(uri, name, checksum=checksum, max_objects=max_objects)
        self._additions.extend(entries)
        return entries


def _check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    if len(metadata) > _METADATA_KEYS_MAX:
        raise InvalidInputError(
            f"metadata has {len(metadata)} names, at most {_METADATA_KEYS_MAX} are kept",
            code="value-invalid",
        )
    checked: dict[str, Any] = canonical.decode(
        canonical.encode(dict(metadata), what="metadata"), what="metadata"
    )
    return checked


def _missing(location: Path, what: str) -> InvalidInputError:
    if location.exists():
        other = "directory" if location.is_dir() else "file"
        hint = f"it is a {other}" if other != what else None
    else:
        hint = None
    return InvalidInputError(
        f"there is no {what} {os.fspath(location)!r}",
        code="source-missing",
        hint=hint,
        path=os.fspath(location),
    )

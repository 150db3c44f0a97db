"""
What `Artifact.add_reference` adds: one entry, or one for every file below a prefix.
"""

from __future__ import annotations

import os
from typing import Final

from artstore import names
from artstore.errors import ArtstoreError, InvalidInputError, LimitExceededError
from artstore.manifests.entry import Entry, reference_entry
from artstore.references.address import Address, parse_address
from artstore.references.opener import stamp_of
from artstore.references.stamp import ReferenceStamp

__all__ = ["OBJECTS_MAX", "look"]

OBJECTS_MAX: Final = 1_000_000
"""Entries of one prefix, unless the caller allows more: 700 MB of memory until it is logged."""


def look(url: str, name: str | None, *, checksum: bool, max_objects: int | None) -> list[Entry]:
    """
    The entries for a URL, by path.

    Raises:
        InvalidInputError: `reference-invalid`, `source-missing`, `path-invalid`.
        LimitExceededError: `references-too-many`.
        StorageError and others: `reference-unreadable`.
    """
    if not checksum:
        return [reference_entry(_path_of_note(url, name), url)]
    address = parse_address(url)
    path = name or address.name
    found = _single(address)
    if found is not None:
        return [found.entry(names.check_entry_path(path), url)]
    listing = _Listing(url, name, OBJECTS_MAX if max_objects is None else max_objects)
    listing.fill(address)
    return listing.sorted()


def _path_of_note(url: str, name: str | None) -> str:
    if name is not None:
        return names.check_entry_path(name)
    try:
        return names.check_entry_path(parse_address(url).name)
    except InvalidInputError as error:
        if error.code == "reference-invalid" and "://" in url:
            last = url.partition("://")[2].rstrip("/").rpartition("/")[2]
            return names.check_entry_path(last)
        raise


def _single(address: Address) -> ReferenceStamp | None:
    """What is known of the one file there; None where a directory or a prefix is meant."""
    if address.scheme == "file":
        if os.path.isdir(address.path):
            return None
        if not os.path.isfile(address.path):
            raise _source_missing(address, f"there is no file {address.path!r}")
    elif address.scheme not in ("http", "https"):
        if not address.path or address.path.endswith("/"):
            return None
        try:
            return stamp_of(address)
        except ArtstoreError as error:
            if not error.context.get("is_missing") or address.version_id is not None:
                raise
            return None
    return stamp_of(address)


class _Listing:
    """The entries below a prefix, as they are found."""

    def __init__(self, url: str, name: str | None, max_objects: int) -> None:
        self._url = url
        self._prefix = "" if name is None else names.check_entry_path(name.rstrip("/")) + "/"
        self._max = max_objects
        self._entries: list[Entry] = []

    def fill(self, address: Address) -> None:
        """Ask for all of them."""
        if address.scheme == "file":
            from artstore.references.localfile import list_files

            # Counted before the first is hashed.
            files: list[tuple[str, Address]] = []
            for path, file in list_files(address):
                self._check_count(len(files))
                files.append((path, file))
            for path, file in files:
                self.take(path, file.url, stamp_of(file))
        elif address.scheme == "s3":
            from artstore.references.s3 import list_keys

            list_keys(address, self.take)
        else:
            from artstore.references.remote import list_remote

            for path, url, stamp in list_remote(address):
                self.take(path, url, stamp)
        if not self._entries:
            raise _source_missing(address, "nothing lies there")

    def take(self, path: str, url: str, stamp: ReferenceStamp) -> None:
        """One more."""
        self._check_count(len(self._entries))
        self._entries.append(stamp.entry(names.check_entry_path(self._prefix + path), url))

    def sorted(self) -> list[Entry]:
        """All of them, by path."""
        return sorted(self._entries, key=lambda entry: entry.path)

    def _check_count(self, count: int) -> None:
        if count >= self._max:
            raise LimitExceededError(
                f"more than {self._max} files lie below {self._url}",
                code="references-too-many",
                hint="add parts of it, or allow more with max_objects",
                url=self._url,
                limit=self._max,
            )


def _source_missing(address: Address, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{address.url} cannot be added: {why}", code="source-missing", url=address.url
    )

"""
The digest of a file that stands on disk already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from artstore import limits
from artstore.digest import Hasher
from artstore.errors import ArtstoreError, StateError
from artstore.manifests.entry import FILE, Entry
from artstore.transfer.ingest import open_source, source_changed
from artstore.transfer.sources import entry_without_bytes
from artstore.transfer.walk import Found, look

__all__ = ["entry_of_found", "hash_found", "read_blocks"]


def hash_found(found: Found) -> bytes | None:
    """The digest of the bytes, or None when the file cannot be read or changes meanwhile."""
    try:
        descriptor = open_source(found)
    except ArtstoreError:
        return None
    try:
        before = os.fstat(descriptor)
        hasher = Hasher()
        for block in read_blocks(descriptor):
            hasher.update(block)
        return None if source_changed(before, os.fstat(descriptor)) else hasher.digest()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def entry_of_found(found: Found, digest: bytes | None = None) -> Entry:
    """
    What a file, symlink or empty directory on disk would be in a version.

    Args:
        digest: of the file, if it is known.
    Raises:
        InvalidInputError: `source-vanished`, `source-unreadable`.
        StateError: `source-changed`, it is being written to.
    Cost: a file of unknown digest is read.
    """
    if found.kind != FILE:
        return entry_without_bytes(found)
    digest = digest or hash_found(found)
    if digest is None:
        # What is gone, or may not be read, is told in its own words.
        look(found.location, found.path)
        raise StateError(
            f"{found.location} changes while it is read, or cannot be read",
            code="source-changed",
            hint="add it when nothing writes to it",
            path=found.location,
        )
    return Entry(found.path, FILE, found.size_bytes, digest, found.executable)


def read_blocks(descriptor: int) -> Iterator[bytes]:
    """The file's bytes from its start, in blocks of at most one read window."""
    offset = 0
    while block := os.pread(descriptor, limits.READ_WINDOW_BYTES, offset):
        offset += len(block)
        yield block

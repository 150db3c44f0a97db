"""
The digest of a file that stands on disk already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from artstore import limits
from artstore.digest import Hasher
from artstore.errors import ArtstoreError
from artstore.transfer.ingest import open_source, source_changed
from artstore.transfer.walk import Found

__all__ = ["hash_found", "read_blocks"]


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


def read_blocks(descriptor: int) -> Iterator[bytes]:
    """The file's bytes from its start, in blocks of at most one read window."""
    offset = 0
    while block := os.pread(descriptor, limits.READ_WINDOW_BYTES, offset):
        offset += len(block)
        yield block

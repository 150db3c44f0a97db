"""
Verify a directory: does it hold, byte for byte, what a version holds?
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from artstore.manifests.entry import DIRECTORY, REFERENCE, SYMLINK, TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.transfer.hashing import hash_found
from artstore.transfer.progress import ProgressMeter
from artstore.transfer.pull import merge_with_found
from artstore.transfer.walk import Found, walk

__all__ = ["verify_directory"]


def verify_directory(
    manifest: Manifest, root: Path, *, content_root: str, meter: ProgressMeter
) -> Iterator[tuple[str, str]]:
    """
    Yield (path, what is wrong) for every entry that is missing, different or too much.

    Every byte is read: neither the stat cache nor sizes are believed.

    Raises:
        InvalidInputError: `source-vanished` when `root` is no directory.
        DamagedDataError: the version's own list cannot be read.
    """
    found = walk(root, content_root=content_root)
    for entry, here in merge_with_found(manifest.entries(), found):
        if entry is None:
            assert here is not None
            yield here.path, "is not in the version"
            continue
        message = "is missing" if here is None else _difference(manifest, entry, here)
        if message is not None and not (entry.kind == REFERENCE and here is None):
            yield entry.path, message
        meter.add(1, entry.size_bytes)


def _difference(manifest: Manifest, entry: Entry, here: Found) -> str | None:
    wanted = {SYMLINK: "symlink", DIRECTORY: "directory"}.get(entry.kind, "file")
    if here.kind != wanted:
        return f"is a {here.kind}, not a {wanted}"
    if wanted == "directory":
        return None
    if wanted == "symlink":
        return None if here.target == entry.target else f"points to {here.target!r}"
    if entry.kind == REFERENCE:
        return None
    if entry.kind == TABLE:
        from artstore.tables.stored import written_difference

        return written_difference(manifest.packs, entry, here.location)
    if here.size_bytes != entry.size_bytes:
        return f"has {here.size_bytes} bytes, not {entry.size_bytes}"
    digest = hash_found(here)
    if digest is None:
        return "cannot be read, or changes while it is read"
    if digest != entry.digest:
        return f"has digest {digest.hex()}, not {entry.digest.hex()}"
    if here.executable != entry.executable:
        return "is executable" if here.executable else "is not executable"
    return None

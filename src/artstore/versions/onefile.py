"""
One entry of a version, written below a directory without a look at what else is there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from artstore.digest import Buffer, Hasher
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.manifests.entry import FILE, LINK, REFERENCE, SYMLINK, Entry
from artstore.references.opener import is_note
from artstore.transfer.hashing import hash_found
from artstore.transfer.references import fetch_reference
from artstore.transfer.target import TargetDirectory
from artstore.transfer.walk import look
from artstore.versions.version import LoggedVersion

__all__ = ["write_entry"]


def write_entry(version: LoggedVersion, entry: Entry, root: str | os.PathLike[str] | None) -> str:
    """
    Write one entry, if it does not stand there; returns where.

    Raises:
        InvalidInputError: `entry-not-file`, for a directory and for a URL that is not read.
        DamagedDataError, StateError, DeniedError: as a pull.
    """
    is_told_only = entry.kind == REFERENCE and is_note(entry)
    if entry.kind not in (FILE, LINK, SYMLINK, REFERENCE) or is_told_only:
        raise InvalidInputError(
            f"{entry.path!r} of {version.qualified_name} is a {entry.kind} without bytes",
            code="entry-not-file",
            path=entry.path,
        )
    place = version.place
    with TargetDirectory(version.default_root if root is None else Path(root)) as target:
        location = os.path.join(target.root, entry.path)
        if entry.kind == SYMLINK:
            target.make_symlink(entry.path, entry.target)
        elif entry.kind == REFERENCE:
            fetch_reference(entry, place=place, target=target, warn=_ignored)
        elif not _stands_there(entry, location):
            target.write_file(entry.path, _verified(version, entry), executable=entry.executable)
    return location


def _stands_there(entry: Entry, location: str) -> bool:
    try:
        status = os.lstat(location)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size_bytes:
        return False
    found = look(location, entry.path)
    return found.executable == entry.executable and hash_found(found) == entry.digest


def _verified(version: LoggedVersion, entry: Entry) -> Iterator[Buffer]:
    hasher = Hasher()
    for data in version.place.packs.chunks(version.manifest().chunks(entry)):
        hasher.update(data)
        yield data
    if hasher.digest() != entry.digest:
        raise DamagedDataError(
            f"{entry.path} cannot be restored: its bytes have digest {hasher.digest().hex()}, "
            f"not {entry.digest.hex()}",
            code="content-damaged",
            path=entry.path,
            expected=entry.digest.hex(),
            found=hasher.digest().hex(),
        )


def _ignored(_message: str) -> None:
    pass

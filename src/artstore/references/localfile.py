"""
`file://`: a file of this machine, or of a disk that several machines mount.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from artstore import limits
from artstore.digest import Hasher
from artstore.references.address import Address
from artstore.references.failures import changed, denied, missing, unreadable
from artstore.references.stamp import OpenReference, ReferenceStamp

__all__ = ["FileStamp", "LocalReference", "list_files", "stamp_of_file"]

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: a hostile reference may name a pipe, which must not hang."""


class FileStamp(NamedTuple):
    """Size, times and inode of a file: what the stat cache goes by."""

    location: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class LocalReference(OpenReference):
    """
    An open file; its bytes are as the caller finds them, the digest is for him to compare.

    Raises:
        DamagedDataError: `reference-unreadable`, `reference-changed` when its size is another.
    """

    def __init__(self, address: Address, stamp: ReferenceStamp) -> None:
        self._url = address.url
        self._location = address.path
        try:
            self.descriptor = os.open(address.path, _FLAGS)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise missing(self._url, "there is no such file") from error
        except PermissionError as error:
            raise denied(self._url, error.strerror or str(error)) from error
        except OSError as error:
            raise unreadable(self._url, error.strerror or str(error)) from error
        try:
            self.status = os.fstat(self.descriptor)
            if not stat.S_ISREG(self.status.st_mode):
                # A device would never end.
                raise missing(self._url, "it is no regular file")
            stamp.check(ReferenceStamp(self.status.st_size), self._url)
        except BaseException:
            self.close()
            raise

    @property
    def stamp(self) -> FileStamp:
        """What tells this state of the file from another, now."""
        status = os.fstat(self.descriptor)
        return FileStamp(
            self._location, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
        )

    @property
    def size_bytes(self) -> int:
        """The size when it was opened."""
        return self.status.st_size

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """A range, whole."""
        pieces: list[bytes] = []
        missing_bytes = length_bytes
        while missing_bytes:
            try:
                piece = os.pread(self.descriptor, missing_bytes, offset_bytes)
            except OSError as error:
                raise unreadable(self._url, error.strerror or str(error)) from error
            if not piece:
                raise changed(self._url, f"size {self.size_bytes}", "an earlier end")
            pieces.append(piece)
            offset_bytes += len(piece)
            missing_bytes -= len(piece)
        return b"".join(pieces)

    def blocks(self) -> Iterator[bytes]:
        """All bytes, by read windows."""
        for offset in range(0, self.size_bytes, limits.READ_WINDOW_BYTES):
            length = min(limits.READ_WINDOW_BYTES, self.size_bytes - offset)
            yield self.read(offset, length)

    def close(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def stamp_of_file(address: Address) -> ReferenceStamp:
    """Size and digest. Raises as `LocalReference`. Cost: every byte is read."""
    opened = LocalReference(address, ReferenceStamp())
    try:
        hasher = Hasher()
        for block in opened.blocks():
            hasher.update(block)
        after = os.fstat(opened.descriptor)
        if (after.st_size, after.st_mtime_ns) != (opened.status.st_size, opened.status.st_mtime_ns):
            raise changed(address.url, "no change while it was read", "other size or time")
        return ReferenceStamp(opened.size_bytes, content_digest=hasher.digest())
    finally:
        opened.close()


def list_files(address: Address) -> Iterator[tuple[str, Address]]:
    """(relative path, address) of every regular file below a directory, in no order."""
    root = address.path

    def refuse(error: OSError) -> None:
        raise unreadable(address.url, error.strerror or str(error)) from error

    for directory, _, names in os.walk(root, onerror=refuse):
        for name in names:
            location = os.path.join(directory, name)
            try:
                status = os.stat(location)
            except OSError as error:
                # A link that leads nowhere is no file; all else is told.
                if error.errno in (errno.ENOENT, errno.ELOOP):
                    continue
                raise unreadable(address.url, error.strerror or str(error)) from error
            if stat.S_ISREG(status.st_mode):
                yield os.path.relpath(location, root), _address_of(location)


def _address_of(location: str) -> Address:
    from urllib.parse import quote

    return Address(f"file://{quote(os.fsencode(location))}", "file", "", location)

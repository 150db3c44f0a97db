"""
Members of tar files of strangers: only plain files, whole, with names that lead nowhere else.

The standard library takes a header that is cut off or damaged for the end of the archive.
Here it is an error.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.integrations.formats.failures import damaged, reading, refused_path
from artstore.names import check_entry_path

__all__ = ["MEMBER_MAX_BYTES", "MemberFile", "members"]

MEMBER_MAX_BYTES: Final = 1 << 30
"""Of one file in an archive, which is read whole."""

_EXTRA_MAX_BYTES: Final = 1 << 20
"""Of a long name or of other facts before a member; Python reads them whole."""
_END_MAX_BYTES: Final = 64 << 20
"""Of zeros at the end; tar fills up to 10 KiB, or to whatever a tape takes."""
_EXTRAS: Final = frozenset(
    (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )
)


class _Broken(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with a header."""


class _CheckedInfo(tarfile.TarInfo):
    """A header; one that is none is an error wherever it stands."""

    @classmethod
    def fromtarfile(cls, tarfile_: Any) -> Any:
        """Read the header at which the archive stands."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            # `EmptyHeaderError`: the file ends without the zeros that end an archive.
            raise _Broken(f"it is cut short or damaged ({error})") from error

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        """Read a header from its bytes."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTRAS and info.size > _EXTRA_MAX_BYTES:
            raise _Broken(f"the name of a member has {info.size:,} bytes")
        return info


class MemberFile:
    """
    One file of an archive; its bytes are there until the next one is asked for.

    Attributes:
        name: as it stands there, without `./` before it.
        place: names it in errors.
    """

    __slots__ = ("_archive", "_info", "name", "place")

    def __init__(self, archive: tarfile.TarFile, info: tarfile.TarInfo, path: str) -> None:
        self._archive = archive
        self._info = info
        self.name = info.name.removeprefix("./")
        self.place = f"{path}, member {info.name!r}"

    @property
    def size_bytes(self) -> int:
        """As the header tells."""
        return self._info.size

    def read(self) -> bytes:
        """
        All bytes.

        Raises:
            DamagedDataError: `exchange-file-damaged`: the archive ends before.
        """
        file = self._archive.extractfile(self._info)
        assert file is not None, "a plain file"
        data = file.read()
        if len(data) != self._info.size:
            raise damaged(self.place, f"it has {len(data):,} of {self._info.size:,} bytes")
        return data


def members(path: str) -> Iterator[MemberFile]:
    """
    Yield the files of an archive, compressed or not, in order; directories are passed over.

    Raises:
        DamagedDataError: `exchange-file-damaged`.
        InvalidInputError: `exchange-path-refused`: a link, a device, or a name that leads
            out of the archive.
        LimitExceededError: `limit-exceeded`.
    Cost: memory for one member.
    """
    with reading(path), open(path, "rb") as file:
        try:
            with tarfile.open(fileobj=file, mode="r:*", tarinfo=_CheckedInfo) as archive:
                while (info := archive.next()) is not None:
                    # It would keep every header that it has seen.
                    archive.members = []  # type: ignore[attr-defined]
                    if not info.isdir():
                        _check(info, path)
                        yield MemberFile(archive, info, path)
                _check_end(archive, path)
        except (_Broken, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise damaged(path, str(error)) from error


def _check_end(archive: Any, path: str) -> None:
    """
    Behind the last member there are zeros and nothing else.

    A compressed file is seen to be whole only when all of it was read, and an archive
    that was appended to another one would be passed over.
    """
    archive.fileobj.seek(archive.offset)
    left = _END_MAX_BYTES
    while block := archive.fileobj.read(min(left, 1 << 20)):
        left -= len(block)
        if block.count(0) != len(block) or not left:
            raise damaged(path, "something stands behind its end")


def _check(info: tarfile.TarInfo, path: str) -> None:
    place = f"{path}, a tar file,"
    if not info.isreg() or info.issparse():
        raise refused_path(info.name, place, "is a link or no plain file")
    try:
        check_entry_path(info.name.removeprefix("./"))
    except InvalidInputError as error:
        raise refused_path(info.name, place, "leads out of it, or is no path") from error
    if info.size > MEMBER_MAX_BYTES:
        raise LimitExceededError(
            f"{place} has a member {info.name!r} of {info.size:,} bytes, "
            f"and {MEMBER_MAX_BYTES:,} are read at most",
            code="limit-exceeded",
            limit=MEMBER_MAX_BYTES,
        )

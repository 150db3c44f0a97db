"""
The bytes of a media file, wherever they are: in memory, in a file, under a URL, in a store.

A media value names its content; whoever stores it decides what to do with it:
bytes and files are stored, a URL becomes a reference, what is in a store already
becomes a link.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from artstore import canonical
from artstore.digest import Hasher, digest_of
from artstore.errors import InvalidInputError, StateError

__all__ = [
    "BytesContent",
    "FileContent",
    "MediaContent",
    "MediaFile",
    "ReferenceContent",
    "StoredContent",
    "file_content",
    "is_url",
    "member_path",
]

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")
_READ_BYTES: Final = 1 << 20
_NAME_DIGITS: Final = 40
"""160 bits: nobody makes two files that want the same name, not even on purpose."""


class MediaContent(Protocol):
    """
    Bytes of one media file.

    Attributes:
        digest: of the bytes; of a reference, of its canonical description.
    """

    @property
    def digest(self) -> bytes:
        """32 bytes."""
        ...

    def open(self) -> BinaryIO:
        """The bytes as a stream that can seek; the caller closes it."""
        ...

    def read(self) -> bytes:
        """All bytes."""
        ...


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes in memory."""

    data: bytes
    digest: bytes

    @classmethod
    def of(cls, data: bytes) -> BytesContent:
        """`data` with its digest."""
        return cls(data, digest_of(data))

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def read(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class FileContent:
    """
    A file on this machine, with the digest it had when it was looked at.

    Attributes:
        path: absolute, since the working directory may change.
    """

    path: str
    digest: bytes
    size_bytes: int

    def open(self) -> BinaryIO:
        return _opened(self.path)

    def read(self) -> bytes:
        """
        All bytes.

        Raises:
            InvalidInputError: `media-file-changed` if they are not those of the
                digest, `media-file-missing`, `media-file-unreadable`.
        """
        with self.open() as file:
            data = _read(file, self.path)
        if digest_of(data) != self.digest:
            raise InvalidInputError(
                f"{self.path} was changed since a media value was made from it",
                code="media-file-changed",
                hint="make the value again, from the file as it is now",
                path=self.path,
            )
        return data


@dataclass(frozen=True, slots=True)
class ReferenceContent:
    """A URL. Nothing is fetched: what lies there is the business of references."""

    url: str

    @property
    def digest(self) -> bytes:
        # As a reference entry of which only the URL is known.
        return digest_of(canonical.encode({"url": self.url}, what=f"reference {self.url}"))

    def open(self) -> BinaryIO:
        raise StateError(
            f"{self.url} is a reference: its bytes were not fetched",
            code="media-not-here",
            hint="log the artifact and read the entry, or download the file and pass its path",
            url=self.url,
        )

    def read(self) -> bytes:
        return self.open().read()


@dataclass(frozen=True, slots=True)
class StoredContent:
    """
    An entry of a logged artifact, read when it is asked for.

    Attributes:
        fetch: gives all bytes, verified; called each time.
        origin: what the layer that reads artifacts needs to make a link to this
            entry; this room only hands it on.
    """

    digest: bytes
    fetch: Callable[[], bytes]
    origin: Any = None

    def open(self) -> BinaryIO:
        return io.BytesIO(self.fetch())

    def read(self) -> bytes:
        return self.fetch()


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One file that a media value brings: where it lies in the artifact, and its bytes."""

    path: str
    content: MediaContent


def member_path(folder: str, digest: bytes, ending: str) -> str:
    """
    Where a media file lies in an artifact: `media/<folder>/<digest>.<ending>`.

    Named by content, so the same value has the same path whoever adds it.
    """
    return f"media/{folder}/{digest.hex()[:_NAME_DIGITS]}.{ending}"


def is_url(value: object) -> bool:
    """Whether this is text that starts like a URL; a drive letter does not."""
    return isinstance(value, str) and _URL.match(value) is not None


def file_content(path: str | os.PathLike[str]) -> FileContent:
    """
    Look at a file on this machine.

    Raises:
        InvalidInputError: `media-file-missing`, `media-file-unreadable`.
    Cost: reads the file once, 1 MiB at a time.
    """
    place = os.path.abspath(path)
    hasher = Hasher()
    size_bytes = 0
    with _opened(place) as file:
        while block := _read(file, place, _READ_BYTES):
            hasher.update(block)
            size_bytes += len(block)
    return FileContent(place, hasher.digest(), size_bytes)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        # ValueError: a NUL character, which no path has.
        raise InvalidInputError(
            f"there is no file {path!r}",
            code="media-file-missing",
            hint="give the path of a file, or the URL of one elsewhere",
            path=path,
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(file: BinaryIO, path: str, size_bytes: int = -1) -> bytes:
    try:
        return file.read(size_bytes)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(
        f"{path} cannot be read: {error.strerror or error}",
        code="media-file-unreadable",
        path=path,
    )

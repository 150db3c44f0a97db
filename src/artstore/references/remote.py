"""
`gs://`, `az://`, `abfs://`, `hf://`: whatever fsspec opens there, with what its file system tells.

These do not say in an answer which state of a file it is from, so the state is
looked at before reading and again after it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final

from artstore import forks, limits
from artstore.errors import ArtstoreError
from artstore.references.address import Address
from artstore.references.failures import changed, denied, missing, unavailable, unreadable
from artstore.references.stamp import OpenReference, ReferenceStamp

__all__ = ["RemoteReference", "list_remote", "stamp_of_remote"]

PACKAGES: Final = {
    "gs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "hf": "huggingface_hub",
}
"""What opens these schemes; not installed with artstore."""


class RemoteReference(OpenReference):
    """What lies under a URL of fsspec. Args as `s3.KeyReference`."""

    def __init__(self, address: Address, stamp: ReferenceStamp) -> None:
        self._address = address
        self._stamp = stamp
        self._size = stamp.size_bytes

    @property
    def size_bytes(self) -> int:
        """As known, or as the other side says."""
        if self._size is None:
            self._size = self._look()
        return self._size

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """A range, whole."""
        address = self._address
        try:
            data: bytes = _file_system(address).cat_file(
                _path(address), start=offset_bytes, end=offset_bytes + length_bytes
            )
        except Exception as error:
            raise _translated(error, address.url) from error
        self._look()
        if len(data) != length_bytes:
            raise changed(address.url, f"{length_bytes} bytes", f"{len(data)} bytes")
        return data

    def blocks(self) -> Iterator[bytes]:
        """All bytes, by read windows."""
        self._look()
        size = self.size_bytes
        for offset in range(0, size, limits.READ_WINDOW_BYTES):
            yield self.read(offset, min(limits.READ_WINDOW_BYTES, size - offset))

    def close(self) -> None:
        """Nothing is kept open."""

    def _look(self) -> int:
        found = stamp_of_remote(self._address)
        self._stamp.check(found, self._address.url)
        assert found.size_bytes is not None
        return found.size_bytes


def stamp_of_remote(address: Address) -> ReferenceStamp:
    """Size, etag and version, as far as they are told. Raises as `RemoteReference`."""
    try:
        info = _file_system(address).info(_path(address), refresh=True)
    except Exception as error:
        raise _translated(error, address.url) from error
    if info.get("type") == "directory" or info.get("size") is None:
        raise missing(address.url, "it is a directory")
    return _stamp_of(info)


def list_remote(address: Address) -> Iterator[tuple[str, str, ReferenceStamp]]:
    """(path below the prefix, URL, what is known) of everything below a prefix."""
    system = _file_system(address)
    root = _path(address).rstrip("/") + "/"
    try:
        found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    except Exception as error:
        raise _translated(error, address.url) from error
    for path, info in found.items():
        below = path.removeprefix(system._strip_protocol(root).rstrip("/") + "/")  # noqa: SLF001
        yield below, f"{address.scheme}://{root.partition('://')[2]}{below}", _stamp_of(info)


def _stamp_of(info: dict[str, Any]) -> ReferenceStamp:
    # Git keeps files by their content: the id of the blob is as good as an etag.
    etag = info.get("etag") or info.get("ETag") or info.get("blob_id")
    version_id = info.get("generation") or info.get("version_id")
    return ReferenceStamp(
        size_bytes=int(info["size"]),
        etag=None if etag is None else str(etag),
        version_id=None if version_id is None else str(version_id),
    )


def _path(address: Address) -> str:
    return f"{address.scheme}://{address.host}/{address.path}"


def _translated(error: Exception, url: str) -> Exception:
    if isinstance(error, ArtstoreError):
        return error
    text = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return missing(url)
    if isinstance(error, PermissionError) or "redential" in type(error).__name__ + text:
        return denied(url, text)
    if isinstance(error, (TimeoutError, ConnectionError)):
        return unavailable(url, text)
    return unreadable(url, text)


def _file_system(address: Address) -> Any:
    try:
        return _file_system_of(address.scheme, forks.generation())
    except ImportError as error:
        package = PACKAGES[address.scheme]
        raise unreadable(
            address.url,
            f"{address.scheme}:// needs the package {package}, which is not installed",
            f"pip install {package}",
        ) from error


@functools.lru_cache(maxsize=4)
def _file_system_of(scheme: str, generation: int) -> Any:
    # Connections are of one process: made anew after a fork.
    del generation
    import fsspec

    return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)

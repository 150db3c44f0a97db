"""
`s3://`: keys of a bucket, with the credentials of whoever reads.

Every answer carries the etag of the bytes in it: it is compared there, not in
an earlier look. Where the version of a key is known, that version is asked for.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

from artstore import forks, limits
from artstore.errors import ArtstoreError
from artstore.references.address import Address
from artstore.references.failures import changed, denied, missing, unavailable, unreadable
from artstore.references.stamp import OpenReference, ReferenceStamp

__all__ = ["KeyReference", "list_keys", "stamp_of_key"]

_Answer = TypeVar("_Answer")
_UNVERSIONED: Final = (None, "", "null")
_NO_CREDENTIALS: Final = frozenset(("NoCredentialsError", "PartialCredentialsError"))
_UNREACHABLE: Final = frozenset(
    (
        "ClientConnectionError",
        "ClientConnectorError",
        "ClientPayloadError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "HTTPClientError",
        "IncompleteRead",
        "ReadTimeoutError",
        "ResponseStreamingError",
        "ServerDisconnectedError",
    )
)


class KeyReference(OpenReference):
    """
    What lies under a key. Nothing is asked before the first read.

    Args:
        stamp: what is known; a size that is not is asked for.
    """

    def __init__(self, address: Address, stamp: ReferenceStamp) -> None:
        self._address = address
        self._stamp = stamp
        self._size = stamp.size_bytes

    @property
    def size_bytes(self) -> int:
        """As known, or as the bucket says."""
        if self._size is None:
            found = stamp_of_key(self._address, version_id=self._stamp.version_id)
            self._stamp.check(found, self._address.url)
            assert found.size_bytes is not None
            self._size = found.size_bytes
        return self._size

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """A range, whole, from one request."""
        address = self._address
        stop = offset_bytes + length_bytes
        request: dict[str, Any] = {"Bucket": address.host, "Key": address.path}
        if length_bytes:
            request["Range"] = f"bytes={offset_bytes}-{stop - 1}"
        version_id = self._stamp.version_id or address.version_id
        if version_id is not None:
            request["VersionId"] = version_id
        elif self._stamp.etag is not None:
            request["IfMatch"] = self._stamp.etag

        async def get(system: Any) -> tuple[dict[str, Any], bytes]:
            answer = await system._call_s3("get_object", **request)  # noqa: SLF001 - see _on_loop
            pieces: list[bytes] = []
            # One byte more than was asked for is enough to tell that below.
            left = length_bytes + 1
            async with answer["Body"] as body:
                while left and (piece := await body.read(left)):
                    pieces.append(piece)
                    left -= len(piece)
            return answer, b"".join(pieces)

        answer, data = _on_loop(address, get)
        whole = str(answer.get("ContentRange") or f"/{len(data)}").rpartition("/")[2]
        found = ReferenceStamp(
            size_bytes=int(whole) if whole.isdigit() else None,
            etag=answer.get("ETag"),
            version_id=_version_of(answer),
        )
        self._stamp.check(found, address.url)
        if len(data) != length_bytes:
            raise changed(address.url, f"{length_bytes} bytes", f"{len(data)} bytes")
        return data

    def blocks(self) -> Iterator[bytes]:
        """All bytes, by read windows."""
        size = self.size_bytes
        # An empty file is asked for too: it must still be there, and still be empty.
        for offset in range(0, max(1, size), limits.READ_WINDOW_BYTES):
            yield self.read(offset, min(limits.READ_WINDOW_BYTES, size - offset))

    def close(self) -> None:
        """Connections belong to the process and stay open for the next reference."""


def stamp_of_key(address: Address, *, version_id: str | None = None) -> ReferenceStamp:
    """Size, etag and version of a key. Raises as `KeyReference`. Cost: one request."""
    request: dict[str, Any] = {"Bucket": address.host, "Key": address.path}
    version_id = version_id or address.version_id
    if version_id is not None:
        request["VersionId"] = version_id

    async def head(system: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await system._call_s3("head_object", **request)  # noqa: SLF001
        return answer

    answer = _on_loop(address, head)
    return ReferenceStamp(
        size_bytes=int(answer["ContentLength"]),
        etag=answer.get("ETag"),
        version_id=_version_of(answer),
    )


def list_keys(address: Address, take: Callable[[str, str, ReferenceStamp], None]) -> None:
    """
    Give every key below a prefix to `take`: path below the prefix, URL, what is known of it.

    Cost: one request per 1,000 keys (in a bucket with versions, of versions).
    """
    prefix = address.path.rstrip("/") + "/" if address.path else ""

    async def list_all(system: Any) -> None:
        try:
            versioned = await system._is_bucket_versioned(address.host)  # noqa: SLF001
        except (OSError, ValueError):
            # Who may list need not be allowed to ask this.
            versioned = False
        method, part = (
            ("list_object_versions", "Versions") if versioned else ("list_objects_v2", "Contents")
        )
        pages = system._list_pages(method, Bucket=address.host, Prefix=prefix)  # noqa: SLF001
        async for page in pages:
            for info in page.get(part, []):
                key: str = info["Key"]
                # Consoles make empty keys with a slash at the end to show directories.
                if key.endswith("/") or (versioned and not info.get("IsLatest")):
                    continue
                stamp = ReferenceStamp(
                    size_bytes=int(info["Size"]),
                    etag=info.get("ETag"),
                    version_id=_version_of(info),
                )
                take(key[len(prefix) :], f"s3://{address.host}/{key}", stamp)

    _on_loop(address, list_all)


def _version_of(answer: dict[str, Any]) -> str | None:
    version_id = answer.get("VersionId")
    return None if version_id in _UNVERSIONED else version_id


def _on_loop(address: Address, call: Callable[[Any], Coroutine[Any, Any, _Answer]]) -> _Answer:
    """
    Run `call` where s3fs runs; of its methods those that answer with etags have an underscore.

    Without credentials a public bucket is still read.
    """
    from fsspec.asyn import sync

    system = _file_system(anon=False)
    try:
        try:
            return sync(system.loop, call, system)  # type: ignore[no-any-return]
        except Exception as error:
            if type(error).__name__ not in _NO_CREDENTIALS:
                raise
        system = _file_system(anon=True)
        try:
            return sync(system.loop, call, system)  # type: ignore[no-any-return]
        except PermissionError as error:
            raise denied(
                address.url,
                "there are no credentials, and it is not public",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            ) from error
    except Exception as error:
        raise _translated(error, address.url) from error


def _translated(error: Exception, url: str) -> Exception:
    if isinstance(error, ArtstoreError):
        return error
    text = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return missing(url, "there is no such key")
    if isinstance(error, PermissionError):
        return denied(url, text)
    if isinstance(error, OSError) and ("pre-condition" in text or "PreconditionFailed" in text):
        return changed(url, "the etag that was noted", "another one")
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, (TimeoutError, ConnectionError)) or names & _UNREACHABLE:
        return unavailable(url, text)
    return unreadable(url, text)


def _file_system(*, anon: bool) -> Any:
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    return _file_system_of(anon, environment, forks.generation())


@functools.lru_cache(maxsize=4)
def _file_system_of(
    anon: bool,  # noqa: FBT001 - a key of the cache
    environment: tuple[tuple[str, str], ...],
    generation: int,
) -> Any:
    # Keyed by what decides where it connects to, and made anew after a fork.
    del environment, generation
    import fsspec

    return fsspec.filesystem("s3", anon=anon, use_listings_cache=False, skip_instance_cache=True)

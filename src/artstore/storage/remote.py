"""
A store in a bucket through fsspec's s3fs, for processes where obstore does not work.

Slower than `storage/cloud.py` (docs/adr/0007 has the numbers), but a client that is
opened after a fork works, whatever the parent did. The requests are the same: one
`PUT` with `If-None-Match: *` for a value, with the SHA-256 of its body in the
signature; ranges; listings that start after a key.

Other file systems of fsspec are refused: none has a `create` that the other side
decides; they look first and write then, so that two writers could take one key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiobotocore.httpsession import AIOHTTPSession  # type: ignore[import-untyped]
from fsspec.asyn import sync
from s3fs import S3FileSystem  # type: ignore[import-untyped]

from artstore import clock, forks, names
from artstore._version import __version__
from artstore.errors import ArtstoreError, StorageError
from artstore.storage.address import BucketAddress
from artstore.storage.answers import (
    Answer,
    Silence,
    silence_error,
    unsuitable_error,
)
from artstore.storage.bucketstorage import BucketStorage
from artstore.storage.credentials import Access, find_access
from artstore.storage.overlapping import RequestOptions
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.storage.ranges import HttpRange, NoRangeError
from artstore.storage.values import (
    buffers_of,
    check_new_key,
)

__all__ = ["RemoteStorage"]

_SUPPORTED: Final = frozenset({"s3", "fsspec+s3"})
_SILENCES: Final = {
    "ConnectTimeoutError": "timeout",
    "ReadTimeoutError": "timeout",
    "FSTimeoutError": "timeout",
    "TimeoutError": "timeout",
    "SSLError": "tls",
    "EndpointConnectionError": "connect",
    "ProxyConnectionError": "connect",
    "ConnectionClosedError": "cut",
    "ResponseStreamingError": "cut",
    "IncompleteReadError": "cut",
    "ClientPayloadError": "cut",
    "ServerDisconnectedError": "cut",
    "ClientOSError": "cut",
    "ConnectionResetError": "cut",
}
"""What the libraries below s3fs call it when there is no answer."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The file system of s3fs, how it was reached, and when its keys have to be asked for again."""

    files: S3FileSystem
    access: Access
    expires: datetime | None


class RemoteStorage(BucketStorage):
    """
    Values as objects of an S3 bucket, by s3fs. Touches nothing until it is used.

    A storage of this kind is of the process that opened it: see `storage/forksafe.py`.

    Args:
        address: bucket and prefix; scheme `s3` or `fsspec+s3`.
        unguarded: as for `CloudStorage`.
    Raises:
        StorageError: `storage-unsuitable` for other schemes.
    """

    def __init__(
        self,
        address: BucketAddress,
        *,
        unguarded: bool = False,
        options: RequestOptions | None = None,
    ) -> None:
        if address.scheme not in _SUPPORTED:
            raise StorageError(
                f"{address.url} cannot hold a store: through fsspec only s3:// can refuse to "
                "replace a value",
                code="storage-unsuitable",
                hint="in a forked child of a process with a gs:// or az:// store, start the "
                "child with multiprocessing's spawn method instead",
            )
        super().__init__(address, unguarded=unguarded, options=options)
        self._opened: _Opened | None = None

    # --- reading ------------------------------------------------------------------

    def _get(self, key: str, span: Span | None, asked: HttpRange | None) -> tuple[memoryview, int]:
        """Bytes of one request, and the size of the whole value."""
        files = self._open().files
        extra = {} if asked is None else {"Range": str(asked)}

        async def get() -> tuple[bytes, Any]:
            answer = await files._call_s3(  # noqa: SLF001 - there is no public way to ask for a suffix
                "get_object", Bucket=self._address.bucket, Key=self._address.path(key), **extra
            )
            body = answer["Body"]
            try:
                return await body.read(), answer
            finally:
                body.close()

        with self._translated("read", key, span):
            data, answer = sync(files.loop, get)
        size = int(answer["ContentLength"])
        if len(data) != size:
            raise silence_error(
                Silence("cut", f"{len(data)} of {size} bytes"), self._asked("read", key)
            )
        if asked is not None:
            size = self._check_range(key, asked, answer.get("ContentRange", ""), len(data))
        return memoryview(data), size

    def _check_range(self, key: str, asked: HttpRange, told: str, length_bytes: int) -> int:
        """Check that the range that came is the one asked; the size of the whole value."""
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", told)
        if found is None:
            raise NoRangeError
        start, last, size = (int(number) for number in found.groups())
        if (start, last + 1) != asked.within(size) or length_bytes != last + 1 - start:
            raise unsuitable_error(
                self._asked("read", key), f"{told} came when {asked} was asked for"
            )
        return size

    def stat(self, key: str) -> KeyInfo:
        """Size and time of `key`. Raises NotFoundError `key-not-found`."""
        names.check_key(key)
        answer = self._call("read", key, "head_object", Key=self._address.path(key))
        return KeyInfo(key, int(answer["ContentLength"]), answer["LastModified"].timestamp())

    # --- creating -----------------------------------------------------------------

    def _put(self, key: str, value: Value) -> None:
        guard = {} if self._unguarded else {"IfNoneMatch": "*"}
        body = b"".join(buffers_of(value))
        self._call("create", key, "put_object", Key=self._address.path(key), Body=body, **guard)

    # --- listing and deleting -----------------------------------------------------

    def _listed(self, prefix: str, after: str) -> Iterator[tuple[str, int, datetime]]:
        start = {"StartAfter": self._address.path(after)} if after else {}
        for page in self._pages(prefix, **start):
            for entry in page.get("Contents", ()):
                yield entry["Key"], int(entry["Size"]), entry["LastModified"]

    def _listed_names(self, prefix: str) -> Iterator[str]:
        for page in self._pages(prefix, Delimiter="/"):
            yield from (entry["Prefix"] for entry in page.get("CommonPrefixes", ()))
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def _pages(self, prefix: str, **options: str) -> Iterator[dict[str, Any]]:
        while True:
            page = self._call(
                "list", prefix, "list_objects_v2", Prefix=self._address.path(prefix), **options
            )
            if "IsTruncated" not in page:
                # botocore takes anything for a listing, if only of nothing.
                raise silence_error(
                    Silence("unclear", "it is no listing"), self._asked("list", prefix)
                )
            yield page
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys, one by one; absent ones are no error."""
        for key in [check_new_key(key) for key in keys]:
            self._call("delete", key, "delete_object", Key=self._address.path(key))

    # --- the client ---------------------------------------------------------------

    def _call(self, doing: str, key: str, method: str, **arguments: Any) -> dict[str, Any]:
        files = self._open().files
        with self._translated(doing, key):
            answer: dict[str, Any] = files.call_s3(method, Bucket=self._address.bucket, **arguments)
        return answer

    def _open(self) -> _Opened:
        with self._lock:
            opened = self._opened
            if opened is not None and opened.expires is not None:
                now = datetime.fromtimestamp(clock.now_seconds(), UTC)
                opened = opened if now < opened.expires else None
            if opened is None:
                opened = self._opened = _open_files(self._address.bucket, self._options)
            return opened

    def _reached_at(self) -> tuple[str, str]:
        access = self._opened.access if self._opened else None
        return (access.endpoint, access.region) if access else ("", "")

    @contextmanager
    def _translated(self, doing: str, key: str, span: Span | None = None) -> Iterator[None]:
        """Let nothing of s3fs and what is below it out: its errors become ours."""
        try:
            yield
            self._was_reached = True
        except ArtstoreError:
            raise
        except Exception as error:
            asked = self._asked(doing, key)
            answer = _answer_in(error)
            if answer is None:
                raise silence_error(_silence_in(error), asked) from error
            raise self._error_of(answer, asked, key, span) from error


def _open_files(bucket: str, options: RequestOptions) -> _Opened:
    access = find_access(bucket)
    keys = access.keys() if access.keys else None
    style = "virtual" if access.is_virtual_hosted else "path"
    files = S3FileSystem(
        anon=keys is None,
        key=keys.access_key_id if keys else None,
        secret=keys.secret_access_key if keys else None,
        token=keys.token if keys else None,
        endpoint_url=access.endpoint,
        client_kwargs={
            "region_name": access.region,
            **({"verify": access.ca_bundle} if access.ca_bundle else {}),
        },
        config_kwargs={
            "connect_timeout": options.connect_seconds,
            "read_timeout": options.read_seconds,
            "max_pool_connections": options.parallel_count,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "http_session_cls": _AsksOnce,
            "user_agent_extra": f"artstore/{__version__}",
            # The SHA-256 of the body is in the signature, which every server checks; further
            # checksums are refused by some.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "s3": {"addressing_style": style, "payload_signing_enabled": True},
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    files.retries = 1
    # botocore imports what the service needs, in the thread of fsspec.
    with forks.held_off():
        client = sync(files.loop, files.set_session)
    client.meta.events.register_last("before-parameter-build.s3", _follow_no_redirect)
    return _Opened(files, access, keys.expires if keys else None)


class _AsksOnce(AIOHTTPSession):  # type: ignore[misc]
    """
    The HTTP of aiobotocore without the second attempt of aiohttp.

    aiohttp sends a PUT again when the connection breaks before the answer. The
    answer to the second one would be "exists", of a value that the first one made.
    """

    async def _get_session(self, proxy_url: Any) -> Any:
        session = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        return session


def _follow_no_redirect(context: dict[str, Any], **_: Any) -> None:
    """
    Leave a wrong region to the person, as obstore does.

    botocore would ask where the bucket is, by requests that are redirected too,
    until Python's stack is full.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True


def _answer_in(error: BaseException) -> Answer | None:
    """The answer of the server, which s3fs keeps behind an error of Python."""
    for found in _chain(error):
        response = getattr(found, "response", None)
        if isinstance(response, dict) and "Error" in response:
            said = response["Error"]
            status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            code = str(said.get("Code", ""))
            return Answer(
                status,
                "" if code.isdigit() else code,  # an answer to HEAD has no body
                str(said.get("Message", "")),
                str(said.get("Region", "")),
            )
    return None


def _silence_in(error: BaseException) -> Silence:
    for found in _chain(error):
        if kind := _SILENCES.get(type(found).__name__):
            text = str(found)
            if kind == "connect" and "name" in text.lower() and "resolution" in text.lower():
                kind = "name"
            return Silence(kind, text if kind == "tls" else "")
    return Silence("unclear", f"{type(error).__name__}: {error}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__

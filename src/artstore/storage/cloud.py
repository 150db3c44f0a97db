"""
A store in a bucket: S3 and what speaks like it, through obstore.

A value is one object and one request: `PUT` with `If-None-Match: *`, which makes
it unless the key is taken (PROTOCOL). Never a multipart upload: Ceph decides that
condition on `PutObject` only, and packs are small enough. Each request carries the
SHA-256 of its body in its signature, which the server compares with what arrived.

Nothing here is tried again: `storage/retry.py` does that, knowing what a lost
answer means.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from artstore import limits, names
from artstore._version import __version__
from artstore.errors import ArtstoreError, InvalidInputError, StorageError
from artstore.storage.address import BucketAddress
from artstore.storage.answers import (
    Answer,
    Asked,
    Silence,
    answer_of_body,
    shown,
    silence_error,
    unsuitable_error,
)
from artstore.storage.bucketstorage import BucketStorage
from artstore.storage.credentials import find_access
from artstore.storage.overlapping import RequestOptions
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.storage.ranges import HttpRange, NoRangeError
from artstore.storage.values import buffers_of, check_new_key, size_of

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, ObjectStore, S3Config

__all__ = ["CloudStorage"]

_LARGE_BYTES: Final = 1 * limits.MIB
"""A value of this size is sent through the client that waits long for the answer."""
_PAGE_COUNT: Final = 1000
_DELETE_COUNT: Final = 1000


@dataclass(frozen=True, slots=True)
class _Client:
    """
    The bucket, opened: for quick requests, and for those with a large body.

    Attributes:
        refusals: why the keys could not be renewed, if they could not: within obstore
            the error becomes text. obstore holds what gives it the keys, and Python
            cannot see that it does: had that a way back to the storage, neither would
            ever be freed.
    """

    quick: ObjectStore
    patient: ObjectStore
    endpoint: str = ""
    region: str = ""
    refusals: deque[ArtstoreError] = field(default_factory=lambda: deque(maxlen=1))


class CloudStorage(BucketStorage):
    """
    Values as objects of a bucket. Touches nothing until it is used.

    Not for use after a fork: see `storage/opener.py`.

    Args:
        address: bucket and prefix; scheme `s3`, `gs` or `az`.
        unguarded: for an endpoint that ignores `If-None-Match`: a `create` looks first
            and then puts without a condition. Right for one writer at a time only.
    """

    def __init__(
        self,
        address: BucketAddress,
        *,
        unguarded: bool = False,
        options: RequestOptions | None = None,
    ) -> None:
        super().__init__(address, unguarded=unguarded, options=options)
        self._opened: _Client | None = None

    # --- reading ------------------------------------------------------------------

    def _get(self, key: str, span: Span | None, asked: HttpRange | None) -> tuple[memoryview, int]:
        """Bytes of one request, and the size of the whole value."""
        client = self._client()
        with self._translated("read", key, span):
            result = obstore.get(client.quick, self._address.path(key), options=_options_of(asked))
            size = int(result.meta["size"])
            start, end = result.range
            data = memoryview(result.bytes())
        if len(data) != end - start or (asked is None and len(data) != size):
            raise silence_error(
                Silence("cut", f"{len(data)} of {end - start} bytes"), self._asked("read", key)
            )
        return data, size

    def stat(self, key: str) -> KeyInfo:
        """Size and time of `key`. Raises NotFoundError `key-not-found`."""
        names.check_key(key)
        client = self._client()
        with self._translated("read", key):
            meta = obstore.head(client.quick, self._address.path(key))
        return KeyInfo(key, int(meta["size"]), meta["last_modified"].timestamp())

    # --- creating -----------------------------------------------------------------

    def _put(self, key: str, value: Value) -> None:
        client = self._client()
        # Each part goes to the socket from where it lies.
        parts = [memoryview(part).cast("B") for part in buffers_of(value)]
        with self._translated("create", key):
            obstore.put(
                client.patient if size_of(value) >= _LARGE_BYTES else client.quick,
                self._address.path(key),
                iter(parts) if len(parts) > 1 else (parts[0] if parts else b""),
                mode="overwrite" if self._unguarded else "create",
                use_multipart=False,
            )

    # --- listing and deleting -----------------------------------------------------

    def _listed(self, prefix: str, after: str) -> Iterator[tuple[str, int, datetime]]:
        client = self._client()
        # obstore lists directories: the rest of the prefix is where to start.
        directory = prefix[: prefix.rfind("/") + 1]
        start = max(_just_before(prefix) if prefix != directory else "", _startable(after))
        with self._translated("list", prefix):
            pages = obstore.list(
                client.quick,
                self._address.path(directory).rstrip("/") or None,
                offset=self._address.path(start) if start else None,
                chunk_size=_PAGE_COUNT,
            )
            for page in pages:
                for meta in page:
                    yield meta["path"], int(meta["size"]), meta["last_modified"]

    def _listed_names(self, prefix: str) -> list[str]:
        client = self._client()
        with self._translated("list", prefix):
            found = obstore.list_with_delimiter(
                client.quick, self._address.path(prefix).rstrip("/") or None
            )
            return [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys, up to 1,000 a request; absent ones are no error."""
        # An endpoint may count a key that is named twice as an error.
        keys = list(dict.fromkeys(check_new_key(key) for key in keys))
        client = self._client() if keys else None
        for start in range(0, len(keys), _DELETE_COUNT):
            part = keys[start : start + _DELETE_COUNT]
            assert client is not None
            with self._translated("delete", part[0]):
                self._delete_part(client, [self._address.path(key) for key in part])

    @staticmethod
    def _delete_part(client: _Client, paths: list[str]) -> None:
        try:
            obstore.delete(client.quick, paths)
        except FileNotFoundError:
            # Not of S3: where an absent key is an error it ends the request, and what came
            # behind it in the list may be there still.
            for path in paths:
                with suppress(FileNotFoundError):
                    obstore.delete(client.quick, path)

    # --- the client ---------------------------------------------------------------

    def _client(self) -> _Client:
        with self._lock:
            if self._opened is None:
                self._opened = _OPENERS[self._address.scheme](self._address, self._options)
            return self._opened

    def _reached_at(self) -> tuple[str, str]:
        client = self._opened
        return (client.endpoint, client.region) if client else ("", "")

    @contextmanager
    def _translated(self, doing: str, key: str, span: Span | None = None) -> Iterator[None]:
        """Let nothing of obstore out: its errors become ours."""
        try:
            yield
            self._was_reached = True
        except (BaseError, OSError, ValueError) as error:
            if isinstance(error, ArtstoreError):
                raise
            if self._opened is not None and self._opened.refusals:
                raise self._opened.refusals.pop() from error
            asked, text = self._asked(doing, key), str(error)
            answer = _answer_in(text)
            if answer is None and isinstance(error, FileNotFoundError):
                answer = Answer(404)
            if answer is None and "path segment" in text.lower():
                raise StorageError(
                    f"{asked}: a name lies there that is no key of a store ({shown(text)})",
                    code="storage-failed",
                    hint="keep other things out of the store's prefix",
                    key=key,
                ) from error
            if answer is None:
                raise _error_without_answer(text, asked) from error
            raise self._error_of(answer, asked, key, span) from error


# --- opening ----------------------------------------------------------------------


def _client_options(options: RequestOptions, *, send_large: bool) -> ClientConfig:
    settings: ClientConfig = {
        "connect_timeout": f"{options.connect_seconds * 1000:.0f}ms",
        # The whole request: an answer that keeps coming may take its time.
        "timeout": f"{options.send_seconds * 1000:.0f}ms",
        "user_agent": f"artstore/{__version__}",
    }
    if not send_large:
        # Also runs while a body is sent, when no answer can come.
        settings["read_timeout"] = f"{options.read_seconds * 1000:.0f}ms"
    return settings


def _open_s3(address: BucketAddress, options: RequestOptions) -> _Client:
    access = find_access(address.bucket)
    endpoint = access.endpoint
    if access.is_virtual_hosted:
        endpoint = endpoint.replace("://", f"://{address.bucket}.", 1)
    config: S3Config = {
        # Both: obstore reads the environment too, and the second one wins.
        "endpoint": endpoint,
        "aws_endpoint_url_s3": endpoint,
        "region": access.region,
        "virtual_hosted_style_request": access.is_virtual_hosted,
        "skip_signature": access.keys is None,
        "unsigned_payload": False,
        "conditional_put": "etag",
    }
    if access.keys is None:
        # Without a signature nothing else would tell the server what was sent.
        config["checksum_algorithm"] = "SHA256"
    provider, refusals = None, deque[ArtstoreError](maxlen=1)
    if (keys := access.keys) is not None:
        keys()  # what is wrong with them is told here

        def provider() -> Any:
            try:
                now = keys()
            except ArtstoreError as error:
                refusals.append(error)
                raise
            return {
                "access_key_id": now.access_key_id,
                "secret_access_key": now.secret_access_key,
                "token": now.token,
                "expires_at": now.expires,
            }

    def opened(*, send_large: bool) -> ObjectStore:
        client_options = _client_options(options, send_large=send_large)
        client_options["allow_http"] = access.endpoint.startswith("http://")
        if access.ca_bundle:
            client_options["root_certificate"] = _read_certificates(access.ca_bundle)
        return S3Store(
            address.bucket,
            config=config,
            client_options=client_options,
            retry_config={"max_retries": 0},
            credential_provider=provider,
        )

    return _Client(
        opened(send_large=False),
        opened(send_large=True),
        access.endpoint,
        access.region,
        refusals,
    )


def _open_gs(address: BucketAddress, options: RequestOptions) -> _Client:
    def opened(*, send_large: bool) -> ObjectStore:
        return GCSStore(
            address.bucket,
            client_options=_client_options(options, send_large=send_large),
            retry_config={"max_retries": 0},
        )

    return _Client(opened(send_large=False), opened(send_large=True))


def _open_az(address: BucketAddress, options: RequestOptions) -> _Client:
    def opened(*, send_large: bool) -> ObjectStore:
        return AzureStore(
            address.bucket,
            client_options=_client_options(options, send_large=send_large),
            retry_config={"max_retries": 0},
        )

    return _Client(opened(send_large=False), opened(send_large=True))


_OPENERS: Final = {"s3": _open_s3, "gs": _open_gs, "az": _open_az}


def _read_certificates(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidInputError(
            f"AWS_CA_BUNDLE is {path!r}, which cannot be read: {error.strerror}",
            code="settings-invalid",
            path=path,
        ) from error


def _options_of(asked: HttpRange | None) -> GetOptions | None:
    if asked is None:
        return None
    if asked.start < 0:
        return {"range": {"suffix": -asked.start}}
    return {"range": (asked.start, asked.end)}


def _just_before(prefix: str) -> str:
    """A text that sorts before all keys with `prefix` and after all that sort before it."""
    # No character of a key sorts after the tilde, and an empty part is no key.
    before = "." if prefix[-1] == "0" else chr(ord(prefix[-1]) - 1)
    return f"{prefix[:-1]}{before}~"


def _startable(after: str) -> str:
    """The start of `after` that a listing can begin behind; the rest is left out by us."""
    found = re.match(r"([a-z0-9_\-.!~]+/)*[a-z0-9_\-.!~]*", after)
    start = found[0].rstrip("/") if found else ""
    return "" if any(part in (".", "..") for part in start.split("/")) else start


# --- what obstore says ------------------------------------------------------------

_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})[^:]*: ?(.*)", re.DOTALL)
# As obstore shows its errors to programmers.
_WRONG_RANGE: Final = re.compile(
    r"source: (NotPartial|NoContentRange|ParseContentRange|InvalidContentRange|UnexpectedRange)\b"
)
_DELETE_FAILED: Final = re.compile(
    r"DeleteObjects request failed for key .*?: (.*) \(code: (\w+)\)"
)


def _answer_in(text: str) -> Answer | None:
    """The answer that an error of obstore carries in its text; None if there was none."""
    said = text.partition("\n\nDebug source:")[0]
    if found := _STATUS.search(said):
        return answer_of_body(int(found[1]), found[2])
    if found := _DELETE_FAILED.search(said):
        return Answer(403 if found[2] == "AccessDenied" else 200, found[2], found[1])
    if "redirect without LOCATION" in said:
        return Answer(301, "PermanentRedirect")
    return None


def _error_without_answer(text: str, asked: Asked) -> Exception:
    """The error for what obstore says itself."""
    said = text.partition("\n\nDebug source:")[0]
    found = _WRONG_RANGE.search(text)
    if found is None:
        return silence_error(_silence_in(text), asked)
    if found[1] == "NotPartial":
        return NoRangeError(said)
    return unsuitable_error(asked, f"another range came than was asked for ({shown(said)})")


def _silence_in(text: str) -> Silence:
    """Why there was no answer, by what obstore says and by what it says for programmers."""
    said, _, debug = text.partition("\n\nDebug source:")
    detail = said.rpartition(" - ")[2]
    lowered = debug.lower()
    if "dns error" in lowered or "failed to lookup address" in lowered:
        return Silence("name")
    if "certificate" in lowered or "invalidcontenttype" in lowered or "corruptmessage" in lowered:
        found = re.search(r"InvalidCertificate\(\s*(\w+)", debug)
        return Silence("tls", found[1] if found else "the other side speaks no TLS")
    if "kind: Timeout" in debug or "TimedOut" in debug:
        return Silence("timeout")
    if "kind: Connect" in debug or "connectionrefused" in lowered:
        return Silence("connect")
    if "body error" in said or "kind: Interrupted" in debug or "IncompleteMessage" in debug:
        return Silence("cut")
    return Silence("unclear", detail)

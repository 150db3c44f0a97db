"""
`http://` and `https://`: one file under a URL.

Each answer is compared with what is known: etag and length stand in the answer
itself, so nothing can change between looking and reading.
"""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from artstore import limits
from artstore._version import __version__
from artstore.errors import ArtstoreError
from artstore.references.address import Address, is_internal, is_trusted, parse_address
from artstore.references.failures import (
    changed,
    denied,
    missing,
    refused,
    unavailable,
    unreadable,
)
from artstore.references.stamp import OpenReference, ReferenceStamp

__all__ = ["WebReference", "stamp_of_page"]

_TIMEOUT_SECONDS: Final = 30.0
_REDIRECTS_MAX: Final = 5
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_BUSY: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_UNSIZED_MAX_BYTES: Final = 1 << 30
"""A server that tells no length might never end: a first look reads no more than this."""


class WebReference(OpenReference):
    """
    What lies under a URL. Nothing is asked before the first read.

    Args:
        address: of http or https.
        stamp: what is known; a size that is not is asked for.
    """

    def __init__(self, address: Address, stamp: ReferenceStamp) -> None:
        self._address = address
        self._stamp = stamp
        self._size = stamp.size_bytes

    @property
    def size_bytes(self) -> int:
        """As known, or as the server says."""
        if self._size is None:
            self._size = stamp_of_page(self._address).size_bytes
            if self._size is None:
                raise unreadable(self._address.url, "the server does not tell its size")
        return self._size

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """A range; a server that does not know ranges sends all, of which the part is kept."""
        if not length_bytes:
            return b""
        stop = offset_bytes + length_bytes
        with closing(self._get({"Range": f"bytes={offset_bytes}-{stop - 1}"})) as reply:
            self._check(reply)
            skip = offset_bytes if reply.status == http.client.OK else 0
            while skip:
                skipped = self._take(reply, min(skip, limits.READ_WINDOW_BYTES))
                skip -= len(skipped)
            return self._take(reply, length_bytes)

    def blocks(self) -> Iterator[bytes]:
        """All bytes, from one request."""
        with closing(self._get({})) as reply:
            found = self._check(reply)
            size = self._stamp.size_bytes if found is None else found
            left = _UNSIZED_MAX_BYTES if size is None else size
            while left:
                block = _read(reply, min(left, limits.READ_WINDOW_BYTES), self._address.url)
                if not block:
                    break
                left -= len(block)
                yield block
            if size is None:
                if not left:
                    raise unreadable(self._address.url, "it tells no size and does not end")
            elif left or _read(reply, 1, self._address.url):
                raise changed(self._address.url, f"size {size}", "another length")

    def close(self) -> None:
        """Nothing is kept open."""

    def _get(self, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        return _ask(self._address, "GET", {**_conditions(self._stamp), **headers})

    def _check(self, reply: http.client.HTTPResponse) -> int | None:
        """Refuse other bytes than those that are known; the size of the whole, if it is told."""
        found = _stamp_of(reply)
        self._stamp.check(found, self._address.url)
        return found.size_bytes

    def _take(self, reply: http.client.HTTPResponse, length: int) -> bytes:
        data = _read(reply, length, self._address.url)
        if len(data) != length:
            raise changed(self._address.url, f"size {self._size}", "an earlier end")
        return data


def stamp_of_page(address: Address) -> ReferenceStamp:
    """
    Size, and etag or time, as the server tells them. Raises as `WebReference`.

    Cost: one request; a second one where HEAD is not answered.
    """
    try:
        with closing(_ask(address, "HEAD", {})) as reply:
            return _stamp_of(reply)
    except ArtstoreError as error:
        if error.context.get("status") not in (400, 403, 405, 501):
            raise
    # Signed URLs and plain servers answer to GET alone.
    with closing(_ask(address, "GET", {"Range": "bytes=0-0"})) as reply:
        return _stamp_of(reply)


def _conditions(stamp: ReferenceStamp) -> dict[str, str]:
    # Only a strong etag may be asked for; a weak one is compared in the answer.
    if stamp.etag is not None and not stamp.etag.startswith("W/") and stamp.etag.isprintable():
        return {"If-Match": stamp.etag}
    return {}


def _stamp_of(reply: http.client.HTTPResponse) -> ReferenceStamp:
    etag = reply.headers.get("ETag")
    size: str | None = reply.headers.get("Content-Length")
    if reply.status == http.client.PARTIAL_CONTENT:
        size = (reply.headers.get("Content-Range") or "").rpartition("/")[2]
    return ReferenceStamp(
        size_bytes=int(size) if size is not None and size.isascii() and size.isdigit() else None,
        etag=etag,
        last_modified=None if etag else reply.headers.get("Last-Modified"),
    )


def _ask(address: Address, method: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    """The answer to a request, redirections followed; every hop passes the same gate."""
    hop = address
    for _ in range(_REDIRECTS_MAX + 1):
        reply = _send(address.url, hop, method, headers)
        if reply.status not in _REDIRECTS:
            break
        target = urllib.parse.urljoin(hop.url, reply.headers.get("Location", ""))
        reply.close()
        following = parse_address(urllib.parse.urldefrag(target).url)
        if following.scheme not in ("http", "https") or following.scheme < hop.scheme:
            raise unreadable(address.url, f"it redirects to {target}, which is not followed")
        hop = following
    else:
        raise unreadable(address.url, f"it redirects more than {_REDIRECTS_MAX} times")
    if reply.status in (http.client.OK, http.client.PARTIAL_CONTENT):
        return reply
    reply.close()
    raise _refusal(address.url, reply.status, reply.reason, headers)


def _refusal(url: str, status: int, reason: str, headers: Mapping[str, str]) -> ArtstoreError:
    why = f"the server answers {status} {reason}".rstrip()
    error: ArtstoreError
    if status == http.client.PRECONDITION_FAILED:
        return changed(url, f"etag {headers.get('If-Match')}", "another one")
    if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        return changed(url, "a longer file", "an earlier end")
    if status in (http.client.NOT_FOUND, http.client.GONE):
        return missing(url, why)
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        error = denied(url, why, "artstore sends no credentials to web servers")
    elif status in _BUSY:
        error = unavailable(url, why)
    else:
        error = unreadable(url, why)
    error.context["status"] = status
    return error


def _send(
    url: str, hop: Address, method: str, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        hop.url,
        method=method,
        headers={
            "User-Agent": f"artstore/{__version__}",
            # Compressed on the way, the length would be another one.
            "Accept-Encoding": "identity",
            **headers,
        },
    )
    try:
        reply: http.client.HTTPResponse = _opener(hop, url).open(request, timeout=_TIMEOUT_SECONDS)
    except ssl.SSLCertVerificationError as error:
        raise unreadable(url, f"its certificate is not trusted: {error.verify_message}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ArtstoreError):
            raise error.reason from error
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted: {error.reason.verify_message}"
            raise unreadable(url, why) from error
        raise unavailable(url, str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise unavailable(url, str(error) or type(error).__name__) from error
    except ArtstoreError:
        raise
    except ValueError as error:
        raise unreadable(url, str(error)) from error
    return reply


def _read(reply: http.client.HTTPResponse, length: int, url: str) -> bytes:
    try:
        return reply.read(length)
    except (OSError, http.client.HTTPException) as error:
        raise unavailable(url, str(error) or type(error).__name__) from error


# Connections: not into inner networks ---------------------------------------------------


def _opener(hop: Address, url: str) -> urllib.request.OpenerDirector:
    # Built by hand: nothing in it raises for a status, follows a redirection, or
    # opens ftp:, file: or data:.
    opener = urllib.request.OpenerDirector()
    proxies = urllib.request.getproxies()
    host = hop.host.rpartition(":")[0]
    is_proxied = hop.scheme in proxies and not urllib.request.proxy_bypass(host)
    trusted = is_trusted(hop)
    if is_proxied:
        opener.add_handler(urllib.request.ProxyHandler(proxies))
        if not trusted:
            # The proxy looks the name up; what we find for it is as good as it gets.
            _public_addresses(host, 0, url, must_resolve=False)
    connect = None if is_proxied or trusted else functools.partial(_connect_publicly, url)
    opener.add_handler(_WebHandler(connect))
    opener.add_handler(_SecureWebHandler(connect))
    return opener


class _WebHandler(urllib.request.HTTPHandler):
    def __init__(self, connect: Any) -> None:
        super().__init__()
        self._connect = connect

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_connection, self._connect), req)


class _SecureWebHandler(urllib.request.HTTPSHandler):
    def __init__(self, connect: Any) -> None:
        super().__init__()
        self._connect = connect

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_secure_connection, self._connect), req)


def _connection(connect: Any, host: str, **options: Any) -> http.client.HTTPConnection:
    return _guarded(http.client.HTTPConnection(host, **options), connect)


def _secure_connection(connect: Any, host: str, **options: Any) -> http.client.HTTPConnection:
    return _guarded(http.client.HTTPSConnection(host, **options), connect)


def _guarded(connection: http.client.HTTPConnection, connect: Any) -> http.client.HTTPConnection:
    if connect is not None:
        # The seam that http.client's own tests use; it connects for http and https alike.
        connection._create_connection = connect  # type: ignore[attr-defined]  # noqa: SLF001
    return connection


def _connect_publicly(
    url: str, place: tuple[str, int], timeout: float, source: Any = None
) -> socket.socket:
    """Connect to an address that was looked at: a second look-up could give another one."""
    host, port = place
    last: OSError | None = None
    for address in _public_addresses(host, port, url, must_resolve=True):
        try:
            return socket.create_connection((address, port), timeout, source)
        except OSError as error:
            last = error
    assert last is not None
    raise last


def _public_addresses(host: str, port: int, url: str, *, must_resolve: bool) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if must_resolve:
            raise
        return []
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    inner = [address for address in addresses if is_internal(address)]
    if inner:
        raise refused(
            url, f"{host} is {inner[0]}, an address of this machine or of a network that is inside"
        )
    return addresses

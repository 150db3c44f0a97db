"""
HTTP/1.1 messages as bytes, for a proxy that must not change what was signed.

Start line and headers travel as they came. Only the framing of a chunked body
is replaced, by its length, so that the body can be cut or changed at any byte.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Self

from artstore import limits

__all__ = ["BrokenMessageError", "HttpMessage", "UpstreamRequest", "read_answer", "read_request"]

_LINE_MAX_BYTES: Final = 64 * limits.KIB
_BODY_MAX_BYTES: Final = limits.PACK_MAX_BYTES + limits.MIB
_WAIT_SECONDS: Final = 60.0
_NO_BODY_STATUSES: Final = frozenset([204, 304])
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BrokenMessageError(ConnectionError):
    """The other side sent half a message, or none."""


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """
    A request or an answer, whole.

    `start` is its first line, `headers` the lines behind it, all without line ends.
    """

    start: bytes
    headers: tuple[bytes, ...]
    body: bytes = b""

    @property
    def method(self) -> str:
        """Of a request: `PUT`."""
        return self.start.split(b" ", 1)[0].decode("ascii", "replace")

    @property
    def target(self) -> str:
        """Of a request: path and query as they were sent."""
        parts = self.start.split(b" ")
        return parts[1].decode("latin-1") if len(parts) > 1 else ""

    @property
    def status(self) -> int:
        """Of an answer: 200."""
        try:
            return int(self.start.split(b" ")[1])
        except (IndexError, ValueError) as error:
            raise BrokenMessageError(f"no answer of HTTP: {self.start[:80]!r}") from error

    @property
    def head(self) -> bytes:
        """Everything before the body."""
        return b"\r\n".join((self.start, *self.headers, b"", b""))

    @property
    def is_last(self) -> bool:
        """Whether the sender closes the connection behind it."""
        said = (self.header(b"connection") or b"").lower()
        is_old = b"HTTP/1.0" in self.start and said != b"keep-alive"
        return said == b"close" or is_old

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, None if it is not there. `name` in lower case."""
        for line in self.headers:
            found, _, value = line.partition(b":")
            if found.strip().lower() == name:
                return value.strip()
        return None

    def without(self, *names: bytes) -> HttpMessage:
        """The same message without some headers."""
        kept = tuple(
            line for line in self.headers if line.partition(b":")[0].strip().lower() not in names
        )
        return replace(self, headers=kept)


def read_request(stream: BinaryIO, send: Callable[[bytes], None]) -> HttpMessage | None:
    """
    The next request of a connection, None at its end.

    Args:
        send: writes to the client, which may wait to be told to go on
            (`Expect: 100-continue`) before it sends the body.
    """
    head = _read_head(stream)
    if head is None:
        return None
    if (head.header(b"expect") or b"").lower() == b"100-continue":
        send(_CONTINUE)
        head = head.without(b"expect")
    return _with_body(head, stream, otherwise=0)


def read_answer(stream: BinaryIO, method: str) -> HttpMessage:
    """
    The answer to a request of `method`.

    Raises:
        BrokenMessageError: the server went away before its end.
    """
    while True:
        head = _read_head(stream)
        if head is None:
            raise BrokenMessageError("the server closed the connection")
        if head.status >= 200:
            break
    if method == "HEAD" or head.status in _NO_BODY_STATUSES:
        return head
    return _with_body(head, stream, otherwise=None)


def _read_head(stream: BinaryIO) -> HttpMessage | None:
    lines: list[bytes] = []
    while True:
        line = stream.readline(_LINE_MAX_BYTES)
        if not line and not lines:
            return None
        if not line.endswith(b"\n"):
            raise BrokenMessageError("the connection ended inside a head")
        line = line.rstrip(b"\r\n")
        if line:
            lines.append(line)
        elif lines:
            return HttpMessage(lines[0], tuple(lines[1:]))


def _with_body(head: HttpMessage, stream: BinaryIO, *, otherwise: int | None) -> HttpMessage:
    """Read the body; `otherwise` is its length if none is stated, None for up to the end."""
    if (head.header(b"transfer-encoding") or b"").lower() == b"chunked":
        body = _read_chunked(stream)
        framed = head.without(b"transfer-encoding", b"content-length")
    else:
        stated = head.header(b"content-length")
        if stated is not None:
            return replace(head, body=_read_exactly(stream, int(stated)))
        if otherwise is not None:
            return replace(head, body=_read_exactly(stream, otherwise))
        body, framed = stream.read(), head
    length = b"Content-Length: %d" % len(body)
    return replace(framed, headers=(*framed.headers, length), body=body)


def _read_chunked(stream: BinaryIO) -> bytes:
    parts: list[bytes] = []
    while size := int(stream.readline(_LINE_MAX_BYTES).split(b";")[0] or b"0", 16):
        parts.append(_read_exactly(stream, size))
        stream.readline(_LINE_MAX_BYTES)
    while stream.readline(_LINE_MAX_BYTES).strip():
        pass  # trailers: nobody here asked for one
    return b"".join(parts)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    if size > _BODY_MAX_BYTES:
        raise BrokenMessageError(f"a body of {size} bytes is more than any value of a store")
    data = stream.read(size)
    if len(data) < size:
        raise BrokenMessageError(f"{len(data)} bytes of {size} came")
    return data


class UpstreamRequest:
    """
    Sends requests to the server, one after the other, over one connection.

    Args:
        address: host and port.
        on_connected: told each socket, so that it can be shut from outside.
    """

    def __init__(
        self, address: tuple[str, int], on_connected: Callable[[socket.socket], None]
    ) -> None:
        self._address = address
        self._on_connected = on_connected
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._stream is not None:
            self._stream.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._stream = None

    def exchange(self, request: HttpMessage) -> HttpMessage:
        """
        Send a request and read its answer.

        It is sent once: what the server did with a request it did not answer is
        for the client to find out.
        """
        connection, stream = self._connected()
        try:
            connection.sendall(request.head)
            connection.sendall(request.body)
            answer = read_answer(stream, request.method)
        except (OSError, ValueError):
            self.close()
            raise
        if answer.is_last:
            self.close()
        # What the server says of its connection ends here: the client's is another.
        kept = answer.without(b"connection", b"keep-alive")
        return replace(kept, start=b"HTTP/1.1 " + answer.start.partition(b" ")[2])

    def send_part(self, data: bytes) -> None:
        """Send bytes that are no whole request, and go away."""
        connection, _ = self._connected()
        try:
            connection.sendall(data)
        finally:
            self.close()

    def _connected(self) -> tuple[socket.socket, BinaryIO]:
        if self._socket is not None and self._stream is not None:
            if not _is_closed(self._socket):
                return self._socket, self._stream
            self.close()
        connection = socket.create_connection(self._address, timeout=_WAIT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._stream = connection, connection.makefile("rb")
        self._on_connected(connection)
        return self._socket, self._stream


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server closed an idle connection, found without waiting."""
    try:
        connection.settimeout(0)
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        connection.settimeout(_WAIT_SECONDS)
        return False
    except OSError:
        return True
    # The end, or bytes that belong to no request: of no use either way.
    return True

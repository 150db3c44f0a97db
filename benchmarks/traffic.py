"""
What a tool sends to an S3 server: requests by method, and bytes.

A relay between the tool and the server that lets bytes through as they are and
reads the heads of requests on the way, so that no tool has to be believed about
itself. It costs time, so what is counted through it is not timed.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Relay", "RequestReader", "Traffic"]

LOOPBACK = "127.0.0.1"
READ_BYTES = 1 << 18
READ_METHODS = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    What went over the wire.

    `sent_bytes` are bodies of requests; `received_bytes` answers with their heads.
    """

    methods: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    received_bytes: int = 0

    @property
    def request_count(self) -> int:
        return self.methods.total()

    @property
    def write_count(self) -> int:
        """Requests that may change something: all but GET and HEAD."""
        return sum(n for method, n in self.methods.items() if method not in READ_METHODS)


class RequestReader:
    """
    Follows the bytes a client sends over one connection: heads, lengths, bodies.

    `methods` and `body_bytes` grow as bytes are fed; pieces may end anywhere.
    """

    def __init__(self) -> None:
        self.methods: Counter[str] = Counter()
        self.body_bytes = 0
        self._head = bytearray()
        self._body_left = 0
        # Chunked bodies: None outside of one, else the line that is being read.
        self._chunk_line: bytearray | None = None
        self._is_trailing = False

    def feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._body_left:
                count = min(self._body_left, len(view))
                self._body_left -= count
                self.body_bytes += count
                view = view[count:]
            elif self._chunk_line is not None:
                view = self._read_chunk_line(view)
            else:
                view = self._read_head(view)

    def _read_head(self, view: memoryview) -> memoryview:
        held = len(self._head)
        self._head += view
        end = self._head.find(b"\r\n\r\n", max(0, held - 3))
        if end < 0:
            return view[len(view) :]
        lines = bytes(self._head[:end]).split(b"\r\n")
        self._head.clear()
        self.methods[lines[0].partition(b" ")[0].decode("ascii", "replace")] += 1
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                self._body_left = int(value)
            elif name.strip().lower() == b"transfer-encoding" and b"chunked" in value.lower():
                self._chunk_line = bytearray()
        return view[end + 4 - held :]

    def _read_chunk_line(self, view: memoryview) -> memoryview:
        line = self._chunk_line
        assert line is not None
        for at in range(len(view)):
            line.append(view[at])
            if view[at] == 0x0A:
                self._end_chunk_line(bytes(line).strip())
                return view[at + 1 :]
        return view[len(view) :]

    def _end_chunk_line(self, line: bytes) -> None:
        self._chunk_line = bytearray()
        if self._is_trailing:
            if not line:
                self._is_trailing = False
                self._chunk_line = None
            return
        if not line:
            # What ends the bytes of a chunk.
            return
        self._body_left = int(line.split(b";")[0], 16)
        self._is_trailing = self._body_left == 0


class Relay:
    """Passes connections on to `upstream_url` and counts; a context manager."""

    def __init__(self, upstream_url: str) -> None:
        parts = urlsplit(upstream_url)
        assert parts.hostname is not None
        self._upstream = (parts.hostname, parts.port or 80)
        self._lock = threading.Lock()
        self._readers: list[RequestReader] = []
        self._received_bytes = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None

    @property
    def endpoint_url(self) -> str:
        assert self._listener is not None
        return f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"

    def take(self) -> Traffic:
        """What went through since the last time; ask when the tool has ended."""
        with self._lock:
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(timeout=5)
        with self._lock:
            methods: Counter[str] = Counter()
            for reader in self._readers:
                methods += reader.methods
            sent = sum(reader.body_bytes for reader in self._readers)
            traffic = Traffic(methods, sent, self._received_bytes)
            self._readers.clear()
            self._received_bytes = 0
        return traffic

    def __enter__(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, 0), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                upstream = socket.create_connection(self._upstream)
            except OSError:
                return
            for connection in (client, upstream):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = RequestReader()
            sides = [
                threading.Thread(target=self._send, args=(client, upstream, reader), daemon=True),
                threading.Thread(target=self._answer, args=(upstream, client), daemon=True),
            ]
            with self._lock:
                self._readers.append(reader)
                self._sockets = [kept for kept in self._sockets if kept.fileno() >= 0]
                self._sockets += (client, upstream)
                self._threads += sides
            for side in sides:
                side.start()

    def _send(self, client: socket.socket, upstream: socket.socket, reader: RequestReader) -> None:
        with suppress(OSError):
            while data := client.recv(READ_BYTES):
                reader.feed(data)
                upstream.sendall(data)
        with suppress(OSError):
            upstream.shutdown(socket.SHUT_WR)

    def _answer(self, upstream: socket.socket, client: socket.socket) -> None:
        with upstream, client:
            with suppress(OSError):
                while data := upstream.recv(READ_BYTES):
                    with self._lock:
                        self._received_bytes += len(data)
                    client.sendall(data)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

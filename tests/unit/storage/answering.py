"""A tiny HTTP server on loopback that answers what a test tells it to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from artstore.testing.servers import S3Server

HEADERS = {"ETag": '"0"', "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}


def error_body(code: str, message: str = "words of the server", **more: str) -> bytes:
    """An error document as S3 writes it."""
    parts = {"Code": code, "Message": message, **more}
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in parts.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


@dataclass(frozen=True)
class Reply:
    """`fault`: `cut` (less than promised, then closed), `reset`, or `hang`."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class AnsweringServer(ThreadingHTTPServer):
    """Gives `replies` one after the other, the last one for ever; keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: list[Reply] = [Reply(200, headers=HEADERS)]
        self.seen: list[Seen] = []
        self.stopped = threading.Event()

    def answer(self, *replies: Reply) -> None:
        self.replies, self.seen = list(replies), []

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up here on purpose."""

    @property
    def description(self) -> S3Server:
        return S3Server("answering", f"http://127.0.0.1:{self.server_port}", "key", "secret")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AnsweringServer

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.seen.append(Seen(self.command, self.path, dict(self.headers), body))
        reply = self.server.next_reply()
        if reply.fault == "hang":
            self.server.stopped.wait()
            self.close_connection = True
            return
        if reply.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
            return
        promised = len(reply.body) + (10 if reply.fault == "cut" else 0)
        headers = {"Content-Length": str(promised), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} words", *(f"{k}: {v}" for k, v in headers.items())]
        head = "\r\n".join([*lines, "", ""]).encode()
        # In one piece: two would wait for each other for 40 ms.
        self.wfile.write(head if self.command == "HEAD" else head + reply.body)
        if reply.fault == "cut":
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 - as the library asks

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[AnsweringServer]:
    with AnsweringServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join()

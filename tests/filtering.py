"""
A worse S3 in front of a good one: a forwarder that refuses some requests, or forgets headers.

Bucket policies refuse too, but no server that the tests start knows all conditions.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_OF_THE_CONNECTION = {"connection", "content-length", "transfer-encoding", "date", "server"}


class Asked(NamedTuple):
    """One request, as it came; header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Filter:
    """Where it listens, and what came."""

    endpoint_url: str
    requests: list[Asked] = field(default_factory=list)

    def count(self, method: str, part: str = "") -> int:
        """Requests of a method whose path contains `part`."""
        return sum(asked.method == method and part in asked.path for asked in self.requests)


@contextmanager
def filtered(
    upstream_url: str, refuses: Callable[[Asked], bool] = lambda _: False, *, forgets: str = ""
) -> Iterator[Filter]:
    """
    A server that answers 403 to what `refuses`, and asks the one at `upstream_url` else.

    Args:
        forgets: a header, in small letters, that is not passed on.
    """
    upstream = urlsplit(upstream_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers)
            told.requests.append(asked)
            if refuses(asked):
                self.answer(403, {"content-type": "application/xml"}, DENIED)
                return
            connection = http.client.HTTPConnection(upstream, timeout=60)
            try:
                headers.pop("expect", None)
                headers.pop(forgets, None)
                headers["content-length"] = str(len(body))
                connection.request(self.command, self.path, body, headers)
                with connection.getresponse() as found:
                    self.answer(found.status, dict(found.getheaders()), found.read())
            finally:
                connection.close()

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self.forward
            raise AttributeError(name)

        def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            size = str(len(body))
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
                elif name.lower() == "content-length" and self.command == "HEAD":
                    size = value
            self.send_header("Content-Length", size)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *said: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        told = Filter(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()

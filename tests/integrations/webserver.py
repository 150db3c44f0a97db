"""
A web server for tests: pages with etags, and the manners of servers that have fewer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    data: bytes
    etag: str | None = '"one"'
    last_modified: str | None = None
    status: int = 200
    location: str | None = None
    tells_size: bool = True


@dataclass
class WebServer:
    """Pages by path. What was asked stands in `asked`: (method, path, range)."""

    pages: dict[str, Page] = field(default_factory=dict)
    knows_ranges: bool = True
    knows_head: bool = True
    asks_conditions: bool = True
    failures: list[int] = field(default_factory=list)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent_bytes: int = 0
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: WebServer

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        if self.web.knows_head:
            self._answer(with_body=False)
        else:
            self._plain(405)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        web, wanted = self.web, self.headers.get("Range")
        web.asked.append((self.command, self.path, wanted))
        if web.failures:
            self._plain(web.failures.pop(0))
            return
        page = web.pages.get(self.path)
        if page is None:
            self._plain(404)
            return
        condition = self.headers.get("If-Match")
        if web.asks_conditions and condition is not None and condition != page.etag:
            self._plain(412)
            return
        data, status = page.data, page.status
        if wanted and web.knows_ranges and status == 200:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data, status = page.data[int(first) : int(last) + 1], 206
            if not data:
                self._plain(416)
                return
        self.send_response(status)
        if status == 206:
            end = int(first) + len(data) - 1
            self.send_header("Content-Range", f"bytes {first}-{end}/{len(page.data)}")
        for name, value in (
            ("ETag", page.etag),
            ("Last-Modified", page.last_modified),
            ("Location", page.location),
        ):
            if value is not None:
                self.send_header(name, value)
        if page.tells_size:
            self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if with_body:
            try:
                self.wfile.write(data)
                web.sent_bytes += len(data)
            except OSError:
                # The client had what it wanted.
                pass

    def _plain(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True


@contextmanager
def start_web() -> Iterator[WebServer]:
    web = WebServer()
    handler = type("Handler", (_Handler,), {"web": web})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = False
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()

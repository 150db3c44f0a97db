"""What is counted between a tool and a server is what was sent."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from benchmarks.traffic import Relay, RequestReader

STREAM = (
    b"PUT /b/key HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"GET /b/key HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /b?uploads HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;signature=0\r\nabc\r\n4\r\n\r\n\r\n\r\n0\r\nx-trailer: 1\r\n\r\n"
    b"HEAD /b/key HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
)


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7, 64, len(STREAM)])
def test_requests_are_told_apart_wherever_pieces_end(piece_bytes: int) -> None:
    reader = RequestReader()
    for start in range(0, len(STREAM), piece_bytes):
        reader.feed(STREAM[start : start + piece_bytes])
    assert reader.methods == Counter(["PUT", "GET", "POST", "HEAD"])
    assert reader.body_bytes == 5 + 3 + 4


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_PUT()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def echo_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_relay_lets_through_what_it_counts(echo_url: str) -> None:
    with Relay(echo_url) as relay:
        connection = http.client.HTTPConnection(relay.endpoint_url.removeprefix("http://"))
        for method in ("PUT", "GET", "PUT"):
            connection.request(method, "/key", b"x" * 100_000)
            assert connection.getresponse().read() == b"x" * 100_000
        connection.close()
        traffic = relay.take()
        assert traffic.methods == {"PUT": 2, "GET": 1}
        assert (traffic.request_count, traffic.write_count) == (3, 2)
        assert traffic.sent_bytes == 300_000
        assert 300_000 < traffic.received_bytes < 301_000
        assert relay.take().request_count == 0

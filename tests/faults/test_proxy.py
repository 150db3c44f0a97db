"""The fault proxy by itself: each fault does what it says, and nothing else changes."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from artstore.testing.proxy import Fault, FaultProxy, ProxyPlan, ScriptedFault
from artstore.testing.proxy_plan import FaultCursor, target_of

BODY = b"0123456789" * 100
LOST = (http.client.HTTPException, ConnectionError)


class Upstream(ThreadingHTTPServer):
    """Keeps what is put, tells each request it was sent, create-only with `If-None-Match`."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), UpstreamHandler)
        self.values: dict[str, bytes] = {}
        self.seen: list[tuple[str, str]] = []
        self.hosts: list[str | None] = []
        self.connections = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class UpstreamHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def __getattr__(self, name: str) -> Any:
        # do_GET, do_PUT and the rest: one method for all.
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def handle_any(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            return
        server = self.server
        with server.lock:
            server.seen.append((self.command, self.path))
            server.hosts.append(self.headers["Host"])
            if self.command == "PUT":
                taken = self.path in server.values and self.headers["If-None-Match"] == "*"
                if not taken:
                    server.values[self.path] = body
                self.reply(412 if taken else 200, b"")
            elif self.command == "DELETE":
                server.values.pop(self.path, None)
                self.reply(204, b"")
            else:
                found = server.values.get(self.path)
                self.reply(404 if found is None else 200, found or b"")

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if self.path.startswith("/chunked") and self.command == "GET":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 300):
                part = body[start : start + 300]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Client:
    """One keep-alive connection; opens another after the server hung up."""

    def __init__(self, proxy: FaultProxy) -> None:
        host, _, port = proxy.endpoint_url.removeprefix("http://").partition(":")
        self.host = f"{host}:{port}"
        self._connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except LOST:
            self._connection.close()
            raise

    def put(self, path: str, body: bytes = BODY) -> int:
        return self.ask("PUT", path, body, **{"If-None-Match": "*"})[0]

    def get(self, path: str) -> bytes:
        status, body = self.ask("GET", path)
        assert status == 200
        return body

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream.url) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[Client]:
    opened = Client(proxy)
    yield opened
    opened.close()


def once(fault: Fault, method: str = "", key: str = "", **plan: Any) -> ProxyPlan:
    return ProxyPlan(script=[ScriptedFault(fault, method, key)], **plan)


# --- Without faults ---------------------------------------------------------------------


def test_without_a_plan_everything_goes_through_as_it_is(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    assert client.put("/b/k%20%C3%A9?x=1&y") == 200
    assert client.get("/b/k%20%C3%A9?x=1&y") == BODY
    assert client.ask("HEAD", "/b/k%20%C3%A9?x=1&y") == (200, b"")
    assert client.put("/b/k%20%C3%A9?x=1&y") == 412
    assert client.ask("GET", "/b/none")[0] == 404
    assert client.ask("DELETE", "/b/k%20%C3%A9?x=1&y") == (204, b"")
    assert upstream.values == {}
    assert [path for _, path in upstream.seen[:2]] == ["/b/k%20%C3%A9?x=1&y"] * 2
    assert proxy.log == []
    assert len(proxy.received) == 6


def test_the_host_header_stays_what_the_client_signed(upstream: Upstream, client: Client) -> None:
    client.put("/b/k")
    client.get("/b/k")
    assert upstream.hosts == [client.host] * 2


def test_connections_are_kept_on_both_sides(upstream: Upstream, client: Client) -> None:
    for number in range(20):
        client.put(f"/b/{number}")
    assert upstream.connections == 1


def test_a_chunked_answer_arrives_whole(upstream: Upstream, client: Client) -> None:
    upstream.values["/chunked"] = BODY
    assert client.get("/chunked") == BODY
    assert client.get("/chunked") == BODY


def test_a_chunked_request_arrives_whole(upstream: Upstream, client: Client) -> None:
    parts = iter([BODY, b"more"])
    client._connection.request("PUT", "/b/k", parts, encode_chunked=True)
    assert client._connection.getresponse().read() == b""
    assert upstream.values["/b/k"] == BODY + b"more"


def test_a_client_that_waits_to_be_told_to_go_on_is_told(
    upstream: Upstream, client: Client
) -> None:
    connection = client._connection
    connection.putrequest("PUT", "/b/k")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "2")
    connection.endheaders()
    assert connection.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(b"ab")
    assert connection.getresponse().read() == b""
    assert upstream.values["/b/k"] == b"ab"


def test_closing_ends_connections_that_wait_for_nothing(upstream: Upstream) -> None:
    with FaultProxy(upstream.url) as proxy:
        client = Client(proxy)
        client.put("/b/k")
    with pytest.raises(LOST):
        client.get("/b/k")
    client.close()


def test_a_server_that_is_gone_is_a_lost_answer(upstream: Upstream) -> None:
    with FaultProxy("http://127.0.0.1:1") as proxy:
        client = Client(proxy)
        with pytest.raises(LOST):
            client.get("/b/k")
        client.close()


def test_only_plain_http_is_forwarded() -> None:
    with pytest.raises(ValueError, match="plain HTTP"):
        FaultProxy("https://example.org")


# --- Each fault -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT_REQUEST])
def test_what_is_lost_on_the_way_is_not_applied(
    upstream: Upstream, client: Client, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.follow(once(fault))
    with pytest.raises(LOST):
        client.put("/b/k")
    assert upstream.values == {}
    assert [item.fault for item in proxy.log] == [fault]
    assert client.put("/b/k") == 200
    assert upstream.values == {"/b/k": BODY}


def test_a_lost_answer_was_applied(upstream: Upstream, client: Client, proxy: FaultProxy) -> None:
    proxy.follow(once(Fault.LOSE_ANSWER))
    with pytest.raises(LOST):
        client.put("/b/k")
    assert upstream.values == {"/b/k": BODY}
    assert client.put("/b/k") == 412


def test_an_answer_without_a_body_is_cut_inside_its_head(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    proxy.follow(once(Fault.CUT_ANSWER))
    client._connection.connect()
    client._connection.sock.sendall(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
    answer = client._connection.sock.makefile("rb").read()
    assert b"HTTP/1.1 200 OK\r\n".startswith(answer[:17])
    assert b"\r\n\r\n" not in answer
    assert upstream.values == {"/b/k": b"ab"}


def test_a_body_is_cut_short_and_told_so(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    upstream.values.update({"/b/k": BODY, "/chunked": BODY})
    for key in upstream.values:
        proxy.follow(once(Fault.CUT_ANSWER))
        with pytest.raises(http.client.IncompleteRead) as caught:
            client.get(key)
        assert len(caught.value.partial) < len(BODY)
        assert BODY.startswith(caught.value.partial)


@pytest.mark.parametrize(
    ("fault", "status", "is_applied"),
    [
        (Fault.ERROR_500, 500, False),
        (Fault.ERROR_503, 503, False),
        (Fault.ERROR_409, 409, False),
        (Fault.ERROR_500_APPLIED, 500, True),
        (Fault.ERROR_503_APPLIED, 503, True),
        (Fault.ERROR_409_APPLIED, 409, True),
    ],
)
def test_errors_come_before_or_after_the_request_was_applied(
    upstream: Upstream, proxy: FaultProxy, fault: Fault, status: int, is_applied: bool
) -> None:
    proxy.follow(once(fault))
    client = Client(proxy)
    found, body = client.ask("PUT", "/b/k", BODY)
    assert found == status
    code = {500: b"InternalError", 503: b"SlowDown", 409: b"ConditionalRequestConflict"}[status]
    assert b"<Code>%s</Code>" % code in body
    assert ("/b/k" in upstream.values) == is_applied
    # The connection goes on.
    assert client.ask("HEAD", "/b/other") == (404, b"")
    assert upstream.connections == 1
    client.close()


def test_an_error_answer_to_head_has_no_body(client: Client, proxy: FaultProxy) -> None:
    proxy.follow(once(Fault.ERROR_503))
    assert client.ask("HEAD", "/b/k") == (503, b"")
    assert client.ask("HEAD", "/b/k") == (404, b"")


@pytest.mark.parametrize("key", ["/b/k", "/chunked"])
def test_exactly_one_bit_of_a_body_flips(
    upstream: Upstream, client: Client, proxy: FaultProxy, key: str
) -> None:
    upstream.values[key] = BODY
    proxy.follow(once(Fault.FLIP))
    flipped = client.get(key)
    difference = int.from_bytes(flipped) ^ int.from_bytes(BODY)
    assert len(flipped) == len(BODY)
    assert difference.bit_count() == 1
    assert client.get(key) == BODY


@pytest.mark.parametrize("fault", [Fault.DELAY, Fault.DELAY_ANSWER])
def test_a_delayed_request_is_slower_than_the_client_waits(
    upstream: Upstream, client: Client, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.follow(once(fault, delay_seconds=60))
    client._connection.timeout = 0.2
    with pytest.raises(TimeoutError):
        client.put("/b/k")
    client.close()
    assert ("/b/k" in upstream.values) == (fault is Fault.DELAY_ANSWER)


def test_a_short_delay_loses_nothing(upstream: Upstream, client: Client, proxy: FaultProxy) -> None:
    proxy.follow(ProxyPlan(rates={Fault.DELAY: 0.5, Fault.DELAY_ANSWER: 0.5}, delay_seconds=0.01))
    assert client.put("/b/k") == 200
    assert client.get("/b/k") == BODY
    assert len(proxy.log) == 2


def test_a_duplicate_is_applied_twice_and_the_second_answer_is_heard(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    proxy.follow(once(Fault.DUPLICATE, "PUT"))
    assert client.put("/b/k") == 412
    assert upstream.seen == [("PUT", "/b/k")] * 2
    assert upstream.values == {"/b/k": BODY}


def test_a_late_duplicate_comes_after_so_many_requests(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    proxy.follow(once(Fault.LATE_DUPLICATE, "PUT", late_requests=2))
    assert client.put("/b/k") == 200
    client.get("/b/k")
    assert upstream.seen == [("PUT", "/b/k"), ("GET", "/b/k")]
    client.get("/b/k")
    client.get("/b/k")
    assert upstream.seen.count(("PUT", "/b/k")) == 2
    assert proxy.send_late() == 0


def test_a_late_request_is_lost_to_the_client_and_applied_in_the_end(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    proxy.follow(once(Fault.LATE, "PUT", late_requests=100))
    with pytest.raises(LOST):
        client.put("/b/k")
    assert upstream.values == {}
    assert client.put("/b/k", b"second") == 200
    assert proxy.send_late() == 1
    assert upstream.values == {"/b/k": b"second"}, "it was conditional, and came too late"
    assert upstream.seen == [("PUT", "/b/k")] * 2


def test_what_is_late_is_applied_without_further_requests_when_told(
    upstream: Upstream, client: Client, proxy: FaultProxy
) -> None:
    proxy.follow(once(Fault.LATE, late_requests=100))
    with pytest.raises(LOST):
        client.put("/b/k")
    assert proxy.send_late() == 1
    assert upstream.values == {"/b/k": BODY}
    assert proxy.send_late() == 0


# --- Plans ------------------------------------------------------------------------------


def test_a_script_counts_the_requests_that_match(client: Client, proxy: FaultProxy) -> None:
    script = [ScriptedFault(Fault.ERROR_503, "PUT", "/packs/", first=3, count=2)]
    proxy.follow(ProxyPlan(script=script))
    keys = ["/b/packs/1", "/b/index/1", "/b/packs/2", "/b/packs/3", "/b/packs/4", "/b/packs/5"]
    assert [client.put(key) for key in keys] == [200, 200, 200, 503, 503, 200]
    assert [(item.target, item.nth) for item in proxy.log] == [
        ("/b/packs/3", 1),
        ("/b/packs/4", 1),
    ]


def test_of_two_scripted_faults_the_first_has_its_way(client: Client, proxy: FaultProxy) -> None:
    script = [ScriptedFault(Fault.ERROR_500), ScriptedFault(Fault.ERROR_503, count=2)]
    proxy.follow(ProxyPlan(script=script))
    assert [client.put("/b/k") for _ in range(3)] == [500, 503, 200]


ALL_RATES = dict.fromkeys(Fault, 0.05)
REQUESTS = [
    (method, f"/b/{number % 40}")
    for number in range(2_000)
    for method in ("GET", "PUT", "HEAD", "DELETE")
]


def decisions(seed: int, requests: list[tuple[str, str]]) -> dict[tuple[str, str, int], Any]:
    cursor = FaultCursor(ProxyPlan(seed=seed, rates=ALL_RATES))
    decided = [cursor.decide(*request) for request in requests]
    return {(item.method, item.target, item.nth): (item.fault, item.fraction) for item in decided}


def test_a_seed_decides_the_same_in_whatever_order_requests_come() -> None:
    assert decisions(1, REQUESTS) == decisions(1, REQUESTS[::-1])
    assert decisions(1, REQUESTS) != decisions(2, REQUESTS)


def test_every_fault_comes_as_often_as_its_rate_says() -> None:
    faults = [fault for fault, _ in decisions(3, REQUESTS).values()]
    puts = [found[0] for (method, _, _), found in decisions(3, REQUESTS).items() if method == "PUT"]
    for fault in Fault:
        asked = faults if fault is Fault.RESET else puts
        if fault is not Fault.FLIP:
            assert 0.03 < asked.count(fault) / len(asked) < 0.07, fault


def test_a_seed_injects_only_what_fits_the_request() -> None:
    decided = decisions(4, [*REQUESTS, *[("GET", f"/b?prefix=p{n}") for n in range(500)]])
    by_fault: dict[Any, set[str]] = {}
    listings = set()
    for (method, target, _), (fault, _) in decided.items():
        by_fault.setdefault(fault, set()).add(method)
        if "?" in target:
            listings.add(fault)
    assert by_fault[Fault.FLIP] == {"GET"}
    assert by_fault[Fault.ERROR_409] == by_fault[Fault.ERROR_409_APPLIED] == {"PUT"}
    assert by_fault[Fault.CUT_REQUEST] == {"PUT"}
    assert by_fault[Fault.DUPLICATE] == by_fault[Fault.LATE] == {"PUT", "DELETE"}
    assert Fault.FLIP not in listings
    assert Fault.CUT_ANSWER in listings


def test_rates_beyond_certainty_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        ProxyPlan(rates={Fault.RESET: 0.6, Fault.DELAY: 0.6})


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ("/b/packs/0f/0f%2D1", "/b/packs/0f/0f-1"),
        ("/b?list-type=2&prefix=st%2Fpacks%2F&max-keys=10", "/b?prefix=st/packs/"),
        ("/b?list-type=2&prefix=", "/b?prefix="),
        ("/b?list-type=2", "/b?prefix="),
        ("/b?list-type=2&prefix=a&start-after=a%2F1", "/b?prefix=a&start-after=a/1"),
        ("/b?delete", "/b?delete"),
        ("/b/k?x-id=GetObject", "/b/k"),
    ],
)
def test_a_target_is_a_key_or_a_listing(raw: str, target: str) -> None:
    assert target_of(raw) == target


def test_many_threads_lose_nothing(upstream: Upstream, proxy: FaultProxy) -> None:
    proxy.follow(ProxyPlan(seed=5, rates={Fault.LOSE_ANSWER: 0.2, Fault.RESET: 0.2}))

    def work(worker: int) -> None:
        client = Client(proxy)
        for number in range(20):
            while True:
                try:
                    client.put(f"/b/{worker}/{number}")
                    break
                except LOST:
                    continue
        client.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(upstream.values) == 160

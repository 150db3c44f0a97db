"""
An HTTP proxy on loopback that fails as told: what a network and a busy S3 do to requests.

    plan = ProxyPlan(seed=7, rates={Fault.LOSE_ANSWER: 0.1, Fault.ERROR_503: 0.1})
    with FaultProxy(server.endpoint_url, plan) as proxy:
        ...                         # a client whose AWS_ENDPOINT_URL is proxy.endpoint_url
        print(proxy.log)            # what was injected

It stands in front of any S3 server that speaks plain HTTP and is asked in path
style. The Host header travels as the client sent it, so signatures hold. It
holds one request and one answer of each connection in memory.

A seeded plan decides by method, key and the how-manieth time, so the same
requests meet the same faults in any order of threads (`proxy_plan`). What is
not repeatable is when: how requests of several threads fall between one
another, and with it which requests have passed when a late one is applied.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from artstore.testing.proxy_http import (
    BrokenMessageError,
    HttpMessage,
    UpstreamRequest,
    read_request,
)
from artstore.testing.proxy_plan import (
    Fault,
    FaultCursor,
    PlannedFault,
    ProxyPlan,
    ScriptedFault,
    target_of,
)

__all__ = ["Fault", "FaultProxy", "PlannedFault", "ProxyPlan", "ScriptedFault"]

_LOOPBACK: Final = "127.0.0.1"
_WAITING_COUNT: Final = 128
# Closing with a wait of 0 seconds sends a reset instead of an end.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_ERRORS: Final = {
    Fault.ERROR_500: (500, "InternalError", "We encountered an internal error."),
    Fault.ERROR_503: (503, "SlowDown", "Please reduce your request rate."),
    Fault.ERROR_409: (409, "ConditionalRequestConflict", "A conflicting operation occurred."),
    Fault.ERROR_500_APPLIED: (500, "InternalError", "We encountered an internal error."),
    Fault.ERROR_503_APPLIED: (503, "SlowDown", "Please reduce your request rate."),
    Fault.ERROR_409_APPLIED: (
        409,
        "ConditionalRequestConflict",
        "A conflicting operation occurred.",
    ),
}


class FaultProxy:
    """
    Forwards what it is sent to `upstream_url`, with the faults of a plan.

    Args:
        upstream_url: `http://127.0.0.1:5000`.
        plan: what goes wrong; nothing without one.
    """

    def __init__(self, upstream_url: str, plan: ProxyPlan | None = None) -> None:
        parts = urlsplit(upstream_url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{upstream_url!r} is not the URL of a server of plain HTTP")
        self._upstream = (parts.hostname, parts.port or 80)
        self._lock = threading.Lock()
        self._cursor = FaultCursor(plan or ProxyPlan())
        self._received: list[PlannedFault] = []
        self._late: list[tuple[int, HttpMessage]] = []
        self._listener: socket.socket | None = None
        self._port = 0
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._is_closing = threading.Event()

    # --- For tests --------------------------------------------------------------------

    @property
    def endpoint_url(self) -> str:
        """What a client takes for the server."""
        return f"http://{_LOOPBACK}:{self._port}"

    @property
    def log(self) -> list[PlannedFault]:
        """The faults that were injected so far, in the order of their requests."""
        return [item for item in self.received if item.fault is not None]

    @property
    def received(self) -> list[PlannedFault]:
        """Every request so far, the undisturbed ones too."""
        with self._lock:
            return list(self._received)

    def follow(self, plan: ProxyPlan) -> None:
        """Go on by another plan, as if nothing had been received yet; late requests stay late."""
        with self._lock:
            self._cursor = FaultCursor(plan)
            self._received.clear()

    def send_late(self) -> int:
        """Apply now what is held back; how many requests that were."""
        with self._lock:
            due = [request for _, request in self._late]
            self._late.clear()
        self._send_unheard(due)
        return len(due)

    # --- Life -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._listener = socket.create_server((_LOOPBACK, 0), backlog=_WAITING_COUNT)
        self._port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections; requests that are held back are dropped."""
        if self._listener is None or self._is_closing.is_set():
            return
        self._is_closing.set()
        # Accepting ends by a connection: to shut a listening socket wakes nobody on some systems.
        with suppress(OSError):
            socket.create_connection((_LOOPBACK, self._port), timeout=1).close()
        while True:
            with self._lock:
                threads, self._threads = self._threads, []
                for connection in self._sockets:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
            if not threads:
                break
            for thread in threads:
                thread.join()
        self._listener.close()

    def _start(self, work: Callable[[socket.socket], None], connection: socket.socket) -> None:
        thread = threading.Thread(
            target=work, args=(connection,), name="artstore-fault-proxy", daemon=True
        )
        with self._lock:
            self._threads = [known for known in self._threads if known.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            if self._is_closing.is_set():
                client.close()
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._keep(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        # Whoever hangs up, client or server: that ends this connection and nothing else.
        with (
            suppress(OSError, ValueError),
            client,
            client.makefile("rb") as stream,
            self._connect() as upstream,
        ):
            while not self._is_closing.is_set():
                request = read_request(stream, client.sendall)
                if request is None or not self._answer(client, upstream, request):
                    break

    def _connect(self) -> UpstreamRequest:
        return UpstreamRequest(self._upstream, self._keep)

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets = {known for known in self._sockets if known.fileno() >= 0}
            self._sockets.add(connection)
            if self._is_closing.is_set():
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    # --- One request ------------------------------------------------------------------

    def _answer(
        self, client: socket.socket, upstream: UpstreamRequest, request: HttpMessage
    ) -> bool:
        """Do with a request what is planned; whether the connection goes on."""
        with self._lock:
            plan = self._cursor.plan
            decided = self._cursor.decide(request.method, target_of(request.target))
            self._received.append(decided)
        try:
            answer = self._apply(upstream, request, decided, plan)
            if answer is None:
                if decided.fault is not Fault.LOSE_ANSWER:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                return False
            if decided.fault is Fault.CUT_ANSWER:
                client.sendall(_cut(answer, decided.fraction))
                return False
            client.sendall(answer.head)
            client.sendall(answer.body)
        finally:
            self._pass_late()
        return not request.is_last

    def _apply(
        self,
        upstream: UpstreamRequest,
        request: HttpMessage,
        decided: PlannedFault,
        plan: ProxyPlan,
    ) -> HttpMessage | None:
        """What the client hears, None for nothing at all."""
        fault = decided.fault
        if fault is Fault.RESET:
            return None
        if fault is Fault.LATE:
            self._hold(request, plan)
            return None
        if fault is Fault.CUT_REQUEST:
            upstream.send_part(_cut(request, decided.fraction))
            return None
        if fault in (Fault.ERROR_500, Fault.ERROR_503, Fault.ERROR_409):
            return _error(fault, request)
        if fault is Fault.DELAY:
            self._is_closing.wait(plan.delay_seconds)
        if fault is Fault.DUPLICATE:
            upstream.exchange(request)
        answer = upstream.exchange(request)
        if fault is Fault.LATE_DUPLICATE:
            self._hold(request, plan)
        if fault is Fault.LOSE_ANSWER:
            return None
        if fault in _ERRORS:
            return _error(fault, request)
        if fault is Fault.DELAY_ANSWER:
            self._is_closing.wait(plan.delay_seconds)
        if fault is Fault.FLIP and answer.body:
            return _flipped(answer, decided.fraction)
        return answer

    def _hold(self, request: HttpMessage, plan: ProxyPlan) -> None:
        with self._lock:
            self._late.append((plan.late_requests, request))

    def _pass_late(self) -> None:
        """One more request has passed those that are held back."""
        with self._lock:
            due = [request for left, request in self._late if left <= 0]
            self._late = [(left - 1, request) for left, request in self._late if left > 0]
        self._send_unheard(due)

    def _send_unheard(self, requests: list[HttpMessage]) -> None:
        with self._connect() as upstream:
            for request in requests:
                with suppress(BrokenMessageError):
                    upstream.exchange(request)


def _cut(message: HttpMessage, fraction: float) -> bytes:
    """The beginning of a message: with a part of its body, or of its head if it has none."""
    if message.body:
        return message.head + message.body[: int(fraction * len(message.body))]
    return message.head[: 1 + int(fraction * (len(message.head) - 1))]


def _flipped(message: HttpMessage, fraction: float) -> HttpMessage:
    body = bytearray(message.body)
    bit = int(fraction * 8 * len(body))
    body[bit // 8] ^= 1 << bit % 8
    return HttpMessage(message.start, message.headers, bytes(body))


def _error(fault: Fault, request: HttpMessage) -> HttpMessage:
    status, code, text = _ERRORS[fault]
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{text}</Message>"
        "<RequestId>injected</RequestId></Error>"
    ).encode()
    if request.method == "HEAD":
        body = b""
    headers = (b"Content-Type: application/xml", b"Content-Length: %d" % len(body))
    return HttpMessage(f"HTTP/1.1 {status} {code}".encode(), headers, body)

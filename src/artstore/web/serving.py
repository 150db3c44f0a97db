"""
A site on a socket: until a signal ends the process, or in a thread of its own.
"""

from __future__ import annotations

import base64
import gc
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Final, NamedTuple

import uvicorn

from artstore import clock
from artstore.errors import InvalidInputError, StateError
from artstore.web.app import create_app
from artstore.web.guarding import host_of, is_loopback
from artstore.web.memorybound import bound_memory
from artstore.web.settings import ServeSettings

if TYPE_CHECKING:
    from artstore.web.site import Site

__all__ = ["ListenAddress", "ThreadServer", "for_address", "listen", "new_token", "serve"]

_TOKEN_MIN_CHARS: Final = 8
_LONGEST_REQUEST_LINE_BYTES: Final = 256 * 1024
"""A filter of 100,000 characters in an address is refused by us, in our words."""
_GOODBYE_SECONDS: Final = 2
_START_SECONDS: Final = 10.0
_OWN_PARTS: Final = frozenset({"p", "api", "static"})


class ListenAddress(NamedTuple):
    """
    An address that is taken.

    Attributes:
        host: the name or number by which others reach it.
    """

    socket: socket.socket
    host: str
    port: int
    is_loopback: bool

    def address(self, settings: ServeSettings) -> str:
        """What to open in a browser; with the token, if one is asked for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        token = "" if settings.token is None else f"?token={settings.token}"
        return f"http://{host}:{self.port}{settings.root_path}/{token}"


def listen(host: str, port: int) -> ListenAddress:
    """
    Take an address.

    Args:
        host: a name or number of this machine; `0.0.0.0` and `::` are all of them.
        port: 0 takes a free one.
    Raises:
        StateError: `address-in-use`.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        taken = socket.socket(family, kind, protocol)
        try:
            # Else a server that was just stopped keeps its port for a minute.
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(place)
            taken.listen(128)
        except OSError:
            taken.close()
            raise
    except (OSError, OverflowError, UnicodeError) as error:
        raise StateError(
            f"cannot listen at port {port} of {host}: {error}",
            code="address-in-use",
            hint="--port 0 takes a free port",
            host=host,
            port=port,
        ) from error
    number, taken_port = taken.getsockname()[:2]
    if number in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return ListenAddress(taken, socket.gethostname().lower(), taken_port, is_loopback=False)
    return ListenAddress(taken, host.lower(), taken_port, is_loopback(str(number)))


def new_token() -> str:
    """32 characters that nobody guesses."""
    return base64.urlsafe_b64encode(clock.random_bytes(24)).decode("ascii")


def for_address(settings: ServeSettings, listening: ListenAddress) -> ServeSettings:
    """
    Settings completed for where the server listens: a token where others reach it.

    Raises:
        InvalidInputError: `value-invalid`, a token, host or prefix cannot be used.
    """
    token = settings.token
    if token is not None and (len(token) < _TOKEN_MIN_CHARS or not _is_plain(token)):
        raise InvalidInputError(
            f"a token has at least {_TOKEN_MIN_CHARS} letters, digits, - and _",
            code="value-invalid",
            hint="leave it out, and one is made where one is needed",
        )
    if token is None and not listening.is_loopback:
        token = new_token()
    hosts = []
    for host in settings.allowed_hosts:
        hosts.append(host_of(host))
        if not hosts[-1]:
            raise InvalidInputError(f"{host!r} is no name of a host", code="value-invalid")
    return replace(
        settings,
        token=token,
        root_path=_checked_root(settings.root_path),
        allowed_hosts=tuple(dict.fromkeys([*hosts, listening.host])),
        is_loopback=listening.is_loopback,
    )


def _is_plain(token: str) -> bool:
    return token.isascii() and all(letter.isalnum() or letter in "-_" for letter in token)


def _checked_root(text: str) -> str:
    root = "/" + text.strip("/")
    parts = root.split("/")[1:]
    if root == "/":
        return ""
    if parts[0] in _OWN_PARTS or not all(_is_plain(part.replace(".", "-")) for part in parts):
        raise InvalidInputError(
            f"the prefix {text!r} cannot stand before the addresses of the page",
            code="value-invalid",
            hint="it is one or more names of letters, digits, -, _ and ., and does not begin "
            f"with {', '.join(sorted(_OWN_PARTS))}",
        )
    return root


def serve(site: Site, listening: ListenAddress) -> None:
    """
    Answer requests until SIGINT or SIGTERM; then finish what was begun, within two seconds.

    To be called in the main thread.
    """
    server = _Server(site)
    bound_memory(site.settings.memory_bytes)
    # What stands now stays: no search for cycles needs to go through it again.
    gc.freeze()
    server.run(sockets=[listening.socket])


class ThreadServer:
    """
    A site served by a daemon thread: it ends with the process.

    Attributes:
        address: what to open in a browser.
    """

    def __init__(self, site: Site, listening: ListenAddress) -> None:
        self.address = listening.address(site.settings)
        self._server = _Server(site)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listening.socket]},
            name="artstore page",
            daemon=True,
        )
        self._thread.start()
        until = clock.monotonic_seconds() + _START_SECONDS
        while not self._server.started and self._thread.is_alive():
            if clock.monotonic_seconds() > until:
                break
            clock.sleep(0.01)

    @property
    def is_alive(self) -> bool:
        """Whether it answers."""
        return self._thread.is_alive() and not self._server.should_exit

    def stop(self) -> None:
        """End it; returns when it has ended."""
        self._server.should_exit = True
        self._thread.join()


class _Server(uvicorn.Server):
    """Ends on a signal, and does not raise it again: that a server is stopped is no failure."""

    def __init__(self, site: Site) -> None:
        super().__init__(_config(site))
        self._live = site.live

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.open()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Who watches runs would be waited for.
        self._live.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _config(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(site),
        http="h11",
        h11_max_incomplete_event_size=_LONGEST_REQUEST_LINE_BYTES,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )

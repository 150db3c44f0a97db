"""Pages of runs that go on, watched as a browser watches them."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from artstore.api import Store
from artstore.web.opening import open_site
from artstore.web.serving import ThreadServer, for_address, listen
from artstore.web.settings import ServeSettings

LIMIT_SECONDS = 120
_BEATS_COUNT = 8


class ServedSite:
    """A real server of a store, and what it answers."""

    def __init__(self, store: Store, **given: Any) -> None:
        listening = listen("127.0.0.1", 0)
        self.site = open_site(store, for_address(ServeSettings(**given), listening))
        self.server = ThreadServer(self.site, listening)
        self.address = f"http://127.0.0.1:{listening.port}/api/v1/p/{store.project}"
        self.watchers: list[Watcher] = []

    def get(self, path: str, **query: Any) -> Any:
        """The JSON below the project."""
        with urllib.request.urlopen(self._url(path, query), timeout=LIMIT_SECONDS) as answer:
            return json.load(answer)

    def watch(self, **query: Any) -> Watcher:
        """Begin to be told of changes."""
        self.watchers.append(Watcher(self._url("events", query)))
        return self.watchers[-1]

    def _url(self, path: str, query: dict[str, Any]) -> str:
        return f"{self.address}/{path}?{urlencode(query, doseq=True)}"


@contextmanager
def served(store: Store, **given: Any) -> Iterator[ServedSite]:
    """A server for as long as the block takes."""
    found = ServedSite(store, **given)
    try:
        yield found
    finally:
        found.server.stop()
        for watcher in found.watchers:
            watcher.close()


class Watcher:
    """Reads events, as `EventSource` does."""

    def __init__(self, url: str) -> None:
        self.answer = urllib.request.urlopen(url, timeout=LIMIT_SECONDS)
        assert self.answer.headers["content-type"].startswith("text/event-stream")
        assert self.answer.readline().startswith(b"retry:")

    def event(self) -> dict[str, Any] | None:
        """The next one; None when the server has ended it."""
        beats = 0
        for line in self.answer:
            if line.startswith(b"data: "):
                told: dict[str, Any] = json.loads(line[len(b"data: ") :])
                return told
            beats += line.startswith(b": beat")
            assert beats < _BEATS_COUNT, "nothing is told"
        return None

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event that is meant."""
        while True:
            told = self.event()
            assert told is not None, "the server has ended"
            if holds(told):
                return told

    def close(self) -> None:
        """Go, as a page that is closed."""
        self.answer.close()


def is_told(run_id: str, state: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an event says so of a run."""
    return lambda told: any(one["run"] == run_id and one["state"] == state for one in told["runs"])


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    waiting = threading.Event()
    for _ in range(int(LIMIT_SECONDS / 0.05)):
        if holds():
            return
        waiting.wait(0.05)
    raise AssertionError("it never held")


def silent_watcher(address: str) -> socket.socket:
    """One that asks for events and never reads any."""
    host, _, rest = address.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    found.connect((name, int(port)))
    found.sendall(f"GET /{rest}/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return found

"""
A real server over a store, for as long as a test needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from artstore.api import Store
from artstore.web.opening import open_site
from artstore.web.serving import ThreadServer, for_address, listen
from artstore.web.settings import ServeSettings


@contextmanager
def serving(store: Store, *, write: bool = False, port: int = 0) -> Iterator[str]:
    """The address of a server, as `art serve` makes one."""
    listening = listen("127.0.0.1", port)
    server = ThreadServer(
        open_site(store, for_address(ServeSettings(write=write), listening)), listening
    )
    assert server.is_alive
    try:
        yield server.address.rstrip("/")
    finally:
        server.stop()

"""
Queries of the page: they end when their visitor goes, and when they take too much memory.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from artstore.web.opening import open_site
from artstore.web.serving import ThreadServer, for_address, listen
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from artstore.web.tables.desk import desk_of
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient

SOURCE = Path(__file__).resolve().parents[4] / "src"
SECONDS = 60
SLOW = " OR ".join(f"regexp_matches(t, '(a.*|b.*)*(c|d)*e.*{n}$')" for n in range(100))
ROWS = "/api/v1/p/limits/c/texts/v0/table-rows/rows"


@pytest.fixture(scope="module")
def texts_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with limits/texts:v0: the table `rows` of a long text, and one of a million."""
    root = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = open_at(root / "store", project="limits")
        draft = art.Artifact("texts", "dataset")
        draft.add(art.Table(data={"t": np.array(["abcdefgh" * 40] * 150_000)}), "rows")
        draft.add(art.Table(data={"t": ["x" * 1_000_000] * 3}), "large")
        store.log_artifact(draft)
    return root / "store"


@pytest.fixture
def texts_store(texts_directory: Path) -> Store:
    return open_at(texts_directory, project="limits")


@pytest.fixture
def server(texts_store: Store) -> Iterator[tuple[Site, str, int]]:
    """A site on a socket; its host and port."""
    listening = listen("127.0.0.1", 0)
    site = open_site(texts_store, for_address(ServeSettings(seconds=10 * SECONDS), listening))
    running = ThreadServer(site, listening)
    place = urlsplit(running.address)
    yield site, str(place.hostname), int(place.port or 0)
    running.stop()


def until(is_true: Callable[[], Any]) -> Any:
    """What it gives as soon as that is true."""
    end = time.monotonic() + SECONDS
    while not (found := is_true()):
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.01)
    return found


def test_a_query_ends_when_its_visitor_goes(server: tuple[Site, str, int]) -> None:
    site, host, port = server

    def tickets() -> list[Any]:
        clients = desk_of(site).tickets._clients.values()
        return [ticket for client in clients for ticket in client.running]

    visitor = socket.create_connection((host, port), timeout=SECONDS)
    address = f"{ROWS}?{urlencode({'where': SLOW})}"
    visitor.sendall(
        f"GET {address} HTTP/1.1\r\nHost: {host}:{port}\r\nX-Artstore-Client: a;1\r\n\r\n".encode()
    )
    (ticket,) = until(tickets)
    until(lambda: ticket._running)
    assert not ticket.is_cancelled
    visitor.close()
    # Without that it would run for minutes.
    until(lambda: ticket.is_cancelled)
    until(lambda: not tickets())


def test_who_waits_for_the_answer_gets_it(server: tuple[Site, str, int]) -> None:
    _, host, port = server
    with socket.create_connection((host, port), timeout=SECONDS) as visitor:
        head = f"Host: {host}:{port}\r\nConnection: close\r\n\r\n"
        visitor.sendall(f"GET {ROWS}?count=1 HTTP/1.1\r\n{head}".encode())
        answer = b"".join(iter(lambda: visitor.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"matching":150000' in answer


def test_a_query_that_needs_too_much_memory_is_told(
    texts_store: Store, make_client: MakeClient
) -> None:
    client = make_client(open_site(texts_store, ServeSettings(memory_bytes=24 << 20)))
    place = "/api/v1/p/limits/c/texts/v0/table-groups"
    # Eight texts, each of them eight million letters long.
    query = {"compute": "u=" + " || ".join(["t"] * 8), "group": "u"}
    told = client.get(f"{place}/large?{urlencode(query)}")
    assert (told.status_code, told.json()["error"]["code"]) == (413, "query-too-large")
    assert "24 MiB" in told.json()["error"]["message"]
    assert client.get(f"{place}/large?group=t").status_code == 200


PROGRAM = """
import sys
from artstore.web.serving import for_address, listen, serve
from artstore.web.settings import ServeSettings
from artstore.web.opening import open_site
import artstore as art
listening = listen("127.0.0.1", 0)
store = art.open_store(sys.argv[1], project="limits")
print(listening.port, flush=True)
serve(open_site(store, for_address(ServeSettings(memory_bytes=64 << 20), listening)), listening)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what a process maps")
def test_texts_larger_than_the_memory_of_the_server_do_not_end_it(texts_directory: Path) -> None:
    import json
    import urllib.error
    import urllib.request

    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(texts_directory)],
        env={"PATH": "", "HOME": str(texts_directory.parent), "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            place = f"http://127.0.0.1:{port}/api/v1/p/limits/c/texts/v0/table-rows/large"
            # Each twice as long as the one before: five hundred million letters in a cell,
            # which nobody asked to see.
            doubled = [f"c{n + 1}=c{n} || c{n}" for n in range(9)]
            query = urlencode(
                [("compute", one) for one in ["c0=t", *doubled]] + [("where", "length(c9) > 5")],
                quote_via=quote,
            )
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(f"{place}?{query}", timeout=SECONDS)
            told = json.loads(refusal.value.read())["error"]
            assert (refusal.value.code, told["code"]) == (413, "query-too-large"), told
            with urllib.request.urlopen(f"{place}?count=1", timeout=SECONDS) as answer:
                assert json.loads(answer.read())["total"] == 3
        finally:
            process.kill()

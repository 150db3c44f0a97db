from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from artstore.api import Store
from artstore.web.app import create_app
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.web.shelves import PROJECT, fill

MakeClient = Callable[[Site], TestClient]

BASE_URL = "http://localhost"
"""By its own name the test client calls no server that is careful."""


@pytest.fixture(scope="session")
def filled_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with what `shelves.fill` logs; made once, and never written to again."""
    root = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        fill(open_at(root / "store", project=PROJECT))
    return root / "store"


@pytest.fixture
def web_store(filled_directory: Path, tmp_path: Path) -> Store:
    """The filled store, a copy of the test's own."""
    directory = tmp_path / "store"
    shutil.copytree(filled_directory, directory)
    return open_at(directory, project=PROJECT)


@pytest.fixture
def site(filled_directory: Path) -> Site:
    """A site that only reads, over the store that all tests share."""
    return open_site(open_at(filled_directory, project=PROJECT))


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """A client of a site, as a browser on this machine is one; it follows no redirects."""
    clients: list[TestClient] = []

    def made(site: Site) -> TestClient:
        app = _decoding_once(create_app(site))
        client = TestClient(app, base_url=BASE_URL, follow_redirects=False)
        clients.append(client)
        return client

    yield made
    for client in clients:
        client.close()


def _decoding_once(app: ASGIApp) -> ASGIApp:
    """The test client decodes paths twice, `%2525` to `%`; servers do it once."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = unquote(scope["raw_path"].decode("ascii"))
        await app(scope, receive, send)

    return called


@pytest.fixture
def client(site: Site, make_client: MakeClient) -> TestClient:
    """A client of the site that only reads."""
    return make_client(site)


@pytest.fixture
def write_site(web_store: Store) -> Site:
    """A site that may be changed, over a store of the test's own."""
    return open_site(web_store, ServeSettings(write=True))


@pytest.fixture
def write_client(write_site: Site, make_client: MakeClient) -> TestClient:
    """A client that may change things: it sends the token of its pages."""
    client = make_client(write_site)
    client.headers["X-Artstore-Token"] = write_site.secret
    return client

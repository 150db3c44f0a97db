from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from artstore.api import Store
from tests.browser.album import fill_album
from tests.browser.serving import serving
from tests.browser.zoo import PROJECT, fill
from tests.outcomes import has_failed
from tests.trees import open_at
from tests.unit.web.runshelf import fill_runs

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

OpenPage = Callable[..., Any]
Shoot = Callable[..., None]


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: below the directory of the run."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def shoot(shots: Path, request: pytest.FixtureRequest) -> Shoot:
    """
    Keeps what a page shows at the end of a test that failed, or of which `is_wrong`.

    Each kind of page is kept by the tests that open all kinds; drawing every page of every
    test once more took a tenth of their time.
    """
    taken = itertools.count()

    def take(page: Any, *, is_wrong: bool) -> None:
        if is_wrong or has_failed(request.node):
            page.screenshot(path=shots / f"{request.node.name}-{next(taken)}.png")

    return take


@pytest.fixture(scope="session")
def served_store(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A small store that all tests share; nothing is made where there is no browser."""
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        fill_runs(open_at(root / "store", project="lab"))
        yield fill_album(fill(open_at(root / "store", project=PROJECT)))


@pytest.fixture(scope="session")
def address(served_store: Store) -> Iterator[str]:
    """The address of a real server over a small store."""
    with serving(served_store) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    # Without windows that nobody sees a page takes a third of the time.
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    # Chromium refuses its sandbox to root.
    args = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=args)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, address: str, shoot: Shoot) -> Iterator[OpenPage]:
    """
    Opens a page of the server. The test fails if the browser tells of an error, or if the
    page asks another host for anything.
    """
    wrong: list[str] = []
    contexts: list[Any] = []

    def note(message: Any) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"{message.type}: {message.text}")

    def opened(path: str, **options: Any) -> Any:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(40_000)
        page.on("console", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: hosts.add(urlsplit(asked.url).netloc))
        page.goto(address + path)
        return page

    hosts: set[str] = set()
    yield opened
    for context in contexts:
        for page in context.pages:
            shoot(page, is_wrong=bool(wrong))
        context.close()
    assert not wrong
    assert hosts <= {urlsplit(address).netloc, ""}

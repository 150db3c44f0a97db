"""What fails under an open page is told on it; the server lives, the page goes on once it can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

import artstore as art
from artstore.web import site as site_module
from tests.browser.album import previewed_files, put_file
from tests.browser.serving import serving
from tests.browser.watching import Watched
from tests.trees import open_at

TABLE: Final = "/p/demo/c/shelf/v0/tables/rows"
VERSION: Final = "/p/demo/c/shelf/v0"
COUNT: Final = 300


class Shelf:
    """A small store, its server, and a browser that looks at it."""

    def __init__(self, browser: Any, root: Path) -> None:
        self.root = root / "store"
        self.stack = ExitStack()
        self.serve()
        self.watched = Watched(browser, self.address)
        self.page = self.watched.page

    def serve(self, port: int = 0) -> None:
        store = open_at(self.root, project="demo")
        self.address = self.stack.enter_context(serving(store, port=port))

    def restart(self) -> None:
        self.stack.close()
        self.serve(urlsplit(self.address).port or 0)

    def open_table(self) -> None:
        self.watched.goto(TABLE)
        self.counted(f"{COUNT} of {COUNT} rows")

    def counted(self, text: str) -> None:
        self.page.locator("#table-count", has_text=text).wait_for()

    def filter(self, text: str) -> None:
        box = self.page.get_by_role("combobox", name="Condition")
        box.fill(text)
        box.press("Enter")

    def told(self, *words: str) -> None:
        """Wait until the page says so; it never names a place of this machine."""
        alert = self.page.get_by_role("alert")
        for word in words:
            alert = alert.filter(has_text=word)
        alert.wait_for()
        assert str(self.root) not in alert.inner_text()


@pytest.fixture
def shelf(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / "cache of the writer"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # What was found is otherwise used for some seconds more.
    monkeypatch.setattr(site_module, "_OPENED_SECONDS", 0.0)
    store = open_at(tmp_path / "store", project="demo")
    draft = art.Artifact("shelf", "dataset")
    draft.add(art.Table(["id", "half"], data=[[at, at / 2] for at in range(COUNT)]), "rows")
    # Bytes that no other store of this process has: what is known by its digest is not read again.
    put_file(draft, "picture.png", previewed_files()["picture.png"] + b"on the shelf")
    store.log_artifact(draft, aliases=["best"])
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / "cache"))
    made = Shelf(browser, tmp_path)
    yield made
    made.watched.context.close()
    made.stack.close()


def damage(directory: Path) -> None:
    """Change every byte of every file."""
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(bytes(byte ^ 0xFF for byte in data))


def test_a_version_that_is_deleted_under_its_open_page(shelf: Shelf) -> None:
    shelf.open_table()
    other = open_at(shelf.root, project="demo")
    other.delete("shelf:v0", force=True)
    shelf.filter("id < 3")
    shelf.told("deleted")
    assert shelf.page.locator(".grid-row").count() > 3
    other.restore("shelf:v0")
    shelf.page.get_by_role("combobox", name="Condition").press("Enter")
    shelf.counted(f"3 of {COUNT} rows")
    other.delete("shelf:v0", force=True)
    for path in (VERSION, TABLE, f"{VERSION}/files/"):
        assert shelf.watched.goto(path).status == 404
        shelf.told("deleted")
    shelf.page.get_by_role("link", name="shelf").click()
    shelf.page.locator("del", has_text="v0").wait_for()


def test_a_store_that_goes_away_and_comes_back(shelf: Shelf) -> None:
    shelf.open_table()
    away = shelf.root.with_name("away")
    shelf.root.rename(away)
    shelf.filter("id < 3")
    shelf.told("store")
    for path in ("/", "/p/demo", VERSION):
        answer = shelf.watched.goto(path)
        assert answer.status in (404, 502, 503), path
        shelf.told("store")
    away.rename(shelf.root)
    shelf.page.reload()
    shelf.page.locator("h1", has_text="shelf:v0").wait_for()
    shelf.open_table()
    shelf.filter("id < 3")
    shelf.counted(f"3 of {COUNT} rows")


def test_a_damaged_picture_is_told_beside_its_facts(shelf: Shelf) -> None:
    damage(shelf.root / "packs")
    answer = shelf.watched.goto(f"{VERSION}/files/picture.png")
    assert answer.status == 200
    told = shelf.page.locator("#content").inner_text()
    assert "Not shown: picture.png cannot be read" in told
    assert str(shelf.root) not in told
    assert shelf.watched.goto("/p/demo").status == 200


def test_a_picture_that_is_cut_off_is_told_where_it_would_stand(browser: Any, address: str) -> None:
    watched = Watched(browser, address)
    watched.goto("/p/demo/c/album/v1/files/damaged.png")
    watched.page.get_by_text("The picture cannot be shown").wait_for()
    assert watched.page.locator(".preview-image").count() == 0
    watched.context.close()


def test_damaged_rows_are_told_and_other_pages_live(shelf: Shelf) -> None:
    damage(shelf.root / "fragments")
    answer = shelf.watched.goto(TABLE)
    assert answer.status >= 500
    shelf.told("damaged")
    assert shelf.watched.goto(VERSION).status == 200
    assert shelf.page.locator("h1", has_text="shelf:v0").count() == 1


def test_a_server_that_starts_again_goes_on_with_the_open_page(shelf: Shelf) -> None:
    shelf.open_table()
    shelf.stack.close()
    shelf.filter("id < 3")
    shelf.told("server")
    shelf.serve(urlsplit(shelf.address).port or 0)
    shelf.page.get_by_role("combobox", name="Condition").press("Enter")
    shelf.counted(f"3 of {COUNT} rows")
    # A state this long is sent with the token of the page, and that was of the server before.
    shelf.filter(" or ".join(f"id = {at}" for at in range(2, 702)))
    shelf.counted(f"1 of {COUNT} rows")

"""Whatever was logged: nothing of it runs, leaves the server, or breaks the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from artstore.api import Store
from tests.browser.album import is_ready
from tests.browser.hostile import FILE_NAME, LONG_CHARS, MARK, NAMES, WORDS, fill_hostile
from tests.browser.serving import serving
from tests.browser.watching import Watched
from tests.browser.zoo import PROJECT
from tests.trees import open_at

EVIL: Final = "/p/evil/c"
ROWS: Final = f"{EVIL}/words/v0/tables/rows"
FILES: Final = f"{EVIL}/files/v0/files/"
CONTENT: Final = f"{EVIL}/files/v0/content/"
PAGES: Final = (
    "/",
    "/p/evil",
    f"{EVIL}/words",
    f"{EVIL}/words?show=history",
    f"{EVIL}/words/v0",
    f"{EVIL}/words/compare?a=v0&b=v1",
    f"{EVIL}/words/v0/files/",
    f"{EVIL}/words/v0/files/{quote(FILE_NAME)}",
    f"{EVIL}/words/v0/files/{quote(FILE_NAME[:-4])}.csv",
    f"{EVIL}/{quote(WORDS[0], safe='')}",
    f"{EVIL}/words/{quote(WORDS[0], safe='')}",
    ROWS,
    f"{ROWS}?group={quote(WORDS[0])}",
    f"{ROWS}?group=__proto__&group=constructor",
    f"{ROWS}?sort=desc:__proto__&pin=constructor&width=__proto__:200",
    f"{ROWS}?row=2",
    f"{ROWS}?where={quote(WORDS[2])}&sort={quote(WORDS[1])}&compute={quote(WORDS[0])}=1",
    f"{ROWS}?{quote(WORDS[0])}={quote(WORDS[2])}&render=__proto__:{quote(WORDS[0])}",
)
FILE_NAMES: Final = (
    "page.html",
    "leaving.html",
    "page.xhtml",
    "drawing.svg",
    "notes.md",
    "script.js",
    "no%20ending",
    "looks.png",
    "data.json",
    "model.pt",
    "model.pkl",
    "media.html-file.json",
)
KEPT_IN: Final = ("sandboxed", "Content Security Policy")
"""What a browser says of a page in a frame that tries to get out."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a model would write if somebody loaded it."""
    return tmp_path_factory.mktemp("trace") / "loaded"


@pytest.fixture(scope="module")
def evil(served_store: Store, trace: Path) -> Iterator[str]:
    """A server over the store, with a project of harm beside the other."""
    fill_hostile(open_at(served_store.url.removeprefix("file://"), project="evil"), trace)
    with serving(open_at(served_store.url.removeprefix("file://"), project=PROJECT)) as address:
        yield address


@pytest.fixture
def watched(browser: Any, evil: str) -> Iterator[Watched]:
    found = Watched(browser, evil)
    yield found
    found.context.close()


def harmed(watched: Watched) -> list[str]:
    """What has happened that must not; waits for what scripts put off."""
    page = watched.page
    page.wait_for_timeout(30)
    found = [f"asked {host}" for host in watched.hosts]
    found += [f"said {text}" for text in watched.dialogs]
    if page.evaluate(f"window.{MARK} !== undefined || ({{}}).{MARK} !== undefined"):
        found.append("ran")
    if len(watched.context.pages) > 1:
        found.append("opened a page")
    if not page.url.startswith(watched.address):
        found.append(f"went to {page.url}")
    return found


def test_no_word_of_a_version_or_table_runs_on_any_page(watched: Watched) -> None:
    wrong = {}
    for path in PAGES:
        watched.goto(path)
        is_ready(watched.page)
        found = harmed(watched)
        found += [text for text in watched.errors if text.startswith("thrown")]
        if watched.page.locator("#content > h1, .table-top > h1").count() != 1:
            found.append("no heading")
        if found:
            wrong[path] = found
        watched.errors.clear()
    assert wrong == {}


def test_hostile_columns_are_sorted_filtered_grouped_and_opened(watched: Watched) -> None:
    page = watched.page
    watched.goto(ROWS)
    is_ready(page)
    for word in (*NAMES[:3], "__proto__", "constructor"):
        button = page.locator(".head-name").filter(has_text=word).first
        button.click()
        page.locator("[role=columnheader][aria-sort=ascending]").filter(has_text=word).wait_for()
    page.locator("#cell-0-5").locator("span").first.click()
    page.locator(".chip").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog")
    panel.locator(".row-cells > div").first.wait_for()
    assert panel.locator(".row-cells > div").count() == len(NAMES) + 3
    page.keyboard.press("Escape")
    page.get_by_label("Group by").select_option("__proto__")
    page.locator("table.groups tbody tr").first.wait_for()
    assert harmed(watched) == []
    assert [text for text in watched.errors if not any(word in text for word in KEPT_IN)] == []


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_file_runs_nothing_as_a_preview_or_by_itself(watched: Watched, name: str) -> None:
    watched.goto(FILES + name)
    page = watched.page
    assert page.locator("#content > h1, .table-top > h1").count() == 1
    for frame in page.frames[1:]:
        frame.wait_for_load_state()
    assert harmed(watched) == []
    answer = watched.context.request.get(f"{watched.address}{CONTENT}{name}")
    is_saved = answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    if not is_saved:
        watched.goto(CONTENT + name)
        assert harmed(watched) == []


def test_a_page_in_a_frame_reaches_nothing_outside(watched: Watched) -> None:
    watched.goto(FILES + "page.html")
    page = watched.page
    told = page.frame_locator("iframe").locator("#told").filter(has_text="fetch").inner_text()
    assert told.split("; ") == [
        "alert undefined",
        "cookie refused",
        "storage refused",
        "parent refused",
        "mark refused",
        "top refused",
        "popup null",
        "fetch rejected,rejected",
    ]
    assert harmed(watched) == []
    page.get_by_role("link", name="Directory").click()
    page.wait_for_url("**/files/")


@pytest.mark.parametrize("name", ["page.html", "leaving.html"])
def test_a_page_of_a_file_opened_by_itself_is_shown_within_ours(
    watched: Watched, name: str
) -> None:
    watched.goto(FILES + name)
    page = watched.page
    watched.goto(str(page.locator("iframe").get_attribute("src")))
    assert page.url == f"{watched.address}{FILES}{name}"
    assert harmed(watched) == []


def test_no_model_is_loaded(watched: Watched, trace: Path) -> None:
    for name in ("model.pt", "model.pkl"):
        watched.goto(FILES + name)
        assert "mkdir" in watched.page.locator("#content").inner_text()
    assert not trace.exists()


def test_links_of_markdown_lead_only_to_the_web(watched: Watched) -> None:
    for path in (f"{EVIL}/words/v0", FILES + "notes.md"):
        watched.goto(path)
        markdown = watched.page.locator(".markdown")
        links = markdown.locator("a").evaluate_all("all => all.map((one) => one.href)")
        assert set(links) == {"https://example.org/", "https://example.org/pixel.png"}, path
        assert markdown.locator("img, script, iframe").count() == 0


def test_a_text_of_ten_million_characters_leaves_the_page_quick(watched: Watched) -> None:
    page = watched.page
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
    began = time.monotonic()
    watched.goto(f"{EVIL}/big/v0/tables/rows?row=0")
    page.get_by_role("button", name="Read all of it").click()
    page.get_by_role("button", name=f"of {LONG_CHARS // 1_000_000 - 1},9").wait_for()
    assert time.monotonic() - began < 10
    assert max(sizes) < 1_000_000
    assert harmed(watched) == []


def test_a_filter_of_a_hundred_thousand_characters_is_refused_in_words(watched: Watched) -> None:
    page = watched.page
    watched.goto(f"{ROWS}?where={'a' * 100_000}")
    assert page.locator("[role=alert]").inner_text()
    watched.goto(ROWS)
    box = page.get_by_role("combobox", name="Condition")
    box.evaluate("(box, text) => { box.value = text; }", "a = 1 or " * 11_112)
    box.press("Enter")
    page.get_by_role("alert").filter(has_text="characters").wait_for()
    box.fill('"__proto__" is not null')
    box.press("Enter")
    page.locator("#table-count", has_text="12 of 12 rows").wait_for()


def test_two_thousand_columns_are_few_elements(watched: Watched) -> None:
    page = watched.page
    watched.goto("/p/demo/c/zoo/v0/tables/wide")
    is_ready(page)
    assert page.evaluate("document.querySelectorAll('*').length") < 3_000
    page.get_by_role("button", name="Columns", exact=True).click()
    page.locator(".popup input[type=search]").fill("column 1999")
    page.locator(".popup .column-list label:visible").first.wait_for()
    assert watched.errors == []

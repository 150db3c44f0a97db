"""A page needs nothing but its server, fits a telephone, and can be read without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.album import FILES, GUESSES, Kind, is_ready, kinds_of_pages
from tests.browser.watching import Watched
from tests.browser.zoo import ROWS, WRONG

READABLE: Final = tuple(kind for kind in kinds_of_pages() if not kind.needs_write)
FAILURES: Final = {"not here": "404", "deleted version": "404", "file damaged.png": "422"}
"""Kinds of pages whose answer, or whose picture, is an error: the browser's console tells it."""

Watch = Callable[..., Watched]


@pytest.fixture
def watch(browser: Any, address: str) -> Iterator[Watch]:
    made: list[Watched] = []

    def opened(**options: Any) -> Watched:
        made.append(Watched(browser, address, **options))
        return made[-1]

    yield opened
    for watched in made:
        watched.context.close()


@pytest.mark.parametrize("kind", READABLE, ids=lambda kind: kind.name)
def test_a_page_asks_no_other_host_and_fits_a_narrow_screen(
    watch: Watch, kind: Kind, shots: Path
) -> None:
    watched = watch(viewport={"width": 390, "height": 844})
    page = watched.page
    watched.goto(kind.path)
    is_ready(page)
    if kind.steps:
        kind.steps(page)
    shown, window = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    page.screenshot(path=shots / f"{kind.word}-narrow.png")
    assert shown <= window == 390
    assert watched.hosts == set()
    status = FAILURES.get(kind.name)
    said = [text for text in watched.errors if status is None or f"status of {status}" not in text]
    assert said == []
    assert watched.dialogs == []


def test_every_page_is_read_without_scripts(watch: Watch) -> None:
    watched = watch(java_script_enabled=False)
    page = watched.page
    wrong = []
    for kind in READABLE:
        if kind.steps is not None:
            continue
        answer = watched.goto(kind.path)
        is_there = FAILURES.get(kind.name) != "404"
        is_told = answer.ok == is_there and page.locator("#content").inner_text()
        # What only scripts can fill is not there to be seen.
        is_empty = page.locator("#table-grid:visible, [data-theme-switch]:visible").count()
        if not is_told or is_empty:
            wrong.append(kind.name)
    assert wrong == []


def test_one_goes_from_the_first_page_to_the_rows_and_the_bytes_without_scripts(
    watch: Watch,
) -> None:
    watched = watch(java_script_enabled=False)
    watched.goto("/")
    page = watched.page
    for name in ("demo", "guesses", "v0", "joined"):
        page.get_by_role("link", name=name, exact=True).first.click()
    page.get_by_label("Condition", exact=True).fill("guess != label")
    page.get_by_role("button", name="Show").click()
    page.locator("#table-count", has_text=f"{WRONG} of {ROWS} rows").wait_for()
    assert page.locator("table.first tbody img").count() > 0


def test_a_file_is_saved_without_scripts(watch: Watch) -> None:
    watched = watch(java_script_enabled=False)
    watched.goto(FILES + "notes.txt")
    with watched.page.expect_download() as download:
        watched.page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes().startswith(b"a line\n")
    assert download.value.suggested_filename == "notes.txt"


def test_an_address_of_a_view_is_the_same_with_and_without_scripts(watch: Watch) -> None:
    path = f"{GUESSES}?where=guess+!%3D+label"
    for has_scripts in (True, False):
        watched = watch(java_script_enabled=has_scripts)
        watched.goto(path)
        watched.page.locator("#table-count", has_text=f"{WRONG} of {ROWS} rows").wait_for()

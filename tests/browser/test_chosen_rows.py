"""Rows that are chosen one by one: ticked, kept, shown alone, saved and exported."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from artstore.api import Store
from tests.browser.serving import serving
from tests.browser.test_table_page import JOINED, LONG, ROWS, WRONG, parts, shown_count, wait_for
from tests.browser.watching import Watched
from tests.browser.zoo import PROJECT, fill
from tests.trees import open_at

OpenPage = Callable[..., Any]


def tick(page: Any, number: int, *keys: str) -> None:
    page.get_by_role("checkbox", name=f"Choose row {number}", exact=True).click(modifiers=[*keys])


def told(page: Any, text: str) -> None:
    """Wait until the bar says how many rows are chosen."""
    bar = page.get_by_role("group", name="Chosen rows")
    bar.get_by_role("status").get_by_text(text, exact=True).wait_for()


def button(page: Any, name: str) -> Any:
    return page.get_by_role("group", name="Chosen rows").get_by_role("button", name=name)


def test_a_range_is_chosen_shown_alone_and_left_again(open_page: OpenPage) -> None:
    page = open_page(f"{JOINED}?where=guess%20!%3D%20label")
    tick(page, 10)
    told(page, "1 row chosen")
    tick(page, 50, "Shift")
    told(page, "5 rows chosen")
    chosen = page.get_by_role("row", selected=True)
    # The rows are drawn a moment after the bar.
    chosen.nth(4).wait_for()
    assert chosen.count() == 5
    tick(page, 30)
    told(page, "4 rows chosen")
    button(page, "Show only these").click()
    shown_count(page, f"4 of {ROWS} rows")
    assert page.locator(".grid-row .row-number").all_inner_texts() == ["10", "20", "40", "50"]
    assert "among=10,20,40,50" in parts(page)
    assert "where=" not in parts(page)
    page.go_back()
    shown_count(page, f"{WRONG} of {ROWS} rows")
    told(page, "4 rows chosen")
    page.go_forward()
    page.get_by_role("button", name="Show all rows again").click()
    shown_count(page, f"{ROWS} of {ROWS} rows")


def test_the_space_bar_chooses_and_the_address_keeps_what_is_chosen(open_page: OpenPage) -> None:
    page = open_page(LONG)
    page.keyboard.press("j")
    page.keyboard.press("Space")
    told(page, "1 row chosen")
    page.keyboard.press("Control+End")
    page.locator("#cell-599999-0", has_text="1199998").wait_for()
    page.keyboard.press("Space")
    told(page, "2 rows chosen")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+Space")
    told(page, "4 rows chosen")
    wait_for(lambda: "chosen=0,599997-599999" in parts(page))
    page.keyboard.press("Control+Home")
    page.get_by_role("checkbox", name="Choose row 0", exact=True, checked=True).wait_for()
    page.reload()
    told(page, "4 rows chosen")
    button(page, "Clear").focus()
    page.keyboard.press("Enter")
    page.get_by_role("group", name="Chosen rows").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "grid"
    wait_for(lambda: "chosen=" not in parts(page))


def test_rows_that_nobody_has_seen_are_in_a_range_too(open_page: OpenPage) -> None:
    page = open_page(f"{LONG}?sort=desc:even")
    tick(page, 599_999)
    page.keyboard.press("g")
    page.keyboard.type("5001")
    page.keyboard.press("Enter")
    tick(page, 594_999, "Shift")
    told(page, "5,001 rows chosen")
    button(page, "Show only these").click()
    shown_count(page, "5,001 of 600,000 rows")
    page.locator("#cell-0-0", has_text="1199998").wait_for()
    tick(page, 599_999)
    told(page, "5,000 rows chosen")
    # All of them at once are too many: that is told, and nothing is chosen.
    page.get_by_role("button", name="Show all rows again").click()
    shown_count(page, "600,000 of 600,000 rows")
    tick(page, 599_999)
    page.keyboard.press("Control+End")
    tick(page, 0, "Shift")
    page.get_by_role("alert").get_by_text("600,000 rows are more than are chosen").wait_for()
    told(page, "5,001 rows chosen")


def test_pictures_are_chosen_too(open_page: OpenPage) -> None:
    page = open_page(f"{JOINED}?mode=images")
    page.locator("#tile-3 .tile-choose").click()
    page.locator("#tile-5 .tile-choose").click(modifiers=["Shift"])
    told(page, "3 rows chosen")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    told(page, "4 rows chosen")
    pictures = page.get_by_role("listbox", name="Pictures of joined")
    chosen = pictures.get_by_role("option", selected=True)
    page.locator("#tile-6[aria-selected=true]").wait_for()
    assert [one.get_attribute("id") for one in chosen.all()] == [f"tile-{at}" for at in range(3, 7)]
    page.get_by_role("button", name="Images").click()
    page.get_by_role("checkbox", name="Choose row 6", exact=True, checked=True).wait_for()


def test_chosen_rows_are_exported_whatever_the_filter(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(f"{JOINED}?chosen=2,10&where=guess%20!%3D%20label")
    told(page, "2 rows chosen")
    button(page, "Export").click()
    with page.expect_download() as found:
        page.get_by_role("menuitem", name="CSV").click()
    found.value.save_as(tmp_path / "rows.csv")
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text("utf-8").splitlines()))
    assert [row["id"] for row in rows] == ["2", "10"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(open_at(tmp_path / "store", project=PROJECT))


@pytest.fixture
def writing(browser: Any, store: Store) -> Iterator[Watched]:
    with serving(store, write=True) as address:
        found = Watched(browser, address)
        yield found
        found.context.close()
    assert found.errors == []


def test_chosen_rows_become_a_new_version(writing: Watched, store: Store) -> None:
    writing.goto(JOINED)
    page = writing.page
    tick(page, 4)
    tick(page, 1)
    button(page, "Save as new version").click()
    dialog = page.get_by_role("dialog", name="Save rows")
    assert dialog.get_by_role("radio", name="the 2 chosen").is_checked()
    dialog.get_by_label("Artifact and table").fill("hard/cases")
    dialog.get_by_role("button", name="Save", exact=True).click()
    dialog.get_by_role("link", name="demo/hard:v0/cases").wait_for()
    found = store.artifact("demo/hard:v0")
    assert [row["id"] for row in found.get("cases").rows] == [1, 4]
    assert found.metadata["made_from"]["chosen"] is True

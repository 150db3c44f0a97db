"""Somebody without a mouse does it all, and always sees where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.browser.watching import Watched
from tests.browser.zoo import ROWS, WRONG

FOCUS: Final = """() => {
  const element = document.activeElement;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const isFilled = element.matches("[role=menuitem], .resize")
    && style.backgroundColor !== "rgba(0, 0, 0, 0)";
  return {
    name: element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 40),
    tag: element.tagName.toLowerCase(),
    role: element.getAttribute("role"),
    isVisible: box.width > 0 && box.bottom > 0 && box.right > 0
      && box.top < innerHeight && box.left < innerWidth,
    isMarked: isOutlined || isFilled,
  };
}"""


class Hands:
    """Keys, and what they lead to: nothing else of a page is touched."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focus(self) -> dict[str, Any]:
        """What has the focus: it is there, and can be told from what has it not."""
        found: dict[str, Any] = self.page.evaluate(FOCUS)
        if found["tag"] not in ("body", "main"):
            assert found["isVisible"], found
            assert found["isMarked"], found
        return found

    def tab_to(self, name: str, key: str = "Tab") -> None:
        """Go on with Tab until something of that name has the focus; every step is seen."""
        for _ in range(60):
            self.press(key)
            if self.focus()["name"] == name:
                return
        raise AssertionError(name)


@pytest.fixture
def hands(browser: Any, address: str) -> Iterator[Hands]:
    watched = Watched(browser, address)
    watched.goto("/")
    yield Hands(watched.page)
    assert watched.errors == []
    watched.context.close()


def counted(page: Any, text: str) -> None:
    page.locator("#table-count", has_text=text).wait_for()


def test_from_the_first_page_to_one_wrong_guess_and_back(hands: Hands) -> None:
    page = hands.page
    for name in ("demo", "guesses", "v0", "joined"):
        hands.tab_to(name)
        hands.press("Enter")
        page.locator("h1", has_text=name).wait_for()
    page.get_by_role("grid").wait_for()

    hands.press("/")
    assert hands.focus()["name"] == "Condition"
    page.keyboard.type("guess != label")
    hands.press("Enter")
    counted(page, f"{WRONG} of {ROWS} rows")

    hands.tab_to("score")
    for order in ("ascending", "descending"):
        hands.press("Enter")
        page.locator(f"[role=columnheader][aria-sort={order}]", has_text="score").wait_for()
    page.locator("#cell-0-0", has_text="250").wait_for()

    hands.press("j", "j", "k", "j")
    assert hands.focus()["role"] == "grid"
    page.locator(".grid-row.active-row .row-number", has_text="240").wait_for()
    hands.press("ArrowRight")
    page.locator("#cell-1-1.active").wait_for()
    page.locator("[role=grid][aria-activedescendant=cell-1-1]").wait_for()

    hands.press("Enter")
    page.get_by_role("heading", name="Row 240").wait_for()
    hands.focus()
    hands.press("ArrowRight")
    page.get_by_role("heading", name="Row 230").wait_for()
    hands.press("ArrowLeft")
    page.get_by_role("heading", name="Row 240").wait_for()
    hands.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert hands.focus()["role"] == "grid"

    hands.press("?")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("next and previous row").wait_for()
    hands.focus()
    hands.press("Escape")
    dialog.wait_for(state="detached")
    hands.tab_to("Remove the condition guess != label", "Shift+Tab")
    hands.press("Enter")
    counted(page, f"{ROWS} of {ROWS} rows")


def test_the_menu_of_a_column_is_opened_used_and_left(hands: Hands) -> None:
    page = hands.page
    page.goto(page.url + "p/demo/c/guesses/v0/tables/joined")
    page.get_by_role("grid").wait_for()
    hands.tab_to("Menu of score")
    hands.press("Enter")
    assert hands.focus()["name"] == "Sort ascending"
    hands.press("ArrowDown", "ArrowDown", "ArrowUp")
    assert hands.focus()["name"] == "Sort descending"
    hands.press("Escape")
    assert hands.focus()["name"] == "Menu of score"
    hands.press("Enter", "ArrowDown", "Enter")
    page.locator("[role=columnheader][aria-sort=descending]", has_text="score").wait_for()


def test_the_first_stop_leads_to_the_content(hands: Hands) -> None:
    hands.press("Tab")
    assert hands.focus()["name"] == "Skip to the content"
    hands.press("Enter", "Tab")
    assert hands.focus()["name"] == "demo"


def test_groups_are_made_and_left_again(hands: Hands) -> None:
    page = hands.page
    page.goto(page.url + "p/demo/c/guesses/v0/tables/joined")
    page.get_by_role("grid").wait_for()
    hands.tab_to("Group by")
    page.keyboard.type("label")
    counted(page, "10 groups")
    hands.tab_to("3")
    hands.press("Enter")
    counted(page, f"26 of {ROWS} rows")

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.zoo import ROWS, SCRIPT, WRONG

OpenPage = Callable[..., Any]

JOINED = "/p/demo/c/guesses/v0/tables/joined"
TRUTH = "/p/demo/c/guesses/v0/tables/truth"
ZOO = "/p/demo/c/zoo/v0/tables/everything"
LONG = "/p/demo/c/zoo/v0/tables/long"
WIDE = "/p/demo/c/zoo/v0/tables/wide"


def shown_count(page: Any, text: str) -> None:
    """Wait until the page says how many rows there are."""
    page.locator("#table-count", has_text=text).wait_for()


def head(page: Any, name: str) -> Any:
    return page.get_by_role("columnheader").filter(
        has=page.get_by_role("button", name=name, exact=True)
    )


def wait_for(found: Callable[[], bool]) -> None:
    """Ask again until it is so; the policy of the page lets playwright evaluate no text there."""
    deadline = time.monotonic() + 40
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def text_at(page: Any, selector: str) -> str:
    """The text of an element; empty while it is not there."""
    found = page.locator(selector).all_inner_texts()
    return found[0].strip() if found else ""


def parts(page: Any) -> str:
    return str(page.evaluate("decodeURIComponent(location.search)"))


def test_the_grid_takes_the_place_of_the_first_page(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    shown_count(page, f"{ROWS} of {ROWS} rows")
    grid = page.get_by_role("grid")
    grid.wait_for()
    assert grid.get_attribute("aria-rowcount") == str(ROWS + 1)
    assert page.locator("#table-first").count() == 0
    assert page.locator(".facet").count() >= 3


def test_a_typed_condition_filters_and_its_chip_is_removed(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.get_by_role("combobox", name="Condition").fill("guess != label")
    page.keyboard.press("Enter")
    shown_count(page, f"{WRONG} of {ROWS} rows")
    assert "where=guess != label" in parts(page)
    page.get_by_role("button", name="Remove the condition guess != label").click()
    shown_count(page, f"{ROWS} of {ROWS} rows")
    page.go_back()
    shown_count(page, f"{WRONG} of {ROWS} rows")


def test_a_condition_that_cannot_be_used_is_told_at_its_character(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    box = page.get_by_role("combobox", name="Condition")
    box.fill("guess != nolabel")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="nolabel").wait_for()
    assert box.evaluate("element => element.selectionStart") == 9
    assert box.input_value() == "guess != nolabel"
    shown_count(page, f"{ROWS} of {ROWS} rows")


def test_columns_and_values_are_completed(open_page: OpenPage) -> None:
    page = open_page(ZOO)
    box = page.get_by_role("combobox", name="Condition")
    box.press_sequentially("nam")
    page.get_by_role("option", name="name text").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert box.input_value() == "name "
    box.press_sequentially("= ")
    page.locator("#condition-list [role=option]").filter(has_text=SCRIPT).first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter", exact=True).click()
    shown_count(page, "14 of 40 rows")


def test_a_click_on_a_bar_and_a_drag_over_bars_filter(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    box = head(page, "score").locator("svg.facet").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 2, box["y"] + 10)
    page.mouse.up()
    page.locator(".chip", has_text="score >= 0 and score <").wait_for()
    assert "where=score >= 0 and score <" in parts(page)
    head(page, "label").locator("svg.facet g").first.click()
    page.locator(".chip", has_text="label = ").wait_for()


def test_a_click_on_a_value_keeps_its_rows(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.locator("#cell-3-1 span").click()
    page.locator(".chip", has_text="guess = 3").wait_for()
    shown_count(page, f"26 of {ROWS} rows")


def test_no_row_that_matches_is_told(open_page: OpenPage) -> None:
    page = open_page(f"{JOINED}?where=id%20%3C%200")
    shown_count(page, f"0 of {ROWS} rows")
    page.get_by_text("No row matches.").wait_for()


def test_a_head_sorts_both_ways_and_not(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    for order, first in (("ascending", "0"), ("descending", "259"), ("none", "0")):
        head(page, "score").locator(".head-name").click()
        page.locator(f"[role=columnheader][aria-sort={order}]", has_text="score").wait_for()
        wait_for(lambda first=first: text_at(page, "#cell-0-0") == first)  # type: ignore[misc]


def test_groups_lead_to_their_rows(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.get_by_label("Group by").select_option("label")
    shown_count(page, "10 groups")
    assert page.locator("table.groups tbody tr").count() == 10
    assert page.locator("table.groups tbody tr").first.locator("img").count() == 4
    page.get_by_role("button", name="3", exact=True).click()
    shown_count(page, f"26 of {ROWS} rows")
    assert "where=label = 3" in parts(page)
    page.go_back()
    shown_count(page, "10 groups")


def test_bars_are_reached_told_and_chosen_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    bars = head(page, "score").get_by_role("listbox", name="score")
    bars.get_by_role("option").first.wait_for()
    bars.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    one = bars.get_by_role("option", selected=True)
    text = str(one.get_attribute("aria-label"))
    assert re.fullmatch(r"0\.0\d* to 0\.\d+: (\d+) of \1 rows", text)
    assert text in head(page, "score").inner_text()
    page.keyboard.press("Shift+ArrowRight")
    assert bars.get_by_role("option", selected=True).count() == 2
    edges = head(page, "score").locator(".head-summary").inner_text().split(" to ")
    page.keyboard.press("Enter")
    page.locator(".chip", has_text="score >=").wait_for()
    chip = page.locator(".chip-text", has_text="score >=").inner_text()
    found = re.fullmatch(r"score >= (\S+) and score < (\S+)", chip)
    assert found is not None
    assert [float(text) for text in found.groups()] == pytest.approx([float(one) for one in edges])
    wait_for(lambda: page.evaluate("document.activeElement.getAttribute('role')") == "listbox")


def test_summaries_of_groups_fit_and_all_digits_are_in_what_the_pointer_shows(
    open_page: OpenPage,
) -> None:
    page = open_page(f"{JOINED}?group=label")
    shown_count(page, "10 groups")
    texts = page.locator("table.groups .head-summary")
    assert any(
        re.search(r"mean 0\.\d{3,4} · median 0\.\d{3,4}$", one) for one in texts.all_inner_texts()
    )
    for one in texts.all():
        assert one.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
    titles = [one.get_attribute("title") for one in texts.all()]
    assert any(re.search(r"mean: 0\.\d{10,}", title or "") for title in titles)


def test_the_menu_hides_moves_pins_and_computes(open_page: OpenPage) -> None:
    page = open_page(JOINED)

    def choose(column: str, item: str) -> None:
        page.get_by_role("button", name=f"Menu of {column}").click()
        page.get_by_role("menuitem", name=item, exact=True).click()

    choose("image", "Hide")
    head(page, "image").wait_for(state="detached")
    choose("label", "Move left")
    assert 'columns=["id","guess","label","score"]' in parts(page)
    choose("score", "Pin to the left")
    assert "pin=score" in parts(page)
    choose("score", "Computed column…")
    page.get_by_role("textbox", name="Name").fill("twice")
    page.get_by_role("textbox", name="Value").fill("guess * 2")
    page.get_by_role("button", name="Add").click()
    head(page, "twice").wait_for()
    assert "compute=twice=guess * 2" in parts(page)
    wait_for(lambda: text_at(page, "#cell-3-4") == "6")


def test_a_column_is_resized_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    handle = page.get_by_role("separator", name="Width of guess")
    handle.focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: "width=guess:136" in parts(page))


def test_a_renderer_is_chosen_for_a_column(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.get_by_role("button", name="Menu of score").click()
    page.get_by_role("menuitem", name="Number with a bar").click()
    page.locator(".bar-cell").first.wait_for()
    assert "render=score:bar" in parts(page)
    page.reload()
    page.locator(".bar-cell").first.wait_for()


def test_one_row_is_opened_and_its_neighbours_with_keys_only(open_page: OpenPage) -> None:
    page = open_page(ZOO)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("Row 1").wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Row 2 ").wait_for()
    wait_for(lambda: "row=2" in parts(page))
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("/")
    assert page.get_by_role("combobox", name="Condition").evaluate(
        "element => element === document.activeElement"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.type("31")
    page.keyboard.press("Enter")
    page.locator("#cell-30-0").wait_for()


def test_an_address_opens_the_row_it_names(open_page: OpenPage) -> None:
    page = open_page(f"{JOINED}?where=guess!%3Dlabel&row=30")
    page.get_by_role("heading", name="Row 30").wait_for()
    page.get_by_role("dialog").locator("img").wait_for()


def test_classes_are_switched_by_name_without_a_request(open_page: OpenPage) -> None:
    page = open_page(f"{ZOO}?row=3")
    picture = page.locator("dialog .picture")
    picture.locator(".boxes g").first.wait_for()
    assert picture.locator(".boxes g:not([hidden])").count() == 2
    # The pictures of the neighbours are fetched meanwhile.
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Boxes and masks").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shown = "document.querySelectorAll('.grid-rows .boxes g:not([hidden])').length"
    before = page.evaluate(shown)
    page.get_by_role("checkbox", name="cat").uncheck()
    assert page.evaluate(shown) == before / 2
    page.get_by_role("checkbox", name="ground").uncheck()
    assert page.evaluate("document.querySelectorAll('.mask:not([hidden])').length") == 0
    wait_for(lambda: "hide-class=cat" in parts(page))
    assert [url for url in asked if not url.endswith("icon.svg")] == []


def test_cells_of_every_kind_are_drawn_and_none_is_run(open_page: OpenPage) -> None:
    page = open_page(f"{ZOO}?row=13")
    page.get_by_role("heading", name="Row 13").wait_for()
    panel = page.get_by_role("dialog")
    for kind in ("svg.sparkline", "canvas.heatmap", "details.tree", ".picture img", "time"):
        panel.locator(kind).first.wait_for()
    assert panel.get_by_text(SCRIPT).count() > 2
    assert page.evaluate("document.querySelectorAll('script').length") <= 6


def test_a_long_text_is_read_whole(open_page: OpenPage) -> None:
    page = open_page(f"{ZOO}?row=39")
    panel = page.get_by_role("dialog")
    panel.get_by_text("long text", exact=False).first.wait_for()
    panel.locator("details.folded summary").first.click()
    shown = panel.locator("details.folded p.whole-text").inner_text()
    assert len(shown) >= 1000


def test_two_thousand_columns_are_there_when_they_are_seen(open_page: OpenPage) -> None:
    page = open_page(WIDE)
    head(page, "column 0").wait_for()
    assert page.get_by_role("columnheader").count() < 40
    page.keyboard.press("j")
    page.keyboard.press("End")
    head(page, "column 1999").wait_for()
    page.locator("#cell-0-1999", has_text="1999").wait_for()
    assert page.get_by_role("columnheader").count() < 40


def test_rows_far_below_are_there_when_they_are_seen(open_page: OpenPage) -> None:
    page = open_page(TRUTH)
    page.keyboard.press("j")
    page.keyboard.press("Control+End")
    page.locator(f"#cell-{ROWS - 1}-0", has_text=str(ROWS - 1)).wait_for()
    assert page.locator(".grid-row").count() < 60


def test_more_rows_than_a_browser_has_pixels_are_all_reached(open_page: OpenPage) -> None:
    page = open_page(LONG)
    shown_count(page, "600,000 of 600,000 rows")
    page.keyboard.press("j")
    page.keyboard.press("Control+End")
    page.locator("#cell-599999-0", has_text="1199998").wait_for()
    page.keyboard.press("g")
    page.keyboard.type("300001")
    page.keyboard.press("Enter")
    page.locator("#cell-300000-0", has_text="600000").wait_for()
    assert page.locator("#cell-300000-0").bounding_box()["y"] < 400
    page.mouse.move(400, 500)
    page.mouse.wheel(0, 56)
    # Two rows, not some hundreds.
    wait_for(lambda: "start=300002" in parts(page))


def test_a_long_state_is_kept_by_the_server(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.get_by_role("combobox", name="Condition").fill("guess != label " + "or id < 0 " * 700)
    page.keyboard.press("Enter")
    shown_count(page, f"{WRONG} of {ROWS} rows")
    wait_for(lambda: "view=" in parts(page))
    assert len(parts(page)) < 100
    page.reload()
    shown_count(page, f"{WRONG} of {ROWS} rows")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_does_not_scroll_sideways(open_page: OpenPage, scheme: str) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    for path in (ZOO, f"{JOINED}?group=label", f"{ZOO}?row=3"):
        page = open_page(path, **options)
        shown_count(page, "rows")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_filters_sorts_and_turns_without_scripts(open_page: OpenPage) -> None:
    page = open_page(JOINED, java_script_enabled=False)
    page.locator("#first-where").fill("guess != label")
    page.get_by_role("button", name="Show").click()
    shown_count(page, f"{WRONG} of {ROWS} rows")
    page.get_by_role("link", name="score").click()
    assert page.locator("th[aria-sort=ascending]").count() == 1
    assert page.locator("svg.facet").count() >= 3
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("link", name="Next rows").click()
    assert page.locator("tbody tr").count() == 50
    page.locator("select[name=group]").select_option("label")
    page.get_by_role("button", name="Show").click()
    assert page.locator("tbody tr").count() == 10
    page.locator("#first-where").fill("guess !=")
    page.get_by_role("button", name="Show").click()
    assert "^" in page.get_by_role("alert").inner_text()


def test_the_error_of_a_condition_is_not_hidden_behind_completions(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.clock.install()
    page.reload()
    shown_count(page, f"{ROWS} of {ROWS} rows")
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    box = page.get_by_role("combobox", name="Condition")
    box.focus()
    # The answer is there before the box asks what `guess != ` may go on with.
    page.keyboard.insert_text("guess != nolabel")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="nolabel").wait_for()
    page.clock.run_for(1000)
    page.clock.resume()
    page.wait_for_timeout(300)
    assert page.locator("#condition-list").is_hidden()
    # Whoever goes on writing is helped again.
    page.keyboard.press("End")
    for _ in "nolabel":
        page.keyboard.press("Backspace")
    page.locator("#condition-list [role=option]").first.wait_for()


def test_groups_of_a_filter_are_told_with_the_rows_they_are_of(open_page: OpenPage) -> None:
    page = open_page(f"{JOINED}?group=guess")
    shown_count(page, f"9 groups of {ROWS} rows")
    page.get_by_role("combobox", name="Condition").fill("guess != label")
    page.keyboard.press("Enter")
    shown_count(page, f"1 group of {WRONG} of {ROWS} rows")
    page.goto(f"{page.url.split('?')[0]}?where=guess!%3Dlabel&group=guess")
    shown_count(page, f"1 group of {WRONG} of {ROWS} rows")


def test_a_computed_column_that_cannot_be_used_is_there_to_be_changed(open_page: OpenPage) -> None:
    page = open_page(JOINED)
    page.get_by_role("button", name="Menu of guess").click()
    page.get_by_role("menuitem", name="Computed column…").click()
    page.get_by_role("textbox", name="Name").fill("wrong")
    page.get_by_role("textbox", name="Value").fill("guess != labl")
    page.get_by_role("button", name="Add").click()
    page.get_by_text("did you mean label?").wait_for()
    assert page.get_by_role("textbox", name="Name").input_value() == "wrong"
    assert page.get_by_role("textbox", name="Value").input_value() == "guess != labl"
    page.get_by_role("textbox", name="Value").fill("guess != label")
    page.get_by_role("button", name="Add").click()
    head(page, "wrong").wait_for()
    assert page.get_by_text("did you mean label?").is_hidden()


def test_a_computed_column_is_seen_as_soon_as_it_is_there(open_page: OpenPage) -> None:
    page = open_page(ZOO)
    head(page, "name").wait_for()
    page.get_by_role("button", name="Menu of name").click()
    page.get_by_role("menuitem", name="Computed column…").click()
    page.get_by_role("textbox", name="Name").fill("far")
    page.get_by_role("textbox", name="Value").fill("number * 2")
    page.get_by_role("button", name="Add").click()
    head(page, "far").wait_for()

    def is_seen() -> bool:
        # Between two drawings there is none.
        box = head(page, "far").bounding_box()
        return box is not None and box["x"] < 1280

    wait_for(is_seen)

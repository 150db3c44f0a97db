"""The graph of lineage in Chromium: walked by keys, moved by hand, read without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from artstore.api import Store
from tests.browser.generations import GENERATIONS, NODES, SIDE, fill_generations
from tests.browser.serving import serving
from tests.browser.test_pages_are_accessible import RUN, SERIOUS
from tests.browser.watching import Watched
from tests.trees import open_at
from tests.unit.web.lineageshelf import fill_lineage
from tests.unit.web.shelves import fill

LAST: Final = [f"demo/line-{number}:v{GENERATIONS - 1}" for number in range(SIDE)]
EVERYTHING: Final = urlencode({"node": LAST, "direction": "up", "depth": "all"}, doseq=True)
MODEL: Final = "/lineage?node=demo/model:v0"
FOCUS: Final = """() => {
  const tile = document.activeElement;
  const stage = document.getElementById("lineage-stage").getBoundingClientRect();
  const box = tile.getBoundingClientRect();
  const isIn = box.left >= stage.left && box.right <= stage.right
    && box.top >= stage.top && box.bottom <= stage.bottom;
  const isMarked = getComputedStyle(tile).outlineStyle !== "none";
  return { tile: tile.dataset.tile ?? null, layer: Number(tile.dataset.layer ?? -1),
    name: tile.getAttribute("aria-label"), isSeen: isIn && isMarked };
}"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    root = tmp_path_factory.mktemp("lineage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        yield fill_generations(fill_lineage(fill(open_at(root / "store", project="demo"))))


@pytest.fixture(scope="module")
def place(store: Store) -> Iterator[str]:
    with serving(store) as address:
        yield address


@pytest.fixture
def watched(browser: Any, place: str) -> Iterator[Watched]:
    found = Watched(browser, place)
    yield found
    assert found.errors == []
    assert found.dialogs == []
    assert found.hosts == set()
    found.context.close()


def focus(page: Any) -> dict[str, Any]:
    """The tile that has the focus: it is seen, and can be told from the others."""
    found: dict[str, Any] = page.evaluate(FOCUS)
    assert found["tile"], found
    assert found["isSeen"], found
    return found


def step(page: Any, key: str) -> dict[str, Any]:
    page.keyboard.press(key)
    return focus(page)


def titled(page: Any, title: str) -> Any:
    return page.locator("a.tile", has=page.locator(f"text.title >> text='{title}'"))


def query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_500_nodes_are_exploded_and_walked_by_keyboard(watched: Watched) -> None:
    page = watched.page
    watched.goto(f"/lineage?{EVERYTHING}")
    assert page.locator("a.tile").count() < 20
    page.get_by_role("link", name="Explode all").press("Enter")
    page.locator("#lineage-status", has_text=f"{NODES} nodes in {NODES} tiles").wait_for()
    assert page.locator("a.tile").count() == NODES
    assert query(page)["explode"] == ["1"]
    begin = step(page, "Home")
    assert re.match(r"Version line-\d:v24", begin["name"])
    way = [begin]
    for number in range(2 * GENERATIONS - 1):
        found = step(page, "ArrowLeft")
        assert found["layer"] == way[-1]["layer"] - 1, number
        way.append(found)
    assert way[-1]["layer"] == 0
    assert way[-1]["name"].startswith("Run run 0.")
    before = way[-1]
    # Nothing is farther left: the focus stays.
    assert step(page, "ArrowLeft") == before
    for expected in reversed(way[:-1]):
        assert step(page, "ArrowRight")["tile"] == expected["tile"]
    seen = {begin["tile"]}
    for _ in range(SIDE):
        seen.add(step(page, "ArrowUp")["tile"])
    for _ in range(SIDE):
        found = step(page, "ArrowDown")
        seen.add(found["tile"])
        assert found["layer"] == begin["layer"]
    assert len(seen) == SIDE
    assert page.locator(".strand.near").count() >= 1
    # One stop for Tab, however many tiles.
    assert page.locator("a.tile[tabindex='0']").count() == 1


def test_a_stack_is_exploded_by_a_key_and_folded_by_it(watched: Watched) -> None:
    page = watched.page
    watched.goto(MODEL)
    page.locator("a.tile[tabindex='0']").focus()
    assert focus(page)["name"].startswith("Version model:v0")
    assert step(page, "ArrowRight")["name"].startswith("Runs sweep, 6 runs")
    group = focus(page)["tile"]
    page.keyboard.press("e")
    titled(page, "sweep5").wait_for()
    assert re.match(r"Run sweep\d", focus(page)["name"])
    assert query(page)["open"] == [group]
    step(page, "ArrowDown")
    page.keyboard.press("e")
    page.locator(f"#t-{group}").wait_for()
    assert focus(page)["tile"] == group
    assert "open" not in query(page)
    page.go_back()
    titled(page, "sweep5").wait_for()


def test_a_card_opens_by_keys_and_by_hand(watched: Watched) -> None:
    page = watched.page
    watched.goto(MODEL)
    card = page.locator("#lineage-card")
    page.locator("a.tile.root").focus()
    page.keyboard.press("Enter")
    card.get_by_role("heading", name="demo/model:v0").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "demo/model:v0"
    for told in ("the first", "best", "#bad", "demo/digits:v1"):
        card.get_by_text(told).first.wait_for()
    page.keyboard.press("Escape")
    assert focus(page)["name"].startswith("Version model:v0")
    assert card.is_hidden()
    titled(page, "lively cedar").click()
    card.get_by_text("train.py --lr 1").wait_for()
    for told in ("0.75", "c0ffee", "with uncommitted changes"):
        card.get_by_text(told).first.wait_for()
    titled(page, "digits:v0").click()
    pictures = card.locator("img")
    pictures.nth(7).wait_for()
    page.wait_for_function(
        "[...document.querySelectorAll('#lineage-card img')].every((one) => one.naturalWidth > 0)"
    )
    titled(page, "sweep").click()
    card.get_by_role("heading", name="6 in it").wait_for()
    card.get_by_role("link", name="Explode").click()
    titled(page, "sweep5").wait_for()
    titled(page, "digits:v0").click()
    card.get_by_role("link", name="Open the version").click()
    page.wait_for_url("**/p/demo/c/digits/v0")
    page.get_by_role("link", name="Lineage", exact=True).click()
    page.wait_for_url("**/lineage?node=demo%2Fdigits%3Av0")


def test_what_is_searched_for_is_found_within_stacks_too(watched: Watched) -> None:
    page = watched.page
    watched.goto(MODEL)
    page.locator("a.tile.root").focus()
    page.keyboard.press("/")
    page.keyboard.type("swept:v3")
    page.keyboard.press("Enter")
    page.locator("#lineage-status", has_text="1 node found: swept").wait_for()
    assert focus(page)["name"].startswith("Versions swept, 6 versions, v0 to v5, 6 stale, 1 found")
    assert query(page)["search"] == ["swept:v3"]
    page.get_by_role("link", name="Explode all").click()
    page.locator("a.tile.version", has=page.locator(".found")).wait_for()
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    page.keyboard.press("Enter")
    page.locator("#lineage-status", has_text="0 nodes found.").wait_for()


def test_the_picture_is_zoomed_and_moved(watched: Watched) -> None:
    page = watched.page
    watched.goto(f"/lineage?{EVERYTHING}&explode=1")
    svg = page.locator("#lineage-graph")

    def width() -> float:
        return float(svg.get_attribute("width"))

    def scrolled() -> list[float]:
        found: list[float] = page.evaluate(
            "(({scrollLeft, scrollTop}) => [scrollLeft, scrollTop])"
            "(document.getElementById('lineage-stage'))"
        )
        return found

    whole = width()
    page.locator("a.tile[tabindex='0']").focus()
    page.keyboard.press("+")
    assert width() == pytest.approx(1.25 * whole, rel=0.01)
    page.keyboard.press("-")
    assert width() == pytest.approx(whole, rel=0.01)
    page.get_by_role("button", name="See all of it").click()
    assert width() < whole / 3
    page.locator("#lineage-stage").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -600)
    page.keyboard.up("Control")
    page.wait_for_function(
        "(least) => Number(document.getElementById('lineage-graph').getAttribute('width')) > least",
        arg=whole / 2,
    )
    box = page.locator("#lineage-stage").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = scrolled()
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 120, middle[1], steps=4)
    page.mouse.up()
    assert scrolled()[0] == pytest.approx(max(before[0] - 120, 0), abs=2)
    # A drag is no click, whatever it began and ended on.
    assert page.locator("#lineage-card").is_hidden()


def test_two_fingers_zoom_on_a_small_screen(browser: Any, place: str) -> None:
    watched = Watched(
        browser, place, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = watched.page
    watched.goto(f"{MODEL}&explode=1")
    page.locator("a.tile.root").tap()
    page.locator("#lineage-card").get_by_role("heading", name="demo/model:v0").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    stage = page.locator("#lineage-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + min(box["height"], 200) / 2
    before = float(page.locator("#lineage-graph").get_attribute("width"))
    session = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 30), ("touchMove", 60), ("touchEnd", 0)):
        points = [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}] if apart else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function(
        "(least) => Number(document.getElementById('lineage-graph').getAttribute('width')) > least",
        arg=1.5 * before,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert watched.errors == []
    watched.context.close()


def test_without_scripts_the_links_lead_on(browser: Any, place: str) -> None:
    watched = Watched(browser, place, java_script_enabled=False)
    page = watched.page
    watched.goto(MODEL)
    titled(page, "swept").click()
    page.wait_for_url(re.compile(r"open="))
    titled(page, "swept:v2").wait_for()
    page.get_by_text("The same as a list").click()
    page.get_by_role("row", name="swept:v2").get_by_role("link", name="extract swept:v2").click()
    page.locator(".note", has_text="beside what was extracted").wait_for()
    page.get_by_label("Find").fill("lively")
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator("#lineage-status", has_text="1 node found").wait_for()
    assert "extract" in query(page)
    titled(page, "swept:v2").click()
    page.wait_for_url("**/p/demo/c/swept/v2")
    watched.context.close()


def test_hostile_names_are_only_text(watched: Watched) -> None:
    page = watched.page
    watched.goto("/lineage?node=run:demo/evil&explode=1&search=script")
    page.locator("a.tile.root").focus()
    page.keyboard.press("Enter")
    page.locator("#lineage-card").get_by_text("<script>").first.wait_for()
    assert page.locator("#content script").count() == 0
    assert "\u202e" not in page.locator("#lineage-view").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_row_leads_to_the_graph_of_where_it_came_in(watched: Watched) -> None:
    page = watched.page
    watched.goto("/p/demo/c/guesses/v0/tables/joined?row=7")
    panel = page.locator("dialog.row-panel")
    panel.get_by_text("Where does this come from?").click()
    line = panel.locator(".origins li", has_text="media/images/")
    assert "demo/digits:v0" in line.inner_text()
    panel.locator(".origins li", has_text="pred").get_by_text("row 7 of pred").wait_for()
    line.get_by_role("link", name="lineage").click()
    page.wait_for_url("**/lineage?*")
    note = page.locator("section.note")
    assert "Row 7, column image" in note.inner_text()
    assert page.get_by_role("heading", level=1).inner_text() == "Lineage of digits:v0"


def test_the_page_has_nothing_serious_in_light_and_dark(
    browser: Any, place: str, shots: Path
) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    # Our own policy keeps strangers' scripts out, and axe is one.
    watched = Watched(browser, place, bypass_csp=True)
    script = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    watched.context.add_init_script(script)
    page = watched.page
    for path in (
        f"{MODEL}&explode=1&search=best",
        "/lineage?node=demo/digits:v0",
        f"{MODEL}&depth=1",
    ):
        page.emulate_media(color_scheme="light")
        watched.goto(path)
        page.locator("details.lineage-list summary").click()
        page.locator("a.tile.root").focus()
        page.keyboard.press("Enter")
        page.locator("#lineage-card dl").first.wait_for()
        page.screenshot(path=shots / "lineage-light.png")
        found = page.evaluate(RUN, None)
        page.emulate_media(color_scheme="dark")
        page.screenshot(path=shots / "lineage-dark.png")
        found += page.evaluate(RUN, ["color-contrast"])
        assert [one for one in found if one["impact"] in SERIOUS] == []
    watched.context.close()

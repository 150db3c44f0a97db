"""The grid of pictures and the panel of one sample, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from tests.browser.serving import serving
from tests.browser.test_table_page import parts, shown_count, wait_for
from tests.browser.watching import Watched
from tests.trees import open_at

OpenPage = Callable[..., Any]

ROWS: Final = 2_000
PICTURES: Final = "/p/demo/c/pictures/v1/tables/small"
LARGE: Final = "/p/demo/c/pictures/v1/tables/large"
ZOO: Final = "/p/demo/c/zoo/v0/tables/everything"
GUESSES: Final = "/p/demo/c/guesses/v0/tables/joined"
SEEN_MAX: Final = 200
"""Pictures that are in the page at once, at the usual size in a window of 1280 x 800."""


@pytest.fixture(scope="module")
def pictures(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """
    demo/pictures, v0 and v1: the tables `small` with 2,000 rows, of which every hundredth has
    another guess in v1, and `large` with two pictures, one of which is damaged.
    """
    root = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = open_at(root / "store", project="demo")
        large = [_noise(0), _noise(1)]
        for version in range(2):
            small = art.Table(["id", "image", "label", "guess"])
            for number in range(ROWS):
                wrong = version if number % 100 == 0 else 0
                pixels = np.full((8, 8), number % 251, np.uint8)
                pixels[number % 8, number % 7] = 255
                small.add_data(number, art.Image(pixels), number % 10, number % 10 + wrong)
            draft = art.Artifact("pictures", "dataset")
            draft.add(small, "small")
            draft.add(art.Table(["id", "image"], data=[[0, large[0]], [1, large[1]]]), "large")
            store.log_artifact(draft)
        _damage(root / "store" / "packs")
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "empty"))
        yield open_at(root / "store", project="demo")


def _noise(seed: int) -> art.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (300, 400, 3))
    return art.Image(pixels.astype(np.uint8), caption=f"noise {seed}")


def _damage(packs: Path) -> None:
    """Change bytes of the last large picture in a pack; whoever has read it would know it still."""
    (pack,) = sorted(packs.rglob("*-*"), key=lambda path: path.stat().st_size)[-1:]
    data = pack.read_bytes()
    begins = [found.start() for found in re.finditer(rb"\x89PNG\r\n", data)]
    ends = [*begins[1:], len(data)]
    place = [at for at, end in zip(begins, ends, strict=True) if end - at > 100_000][-1] + 5_000
    pack.chmod(0o644)
    pack.write_bytes(data[:place] + bytes(64) + data[place + 64 :])


@pytest.fixture(scope="module")
def pictures_address(pictures: Store) -> Iterator[str]:
    with serving(pictures) as found:
        yield found


@pytest.fixture
def watched(browser: Any, pictures_address: str) -> Iterator[Watched]:
    found = Watched(browser, pictures_address)
    yield found
    found.context.close()


def tile(page: Any, place: int) -> Any:
    return page.locator(f"#tile-{place}")


def top_of(page: Any, place: int) -> float:
    """How far below the upper edge of the grid a picture is."""
    grid = page.locator(".image-grid").bounding_box()["y"]
    return float(tile(page, place).bounding_box()["y"] - grid)


def resize(page: Any, size: int) -> None:
    page.get_by_label("Size of pictures").fill(str(size))
    wait_for(lambda: f"size={size}" in parts(page))


def test_of_many_pictures_only_those_that_are_seen_are_there(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?mode=images")
    page = watched.page
    grid = page.get_by_role("listbox", name="Pictures of small")
    tile(page, 0).locator("img").wait_for()
    images = page.locator(".image-grid img")
    assert 10 < images.count() < SEEN_MAX
    grid.focus()
    page.keyboard.press("End")
    tile(page, ROWS - 1).locator("img").wait_for()
    assert images.count() < SEEN_MAX
    assert tile(page, 0).count() == 0
    assert tile(page, ROWS - 1).get_attribute("aria-setsize") == str(ROWS)
    assert not watched.errors


def test_the_place_stays_when_the_size_changes(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?mode=images&start=1003")
    page = watched.page
    tile(page, 1003).locator("img").wait_for()
    for size in (256, 48, 304, 512, 128):
        resize(page, size)
        wait_for(lambda: tile(page, 1003).count() == 1)
        assert -1 <= top_of(page, 1003) < 40, size
        drawn = tile(page, 1003).locator("img").bounding_box()["width"]
        assert drawn >= size - 1
    page.reload()
    tile(page, 1003).locator("img").wait_for()
    assert "size=128" in parts(page)
    # There is no room for words, which these pictures have not.
    wait_for(lambda: tile(page, 1003).locator(".tile-line").count() == 2)
    page.get_by_role("button", name="Images").click()
    page.get_by_role("rowheader", name="1003", exact=True).wait_for()
    assert not watched.errors


def test_keys_move_and_open_and_lead_back(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?mode=images")
    page = watched.page
    tile(page, 0).locator("img").wait_for()

    def is_active(place: int) -> bool:
        grid = page.get_by_role("listbox", name="Pictures of small")
        told = grid.get_attribute("aria-activedescendant") == f"tile-{place}"
        return told and "active" in str(tile(page, place).get_attribute("class")).split()

    page.keyboard.press("j")
    wait_for(lambda: is_active(0))
    for key, place in (("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        wait_for(lambda place=place: is_active(place))  # type: ignore[misc]
    page.keyboard.press("ArrowDown")
    wait_for(lambda: not is_active(0))
    below = page.locator(".tile.active")
    assert below.bounding_box()["x"] == tile(page, 0).bounding_box()["x"]
    place = int(below.get_attribute("id").removeprefix("tile-"))
    page.keyboard.press("Enter")
    panel = page.locator("dialog.row-panel")
    panel.get_by_role("heading", name=f"Row {place}").wait_for()
    page.keyboard.press("ArrowRight")
    panel.get_by_role("heading", name=f"Row {place + 1}").wait_for()
    wait_for(lambda: f"row={place + 1}" in parts(page))
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    assert is_active(place + 1)
    assert page.evaluate("document.activeElement.getAttribute('role')") == "listbox"
    tile(page, 3).click()
    panel.get_by_role("heading", name="Row 3").wait_for()
    assert not watched.errors


def test_pictures_follow_the_filter_and_stand_by_group(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?mode=images&where=label+%3C+2&group=label&sort=desc:id")
    page = watched.page
    shown_count(page, "400 of 2,000 rows")
    page.locator(".tile-head", has_text="label 0 · 200 rows").wait_for()
    page.get_by_role("listbox").focus()
    page.keyboard.press("End")
    head = page.locator(".tile-head", has_text="label 1 · 200 rows")
    tile(page, 399).wait_for()
    page.get_by_role("button", name="Captions").click()
    page.get_by_role("checkbox", name="id", exact=True).check()
    page.keyboard.press("Escape")
    # Of those with the label 1 the one with the least id is the last.
    tile(page, 399).get_by_text("id 1", exact=True).wait_for()
    wait_for(lambda: 'captions=["id","label","guess"]' in parts(page))
    page.get_by_role("listbox").focus()
    for _ in range(60):
        if head.count():
            break
        page.keyboard.press("PageUp")
        time.sleep(0.05)
    assert head.count() == 1
    told = page.locator(".tile, .tile-head").all()
    places = [one.bounding_box() for one in told]
    assert places == sorted(places, key=lambda box: (round(box["y"]), box["x"]))
    page.get_by_role("combobox", name="Condition").fill("id < 0")
    page.keyboard.press("Enter")
    shown_count(page, "0 of 2,000 rows")
    page.get_by_text("No row matches.").filter(visible=True).wait_for()
    assert not watched.errors


def test_a_class_is_switched_in_all_pictures_without_a_request(open_page: OpenPage) -> None:
    page = open_page(f"{ZOO}?mode=images&size=200")
    tile(page, 0).locator("canvas.mask").wait_for()
    page.wait_for_load_state("networkidle")
    before = tile(page, 0).screenshot()
    asked: list[str] = []
    # The picture of the site itself is asked for whenever the browser likes.
    page.on("request", lambda one: "icon" in one.url or asked.append(one.url))
    page.get_by_role("button", name="Boxes and masks").click()
    page.get_by_role("checkbox", name="cat").uncheck()
    wait_for(lambda: tile(page, 0).locator("g:visible").count() == 1)
    boxes = tile(page, 0).screenshot()
    page.get_by_role("checkbox", name="road").uncheck()
    masks = tile(page, 0).screenshot()
    assert len({before, boxes, masks}) == 3
    wait_for(lambda: "hide-class=road" in parts(page))
    assert asked == []


def test_boxes_and_masks_are_switched_in_the_panel_too(open_page: OpenPage) -> None:
    page = open_page(f"{ZOO}?mode=images&row=3")
    panel = page.locator("dialog.row-panel")
    boxes = panel.locator(".boxes g:visible")
    wait_for(lambda: boxes.count() == 2)
    panel.get_by_role("checkbox", name="cat").uncheck()
    wait_for(lambda: boxes.count() == 1)
    panel.get_by_role("slider", name="sure at least").fill("0.95")
    panel.get_by_role("slider", name="Opacity of masks").fill("20")
    wait_for(lambda: panel.locator("canvas.mask").evaluate("one => one.style.opacity") == "0.2")
    panel.get_by_role("button", name="next →").click()
    panel.get_by_role("heading", name="Row 4").wait_for()
    assert not panel.get_by_role("checkbox", name="cat").is_checked()
    wait_for(lambda: boxes.count() == 1)


def test_a_picture_is_enlarged_in_steps_and_dragged(watched: Watched) -> None:
    watched.goto(f"{LARGE}?row=0")
    page = watched.page
    panel = page.locator("dialog.row-panel")
    image = panel.locator("figure img")
    image.wait_for()
    assert image.bounding_box()["width"] == 400
    panel.get_by_text("100 %").wait_for()
    for _ in range(2):
        panel.get_by_role("button", name="Larger").click()
    panel.get_by_text("400 %").wait_for()
    assert image.bounding_box()["width"] == 1600
    assert "pixelated" in image.get_attribute("class")
    panel.get_by_role("button", name="Smooth").click()
    assert "pixelated" not in image.get_attribute("class")
    wait_for(lambda: "smooth=on" in parts(page))
    frame = panel.locator(".zoom-frame")
    left = frame.evaluate("one => one.scrollLeft")
    box = frame.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 150, steps=4)
    page.mouse.up()
    wait_for(lambda: frame.evaluate("one => one.scrollLeft") >= left + 70)
    page.keyboard.press("0")
    panel.get_by_text("100 %").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The neighbour that was fetched ahead is the damaged one.
    assert all("500" in error for error in watched.errors)


def test_small_pictures_show_their_pixels(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?row=3")
    image = watched.page.locator("dialog.row-panel figure img")
    image.wait_for()
    assert image.evaluate("one => getComputedStyle(one).imageRendering") == "pixelated"
    assert image.bounding_box()["width"] >= 200


def test_the_same_example_of_another_version_stands_beside_it(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?row=100")
    page = watched.page
    samples = page.get_by_role("region", name="The same row in other versions")
    row = samples.get_by_role("row").filter(has=page.get_by_role("link", name="v0"))
    row.locator(".differs", has_text="≠ 0").wait_for()
    assert samples.get_by_role("columnheader").all_inner_texts() == ["version", "guess"]
    page.keyboard.press("ArrowRight")
    samples.get_by_text("The same in v0").wait_for()
    page.keyboard.press("ArrowLeft")
    row.get_by_role("link", name="v0").click()
    page.locator("dialog.row-panel").get_by_role("heading", name="Row 100").wait_for()
    assert "/v0/tables/small" in page.url
    assert not watched.errors


def test_the_address_of_what_is_seen_can_be_copied(browser: Any, pictures_address: str) -> None:
    watched = Watched(browser, pictures_address, permissions=["clipboard-read", "clipboard-write"])
    watched.goto(f"{PICTURES}?mode=images&where=label+%3D+3")
    page = watched.page
    tile(page, 2).click()
    page.locator("dialog.row-panel").get_by_role("heading", name="Row 23").wait_for()
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    page.goto(copied)
    page.locator("dialog.row-panel").get_by_role("heading", name="Row 23").wait_for()
    shown_count(page, "200 of 2,000 rows")
    watched.context.close()


def test_a_damaged_picture_is_told_and_the_others_are_shown(watched: Watched) -> None:
    watched.goto(f"{LARGE}?mode=images")
    page = watched.page
    broken = page.locator(".tile", has_text="cannot be shown")
    broken.wait_for()
    assert broken.count() == 1
    broken.get_by_text("noise").wait_for()
    whole = page.locator(".tile img")
    wait_for(lambda: whole.count() == 1 and whole.evaluate("one => one.naturalWidth") > 0)
    broken.click()
    panel = page.locator("dialog.row-panel")
    panel.get_by_text("cannot be shown").wait_for()
    panel.get_by_role("button", name="Close").click()
    assert watched.page.get_by_role("listbox").count() == 1


def test_the_next_sample_comes_at_once(watched: Watched) -> None:
    watched.goto(f"{PICTURES}?mode=images&row=10")
    page = watched.page
    panel = page.locator("dialog.row-panel")
    panel.locator("figure img").wait_for()
    times = []
    for number in range(11, 26):
        page.wait_for_load_state("networkidle")
        times.append(
            page.evaluate(
                """async (name) => {
                  const panel = document.querySelector("dialog.row-panel");
                  const begin = performance.now();
                  const init = { key: "ArrowRight", bubbles: true };
                  panel.querySelector("h2").dispatchEvent(new KeyboardEvent("keydown", init));
                  while (!panel.querySelector("h2").textContent.startsWith(name))
                    await new Promise(requestAnimationFrame);
                  await panel.querySelector("figure img").decode();
                  await new Promise(requestAnimationFrame);
                  return performance.now() - begin;
                }""",
                f"Row {number} ",
            )
        )
    print(f"next sample: median {median(times):.0f} ms, longest {max(times):.0f} ms")  # noqa: T201 - a measurement of the run


@pytest.mark.parametrize("scripts", [True, False])
def test_nothing_is_wider_than_a_telephone(open_page: OpenPage, scripts: bool) -> None:
    viewport = {"width": 390, "height": 844}
    page = open_page(f"{GUESSES}?mode=images", viewport=viewport, java_script_enabled=scripts)
    page.locator(".image-grid img" if scripts else ".gallery img").first.wait_for()
    if scripts:
        resize(page, 512)
        tile(page, 0).locator("img").wait_for()
        assert tile(page, 0).bounding_box()["width"] <= 390
        tile(page, 0).click()
        page.locator("dialog.row-panel figure img").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

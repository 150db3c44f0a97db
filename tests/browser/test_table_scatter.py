"""Rows of a table as points: a lasso around some of them becomes a condition of the view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from tests.browser.drawing import drag
from tests.browser.serving import serving
from tests.browser.test_table_page import shown_count
from tests.browser.watching import Watched
from tests.browser.zoo import PROJECT
from tests.trees import open_at

TABLE = "/p/demo/c/points/v0/tables/rows"
COUNT = 400


@pytest.fixture(scope="module")
def store(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A table of 20 x 20 places, as two columns and as one."""
    assert browser is not None
    store = open_at(tmp_path_factory.mktemp("points") / "store", project=PROJECT)
    at = np.arange(COUNT)
    places = np.stack([at % 20, at // 20], axis=1).astype(np.float32)
    kinds = ["cat", "dog", "<script>"]
    columns = {
        "id": at,
        "left": places[:, 0].astype(float),
        "top of it": places[:, 1].astype(float),
        "place": list(places),
        "kind": [kinds[one % 3] for one in at],
    }
    draft = art.Artifact("points", "dataset")
    draft.add(art.Table(data=columns), "rows")
    store.log_artifact(draft)
    return store


@pytest.fixture
def watched(browser: Any, store: Store) -> Iterator[Watched]:
    with serving(store) as address:
        found = Watched(browser, address)
        yield found
        found.context.close()
    assert found.errors == []


def opened(watched: Watched, column: str, query: str = "") -> Any:
    watched.goto(TABLE + query)
    page = watched.page
    page.get_by_role("button", name=f"Menu of {column}", exact=True).click()
    page.get_by_role("menuitem", name="Points").click()
    page.locator(".table-scatter").get_by_text(" rows", exact=False).first.wait_for()
    page.locator(".table-scatter .chart-frame[aria-label*=' over ']").wait_for()
    return page


def share(page: Any, x: float, y: float) -> tuple[float, float]:
    """A place in the picture; 0, 0 is its lower left corner."""
    box = page.locator(".table-scatter .chart-frame").bounding_box()
    left, right = box["x"] + 30, box["x"] + box["width"] - 12
    top, bottom = box["y"] + 20, box["y"] + box["height"] - 34
    return left + (right - left) * x, bottom - (bottom - top) * y


def conditions(page: Any) -> list[str]:
    return [text for name, text in parse_qsl(urlsplit(page.url).query) if name == "where"]


def matching(page: Any) -> int:
    text = page.locator("#table-count strong").inner_text()
    return int(text.replace(",", ""))


@pytest.mark.parametrize("column", ["place", "left"])
def test_a_lasso_filters_the_table(watched: Watched, column: str) -> None:
    page = opened(watched, column)
    if column == "left":
        page.get_by_label("Up", exact=True).select_option("top of it")
        page.locator(".chart-frame[aria-label*='top of it over left']").wait_for()
    drag(page, *(share(page, x, y) for x, y in ((0.0, 0.0), (0.6, 0.0), (0.0, 0.6))))
    told = page.locator(".table-scatter .chart-tools").last
    told.get_by_text("of 400 rows").wait_for()
    count = int(told.inner_text().rpartition("Choose none")[2].split()[0])
    assert 40 < count < 150
    shown_count(page, f"{count} of {COUNT} rows")
    (text,) = conditions(page)
    name = "place[1]" if column == "place" else '"left"'
    assert text.startswith(f"{name} BETWEEN ")
    # The address alone brings the same rows.
    page.reload()
    shown_count(page, f"{count} of {COUNT} rows")


def test_a_lasso_takes_the_place_of_the_one_before_and_goes_with_its_chip(
    watched: Watched,
) -> None:
    page = opened(watched, "place", "?where=id%20%3C%20200")
    drag(page, *(share(page, x, y) for x, y in ((0.0, 0.0), (0.5, 0.0), (0.5, 1), (0.0, 1))))
    page.wait_for_function("() => new URLSearchParams(location.search).getAll('where').length > 1")
    first = conditions(page)
    page.wait_for_function("() => document.querySelector('#table-count').innerText[0] === '1'")
    assert first[0] == "id < 200"
    assert matching(page) == 100
    page.keyboard.down("Shift")
    drag(page, *(share(page, x, y) for x, y in ((0.5, 0.0), (1, 0.0), (1, 1), (0.5, 1))))
    page.keyboard.up("Shift")
    shown_count(page, f"200 of {COUNT} rows")
    assert " OR " in conditions(page)[1]
    page.get_by_role("button", name="Choose none").click()
    shown_count(page, f"200 of {COUNT} rows")
    assert conditions(page) == ["id < 200"]
    drag(page, *(share(page, x, y) for x, y in ((0.0, 0.0), (0.5, 0.0), (0.5, 1), (0.0, 1))))
    shown_count(page, f"100 of {COUNT} rows")
    page.go_back()
    shown_count(page, f"200 of {COUNT} rows")
    page.get_by_role("button", name="Choose none").wait_for(state="hidden")


def test_points_are_chosen_by_keyboard_and_opened(watched: Watched) -> None:
    page = opened(watched, "place")
    page.get_by_label("Colour by").select_option("kind")
    page.get_by_text("cat (134)").wait_for()
    page.locator(".table-scatter .chart-frame").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    shown_count(page, f"100 of {COUNT} rows")
    page.keyboard.press("Escape")
    shown_count(page, f"{COUNT} of {COUNT} rows")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()

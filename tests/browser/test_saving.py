"""Saving from the page, in a real browser, over a server that may write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from artstore.api import Store
from artstore.web.app import create_app
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from tests.browser.test_table_page import wait_for
from tests.browser.zoo import PROJECT, WRONG, fill
from tests.trees import open_at

JOINED = "/p/demo/c/guesses/v0/tables/joined"
PRED = "/p/demo/c/guesses/v0/tables/pred"
TRUTH = "/p/demo/c/guesses/v0/tables/truth"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of the test's own."""
    return fill(open_at(tmp_path / "store", project=PROJECT))


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """The address of a server that may write."""
    site = open_site(store, ServeSettings(write=True))
    config = uvicorn.Config(create_app(site), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_a_view_is_saved_and_found_again(open_page: Callable[..., Any]) -> None:
    page = open_page(f"{JOINED}?where=guess%20!%3D%20label&sort=desc:score")
    page.get_by_role("button", name="Save view").click()
    dialog = page.get_by_role("dialog", name="Save view")
    dialog.get_by_label("Title").fill("Top errors")
    dialog.get_by_label("Description").fill("what goes wrong")
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_role("link", name="All saved views").click()
    page.get_by_role("link", name="Top errors", exact=True).click()
    page.locator("#table-count", has_text=f"{WRONG} of").wait_for()
    page.get_by_role("grid").wait_for()


def test_a_label_is_corrected_and_saved_as_a_new_version(
    open_page: Callable[..., Any], store: Store
) -> None:
    page = open_page(f"{TRUTH}?row=12")
    panel = page.get_by_role("dialog", name="Row 12")
    panel.get_by_role("button", name="Edit label").click()
    field = panel.get_by_label("New value of label")
    # Letters that are keys of the panel elsewhere.
    field.fill("")
    field.press_sequentially("7")
    field.press("Enter")
    panel.get_by_text("→ 7").wait_for()
    panel.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="1 edit").click()
    dialog = page.get_by_role("dialog", name="Save rows")
    assert dialog.get_by_text("row 12, label: 7").count() == 1
    assert dialog.get_by_label("Artifact and table").input_value() == "guesses/truth"
    dialog.get_by_label("Message").fill("by hand")
    dialog.get_by_role("button", name="Save", exact=True).click()
    dialog.get_by_role("link", name="demo/guesses:v1/truth").wait_for()
    found = store.artifact("demo/guesses:v1")
    assert found.get("truth").rows[12]["label"] == 7
    assert found.get("pred") is not None
    assert found.metadata["made_from"]["edits"] == 1
    dialog.get_by_role("link", name="demo/guesses:v1/truth").click()
    page.get_by_role("grid").wait_for()
    assert page.url.endswith("/guesses/v1/tables/truth")


def test_a_value_that_does_not_fit_is_told_at_its_field(open_page: Callable[..., Any]) -> None:
    page = open_page(f"{TRUTH}?row=3")
    panel = page.get_by_role("dialog", name="Row 3")
    panel.get_by_role("button", name="Edit label").click()
    panel.get_by_label("New value of label").fill("seven")
    panel.get_by_role("button", name="Keep").click()
    panel.get_by_role("alert").get_by_text(
        "'seven' is no cell of the column 'label', which is int: it is no whole number"
    ).wait_for()
    assert page.get_by_role("button", name="1 edit").count() == 0


def test_edited_cells_are_marked_and_undone_in_the_grid(open_page: Callable[..., Any]) -> None:
    page = open_page(f"{TRUTH}?row=3")
    panel = page.get_by_role("dialog", name="Row 3")
    for name, value in (("label", "7"), ("id", "99")):
        panel.get_by_role("button", name=f"Edit {name}").click()
        panel.get_by_label(f"New value of {name}").fill(value)
        page.keyboard.press("Enter")
        panel.get_by_text(f"→ {value}").wait_for()
    page.keyboard.press("Escape")
    label = page.locator(".grid-cell.edited", has_text="7")
    label.get_by_role("img", name="edited").wait_for()
    page.locator(".grid-cell.edited", has_text="99").wait_for()
    page.keyboard.press("Control+z")
    page.locator(".grid-cell.edited", has_text="99").wait_for(state="detached")
    assert label.count() == 1
    # Who leaves is asked first, and may stay.
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.evaluate("document.querySelector('.crumbs a').click()")
    page.wait_for_timeout(0)
    wait_for(lambda: asked == ["beforeunload"])
    assert label.count() == 1
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="1 edit").wait_for(state="hidden")
    wait_for(lambda: page.locator(".grid-cell.edited").count() == 0)


def test_all_edits_are_taken_back_at_once(open_page: Callable[..., Any]) -> None:
    page = open_page(f"{TRUTH}?row=3")
    panel = page.get_by_role("dialog", name="Row 3")
    for name in ("id", "label"):
        panel.get_by_role("button", name=f"Edit {name}").click()
        panel.get_by_role("button", name="Make null").click()
        panel.get_by_role("button", name=f"Take back the edit of {name}").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="2 edits").click()
    page.get_by_role("dialog", name="Save rows").get_by_role("button", name="Take back all").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="2 edits").wait_for(state="hidden")
    wait_for(lambda: page.locator(".grid-cell.edited").count() == 0)


def test_rows_of_compared_tables_are_saved_as_one_of_them_has_them(
    open_page: Callable[..., Any], store: Store
) -> None:
    page = open_page(f"{PRED}?with=demo/guesses:v0/joined&where=*.guess%20=%205")
    page.get_by_role("button", name="Save rows").click()
    dialog = page.get_by_role("dialog", name="Save rows")
    assert dialog.get_by_role("radio", name="that match").is_checked()
    assert dialog.get_by_role("radio", name="pred").is_checked()
    dialog.get_by_role("radio", name="joined").check()
    dialog.get_by_label("Artifact and table").fill("fives/rows")
    dialog.get_by_role("button", name="Save", exact=True).click()
    dialog.get_by_role("link", name="demo/fives:v0/rows").wait_for()
    found = store.artifact("demo/fives:v0")
    assert found.metadata["made_from"]["table"] == "demo/guesses:v0/joined"
    assert {row["guess"] for row in found.get("rows").rows} == {5}
    assert len(found.get("rows")) == 2 * WRONG
    dialog.get_by_role("button", name="Close").click()
    # A cell of which table it would be is not clear.
    page.locator("#cell-0-0").dblclick()
    panel = page.get_by_role("dialog", name="Row")
    panel.get_by_role("table").wait_for()
    assert panel.get_by_role("button", name="Edit").count() == 0


def test_an_edit_is_taken_back(open_page: Callable[..., Any], store: Store) -> None:
    page = open_page(f"{TRUTH}?row=3")
    panel = page.get_by_role("dialog", name="Row 3")
    panel.get_by_role("button", name="Edit image").click()
    panel.get_by_text("This cell can only be made null.").wait_for()
    panel.get_by_role("button", name="Make null").click()
    panel.get_by_text("→ null").wait_for()
    panel.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="1 edit").click()
    dialog = page.get_by_role("dialog", name="Save rows")
    dialog.get_by_role("button", name="Take back").click()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="1 edit").wait_for(state="hidden")
    assert len(store.versions("demo/guesses")) == 1


def test_filtered_rows_are_saved_by_keyboard_alone(
    open_page: Callable[..., Any], store: Store
) -> None:
    page = open_page(f"{JOINED}?where=guess%20!%3D%20label")
    page.get_by_role("grid").wait_for()
    page.get_by_role("button", name="Save rows").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Save rows").wait_for()
    page.get_by_label("Artifact and table").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("errors/wrong")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="demo/errors:v0/wrong").wait_for()
    page.keyboard.press("Escape")
    assert len(store.artifact("demo/errors:v0").get("wrong")) == WRONG


def test_escape_leaves_a_field_and_not_the_row(open_page: Callable[..., Any]) -> None:
    page = open_page(f"{TRUTH}?row=3")
    panel = page.get_by_role("dialog", name="Row 3")
    panel.get_by_role("button", name="Edit id").click()
    field = panel.get_by_label("New value of id")
    field.press("ArrowRight")
    field.press("j")
    assert panel.get_by_role("heading", name="Row 3").count() == 1
    field.press("Escape")
    field.wait_for(state="detached")
    assert panel.is_visible()
    assert page.get_by_role("button", name="1 edit").count() == 0


def test_a_narrow_page_does_not_scroll_sideways(open_page: Callable[..., Any]) -> None:
    page = open_page(TRUTH, viewport={"width": 390, "height": 844})
    page.get_by_role("grid").wait_for()
    page.get_by_role("button", name="Save rows").click()
    page.get_by_role("dialog", name="Save rows").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

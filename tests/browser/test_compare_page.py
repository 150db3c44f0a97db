"""
The tutorial's finding on the digits: what one epoch gets wrong, and what five do, side by side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

import artstore as art
from artstore.api import Store
from tests.browser.epochs import EARLY, PAGE, fill_epochs
from tests.browser.serving import serving
from tests.browser.watching import Watched
from tests.trees import open_at

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

WITH = f"with={quote(EARLY, safe=':')}"


class Epochs(NamedTuple):
    """What Python reads from both versions: a row is (id, guess, label)."""

    store: Store
    early: list[tuple[int, int, int]]
    late: list[tuple[int, int, int]]


@pytest.fixture(scope="session")
def epochs(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    root = tmp_path_factory.mktemp("epochs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = fill_epochs(open_at(root / "store", project="demo"))
        yield Epochs(store, *(rows(store, version) for version in ("v0", "v1")))


def rows(store: Store, version: str) -> list[tuple[int, int, int]]:
    joined = store.artifact(f"demo/digits-pred:{version}").get("joined")
    cells = joined.to_pandas()[["id", "guess", "label"]]
    return [(int(one), int(guess), int(label)) for one, guess, label in cells.to_numpy()]


@pytest.fixture(scope="session")
def compared_address(epochs: Epochs) -> Iterator[str]:
    with serving(epochs.store) as found:
        yield found


@pytest.fixture
def watched(
    browser: Any, compared_address: str, shoot: Callable[..., None]
) -> Iterator[Callable[..., Any]]:
    """Opens an address in a context of its own; nothing may go wrong there, or lead elsewhere."""
    opened: list[Watched] = []

    def goto(path: str, **options: Any) -> Any:
        one = Watched(browser, compared_address, **options)
        opened.append(one)
        one.goto(path)
        return one.page

    yield goto
    for one in opened:
        shoot(one.page, is_wrong=bool(one.errors))
        one.context.close()
    assert [error for one in opened for error in one.errors] == []
    assert not any(one.hosts for one in opened)


def wrong(cells: list[tuple[int, int, int]]) -> set[int]:
    return {number for number, guess, label in cells if guess != label}


def told(page: Any, text: str) -> None:
    """Wait until one of the sides says how many of its rows there are."""
    page.get_by_role("list", name="Compared tables").get_by_text(text).wait_for()


def side_count(page: Any, label: str, text: str) -> None:
    page.get_by_role("region", name=label, exact=True).locator(
        ".side-head", has_text=text
    ).wait_for()


def quick_button(page: Any, name: str) -> Any:
    return page.get_by_role("list", name="Quick filters").get_by_role("button", name=name)


def test_the_compare_button_of_a_version_opens_both_by_their_key(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(PAGE)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Compare with v0").click()
    total = len(epochs.late)
    told(page, f"v0 {total} of {total} rows")
    told(page, f"v1 {total} of {total} rows")
    assert (
        page.get_by_label("Key", exact=True).evaluate(
            "element => element.selectedOptions[0].textContent"
        )
        == "id"
    )
    assert page.url.endswith(f"?{WITH}") or WITH in page.url


def test_what_is_wrong_in_each_is_counted_on_each_side(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(f"{PAGE}?{WITH}")
    box = page.get_by_role("combobox", name="Condition")
    box.fill("*.guess != *.label")
    page.keyboard.press("Enter")
    both, total = len(wrong(epochs.early) & wrong(epochs.late)), len(epochs.late)
    assert 0 < both < total
    told(page, f"v0 {both} of {total} rows")
    told(page, f"v1 {both} of {total} rows")
    page.locator("#table-count", has_text=f"{both} of {total} rows").wait_for()


def test_side_by_side_one_filter_tells_what_each_epoch_got_wrong(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(f"{PAGE}?where=guess%20!%3D%20label&how=side&{WITH}")
    early, late, total = len(wrong(epochs.early)), len(wrong(epochs.late)), len(epochs.late)
    assert late < early < total
    side_count(page, "v0", f"{early} of {total} rows")
    side_count(page, "v1", f"{late} of {total} rows")


def test_a_filter_of_one_table_becomes_one_of_each_and_back(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(f"{PAGE}?where=guess%20!%3D%20label&how=side&{WITH}")
    early, late = len(wrong(epochs.early)), len(wrong(epochs.late))
    side_count(page, "v0", f"{early} of 898 rows")
    page.get_by_label("Shown", exact=True).select_option("merged")
    both = len(wrong(epochs.early) & wrong(epochs.late))
    told(page, f"v0 {both} of 898 rows")
    page.locator(".chip", has_text="*.guess != *.label").wait_for()
    page.get_by_label("Shown", exact=True).select_option("side")
    side_count(page, "v1", f"{late} of 898 rows")


def test_quick_filters_count_what_the_diff_of_python_counts(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    old, new = (
        epochs.store.artifact(f"demo/digits-pred:{version}").get("joined")
        for version in ("v0", "v1")
    )
    diff = art.diff_tables(old, new, "id", truth="label", guess="guess")
    assert diff.fixed
    assert diff.regressed
    page = watched(f"{PAGE}?{WITH}")
    quick_button(page, f"fixed {diff.fixed} of 898 rows").wait_for()
    quick_button(page, f"regressed {diff.regressed} of 898 rows").wait_for()
    quick_button(page, f"changed {diff.changed} of 898 rows").wait_for()
    quick_button(page, "fixed").click()
    told(page, f"v1 {diff.fixed} of 898 rows")
    assert quick_button(page, "fixed").get_attribute("aria-pressed") == "true"
    again = watched(page.url.removeprefix(page.url.split("/p/")[0]))
    told(again, f"v0 {diff.fixed} of 898 rows")
    page.go_back()
    told(page, "v1 898 of 898 rows")


def test_numbers_become_one_bar_a_table_and_what_is_equal_is_shown_once(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    columns = quote('["id","0.guess","1.guess","0.image","1.image"]')
    page = watched(f"{PAGE}?{WITH}&quick=disagree&columns={columns}")
    cell = page.locator(".grid-row").first.locator(".grid-cell[data-column='1']")
    cell.locator(".side-line").nth(1).wait_for()
    assert cell.locator(".side-bar").count() == 2
    first = next(
        (one, two) for one, two in zip(epochs.early, epochs.late, strict=True) if one[1] != two[1]
    )
    assert cell.locator(".number").all_inner_texts() == [str(first[0][1]), str(first[1][1])]
    picture = page.locator(".grid-row").first.locator(".grid-cell[data-column='2']")
    assert picture.locator("img").count() == 1
    assert page.get_by_role("listbox", name="guess in 2 tables").count() == 1


def test_a_click_on_a_value_of_a_side_filters_by_that_side(watched: Callable[..., Any]) -> None:
    page = watched(f"{PAGE}?{WITH}&quick=disagree")
    # Rows that are drawn again between the look and the click would be others.
    page.wait_for_load_state("networkidle")
    cell = page.locator(".grid-row").first.locator("[data-side='1'] .number").first
    value = cell.inner_text()
    cell.click()
    page.locator(".chip", has_text=f'"1.guess" = {value}').wait_for()


def test_a_cell_of_the_matrix_leads_to_its_rows(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(f"{PAGE}?{WITH}")
    page.get_by_role("button", name="Matrix").click()
    expected = sum(1 for _, guess, label in epochs.late if (label, guess) == (1, 1))
    matrix = page.get_by_role("table", name="v1, 898 rows")
    button = matrix.get_by_role("button", name="1 taken for 1:")
    button.wait_for()
    assert button.inner_text() == str(expected)
    page.get_by_label("the difference").check()
    page.get_by_role("table", name="from v0 to v1").wait_for()
    page.get_by_label("the difference").uncheck()
    button.click()
    told(page, f"v1 {expected} of 898 rows")
    page.locator(".chip", has_text='"1.label" = 1').wait_for()


def test_side_by_side_sorts_and_scrolls_in_tandem(watched: Callable[..., Any]) -> None:
    page = watched(f"{PAGE}?how=side&{WITH}")
    side_count(page, "v0", "898 of 898 rows")
    one, two = page.get_by_role("grid").all()
    one.get_by_role("button", name="id", exact=True).click()
    one.get_by_role("button", name="id", exact=True).click()
    for grid in (one, two):
        grid.locator(".grid-row").first.locator(".grid-cell.number", has_text="1795").wait_for()
        head = grid.get_by_role("columnheader").nth(1)
        assert head.get_attribute("aria-sort") == "descending"
    one.hover()
    page.mouse.wheel(0, 6000)
    page.wait_for_timeout(300)
    tops = [grid.evaluate("element => element.scrollTop") for grid in (one, two)]
    assert tops[0] > 1000
    assert abs(tops[0] - tops[1]) < 2


def test_groups_of_compared_tables_have_a_series_for_each(watched: Callable[..., Any]) -> None:
    page = watched(f"{PAGE}?{WITH}&group=0.label")
    cell = page.locator("table.groups tbody tr").first
    cell.get_by_role("listbox", name="guess in 2 tables").wait_for()
    assert cell.locator("path.series").count() >= 2


def test_one_row_shows_its_tables_beside_each_other_and_marks_what_differs(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    number = next(
        at
        for at, (one, two) in enumerate(zip(epochs.early, epochs.late, strict=True))
        if one[1] != two[1]
    )
    page = watched(f"{PAGE}?{WITH}&row={number}")
    table = page.get_by_role("dialog").get_by_role("table")
    heads = table.get_by_role("columnheader")
    heads.nth(2).wait_for()
    assert heads.all_inner_texts() == ["property", "0 v0", "1 v1"]
    guess = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="guess"))
    assert guess.get_by_role("img", name="differs").count() == 1
    cells = [epochs.early[number][1], epochs.late[number][1]]
    assert guess.get_by_role("cell").all_inner_texts() == list(map(str, cells))
    label = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="label"))
    assert label.get_by_role("img", name="differs").count() == 0
    assert table.get_by_role("row").filter(has=page.locator("figure")).locator("img").count() == 2


def test_a_key_of_several_columns_is_chosen(watched: Callable[..., Any]) -> None:
    page = watched(f"{PAGE}?{WITH}")
    page.get_by_role("button", name="Columns of the key").click()
    dialog = page.get_by_role("dialog", name="Columns of the key")
    assert dialog.get_by_label("id", exact=True).is_checked()
    dialog.get_by_label("label").check()
    dialog.get_by_role("button", name="Compare by these").click()
    page.wait_for_url("**key=id&key=label*")
    told(page, "v0 898 of 898 rows")
    chosen = page.get_by_label("Key", exact=True)
    assert chosen.evaluate("one => one.selectedOptions[0].textContent") == "id, label"


def test_of_three_tables_two_are_judged_and_both_are_named(watched: Callable[..., Any]) -> None:
    third = quote("demo/digits-pred:v1/pred", safe=":")
    page = watched(f"{PAGE}?{WITH}&with={third}&truth=label")
    quick_button(page, "disagree").wait_for()
    first = quick_button(page, "disagree").inner_text()
    assert "from v0/joined to v1/" in quick_button(page, "disagree").get_attribute("title")
    # A table is not judged by itself: the other one takes the place that is free.
    page.get_by_label("Judged from").select_option("1")
    page.wait_for_url("**judge=1,0*")
    page.get_by_label("Judged to").select_option("2")
    page.wait_for_url("**judge=1,2*")
    # Both have the guesses of v1.
    quick_button(page, "disagree 0 of 898 rows").wait_for()
    assert first != quick_button(page, "disagree").inner_text()


def test_one_after_the_other_tells_the_rows_of_each(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    early, late = len(wrong(epochs.early)), len(wrong(epochs.late))
    page = watched(f"{PAGE}?how=concat&where=guess%20!%3D%20label&{WITH}")
    told(page, f"v0 {early} of 898 rows")
    told(page, f"v1 {late} of 898 rows")
    page.locator("#table-count", has_text=f"{early + late} of 1,796 rows").wait_for()


def test_the_first_page_compares_without_scripts(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(f"{PAGE}?{WITH}&quick=disagree&matrix=label,guess", java_script_enabled=False)
    told(page, "v0")
    first = page.locator("table.first tbody tr").first
    assert first.locator(".side-cell").count() >= 2
    assert page.locator("table.matrix").count() == 2
    page.get_by_role("link", name="fixed").click()
    fixed = len(wrong(epochs.early) - wrong(epochs.late))
    page.locator("#table-count", has_text=f"{fixed} of 898 rows").wait_for()
    page.locator("table.matrix a").first.click()
    assert "where=" in page.url


def test_comparing_works_by_keyboard_alone(watched: Callable[..., Any], epochs: Epochs) -> None:
    page = watched(PAGE)
    page.get_by_role("button", name="Compare", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Compare with v0").wait_for()
    page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    quick_button(page, "regressed").focus()
    page.keyboard.press("Enter")
    regressed = len(wrong(epochs.late) - wrong(epochs.early))
    told(page, f"v0 {regressed} of 898 rows")
    page.get_by_role("button", name="Matrix").focus()
    page.keyboard.press("Enter")
    page.get_by_role("table", name=f"v1, {regressed} rows").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop comparing").focus()
    page.keyboard.press("Enter")
    page.locator("#table-count", has_text="898 of 898 rows").wait_for()
    assert "with=" not in page.url


def test_nothing_is_wider_than_a_telephone(watched: Callable[..., Any]) -> None:
    for how in ("merged", "side"):
        page = watched(f"{PAGE}?how={how}&{WITH}", viewport={"width": 390, "height": 844})
        page.get_by_role("grid").first.wait_for()
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_head_of_compared_tables_tells_what_each_of_them_has(
    watched: Callable[..., Any], epochs: Epochs
) -> None:
    page = watched(f"{PAGE}?{WITH}")
    early, late = (len({guess for _, guess, _ in one}) for one in (epochs.early, epochs.late))
    assert early < late == 10
    page.locator(".head-summary", has_text=f"{early} values / {late} values").wait_for()
    # What is the same in both is said once.
    page.locator(".head-summary", has_text=re.compile(r"^10 values$")).wait_for()

"""Lists of runs in a browser: ten thousand of them, live ones, hostile ones; runs side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from artstore import clock
from artstore.api import Store
from artstore.catalog.runs.runlog import RunLog
from tests.browser.serving import serving
from tests.browser.watching import Watched
from tests.trees import open_at
from tests.unit.web.runshelf import SESSION, add_run, begin_store, fill_runs
from tests.unit.web.shelves import SCRIPT

MANY: Final = 10_000
KEYS: Final = 2_000
LIST: Final = "/p/many/runs"

Watch = Callable[..., Watched]


@pytest.fixture(scope="session")
def many_runs(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """many: 10,000 runs; wide: two runs of 2,000 keys."""
    root = tmp_path_factory.mktemp("many")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = begin_store(open_at(root / "store", project="many"))
        for number in range(MANY):
            add_run(
                store,
                f"m{number:05}",
                name=f"run {number}",
                state="failed" if number % 100 == 99 else "finished",
                tags=["even"] if number % 2 == 0 else ["odd"],
                config={"lr": number % 5 / 10, "model": "cnn" if number % 4 else "mlp"},
                summary={"acc": number / MANY},
            )
        for number in range(2):
            keys = {f"key {key}": key * number for key in range(KEYS)}
            add_run(store, f"w{number}", project="wide", config=keys, summary=keys)
        yield store


@pytest.fixture(scope="module")
def many_address(many_runs: Store) -> Iterator[str]:
    with serving(many_runs) as address:
        yield address


@pytest.fixture
def own_store(tmp_path: Path) -> Store:
    """A store of the test's own."""
    return fill_runs(open_at(tmp_path / "own", project="lab"))


@pytest.fixture
def watch(browser: Any) -> Iterator[Watch]:
    made: list[Watched] = []

    def opened(address: str, **options: Any) -> Watched:
        made.append(Watched(browser, address, **options))
        return made[-1]

    yield opened
    for watched in made:
        watched.context.close()
        assert watched.errors == []
        assert watched.hosts == set()
        assert watched.dialogs == []


def counted(page: Any, text: str) -> None:
    page.locator("#runs-count", has_text=text).wait_for()


def first_ids(page: Any, count: int) -> list[str]:
    found = page.locator("#runs-table tr[data-run]").evaluate_all(
        "(rows, count) => rows.slice(0, count).map((row) => row.dataset.run)", count
    )
    return list(found)


def test_ten_thousand_runs_are_filtered_sorted_grouped_and_walked_back(
    watch: Watch, many_address: str
) -> None:
    watched = watch(many_address)
    page = watched.page
    watched.goto(LIST)
    counted(page, "10,000 of 10,000 runs")
    assert page.locator("#runs-table tr[data-run]").count() == 100

    page.get_by_label("Condition", exact=True).fill("config.lr > 0.25 AND summary.acc < 0.5")
    page.keyboard.press("Enter")
    counted(page, "2,000 of 10,000 runs")
    page.locator("#runs-table").get_by_role("link", name="acc").click()
    page.locator("th[aria-sort=ascending]", has_text="acc").wait_for()
    assert first_ids(page, 2) == ["m00003", "m00004"]
    page.locator("#runs-table").get_by_role("link", name="acc").click()
    page.locator("th[aria-sort=descending]", has_text="acc").wait_for()
    assert first_ids(page, 2) == ["m04999", "m04998"]
    page.get_by_role("link", name="failed", exact=False).first.click()
    counted(page, "50 of 10,000 runs")
    assert "state=failed" in page.url

    page.go_back()
    counted(page, "2,000 of 10,000 runs")
    page.get_by_role("link", name="Show all").click()
    counted(page, "10,000 of 10,000 runs")
    page.get_by_label("Group by").fill("config.model")
    page.keyboard.press("Enter")
    counted(page, "10,000 of 10,000 runs in 2 groups")
    row = page.locator("tr.group", has_text="mlp")
    row.get_by_text("2,500").first.wait_for()
    row.locator("a[aria-expanded]").click()
    page.locator("a[aria-expanded=true]", has_text="mlp").wait_for()
    assert page.locator("#runs-table tr[data-run]").count() == 20
    row.get_by_role("link", name="runs of this group").click()
    counted(page, "2,500 of 10,000 runs")

    page.get_by_role("link", name="Next").click()
    page.get_by_text("Page 2 of 25").wait_for()
    address = page.url
    page.goto(address)
    page.get_by_text("Page 2 of 25").wait_for()


def test_runs_that_are_ticked_stay_so_over_pages_and_are_compared(
    watch: Watch, many_address: str
) -> None:
    watched = watch(many_address)
    page = watched.page
    watched.goto(f"{LIST}?sort=name&columns=config.lr,summary.acc")
    page.get_by_label("Choose run 0", exact=True).check()
    page.get_by_label("Choose run 10", exact=True).click(modifiers=["Shift"])
    page.locator("#runs-chosen-count", has_text="3 chosen").wait_for()
    page.wait_for_url(re.compile(r"run=m00000"))
    page.get_by_role("link", name="Next").click()
    page.get_by_text("Page 2 of 100").wait_for()
    page.locator("#runs-table input[name=run]").first.check()
    page.locator("#runs-chosen-count", has_text="4 chosen").wait_for()
    page.get_by_role("link", name="Previous").click()
    page.get_by_text("Page 1 of 100").wait_for()
    assert page.locator("#runs-table input[name=run]:checked").count() == 3

    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="4 runs compared").wait_for()
    table = page.locator("table.sides")
    assert table.locator("thead th").count() == 5
    assert "differs" in str(table.locator("tr", has_text="acc").first.get_attribute("class"))
    same = table.get_by_role("rowheader", name="exit_code")
    same.wait_for()
    page.get_by_role("link", name="Only differences").click()
    same.wait_for(state="detached")
    page.get_by_label("Find", exact=True).fill("acc")
    page.get_by_label("Find", exact=True).press("Enter")
    page.wait_for_url(re.compile("find=acc"))
    assert table.locator("tbody tr:not(.group)").count() == 1
    table.get_by_role("link", name="remove").first.click()
    page.get_by_role("heading", name="3 runs compared").wait_for()
    page.get_by_role("link", name="Choose others").click()
    page.locator("#runs-chosen-count", has_text="3 chosen").wait_for()


def test_columns_are_found_among_two_thousand_keys_and_put_in_order(
    watch: Watch, many_address: str
) -> None:
    watched = watch(many_address)
    page = watched.page
    watched.goto("/p/wide/runs?columns=state")
    page.get_by_role("button", name="Columns", exact=True).click()
    page.get_by_text("4,013 of 4,013 columns, the first 200 are listed").wait_for()
    page.get_by_label("Find a column").fill('config."key 1999')
    page.get_by_text("1 of 4,013 columns").wait_for()
    page.locator(".column-list input").check()
    page.get_by_label("Find a column").fill('summary."key 7"')
    page.locator(".column-list input").first.check()
    page.get_by_label('Move up summary."key 7"').click()
    page.get_by_label('Move up summary."key 7"').click()
    page.get_by_label("Hide state").click()
    page.get_by_role("button", name="Show these").click()
    heads = page.locator("#runs-table thead th:has(small)")
    page.locator("#runs-table th", has_text="key 1999").wait_for()
    assert heads.evaluate_all("(all) => all.map((one) => one.textContent.trim())") == [
        "summarykey 7",
        "configkey 1999",
    ]
    page.get_by_role("button", name="Columns", exact=True).click()
    page.get_by_role("button", name="As at first").click()
    page.locator("#runs-table th", has_text="created").wait_for()


def test_an_error_stands_at_its_character_and_the_condition_is_mended_there(
    watch: Watch, many_address: str
) -> None:
    watched = watch(many_address)
    page = watched.page
    watched.goto(LIST)
    page.get_by_label("Condition", exact=True).fill("summary.acc < 2 AND nope = 1")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    counted(page, "10,000 of 10,000 runs")
    chosen = page.evaluate(
        "() => { const box = document.activeElement;"
        " return [box.getAttribute('aria-invalid'), box.selectionStart, box.selectionEnd]; }"
    )
    assert chosen == ["true", 20, 21]
    page.get_by_label("Condition 1").fill("summary.acc < 0.5")
    page.keyboard.press("Enter")
    counted(page, "5,000 of 10,000 runs")
    assert page.get_by_role("alert").count() == 0


def test_everything_is_done_by_keyboard(watch: Watch, many_address: str) -> None:
    watched = watch(many_address)
    page = watched.page
    watched.goto(f"{LIST}?columns=summary.acc")

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            told = page.evaluate(
                "() => { const one = document.activeElement; const style = getComputedStyle(one);"
                " return [one.closest('label')?.textContent ?? one.textContent,"
                " style.outlineStyle !== 'none']; }"
            )
            assert told[1], told
            if told[0].strip().startswith(name):
                return
        raise AssertionError(name)

    page.keyboard.press("/")
    page.keyboard.type("ac")
    page.locator("#runs-suggestions [role=option]", has_text="summary.acc").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type(">= 0.99 AND state = 'fini")
    page.locator("#runs-suggestions [role=option]", has_text="finished").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.type("shed' OR summary.acc >= 0.99")
    page.keyboard.press("Enter")
    counted(page, "100 of 10,000 runs")
    # The focus is where it was: a new condition may follow.
    assert page.evaluate("document.activeElement.id") == "first-where"
    tab_to("acc")
    page.keyboard.press("Enter")
    page.locator("th[aria-sort=ascending]", has_text="acc").wait_for()
    assert page.evaluate("document.activeElement.dataset.key") == "sort:summary.acc"
    tab_to("Choose")
    page.keyboard.press("Space")
    page.locator("#runs-chosen-count", has_text="1 chosen").wait_for()
    page.wait_for_url(re.compile(r"run=m09900"))


def test_choosing_in_a_chart_filters_the_list(watch: Watch, many_address: str) -> None:
    watched = watch(many_address)
    page = watched.page
    watched.goto(f"{LIST}?columns=config.lr,summary.acc")
    page.get_by_role("button", name="Scatter").click()
    frame = page.locator("#runs-plots .chart-frame")
    frame.wait_for()
    page.get_by_role("button", name="Box", exact=True).click()
    box = frame.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"where=config\.lr"))
    page.locator(".filter-form .condition input[value^='summary.acc BETWEEN']").wait_for()
    told = page.locator("#runs-count strong").inner_text()
    assert 0 < int(told.replace(",", "")) < MANY
    page.get_by_role("button", name="Choose none").click()
    counted(page, "10,000 of 10,000 runs")

    page.get_by_role("button", name="Parallel axes").click()
    page.get_by_text("Runs over their values").wait_for()
    frame.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"where=summary\.acc"))
    counted(page, "5,000 of 10,000 runs")
    # Who takes the condition away takes the range away.
    page.get_by_role("link", name="Remove").click()
    counted(page, "10,000 of 10,000 runs")
    page.get_by_role("button", name="All ranges away").wait_for(state="hidden")


def test_a_list_is_read_filtered_and_compared_without_scripts(
    watch: Watch, many_address: str
) -> None:
    watched = watch(many_address, java_script_enabled=False)
    page = watched.page
    watched.goto("/p/many")
    page.get_by_role("link", name="10,000 runs").click()
    page.get_by_label("Condition", exact=True).fill("summary.acc < 0.001")
    page.get_by_label("Columns").fill("config.lr,summary.acc")
    page.get_by_role("button", name="Show").click()
    counted(page, "10 of 10,000 runs")
    page.locator("#runs-table").get_by_role("link", name="acc").click()
    page.locator("th[aria-sort=ascending]", has_text="acc").wait_for()
    assert first_ids(page, 2) == ["m00000", "m00001"]
    page.get_by_label("Choose run 3", exact=True).check()
    page.get_by_role("button", name="Keep ticks").click()
    page.locator("#runs-chosen-count", has_text="1 chosen").wait_for()
    page.get_by_label("Choose run 4", exact=True).check()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="2 runs compared").wait_for()


def test_live_runs_change_in_place_and_new_ones_wait_until_they_are_wanted(
    watch: Watch, own_store: Store
) -> None:
    with serving(own_store) as address:
        watched = watch(address)
        page = watched.page
        watched.goto("/p/lab/runs?columns=state,summary.acc&sort=name")
        row = page.locator("tr[data-run=live]")
        row.locator(".live-mark").wait_for()
        before = first_ids(page, 100)

        log = RunLog(own_store._guarded_storage(), "lab", "live", "ada")
        log.refresh()
        fields = {
            "session": SESSION,
            "next_by": clock.format_time(clock.now_seconds() + 3600),
            "changes": {"summary": {"acc": 0.875}},
        }
        log.append(lambda _: ("update", fields))
        row.get_by_text("0.875").wait_for()
        add_run(own_store, "newer", name="a new one", summary={"acc": 1.0})
        page.get_by_text("1 new run belongs here.").wait_for()
        assert first_ids(page, 100) == before
        counted(page, "10 of 10 runs")
        page.get_by_role("button", name="Show them").click()
        page.locator("tr[data-run=newer]").wait_for()
        assert page.locator("#runs-live").inner_text() == ""


def test_groups_follow_their_runs_where_somebody_reads_them(watch: Watch, own_store: Store) -> None:
    with serving(own_store) as address:
        watched = watch(address)
        page = watched.page
        watched.goto("/p/lab/runs?group=state&columns=summary.acc")
        group = page.locator("tr.group", has=page.get_by_role("link", name="running"))
        group.get_by_role("link", name="running").focus()
        for number in (1, 2):
            log = RunLog(own_store._guarded_storage(), "lab", "live", "ada")
            log.refresh()
            fields = {
                "session": SESSION,
                "next_by": clock.format_time(clock.now_seconds() + 3600),
                "changes": {"summary": {"acc": number / 8}},
            }
            log.append(lambda _, fields=fields: ("update", fields))
            group.get_by_text(str(number / 8)).wait_for()
        assert page.locator("#runs-live").inner_text() == ""
        assert page.evaluate("document.activeElement.dataset.key").startswith("fold:")
        # What is no change of values alone is asked for.
        page.get_by_role("link", name="failed").last.focus()
        add_run(own_store, "newer", name="a new one", state="killed")
        page.get_by_text("The list has changed.").wait_for()
        page.get_by_role("button", name="Show it anew").click()
        page.locator("tr.group", has_text="killed").wait_for()


def test_runs_are_tagged_named_deleted_restored_and_the_list_saved(
    watch: Watch, own_store: Store
) -> None:
    with serving(own_store, write=True) as address:
        watched = watch(address)
        page = watched.page
        watched.goto("/p/lab/runs?columns=tags,notes,state&sort=name")
        page.get_by_label("Choose run 1", exact=True).check()
        page.get_by_label("Choose run 2", exact=True).check()
        page.get_by_label("Tag to add").fill(SCRIPT)
        page.get_by_role("button", name="Add tag").click()
        page.locator("tr[data-run=r2] .chip", has_text=SCRIPT).wait_for()
        page.get_by_label("Choose run 2", exact=True).uncheck()
        page.locator("summary", has_text="Name and notes").click()
        page.get_by_label("Name", exact=True).fill("A better name")
        page.get_by_label("Notes").fill("why it was run")
        page.locator("#runs-changes").get_by_role("button", name="Save").click()
        page.get_by_role("link", name="A better name").wait_for()
        page.locator("summary", has_text="Delete").click()
        page.get_by_role("button", name="Delete 1 run").click()
        page.locator("tr[data-run=r1]").wait_for(state="detached")
        counted(page, "8 of 8 runs")
        page.get_by_label("deleted ones too").check()
        page.get_by_role("button", name="Show").click()
        page.locator("tr.gone[data-run=r1]").wait_for()
        page.get_by_role("button", name="Restore").click()
        page.locator("tr[data-run=r1]:not(.gone)").wait_for()

        page.locator("summary", has_text="Save this list").click()
        page.get_by_label("Title").fill("All of them")
        page.locator("#runs-save").get_by_role("button", name="Save").click()
        page.get_by_role("link", name="All of them", exact=True).click()
        page.wait_for_url(re.compile(r"/p/lab/runs\?.*deleted=1"))
        counted(page, "deleted ones too")


def test_hostile_runs_are_shown_as_the_text_that_they_are(watch: Watch, own_store: Store) -> None:
    with serving(own_store, write=True) as address:
        watched = watch(address)
        page = watched.page
        watched.goto("/p/lab/runs?columns=config,summary,notes,job_type,group&run=evil,odd")
        row = page.locator("tr[data-run=evil]")
        assert SCRIPT in row.locator("th").inner_text()
        assert "\\u202e" in row.locator("th").inner_text()
        for text in ("NaN", "Infinity"):
            assert page.locator("tr[data-run=odd]").get_by_text(text).count()
        page.locator(".quick .chip", has_text=SCRIPT).click()
        counted(page, "1 of 9 runs")
        page.get_by_role("button", name="Scatter").click()
        page.locator("#runs-plots .chart").wait_for()
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("heading", name="2 runs compared").wait_for()
        assert page.locator("table.sides", has_text=SCRIPT).count()
        page.goto(f"{address}/p/lab/runs?group=group,tags")
        page.locator("tr.group", has_text=SCRIPT).first.wait_for()

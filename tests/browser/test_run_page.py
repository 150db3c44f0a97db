"""The page of a run in a real browser: its board, media by step, console; whatever it holds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

import artstore as art
from artstore.api import Store
from tests.browser.serving import serving
from tests.browser.test_pages_are_accessible import RUN, SERIOUS
from tests.browser.test_table_page import wait_for
from tests.browser.watching import Watched
from tests.trees import open_at
from tests.unit.web.loggedruns import add_file, add_logged_run
from tests.unit.web.runshelf import begin_store

axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")

PLAIN: Final = "/p/lab/runs/plain"
EVIL: Final = "/p/lab/runs/evil"
WIDE: Final = "/p/lab/runs/wide"
SECTIONS: Final = ("charts", "overview", "media", "system", "console", "files", "environment")
COLOURED: Final = b"".join(
    b"\x1b[%dm on %d\x1b[0m" % (code, code) for code in (*range(1, 10), *range(30, 48), 90, 100)
)
SCRIPT: Final = "<script>alert(1)</script>"
HOSTILE_PAGE: Final = b"""<!doctype html><p id="said">a page</p><script>
const tried = [];
const attempt = (name, run) => {
  try { run(); tried.push(name); } catch (error) { tried.push(name + " refused"); }
};
attempt("cookie", () => { document.cookie = "a=b"; });
attempt("parent", () => { parent.document.title = "taken"; });
attempt("storage", () => localStorage.setItem("a", "b"));
attempt("top", () => { top.location = "https://example.org/"; });
attempt("alert", () => alert(1));
fetch("/api/v1/session").then(() => tried.push("fetched"), () => tried.push("fetch refused"))
  .finally(() => { document.getElementById("said").textContent = tried.join(", "); });
</script>"""


def picture(store: Store, run_id: str, number: int) -> dict[str, Any]:
    """The cell of a picture with a box and a mask."""
    pixels = np.full((16, 24), number * 20 % 255, np.uint8)
    box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}, "class_id": 1}
    layer = {"box_data": [box], "class_labels": {1: "cat"}}
    mask = {"mask_data": np.ones((16, 24), np.uint8), "class_labels": {1: "fur"}}
    prepared = art.Image(pixels, boxes={"truth": layer}, masks={"guess": mask}).prepare()
    places = {
        file.path: add_once(store, run_id, file.content.read(), file.path.rpartition("/")[2])
        for file in prepared.files
    }

    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(one) for one in value]
        if isinstance(value, dict):
            told = {name: placed(one) for name, one in value.items()}
            return {**told, "path": places[told["path"]]} if told.get("path") in places else told
        return value

    return {"_type": "image-file", **placed(prepared.cell)}


KNOWN: dict[tuple[str, bytes], str] = {}


def add_once(store: Store, run_id: str, data: bytes, name: str) -> str:
    if (run_id, data) not in KNOWN:
        KNOWN[run_id, data] = add_file(store, run_id, data, name.partition(".")[2])
    return KNOWN[run_id, data]


def fill(store: Store) -> Store:
    begin_store(store)
    rows: list[dict[str, Any]] = [
        {
            "train/loss": 2.0 / (step + 1),
            "train/acc": step / 40,
            "val/loss": 3.0 / (step + 1),
            "val/odd": [math.nan, math.inf, -math.inf, 1.0][step % 4],
            "lr": 0.1,
        }
        for step in range(40)
    ]
    for step in (3, 13, 23):
        rows[step]["picture"] = picture(store, "plain", step)
    items = [picture(store, "plain", step) for step in (3, 13, 23)]
    rows[3]["several"] = {"_type": "images/separated", "items": items}
    figure = {"data": [{"type": "bar", "y": [1, 2]}, {"y": [2, 1], "name": "b"}], "layout": {}}
    data = json.dumps(figure).encode()
    rows[5]["figure"] = {"_type": "plotly-file", "path": add_file(store, "plain", data, "json")}
    bins = [float(at) for at in range(9)]
    for step in range(0, 40, 4):
        counts = [float((at * step) % 7) for at in range(8)]
        rows[step]["weights"] = {"_type": "histogram", "bins": bins, "values": counts}
    add_logged_run(
        store,
        "plain",
        rows,
        system=[{"cpu": 10.0 * (at % 5), "memory": 40.0} for at in range(20)],
        console=[b"".join(b"line %d\n" % number for number in range(20_000)), COLOURED],
        name="a plain run",
        notes="# Why",
        tags=["one"],
        config={"lr": 0.1, "optim": {"name": "adam"}},
        summary={"train/loss": 0.05},
        alerts=[{"title": "bad", "text": "nan", "level": "ERROR", "time": "2026-01-01T00:00:00Z"}],
        environment={
            "argv": ["python", "train.py"],
            "packages": ["numpy==2"],
            "git": {"commit": "c" * 40, "diff": "@@ -1 +1 @@\n-old\n+new\n"},
        },
    )
    add_logged_run(store, "other", rows[:20], name="another run", config={"lr": 0.5})
    add_logged_run(store, "twin", rows[:20], name="a plain run")
    path = add_file(store, "evil", HOSTILE_PAGE, "html")
    page = {"_type": "html-file", "path": path, "format": "html", "caption": SCRIPT}
    outside = {"_type": "image-file", "path": "https://example.org/x.png", "width": 4, "height": 4}
    hostile_row = {f"{SCRIPT}/loss": 1.0, "__proto__": 2.0, "a b'\"": 3.0, "page": page}
    add_logged_run(
        store,
        "evil",
        [hostile_row | {"outside": outside, SCRIPT: SCRIPT}] * 3,
        console=[f"\x1b[31m{SCRIPT}\x1b[0m \x1b]0;taken\x07\u202eend\n".encode()],
        name=SCRIPT,
        notes=f"{SCRIPT}<img src=x onerror=alert(1)>",
        tags=[SCRIPT],
        config={SCRIPT: SCRIPT, "constructor": {"__proto__": 1}},
        summary={SCRIPT: math.nan},
        environment={"git": {"diff": f"+{SCRIPT}"}, "argv": [SCRIPT]},
    )
    many = {f"s{number % 20:02d}/m{number:04d}": float(number) for number in range(2_000)}
    add_logged_run(store, "wide", [many] * 3, name="wide")
    return store


@pytest.fixture(scope="module")
def logged(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Runs that all tests of this file share; nothing is made where there is no browser."""
    root = tmp_path_factory.mktemp("logged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        yield fill(open_at(root / "store", project="lab"))


@pytest.fixture(scope="module")
def address(logged: Store) -> Iterator[str]:
    with serving(logged, write=True) as found:
        yield found


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    found = Watched(browser, address)
    yield found
    found.context.close()
    assert (found.errors, found.hosts, found.dialogs) == ([], set(), [])


def panels(page: Any) -> list[str]:
    found: list[str] = page.locator(".panel").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    return found


def chart(page: Any, name: str) -> Any:
    return page.locator(f'.panel[aria-label="{name}"] .chart-frame')


def address_parts(page: Any) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(page.url).query, keep_blank_values=True)


def test_a_board_is_changed_kept_saved_and_put_before_another_run(watched: Watched) -> None:
    page = watched.page
    watched.goto(PLAIN)
    chart(page, "train/loss").wait_for()
    assert panels(page) == ["train/loss", "train/acc", "val/loss", "val/odd", "lr", "weights"]
    # Moved by keyboard and taken away by its menu.
    handle = page.get_by_role("button", name="Move train/acc", exact=True)
    handle.focus()
    page.keyboard.press("ArrowLeft")
    assert panels(page)[:2] == ["train/acc", "train/loss"]
    assert (
        page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "Move train/acc"
    )
    page.get_by_role("button", name="Menu of lr", exact=True).click()
    page.get_by_role("menuitem", name="Remove").click()
    assert "lr" not in panels(page)
    # All panels look different; one has a look of its own.
    page.get_by_role("slider", name="Smoothing").fill("0.9")
    page.get_by_label("log y").check()
    page.get_by_role("button", name="Menu of val/loss", exact=True).click()
    page.get_by_role("menuitem", name="Settings…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("X axis").select_option("_relative")
    dialog.get_by_label("Title").fill("Loss outside")
    dialog.get_by_role("button", name="Apply").click()
    # Two metrics in one panel.
    page.get_by_role("button", name="Add panel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("listbox", name="Metrics").select_option(["train/loss", "val/loss"])
    dialog.get_by_role("button", name="Add", exact=True).click()
    chart(page, "train/loss, val/loss").wait_for()
    expected = [
        "train/loss, val/loss",
        "train/acc",
        "train/loss",
        "Loss outside",
        "val/odd",
        "weights",
    ]
    assert panels(page) == expected
    parts = dict(address_parts(page))
    assert (parts["smooth"], parts["log"], parts["hide"]) == ("0.9", "y", "lr")
    page.reload()
    chart(page, "Loss outside").wait_for()
    assert panels(page) == expected
    # Saved under a name, and opened at an address of its own.
    page.get_by_role("button", name="Save board").click()
    dialog = page.get_by_role("dialog", name="Save board")
    dialog.get_by_label("Title").fill("Losses")
    dialog.get_by_role("button", name="Save", exact=True).click()
    dialog.get_by_role("link", name="Losses").click()
    chart(page, "Loss outside").wait_for()
    assert panels(page) == expected
    watched.goto("/p/lab/runs/other")
    chart(page, "lr").wait_for()
    page.get_by_role("button", name="Boards").click()
    page.get_by_role("menuitem", name="Losses").click()
    chart(page, "Loss outside").wait_for()
    assert panels(page) == expected
    assert "/runs/other?" in page.url
    page.get_by_role("button", name="As at first").click()
    chart(page, "lr").wait_for()


def test_an_axis_of_times_has_times_also_where_it_was_another_before(watched: Watched) -> None:
    page = watched.page
    watched.goto(PLAIN)
    loss = chart(page, "train/loss")
    loss.wait_for()
    axis = page.get_by_label("X axis")
    axis.select_option("_timestamp")
    wait_for(lambda: ":" in str(loss.get_attribute("aria-label")))
    axis.select_option("_step")
    wait_for(lambda: "step 0 to 39" in str(loss.get_attribute("aria-label")))
    watched.goto("/p/lab/runs?plot=scatter&x=created&y=summary.train/loss")
    points = page.locator("#runs-plots .chart-frame")
    points.wait_for()
    points.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".chart-tip", has_text=":").wait_for()


def test_a_panel_is_dragged_and_one_zoomed(watched: Watched) -> None:
    page = watched.page
    watched.goto(PLAIN)
    chart(page, "val/odd").wait_for()
    handle = page.get_by_role("button", name="Move train/acc", exact=True)
    target = page.locator('.panel[aria-label="train/loss"]')
    handle.hover()
    page.mouse.down()
    target.hover(position={"x": 40, "y": 60})
    page.mouse.up()
    assert panels(page)[:2] == ["train/acc", "train/loss"]
    frame = chart(page, "train/loss")
    frame.wait_for()
    with page.expect_request(lambda request: "/series?" in request.url and "from=" in request.url):
        frame.focus()
        page.keyboard.press("+")
    page.locator('.panel[aria-label="train/loss"]').get_by_role("button", name="Show all").click()
    page.get_by_role("searchbox", name="Find metrics").fill("odd")
    wait_for(lambda: panels(page) == ["val/odd"])


def test_two_thousand_metrics_are_asked_for_where_somebody_looks(watched: Watched) -> None:
    page = watched.page
    asked: list[str] = []
    page.on(
        "request", lambda request: asked.append(request.url) if "/series?" in request.url else None
    )
    watched.goto(WIDE)
    chart(page, "s00/m0000").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator(".board-section").count() == 20
    assert page.locator(".board-section[open]").count() == 1
    assert len(panels(page)) == 60
    assert page.locator(".panel canvas.chart-base").count() < 40
    assert len(asked) <= 2
    page.get_by_role("button", name="Show 40 more").scroll_into_view_if_needed()
    page.get_by_role("button", name="Show 40 more").click()
    assert len(panels(page)) == 100
    page.locator('.panel[aria-label="s00/m1980"]').scroll_into_view_if_needed()
    chart(page, "s00/m1980").wait_for()
    page.locator("summary", has_text="s19").click()
    chart(page, "s19/m0019").wait_for()
    wait_for(lambda: page.locator(".panel canvas.chart-base").count() <= 60)
    assert ("open", "s19") in address_parts(page)
    assert len(asked) < 12


def test_panels_of_other_kinds_are_added_and_drawn(watched: Watched) -> None:
    page = watched.page
    watched.goto(PLAIN)
    chart(page, "weights").wait_for()
    wait_for(lambda: "10 steps" in (chart(page, "weights").get_attribute("aria-label") or ""))
    page.get_by_role("button", name="Add panel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").select_option("scatter")
    dialog.get_by_role("listbox", name="Metrics").select_option(["train/acc", "train/loss"])
    dialog.get_by_role("button", name="Add", exact=True).click()
    scatter = page.locator(".panel").first
    scatter.locator(".chart-frame").wait_for()
    wait_for(lambda: "40" in (scatter.locator(".chart-frame").get_attribute("aria-label") or ""))
    page.get_by_role("button", name="Add panel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").select_option("text")
    dialog.get_by_label("Text", exact=True).fill(SCRIPT)
    dialog.get_by_role("button", name="Add", exact=True).click()
    page.locator(".panel-text", has_text=SCRIPT).wait_for()
    page.get_by_role("button", name="Menu of val/loss", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Values as CSV").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert text.splitlines()[0] == "step,val/loss"
    assert len(text.splitlines()) == 41


def test_a_board_of_several_runs_has_a_line_for_each_bands_and_axes(watched: Watched) -> None:
    page = watched.page
    watched.goto("/p/lab/compare?run=plain&run=other")
    loss = page.locator('.panel[aria-label="train/loss"]')
    loss.get_by_role("button", name="another run").wait_for()
    assert loss.locator(".chart-names li").all_inner_texts() == ["a plain run", "another run"]
    page.get_by_label("Band by").select_option("config.lr")
    loss.get_by_role("button", name="0.5").wait_for()
    assert dict(address_parts(page))["band"] == "config.lr"
    page.get_by_role("button", name="Add panel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").select_option("parallel")
    dialog.get_by_role("listbox", name="Metrics").select_option(["config.lr"])
    dialog.get_by_role("button", name="Add", exact=True).click()
    chart(page, "config.lr").wait_for()
    assert "run=plain" in page.url


def test_media_are_walked_by_step_with_boxes_and_masks(watched: Watched) -> None:
    page = watched.page
    watched.goto(f"{PLAIN}?show=media")
    slider = page.get_by_role("slider", name="Step")
    slider.wait_for()
    assert slider.get_attribute("aria-valuetext") == "step 23"
    page.locator(".media-value .boxes rect").first.wait_for()
    page.locator(".media-value .mask").first.wait_for(state="attached")
    assert page.locator("svg.figure rect").count() == 2
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("step 13, 3 steps").wait_for()
    assert dict(address_parts(page))["step"] == "13"
    assert page.evaluate("() => document.activeElement.id") == "step-slider"
    page.keyboard.press("Home")
    page.get_by_text("step 3, 3 steps").wait_for()


def test_several_pictures_of_a_step_are_small_and_enlarged_above_the_page(
    watched: Watched,
) -> None:
    page = watched.page
    watched.goto(f"{PLAIN}?show=media")
    small = page.locator(".media-value[aria-label=several] .media-small")
    assert small.count() == 3
    pictures = small.locator("img")
    wait_for(lambda: pictures.evaluate_all("all => all.every((one) => one.naturalWidth > 0)"))
    assert "/thumbnail/" in pictures.first.get_attribute("src")
    assert small.locator(".boxes rect").count() == 3
    small.get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Picture")
    dialog.get_by_text("1 of 3").wait_for()
    page.keyboard.press("ArrowLeft")
    dialog.get_by_text("3 of 3").wait_for()
    assert "/media/" in dialog.locator("img").get_attribute("src")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    focused = "all => all.indexOf(document.activeElement)"
    assert small.get_by_role("link").evaluate_all(focused) == 2


def test_a_console_has_the_colours_that_were_printed(watched: Watched) -> None:
    page = watched.page
    watched.goto(f"{PLAIN}?show=console")
    box = page.locator("#console")
    assert box.locator(".ink-red").inner_text() == " on 31"
    colours = {
        box.locator(f".ink-{name}").first.evaluate("one => getComputedStyle(one).color")
        for name in ("red", "green", "yellow", "blue", "magenta", "cyan", "grey")
    }
    assert len(colours) == 7
    # Earlier lines come as they were printed too, in front of these.
    page.get_by_role("link", name="Earlier lines").click()
    wait_for(lambda: box.inner_text().count("line 10000\n") <= 1)
    assert box.inner_text().rstrip().endswith(" on 100")
    watched.goto(f"{EVIL}?show=console")
    assert box.locator(".ink-red").first.inner_text() == SCRIPT
    assert box.locator("script").count() == 0


def test_histograms_are_of_runs_that_have_some_whatever_their_names(watched: Watched) -> None:
    page = watched.page
    watched.goto("/p/lab/compare?run=evil&run=plain&run=twin")
    panel = page.locator('.panel[aria-label="weights"]')
    panel.scroll_into_view_if_needed()
    panel.locator(".chart-frame").nth(1).wait_for()
    titles = panel.locator(".chart-title").all_inner_texts()
    assert titles == ["weights · a plain run"] * 2
    # Beside each other, where there is room for both.
    tops = panel.locator(".chart").evaluate_all("all => all.map((one) => one.offsetTop)")
    assert tops[0] == tops[1]


def test_what_only_one_of_several_runs_has_is_named_as_its_own(watched: Watched) -> None:
    page = watched.page
    watched.goto("/p/lab/compare?run=plain&run=wide")
    find = page.get_by_placeholder("Find metrics")
    find.fill("lr")
    line = page.locator('.panel[aria-label="lr"]')
    line.get_by_role("button", name="a plain run").wait_for()
    find.fill("weights")
    panel = page.locator('.panel[aria-label="weights"]')
    panel.get_by_text("weights · a plain run").wait_for()


def test_what_tells_all_lines_is_not_cut_by_its_chart(watched: Watched) -> None:
    page = watched.page
    keys = json.dumps({"kind": "line", "keys": [f"s00/m{at * 20:04d}" for at in range(20)]})
    watched.goto(f"{WIDE}?panel={keys}")
    frame = page.locator(".panel .chart-frame").first
    frame.wait_for()
    frame.focus()
    page.keyboard.press("ArrowRight")
    last = page.locator(".chart-tip > small").first
    last.wait_for()
    seen = """one => new Promise((done) => new IntersectionObserver(([told]) =>
        done(told.intersectionRatio)).observe(one))"""
    assert last.evaluate(seen) == 1


def test_what_failed_in_passing_comes_without_another_change(watched: Watched) -> None:
    page = watched.page
    # Pauses of seconds are shorter for a test.
    page.add_init_script(
        "const after = setTimeout; window.setTimeout = (run, ms) => after(run, (ms ?? 0) / 20);"
    )
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) <= 2:
            route.fulfill(status=502, json={"error": {"message": "the store is away"}})
        else:
            route.continue_()

    page.route("**/series?*", answer)
    watched.goto(PLAIN)
    told = page.locator(".panel p:visible", has_text="the store is away")
    told.first.wait_for()
    chart(page, "train/loss").wait_for()
    wait_for(lambda: told.count() == 0)
    # The browser says what it was answered.
    watched.errors.clear()


def test_the_console_shows_its_end_and_loads_earlier_lines(watched: Watched) -> None:
    page = watched.page
    watched.goto(f"{PLAIN}?show=console")
    box = page.locator("#console")
    assert "line 19999" in box.inner_text()
    assert "line 10000\n" not in box.inner_text()
    assert box.evaluate("box => box.scrollTop + box.clientHeight >= box.scrollHeight - 2")
    for _ in range(3):
        page.get_by_role("link", name="Earlier lines").click()
        page.wait_for_load_state("networkidle")
    wait_for(lambda: page.get_by_role("link", name="Earlier lines").count() == 0)
    assert box.inner_text().splitlines()[:2] == ["line 0", "line 1"]
    assert box.inner_text().count("line 10000\n") == 1
    page.get_by_role("searchbox", name="Search in the console").fill("line 777")
    page.keyboard.press("Enter")
    page.get_by_text("11 lines with").wait_for()
    page.get_by_role("link", name="line 7770", exact=True).click()
    assert page.locator("#console").inner_text().startswith("line 7770\n")


def test_whatever_a_run_holds_it_takes_nothing(watched: Watched) -> None:
    page = watched.page
    for show in SECTIONS:
        watched.goto(f"{EVIL}?show={show}")
        page.wait_for_load_state("networkidle")
        assert page.title().startswith(SCRIPT)
    watched.goto(EVIL)
    chart(page, f"{SCRIPT}/loss").wait_for()
    chart(page, "__proto__").wait_for()
    assert page.evaluate("() => Object.prototype.kind === undefined")
    watched.goto(f"{EVIL}?show=media")
    frame = page.frame_locator("iframe.page-frame")
    said = frame.locator("#said")
    wait_for(lambda: "fetch refused" in said.inner_text())
    assert "parent refused" in said.inner_text()
    assert "storage refused" in said.inner_text()
    assert page.evaluate("() => document.cookie") == ""
    assert urlsplit(page.url).path == EVIL
    # The browser tells what it kept the page from, and nothing else.
    kept = ("sandboxed", "Content Security Policy")
    assert [one for one in watched.errors if not any(word in one for word in kept)] == []
    watched.errors.clear()


@pytest.mark.parametrize("show", SECTIONS)
def test_sections_are_for_everybody(browser: Any, address: str, show: str, shots: Path) -> None:
    found = Watched(browser, address, bypass_csp=True)
    try:
        found.context.add_init_script(files(axe).joinpath("axe.min.js").read_text("utf-8"))
        page = found.page
        found.goto(f"{PLAIN}?show={show}")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=shots / f"run-{show}.png", full_page=True)
        violations = page.evaluate(RUN, None)
        page.emulate_media(color_scheme="dark")
        violations += page.evaluate(RUN, ["color-contrast"])
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        page.screenshot(path=shots / f"run-{show}-narrow.png")
        assert [one for one in violations if one["impact"] in SERIOUS] == []
        assert found.errors == []
    finally:
        found.context.close()


def test_without_scripts_every_section_is_read(browser: Any, address: str) -> None:
    found = Watched(browser, address, java_script_enabled=False)
    page = found.page
    found.goto(PLAIN)
    assert page.locator("svg.spark").count() == 5
    for name in ("Overview", "Media", "System", "Console", "Files", "Environment"):
        page.get_by_role("link", name=name, exact=True).click()
        assert (
            page.get_by_role("link", name=name, exact=True).get_attribute("aria-current") == "page"
        )
    assert "+new" in page.locator(".diff").inner_text()
    found.goto(f"{PLAIN}?show=media&step=13")
    page.get_by_role("link", name="Step 5").click()
    assert page.locator("#step").input_value() == "5"
    found.goto(f"{PLAIN}?show=overview")
    page.get_by_label("Search in config and summary").fill("adam")
    page.get_by_role("button", name="Search").click()
    assert "config.optim.name" in page.locator("#found").inner_text()
    found.context.close()
    assert found.errors == []


def test_what_people_say_of_a_run_is_changed(watched: Watched, logged: Store) -> None:
    page = watched.page
    watched.goto("/p/lab/runs/other?show=overview")
    page.get_by_text("Name, notes and tags").click()
    page.get_by_label("Name", exact=True).fill("renamed")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="renamed", level=1).wait_for()
    page.get_by_text("Delete the run").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("it is in no list").wait_for()
    page.get_by_text("Restore the run").click()
    page.get_by_role("button", name="Restore", exact=True).click()
    page.locator(".state-finished").wait_for()
    assert logged.run("lab/other").facts["name"] == "renamed"
